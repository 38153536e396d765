"""What a model is made of, what computes it, and what a token costs."""

from collections import Counter

import msgspec
from torch import Tensor, nn

from seqcli.architectures.anatomy import (
    PAIR,
    SENTENCE,
    SOURCE_TOKEN,
    TARGET_TOKEN,
    TOKEN,
    Anatomy,
    PlacedStack,
    anatomy_of,
)
from seqcli.architectures.config import ModelConfig
from seqcli.architectures.recurrent import StackConfig
from seqcli.nn.cells import RecurrentLayer, TorchLayer
from seqcli.nn.stack import Stack
from seqcli.nn.stacks.dense import DenseWiring
from seqcli.nn.stacks.residual import ResidualWiring

STEPS = "steps"  # what a layer calls its kernel that has none
PATHS = {
    "oneDNN or lstm_sequence": "whole sequences in oneDNN, large bfloat16 ones in one operation",
    "lstm_sequence": "whole sequences in one operation",
    "cuDNN": "whole sequences in cuDNN",
    "torch": "whole sequences in torch's own kernel",
    STEPS: "computed step by step",
}
TRAINING_COST = 3  # times the forward pass: the backward pass makes two products for each of its


class Flops(msgspec.Struct, frozen=True, kw_only=True):
    """Floating-point operations of matrix products in a forward pass, two for each product."""

    each: dict[str, int]  # by what they are made for: see `Part.applied_to`
    unit: str  # of these, the one that the whole cost is told for

    def forward(self, source_length: float, target_length: float) -> float:
        """The cost of a unit in text of these lengths, its share of everything else in it."""
        counts = _counts(source_length, target_length)
        return sum(cost * counts[what] for what, cost in self.each.items()) / counts[self.unit]

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
    kernel: str  # lstm_sequence, cuDNN, torch or steps
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
        path = PATHS[self.kernel]
        return f"{path}: {self.reason}" if self.reason else path


class ModelDescription(msgspec.Struct, frozen=True, kw_only=True):
    """A model in figures."""

    embeddings: str
    stacks: dict[str, StackDescription]
    choices: dict[str, str]
    parameters: dict[str, int]  # by part; each tied number once, with the first part that has it
    flops: Flops

    def lengths(self, source_length: float, target_length: float) -> str:
        """Mean lengths of text in tokens, in words; what has no target ignores that of one."""
        if self.flops.unit == TARGET_TOKEN:
            lengths = f"{source_length:.1f} source and {target_length:.1f} target tokens a pair"
        else:
            lengths = f"{source_length:.1f} tokens a line"
        return f"{lengths}, the mark of the end included"

    def facts(self, source_length: float, target_length: float) -> dict[str, str]:
        """Everything else in words, by name, for text of these lengths."""
        parts = [f"{name} {count:,}" for name, count in self.parameters.items() if count]
        facts = {"embeddings": self.embeddings}
        for name, stack in self.stacks.items():
            facts |= {name: stack.shape, f"{name} path": stack.path}
        return {
            **facts,
            **self.choices,
            "parameters": f"{sum(self.parameters.values()):,}: {', '.join(parts)}",
            "FLOPs": self._whole_cost(source_length, target_length),
            "FLOPs by part": self._costs(source_length),
        }

    def _whole_cost(self, source_length: float, target_length: float) -> str:
        flops, lengths = self.flops, (source_length, target_length)
        cost = (
            f"{_millions(flops.forward(*lengths))} forward and "
            f"{_millions(flops.training(*lengths))} in training for a {flops.unit}"
        )
        if flops.unit != TARGET_TOKEN:
            return cost
        return f"{cost}, with its {source_length / target_length:.2f} source tokens"

    def _costs(self, source_length: float) -> str:
        costs = []
        for what, cost in self.flops.each.items():
            if what == PAIR:
                attended = f"its attention to {source_length:.1f} source tokens"
                costs.append(f"{_millions(source_length * cost)} {attended}")
            else:
                costs.append(f"{_millions(cost)} a {what}")
        return ", ".join(costs)


def describe_model(model: nn.Module, config: ModelConfig, device_type: str) -> ModelDescription:
    """Describe `model`, built by `config`, as it is trained on a device ("cpu" or "cuda")."""
    anatomy = anatomy_of(model, config)
    return ModelDescription(
        embeddings=anatomy.embeddings,
        stacks={
            name: _describe_stack(placed, device_type) for name, placed in anatomy.stacks.items()
        },
        choices=anatomy.choices,
        parameters=_count_by_part(anatomy),
        flops=_count_flops(anatomy),
    )


def _describe_stack(placed: PlacedStack, device_type: str) -> StackDescription:
    stack, config, by_steps = placed
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
        reason=by_steps or _reason_for(kernel, device_type, layer, config),
    )


def _name_wiring(stack: Stack, kind: str) -> str:
    """Name the wiring by what it does: with few layers it may do no more than the plain one."""
    wiring, depths = stack.wiring, range(len(stack.layers))
    if isinstance(wiring, ResidualWiring) and any(map(wiring.skips, depths)):
        return f"{kind} from layer {wiring.skip_from}"
    return kind if isinstance(wiring, DenseWiring) and len(depths) > 1 else "plain"


def _reason_for(kernel: str, device_type: str, layer: RecurrentLayer, config: StackConfig) -> str:
    """Say why a layer has no faster kernel than this one; nothing where it is the fastest."""
    if kernel == STEPS:
        if isinstance(layer, TorchLayer):
            return f"state dropout leaves the fast kernels ({config.section}.state_dropout)"
        return f"{config.cell} has no kernel for whole sequences"
    if kernel == "lstm_sequence" and device_type == "cuda":
        return f"state dropout leaves cuDNN ({config.section}.state_dropout)"
    return ""


def _count_by_part(anatomy: Anatomy) -> dict[str, int]:
    counted: set[Tensor] = set()  # tensors compare as objects here
    counts: Counter[str] = Counter()
    for part in anatomy.parts:
        counts[part.name] += sum(tensor.numel() for tensor in set(part.parameters) - counted)
        counted.update(part.parameters)
    return dict(counts)


def _count_flops(anatomy: Anatomy) -> Flops:
    """Count by the matrices: each costs two operations an element whenever it is applied."""
    each: Counter[str] = Counter()
    for part in anatomy.parts:
        if part.applied_to:
            elements = sum(tensor.numel() for tensor in part.parameters if tensor.dim() == 2)
            each[part.applied_to] += 2 * elements
    each.update({what: 2 * count for what, count in anatomy.products.items()})
    in_order = (SOURCE_TOKEN, TARGET_TOKEN, TOKEN, PAIR, SENTENCE)
    return Flops(each={what: each[what] for what in in_order if each[what]}, unit=anatomy.unit)


def _counts(source_length: float, target_length: float) -> dict[str, float]:
    """How many there are in a sentence, or in a pair of them."""
    return {
        SOURCE_TOKEN: source_length,
        TARGET_TOKEN: target_length,
        TOKEN: source_length,
        PAIR: source_length * target_length,
        SENTENCE: 1,
    }


def _millions(count: float) -> str:
    return f"{count / 1e6:.2f} M"
