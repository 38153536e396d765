"""The best derivations of a lattice, exactly and in order, with their features."""

import heapq
from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Floats, Ids, Places
from seqcli.smt.coverage import Whole
from seqcli.smt.features import (
    CLASS_MODEL,
    DISTORTION,
    FROM_PREVIOUS,
    LANGUAGE_MODEL,
    NUM_FEATURES,
    TO_NEXT,
    WORDS,
)
from seqcli.smt.kernel import kernel, leaf, part
from seqcli.smt.language_models import LanguageModels, next_words
from seqcli.smt.lattice import Lattice
from seqcli.smt.options import COPIED, Options
from seqcli.smt.stack_decoder import orientation_between
from seqcli.tokenizers.vocabulary import EOS, UNK

MOST_PER_OUTPUT = 20  # derivations looked at for each one that is asked for


class Derivations(NamedTuple):
    """K derivations of one sentence, best first.

    The options of number k, in the order of the output, are [starts[k]:starts[k + 1]].
    """

    starts: Places
    options: Ids
    scores: Floats  # K: as the search added them up
    features: Floats  # K, NUM_FEATURES: counted anew, option by option


@leaf
def _output_hash(options: Options, path: Ids) -> np.uint64:
    """A number that equal outputs share, and others do not but for a chance of 1 in 2^64.

    A copied word that the target vocabulary does not know is told by its place in the source.
    """
    key = np.uint64(0xCBF29CE484222325)
    for option in path:
        copied = options.pair[option] == COPIED
        for place in range(options.target_starts[option], options.target_starts[option + 1]):
            word = options.target_ids[place]
            if copied and word == UNK:
                word = -1 - options.begin[option]
            key = (key ^ np.uint64(word & 0xFFFFFFFF)) * np.uint64(0x9E3779B97F4A7C15)
            key ^= key >> np.uint64(29)
    return key


@kernel
def step_features(options: Options, models: LanguageModels, begin_state: int, path: Ids) -> Floats:
    """The features of a derivation, given as its options in the order of the output.

    Returns a row for each option and one for the end of the sentence. An option is charged for the
    jump to it and, once the next is known, for how it stands to the next.
    """
    rows = np.zeros((len(path) + 1, NUM_FEATURES))
    state, length = np.int64(begin_state), np.int64(len(options.span_at))
    last_begin, last_end = np.int64(0), np.int64(0)
    for step in range(len(path) + 1):
        begin, end = length, length
        if step < len(path):
            option = path[step]
            begin, end = np.int64(options.begin[option]), np.int64(options.end[option])
        orientation = orientation_between(last_begin, last_end, begin, end)
        if step > 0:
            place = TO_NEXT + orientation
            rows[step - 1, place] = options.features[path[step - 1], place]
        if step == len(path):
            of_word, of_class, state = next_words(models, state, np.int32(EOS))
            rows[step, LANGUAGE_MODEL], rows[step, CLASS_MODEL] = of_word, of_class
            break
        rows[step, WORDS:DISTORTION] = options.features[option, WORDS:DISTORTION]
        rows[step, DISTORTION] = -abs(begin - last_end)
        place = FROM_PREVIOUS + orientation
        rows[step, place] = options.features[option, place]
        for place in range(options.target_starts[option], options.target_starts[option + 1]):
            of_word, of_class, state = next_words(models, state, options.target_ids[place])
            rows[step, LANGUAGE_MODEL] += of_word
            rows[step, CLASS_MODEL] += of_class
        last_begin, last_end = begin, end
    return rows


@kernel
def best_derivations(
    options: Options,
    lattice: Lattice,
    models: LanguageModels,
    begin_state: int,
    count: int,
    distinct: bool,
) -> Derivations:
    """The `count` best derivations, or the best of each of so many outputs if `distinct`.

    There are fewer where the lattice has no more, or where the MOST_PER_OUTPUT times as many best
    derivations have no more outputs.
    """
    starts, paths, scores = _best_paths(options, lattice, count, distinct)
    features = np.zeros((len(scores), NUM_FEATURES))
    for rank in range(len(scores)):
        path = paths[starts[rank] : starts[rank + 1]]
        for row in step_features(options, models, begin_state, path):
            features[rank] += row
    return Derivations(starts, paths, scores, features)


@part
def _best_paths(
    options: Options, lattice: Lattice, count: int, distinct: bool
) -> tuple[Places, Ids, Floats]:
    """Starts, options and scores of the best derivations.

    A walk back from the end that always goes on with the best way: since the score of the best way
    to each node is known, the ways come out in order, and none is begun in vain (A*).
    """
    # the ways to the end, as linked lists
    steps_option: list[Whole] = [np.int64(-1)]
    steps_next: list[Whole] = [np.int64(-1)]
    last = np.int64(len(lattice.node_arc) - 1)
    waiting: list[tuple[float, Whole, Whole, float]] = [
        (-lattice.node_score[last], last, np.int64(0), 0.0)
    ]
    seen = {np.uint64(0)}
    starts, found, scores = [np.int64(0)], [np.int32(0)], [0.0]
    looked_at = 0
    while waiting and len(starts) <= count and looked_at < MOST_PER_OUTPUT * count:
        negative, node, step, after = heapq.heappop(waiting)
        if node == 0:
            looked_at += 1
            path = _path_from(steps_option, steps_next, step, len(options.span_at))
            key = _output_hash(options, path)
            if not distinct or key not in seen:
                seen.add(key)
                found.extend(path)
                starts.append(np.int64(len(found) - 1))
                scores.append(-negative)
            continue
        arc = lattice.node_arc[node]
        while arc >= 0:
            before = np.int64(lattice.arcs.node[arc])
            own = after + lattice.arcs.score[arc] - lattice.node_score[before]
            steps_option.append(np.int64(lattice.arcs.option[arc]))
            steps_next.append(step)
            item = (-own - lattice.node_score[before], before, len(steps_next) - 1, own)
            heapq.heappush(waiting, item)
            arc = lattice.arcs.next[arc]
    return np.array(starts), np.array(found[1:], dtype=np.int32), np.array(scores[1:])


@part
def _path_from(steps_option: list[Whole], steps_next: list[Whole], step: Whole, most: int) -> Ids:
    """The options of a way from a step to the end of the sentence."""
    length = 0
    path = np.empty(most, np.int32)
    while steps_next[step] > 0:  # the last step is the end of the sentence
        path[length] = steps_option[step]
        step, length = steps_next[step], length + 1
    return path[:length]
