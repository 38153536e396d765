"""One update: its gradient is that of the whole batch, however it is computed."""

import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from seqcli.data.batch import PairBatch, pair_batch
from seqcli.errors import SeqcliError
from seqcli.training import updater as updater_module
from seqcli.training.config import TrainingConfig
from seqcli.training.distributed import Processes
from seqcli.training.meter import BrokenUpdate, Meter
from seqcli.training.optimizer import room_for_states
from seqcli.training.updater import Updater
from tests.training.bigrams import LENGTHS, Bigrams, pending, some_examples

EXAMPLES = some_examples()
NUM_TARGETS = sum(LENGTHS) + len(LENGTHS)  # the marks of the end are targets too

Loss = Callable[[PairBatch], tuple[Tensor, Tensor]]


def make_updater(
    model: Bigrams,
    *,
    loss: Loss | None = None,
    accumulate: int = 1,
    say: Callable[[str], None] = lambda text: None,
) -> Updater:
    config = TrainingConfig(
        precision="float32", accumulate=accumulate, clip_norm=1e6, learning_rate=0.05
    )
    return Updater(model, config, loss=loss or model.loss, seed=3, processes=Processes(), say=say)


def gradients(model: Bigrams) -> list[Tensor]:
    return [each.grad for each in model.parameters() if each.grad is not None]


def plain_gradients() -> list[Tensor]:
    """Those of the mean loss of all examples, by torch alone."""
    model = Bigrams()
    batch = pair_batch(EXAMPLES)
    (model.loss(batch)[0] / batch.target_mask_BT.sum()).backward()
    return gradients(model)


def fits(most_rows: int, model: Bigrams) -> Loss:
    """The loss on a device that has memory for so many rows."""

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        if len(batch.target_mask_BT) > most_rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return model.loss(batch)

    return loss


@pytest.mark.parametrize("accumulate", [1, 2, 3, 8, 50])
def test_the_gradient_of_accumulated_parts_is_that_of_the_batch(accumulate: int) -> None:
    model, meter = Bigrams(), Meter()
    make_updater(model, accumulate=accumulate).update(pending(EXAMPLES), meter, total_steps=9)
    torch.testing.assert_close(gradients(model), plain_gradients())
    means = meter.read()
    assert not isinstance(means, BrokenUpdate)
    expected = Bigrams().loss(pair_batch(EXAMPLES))[1].item() / NUM_TARGETS
    assert means.nats_per_token == pytest.approx(expected)


@pytest.mark.parametrize("most_rows", [7, 4, 3, 1])
def test_where_memory_runs_out_the_batch_is_split_and_the_gradient_is_the_same(
    most_rows: int,
) -> None:
    model, said = Bigrams(), []
    updater = make_updater(model, loss=fits(most_rows, model), say=said.append)
    updater.update(pending(EXAMPLES), Meter(), total_steps=9)
    torch.testing.assert_close(gradients(model), plain_gradients())
    updater.update(pending(EXAMPLES), Meter(), total_steps=9)
    assert len(said) == 1
    assert "8 rows did not fit into memory at step 1" in said[0]


def test_what_a_pass_that_ran_out_of_memory_has_left_does_not_count() -> None:
    """Memory ends in the backward pass, when the gradient of the bias is there already."""
    model = Bigrams()
    seen: list[bool] = []

    def fail_for_many_rows(gradient: Tensor) -> None:
        seen.append(model.bias.grad is not None)
        raise MemoryError

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        nothing = (model.logits * 0).sum()  # comes first, so its gradient comes last
        if len(batch.target_mask_BT) > 4:
            nothing.register_hook(fail_for_many_rows)
        value, nats = model.loss(batch)
        return value + nothing, nats

    make_updater(model, loss=loss).update(pending(EXAMPLES), Meter(), total_steps=9)
    assert seen == [True]
    torch.testing.assert_close(gradients(model), plain_gradients())


