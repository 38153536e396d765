"""A batch that has gone through a network, with the graph by which gradients go back."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from seqcli.architectures.classifier import Classifier
from seqcli.architectures.language_model import LanguageModel
from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.architectures.tagger import Tagger
from seqcli.data.batch import LabelledBatch, PairBatch, TextBatch
from seqcli.inspection.forcing import read_target
from seqcli.nn.cells import RecurrentLayer
from seqcli.nn.loss import output_cross_entropy
from seqcli.nn.stack import Stack
from seqcli.tokenizers.vocabulary import PAD, SPECIAL_PIECES


class Graph(NamedTuple):
    """What goes into a part of a network, and what comes of it. T is S where steps are those read.

    Losses hang on features: that of each step on those of the step alone.
    """

    inputs_BSE: Tensor  # embedded, a leaf
    mask_BS: Tensor  # True on real inputs
    outputs: list[list[Tensor]]  # of each layer of the part: one tensor or more
    features_BTE: Tensor
    outer_BTE: Tensor  # the gradient of each loss by its features; zero where there is no loss
    loss_mask_BT: Tensor | None = None  # True where a loss stands; None: inputs have no such steps

    def gradients(self, inputs: Sequence[Tensor], outer_BTE: Tensor) -> tuple[Tensor, ...]:
        """Go back from the features, which carry `outer_BTE`."""
        return torch.autograd.grad(
            self.features_BTE, inputs, outer_BTE, retain_graph=True, materialize_grads=True
        )


def run(model: nn.Module, stack: Stack, batch: Any, part: str) -> Graph:
    """Let a model read a batch of its task's own kind, and watch the `stack` of one part."""
    with kept_outputs(stack) as outputs:
        return RUNS[type(model)](model, batch, part)._replace(outputs=outputs)


def _run_seq2seq(model: Seq2Seq, batch: PairBatch, part: str) -> Graph:
    with inputs_as_leaves(model.encoder) as leaves:
        memory, state = model.encode(batch.source_BS, batch.source_mask_BS)
    target_BTE = model.embed_target(batch.target_input_BT).detach().requires_grad_()
    features_BTE, _ = read_target(model.decoder, target_BTE, memory, state)
    outer_BTE = _outer_gradient(
        features_BTE,
        (model.output_weight, model.output_bias),
        batch.target_output_BT,
        batch.target_mask_BT,
    )
    if part == "encoder":
        return Graph(leaves[0], batch.source_mask_BS, [], features_BTE, outer_BTE)
    mask_BT = batch.target_mask_BT
    return Graph(target_BTE, mask_BT, [], features_BTE, outer_BTE, mask_BT)


def _run_language_model(model: LanguageModel, batch: TextBatch, part: str) -> Graph:
    with inputs_as_leaves(model.stack) as leaves:
        features_BTE, _ = model(batch.input_BT)
    output = model.output_weight, model.output_bias
    outer_BTE = _outer_gradient(features_BTE, output, batch.output_BT, batch.mask_BT)
    return Graph(leaves[0], batch.mask_BT, [], features_BTE, outer_BTE, batch.mask_BT)


def _run_classifier(model: Classifier, batch: LabelledBatch, part: str) -> Graph:
    """The features of a text are one step, which is none of those that were read."""
    with inputs_as_leaves(model.encoder) as leaves:
        features_B1E = model(batch.source_BS, batch.source_mask_BS).unsqueeze(1)
    outer_B1E = _outer_gradient_of_labels(model, features_B1E, batch)
    return Graph(leaves[0], batch.source_mask_BS, [], features_B1E, outer_B1E)


def _run_tagger(model: Tagger, batch: LabelledBatch, part: str) -> Graph:
    with inputs_as_leaves(model.encoder) as leaves:
        features_BSE = model(batch.source_BS, batch.source_mask_BS)
    outer_BSE = _outer_gradient_of_labels(model, features_BSE, batch)
    tagged_BS = batch.labels_BL != PAD
    return Graph(leaves[0], batch.source_mask_BS, [], features_BSE, outer_BSE, tagged_BS)


RUNS: dict[type[nn.Module], Callable[..., Graph]] = {
    Seq2Seq: _run_seq2seq,
    LanguageModel: _run_language_model,
    Classifier: _run_classifier,
    Tagger: _run_tagger,
}


def _outer_gradient_of_labels(
    model: Classifier | Tagger, features_BLE: Tensor, batch: LabelledBatch
) -> Tensor:
    mask_BL = batch.labels_BL != PAD
    labels_BL = batch.labels_BL - len(SPECIAL_PIECES)
    output = model.output.weight, model.output.bias
    return _outer_gradient(features_BLE, output, labels_BL, mask_BL)


def _outer_gradient(
    features_BTE: Tensor, output: tuple[Tensor, Tensor], targets_BT: Tensor, mask_BT: Tensor
) -> Tensor:
    """A loss depends on no features but those of its step: one pass gives every gradient."""
    leaf_BTE = features_BTE.detach().requires_grad_()
    loss, _ = output_cross_entropy(leaf_BTE[mask_BT], *output, targets_BT[mask_BT])
    (gradient_BTE,) = torch.autograd.grad(loss, leaf_BTE)
    return gradient_BTE


@contextmanager
def inputs_as_leaves(module: nn.Module) -> Iterator[list[Tensor]]:
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
def kept_outputs(stack: Stack) -> Iterator[list[list[Tensor]]]:
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
