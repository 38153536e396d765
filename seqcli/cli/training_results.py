"""What `seqcli train` writes to standard output: a plan, or the scores on a test set."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from seqcli.api.seeds import ScoreOfSeeds
    from seqcli.bundle import Facts


def echo_plan(facts: Mapping[str, str]) -> None:
    """Say what would be trained, an aligned line for each fact."""
    width = max(map(len, facts)) + 2
    typer.echo("\n".join(f"{name:<{width}}{text}" for name, text in facts.items()))


def echo_test_scores(facts: "Facts") -> None:
    """Write a line for each score on the test set; none where there was none."""
    for score in facts.scores:
        if score.set == "test":
            typer.echo(f"test {score.name} {score.value:.2f}  {score.signature}")


def echo_scores_of_seeds(scores: "Sequence[ScoreOfSeeds]") -> None:
    """Write a line for each score: the mean, the deviation, and what each model reaches."""
    for score in scores:
        values = ", ".join(f"{value:.2f}" for value in score.values)
        typer.echo(
            f"{score.set} {score.name} {score.mean:.2f} +/- {score.deviation:.2f} ({values})  "
            f"{score.signature}"
        )
