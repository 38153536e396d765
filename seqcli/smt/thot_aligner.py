"""The aligners of the library Thot (the package sil-thot)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.corpus import Sentences
from seqcli.smt.links import NULL, DirectedLinks

ITERATIONS = 5  # of each model but eflomal, which has its own by the size of the text
MODELS = {  # the library's models one after another, each starting from what the last has learned
    "ibm1": ("Ibm1",),
    "ibm2": ("Ibm1", "Ibm2"),
    "hmm": ("Ibm1", "Hmm"),
    "ibm3": ("Ibm1", "Hmm", "Ibm3"),
    "ibm4": ("Ibm1", "Hmm", "Ibm3", "Ibm4"),
    "fast_align": ("FastAlign",),
    "eflomal": ("Eflomal",),
}
CLASSES = {"FastAlign": "FastAlignModel"}  # that have no name of the form NameAlignmentModel


def align_with_thot(
    source: Sentences,
    target: Sentences,
    *,
    model: str,
    seed: int,
    threads: int,
    tell: Callable[[str], None] | None = None,
) -> DirectedLinks:
    """Align in both directions by one of `MODELS`. No sentence may be empty.

    The library takes all cores that OMP_NUM_THREADS leaves it: `threads` only says if both
    directions may run at once. The `seed` is for eflomal. With several cores the order of the
    library's sums, and with it a link now and then, may differ from run to run.
    """
    lines = [_as_text(source), _as_text(target)]
    align = partial(_align, model=model, seed=seed % 2**31, tell=tell)
    with ThreadPoolExecutor(min(threads, 2)) as pool:
        return DirectedLinks(*pool.map(align, lines, reversed(lines)))


def _as_text(sentences: Sentences) -> list[list[str]]:
    words = [str(word) for word in sentences.ids.tolist()]
    starts = sentences.starts.tolist()
    return [words[start:end] for start, end in pairwise(starts)]


def _align(
    origins: list[list[str]],
    made: list[list[str]],
    *,
    model: str,
    seed: int,
    tell: Callable[[str], None] | None,
) -> NDArray[np.int32]:
    """The position of the origin of each word that is made, or NULL."""
    aligner: Any = None
    for name in MODELS[model]:
        aligner = _trained(name, aligner, origins, made, seed)
        if tell is not None:
            tell(f"{name} of Thot is trained")
    if model == "eflomal":  # its samples at the end of training are better than its search
        alignments = [aligner.get_training_alignment(n) for n in range(len(made))]
    else:
        alignments = aligner.get_best_alignments(origins, made)
    return np.concatenate([_origins(matrix.to_numpy()) for _, matrix in alignments])


def _trained(
    name: str, previous: Any, origins: list[list[str]], made: list[list[str]], seed: int
) -> Any:
    from thot import alignment

    kind = getattr(alignment, CLASSES.get(name, f"{name}AlignmentModel"))
    aligner = kind() if previous is None else kind(previous)
    if previous is None:
        for pair in zip(origins, made, strict=True):
            aligner.add_sentence_pair(*pair, 1)
    if name == "Eflomal":
        aligner.seed = seed
        aligner.deterministic = True
        aligner.emit_training_alignments = True
    aligner.start_training()
    for _ in range(aligner.scheduled_iterations if name == "Eflomal" else ITERATIONS):
        aligner.train()
    aligner.end_training()
    return aligner


def _origins(matrix: NDArray[Any]) -> NDArray[np.int32]:
    """The row of the link in each column, or NULL."""
    return np.where(matrix.any(axis=0), matrix.argmax(axis=0), NULL).astype(np.int32)
