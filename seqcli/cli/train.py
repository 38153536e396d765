"""`seqcli train`: train a model from text, or go on with a training that was stopped."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcli.cli.conflicts import refuse_beside
from seqcli.cli.file_pairs import FilePair
from seqcli.cli.options import DeviceOption, QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.train_statistical import train_statistical
from seqcli.cli.training_results import echo_plan, echo_scores_of_seeds, echo_test_scores
from seqcli.errors import UsageError
from seqcli.text.parallel import is_table
from seqcli.training.launch import is_first

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from seqcli.experiment import Recipe
    from seqcli.training.report import Reporter

FILES = "SOURCE TARGET"
SETTINGS = {  # the settings that some parameters of the command give
    **{
        f"{text}_{form}": f"data.{text}"
        for text in ("train", "valid", "test")
        for form in ("files", "tsv", "text")
    },
    "architecture": "architecture",
    "source_vectors": "data.source_vectors",
    "target_vectors": "data.target_vectors",
    "max_time": "training.max_minutes",
    "seed": "seed",
    "seeds": "seed",
}

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
    list[FilePair] | None,
    typer.Option(
        "--train",
        metavar=FILES,
        parser=FilePair._make,
        help="Training text, aligned by line; may be repeated, as all that name text. A recipe "
        "names it in one list: train = ['a.de', 'a.en', 'b.de', 'b.en'].",
    ),
]
ValidOption = Annotated[
    list[FilePair] | None,
    typer.Option(
        "--valid", metavar=FILES, parser=FilePair._make, help="Text to select checkpoints by."
    ),
]
TestOption = Annotated[
    list[FilePair] | None,
    typer.Option(
        "--test", metavar=FILES, parser=FilePair._make, help="Text to score the result on."
    ),
]
TrainTableOption = Annotated[
    list[str] | None,
    typer.Option("--train-tsv", metavar="FILE", help="The same as SOURCE TAB TARGET."),
]
ValidTableOption = Annotated[
    list[str] | None, typer.Option("--valid-tsv", metavar="FILE", help="The same to select by.")
]
TestTableOption = Annotated[
    list[str] | None, typer.Option("--test-tsv", metavar="FILE", help="The same to score on.")
]
TrainTextOption = Annotated[
    list[str] | None,
    typer.Option("--train-text", metavar="FILE", help="Training text of a language model."),
]
ValidTextOption = Annotated[
    list[str] | None, typer.Option("--valid-text", metavar="FILE", help="Its text to select by.")
]
TestTextOption = Annotated[
    list[str] | None, typer.Option("--test-text", metavar="FILE", help="Its text to score on.")
]
ArchitectureOption = Annotated[
    str | None,
    typer.Option(
        "--arch",
        metavar="NAME",
        help="seq2seq, classifier, tagger, language-model, smt, dictionary or ngram.",
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
MaxTimeOption = Annotated[
    str | None,
    typer.Option(
        "--max-time",
        metavar="TIME",
        help="End within TIME, such as 90s, 30m or 1h30m; --resume goes on from there.",
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be trained, and write nothing.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with a stopped training.")]
OverrideOption = Annotated[
    bool,
    typer.Option(
        "--override",
        help="With --resume: take changed settings of the training, or another test set.",
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace MODEL.")]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, help="Start of all random numbers.")
]
SeedsOption = Annotated[
    str | None,
    typer.Option(
        "--seeds", metavar="N,N...", help="Train MODEL-N for each; give mean and deviation."
    ),
]
TensorBoardOption = Annotated[
    Path | None,
    typer.Option("--tensorboard", metavar="FOLDER", help="Write curves for TensorBoard there."),
]


def train(
    context: typer.Context,
    recipe: RecipeArgument = None,
    output: OutputOption = None,
    architecture: ArchitectureOption = None,
    train_files: TrainOption = None,
    valid_files: ValidOption = None,
    test_files: TestOption = None,
    train_tsv: TrainTableOption = None,
    valid_tsv: ValidTableOption = None,
    test_tsv: TestTableOption = None,
    train_text: TrainTextOption = None,
    valid_text: ValidTextOption = None,
    test_text: TestTextOption = None,
    source_vectors: SourceVectorsOption = None,
    target_vectors: TargetVectorsOption = None,
    assignments: SetOption = None,
    max_time: MaxTimeOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    override: OverrideOption = False,
    overwrite: OverwriteOption = False,
    seed: SeedOption = None,
    seeds: SeedsOption = None,
    tensorboard: TensorBoardOption = None,
    threads: ThreadsOption = None,
    device: DeviceOption = "auto",
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a model from text.

    Line N of a TARGET file belongs to line N of its SOURCE file: its translation, its label, or a
    tag for each of its words. A language model learns from text alone.
    """
    _check_options(context.params)
    _refuse_set_beside_options(context)
    files = _texts("train", train_files, train_tsv, train_text)
    files |= _texts("valid", valid_files, valid_tsv, valid_text)
    files |= _texts("test", test_files, test_tsv, test_text)
    from seqcli.bundle import find_recipe

    recipe_path = None if recipe is None else find_recipe(recipe)
    given: dict[str, Any] = {"files": files, "seed": seed, "architecture": architecture}
    how: dict[str, Any] = {"resume": resume, "override": override, "overwrite": overwrite}
    how["threads"] = threads
    how["seeds"] = _numbers(seeds)
    idle = {"--max-time": max_time, "--tensorboard": tensorboard}
    idle |= {"--source-vectors": source_vectors, "--target-vectors": target_vectors}
    idle |= {"--device": None if device == "auto" else device}
    given["assignments"] = assignments or []
    if train_statistical(recipe_path, given, output, idle, dry_run=dry_run, quiet=quiet, **how):
        return
    vectors = _vectors(source_vectors=source_vectors, target_vectors=target_vectors)
    given["text_alone"] = [name for name in files if context.params[f"{name}_text"]]
    given["assignments"] = [*vectors, *_time_limit(max_time), *(assignments or [])]
    how["device"] = device
    display = _display(quiet=quiet, tensorboard=tensorboard)
    _train_network(recipe_path, given, output, dry_run=dry_run, display=display, how=how)


