"""What is said of a model, against its weights, a count by hand and torch's own counter."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seqcli.architectures.description import ModelDescription, describe_model
from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import TIES, Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.nn.attention import ATTENTIONS
from seqcli.nn.bridge import BRIDGES
from seqcli.nn.cells import CELLS
from seqcli.nn.stacks import STACKS

SOURCE_LENGTH, TARGET_LENGTH = 5, 7


def build(config: Seq2SeqConfig, vocabulary_size: int = 11) -> Seq2Seq:
    return build_seq2seq(
        config,
        source_vocabulary_size=vocabulary_size,
        target_vocabulary_size=vocabulary_size,
    )


def describe(config: Seq2SeqConfig, device: str = "cpu", vocabulary: int = 11) -> ModelDescription:
    return describe_model(build(config, vocabulary), config, device)


def small(
    *,
    cell: str = "lstm",
    stack: str = "residual",
    projection: bool = False,
    state_dropout: float = 0.0,
    **settings: Any,
) -> Seq2SeqConfig:
    shared = {
        "cell": cell,
        "stack": stack,
        "projection": projection,
        "state_dropout": state_dropout,
        "layers": 2,
    }
    encoder, decoder = EncoderConfig(size=4, **shared), DecoderConfig(size=8, **shared)
    return Seq2SeqConfig(embedding_size=6, encoder=encoder, decoder=decoder, **settings)


def counted_by_torch(config: Seq2SeqConfig) -> int:
    """The products of one sentence; dropped states make every cell of torch go step by step."""
    model = build(config).train()
    source_BS = torch.full((1, SOURCE_LENGTH), 5)
    target_BT = torch.full((1, TARGET_LENGTH), 6)
    with FlopCounterMode(display=False) as counter:
        features_BTE = model(source_BS, source_BS > 0, target_BT)
        torch.nn.functional.linear(features_BTE, model.output_weight, model.output_bias)
    return counter.get_total_flops()


@pytest.mark.parametrize(
    "settings",
    [
        *({"cell": cell} for cell in CELLS),
        *({"stack": stack} for stack in STACKS),
        *({"attention": attention} for attention in ATTENTIONS),
        *({"bridge": bridge} for bridge in BRIDGES),
        *({"tie_embeddings": tie} for tie in TIES),
        {"input_feeding": True, "stack": "dense", "projection": True},
        {"target_embedding_size": 10, "tie_embeddings": "none"},
    ],
    ids=str,
)
def test_operations_are_as_many_as_torch_counts(settings: dict[str, Any]) -> None:
    config = small(state_dropout=0.5, **settings)
    forward = describe(config).flops.forward(SOURCE_LENGTH, TARGET_LENGTH)
    assert forward * TARGET_LENGTH == pytest.approx(counted_by_torch(config))


def test_the_operations_of_a_known_model_are_those_counted_by_hand() -> None:
    encoder, decoder = EncoderConfig(size=256, layers=1), DecoderConfig(size=512)
    config = Seq2SeqConfig(embedding_size=256, encoder=encoder, decoder=decoder)
    flops = describe(config, vocabulary=8000).flops
    each_direction = 4 * 256 * (256 + 256)
    assert flops.source_token == 2 * (2 * each_direction + 512 * 512)
    assert flops.target_token == 2 * (4 * 512 * (256 + 512) + 1024 * 256 + 8000 * 256)
    assert flops.pair == 2 * (512 + 512)
    assert flops.sentence == 2 * (2 * 512 * 512)
    assert flops.forward(20, 20) == pytest.approx(10.5e6, rel=0.01)
    assert flops.training(20, 20) == 3 * flops.forward(20, 20)


@pytest.mark.parametrize("tie", TIES)
def test_the_parts_have_all_the_parameters_each_tied_one_once(tie: str) -> None:
    config = small(tie_embeddings=tie)
    parameters, model = describe(config).parameters, build(config)
    assert sum(parameters.values()) == sum(tensor.numel() for tensor in model.parameters())
    num_tables = 3 - max(0, len(TIES[tie]) - 1)
    separate_output = "output" not in TIES[tie]
    assert parameters["embeddings"] == 11 * 6 * (num_tables - separate_output)
    assert parameters["output"] == 11 * 6 * separate_output + 11
    assert parameters["attention"] == 8 * 8
    assert parameters["bridge"] == 2 * 2 * 8 * (8 + 1)


@pytest.mark.parametrize(
    ("config", "device", "encoder", "decoder"),
    [
        (small(), "cpu", "whole sequences in oneDNN", "whole sequences in oneDNN"),
        (small(), "cuda", "whole sequences in cuDNN", "whole sequences in cuDNN"),
        (
            small(cell="gru"),
            "cpu",
            "whole sequences in torch's own kernel: oneDNN has none for gru",
            "whole sequences in torch's own kernel: oneDNN has none for gru",
        ),
        (
            small(cell="layer-norm-lstm", state_dropout=0.1),
            "cuda",
            "computed step by step: layer-norm-lstm has no kernel for whole sequences",
            "computed step by step: layer-norm-lstm has no kernel for whole sequences",
        ),
        (
            small(state_dropout=0.1),
            "cpu",
            "computed step by step: state dropout leaves the fast kernels "
            "(model.encoder.state_dropout)",
            "computed step by step: state dropout leaves the fast kernels "
            "(model.decoder.state_dropout)",
        ),
        (
            small(input_feeding=True),
            "cuda",
            "whole sequences in cuDNN",
            "computed step by step: input feeding: each step reads what the step before gave",
        ),
    ],
)
def test_the_path_is_named_with_the_reason_for_a_slow_one(
    monkeypatch: pytest.MonkeyPatch, config: Seq2SeqConfig, device: str, encoder: str, decoder: str
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    description = describe(config, device)
    assert (description.encoder.path, description.decoder.path) == (encoder, decoder)


def test_without_onednn_an_lstm_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    path = "whole sequences in torch's own kernel: this torch is without oneDNN"
    assert describe(small()).encoder.path == path


def test_a_shape_tells_layers_widths_and_what_the_wiring_really_does() -> None:
    def shape_of(**settings: Any) -> str:
        config = Seq2SeqConfig(
            embedding_size=16,
            encoder=EncoderConfig(size=8, **settings),
            decoder=DecoderConfig(size=8),
        )
        return describe(config).encoder.shape

    each = "bidirectional, 8 units each way"
    assert shape_of() == (f"2 layers of lstm, {each}, residual from layer 2; reads 16, gives 16")
    assert shape_of(stack="dense", layers=3) == (
        f"3 layers of lstm, {each}, dense; reads 16 to 48, gives 16"
    )
    assert shape_of(stack="highway", skip_from=1) == (
        f"2 layers of lstm, {each}, highway from layer 1; reads 16, gives 16"
    )
    for wiring in ({"layers": 1}, {"stack": "plain"}):
        assert "plain" in shape_of(**wiring)
    assert shape_of(stack="dense", layers=1, cell="gru", direction="backward") == (
        "1 layer of gru, backward, 8 units, plain; reads 16, gives 8"
    )


def test_the_facts_give_every_figure_for_the_lengths_of_the_text() -> None:
    config = small()
    description = describe(config)
    facts = description.facts(source_length=12, target_length=8)
    forward = description.flops.forward(12, 8) / 1e6
    assert f"{forward:.2f} M forward and {3 * forward:.2f} M in training" in facts["FLOPs"]
    assert "1.50 source tokens" in facts["FLOPs"]
    assert f"{12 * description.flops.pair / 1e6:.2f} M its attention" in facts["FLOPs by part"]
    assert f"{sum(description.parameters.values()):,}: " in facts["parameters"]
    assert facts["embeddings"] == ("source 6 units, target 6; one table for source, target, output")
    untied = small(tie_embeddings="none", bridge="zero")
    facts = describe(untied).facts(source_length=1, target_length=1)
    assert facts["embeddings"].endswith("not tied")
    assert "bridge" not in facts["parameters"]
