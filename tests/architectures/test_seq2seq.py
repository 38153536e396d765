"""The Seq2Seq model: what it may see, what it shares, and where its settings go."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import TIES, Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.nn.attention import ATTENTIONS, NO_ATTENTION
from seqcli.nn.cells import CELLS
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import PAD, UNK

SOURCE_VOCABULARY, TARGET_VOCABULARY = 15, 12
SOURCE_BS = torch.tensor([[4, 5, 6, 7, 2], [8, 9, 2, PAD, PAD]])
TARGET_BT = torch.tensor([[1, 4, 5, 6], [1, 7, PAD, PAD]])

each_attention = pytest.mark.parametrize("attention", ATTENTIONS)
each_stack = pytest.mark.parametrize("stack", STACKS)
each_tie = pytest.mark.parametrize("tie", TIES)


def build(
    *,
    stack: str = "residual",
    cell: str = "lstm",
    source_vocabulary: int = SOURCE_VOCABULARY,
    target_vocabulary: int = TARGET_VOCABULARY,
    encoder: dict[str, Any] | None = None,
    decoder: dict[str, Any] | None = None,
    **settings: Any,
) -> Seq2Seq:
    wiring = {"stack": stack, "cell": cell, "layers": 2}
    defaults = {
        "embedding_size": 8,
        "tie_embeddings": "target-output",
        "dropout": 0.0,
        "word_dropout": 0.0,
    }
    config = Seq2SeqConfig(
        encoder=EncoderConfig(**{"size": 6, **wiring, **(encoder or {})}),
        decoder=DecoderConfig(**{"size": 12, **wiring, **(decoder or {})}),
        **{**defaults, **settings},
    )
    return build_seq2seq(
        config, source_vocabulary_size=source_vocabulary, target_vocabulary_size=target_vocabulary
    )


def features(model: Seq2Seq, source_BS: Tensor, target_BT: Tensor) -> Tensor:
    features_BTE: Tensor = model(source_BS, source_BS != PAD, target_BT)
    return features_BTE


@each_stack
@each_attention
def test_padding_on_either_side_changes_nothing(stack: str, attention: str) -> None:
    fed = attention != NO_ATTENTION
    model = build(stack=stack, attention=attention, input_feeding=fed, bridge="copy")
    together_BTE = features(model, SOURCE_BS, TARGET_BT)
    alone_1TE = features(model, SOURCE_BS[1:, :3], TARGET_BT[1:, :2])
    torch.testing.assert_close(together_BTE[1:, :2], alone_1TE)


@each_stack
@pytest.mark.parametrize("input_feeding", [False, True])
def test_a_later_target_token_leaves_earlier_features_alone(
    stack: str, input_feeding: bool
) -> None:
    model = build(stack=stack, input_feeding=input_feeding)
    before_BTE = features(model, SOURCE_BS, TARGET_BT)
    for position in range(1, TARGET_BT.shape[1]):
        changed_BT = TARGET_BT.clone()
        changed_BT[:, position] = 9
        after_BTE = features(model, SOURCE_BS, changed_BT)
        assert torch.equal(after_BTE[:, :position], before_BTE[:, :position])
        assert not torch.equal(after_BTE[:, position:], before_BTE[:, position:])


def test_what_is_fed_reaches_a_later_step_that_nothing_else_can_reach() -> None:
    """The recurrence is cut: what a token changes later can only have been fed."""
    for input_feeding in (False, True):
        model = build(cell="rnn-tanh", input_feeding=input_feeding)
        with torch.no_grad():
            for layer in model.decoder.stack.layers:
                layer.rnn.weight_hh_l0.zero_()
        changed_BT = TARGET_BT.clone()
        changed_BT[:, 1] = 9
        before_BTE = features(model, SOURCE_BS, TARGET_BT)
        after_BTE = features(model, SOURCE_BS, changed_BT)
        assert not torch.equal(after_BTE[:, 1], before_BTE[:, 1])
        assert torch.equal(after_BTE[:, 2:], before_BTE[:, 2:]) is not input_feeding


@each_attention
def test_every_source_token_reaches_every_target_position(attention: str) -> None:
    model = build(attention=attention)
    before_BTE = features(model, SOURCE_BS, TARGET_BT)
    for position in range(SOURCE_BS.shape[1]):
        changed_BS = SOURCE_BS.clone()
        changed_BS[0, position] = 10
        difference_TE = features(model, changed_BS, TARGET_BT)[0] - before_BTE[0]
        assert (difference_TE.abs().sum(1) > 0).all()


def test_without_attention_the_source_comes_by_the_first_state_alone() -> None:
    model = build(attention="none", bridge="copy")
    _, state = model.encode(SOURCE_BS[:1], SOURCE_BS[:1] != PAD)
    memory, _ = model.encode(SOURCE_BS[1:], SOURCE_BS[1:] != PAD)
    of_another_memory_1TE = model.decoder(model.embed_target(TARGET_BT[:1]), memory, state)[0]
    assert torch.equal(of_another_memory_1TE, features(model, SOURCE_BS[:1], TARGET_BT[:1]))


@each_tie
def test_embeddings_are_shared_as_asked(tie: str) -> None:
    model = build(tie_embeddings=tie, source_vocabulary=TARGET_VOCABULARY)
    weights = {
        "source": model.source_embedding.weight,
        "target": model.target_embedding.weight,
        "output": model.output_weight,
    }
    shared = {
        pair for pair in itertools.combinations(weights, 2) if weights[pair[0]] is weights[pair[1]]
    }
    assert (
        shared
        == {
            "all": {("source", "target"), ("source", "output"), ("target", "output")},
            "source-target": {("source", "target")},
            "source-output": {("source", "output")},
            "target-output": {("target", "output")},
            "none": set(),
        }[tie]
    )


@each_tie
def test_sharing_survives_storing(tie: str) -> None:
    """Each shared table is stored once, as a model's folder has it."""
    model = build(tie_embeddings=tie, source_vocabulary=TARGET_VOCABULARY)
    twin = build(tie_embeddings=tie, source_vocabulary=TARGET_VOCABULARY)
    twin.load_state_dict(dict(model.named_parameters()), strict=False)
    expected = features(model, SOURCE_BS % TARGET_VOCABULARY, TARGET_BT)
    assert torch.equal(features(twin, SOURCE_BS % TARGET_VOCABULARY, TARGET_BT), expected)
    assert torch.equal(twin.output_weight, model.output_weight)
    assert dict(twin.named_parameters()).keys() == dict(model.named_parameters()).keys()


