"""One piece for each word, number or punctuation mark, with the space before it."""

import functools
import re
import unicodedata
from typing import ClassVar

from seqcli.tokenizers.dictionary import DictionaryTokenizer, Kind

JOINERS = "\u200c\u200d"  # stand between letters of one word in Persian and Indic scripts


class WordTokenizer(DictionaryTokenizer):
    """The classical vocabulary of whole words; rare ones are spelled in bytes."""

    kind: ClassVar[Kind] = "words"
    leading_space: ClassVar[bool] = True

    def _split(self, text: str) -> list[str]:
        return _word_pattern().findall(text)


@functools.cache
def _word_pattern() -> re.Pattern[str]:
    """A run of letters and their marks, a run of digits, or any other character alone."""
    marks = "".join(
        chr(code) for code in range(0x300, 0x1F000) if unicodedata.category(chr(code))[0] == "M"
    )
    return re.compile(rf" ?(?:[^\W\d_](?:[^\W\d_]|[{marks}{JOINERS}])*|\d+|\S)|\s")
