"""`seqcli tag`: a tag for each word of a file or of what comes in."""

from functools import partial
from pathlib import Path

from seqcli.cli.labelling import write_labels
from seqcli.cli.options import QuietOption, ThreadsOption, VerboseOption
from seqcli.cli.translate import FormatOption, ModelArgument, OutputOption, SourceArgument
from seqcli.text.lines import STDIN


def tag(
    model: ModelArgument,
    source: SourceArgument = STDIN,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = "text",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Write the tags of each line of FILE, in order, one line out for each line in.

    Words are what stands between spaces, and each gets one tag. The scores of tsv and jsonl are
    log-probabilities of all tags of a line together, in nats.
    """
    from seqcli.api.label import load_tagger

    write_labels(partial(load_tagger, model, threads=threads), source, output, output_format)
