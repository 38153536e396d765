"""How much gradient of the loss reaches earlier steps and lower layers, on real sentences.

All is computed in float64: what has vanished is then still a number. Gradients are those of single
sentences, for the rows of a batch do not know of each other. In a decoder the gradient takes every
way there is: through the recurrence and, with input feeding, through attention and features.
"""

import copy
import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.config import require_one_of, require_positive
from seqcli.data.batch import PairBatch, pair_batch
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Example
from seqcli.errors import DataError
from seqcli.inspection.forcing import read_target
from seqcli.inspection.loading import PARTS, LoadedModel
from seqcli.inspection.sentences import encode_line
from seqcli.nn.cells import RecurrentLayer
from seqcli.nn.loss import output_cross_entropy
from seqcli.nn.stack import Stack

BATCH_TOKENS = 1000  # target tokens with padding: the states of all layers are held


class LagGradient(msgspec.Struct, frozen=True):
    """The mean norm of the gradients that went the same number of steps back."""

    lag: int
    norm: float
    count: int  # gradients that were averaged


class LayerGradient(msgspec.Struct, frozen=True):
    """The mean norm, over sentences, of the gradient of a sentence's loss by a layer's output."""

    layer: int  # 1 is the lowest
    norm: float  # of all positions and units together


class GradientFlow(msgspec.Struct, frozen=True):
    """The gradients of one part of a model, in nats.

    `lags` of the decoder: the loss of one target token by the embedded token that was read `lag`
    steps before. `lags` of the encoder: the loss of the whole target by the embedded source token
    `lag` steps before the end; 0 is the end-of-sentence mark.
    """

    model: str
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
    loaded: LoadedModel[Seq2Seq],
    sources: Sequence[str],
    references: Sequence[str],
    *,
    part: str = "decoder",
    sentences: int = 100,
    untrained: bool = False,
    seed: int | None = None,
    name: str | None = None,
) -> GradientFlow:
    """Measure on the first `sentences` pairs that are neither empty nor longer than in training.

    With `untrained` the weights are fresh, drawn by `seed`; by that of the recipe they are those
    that the training began with, but for pretrained vectors. `name` is what to call the model.
    DataError if no pair is left.
    """
    require_one_of("part", part, PARTS)
    require_positive("sentences", sentences)
    examples = _usable_examples(loaded, sources, references, sentences)
    model = _fresh_model(loaded, seed) if untrained else copy.deepcopy(loaded.model)
    by_lag, by_layer = _measure(model.double().eval().requires_grad_(False), examples, part)
    lags = [LagGradient(lag, norm, count) for lag, norm, count in by_lag.means()]
    layers = [LayerGradient(number, norm) for number, norm, _ in by_layer.means()]
    return GradientFlow(
        model=name or loaded.facts.name,
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
        ]


def _measure(model: Seq2Seq, examples: Sequence[Example], part: str) -> tuple[_Norms, _Norms]:
    """Return the norms by lag and those by layer."""
    by_lag, by_layer = _Norms(), _Norms()
    for indices in token_batches(examples, batch_tokens=BATCH_TOKENS, seed=0, epoch=0):
        forward = _run(model, pair_batch([examples[index] for index in indices]), part)
        gradient_BSE, *of_outputs = forward.gradients(
            [forward.source_BSE, *chain(*forward.outputs)], forward.outer_BTE
        )
        _add_layers(by_layer, forward.outputs, of_outputs)
        if part == "encoder":
            _add_encoder_lags(by_lag, forward.batch.source_mask_BS, gradient_BSE)
        else:
            _add_decoder_lags(by_lag, forward)
    return by_lag, by_layer


class _Forward(NamedTuple):
    """A batch that has gone through the model, with its graph."""

    batch: PairBatch
    source_BSE: Tensor  # embedded, a leaf of the graph
    target_BTE: Tensor  # embedded, a leaf of the graph
    outputs: list[list[Tensor]]  # of each layer of the part: one tensor or more
    features_BTE: Tensor
    outer_BTE: Tensor  # the gradient of each token's loss by its features

    def gradients(self, inputs: Sequence[Tensor], outer_BTE: Tensor) -> tuple[Tensor, ...]:
        """Go back from the features, which carry `outer_BTE`."""
        return torch.autograd.grad(
            self.features_BTE, inputs, outer_BTE, retain_graph=True, materialize_grads=True
        )


