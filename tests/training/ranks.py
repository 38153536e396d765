"""What each of two processes does in a test of several; run in processes that live on."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from seqcli.api.train import train
from seqcli.api.train_seeds import train_seeds
from seqcli.data import epochs
from seqcli.errors import DataError, SeqcliError
from seqcli.experiment import Recipe
from seqcli.training import trainer as trainer_module
from seqcli.training.distributed import Processes, joined_processes
from seqcli.training.report import Progress, QuietReporter

CPU = torch.device("cpu")


class Losses(QuietReporter):
    """Keeps the loss of each step, and asks for a stop at one of them."""

    def __init__(self, stop_at: int | None) -> None:
        self.curve: dict[int, float] = {}
        self._stop_at = stop_at

    def progress(self, progress: Progress) -> None:
        self.curve[progress.step] = progress.nats_per_token
        if progress.step == self._stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def as_rank(
    rank: int, count: int, port: int, action: Callable[..., Any], *arguments: Any
) -> tuple[str, Any]:
    """Do `action` as one of `count` processes; return how it ended, and what with."""
    torch.set_num_threads(1)
    os.environ |= {
        "RANK": str(rank),
        "WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    try:
        return "done", action(*arguments)
    except (SeqcliError, SystemExit) as fault:
        return type(fault).__name__, str(fault)
    finally:
        assert not dist.is_initialized()


def together(action: Callable[[Processes], Any]) -> Any:
    """Let `action` meet the other processes."""
    with joined_processes(CPU) as processes:
        return action(processes)


def trained(recipe: Recipe, folder: Path, stop_at: int | None, resume: bool) -> dict[int, float]:
    """The loss at each step that this process reports of a training, also if it is stopped."""
    trainer_module.SECONDS_BETWEEN_REPORTS = 0.0
    epochs.SHARD, epochs.SLICE = 30, 7
    losses = Losses(stop_at)
    try:
        train(recipe, folder, reporter=losses, resume=resume, device="cpu")
    except (SeqcliError, SystemExit) as fault:
        if fault.args[0] != 130 and getattr(fault, "exit_status", 0) != 130:
            raise
    return losses.curve


def several_seeds(recipe: Recipe, folder: Path) -> None:
    """Ask for what several processes do not do."""
    train_seeds(recipe, folder, [1, 2], device="cpu")


def exchange(processes: Processes) -> tuple[Any, ...]:
    """What comes of each way to talk, each process with numbers of its own."""
    rank = processes.rank
    parameter = torch.nn.Parameter(torch.zeros(2, 2))
    untouched = torch.nn.Parameter(torch.zeros(3))
    parameter.grad = torch.full((2, 2), float(rank + 1))  # 1 and 2, weighing 1 and 3
    sums = processes.average(
        [parameter, untouched], torch.tensor([10.0 + rank, 1.0 + 2 * rank], dtype=torch.float64)
    )
    assert untouched.grad is not None
    return (
        processes.any(rank == 1, False, True),
        processes.from_first(lambda: f"rank {rank}"),
        processes.divided(lambda number: (rank, number), 5),
        parameter.grad.tolist(),
        untouched.grad.tolist(),
        sums.tolist(),
    )


def one_fails(processes: Processes) -> None:
    """The second has a fault of its own while the first waits for it."""
    if not processes.is_first:
        raise DataError("a fault of the second process")
    processes.wait()


def all_fail(processes: Processes) -> None:
    """Each comes upon the same fault."""
    processes.wait()
    raise DataError("a fault of them all")
