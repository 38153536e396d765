"""Lines of text as token ids, segmented anew each epoch where subwords are sampled."""

from typing import NamedTuple, Protocol

from seqcli.errors import DataError

Text = tuple[list[str], ...]  # the lines of each file: of source and target, or of text alone


class Example(NamedTuple):
    """Token ids of what is read and of what is predicted, without marks of start and end."""

    source: list[int]
    target: list[int]


class Encode(Protocol):
    """Turns each line of a text into an example.

    `alpha` is that of `Tokenizer.sample_batch`; 0 takes the best segmentation, whatever the seed.
    """

    def __call__(self, text: Text, *, alpha: float, seed: int) -> list[Example]: ...


class Dataset:
    """The examples of a text.

    Those with an empty side or with more than `max_length` tokens on a side are left out;
    `num_empty` and `num_long` count them. `best_examples` holds all others in their best
    segmentation. `noun` says what to call them in messages.

    Raises DataError if none is left.
    """

    def __init__(
        self,
        text: Text,
        encode: Encode,
        *,
        sampling: float = 0.0,
        max_length: int = 200,
        noun: str = "pairs",
    ) -> None:
        self._encode = encode
        self._sampling = sampling
        encoded = encode(text, alpha=0.0, seed=0)
        kept = [
            index
            for index, example in enumerate(encoded)
            if all(0 < len(side) <= max_length for side in example)
        ]
        self.num_empty = sum(not all(example) for example in encoded)
        self.num_long = len(encoded) - len(kept) - self.num_empty
        if not kept:
            raise DataError(
                f"none of the {len(encoded)} {noun} can be used: {self.num_empty} have an "
                f"empty side, {self.num_long} have more than {max_length} tokens",
                why="a model cannot be trained on nothing",
                fix="Check the files, or raise data.max_length",
            )
        self._text: Text = tuple([lines[index] for index in kept] for lines in text)
        self.best_examples = [encoded[index] for index in kept]

    def __len__(self) -> int:
        return len(self.best_examples)

    def examples(self, *, seed: int, epoch: int) -> list[Example]:
        """Return all examples in the order of the files, as segmented for this epoch."""
        if self._sampling == 0:
            return self.best_examples
        return self._encode(self._text, alpha=self._sampling, seed=seed * 100_003 + epoch)
