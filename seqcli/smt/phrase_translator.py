"""A phrase-based model as a translator: lines in, translations out."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np

from seqcli.config import Config, require_positive
from seqcli.errors import ConfigError
from seqcli.smt.arrays import Floats, Ids
from seqcli.smt.candidates import NBest
from seqcli.smt.coverage import LONGEST_SENTENCE
from seqcli.smt.features import FEATURES, LANGUAGE_MODEL
from seqcli.smt.joint_units import words_of
from seqcli.smt.kbest import Derivations, step_features
from seqcli.smt.language_models import ClassModel, joined
from seqcli.smt.ngram_model import NgramModel
from seqcli.smt.options import COPIED, Options, no_estimates
from seqcli.smt.phrase_search import Limits, find_derivations, require_stack_size
from seqcli.smt.phrase_table import PhraseTable
from seqcli.tokenizers.vocabulary import SPACE, UNK, Vocabulary
from seqcli.translator import Hypothesis, Translation

LINES_AT_A_TIME = 256
LOOK_UP = "look-up"
POPS = 2  # hypotheses made for each one that a stack keeps
CLAUSE_ENDS = frozenset(
    ".!?;:,\u2026\u3002\uff01\uff1f\uff1b\uff0c\u3001\u060c\u061f"
)  # where a sentence that is too long is cut


class PhraseDecodingConfig(Config):
    """How output is searched for: the section `decoding` of a recipe."""

    stack_size: int = 50  # hypotheses kept for each number of words that are translated
    table_limit: int = 20  # ways to translate a phrase that are tried
    distortion_limit: int = 6  # words that may be jumped over; 0: none
    max_source_length: int = LONGEST_SENTENCE  # words; a longer line is translated in parts
    unknown_words: Literal["copy", "look-up"] = "copy"  # look-up: in the lexicon that was learned

    def __post_init__(self) -> None:
        require_stack_size("decoding.stack_size", self.stack_size)
        for name in ("table_limit", "max_source_length"):
            require_positive(f"decoding.{name}", getattr(self, name))
        if not 0 <= self.distortion_limit <= LONGEST_SENTENCE:
            raise ConfigError(
                f"decoding.distortion_limit must be from 0 to {LONGEST_SENTENCE}, "
                f"not {self.distortion_limit}"
            )
        if self.max_source_length > LONGEST_SENTENCE:
            raise ConfigError(
                f"decoding.max_source_length must be at most {LONGEST_SENTENCE}, "
                f"not {self.max_source_length}"
            )


class Words(Protocol):
    """How a line becomes words and words become a line."""

    def split(self, line: str) -> list[str]: ...

    def join(self, tokens: Sequence[str]) -> str: ...


class PhraseModel(NamedTuple):
    """All that is learned."""

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    table: PhraseTable
    language_model: NgramModel
    weights: Floats  # in the order of FEATURES
    classes: ClassModel | None = None  # of target words


@dataclass(frozen=True, slots=True)
class Step:
    """A phrase of a derivation."""

    begin: int  # its place among the words of the line
    end: int
    source: tuple[str, ...]
    target: tuple[str, ...]  # words, or units of words and their origin where the model has these
    is_copied: bool  # no phrase of this one word is known
    features: dict[str, float]


@dataclass(frozen=True, slots=True)
class Derivation:
    """How a line came to its translation: the phrases in the order of the output."""

    text: str
    source_tokens: tuple[str, ...]
    steps: tuple[Step, ...]
    features: dict[str, float]  # those of the steps and of the end of sentence
    score: float


class _Found(NamedTuple):
    """The derivations of a part of a line: source words from `begin` on."""

    begin: int
    options: Options
    derivations: Derivations
    targets: dict[int, tuple[str, ...]]  # the words of the options that were asked for


class PhraseTranslator:
    """Translates by search over the phrases of a model.

    At most `num_best` different texts are given for a line: fewer if the search found fewer, or
    fewer among its best. A hypothesis' score is the weighted sum of its features; its
    log-probability is the language model's. The lines are shared out among `threads`; their number
    changes nothing in the result. A word that no phrase of one word translates can be copied: it is
    passed through `copy_word`.
    """

    def __init__(
        self,
        model: PhraseModel,
        config: PhraseDecodingConfig,
        *,
        source_words: Words,
        target_words: Words,
        num_best: int = 1,
        threads: int = 1,
        copy_word: Callable[[str], str] = str,
    ) -> None:
        require_positive("num_best", num_best)
        require_positive("threads", threads)
        self._model = model
        self._config = config
        self._source_words = source_words
        self._target_words = target_words
        self._num_best = num_best
        self._threads = threads
        self._copy_word = copy_word
        self._weights = np.array(model.weights, dtype=np.float64)
        self._models, self._begin_state = joined(model.language_model, model.classes)
        self._estimates = no_estimates(model.table)

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        """Translate lines in the order they come, some hundreds at a time."""
        waiting = iter(lines)
        while group := list(itertools.islice(waiting, LINES_AT_A_TIME)):
            yield from self.translate_group(group)

    def translate_group(self, lines: Sequence[str]) -> list[Translation]:
        """Translate lines together; a line of white space alone is an empty one."""
        sources = [self._source_words.split(line) if line.strip() else [] for line in lines]
        found = self._search_all(sources, self._weights, self._num_best)
        return [
            self._translation(line, source, parts)
            for line, source, parts in zip(lines, sources, found, strict=True)
        ]

    def derive(self, line: str) -> Derivation:
        """Translate one line and tell how. A line without words has no steps."""
        source = self._source_words.split(line) if line.strip() else []
        steps, total = list[Step](), np.zeros(len(FEATURES))
        for part in self._search_all([source], self._weights, 1)[0]:
            path = _path(part, 0)
            rows = step_features(part.options, self._models, self._begin_state, path)
            total += rows.sum(axis=0)
            steps += [
                self._step(source, part, int(option), row)
                for option, row in zip(path, rows[:-1], strict=True)
            ]
        return Derivation(
            text=self._target_words.join(words_of(word for step in steps for word in step.target)),
            source_tokens=tuple(source),
            steps=tuple(steps),
            features=_by_name(total),
            score=float(total @ self._weights),
        )

    def nbest(
        self, sources: Sequence[Sequence[str]], weights: Floats, num_best: int
    ) -> list[NBest]:
        """The best outputs of tokenised sentences under other weights, for tuning.

        Of a sentence that is cut, the parts are joined: best with best, second with second.
        """
        lists = []
        for first in range(0, len(sources), LINES_AT_A_TIME):  # searches take much room
            group = sources[first : first + LINES_AT_A_TIME]
            found = self._search_all(group, weights, num_best)
            lists += [self._list(source, parts) for source, parts in zip(group, found, strict=True)]
        return lists

    def _list(self, source: Sequence[str], parts: Sequence[_Found]) -> NBest:
        ranks = range(_num_ranks(parts))
        features = [_features(parts, rank) for rank in ranks]
        return NBest(
            [self._tokens(source, parts, rank) for rank in ranks],
            np.reshape(features, (len(ranks), len(FEATURES))),
        )

    def _search_all(
        self, sources: Sequence[Sequence[str]], weights: Floats, num_best: int
    ) -> list[list[_Found]]:
        """Search in other threads, as an interrupt would break the return of compiled code."""
        pool = ThreadPoolExecutor(self._threads)
        try:
            return list(pool.map(lambda source: self._search(source, weights, num_best), sources))
        finally:
            pool.shutdown(cancel_futures=True)  # an interrupt does not wait for all lines

    def _search(self, source: Sequence[str], weights: Floats, num_best: int) -> list[_Found]:
        """Search the best derivations of each part of a line."""
        model, config = self._model, self._config
        limits = Limits(
            config.table_limit,
            config.distortion_limit,
            config.stack_size,
            POPS * config.stack_size,
            num_best,
            True,
        )
        ids = np.array([max(model.source_vocabulary.id(word), UNK) for word in source], np.int32)
        copies = np.array(
            [max(model.target_vocabulary.id(self._copy_word(word)), UNK) for word in source],
            np.int32,
        )
        return [
            _Found(
                begin,
                *find_derivations(
                    model.table,
                    self._models,
                    self._estimates,
                    self._begin_state,
                    weights,
                    limits,
                    ids[begin:end],
                    copies[begin:end],
                ),
                {},
            )
            for begin, end in cut(source, config.max_source_length)
        ]

    def _translation(
        self, line: str, source: Sequence[str], parts: Sequence[_Found]
    ) -> Translation:
        if not parts:
            return Translation(line, (Hypothesis("", 0.0, 0.0),))
        by_text: dict[str, Hypothesis] = {}  # words may differ where their text does not
        for rank in range(_num_ranks(parts)):
            hypothesis = self._hypothesis(source, parts, rank)
            by_text.setdefault(hypothesis.text, hypothesis)
        return Translation(line, tuple(by_text.values()), tuple(source), num_parts=len(parts))

    def _hypothesis(self, source: Sequence[str], parts: Sequence[_Found], rank: int) -> Hypothesis:
        tokens, features = self._tokens(source, parts, rank), _features(parts, rank)
        return Hypothesis(
            text=self._target_words.join(tokens),
            score=float(features @ self._weights),
            log_probability=float(features[LANGUAGE_MODEL]),
            tokens=tokens,
            features=tuple(_by_name(features).items()),
        )

    def _tokens(self, source: Sequence[str], parts: Sequence[_Found], rank: int) -> tuple[str, ...]:
        return tuple(
            word
            for part in parts
            for option in _path(part, rank).tolist()
            for word in self._target(source, part, option)
        )

    def _target(self, source: Sequence[str], part: _Found, option: int) -> tuple[str, ...]:
        """The words of an option."""
        known = part.targets.get(option)
        if known is None:
            known = part.targets[option] = words_of(self._units(source, part, option))
        return known

    def _units(self, source: Sequence[str], part: _Found, option: int) -> tuple[str, ...]:
        """An option's target as the language model sees it."""
        options = part.options
        if options.pair[option] == COPIED:
            return (self._copy_word(source[part.begin + int(options.begin[option])]),)
        ids = options.target_ids[options.target_starts[option] : options.target_starts[option + 1]]
        return tuple(self._model.target_vocabulary.pieces_of(ids.tolist()))

    def _step(self, source: Sequence[str], part: _Found, option: int, row: Floats) -> Step:
        begin = part.begin + int(part.options.begin[option])
        end = part.begin + int(part.options.end[option])
        return Step(
            begin=begin,
            end=end,
            source=tuple(source[begin:end]),
            target=self._units(source, part, option),
            is_copied=bool(part.options.pair[option] == COPIED),
            features=_by_name(row),
        )


