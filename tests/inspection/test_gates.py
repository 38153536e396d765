"""Gates followed over a sentence and summed up over a text, against the network itself."""

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from torch import Tensor, nn

from seqcli.data.batch import source_tensors
from seqcli.decoding.neural_translator import NeuralTranslator
from seqcli.decoding.step import ModelStepper
from seqcli.errors import ConfigError, DataError
from seqcli.inspection.gate_statistics import GateSummary, gate_statistics
from seqcli.inspection.gates import GateTrace, most_varying_units, trace_gates
from seqcli.inspection.loading import LoadedModel
from seqcli.inspection.replay import layers_of, replay
from seqcli.nn.cells import CELLS
from seqcli.nn.masks import reversal_of, reverse_time
from seqcli.tokenizers.vocabulary import BOS
from tests.inspection.models import MOST_TOKENS, READERS, SENTENCE, SOURCES, untrained_model

LINES = [*SOURCES[1:], "", "Hund"]


@pytest.fixture
def lstm() -> LoadedModel:
    return untrained_model()


def encoded(loaded: LoadedModel, lines: list[str]) -> list[list[int]]:
    return [loaded.source_tokenizer.encode(line) for line in lines if line]


def outputs_of(network: nn.Module, layer: nn.Module, *inputs: Tensor) -> Tensor:
    """The states that a layer gives in a forward pass of the whole network."""
    seen: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, read, given: seen.append(given[0]))
    network(*inputs)
    handle.remove()
    return torch.cat(seen, dim=1)


@pytest.mark.parametrize("stack", ["plain", "dense"])
@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
@pytest.mark.parametrize("cell", CELLS)
def test_replayed_hidden_states_are_those_of_the_encoder(
    cell: str, direction: str, stack: str
) -> None:
    loaded = untrained_model(
        f"model.encoder.cell={cell}",
        f"model.encoder.direction={direction}",
        f"model.encoder.stack={stack}",
        "model.bridge=dense",
    )
    loaded.model.double()  # a relu network may grow large
    sources = encoded(loaded, LINES)
    source_BS, mask_BS = source_tensors(sources)
    layers = layers_of(loaded, "encoder")
    run = replay(loaded, "encoder", [layer.module for layer in layers], sources)
    for layer, values in zip(layers, run.values, strict=True):
        states_BSH = outputs_of(
            loaded.model, layer.module, source_BS, mask_BS, torch.full((4, 1), BOS)
        )
        torch.testing.assert_close(values["hidden"][mask_BS], states_BSH[mask_BS])


def test_replayed_states_of_the_top_layer_are_the_output_of_the_encoder() -> None:
    loaded = untrained_model("model.encoder.stack=plain")
    sources = encoded(loaded, LINES)
    source_BS, mask_BS = source_tensors(sources)
    forwards, backwards = (layer.module for layer in layers_of(loaded, "encoder")[-2:])
    run = replay(loaded, "encoder", [forwards, backwards], sources)
    backward_BSH = reverse_time(run.values[1]["hidden"], reversal_of(mask_BS))
    memory, _ = loaded.model.encode(source_BS, mask_BS)
    both_BSH = torch.cat([run.values[0]["hidden"], backward_BSH], dim=2)
    torch.testing.assert_close(both_BSH[mask_BS], memory.states_BSH[mask_BS])


@pytest.mark.parametrize("fed", ["true", "false"])
@pytest.mark.parametrize("cell", CELLS)
def test_replayed_states_of_the_decoder_give_its_features(cell: str, fed: str) -> None:
    loaded = untrained_model(
        f"model.decoder.cell={cell}",
        f"model.input_feeding={fed}",
        "model.decoder.stack=plain",
        "model.bridge=dense",
    )
    loaded.model.double()
    sources, targets = encoded(loaded, LINES[:2]), encoded(loaded, LINES[1:3])
    run = replay(loaded, "decoder", [layers_of(loaded, "decoder")[-1].module], sources, targets)
    memory, state = loaded.model.encode(*source_tensors(sources))
    embedded_BTE = loaded.model.embed_target(run.tokens_BS)
    features_BTE = loaded.model.decoder(embedded_BTE, memory, state)[0]
    decoder = loaded.model.decoder
    context_BTH, _ = decoder.attention(run.values[0]["hidden"], memory)
    replayed_BTE = decoder.combine(run.values[0]["hidden"], context_BTH)
    torch.testing.assert_close(replayed_BTE[run.mask_BS], features_BTE[run.mask_BS])
    assert run.mask_BS.sum(1).tolist() == [1 + len(target) for target in targets]


