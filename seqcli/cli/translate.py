"""`seqcli translate`: translate a file or what comes in, a line for each line."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from seqcli.cli.conflicts import refuse_several_in_text
from seqcli.cli.console import say
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.errors import UsageError
from seqcli.text.lines import STDIN

ModelArgument = Annotated[
    str, typer.Argument(metavar="MODEL", help="Its folder, or the name of a shipped one.")
]
SourceArgument = Annotated[str, typer.Argument(metavar="FILE", help="The text, or - for stdin.")]
OutputOption = Annotated[
    Path,
    typer.Option("--output", "-o", metavar="FILE", help="A file, there only when whole, or -."),
]
BeamOption = Annotated[
    int | None, typer.Option("--beam", min=1, help="Beam width.", show_default="the model's")
]
GreedyOption = Annotated[bool, typer.Option("--greedy", help="Take the best token each time.")]
PenaltyOption = Annotated[
    float | None,
    typer.Option(min=0, max=10, help="Larger: longer output.", show_default="the model's"),
]
BestOption = Annotated[int, typer.Option("--nbest", min=1, help="Hypotheses a line.")]
BatchOption = Annotated[
    int | None, typer.Option(min=1, help="Sentences at a time.", show_default="the model's")
]
FormatOption = Annotated[
    Literal["text", "tsv", "jsonl"], typer.Option("--format", help="text; others have scores too.")
]
AttentionOption = Annotated[
    bool, typer.Option("--attention", help="In jsonl: tokens, weights and alignment.")
]
DrawOption = Annotated[bool, typer.Option("--draw", help="Draw the attention on standard error.")]
PrecisionOption = Annotated[
    Literal["int8", "float32"] | None,
    typer.Option(help="int8 is faster, float32 exact.", show_default="int8"),
]


def translate(
    model: ModelArgument,
    source: SourceArgument = STDIN,
    output: OutputOption = Path(STDIN),
    beam: BeamOption = None,
    greedy: GreedyOption = False,
    length_penalty: PenaltyOption = None,
    num_best: BestOption = 1,
    batch: BatchOption = None,
    output_format: FormatOption = "text",
    attention: AttentionOption = False,
    draw: DrawOption = False,
    precision: PrecisionOption = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Translate each line of FILE, in order, one line out for each line in."""
    from seqcli.api.translate import load_translator, translate_lines
    from seqcli.cli.attention_drawing import draw_attention
    from seqcli.cli.translation_formats import FORMATS

    _check_options(output_format, num_best=num_best, attention=attention)
    if greedy and beam is not None:
        raise UsageError(
            "--greedy does not go with --beam",
            why="greedy search keeps one hypothesis, a beam several",
            fix="Leave out one of them",
        )
    writer = writer_to(output)
    translator = load_translator(
        model,
        strategy="greedy" if greedy else None,
        beam_width=beam,
        length_penalty=length_penalty,
        batch_sentences=batch,
        num_best=num_best,
        with_attention=attention or draw,
        precision=precision,
        threads=threads,
    )
    format_translation = FORMATS[output_format]
    with writer as write:
        for number, translation in enumerate(translate_lines(translator, source), start=1):
            write(format_translation(translation, number))
            if draw:
                best = translation.hypotheses[0]
                say(draw_attention(translation.source_tokens, best.tokens, best.attention))


def _check_options(output_format: str, *, num_best: int, attention: bool) -> None:
    """Refuse what would be lost, or would break one line out for each line in."""
    refuse_several_in_text(num_best, output_format)
    if attention and output_format != "jsonl":
        raise UsageError(
            f"--attention does not fit --format {output_format}",
            why="only jsonl has a place for the weights",
            fix="Use --format jsonl, or --draw to look at them",
        )
