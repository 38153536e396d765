"""Trainings whose embeddings start from pretrained vectors, against the files they come from."""

import math
import random
from pathlib import Path

import pytest
import torch

from seqcli.api import train as train_module
from seqcli.api.pretrained_vectors import load_vectors, require_fitting_vectors
from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.bundle import TRAINING, read_bundle, read_facts
from seqcli.errors import ConfigError, DataError, OutputError, UsageError
from seqcli.experiment import Recipe
from seqcli.tasks.translation import TranslationTask
from seqcli.tokenizers import Tokenizer, TokenizerConfig, train_tokenizer
from seqcli.training.interruption import Interrupted
from tests.api.trainings import Corpus, Recorder, ask_to_stop_at, recipe_of, train_at

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")

SIZE = 8  # of the embeddings in these trainings
WORDS = ["a", "b", "c", "d"]


def write_vectors(path: Path, words: list[str], *, scale: float, size: int = SIZE) -> str:
    generator = random.Random(len(words))
    table = {word: [generator.gauss(0, scale) for _ in range(size)] for word in words}
    rows = [" ".join([word, *map(repr, vector)]) for word, vector in table.items()]
    path.write_text("".join(f"{row}\n" for row in rows))
    return str(path)


def rows_of(path: str) -> dict[str, torch.Tensor]:
    entries = [line.split(" ") for line in Path(path).read_text().splitlines()]
    return {word: torch.tensor([float(value) for value in row]) for word, *row in entries}


def tokenizer_of(text: str) -> Tokenizer:
    return train_tokenizer([text], TokenizerConfig(kind="characters"))


def loaded(
    recipe: Recipe, recorder: Recorder, source: Tokenizer, target: Tokenizer
) -> tuple[Seq2Seq, Seq2Seq]:
    """The model as it is built, and the same with the vectors."""
    models = []
    task = TranslationTask(recipe, {"source": source, "target": target})
    for with_vectors in (False, True):
        torch.manual_seed(1)
        model = task.build_model()
        if with_vectors:
            load_vectors(recipe, task.embeddings(model), reporter=recorder)
        models.append(model)
    return models[0], models[1]


def factors(table: torch.nn.Embedding, tokenizer: Tokenizer, path: str) -> list[float]:
    """What each word's vector in the file was multiplied by; all its values must agree."""
    found = []
    for word, row in rows_of(path).items():
        embedded = table.weight[tokenizer.encode(word)[0]].detach()
        ratio = embedded / row
        torch.testing.assert_close(ratio, ratio.mean().expand(SIZE))
        found.append(float(ratio.mean()))
    return found


def test_found_rows_are_those_of_the_file_by_one_factor_and_others_stay_random(
    tmp_path: Path, corpus: Corpus
) -> None:
    path = write_vectors(tmp_path / "vectors.txt", WORDS, scale=7.0)
    recipe, recorder = recipe_of(corpus, f"data.source_vectors={path}"), Recorder()
    tokenizer = tokenizer_of("abcdefgh")
    before, after = loaded(recipe, recorder, tokenizer, tokenizer)
    table = after.source_embedding
    expected = 1 / (sum(float(row.norm()) for row in rows_of(path).values()) / len(WORDS))
    assert factors(table, tokenizer, path) == pytest.approx([expected] * len(WORDS))
    ids = [tokenizer.encode(word)[0] for word in WORDS]
    assert float(table.weight[ids].detach().norm(dim=1).mean()) == pytest.approx(1)
    rest = [index for index in range(len(tokenizer.vocabulary)) if index not in ids]
    assert torch.equal(table.weight[rest], before.source_embedding.weight[rest])
    size = len(tokenizer.vocabulary)
    assert recorder.messages == [f"source vectors: 4 of {size} pieces found in {path}"]


def test_in_a_common_table_the_target_file_sets_only_what_the_source_file_lacks(
    tmp_path: Path, corpus: Corpus
) -> None:
    source = write_vectors(tmp_path / "source.txt", ["a", "b"], scale=3.0)
    target = write_vectors(tmp_path / "target.txt", ["b", "c", "d"], scale=0.1)
    assignments = [f"data.source_vectors={source}", f"data.target_vectors={target}"]
    recorder, tokenizer = Recorder(), tokenizer_of("abcdefgh")
    _, model = loaded(recipe_of(corpus, *assignments), recorder, tokenizer, tokenizer)
    assert len(set(map(round, factors(model.source_embedding, tokenizer, source)))) == 1
    by_word = rows_of(target)
    for word in ("c", "d"):
        ratio = model.source_embedding.weight[tokenizer.encode(word)[0]] / by_word[word]
        norms = sum(float(row.norm()) for row in by_word.values()) / len(by_word)
        torch.testing.assert_close(ratio, torch.full((SIZE,), 1 / norms))
    assert recorder.messages[1].endswith("1 of them set by the source vectors")
    _, untied = loaded(
        recipe_of(corpus, *assignments, "model.tie_embeddings=target-output"),
        recorder,
        tokenizer,
        tokenizer,
    )
    assert factors(untied.source_embedding, tokenizer, source)
    assert factors(untied.target_embedding, tokenizer, target)
    assert recorder.messages[3].endswith(target)