@pytest.mark.parametrize("architecture", READERS)
@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
@pytest.mark.parametrize("cell", CELLS)
def test_replayed_hidden_states_are_those_of_an_encoder_without_a_decoder(
    cell: str, direction: str, architecture: str
) -> None:
    loaded = untrained_model(
        f"model.encoder.cell={cell}",
        f"model.encoder.direction={direction}",
        architecture=architecture,
    )
    loaded.model.double()
    sources = encoded(loaded, LINES)
    source_BS, mask_BS = source_tensors(sources)
    layers = layers_of(loaded, "encoder")
    run = replay(loaded, "encoder", [layer.module for layer in layers], sources)
    for layer, values in zip(layers, run.values, strict=True):
        states_BSH = outputs_of(loaded.model, layer.module, source_BS, mask_BS)
        torch.testing.assert_close(values["hidden"][mask_BS], states_BSH[mask_BS])


@pytest.mark.parametrize("size", [4, 5])
@pytest.mark.parametrize("cell", CELLS)
def test_replayed_states_of_a_language_model_are_its_features(cell: str, size: int) -> None:
    """Those of the top layer, which are narrowed where they are wider than the embeddings."""
    loaded = untrained_model(
        f"model.decoder.cell={cell}",
        f"model.decoder.size={size}",
        "model.decoder.stack=plain",
        architecture="language-model",
    )
    model = loaded.model.double()
    sources = encoded(loaded, LINES)
    run = replay(loaded, "decoder", [layers_of(loaded, "decoder")[-1].module], sources)
    features_BTE, _ = model(run.tokens_BS)
    states_BTH = run.values[0]["hidden"]
    replayed_BTE = states_BTH if size == 4 else model.narrowing(states_BTH)
    torch.testing.assert_close(replayed_BTE[run.mask_BS], features_BTE[run.mask_BS])
    assert run.tokens_BS[:, 0].tolist() == [BOS] * len(sources)
    assert run.mask_BS.sum(1).tolist() == [1 + len(source) for source in sources]


def test_gates_and_cell_of_an_lstm_obey_its_equations(lstm: LoadedModel) -> None:
    """Worked out with numbers from the weights of torch, one unit and token at a time."""
    layer = layers_of(lstm, "encoder")[0].module
    weights = [parameter.double() for parameter in layer.parameters()]
    input_GE, recurrent_GH, input_bias_G, recurrent_bias_G = weights
    tokens = [*lstm.source_tokenizer.encode(SENTENCE), 2]
    trace = trace_gates(lstm, SENTENCE, units=range(3))
    hidden_H, cell_H = torch.zeros(3).double(), torch.zeros(3).double()
    for place, token in enumerate(tokens):
        read_E = lstm.model.source_embedding.weight[token].double() * lstm.model.source_scale
        sums_G = input_GE @ read_E + input_bias_G + recurrent_GH @ hidden_H + recurrent_bias_G
        input_H, forget_H, candidate_H, output_H = sums_G.split(3)
        cell_H = forget_H.sigmoid() * cell_H + input_H.sigmoid() * candidate_H.tanh()
        hidden_H = output_H.sigmoid() * cell_H.tanh()
        expected = {
            "input": input_H.sigmoid(),
            "forget": forget_H.sigmoid(),
            "output": output_H.sigmoid(),
            "cell": cell_H,
            "hidden": hidden_H,
        }
        for unit in trace.units:
            assert list(unit.values) == list(expected)
            for name, values_H in expected.items():
                assert unit.values[name][place] == pytest.approx(float(values_H[unit.unit]), 1e-4)


@pytest.mark.parametrize(
    ("cell", "gates", "values"),
    [
        ("rnn-tanh", [], ["hidden"]),
        ("rnn-relu", [], ["hidden"]),
        ("gru", ["reset", "update"], ["reset", "update", "hidden"]),
        (
            "lstm",
            ["input", "forget", "output"],
            ["input", "forget", "output", "cell", "hidden"],
        ),
    ],
)
def test_each_cell_shows_the_gates_that_it_has(
    cell: str, gates: list[str], values: list[str]
) -> None:
    loaded = untrained_model(f"model.encoder.cell={cell}", "model.bridge=dense")
    trace = trace_gates(loaded, SENTENCE, most_varying=2)
    assert trace.gates == gates
    assert [list(unit.values) for unit in trace.units] == [values, values]


def test_a_backward_layer_is_shown_in_the_order_of_the_text(lstm: LoadedModel) -> None:
    """It reads the last token first, from a state of zero: there the cell is i g alone."""
    trace = trace_gates(lstm, SENTENCE, direction="backward", units=[1])
    layer = layers_of(lstm, "encoder")[1].module
    end_E = lstm.model.source_embedding.weight[2] * lstm.model.source_scale
    states_11H, _ = layer(end_E.view(1, 1, -1))
    assert trace.tokens[-1] == "</s>"
    assert trace.units[0].values["hidden"][-1] == pytest.approx(float(states_11H[0, 0, 1]), 1e-5)


