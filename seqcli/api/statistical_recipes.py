"""The recipe of a system without a network, from a file and the command line."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqcli.api.statistical import is_statistical
from seqcli.config import from_dict, override, read_toml
from seqcli.errors import UsageError
from seqcli.text.parallel import is_table

if TYPE_CHECKING:
    from seqcli.smt.recipe import StatisticalRecipe

KEY = "architecture"


def resolve_statistical_recipe(
    recipe_path: Path | None,
    *,
    files: Mapping[str, tuple[str, ...]],
    assignments: Sequence[str] = (),
    seed: int | None = None,
    architecture: str | None = None,
) -> "StatisticalRecipe | None":
    """Build the recipe, as `resolve_recipe` does; None if it is one of a network.

    Raises ConfigError and UsageError.
    """
    values = {} if recipe_path is None else read_toml(recipe_path)
    if architecture is not None:
        values = {**values, KEY: architecture}
    last = [text for text in assignments if text.partition("=")[0].strip() == KEY][-1:]
    name = last[0].partition("=")[2].strip() if last else str(values.get(KEY, ""))
    if not is_statistical(name):
        return None
    from seqcli.smt.recipe import STATISTICAL_RECIPES

    kind = STATISTICAL_RECIPES[name]
    if seed is not None:
        values = {**values, "seed": seed}
    _require_fitting(name, files)
    data: Any = values.get("data", {})
    if isinstance(data, Mapping):
        values = {**values, "data": {**data, **files}}
    origin = str(recipe_path or "the command line")
    return from_dict(override(values, assignments, kind), kind, origin=origin)


def _require_fitting(name: str, files: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse pairs where text alone is learned from."""
    for option, named in files.items():
        if name == "ngram" and (len(named) > 1 or is_table(named[0])):
            raise UsageError(
                f"{' and '.join(named)}: a language model has no pairs to learn from",
                why="it would take both sides for text of one kind",
                fix=f"Give --{option}-text FILE; several files of text go into data.{option} of a "
                "recipe",
            )
