"""The LSTM in one operation against torch's LSTM, against differences, and in narrow numbers."""

import pytest
import torch
from torch import Tensor, nn

from seqcli.nn import compiled
from seqcli.nn.compiled.lstm import Forward
from seqcli.nn.lstm_sequence import lstm_sequence
from seqcli.nn.lstm_steps import Kept, forward_steps
from tests.nn.outcomes import outcome

INPUT, HIDDEN, ROWS = 3, 2, 4
RAGGED = [4, 3, 3, 1]

Leaves = list[Tensor]


def leaves(num_tokens: int, rows: int = ROWS, *, hidden: int = HIDDEN) -> Leaves:
    """Inputs, weights, bias and the first state."""
    shapes = [(num_tokens, INPUT), (4 * hidden, INPUT), (4 * hidden, hidden), (4 * hidden,)]
    shapes += [(rows, hidden)] * 2
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def narrowed(wide: Leaves) -> Leaves:
    """All in bfloat16 but for the bias and the cell."""
    return [leaf if place in (3, 5) else leaf.bfloat16() for place, leaf in enumerate(wide)]


def run(given: Leaves, sizes: list[int], mask_BH: Tensor | None = None) -> tuple[Tensor, Tensor]:
    inputs_NE, *weights, hidden_BH, cell_BH = given
    return lstm_sequence(inputs_NE, (hidden_BH, cell_BH), tuple(weights), sizes, mask_BH=mask_BH)


def torch_layer(given: Leaves) -> nn.LSTM:
    layer = nn.LSTM(INPUT, HIDDEN).double()
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), given[1:4], strict=False):
            parameter.copy_(value)
        layer.bias_hh_l0.zero_()
    return layer


def test_values_and_gradients_are_those_of_torch() -> None:
    given = leaves(5 * ROWS)
    layer = torch_layer(given)
    hidden_NH, cells_NH = run(given, [ROWS] * 5)
    first = tuple(part_BH.unsqueeze(0) for part_BH in given[4:])
    expected_SBH, (_, expected_cell_1BH) = layer(given[0].view(5, ROWS, INPUT), first)
    torch.testing.assert_close(hidden_NH, expected_SBH.flatten(0, 1))
    torch.testing.assert_close(cells_NH[-ROWS:], expected_cell_1BH[0])
    of_state = [given[0], given[4], given[5]]
    torch.testing.assert_close(
        outcome([hidden_NH, cells_NH[-ROWS:]], [*of_state, *given[1:4]]),
        outcome(
            [expected_SBH.flatten(0, 1), expected_cell_1BH[0]], [*of_state, *torch_weights(layer)]
        ),
    )


def torch_weights(layer: nn.LSTM) -> Leaves:
    return [layer.weight_ih_l0, layer.weight_hh_l0, layer.bias_ih_l0]


@pytest.mark.parametrize("masked", [False, True])
def test_the_gradient_of_ragged_steps_is_that_by_differences(masked: bool) -> None:
    mask_BH = torch.rand(ROWS, HIDDEN, dtype=torch.float64) if masked else None
    given = leaves(sum(RAGGED))
    assert torch.autograd.gradcheck(lambda *leaves: run([*leaves], RAGGED, mask_BH), given)


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_gradient_may_be_one_number_seen_as_many_and_of_one_part_alone(
    part: int, dtype: torch.dtype
) -> None:
    """As the gradient of a sum is; compiled code would read beyond the one."""
    exact = [leaf.to(dtype).double().detach().requires_grad_() for leaf in leaves(sum(RAGGED))]
    given = [leaf.float().detach() for leaf in exact]
    given = [
        leaf.requires_grad_() for leaf in (given if dtype == torch.float32 else narrowed(given))
    ]
    run(given, RAGGED)[part].sum().backward()
    run(exact, RAGGED)[part].sum().backward()
    for ours, theirs in zip(given, exact, strict=True):
        error = (ours.grad.double() - theirs.grad).norm() / theirs.grad.norm()
        assert error < (1e-5 if dtype == torch.float32 else 0.03)


@pytest.mark.parametrize("part", [0, 1])
def test_hidden_states_or_cells_may_stand_alone_in_a_loss(part: int) -> None:
    given = leaves(sum(RAGGED))
    assert torch.autograd.gradcheck(lambda *leaves: run([*leaves], RAGGED)[part], given)


def test_what_needs_no_gradient_gets_none_and_the_others_the_same() -> None:
    given = leaves(sum(RAGGED))
    run(given, RAGGED)[0].square().sum().backward()
    frozen = [leaf.clone().detach().requires_grad_(place > 2) for place, leaf in enumerate(given)]
    run(frozen, RAGGED)[0].square().sum().backward()
    assert [leaf.grad is None for leaf in frozen] == [True] * 3 + [False] * 3
    for leaf, other in zip(given[3:], frozen[3:], strict=True):
        torch.testing.assert_close(leaf.grad, other.grad)


def test_one_row_of_one_step_is_the_step_of_a_longer_text() -> None:
    given = leaves(1, rows=1)
    longer = [torch.cat([given[0], torch.randn_like(given[0])]), *given[1:]]
    for one, two in zip(run(given, [1]), run(longer, [1, 1]), strict=True):
        torch.testing.assert_close(one, two[:1])


def test_each_row_is_read_as_if_it_were_alone() -> None:
    """The second row has three steps."""
    given = leaves(sum(RAGGED))
    hidden_NH, cells_NH = run(given, RAGGED)
    rows = torch.tensor([1, 5, 8])
    alone = [given[0][rows], *given[1:4], given[4][1:2], given[5][1:2]]
    torch.testing.assert_close(run(alone, [1, 1, 1]), (hidden_NH[rows], cells_NH[rows]))


