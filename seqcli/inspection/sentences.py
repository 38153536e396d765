"""Lines of text as the tokens on which a network is watched."""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, TypeVar

from seqcli.architectures.tagger import Tagger
from seqcli.data.words import cut_words
from seqcli.errors import DataError
from seqcli.experiment import TranslationRecipe
from seqcli.inspection.loading import LoadedModel
from seqcli.text.words import split_words
from seqcli.tokenizers import Tokenizer

SENTENCES_AT_A_TIME = 64  # where the recipe does not say

T = TypeVar("T")


def encode_line(tokenizer: Tokenizer, line: str) -> list[int]:
    """Return the tokens of a line; one of white space alone has none, as for the translator."""
    return tokenizer.encode(line) if line.strip() else []


def encode_source(loaded: LoadedModel[Any], text: str, description: str) -> list[int]:
    """Return the tokens of a sentence. DataError if it has none or more than the model reads."""
    tokens = _read_as_the_model_does(loaded, text)
    if not tokens:
        raise DataError(f"{description} is empty", fix="Give a sentence with at least one word")
    recipe = loaded.recipe
    if not isinstance(recipe, TranslationRecipe):  # all others read a line as a whole
        return tokens
    longest = recipe.decoding.max_source_length
    if len(tokens) > longest:
        raise DataError(
            f"{description} has {len(tokens)} tokens",
            why=f"the model reads {longest} at once (decoding.max_source_length)",
            fix="Give a shorter sentence, or a part of it",
        )
    return tokens


def groups_of(loaded: LoadedModel[Any], items: Iterable[T]) -> Iterator[list[T]]:
    """Give items by the group, as many as the model translates together: a long file fits."""
    rest, recipe, size = iter(items), loaded.recipe, SENTENCES_AT_A_TIME
    if isinstance(recipe, TranslationRecipe):
        size = recipe.decoding.batch_sentences
    return iter(lambda: list(islice(rest, size)), [])


def _read_as_the_model_does(loaded: LoadedModel[Any], line: str) -> list[int]:
    if isinstance(loaded.model, Tagger):
        (words,) = cut_words(loaded.source_tokenizer, [split_words(line)])
        return list(chain.from_iterable(words))
    return encode_line(loaded.source_tokenizer, line)
