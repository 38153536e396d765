"""Target words together with the source words that they come from, as one unit of both.

A pair of sentences is cut wherever no link crosses, as far as it goes. A model of sequences of such
units knows both texts (Mariño et al., 2006; for spelling and sound Bisani and Ney, 2008), where one
of target words alone forgets what a phrase was translated from as soon as the phrase ends.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Ids, Places
from seqcli.smt.corpus import Sentences, learn_vocabulary
from seqcli.smt.lexicon import linked_words
from seqcli.smt.links import Links
from seqcli.tokenizers.vocabulary import SPECIAL_PIECES, UNK, Vocabulary

BETWEEN_SIDES = "  "  # no word has a space inside
UNKNOWN = SPECIAL_PIECES[UNK]


class JointUnits(NamedTuple):
    """The target side in units, and the links of the source words to them."""

    vocabulary: Vocabulary
    sentences: Sentences
    links: Links


class _Cuts(NamedTuple):
    """Where the U units are in both texts, which they divide in order."""

    source_starts: Places  # U + 1: places in `source.ids`
    target_starts: Places  # U + 1
    starts: Places  # of each sentence, in units


def join_units(
    source: Sentences, target: Sentences, links: Links, sources: Vocabulary, targets: Vocabulary
) -> JointUnits:
    """Turn the target words of aligned sentences into units with the source words.

    A source word without a link is a unit without a target word. A target word without a link
    belongs to the unit before it that has links, or else to the first that has. Each source word is
    linked to its unit. A unit with an unknown word is unknown. No sentence may be empty. Raises
    DataError if the alignment is not that of the sentences.
    """
    cuts = _cut(source, target, links)
    words, origins = (
        _slices(sentences, starts, vocabulary)
        for sentences, starts, vocabulary in (
            (target, cuts.target_starts, targets),
            (source, cuts.source_starts, sources),
        )
    )
    units = list(map(_unit, words, origins))
    vocabulary = learn_vocabulary([units])
    unit_of_word = np.repeat(np.arange(len(units)), np.diff(cuts.source_starts))
    return JointUnits(
        vocabulary,
        Sentences(np.array(list(map(vocabulary.id, units)), np.int32), cuts.starts),
        Links(
            source.starts,
            _inside(np.arange(len(source.ids)), source.starts, source),
            _inside(unit_of_word, cuts.starts, source),
        ),
    )


def words_of(units: Iterable[str]) -> tuple[str, ...]:
    """The target words of units; a word that is no unit is its own."""
    return tuple(word for unit in units for word in unit.split(BETWEEN_SIDES)[0].split(" ") if word)


def _unit(words: Sequence[str], origin: Sequence[str]) -> str:
    if UNKNOWN in words or UNKNOWN in origin:
        return UNKNOWN
    return " ".join(words) + BETWEEN_SIDES + " ".join(origin)


def _cut(source: Sentences, target: Sentences, links: Links) -> _Cuts:
    """Cut after each source word whose links, and those before, all lead before those that follow.

    Places count through all sentences, so that the end of each is such a cut.
    """
    source_words, target_words = linked_words(source, target, links)
    num_sources, num_targets = len(source.ids), len(target.ids)
    last = np.full(num_sources, -1)
    first = np.full(num_sources + 1, num_targets)
    np.maximum.at(last, source_words, target_words)
    np.minimum.at(first, source_words, target_words)
    before = np.maximum.accumulate(last)
    after = np.minimum.accumulate(first[::-1])[::-1]
    source_starts = np.append(0, 1 + np.flatnonzero(before < after[1:]))
    starts = np.searchsorted(source_starts, source.starts)
    begins, ends = (
        np.repeat(bounds, np.diff(starts)) for bounds in (target.starts[:-1], target.starts[1:])
    )
    has_links_before = np.append(-1, before)[source_starts[:-1]] >= begins
    target_starts = np.where(has_links_before, np.minimum(after[source_starts[:-1]], ends), begins)
    return _Cuts(source_starts, np.append(target_starts, num_targets), starts)


def _slices(sentences: Sentences, starts: Places, vocabulary: Vocabulary) -> Iterator[list[str]]:
    """The words between each place and the next."""
    words = vocabulary.pieces_of(sentences.ids.tolist())
    return (words[start:end] for start, end in pairwise(starts.tolist()))


def _inside(places: Places, starts: Places, source: Sentences) -> Ids:
    """Places of each source word's sentence, `starts` being where it begins, counted in it."""
    return (places - np.repeat(starts[:-1], source.lengths())).astype(np.int32)
