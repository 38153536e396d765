"""Subwords by sentencepiece: the unigram model and byte-pair encoding."""

import os
import re
from collections.abc import Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import ClassVar, Self

from seqcli.text.lines import write_atomically
from seqcli.tokenizers.base import RESERVED, Tokenizer, TokenizerConfig, flat, size_error
from seqcli.tokenizers.model_file import read_training
from seqcli.tokenizers.sampling import SAMPLERS, Sampler, words_of
from seqcli.tokenizers.vocabulary import BOS, BYTE_PIECES, EOS, PAD, SPECIAL_PIECES, UNK, Vocabulary

# The vocabulary for a text of up to so many characters, both languages counted: about 2,000,
# 10,000, 100,000 and a million pairs of sentences. Larger texts get LARGEST_SIZE.
AUTOMATIC_SIZES = ((250_000, 1000), (1_500_000, 2000), (15_000_000, 4000), (150_000_000, 8000))
LARGEST_SIZE = 16_000

TRAINING_THREADS = 4  # on any machine: the sums of the training, and so its result, depend on it
MOST_SENTENCES = 2_000_000  # of a larger text, sentences at even distances are learned from
SEGMENTS_OF_A_THREAD = 2000  # a thread more for each so many texts that are encoded at once
LONGEST_SENTENCE = 1000  # characters; sentencepiece drops what is longer than 4192 bytes

_SILENT = 3  # log level: sentencepiece writes to stderr what it raises as well


class SubwordTokenizer(Tokenizer):
    """Pieces learned by sentencepiece, which keeps the text as it is (no normalization)."""

    suffix: ClassVar[str] = ".model"
    leading_space: ClassVar[bool] = True

    def __init__(self, model: bytes, *, threads: int | None = None) -> None:
        """`model` is what sentencepiece saves. Raises ValueError if it is not one of ours.

        Lines are encoded by so many `threads` at most; None: by all cores.
        """
        from sentencepiece import SentencePieceProcessor, set_min_log_level

        set_min_log_level(_SILENT)
        self._model = model
        self._threads = threads
        self._processor = SentencePieceProcessor()
        try:
            self._processor.load_from_serialized_proto(model)
            normalized = self._processor.normalize(" \ufb01  x ")
        except RuntimeError as error:
            raise ValueError("sentencepiece cannot read it") from error
        if normalized != "\u2581\ufb01\u2581\u2581x\u2581":
            raise ValueError("it changes the text that it is given")
        self._kind, user_symbols = read_training(model)
        ids = range(self._processor.get_piece_size())
        pieces = [self._processor.id_to_piece(index) for index in ids]
        super().__init__(Vocabulary(pieces), user_symbols)

    @classmethod
    def train(
        cls, lines: Sequence[str], config: TokenizerConfig, *, threads: int | None = None
    ) -> Self:
        sentences = _sentences(lines)
        automatic = automatic_size(sum(map(len, sentences)))
        num_threads = min(TRAINING_THREADS, threads or TRAINING_THREADS)
        learn = partial(_learn, sentences, config, num_threads=num_threads)
        try:
            return cls(learn(config.vocabulary_size or automatic), threads=threads)
        except RuntimeError as error:
            possible = _possible_size(error)
            if config.vocabulary_size is not None:
                raise size_error(config.vocabulary_size, possible=possible) from error
        # There are more characters than that size.
        return cls(learn(possible + automatic), threads=threads)

    def save(self, folder: Path, stem: str) -> Path:
        path = folder / f"{stem}{self.suffix}"
        with write_atomically(path) as stream:
            stream.buffer.write(self._model)
        return path

    def sample_batch(self, lines: Sequence[str], *, alpha: float, seed: int) -> list[list[int]]:
        sampler = SAMPLERS[self._kind](self._scores(), alpha=alpha, seed=seed)
        segments = self._segments(lines)
        return self._join(segments, [self._sample(text, sampler) for text in flat(segments)])

    def _sample(self, segment: str, sampler: Sampler) -> list[int]:
        ids: list[int] = []
        for place, text in enumerate(self._split_symbols(segment)):
            if place % 2:
                ids.append(self.vocabulary.id(text))
            else:
                for word in words_of(text):
                    for piece in sampler.pieces(word):
                        ids += self.vocabulary.ids_of(piece)
        return ids

    def _scores(self) -> dict[str, float]:
        """The scores of the learned pieces."""
        built_in = {*SPECIAL_PIECES, *BYTE_PIECES, *self._user_symbols}
        return {
            piece: self._processor.get_score(index)
            for index, piece in enumerate(self.vocabulary.pieces)
            if piece not in built_in
        }

    def _encode_segments(self, segments: list[str]) -> list[list[int]]:
        threads = min(self._threads or _num_cores(), 1 + len(segments) // SEGMENTS_OF_A_THREAD)
        ids: list[list[int]] = self._processor.encode(segments, num_threads=threads)
        return ids


def _num_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def automatic_size(num_characters: int) -> int:
    """The size of a vocabulary for a text of so many characters."""
    sizes = (size for most, size in AUTOMATIC_SIZES if num_characters <= most)
    return next(sizes, LARGEST_SIZE)


def _sentences(lines: Sequence[str]) -> list[str]:
    """What sentencepiece can learn from: no reserved characters, nothing too long or too much."""
    return [
        segment[start : start + LONGEST_SENTENCE]
        for line in lines[:: len(lines) // (MOST_SENTENCES + 1) + 1]
        if line
        for segment in RESERVED.split(" " + line)[::2]
        for start in range(0, len(segment), LONGEST_SENTENCE)
    ]


def _learn(sentences: list[str], config: TokenizerConfig, size: int, *, num_threads: int) -> bytes:
    from sentencepiece import SentencePieceTrainer

    pad, bos, eos, unk = SPECIAL_PIECES
    model = BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        model_type=config.kind,
        vocab_size=size,
        hard_vocab_limit=config.vocabulary_size is not None,
        character_coverage=config.character_coverage,
        user_defined_symbols=list(config.user_symbols),
        byte_fallback=config.byte_fallback,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=False,
        pad_id=PAD,
        bos_id=BOS,
        eos_id=EOS,
        unk_id=UNK,
        pad_piece=pad,
        bos_piece=bos,
        eos_piece=eos,
        unk_piece=unk,
        num_threads=num_threads,
        minloglevel=_SILENT,
    )
    return model.getvalue()


def _possible_size(error: RuntimeError) -> int:
    """The size that sentencepiece asks for instead of one too high or too low."""
    found = re.search(r"value <= (\d+)|\d+ vs (\d+)", str(error))
    if found is None:
        raise error
    return int(found[1] or found[2])
