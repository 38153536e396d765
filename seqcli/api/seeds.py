"""Train by one recipe from several seeds, and say how far the scores of the models differ."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import msgspec

from seqcli.bundle import Facts
from seqcli.errors import UsageError
from seqcli.training.report import QuietReporter, Reporter

Watch = Callable[[Path], AbstractContextManager[Reporter]]
Train = Callable[[Any, Path, Reporter], Facts]  # by a recipe, into a folder


class ScoreOfSeeds(msgspec.Struct, frozen=True, kw_only=True):
    """A score that each of the models has, on one set."""

    name: str
    signature: str
    set: str
    values: list[float]  # in the order of the seeds

    @property
    def mean(self) -> float:
        return fmean(self.values)

    @property
    def deviation(self) -> float:
        """The standard deviation of the population that the seeds are drawn from."""
        return stdev(self.values)


def train_each(
    recipe: Any,
    output: Path,
    seeds: Sequence[int],
    *,
    train: Train,
    check: Callable[[Any, Path], object],
    watch: Watch | None = None,
) -> list[ScoreOfSeeds]:
    """Train a model for each of `seeds`, one after the other; return the scores that all have.

    Each is in its `folder_of_seed`. `check` refuses a folder that `train` would refuse: it is asked
    of all before the first is trained, and not hours later. `watch` gives the reporter of each
    model for as long as it is trained. Raises UsageError where seeds are not several.
    """
    recipes = [msgspec.structs.replace(recipe, seed=seed) for seed in seeds]  # each one possible
    _require_several(seeds)
    folders = [folder_of_seed(output, seed) for seed in seeds]
    for folder, each in zip(folders, recipes, strict=True):
        check(each, folder)
    models = []
    for folder, each in zip(folders, recipes, strict=True):
        with watch(folder) if watch else nullcontext(QuietReporter()) as reporter:
            reporter.message(f"seed {each.seed}: {folder}")
            models.append(train(each, folder, reporter))
    return _scores(models)


def folder_of_seed(output: Path, seed: int) -> Path:
    """Return the folder of the model of a seed: `output` with "-3" at its end for 3.

    UsageError if `output` is the root, to whose name nothing can be added.
    """
    if output.name in ("", ".."):  # such as ".", which is called otherwise
        output = output.resolve()
    if not output.name:
        raise UsageError(
            f"there can be no folder {output}-{seed}",
            why="the model of a seed is written to the folder of that name and the seed",
            fix="Give --output MODEL",
        )
    return output.with_name(f"{output.name}-{seed}")


def _scores(models: Sequence[Facts]) -> list[ScoreOfSeeds]:
    values: dict[tuple[str, str, str], list[float]] = {}
    for model in models:
        for score in model.scores:
            values.setdefault((score.name, score.signature, score.set), []).append(score.value)
    return [
        ScoreOfSeeds(name=name, signature=signature, set=where, values=found)
        for (name, signature, where), found in values.items()
        if len(found) == len(models)
    ]


def _require_several(seeds: Sequence[int]) -> None:
    if len(set(seeds)) < max(2, len(seeds)):
        told = ", ".join(map(str, seeds))
        raise UsageError(
            f"the seed {told} is alone"
            if len(seeds) == 1
            else f"the seeds {told} are not several different ones",
            why="the same seed gives the same model, and one score has no deviation",
            fix="Give two or more, like 1,2,3; for one alone there is --seed",
        )
