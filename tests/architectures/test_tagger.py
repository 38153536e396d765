"""A tagger: a tag for each token, by all of the text where it reads in both directions."""

from pathlib import Path

import pytest
import torch

from tests.architectures.text_readers import (
    ENCODERS,
    LABELS,
    SENTENCES,
    learn_by_heart,
    logits,
    random_sentences,
    tagger,
)
from tests.nn.outcomes import assert_reached

each_encoder = pytest.mark.parametrize("encoder", ENCODERS)


@each_encoder
def test_a_token_is_judged_alone_as_in_a_batch(encoder: str) -> None:
    model = tagger(encoder).double()
    together_BSL = logits(model, SENTENCES)
    for row, sentence in enumerate(SENTENCES):
        alone_SL = logits(model, [sentence])[0]
        assert alone_SL.shape == (len(sentence) + 1, LABELS)  # with the end of the sentence
        torch.testing.assert_close(alone_SL, together_BSL[row, : len(sentence) + 1])


@each_encoder
def test_gradient_reaches_every_parameter(encoder: str) -> None:
    model = tagger(encoder)
    logits(model, SENTENCES).square().sum().backward()
    assert_reached(list(model.parameters()))


@pytest.mark.parametrize(
    "encoder", [name for name, settings in ENCODERS.items() if "direction" not in settings]
)
def test_random_tags_of_eight_random_sentences_are_learned_by_heart(encoder: str) -> None:
    model, sentences = tagger(encoder), random_sentences()
    flat = [(row, place) for row, line in enumerate(sentences) for place in range(len(line))]
    rows_N, places_N = torch.tensor(flat).T
    tags_N = torch.randint(LABELS, (len(flat),))
    left = learn_by_heart(
        model,
        lambda: torch.nn.functional.cross_entropy(
            logits(model, sentences)[rows_N, places_N], tags_N
        ),
    )
    assert left < 0.02


@pytest.mark.parametrize(
    ("direction", "is_read"),
    [("forward", [True, False]), ("backward", [False, True]), ("bidirectional", [True, True])],
)
def test_a_token_is_judged_by_what_its_direction_has_read(
    direction: str, is_read: list[bool]
) -> None:
    model = tagger(stack={"direction": direction}).double()
    middle = logits(model, [[4, 5, 6]])[0, 1]
    for other, read in zip([[7, 5, 6], [4, 5, 7]], is_read, strict=True):
        assert torch.equal(logits(model, [other])[0, 1], middle) is not read


def test_stored_weights_give_equal_output_in_a_new_model(tmp_path: Path) -> None:
    model, twin = tagger(), tagger()
    assert not torch.equal(logits(model, SENTENCES), logits(twin, SENTENCES))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    twin.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(logits(model, SENTENCES), logits(twin, SENTENCES))


def test_dropout_is_for_training_only() -> None:
    model = tagger(dropout=0.3, word_dropout=0.3)
    assert not torch.equal(logits(model, SENTENCES), logits(model, SENTENCES))
    model.eval()
    assert torch.equal(logits(model, SENTENCES), logits(model, SENTENCES))
