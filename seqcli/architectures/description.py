"""What a model is made of, what computes it, and what a token costs."""

from collections.abc import Iterable
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from seqcli.architectures.recurrent import StackConfig
from seqcli.architectures.seq2seq import TIES, Seq2Seq, Seq2SeqConfig
from seqcli.nn.attention import Attention
from seqcli.nn.cells import CELLS, RecurrentLayer, TorchLayer
from seqcli.nn.stack import Stack
from seqcli.nn.stacks.dense import DenseWiring
from seqcli.nn.stacks.residual import ResidualWiring

STEPS = "steps"  # what a layer calls its kernel that has none
TRAINING_COST = 3  # times the forward pass: the backward pass makes two products for each of its
OF_KEYS = ("key_projection", "value_projection")  # parts of an attention that read the source
OF_QUERIES = ("query_projection",)  # and those that read the decoder


class Flops(msgspec.Struct, frozen=True, kw_only=True):
    """Floating-point operations of matrix products in a forward pass, two for each product."""

    source_token: int  # encoder, and keys and values of the attention
    target_token: int  # decoder, queries of the attention, output layer
    pair: int  # attention, for each target token and source token
    sentence: int  # bridge

    def forward(self, source_length: float, target_length: float) -> float:
        """The cost of a target token in pairs of these lengths, its share of the source in it."""
        source = (source_length * self.source_token + self.sentence) / target_length
        return source + self.target_token + source_length * self.pair

    def training(self, source_length: float, target_length: float) -> float:
        """The same, backward pass included."""
        return TRAINING_COST * self.forward(source_length, target_length)


class StackDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A recurrent stack, and what computes whole sequences in training."""

    layers: int
    cell: str
    direction: str
    wiring: str
    size: int  # units in each direction
    reads: tuple[int, ...]  # units, each layer
    gives: int  # units
    kernel: str  # oneDNN, cuDNN, torch or steps
    reason: str  # why not a faster one; empty where there is none

    @property
    def shape(self) -> str:
        """Layers, cell, direction, wiring and widths in a line."""
        layers = f"{self.layers} layer{'s' if self.layers > 1 else ''} of {self.cell}"
        each_way = " each way" if self.direction == "bidirectional" else ""
        narrowest, widest = min(self.reads), max(self.reads)
        reads = f"{widest:,}" if widest == narrowest else f"{narrowest:,} to {widest:,}"
        return (
            f"{layers}, {self.direction}, {self.size:,} units{each_way}, {self.wiring}; "
            f"reads {reads}, gives {self.gives:,}"
        )

    @property
    def path(self) -> str:
        """What computes it, and why not faster."""
        kernels = {STEPS: "computed step by step", "torch": "whole sequences in torch's own kernel"}
        path = kernels.get(self.kernel, f"whole sequences in {self.kernel}")
        return f"{path}: {self.reason}" if self.reason else path


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A model in figures."""

    embeddings: str
    encoder: StackDescription
    decoder: StackDescription
    attention: str
    bridge: str
    parameters: dict[str, int]  # by part; each tied number once, with the first part that has it
    flops: Flops

    def facts(self, *, source_length: float, target_length: float) -> dict[str, str]:
        """Everything in words, by name, for text of pairs of these mean lengths in tokens."""
        parts = [f"{name} {count:,}" for name, count in self.parameters.items() if count]
        flops, lengths = self.flops, (source_length, target_length)
        return {
            "embeddings": self.embeddings,
            "encoder": self.encoder.shape,
            "encoder path": self.encoder.path,
            "decoder": self.decoder.shape,
            "decoder path": self.decoder.path,
            "attention": f"{self.attention}; bridge {self.bridge}",
            "parameters": f"{sum(self.parameters.values()):,}: {', '.join(parts)}",
            "FLOPs": (
                f"{_millions(flops.forward(*lengths))} forward and "
                f"{_millions(flops.training(*lengths))} in training for a target token, "
                f"with its {source_length / target_length:.2f} source tokens"
            ),
            "FLOPs by part": (
                f"{_millions(flops.source_token)} a source token, "
                f"{_millions(flops.target_token)} a target token, "
                f"{_millions(source_length * flops.pair)} its attention to {source_length:.1f} "
                f"source tokens, {_millions(flops.sentence)} a sentence"
            ),
        }


def describe_model(model: Any, config: Any, device_type: str) -> ModelDescription:
    """Describe `model`, built by `config`, as it is trained on a device ("cpu" or "cuda")."""
    encoder, decoder = model.encoder, model.decoder
    fed = "input feeding: each step reads what the step before gave" if config.input_feeding else ""
    feeding = " with input feeding" if config.input_feeding else ""
    return ModelDescription(
        embeddings=_describe_embeddings(config),
        encoder=_describe_stack(encoder.stack, config.encoder, device_type),
        decoder=_describe_stack(decoder.stack, config.decoder, device_type, by_steps=fed),
        attention=config.attention + feeding,
        bridge=config.bridge,
        parameters=_count_by_part(model),
        flops=_count_flops(model),
    )


