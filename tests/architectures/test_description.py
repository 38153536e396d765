"""What is said of a model, against its weights, a count by hand and torch's own counter."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from seqcli.architectures.anatomy import (
    ANATOMIES,
    PAIR,
    SENTENCE,
    SOURCE_TOKEN,
    TARGET_TOKEN,
    TOKEN,
)
from seqcli.architectures.classifier import ClassifierConfig, build_classifier
from seqcli.architectures.config import ModelConfig
from seqcli.architectures.description import ModelDescription, describe_model
from seqcli.architectures.language_model import LanguageModelConfig, build_language_model
from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import TIES, Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.architectures.tagger import TaggerConfig, build_tagger
from seqcli.experiment import RECIPES
from seqcli.nn.attention import ATTENTIONS
from seqcli.nn.bridge import BRIDGES
from seqcli.nn.cells import CELLS
from seqcli.nn.heads import POOLINGS
from seqcli.nn.stacks import STACKS

SOURCE_LENGTH, TARGET_LENGTH = 5, 7

AT_ONCE = "whole sequences in one operation"
EITHER = "whole sequences in oneDNN, large bfloat16 ones in one operation"


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


def classifier(*, pooling: str = "max", **settings: Any) -> ClassifierConfig:
    encoder = EncoderConfig(**{"size": 4, "state_dropout": 0.5, **settings})
    return ClassifierConfig(embedding_size=6, encoder=encoder, pooling=pooling)


def tagger(**settings: Any) -> TaggerConfig:
    return TaggerConfig(
        embedding_size=6, encoder=EncoderConfig(**{"size": 4, "state_dropout": 0.5, **settings})
    )


def language_model(
    *, tie_embeddings: bool = True, embedding_size: int = 6, **settings: Any
) -> LanguageModelConfig:
    return LanguageModelConfig(
        embedding_size=embedding_size,
        decoder=DecoderConfig(**{"size": 8, "state_dropout": 0.5, **settings}),
        tie_embeddings=tie_embeddings,
    )


def built(config: ModelConfig) -> tuple[nn.Module, Callable[[Any, Tensor], object]]:
    """A model of 11 pieces and 3 labels, and what it does in training with whole text."""
    if isinstance(config, LanguageModelConfig):
        return build_language_model(
            config, vocabulary_size=11
        ), lambda model, tokens_BS: nn.functional.linear(
            model(tokens_BS)[0], model.output_weight, model.output_bias
        )
    if isinstance(config, ClassifierConfig):
        model: nn.Module = build_classifier(config, vocabulary_size=11, num_labels=3)
    else:
        assert isinstance(config, TaggerConfig)
        model = build_tagger(config, vocabulary_size=11, num_labels=3)
    return model, lambda model, tokens_BS: model.output(model(tokens_BS, tokens_BS > 0))


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
    assert flops.each == {
        SOURCE_TOKEN: 2 * (2 * each_direction + 512 * 512),
        TARGET_TOKEN: 2 * (4 * 512 * (256 + 512) + 1024 * 256 + 8000 * 256),
        PAIR: 2 * (512 + 512),
        SENTENCE: 2 * (2 * 512 * 512),
    }
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
        (small(), "cpu", EITHER, EITHER),
        (small(state_dropout=0.1), "cpu", AT_ONCE, AT_ONCE),
        (
            small(state_dropout=0.1),
            "cuda",
            f"{AT_ONCE}: state dropout leaves cuDNN (model.encoder.state_dropout)",
            f"{AT_ONCE}: state dropout leaves cuDNN (model.decoder.state_dropout)",
        ),
        (small(), "cuda", "whole sequences in cuDNN", "whole sequences in cuDNN"),
        (
            small(cell="gru"),
            "cpu",
            "whole sequences in torch's own kernel",
            "whole sequences in torch's own kernel",
        ),
        (
            small(cell="layer-norm-lstm", state_dropout=0.1),
            "cuda",
            "computed step by step: layer-norm-lstm has no kernel for whole sequences",
            "computed step by step: layer-norm-lstm has no kernel for whole sequences",
        ),
        (
            small(cell="gru", state_dropout=0.1),
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
    config: Seq2SeqConfig, device: str, encoder: str, decoder: str
) -> None:
    description = describe(config, device)
    paths = {name: stack.path for name, stack in description.stacks.items()}
    assert paths == {"encoder": encoder, "decoder": decoder}


def test_a_shape_tells_layers_widths_and_what_the_wiring_really_does() -> None:
    def shape_of(**settings: Any) -> str:
        config = Seq2SeqConfig(
            embedding_size=16,
            encoder=EncoderConfig(size=8, **settings),
            decoder=DecoderConfig(size=8),
        )
        return describe(config).stacks["encoder"].shape

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
    facts = description.facts(12, 8)
    assert description.lengths(12, 8).startswith("12.0 source and 8.0 target tokens a pair")
    forward = description.flops.forward(12, 8) / 1e6
    assert f"{forward:.2f} M forward and {3 * forward:.2f} M in training" in facts["FLOPs"]
    assert "1.50 source tokens" in facts["FLOPs"]
    pair = description.flops.each[PAIR]
    assert f"{12 * pair / 1e6:.2f} M its attention" in facts["FLOPs by part"]
    assert f"{sum(description.parameters.values()):,}: " in facts["parameters"]
    assert facts["embeddings"] == ("source 6 units, target 6; one table for source, target, output")
    untied = small(tie_embeddings="none", bridge="zero")
    facts = describe(untied).facts(1, 1)
    assert facts["embeddings"].endswith("not tied")
    assert "bridge" not in facts["parameters"]


class TestOthers:
    """The architectures beside Seq2Seq, all of which have text of one kind of token."""

    @pytest.mark.parametrize(
        "config",
        [
            *(classifier(pooling=pooling) for pooling in POOLINGS),
            classifier(direction="forward", projection=True, stack="dense"),
            tagger(),
            tagger(cell="gru", direction="backward", stack="highway"),
            language_model(),
            language_model(tie_embeddings=False, cell="layer-norm-lstm"),
            language_model(embedding_size=8),
        ],
        ids=str,
    )
    def test_operations_are_as_many_as_torch_counts(self, config: ModelConfig) -> None:
        model, run = built(config)
        tokens_BS = torch.full((1, SOURCE_LENGTH), 5)
        with FlopCounterMode(display=False) as counter:
            run(model.train(), tokens_BS)
        description = describe_model(model, config, "cpu")
        assert description.flops.unit == TOKEN
        per_token = description.flops.forward(SOURCE_LENGTH, 1)
        assert per_token * SOURCE_LENGTH == pytest.approx(counter.get_total_flops())
        counts = [tensor.numel() for tensor in model.parameters()]
        assert sum(description.parameters.values()) == sum(counts)

    def test_the_facts_of_a_classifier_are_those_counted_by_hand(self) -> None:
        config = classifier(pooling="mean", layers=1, state_dropout=0.0)
        model, _ = built(config)
        description = describe_model(model, config, "cuda")
        assert description.lengths(5, 99) == "5.0 tokens a line, the mark of the end included"
        each_direction = 4 * 4 * (6 + 4)
        facts = description.facts(5, 99)
        token, text = 2 * 2 * each_direction, 2 * 8 * 3
        assert description.flops.each == {TOKEN: token, SENTENCE: text}
        assert facts == {
            "embeddings": "6 units",
            "encoder": "1 layer of lstm, bidirectional, 4 units each way, plain; reads 6, gives 8",
            "encoder path": "whole sequences in cuDNN",
            "pooling": "mean",
            "parameters": f"{sum(tensor.numel() for tensor in model.parameters()):,}: "
            f"embeddings {11 * 6}, encoder {2 * (each_direction + 2 * 4 * 4)}, output {8 * 3 + 3}",
            "FLOPs": f"{(token + text / 5) / 1e6:.2f} M forward and "
            f"{3 * (token + text / 5) / 1e6:.2f} M in training for a token",
            "FLOPs by part": f"{token / 1e6:.2f} M a token, {text / 1e6:.2f} M a sentence",
        }

    @pytest.mark.parametrize("tied", [True, False])
    def test_a_tied_output_of_a_language_model_is_counted_once(self, tied: bool) -> None:
        config = language_model(tie_embeddings=tied)
        description = describe_model(built(config)[0], config, "cpu")
        assert description.parameters["embeddings"] == 11 * 6
        assert description.parameters["output"] == 11 + 11 * 6 * (not tied)
        end = "one table for input, output" if tied else "not tied"
        assert description.embeddings == f"6 units; {end}"
        assert list(description.stacks) == ["decoder"]

    def test_each_architecture_of_a_recipe_can_be_described(self) -> None:
        models = {type(kind().model) for kind in RECIPES.values()}
        assert set(ANATOMIES) == models
