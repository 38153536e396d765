"""The settings of a tokenizer are checked as they are made."""

import pytest

from seqcli.config import from_dict
from seqcli.errors import ConfigError
from seqcli.tokenizers import TokenizerConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "unigramm"}, "did you mean"),
        ({"vocabulary_size": 0}, "vocabulary_size"),
        ({"character_coverage": 1.5}, "character_coverage"),
        ({"character_coverage": 0.5}, "below 0.98"),
        ({"kind": "words", "character_coverage": 0.0}, "character_coverage"),
        ({"kind": "words", "min_frequency": 0}, "min_frequency"),
        ({"kind": "bpe", "min_frequency": 2}, "does not go with"),
        ({"user_symbols": [""]}, "is empty"),
        ({"user_symbols": ["a b"]}, "holds a space"),
        ({"user_symbols": ["\u2581"]}, "reserved"),
        ({"user_symbols": ["<s>"]}, "built-in"),
        ({"user_symbols": ["<0x41>"]}, "built-in"),
        ({"user_symbols": ["<x>", "<x>"]}, "twice"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_dict(settings, TokenizerConfig, origin="test")


def test_coverage_and_frequency_are_free_for_kinds_that_count() -> None:
    config = TokenizerConfig(kind="characters", character_coverage=0.5, min_frequency=3)
    assert config.vocabulary_size is None
