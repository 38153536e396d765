"""Selection by a validation score: which checkpoints are the best, and when to give up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

AVERAGES = ("best", "last")


@dataclass(slots=True)
class Selection:
    """Keeps the `keep` best scores and counts validations without a new best.

    `average` says which checkpoints to keep for their mean: "best", or as many of the "last".
    """

    keep: int
    patience: int
    higher_is_better: bool
    average: str = "best"
    best: list[tuple[float, int]] = field(default_factory=list)  # score and step, best first
    steps: list[int] = field(default_factory=list)  # of the checkpoints kept, in order of rank
    validations_since_best: int = 0

    def add(self, score: float, step: int, *, in_warmup: bool = False) -> bool:
        """Take in the score at a step; return whether it is better than all before.

        A score of the warm-up, where the model has hardly moved, is not held against it.
        """
        is_best = not self.best or self.is_better(score, self.best[0][0])
        self.validations_since_best = 0 if is_best or in_warmup else self.validations_since_best + 1
        ranked = sorted([*self.best, (score, step)], key=lambda entry: -self._rank(entry[0]))
        self.best = ranked[: self.keep]
        kept = [step, *self.steps]
        if self.average == "best":  # the earlier among equals; none whose weights are gone
            kept = [each for _, each in self.best if each in kept]
        self.steps = kept[: self.keep]
        return is_best

    @property
    def exhausted(self) -> bool:
        """Whether `patience` validations brought nothing better; a patience of 0 never ends."""
        return 0 < self.patience <= self.validations_since_best

    def is_better(self, score: float, other: float) -> bool:
        return self._rank(score) > self._rank(other)

    def state(self) -> dict[str, Any]:
        """What a training must go on with."""
        return {
            "best": [list(entry) for entry in self.best],
            "steps": self.steps,
            "validations_since_best": self.validations_since_best,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a state. Raises KeyError, TypeError or ValueError if it is none."""
        self.best = [(score, step) for score, step in state["best"]]
        self.steps = list(state.get("steps", [step for _, step in self.best]))  # not in 0.1
        self.validations_since_best = state["validations_since_best"]

    def _rank(self, score: float) -> float:
        return score if self.higher_is_better else -score
