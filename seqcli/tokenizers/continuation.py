"""What a language model adds to the begin of a line."""

from collections.abc import Sequence
from typing import NamedTuple

from seqcli.tokenizers.base import Tokenizer
from seqcli.tokenizers.vocabulary import EOS
from seqcli.translator import Hypothesis, Translation


class Continuation(NamedTuple):
    """The tokens that were drawn for a line."""

    tokens: list[int]  # ends in EOS if it has come to an end
    log_probability: float  # nats, by the model's own distribution: as it is without any setting

    def of_line(self, line: str, beginning: Sequence[int], tokenizer: Tokenizer) -> Translation:
        """Return the whole line; `beginning` is what the tokenizer makes of its begin, `line`."""
        is_complete = self.tokens[-1] == EOS
        read = tokenizer.decode(beginning)
        written = tokenizer.decode([*beginning, *self.tokens]).removeprefix(read)
        pieces_of = tokenizer.vocabulary.pieces_of
        hypothesis = Hypothesis(
            text=line + written,
            score=self.log_probability,
            log_probability=self.log_probability,
            tokens=tuple(pieces_of(self.tokens[:-1] if is_complete else self.tokens)),
            is_complete=is_complete,
        )
        return Translation(line, (hypothesis,), tuple(pieces_of(beginning)))
