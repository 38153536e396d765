"""Poolings: the states of all tokens of a text become one vector, by which it is judged."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from seqcli.nn.attention import normalized
from seqcli.nn.masks import last_of


class Pooling(nn.Module, ABC):
    """A way from states to one vector of their width."""

    def __init__(self, *, size: int, direction: str) -> None:
        """`size` is the width of the states, `direction` the one that they were read in."""
        super().__init__()

    @abstractmethod
    def forward(self, states_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        """Return vectors_BH; each row has a real token, and padding makes no difference."""


class LastPooling(Pooling):
    """What is known once all is read: of each direction, the state that it ends with."""

    def __init__(self, *, size: int, direction: str) -> None:
        super().__init__(size=size, direction=direction)
        self.num_forward = {"forward": size, "backward": 0}.get(direction, size // 2)

    def forward(self, states_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        ends_BH = last_of(states_BSH, mask_BS)
        starts_BH = states_BSH[:, 0]
        return torch.cat([ends_BH[:, : self.num_forward], starts_BH[:, self.num_forward :]], 1)


class MeanPooling(Pooling):
    """The mean over the tokens."""

    def forward(self, states_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        real_BS1 = mask_BS.unsqueeze(2).to(states_BSH.dtype)
        return (states_BSH * real_BS1).sum(1) / real_BS1.sum(1)


class MaxPooling(Pooling):
    """The largest value of each unit over the tokens (Collobert et al., 2011)."""

    def forward(self, states_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        return states_BSH.masked_fill(~mask_BS.unsqueeze(2), -torch.inf).amax(1)


class AttentionPooling(Pooling):
    """A mean whose weights are learned: softmax of v . tanh(W state + b) (Yang et al., 2016)."""

    def __init__(self, *, size: int, direction: str) -> None:
        super().__init__(size=size, direction=direction)
        self.projection = nn.Linear(size, size)
        self.score_vector = nn.Linear(size, 1, bias=False)
        for layer in (self.projection, self.score_vector):
            nn.init.xavier_uniform_(layer.weight)

    def forward(self, states_BSH: Tensor, mask_BS: Tensor) -> Tensor:
        scores_BS = self.score_vector(torch.tanh(self.projection(states_BSH))).squeeze(2)
        weights_BS = normalized(scores_BS, mask_BS)
        return (weights_BS.to(states_BSH.dtype).unsqueeze(1) @ states_BSH).squeeze(1)


POOLINGS: dict[str, type[Pooling]] = {
    "last": LastPooling,
    "mean": MeanPooling,
    "max": MaxPooling,
    "attention": AttentionPooling,
}
