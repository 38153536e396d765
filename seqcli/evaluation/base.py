"""What a metric is: lists of strings in, one score with its signature out."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from seqcli.errors import DataError


@dataclass(frozen=True, slots=True)
class Score:
    """A value in full precision, and the signature that says how it was counted."""

    name: str
    value: float
    signature: str


class Metric(ABC):
    """One way to judge hypotheses by references; it keeps nothing from one call to the next."""

    name: ClassVar[str]  # as it is printed
    higher_is_better: ClassVar[bool]
    expects_raw_text: bool = False  # tokenised text would be scored on another scale
    compares_words: bool = False  # place by place: line N must have as many as its reference

    def __init__(self, *, lowercase: bool = False) -> None:
        self.lowercase = lowercase

    def compute(self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> Score:
        """Score all lines together; `references` holds one list for each reference file.

        Raises DataError if a list is empty or the lists differ in length.
        """
        require_aligned(hypotheses, references)
        value, signature = self._measure(hypotheses, references)
        return Score(self.name, value, signature)

    @abstractmethod
    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        """The value and its signature, for lists that are known to be aligned."""


def require_aligned(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], names: Sequence[str] = ()
) -> None:
    """Raise DataError unless every list of references has one line for each hypothesis.

    `names` says what to call the hypotheses and each list of references in the message.
    """
    if not references:
        raise DataError("there is no reference to score against", fix="Give at least one")
    names = names or [
        "the list of hypotheses",
        *(f"reference list {number}" for number in range(1, len(references) + 1)),
    ]
    for name, lines in zip(names, [hypotheses, *references], strict=True):
        if not lines:
            raise DataError(
                f"{name} has no lines",
                why="a score is an average over lines",
                fix="Check that it is the right file and was written to its end",
            )
        if len(lines) != len(hypotheses):
            raise DataError(
                f"{names[0]} has {len(hypotheses)} lines but {name} has {len(lines)}",
                why="line N of one belongs to line N of the other",
                fix="Score the whole set, with one line (empty if need be) for each line",
            )


def references_of_each_line(references: Sequence[Sequence[str]]) -> Iterator[tuple[str, ...]]:
    """The right answers for each line, all of them equally good.

    An empty line in the first list is an answer; in a further list it means "no further answer".
    """
    for first, *others in zip(*references, strict=True):
        yield (first, *filter(None, others))


def reference_signature(references: Sequence[Sequence[str]], *, lowercase: bool, unit: str) -> str:
    """The signature of a metric of our own, in the manner of sacreBLEU."""
    counts = {len(answers) for answers in references_of_each_line(references)}
    number = str(counts.pop()) if len(counts) == 1 else "var"
    return f"nrefs:{number}|case:{'lc' if lowercase else 'mixed'}|unit:{unit}"
