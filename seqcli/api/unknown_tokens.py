"""How much of a text the vocabulary of a tokenizer lacks."""

from seqcli.text.findings import MOST_LINES_NAMED, Finding
from seqcli.tokenizers import UNK, Tokenizer
from seqcli.tokenizers.vocabulary import BYTE_PIECES

LINES_AT_ONCE = 1000  # that are cut into tokens


class UnknownTokens:
    """The rate of tokens that are UNK or spell a character in bytes, of the lines of one file.

    The lines that are added are each `step`-th of the file, from its first.
    """

    def __init__(self, tokenizer: Tokenizer, file: str, *, step: int = 1) -> None:
        self._tokenizer = tokenizer
        self._file = file
        self._step = step
        vocabulary = tokenizer.vocabulary
        self._unknown_ids = {UNK, *map(vocabulary.id, BYTE_PIECES)}
        self._waiting: list[str] = []
        self._num_lines = self._num_tokens = self._num_unknown = 0
        self._first_lines: list[int] = []

    def add(self, line: str) -> None:
        """Take the next line."""
        self._waiting.append(line)
        if len(self._waiting) == LINES_AT_ONCE:
            self._count()

    def finding(self) -> Finding:
        """The rate, also if it is 0."""
        self._count()
        text = "tokens that the vocabulary lacks (unknown, or spelled in bytes)"
        if self._step > 1:
            text += f", in one line of {self._step}"
        lines = tuple(self._first_lines)
        count, total = self._num_unknown, self._num_tokens
        return Finding("unknown_tokens", text, self._file, count, total, lines)

    def _count(self) -> None:
        for ids in self._tokenizer.encode_batch(self._waiting):
            num_unknown = sum(index in self._unknown_ids for index in ids)
            if num_unknown and len(self._first_lines) < MOST_LINES_NAMED:
                self._first_lines.append(self._num_lines * self._step + 1)
            self._num_unknown += num_unknown
            self._num_tokens += len(ids)
            self._num_lines += 1
        self._waiting.clear()
