"""Figures: whole files, the same bytes each time, and no surprises from the text in them."""

import logging
import struct
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from seqcli.cli.inspect import figures
from seqcli.cli.inspect.figures import WIDTH, figure, require_matplotlib
from seqcli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from seqcli.cli.inspect.figures import Figure


def draw(canvas: "Figure", label: str = "forget") -> None:
    canvas.set_size_inches(WIDTH, 2.0)
    axes = canvas.subplots()
    axes.plot([0, 1, 2], [0.1, 0.9, 0.4], marker=".")
    axes.set_xticks([0], [label])


def written(path: Path, label: str = "forget") -> bytes:
    with figure(path) as canvas:
        draw(canvas, label)
    return path.read_bytes()


@pytest.mark.parametrize("ending", [".png", ".svg", ".PNG"])
def test_the_same_drawing_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    first, second = written(tmp_path / f"a{ending}"), written(tmp_path / f"b{ending}")
    assert first == second
    assert b"dc:date" not in first


def test_a_png_is_as_wide_as_a_readme(tmp_path: Path) -> None:
    content = written(tmp_path / "a.png")
    assert content.startswith(b"\x89PNG")
    assert struct.unpack(">II", content[16:24]) == (800, 200)


def test_an_svg_is_xml(tmp_path: Path) -> None:
    root = ElementTree.fromstring(written(tmp_path / "a.svg"))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("label", ["$5 and $6", "$\\frac{", "_", "a^b"])
def test_a_token_is_written_as_it_is(label: str, tmp_path: Path) -> None:
    """Between two dollar signs matplotlib would read a formula."""
    assert written(tmp_path / "a.svg", label) != written(tmp_path / "b.svg", "other")


def test_a_letter_that_no_font_has_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "FONTS", figures.FONTS[:1])
    with caplog.at_level(logging.WARNING, logger="seqcli"):
        written(tmp_path / "a.png", "음악")
    (record,) = [record for record in caplog.records if record.name.startswith("seqcli")]
    assert record.getMessage() == (
        f"{tmp_path / 'a.png'} lacks some letters: no font that has them is installed"
    )


def test_a_drawing_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), figure(path):
        _ = 1 / 0
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="there is no folder"):
        written(tmp_path / "missing" / "a.png")


def test_the_settings_of_a_user_of_matplotlib_stay_as_they_were(tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    written(tmp_path / "a.png")
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_the_way_to_install_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    with pytest.raises(UsageError) as caught:
        require_matplotlib()
    assert "seqcli[report]" in caught.value.fix
