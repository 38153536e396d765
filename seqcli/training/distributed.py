"""Several processes that train one model together, as torchrun starts them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.rendezvous import rendezvous

from seqcli.errors import ConfigError, PeerGone
from seqcli.training.launch import is_one_of_several

T = TypeVar("T")

CPU = torch.device("cpu")
PATIENCE = timedelta(days=7)  # the others wait while the first prepares the text


class Processes:
    """All processes of a training: what they agree on, and what they add up.

    Each has a number, its rank. Every method is to be called by all of them, in the same order.
    Where there is one process alone, nothing is sent anywhere.
    """

    def __init__(self, *, rank: int = 0, count: int = 1) -> None:
        self.rank = rank
        self.count = count

    @property
    def is_first(self) -> bool:
        """Whether this is the one that reads and writes the model's folder, and that reports."""
        return self.rank == 0

    def any(self, *flags: bool) -> list[bool]:
        """Return for each flag whether it is set in at least one process."""
        if self.count == 1:
            return list(flags)
        numbers = torch.tensor(flags, dtype=torch.int32)
        with _peers_needed():
            dist.all_reduce(numbers, dist.ReduceOp.MAX)
        return [bool(number) for number in numbers.tolist()]

    def from_first(self, make: Callable[[], T]) -> T:
        """Return what `make` returns in the first process, which is the only one to call it."""
        if self.count == 1:
            return make()
        box: list[Any] = [make() if self.is_first else None]
        with _peers_needed():
            dist.broadcast_object_list(box, src=0, device=CPU)
        value: T = box[0]
        return value

    def divided(self, make: Callable[[int], T], count: int) -> list[T]:
        """Return what `make` gives for each number below `count`; each is made by one process."""
        own = [make(number) for number in range(self.rank, count, self.count)]
        if self.count == 1:
            return own
        boxes: list[Any] = [None] * self.count
        with _peers_needed():
            dist.all_gather_object(boxes, own)
        return [boxes[number % self.count][number // self.count] for number in range(count)]

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Let the first process run the block before the others do."""
        if not self.is_first:
            self.wait()
        yield
        if self.is_first:
            self.wait()

    def wait(self) -> None:
        """Go on when all processes have come here."""
        self.any(False)

    def average(self, parameters: Sequence[nn.Parameter], sums: Tensor) -> Tensor:
        """Replace each gradient by its mean over the processes, and return the total of `sums`.

        The last of the sums is what a process weighs: the number of its targets.
        """
        if self.count == 1:
            return sums
        gradients = [
            torch.zeros_like(each) if each.grad is None else each.grad for each in parameters
        ]
        sums_like_them = sums.to(gradients[0].dtype)
        torch._foreach_mul_(gradients, sums_like_them[-1])  # in place: they are replaced below
        flat = torch.cat([*(each.flatten() for each in gradients), sums_like_them])
        with _peers_needed():
            dist.all_reduce(flat)
        totals = flat[-len(sums) :].to(sums.dtype)
        flat /= flat[-1].clone()
        for parameter, mean in zip(
            parameters,
            flat.split([*(each.numel() for each in parameters), len(sums)]),
            strict=False,
        ):
            parameter.grad = mean.view_as(parameter)
        return totals


@contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the other processes that torchrun has started, if any, until the block ends.

    Where the block fails in more than one, the first to fail raises its error, and the others
    leave with the same exit status without a word: what happened is told once.
    """
    if not is_one_of_several():
        yield Processes()
        return
    store, rank, count = next(rendezvous("env://", timeout=PATIENCE))
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE)
    try:
        yield Processes(rank=rank, count=count)
    except BaseException as fault:
        is_first_to_fail = _is_first_to_fail(partial(store.add, "seqcli/failed", 1))
        if device.type == "cpu":  # the others hear of it at once; NCCL would wait for them
            dist.destroy_process_group()
        if is_first_to_fail:
            raise
        raise SystemExit(getattr(fault, "exit_status", 1)) from fault
    dist.destroy_process_group()


def choose_device(kind: str) -> torch.device:
    """Resolve "auto", "cpu" or "cuda"; each process of a host takes a GPU of its own.

    ConfigError where there is no such device.
    """
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cpu":
        return CPU
    if not torch.cuda.is_available():
        raise ConfigError("there is no CUDA device here", fix="Use --device auto or cpu")
    place = int(os.environ["LOCAL_RANK"]) if is_one_of_several() else 0
    if place >= torch.cuda.device_count():
        raise ConfigError(
            f"there are {torch.cuda.device_count()} CUDA devices here, and more processes",
            why="each process of a training takes a device of its own",
            fix="Start fewer with --nproc-per-node, or use --device cpu",
        )
    torch.cuda.set_device(place)
    return torch.device("cuda", place)


@contextmanager
def _peers_needed() -> Iterator[None]:
    """Turn what fails as others are no longer there into an error that says so."""
    try:
        yield
    except RuntimeError as error:
        raise PeerGone(
            "another process of the training has ended",
            why="all of them make each update together",
            fix="See its own message, if it left any; then go on with the same command and "
            "--resume",
        ) from error


def _is_first_to_fail(count: Callable[[], int]) -> bool:
    """Whether no process has failed before; torchrun, which outlives them, keeps the count."""
    try:
        return count() == 1
    except RuntimeError:
        return False  # whoever kept the count is gone: it was another that failed first