def cut(words: Sequence[str], longest: int) -> list[tuple[int, int]]:
    """Begin and end of the parts of a line, none longer than `longest`; none for an empty line.

    A part ends after the last sign of punctuation in its second half, before the last word there if
    the words are pieces or characters, or where it must.
    """
    parts, begin, has_spaces = [], 0, any(word.startswith(SPACE) for word in words)
    while len(words) - begin > longest:
        ends = list(range(begin + longest, begin + longest // 2, -1))
        if has_spaces:
            ends = [end for end in ends if words[end].startswith(SPACE)] or ends
        end = next((end for end in ends if words[end - 1] in CLAUSE_ENDS), ends[0])
        parts.append((begin, end))
        begin = end
    return [*parts, (begin, len(words))] if words else []


def _path(part: _Found, rank: int) -> Ids:
    """The options of the derivation of a rank, or of the last that there is."""
    derivations = part.derivations
    rank = min(rank, len(derivations.scores) - 1)
    return derivations.options[derivations.starts[rank] : derivations.starts[rank + 1]]


def _features(parts: Sequence[_Found], rank: int) -> Floats:
    total = np.zeros(len(FEATURES))
    for part in parts:
        total += part.derivations.features[min(rank, len(part.derivations.scores) - 1)]
    return total


def _num_ranks(parts: Sequence[_Found]) -> int:
    return max((len(part.derivations.scores) for part in parts), default=0)


def _by_name(features: Floats) -> dict[str, float]:
    return dict(zip(FEATURES, features.tolist(), strict=True))
