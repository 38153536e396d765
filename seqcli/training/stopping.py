"""Selection by a validation score: which checkpoints are the best, and when to give up."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Selection:
    """Keeps the `keep` best scores and counts validations without a new best."""

    keep: int
    patience: int
    higher_is_better: bool
    best: list[tuple[float, int]] = field(default_factory=list)  # score and step, best first
    validations_since_best: int = 0

    def add(self, score: float, step: int, *, in_warmup: bool = False) -> bool:
        """Take in the score at a step; return whether it is better than all before.

        A score of the warm-up, where the model has hardly moved, is not held against it.
        """
        is_best = not self.best or self.is_better(score, self.best[0][0])
        self.validations_since_best = 0 if is_best or in_warmup else self.validations_since_best + 1
        ranked = sorted([*self.best, (score, step)], key=lambda entry: -self._rank(entry[0]))
        self.best = ranked[: self.keep]
        return is_best

    @property
    def steps(self) -> list[int]:
        """The steps of the best scores, best first; among equals the earlier."""
        return [step for _, step in self.best]

    @property
    def exhausted(self) -> bool:
        """Whether `patience` validations brought nothing better; a patience of 0 never ends."""
        return 0 < self.patience <= self.validations_since_best

    def is_better(self, score: float, other: float) -> bool:
        return self._rank(score) > self._rank(other)

    def _rank(self, score: float) -> float:
        return score if self.higher_is_better else -score
