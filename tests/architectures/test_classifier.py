"""A classifier: one label for a text, whatever encoder and pooling it has."""

from pathlib import Path

import pytest
import torch

from seqcli.architectures.classifier import ClassifierConfig
from seqcli.architectures.recurrent import EncoderConfig
from seqcli.errors import ConfigError
from seqcli.nn.heads import POOLINGS
from tests.architectures.text_readers import (
    ENCODERS,
    LABELS,
    SENTENCES,
    classifier,
    learn_by_heart,
    logits,
    random_sentences,
)
from tests.nn.outcomes import assert_reached

each_encoder = pytest.mark.parametrize("encoder", ENCODERS)
each_pooling = pytest.mark.parametrize("pooling", POOLINGS)


@each_encoder
@each_pooling
def test_a_text_is_judged_alone_as_in_a_batch(encoder: str, pooling: str) -> None:
    model = classifier(encoder, pooling=pooling).double()
    together_BL = logits(model, SENTENCES)
    assert together_BL.shape == (len(SENTENCES), LABELS)
    for row, sentence in enumerate(SENTENCES):
        torch.testing.assert_close(logits(model, [sentence])[0], together_BL[row])


@each_encoder
@each_pooling
def test_gradient_reaches_every_parameter(encoder: str, pooling: str) -> None:
    model = classifier(encoder, pooling=pooling)
    logits(model, SENTENCES).square().sum().backward()
    assert_reached(list(model.parameters()))


@each_encoder
def test_eight_random_texts_are_learned_by_heart(encoder: str) -> None:
    model = classifier(encoder)
    sentences, labels_B = random_sentences(), torch.randint(LABELS, (8,))
    left = learn_by_heart(
        model, lambda: torch.nn.functional.cross_entropy(logits(model, sentences), labels_B)
    )
    assert left < 0.02


@each_pooling
def test_stored_weights_give_equal_output_in_a_new_model(pooling: str, tmp_path: Path) -> None:
    model, twin = classifier(pooling=pooling), classifier(pooling=pooling)
    assert not torch.equal(logits(model, SENTENCES), logits(twin, SENTENCES))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    twin.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(logits(model, SENTENCES), logits(twin, SENTENCES))


@pytest.mark.parametrize(
    "settings",
    [
        {"dropout": 0.3},
        {"word_dropout": 0.3},
        {"stack": {"state_dropout": 0.3}},
        {"stack": {"input_dropout": 0.3}},
        {"stack": {"output_dropout": 0.3}},
    ],
    ids=str,
)
def test_dropout_is_for_training_only(settings: dict[str, object]) -> None:
    model = classifier(**settings)
    assert not torch.equal(logits(model, SENTENCES), logits(model, SENTENCES))
    model.eval()
    assert torch.equal(logits(model, SENTENCES), logits(model, SENTENCES))


def test_settings_that_cannot_be_are_refused_with_their_key() -> None:
    with pytest.raises(ConfigError, match=r"model\.pooling cannot be 'men'; did you mean 'mean'"):
        ClassifierConfig(pooling="men")
    with pytest.raises(ConfigError, match=r"model\.embedding_size"):
        ClassifierConfig(embedding_size=0)
    with pytest.raises(ConfigError, match=r"model\.dropout"):
        ClassifierConfig(dropout=1)
    with pytest.raises(ConfigError, match=r"model\.encoder\.skip_from cannot be 1"):
        ClassifierConfig(embedding_size=10, encoder=EncoderConfig(skip_from=1))


def test_the_summary_tells_sizes_and_pooling() -> None:
    config = ClassifierConfig(embedding_size=30, encoder=EncoderConfig(size=40), pooling="mean")
    assert config.summary() == f"embeddings 30, encoder {config.encoder.summary()}, mean pooling"
