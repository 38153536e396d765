"""Small random phrase tables, language models and sentences, and all there is to find in them."""

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.features import FEATURES
from seqcli.smt.kbest import Derivations, best_derivations
from seqcli.smt.language_models import ClassModel, LanguageModels, joined
from seqcli.smt.lattice import Lattice, Problem
from seqcli.smt.ngram_model import NgramModel
from seqcli.smt.options import Options, find_options, no_estimates
from seqcli.smt.phrase_table import PhraseTable
from seqcli.smt.stack_decoder import search
from seqcli.tokenizers.vocabulary import BOS, EOS, UNK

FIRST_WORD = UNK + 1
SOURCE_WORDS = TARGET_WORDS = FIRST_WORD + 5
UNKNOWN_SOURCE = FIRST_WORD + 4  # no phrase has it
ALL = 10_000  # a stack that is never full
SENTENCES = [
    [FIRST_WORD],
    [FIRST_WORD, FIRST_WORD + 1, FIRST_WORD + 2, FIRST_WORD + 1],
    [FIRST_WORD + 1, UNKNOWN_SOURCE, FIRST_WORD + 3, FIRST_WORD],
    [UNKNOWN_SOURCE],
]
Derivation = tuple[tuple[int, int, int | None], ...]  # begin, end, pair (None: copied)


class Toy(NamedTuple):
    table: PhraseTable
    model: NgramModel
    classes: ClassModel | None
    phrases: dict[tuple[int, ...], list[int]]  # the pairs of a source phrase
    targets: list[tuple[int, ...]]


def make_table(
    phrases: dict[tuple[int, ...], list[tuple[int, ...]]],
    scores: NDArray[np.float32],
    reordering: NDArray[np.float32],
) -> PhraseTable:
    """The table of target phrases by source phrase; a row of scores for each pair in order."""
    sources = sorted(phrases)
    targets = [target for source in sources for target in phrases[source]]
    return PhraseTable(
        np.cumsum([0, *map(len, sources)]),
        np.array(list(itertools.chain(*sources)), np.int32),
        np.cumsum([0, *(len(phrases[source]) for source in sources)]),
        np.cumsum([0, *map(len, targets)]),
        np.array(list(itertools.chain(*targets)), np.int32),
        scores.astype(np.float32),
        reordering.astype(np.float32),
    )


def make_toy(seed: int, *, order: int = 3) -> Toy:
    random = np.random.default_rng(seed)

    def words(most: int) -> tuple[int, ...]:
        count = random.integers(1, most + 1)
        return tuple(random.integers(FIRST_WORD, TARGET_WORDS, count).tolist())

    singles = [(word,) for word in range(FIRST_WORD, UNKNOWN_SOURCE)]
    longer = [
        tuple(random.integers(FIRST_WORD, UNKNOWN_SOURCE, 2 + index % 2).tolist())
        for index in range(8)
    ]
    phrases = {
        source: sorted({words(3) for _ in range(random.integers(1, 4))})
        for source in sorted({*singles, *longer})
    }
    count = sum(map(len, phrases.values()))
    scores = np.log(random.uniform(0.05, 1, (count, 5)))
    scores[:, 4] = random.integers(0, 2, count)
    orientations = np.log(random.dirichlet([1, 1, 1], (4, 2))).reshape(4, 6)
    table = make_table(phrases, scores, orientations[random.integers(0, 4, count)])  # shared
    numbers = itertools.count()
    pairs = {source: [next(numbers) for _ in targets] for source, targets in phrases.items()}
    flat = [target for targets in phrases.values() for target in targets]
    model = make_model(random, order)
    class_of = random.integers(0, 3, TARGET_WORDS).astype(np.int32)
    class_of += FIRST_WORD
    class_of[: UNK + 1] = np.arange(UNK + 1)
    classes = ClassModel(class_of, make_model(random, order + 1))
    return Toy(table, model, classes, pairs, flat)


def make_model(random: np.random.Generator, order: int) -> NgramModel:
    """An n-gram model of random n-grams and weights; it need not sum to one."""
    ngrams = {(BOS,): (-9.0, -0.3)}
    for word in (EOS, UNK, *range(FIRST_WORD, TARGET_WORDS)):
        ngrams[(word,)] = (-random.uniform(1, 4), -random.uniform(0, 1))
    for _ in range(order - 1):
        contexts = [ngram for ngram in ngrams if ngram[-1] != EOS]
        for context in contexts:
            for word in (EOS, *range(FIRST_WORD, TARGET_WORDS)):
                if random.random() < 0.4 and len(context) < order:
                    weights = (-random.uniform(0.5, 3), -random.uniform(0, 1))
                    ngrams.setdefault((*context, word), weights)
    return NgramModel.from_ngrams(ngrams, TARGET_WORDS)


