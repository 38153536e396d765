"""Word substitution: the translator that looks each word up, as the first machines did."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.kernel import kernel
from seqcli.smt.ngram_model import NgramArrays, NgramModel, next_word
from seqcli.smt.words import AnyWords
from seqcli.tokenizers.vocabulary import EOS, UNK, Vocabulary
from seqcli.translator import Hypothesis, Translation

LONGEST_ENTRY = 5  # words of the source
MOST_CHOICES = 20  # translations of an entry that are compared


class Choice(NamedTuple):
    """A translation of an entry."""

    words: tuple[str, ...]
    log_probability: float  # given the entry; 0 where a dictionary does not tell


Entries = Mapping[tuple[str, ...], Sequence[Choice]]  # by source words in small letters


class WordChooser:
    """Chooses translations by a bigram model of target text alone (Viterbi's algorithm)."""

    def __init__(self, model: NgramModel, vocabulary: Vocabulary) -> None:
        self.model = model
        self.vocabulary = vocabulary

    def choose(self, choices: Sequence[Sequence[Choice]]) -> list[int]:
        """Of each place the number of the choice that makes the sentence most probable."""
        flat = [choice for place in choices for choice in place]
        places = np.cumsum([0, *map(len, choices)])
        starts = np.cumsum([0, *(len(choice.words) for choice in flat)])
        ids = [max(self.vocabulary.id(word), UNK) for choice in flat for word in choice.words]
        scores = np.array([choice.log_probability for choice in flat], np.float64)
        arrays, begin = self.model.arrays, self.model.begin_state
        return list(_best_path(arrays, begin, places, starts, np.array(ids, np.int32), scores))


class DictionaryTranslator:
    """Puts the translation of each word, or of the most words that are an entry, in its place.

    The first translation of an entry is taken, or the one that `chooser` likes. A word that the
    dictionary lacks is copied.
    """

    def __init__(
        self,
        entries: Entries,
        *,
        source_words: AnyWords,
        target_words: AnyWords,
        chooser: WordChooser | None = None,
    ) -> None:
        self._entries = entries
        self._source_words = source_words
        self._target_words = target_words
        self._chooser = chooser
        self._longest = min(LONGEST_ENTRY, max(map(len, entries), default=1))

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        """Translate lines in the order they come."""
        return map(self._translate, lines)

    def _translate(self, line: str) -> Translation:
        words = self._source_words.split(line) if line.strip() else []
        if not words:
            return Translation(line, (Hypothesis("", 0.0, 0.0),))
        choices = list(self._look_up(words))
        chosen = [0] * len(choices)
        if self._chooser is not None:
            chosen = self._chooser.choose(choices)
        best = [place[number] for place, number in zip(choices, chosen, strict=True)]
        tokens = tuple(word for choice in best for word in choice.words)
        score = sum(choice.log_probability for choice in best)
        hypothesis = Hypothesis(self._target_words.join(tokens), score, score, tokens)
        return Translation(line, (hypothesis,), tuple(words))

    def _look_up(self, words: Sequence[str]) -> Iterator[Sequence[Choice]]:
        """The choices of each part of a sentence, from the left, the longest entries first."""
        small = [word.lower() for word in words]
        place = 0
        while place < len(words):
            for end in range(min(len(words), place + self._longest), place, -1):
                found = self._entries.get(tuple(small[place:end]))
                if found:
                    yield found[:MOST_CHOICES]
                    place = end
                    break
            else:
                yield [Choice((words[place],), 0.0)]
                place += 1


@kernel
def _best_path(
    arrays: NgramArrays,
    begin_state: int,
    places: NDArray[np.int64],
    starts: NDArray[np.int64],
    ids: NDArray[np.int32],
    scores: NDArray[np.float64],
) -> NDArray[np.int64]:
    """The number of the best choice at each place; a choice's state depends on its words alone.

    Choices of place p are places[p] to places[p + 1], the words of a choice are starts[c] on.
    """
    count = len(places) - 1
    best = np.full(len(scores), -np.inf)
    before = np.full(len(scores), -1, np.int64)
    states = np.empty(len(scores), np.int64)
    for place in range(count):
        for choice in range(places[place], places[place + 1]):
            first = places[place - 1] if place else np.int64(0)
            last = places[place] if place else np.int64(1)
            for earlier in range(first, last):
                state = states[earlier] if place else np.int64(begin_state)
                total = scores[choice] + (best[earlier] if place else 0.0)
                for at in range(starts[choice], starts[choice + 1]):
                    log_probability, state = next_word(arrays, state, ids[at])
                    total += log_probability
                if total > best[choice]:
                    best[choice], before[choice], states[choice] = total, earlier, state
    for choice in range(places[count - 1], places[count]):
        best[choice] += next_word(arrays, states[choice], np.int32(EOS))[0]
    path = np.empty(count, np.int64)
    at = places[count - 1] + np.argmax(best[places[count - 1] : places[count]])
    for place in range(count - 1, -1, -1):
        path[place] = at - places[place]
        at = before[at]
    return path
