"""`seqcli inspect attention`: where the decoder looks, as a heat map or as alignments."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seqcli.cli.attention_drawing import draw_attention
from seqcli.cli.conflicts import refuse_beside, require_one_reader_of_stdin
from seqcli.cli.inspect.figures import SHADES, WIDTH
from seqcli.cli.inspect.options import (
    REFERENCE,
    SOURCE,
    FormatOption,
    ModelArgument,
    OutputOption,
    TargetOption,
    TextOption,
    require_sentence_or_file,
)
from seqcli.cli.inspect.output import Destination, destination_of
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.cli.translation_formats import pharaoh_alignment
from seqcli.errors import DataError
from seqcli.text.lines import STDIN
from seqcli.text.parallel import read_parallel

if TYPE_CHECKING:
    from seqcli.architectures.seq2seq import Seq2Seq
    from seqcli.cli.inspect.figures import Figure
    from seqcli.inspection.attention import AttentionMap
    from seqcli.inspection.loading import LoadedModel

INCHES_A_ROW = 0.2
INCHES_OF_LABELS = 1.5

WordsOption = Annotated[
    bool,
    typer.Option("--words/--pieces", help="Show words, or the model's own pieces of them."),
]


def show_attention(
    model: ModelArgument,
    text: TextOption = None,
    target: TargetOption = None,
    source: Annotated[str | None, SOURCE] = None,
    reference: Annotated[Path | None, REFERENCE] = None,
    words: WordsOption = False,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show where a model looks in the source while it writes.

    The sentence of --text gives a drawing of its tokens by those of its translation. Each sentence
    of --source gives a line of alignments like "0-0 1-2": the source token that a target token
    looks at most, and that target token. Without translations the model writes its own.
    """
    destination = destination_of(output, output_format)
    require_sentence_or_file(text, source)
    if source is None:
        refuse_beside("--text", {"--reference": reference}, why="it is a file, and so is --source")
    else:
        refuse_beside("--source", {"--target": target}, why="it is the translation of --text")
        require_one_reader_of_stdin({"--source": [source], "--reference": [reference]})
        if destination.form == "figure":
            room = "a figure has room for one sentence"
            refuse_beside("--source", {f"--output {output}": True}, why=room)
    from seqcli.inspection.attention import by_words
    from seqcli.inspection.loading import load_attentive

    loaded = load_attentive(model)
    if source is not None:
        maps = _of_file(loaded, source, reference)
        _write_lines(map(by_words, maps) if words else maps, destination)
    elif text is not None:
        found = _of_sentence(loaded, text, target)
        destination.write(by_words(found) if words else found, as_text=_as_text, draw=_draw)


def _of_sentence(loaded: "LoadedModel[Seq2Seq]", text: str, target: str | None) -> "AttentionMap":
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
    loaded: "LoadedModel[Seq2Seq]", source: str, reference: Path | None
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
                write(pharaoh_alignment(found.weights))


def _as_text(found: "AttentionMap") -> str:
    return draw_attention(found.source_tokens, found.target_tokens, found.weights)


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
