import math
from typing import Any

import pytest
import torch

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig
from seqcli.data.batch import pair_batch
from seqcli.data.dataset import Example, Examples
from seqcli.decoding.neural_translator import DecodingConfig, NeuralTranslator
from seqcli.decoding.step import ModelStepper
from seqcli.evaluation import METRICS
from seqcli.experiment import EvaluationConfig, TranslationRecipe
from seqcli.tasks.translation import TranslationTask, length_ratio
from seqcli.tokenizers import EOS, Tokenizer, TokenizerConfig, train_tokenizer
from seqcli.training.config import TrainingConfig
from tests.decoding.steppers import forced_log_probabilities, random_sources, tiny_model

SOURCES = ["ein Hund", "ein Mann und zwei Hunde", "Regen", "der Mann sieht den Hund"]
TARGETS = ["a dog", "a man and two dogs", "rain", "the man sees the dog"]
PAIRS = [
    Example(*pair)
    for pair in zip(random_sources(7, seed=1), random_sources(7, seed=2), strict=True)
]


def words(lines: list[str]) -> Tokenizer:
    return train_tokenizer(lines, TokenizerConfig(kind="words", byte_fallback=False))


def task_of(**sections: Any) -> TranslationTask:
    recipe = TranslationRecipe(**sections)
    return TranslationTask(recipe, {"source": words(SOURCES), "target": words(TARGETS)})


def surprise(model: Seq2Seq, pair: Example, smoothing: float = 0.0) -> float:
    """Nats of one target with its end of sentence, alone and without a chunk or a mask."""
    target = [*pair.target, EOS]
    forced_TV = forced_log_probabilities(model, pair.source, target)
    return torch.nn.functional.cross_entropy(
        forced_TV, torch.tensor(target), reduction="sum", label_smoothing=smoothing
    ).item()


def test_a_model_has_the_sizes_of_both_vocabularies() -> None:
    config = Seq2SeqConfig(
        tie_embeddings="none",
        embedding_size=6,
        target_embedding_size=7,
        encoder=EncoderConfig(size=4),
        decoder=DecoderConfig(size=5),
        attention="additive",
    )
    task = task_of(model=config)
    model = task.build_model()
    target_size = len(task.target_tokenizer.vocabulary)
    assert model.source_embedding.weight.shape == (len(task.source_tokenizer.vocabulary), 6)
    assert model.target_embedding.weight.shape == (target_size, 7)
    assert model.output_weight.shape == (target_size, 7)
    assert model.word_dropout == config.word_dropout


def pairs_of(source: int, target: int, *, count: int) -> list[Example]:
    return [Example([4] * source, [4] * target)] * count


def ratio_of(pairs: list[Example]) -> float:
    return length_ratio(Examples.of(pairs).lengths)


@pytest.mark.parametrize(
    ("source", "target", "ratio"), [(1, 1, 2.0), (10, 20, 2.0), (5, 11, 2.2), (3, 10, 3.4)]
)
def test_the_length_ratio_is_rounded_up_to_tenths_but_not_below_two(
    source: int, target: int, ratio: float
) -> None:
    assert ratio_of(pairs_of(source, target, count=7)) == ratio


def test_one_pair_in_a_thousand_may_exceed_the_length_ratio() -> None:
    odd = pairs_of(1, 150, count=1)
    assert ratio_of([*odd, *pairs_of(2, 5, count=999)]) == 2.5
    assert ratio_of([*odd, *pairs_of(2, 5, count=998)]) == 150


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_batch_is_the_sum_of_that_of_its_sentences(smoothing: float) -> None:
    model = tiny_model()
    loss, negative_log_likelihood = task_of().loss(model, pair_batch(PAIRS), smoothing=smoothing)
    expected = sum(surprise(model, pair, smoothing) for pair in PAIRS)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    expected = sum(surprise(model, pair) for pair in PAIRS)
    assert negative_log_likelihood.item() == pytest.approx(expected, rel=1e-5)


def test_a_consistent_loss_is_that_of_two_passes_with_dropout_of_their_own() -> None:
    model, batch = tiny_model(dropout=0.5).train(), pair_batch(PAIRS)
    task, alpha = task_of(), 3.0
    torch.manual_seed(1)
    loss, negative_log_likelihood = task.loss(model, batch, smoothing=0.1, consistency=alpha)
    torch.manual_seed(1)
    passes = [task.outputs(model, batch) for _ in range(2)]
    logits = [features @ weight.T + bias for features, weight, bias, _ in passes]
    targets = passes[0][3]
    smoothed = [
        torch.nn.functional.cross_entropy(each, targets, reduction="sum", label_smoothing=0.1)
        for each in logits
    ]
    p, q = (each.log_softmax(1) for each in logits)
    divergences = ((p.exp() - q.exp()) * (p - q)).sum()  # both ways
    assert divergences.item() > 0
    torch.testing.assert_close(loss, sum(smoothed) / 2 + alpha / 4 * divergences)
    surprises = [-each.log_softmax(1).gather(1, targets[:, None]).sum() for each in logits]
    torch.testing.assert_close(negative_log_likelihood, sum(surprises).detach() / 2)


@pytest.mark.parametrize("batch_tokens", [1, 20, 1000])
def test_the_loss_of_a_validation_set_is_the_mean_over_its_tokens(batch_tokens: int) -> None:
    task = task_of(
        training=TrainingConfig(batch_tokens=batch_tokens),
        evaluation=EvaluationConfig(metric="loss"),
    )
    model = tiny_model(vocabulary=20)
    validation = task.validation(model, (SOURCES, TARGETS))()
    examples = task.encode((SOURCES, TARGETS), alpha=0.0, seed=0)
    nats = sum(surprise(model, example) for example in examples)
    tokens = sum(len(example.target) + 1 for example in examples)
    assert validation.metric == "loss"
    assert validation.score == pytest.approx(nats / tokens, rel=1e-5)
    assert 0 < validation.score < 10 * math.log(20)


@pytest.mark.parametrize("name", ["chrf", "wer"])
def test_a_validation_scores_greedy_translations(name: str) -> None:
    task = task_of(evaluation=EvaluationConfig(metric=name))
    size = len(task.target_tokenizer.vocabulary)
    model = tiny_model(vocabulary=size, tie_embeddings="target-output", seed=3)
    model.source_embedding.weight.data = torch.randn(30, 8)  # of a vocabulary of its own
    validate = task.validation(model, (SOURCES, TARGETS))
    greedy = NeuralTranslator(
        ModelStepper(model),
        DecodingConfig(strategy="greedy"),
        source_tokenizer=task.source_tokenizer,
        target_tokenizer=task.target_tokenizer,
    )
    hypotheses = [translation.text for translation in greedy.translate(SOURCES)]
    score = METRICS[name]().compute(hypotheses, [TARGETS])
    for number in range(6):  # one more sample each time, then from the start again
        validation = validate()
        assert validation.metric == score.name
        assert validation.score == score.value
        assert validation.signature == score.signature
        assert validation.sample is not None
        line = number % len(SOURCES)
        assert validation.sample.source == SOURCES[line]
        assert validation.sample.hypothesis == hypotheses[line]
        assert validation.sample.reference == TARGETS[line]