def test_each_table_has_the_size_of_its_vocabulary_and_the_width_of_its_side() -> None:
    model = build(
        tie_embeddings="none",
        embedding_size=7,
        source_embedding_size=5,
        attention="additive",
        input_feeding=True,
    )
    assert model.source_embedding.weight.shape == (SOURCE_VOCABULARY, 5)
    assert model.target_embedding.weight.shape == (TARGET_VOCABULARY, 7)
    assert model.output_weight.shape == (TARGET_VOCABULARY, 7)
    assert features(model, SOURCE_BS, TARGET_BT).shape == (*TARGET_BT.shape, 7)


def test_a_new_output_layer_is_unsure_and_inputs_have_unit_variance() -> None:
    model = build(source_vocabulary=400, target_vocabulary=400, embedding_size=256)
    for embedding, scale in (
        (model.source_embedding, model.source_scale),
        (model.target_embedding, model.target_scale),
    ):
        assert (embedding.weight * scale).var().item() == pytest.approx(1, abs=0.02)
    target_BT = torch.randint(4, 400, (2, 30))
    logits_BTV = features(model, SOURCE_BS, target_BT) @ model.output_weight.T + model.output_bias
    entropy_BT = torch.distributions.Categorical(logits=logits_BTV).entropy()
    assert entropy_BT.min() > 0.9 * math.log(400)


def test_words_are_dropped_on_both_sides_in_training_only() -> None:
    dropping, plain = build(word_dropout=1 - 1e-9), build()
    plain.load_state_dict(dropping.state_dict())
    unknown_BS, unknown_BT = (
        tokens.masked_fill(tokens > UNK, UNK) for tokens in (SOURCE_BS, TARGET_BT)
    )
    assert torch.equal(
        features(dropping, SOURCE_BS, TARGET_BT), features(plain, unknown_BS, unknown_BT)
    )
    assert torch.equal(
        features(dropping.eval(), SOURCE_BS, TARGET_BT), features(plain, SOURCE_BS, TARGET_BT)
    )


def test_each_dropout_goes_where_it_is_set_and_elsewhere_that_of_the_model() -> None:
    model = build(
        dropout=0.1,
        encoder={"input_dropout": 0.2, "state_dropout": 0.3},
        decoder={"output_dropout": 0.0, "state_dropout": 0.4},
    )
    encoder, decoder = model.encoder, model.decoder
    dropouts = {
        "encoder": (encoder.input_dropout, encoder.stack.dropout, encoder.output_dropout),
        "decoder": (decoder.input_dropout, decoder.stack.dropout, decoder.output_dropout),
        "states": (
            encoder.stack.layers[1].backwards.state_dropout,
            decoder.stack.layers[1].state_dropout,
        ),
    }
    assert {
        name: tuple(dropout.probability for dropout in inside) for name, inside in dropouts.items()
    } == {"encoder": (0.2, 0.1, 0.1), "decoder": (0.1, 0.1, 0.0), "states": (0.3, 0.4)}


def test_settings_of_the_wiring_the_heads_and_the_cells_reach_the_model() -> None:
    model = build(
        stack="highway",
        encoder={"carry_bias": -2.0, "layers": 4, "skip_from": 3, "cell": "gru"},
        decoder={"cell": "layer-norm-lstm", "projection": True},
        attention="multi-head",
        attention_heads=6,
    )
    gates = model.encoder.stack.wiring.carry_gates
    assert {name: gate.bias.unique().item() for name, gate in gates.items()} == {"2": -2, "3": -2}
    assert {type(layer.forwards) for layer in model.encoder.stack.layers} == {CELLS["gru"]}
    assert {type(layer) for layer in model.decoder.stack.layers} == {CELLS["layer-norm-lstm"]}
    assert model.encoder.stack.projection is None
    assert model.decoder.stack.projection.weight.shape == (12, 8)
    assert model.decoder.attention.heads == 6
