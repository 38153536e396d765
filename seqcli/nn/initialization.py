"""How the weights of recurrent layers begin."""

import math

from torch import Tensor, nn


def initialize(module: nn.RNNBase) -> None:
    """Orthogonal recurrent and Xavier input weights, zero biases, an open forget gate."""
    size = module.hidden_size
    input_weight, recurrent_weight, input_bias, recurrent_bias = module.all_weights[0]
    initialize_input(input_weight, size)
    initialize_recurrent(recurrent_weight, size)
    for bias in (input_bias, recurrent_bias):
        nn.init.zeros_(bias)
    if isinstance(module, nn.LSTM):
        open_forget_gate(input_bias, size)


def initialize_input(weight_GE: Tensor, size: int) -> None:
    """Each gate by Xavier's rule (Glorot and Bengio, 2010)."""
    bound = math.sqrt(6 / (weight_GE.shape[1] + size))
    nn.init.uniform_(weight_GE, -bound, bound)


def initialize_recurrent(weight_GH: Tensor, size: int) -> None:
    """An orthogonal matrix for each gate (Saxe et al., 2014)."""
    for gate_HH in weight_GH.data.split(size):
        nn.init.orthogonal_(gate_HH)


def open_forget_gate(bias_G: Tensor, size: int) -> None:
    """A forget bias of 1 lets gradient through many steps from the start.

    Gers et al. (2000), Jozefowicz et al. (2015).
    """
    bias_G.data[size : 2 * size] = 1
