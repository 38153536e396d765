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
    files = {
        **_texts("train", train_files, train_text),
        **_texts("valid", valid_files, valid_text),
        **_texts("test", test_files, test_text),
    }
    from seqcli.api import train as api
    from seqcli.bundle import find_recipe
    from seqcli.cli.training_display import training_display
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


def _texts(
    name: str, files: tuple[str, str] | None, text: str | None
) -> dict[str, tuple[str, ...]]:
    """The files of a text by its name in a recipe; nothing where none are given."""
    if files is None:
        return {} if text is None else {name: (text,)}
    refuse_beside(f"--{name}", {f"--{name}-text": text}, why="the latter is text alone")
    return {name: files}


def _check_options(output: Path | None, *, dry_run: bool, resume: bool) -> None:
    if output is None and not dry_run:
        raise UsageError(
            "there is no folder to write the model to",
            why="a training writes its model and its state as it goes on",
            fix="Give --output MODEL, or --dry-run to see what would be trained",
        )
    if dry_run:
        refuse_beside("--dry-run", {"--resume": resume}, why="it says what a new training would be")
