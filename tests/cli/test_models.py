"""`seqcli models` tells what is in the folder of shipped models."""

import json
from pathlib import Path
from typing import Any

import pytest

from seqcli.bundle import FORMAT, BundleScore, Facts, write_facts
from seqcli.cli.main import main

SCORE: dict[str, Any] = {
    "name": "BLEU",
    "value": 38.71,
    "signature": "nrefs:1|tok:13a",
    "set": "test_2016",
}
CARD = "# de-en\n\nGerman to English,\nfor captions.\n\n## Data\n\nMulti30k.\n"


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One trained model, one recipe, and a folder and a file that are neither."""
    monkeypatch.setattr("seqcli.api.models.shipped_models_folder", lambda: tmp_path)
    model = tmp_path / "de-en"
    model.mkdir()
    facts = Facts(
        format=FORMAT,
        task="translation",
        architecture="seq2seq",
        name="de-en",
        recipe={},
        tokenizers=["shared"],
        vocabulary="",
        parameters=6_300_000,
        scores=[BundleScore(**SCORE)],
    )
    write_facts(model, facts)
    (model / "weights.safetensors").write_bytes(bytes(2_000_000))
    (model / "README.md").write_text(CARD)
    recipe = tmp_path / "a-recipe"
    recipe.mkdir()
    (recipe / "recipe.toml").write_text("")
    (tmp_path / "neither").mkdir()
    (tmp_path / "README.md").write_text("about the models")
    return tmp_path


def test_the_list_shows_models_and_recipes_by_name(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models"]) == 0
    assert capsys.readouterr().out == (
        "a-recipe  (a recipe; see `seqcli models a-recipe`)\n"
        "\n"
        "de-en  translation, 6.3M parameters, 2.0 MB\n"
        "  German to English, for captions.\n"
        "  BLEU 38.71 on test_2016  nrefs:1|tok:13a\n"
    )


def test_json_holds_the_very_numbers_of_the_model(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "de-en", "--format", "json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)
    files = [path.stat().st_size for path in (shipped / "de-en").iterdir()]
    assert model == {
        "name": "de-en",
        "description": "German to English, for captions.",
        "is_trained": True,
        "size_bytes": sum(files),
        "task": "translation",
        "parameters": 6_300_000,
        "scores": [SCORE],
    }


def test_a_name_shows_the_card(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "de-en"]) == 0
    assert capsys.readouterr().out == CARD


def test_an_unknown_name_is_an_error_that_tells_the_nearest(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "de-em"]) == 1
    assert capsys.readouterr().err == (
        "error: no model called 'de-em' is shipped\n"
        "  why: there are: a-recipe, de-en\n"
        "  fix: Did you mean 'de-en'?\n"
    )


def test_a_model_without_a_card_is_an_error(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "a-recipe"]) == 1
    assert capsys.readouterr().err.startswith("error: the model 'a-recipe' has no card\n")


def test_a_broken_model_is_an_error_that_names_its_folder(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shipped / "de-en" / "model.json").write_text("{")
    assert main(["models"]) == 1
    assert capsys.readouterr().err.startswith(f"error: the model in {shipped / 'de-en'} is broken")


def test_an_installation_without_models_lists_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("seqcli.api.models.shipped_models_folder", lambda: tmp_path / "none")
    assert main(["models"]) == 0
    assert capsys.readouterr() == ("", "no models came with this installation\n")
