"""The task of a language model: text alone, in and out."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seqcli.architectures.language_model import LanguageModelConfig
from seqcli.architectures.recurrent import DecoderConfig
from seqcli.data.batch import text_batch
from seqcli.data.config import TextDataConfig
from seqcli.data.corpora import Corpus
from seqcli.data.prepared_folder import preparing
from seqcli.data.stored_text import store_text
from seqcli.decoding.language_model_scorer import TextScorer
from seqcli.errors import ConfigError, UsageError
from seqcli.experiment import (
    LanguageModelRecipe,
    LanguageModelTrainingConfig,
    recipe_from,
    resolve_recipe,
)
from seqcli.tasks.language_modeling import LanguageModelingTask
from seqcli.text.line_scores import TextScore
from seqcli.tokenizers import EOS, TokenizerConfig
from seqcli.tokenizers.characters import CharacterTokenizer
from seqcli.tokenizers.words import WordTokenizer
from tests.decoding.language_models import LINES, next_log_probabilities, tiny_model, words

FULL_LINES = [line for line in LINES if line]


def task_of(**sections: Any) -> LanguageModelingTask:
    return LanguageModelingTask(LanguageModelRecipe(**sections), {"shared": words()})


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_batch_is_the_sum_over_its_tokens_each_from_those_before(
    smoothing: float,
) -> None:
    task = task_of()
    model = tiny_model(len(words().vocabulary))
    examples = task.encode((FULL_LINES,), alpha=0.0, seed=0)
    loss, negative_log_likelihood = task.loss(model, text_batch(examples), smoothing=smoothing)
    smoothed = plain = 0.0
    for example in examples:
        ids = [*example.target, EOS]
        for place, token in enumerate(ids):
            logits_1V = next_log_probabilities(model, ids[:place]).unsqueeze(0)
            target_1 = torch.tensor([token])
            smoothed += torch.nn.functional.cross_entropy(
                logits_1V, target_1, label_smoothing=smoothing
            ).item()
            plain -= logits_1V[0, token].item()
    assert loss.item() == pytest.approx(smoothed, rel=1e-5)
    assert negative_log_likelihood.item() == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("batch_tokens", [1, 20, 1000])
def test_a_validation_is_the_perplexity_of_the_scored_lines(batch_tokens: int) -> None:
    task = task_of(training=LanguageModelTrainingConfig(batch_tokens=batch_tokens))
    model = tiny_model(len(words().vocabulary))
    validation = task.validation(model, (LINES,))()
    total = TextScore()
    for line in TextScorer(model, words()).score(FULL_LINES):  # an empty one is left out
        total = total.plus(line)
    assert validation.metric == "loss"
    assert math.exp(validation.score) == pytest.approx(total.perplexity, rel=1e-5)
    assert validation.signature == "nats a token, teacher forcing"


def test_a_model_has_the_sizes_of_its_recipe_and_the_vocabulary_of_its_tokenizer() -> None:
    config = LanguageModelConfig(embedding_size=6, decoder=DecoderConfig(size=5, layers=2))
    task = task_of(model=config)
    model = task.build_model()
    vocabulary = words().vocabulary
    assert model.embedding.weight.shape == model.output_weight.shape == (len(vocabulary), 6)
    assert (len(model.stack.layers), model.stack.output_size) == (2, 5)
    tokenizer, table = task.embeddings(model)["source"]
    assert (tokenizer, table) == (task.tokenizer, model.embedding)


def test_subwords_are_sampled_where_asked_and_what_is_read_is_what_is_predicted(
    tmp_path: Path,
) -> None:
    lines = ["a dog runs and two dogs run", "a man reads a book to a woman"] * 20
    file = tmp_path / "text"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    recipe = LanguageModelRecipe(
        data=TextDataConfig(subword_sampling=0.2), tokenizer=TokenizerConfig(vocabulary_size=280)
    )
    tokenizers = LanguageModelingTask.learn_tokenizers(recipe, (lines,))
    task = LanguageModelingTask(recipe, tokenizers)
    with preparing(tmp_path / "prepared") as prepared:
        text = store_text([Corpus((str(file),), 1)], prepared)
        dataset = task.training_dataset(text, tell=lambda message: None)
        everything = np.arange(len(lines))
        first, second = (dataset.sample(everything, seed=epoch) for epoch in (0, 1))
    assert first != second
    for example, line in zip(first, lines, strict=True):
        assert example.source == example.target
        assert task.tokenizer.decode(example.target) == line
    plain = dataset.take(everything)
    assert [example.target for example in plain] == task.tokenizer.encode_batch(lines)


def test_ids_are_not_those_of_another_tokenizer_with_the_same_pieces(tmp_path: Path) -> None:
    """Of another kind it cuts a line another way."""
    lines, file = ["aba ab ba"] * 3, tmp_path / "text"
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    pieces = CharacterTokenizer.train(lines, TokenizerConfig(kind="characters")).vocabulary.pieces
    recipe = LanguageModelRecipe()
    found = []
    with preparing(tmp_path / "prepared") as prepared:
        text = store_text([Corpus((str(file),), 1)], prepared)
        for kind in (CharacterTokenizer, WordTokenizer):
            task = LanguageModelingTask(recipe, {"shared": kind(pieces, ())})
            dataset = task.training_dataset(text, tell=lambda message: None)
            found.append([example.target for example in dataset.take(np.arange(len(lines)))])
            assert found[-1] == task.tokenizer.encode_batch(lines)
    assert found[0] != found[1]


@pytest.mark.parametrize("direction", ["backward", "bidirectional"])
def test_a_model_that_reads_the_future_is_refused_before_text_is_read(
    direction: str, tmp_path: Path
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'architecture = "language-model"\ndata.train = ["gone"]\n'
        f'model.decoder.direction = "{direction}"\n',
        encoding="utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        resolve_recipe(recipe, files={})
    assert "model.decoder.direction" in caught.value.what
    assert "the future" in str(caught.value.why)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"evaluation": {"metric": "bleu"}}, "evaluation.metric"),
        ({"data": {"target_vectors": "vectors"}}, "data.target_vectors"),
        ({"decoding": {"beam_width": 4}}, "decoding.beam_width"),
        ({"model": {"encoder": {"size": 4}}}, "model.encoder"),
        ({"target_tokenizer": {}}, "target_tokenizer"),
        ({"task": "translation"}, "task"),
    ],
)
def test_what_a_language_model_does_not_have_is_refused(values: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        recipe_from({"architecture": "language-model", **values}, origin="here")


@pytest.mark.parametrize("files", [("a", "b"), ("pairs.tsv",)])
def test_pairs_are_refused_before_they_are_read(files: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="language model") as caught:
        resolve_recipe(None, files={"train": files}, architecture="language-model")
    assert "--train-text" in str(caught.value.fix)


def test_labels_are_not_smoothed_unless_asked() -> None:
    recipe = recipe_from({"architecture": "language-model"}, origin="here")
    assert recipe.training.label_smoothing == 0
    assert recipe.evaluation.metric == "loss"


def test_more_text_gets_a_larger_model_with_less_dropout() -> None:
    recipes = [
        recipe_from(
            {"architecture": "language-model", **LanguageModelRecipe.sizes_for(num_lines)},
            origin="here",
        )
        for num_lines in (100, 4_000, 50_000, 500_000)
    ]
    sizes = [recipe.model.decoder.size for recipe in recipes]
    dropouts = [recipe.model.dropout for recipe in recipes]
    assert sizes == sorted(sizes)
    assert dropouts == sorted(dropouts, reverse=True)
    assert recipes[0].training.epochs > recipes[1].training.epochs > recipes[3].training.epochs


def test_the_predictor_goes_on_greedily() -> None:
    task = task_of()
    model = tiny_model(len(words().vocabulary))
    for line, translation in zip(
        FULL_LINES, task.predictor(model).translate(FULL_LINES), strict=True
    ):
        log_probability_V = next_log_probabilities(model, words().encode(line))
        first = translation.hypotheses[0].tokens[:1] or ("</s>",)
        assert words().vocabulary.id(first[0]) == int(log_probability_V.argmax())
