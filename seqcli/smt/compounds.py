"""Compounds split into the words that they are made of (Koehn and Knight, 2003)."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

SHORTEST_PART = 4  # letters
RAREST_PART = 3  # times that a part stands alone
FILLERS = ("", "s", "es")  # letters between parts
UNSEEN = 0.5  # what a word counts that never stands alone
GLUE = "@@"  # the tokenizer leaves no word that ends so
MOST_KNOWN_WORDS = 2**16  # of which the parts are remembered

_Cut = tuple[int, int, int]  # where a part begins, where it ends, and where its filler ends


class CompoundSplitter:
    """Splits a word where its parts are more frequent, by their geometric mean, than the word.

    `frequencies` are of words in small letters. Each part is passed through `usual`, which gives
    it the casing that it has alone. If they are to be joined again, parts keep all letters and
    each but the last ends in GLUE; else the letters between parts go.
    """

    def __init__(
        self,
        frequencies: Mapping[str, int],
        usual: Callable[[str], str] = str,
        *,
        joins: bool = False,
    ) -> None:
        self.frequencies = dict(frequencies)
        self.joins = joins
        self._usual = usual
        self._parts_of = lru_cache(MOST_KNOWN_WORDS)(self._find_parts)

    def split(self, words: Iterable[str]) -> list[str]:
        """All words, those that are compounds in parts."""
        return [part for word in words for part in self._parts_of(word)]

    def join(self, parts: Iterable[str]) -> list[str]:
        """Words with their parts put together, of which all but the first lose their capitals.

        A part stays apart from what no compound can end in, such as a sign or an article.
        """
        words, begun = list[str](), ""
        for part in parts:
            whole = begun + part.lower() if begun else part
            if part.endswith(GLUE):
                begun = whole.removesuffix(GLUE)
            else:
                words += [whole] if not begun or self._is_word(whole) else [begun, part]
                begun = ""
        return [*words, begun] if begun else words

    def _is_word(self, word: str) -> bool:
        """Whether a word is known or can be split."""
        return word.lower() in self.frequencies or len(self._parts_of(word)) > 1

    def _find_parts(self, word: str) -> tuple[str, ...]:
        small = word.lower()
        if len(small) < 2 * SHORTEST_PART or not small.isalpha() or len(small) != len(word):
            return (word,)
        if self.joins and word[1:] != small[1:]:
            return (word,)
        score, cuts = _best_cuts(small, self.frequencies)
        if len(cuts) < 2 or score <= math.log(self.frequencies.get(small, 0) or UNSEEN):
            return (word,)
        if not self.joins:
            return tuple(self._usual(small[begin:end]) for begin, end, _ in cuts)
        (_, _, first), *others = cuts
        parts = [word[:first], *(self._usual(small[begin:end]) for begin, _, end in others)]
        return (*(part + GLUE for part in parts[:-1]), parts[-1])


def learn_compounds(
    sentences: Iterable[Sequence[str]], usual: Callable[[str], str] = str, *, joins: bool = False
) -> CompoundSplitter:
    """Count the words that compounds can be made of."""
    counts = Counter(
        word.lower() for words in sentences for word in words if len(word) >= SHORTEST_PART
    )
    frequencies = {word: count for word, count in counts.items() if word.isalpha()}
    return CompoundSplitter(frequencies, usual, joins=joins)


def _best_cuts(word: str, frequencies: Mapping[str, int]) -> tuple[float, list[_Cut]]:
    """The parts with the best mean of log frequencies; none if the word cannot be cut.

    For each place in the word the best sums over 1, 2, ... parts up to there are kept, so that no
    cut of the whole word is missed.
    """
    best: list[dict[int, tuple[float, list[_Cut]]]] = [{} for _ in range(len(word) + 1)]
    best[0][0] = (0.0, [])
    for end in range(SHORTEST_PART, len(word) + 1):
        for begin in range(end - SHORTEST_PART + 1):
            for filler in FILLERS if end < len(word) else FILLERS[:1]:
                part_end = end - len(filler)
                count = frequencies.get(word[begin:part_end], 0)
                is_part = part_end - begin >= SHORTEST_PART and count >= RAREST_PART
                if not (best[begin] and is_part and word.endswith(filler, 0, end)):
                    continue
                for number, (total, cuts) in best[begin].items():
                    score = total + math.log(count)
                    if score > best[end].get(number + 1, (-math.inf, []))[0]:
                        best[end][number + 1] = (score, [*cuts, (begin, part_end, end)])
    whole = [(total / number, cuts) for number, (total, cuts) in best[-1].items() if number > 1]
    return max(whole, default=(-math.inf, []))
