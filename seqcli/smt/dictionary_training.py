"""Entries of a dictionary, from the files of a printed one or learned from pairs."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from seqcli.errors import ModelError
from seqcli.smt.corpus import encode_sentences, learn_vocabulary
from seqcli.smt.dictionary import MOST_CHOICES, Choice, WordChooser
from seqcli.smt.dictionary_files import Entry
from seqcli.smt.lexicon import NULL, Lexicon
from seqcli.smt.moses import Moses
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.tokenizers import UNK, Vocabulary

BIGRAM = 2

Learned = dict[tuple[str, ...], list[Choice]]


def printed_entries(entries: Iterable[Entry], source: Moses, target: Moses) -> Learned:
    """The entries of a printed dictionary, their translations in its order."""
    found: Learned = defaultdict(list)
    for text, translation in entries:
        choice = Choice(tuple(target.split(translation)), 0.0)
        choices = found[tuple(source.split(text.lower()))]
        if choice.words and choice not in choices:
            choices.append(choice)
    return {words: choices for words, choices in found.items() if words and choices}


def learned_entries(lexicon: Lexicon, sources: Vocabulary, targets: Vocabulary) -> Learned:
    """A word's most probable translations, words that differ only in case taken together."""
    found: dict[tuple[str, ...], dict[str, float]] = defaultdict(lambda: defaultdict(float))
    order = np.argsort(-lexicon.target_given_source, kind="stable")
    columns = (lexicon.source, lexicon.target, lexicon.target_given_source)
    rows = zip(*(column[order].tolist() for column in columns), strict=True)
    for source, target, probability in rows:
        if source > UNK and target > UNK and NULL not in (source, target):
            translations = found[(sources.pieces[source].lower(),)]
            translations[targets.pieces[target]] += probability
    return {
        words: [
            Choice((word,), float(np.log(probability)))
            for word, probability in sorted(
                translations.items(), key=lambda item: (-item[1], item[0])
            )[:MOST_CHOICES]
        ]
        for words, translations in found.items()
    }


def learn_chooser(sentences: Sequence[Sequence[str]]) -> WordChooser:
    """Learn a bigram model of target text."""
    vocabulary = learn_vocabulary(sentences)
    encoded = encode_sentences(sentences, vocabulary)
    model = estimate_ngram_model(encoded, len(vocabulary), order=BIGRAM)
    return WordChooser(model, vocabulary)


def entry_lines(entries: Mapping[tuple[str, ...], Sequence[Choice]]) -> Iterable[str]:
    """Each translation of each entry as a line: SOURCE TAB TARGET TAB log-probability."""
    for words, choices in entries.items():
        for choice in choices:
            yield f"{' '.join(words)}\t{' '.join(choice.words)}\t{choice.log_probability:.6g}"


def parse_entry_lines(lines: Iterable[str], name: str) -> Learned:
    """Read what `entry_lines` gave. ModelError if an entry is broken or there is none."""
    entries: Learned = defaultdict(list)
    for number, line in enumerate(lines, start=1):
        try:
            source, target, log_probability = line.split("\t")
            choice = Choice(tuple(target.split(" ")), float(log_probability))
        except ValueError as error:
            raise ModelError(
                f"{name}, line {number}: this is no entry of a dictionary",
                why=str(error),
                fix="Copy the whole folder again, or train the model again",
            ) from error
        entries[tuple(source.split(" "))].append(choice)
    if not entries:
        raise ModelError(
            f"{name} has no entries",
            why="the file was emptied or is another one",
            fix="Copy the whole folder again, or train the model again",
        )
    return dict(entries)
