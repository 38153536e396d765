"""The look of figures, and their way to a file: the one place that draws with matplotlib."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcli.errors import UsageError
from seqcli.text.lines import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.figure import Figure as Figure

FIGURES = {".png": "png", ".svg": "svg"}  # by the ending of the file
INK, PALE = "#333333", "#dddddd"
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito
SHADES = "Blues"  # from nothing to much
WIDTH = 8.0  # inches; 800 pixels of a PNG, the width of a README
MISSING_LETTER = "Glyph"  # how matplotlib's warning of it begins
FONTS = ("DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK KR", "NanumGothic", "Malgun Gothic")
STYLE: dict[str, Any] = {
    "figure.figsize": (WIDTH, 4.0),
    "figure.constrained_layout.use": True,
    "savefig.dpi": 100,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALE,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.2,
    "text.color": INK,
    "text.parse_math": False,  # a token may hold a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "svg.hashsalt": "seqcli",  # the same figure gives the same file
}

log = logging.getLogger(__name__)


def require_matplotlib() -> None:
    """Raise UsageError where figures cannot be drawn."""
    if find_spec("matplotlib") is None:
        raise UsageError(
            "figures need matplotlib, which is not installed",
            fix="Install it with: pip install 'seqcli[report]'; or write a .txt or .json file",
        )


@contextmanager
def figure(output: Path) -> Iterator["Figure"]:
    """Yield an empty figure in the house's look; it is at `output` once the block ends well.

    The same drawing gives the same bytes, whatever the user's own settings are. The block
    may set another size.
    """
    from matplotlib.figure import Figure
    from matplotlib.rcsetup import cycler
    from matplotlib.style import context

    style = {
        **STYLE,
        "axes.prop_cycle": cycler(color=COLORS),
        "font.family": _installed_fonts(),
    }
    with context(style, after_reset=True), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        canvas = Figure()
        yield canvas
        content = io.BytesIO()
        kind = FIGURES[output.suffix.lower()]
        canvas.savefig(
            content, format=kind, metadata={"Date" if kind == "svg" else "Software": None}
        )
    messages = [str(warning.message) for warning in caught]
    log.debug("matplotlib: %s", "; ".join(messages) or "no warnings")
    if any(message.startswith(MISSING_LETTER) for message in messages):
        log.warning("%s lacks some letters: no font that has them is installed", output)
    with write_atomically(output) as stream:
        stream.buffer.write(content.getvalue())


def title(canvas: "Figure", text: str) -> None:
    """Set the title of a whole figure, at its left."""
    canvas.suptitle(text, x=0.01, ha="left", fontsize=10)


def _installed_fonts() -> list[str]:
    """The first font, which comes with matplotlib, and of the others those that are there."""
    from matplotlib.font_manager import fontManager

    names = set(fontManager.get_font_names())
    return [name for name in FONTS if name in names]
