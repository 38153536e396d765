import errno
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from safetensors.torch import save_file

from seqcli import bundle as bundle_module
from seqcli.bundle import (
    CARD,
    FACTS,
    FORMAT,
    WEIGHTS,
    BundleScore,
    Facts,
    find_model,
    find_recipe,
    read_bundle,
    read_facts,
    save_tokenizers,
    vocabulary_fingerprint,
    write_card,
    write_facts,
    write_model,
)
from seqcli.errors import ConfigError, ModelError, OutputError
from seqcli.tokenizers import Tokenizer, TokenizerConfig, train_tokenizer

CHARACTERS = TokenizerConfig(kind="characters")
TENSORS = {"embedding": torch.linspace(-2, 2, 7), "bias": torch.tensor([[0.1, 1e-3]])}


def tokenizers_of(*texts: str) -> dict[str, Tokenizer]:
    roles = ("shared",) if len(texts) == 1 else ("source", "target")
    return {
        role: train_tokenizer([text], CHARACTERS) for role, text in zip(roles, texts, strict=True)
    }


def write(folder: Path, *texts: str, half_precision: bool = False) -> Facts:
    tokenizers = tokenizers_of(*texts)
    facts = Facts(
        format=FORMAT,
        task="translation",
        architecture="seq2seq",
        name=folder.name,
        recipe={"data": {"train": ["a", "b"], "valid": [], "test": []}},
        tokenizers=list(tokenizers),
        vocabulary=vocabulary_fingerprint(tokenizers),
        parameters=9,
    )
    folder.mkdir()
    save_tokenizers(folder, tokenizers)
    write_model(folder, facts, TENSORS, half_precision=half_precision)
    return facts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "model", "abc")
    return tmp_path / "model"


@pytest.mark.parametrize("half_precision", [False, True])
@pytest.mark.parametrize("texts", [("abc",), ("abc", "xyz")])
def test_what_is_written_is_read(
    tmp_path: Path, texts: tuple[str, ...], half_precision: bool
) -> None:
    facts = write(tmp_path / "model", *texts, half_precision=half_precision)
    bundle = read_bundle(tmp_path / "model")
    assert bundle.facts == facts
    assert bundle.source_tokenizer.decode(bundle.source_tokenizer.encode("abc")) == "abc"
    assert bundle.target_tokenizer.vocabulary.pieces[-1] == texts[-1][-1]
    assert bundle.weights.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        expected = tensor.half().float() if half_precision else tensor
        assert bundle.weights[name].dtype == torch.float32
        assert torch.equal(bundle.weights[name], expected)


def test_half_precision_halves_the_weights_on_disk(tmp_path: Path) -> None:
    sizes = []
    for half in (False, True):
        write(tmp_path / str(half), "abc", half_precision=half)
        content = (tmp_path / str(half) / WEIGHTS).read_bytes()
        sizes.append(len(content) - 8 - int.from_bytes(content[:8], "little"))  # without its header
    assert sizes == [4 * 9, 2 * 9]


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def with_text(name: str, text: str) -> Callable[[Path], None]:
    return with_bytes(name, text.encode())


def with_bytes(name: str, content: bytes) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_bytes(content)

    return change


