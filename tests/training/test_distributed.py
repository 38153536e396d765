"""Several processes: what one alone would do, faster; and their end, told once."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from seqcli.api.training_text import require_files
from seqcli.bundle import WEIGHTS
from seqcli.config import to_toml
from seqcli.errors import ConfigError, UsageError
from seqcli.experiment import Recipe
from seqcli.training import distributed
from seqcli.training.distributed import Processes, choose_device
from tests.api.trainings import Corpus, recipe_of
from tests.training import ranks

ROOT = Path(__file__).parent.parent.parent

Run = Callable[..., list[tuple[str, Any]]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Do something in two processes at once; return how it ended in each."""
    pools = [ProcessPoolExecutor(1, mp_context=get_context("spawn")) for _ in range(2)]

    def run(action: Callable[..., Any], *arguments: Any, count: int = 2) -> list[tuple[str, Any]]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        waiting = [
            pool.submit(ranks.as_rank, rank, count, port, action, *arguments)
            for rank, pool in enumerate(pools[:count])
        ]
        return [future.result(timeout=300) for future in waiting]

    yield run
    for pool in pools:
        pool.shutdown()


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Words of one letter and their reverse, 40 lines to train on and 6 to validate on."""
    files = {}
    for name, numbers in (("train", range(40)), ("valid", range(40, 46))):
        lines = [" ".join("abcdefg"[(n * k) % 7] for k in range(2 + n % 8)) for n in numbers]
        files[name] = (str(tmp_path / f"{name}.source"), str(tmp_path / f"{name}.target"))
        for path, step in zip(files[name], (1, -1), strict=True):
            Path(path).write_text("".join(f"{line[::step]}\n" for line in lines))
    return files


def without_noise(corpus: Corpus, *assignments: str) -> Recipe:
    """A recipe in which nothing is random but the order of batches."""
    return recipe_of(
        corpus,
        "data.subword_sampling=0",
        "model.dropout=0",
        "model.word_dropout=0",
        "evaluation.metric=loss",
        "tokenizer.vocabulary_size=15",
        *assignments,
    )


def reading_from(path: str, name: str, corpus: Corpus) -> Recipe:
    """A recipe whose text of that name has its source at `path`."""
    recipe = without_noise({**corpus, "test": corpus["valid"]})
    data = msgspec.structs.replace(recipe.data, **{name: (path, corpus["valid"][1])})
    return msgspec.structs.replace(recipe, data=data)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / WEIGHTS)


def test_processes_add_up_and_agree(run: Run) -> None:
    expected = (
        [True, False, True],
        "rank 0",
        [(0, 0), (1, 1), (0, 2), (1, 3), (0, 4)],
        [[1.75, 1.75], [1.75, 1.75]],  # 1 and 2, weighing 1 and 3
        [0.0, 0.0, 0.0],
        [21.0, 4.0],
    )
    assert run(ranks.together, ranks.exchange) == [("done", expected)] * 2


def test_one_process_alone_gives_what_it_was_given() -> None:
    alone = Processes()
    assert alone.any(True, False) == [True, False]
    assert alone.from_first(lambda: 3) == 3
    assert alone.divided(lambda number: 2 * number, 3) == [0, 2, 4]
    sums = torch.tensor([1.0, 2.0])
    assert alone.average([], sums) is sums


@pytest.mark.parametrize(
    ("action", "message"),
    [(ranks.one_fails, "a fault of the second process"), (ranks.all_fail, "a fault of them all")],
)
def test_where_one_process_fails_all_end_and_one_tells(
    run: Run, action: Callable[..., Any], message: str
) -> None:
    outcomes = run(ranks.together, action)
    assert sorted(outcomes) == [("DataError", message), ("SystemExit", "1")]
    assert run(ranks.together, ranks.exchange)[0][0] == "done"


def test_of_several_processes_one_alone_refuses_several_seeds(
    run: Run, tmp_path: Path, corpus: Corpus
) -> None:
    outcomes = run(ranks.several_seeds, recipe_of(corpus), tmp_path / "model")
    message = "several seeds are not trained by several processes"
    assert sorted(outcomes) == [("SystemExit", "2"), ("UsageError", message)]


@pytest.mark.parametrize("name", ["train", "valid", "test"])
def test_several_processes_refuse_a_pipe_and_do_not_wait_for_it(
    run: Run, tmp_path: Path, corpus: Corpus, name: str
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    recipe = reading_from(str(pipe), name, corpus)
    outcomes = run(ranks.trained, recipe, tmp_path / "model", None, False)
    message = f"{pipe} is no file, and this is one of several processes"
    assert sorted(outcomes) == [("SystemExit", "2"), ("UsageError", message)]
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("path", ["-", "/dev/fd/63"])
def test_what_only_one_process_could_read_is_known_by_its_name(corpus: Corpus, path: str) -> None:
    with pytest.raises(UsageError, match="is no file, and this is one of several processes"):
        require_files(reading_from(path, "train", corpus))
    require_files(without_noise(corpus))


@pytest.mark.parametrize("sampling", [0.0, 0.5])
def test_two_processes_learn_what_one_with_the_doubled_batch_does(
    run: Run, tmp_path: Path, corpus: Corpus, sampling: float
) -> None:
    """The same loss at each step, and the same weights, up to rounding; so with accumulation."""
    curves, folders = [], []
    for name, count, settings in (
        ("doubled", 1, ("training.batch_tokens=120",)),
        ("two", 2, ("training.batch_tokens=60",)),
        ("accumulated", 1, ("training.batch_tokens=60", "training.accumulate=2")),
    ):
        folders.append(tmp_path / name)
        recipe = without_noise(corpus, f"data.subword_sampling={sampling}", *settings)
        outcomes = run(ranks.trained, recipe, folders[-1], None, False, count=count)
        assert {how for how, _ in outcomes} == {"done"}
        curves.append(outcomes[0][1])
        assert all(not curve for _, curve in outcomes[1:])  # the first alone reports
    assert len(curves[0]) > 6
    for curve, folder in zip(curves[1:], folders[1:], strict=True):
        assert curve == pytest.approx(curves[0], rel=1e-4)
        torch.testing.assert_close(weights(folder), weights(folders[0]), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_training_goes_on_with_another_number_of_processes(
    run: Run,
    tmp_path: Path,
    corpus: Corpus,
    before: int,
    after: int,
) -> None:
    recipe = without_noise(corpus)
    whole = run(ranks.trained, recipe, tmp_path / "whole", None, False, count=before)[0][1]
    folder = tmp_path / "stopped"
    first = run(ranks.trained, recipe, folder, 4, False, count=before)[0][1]
    second = run(ranks.trained, recipe, folder, None, True, count=after)[0][1]
    assert 0 < len(first) < len(whole)
    assert {**first, **second} == pytest.approx(whole, rel=1e-4)
    torch.testing.assert_close(weights(folder), weights(tmp_path / "whole"), rtol=1e-3, atol=1e-4)


def test_each_process_draws_noise_of_its_own(run: Run, tmp_path: Path, corpus: Corpus) -> None:
    """And the same one each time: a stopped training goes on exactly as it would have."""
    recipe = recipe_of(corpus, "evaluation.metric=loss", "tokenizer.vocabulary_size=15")
    for name, stop_at in (("whole", None), ("stopped", 3)):
        run(ranks.trained, recipe, tmp_path / name, stop_at, False)
    run(ranks.trained, recipe, tmp_path / "stopped", None, True)
    stopped, whole = weights(tmp_path / "stopped"), weights(tmp_path / "whole")
    torch.testing.assert_close(stopped, whole, rtol=0, atol=0)


def torchrun(recipe: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", "-m", "seqcli", "train", str(recipe), *arguments),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_torchrun_trains_and_tells_a_fault_once(tmp_path: Path, corpus: Corpus) -> None:
    recipe, model = tmp_path / "recipe.toml", tmp_path / "model"
    recipe.write_text(to_toml(without_noise(corpus)))
    with torchrun(recipe, "-o", str(model)) as done:
        said = done.communicate()[1]
    assert done.returncode == 0, said
    assert said.count("training pairs") == 1
    assert (model / WEIGHTS).is_file()
    with torchrun(recipe, "-o", str(model)) as again:
        said = again.communicate()[1]
    assert again.returncode != 0
    assert said.count(f"error: {model} exists already") == 1
    assert "another process" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("is_killed", "told"),
    [(False, "stopped after step"), (True, "another process of the training has ended")],
)
def test_what_torchrun_has_trained_is_not_lost(
    tmp_path: Path, corpus: Corpus, is_killed: bool, told: str
) -> None:
    """Ctrl-C, or one process killed by the system: either is told once, and it goes on exactly."""
    recipe, whole, model = (tmp_path / name for name in ("recipe.toml", "whole", "model"))
    settings = ("training.save_minutes=1e-9", "training.epochs=12", "data.subword_sampling=0.5")
    recipe.write_text(to_toml(without_noise(corpus, *settings)))
    with torchrun(recipe, "-o", str(whole)) as uninterrupted:
        assert uninterrupted.communicate()[1]
    with torchrun(recipe, "-o", str(model)) as stopped:
        while not list(model.glob("training/state-*.pt")):
            assert stopped.poll() is None
            time.sleep(0.01)
        children = Path(f"/proc/{stopped.pid}/task/{stopped.pid}/children").read_text().split()
        if is_killed:
            os.kill(int(children[-1]), signal.SIGKILL)
        else:
            stopped.send_signal(signal.SIGINT)
        said = stopped.communicate()[1]
    assert stopped.returncode != 0
    assert said.count(told) == 1, said
    with torchrun(recipe, "-o", str(model), "--resume") as resumed:
        said = resumed.communicate()[1]
    assert "going on where the training was stopped" in said
    torch.testing.assert_close(weights(model), weights(whole), rtol=0, atol=0)


def test_each_process_of_a_host_takes_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    cuda = distributed.torch.cuda
    monkeypatch.setattr(cuda, "is_available", lambda: True)
    monkeypatch.setattr(cuda, "device_count", lambda: 2)
    monkeypatch.setattr(cuda, "set_device", taken.append)
    monkeypatch.setenv("LOCAL_RANK", "1")  # alone it is of something else
    assert choose_device("auto") == torch.device("cuda", 0)
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "2")
    assert choose_device("cuda") == torch.device("cuda", 1)
    assert choose_device("cpu") == torch.device("cpu")
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(ConfigError, match="there are 2 CUDA devices here, and more processes"):
        choose_device("auto")
    assert taken == [0, 1]
