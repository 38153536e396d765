"""Probabilities of orientations by hand."""

import numpy as np

from seqcli.smt.reordering import orientation_scores


def test_scores_are_logs_of_counts_with_a_half_added_to_each() -> None:
    counts = np.array([[3, 1, 0, 0, 0, 4], [1, 0, 0, 0, 1, 0]], np.int32)
    shares = np.array([[3.5, 1.5, 0.5, 0.5, 0.5, 4.5], [1.5, 0.5, 0.5, 0.5, 1.5, 0.5]])
    totals = np.array([[5.5], [2.5]])
    np.testing.assert_allclose(orientation_scores(counts), np.log(shares / totals), rtol=1e-6)


def test_without_a_phrase_there_are_no_scores() -> None:
    assert orientation_scores(np.empty((0, 6), np.int32)).shape == (0, 6)
