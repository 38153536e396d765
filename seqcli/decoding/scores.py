"""How hypotheses of different length are compared."""


def length_norm(length: int, penalty: float) -> float:
    """Return what a log-probability is divided by (Wu et al., 2016): 1 for a `penalty` of 0.

    `length` counts the tokens with the end of sentence. The norm grows with the length, so that a
    bound on every continuation of a hypothesis is its log-probability over the norm of the longest.
    """
    return float(((5 + length) / 6) ** penalty)
