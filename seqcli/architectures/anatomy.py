"""What a network consists of: its stacks, and its parts with what each is applied to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn

from seqcli.architectures.classifier import Classifier, ClassifierConfig
from seqcli.architectures.config import ModelConfig
from seqcli.architectures.language_model import LanguageModel, LanguageModelConfig
from seqcli.architectures.recurrent import StackConfig
from seqcli.architectures.seq2seq import TIES, Seq2Seq, Seq2SeqConfig
from seqcli.architectures.tagger import TaggerConfig
from seqcli.architectures.text_reader import TextReader, TextReaderConfig
from seqcli.nn.attention import Attention
from seqcli.nn.heads import AttentionPooling
from seqcli.nn.stack import Stack

# What a part is applied to
SOURCE_TOKEN, TARGET_TOKEN, TOKEN = "source token", "target token", "token"
SENTENCE, PAIR = "sentence", "pair of a source and a target token"

OF_KEYS = ("key_projection", "value_projection")  # parts of an attention that read the source
OF_QUERIES = ("query_projection",)  # and those that read the decoder


class Part(NamedTuple):
    """Parameters that are applied together; what has several uses is several parts of one name."""

    name: str
    parameters: Sequence[Tensor]
    applied_to: str = ""  # empty where no products are made: vectors are looked up


class PlacedStack(NamedTuple):
    """A recurrent stack, and the settings that it was built by."""

    stack: Stack
    config: StackConfig
    by_steps: str = ""  # why it cannot read whole sequences; empty where it can


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """A network as seen from outside.

    `parts` hold all parameters, each tied one in all parts that use it. `choices` are those that
    are no stacks, in words by name. `products` are those without parameters: their number by what
    they are made for. `unit` is what the cost of the whole network is told for.
    """

    embeddings: str
    stacks: dict[str, PlacedStack]  # by the name of their section in the recipe
    choices: dict[str, str] = field(default_factory=dict)
    parts: tuple[Part, ...]
    products: dict[str, int] = field(default_factory=dict)
    unit: str = TOKEN


def anatomy_of(model: nn.Module, config: ModelConfig) -> Anatomy:
    """Take apart a model that was built by `config`."""
    return ANATOMIES[type(config)](model, config)


def _of_seq2seq(model: Seq2Seq, config: Seq2SeqConfig) -> Anatomy:
    encoder, decoder = model.encoder, model.decoder
    decoding = [*decoder.stack.parameters(), *decoder.combination.parameters()]
    states_11H = model.output_weight.new_zeros(1, 1, encoder.stack.output_size)
    feeding = " with input feeding" if config.input_feeding else ""
    fed = "input feeding: each step reads what the step before gave" if feeding else ""
    return Anatomy(
        embeddings=f"source {config.source_size:,} units, target {config.target_size:,}; "
        + _tied(TIES[config.tie_embeddings]),
        stacks={
            "encoder": PlacedStack(encoder.stack, config.encoder),
            "decoder": PlacedStack(decoder.stack, config.decoder, fed),
        },
        choices={"attention": f"{config.attention}{feeding}; bridge {config.bridge}"},
        parts=(
            Part("embeddings", [model.source_embedding.weight, model.target_embedding.weight]),
            Part("encoder", list(encoder.parameters()), SOURCE_TOKEN),
            Part("bridge", list(decoder.bridge.parameters()), SENTENCE),
            Part("attention", _parameters_of(decoder.attention, OF_KEYS), SOURCE_TOKEN),
            Part("attention", _parameters_of(decoder.attention, OF_QUERIES), TARGET_TOKEN),
            Part("attention", list(decoder.attention.parameters())),
            Part("decoder", decoding, TARGET_TOKEN),
            Part("output", [model.output_weight, model.output_bias], TARGET_TOKEN),
        ),
        products={PAIR: _pair_products(decoder.attention, states_11H)},
        unit=TARGET_TOKEN,
    )


def _of_classifier(model: Classifier, config: ClassifierConfig) -> Anatomy:
    weighs = isinstance(model.pooling, AttentionPooling)
    return _of_text_reader(
        model,
        config,
        choices={"pooling": config.pooling},
        parts=(
            Part("pooling", list(model.pooling.parameters()), TOKEN),
            Part("output", list(model.output.parameters()), SENTENCE),
        ),
        products={TOKEN: model.encoder.stack.output_size} if weighs else {},
    )


def _of_tagger(model: TextReader, config: TaggerConfig) -> Anatomy:
    """The output is counted for every token, though a word has one tag however many it is of."""
    output = Part("output", list(model.output.parameters()), TOKEN)
    return _of_text_reader(model, config, choices={}, parts=(output,), products={})


def _of_text_reader(
    model: TextReader,
    config: TextReaderConfig,
    *,
    choices: dict[str, str],
    parts: tuple[Part, ...],
    products: dict[str, int],
) -> Anatomy:
    return Anatomy(
        embeddings=f"{config.embedding_size:,} units",
        stacks={"encoder": PlacedStack(model.encoder.stack, config.encoder)},
        choices=choices,
        parts=(
            Part("embeddings", [model.source_embedding.weight]),
            Part("encoder", list(model.encoder.parameters()), TOKEN),
            *parts,
        ),
        products=products,
    )


def _of_language_model(model: LanguageModel, config: LanguageModelConfig) -> Anatomy:
    narrowing = [] if model.narrowing is None else list(model.narrowing.parameters())
    tied = _tied(("input", "output") if config.tie_embeddings else ())
    return Anatomy(
        embeddings=f"{config.embedding_size:,} units; {tied}",
        stacks={"decoder": PlacedStack(model.stack, config.decoder)},
        parts=(
            Part("embeddings", [model.embedding.weight]),
            Part("decoder", [*model.stack.parameters(), *narrowing], TOKEN),
            Part("output", [model.output_weight, model.output_bias], TOKEN),
        ),
    )


ANATOMIES: dict[type[ModelConfig], Callable[..., Anatomy]] = {
    Seq2SeqConfig: _of_seq2seq,
    ClassifierConfig: _of_classifier,
    TaggerConfig: _of_tagger,
    LanguageModelConfig: _of_language_model,
}


def _tied(names: Iterable[str]) -> str:
    joined = ", ".join(names)
    return f"one table for {joined}" if joined else "not tied"


def _parameters_of(attention: Attention, names: Iterable[str]) -> list[Tensor]:
    parts = dict(attention.named_children())
    return [tensor for name in names if name in parts for tensor in parts[name].parameters()]


@torch.no_grad()
def _pair_products(attention: Attention, states_11H: Tensor) -> int:
    """Those of a query with one key and of its weight with one value."""
    mask_11 = torch.ones(1, 1, dtype=torch.bool, device=states_11H.device)
    memory = attention.remember(states_11H, mask_11)
    return memory.keys_BSA.shape[2] + memory.states_BSH.shape[2]
