"""The share of lines, or of the tags in them, that are exactly right."""

from collections.abc import Sequence

from seqcli.evaluation.base import Metric, reference_signature, references_of_each_line
from seqcli.text.words import split_words


class Accuracy(Metric):
    """Percentage of lines equal to one of their references, but for white space around it."""

    name = "accuracy"
    higher_is_better = True

    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        right = sum(
            self._fold(hypothesis) in map(self._fold, answers)
            for hypothesis, answers in zip(
                hypotheses, references_of_each_line(references), strict=True
            )
        )
        signature = reference_signature(references, lowercase=self.lowercase, unit="line")
        return 100 * right / len(hypotheses), signature

    def _fold(self, line: str) -> str:
        line = line.strip()
        return line.lower() if self.lowercase else line


class TokenAccuracy(Metric):
    """Percentage of tags (parted by spaces) equal to the reference tag of the same place.

    A line with more or fewer tags than its reference has that many wrong ones. Of several
    references of a line the one with the largest share counts. Without any tags it is 100.
    """

    name = "token-accuracy"
    higher_is_better = True
    compares_words = True

    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        total = total_right = 0
        for hypothesis, answers in zip(
            map(self._tags, hypotheses), references_of_each_line(references), strict=True
        ):
            _, right, count = max(
                _share_right(hypothesis, self._tags(answer)) for answer in answers
            )
            total_right += right
            total += count
        signature = reference_signature(references, lowercase=self.lowercase, unit="token")
        return 100 * total_right / total if total else 100.0, signature

    def _tags(self, line: str) -> list[str]:
        return split_words(line.lower() if self.lowercase else line)


def _share_right(given: Sequence[str], wanted: Sequence[str]) -> tuple[float, int, int]:
    """The share of right tags, their number, and that of all places."""
    right = sum(tag == answer for tag, answer in zip(given, wanted, strict=False))
    count = max(len(given), len(wanted))
    return right / count if count else 1.0, right, count
