"""Train networks by one recipe from several seeds."""

from collections.abc import Sequence
from pathlib import Path

from seqcli.api.seeds import ScoreOfSeeds, Watch, train_each
from seqcli.api.train import train
from seqcli.api.training_folder import check_folder
from seqcli.bundle import Facts
from seqcli.errors import UsageError
from seqcli.experiment import Recipe
from seqcli.training.distributed import CPU, joined_processes
from seqcli.training.report import Reporter


def train_seeds(
    recipe: Recipe,
    output: Path,
    seeds: Sequence[int],
    *,
    watch: Watch | None = None,
    resume: bool = False,
    overwrite: bool = False,
    override: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> list[ScoreOfSeeds]:
    """Train a model for each of `seeds`, one after the other; return the scores that all have.

    Each is in its `folder_of_seed`. `watch` gives the reporter of each model for as long as it is
    trained; all else is as for `train`. Stopped at any point, all go on together with `resume`:
    those that are finished stay as they are. Raises UsageError also for a limit of time.
    """
    _require_no_limit(recipe)
    _require_one_process()
    wish = {"resume": resume, "overwrite": overwrite, "override": override}

    def train_one(each: Recipe, folder: Path, reporter: Reporter) -> Facts:
        return train(each, folder, reporter=reporter, device=device, threads=threads, **wish)

    return train_each(
        recipe,
        output,
        seeds,
        train=train_one,
        check=lambda each, folder: check_folder(folder, each, **wish),
        watch=watch,
    )


def _require_no_limit(recipe: Recipe) -> None:
    if recipe.training.max_minutes:
        raise UsageError(
            "training.max_minutes (--max-time) does not go with several seeds",
            why="each model would have all that time, and scores of unfinished ones say nothing of "
            "the seeds",
            fix="Leave it out: after Ctrl-C all go on together with --resume",
        )


def _require_one_process() -> None:
    with joined_processes(CPU) as processes:  # joined, so that one alone tells
        if processes.count > 1:
            raise UsageError(
                "several seeds are not trained by several processes",
                why="the models come one after the other, each by one process",
                fix="Start a training for each seed: --seed N --output MODEL-N",
            )
