"""One piece for each character (code point)."""

from typing import ClassVar

from seqcli.tokenizers.dictionary import DictionaryTokenizer, Kind


class CharacterTokenizer(DictionaryTokenizer):
    """Short vocabularies and long lines: for words to sounds, and scripts without spaces."""

    kind: ClassVar[Kind] = "characters"
    leading_space: ClassVar[bool] = False

    def _split(self, text: str) -> list[str]:
        return list(text)
