"""Does text look tokenised? Then BLEU and its kin stand on another scale than on raw text."""

from collections.abc import Sequence

from seqcli.text.tokenised_text import SIGNS, SUSPICIOUS_SHARE


def tokenisation_warning(lines: Sequence[str], name: str) -> str | None:
    """What makes `lines`, called `name`, look tokenised, why it matters and what to do, or None."""
    found = {
        sign: [line for line in lines if pattern.search(line)] for sign, pattern in SIGNS.items()
    }
    suspicious = {line for marked in found.values() for line in marked}
    count = sum(line in suspicious for line in lines)
    if count == 0 or count < SUSPICIOUS_SHARE * sum(bool(line.strip()) for line in lines):
        return None
    sign = max(found, key=lambda sign: len(found[sign]))
    return (
        f"{name} looks tokenised: {len(found[sign])} of {len(lines)} lines have {sign}, "
        f'as in "{_shortened(found[sign][0])}". '
        "BLEU, chrF and TER of tokenised text are on another scale than of raw text and compare "
        "with no published score. Detokenise it (join its subwords, undo its escapes) and score "
        'again; if tokenised text is meant, let BLEU use the tokenizer "none".'
    )


def _shortened(line: str, most: int = 60) -> str:
    return line if len(line) <= most else line[: most - 1] + "…"