def _describe_embeddings(config: Seq2SeqConfig) -> str:
    widths = f"source {config.source_size:,} units, target {config.target_size:,}"
    tied = TIES[config.tie_embeddings]
    return f"{widths}; one table for {', '.join(tied)}" if tied else f"{widths}; not tied"


def _describe_stack(
    stack: Stack, config: StackConfig, device_type: str, *, by_steps: str = ""
) -> StackDescription:
    """Describe a stack; `by_steps` is the reason for which it cannot read whole sequences."""
    layer = next(module for module in stack.modules() if isinstance(module, RecurrentLayer))
    kernel = STEPS if by_steps else layer.kernel(device_type)
    num_layers = len(stack.layers)
    return StackDescription(
        layers=num_layers,
        cell=config.cell,
        direction=config.direction,
        wiring=_name_wiring(stack, config.stack),
        size=layer.hidden_size,
        reads=tuple(stack.wiring.input_size(depth) for depth in range(num_layers)),
        gives=stack.output_size,
        kernel=kernel,
        reason=by_steps or _reason_for(kernel, layer, config),
    )


def _name_wiring(stack: Stack, kind: str) -> str:
    """Name the wiring by what it does: with few layers it may do no more than the plain one."""
    wiring, depths = stack.wiring, range(len(stack.layers))
    if isinstance(wiring, ResidualWiring) and any(map(wiring.skips, depths)):
        return f"{kind} from layer {wiring.skip_from}"
    return kind if isinstance(wiring, DenseWiring) and len(depths) > 1 else "plain"


def _reason_for(kernel: str, layer: RecurrentLayer, config: StackConfig) -> str:
    """Say why a layer has no faster kernel than this one; nothing where it is the fastest."""
    if kernel == STEPS:
        if isinstance(layer, TorchLayer):
            return f"state dropout leaves the fast kernels ({config.section}.state_dropout)"
        return f"{config.cell} has no kernel for whole sequences"
    if kernel == "torch":
        lstm = isinstance(layer, CELLS["lstm"])
        return "this torch is without oneDNN" if lstm else f"oneDNN has none for {config.cell}"
    return ""


def _count_by_part(model: Seq2Seq) -> dict[str, int]:
    decoder = model.decoder
    parts: dict[str, list[Tensor]] = {
        "embeddings": [model.source_embedding.weight, model.target_embedding.weight],
        "encoder": list(model.encoder.parameters()),
        "bridge": list(decoder.bridge.parameters()),
        "attention": list(decoder.attention.parameters()),
        "decoder": [*decoder.stack.parameters(), *decoder.combination.parameters()],
        "output": [model.output_weight, model.output_bias],
    }
    counted: set[Tensor] = set()  # tensors compare as objects here
    counts = {}
    for name, tensors in parts.items():
        counts[name] = sum(tensor.numel() for tensor in set(tensors) - counted)
        counted.update(tensors)
    return counts


def _count_flops(model: Seq2Seq) -> Flops:
    """Count by the matrices: each costs two operations an element whenever it is applied."""
    decoder = model.decoder
    decoding = [*decoder.stack.parameters(), *decoder.combination.parameters()]
    memory_size = model.encoder.stack.output_size
    return Flops(
        source_token=_product_cost(model.encoder.parameters())
        + _product_cost(_parameters_of(decoder.attention, OF_KEYS)),
        target_token=_product_cost([*decoding, model.output_weight])
        + _product_cost(_parameters_of(decoder.attention, OF_QUERIES)),
        pair=_pair_cost(decoder.attention, model.output_weight.new_zeros(1, 1, memory_size)),
        sentence=_product_cost(decoder.bridge.parameters()),
    )


def _product_cost(parameters: Iterable[Tensor]) -> int:
    return sum(2 * parameter.numel() for parameter in parameters if parameter.dim() == 2)


def _parameters_of(attention: Attention, names: Iterable[str]) -> list[nn.Parameter]:
    parts = dict(attention.named_children())
    return [tensor for name in names if name in parts for tensor in parts[name].parameters()]


@torch.no_grad()
def _pair_cost(attention: Attention, states_11H: Tensor) -> int:
    """The products of a query with one key and of its weight with one value."""
    mask_11 = torch.ones(1, 1, dtype=torch.bool, device=states_11H.device)
    memory = attention.remember(states_11H, mask_11)
    return 2 * (memory.keys_BSA.shape[2] + memory.states_BSH.shape[2])


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f} M"
