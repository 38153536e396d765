"""Lines of text as the tokens on which a network is watched."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from seqcli.errors import DataError
from seqcli.inspection.loading import LoadedModel
from seqcli.tokenizers import Tokenizer

T = TypeVar("T")


def encode_line(tokenizer: Tokenizer, line: str) -> list[int]:
    """Return the tokens of a line; one of white space alone has none, as for the translator."""
    return tokenizer.encode(line) if line.strip() else []


def encode_source(loaded: LoadedModel[Any], text: str, description: str) -> list[int]:
    """Return the tokens of a sentence. DataError if it has none or more than the model reads."""
    tokens = encode_line(loaded.source_tokenizer, text)
    longest = loaded.recipe.decoding.max_source_length
    if not tokens:
        raise DataError(f"{description} is empty", fix="Give a sentence with at least one word")
    if len(tokens) > longest:
        raise DataError(
            f"{description} has {len(tokens)} tokens",
            why=f"the model reads {longest} at once (decoding.max_source_length)",
            fix="Give a shorter sentence, or a part of it",
        )
    return tokens


def groups_of(loaded: LoadedModel[Any], items: Iterable[T]) -> Iterator[list[T]]:
    """Give items by the group, as many as the model translates together: a long file fits."""
    rest, size = iter(items), loaded.recipe.decoding.batch_sentences
    return iter(lambda: list(islice(rest, size)), [])
