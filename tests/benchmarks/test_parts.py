"""The parts of a step are all of it."""

import time

import pytest

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import Seq2SeqConfig, build_seq2seq
from seqcli.data.batch import pair_batch
from seqcli.data.dataset import Example
from tests.benchmarks.parts import ATTENTION, DECODER, ENCODER, OUTPUT, Stopwatch, shown, watch

BATCH = pair_batch([Example([5, 6, 7], [8, 9]), Example([5], [8, 8, 4])])


@pytest.mark.parametrize("input_feeding", [False, True])
def test_a_model_charges_its_parts_forward_and_backward(input_feeding: bool) -> None:
    model = build_seq2seq(
        Seq2SeqConfig(
            embedding_size=8,
            encoder=EncoderConfig(size=6),
            decoder=DecoderConfig(size=10),
            input_feeding=input_feeding,
        ),
        source_vocabulary_size=30,
        target_vocabulary_size=30,
    )
    laps = []
    stopwatch = Stopwatch()
    stopwatch.lap = laps.append  # type: ignore[method-assign]
    watch(model, stopwatch)
    features_BTE = model(BATCH.source_BS, BATCH.source_mask_BS, BATCH.target_input_BT)
    (features_BTE @ model.output_weight.T).square().sum().backward()
    within = [DECODER] if input_feeding else [DECODER, ATTENTION]
    assert laps == [ENCODER, *within, OUTPUT, *reversed(within), ENCODER]


def test_all_time_is_charged() -> None:
    start = time.perf_counter()
    stopwatch = Stopwatch()
    for part in (ENCODER, DECODER, ENCODER):
        time.sleep(0.002)
        stopwatch.lap(part)
    assert stopwatch.seconds[ENCODER] >= 0.004
    assert sum(stopwatch.seconds.values()) <= time.perf_counter() - start


def test_parts_are_shown_as_means_with_their_shares() -> None:
    rounds = [{ENCODER: 0.1, OUTPUT: 0.2}, {ENCODER: 0.3, OUTPUT: 0.4}]
    assert shown(rounds) == "a step of 500 ms: encoder 200 ms (40%), output and loss 300 ms (60%)"
