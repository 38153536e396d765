"""All short runs of words of a text, each distinct one with a number."""

from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Ids, Places
from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import kernel

NONE = -1  # the number of a run that would go beyond its sentence


class PhraseNumbers(NamedTuple):
    """The number of the run of `length` words at place p of the text is `numbers[p, length - 1]`.

    Numbers rise with the words, in the order of a dictionary: a run comes before what it begins.
    """

    numbers: Ids  # N, longest
    places: Places  # of each number: where it stands first in the sorted text
    lengths: Ids  # of each number, in words


def number_phrases(sentences: Sentences, longest: int) -> PhraseNumbers:
    """Number all runs of up to `longest` words inside a sentence; 4 bytes for each run."""
    room = np.repeat(sentences.starts[1:], sentences.lengths()) - np.arange(len(sentences.ids))
    room = np.minimum(room, longest).astype(np.int32)
    return PhraseNumbers(
        *_number(sentences.ids, _sort(sentences.ids, room, longest), room, longest)
    )


def _sort(ids: Ids, room: Ids, longest: int) -> Places:
    """All places by the words from there on, up to `longest` or the end of the sentence.

    Ranks by so many words give ranks by up to twice as many (Manber and Myers, 1993).
    """
    ranks = ids.astype(np.int64) + 1  # 0 is for what is beyond the sentence
    length = 1
    while length < longest:
        step = min(length, longest - length)
        following = np.zeros_like(ranks)
        following[:-step] = np.where(room[:-step] > step, ranks[step:], 0)
        keys = ranks * (ranks.max(initial=0) + 1) + following
        ranks = np.unique(keys, return_inverse=True)[1] + 1
        length += step
    return np.argsort(ranks, kind="stable")


@kernel
def _number(ids: Ids, order: Places, room: Ids, longest: int) -> tuple[Ids, Places, Ids]:
    """Go through the sorted places; what a place does not share with the one before is new."""
    shared = np.zeros(len(order), np.int32)  # words
    count = np.int64(0)
    for index in range(len(order)):
        place = order[index]
        if index > 0:
            before = order[index - 1]
            most = min(room[place], room[before])
            while shared[index] < most and (
                ids[place + shared[index]] == ids[before + shared[index]]
            ):
                shared[index] += 1
        count += room[place] - shared[index]
    numbers = np.full((len(order), longest), NONE, np.int32)
    places, lengths = np.empty(count, np.int64), np.empty(count, np.int32)
    number = np.int64(0)
    for index in range(len(order)):
        place = order[index]
        for shorter in range(shared[index]):
            numbers[place, shorter] = numbers[order[index - 1], shorter]
        for shorter in range(shared[index], room[place]):
            numbers[place, shorter] = number
            places[number] = place
            lengths[number] = shorter + 1
            number += 1
    return numbers, places, lengths
