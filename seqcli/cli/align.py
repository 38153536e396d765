"""`seqcli align`: which word belongs to which, a line out for each pair of lines."""

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqcli.cli.conflicts import refuse_beside, require_one_reader_of_stdin
from seqcli.cli.console import say, status
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.output import writer_to
from seqcli.cli.translate import OutputOption
from seqcli.text.lines import STDIN

if TYPE_CHECKING:
    from seqcli.smt.alignment_error_rate import AlignmentScore

log = logging.getLogger(__name__)

SourceArgument = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A text of words between spaces, or - for stdin.")
]
TargetArgument = Annotated[
    str, typer.Argument(metavar="TARGET", help="Its translation, line by line.")
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="eflomal, ibm1, or of Thot: ibm2, ibm3, ibm4, hmm, fast_align, thot-ibm1, "
        "thot-eflomal.",
        show_default="eflomal",
    ),
]
SymmetrizationOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How both directions become one: intersection, union, grow-diag-final-and.",
        show_default="grow-diag-final-and",
    ),
]
GoldOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Right links, a line for each pair, from 1: 1-2 is sure, 1p2 possible. Tells the "
        "alignment error rate.",
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(
        min=0, help="Start of all random numbers, of which eflomal alone has any.", show_default="1"
    ),
]


def align(
    source: SourceArgument,
    target: TargetArgument,
    output: OutputOption = Path(STDIN),
    model: ModelOption = None,
    symmetrization: SymmetrizationOption = None,
    gold: GoldOption = None,
    seed: SeedOption = None,
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Link the words of SOURCE to those of TARGET, by what the text itself teaches.

    A line out for each pair in, such as 0-0 1-2: the positions of source and target words, from 0.
    A pair with an empty side, or one too long for the model, has an empty line. Words are what
    stands between spaces; split off punctuation first. Case makes no difference. Models of Thot
    take all cores.
    """
    require_one_reader_of_stdin({"SOURCE": [source], "TARGET": [target], "--gold": [gold]})
    writer = writer_to(output)
    from seqcli.api.align import align_files
    from seqcli.smt.alignment import ALIGNERS

    if model in ALIGNERS:
        given = {"seed": seed, "threads": threads}
        idle = {f"--{name}": given[name] for name in ALIGNERS[model].idle}
        refuse_beside(f"--model {model}", idle, why="it makes no difference to this model")
    chosen: dict[str, Any] = {"model": model, "symmetrization": symmetrization, "seed": seed}
    with nullcontext() if quiet else status(f"aligning {source} and {target}"):
        aligned = align_files(
            source,
            target,
            gold=gold,
            threads=threads,
            tell=log.debug,
            **{name: value for name, value in chosen.items() if value is not None},
        )
    with writer as write:
        for line in aligned.lines():
            write(line)
    if aligned.score is not None:  # asked for, so told also where little is said
        say(_in_words(aligned.score))


def _in_words(score: "AlignmentScore") -> str:
    return (
        f"alignment error rate {score.error_rate:.4f}, precision {score.precision:.4f}, "
        f"recall {score.recall:.4f} ({score.num_links:,} links, {score.num_sure:,} sure ones)"
    )
