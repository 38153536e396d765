"""Random segmentations of words, so that a model sees a word cut in more than one way.

Sentencepiece samples too, but salts its generator anew in each process, so that no run could be
repeated or resumed; here `random.Random` draws. No learned piece crosses a space, so each word is
cut by itself, and what is computed for a word serves all its repetitions.
"""

import math
import re
from bisect import bisect
from collections.abc import Mapping
from itertools import accumulate, pairwise
from random import Random
from typing import Protocol

from seqcli.tokenizers.vocabulary import SPACE

LONGEST_PIECE = 16  # characters; sentencepiece learns none that is longer
LONGEST_WORD = 64  # longer ones are cut first, as the time of BPE grows with the square
UNKNOWN_PENALTY = 10.0  # nats below the rarest piece, as in sentencepiece

_WORD = re.compile(f"{SPACE}?[^{SPACE}]{{1,{LONGEST_WORD}}}|{SPACE}")


class Sampler(Protocol):
    """Cuts words at random; one is made for each batch, from its seed."""

    def __init__(self, scores: Mapping[str, float], *, alpha: float, seed: int) -> None: ...

    def pieces(self, word: str) -> list[str]:
        """Cut a word into pieces; a character that has no score is a piece of its own."""


def words_of(segment: str) -> list[str]:
    """Cut at spaces; each word takes the one before it along, written as in pieces."""
    return _WORD.findall(segment.replace(" ", SPACE))


class UnigramSampler:
    """Draws a segmentation by its probability in the unigram model to the power of alpha.

    Forward filtering and backward sampling over all segmentations (Kudo, 2018).
    """

    def __init__(self, scores: Mapping[str, float], *, alpha: float, seed: int) -> None:
        """`scores` are the logarithms of the probabilities of the pieces."""
        self._scores = {piece: alpha * score for piece, score in scores.items()}
        self._unknown = min(self._scores.values(), default=0.0) - alpha * UNKNOWN_PENALTY
        self._random = Random(seed).random
        self._lattices: dict[str, list[tuple[list[int], list[float]]]] = {}

    def pieces(self, word: str) -> list[str]:
        lattice = self._lattices.get(word)
        if lattice is None:
            lattice = self._lattices[word] = self._lattice(word)
        pieces = []
        end = len(word)
        while end:
            starts, cumulative = lattice[end]
            start = starts[bisect(cumulative, self._random())]
            pieces.append(word[start:end])
            end = start
        pieces.reverse()
        return pieces

    def _lattice(self, word: str) -> list[tuple[list[int], list[float]]]:
        """For each end: the starts of the pieces that end there, and their probabilities summed up.

        The last sum is left out: it is 1, and rounding must not put a draw beyond it.
        """
        totals = [0.0]  # log of the weight of all segmentations up to each place
        lattice: list[tuple[list[int], list[float]]] = [([], [])]
        for end in range(1, len(word) + 1):
            starts, weights = [], []
            for start in range(max(0, end - LONGEST_PIECE), end):
                score = self._scores.get(word[start:end])
                if score is None and start == end - 1:
                    score = self._unknown
                if score is not None:
                    starts.append(start)
                    weights.append(totals[start] + score)
            highest = max(weights)
            sums = list(accumulate(math.exp(weight - highest) for weight in weights))
            totals.append(highest + math.log(sums[-1]))
            lattice.append((starts, [part / sums[-1] for part in sums[:-1]]))
        return lattice


class BpeSampler:
    """Merges as byte-pair encoding does, but drops each possible merge at each step by chance.

    BPE-dropout (Provilkov et al., 2020). The merge to do is the best one that is not dropped.
    """

    def __init__(self, scores: Mapping[str, float], *, alpha: float, seed: int) -> None:
        """The merges with the highest `scores` come first; `alpha` is the chance of a drop."""
        self._scores = scores
        self._alpha = alpha
        self._random = Random(seed).random
        self._merges: dict[tuple[str, ...], list[int]] = {}

    def pieces(self, word: str) -> list[str]:
        pieces = tuple(word)
        while True:
            for place in self._possible_merges(pieces):
                if self._random() >= self._alpha:
                    merged = pieces[place] + pieces[place + 1]
                    pieces = (*pieces[:place], merged, *pieces[place + 2 :])
                    break
            else:
                return list(pieces)

    def _possible_merges(self, pieces: tuple[str, ...]) -> list[int]:
        """The places of two neighbours that make a piece, best first."""
        places = self._merges.get(pieces)
        if places is None:
            scores = [self._scores.get(left + right) for left, right in pairwise(pieces)]
            ranked = sorted(
                (-score, place) for place, score in enumerate(scores) if score is not None
            )
            places = self._merges[pieces] = [place for _, place in ranked]
        return places


SAMPLERS: dict[str, type[Sampler]] = {"unigram": UnigramSampler, "bpe": BpeSampler}
