"""Systems side by side: their scores against those of each alone, p against a bootstrap by hand."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from seqcli.api import systems
from seqcli.api.compare import compare_systems
from seqcli.api.evaluate import score_lines
from seqcli.errors import DataError, UsageError
from seqcli.translator import Hypothesis, Translation

WORDS = [
    "a",
    "dog",
    "runs",
    "through",
    "the",
    "deep",
    "green",
    "grass",
    "and",
    "jumps",
    "over",
    "an",
    "old",
    "fence",
]
NUM_LINES = 40


def lines_of(seed: int, share_of_noise: float) -> list[str]:
    """Lines whose words are drawn alike for each seed, then partly replaced."""
    lines, noise = np.random.default_rng(0), np.random.default_rng(seed)
    found = []
    for _ in range(NUM_LINES):
        words = lines.choice(WORDS, 9)
        is_noise = noise.random(9) < share_of_noise
        found.append(" ".join(np.where(is_noise, noise.choice(WORDS, 9), words)))
    return found


SYSTEMS = {"good": lines_of(1, 0.1), "same": lines_of(2, 0.1), "bad": lines_of(3, 0.6)}
REFERENCE = lines_of(9, 0.0)


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, lines in [*SYSTEMS.items(), ("ref", REFERENCE), ("short", REFERENCE[:3])]:
        Path(name).write_text("".join(f"{line}\n" for line in lines))
    return tmp_path


class Shouting:
    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        for line in lines:
            yield Translation(line, (Hypothesis(line.upper(), score=0.0, log_probability=0.0),))


@pytest.mark.usefixtures("files")
class TestCompare:
    def test_each_system_has_the_scores_that_it_has_alone(self) -> None:
        found = compare_systems(list(SYSTEMS), ["ref"], ["bleu", "chrf", "ter", "accuracy"])
        for system in found.systems:
            alone = score_lines(
                SYSTEMS[system.name], [REFERENCE], ["bleu", "chrf", "ter", "accuracy"]
            )
            assert list(system.scores) == alone
        assert [system.name for system in found.systems] == list(SYSTEMS)
        assert (found.line_count, found.reference_count) == (NUM_LINES, 1)

    def test_p_is_the_share_of_samples_that_differ_as_much_by_chance(self) -> None:
        """Koehn (2004), as sacreBLEU counts: differences less their mean, and one more of both."""
        found = compare_systems(["good", "same", "bad"], ["ref"], ["bleu"])
        same, bad = (system.p_values[0] for system in found.systems[1:])
        random, drawn = np.random.default_rng(5), []
        values = {
            name: score_lines(SYSTEMS[name], [REFERENCE], ["bleu"])[0].value
            for name in ("good", "same")
        }
        for _ in range(400):
            rows = random.integers(0, NUM_LINES, NUM_LINES)
            good_bleu, same_bleu = (
                score_lines(
                    [SYSTEMS[name][row] for row in rows],
                    [[REFERENCE[row] for row in rows]],
                    ["bleu"],
                )[0].value
                for name in ("good", "same")
            )
            drawn.append(abs(good_bleu - same_bleu))
        differences = np.array(drawn)
        difference = abs(values["good"] - values["same"])
        expected = (np.sum(differences - differences.mean() > difference) + 1) / 401
        assert same == pytest.approx(expected, abs=0.07)
        assert bad == pytest.approx(1 / 1001)

    def test_the_first_and_metrics_without_a_test_have_no_p(self) -> None:
        found = compare_systems(["good", "bad"], ["ref"], ["accuracy", "bleu"])
        assert found.systems[0].p_values == (None, None)
        assert found.systems[1].p_values[0] is None
        assert found.systems[1].p_values[1] is not None

    def test_models_translate_the_source(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(systems, "load_system", lambda name, threads: Shouting())
        heard: list[str] = []
        found = compare_systems(
            ["good", "model"], ["ref"], ["accuracy"], source="ref", on_translation=heard.append
        )
        assert found.systems[1].scores[0].value == 0
        folded = compare_systems(
            ["good", "model"], ["ref"], ["accuracy"], source="ref", lowercase=True
        )
        assert folded.systems[1].scores[0].value == 100
        assert heard == ["model"] * NUM_LINES

    def test_what_cannot_be_compared_is_refused_before_a_model_is_loaded(self) -> None:
        for named, fault in ((["good"], "no two different"), (["good", "bad", "bad"], "twice")):
            with pytest.raises(UsageError, match=fault):
                compare_systems(named, ["ref"])
        with pytest.raises(UsageError, match="nothing that model could translate"):
            compare_systems(["good", "model"], ["ref"])
        for named, references in ((["good", "short"], ["ref"]), (["good", "bad"], ["short"])):
            with pytest.raises(DataError, match="lines but"):
                compare_systems(named, references)
        with pytest.raises(DataError, match="has 3"):
            compare_systems(["good", "model"], ["ref"], source="short")
