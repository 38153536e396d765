"""The text that a recipe names: pairs to train on, to validate on, and to test on."""

import random
from pathlib import Path

from seqcli.errors import DataError
from seqcli.experiment import Recipe
from seqcli.text.parallel import read_parallel
from seqcli.training.report import Reporter

# Of the training pairs, where no validation set is given
MOST_HELD_OUT = 1000
SHARE_HELD_OUT = 0.05

Pairs = tuple[list[str], list[str]]  # source and target lines


def read_pairs(recipe: Recipe, reporter: Reporter) -> tuple[Pairs, Pairs]:
    """Read training and validation pairs; hold some out where there is no validation set."""
    sources, targets = read_parallel(*map(Path, recipe.data.train))
    if recipe.data.valid:
        return (sources, targets), read_parallel(*map(Path, recipe.data.valid))
    if len(sources) == 1:
        raise DataError(
            f"{recipe.data.train[0]} has only one line",
            why="no validation set was given, and none can be taken out of one pair",
            fix="Give --valid SOURCE TARGET, or more text",
        )
    count = max(1, min(MOST_HELD_OUT, int(SHARE_HELD_OUT * len(sources))))
    reporter.message(f"no validation set was given: {count} random training pairs are held out")
    held_out = sorted(random.Random(recipe.seed).sample(range(len(sources)), count))
    kept = sorted(set(range(len(sources))).difference(held_out))
    return _select(sources, targets, kept), _select(sources, targets, held_out)


def read_test_pairs(recipe: Recipe) -> Pairs | None:
    """Read the pairs that the result is scored on, if the recipe names any."""
    return read_parallel(*map(Path, recipe.data.test)) if recipe.data.test else None


def _select(sources: list[str], targets: list[str], indices: list[int]) -> Pairs:
    return [sources[index] for index in indices], [targets[index] for index in indices]
