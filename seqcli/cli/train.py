"""`seqcli train`: train a model from text, or go on with a training that was stopped."""

from pathlib import Path
from typing import Annotated

import typer

from seqcli.cli.options import DeviceOption, QuietOption, ThreadsOption, VerboseOption

FILES = "SOURCE TARGET"

OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="MODEL", help="The folder to write.")
]
RecipeArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="RECIPE", help="A TOML file, or a shipped one's name; else sizes are chosen."
    ),
]
TrainOption = Annotated[
    tuple[str, str] | None,
    typer.Option("--train", metavar=FILES, help="Training text, aligned by line."),
]
ValidOption = Annotated[
    tuple[str, str] | None,
    typer.Option("--valid", metavar=FILES, help="Text to select checkpoints by."),
]
TestOption = Annotated[
    tuple[str, str] | None,
    typer.Option("--test", metavar=FILES, help="Text to score the result on."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with a stopped training.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace MODEL.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, help="Start of all random numbers.")
]


def train(
    output: OutputOption,
    recipe: RecipeArgument = None,
    train_files: TrainOption = None,
    valid_files: ValidOption = None,
    test_files: TestOption = None,
    assignments: SetOption = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a translator from SOURCE and TARGET files, line N of one with line N of the other."""
    from seqcli.api.train import train as train_model
    from seqcli.bundle import find_recipe
    from seqcli.cli.training_display import training_display
    from seqcli.experiment import resolve_recipe

    files = {"train": train_files, "valid": valid_files, "test": test_files}
    resolved = resolve_recipe(
        None if recipe is None else find_recipe(recipe),
        files={name: pair for name, pair in files.items() if pair is not None},
        assignments=assignments or [],
        seed=seed,
    )
    with training_display(quiet=quiet) as reporter:
        train_model(
            resolved,
            output,
            reporter=reporter,
            resume=resume,
            overwrite=overwrite,
            device=device,
            threads=threads,
        )
