"""Where the commands of `seqcli inspect` show what they found, and in which form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from seqcli.cli.conflicts import refuse_beside
from seqcli.cli.inspect.figures import FIGURES, figure, require_matplotlib
from seqcli.cli.output import writer_to
from seqcli.errors import UsageError
from seqcli.text.lines import STDIN, require_writable

if TYPE_CHECKING:
    import msgspec

    from seqcli.cli.inspect.figures import Figure

FORMATS = {".txt": "text", ".json": "json", **dict.fromkeys(FIGURES, "figure")}

Result = TypeVar("Result", bound="msgspec.Struct")


@dataclass(frozen=True, slots=True)
class Destination:
    """A file or standard output, and the form that the result takes there."""

    output: Path
    form: str

    def write(
        self,
        result: Result,
        *,
        as_text: Callable[[Result], str],
        draw: Callable[[Result, "Figure"], None] | None = None,
    ) -> None:
        """Write what was found as text, as JSON or, where it can be drawn, as a figure."""
        if draw is not None and self.form == "figure":
            with figure(self.output) as canvas:
                draw(result, canvas)
            return
        with writer_to(self.output) as write:
            write(as_text(result) if self.form == "text" else _as_json(result))


def destination_of(
    output: Path, output_format: str | None, *, forms: Mapping[str, str] = FORMATS
) -> Destination:
    """Decide on the form before any work is done: a file's ending, or the format for "-".

    Raises UsageError for another ending, a format that contradicts the ending, or a figure where
    matplotlib is missing; OutputError for a file that cannot be written.
    """
    if str(output) == STDIN:
        return Destination(output, output_format or "text")
    form = forms.get(output.suffix.lower())
    if form is None:
        raise UsageError(
            f"--output {output} does not say what to write",
            why="the ending of the file names the kind",
            fix=f"End it in {', '.join(forms)}",
        )
    if output_format not in (None, form):
        refuse_beside(
            f"--output {output}",
            {f"--format {output_format}": True},
            why="the ending of the file names the kind",
        )
    if form == "figure":
        require_matplotlib()
    require_writable(output)
    return Destination(output, form)


def _as_json(result: "msgspec.Struct") -> str:
    """What is no finite number becomes null."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(result).decode(), indent=2)
