"""Truecasing: words at the start of a sentence as they are written elsewhere."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

SENTENCE_ENDS = frozenset(".?!:")
# After these too a sentence starts: brackets, and quotation marks of many languages.
OPENING_SIGNS = frozenset("\"'`„“”«»([{\u201a\u2018\u2019") | {"''", "``"}


class Truecaser:
    """Knows the usual casing of words.

    `words` are in their usual casing, no two the same but for case; `others` are all words that
    were seen in another casing too. `has_capitals` says whether sentences start with a capital.
    """

    def __init__(
        self, words: Iterable[str], *, others: Iterable[str] = (), has_capitals: bool
    ) -> None:
        self.words = tuple(words)
        self.others = tuple(others)
        self.has_capitals = has_capitals
        self._usual = {word.lower(): word for word in self.words}
        self._known = {*self.words, *self.others}

    def usual(self, word: str) -> str:
        """A word in its usual casing; one that is not known stays as it is."""
        return self._usual.get(word.lower(), word)

    def truecase(self, words: Sequence[str]) -> list[str]:
        """Give words at the starts of sentences, and unknown ones anywhere, their usual casing."""
        return [
            self.usual(word) if is_start or word not in self._known else word
            for word, is_start in zip(words, starts_of(words), strict=True)
        ]

    def detruecase(self, words: Sequence[str]) -> list[str]:
        """Give words at the starts of sentences a capital, if sentences have one."""
        if not self.has_capitals:
            return list(words)
        return [
            word[:1].upper() + word[1:] if is_start else word
            for word, is_start in zip(words, starts_of(words), strict=True)
        ]


def learn_truecaser(sentences: Iterable[Sequence[str]]) -> Truecaser:
    """Learn from words that do not start a sentence; of two casings the more frequent counts.

    Sentences have capitals unless more of them start without.
    """
    counts: Counter[str] = Counter()
    starts: Counter[str] = Counter()
    for words in sentences:
        for word, is_start in zip(words, starts_of(words), strict=True):
            (starts if is_start else counts)[word] += 1
    usual: dict[str, str] = {}
    for word in sorted(counts, key=lambda word: (-counts[word], word)):
        usual.setdefault(word.lower(), word)
    num_capitals = sum(count for word, count in starts.items() if word[:1].isupper())
    num_small = sum(count for word, count in starts.items() if word[:1].islower())
    return Truecaser(
        usual.values(),
        others=sorted(counts.keys() - usual.values()),
        has_capitals=num_capitals >= num_small,
    )


def starts_of(words: Iterable[str]) -> Iterator[bool]:
    """Tell of each word whether it starts a sentence."""
    is_start = True
    for word in words:
        yield is_start and word not in OPENING_SIGNS
        is_start = word in SENTENCE_ENDS or (is_start and word in OPENING_SIGNS)
