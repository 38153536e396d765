from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from seqcli.api.seeds import ScoreOfSeeds, folder_of_seed
from seqcli.api.train_seeds import train_seeds
from seqcli.bundle import read_facts
from seqcli.cli.main import main
from seqcli.errors import OutputError, SeqcliError, UsageError
from seqcli.training.interruption import Interrupted
from tests.api.trainings import (
    SETTINGS,
    Corpus,
    Recorder,
    ask_to_stop_at,
    contents,
    recipe_of,
    require_equal,
    train_at,
)

pytestmark = pytest.mark.usefixtures("one_thread_and_a_report_each_step")

SEEDS = (3, 7)


class Watcher:
    """Gives a recorder for each model, one at a time; that of `stopped` asks for the end."""

    def __init__(self, stopped: str = "") -> None:
        self.recorders: dict[str, Recorder] = {}
        self._stopped = stopped

    @contextmanager
    def __call__(self, folder: Path) -> Iterator[Recorder]:
        stop = [ask_to_stop_at(2)] if folder.name == self._stopped else []
        self.recorders[folder.name] = Recorder(*stop)
        yield self.recorders[folder.name]


def train(output: Path, corpus: Corpus, watcher: Watcher, **how: Any) -> list[ScoreOfSeeds]:
    return train_seeds(recipe_of(corpus), output, SEEDS, watch=watcher, device="cpu", **how)


def test_each_model_is_that_of_its_seed_and_the_scores_are_theirs(
    tmp_path: Path, corpus: Corpus
) -> None:
    corpus = {**corpus, "test": corpus["valid"]}
    scores = train(tmp_path / "model", corpus, Watcher())
    assert [(score.set, score.name) for score in scores] == [
        ("validation", "BLEU"),
        ("test", "BLEU"),
        ("test", "chrF2"),
        ("test", "TER"),
    ]
    facts = [read_facts(tmp_path / f"model-{seed}") for seed in SEEDS]
    for number, score in enumerate(scores):
        values = [each.scores[number].value for each in facts]
        assert score.values == values
        assert score.mean == fmean(values)
        assert score.deviation == stdev(values)
    train_at(tmp_path / "alone", recipe_of(corpus, "seed=7"))
    require_equal(tmp_path / "model-7", tmp_path / "alone")


@pytest.mark.parametrize("stopped", ["model-3", "model-7"])
def test_stopped_anywhere_all_go_on_together(tmp_path: Path, corpus: Corpus, stopped: str) -> None:
    whole = train(tmp_path / "whole" / "model", corpus, Watcher())
    with pytest.raises(Interrupted):
        train(tmp_path / "model", corpus, Watcher(stopped))
    assert train(tmp_path / "model", corpus, Watcher(), resume=True) == whole


def test_a_folder_in_the_way_of_the_last_is_found_before_the_first_is_trained(
    tmp_path: Path, corpus: Corpus
) -> None:
    (tmp_path / "model-7").mkdir()
    (tmp_path / "model-7" / "file").touch()
    before = contents(tmp_path)
    with pytest.raises(OutputError, match="model-7 exists already"):
        train(tmp_path / "model", corpus, Watcher())
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([], "not several different ones"),
        ([1], "the seed 1 is alone"),
        ([1, 2, 1], "1, 2, 1 are not several different ones"),
        ([-1], "seed must be from 0 to 4294967295, not -1"),
    ],
)
def test_seeds_that_are_not_several_are_refused(
    tmp_path: Path, corpus: Corpus, seeds: list[int], message: str
) -> None:
    with pytest.raises(SeqcliError, match=message):
        train_seeds(recipe_of(corpus), tmp_path / "model", seeds)


def test_a_limit_of_time_is_refused_as_each_model_would_have_it_all(
    tmp_path: Path, corpus: Corpus
) -> None:
    recipe = recipe_of(corpus, "training.max_minutes=1")
    with pytest.raises(UsageError, match=r"max_minutes .* does not go with several seeds"):
        train_seeds(recipe, tmp_path / "model", SEEDS)
    assert not list(tmp_path.glob("model*"))


def test_the_folder_of_a_seed_is_beside_one_that_is_named_by_dots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model" / "inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "model")
    for output in (".", "inner/..", "../model"):
        assert folder_of_seed(Path(output), 3).resolve() == tmp_path / "model-3"
    assert folder_of_seed(Path("inner"), 3) == Path("inner-3")
    with pytest.raises(UsageError, match="there can be no folder /-3"):
        folder_of_seed(Path("/"), 3)


def test_the_command_prints_mean_and_deviation_of_each_score(
    tmp_path: Path, corpus: Corpus, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    options = [part for setting in SETTINGS for part in ("--set", setting)]
    files = ["--train", *corpus["train"], "--valid", *corpus["valid"]]
    arguments = ["train", *files, *options, "-o", str(model), "--device", "cpu"]
    assert main([*arguments, "--seeds", "3,7"]) == 0
    printed = capsys.readouterr()
    values = [read_facts(tmp_path / f"model-{seed}").scores[0].value for seed in SEEDS]
    assert printed.out.startswith(
        f"validation BLEU {fmean(values):.2f} +/- {stdev(values):.2f} "
        f"({values[0]:.2f}, {values[1]:.2f})  nrefs:1"
    )
    assert f"seed 3: {model}-3\n" in printed.err
    assert f"seed 7: {model}-7\n" in printed.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", "1,b"], "--seeds 1,b is no list of numbers"),
        (["--seeds", "1,2", "--seed", "3"], "--seed does not go with --seeds"),
        (["--seeds", "1,2", "--dry-run"], "--seeds does not go with --dry-run"),
        (["--seeds", "-1,2"], "seed must be from 0"),
    ],
)
def test_a_wrong_use_is_told(
    tmp_path: Path,
    corpus: Corpus,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    message: str,
) -> None:
    arguments = ["train", "--train", *corpus["train"], "-o", str(tmp_path / "model")]
    assert main([*arguments, *options]) == 2
    assert message in capsys.readouterr().err
