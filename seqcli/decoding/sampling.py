"""Drawing the next token: from the whole distribution, or from the most probable part of it."""

import torch
from torch import Tensor

from seqcli.text.generation import GenerationConfig


def draw(logits_RV: Tensor, uniform_R: Tensor, config: GenerationConfig) -> Tensor:
    """Return a token for each row, drawn by a number from 0 to 1 (itself not included).

    The temperature comes first, then the `top_k` most probable tokens are kept (Fan et al., 2018),
    and of those the nucleus that holds `top_p` of their probability (Holtzman et al., 2020).
    """
    precise_RV = logits_RV.double()  # float32 has no room for some temperatures
    scaled_RV = (precise_RV - precise_RV.max(1, keepdim=True).values) / config.temperature
    if config.top_k is None and config.top_p == 1:
        return _place(scaled_RV.softmax(1), uniform_R)
    most = min(config.top_k or logits_RV.shape[1], logits_RV.shape[1])
    kept_RK, tokens_RK = scaled_RV.topk(most)  # in order, the most probable first
    probabilities_RK = kept_RK.softmax(1)
    before_RK = probabilities_RK.cumsum(1) - probabilities_RK
    nucleus_RK = probabilities_RK.where(before_RK < config.top_p, 0)
    return tokens_RK.gather(1, _place(nucleus_RK, uniform_R).unsqueeze(1))[:, 0]


def _place(weights_RK: Tensor, uniform_R: Tensor) -> Tensor:
    """Return where in each row the share of its sum falls, never on a weight of 0."""
    sums_RK = weights_RK.cumsum(1)
    total_R1 = sums_RK[:, -1:]
    wanted_R1 = uniform_R.unsqueeze(1) * total_R1
    below_total_R1 = total_R1.nextafter(torch.zeros_like(total_R1))  # a share may be rounded to 1
    return torch.searchsorted(sums_RK, wanted_R1.minimum(below_total_R1), right=True)[:, 0]
