"""Two alignments of opposite directions made into one (Koehn, 2010, section 4.5.3)."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import kernel
from seqcli.smt.links import DirectedLinks, Links

Symmetrization = Literal["intersection", "union", "grow-diag-final-and"]
SYMMETRIZATIONS: tuple[Symmetrization, ...] = get_args(Symmetrization)
# A link's mark is the sum of the directions that have it, and of CHOSEN once it is in the result.
TO_SOURCE, TO_TARGET, CHOSEN = 1, 2, 4
NEIGHBOURS = ((-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


def symmetrize(
    directed: DirectedLinks, source: Sentences, target: Sentences, symmetrization: Symmetrization
) -> Links:
    """Combine the links of two directions.

    "intersection" takes what both have, "union" what either has. "grow-diag-final-and" starts from
    the intersection, adds neighbours out of the union that link a word without a link, and last
    what either direction has for two words without one, `to_source` first.
    """
    grows = symmetrization == "grow-diag-final-and"
    enough = TO_SOURCE if symmetrization == "union" else TO_SOURCE + TO_TARGET
    return Links(
        *_symmetrize(
            directed.to_source, directed.to_target, source.starts, target.starts, enough, grows
        )
    )


@kernel
def _symmetrize(
    to_source: NDArray[np.int32],
    to_target: NDArray[np.int32],
    source_starts: NDArray[np.int64],
    target_starts: NDArray[np.int64],
    enough: int,
    grows: bool,
) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
    starts = np.zeros(len(source_starts), np.int64)
    sources = np.empty(len(to_source) + len(to_target), np.int32)
    targets = np.empty(len(to_source) + len(to_target), np.int32)
    count = 0
    for n in range(len(source_starts) - 1):
        here = to_source[target_starts[n] : target_starts[n + 1]]
        there = to_target[source_starts[n] : source_starts[n + 1]]
        marks = np.zeros((len(there), len(here)), np.uint8)
        for j, i in enumerate(here):
            if i >= 0:
                marks[i, j] += TO_SOURCE
        for i, j in enumerate(there):
            if j >= 0:
                marks[i, j] += TO_TARGET
        _choose(marks, enough, grows)
        for i in range(len(there)):
            for j in range(len(here)):
                if marks[i, j] >= CHOSEN:
                    sources[count] = i
                    targets[count] = j
                    count += 1
        starts[n + 1] = count
    return starts, sources[:count].copy(), targets[:count].copy()


@kernel
def _choose(marks: NDArray[np.uint8], enough: int, grows: bool) -> None:
    """Add CHOSEN to the marks of the links that are in the result."""
    num_sources, num_targets = marks.shape
    source_linked = np.zeros(num_sources, np.bool_)
    target_linked = np.zeros(num_targets, np.bool_)
    for j in range(num_targets):
        for i in range(num_sources):
            if marks[i, j] >= enough:
                marks[i, j] += CHOSEN
                source_linked[i] = target_linked[j] = True
    grown = grows
    while grown:
        grown = False
        for j in range(num_targets):
            for i in range(num_sources):
                if marks[i, j] < CHOSEN:
                    continue
                for step_i, step_j in NEIGHBOURS:
                    a, b = i + step_i, j + step_j
                    if not (0 <= a < num_sources and 0 <= b < num_targets):
                        continue
                    if 0 < marks[a, b] < CHOSEN and not (source_linked[a] and target_linked[b]):
                        marks[a, b] += CHOSEN
                        source_linked[a] = target_linked[b] = grown = True
    if not grows:
        return
    for direction in (TO_SOURCE, TO_TARGET):
        for j in range(num_targets):
            for i in range(num_sources):
                free = not source_linked[i] and not target_linked[j]
                if free and marks[i, j] == direction:
                    marks[i, j] += CHOSEN
                    source_linked[i] = target_linked[j] = True
