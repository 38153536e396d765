"""Train a phrase-based system in stages, each of which is saved as it ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from seqcli.smt.alignment import align
from seqcli.smt.arrays import load_arrays, save_arrays
from seqcli.smt.corpus import Sentences, encode_sentences, learn_vocabulary
from seqcli.smt.features import CLASS_MODEL, start_weights
from seqcli.smt.joint_units import join_units
from seqcli.smt.language_models import (
    ClassModel,
    estimate_class_model,
    load_class_model,
    remove_class_model,
    save_class_model,
)
from seqcli.smt.lexicon import LEXICON, learn_lexicon, save_lexicon
from seqcli.smt.links import Links
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.smt.ngram_model import NgramModel, load_ngram_model, save_ngram_model
from seqcli.smt.phrase_extraction import count_phrases
from seqcli.smt.phrase_files import (
    NGRAMS,
    PHRASES,
    PhraseSystem,
    load_vocabulary,
    load_weights,
    save_vocabulary,
    save_weights,
    with_lookup,
)
from seqcli.smt.phrase_scoring import score_phrases
from seqcli.smt.phrase_table import PhraseTable, load_phrase_table, save_phrase_table
from seqcli.smt.phrase_translator import LOOK_UP, PhraseModel, PhraseTranslator
from seqcli.smt.recipe import SmtRecipe
from seqcli.smt.stages import Stages, text_fingerprint
from seqcli.smt.tuning import Round, tune
from seqcli.smt.word_training import aligned_alike, learn_side, usable_pairs
from seqcli.smt.words import AnyWords, PieceWords, load_words, save_words
from seqcli.tokenizers import Vocabulary

WORDS, ALIGNMENT, TABLE, LANGUAGE_MODEL, TUNING = (
    "words",
    "alignment",
    "phrases",
    "language model",
    "tuning",
)
SOURCE, TARGET, TEXT, LINKS = "source", "target", "text", "links"  # folders of arrays

Weights = NDArray[np.float64]
Score = Callable[[Sequence[str]], float]


@dataclass(frozen=True, slots=True)
class TrainingLines:
    """The text that a system learns from. Aligned lines belong together."""

    source: list[str]
    target: list[str]
    dev_source: list[str]  # empty: weights are not tuned
    dev_target: list[str]
    target_alone: list[str]  # more text of the target language

    def fingerprint(self) -> str:
        return text_fingerprint({name: getattr(self, name) for name in self.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class PhraseTraining:
    """One training: its settings, text and folders.

    `output` gets what belongs to the system, `state` the rest. `score` judges translations of the
    dev text, from 0 on, higher is better. Equal recipes and texts give equal systems, whatever the
    number of `threads` and however often it was stopped.
    """

    recipe: SmtRecipe
    lines: TrainingLines
    languages: tuple[str, str]
    output: Path
    state: Path
    stages: Stages
    score: Score
    tell: Callable[[str], None]
    threads: int

    def run(self) -> PhraseSystem:
        """Run all stages that are not finished. Raises DataError, ConfigError and OutputError."""
        words = self._words()
        links = self._links(words)
        if self.recipe.joint_units:
            words, links = _in_units(words, links)
        save_vocabulary(self.output, "target", words.targets)
        table, (ngrams, classes) = self._table(words, links), self._language_models(words)
        weights = start_weights()
        if classes is None:
            weights[CLASS_MODEL] = 0
        system = PhraseSystem(
            PhraseModel(words.sources, words.targets, table, ngrams, weights, classes),
            words.source_words,
            words.target_words,
        )
        if self.recipe.decoding.unknown_words == LOOK_UP:
            system = with_lookup(system, self.output)
        return system._replace(model=system.model._replace(weights=self._weights(system)))

    def _words(self) -> "_Words":
        recipe, data = self.recipe, self.recipe.data
        return self.stages.run(
            WORDS,
            settings=[
                self.lines.fingerprint(),
                self.languages,
                [data.max_length, data.max_length_ratio],
                [recipe.tokenizer, recipe.target_tokenizer],
                [recipe.compounds, recipe.target_compounds],
            ],
            make=self._learn_words,
            load=lambda: _load_words(self.output, self.state),
        )

    def _links(self, words: "_Words") -> Links:
        return self.stages.run(
            ALIGNMENT,
            after=[WORDS],
            settings=[self.recipe.alignment, self.recipe.seed],
            make=lambda: self._align(words),
            load=lambda: load_arrays(Links, self.state / LINKS),
        )

    def _table(self, words: "_Words", links: Links) -> PhraseTable:
        return self.stages.run(
            TABLE,
            after=[ALIGNMENT],
            settings=[self.recipe.phrases, self.recipe.joint_units],
            make=lambda: self._extract(words, links),
            load=lambda: load_phrase_table(self.output / PHRASES),
        )

    def _language_models(self, words: "_Words") -> tuple[NgramModel, ClassModel | None]:
        recipe = self.recipe
        config, num_classes = recipe.language_model, recipe.num_classes
        return self.stages.run(
            LANGUAGE_MODEL,
            after=[ALIGNMENT if recipe.joint_units else WORDS],
            settings=[
                config.order,
                recipe.joint_units,
                [num_classes, config.class_order] if num_classes else [],
            ],
            make=lambda: self._estimate(words),
            load=lambda: (
                load_ngram_model(self.output / NGRAMS),
                load_class_model(self.output, len(words.targets)) if num_classes else None,
            ),
        )

    def _weights(self, system: PhraseSystem) -> Weights:
        return self.stages.run(
            TUNING,
            after=[TABLE, LANGUAGE_MODEL],
            settings=[self.recipe.tuning, self.recipe.decoding, self.recipe.seed],
            make=lambda: self._tune(system),
            load=lambda: load_weights(self.output),
        )

    def _learn_words(self) -> "_Words":
        lines, recipe, (source, target) = self.lines, self.recipe, self.languages
        sources = learn_side(lines.source, lines.dev_source, recipe, "source", source, self.tell)
        targets = learn_side(lines.target, lines.dev_target, recipe, "target", target, self.tell)
        usable = usable_pairs(sources.tokens, targets.tokens, recipe.data, self.tell)
        source_tokens = [sources.tokens[number] for number in usable]
        target_tokens = [targets.tokens[number] for number in usable]
        alone = [words for words in map(targets.words.split, lines.target_alone) if words]
        vocabularies = learn_vocabulary(source_tokens), learn_vocabulary(target_tokens + alone)
        words = _Words(
            sources.words,
            targets.words,
            *vocabularies,
            encode_sentences(source_tokens, vocabularies[0]),
            encode_sentences(target_tokens, vocabularies[1]),
            encode_sentences(target_tokens + alone, vocabularies[1]),
        )
        save_words(self.output, "source", words.source_words)
        save_words(self.output, "target", words.target_words)
        save_vocabulary(self.output, "source", words.sources)
        save_vocabulary(self.state, "target", words.targets)  # that of the system may be of units
        for name, sentences in ((SOURCE, words.source), (TARGET, words.target), (TEXT, words.text)):
            save_arrays(sentences, _made(self.state / name))
        return words

    def _align(self, words: "_Words") -> Links:
        alignment = self.recipe.alignment
        links = align(
            aligned_alike(words.source, words.sources, words.source_words, alignment.letters),
            aligned_alike(words.target, words.targets, words.target_words, alignment.letters),
            model=alignment.model,
            symmetrization=alignment.symmetrization,
            seed=self.recipe.seed,
            threads=self.threads,
            tell=self.tell,
        )
        save_arrays(links, _made(self.state / LINKS))
        return links

    def _extract(self, words: "_Words", links: Links) -> PhraseTable:
        lexicon = learn_lexicon(words.source, words.target, links)
        save_lexicon(self.output / LEXICON, lexicon, words.sources, words.targets)
        config = self.recipe.phrases
        counts = count_phrases(
            words.source, words.target, links, lexicon, longest=config.longest, threads=self.threads
        )
        table = score_phrases(counts, words.source, words.target, most_targets=config.most_targets)
        save_phrase_table(table, _made(self.output / PHRASES))
        return table

    def _estimate(self, words: "_Words") -> tuple[NgramModel, ClassModel | None]:
        config, num_words = self.recipe.language_model, len(words.targets)
        model = estimate_ngram_model(words.text, num_words, order=config.order)
        save_ngram_model(model, _made(self.output / NGRAMS))
        if not self.recipe.num_classes:
            remove_class_model(self.output)
            return model, None
        classes = estimate_class_model(
            words.text, num_words, num_classes=self.recipe.num_classes, order=config.class_order
        )
        save_class_model(classes, self.output)
        return model, classes

    def _tune(self, system: PhraseSystem) -> Weights:
        if not self.lines.dev_source:
            self.tell("no validation text was given: the weights are those that suit most texts")
            save_weights(self.output, system.model.weights)
            return system.model.weights
        config, words = self.recipe.tuning, system.target_words
        translator = PhraseTranslator(
            system.model,
            msgspec.structs.replace(self.recipe.decoding, stack_size=config.stack_size),
            source_words=system.source_words,
            target_words=words,
            threads=self.threads,
            copy_word=system.copy_word,
        )
        sources = list(map(system.source_words.split, self.lines.dev_source))
        tuned = tune(
            lambda weights: translator.nbest(sources, weights, config.num_best),
            list(map(words.split, self.lines.dev_target)),
            config,
            start=system.model.weights,
            seed=self.recipe.seed,
            score=None if isinstance(words, PieceWords) else self._score_of(words),
            report=self._tell_round,
        )
        best = tuned.best.weights
        weights = np.asarray(best / np.abs(best).sum())  # one scale for all systems
        save_weights(self.output, weights)
        return weights

    def _score_of(self, words: AnyWords) -> Callable[[Sequence[Sequence[str]]], float]:
        """What words are worth as lines. Pieces are judged as such: a line may be but one word."""
        return lambda outputs: self.score([words.join(tokens) for tokens in outputs])

    def _tell_round(self, done: Round) -> None:
        self.tell(f"  tuning: validation {self.recipe.tuning.metric} {100 * done.score:.2f}")


class _Words(NamedTuple):
    """What the first stage gives."""

    source_words: AnyWords
    target_words: AnyWords
    sources: Vocabulary
    targets: Vocabulary
    source: Sentences  # of the pairs
    target: Sentences
    text: Sentences  # of the target language: those of the pairs and others


def _in_units(words: _Words, links: Links) -> tuple[_Words, Links]:
    """The words and links of a system whose target words stand together with their origin."""
    units = join_units(words.source, words.target, links, words.sources, words.targets)
    sentences = units.sentences
    words = words._replace(targets=units.vocabulary, target=sentences, text=sentences)
    return words, units.links


def _load_words(output: Path, state: Path) -> _Words:
    return _Words(
        load_words(output, "source"),
        load_words(output, "target"),
        load_vocabulary(output, "source"),
        load_vocabulary(state, "target"),
        *(load_arrays(Sentences, state / name) for name in (SOURCE, TARGET, TEXT)),
    )


def _made(folder: Path) -> Path:
    """The folder, which is there from now on."""
    folder.mkdir(exist_ok=True)
    return folder
