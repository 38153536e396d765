"""The Seq2Seq model: what it may see, what it shares, and what its config refuses."""

import itertools
import math

import msgspec
import pytest
import torch
from torch import Tensor

from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig
from seqcli.errors import ConfigError
from seqcli.nn.attention import ATTENTIONS
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import PAD, UNK

SOURCE_SIZE, TARGET_SIZE = 15, 12
SOURCE_BS = torch.tensor([[4, 5, 6, 7, 2], [8, 9, 2, PAD, PAD]])
TARGET_BT = torch.tensor([[1, 4, 5, 6], [1, 7, PAD, PAD]])

each_attention = pytest.mark.parametrize("attention", ATTENTIONS)
each_stack = pytest.mark.parametrize("stack", STACKS)


def build(**settings: object) -> Seq2Seq:
    config = Seq2SeqConfig(
        embedding_size=8,
        encoder_size=6,
        decoder_size=12,
        decoder_layers=2,
        tie_embeddings="target",
        dropout=0.0,
        word_dropout=0.0,
    )
    sizes = {"source_size": SOURCE_SIZE, "target_size": TARGET_SIZE}
    return Seq2Seq(**{**sizes, **msgspec.structs.asdict(config), **settings})


def features(model: Seq2Seq, source_BS: Tensor, target_BT: Tensor) -> Tensor:
    features_BTE: Tensor = model(source_BS, source_BS != PAD, target_BT)
    return features_BTE


@each_stack
@each_attention
def test_padding_on_either_side_changes_nothing(stack: str, attention: str) -> None:
    model = build(encoder_stack=stack, decoder_stack=stack, attention=attention)
    together_BTE = features(model, SOURCE_BS, TARGET_BT)
    alone_1TE = features(model, SOURCE_BS[1:, :3], TARGET_BT[1:, :2])
    torch.testing.assert_close(together_BTE[1:, :2], alone_1TE)


@each_stack
@each_attention
def test_a_later_target_token_leaves_earlier_features_alone(stack: str, attention: str) -> None:
    model = build(encoder_stack=stack, decoder_stack=stack, attention=attention)
    before_BTE = features(model, SOURCE_BS, TARGET_BT)
    for position in range(1, TARGET_BT.shape[1]):
        changed_BT = TARGET_BT.clone()
        changed_BT[:, position] = 9
        after_BTE = features(model, SOURCE_BS, changed_BT)
        assert torch.equal(after_BTE[:, :position], before_BTE[:, :position])
        assert not torch.equal(after_BTE[:, position:], before_BTE[:, position:])


@each_attention
def test_every_source_token_reaches_every_target_position(attention: str) -> None:
    model = build(attention=attention)
    before_BTE = features(model, SOURCE_BS, TARGET_BT)
    for position in range(SOURCE_BS.shape[1]):
        changed_BS = SOURCE_BS.clone()
        changed_BS[0, position] = 10
        difference_TE = features(model, changed_BS, TARGET_BT)[0] - before_BTE[0]
        assert (difference_TE.abs().sum(1) > 0).all()


def test_embeddings_are_shared_as_asked() -> None:
    shared = {}
    for tie in ("all", "target", "none"):
        model = build(tie_embeddings=tie, source_size=TARGET_SIZE)
        weights = {
            "source": model.source_embedding.weight,
            "target": model.target_embedding.weight,
            "output": model.output_weight,
        }
        shared[tie] = {
            pair
            for pair in itertools.combinations(weights, 2)
            if weights[pair[0]] is weights[pair[1]]
        }
    assert shared == {
        "all": {("source", "target"), ("source", "output"), ("target", "output")},
        "target": {("target", "output")},
        "none": set(),
    }


@pytest.mark.parametrize("tie", ["all", "target", "none"])
def test_sharing_survives_storing(tie: str) -> None:
    model = build(tie_embeddings=tie, source_size=TARGET_SIZE)
    twin = build(tie_embeddings=tie, source_size=TARGET_SIZE)
    twin.load_state_dict(model.state_dict())
    expected = features(model, SOURCE_BS % TARGET_SIZE, TARGET_BT)
    assert torch.equal(features(twin, SOURCE_BS % TARGET_SIZE, TARGET_BT), expected)
    assert len(list(twin.parameters())) == len(list(model.parameters()))


def test_a_new_output_layer_is_unsure_and_inputs_have_unit_variance() -> None:
    model = build(target_size=400, embedding_size=256)
    embedded_VE = model.target_embedding.weight * model.embedding_scale
    assert embedded_VE.var().item() == pytest.approx(1, abs=0.02)
    target_BT = torch.randint(4, 400, (2, 30))
    logits_BTV = features(model, SOURCE_BS, target_BT) @ model.output_weight.T + model.output_bias
    entropy_BT = torch.distributions.Categorical(logits=logits_BTV).entropy()
    assert entropy_BT.min() > 0.9 * math.log(400)


def test_words_are_dropped_on_both_sides_in_training_only() -> None:
    dropping, plain = build(word_dropout=1.0), build()
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


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"embedding_size": 0}, r"model\.embedding_size must be greater than 0"),
        ({"decoder_layers": -1}, r"model\.decoder_layers must be greater than 0"),
        ({"encoder_stack": "residul"}, r"model\.encoder_stack .* did you mean 'residual'"),
        ({"attention": "genral"}, r"model\.attention .* did you mean 'general'"),
        ({"tie_embeddings": "some"}, r"model\.tie_embeddings cannot be 'some'"),
        ({"dropout": 1.5}, r"model\.dropout must be from 0 to less than 1"),
        ({"word_dropout": -0.1}, r"model\.word_dropout must be from 0 to less than 1"),
        (
            {"attention": "dot", "decoder_size": 300, "encoder_size": 100},
            r"model\.attention cannot be 'dot' where model\.decoder_size is 300",
        ),
    ],
)
def test_settings_that_make_no_model_are_refused_by_name(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Seq2SeqConfig(**settings)


def test_the_default_config_and_dot_attention_of_equal_widths_are_accepted() -> None:
    Seq2SeqConfig()
    Seq2SeqConfig(attention="dot", encoder_size=100, decoder_size=200)
    build(attention="dot", encoder_size=4, decoder_size=8)
