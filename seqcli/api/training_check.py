"""What a training says of its text before it learns from it."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from seqcli.api.check import ROLES, check_text, side_names
from seqcli.api.training_folder import fingerprint
from seqcli.api.training_text import TrainingText
from seqcli.bundle import vocabulary_fingerprint
from seqcli.data.dataset import Text
from seqcli.data.stored_text import StoredText
from seqcli.experiment import Recipe
from seqcli.text.findings import Finding
from seqcli.text.lines import write_atomically
from seqcli.tokenizers import Tokenizer
from seqcli.training.report import Reporter

FINDINGS = "findings.json"  # in the folder of the stored text
LEAST_SHARE = 0.001  # of the lines or tokens, below which a finding makes no difference
HINT = "`seqcli check` names the lines; with {} it writes a cleaned text"


class _Record(msgspec.Struct, frozen=True):
    key: str
    findings: tuple[Finding, ...]


def tell_findings(
    text: TrainingText,
    test: Text | None,
    tokenizers: Mapping[str, Tokenizer],
    recipe: Recipe,
    reporter: Reporter,
) -> None:
    """Report what `seqcli check` would find in the lines to learn from, if it is worth telling.

    All of them are read, a million in some seconds, but only once: what was found stays beside the
    stored text. Raises OSError where that cannot be written.
    """
    told = [each for each in _findings(text, test, tokenizers, recipe) if each.share >= LEAST_SHARE]
    for finding in told:
        reporter.message(str(replace(finding, lines=())))  # without held-out lines, others' numbers
    if any(finding.rule != "unknown_tokens" for finding in told):
        reporter.message(HINT.format(_way_to_clean(text, recipe)))


def _findings(
    text: TrainingText, test: Text | None, tokenizers: Mapping[str, Tokenizer], recipe: Recipe
) -> tuple[Finding, ...]:
    """What was found in this very text before, or is found in it now."""
    stored = text.stored
    names = _names(stored)
    key = fingerprint(
        (stored.key, vocabulary_fingerprint(tokenizers), f"{recipe.compares_lengths}", *names),
        *text.validation,
        *(test or ()),
    )
    path = stored.folder / FINDINGS
    try:
        record = msgspec.json.decode(path.read_bytes(), type=_Record)
        if record.key == key:
            return record.findings
    except (OSError, ValueError, msgspec.MsgspecError):
        pass  # never checked, or not to the end
    report = check_text(
        stored.kept_lines,
        valid=text.validation,
        test=test,
        names=names,
        tokenizers=tokenizers,
        compare_lengths=recipe.compares_lengths,
    )
    with write_atomically(path) as stream:
        stream.write(msgspec.json.encode(_Record(key, report.findings)).decode())
    return report.findings


def _way_to_clean(text: TrainingText, recipe: Recipe) -> str:
    """The options of `seqcli check` for such a text."""
    if len(text.validation) == 1:
        return "--fix-file"
    return "--fix" if recipe.compares_lengths else "--fix --max-length-ratio inf"


def _names(stored: StoredText) -> tuple[str, ...]:
    """What to call each side: by its file, if it is in one."""
    if len(stored.corpora) == 1:
        return side_names(stored.corpora[0].files)
    return ROLES[: len(stored.sides)]
