"""How much gradient of the loss reaches other steps and lower layers, on real sentences.

All is computed in float64: what has vanished is then still a number. Gradients are those of single
sentences, for the rows of a batch do not know of each other. In a decoder the gradient takes every
way there is: through the recurrence and, with input feeding, through attention and features.
"""

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from seqcli.architectures.anatomy import PlacedStack, anatomy_of
from seqcli.config import require_positive
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Example, Examples
from seqcli.errors import ConfigError, DataError
from seqcli.inspection.graphs import Graph, run
from seqcli.inspection.loading import LoadedModel

BATCH_TOKENS = 1000  # target tokens with padding: the states of all layers are held


class LagGradient(msgspec.Struct, frozen=True):
    """The mean norm of the gradients that went the same number of steps."""

    lag: int
    norm: float
    count: int  # gradients that were averaged


class LayerGradient(msgspec.Struct, frozen=True):
    """The mean norm, over sentences, of the gradient of a sentence's loss by a layer's output."""

    layer: int  # 1 is the lowest
    norm: float  # of all positions and units together


class GradientFlow(msgspec.Struct, frozen=True):
    """The gradients of one part of a model, in nats.

    `lags` of a decoder: the loss of one target token (in a language model: of one token of the
    text) by the embedded token that was read `lag` steps before. `lags` of an encoder: the loss of
    the whole target (in a classifier: of the label) by the embedded source token `lag` steps before
    the end; 0 is the end-of-sentence mark. `lags` of a tagger: the loss of one tag by the embedded
    token `lag` steps away from that at which the tag is told, on the sides that the encoder reads.
    """

    model: str
    task: str
    part: str
    is_trained: bool
    sentences: int
    lags: list[LagGradient]
    layers: list[LayerGradient]
    factor_per_step: float | None  # by which norms change with each lag; None if they are too few
    lowest_to_top: float | None  # ratio of the norms of the lowest and the top layer


class GradientFlows(msgspec.Struct, frozen=True):
    """The gradients of several models on the same text."""

    flows: list[GradientFlow]


def gradient_flow(
    loaded: LoadedModel[Any],
    *text: Sequence[str],
    part: str | None = None,
    sentences: int = 100,
    untrained: bool = False,
    seed: int | None = None,
    name: str | None = None,
    names: Sequence[str] = (),
) -> GradientFlow:
    """Measure on the first `sentences` examples that are neither empty nor longer than in training.

    `text` is that of the task: sources and references, or text alone; `names` say what to call
    them. Where `part` is None, it is the decoder if there is one. With `untrained` the weights are
    fresh, drawn by `seed`; by that of the recipe they are those that the training began with, but
    for pretrained vectors. `name` is what to call the model. Raises ConfigError for a part that is
    not there and for text of the wrong number of sides, DataError for text that is not of the form
    of the task, or if no example is left.
    """
    part = loaded.choose_part(part, preferred="decoder")
    require_positive("sentences", sentences)
    _require_sides(loaded, text)
    loaded.task.check(tuple(map(list, text)), names or loaded.recipe.data.files)
    examples = _usable_examples(loaded, text, sentences)
    model = _fresh_model(loaded, seed) if untrained else copy.deepcopy(loaded.model)
    model.double().eval().requires_grad_(False)
    by_lag, by_layer = _measure(loaded, model, examples, part)
    lags = [LagGradient(lag, norm, count) for lag, norm, count in by_lag.means()]
    layers = [LayerGradient(number, norm) for number, norm, _ in by_layer.means()]
    return GradientFlow(
        model=name or loaded.facts.name,
        task=loaded.facts.task,
        part=part,
        is_trained=not untrained,
        sentences=len(examples),
        lags=lags,
        layers=layers,
        factor_per_step=factor_per_step(lags),
        lowest_to_top=layers[0].norm / layers[-1].norm if layers[-1].norm else None,
    )


def factor_per_step(lags: Sequence[LagGradient]) -> float | None:
    """Fit a straight line to the logarithms of the norms, and return e to its slope.

    By least squares, each lag weighted by the gradients behind it: the largest lags are of a few
    long sentences. A norm of zero has no logarithm and is left out; None if less than two are left.
    """
    points = [(lag.lag, math.log(lag.norm), lag.count) for lag in lags if lag.norm > 0]
    if len(points) < 2:
        return None
    total = sum(count for _, _, count in points)
    mean_lag = sum(lag * count for lag, _, count in points) / total
    mean_log = sum(log * count for _, log, count in points) / total
    covariance = sum((lag - mean_lag) * (log - mean_log) * count for lag, log, count in points)
    return math.exp(covariance / sum((lag - mean_lag) ** 2 * count for lag, _, count in points))


class _Norms:
    """Norms of gradients, each with the number of its lag or layer, for the mean of a number."""

    def __init__(self) -> None:
        self._sums: defaultdict[int, float] = defaultdict(float)
        self._counts: Counter[int] = Counter()

    def add(self, number: int, norm_N: Tensor) -> None:
        self._sums[number] += norm_N.sum().item()
        self._counts[number] += len(norm_N)

    def means(self) -> list[tuple[int, float, int]]:
        """Numbers in order, the mean of each, and the norms that it is of."""
        return [
            (number, self._sums[number] / count, count)
            for number, count in sorted(self._counts.items())
            if count
        ]