def test_a_mask_drops_what_products_read_of_the_state_and_not_the_state() -> None:
    """A mask of zeros: as if there were no product with the state."""
    given = leaves(2 * ROWS)
    masked = run(given, [ROWS] * 2, torch.zeros(ROWS, HIDDEN, dtype=torch.float64))
    given[2] = torch.zeros_like(given[2])
    torch.testing.assert_close(run(given, [ROWS] * 2), masked)


def test_narrow_numbers_give_nearly_the_same_states_in_wide_cells() -> None:
    wide = [leaf.float().detach() for leaf in leaves(sum(RAGGED))]
    hidden_NH, cells_NH = run(narrowed(wide), RAGGED)
    assert (hidden_NH.dtype, cells_NH.dtype) == (torch.bfloat16, torch.float32)
    expected = run(wide, RAGGED)
    torch.testing.assert_close((hidden_NH.float(), cells_NH), expected, atol=0.05, rtol=0.05)


def test_the_gradient_of_narrow_numbers_is_narrow() -> None:
    wide = [leaf.float().detach() for leaf in leaves(sum(RAGGED))]
    given = [leaf.requires_grad_() for leaf in narrowed(wide)]
    sum(part.float().square().sum() for part in run(given, RAGGED)).backward()
    expected = [leaf.clone().detach().requires_grad_() for leaf in wide]
    sum(part.square().sum() for part in run(expected, RAGGED)).backward()
    for found, leaf in zip(given, expected, strict=True):
        assert found.grad.dtype == found.dtype
        error = (found.grad.float() - leaf.grad).norm() / leaf.grad.norm()
        assert error < 0.05


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("rows", [ROWS, 600])  # of which a thread takes a share
def test_compiled_steps_are_those_of_torch_in_more_digits(rows: int, masked: bool) -> None:
    sizes = [rows, rows, rows // 2, 1]
    exact = leaves(sum(sizes), rows, hidden=32)
    mask_BH = torch.rand(rows, 32, dtype=torch.float64) if masked else None
    given = [leaf.float().detach().requires_grad_() for leaf in exact]
    states = run(given, sizes, None if mask_BH is None else mask_BH.float())
    expected = run(exact, sizes, mask_BH)
    torch.testing.assert_close(states, tuple(part.float() for part in expected))
    found, wanted = outcome(states, given), outcome(expected, exact)
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-4, atol=1e-4)


def test_the_same_again_is_the_same_to_the_last_bit() -> None:
    given = [leaf.float().detach().requires_grad_() for leaf in leaves(1500, 500, hidden=32)]
    first, second = (outcome(run(given, [500] * 3), given) for _ in range(2))
    assert all(map(torch.equal, first, second))


@pytest.mark.parametrize("masked", [False, True])
def test_compiled_steps_of_narrow_numbers_are_those_of_torch(
    masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same narrow numbers, but for the rounding of what is stored."""
    sizes = [600, 600, 300, 1]
    wide = [leaf.float().detach() for leaf in leaves(sum(sizes), 600, hidden=32)]
    mask_BH = torch.rand(600, 32).round() if masked else None

    def found() -> Leaves:
        given = [leaf.clone().requires_grad_() for leaf in narrowed(wide)]
        return outcome(run(given, sizes, mask_BH), given)

    ours = found()
    monkeypatch.setattr(compiled, "FORMATS", ())
    for our, torchs in zip(ours, found(), strict=True):
        assert our.dtype == torchs.dtype
        assert (our.float() - torchs.float()).norm() < 0.004 * torchs.float().norm()


@pytest.mark.parametrize(
    ("dtype", "cell_dtype", "is_compiled"),
    [
        (torch.float32, torch.float32, True),
        (torch.bfloat16, torch.float32, True),
        (torch.float64, torch.float64, False),
        (torch.bfloat16, torch.float64, False),
    ],
)
def test_steps_are_compiled_where_cells_are_of_float32(
    dtype: torch.dtype, cell_dtype: torch.dtype, is_compiled: bool
) -> None:
    kept = Kept(torch.zeros(1, 8, dtype=dtype), torch.zeros(2, 2, dtype=cell_dtype), None)
    bias_G, hidden_NH = torch.zeros(8), torch.zeros(1, 2, dtype=dtype)
    steps = forward_steps(kept, kept.gates_NG, bias_G, hidden_NH, hidden_NH.clone())
    assert (type(steps) is Forward) == is_compiled


def test_the_number_of_threads_may_change_between_both_ways() -> None:
    given = [leaf.float().detach().requires_grad_() for leaf in leaves(1500, 500, hidden=32)]
    expected = outcome(run(given, [500] * 3), given)
    states = run(given, [500] * 3)
    before = torch.get_num_threads()
    torch.set_num_threads(1 if before > 1 else 2)
    found = outcome(states, given)
    torch.set_num_threads(before)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape"), [("mask", (1, 2)), ("bias", (1,)), ("cell", (1, 2)), ("sizes", ())]
)
def test_shapes_that_do_not_fit_are_never_read(name: str, shape: tuple[int, ...]) -> None:
    given = [leaf.float().detach() for leaf in leaves(5)]
    mask_BH, sizes = torch.ones(ROWS, HIDDEN), [ROWS, 1]
    if name == "mask":
        mask_BH = torch.ones(shape)
    elif name == "bias":
        given[3] = torch.zeros(shape)
    elif name == "cell":
        given[5] = torch.zeros(shape)
    else:
        sizes = [1, ROWS]
    with pytest.raises(AssertionError):
        run(given, sizes, mask_BH)
