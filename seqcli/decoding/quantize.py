"""A decoder in 8-bit integers: the same search at a fraction of the memory traffic and time."""

import functools

import torch
from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.decoding.step import Rows, attend
from seqcli.nn.attention import Memory
from seqcli.nn.decoder import DecoderState
from seqcli.training.precision import choose_precision

LARGEST = 127  # magnitude of a quantised number
MOST_TABLE_ENTRIES = 1 << 25  # 128 MiB of products of the vocabulary with the input weights


@functools.cache
def int8_works() -> bool:
    """Whether this build of torch multiplies 8-bit matrices on the CPU, and rightly."""
    left = torch.arange(-8, 8, dtype=torch.int8).view(2, 8)
    right = torch.arange(-12, 12, dtype=torch.int8).view(3, 8)
    try:
        product = torch._int_mm(left, right.T)
    except (AttributeError, RuntimeError):
        return False
    return torch.equal(product.long(), left.long() @ right.long().T)


class Int8Linear:
    """A linear layer with 8-bit weights, a scale for each output.

    Inputs are quantised row by row as they come, so that a row's result does not depend on the
    other rows of its batch; the products are exact integers.
    """

    def __init__(self, weight_OI: Tensor, bias_O: Tensor | None = None) -> None:
        self._scale_O = _scales(weight_OI)
        quantized_OI = (weight_OI / self._scale_O.unsqueeze(1)).round().to(torch.int8)
        self._weight_IO = quantized_OI.T  # a view: rows of the memory stay inputs of one output
        self._bias_O = bias_O

    def __call__(self, inputs_RI: Tensor) -> Tensor:
        scale_R1 = _scales(inputs_RI).unsqueeze(1)
        quantized_RI = (inputs_RI / scale_R1).round_().to(torch.int8)
        outputs_RO = torch._int_mm(quantized_RI, self._weight_IO) * scale_R1
        outputs_RO *= self._scale_O
        return outputs_RO if self._bias_O is None else outputs_RO.add_(self._bias_O)


class Int8Stepper:
    """A Seq2Seq model whose decoder's matrix products run in 8 bits; BLEU moves by less than 0.1.

    The first layer's product with its input weights is looked up in a table made once for the whole
    vocabulary. The encoder runs in bfloat16 where that is faster.
    """

    def __init__(self, model: Seq2Seq) -> None:
        decoder = model.decoder
        self._model = model
        self._encoder_dtype = choose_precision("auto", torch.device("cpu"))
        self._layers = [_Int8LSTMCell(layer.lstm) for layer in decoder.stack.layers.children()]
        self._combination = Int8Linear(decoder.combination.weight, decoder.combination.bias)
        self._output = Int8Linear(model.output_weight, model.output_bias)
        self._table_VG = self._tabulate_input()

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        """Read the source; memory and state are float32."""
        bfloat16 = self._encoder_dtype == torch.bfloat16
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            memory = self._model.encode(source_BS, mask_BS)
            state = self._model.decoder.start(memory)
        exact = Memory(memory.states_BSH.float(), memory.keys_BSA.float(), memory.mask_BS)
        return exact, DecoderState(state.hidden_LBH.float(), state.cell_LBH.float())

    def step(
        self, tokens_R: Tensor, state: DecoderState, memory: Memory, rows: Rows
    ) -> tuple[Tensor, DecoderState, Tensor]:
        """Read a token a row; return logits_RV, the new state and attention weights_RS."""
        stack = self._model.decoder.stack
        below_RH, hidden, cell = self._embed(tokens_R), [], []
        for depth, layer in enumerate(self._layers):
            product_RG = (
                self._table_VG.index_select(0, tokens_R)
                if depth == 0 and self._table_VG is not None
                else layer.input_product(below_RH)
            )
            hidden_RH, cell_RH = layer(product_RG, state.hidden_LBH[depth], state.cell_LBH[depth])
            below_RH = stack.combine(below_RH, hidden_RH)
            hidden.append(hidden_RH)
            cell.append(cell_RH)
        context_RH, weights_RS = attend(self._model.decoder.attention, below_RH, memory, rows)
        features_RE = self._combination(torch.cat([below_RH, context_RH], dim=1)).tanh_()
        new_state = DecoderState(torch.stack(hidden), torch.stack(cell))
        return self._output(features_RE), new_state, weights_RS

    def _embed(self, tokens_R: Tensor) -> Tensor:
        embedded_RE: Tensor = self._model.target_embedding(tokens_R) * self._model.embedding_scale
        return embedded_RE

    def _tabulate_input(self) -> Tensor | None:
        """Return the first layer's input product of each token, unless that were too large."""
        vocabulary_size = len(self._model.output_bias)
        if vocabulary_size * self._layers[0].num_gate_units > MOST_TABLE_ENTRIES:
            return None
        embedded_VE = self._embed(torch.arange(vocabulary_size))
        return self._layers[0].input_product(embedded_VE)


class _Int8LSTMCell:
    """One step of an LSTM layer: the input's product in float32, the state's in 8 bits."""

    def __init__(self, lstm: nn.LSTM) -> None:
        self._input_weight, recurrent_weight, input_bias, recurrent_bias = lstm.all_weights[0]
        self._bias = input_bias + recurrent_bias
        self._recurrent = Int8Linear(recurrent_weight)
        self.num_gate_units = len(self._bias)

    def input_product(self, inputs_RE: Tensor) -> Tensor:
        """Return product_RG of the inputs with the weights of the gates, biases added."""
        return nn.functional.linear(inputs_RE, self._input_weight, self._bias)

    def __call__(
        self, product_RG: Tensor, hidden_RH: Tensor, cell_RH: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the new hidden_RH and cell_RH."""
        gates_RG = product_RG + self._recurrent(hidden_RH)
        input_RH, forget_RH, candidate_RH, output_RH = gates_RG.chunk(4, dim=1)
        new_cell_RH = forget_RH.sigmoid() * cell_RH + input_RH.sigmoid() * candidate_RH.tanh()
        return output_RH.sigmoid() * new_cell_RH.tanh(), new_cell_RH


def _scales(rows: Tensor) -> Tensor:
    """Return the step of each row's 8-bit grid; that of a row of zeros does not matter."""
    return rows.abs().amax(1).clamp_(min=1e-12).div_(LARGEST)
