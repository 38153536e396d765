"""Train a tokenizer on files, and turn lines into pieces or ids and back."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from seqcli.bundle import TOKENIZER_FILES
from seqcli.errors import DataError, ModelError, OutputError, UsageError
from seqcli.text.lines import arriving, name_of, read_lines, require_writable
from seqcli.tokenizers import TOKENIZERS, Tokenizer, TokenizerConfig
from seqcli.tokenizers import load_tokenizer as load_file
from seqcli.tokenizers import train_tokenizer as train_on_lines

SUFFIXES = tuple(sorted({tokenizer.suffix for tokenizer in TOKENIZERS.values()}))
MODEL_FILES = [name for name, role in TOKENIZER_FILES.items() if role != "target"]
LINES_AT_ONCE = 1000  # at most; lines that have not arrived yet are not waited for

log = logging.getLogger(__name__)


def train_tokenizer(
    files: Sequence[str | Path],
    output: Path,
    config: TokenizerConfig | None = None,
    *,
    overwrite: bool = False,
) -> Path:
    """Learn a tokenizer from files and return the path it is saved at.

    `output` may leave out the suffix. Raises OutputError where it exists already or cannot be
    written, before any text is read; DataError and ConfigError as for lines.
    """
    config = config or TokenizerConfig()
    path = _output_path(output, config.kind)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already", fix="Choose another name or add --overwrite")
    require_writable(path)
    tokenizer = train_on_lines((line for file in files for line in read_lines(file)), config)
    saved = tokenizer.save(path.parent, path.stem)
    log.info("wrote %s: %s, %d pieces", saved, config.kind, len(tokenizer.vocabulary))
    return saved


def load_tokenizer(path: Path) -> Tokenizer:
    """Load a tokenizer's file, or the (source) tokenizer of a model's folder. Raises ModelError.

    The suffix of the file may be left out, as in training.
    """
    if not path.is_dir():
        named = [path, *(path.with_name(path.name + suffix) for suffix in SUFFIXES)]
        return load_file(next((file for file in named if file.is_file()), path))
    for name in MODEL_FILES:
        if (path / name).is_file():
            return load_file(path / name)
    raise ModelError(
        f"the folder {path} has no tokenizer",
        why=f"a model keeps it in {' or '.join(MODEL_FILES)}",
        fix="Give the folder of a model, or the file that `seqcli tokenize train` wrote",
    )


def encode_file(tokenizer: Tokenizer, source: str | Path, *, as_ids: bool) -> Iterator[str]:
    """The pieces or ids of each line, with spaces between, as the lines arrive."""
    for lines in arriving(read_lines(source), LINES_AT_ONCE):
        for ids in tokenizer.encode_batch(lines):
            yield " ".join(map(str, ids) if as_ids else tokenizer.vocabulary.pieces_of(ids))


def decode_file(tokenizer: Tokenizer, source: str | Path, *, as_ids: bool) -> Iterator[str]:
    """The text of each line of pieces or ids. DataError names the line of an id that is none."""
    name = name_of(source)
    for number, line in enumerate(read_lines(source), start=1):
        if as_ids:
            yield tokenizer.decode(_read_ids(line, len(tokenizer.vocabulary), name, number))
        else:
            yield tokenizer.from_pieces(line.split(" "))


def _read_ids(line: str, size: int, name: str, number: int) -> list[int]:
    ids = []
    for word in line.split():
        if not (word.isascii() and word.isdigit()):
            fault, fix = "is not an id", "Give whole numbers with spaces between, or use --pieces"
        elif len(word) > len(str(size)) or int(word) >= size:
            fault, fix = "is too high for an id", "Decode with the tokenizer that wrote the ids"
        else:
            ids.append(int(word))
            continue
        raise DataError(
            f"{name}, line {number}: {word[:20]!r} {fault}",
            why=f"the ids of this tokenizer are 0 to {size - 1}",
            fix=fix,
        )
    return ids


def _output_path(output: Path, kind: str) -> Path:
    suffix = TOKENIZERS[kind].suffix
    if not output.name:
        raise OutputError(f"{output} is a folder", fix="Name a file in it")
    if output.suffix not in SUFFIXES:
        return output.with_name(output.name + suffix)
    if output.suffix != suffix:
        raise UsageError(
            f"{output} cannot hold a tokenizer of the kind {kind}",
            why=f"its file ends in {suffix}",
            fix=f"Name it {output.with_suffix(suffix)}, or leave the ending out",
        )
    return output