def _measure(
    loaded: LoadedModel[Any], model: nn.Module, examples: Sequence[Example], part: str
) -> tuple[_Norms, _Norms]:
    """Return the norms by lag and those by layer of a model like the loaded one."""
    by_lag, by_layer = _Norms(), _Norms()
    placed = anatomy_of(model, loaded.recipe.model).stacks[part]
    lengths = Examples.of(examples).lengths
    for indices in token_batches(lengths, batch_tokens=BATCH_TOKENS, seed=0, epoch=0):
        batch = loaded.task.make_batch([examples[index] for index in indices])
        graph = run(model, placed.stack, batch, part)
        gradient_BSE, *of_outputs = graph.gradients(
            [graph.inputs_BSE, *chain(*graph.outputs)], graph.outer_BTE
        )
        _add_layers(by_layer, graph.outputs, of_outputs)
        if graph.loss_mask_BT is None:
            _add_lags_from_the_end(by_lag, graph.mask_BS, gradient_BSE)
        else:
            _add_lags_from_each_loss(by_lag, graph, graph.loss_mask_BT, placed)
    return by_lag, by_layer


def _add_lags_from_each_loss(
    by_lag: _Norms, graph: Graph, loss_mask_BS: Tensor, placed: PlacedStack
) -> None:
    """Go back from each step by itself, to all real steps that its features were made of."""
    num_steps = loss_mask_BS.shape[1]
    for step in range(num_steps):
        rows_B = loss_mask_BS[:, step]
        outer_BSE = torch.zeros_like(graph.outer_BTE)
        outer_BSE[:, step] = graph.outer_BTE[:, step]
        (gradient_BSE,) = graph.gradients([graph.inputs_BSE], outer_BSE)
        norm_BS, mask_BS = gradient_BSE[rows_B].norm(dim=2), graph.mask_BS[rows_B]
        first = step if placed.config.direction == "backward" else 0
        last = step if placed.config.direction == "forward" else num_steps - 1
        for read in range(first, last + 1):
            by_lag.add(abs(step - read), norm_BS[mask_BS[:, read], read])


def _add_lags_from_the_end(by_lag: _Norms, mask_BS: Tensor, gradient_BSE: Tensor) -> None:
    """Lags are counted from the end of each sentence."""
    norm_BS = gradient_BSE.norm(dim=2)
    lag_BS = mask_BS.sum(1, keepdim=True) - 1 - torch.arange(mask_BS.shape[1])
    for lag in range(mask_BS.shape[1]):
        by_lag.add(lag, norm_BS[lag_BS == lag])


def _add_layers(
    by_layer: _Norms, outputs: Sequence[Sequence[Tensor]], gradients: Sequence[Tensor]
) -> None:
    """Norms of each sentence; `gradients` are those of all outputs, one after the other."""
    rest = iter(gradients)
    for number, of_layer in enumerate(outputs, start=1):
        rows_BX = torch.cat([next(rest).flatten(1) for _ in of_layer], dim=1)
        by_layer.add(number, rows_BX.norm(dim=1))


def _fresh_model(loaded: LoadedModel[Any], seed: int | None) -> nn.Module:
    torch.manual_seed(loaded.recipe.seed if seed is None else seed)
    model: nn.Module = loaded.task.build_model()
    return model


def _require_sides(loaded: LoadedModel[Any], text: Sequence[Sequence[str]]) -> None:
    needed = loaded.recipe.data.files
    if len(text) != len(needed):
        raise ConfigError(
            f"a model for {loaded.facts.task} learns from {' and '.join(needed)}, and there is "
            f"text of {len(text)} {'side' if len(text) == 1 else 'sides'}",
            why="gradients are those of the loss in training",
            fix="Give the references too" if len(needed) > 1 else "Leave the references out",
        )


def _usable_examples(
    loaded: LoadedModel[Any], text: Sequence[Sequence[str]], most: int
) -> list[Example]:
    """Encode as many lines from the first on as it takes; errors name their true numbers."""
    longest = loaded.recipe.data.max_length
    num_lines = most
    while True:
        first = tuple(list(side[:num_lines]) for side in text)
        examples = loaded.task.encode(first, alpha=0.0, seed=0)
        usable = [
            example
            for example, lines in zip(examples, zip(*first, strict=True), strict=True)
            if all(line.strip() for line in lines)
            and all(0 < len(side) <= longest for side in example)
        ]
        if len(usable) >= most or num_lines >= len(text[0]):
            break
        num_lines *= 2
    if not usable:
        raise DataError(
            f"none of the {len(text[0])} {loaded.task.noun} can be used with {loaded.folder}",
            why=f"each has an empty side or more than {longest} tokens (data.max_length)",
            fix="Check the files",
        )
    return usable[:most]
