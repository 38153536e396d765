"""`seqcli train`: train a model from text, or go on with a training that was stopped."""

from pathlib import Path
from typing import Annotated

import typer

from seqcli.cli.options import DeviceOption, QuietOption, ThreadsOption, VerboseOption


def train(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="MODEL", help="The folder to write.")
    ],
    recipe: Annotated[
        Path | None,
        typer.Argument(metavar="RECIPE", help="A recipe in TOML; without it sizes are chosen."),
    ] = None,
    train_files: Annotated[
        tuple[str, str] | None,
        typer.Option("--train", metavar="SOURCE TARGET", help="Training text, aligned by line."),
    ] = None,
    valid_files: Annotated[
        tuple[str, str] | None,
        typer.Option("--valid", metavar="SOURCE TARGET", help="Text to select checkpoints by."),
    ] = None,
    test_files: Annotated[
        tuple[str, str] | None,
        typer.Option("--test", metavar="SOURCE TARGET", help="Text to score the result on."),
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a stopped training.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace MODEL.")] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Start of all random numbers.")
    ] = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a translator from SOURCE and TARGET files, line N of one with line N of the other."""
    from seqcli.api.train import train as train_model
    from seqcli.cli.training_display import training_display
    from seqcli.experiment import resolve_recipe

    files = {"train": train_files, "valid": valid_files, "test": test_files}
    resolved = resolve_recipe(
        recipe,
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
