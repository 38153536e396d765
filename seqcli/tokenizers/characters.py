"""One piece for each character (code point)."""

from typing import ClassVar, Literal

from seqcli.tokenizers.dictionary import DictionaryTokenizer


class CharacterTokenizer(DictionaryTokenizer):
    """Short vocabularies and long lines: for words to sounds, and scripts without spaces."""

    kind: ClassVar[Literal["characters", "words"]] = "characters"
    leading_space: ClassVar[bool] = False

    def _split(self, text: str) -> list[str]:
        return list(text)
