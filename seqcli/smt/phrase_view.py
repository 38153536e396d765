"""What a phrase-based system knows and does, as plain values to look at."""

import msgspec
import numpy as np

from seqcli.smt.features import FEATURES, TRANSLATION
from seqcli.smt.joint_units import words_of
from seqcli.smt.ngram_model import ROOT, NgramModel, find_child
from seqcli.smt.phrase_files import PhraseSystem
from seqcli.smt.phrase_table import find_phrases
from seqcli.smt.phrase_translator import PhraseTranslator
from seqcli.tokenizers.vocabulary import EOS, SPECIAL_PIECES, UNK

SCORES = FEATURES[TRANSLATION : TRANSLATION + 4]
ORIENTATIONS = ("monotone", "swap", "discontinuous")


class PhrasePair(msgspec.Struct, frozen=True, kw_only=True):
    """One way to translate a phrase. All but the flag are probabilities or weights of words."""

    source: str
    target: str
    probabilities: dict[str, float]  # by the names of their features
    to_previous: dict[str, float]  # probabilities of the orientations
    to_next: dict[str, float]
    is_rare: bool  # seen once in training


class PhraseList(msgspec.Struct, frozen=True, kw_only=True):
    """The phrases inside a text, and how each can be translated, most probable first."""

    model: str
    words: list[str]
    pairs: list[PhrasePair]


class PhraseUse(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase of a translation."""

    begin: int  # its first word in the source, from 0
    end: int  # the word after its last
    source: str
    target: str
    is_copied: bool
    features: dict[str, float]


class WordView(msgspec.Struct, frozen=True, kw_only=True):
    """What the language model says of a word after those before it."""

    word: str
    log_probability: float  # nats
    order: int  # words of the longest n-gram that it knows and that ends here
    is_known: bool


class DerivationView(msgspec.Struct, frozen=True, kw_only=True):
    """How a line came to its translation."""

    model: str
    source: str
    translation: str
    score: float
    phrases: list[PhraseUse]  # in the order of the translation
    features: dict[str, float]  # of the whole
    weighted: dict[str, float]  # the same, each times its weight; they sum to the score
    language_model: list[WordView]


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The weight of each feature."""

    model: str
    weights: dict[str, float]


def view_phrases(system: PhraseSystem, name: str, text: str, most: int) -> PhraseList:
    """The phrases of the text that are in the table, each with its `most` probable translations."""
    model = system.model
    words = system.source_words.split(text) if text.strip() else []
    ids = np.array([max(model.source_vocabulary.id(word), UNK) for word in words], np.int32)
    begins, ends, phrases = find_phrases(model.table, ids, max(1, len(ids)))
    pairs = []
    for begin, end, phrase in zip(begins, ends, phrases, strict=True):
        first, last = model.table.pair_starts[phrase : phrase + 2].tolist()
        source = " ".join(words[begin:end])
        pairs += [_pair(system, source, pair) for pair in range(first, min(last, first + most))]
    return PhraseList(model=name, words=words, pairs=pairs)


def _pair(system: PhraseSystem, source: str, pair: int) -> PhrasePair:
    table, vocabulary = system.model.table, system.model.target_vocabulary
    ids = table.target_ids[table.target_starts[pair] : table.target_starts[pair + 1]]
    scores = np.exp(table.scores[pair, : len(SCORES)].astype(float)).tolist()
    orientations = np.exp(table.reordering[pair].astype(float)).tolist()
    return PhrasePair(
        source=source,
        target=" ".join(words_of(vocabulary.pieces_of(ids.tolist()))),
        probabilities=dict(zip(SCORES, scores, strict=True)),
        to_previous=dict(zip(ORIENTATIONS, orientations[:3], strict=True)),
        to_next=dict(zip(ORIENTATIONS, orientations[3:], strict=True)),
        is_rare=bool(table.scores[pair, len(SCORES)]),
    )


def view_derivation(
    system: PhraseSystem, translator: PhraseTranslator, name: str, line: str
) -> DerivationView:
    """Translate a line and tell how."""
    found = translator.derive(line)
    weights = dict(zip(FEATURES, system.model.weights.tolist(), strict=True))
    words = [word for step in found.steps for word in step.target]
    return DerivationView(
        model=name,
        source=line,
        translation=found.text,
        score=found.score,
        phrases=[
            PhraseUse(
                begin=step.begin,
                end=step.end,
                source=" ".join(step.source),
                target=" ".join(words_of(step.target)),
                is_copied=step.is_copied,
                features=step.features,
            )
            for step in found.steps
        ],
        features=found.features,
        weighted={name: weights[name] * value for name, value in found.features.items()},
        language_model=view_words(system, words) if words else [],
    )


def view_words(system: PhraseSystem, words: list[str]) -> list[WordView]:
    """What the language model says of each word of a sentence and of its end."""
    model, vocabulary = system.model.language_model, system.model.target_vocabulary
    state, views = model.begin_state, list[WordView]()
    for word in [*words, SPECIAL_PIECES[EOS]]:
        is_end = len(views) == len(words)
        id = EOS if is_end else max(vocabulary.id(word), UNK)
        order = _matched_order(model, state, id)
        log_probability, state = model.next_word(state, id)
        views.append(
            WordView(word=word, log_probability=log_probability, order=order, is_known=id != UNK)
        )
    return views


def _matched_order(model: NgramModel, state: int, word: int) -> int:
    """The order of the n-gram that `next_word` takes the probability from."""
    while state != ROOT:
        child = int(find_child(model.arrays, np.int64(state), np.int32(word)))
        if child >= 0:
            return 1 + int(np.searchsorted(np.cumsum(model.sizes), child))
        state = int(model.arrays.suffixes[state])
    return 1


def view_weights(system: PhraseSystem, name: str) -> Weights:
    """The weight of each feature."""
    return Weights(
        model=name, weights=dict(zip(FEATURES, system.model.weights.tolist(), strict=True))
    )
