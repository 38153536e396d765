"""`seqcli classify`: a label for each line of a file or of what comes in."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from seqcli.cli.conflicts import refuse_several_in_text
from seqcli.cli.labelling import write_labels
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.translate import FormatOption, ModelArgument, OutputOption, SourceArgument
from seqcli.text.lines import STDIN

BestOption = Annotated[
    int, typer.Option("--nbest", min=1, help="Labels a line, the most probable first.")
]


def classify(
    model: ModelArgument,
    source: SourceArgument = STDIN,
    output: OutputOption = Path(STDIN),
    num_best: BestOption = 1,
    output_format: FormatOption = "text",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write the label of each line of FILE, in order, one line out for each line in.

    The scores of tsv and jsonl are log-probabilities, in nats.
    """
    refuse_several_in_text(num_best, output_format)
    from seqcli.api.label import load_classifier

    load = partial(load_classifier, model, num_best=num_best, threads=threads)
    write_labels(load, source, output, output_format)
