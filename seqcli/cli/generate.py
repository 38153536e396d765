"""`seqcli generate`: let a language model go on with lines, or write some from nothing."""

import logging
from pathlib import Path
from typing import Annotated, Literal

import typer

from seqcli.cli.conflicts import refuse_beside
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.cli.translate import ModelArgument, OutputOption
from seqcli.text.lines import STDIN

log = logging.getLogger(__name__)

BeginningsArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="FILE", help="Beginnings, a line each, or - for stdin.", show_default=STDIN
    ),
]
NumberOption = Annotated[
    int | None, typer.Option("--number", min=1, help="Write so many lines from nothing instead.")
]
GreedyOption = Annotated[
    bool, typer.Option("--greedy", help="Take the most probable token each time.")
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(help="Below 1: safer, above: wilder.", show_default="the model's"),
]
TopKOption = Annotated[
    int | None,
    typer.Option(
        "--top-k", min=1, help="Draw from so many tokens only.", show_default="the model's"
    ),
]
TopPOption = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        min=0,
        max=1,
        help="Draw from the fewest tokens that together are as probable.",
        show_default="the model's",
    ),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", min=1, help="Tokens to add at most.", show_default="the model's"),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", min=0, help="Start of all random numbers.", show_default="1")
]
BatchOption = Annotated[
    int | None, typer.Option(min=1, help="Lines at a time.", show_default="the model's")
]
FormatOption = Annotated[
    Literal["text", "tsv", "jsonl"], typer.Option("--format", help="text; others have scores too.")
]


def generate(
    model: ModelArgument,
    source: BeginningsArgument = None,
    number: NumberOption = None,
    output: OutputOption = Path(STDIN),
    greedy: GreedyOption = False,
    temperature: TemperatureOption = None,
    top_k: TopKOption = None,
    top_p: TopPOption = None,
    max_tokens: MaxTokensOption = None,
    seed: SeedOption = None,
    batch: BatchOption = None,
    output_format: FormatOption = "text",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Go on with each line of FILE, one line out for each line in; an empty one begins anew.

    The same seed gives the same lines. Scores are log-probabilities of what was added, in nats.
    """
    if greedy:
        unused = {"--temperature": temperature, "--top-k": top_k, "--top-p": top_p, "--seed": seed}
        refuse_beside("--greedy", unused, why="nothing is drawn: the most probable token is taken")
    if number is not None:
        refuse_beside("--number", {"FILE": source}, why="there are no beginnings to read")
    from seqcli.api.generate import continue_lines, generate_lines, load_generator
    from seqcli.cli.translation_formats import FORMATS

    writer = writer_to(output)
    generator = load_generator(
        model,
        temperature=temperature,
        top_k=1 if greedy else top_k,
        top_p=top_p,
        max_tokens=max_tokens,
        batch_sentences=batch,
        seed=1 if seed is None else seed,
        threads=threads,
    )
    if number is None:
        texts = continue_lines(generator, source or STDIN)
    else:
        texts = generate_lines(generator, number)
    num_cut_off = count = 0
    with writer as write:
        for count, text in enumerate(texts, start=1):
            write(FORMATS[output_format](text, count))
            num_cut_off += not text.hypotheses[0].is_complete
    if num_cut_off:
        log.warning(
            "%d of %d lines did not come to an end within --max-tokens %d and are cut off",
            num_cut_off,
            count,
            generator.max_tokens,
        )
