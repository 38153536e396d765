import copy
import logging
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from seqcli.training.optimizer import (
    OPTIMIZERS,
    AveragedWeights,
    make_optimizer,
    restore_optimizer,
    room_for_states,
)

REFERENCES = {
    "adamw": partial(torch.optim.AdamW, betas=(0.9, 0.98)),
    "adam": partial(torch.optim.Adam, betas=(0.9, 0.98)),
    "sgd": partial(torch.optim.SGD, momentum=0.8),
}


def optimizer_of(kind: str, model: nn.Module, *, weight_decay: float = 0.2) -> Optimizer:
    return make_optimizer(
        kind, model.parameters(), learning_rate=0.1, weight_decay=weight_decay, momentum=0.8
    )


def step(model: nn.Module, optimizer: Optimizer, inputs: Tensor) -> None:
    optimizer.zero_grad()
    model(inputs).square().sum().backward()
    optimizer.step()


def twins() -> tuple[nn.Linear, nn.Linear]:
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)
    second.load_state_dict(first.state_dict())
    return first, second


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_a_step_equals_that_of_the_plain_optimizer(kind: str) -> None:
    ours, plain = twins()
    optimizer = optimizer_of(kind, ours)
    reference = REFERENCES[kind](
        plain.parameters(), lr=0.1, weight_decay=0.2, fused=False, foreach=False
    )
    for _ in range(3):
        inputs = torch.randn(4, 3)
        step(ours, optimizer, inputs)
        step(plain, reference, inputs)
    torch.testing.assert_close(ours.weight, plain.weight)
    torch.testing.assert_close(ours.bias, plain.bias)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_the_room_for_its_state_is_what_the_first_step_keeps(kind: str, momentum: float) -> None:
    model = nn.Linear(3, 2)
    optimizer = make_optimizer(
        kind, model.parameters(), learning_rate=0.1, weight_decay=0.0, momentum=momentum
    )
    room = sum(tensor.nbytes for tensor in room_for_states(optimizer))
    step(model, optimizer, torch.randn(4, 3))
    kept = [value for state in optimizer.state.values() for value in state.values()]
    assert room == sum(each.nbytes for each in kept if isinstance(each, Tensor) and each.dim())
    if kept:
        assert not room_for_states(optimizer)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_restored_it_goes_on_as_if_it_had_never_stopped(kind: str) -> None:
    whole, stopped = twins()
    optimizer, first_half = optimizer_of(kind, whole), optimizer_of(kind, stopped)
    inputs = torch.randn(6, 4, 3)
    for each in inputs:
        step(whole, optimizer, each)
    for each in inputs[:3]:
        step(stopped, first_half, each)
    second_half = optimizer_of(kind, stopped)
    restore_optimizer(second_half, copy.deepcopy(first_half.state_dict()))
    for each in inputs[3:]:
        step(stopped, second_half, each)
    assert torch.equal(stopped.weight, whole.weight)


def test_restored_it_keeps_the_settings_of_now() -> None:
    before, now = twins()
    first, second = optimizer_of("adam", before), optimizer_of("adam", now, weight_decay=0.7)
    step(before, first, torch.randn(4, 3))
    restore_optimizer(second, first.state_dict())
    assert second.param_groups[0]["weight_decay"] == 0.7
    moments = [optimizer.state_dict()["state"][0]["exp_avg"] for optimizer in (first, second)]
    assert torch.equal(*moments)


@pytest.mark.parametrize(("before", "now"), [("adamw", "sgd"), ("sgd", "adam")])
def test_one_of_another_kind_begins_anew_and_says_so(
    before: str, now: str, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = twins()
    old, new = optimizer_of(before, first), optimizer_of(now, second)
    step(first, old, torch.randn(4, 3))
    with caplog.at_level(logging.WARNING, logger="seqcli"):
        restore_optimizer(new, old.state_dict())
    assert "begins without the gradients of the past" in caplog.text
    assert not new.state_dict()["state"]
    step(second, new, torch.randn(4, 3))


def test_a_state_of_other_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 parameters, not 4"):
        restore_optimizer(
            optimizer_of("adam", nn.Sequential(*twins())),
            optimizer_of("adam", nn.Linear(3, 2)).state_dict(),
        )


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.998])
def test_the_average_follows_its_formula(decay: float) -> None:
    parameter = nn.Parameter(torch.randn(4))
    average = AveragedWeights([parameter], decay=decay)
    expected = parameter.detach().clone()
    for step in range(1, 30):
        with torch.no_grad():
            parameter += torch.randn(4)
        average.update(step)
        now = min(decay, step / (step + 9))
        expected = now * expected + (1 - now) * parameter.detach()
    torch.testing.assert_close(average.tensors[0], expected)


def test_the_model_has_the_average_inside_the_block_and_its_own_weights_after_a_fault() -> None:
    parameter = nn.Parameter(torch.zeros(3))
    average = AveragedWeights([parameter], decay=0.9)
    with torch.no_grad():
        parameter += 1

    def fail_inside() -> None:
        with average.applied():
            assert parameter.tolist() == [0, 0, 0]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_inside()
    assert parameter.tolist() == [1, 1, 1]
    assert average.tensors[0].tolist() == [0, 0, 0]