def _run(model: Seq2Seq, batch: PairBatch, part: str) -> _Forward:
    watched = (model.encoder if part == "encoder" else model.decoder).stack
    with _inputs_as_leaves(model.encoder) as leaves, _kept_outputs(watched) as outputs:
        memory, state = model.encode(batch.source_BS, batch.source_mask_BS)
        target_BTE = model.embed_target(batch.target_input_BT).detach().requires_grad_()
        features_BTE, _ = read_target(model.decoder, target_BTE, memory, state)
    outer_BTE = _loss_gradient(model, features_BTE, batch)
    return _Forward(batch, leaves[0], target_BTE, outputs, features_BTE, outer_BTE)


def _loss_gradient(model: Seq2Seq, features_BTE: Tensor, batch: PairBatch) -> Tensor:
    """The loss of a token depends on no features but its own: one pass gives every gradient."""
    leaf_BTE = features_BTE.detach().requires_grad_()
    mask_BT = batch.target_mask_BT
    loss, _ = output_cross_entropy(
        leaf_BTE[mask_BT], model.output_weight, model.output_bias, batch.target_output_BT[mask_BT]
    )
    (gradient_BTE,) = torch.autograd.grad(loss, leaf_BTE)
    return gradient_BTE


def _add_decoder_lags(by_lag: _Norms, forward: _Forward) -> None:
    """Go back from each step by itself; lags are counted from it."""
    mask_BT = forward.batch.target_mask_BT
    for step in range(mask_BT.shape[1]):
        outer_BTE = torch.zeros_like(forward.outer_BTE)
        outer_BTE[:, step] = forward.outer_BTE[:, step]
        (gradient_BTE,) = forward.gradients([forward.target_BTE], outer_BTE)
        norm_BT = gradient_BTE[mask_BT[:, step]].norm(dim=2)
        for lag in range(step + 1):
            by_lag.add(lag, norm_BT[:, step - lag])


def _add_encoder_lags(by_lag: _Norms, mask_BS: Tensor, gradient_BSE: Tensor) -> None:
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


@contextmanager
def _inputs_as_leaves(module: nn.Module) -> Iterator[list[Tensor]]:
    """Make each first input of the module a leaf that asks for its gradient; give the list."""
    leaves: list[Tensor] = []

    def cut(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        leaves.append(arguments[0].detach().requires_grad_())
        return (leaves[-1], *arguments[1:])

    handle = module.register_forward_pre_hook(cut)
    try:
        yield leaves
    finally:
        handle.remove()


@contextmanager
def _kept_outputs(stack: Stack) -> Iterator[list[list[Tensor]]]:
    """Give a list for each layer, into which go the states that it returns.

    Both directions of a layer are kept apart, before they are joined: the last state of each goes
    to the decoder as well. The cell of an LSTM is no output and is not kept.
    """
    kept: list[list[Tensor]] = [[] for _ in stack.layers]
    handles = [
        directed.register_forward_hook(
            lambda module, arguments, output, states=states: states.append(output[0])
        )
        for layer, states in zip(stack.layers, kept, strict=True)
        for directed in layer.modules()
        if isinstance(directed, RecurrentLayer)
    ]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _fresh_model(loaded: LoadedModel[Seq2Seq], seed: int | None) -> Seq2Seq:
    torch.manual_seed(loaded.recipe.seed if seed is None else seed)
    return loaded.task.build_model()


def _usable_examples(
    loaded: LoadedModel[Seq2Seq], sources: Sequence[str], references: Sequence[str], most: int
) -> list[Example]:
    longest = loaded.recipe.data.max_length
    pairs = (
        Example(
            encode_line(loaded.source_tokenizer, source),
            encode_line(loaded.target_tokenizer, reference),
        )
        for source, reference in zip(sources, references, strict=True)
    )
    usable = (pair for pair in pairs if all(0 < len(side) <= longest for side in pair))
    examples = list(islice(usable, most))
    if not examples:
        raise DataError(
            f"none of the {len(sources)} pairs can be used with {loaded.folder}",
            why=f"each has an empty side or more than {longest} tokens (data.max_length)",
            fix="Check the files",
        )
    return examples
