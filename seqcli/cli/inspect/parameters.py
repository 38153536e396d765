"""`seqcli inspect parameters`: what a network has learned, by module, and how large it is."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seqcli.cli.inspect.figures import title
from seqcli.cli.inspect.options import FormatOption, ModelArgument, OutputOption
from seqcli.cli.inspect.output import destination_of
from seqcli.cli.inspect.tables import table
from seqcli.cli.options import QuietOption, VerboseOption
from seqcli.text.lines import STDIN

if TYPE_CHECKING:
    from seqcli.cli.inspect.figures import Figure
    from seqcli.inspection.parameters import ModuleParameters, ParameterTable

HEADER = ("name", "shape", "parameters", "share", "float32", "stored")
INCHES_A_BAR = 0.25


def show_parameters(
    model: ModelArgument,
    output: OutputOption = Path(STDIN),
    output_format: FormatOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show the parameters of a model, module by module.

    Of each there are shape, count, share of all, and size in memory and on the disk.
    """
    destination = destination_of(output, output_format)
    from seqcli.inspection.loading import load_network
    from seqcli.inspection.parameters import parameters_of

    destination.write(parameters_of(load_network(model)), as_text=_as_text, draw=_draw)


def _as_text(found: "ParameterTable") -> str:
    rows = [
        row for module in found.modules for row in (_module_row(module), *_parameter_rows(module))
    ]
    total = ("total", "", *_sizes(found.count, 1.0, found.bytes_float32, found.bytes_stored))
    return table(HEADER, [*rows, total], words=2)


def _module_row(module: "ModuleParameters") -> tuple[str, ...]:
    sizes = _sizes(module.count, module.share, module.bytes_float32, module.bytes_stored)
    return (module.name or "(network)", "", *sizes)


def _parameter_rows(module: "ModuleParameters") -> Iterator[tuple[str, ...]]:
    for row in module.parameters:
        sizes = _sizes(row.count, row.share, row.bytes_float32, row.bytes_stored)
        yield (f"  {row.name.rpartition('.')[2]}", " x ".join(map(str, row.shape)), *sizes)
        for alias in row.tied:
            yield (f"  = {alias}", "tied", *[""] * len(sizes))


def _sizes(count: int, share: float, float32: int, stored: int) -> tuple[str, ...]:
    return (f"{count:,}", f"{share:.1%}", _kilobytes(float32), _kilobytes(stored))


def _kilobytes(size: int) -> str:
    return f"{size / 1e3:,.1f} kB"


def _draw(found: "ParameterTable", canvas: "Figure") -> None:
    names = [module.name or "(network)" for module in found.modules]
    counts = [module.count for module in found.modules]
    canvas.set_figheight(1 + INCHES_A_BAR * len(names))
    axes = canvas.subplots()
    bars = axes.barh(names, [count / 1e6 for count in counts])
    axes.bar_label(bars, [f"{count / found.count:.1%}" for count in counts], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("million parameters")
    axes.grid(visible=False, axis="y")
    title(canvas, f"{found.model}: {found.count:,} parameters")
