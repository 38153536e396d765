"""Lexicalised reordering: how a phrase tends to stand to its neighbours (Koehn et al., 2005)."""

import numpy as np
from numpy.typing import NDArray

NUM_ORIENTATIONS = 3
SPREAD = 0.5  # added to each count, as in Moses


def orientation_scores(counts: NDArray[np.int32], spread: float = SPREAD) -> NDArray[np.float32]:
    """Log-probabilities of P phrase pairs from counts, both (P, 6).

    The first three columns are orientations to the phrase before, the others to the one after.
    """
    by_side = counts.reshape(-1, 2, NUM_ORIENTATIONS) + spread
    scores = np.log(by_side / by_side.sum(axis=2, keepdims=True))
    return np.asarray(scores.reshape(counts.shape), np.float32)
