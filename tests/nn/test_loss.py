"""The chunked losses against torch's cross-entropy and divergence on whole logits."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, kl_div
from torch.utils._python_dispatch import TorchDispatchMode

from seqcli.nn import loss as loss_module
from seqcli.nn.loss import consistent_cross_entropy, output_cross_entropy

ROWS, WIDTH, ENTRIES = 7, 5, 11

each_smoothing = pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
each_chunk = pytest.mark.parametrize("chunk_rows", [1, 3, 7, 512])


def leaves(rows: int = ROWS, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    shapes = ((rows, WIDTH), (ENTRIES, WIDTH), (ENTRIES,))
    features_NE, weight_VE, bias_V = (
        torch.randn(shape, dtype=dtype).requires_grad_() for shape in shapes
    )
    return features_NE, weight_VE, bias_V


def targets(rows: int = ROWS) -> Tensor:
    return torch.randint(0, ENTRIES, (rows,))


def whole_logits(features_NE: Tensor, weight_VE: Tensor, bias_V: Tensor) -> Tensor:
    return features_NE @ weight_VE.T + bias_V


class Recorder(TorchDispatchMode):
    """Notes what torch computes: how often each operation, and the largest result."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.largest = 0

    def __torch_dispatch__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        self.calls[function.__name__.partition(".")[0]] += 1
        if isinstance(result, Tensor):
            self.largest = max(self.largest, result.numel())
        return result


@each_smoothing
@each_chunk
def test_value_and_gradients_are_those_of_cross_entropy(
    chunk_rows: int, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", chunk_rows)
    arguments, targets_N = leaves(), targets()
    ours, _ = output_cross_entropy(*arguments, targets_N, smoothing=smoothing)
    theirs = cross_entropy(
        whole_logits(*arguments), targets_N, label_smoothing=smoothing, reduction="sum"
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(0.3 * ours, arguments), torch.autograd.grad(0.3 * theirs, arguments)
    )


@each_smoothing
def test_gradients_are_those_of_finite_differences(
    smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", 3)
    targets_N = targets()

    def loss(*arguments: Tensor) -> Tensor:
        return output_cross_entropy(*arguments, targets_N, smoothing=smoothing)[0]

    assert torch.autograd.gradcheck(loss, leaves())


@each_smoothing
def test_the_likelihood_is_that_of_the_targets_whatever_the_smoothing(smoothing: float) -> None:
    arguments, targets_N = leaves(), targets()
    _, negative_log_likelihood = output_cross_entropy(*arguments, targets_N, smoothing=smoothing)
    probability_NV = whole_logits(*arguments).softmax(1)
    expected = -sum(probability_NV[n, target].log() for n, target in enumerate(targets_N))
    torch.testing.assert_close(negative_log_likelihood, expected.detach())
    assert not negative_log_likelihood.requires_grad


def test_float32_agrees_over_the_real_number_of_rows() -> None:
    rows = 2 * loss_module.CHUNK_ROWS + 5
    arguments, targets_N = leaves(rows, torch.float32), targets(rows)
    ours, _ = output_cross_entropy(*arguments, targets_N, smoothing=0.1)
    theirs = cross_entropy(
        whole_logits(*arguments), targets_N, label_smoothing=0.1, reduction="sum"
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, arguments),
        torch.autograd.grad(theirs, arguments),
        rtol=1e-4,
        atol=1e-4,
    )


def test_bfloat16_features_give_a_float32_loss_close_to_the_exact_one() -> None:
    features_NE, weight_VE, bias_V = leaves(300, torch.float32)
    targets_N = targets(300)
    exact = output_cross_entropy(features_NE, weight_VE, bias_V, targets_N, smoothing=0.1)[0]
    narrow = output_cross_entropy(
        features_NE.bfloat16(), weight_VE, bias_V, targets_N, smoothing=0.1
    )[0]
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow, exact, rtol=1e-3, atol=0)
    arguments = (features_NE, weight_VE, bias_V)
    for ours, theirs in zip(
        torch.autograd.grad(narrow, arguments), torch.autograd.grad(exact, arguments), strict=True
    ):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


