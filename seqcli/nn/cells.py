"""Recurrent layers that read forward: the equations of each cell, and its fastest kernel.

A cell says how one step goes: what it takes from the input, its gates, its new state. From the same
equations a layer can be run step by step (with dropout of its states, or to look at its gates); the
cells that torch has run whole sequences in torch's kernels: oneDNN's on the CPU, cuDNN's on CUDA.
The LSTM has one operation of our own for training: for large batches in bfloat16 on the CPU, and
wherever states are dropped.

For torch's kernels sequences are padded, never packed: packed ones miss oneDNN's and some of
cuDNN's fast kernels. Our own operation and the loop over steps pass over most of the padding.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from seqcli.nn.initialization import (
    initialize,
    initialize_input,
    initialize_recurrent,
    open_forget_gate,
)
from seqcli.nn.layer import Gates, RecurrentLayer, State, SummingLayer, at_least_float32
from seqcli.nn.lstm_sequence import lstm_sequence
from seqcli.nn.masks import Reading, last_of
from seqcli.nn.pointwise import lstm_cell, lstm_hidden
from seqcli.nn.stepping import product_dtype

__all__ = ["CELLS", "LSTMLayer", "RecurrentLayer", "State", "TorchLayer"]

LARGE_STEP = 16_384  # units of all rows of a batch
SHUT = 1e4  # an input so large that a sigmoid of it is 1, and of its negative 0, to the last bit

# Of the norms at the start: at 1, a deep stack blows up the gradient layer upon layer
FIRST_GAIN = 0.2  # of products
FIRST_CELL_GAIN = 0.3  # of the cell that is read out


class TorchLayer(RecurrentLayer):
    """A layer that torch has a kernel for, which drops no states."""

    @property
    @abstractmethod
    def module(self) -> nn.RNNBase:
        """The layer of torch that holds the weights."""

    def input_weights(self) -> tuple[Tensor, Tensor | None]:
        weight_GE, _, bias_G, _ = self.module.all_weights[0]
        return weight_GE, bias_G

    def recurrent_weights(self) -> tuple[Tensor, Tensor | None]:
        _, weight_GH, _, bias_G = self.module.all_weights[0]
        return weight_GH, bias_G

    def kernel(self, device_type: str) -> str:
        if self.state_dropout.probability:
            return "steps"
        return "cuDNN" if device_type == "cuda" else "torch"

    def forward(
        self, inputs_BSE: Tensor, state: State | None = None, reading: Reading | None = None
    ) -> tuple[Tensor, State]:
        if self.training and self.state_dropout.probability:
            return super().forward(inputs_BSE, state, reading)
        if not (inputs_BSE.is_cuda and torch.is_autocast_enabled("cuda")):
            return self._run_kernel(inputs_BSE, state, reading)
        with torch.autocast("cuda", enabled=False):  # it would run cuDNN in float16, unscaled
            state = None if state is None else tuple(map(at_least_float32, state))
            return self._run_kernel(at_least_float32(inputs_BSE), state, reading)

    def _run_kernel(
        self, inputs_BSE: Tensor, state: State | None, reading: Reading | None
    ) -> tuple[Tensor, State]:
        carried = None if state is None else state[0].unsqueeze(0)
        states_BSH, last_1BH = self.module(inputs_BSE, carried)
        if reading is not None and reading.with_state:
            return states_BSH, (last_of(states_BSH, reading.mask_BS),)
        return states_BSH, (last_1BH[0],)


class TanhRNNLayer(SummingLayer, TorchLayer):
    """h = tanh(W x + U h + b) (Elman, 1990)."""

    activation: ClassVar[str] = "tanh"

    def __init__(self, *, input_size: int, hidden_size: int, state_dropout: float = 0.0) -> None:
        super().__init__(
            input_size=input_size, hidden_size=hidden_size, state_dropout=state_dropout
        )
        self.rnn = nn.RNN(input_size, hidden_size, nonlinearity=self.activation, batch_first=True)
        initialize(self.rnn)

    @property
    def module(self) -> nn.RNNBase:
        return self.rnn

    def gates_by_sums(self, sums_BG: Tensor) -> Gates:
        return {"candidate": torch.tanh(sums_BG)}

    def update(self, gates: Gates, state: State) -> State:
        return (gates["candidate"],)


class ReluRNNLayer(TanhRNNLayer):
    """h = relu(W x + U h + b) (Le et al., 2015), begun with an orthogonal U, not their identity."""

    activation = "relu"

    def gates_by_sums(self, sums_BG: Tensor) -> Gates:
        return {"candidate": torch.relu(sums_BG)}


class GRULayer(TorchLayer):
    """Gated recurrent unit (Cho et al., 2014), the reset gate after the product as in cuDNN.

    r, z = sigmoid(W x + U h + b); n = tanh(W x + b + r (U h + b)); h = (1 - z) n + z h.
    """

    def __init__(self, *, input_size: int, hidden_size: int, state_dropout: float = 0.0) -> None:
        super().__init__(
            input_size=input_size, hidden_size=hidden_size, state_dropout=state_dropout
        )
        self.gru = nn.GRU(input_size, hidden_size, batch_first=True)
        initialize(self.gru)

    @property
    def module(self) -> nn.RNNBase:
        return self.gru

    def gates(self, products_BG: Tensor, recurrent_BG: Tensor, state: State) -> Gates:
        size = self.hidden_size
        both_BG = torch.sigmoid(products_BG[:, : 2 * size] + recurrent_BG[:, : 2 * size])
        reset_BH, update_BH = both_BG.chunk(2, dim=1)
        new_BH = products_BG[:, 2 * size :] + reset_BH * recurrent_BG[:, 2 * size :]
        return {"reset": reset_BH, "update": update_BH, "candidate": torch.tanh(new_BH)}

    def update(self, gates: Gates, state: State) -> State:
        candidate_BH = gates["candidate"]
        return (candidate_BH + gates["update"] * (state[0] - candidate_BH),)


class LSTMLayer(SummingLayer, TorchLayer):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gate Gers et al., 2000).

    i, f, o = sigmoid(W x + U h + b); g = tanh(W x + U h + b); c = f c + i g; h = o tanh(c).
    """

    state_names = ("hidden", "cell")

    def __init__(self, *, input_size: int, hidden_size: int, state_dropout: float = 0.0) -> None:
        super().__init__(
            input_size=input_size, hidden_size=hidden_size, state_dropout=state_dropout
        )
        self.lstm = nn.LSTM(input_size, hidden_size, batch_first=True)
        initialize(self.lstm)

    @property
    def module(self) -> nn.RNNBase:
        return self.lstm

    def gates_by_sums(self, sums_BG: Tensor) -> Gates:
        return _lstm_gates(sums_BG)

    def update(self, gates: Gates, state: State) -> State:
        cell_BH = gates["forget"] * state[1] + gates["input"] * gates["candidate"]
        return gates["output"] * torch.tanh(cell_BH), cell_BH

    def step_by_sums(self, sums_BG: Tensor, state: State) -> State:
        output_BH, cell_BH = lstm_cell(sums_BG, state[1])
        return lstm_hidden(output_BH, cell_BH), cell_BH

    def read(self, inputs_NE: Tensor, state: State, sizes: Sequence[int]) -> State:
        weight_GE, weight_GH, bias_G, recurrent_bias_G = self.lstm.all_weights[0]
        dtype = product_dtype(weight_GH)
        mask_BH = self.state_dropout.mask_for(weight_GH.new_empty(sizes[0], self.hidden_size))
        with torch.autocast(inputs_NE.device.type, enabled=False):
            return lstm_sequence(
                inputs_NE.to(dtype),
                (state[0].to(dtype), at_least_float32(state[1])),
                (weight_GE.to(dtype), weight_GH.to(dtype), bias_G + recurrent_bias_G),
                sizes,
                mask_BH=mask_BH,
            )

    def kernel(self, device_type: str) -> str:
        kernel = super().kernel(device_type)
        names = {"steps": "lstm_sequence", "torch": "oneDNN or lstm_sequence"}
        return names.get(kernel, kernel)

    def _run_kernel(
        self, inputs_BSE: Tensor, state: State | None, reading: Reading | None
    ) -> tuple[Tensor, State]:
        if pays_as_one_operation(inputs_BSE, self.lstm.all_weights[0][1]):
            return RecurrentLayer.forward(self, inputs_BSE, state, reading)
        hidden_BH, cell_BH = state or self.zero_state(inputs_BSE)
        carried = (hidden_BH.unsqueeze(0), cell_BH.unsqueeze(0))
        if reading is None or not reading.with_state:
            states_BSH, (hidden_1BH, cell_1BH) = self.lstm(inputs_BSE, carried)
            return states_BSH, (hidden_1BH[0], cell_1BH[0])
        states_BSH, cell_BH = self._run_frozen(inputs_BSE, carried, reading.mask_BS)
        return states_BSH, (last_of(states_BSH, reading.mask_BS), cell_BH)

    def _run_frozen(
        self, inputs_BSE: Tensor, carried: tuple[Tensor, Tensor], mask_BS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return states_BSH and the cell after the last real token of each row.

        torch's kernels give away no cell but the last one. So padding is marked by one more input,
        which shuts the input gate and opens the forget gate: the cell stays as it is to the end.
        """
        weight_GE, weight_GH, *biases = self.lstm.all_weights[0]
        mark_G = weight_GE.new_zeros(len(weight_GE))
        mark_G[: self.hidden_size] = -SHUT
        mark_G[self.hidden_size : 2 * self.hidden_size] = SHUT
        weights = [torch.cat([weight_GE, mark_G.unsqueeze(1)], dim=1), weight_GH, *biases]
        marked_BSE = torch.cat([inputs_BSE, (~mask_BS).unsqueeze(2).to(inputs_BSE.dtype)], dim=2)
        states_BSH, _, cell_1BH = torch.lstm(
            marked_BSE, carried, weights, True, 1, 0.0, self.training, False, True
        )
        return states_BSH, cell_1BH[0]


class LayerNormLSTMLayer(RecurrentLayer):
    """LSTM with layer normalisation of both products and of the cell that is read out.

    Ba et al. (2016), equations 20 to 22: i, f, g, o from LN(U h) + LN(W x) + b, h = o tanh(LN(c)).
    The bias is the one inside the norm of W x, which can take up the others.
    """

    state_names = ("hidden", "cell")

    def __init__(self, *, input_size: int, hidden_size: int, state_dropout: float = 0.0) -> None:
        super().__init__(
            input_size=input_size, hidden_size=hidden_size, state_dropout=state_dropout
        )
        self.input_projection = nn.Linear(input_size, 4 * hidden_size, bias=False)
        self.recurrent_projection = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.input_norm = nn.LayerNorm(4 * hidden_size)
        self.recurrent_norm = nn.LayerNorm(4 * hidden_size, bias=False)
        self.cell_norm = nn.LayerNorm(hidden_size)
        initialize_input(self.input_projection.weight, hidden_size)
        initialize_recurrent(self.recurrent_projection.weight, hidden_size)
        for norm in (self.input_norm, self.recurrent_norm):
            nn.init.constant_(norm.weight, FIRST_GAIN)
        nn.init.constant_(self.cell_norm.weight, FIRST_CELL_GAIN)
        open_forget_gate(self.input_norm.bias, hidden_size)

    def input_weights(self) -> tuple[Tensor, Tensor | None]:
        return self.input_projection.weight, None

    def recurrent_weights(self) -> tuple[Tensor, Tensor | None]:
        return self.recurrent_projection.weight, None

    def prepare(self, products: Tensor) -> Tensor:
        normalized: Tensor = self.input_norm(products)
        return normalized

    def gates(self, products_BG: Tensor, recurrent_BG: Tensor, state: State) -> Gates:
        return _lstm_gates(self._sums(products_BG, recurrent_BG))

    def update(self, gates: Gates, state: State) -> State:
        cell_BH = gates["forget"] * state[1] + gates["input"] * gates["candidate"]
        return gates["output"] * torch.tanh(self.cell_norm(cell_BH)), cell_BH

    def step(self, products_BG: Tensor, recurrent_BG: Tensor, state: State) -> State:
        output_BH, cell_BH = lstm_cell(self._sums(products_BG, recurrent_BG), state[1])
        return lstm_hidden(output_BH, self.cell_norm(cell_BH)), cell_BH

    def _sums(self, products_BG: Tensor, recurrent_BG: Tensor) -> Tensor:
        sums_BG: Tensor = products_BG + self.recurrent_norm(at_least_float32(recurrent_BG))
        return sums_BG

    def kernel(self, device_type: str) -> str:
        return "steps"


def pays_as_one_operation(inputs_BSE: Tensor, weight_GH: Tensor) -> bool:
    """Whether `lstm_sequence` is faster than torch's kernels: in bfloat16 training, in large steps.

    In float32 its products are MKL's, which on some processors are half as fast as oneDNN's.
    """
    is_large = len(inputs_BSE) * weight_GH.shape[1] >= LARGE_STEP
    is_training = torch.is_grad_enabled() and inputs_BSE.device.type == "cpu"
    return is_large and is_training and product_dtype(weight_GH) == torch.bfloat16


def _lstm_gates(sums_BG: Tensor) -> Gates:
    input_BH, forget_BH, candidate_BH, output_BH = sums_BG.chunk(4, dim=1)
    return {
        "input": torch.sigmoid(input_BH),
        "forget": torch.sigmoid(forget_BH),
        "candidate": torch.tanh(candidate_BH),
        "output": torch.sigmoid(output_BH),
    }


CELLS: dict[str, type[RecurrentLayer]] = {
    "rnn-tanh": TanhRNNLayer,
    "rnn-relu": ReluRNNLayer,
    "gru": GRULayer,
    "lstm": LSTMLayer,
    "layer-norm-lstm": LayerNormLSTMLayer,
}