def test_a_line_that_does_not_fit_alone_is_named() -> None:
    model = Bigrams()

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        if batch.target_mask_BT.shape[1] > 9:  # the second example
            raise MemoryError
        return model.loss(batch)

    with pytest.raises(SeqcliError, match="pair 2 does not fit into memory") as raised:
        make_updater(model, loss=loss).update(pending(EXAMPLES), Meter(), total_steps=9)
    assert "data.max_length" in raised.value.fix


def test_a_fault_of_another_kind_is_not_taken_for_a_lack_of_memory() -> None:
    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        make_updater(Bigrams(), loss=loss).update(pending(EXAMPLES), Meter(), total_steps=9)


def test_random_numbers_depend_on_the_seed_and_the_step_alone() -> None:
    def gradient_of_step(number: int, *, noise: int = 0) -> Tensor:
        model = Bigrams(dropout=0.5)
        updater = make_updater(model)
        updater.step = number
        torch.manual_seed(noise)
        updater.update(pending(EXAMPLES), Meter(), total_steps=9)
        return gradients(model)[0].clone()

    first = gradient_of_step(0)
    assert torch.equal(first, gradient_of_step(0, noise=5))
    assert not torch.equal(first, gradient_of_step(1))


def test_a_batch_that_is_tried_out_leaves_everything_as_it_was() -> None:
    model = Bigrams(dropout=0.5)
    updater = make_updater(model)
    updater.update(pending(EXAMPLES), Meter(), total_steps=9)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    updater.try_out(pending(EXAMPLES))
    assert torch.equal(torch.rand(3), expected)
    assert not gradients(model)
    assert updater.step == 1
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_a_batch_is_tried_out_in_the_parts_in_which_it_would_be_computed() -> None:
    said: list[str] = []
    model = Bigrams()
    make_updater(model, loss=fits(4, model), accumulate=2, say=said.append).try_out(
        pending(EXAMPLES)
    )
    assert not said
    updater = make_updater(model, loss=fits(3, model), say=said.append)
    updater.try_out(pending(EXAMPLES))
    assert "8 rows did not fit into memory" in said[0]
    assert not gradients(model)
    updater.update(pending(EXAMPLES), Meter(), total_steps=9)
    torch.testing.assert_close(gradients(model), plain_gradients())
    with pytest.raises(SeqcliError, match=r"pair \d does not fit into memory"):
        make_updater(model, loss=fits(0, model)).try_out(pending(EXAMPLES))


def test_a_batch_is_tried_out_beside_what_the_optimizer_will_keep(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held = []

    def room(optimizer: torch.optim.Optimizer) -> list[Tensor]:
        tensors = room_for_states(optimizer)
        held.extend(map(weakref.ref, tensors))
        return tensors

    model, alive = Bigrams(), []

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        alive.append([reference() is not None for reference in held])
        return model.loss(batch)

    monkeypatch.setattr(updater_module, "room_for_states", room)
    make_updater(model, loss=loss).try_out(pending(EXAMPLES))
    assert alive == [[True] * 4]  # two moments of two parameters
    assert not any(reference() is not None for reference in held)


def test_an_optimizer_that_does_not_fit_is_told_before_the_first_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_room(optimizer: torch.optim.Optimizer) -> list[Tensor]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(updater_module, "room_for_states", no_room)
    with pytest.raises(SeqcliError, match="gathers of 156 parameters does not fit") as raised:
        make_updater(Bigrams()).try_out(pending(EXAMPLES))
    assert "sgd" in raised.value.fix


def test_a_broken_update_is_found_among_others_at_the_next_reading() -> None:
    model, calls = Bigrams(), iter(range(9))

    def loss(batch: PairBatch) -> tuple[Tensor, Tensor]:
        value, nats = model.loss(batch)
        return (value * torch.nan, nats) if next(calls) == 2 else (value, nats)

    updater, meter = make_updater(model, loss=loss), Meter()
    batches = [pending(EXAMPLES[start:]) for start in range(5)]
    for batch in batches:
        updater.update(batch, meter, total_steps=9)
    broken = meter.read()
    assert isinstance(broken, BrokenUpdate)
    assert broken.number == 2
    assert broken.batch is batches[2]
