"""F1, the harmonic mean of precision and recall: of labels, and of spans of words."""

from collections import Counter
from collections.abc import Iterator, Sequence

from seqcli.evaluation.base import Metric, reference_signature, references_of_each_line
from seqcli.text.words import split_words

Span = tuple[str, int, int]  # its type, its first word, and the word after its last
OUTSIDE = "O"


class MacroF1(Metric):
    """Mean F1 of all labels that references or hypotheses have, in percent; a line is a label.

    Rare labels count as much as frequent ones; blank lines that are answered so do not count.
    Where none of several references is given, the first of them by code points counts.
    """

    name = "macro-F1"
    higher_is_better = True

    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        given, wanted, right = Counter[str](), Counter[str](), Counter[str]()
        for hypothesis, answers in zip(
            map(self._fold, hypotheses), references_of_each_line(references), strict=True
        ):
            folded = sorted(map(self._fold, answers))
            answer = hypothesis if hypothesis in folded else folded[0]
            if not hypothesis and not answer:
                continue  # a blank line, which has no label
            given[hypothesis] += 1
            wanted[answer] += 1
            right[answer] += hypothesis == answer
        labels = given.keys() | wanted.keys()
        values = [_f1(right[label], given[label], wanted[label]) for label in sorted(labels)]
        signature = reference_signature(references, lowercase=self.lowercase, unit="label")
        return sum(values) / len(values) if values else 100.0, signature

    def _fold(self, line: str) -> str:
        return line.strip().lower() if self.lowercase else line.strip()


class SpanF1(Metric):
    """F1 of all spans of a corpus, in percent: right are those of right type, start and end.

    Spans are read from tags (B-TYPE begins one, I-TYPE goes on, O is outside) as conlleval does
    (Tjong Kim Sang and Buchholz, 2000): an I after O or after another type begins a span too. A tag
    of another form is a span of one word. Of several references of a line the one with most right
    spans counts, of such the one with fewest spans. Where there are none at all, it is 100.
    """

    name = "span-F1"
    higher_is_better = True
    compares_words = True

    def _measure(
        self, hypotheses: Sequence[str], references: Sequence[Sequence[str]]
    ) -> tuple[float, str]:
        given = wanted = right = 0
        for hypothesis, answers in zip(
            hypotheses, references_of_each_line(references), strict=True
        ):
            found = self._spans(hypothesis)
            right_here, missing = max(
                (len(found & spans), -len(spans)) for spans in map(self._spans, answers)
            )
            given += len(found)
            wanted -= missing
            right += right_here
        signature = reference_signature(references, lowercase=self.lowercase, unit="span")
        return _f1(right, given, wanted), f"{signature}|scheme:bio"

    def _spans(self, line: str) -> set[Span]:
        return set(spans_of(split_words(line.upper() if self.lowercase else line)))


def spans_of(tags: Sequence[str]) -> Iterator[Span]:
    """The spans that the tags of a sentence mark, in their order."""
    kind, start = None, 0
    for place, tag in enumerate([*tags, OUTSIDE]):
        if tag.partition("-")[0] == "I" and kind is not None and kind == _type_of(tag):
            continue
        if kind is not None:
            yield kind, start, place
        kind, start = _type_of(tag), place


def _type_of(tag: str) -> str | None:
    """The type of the span that a tag is in, None outside."""
    prefix, _, kind = tag.partition("-")
    return None if tag == OUTSIDE else kind if prefix in ("B", "I") else tag


def _f1(right: int, given: int, wanted: int) -> float:
    """In percent; 100 where nothing is wanted and nothing given."""
    return 200 * right / (given + wanted) if given + wanted else 100.0
