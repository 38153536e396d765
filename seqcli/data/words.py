"""Lines cut into words first and into pieces then, so that each word is known by its pieces."""

from collections.abc import Sequence
from itertools import chain

from seqcli.tokenizers import UNK, Tokenizer


def cut_words(
    tokenizer: Tokenizer, lines: Sequence[Sequence[str]], *, alpha: float = 0.0, seed: int = 0
) -> list[list[list[int]]]:
    """Return the token ids of each word of each line; a word has at least one, if need be UNK.

    Each word is cut with the space before it, by which words are told apart, also the first one of
    a line. `alpha` and `seed` are those of `Tokenizer.sample_batch`; 0 takes the best segmentation.
    """
    space = "" if tokenizer.leading_space else " "
    words = [space + word for word in chain.from_iterable(lines)]
    if alpha == 0:
        encoded = tokenizer.encode_batch(words)
    else:
        encoded = tokenizer.sample_batch(words, alpha=alpha, seed=seed)
    following = iter(encoded)
    return [[next(following) or [UNK] for _ in line] for line in lines]