def test_a_decoder_is_followed_over_its_own_greedy_translation(lstm: LoadedModel) -> None:
    translator = NeuralTranslator(
        ModelStepper(lstm.model),
        msgspec.structs.replace(lstm.recipe.decoding, strategy="greedy"),
        source_tokenizer=lstm.source_tokenizer,
        target_tokenizer=lstm.target_tokenizer,
    )
    (translation,) = translator.translate([SENTENCE])
    trace = trace_gates(lstm, SENTENCE, part="decoder", layer=2)
    assert trace.tokens == ["<s>", *translation.hypotheses[0].tokens]
    assert {len(values) for unit in trace.units for values in unit.values.values()} == {
        len(trace.tokens)
    }


def test_a_decoder_is_followed_over_a_given_target(lstm: LoadedModel) -> None:
    trace = trace_gates(lstm, SENTENCE, part="decoder", target="dogs run")
    assert trace.tokens == ["<s>", "▁dogs", "▁run"]


@pytest.mark.parametrize(
    ("architecture", "part", "first", "last"),
    [
        ("classifier", "encoder", [], ["</s>"]),
        ("tagger", "encoder", [], ["</s>"]),
        ("language-model", "decoder", ["<s>"], []),
    ],
)
@pytest.mark.parametrize("kind", ["words", "characters", "unigram"])
def test_other_models_are_followed_over_the_text_as_they_read_it(
    kind: str, architecture: str, part: str, first: list[str], last: list[str]
) -> None:
    loaded = untrained_model(architecture=architecture, kind=kind)
    long = f" {SENTENCE}  {SOURCES[3]} " * 3  # all at once, whatever its length
    if architecture == "language-model":
        tokenizer = loaded.source_tokenizer
        tokens = tokenizer.vocabulary.pieces_of(tokenizer.encode(long))
    else:
        (translation,) = loaded.task.predictor(loaded.model).translate([long])
        tokens = list(translation.source_tokens)
    trace = trace_gates(loaded, long)
    assert (trace.part, trace.cell) == (part, "lstm")
    assert trace.tokens == [*first, *tokens, *last]
    assert trace == trace_gates(loaded, long, part=part)


@pytest.mark.parametrize(
    ("architecture", "part"), [("classifier", "decoder"), ("language-model", "encoder")]
)
def test_a_part_that_a_model_does_not_have_is_refused_with_the_reason(
    architecture: str, part: str, tmp_path: Path
) -> None:
    loaded = untrained_model(architecture=architecture)
    for look in (trace_gates, gate_statistics):
        with pytest.raises(ConfigError, match=f"has no {part}") as caught:
            look(loaded, SENTENCE, part=part)
        assert repr(architecture) in caught.value.why


@pytest.mark.parametrize("architecture", ["seq2seq", *READERS, "language-model"])
def test_a_target_that_nothing_reads_is_refused(architecture: str) -> None:
    loaded = untrained_model(architecture=architecture)
    with pytest.raises(ConfigError, match="reads no target"):
        trace_gates(loaded, SENTENCE, target="dogs")


def test_the_units_that_vary_most_come_first() -> None:
    values = {
        "input": torch.tensor([[[0.5, 0.0, 0.3, 0.3], [0.5, 0.5, 0.4, 0.4]]]),
        "forget": torch.tensor([[[0.1, 0.2, 0.9, 0.9], [0.1, 0.2, 0.1, 0.1]]]),
        "cell": torch.tensor([[[9.0, 0.0, 0.0, 0.0], [-9.0, 0.0, 0.0, 0.0]]]),
    }
    assert most_varying_units(values, ["input", "forget"], 3) == [2, 3, 1]
    assert most_varying_units(values, ["cell"], 9) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("architecture", "part"),
    [
        ("seq2seq", "encoder"),
        ("seq2seq", "decoder"),
        *((architecture, "encoder") for architecture in READERS),
        ("language-model", "decoder"),
    ],
)
def test_statistics_are_those_of_all_units_over_all_sentences_alone(
    architecture: str, part: str, tmp_path: Path
) -> None:
    """Sentence by sentence there is no padding, and numpy's own formulas give the figures."""
    lstm = untrained_model(architecture=architecture)
    path = tmp_path / "text"
    path.write_text("".join(f"{line}\n" for line in LINES))
    found = gate_statistics(lstm, path, part=part)
    texts = [line for line in LINES if line]
    assert found.sentences == 4
    for layer in found.layers:
        traces = [
            trace_gates(
                lstm,
                text,
                part=part,
                layer=layer.layer,
                direction=layer.direction,
                units=range(3 if part == "encoder" else 5),
            )
            for text in texts
        ]
        assert found.tokens == sum(len(trace.tokens) for trace in traces)

        def values_of(name: str, traces: list[GateTrace] = traces) -> Tensor:
            return torch.tensor(
                [value for trace in traces for unit in trace.units for value in unit.values[name]],
                dtype=torch.float64,
            )

        for gate in layer.gates:
            values = values_of(gate.gate)
            expected = GateSummary(
                gate=gate.gate,
                mean=float(values.mean()),
                standard_deviation=float(values.std(correction=0)),
                share_shut=float((values < 0.1).double().mean()),
                share_open=float((values > 0.9).double().mean()),
            )
            assert msgspec.structs.astuple(gate)[1:] == pytest.approx(
                msgspec.structs.astuple(expected)[1:], 1e-4
            )
        forget = float(values_of("forget").mean())
        assert math.exp(-1 / (layer.memory_tokens or 0)) == pytest.approx(forget, 1e-4)
        for name, magnitude in layer.magnitudes.items():
            assert magnitude == pytest.approx(float(values_of(name).abs().mean()), 1e-4)


