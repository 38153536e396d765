"""`seqcli train`: train a model from text, or go on with a training that was stopped."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcli.cli.conflicts import refuse_beside
from seqcli.cli.options import DeviceOption, QuietOption, ThreadsOption, VerboseOption
from seqcli.errors import UsageError

if TYPE_CHECKING:
    from seqcli.experiment import Recipe

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
TrainTextOption = Annotated[
    str | None,
    typer.Option("--train-text", metavar="FILE", help="Training text of a language model."),
]
ValidTextOption = Annotated[
    str | None, typer.Option("--valid-text", metavar="FILE", help="Its text to select by.")
]
TestTextOption = Annotated[
    str | None, typer.Option("--test-text", metavar="FILE", help="Its text to score on.")
]
ArchitectureOption = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="NAME",
        help="seq2seq, classifier, tagger or language-model.",
        show_default="the recipe's, or seq2seq",
    ),
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
    architecture: ArchitectureOption = None,
    train_files: TrainOption = None,
    valid_files: ValidOption = None,
    test_files: TestOption = None,
    train_text: TrainTextOption = None,
    valid_text: ValidTextOption = None,
    test_text: TestTextOption = None,
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
    """Train a model from text.

    Line N of a TARGET file belongs to line N of its SOURCE file: its translation, its label, or a
    tag for each of its words. A language model learns from text alone.
    """
    _check_options(output, dry_run=dry_run, resume=resume)
    files = _files(
        train=(train_files, train_text),
        valid=(valid_files, valid_text),
        test=(test_files, test_text),
    )
    from seqcli.bundle import find_recipe
    from seqcli.experiment import resolve_recipe

    vectors = {"source_vectors": source_vectors, "target_vectors": target_vectors}
    resolved = resolve_recipe(
        None if recipe is None else find_recipe(recipe),
        files=files,
        assignments=[
            *(f"data.{name}={path}" for name, path in vectors.items() if path is not None),
            *(assignments or []),
        ],
        seed=seed,
        architecture=architecture,
    )
    how = {"overwrite": overwrite, "device": device, "threads": threads}
    if output is None or dry_run:
        _show_plan(resolved, output, quiet=quiet, how=how)
    else:
        _train(resolved, output, quiet=quiet, how={**how, "resume": resume})


def _train(recipe: "Recipe", output: Path, *, quiet: bool, how: Mapping[str, Any]) -> None:
    from seqcli.api.train import train
    from seqcli.cli.training_display import training_display

    with training_display(quiet=quiet) as reporter:
        train(recipe, output, reporter=reporter, **how)


def _show_plan(
    recipe: "Recipe", output: Path | None, *, quiet: bool, how: Mapping[str, Any]
) -> None:
    """Say what would be trained, an aligned line for each fact."""
    from seqcli.api.train import dry_run
    from seqcli.cli.training_display import training_display

    with training_display(quiet=quiet) as reporter:
        facts = dry_run(recipe, output, reporter=reporter, **how)
    width = max(map(len, facts)) + 2
    typer.echo("\n".join(f"{name:<{width}}{text}" for name, text in facts.items()))


def _files(
    **given: tuple[tuple[str, str] | None, str | None],
) -> dict[str, tuple[str, ...]]:
    """The files of each text by its name in a recipe: a pair, or one of text alone."""
    files: dict[str, tuple[str, ...]] = {}
    for name, (pair, text) in given.items():
        if pair is not None:
            refuse_beside(f"--{name}", {f"--{name}-text": text}, why="the latter is text alone")
            files[name] = pair
        elif text is not None:
            files[name] = (text,)
    return files


def _check_options(output: Path | None, *, dry_run: bool, resume: bool) -> None:
    if output is None and not dry_run:
        raise UsageError(
            "there is no folder to write the model to",
            why="a training writes its model and its state as it goes on",
            fix="Give --output MODEL, or --dry-run to see what would be trained",
        )
    if dry_run:
        refuse_beside("--dry-run", {"--resume": resume}, why="it says what a new training would be")
