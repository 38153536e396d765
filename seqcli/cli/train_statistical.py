"""What `seqcli train` does for the systems without a network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcli.cli.training_results import echo_plan, echo_scores_of_seeds, echo_test_scores
from seqcli.errors import UsageError

WHY_IDLE = {  # why options are for networks alone, or for those systems that take them
    "--max-time": "it is trained in minutes, and each stage is done whole",
    "--seeds": "chance plays no part, or next to none",
    "--tensorboard": "it has no loss that falls step by step, so there is no curve to write",
    "--source-vectors": "it has no embeddings that vectors could start",
    "--target-vectors": "it has no embeddings that vectors could start",
    "--device": "it runs on the CPU alone",
    "--resume": "it is made in one go, whole or not at all",
    "--override": "it is made in one go, whole or not at all",
    "--threads": "its n-grams are counted on one thread",
}

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from seqcli.smt.recipe import SmtRecipe, StatisticalRecipe
    from seqcli.training.report import Reporter


def train_statistical(
    recipe_path: Path | None,
    given: Mapping[str, Any],
    output: Path | None,
    idle: Mapping[str, object],
    *,
    dry_run: bool,
    quiet: bool,
    resume: bool,
    override: bool,
    overwrite: bool,
    threads: int | None,
    seeds: Sequence[int],
) -> bool:
    """Train by a recipe, or say what would be trained; False if the recipe is one of a network.

    The recipe is made of a file and what else is `given`. `idle` are options for networks alone:
    UsageError for one that was given, whose value is neither None nor False.
    """
    from seqcli.api.statistical_recipes import resolve_statistical_recipe

    recipe = resolve_statistical_recipe(recipe_path, **given)
    if recipe is None:
        return False
    if recipe.architecture != "smt":
        idle = {**idle, "--resume": resume, "--override": override, "--seeds": seeds or None}
    if recipe.architecture == "ngram":
        idle = {**idle, "--threads": threads}
    _refuse_idle(recipe.architecture, idle)
    how = {"resume": resume, "override": override, "overwrite": overwrite, "threads": threads}
    if (
        recipe.architecture == "smt" and seeds and output is not None
    ):  # seeds and a dry run are refused
        _train_seeds(recipe, output, seeds, quiet=quiet, how=how)
    else:
        _train(recipe, output, dry_run=dry_run, quiet=quiet, how=how)
    return True


def _train(
    recipe: "StatisticalRecipe",
    output: Path | None,
    *,
    dry_run: bool,
    quiet: bool,
    how: Mapping[str, Any],
) -> None:
    """Train, or say what would be trained if that is asked or there is no folder to write."""
    from seqcli.cli.training_display import training_display

    overwrite, threads = how["overwrite"], how["threads"]
    with training_display(quiet=quiet) as reporter:
        if dry_run or output is None:
            plan = _plan(recipe, output, reporter, overwrite=overwrite, threads=threads)
            echo_plan(plan)
            return
        if recipe.architecture == "smt":
            from seqcli.api import train_statistical as api

            facts = api.train_statistical(recipe, output, reporter=reporter, **how)
        elif recipe.architecture == "dictionary":
            from seqcli.api.train_dictionary import train_dictionary

            facts = train_dictionary(
                recipe, output, reporter=reporter, overwrite=overwrite, threads=threads
            )
        else:
            from seqcli.api.train_ngram import train_ngram

            facts = train_ngram(recipe, output, reporter=reporter, overwrite=overwrite)
        reporter.message(f"wrote {output}")
    echo_test_scores(facts)


def _train_seeds(
    recipe: "SmtRecipe", output: Path, seeds: Sequence[int], *, quiet: bool, how: Mapping[str, Any]
) -> None:
    """Train a system for each seed; then print what these reach."""
    from seqcli.api.train_statistical import train_statistical_seeds
    from seqcli.cli.training_display import training_display

    def watch(folder: Path) -> "AbstractContextManager[Reporter]":
        return training_display(quiet=quiet)

    echo_scores_of_seeds(train_statistical_seeds(recipe, output, seeds, watch=watch, **how))


def _plan(
    recipe: "StatisticalRecipe",
    output: Path | None,
    reporter: "Reporter",
    *,
    overwrite: bool,
    threads: int | None,
) -> dict[str, str]:
    """What would be trained, in words by name; nothing is written."""
    if recipe.architecture == "smt":
        from seqcli.api.train_statistical import dry_run_statistical

        return dry_run_statistical(
            recipe, output, reporter=reporter, overwrite=overwrite, threads=threads
        )
    if recipe.architecture == "dictionary":
        from seqcli.api.train_dictionary import learn_dictionary

        return learn_dictionary(recipe, reporter, threads=threads).description()
    from seqcli.api.train_ngram import learn_ngram

    return learn_ngram(recipe, reporter).description()


def _refuse_idle(architecture: str, options: Mapping[str, object]) -> None:
    """Raise UsageError for the first option that was given."""
    for name, value in options.items():
        if value is not None and value is not False:
            raise UsageError(
                f"{name} has no effect where the architecture is {architecture!r}",
                why=WHY_IDLE[name],
                fix=f"Leave out {name}",
            )
