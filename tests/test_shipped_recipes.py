"""The recipes under models/, and the scripts that make the text for some of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from seqcli.experiment import resolve_recipe

MODELS = Path(__file__).parents[1] / "models"
RECIPES = sorted(MODELS.glob("*/recipe.toml"))


def run_script(script: Path, *arguments: str | Path) -> None:
    subprocess.run([sys.executable, script, *arguments], check=True)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_is_one_that_this_version_reads_and_has_a_card(path: Path) -> None:
    recipe = resolve_recipe(path, files={"train": ("a", "b")})
    assert recipe.data.train == ("a", "b")
    assert (path.parent / "README.md").read_text(encoding="utf-8").startswith("# ")


@pytest.fixture(scope="module")
def long_lags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("memory")
    run_script(MODELS / "memory" / "make_data.py", folder)
    return folder


class TestLongLagTask:
    @pytest.mark.parametrize("name", ["train", "valid", "test"])
    def test_the_answer_is_the_first_letter_and_stands_nowhere_else(
        self, long_lags: Path, name: str
    ) -> None:
        sources = (long_lags / f"{name}.source").read_text(encoding="utf-8").splitlines()
        targets = (long_lags / f"{name}.target").read_text(encoding="utf-8").splitlines()
        for source, target in zip(sources, targets, strict=True):
            first, *others = source.split(" ")
            assert first == target
            assert target not in others

    def test_each_lag_has_as_many_lines(self, long_lags: Path) -> None:
        sources = (long_lags / "test.source").read_text(encoding="utf-8").splitlines()
        lags = [len(source.split(" ")) - 1 for source in sources]
        assert {lag: lags.count(lag) for lag in lags} == dict.fromkeys((2, 5, 10, 20, 50, 100), 500)


def test_joined_lines_hold_the_same_text_on_both_sides(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(13)]
    for side in ("a", "b"):
        (tmp_path / side).write_text("".join(f"{side} {line}\n" for line in lines), "utf-8")
    paths = [tmp_path / name for name in ("a", "b", "long.a", "long.b")]
    run_script(MODELS / "bottleneck" / "join_lines.py", *paths)
    for side in ("a", "b"):
        joined = (tmp_path / f"long.{side}").read_text(encoding="utf-8").splitlines()
        assert " ".join(joined) == " ".join(f"{side} {line}" for line in lines)
        assert [line.count("line") for line in joined] == [1, 2, 3, 4, 1, 2]
