"""A given target read by a decoder, so that all that happens on the way can be watched."""

import torch
from torch import Tensor

from seqcli.nn.attention import Memory
from seqcli.nn.decoder import Decoder, DecoderState


def read_target(
    decoder: Decoder, embedded_BTE: Tensor, memory: Memory, state: DecoderState
) -> tuple[Tensor, Tensor]:
    """Return features_BTE as the decoder itself gives them, and attention weights_BTS.

    Every layer is called as a module, also where the decoder feeds its features back; there it is
    called once a step.
    """
    feeds = decoder.input_feeding
    features, weights = [], []
    for piece_BTE in embedded_BTE.split(1, dim=1) if feeds else [embedded_BTE]:
        states_BTH, state = decoder.advance(piece_BTE, state)
        context_BTH, weights_BTS = decoder.attention(states_BTH, memory)
        features_BTE = decoder.combine(states_BTH, context_BTH)
        if feeds:
            state = state._replace(fed_BE=features_BTE[:, 0])
        features.append(features_BTE)
        weights.append(weights_BTS)
    return torch.cat(features, dim=1), torch.cat(weights, dim=1)