def _train_network(
    recipe_path: Path | None,
    given: Mapping[str, Any],
    output: Path | None,
    *,
    dry_run: bool,
    display: Mapping[str, Any],
    how: Mapping[str, Any],
) -> None:
    """Train by the recipe that is made of a file and what else is `given`, or show the plan."""
    from seqcli.experiment import resolve_recipe

    _require_writable(output, how["seeds"])  # before the text is counted
    resolved = resolve_recipe(recipe_path, **given)
    if output is None or dry_run:
        _show_plan(resolved, output, quiet=display["quiet"], how=how)
    else:
        _train(resolved, output, display=display, how=how)


def _show_plan(
    recipe: "Recipe", output: Path | None, *, quiet: bool, how: Mapping[str, Any]
) -> None:
    """Say what would be trained, an aligned line for each fact."""
    from seqcli.api.train import dry_run
    from seqcli.cli.training_display import training_display

    with training_display(quiet=quiet) as reporter:
        now = {name: how[name] for name in ("overwrite", "device", "threads")}
        echo_plan(dry_run(recipe, output, reporter=reporter, **now))


def _train(
    recipe: "Recipe",
    output: Path,
    *,
    display: Mapping[str, Any],
    how: Mapping[str, Any],
) -> None:
    """Train one model, or one for each seed; then print what these reach."""
    from seqcli.api import train as api
    from seqcli.api.train_seeds import train_seeds
    from seqcli.cli.training_display import training_display

    how = dict(how)
    seeds = how.pop("seeds")
    if not seeds:
        with training_display(**display) as reporter:
            facts = api.train(recipe, output, reporter=reporter, **how)
        if is_first():
            echo_test_scores(facts)
        return

    def watch(folder: Path) -> "AbstractContextManager[Reporter]":
        curves = display["tensorboard"]
        return training_display(quiet=display["quiet"], tensorboard=curves and curves / folder.name)

    echo_scores_of_seeds(train_seeds(recipe, output, seeds, watch=watch, **how))


