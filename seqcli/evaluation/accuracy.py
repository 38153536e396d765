"""The share of lines that are exactly right."""

from collections.abc import Sequence

from seqcli.evaluation.base import Metric, reference_signature, references_of_each_line


class Accuracy(Metric):
    """Percentage of lines equal to one of their references, but for white space at the end."""

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
        line = line.rstrip()
        return line.lower() if self.lowercase else line
