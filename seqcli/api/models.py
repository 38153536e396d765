"""What is shipped with seqcli: trained models, and recipes to train one."""

from difflib import get_close_matches
from pathlib import Path

import msgspec

from seqcli.bundle import CARD, FACTS, RECIPE, BundleScore, read_facts, shipped_models_folder
from seqcli.errors import ModelError


class ShippedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of `models/`. Without weights it is a recipe: no task, parameters or scores yet."""

    name: str
    description: str
    is_trained: bool
    size_bytes: int
    task: str = ""
    parameters: int = 0
    scores: list[BundleScore] = []


def shipped_models() -> list[ShippedModel]:
    """Describe each model and recipe that came with seqcli, in the order of their names."""
    return [_describe(folder) for folder in _folders()]


def shipped_model(name: str) -> ShippedModel:
    """Describe the one called `name`; ModelError if none is."""
    return _describe(_folder(name))


def model_card(name: str) -> str:
    """The card of the shipped model called `name`, in Markdown; ModelError if there is none."""
    card = _folder(name) / CARD
    if not card.is_file():
        raise ModelError(f"the model '{name}' has no card", why=f"{card} is missing")
    return card.read_text(encoding="utf-8")


def _folders() -> list[Path]:
    home = shipped_models_folder()
    if not home.is_dir():
        return []
    marks = (FACTS, RECIPE)
    return sorted(path for path in home.iterdir() if any((path / mark).is_file() for mark in marks))


def _folder(name: str) -> Path:
    folders = {folder.name: folder for folder in _folders()}
    if name in folders:
        return folders[name]
    near = get_close_matches(name, folders, n=1)
    raise ModelError(
        f"no model called '{name}' is shipped",
        why=f"there are: {', '.join(folders) or 'none'}",
        fix=f"Did you mean '{near[0]}'?" if near else "Choose one of these",
    )


def _describe(folder: Path) -> ShippedModel:
    facts = read_facts(folder) if (folder / FACTS).is_file() else None
    return ShippedModel(
        name=folder.name,
        description=_first_paragraph(folder / CARD),
        is_trained=facts is not None,
        size_bytes=sum(path.stat().st_size for path in folder.iterdir() if path.is_file()),
        task=facts.task if facts else "",
        parameters=facts.parameters if facts else 0,
        scores=facts.scores if facts else [],
    )


def _first_paragraph(card: Path) -> str:
    """The first lines of text below the heading, as one line."""
    if not card.is_file():
        return ""
    lines: list[str] = []
    for line in card.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            lines.append(line.strip())
        elif lines:
            break
    return " ".join(lines)