def _display(*, quiet: bool, tensorboard: Path | None) -> dict[str, Any]:
    """How the training is shown: of the processes that torchrun starts, by the first alone."""
    if not is_first():
        return {"quiet": True, "tensorboard": None}
    return {"quiet": quiet, "tensorboard": tensorboard}


def _numbers(seeds: str | None) -> list[int]:
    """The numbers of "1,2,3"; none where none are given."""
    if seeds is None:
        return []
    try:
        return [int(seed) for seed in seeds.split(",")]
    except ValueError:
        raise UsageError(
            f"--seeds {seeds} is no list of numbers", fix="Write them like 1,2,3"
        ) from None


def _texts(
    name: str, pairs: list[FilePair] | None, tables: list[str] | None, texts: list[str] | None
) -> dict[str, tuple[str, ...]]:
    """The files of a text by its name in a recipe; nothing where none are given."""
    for other in (f"--{name}" if pairs else "", f"--{name}-tsv" if tables else ""):
        if other:
            refuse_beside(other, {f"--{name}-text": texts}, why="the latter is text alone")
    for table in tables or ():
        if not is_table(table):
            raise UsageError(
                f"--{name}-tsv {table}: the name does not end in .tsv or .tsv.gz",
                why="a file of tab-separated lines is known by its name, in a recipe as well",
                fix="Rename it, or give a link to it",
            )
    named = (*chain.from_iterable(pairs or ()), *(tables or ()), *(texts or ()))
    return {name: named} if named else {}


def _vectors(**files: str | None) -> list[str]:
    """Return the settings that stand for the options of pretrained vectors."""
    return [f"data.{name}={file}" for name, file in files.items() if file is not None]


def _time_limit(text: str | None) -> list[str]:
    """Return the setting that stands for --max-time."""
    if text is None:
        return []
    number = r"(\d+(?:\.\d+)?)"
    parts = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s)?", text)
    if parts is None or not any(map(float, parts.groups("0"))):
        raise UsageError(f"--max-time {text} is no time", fix="Write it like 90s, 30m or 1h30m")
    hours, minutes, seconds = map(float, parts.groups("0"))
    return [f"training.max_minutes={60 * hours + minutes + seconds / 60}"]


def _require_writable(output: Path | None, seeds: Sequence[int]) -> None:
    """Raise SeqcliError if a folder that is asked for cannot be made or written to."""
    if output is None:
        return
    from seqcli.api.seeds import folder_of_seed
    from seqcli.api.training_folder import require_writable_folder

    for folder in [folder_of_seed(output, seed) for seed in seeds] or [output]:
        require_writable_folder(folder)


def _refuse_set_beside_options(context: typer.Context) -> None:
    """Raise UsageError where --set gives a setting that an option gives as well."""
    keys = {each.partition("=")[0].strip() for each in context.params["assignments"] or ()}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if SETTINGS.get(name) in keys and source is not None and source.name != "DEFAULT":
            refuse_beside(
                f"--set {SETTINGS[name]}",
                {parameter.opts[0]: True},
                why="both give the same setting",
            )


def _check_options(given: Mapping[str, Any]) -> None:
    """Raise UsageError without a folder to write, and for options that do not go together."""
    if given["output"] is None and not given["dry_run"]:
        raise UsageError(
            "there is no folder to write the model to",
            why="a training writes its model and its state as it goes on",
            fix="Give --output MODEL, or --dry-run to see what would be trained",
        )
    if given["dry_run"]:
        unused = ("resume", "override", "seeds", "tensorboard")
        refuse_beside(
            "--dry-run",
            {f"--{name}": given[name] for name in unused},
            why="it says what one new training would be",
        )
    if given["seeds"] is not None:
        refuse_beside("--seeds", {"--seed": given["seed"]}, why="it names the seed of each model")
