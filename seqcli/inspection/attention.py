"""Where a decoder looked in the source while it wrote, or was given, a translation."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

import msgspec
import torch

from seqcli.architectures.seq2seq import Seq2Seq
from seqcli.data.batch import pair_batch
from seqcli.data.dataset import Example
from seqcli.decoding.neural_translator import NeuralTranslator
from seqcli.decoding.search import attention_rows
from seqcli.decoding.step import ModelStepper
from seqcli.inspection.forcing import read_target
from seqcli.inspection.loading import LoadedModel, require_attention
from seqcli.inspection.sentences import encode_line, groups_of
from seqcli.tokenizers.vocabulary import piece_bytes
from seqcli.translator import Translation


class AttentionMap(msgspec.Struct, frozen=True):
    """A sentence, its translation, and the attention between their tokens.

    The weights have a row for each target token and a column for each source token. With the
    source's end-of-sentence mark, which is left out, a row sums to one. Where a side is empty there
    are neither tokens nor weights.
    """

    source: str
    target: str
    source_tokens: list[str] = []
    target_tokens: list[str] = []
    weights: list[list[float]] = []

    @classmethod
    def of(cls, translation: Translation) -> "AttentionMap":
        """Take the best hypothesis of a translation."""
        best = translation.hypotheses[0]
        if not best.attention:
            return cls(translation.source, best.text)
        return cls(
            translation.source,
            best.text,
            list(translation.source_tokens),
            list(best.tokens),
            [list(row) for row in best.attention],
        )


def attentive_translator(loaded: LoadedModel[Seq2Seq]) -> NeuralTranslator:
    """Make a translator that searches by the model's own settings, and tells its attention.

    It computes in float32. ModelError for a model that has no attention.
    """
    require_attention(loaded)
    return NeuralTranslator(
        ModelStepper(loaded.model),
        loaded.recipe.decoding,
        source_tokenizer=loaded.source_tokenizer,
        target_tokenizer=loaded.target_tokenizer,
        with_attention=True,
    )


def forced_attention(
    loaded: LoadedModel[Seq2Seq], sources: Iterable[str], targets: Iterable[str]
) -> Iterator[AttentionMap]:
    """Give the attention with which the model would have written each target.

    ModelError for a model that has no attention.
    """
    require_attention(loaded)
    groups = groups_of(loaded, zip(sources, targets, strict=True))
    return chain.from_iterable(_force(loaded, group) for group in groups)


def by_words(pieces: AttentionMap) -> AttentionMap:
    """Join pieces to words, which are what the white space of ASCII separates.

    Attention to the pieces of a source word is summed, that of a target word's pieces averaged.
    """
    source_words, source_places = words_of(pieces.source_tokens)
    target_words, target_places = words_of(pieces.target_tokens)
    if not source_words or not target_words:
        return AttentionMap(pieces.source, pieces.target)
    weights = [[0.0] * len(source_words) for _ in target_words]
    for target_place, row in zip(target_places, pieces.weights, strict=True):
        count = target_places.count(target_place)
        for source_place, weight in zip(source_places, row, strict=True):
            weights[target_place][source_place] += weight / count
    return AttentionMap(pieces.source, pieces.target, source_words, target_words, weights)


def words_of(pieces: Sequence[str]) -> tuple[list[str], list[int]]:
    """Return the words that pieces spell, and for each piece the place of its word.

    A piece of space alone belongs to the word that follows, at the end to the last one. A piece
    that reaches into another word belongs to the later one.
    """
    words: list[bytearray] = []
    places = []
    inside = False
    for piece in pieces:
        letters = piece_bytes(piece)
        for letter in letters:
            if bytes([letter]).isspace():
                inside = False
                continue
            if not inside:
                words.append(bytearray())
            words[-1].append(letter)
            inside = True
        places.append(len(words) - 1 if letters.strip() else len(words))
    last = len(words) - 1
    return [word.decode(errors="replace") for word in words], [min(at, last) for at in places]


@torch.inference_mode()
def _force(loaded: LoadedModel[Seq2Seq], pairs: Sequence[tuple[str, str]]) -> list[AttentionMap]:
    maps = [AttentionMap(source, target) for source, target in pairs]
    encoded = [
        Example(
            encode_line(loaded.source_tokenizer, source),
            encode_line(loaded.target_tokenizer, target),
        )
        for source, target in pairs
    ]
    full = [index for index, example in enumerate(encoded) if all(example)]
    if not full:
        return maps
    model = loaded.model
    batch = pair_batch([encoded[index] for index in full])
    memory, state = model.encode(batch.source_BS, batch.source_mask_BS)
    embedded_BTE = model.embed_target(batch.target_input_BT)
    _, weights_BTS = read_target(model.decoder, embedded_BTE, memory, state)
    for index, weights_TS in zip(full, weights_BTS, strict=True):
        source, target = encoded[index]
        maps[index] = AttentionMap(
            *pairs[index],
            loaded.source_tokenizer.vocabulary.pieces_of(source),
            loaded.target_tokenizer.vocabulary.pieces_of(target),
            attention_rows(weights_TS[: len(target)], len(source)),
        )
    return maps
