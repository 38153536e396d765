import pytest
import torch
from torch import nn

from seqcli.training.optimizer import AveragedWeights, make_optimizer


def test_a_step_equals_that_of_unfused_adamw() -> None:
    ours, plain = nn.Linear(3, 2), nn.Linear(3, 2)
    plain.load_state_dict(ours.state_dict())
    optimizer = make_optimizer(ours.parameters(), learning_rate=0.1, weight_decay=0.2)
    reference = torch.optim.AdamW(
        plain.parameters(), lr=0.1, betas=(0.9, 0.98), weight_decay=0.2, fused=False, foreach=False
    )
    for _ in range(3):
        inputs = torch.randn(4, 3)
        for model, its_optimizer in ((ours, optimizer), (plain, reference)):
            its_optimizer.zero_grad()
            model(inputs).square().sum().backward()
            its_optimizer.step()
    torch.testing.assert_close(ours.weight, plain.weight)
    torch.testing.assert_close(ours.bias, plain.bias)


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
