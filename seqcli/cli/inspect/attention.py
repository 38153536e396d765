"""`seqcli inspect attention`: where the decoder looks, as a heat map or as alignments."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqcli.cli.attention_drawing import draw_attention
from seqcli.cli.inspect.figures import SHADES, WIDTH
from seqcli.cli.inspect.output import (
    Destination,
    FormatOption,
    ModelArgument,
    OutputOption,
    destination_of,
)
from seqcli.cli.output import writer_to
from seqcli.cli.translation_formats import pharaoh_alignment
from seqcli.errors import DataError, UsageError
from seqcli.text.lines import STDIN
from seqcli.text.parallel import read_parallel
from seqcli.translator import Hypothesis, Translation

if TYPE_CHECKING:
    from seqcli.cli.inspect.figures import Figure
    from seqcli.inspection.attention import AttentionMap
    from seqcli.inspection.loading import LoadedModel

INCHES_A_ROW = 0.2
INCHES_OF_LABELS = 1.5

SourceArgument = Annotated[
    str | None, typer.Argument(metavar="[FILE]", help="A text to align, or - for stdin.")
]
TextOption = Annotated[str | None, typer.Option(help="A sentence to draw the attention of.")]
TargetOption = Annotated[
    str | None,
    typer.Option(help="The translation of --text.", show_default="the model's own"),
]
ReferenceOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Translations of FILE.", show_default="the model's own"),
]
WordsOption = Annotated[
    bool, typer.Option("--words/--pieces", help="Between words, or between the model's pieces.")
]


def show_attention(
    model: ModelArgument,
    source: SourceArgument = None,
    text: TextOption = None,
    target: TargetOption = None,
    reference: ReferenceOption = None,
    words: WordsOption = False,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = "text",
) -> None:
    """Draw the attention of a sentence; or align FILE, with a line like "0-0 1-2" for each line."""
    destination = destination_of(output, output_format)
    _check_options(source, text, target, reference)
    if source is not None and destination.form == "figure":
        raise UsageError(
            f"{output} cannot show a file",
            why="a figure has room for the attention of one sentence",
            fix='Give --text "a sentence", or write to a .txt or .json file',
        )
    from seqcli.inspection.attention import by_words
    from seqcli.inspection.loading import load_seq2seq

    loaded = load_seq2seq(model)
    if text is not None:
        found = _of_sentence(loaded, text, target)
        destination.write(by_words(found) if words else found, as_text=_as_text, draw=_draw)
    elif source is not None:
        maps = _of_file(loaded, source, reference)
        _write_lines(map(by_words, maps) if words else maps, destination)


def _check_options(
    source: str | None, text: str | None, target: str | None, reference: Path | None
) -> None:
    if (source is None) == (text is None):
        raise UsageError(
            "there is neither a sentence nor a file"
            if text is None
            else f"there is both a sentence and a file, {source}",
            why="one sentence is drawn, a file is aligned line by line",
            fix='Give --text "a sentence", or a file',
        )
    for option, given, other, misses_it in (
        ("--target", target, "--text", text is None),
        ("--reference", reference, "a file to align", source is None),
    ):
        if given is not None and misses_it:
            raise UsageError(
                f"{option} goes with {other} only",
                why="--target is the translation of one sentence, --reference those of a file",
                fix='Give --text and --target "a sentence", or a file and --reference FILE',
            )


def _of_sentence(loaded: "LoadedModel", text: str, target: str | None) -> "AttentionMap":
    from seqcli.inspection.attention import AttentionMap, attentive_translator, forced_attention

    if target is None:
        found = AttentionMap.of(*attentive_translator(loaded).translate([text]))
    else:
        (found,) = forced_attention(loaded, [text], [target])
    if not found.weights:
        raise DataError(
            "there is no attention to draw",
            why=f"the {'translation' if text.strip() else 'sentence'} is empty",
            fix="Give another sentence, or another --target",
        )
    return found


def _of_file(
    loaded: "LoadedModel", source: str, reference: Path | None
) -> Iterator["AttentionMap"]:
    """A map for each line: as lines arrive, unless the file must have a line for each of them."""
    from seqcli.api.translate import translate_lines
    from seqcli.inspection.attention import AttentionMap, attentive_translator, forced_attention

    if reference is not None:
        return forced_attention(loaded, *read_parallel(Path(source), reference))
    return map(AttentionMap.of, translate_lines(attentive_translator(loaded), source))


def _write_lines(maps: Iterator["AttentionMap"], destination: Destination) -> None:
    """An alignment for each line, or the whole map as JSON."""
    import msgspec

    with writer_to(destination.output) as write:
        for found in maps:
            if destination.form == "json":
                write(msgspec.json.encode(found).decode())
            else:
                write(pharaoh_alignment(_hypothesis(found)))


def _as_text(found: "AttentionMap") -> str:
    return draw_attention(
        Translation(found.source, (_hypothesis(found),), tuple(found.source_tokens))
    )


def _hypothesis(found: "AttentionMap") -> Hypothesis:
    """As far as drawings and alignments need one: nobody scored a given target."""
    return Hypothesis(
        found.target,
        score=0.0,
        log_probability=0.0,
        tokens=tuple(found.target_tokens),
        attention=tuple(map(tuple, found.weights)),
    )


def _draw(found: "AttentionMap", canvas: "Figure") -> None:
    canvas.set_size_inches(WIDTH, INCHES_OF_LABELS + INCHES_A_ROW * len(found.target_tokens))
    axes = canvas.subplots()
    image = axes.imshow(found.weights, cmap=SHADES, vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(found.source_tokens)), found.source_tokens, rotation=90)
    axes.set_yticks(range(len(found.target_tokens)), found.target_tokens)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(False)
    canvas.colorbar(image, ax=axes, label="attention", pad=0.01)