def test_huge_values_are_scaled_and_vectors_of_zeros_refused(
    tmp_path: Path, corpus: Corpus
) -> None:
    tokenizer, path = tokenizer_of("ab"), tmp_path / "vectors.txt"
    recipe = recipe_of(corpus, f"data.source_vectors={path}")
    path.write_text(f"a{' 2e38' * SIZE}\n")
    _, model = loaded(recipe, Recorder(), tokenizer, tokenizer)
    row = model.source_embedding.weight[tokenizer.encode("a")[0]]
    torch.testing.assert_close(row, torch.full((SIZE,), 1 / math.sqrt(SIZE)))
    path.write_text(f"a{' 0' * SIZE}\n")
    with pytest.raises(DataError, match="the vectors of all 1 pieces found in it are zero"):
        loaded(recipe, Recorder(), tokenizer, tokenizer)


@pytest.mark.parametrize(
    ("side", "settings", "key"),
    [
        ("source", [], "model.embedding_size is 8"),
        ("target", [], "model.embedding_size is 8"),
        ("source", ["model.source_embedding_size=8"], "model.source_embedding_size is 8"),
    ],
)
def test_another_size_is_refused_before_any_text_is_read(
    tmp_path: Path, corpus: Corpus, side: str, settings: list[str], key: str
) -> None:
    path = write_vectors(tmp_path / "vectors.txt", WORDS, scale=1.0, size=5)
    recipe = recipe_of(corpus, f"data.{side}_vectors={path}", *settings)
    Path(corpus["train"][0]).unlink()
    with pytest.raises(ConfigError) as raised:
        train_at(tmp_path / "model", recipe)
    assert f"data.{side}_vectors has vectors of 5 values" in raised.value.what
    assert key in raised.value.what
    assert raised.value.fix.startswith(f"Set {key.split()[0]} to 5")
    assert not (tmp_path / "model").exists()


def test_a_stream_a_missing_file_and_a_name_that_cannot_be_stored_are_refused(
    corpus: Corpus,
) -> None:
    with pytest.raises(UsageError, match="source_vectors cannot be"):
        require_fitting_vectors(recipe_of(corpus, "data.source_vectors=-"))
    with pytest.raises(DataError, match="nowhere"):
        require_fitting_vectors(recipe_of(corpus, "data.target_vectors=nowhere"))
    with pytest.raises(ConfigError, match="whose name is not UTF-8"):
        recipe_of(corpus, "data.target_vectors=a\udcff")


def test_a_training_starts_from_them_and_goes_on_without_the_file(
    tmp_path: Path, corpus: Corpus
) -> None:
    words = ["a", "b", "c", "d", "e", "f", "g", "h"]
    path = write_vectors(tmp_path / "vectors.txt", words, scale=4.0)
    recipe = recipe_of(corpus, f"data.source_vectors={path}", "training.learning_rate=1e-9")
    whole = tmp_path / "whole"
    train_at(whole, recipe)
    bundle = read_bundle(whole)
    vocabulary, table_VE = bundle.source_tokenizer.vocabulary, bundle.weights["output_weight"]
    found = {word: row for word, row in rows_of(path).items() if word in vocabulary}
    assert len(found) > 3
    for word, row in found.items():
        ratio = table_VE[vocabulary.id(word)] / row
        torch.testing.assert_close(ratio, ratio.mean().expand(SIZE), rtol=1e-3, atol=1e-4)
    card = (whole / "README.md").read_text()
    assert f"- source vectors: start from {path}" in card

    stopped = tmp_path / "stopped"
    with pytest.raises(Interrupted):
        train_at(stopped, recipe, Recorder(ask_to_stop_at(2)))
    Path(path).unlink()
    recorder = Recorder()
    train_at(stopped, recipe, recorder, resume=True)
    assert not [message for message in recorder.messages if "vectors" in message]
    weights = read_bundle(stopped).weights
    assert all(torch.equal(weights[key], bundle.weights[key]) for key in weights)
    assert read_facts(stopped).recipe["data"]["source_vectors"] == path


def test_a_training_killed_before_its_first_state_starts_from_them_again(
    tmp_path: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_vectors(tmp_path / "vectors.txt", ["a", "b", "c"], scale=4.0)
    recipe = recipe_of(corpus, f"data.source_vectors={path}", "training.epochs=1")
    train_at(tmp_path / "whole", recipe)

    def fail(_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(train_module.Trainer, "save", fail)
    with pytest.raises(RuntimeError, match="killed"):
        train_at(tmp_path / "killed", recipe)
    monkeypatch.undo()
    assert not list((tmp_path / "killed" / TRAINING).glob("state*"))
    recorder = Recorder()
    train_at(tmp_path / "killed", recipe, recorder, resume=True)
    assert recorder.messages[1].startswith("source vectors: ")
    ours, others = read_bundle(tmp_path / "killed").weights, read_bundle(tmp_path / "whole").weights
    assert all(torch.equal(ours[name], others[name]) for name in others)


def test_a_model_is_not_overwritten_where_the_vectors_lie_in_it(
    tmp_path: Path, corpus: Corpus
) -> None:
    train_at(tmp_path / "model", recipe_of(corpus, "training.epochs=1"))
    path = write_vectors(tmp_path / "model" / "vectors.txt", WORDS, scale=1.0)
    with pytest.raises(OutputError, match=r"vectors\.txt is in "):
        train_at(
            tmp_path / "model", recipe_of(corpus, f"data.source_vectors={path}"), overwrite=True
        )
    assert Path(path).exists()
