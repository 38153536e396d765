"""Tokenizers: from a line of text to ids and back, without loss."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from seqcli.errors import DataError, ModelError
from seqcli.tokenizers.base import Tokenizer, TokenizerConfig
from seqcli.tokenizers.characters import CharacterTokenizer
from seqcli.tokenizers.dictionary import DictionaryTokenizer, SavedDictionary
from seqcli.tokenizers.labels import LabelTokenizer
from seqcli.tokenizers.subword import SubwordTokenizer
from seqcli.tokenizers.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from seqcli.tokenizers.whitespace import WhitespaceTokenizer
from seqcli.tokenizers.words import WordTokenizer

__all__ = [
    "BOS",
    "EOS",
    "PAD",
    "TOKENIZERS",
    "UNK",
    "Tokenizer",
    "TokenizerConfig",
    "Vocabulary",
    "load_tokenizer",
    "train_tokenizer",
]

DICTIONARIES: dict[str, type[DictionaryTokenizer]] = {
    "characters": CharacterTokenizer,
    "words": WordTokenizer,
    "whitespace": WhitespaceTokenizer,
}
TOKENIZERS: dict[str, type[Tokenizer]] = {
    "unigram": SubwordTokenizer,
    "bpe": SubwordTokenizer,
    **DICTIONARIES,
}
SAVED: dict[str, type[DictionaryTokenizer]] = {  # what a file of a dictionary may hold
    **DICTIONARIES,
    "labels": LabelTokenizer,
}


def train_tokenizer(
    lines: Iterable[str], config: TokenizerConfig, *, threads: int | None = None
) -> Tokenizer:
    """Learn a tokenizer from lines of text; the same lines and settings give the same one.

    It learns and encodes by so many `threads` at most; None: by all cores.
    Raises DataError for text that is empty, ConfigError for a vocabulary size it does not allow.
    """
    lines = [line for line in lines if line]
    if not lines:
        raise DataError(
            "there is no text to learn a tokenizer from",
            why="the files are empty or hold empty lines only",
            fix="Give at least one line of text",
        )
    return TOKENIZERS[config.kind].train(lines, config, threads=threads)


def load_tokenizer(path: Path, *, threads: int | None = None) -> Tokenizer:
    """Read what `Tokenizer.save` wrote; ModelError for a missing, broken or foreign file.

    It encodes by so many `threads` at most; None: by all cores.
    """
    try:
        content = path.read_bytes()
        if path.suffix == SubwordTokenizer.suffix:
            return SubwordTokenizer(content, threads=threads)
        saved = msgspec.json.decode(content, type=SavedDictionary)
        return SAVED[saved.kind](saved.pieces, saved.user_symbols)
    except OSError as error:
        raise ModelError(
            f"cannot read the tokenizer {path}: {error.strerror}",
            fix="Give the file that `seqcli tokenize train` wrote, or the folder of a model",
        ) from error
    except (ValueError, msgspec.MsgspecError) as error:
        raise ModelError(
            f"{path} is not a tokenizer: {error}",
            why="the file is damaged or was written by another program",
            fix="Train one with `seqcli tokenize train`",
        ) from error
