"""The floor counts what a step computes: else the share of it that is reached would be too good."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import Seq2SeqConfig
from seqcli.data.batch import pair_batch
from seqcli.data.dataset import Example
from seqcli.nn import packing
from seqcli.nn.packing import RealPacking
from tests.benchmarks.floor import operations, own_products, products, rows_of_steps
from tests.benchmarks.plain_loop import plain_model

VOCABULARY_SIZE = 30
GROUP = [Example([5, 6, 7], [8, 9, 10, 11]), Example([5, 9, 9], [8, 8, 12, 4])]


def config(layers: int, *, input_feeding: bool) -> Seq2SeqConfig:
    return Seq2SeqConfig(
        embedding_size=8,
        encoder=EncoderConfig(size=6, layers=layers),
        decoder=DecoderConfig(size=10),
        input_feeding=input_feeding,
        dropout=0.0,
        word_dropout=0.0,
    )


@pytest.mark.parametrize(("layers", "input_feeding"), [(1, False), (2, False), (1, True)])
def test_operations_are_those_that_torch_counts_in_the_plain_step(
    layers: int, input_feeding: bool
) -> None:
    model = plain_model(config(layers, input_feeding=input_feeding), VOCABULARY_SIZE)
    with FlopCounterMode(display=False) as counter:
        loss = model.double().loss(pair_batch(GROUP))  # oneDNN's float32 LSTM is not counted
        forward = counter.get_total_flops()
        loss.backward()
    counted = operations(config(layers, input_feeding=input_feeding), VOCABULARY_SIZE, [GROUP])
    assert 3 * forward == counted
    # the state that an encoder begins with needs no gradient
    assert counted == pytest.approx(counter.get_total_flops(), rel=0.02)


def test_steps_have_the_rows_that_our_layers_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for those of padding."""
    monkeypatch.setattr(packing, "FEW_ROWS", 1)
    lengths = [3, 5, 1, 5]
    mask_BS = torch.arange(5) < torch.tensor(lengths).unsqueeze(1)
    assert list(rows_of_steps(lengths)) == RealPacking(mask_BS).sizes


def test_products_of_a_step_can_be_made() -> None:
    of_step = list(products(config(1, input_feeding=True), VOCABULARY_SIZE, GROUP))
    assert own_products(10, of_step, torch.float32).speed > 0
