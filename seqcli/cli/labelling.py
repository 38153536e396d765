"""What `classify` and `tag` share: answers of labels, written as translations are."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from seqcli.cli.output import writer_to

if TYPE_CHECKING:
    from seqcli.translator import Translator


def write_labels(
    load: "Callable[[], Translator]", source: str, output: Path, output_format: str
) -> None:
    """Write what a labeller says of each line as soon as it is known.

    It is loaded only once the output is known to be writable.
    """
    from seqcli.api.translate import translate_lines
    from seqcli.cli.translation_formats import FORMATS

    writer = writer_to(output)
    labeller = load()
    format_labels = FORMATS[output_format]
    with writer as write:
        for number, labels in enumerate(translate_lines(labeller, source), start=1):
            write(format_labels(labels, number))
