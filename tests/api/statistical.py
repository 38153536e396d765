"""Small trainings of systems without a network."""

from pathlib import Path
from typing import Any

from seqcli.config import from_dict
from seqcli.smt.recipe import SmtRecipe
from tests.smt.parallel_lines import make_pairs

QUICK = {"rounds": 2, "num_best": 10, "stack_size": 5}


class Listener:
    """A reporter that keeps what it hears."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def progress(self, progress: object) -> None: ...

    def validated(self, report: object) -> None: ...


def write_pairs(folder: Path, name: str, count: int, seed: int = 1) -> list[str]:
    """Write aligned files and give their names."""
    paths = [folder / f"{name}.de", folder / f"{name}.en"]
    for path, lines in zip(paths, make_pairs(count, seed), strict=True):
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return list(map(str, paths))


def smt_recipe(folder: Path, *, valid: bool = True, **settings: Any) -> SmtRecipe:
    """A recipe over little text, which is written to `folder`."""
    data = {"train": write_pairs(folder, "train", 60)}
    if valid:
        data["valid"] = write_pairs(folder, "valid", 10, seed=2)
    values = {"data": {**data, **settings.pop("data", {})}, "tuning": QUICK, **settings}
    return from_dict(values, SmtRecipe, origin="test")
