"""The tokenizer of Moses: from a line to words and signs, and back."""

import re
from collections.abc import Sequence

from sacremoses import MosesDetokenizer, MosesTokenizer
from sacremoses.util import is_cjk

CJK_LANGUAGES = ("zh", "ja", "ko")  # whose rules Moses has
CJK = (  # letters and signs of Chinese, Japanese, Korean and their neighbours
    "\u1100-\u11ff\u2e80-\ua4cf\ua840-\ua87f\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffdc"
    "\U00017000-\U00018aff\U0001b000-\U0001b2ff\U00020000-\U0002ffff"
)
MARKS = "\u0300-\u036f\u0e47-\u0e4e"  # that stand on a letter: accents, the tones of Thai
KEEPS_SPACE = "\0"  # no word holds it


class Moses:
    """Cuts and joins lines by the rules of a language, such as "de".

    A hyphen between letters is a word of its own, written @-@ so that it can be joined again. The
    rules of English stand in for those of a language that has none. Words of East Asia stay whole,
    with their spaces, among those of another language.
    """

    def __init__(self, language: str) -> None:
        self._is_cjk = language in CJK_LANGUAGES
        self._tokenizer = MosesTokenizer(language)
        self._detokenizer = MosesDetokenizer(language)
        if not self._is_cjk:  # else Moses adds letters itself; the rest are signs, words each
            letters = self._tokenizer.IsAlnum + MARKS + CJK
            self._tokenizer.PAD_NOT_ISALNUM = re.compile(rf"([^{letters}\s\.'`,\-])"), r" \1 "

    def split(self, line: str) -> list[str]:
        """The words of a line."""
        words: list[str] = self._tokenizer.tokenize(
            line, aggressive_dash_splits=True, return_str=False, escape=False
        )
        return words

    def join(self, words: Sequence[str]) -> str:
        """The line that words make, but for the spaces that only the line can know."""
        if not self._is_cjk:  # else Moses would leave out the spaces between such words
            words = [KEEPS_SPACE + word if word and is_cjk(word[0]) else word for word in words]
        line: str = self._detokenizer.detokenize(words, unescape=False)
        return line.replace(KEEPS_SPACE, "")
