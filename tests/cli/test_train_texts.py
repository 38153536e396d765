"""Several texts of one kind, as options of `seqcli train` give them."""

from pathlib import Path

import pytest

from seqcli.cli import train as command
from seqcli.cli.main import main
from seqcli.experiment import Recipe

LINES = [f"line {number} of many" for number in range(9)]


def write(folder: Path, name: str, count: int) -> str:
    path = folder / name
    path.write_text("".join(f"{line} {name}\n" for line in LINES[:count]))
    return str(path)


def dry_run(*options: str) -> int:
    return main(["train", "--dry-run", "--device", "cpu", *options])


def test_pairs_of_files_can_be_given_again_for_every_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stand in the recipe in the order in which they are given, tables last."""
    options: list[str] = []
    expected: dict[str, list[str]] = {}
    recipes: list[Recipe] = []
    for name, counts in (("train", (3, 5)), ("valid", (1, 2)), ("test", (2, 4))):
        expected[name] = [
            write(tmp_path, f"{name}{count}.{side}", count) for count in counts for side in "ab"
        ]
        for start in (0, 2):
            options += [f"--{name}", *expected[name][start : start + 2]]
    table = tmp_path / "c.tsv"
    table.write_text("eins\tone\n")
    monkeypatch.setattr(command, "_show_plan", lambda recipe, *_, **__: recipes.append(recipe))
    assert dry_run(*options, "--train-tsv", str(table)) == 0
    (recipe,) = recipes
    assert list(recipe.data.train) == [*expected["train"], str(table)]
    assert list(recipe.data.valid) == expected["valid"]
    assert list(recipe.data.test) == expected["test"]


def test_files_of_text_alone_can_be_given_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--arch", "language-model"]
    for name, counts in (("train", (3, 5)), ("valid", (1, 3))):
        for count in counts:
            options += [f"--{name}-text", write(tmp_path, f"{name}{count}", count)]
    assert dry_run(*options) == 0
    assert "8 to train on, 4 to validate on" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message", "fix"),
    [
        (["--train", "a"], "Option '--train' requires 2 arguments", "--help"),
        (
            ["--train-text", "a", "--train-text", "b"],
            "--train-text a: only a language model learns from text alone",
            "Give --train SOURCE TARGET, or --arch language-model",
        ),
        (
            ["--arch", "language-model", "--train", "a", "b"],
            "a and b: a language model has no pairs to learn from",
            "Give --train-text FILE, as often as there are files",
        ),
        (
            ["--arch", "language-model", "--train-text", "a", "--valid-tsv", "b.tsv"],
            "b.tsv: a language model has no pairs to learn from",
            "Give --valid-text FILE",
        ),
        (["--train", "a", "b", "--train-text", "c"], "--train-text does not go with", "Leave out"),
    ],
)
def test_what_is_not_of_the_kind_that_is_learned_from_is_refused_before_it_is_read(
    capsys: pytest.CaptureFixture[str], options: list[str], message: str, fix: str
) -> None:
    assert dry_run(*options) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert fix in printed
