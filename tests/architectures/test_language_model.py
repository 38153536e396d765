"""The language model: what it may see, what it shares, and where its settings go."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from seqcli.architectures.language_model import (
    LanguageModel,
    LanguageModelConfig,
    build_language_model,
)
from seqcli.architectures.recurrent import DecoderConfig
from seqcli.errors import ConfigError
from seqcli.nn.cells import CELLS
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import BOS, PAD, UNK

VOCABULARY = 15
TOKENS_BT = torch.tensor([[BOS, 4, 5, 6, 7], [BOS, 8, 9, PAD, PAD]])

each_cell = pytest.mark.parametrize("cell", CELLS)
each_stack = pytest.mark.parametrize("stack", STACKS)


def build(
    *, cell: str = "lstm", stack: str = "residual", size: int = 12, **settings: Any
) -> LanguageModel:
    """`settings` with a name that the stack has are its own."""
    of_stack = {
        name: settings.pop(name)
        for name in list(settings)
        if name in DecoderConfig.__struct_fields__
    }
    decoder = DecoderConfig(**{"cell": cell, "stack": stack, "size": size, "layers": 3, **of_stack})
    defaults = {"embedding_size": 8, "dropout": 0.0, "word_dropout": 0.0}
    config = LanguageModelConfig(decoder=decoder, **{**defaults, **settings})
    return build_language_model(config, vocabulary_size=VOCABULARY)


def features(model: LanguageModel, tokens_BT: Tensor) -> Tensor:
    features_BTE: Tensor = model(tokens_BT)[0]
    return features_BTE


@each_stack
@each_cell
def test_a_later_token_leaves_earlier_features_alone(cell: str, stack: str) -> None:
    model = build(cell=cell, stack=stack)
    before_BTE = features(model, TOKENS_BT)
    for position in range(1, TOKENS_BT.shape[1]):
        changed_BT = TOKENS_BT.clone()
        changed_BT[:, position] = 10
        after_BTE = features(model, changed_BT)
        assert torch.equal(after_BTE[:, :position], before_BTE[:, :position])
        assert not torch.equal(after_BTE[:, position:], before_BTE[:, position:])


@each_stack
@each_cell
def test_a_sentence_alone_has_the_features_of_its_row_in_a_batch(cell: str, stack: str) -> None:
    model = build(cell=cell, stack=stack)
    together_BTE = features(model, TOKENS_BT)
    torch.testing.assert_close(together_BTE[1:, :3], features(model, TOKENS_BT[1:, :3]))


@each_stack
@each_cell
def test_a_sentence_in_one_call_is_the_sentence_in_steps_with_the_state_passed_on(
    cell: str, stack: str
) -> None:
    model = build(cell=cell, stack=stack, projection=True)
    whole_BTE, last = model(TOKENS_BT)
    state, steps = None, []
    for tokens_B in TOKENS_BT.unbind(1):
        features_B1E, state = model(tokens_B.unsqueeze(1), state)
        steps.append(features_B1E)
    torch.testing.assert_close(torch.cat(steps, 1), whole_BTE)
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("size", [8, 12])
def test_embeddings_are_shared_as_asked_and_features_are_as_wide_as_they_are(
    tie: bool, size: int
) -> None:
    model = build(size=size, tie_embeddings=tie)
    assert (model.output_weight is model.embedding.weight) is tie
    assert model.output_weight.shape == (VOCABULARY, 8)
    assert features(model, TOKENS_BT).shape == (2, 5, 8)
    assert (model.narrowing is None) is (size == 8)


@each_stack
@each_cell
def test_gradient_reaches_every_parameter(cell: str, stack: str) -> None:
    model = build(cell=cell, stack=stack, tie_embeddings=False)
    every_BT = torch.arange(VOCABULARY).unsqueeze(0)
    logits_BTV = features(model, every_BT) @ model.output_weight.T + model.output_bias
    logits_BTV.log_softmax(2)[..., 5].sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("tie", [True, False])
def test_stored_weights_give_equal_output_in_a_new_model(tie: bool, tmp_path: Path) -> None:
    model, twin = build(tie_embeddings=tie), build(tie_embeddings=tie)
    assert not torch.equal(features(model, TOKENS_BT), features(twin, TOKENS_BT))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    twin.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(features(model, TOKENS_BT), features(twin, TOKENS_BT))


@pytest.mark.parametrize(
    "settings",
    [{name: 0.5} for name in ("input_dropout", "state_dropout", "output_dropout", "word_dropout")]
    + [{"dropout": 0.5, "input_dropout": 0.0, "output_dropout": 0.0}],
    ids=lambda settings: next(iter(settings)),
)
def test_each_dropout_acts_in_training_only(settings: dict[str, float]) -> None:
    model = build(**settings)
    assert not torch.equal(features(model, TOKENS_BT), features(model, TOKENS_BT))
    model.eval()
    without = build()
    without.load_state_dict(model.state_dict())
    assert torch.equal(features(model, TOKENS_BT), features(without, TOKENS_BT))


def test_dropped_units_are_the_same_at_every_step() -> None:
    for settings in ({"input_dropout": 0.5}, {"output_dropout": 0.5}):
        model = build(size=8, cell="rnn-tanh", layers=1, **settings)
        with torch.no_grad():
            for parameter in model.stack.parameters():
                parameter.zero_()
            model.stack.layers[0].rnn.weight_ih_l0.copy_(torch.eye(8))
        zero_BTE = features(model, torch.full((1, 6), 7)) == 0  # each step reads the same
        assert 0 < zero_BTE.sum() < zero_BTE.numel()
        assert (zero_BTE == zero_BTE[:, :1]).all()


def test_the_default_dropout_is_that_of_the_model() -> None:
    model = build(dropout=0.25, layers=2)
    dropouts = (model.input_dropout, model.stack.dropout, model.output_dropout)
    assert [dropout.probability for dropout in dropouts] == [0.25] * 3
    model = build(dropout=0.25, input_dropout=0.5, output_dropout=0.0)
    assert (model.input_dropout.probability, model.output_dropout.probability) == (0.5, 0.0)


def test_a_dropped_word_is_read_as_unknown_and_marks_are_not_dropped() -> None:
    model = build(word_dropout=1 - 1e-9)
    read_BT = TOKENS_BT.masked_fill(TOKENS_BT > UNK, UNK)
    dropped_BTE = features(model, TOKENS_BT)
    assert torch.equal(dropped_BTE, features(model.eval(), read_BT))


def test_inputs_have_a_variance_of_one_at_the_start() -> None:
    model = build_language_model(LanguageModelConfig(), vocabulary_size=500)
    embedded = model.embedding.weight * model.embedding_scale
    assert embedded.var().item() == pytest.approx(1, rel=0.05)
    assert model.embedding.weight.norm(dim=1).mean().item() == pytest.approx(1, rel=0.05)


def test_eight_random_lines_are_learned_by_heart() -> None:
    model = build(layers=1, size=32, embedding_size=16)
    input_BT = torch.randint(UNK + 1, VOCABULARY, (8, 7))
    input_BT[:, 0] = BOS
    input_BT[:, 1] = torch.arange(4, 12)  # so that the rest can be known
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(300):
        optimizer.zero_grad()
        logits_BTV = features(model, input_BT[:, :-1]) @ model.output_weight.T + model.output_bias
        nats = nn.functional.cross_entropy(
            logits_BTV[:, 1:].flatten(0, 1), input_BT[:, 2:].flatten()
        )
        nats.backward()
        optimizer.step()
        if nats < 0.02:
            return
    pytest.fail(f"{nats.item()} nats a token are left")


@pytest.mark.parametrize("direction", ["backward", "bidirectional"])
def test_reading_the_future_is_refused(direction: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LanguageModelConfig(decoder=DecoderConfig(direction=direction))
    assert caught.value.what == f"model.decoder.direction cannot be {direction!r}"
    assert "the future" in str(caught.value.why)


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"embedding_size": 0}, "model.embedding_size"),
        ({"dropout": 1.0}, "model.dropout"),
        ({"word_dropout": -0.1}, "model.word_dropout"),
        (
            {"embedding_size": 8, "decoder": DecoderConfig(size=12, skip_from=1)},
            "model.decoder.skip_from",
        ),
    ],
)
def test_impossible_settings_are_refused_by_their_key(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LanguageModelConfig(**settings)
    assert key in caught.value.what


def test_the_summary_tells_sizes_and_what_is_tied() -> None:
    config = LanguageModelConfig(embedding_size=300, decoder=DecoderConfig(size=650, cell="gru"))
    assert config.summary() == "embeddings 300 tied to the output, decoder 1 x 650 gru"
    untied = LanguageModelConfig(tie_embeddings=False)
    assert "not tied" in untied.summary()
