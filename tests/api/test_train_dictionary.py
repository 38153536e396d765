from pathlib import Path
from typing import Any

import pytest

from seqcli.api.dictionary_system import ENTRIES, load_dictionary_translator
from seqcli.api.train_dictionary import train_dictionary
from seqcli.bundle import read_facts
from seqcli.config import from_dict
from seqcli.errors import ModelError, OutputError, UsageError
from seqcli.smt.recipe import DictionaryRecipe
from tests.api.statistical import write_pairs
from tests.smt.parallel_lines import make_pairs

SOURCE, TARGET = make_pairs(12, seed=3)


def recipe_of(**settings: Any) -> DictionaryRecipe:
    return from_dict(settings, DictionaryRecipe, origin="test")


def printed(folder: Path, **settings: Any) -> DictionaryRecipe:
    (folder / "dict.txt").write_text("Hund :: hound; dog\nder :: the; he\n")
    (folder / "text.en").write_text("The dog sees.\nA man and the dog.\n")
    return recipe_of(dictionary=[str(folder / "dict.txt")], source_language="de", **settings)


def translated(folder: Path, *lines: str) -> list[str]:
    translator = load_dictionary_translator(str(folder))
    return [translation.text for translation in translator.translate(lines)]


def test_the_first_entry_is_taken_where_there_is_no_text(tmp_path: Path) -> None:
    train_dictionary(printed(tmp_path), tmp_path / "m")
    assert translated(tmp_path / "m", "Der Hund.", "", "Der Mann!") == [
        "The hound.",
        "",
        "The Mann!",
    ]


def test_the_card_names_the_files_that_entries_are_from(tmp_path: Path) -> None:
    train_dictionary(printed(tmp_path), tmp_path / "m")
    card = (tmp_path / "m" / "README.md").read_text()
    assert f"- taken from: {tmp_path / 'dict.txt'}\n" in card
    assert f"seqcli translate {tmp_path / 'm'}`" in card
    assert "trained on" not in card
    assert "validated on" not in card


def test_bigrams_of_text_choose_the_entry(tmp_path: Path) -> None:
    train_dictionary(printed(tmp_path, text=[str(tmp_path / "text.en")]), tmp_path / "m")
    assert translated(tmp_path / "m", "der Hund.") == ["The dog."]


def test_a_dictionary_can_be_read_the_other_way(tmp_path: Path) -> None:
    train_dictionary(printed(tmp_path, reversed=True), tmp_path / "m")
    assert translated(tmp_path / "m", "the dog") == ["Der Hund"]


def test_words_are_learned_from_pairs(tmp_path: Path) -> None:
    data = {"train": write_pairs(tmp_path, "train", 60), "test": write_pairs(tmp_path, "t", 12, 3)}
    train_dictionary(recipe_of(data=data), tmp_path / "m", threads=2)
    translations = translated(tmp_path / "m", *SOURCE)
    assert sum(a == b for a, b in zip(translations, TARGET, strict=True)) >= 11
    assert {score.set for score in read_facts(tmp_path / "m").scores} == {"test"}


def test_without_words_or_text_to_learn_from_there_is_no_dictionary(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to look words up in"):
        train_dictionary(recipe_of(), tmp_path / "m")
    with pytest.raises(UsageError, match="no text to choose translations by"):
        train_dictionary(printed(tmp_path, choice="bigram"), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    recipe = printed(tmp_path)
    train_dictionary(recipe, tmp_path / "m")
    with pytest.raises(OutputError):
        train_dictionary(recipe, tmp_path / "m")
    train_dictionary(recipe, tmp_path / "m", overwrite=True)
    (tmp_path / "m" / "mine").touch()
    with pytest.raises(OutputError):
        train_dictionary(recipe, tmp_path / "m", overwrite=True)


@pytest.mark.parametrize("name", [ENTRIES, "words-source.json", "vocabulary-target.txt"])
def test_a_broken_part_is_a_fault_of_the_model(name: str, tmp_path: Path) -> None:
    train_dictionary(printed(tmp_path, text=[str(tmp_path / "text.en")]), tmp_path / "m")
    path = tmp_path / "m" / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ModelError):
        load_dictionary_translator(str(tmp_path / "m"))
