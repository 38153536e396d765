"""Classification: examples, loss and scores, each by a second way."""

import logging
import math

import pytest
import torch

from seqcli.architectures.classifier import Classifier
from seqcli.config import from_dict
from seqcli.data.batch import source_tensors
from seqcli.errors import DataError
from seqcli.evaluation import METRICS
from seqcli.experiment import ClassificationEvaluationConfig, ClassificationRecipe
from seqcli.tasks.classification import ClassificationTask
from seqcli.tokenizers import TokenizerConfig
from tests.tasks.labellers import REVIEWS, classification

FILES = ("texts", "labels")
BY_LOSS = ClassificationEvaluationConfig(metric="loss")


def surprise(
    task: ClassificationTask, model: Classifier, line: str, label: str, smoothing: float = 0.0
) -> float:
    """Nats of the label of one text, alone."""
    source = source_tensors([task.source_tokenizer.encode(line)])
    logits_1L = model.output(model(*source))
    return torch.nn.functional.cross_entropy(
        logits_1L, torch.tensor([task.labels.labels.index(label)]), label_smoothing=smoothing
    ).item()


def test_an_example_has_the_pieces_of_its_text_and_the_one_label_of_its_line() -> None:
    task = classification()
    examples = task.encode(REVIEWS, alpha=0, seed=0)
    assert [task.source_tokenizer.decode(example.source) for example in examples] == REVIEWS[0]
    labels = [task.labels.decode(example.target) for example in examples]
    assert labels == ["good", "bad", "not  sure", "bad", "good"]


def test_a_text_is_cut_anew_where_subwords_are_sampled() -> None:
    texts = (["banana bandana"] * 4 + ["cabana"], ["good"] * 4 + ["bad"])
    task = classification(texts, tokenizer=TokenizerConfig(byte_fallback=False))
    sampled = [task.encode(texts, alpha=0.1, seed=seed) for seed in (1, 1, 2)]
    assert sampled[0] == sampled[1] != sampled[2]
    for example, line in zip(sampled[0], texts[0], strict=True):
        assert task.source_tokenizer.decode(example.source) == line


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_a_batch_is_the_sum_of_that_of_its_texts(smoothing: float) -> None:
    task = classification()
    model = task.build_model()
    batch = task.make_batch(task.encode(REVIEWS, alpha=0, seed=0))
    assert batch.num_targets == len(REVIEWS[0])
    losses = task.loss(model, batch, smoothing=smoothing)
    for found, share in zip(losses, (smoothing, 0.0), strict=True):
        pairs = zip(REVIEWS[0], map(str.strip, REVIEWS[1]), strict=True)
        expected = sum(surprise(task, model, *pair, share) for pair in pairs)
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_the_validation_loss_is_the_mean_over_texts() -> None:
    task = classification(evaluation=BY_LOSS)
    model = task.build_model()
    validation = task.validation(model, REVIEWS)()
    pairs = zip(REVIEWS[0], map(str.strip, REVIEWS[1]), strict=True)
    nats = sum(surprise(task, model, *pair) for pair in pairs)
    assert validation.score == pytest.approx(nats / len(REVIEWS[0]), rel=1e-5)
    assert validation.signature.startswith("nats a label")
    assert 0 < validation.score < 10 * math.log(3)


def test_the_validation_score_is_that_of_the_predicted_labels() -> None:
    task = classification()
    model = task.build_model()
    predicted = [answer.text for answer in task.predictor(model).translate(REVIEWS[0])]
    expected = METRICS["accuracy"]().compute(predicted, [REVIEWS[1]])
    validation = task.validation(model, (REVIEWS[0], REVIEWS[1]))()
    assert (validation.metric, validation.score) == (expected.name, expected.value)


def test_a_text_without_a_label_is_told_with_file_and_line() -> None:
    with pytest.raises(DataError) as error:
        ClassificationTask.check((["a", "b"], ["good", " "]), FILES)
    assert error.value.what == "labels, line 2: there is no label"
    ClassificationTask.check((["a", " "], ["good", ""]), FILES)  # a blank line in both


def test_blank_lines_are_left_out_and_counted() -> None:
    task = classification()
    dataset = task.dataset(([*REVIEWS[0], ""], [*REVIEWS[1], ""]))
    assert len(dataset) == len(REVIEWS[0])
    assert dataset.losses.startswith("1 text with an empty side, 0 with more")


def test_an_unknown_label_is_told_with_its_line_where_it_needs_an_id() -> None:
    task = classification(evaluation=BY_LOSS)
    with pytest.raises(DataError, match=r"^line 2: the label 'odd' is not in the tr"):
        task.validation(task.build_model(), (["a", "b"], ["good", "odd"]))


def test_an_unknown_label_is_simply_wrong_where_lines_are_compared_and_there_is_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    task = classification()
    with caplog.at_level(logging.WARNING):
        validate = task.validation(task.build_model(), (["a", "b"], ["odd", "odd"]))
    assert "1 labels of the validation text (2 times)" in caplog.text
    assert "'odd'" in caplog.text
    assert validate().score == 0


def test_larger_texts_get_larger_models_with_less_dropout() -> None:
    recipes = [
        from_dict(ClassificationRecipe.sizes_for(count), ClassificationRecipe, origin="sizes")
        for count in (100, 1_000, 5_000, 50_000)
    ]
    assert recipes[3] == ClassificationRecipe()
    sizes = [recipe.model.encoder.layers * recipe.model.encoder.size for recipe in recipes]
    assert sizes[0] == sizes[1] == sizes[2] < sizes[3]
    assert recipes[2].model.dropout > recipes[3].model.dropout
    epochs = [recipe.training.epochs for recipe in recipes]
    assert epochs[0] > epochs[1] > epochs[2] == epochs[3]


def test_a_training_text_of_one_label_is_refused() -> None:
    with pytest.raises(DataError, match="one label only, 'good'"):
        classification((["a", "b"], ["good", "good "]))


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("accuracy", ("accuracy", "macro-f1")),
        ("loss", ("accuracy", "macro-f1")),
        ("macro-f1", ("accuracy", "macro-f1")),
    ],
)
def test_a_test_set_is_scored_by_the_usual_metrics_or_by_that_of_the_recipe(
    metric: str, expected: tuple[str, ...]
) -> None:
    task = classification(evaluation=ClassificationEvaluationConfig(metric=metric))
    assert task.test_metrics() == expected
