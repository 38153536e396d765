"""The recipes under models/, and the scripts that make the text for some of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from seqcli.api.statistical_recipes import resolve_statistical_recipe
from seqcli.experiment import resolve_recipe

MODELS = Path(__file__).parents[1] / "models"
RECIPES = sorted(MODELS.glob("*/recipe.toml"))


def run_script(script: Path, *arguments: str | Path) -> None:
    subprocess.run([sys.executable, script, *arguments], check=True)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_a_recipe_is_one_that_this_version_reads_and_has_a_card(path: Path) -> None:
    files = {"train": ("a", "b")}
    recipe = resolve_statistical_recipe(path, files=files) or resolve_recipe(path, files=files)
    assert recipe.data.train == ("a", "b")
    assert (path.parent / "README.md").read_text(encoding="utf-8").startswith("# ")


class TestLongLagTask:
    @pytest.fixture
    def long_lags(self, tmp_path: Path) -> Path:
        run_script(MODELS / "memory" / "make_data.py", "7", tmp_path)
        return tmp_path

    def test_the_answer_is_the_first_letter_and_stands_nowhere_else(self, long_lags: Path) -> None:
        for name in ("train", "valid", "test"):
            targets = (long_lags / f"{name}.target").read_text(encoding="utf-8").splitlines()
            for source, target in zip(sources_of(long_lags, name), targets, strict=True):
                first, *others = source.split(" ")
                assert first == target
                assert target not in others

    def test_lags_rise_to_the_asked_one_in_training_and_have_it_in_the_test(
        self, long_lags: Path
    ) -> None:
        lags = {
            name: {len(source.split(" ")) - 1 for source in sources_of(long_lags, name)}
            for name in ("train", "valid", "test")
        }
        assert lags == {"train": set(range(1, 8)), "valid": {7}, "test": {7}}


def sources_of(folder: Path, name: str) -> list[str]:
    return (folder / f"{name}.source").read_text(encoding="utf-8").splitlines()


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
