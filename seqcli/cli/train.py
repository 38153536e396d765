"""`seqcli train`: train a model from text, or go on with a training that was stopped."""

from pathlib import Path
from typing import Annotated, Any

import typer

from seqcli.cli.conflicts import refuse_beside
from seqcli.cli.options import DeviceOption, QuietOption, ThreadsOption, VerboseOption
from seqcli.errors import UsageError

FILES = "SOURCE TARGET"

OutputOption = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="MODEL", help="The folder to write; not needed for a dry run."
    ),
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
SourceVectorsOption = Annotated[
    str | None,
    typer.Option(
        "--source-vectors", metavar="FILE", help="word2vec or GloVe text for source embeddings."
    ),
]
TargetVectorsOption = Annotated[
    str | None,
    typer.Option("--target-vectors", metavar="FILE", help="The same for target embeddings."),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be trained, and write nothing.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with a stopped training.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace MODEL.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, help="Start of all random numbers.")
]


def train(
    recipe: RecipeArgument = None,
    output: OutputOption = None,
    train_files: TrainOption = None,
    valid_files: ValidOption = None,
    test_files: TestOption = None,
    source_vectors: SourceVectorsOption = None,
    target_vectors: TargetVectorsOption = None,
    assignments: SetOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a translator from aligned text.

    Line N of a TARGET file is to be the translation of line N of its SOURCE file.
    """
    _check_options(output, dry_run=dry_run, resume=resume)
    from seqcli.api import train as api
    from seqcli.bundle import find_recipe
    from seqcli.cli.training_display import training_display
    from seqcli.experiment import resolve_recipe

    files = {"train": train_files, "valid": valid_files, "test": test_files}
    vectors = {"source_vectors": source_vectors, "target_vectors": target_vectors}
    resolved = resolve_recipe(
        None if recipe is None else find_recipe(recipe),
        files={name: pair for name, pair in files.items() if pair is not None},
        assignments=[
            *(f"data.{name}={path}" for name, path in vectors.items() if path is not None),
            *(assignments or []),
        ],
        seed=seed,
    )
    with training_display(quiet=quiet) as reporter:
        how: dict[str, Any] = {
            "reporter": reporter,
            "overwrite": overwrite,
            "device": device,
            "threads": threads,
        }
        if output is not None and not dry_run:
            api.train(resolved, output, resume=resume, **how)
            return
        facts = api.dry_run(resolved, output, **how)
    width = max(map(len, facts)) + 2
    typer.echo("\n".join(f"{name:<{width}}{text}" for name, text in facts.items()))


def _check_options(output: Path | None, *, dry_run: bool, resume: bool) -> None:
    if output is None and not dry_run:
        raise UsageError(
            "there is no folder to write the model to",
            why="a training writes its model and its state as it goes on",
            fix="Give --output MODEL, or --dry-run to see what would be trained",
        )
    if dry_run:
        refuse_beside("--dry-run", {"--resume": resume}, why="it says what a new training would be")
