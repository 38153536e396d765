"""8-bit inference: near the float model for every cell, stack and bridge, whatever the batch."""

import pytest
import torch
from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq, build_seq2seq
from seqcli.data.batch import source_tensors
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.quantize import (
    Int8BidirectionalLSTMLayer,
    Int8Linear,
    Int8LSTMLayer,
    int8_works,
    quantize_layers,
)
from seqcli.decoding.step import Int8Stepper, ModelStepper, Rows, Stepper
from seqcli.nn.cells import CELLS, LSTMLayer, RecurrentLayer
from seqcli.nn.masks import Reading
from seqcli.nn.recurrent import DIRECTIONS
from seqcli.nn.stacks import STACKS
from tests.contracts.models import SETTINGS, config_of
from tests.decoding.steppers import VOCABULARY, random_sources

SOURCES = random_sources(6)
TARGET_BT = torch.randint(4, VOCABULARY, (6, 5), generator=torch.Generator().manual_seed(1))

pytestmark = pytest.mark.skipif(
    not int8_works(), reason="this build of torch does not multiply 8-bit matrices"
)
each_model = pytest.mark.parametrize("name", SETTINGS)


def build(name: str, **settings: object) -> Seq2Seq:
    model = build_seq2seq(
        config_of(name, **settings),
        source_vocabulary_size=VOCABULARY,
        target_vocabulary_size=VOCABULARY,
    )
    return model.eval().requires_grad_(False)


@torch.inference_mode()
def logits(stepper: Stepper, sources: list[list[int]], target_BT: Tensor) -> Tensor:
    """Return logits_BTV of the steps over given target tokens."""
    memory, state = stepper.encode(*source_tensors(sources))
    row_B = torch.arange(len(sources))
    rows = Rows(row_B, torch.zeros_like(row_B), width=1)
    steps = []
    for tokens_B in target_BT.unbind(1):
        logits_BV, state, _ = stepper.step(tokens_B, state, memory, rows)
        steps.append(logits_BV)
    return torch.stack(steps, dim=1)


def kinds_in(module: nn.Module) -> set[type[nn.Module]]:
    return {type(child) for child in module.modules()}


@each_model
def test_logits_of_every_step_are_near_those_of_the_float_model(name: str) -> None:
    model = build(name)
    exact_BTV = logits(ModelStepper(model), SOURCES, TARGET_BT)
    near_BTV = logits(Int8Stepper(model), SOURCES, TARGET_BT)
    assert not torch.equal(near_BTV, exact_BTV)
    assert (near_BTV - exact_BTV).std() < 0.03 * exact_BTV.std()


@each_model
def test_the_model_itself_is_left_as_it_was(name: str) -> None:
    model = build(name)
    before_BTV = logits(ModelStepper(model), SOURCES, TARGET_BT)
    Int8Stepper(model)
    assert torch.equal(logits(ModelStepper(model), SOURCES, TARGET_BT), before_BTV)


@each_model
def test_a_sentence_alone_gives_the_logits_it_gives_in_a_batch(name: str) -> None:
    stepper = Int8Stepper(build(name))
    together_BTV = logits(stepper, SOURCES, TARGET_BT)
    for row, source in enumerate(SOURCES):
        alone_1TV = logits(stepper, [source], TARGET_BT[row : row + 1])
        torch.testing.assert_close(alone_1TV[0], together_BTV[row], atol=0.02, rtol=0)


@each_model
def test_a_search_runs_in_8_bits(name: str) -> None:
    with torch.inference_mode():
        found = greedy_search(Int8Stepper(build(name)), *source_tensors(SOURCES))
    assert len(found) == len(SOURCES)


@pytest.mark.parametrize("with_state", [False, True])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_layers_of_lstms_give_near_states_and_near_last_states(
    direction: str, with_state: bool
) -> None:
    holder = nn.ModuleDict(
        {"layer": DIRECTIONS[direction](lambda: LSTMLayer(input_size=8, hidden_size=16))}
    ).requires_grad_(False)
    inputs_BSE = torch.randn(3, 7, 8)
    mask_BS = torch.arange(7) < torch.tensor([[7], [3], [1]])
    reading = Reading(mask_BS, with_state=with_state)
    exact_BSH, exact = holder["layer"](inputs_BSE, None, reading)
    quantize_layers(holder)
    near_BSH, near = holder["layer"](inputs_BSE, None, reading)
    torch.testing.assert_close(near_BSH[mask_BS], exact_BSH[mask_BS], atol=0.03, rtol=0)
    for near_part_BH, exact_part_BH in zip(near, exact, strict=True):
        rows = slice(None) if with_state else slice(1)  # the last step of the others is padding
        torch.testing.assert_close(near_part_BH[rows], exact_part_BH[rows], atol=0.05, rtol=0)
    assert LSTMLayer not in kinds_in(holder)
    assert kinds_in(holder) & {Int8LSTMLayer, Int8BidirectionalLSTMLayer}


@pytest.mark.parametrize("cell", [cell for cell in CELLS if cell != "lstm"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_layers_of_other_cells_stay_exact(cell: str, direction: str) -> None:
    holder = nn.ModuleDict(
        {"layer": DIRECTIONS[direction](lambda: CELLS[cell](input_size=8, hidden_size=16))}
    ).requires_grad_(False)
    inputs_BSE, reading = torch.randn(3, 7, 8), Reading(torch.ones(3, 7, dtype=torch.bool))
    exact_BSH, _ = holder["layer"](inputs_BSE, None, reading)
    quantize_layers(holder)
    assert torch.equal(holder["layer"](inputs_BSE, None, reading)[0], exact_BSH)


@pytest.mark.parametrize("stack", STACKS)
def test_all_linear_maps_but_those_inside_other_cells_are_replaced(stack: str) -> None:
    for cell in CELLS:
        model = build("the default", stacks={"stack": stack, "cell": cell, "projection": True})
        quantize_layers(model)
        for name, module in model.named_modules():
            inside_a_layer = any(
                isinstance(model.get_submodule(name.rsplit(".", depth)[0]), RecurrentLayer)
                for depth in range(1, name.count(".") + 1)
            )
            assert inside_a_layer or not isinstance(module, nn.Linear), name
        assert Int8Linear in kinds_in(model.encoder.stack)
        assert (cell == "lstm") == (Int8BidirectionalLSTMLayer in kinds_in(model))
