"""One piece for whatever stands between spaces: for text that is cut into words already."""

import re
from typing import ClassVar

from seqcli.tokenizers.dictionary import DictionaryTokenizer, Kind


class WhitespaceTokenizer(DictionaryTokenizer):
    """Leaves the words of a text as they are.

    A vocabulary without bytes has no way to write a second space, as that of a model that another
    program made: there any run of spaces and tabs parts two words.
    """

    kind: ClassVar[Kind] = "whitespace"
    leading_space: ClassVar[bool] = True

    def _split(self, text: str) -> list[str]:
        if not self.vocabulary.has_bytes:
            return [f" {word}" for word in re.findall(r"[^ \t]+", text)]
        return re.findall(r" ?\S+|\s", text)
