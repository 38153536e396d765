"""Which word of a text belongs to which of its translation: all models behind one function."""

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from seqcli.config import require_one_of
from seqcli.errors import DataError
from seqcli.smt.corpus import Sentences
from seqcli.smt.eflomal import align_by_sampling
from seqcli.smt.ibm1 import align_by_ibm1
from seqcli.smt.links import DirectedLinks, Links
from seqcli.smt.symmetrization import SYMMETRIZATIONS, Symmetrization, symmetrize
from seqcli.smt.thot_aligner import align_with_thot

log = logging.getLogger(__name__)

MODEL = "eflomal"
SYMMETRIZATION: Symmetrization = "grow-diag-final-and"
SEED = 1


class Aligner(Protocol):
    """Links each word to one of the other text or to none. No sentence it is given is empty."""

    def __call__(
        self,
        source: Sentences,
        target: Sentences,
        *,
        seed: int,
        threads: int,
        tell: Callable[[str], None] | None,
    ) -> DirectedLinks: ...


class AlignmentModel(NamedTuple):
    """An aligner, and what it can take and what not."""

    align: Aligner
    longest: int  # sentence, in words
    idle: tuple[str, ...] = ()  # which of its arguments make no difference


def _thot(model: str) -> AlignmentModel:
    idle = ("threads",) if model == "eflomal" else ("seed", "threads")
    return AlignmentModel(partial(align_with_thot, model=model), 200, idle)


ALIGNERS: dict[str, AlignmentModel] = {
    "eflomal": AlignmentModel(align_by_sampling, 1000),
    "ibm1": AlignmentModel(align_by_ibm1, 1000, ("seed",)),
    "ibm2": _thot("ibm2"),
    "ibm3": _thot("ibm3"),
    "ibm4": _thot("ibm4"),
    "hmm": _thot("hmm"),
    "fast_align": _thot("fast_align"),
    "thot-ibm1": _thot("ibm1"),
    "thot-eflomal": _thot("eflomal"),
}


def align(
    source: Sentences,
    target: Sentences,
    *,
    model: str = MODEL,
    symmetrization: Symmetrization = SYMMETRIZATION,
    seed: int = SEED,
    threads: int = 1,
    tell: Callable[[str], None] | None = None,
) -> Links:
    """Learn from the pairs themselves which words belong together, and link them.

    A pair with an empty side has no links, nor has one with a side longer than the model takes,
    which is logged. A seed gives the same links each time. Raises ConfigError for an unknown name,
    DataError where the sides differ in number.
    """
    require_one_of("alignment.model", model, ALIGNERS)
    require_one_of("alignment.symmetrization", symmetrization, SYMMETRIZATIONS)
    if source.num_sentences != target.num_sentences:
        raise DataError(
            f"there are {source.num_sentences} source but {target.num_sentences} target sentences",
            why="the words of pairs are aligned",
            fix="Give as many of each",
        )
    aligner = ALIGNERS[model]
    longer = np.maximum(source.lengths(), target.lengths())
    is_empty = np.minimum(source.lengths(), target.lengths()) == 0
    is_used = ~is_empty & (longer <= aligner.longest)
    num_long = int(np.sum(longer[~is_empty] > aligner.longest))
    if num_long:
        log.warning("pairs left without links, over %d words: %d", aligner.longest, num_long)
    used_source, used_target = _selected(source, is_used), _selected(target, is_used)
    if not is_used.any():
        none = np.empty(0, np.int32)
        return Links(np.zeros(len(is_used) + 1, np.int64), none, none)
    directed = aligner.align(used_source, used_target, seed=seed, threads=threads, tell=tell)
    links = symmetrize(directed, used_source, used_target, symmetrization)
    counts = np.zeros(len(is_used), np.int64)
    counts[is_used] = np.diff(links.starts)
    return links._replace(starts=np.concatenate(([0], np.cumsum(counts))))


def _selected(sentences: Sentences, is_used: NDArray[np.bool_]) -> Sentences:
    lengths = sentences.lengths()
    return Sentences(
        sentences.ids[np.repeat(is_used, lengths)],
        np.concatenate(([0], np.cumsum(lengths[is_used]))),
    )
