"""In which script a line is written: Latin, Cyrillic, Hangul and so on."""

import unicodedata
from collections import Counter
from functools import cache

# By how the Unicode name of a letter starts; other scripts are called by the first word of it.
_NAMES = {
    "CJK": "Han or kana",
    "HIRAGANA": "Han or kana",
    "KATAKANA": "Han or kana",
    "KATAKANA-HIRAGANA": "Han or kana",
    "FULLWIDTH": "Latin",
    "HALFWIDTH": "Han or kana",
}
_SHARED = ("MODIFIER", "FEMININE", "MASCULINE", "MATHEMATICAL", "SCRIPT", "DOUBLE-STRUCK", "MICRO")


def script_of(line: str) -> str:
    """The script that most letters of the line are of; "" if it has no letters."""
    if line.isascii():
        return "Latin" if any(map(str.isalpha, line)) else ""
    counts = Counter(map(_script, line))
    del counts[""]
    return max(counts, key=counts.__getitem__, default="")


@cache
def _script(character: str) -> str:
    """The script of a character; "" for what is no letter, or a letter of every script."""
    word = unicodedata.name(character, "").partition(" ")[0] if character.isalpha() else ""
    return "" if word in _SHARED else _NAMES.get(word, word.capitalize())
