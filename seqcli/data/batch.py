"""Padded tensors of one batch."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from seqcli.data.dataset import Example
from seqcli.tokenizers.vocabulary import BOS, EOS, PAD


class Batch(Protocol):
    """Examples padded into tensors, in the form that one task reads."""

    @property
    def num_targets(self) -> int:
        """How many tokens or labels are to be predicted."""
        ...

    def to(self, device: torch.device) -> Self: ...


class PairBatch(NamedTuple):
    """Token ids of source and target; masks are True on real tokens.

    Of any batch `places_N` are where its targets stand among all positions, row after row. They are
    found on the host: to find them by a mask on CUDA, it would wait for the device.
    """

    source_BS: Tensor  # ends in EOS
    source_mask_BS: Tensor
    target_input_BT: Tensor  # starts with BOS
    target_output_BT: Tensor  # the same shifted by one, ends in EOS
    target_mask_BT: Tensor
    places_N: Tensor

    @property
    def num_targets(self) -> int:
        return len(self.places_N)

    def to(self, device: torch.device) -> "PairBatch":
        return PairBatch(*moved(self, device))


class TextBatch(NamedTuple):
    """Token ids of text that is predicted from what comes before."""

    input_BT: Tensor  # starts with BOS
    output_BT: Tensor  # the same shifted by one, ends in EOS
    mask_BT: Tensor  # True on real tokens
    places_N: Tensor

    @property
    def num_targets(self) -> int:
        return len(self.places_N)

    def to(self, device: torch.device) -> "TextBatch":
        return TextBatch(*moved(self, device))


class LabelledBatch(NamedTuple):
    """Token ids and labels: one a row, or one a token."""

    source_BS: Tensor  # ends in EOS
    source_mask_BS: Tensor  # True on real tokens
    labels_BL: Tensor  # L is 1, or S; PAD where there is nothing to predict
    places_N: Tensor

    @property
    def num_targets(self) -> int:
        return len(self.places_N)

    def to(self, device: torch.device) -> "LabelledBatch":
        return LabelledBatch(*moved(self, device))


def moved(tensors: Iterable[Tensor], device: torch.device) -> Iterator[Tensor]:
    """Copy tensors to the device; to CUDA from pinned memory, so that the host need not wait."""
    for tensor in tensors:
        source = tensor.pin_memory() if device.type == "cuda" else tensor
        yield source.to(device, non_blocking=True)


def pad_rows(rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the rows as one tensor of int64, padded with PAD on the right."""
    padded = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for padded_row, row in zip(padded, rows, strict=True):
        padded_row[: len(row)] = row
    return torch.from_numpy(padded)


def source_tensors(sources: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return source_BS, each row closed with EOS, and its mask."""
    source_BS = pad_rows([[*source, EOS] for source in sources])
    return source_BS, source_BS != PAD


def target_tensors(targets: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the rows opened with BOS, the rows closed with EOS, and their mask."""
    output_BT = pad_rows([[*target, EOS] for target in targets])
    return pad_rows([[BOS, *target] for target in targets]), output_BT, output_BT != PAD


def places_of(targets_BT: Tensor) -> Tensor:
    """Return places_N of what is not padding, row after row."""
    return torch.from_numpy(np.flatnonzero(targets_BT.numpy() != PAD))


def at_places(states: Tensor, places_N: Tensor) -> Tensor:
    """Return of states_BTE or numbers_BT those at the places, as states_NE or numbers_N."""
    return states.flatten(0, 1).index_select(0, places_N)


def pair_batch(examples: Sequence[Example]) -> PairBatch:
    """Pad the examples into one batch, the order of rows kept."""
    targets = target_tensors([example.target for example in examples])
    return PairBatch(
        *source_tensors([example.source for example in examples]),
        *targets,
        places_N=places_of(targets[1]),
    )


def text_batch(examples: Sequence[Example]) -> TextBatch:
    """The same for a language model: what is predicted is what is read."""
    targets = target_tensors([example.target for example in examples])
    return TextBatch(*targets, places_N=places_of(targets[1]))


def labelled_batch(examples: Sequence[Example], *, per_token: bool) -> LabelledBatch:
    """The same for labels: the target of an example has one, or one for each token of its source.

    Those of tokens get the width of the source, whose end mark has none.
    """
    end = [PAD] if per_token else []
    labels_BL = pad_rows([[*example.target, *end] for example in examples])
    return LabelledBatch(
        *source_tensors([example.source for example in examples]),
        labels_BL=labels_BL,
        places_N=places_of(labels_BL),
    )
