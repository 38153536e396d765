"""A model's folder: weights, tokenizers, facts and card; written whole, checked as it is read.

torch is imported only where weights are read or written, so that a list of models starts at once.
"""

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from seqcli.errors import ConfigError, ModelError
from seqcli.text.lines import write_atomically
from seqcli.tokenizers import TOKENIZERS, Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 2  # raised when a folder of the new kind can no longer be read by older versions
FACTS, WEIGHTS, CARD, TRAINING = "model.json", "weights.safetensors", "README.md", "training"
TOKENIZER_STEMS = {
    "shared": "tokenizer",
    "source": "tokenizer-source",
    "target": "tokenizer-target",
}
TOKENIZER_FILES = {  # each name that a tokenizer may have, and its role
    stem + suffix: role
    for role, stem in TOKENIZER_STEMS.items()
    for suffix in sorted({tokenizer.suffix for tokenizer in TOKENIZERS.values()})
}
RECIPE = "recipe.toml"
CARD_MARK = b"<!-- written by seqcli; SHA-256 of what stands above: "
LIBRARIES = ("seqcli", "torch", "sentencepiece", "sacrebleu", "numpy")


class BundleScore(msgspec.Struct, frozen=True, kw_only=True):
    """A score that the model reached, and on what."""

    name: str
    value: float
    signature: str
    set: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What `model.json` holds."""

    format: int
    task: str
    architecture: str
    name: str
    recipe: dict[str, Any]  # resolved: every setting, also those that were left to their default
    tokenizers: list[str]  # their roles: "shared", or "source" and "target"
    vocabulary: str  # fingerprint of all vocabularies; the weights carry it too
    parameters: int
    scores: list[BundleScore] = []
    libraries: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model's folder, read and checked."""

    folder: Path
    facts: Facts
    tokenizers: dict[str, Tokenizer]
    weights: "dict[str, Tensor]"  # float32, each tied tensor once

    @property
    def source_tokenizer(self) -> Tokenizer:
        return self.tokenizers.get("source") or self.tokenizers["shared"]

    @property
    def target_tokenizer(self) -> Tokenizer:
        return self.tokenizers.get("target") or self.tokenizers["shared"]


def vocabulary_fingerprint(tokenizers: Mapping[str, Tokenizer]) -> str:
    """One hash over the vocabularies and their roles."""
    joined = " ".join(
        f"{role}:{tokenizers[role].vocabulary.fingerprint()}" for role in sorted(tokenizers)
    )
    return hashlib.sha256(joined.encode()).hexdigest()


def library_versions() -> dict[str, str]:
    """The versions that a model was made with, for its facts."""
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            continue
    return versions


def save_tokenizers(folder: Path, tokenizers: Mapping[str, Tokenizer]) -> None:
    """Save each tokenizer under the name of its role. Raises OutputError."""
    for role, tokenizer in tokenizers.items():
        tokenizer.save(folder, TOKENIZER_STEMS[role])


def load_tokenizers(folder: Path, *, threads: int | None = None) -> dict[str, Tokenizer]:
    """Read the tokenizers of a model by role; `threads` as for `load_tokenizer`.

    Raises ModelError if they are not there or broken.
    """
    found = {
        role: load_tokenizer(folder / name, threads=threads)
        for name, role in TOKENIZER_FILES.items()
        if (folder / name).is_file()
    }
    if set(found) not in ({"shared"}, {"source", "target"}):
        raise _broken(folder, "a tokenizer is missing")
    return found


def write_model(
    folder: Path, facts: Facts, weights: "Mapping[str, Tensor]", *, half_precision: bool = False
) -> None:
    """Write weights and facts, each whole or not at all; the folder and tokenizers are there.

    The weights come first and carry the vocabulary's fingerprint, so that a model that is written
    again while it trains can be loaded at any moment. Raises OutputError.
    """
    import safetensors.torch
    import torch

    dtype = torch.float16 if half_precision else torch.float32
    tensors = {name: tensor.to("cpu", dtype).contiguous() for name, tensor in weights.items()}
    metadata = {"vocabulary": facts.vocabulary}  # one entry: the order of more is left to chance
    with write_atomically(folder / WEIGHTS) as stream:
        stream.buffer.write(safetensors.torch.save(tensors, metadata))
    write_facts(folder, facts)


def write_facts(folder: Path, facts: Facts) -> None:
    """Write `model.json`. Raises OutputError."""
    text = msgspec.json.format(msgspec.json.encode(facts).decode(), indent=2)
    with write_atomically(folder / FACTS) as stream:
        stream.write(text + "\n")