def test_statistics_do_not_depend_on_how_a_text_is_cut_into_batches(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("".join(f"{line}\n" for line in LINES))
    one, many = (
        gate_statistics(untrained_model(f"decoding.batch_sentences={size}"), path)
        for size in (1, 64)
    )
    for alone, together in zip(one.layers, many.layers, strict=True):
        assert alone.magnitudes == pytest.approx(together.magnitudes, 1e-5)
        assert [gate.mean for gate in alone.gates] == pytest.approx(
            [gate.mean for gate in together.gates], 1e-5
        )


def test_a_cell_without_gates_has_no_memory_to_measure(tmp_path: Path) -> None:
    loaded = untrained_model("model.encoder.cell=rnn-tanh", "model.bridge=dense")
    path = tmp_path / "text"
    path.write_text(f"{SENTENCE}\n")
    for layer in gate_statistics(loaded, path).layers:
        assert (layer.gates, list(layer.magnitudes), layer.memory_tokens) == ([], ["hidden"], None)


def test_what_is_no_number_is_null_in_json() -> None:
    """A relu network may grow beyond all numbers."""
    loaded = untrained_model("model.encoder.cell=rnn-relu", "model.bridge=dense")
    with torch.no_grad():
        for parameter in loaded.model.encoder.parameters():
            parameter.fill_(1e20)
    text = msgspec.json.encode(trace_gates(loaded, SENTENCE)).decode()
    values = json.loads(text, parse_constant=pytest.fail)["units"][0]["values"]["hidden"]
    assert None in values


@pytest.mark.parametrize(
    ("choice", "what", "fix"),
    [
        ({"layer": 3}, "the encoder has no layer 3", "Choose one from 1, the lowest, to 2"),
        ({"layer": 0}, "the encoder has no layer 0", "Choose one from 1, the lowest, to 2"),
        ({"units": [0, 3]}, "the layer has no unit 3", "Choose units from 0 to 2"),
        ({"units": [-1]}, "the layer has no unit -1", "Choose units from 0 to 2"),
        (
            {"part": "decoder", "direction": "backward"},
            "the decoder has no backward layer",
            "Choose forward",
        ),
    ],
)
def test_what_is_not_there_is_refused_with_its_range(
    choice: dict[str, Any], what: str, fix: str, lstm: LoadedModel
) -> None:
    with pytest.raises(ConfigError) as caught:
        trace_gates(lstm, SENTENCE, **choice)
    assert (caught.value.what, caught.value.fix) == (what, fix)


@pytest.mark.parametrize("text", ["", "  "])
def test_an_empty_sentence_is_refused(text: str, lstm: LoadedModel) -> None:
    with pytest.raises(DataError, match="the sentence is empty"):
        trace_gates(lstm, text)


def test_a_sentence_longer_than_the_model_reads_is_refused(
    lstm: LoadedModel, tmp_path: Path
) -> None:
    long = " ".join(["dogs"] * (MOST_TOKENS + 1))
    with pytest.raises(DataError, match="the sentence has 10 tokens"):
        trace_gates(lstm, long)
    path = tmp_path / "text"
    path.write_text(f"dogs\n\n{long}\n")
    with pytest.raises(DataError, match="text, line 3: the sentence has 10 tokens"):
        gate_statistics(lstm, path)


def test_a_file_without_a_sentence_is_refused(lstm: LoadedModel, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("\n  \n")
    with pytest.raises(DataError, match="there is no sentence in"):
        gate_statistics(lstm, path)