def truncated(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return change


def with_facts(**changes: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        facts = json.loads((folder / FACTS).read_text())
        (folder / FACTS).write_text(json.dumps({**facts, **changes}))

    return change


def with_part_of_another_model(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        write(folder.parent / "other", "xyz")
        (folder.parent / "other" / name).replace(folder / name)

    return change


def with_foreign_weights(folder: Path) -> None:
    save_file(TENSORS, folder / WEIGHTS)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (without(FACTS), "has no model.json"),
        (with_text(FACTS, "{"), "model.json cannot be read"),
        (with_text(FACTS, "[]"), "model.json cannot be read"),
        (with_text(FACTS, ""), "model.json cannot be read"),
        (with_bytes(FACTS, b'{"name": "\xff"}'), "model.json cannot be read"),
        (with_facts(name=3), "model.json cannot be read"),
        (with_facts(format=1), "has format 1; this version reads 2"),
        (with_facts(format=99), "has format 99; this version reads 2"),
        (without(WEIGHTS), "weights.safetensors cannot be read"),
        (truncated(WEIGHTS), "weights.safetensors cannot be read"),
        (with_text(WEIGHTS, ""), "weights.safetensors cannot be read"),
        (with_foreign_weights, "weights.safetensors belongs to another model"),
        (with_part_of_another_model(WEIGHTS), "weights.safetensors belongs to another model"),
        (without("tokenizer.json"), "a tokenizer is missing"),
        (truncated("tokenizer.json"), "is not a tokenizer"),
        (with_part_of_another_model("tokenizer.json"), "its tokenizer is not the one"),
        (with_part_of_another_model(FACTS), "its tokenizer is not the one"),
    ],
)
def test_a_broken_folder_is_named_with_its_fault(
    folder: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(folder)
    with pytest.raises(ModelError, match=message) as raised:
        read_bundle(folder)
    assert str(folder) in raised.value.what
    assert raised.value.fix


def test_the_fingerprint_depends_on_every_vocabulary_and_its_role() -> None:
    fingerprints = {
        vocabulary_fingerprint(tokenizers_of(*texts))
        for texts in [("abc",), ("abd",), ("abc", "abd"), ("abd", "abc"), ("abc", "abc")]
    }
    assert len(fingerprints) == 5


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_full_disk_leaves_the_model_that_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    facts = read_facts(folder)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    for attempt in (
        lambda: write_model(folder, facts, {"embedding": torch.zeros(3)}),
        lambda: write_facts(folder, msgspec.structs.replace(facts, name="other")),
        lambda: write_card(folder, facts),
        lambda: save_tokenizers(folder, tokenizers_of("xyz")),
    ):
        with pytest.raises(OutputError, match="No space left"):
            attempt()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_card_says_how_to_use_the_model(folder: Path) -> None:
    write_card(folder, read_facts(folder))
    card = (folder / CARD).read_text()
    assert f"seqcli translate {folder}" in card
    assert "validated on: pairs held out of the training text" in card
    assert "tested on" not in card


def test_the_card_says_what_its_writer_knows_of_text_and_place(folder: Path) -> None:
    facts = read_facts(folder)
    data = {**facts.recipe["data"], "train": [], "valid": []}
    untold = msgspec.structs.replace(facts, recipe={**facts.recipe, "data": data})
    write_card(folder, untold, place=Path("elsewhere"), without_valid="")
    card = (folder / CARD).read_text()
    assert "trained on" not in card
    assert "validated on" not in card
    assert "seqcli translate elsewhere`" in card


def test_a_card_that_is_there_is_kept(folder: Path) -> None:
    (folder / CARD).write_text("what its user says of it")
    write_card(folder, read_facts(folder))
    assert (folder / CARD).read_text() == "what its user says of it"


def test_a_card_is_written_anew_for_other_scores_unless_it_was_edited(folder: Path) -> None:
    facts, card = read_facts(folder), folder / CARD
    write_card(folder, facts)
    score = BundleScore(name="BLEU", value=12.34, signature="nrefs:1", set="test")
    scored = msgspec.structs.replace(facts, scores=[score])
    write_card(folder, scored)
    assert "- test BLEU: 12.34" in card.read_text()
    edited = card.read_text().replace("# ", "# My ", 1)
    card.write_text(edited)
    write_card(folder, facts)
    assert card.read_text() == edited


def test_the_command_in_the_card_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    folder = tmp_path / "my model's"
    write_card(folder, write(folder, "abc"))
    command = (folder / CARD).read_text().split("Use it with `")[1].split("`")[0]
    assert shlex.split(command) == ["seqcli", "translate", str(folder)]


def test_a_model_is_found_by_its_path_or_the_name_of_a_shipped_one(
    folder: Path,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bundle_module, "shipped_models_folder", lambda: tmp_path)
    assert find_model(str(folder)) == folder
    assert find_model("model") == folder
    monkeypatch.chdir(tmp_path)
    assert find_model("model") == Path("model")  # what lies here comes first
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    Path("model").mkdir()
    assert find_model("model") == folder  # but not a folder that only happens to be called so
    Path("other").mkdir()
    with pytest.raises(ModelError, match=r"other is not a model: it has no model\.json"):
        read_bundle(find_model("other"))


@pytest.mark.parametrize("name", ["nothing", "a/b", "..", "../model", ""])
def test_a_model_that_is_not_there_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.setattr(bundle_module, "shipped_models_folder", lambda: empty)
    with pytest.raises(ModelError):
        read_bundle(find_model(name))


def test_a_file_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="is a file"):
        find_model(str(tmp_path / "file"))


def test_a_recipe_is_found_by_its_path_or_the_name_of_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_module, "shipped_models_folder", lambda: tmp_path / "shipped")
    shipped = tmp_path / "shipped" / "g2p" / "recipe.toml"
    shipped.parent.mkdir(parents=True)
    shipped.touch()
    monkeypatch.chdir(tmp_path)
    assert find_recipe("g2p") == shipped
    Path("g2p").touch()
    assert find_recipe("g2p") == Path("g2p")  # what lies here comes first
    with pytest.raises(ConfigError, match="there is no recipe 'gtp'"):
        find_recipe("gtp")


def test_the_same_weights_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    facts, folder = write(tmp_path / "model", "abc"), tmp_path / "model"
    written = set()
    for _ in range(20):  # an order left to chance would change now and then
        write_model(folder, facts, TENSORS)
        written.add((folder / WEIGHTS).read_bytes())
    assert len(written) == 1