def write_card(
    folder: Path,
    facts: Facts,
    description: Mapping[str, str] = MappingProxyType({}),
    *,
    command: str = "translate",
    place: Path | None = None,
    without_valid: str = "pairs held out of the training text",
) -> None:
    """Write the model's card, but keep one that its user has written or edited. Raises OutputError.

    `description` says by name what else is known of the model, `command` what it is used by,
    `place` where it will stand if that is not `folder`, and `without_valid` what it was validated
    on if the recipe names no text for that ("" for nothing).
    """
    if _is_edited(folder / CARD):
        return
    data = facts.recipe["data"]
    texts = {
        "trained on": ", ".join(data["train"]),
        "validated on": ", ".join(data["valid"]) or without_valid,
        "tested on": ", ".join(data["test"]),
    }
    lines = [
        f"# {facts.name}",
        "",
        f"A {facts.architecture} model for {facts.task}: {facts.parameters:,} parameters.",
        "",
        *(f"- {use}: {files}" for use, files in texts.items() if files),
        *(
            f"- {score.set} {score.name}: {score.value:.2f} (`{score.signature}`)"
            for score in facts.scores
        ),
        *(f"- {name}: {text}" for name, text in description.items()),
        f"- made with: {', '.join(f'{name} {v}' for name, v in facts.libraries.items())}",
        "",
        f"Use it with `seqcli {command} {shlex.quote(str(place or folder))}`; "
        "its recipe is in `model.json`.",
        "",
        "",
    ]
    text = "\n".join(lines).encode()
    with write_atomically(folder / CARD) as stream:
        stream.buffer.write(text + _card_mark(text))


def _card_mark(text: bytes) -> bytes:
    return CARD_MARK + hashlib.sha256(text).hexdigest().encode() + b" -->\n"


def _is_edited(card: Path) -> bool:
    """Whether there is a card that is not as `write_card` writes it."""
    try:
        content = card.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True  # no work of ours
    text, mark, digest = content.rpartition(CARD_MARK)
    return mark + digest != _card_mark(text)


def read_bundle(folder: Path) -> Bundle:
    """Read a model's folder. Raises ModelError if a part is missing, broken or of another model."""
    from safetensors import SafetensorError, safe_open

    facts = read_facts(folder)
    tokenizers = load_tokenizers(folder)
    if vocabulary_fingerprint(tokenizers) != facts.vocabulary:
        raise _broken(folder, "its tokenizer is not the one that the model was trained with")
    try:
        with safe_open(folder / WEIGHTS, framework="pt") as file:
            metadata = file.metadata() or {}
            names = file.keys()  # the file itself cannot be iterated
            weights = {name: file.get_tensor(name).float() for name in names}
    except (OSError, SafetensorError) as error:
        raise _broken(folder, f"{WEIGHTS} cannot be read: {error}") from error
    if metadata.get("vocabulary") != facts.vocabulary:
        raise _broken(folder, f"{WEIGHTS} belongs to another model")
    return Bundle(folder, facts, tokenizers, weights)


def read_facts(folder: Path) -> Facts:
    """Read `model.json`. Raises ModelError."""
    path = folder / FACTS
    if not path.is_file():
        raise ModelError(
            f"{folder} is not a model: it has no {FACTS}",
            why="a model is a folder that `seqcli train` has written",
            fix="Give such a folder, or a name that `seqcli models` lists",
        )
    try:
        raw = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        if "format" not in raw:
            raise _broken(folder, f"{FACTS} is not of a model of seqcli")
        if raw["format"] != FORMAT:
            raise ModelError(
                f"{folder} has format {raw['format']!r}; this version reads {FORMAT}",
                why="it was written by another version of seqcli",
                fix="Use that version, or train the model again",
            )
        return msgspec.convert(raw, Facts)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise _broken(folder, f"{FACTS} cannot be read: {error}") from error


def find_model(model: str) -> Path:
    """Return the folder of a model given by its path or by the name of a shipped one."""
    folder, shipped = Path(model), shipped_models_folder() / model
    if folder.name == model and (shipped / FACTS).is_file() and not (folder / FACTS).is_file():
        return shipped
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{model} is a file", fix="A model is a folder: give its folder")
    raise ModelError(
        f"there is no model {model!r}",
        why="it is neither a folder here nor the name of a shipped model",
        fix="See `seqcli models` for the names, or train one with `seqcli train`",
    )


def find_recipe(recipe: str) -> Path:
    """Return the recipe given by its path or by the name of a shipped one. Raises ConfigError."""
    shipped = shipped_models_folder() / recipe / RECIPE
    if Path(recipe).name == recipe and not Path(recipe).is_file() and shipped.is_file():
        return shipped
    if Path(recipe).is_file():
        return Path(recipe)
    raise ConfigError(
        f"there is no recipe {recipe!r}",
        why="it is neither a file here nor the name of a shipped one",
        fix="See `seqcli models` for the names, or leave it out: sizes are chosen then",
    )


def shipped_models_folder() -> Path:
    """Return the folder of the models that come with seqcli, in a wheel or a source checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "models"
    return installed if installed.is_dir() else package.parent / "models"


def _broken(folder: Path, what: str) -> ModelError:
    return ModelError(
        f"the model in {folder} is broken: {what}",
        why="files are missing, damaged, or mixed from different models",
        fix="Copy the whole folder again, or train the model again",
    )