@each_smoothing
@pytest.mark.parametrize("entries", [1, 63, 64, 200])
@pytest.mark.parametrize("rows", [1, 400])  # of many, each thread takes a share
def test_the_compiled_gradient_is_that_of_cross_entropy_in_more_digits(
    rows: int, entries: int, smoothing: float
) -> None:
    shapes = ((rows, WIDTH), (entries, WIDTH), (entries,))
    exact = [torch.randn(shape, dtype=torch.float64).requires_grad_() for shape in shapes]
    given = [leaf.float().detach().requires_grad_() for leaf in exact]
    targets_N = torch.randint(0, entries, (rows,))
    loss, surprise = output_cross_entropy(*given, targets_N, smoothing=smoothing)
    logits_NV = whole_logits(*exact)
    expected = cross_entropy(logits_NV, targets_N, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(loss.double(), expected)
    torch.testing.assert_close(
        surprise.double(), cross_entropy(logits_NV.detach(), targets_N, reduction="sum")
    )
    for ours, theirs in zip(
        torch.autograd.grad(loss, given), torch.autograd.grad(expected, exact), strict=True
    ):
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_numbers_may_be_given_in_other_ways(smoothing: float) -> None:
    """A whole number as smoothing, targets of fewer bits, each of a few read, another default."""
    arguments, targets_N = leaves(400, torch.float32), targets(400)
    expected, _ = output_cross_entropy(*arguments, targets_N, smoothing=float(smoothing))
    gradients = torch.autograd.grad(expected, arguments)
    strided_N = torch.stack([targets_N, -targets_N], dim=1).int()[:, 0]
    torch.set_default_dtype(torch.float64)
    try:
        found, _ = output_cross_entropy(*arguments, strided_N, smoothing=smoothing)
        assert torch.equal(found, expected)
        for ours, theirs in zip(torch.autograd.grad(found, arguments), gradients, strict=True):
            assert torch.equal(ours, theirs)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("wrong_N", [targets(ROWS - 1), targets(ROWS + 1), torch.rand(ROWS)])
def test_targets_that_are_not_one_for_each_row_are_refused(wrong_N: Tensor) -> None:
    with pytest.raises(ValueError, match="each row"):
        output_cross_entropy(*leaves(dtype=torch.float32), wrong_N)


def test_each_thread_adds_up_the_bias_of_its_own_rows() -> None:
    arguments, targets_N = leaves(3000, torch.float32), targets(3000)
    before, found = torch.get_num_threads(), []
    for num_threads in (1, 2, 3):
        torch.set_num_threads(num_threads)
        loss, _ = output_cross_entropy(*arguments, targets_N)
        found.append(torch.autograd.grad(loss, arguments[2]))
    torch.set_num_threads(before)
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


@pytest.mark.parametrize("target", [-1, ENTRIES])
def test_a_target_that_is_no_entry_is_refused(target: int) -> None:
    with pytest.raises(IndexError, match=f"{ENTRIES} entries"):
        output_cross_entropy(*leaves(1, torch.float32), torch.tensor([target]))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_is_seen(wrong: float) -> None:
    features_NE, weight_VE, bias_V = leaves(dtype=torch.float32)
    with torch.no_grad():
        features_NE[3, 1] = wrong
    loss, _ = output_cross_entropy(features_NE, weight_VE, bias_V, targets())
    assert not loss.isfinite()


def test_huge_logits_stay_finite() -> None:
    features_NE = torch.full((2, 1), 1e4, requires_grad=True)
    weight_VE = torch.tensor([[1.0], [-1.0]], requires_grad=True)
    loss, _ = output_cross_entropy(features_NE, weight_VE, torch.zeros(2), torch.tensor([0, 1]))
    assert loss.item() == 2e4
    (gradient_NE,) = torch.autograd.grad(loss, features_NE)
    assert gradient_NE.flatten().tolist() == [0, 2]


def test_the_whole_logits_never_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", 10)
    arguments, targets_N = leaves(100), targets(100)
    with Recorder() as recorder:
        output_cross_entropy(*arguments, targets_N, smoothing=0.1)[0].backward()
    assert recorder.largest <= max(10 * ENTRIES, 100 * WIDTH)


def test_no_gradient_is_made_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", 10)
    arguments, targets_N = leaves(100), targets(100)
    with torch.no_grad(), Recorder() as quiet:
        without = output_cross_entropy(*arguments, targets_N, smoothing=0.1)
    with Recorder() as full:
        with_gradient = output_cross_entropy(*arguments, targets_N, smoothing=0.1)
    assert (quiet.calls["mm"], full.calls["mm"]) == (10, 30)
    torch.testing.assert_close(without, tuple(loss.detach() for loss in with_gradient))


def two_passes(rows: int = ROWS) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    features_NE, weight_VE, bias_V = leaves(rows)
    return features_NE, leaves(rows)[0], weight_VE, bias_V


def plain_consistent_loss(
    arguments: tuple[Tensor, ...], targets_N: Tensor, *, smoothing: float, consistency: float
) -> Tensor:
    """Half of equation 4 of Liang et al. (2021), by torch's own functions."""
    *passes, weight_VE, bias_V = arguments
    logits = [whole_logits(features_NE, weight_VE, bias_V) for features_NE in passes]
    losses = [
        cross_entropy(each_NV, targets_N, label_smoothing=smoothing, reduction="sum")
        for each_NV in logits
    ]
    p_NV, q_NV = (each_NV.log_softmax(1) for each_NV in logits)
    divergences = [
        kl_div(input_NV, aim_NV, log_target=True, reduction="sum")
        for input_NV, aim_NV in ((p_NV, q_NV), (q_NV, p_NV))
    ]
    return (sum(losses) + consistency * sum(divergences) / 2) / 2


@each_smoothing
@pytest.mark.parametrize("chunk_rows", [1, 6, 7, 512])
@pytest.mark.parametrize("consistency", [0.0, 1.0, 5.0])
def test_two_passes_have_the_value_and_gradients_of_r_drop(
    consistency: float, chunk_rows: int, smoothing: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", chunk_rows)
    arguments, targets_N = two_passes(), targets()
    how = {"smoothing": smoothing, "consistency": consistency}
    ours, _ = consistent_cross_entropy(*arguments, targets_N, **how)
    theirs = plain_consistent_loss(arguments, targets_N, **how)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(0.3 * ours, arguments), torch.autograd.grad(0.3 * theirs, arguments)
    )


def test_the_gradients_of_two_passes_are_those_of_finite_differences(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", 4)
    targets_N = targets()

    def loss(*arguments: Tensor) -> Tensor:
        return consistent_cross_entropy(*arguments, targets_N, smoothing=0.1, consistency=3.0)[0]

    assert torch.autograd.gradcheck(loss, two_passes())


def test_two_equal_passes_are_one() -> None:
    (features_NE, *layer), targets_N = leaves(), targets()
    once = output_cross_entropy(features_NE, *layer, targets_N, smoothing=0.1)
    twice = consistent_cross_entropy(
        features_NE, features_NE, *layer, targets_N, smoothing=0.1, consistency=5.0
    )
    torch.testing.assert_close(twice, once)
    leaf_tensors = (features_NE, *layer)
    torch.testing.assert_close(
        torch.autograd.grad(twice[0], leaf_tensors), torch.autograd.grad(once[0], leaf_tensors)
    )


def test_the_likelihood_of_two_passes_is_their_mean() -> None:
    (first_NE, second_NE, *layer), targets_N = two_passes(), targets()
    _, mean = consistent_cross_entropy(first_NE, second_NE, *layer, targets_N, consistency=5.0)
    alone = [output_cross_entropy(each, *layer, targets_N)[1] for each in (first_NE, second_NE)]
    torch.testing.assert_close(mean, torch.stack(alone).mean())
    assert not mean.requires_grad


def test_the_whole_logits_of_two_passes_never_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "CHUNK_ROWS", 10)
    arguments, targets_N = two_passes(100), targets(100)
    with Recorder() as recorder:
        consistent_cross_entropy(*arguments, targets_N, consistency=1.0)[0].backward()
    assert recorder.largest <= max(10 * ENTRIES, 2 * 100 * WIDTH)
