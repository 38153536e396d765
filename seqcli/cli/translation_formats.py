"""How translations are written: plain text, a table, or JSON with all that is known."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from seqcli.translator import Hypothesis, Translation


def as_text(translation: Translation, number: int) -> str:
    """The best hypothesis."""
    return translation.text


def as_tsv(translation: Translation, number: int) -> str:
    """A row for each hypothesis: line number, rank, score, log-probability (nats), text.

    A tab inside a text is written as a space; jsonl keeps it.
    """
    return "\n".join(
        f"{number}\t{rank}\t{hypothesis.score:.6f}\t{hypothesis.log_probability:.6f}\t"
        + hypothesis.text.replace("\t", " ")
        for rank, hypothesis in enumerate(translation.hypotheses, start=1)
    )


def as_jsonl(translation: Translation, number: int) -> str:
    """One object on a line: the source and its hypotheses, best first."""
    value: dict[str, Any] = {"line": number, "source": translation.source}
    if any(hypothesis.attention for hypothesis in translation.hypotheses):
        value["source_tokens"] = translation.source_tokens
    value["hypotheses"] = [_as_object(hypothesis) for hypothesis in translation.hypotheses]
    return json.dumps(value, ensure_ascii=False)


FORMATS: dict[str, Callable[[Translation, int], str]] = {
    "text": as_text,
    "tsv": as_tsv,
    "jsonl": as_jsonl,
}


def _as_object(hypothesis: Hypothesis) -> dict[str, Any]:
    value: dict[str, Any] = {
        "text": hypothesis.text,
        "score": hypothesis.score,
        "log_probability": hypothesis.log_probability,
    }
    if hypothesis.features:
        value["features"] = {name: round(number, 4) for name, number in hypothesis.features}
    if hypothesis.attention:
        value["tokens"] = hypothesis.tokens
        value["attention"] = [[round(weight, 4) for weight in row] for row in hypothesis.attention]
        value["alignment"] = pharaoh_alignment(hypothesis.attention)
    return value


def pharaoh_alignment(weights: Sequence[Sequence[float]]) -> str:
    """The source token that each target token attends to most, as "source-target" from 0 on."""
    return " ".join(
        f"{max(range(len(row)), key=row.__getitem__)}-{target}"
        for target, row in enumerate(weights)
    )
