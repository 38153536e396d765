"""Error rates of grapheme-to-phoneme conversion: a line is a word, a symbol of it is a phone."""

from collections.abc import Iterator, Sequence

from seqcli.evaluation.base import Metric, reference_signature, references_of_each_line


def levenshtein(first: Sequence[str], second: Sequence[str]) -> int:
    """The fewest insertions, deletions and substitutions that make one of the other.

    Two rows of the table of Wagner and Fischer (1974): memory grows with `second` alone.
    """
    above = list(range(len(second) + 1))
    for deletions, left in enumerate(first, start=1):
        row = [deletions]
        for column, right in enumerate(second):
            substituted = above[column] + (left != right)
            row.append(min(substituted, above[column + 1] + 1, row[column] + 1))
        above = row
    return above[-1]


class _SymbolMetric(Metric):
    higher_is_better = False

    def _symbols(self, line: str) -> list[str]:
        return (line.lower() if self.lowercase else line).split()

    def _lines_and_answers(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> Iterator[tuple[list[str], list[list[str]]]]:
        """The symbols of each hypothesis and of each of its right answers."""
        all_answers = references_of_each_line(references)
        for hypothesis, answers in zip(hypotheses, all_answers, strict=True):
            yield self._symbols(hypothesis), [self._symbols(answer) for answer in answers]


class PhoneErrorRate(_SymbolMetric):
    """Edits of symbols (parted by white space) for each reference symbol, in percent.

    The nearest reference of a line counts; of two that are as near the longer, so that their
    order makes no difference. Without any reference symbol it is 100 if any was given, else 0.
    """

    name = "PER"

    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        errors = symbols = 0
        for line, answers in self._lines_and_answers(hypotheses, references):
            distance, negative_length = min(
                (levenshtein(line, answer), -len(answer)) for answer in answers
            )
            errors += distance
            symbols -= negative_length
        signature = reference_signature(references, lowercase=self.lowercase, unit="symbol")
        return 100 * (errors / symbols if symbols else min(errors, 1)), signature


class WordErrorRate(_SymbolMetric):
    """Percentage of lines (words) with any wrong symbol; not the WER of speech recognition."""

    name = "WER"

    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        pairs = self._lines_and_answers(hypotheses, references)
        wrong = sum(line not in answers for line, answers in pairs)
        signature = reference_signature(references, lowercase=self.lowercase, unit="line")
        return 100 * wrong / len(hypotheses), signature
