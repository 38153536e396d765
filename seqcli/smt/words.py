"""From a line to the words that a statistical system counts, and from its words to a line."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from seqcli.errors import ModelError
from seqcli.smt.compounds import CompoundSplitter
from seqcli.smt.moses import Moses
from seqcli.smt.truecaser import Truecaser
from seqcli.text.lines import write_atomically
from seqcli.tokenizers import TOKENIZERS, Tokenizer, load_tokenizer

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")


class MosesWords:
    """Words by the rules of a language, in their usual casing; compounds may be split."""

    def __init__(
        self, language: str, truecaser: Truecaser, compounds: CompoundSplitter | None = None
    ) -> None:
        self.language = language
        self.truecaser = truecaser
        self.compounds = compounds
        self._moses = Moses(language)

    def split(self, line: str) -> list[str]:
        return self.refine(self._moses.split(line))

    def refine(self, words: Sequence[str]) -> list[str]:
        """Go on with what the rules of the language alone made of a line."""
        words = self.truecaser.truecase(words)
        return words if self.compounds is None else self.compounds.split(words)

    def join(self, tokens: Sequence[str]) -> str:
        if self.compounds is not None and self.compounds.joins:
            tokens = self.compounds.join(tokens)
        return self._moses.join(self.truecaser.detruecase(tokens))


class PieceWords:
    """The pieces of a tokenizer in the place of words."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    def split(self, line: str) -> list[str]:
        return self.tokenizer.to_pieces(line)

    def join(self, tokens: Sequence[str]) -> str:
        return self.tokenizer.from_pieces(tokens)


AnyWords = MosesWords | PieceWords


class _SavedWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file of MosesWords holds."""

    language: str
    casing: tuple[str, ...]  # words as they are usually written
    other_casing: tuple[str, ...]  # words as they are written too
    has_capitals: bool  # at the starts of sentences
    compounds: dict[str, int] | None  # frequencies of what they may be made of; None: not split
    joins_compounds: bool


def save_words(folder: Path, side: Side, words: AnyWords) -> None:
    """Write how the lines of a side become words. Raises OutputError."""
    if isinstance(words, PieceWords):
        words.tokenizer.save(folder, f"tokenizer-{side}")
        return
    saved = _SavedWords(
        language=words.language,
        casing=words.truecaser.words,
        other_casing=words.truecaser.others,
        has_capitals=words.truecaser.has_capitals,
        compounds=words.compounds.frequencies if words.compounds is not None else None,
        joins_compounds=words.compounds is not None and words.compounds.joins,
    )
    with write_atomically(folder / f"words-{side}.json") as stream:
        stream.buffer.write(msgspec.json.encode(saved))


def load_words(folder: Path, side: Side) -> AnyWords:
    """Read what `save_words` wrote. Raises ModelError."""
    for suffix in sorted({tokenizer.suffix for tokenizer in TOKENIZERS.values()}):
        path = folder / f"tokenizer-{side}{suffix}"
        if path.is_file():
            return PieceWords(load_tokenizer(path))
    path = folder / f"words-{side}.json"
    try:
        saved = msgspec.json.decode(path.read_bytes(), type=_SavedWords)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise ModelError(
            f"{path} cannot be read: {error}",
            why="it says how text becomes words",
            fix="Copy the whole folder again, or train the model again",
        ) from error
    truecaser = Truecaser(saved.casing, others=saved.other_casing, has_capitals=saved.has_capitals)
    if saved.compounds is None:
        return MosesWords(saved.language, truecaser)
    splitter = CompoundSplitter(saved.compounds, truecaser.usual, joins=saved.joins_compounds)
    return MosesWords(saved.language, truecaser, splitter)
