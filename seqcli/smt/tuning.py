"""Weights learned from a development set: translate, optimise over all that was seen, repeat."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from seqcli.config import Config, require_one_of
from seqcli.errors import ConfigError
from seqcli.smt.arrays import Floats
from seqcli.smt.candidates import CandidatePool, NBest
from seqcli.smt.mira import mira
from seqcli.smt.phrase_search import require_stack_size
from seqcli.smt.pro import pro
from seqcli.smt.tuning_metrics import METRICS

METHODS: dict[str, Callable[..., Floats]] = {"mira": mira, "pro": pro}


class TuningConfig(Config):
    """How weights are tuned: the section `tuning` of a recipe."""

    method: str = "pro"  # fits the development set less than mira, and other text more
    metric: str = "bleu"
    rounds: int = 6  # translations of the development set, the first with the start weights
    num_best: int = 100  # translations of a sentence in a round
    stack_size: int = 20  # of the decoder meanwhile

    def __post_init__(self) -> None:
        require_one_of("tuning.method", self.method, METHODS)
        require_one_of("tuning.metric", self.metric, METRICS)
        for name, why in (
            ("rounds", "the first round only shows what there is to tune by"),
            ("num_best", "weights are tuned by what sets a better translation off from a worse"),
        ):
            if getattr(self, name) < 2:
                raise ConfigError(
                    f"tuning.{name} must be at least 2, not {getattr(self, name)}",
                    why=why,
                    fix="Leave out data.valid to train without tuning",
                )
        require_stack_size("tuning.stack_size", self.stack_size)


class Round(NamedTuple):
    """Weights and what the development set scored with them, from 0 to 1."""

    weights: Floats
    score: float


class Tuned(NamedTuple):
    """What was found to be best, and all rounds in order."""

    best: Round
    rounds: tuple[Round, ...]


Translate = Callable[[Floats], Sequence[NBest]]
Score = Callable[[Sequence[Sequence[str]]], float]


def tune(
    translate: Translate,
    references: Sequence[Sequence[str]],
    config: TuningConfig,
    *,
    start: Floats,
    seed: int,
    score: Score | None = None,
    report: Callable[[Round], None] | None = None,
) -> Tuned:
    """Tune the weights of `translate`, which gives a list for each of the references.

    References are tokens. The first round is made with the weights of the `start`. Rounds are
    compared by `score` of the first outputs, by the metric itself if it is None. `report` hears of
    each round. Equal seeds give equal weights.
    """
    metric = METRICS[config.metric]
    pool = CandidatePool(references, metric)
    weights, rounds = start, list[Round]()
    for number in range(config.rounds):
        nbest = translate(weights)
        value = pool.add(nbest)
        rounds.append(Round(weights, value if score is None else score(_firsts(nbest))))
        if report is not None:
            report(rounds[-1])
        if number + 1 < config.rounds:
            optimise = METHODS[config.method]
            weights = optimise(pool.candidates, weights, seed=seed + number)
    best = max(rounds, key=lambda done: done.score)
    return Tuned(best, tuple(rounds))


def _firsts(nbest: Sequence[NBest]) -> list[Sequence[str]]:
    return [outputs[0] if outputs else () for outputs, _ in nbest]
