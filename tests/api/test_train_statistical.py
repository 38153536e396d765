import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from seqcli.api.phrase_system import load_phrase_parts, load_phrase_translator, translator_of
from seqcli.api.train_statistical import dry_run_statistical, train_statistical
from seqcli.bundle import TRAINING, read_facts
from seqcli.config import from_dict
from seqcli.errors import ConfigError, DataError, ModelError, OutputError, UsageError
from seqcli.smt import phrase_training
from seqcli.smt.features import CLASS_MODEL
from seqcli.smt.phrase_files import WEIGHTS
from seqcli.smt.phrase_view import view_derivation
from seqcli.smt.recipe import SmtRecipe
from seqcli.tokenizers.vocabulary import SPACE
from tests.api.statistical import QUICK, Listener, smt_recipe, write_pairs
from tests.smt.parallel_lines import make_pairs

SOURCE, TARGET = make_pairs(15, seed=3)


def parts_of(folder: Path) -> dict[str, bytes]:
    """The content of each file that belongs to the system itself."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and TRAINING not in path.parts and path.name not in ("README.md",)
    }


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("statistical")
    test = write_pairs(folder, "test", 15, seed=3)
    recipe = smt_recipe(folder, data={"test": test})
    train_statistical(recipe, folder / "model", threads=2)
    return folder / "model"


def test_a_trained_system_translates_what_it_was_not_shown(model: Path) -> None:
    translator = load_phrase_translator(str(model))
    translations = [translation.text for translation in translator.translate(SOURCE)]
    assert sum(a == b for a, b in zip(translations, TARGET, strict=True)) >= 13


def test_its_facts_have_scores_of_both_sets(model: Path) -> None:
    scores = {(score.set, score.name): score.value for score in read_facts(model).scores}
    assert scores.keys() == {(s, n) for s in ("validation", "test") for n in ("BLEU", "chrF2")}
    assert scores["test", "BLEU"] > 90
    assert "phrases: " in (model / "README.md").read_text()


@pytest.mark.parametrize("stage", ["_learn_words", "_align", "_extract", "_estimate", "_tune"])
def test_one_that_was_interrupted_ends_as_one_that_was_not(
    stage: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = write_pairs(tmp_path, "test", 15, seed=3)
    recipe = smt_recipe(tmp_path, data={"test": test})
    folder = tmp_path / "model"

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(phrase_training.PhraseTraining, stage, interrupt)
        with pytest.raises(KeyboardInterrupt):
            train_statistical(recipe, folder, threads=1)
    assert not (folder / "model.json").exists()
    listener = Listener()
    train_statistical(recipe, folder, resume=True, reporter=listener, threads=1)
    finished = ["_learn_words", "_align", "_extract", "_estimate", "_tune"].index(stage)
    assert sum("finished before" in text for text in listener.messages) == finished
    found, wanted = parts_of(folder), parts_of(model)
    del found["model.json"], wanted["model.json"]  # they name their files
    assert found == wanted


def test_a_changed_setting_is_taken_with_override_alone(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    train_statistical(smt_recipe(tmp_path), folder)
    other = smt_recipe(tmp_path, phrases={"longest": 2})
    with pytest.raises(ConfigError, match=r"phrases\.longest \(7 before, 2 now\)"):
        train_statistical(other, folder, resume=True)
    listener = Listener()
    train_statistical(other, folder, resume=True, override=True, reporter=listener)
    assert sum("finished before" in text for text in listener.messages) == 3
    table = load_phrase_parts(str(folder))[1].model.table
    assert max(table.source_starts[1:] - table.source_starts[:-1]) == 2


def test_without_validation_text_weights_stay_and_that_is_said(tmp_path: Path) -> None:
    listener = Listener()
    train_statistical(smt_recipe(tmp_path, valid=False), tmp_path / "m", reporter=listener)
    assert any("no validation text was given" in text for text in listener.messages)
    assert "validated on: nothing" in (tmp_path / "m" / "README.md").read_text()
    assert load_phrase_translator(str(tmp_path / "m"))


@pytest.mark.parametrize("kind", ["characters", "words", "bpe"])
def test_pieces_of_a_tokenizer_can_stand_for_words(kind: str, tmp_path: Path) -> None:
    recipe = smt_recipe(tmp_path, tokenizer={"kind": kind})
    train_statistical(recipe, tmp_path / "m", threads=2)
    translator = load_phrase_translator(str(tmp_path / "m"))
    texts = [translation.text for translation in translator.translate([SOURCE[0], "", "xyz"])]
    assert texts[1] == ""
    assert len(texts) == 3


SOUNDS = {"ka": "K AA", "ce": "S EH", "co": "K OW", "she": "SH EH", "so": "S OW", "tie": "T AY"}


def spelling_recipe(folder: Path, **settings: Any) -> SmtRecipe:
    """Three spellings of syllables a word, and their sounds; a recipe that takes both jointly."""
    words = list(product(SOUNDS, repeat=3))
    for name, chosen in (("train", words[::2]), ("valid", words[1:40:2]), ("test", words[41::2])):
        for side, lines in (
            ("letters", map("".join, chosen)),
            ("sounds", (" ".join(map(SOUNDS.__getitem__, word)) for word in chosen)),
        ):
            (folder / f"{name}.{side}").write_text("".join(f"{line}\n" for line in lines))
    values = {
        "data": {
            name: [str(folder / f"{name}.{side}") for side in ("letters", "sounds")]
            for name in ("train", "valid")
        },
        "joint_units": True,
        "tokenizer": {"kind": "characters"},
        "target_tokenizer": {"kind": "whitespace"},
        "decoding": {"distortion_limit": 0},
        "tuning": QUICK,
    }
    return from_dict({**values, **settings}, SmtRecipe, origin="test")


def test_a_system_of_joint_units_writes_words_alone(tmp_path: Path) -> None:
    recipe = spelling_recipe(tmp_path)
    train_statistical(recipe, tmp_path / "m", threads=2)
    translator = load_phrase_translator(str(tmp_path / "m"))
    letters = (tmp_path / "test.letters").read_text().splitlines()
    found = [translation.text for translation in translator.translate(letters)]
    assert found == (tmp_path / "test.sounds").read_text().splitlines()


def test_the_derivation_of_joint_units_adds_up(tmp_path: Path) -> None:
    train_statistical(spelling_recipe(tmp_path), tmp_path / "m")
    recipe, system = load_phrase_parts(str(tmp_path / "m"))
    translator = translator_of(system, recipe.decoding)
    view = view_derivation(system, translator, "m", "kaceso")
    assert view.translation == "K AA S EH S OW"
    assert " ".join(phrase.target for phrase in view.phrases).split() == [
        f"{SPACE}{sound}" for sound in view.translation.split()
    ]
    total = sum(word.log_probability for word in view.language_model)
    assert total == pytest.approx(view.features["language_model"], abs=1e-3)


def test_joint_units_can_be_chosen_for_words_that_are_aligned_already(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    train_statistical(spelling_recipe(tmp_path, joint_units=False), folder)
    listener = Listener()
    recipe = spelling_recipe(tmp_path)
    train_statistical(recipe, folder, resume=True, override=True, reporter=listener)
    assert sum("finished before" in text for text in listener.messages) == 2  # words, alignment
    fresh = tmp_path / "fresh"
    train_statistical(recipe, fresh)
    found, wanted = parts_of(folder), parts_of(fresh)
    del found["model.json"], wanted["model.json"]  # they have their own names
    assert found == wanted


def test_lines_of_one_word_are_tuned_by_their_characters(tmp_path: Path) -> None:
    recipe = spelling_recipe(tmp_path, target_tokenizer={"kind": "characters"})
    for path in tmp_path.glob("*.sounds"):
        path.write_text(path.read_text().replace(" ", ""))
    listener = Listener()
    train_statistical(recipe, tmp_path / "m", reporter=listener)
    scores = [text.split()[-1] for text in listener.messages if "tuning: validation bleu" in text]
    assert min(map(float, scores)) > 50


def test_text_of_the_target_alone_makes_the_language_model_larger(tmp_path: Path) -> None:
    (tmp_path / "more.en").write_text("A zebra sees the dog.\n" * 3)
    recipe = smt_recipe(tmp_path, language_model={"text": [str(tmp_path / "more.en")]})
    train_statistical(recipe, tmp_path / "m")
    assert "zebra" in load_phrase_parts(str(tmp_path / "m"))[1].model.target_vocabulary


def test_signs_that_separate_elsewhere_are_words_like_others(tmp_path: Path) -> None:
    """Those of Moses' tables, Pharaoh's links, escapes, and pieces of ours.

    Moses' rules put spaces between signs, which nothing tells apart from those of the text.
    """
    signs = ["|||", "a|b", "0-0", "&amp;", "</s>", "@@", "x@-@y"]
    recipe = smt_recipe(tmp_path, valid=False)
    for side, word in (("de", "hund"), ("en", "dog")):
        with (tmp_path / f"train.{side}").open("a") as stream:
            stream.writelines(f"{sign} {word}\n" for sign in signs * 4)
    train_statistical(recipe, tmp_path / "m")
    translator = load_phrase_translator(str(tmp_path / "m"))
    lines = [f"{sign} hund" for sign in ("|||", "0-0", "</s>", "@@")]
    found = [translation.text for translation in translator.translate(lines)]
    wanted = [line.replace("hund", "dog") for line in lines]
    assert [text.replace(" ", "") for text in found] == [text.replace(" ", "") for text in wanted]


def test_changed_text_is_taken_with_override_alone(tmp_path: Path) -> None:
    folder, recipe = tmp_path / "m", smt_recipe(tmp_path, valid=False)
    train_statistical(recipe, folder)
    before = parts_of(folder)
    (tmp_path / "train.de").write_text("neu\n" * 60)
    with pytest.raises(ConfigError, match="was made from other text"):
        train_statistical(recipe, folder, resume=True)
    assert parts_of(folder) == before
    train_statistical(recipe, folder, resume=True, override=True)
    assert parts_of(folder) != before


def test_a_validation_text_without_text_is_refused(tmp_path: Path) -> None:
    recipe = smt_recipe(tmp_path)
    for side in ("de", "en"):
        (tmp_path / f"valid.{side}").write_text(" \n" * 10)
    with pytest.raises(DataError, match=r"valid\.de has no text"):
        train_statistical(recipe, tmp_path / "m")


def test_weights_that_lack_a_feature_of_the_system_are_refused(tmp_path: Path) -> None:
    train_statistical(smt_recipe(tmp_path, valid=False), tmp_path / "m")
    path = tmp_path / "m" / WEIGHTS
    weights = json.loads(path.read_bytes())
    del weights["class_language_model"]
    path.write_text(json.dumps(weights))
    with pytest.raises(ModelError, match="has other features"):
        load_phrase_translator(str(tmp_path / "m"))


def test_a_system_without_classes_is_one_whose_model_of_them_counts_nothing(tmp_path: Path) -> None:
    """Also where one was trained there before, and in files that do not name the feature."""
    folder = tmp_path / "m"
    recipe = smt_recipe(tmp_path, valid=False)
    train_statistical(recipe, folder)
    with_classes = load_phrase_parts(str(folder))[1].model
    assert with_classes.classes is not None
    none = smt_recipe(tmp_path, valid=False, language_model={"classes": 0})
    train_statistical(none, folder, resume=True, override=True)
    without = load_phrase_parts(str(folder))[1].model
    assert without.classes is None
    assert without.weights[CLASS_MODEL] == 0
    path = folder / WEIGHTS
    weights = json.loads(path.read_bytes())
    del weights["class_language_model"]
    path.write_text(json.dumps(weights))
    old = load_phrase_parts(str(folder))[1].model
    assert old.weights.tolist() == without.weights.tolist()
    for hypothesis in next(load_phrase_translator(str(folder)).translate(SOURCE[:1])).hypotheses:
        assert dict(hypothesis.features)["class_language_model"] == 0


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    recipe = smt_recipe(tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "mine.txt").touch()
    for how in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(OutputError):
            train_statistical(recipe, folder, **how)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_model_is_replaced_by_overwrite_alone(tmp_path: Path) -> None:
    recipe, folder = smt_recipe(tmp_path), tmp_path / "model"
    train_statistical(recipe, folder)
    before = parts_of(folder)
    with pytest.raises(OutputError, match="exists already"):
        train_statistical(recipe, folder)
    train_statistical(recipe, folder, overwrite=True)
    assert parts_of(folder) == before


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        ({"resume": True, "overwrite": True}, "--resume and --overwrite"),
        ({"override": True}, "--override goes with --resume"),
    ],
)
def test_wishes_that_do_not_go_together_are_refused(
    how: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=fault):
        train_statistical(smt_recipe(tmp_path), tmp_path / "m", **how)
    assert not (tmp_path / "m").exists()


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(tmp_path: Path) -> None:
    facts = dry_run_statistical(smt_recipe(tmp_path), tmp_path / "m", threads=3)
    assert facts["pairs"] == "60 to train on, 10 to tune on"
    assert facts["threads"] == "3"
    assert not (tmp_path / "m").exists()


def test_text_that_is_not_aligned_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    recipe = smt_recipe(tmp_path)
    with (tmp_path / "train.de").open("a") as file:
        file.write("noch eine Zeile\n")
    with pytest.raises(DataError, match="has 61 lines but"):
        train_statistical(recipe, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("is_there", [False, True])
def test_a_training_that_ends_before_any_stage_does_leaves_nothing(
    is_there: bool, tmp_path: Path
) -> None:
    recipe = smt_recipe(tmp_path, valid=False)
    (tmp_path / "train.de").write_text("\n" * 60)
    if is_there:
        (tmp_path / "m").mkdir()
    with pytest.raises(DataError, match="can be used: 60 with an empty side"):
        train_statistical(recipe, tmp_path / "m")
    assert list(tmp_path.glob("m/*")) == []
    assert (tmp_path / "m").exists() == is_there


@pytest.mark.parametrize(
    "name",
    [
        "weights.json",
        "vocabulary-source.txt",
        "words-target.json",
        "phrases/scores.npy",
        "ngrams/words.npy",
        "classes/class_of.npy",
        "class-ngrams/words.npy",
    ],
)
def test_a_broken_part_is_a_fault_of_the_model(name: str, tmp_path: Path) -> None:
    train_statistical(smt_recipe(tmp_path, valid=False), tmp_path / "m")
    path = tmp_path / "m" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError):
        load_phrase_translator(str(tmp_path / "m"))
    path.unlink()
    with pytest.raises(ModelError):
        load_phrase_translator(str(tmp_path / "m"))


def test_parts_of_another_model_are_found_out(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        recipe = smt_recipe(tmp_path / name, valid=False, seed=1)
        if name == "two":
            (tmp_path / name / "train.de").write_text("neu\n" * 60)
        train_statistical(recipe, tmp_path / name / "m")
    text = (tmp_path / "two/m/vocabulary-source.txt").read_bytes()
    (tmp_path / "one/m/vocabulary-source.txt").write_bytes(text)
    with pytest.raises(ModelError):
        load_phrase_translator(str(tmp_path / "one/m"))