def all_derivations(toy: Toy, ids: list[int], distortion_limit: int) -> Iterator[Derivation]:
    """Every order of every choice of every segmentation, within the rules of distortion."""

    def extend(done: Derivation, covered: frozenset[int]) -> Iterator[Derivation]:
        if len(covered) == len(ids):
            yield done
            return
        last_end = done[-1][1] if done else 0
        gap = min(set(range(len(ids))) - covered)
        for begin in range(len(ids)):
            for end in range(begin + 1, len(ids) + 1):
                span = frozenset(range(begin, end))
                if covered & span or abs(begin - last_end) > distortion_limit:
                    continue
                if begin != gap and end - gap > distortion_limit:
                    continue
                pairs: list[int | None] = [*toy.phrases.get(tuple(ids[begin:end]), [])]
                if not pairs and end == begin + 1:
                    pairs = [None]
                for pair in pairs:
                    yield from extend((*done, (begin, end, pair)), covered | span)

    return extend((), frozenset())


def output_of(toy: Toy, derivation: Derivation, copies: list[int]) -> tuple[int, ...]:
    return tuple(
        word
        for begin, _, pair in derivation
        for word in ((copies[begin],) if pair is None else toy.targets[pair])
    )


def log_probability(model: NgramModel, words: Iterable[int]) -> float:
    state, total = model.begin_state, 0.0
    for word in words:
        of_word, state = model.next_word(state, word)
        total += of_word
    return total


def features_of(
    toy: Toy, derivation: Derivation, length: int, copies: list[int]
) -> NDArray[np.float64]:
    """The features by their definitions."""
    found = dict.fromkeys(FEATURES, 0.0)
    words = (*output_of(toy, derivation, copies), EOS)
    found["language_model"] = log_probability(toy.model, words)
    if toy.classes is not None:
        classes = toy.classes.class_of[list(words)].tolist()
        found["class_language_model"] = log_probability(toy.classes.model, classes)
    found["word_penalty"] = len(words) - 1
    spans = [(0, 0), *((begin, end) for begin, end, _ in derivation), (length, length)]
    pairs = [None, *(pair for *_, pair in derivation), None]
    for place, (last, here) in enumerate(itertools.pairwise(spans)):
        monotone, swap = here[0] == last[1], here[1] == last[0]
        kind = "monotone" if monotone else "swap" if swap else "discontinuous"
        column = ("monotone", "swap", "discontinuous").index(kind)
        if (pair := pairs[place + 1]) is not None:
            found[f"{kind}_from_previous"] += toy.table.reordering[pair, column]
        if (pair := pairs[place]) is not None:
            found[f"{kind}_to_next"] += toy.table.reordering[pair, 3 + column]
        if place < len(derivation):
            found["distortion"] -= abs(here[0] - last[1])
    for _, _, pair in derivation:
        found["phrase_penalty"] += 1
        found["unknown_words"] += pair is None
        if pair is not None:
            names = FEATURES[FEATURES.index("source_given_target") :][:4]
            for name, value in zip((*names, "rare_phrases"), toy.table.scores[pair], strict=True):
                found[name] += float(value)
    return np.array([found[name] for name in FEATURES])


def run_search(
    toy: Toy, ids: list[int], weights: NDArray[np.float64], *, distortion_limit: int, size: int
) -> tuple[Options, Lattice]:
    array = np.array(ids, np.int32)
    models, begin = models_of(toy)
    options = find_options(toy.table, models, no_estimates(toy.table), weights, array, array, 20)
    return options, search(Problem(options, models, begin, weights, distortion_limit, size, size))


def models_of(toy: Toy) -> tuple[LanguageModels, int]:
    return joined(toy.model, toy.classes)


def decode(
    toy: Toy,
    ids: list[int],
    weights: NDArray[np.float64],
    *,
    count: int,
    distortion_limit: int = 6,
    size: int = ALL,
    distinct: bool = False,
) -> tuple[Options, Derivations]:
    options, lattice = run_search(toy, ids, weights, distortion_limit=distortion_limit, size=size)
    return options, best_derivations(options, lattice, *models_of(toy), count, distinct)


def path_of(options: Options, derivations: Derivations, rank: int) -> Derivation:
    chosen = derivations.options[derivations.starts[rank] : derivations.starts[rank + 1]]
    return tuple(
        (
            int(options.begin[option]),
            int(options.end[option]),
            int(options.pair[option]) if options.pair[option] >= 0 else None,
        )
        for option in chosen
    )


def random_weights(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-0.3, 0.7, len(FEATURES))
