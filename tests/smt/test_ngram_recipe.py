"""Settings of an n-gram model that cannot be are refused."""

from typing import Any

import pytest

from seqcli.config import from_dict
from seqcli.errors import ConfigError
from seqcli.smt.ngram_recipe import NgramRecipe


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"order": 0}, "order"),
        ({"order": 9}, "order"),
        ({"pruning": [0, 1, 0]}, "must not fall"),
        ({"pruning": [-1]}, "pruning"),
        ({"arpa": "a.arpa", "data": {"train": ["a.txt"]}}, "do not go together"),
        ({"arpa": "a.arpa", "pruning": [1]}, "pruning has no effect"),
        ({"arpa": "a.arpa", "tokenizer": {"kind": "bpe"}}, "cannot be had"),
        ({"arpa": "a.arpa", "tokenizer": {"kind": "words", "min_frequency": 2}}, "min_frequency"),
        ({"arpa": "a.arpa", "tokenizer": {"kind": "words", "byte_fallback": False}}, "byte_fall"),
        ({"order": 3, "pruning": [0, 1, 1]}, "up to order 4, but order is 3"),
        ({"order": 1, "pruning": [1]}, "up to order 2, but order is 1"),
        ({"seed": 1}, "seed has no effect"),
        ({"decoding": {"batch_sentences": 2}}, "batch_sentences has no effect"),
        ({"smoothing": "none"}, "unknown key"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        from_dict(settings, NgramRecipe, origin="test")
