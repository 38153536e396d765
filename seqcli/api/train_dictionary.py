"""Make a translator that looks words up, from printed dictionaries or from pairs."""

from itertools import chain
from pathlib import Path

import msgspec

from seqcli.api.dictionary_system import PARTS, LoadedDictionary, write_dictionary
from seqcli.api.statistical import available_cores
from seqcli.api.statistical_text import languages_of, read_pairs, read_text, read_training_pairs
from seqcli.api.translation_scores import translation_scores
from seqcli.api.whole_folder import written_whole
from seqcli.bundle import FORMAT, Facts, library_versions, write_card
from seqcli.errors import UsageError
from seqcli.smt.alignment import align
from seqcli.smt.corpus import encode_sentences, learn_vocabulary
from seqcli.smt.dictionary_files import read_dictionary
from seqcli.smt.dictionary_training import (
    Learned,
    learn_chooser,
    learned_entries,
    printed_entries,
)
from seqcli.smt.lexicon import learn_lexicon
from seqcli.smt.moses import Moses
from seqcli.smt.recipe import DictionaryRecipe
from seqcli.smt.word_training import Side, learn_moses, usable_pairs
from seqcli.smt.words import MosesWords
from seqcli.training.report import QuietReporter, Reporter


def train_dictionary(
    recipe: DictionaryRecipe,
    output: Path,
    *,
    reporter: Reporter | None = None,
    overwrite: bool = False,
    threads: int | None = None,
) -> Facts:
    """Make a system by `recipe` and write it to the folder `output`, whole or not at all.

    Without a `reporter` nothing is said. Raises DataError, UsageError and OutputError.
    """
    reporter = reporter or QuietReporter()
    data = recipe.data
    inputs = [*data.train, *data.test, *recipe.dictionary, *recipe.text]
    with written_whole(output, overwrite=overwrite, inputs=inputs, others=PARTS) as folder:
        loaded = learn_dictionary(recipe, reporter, threads=threads)
        for name, words in loaded.description().items():
            reporter.message(f"{name}: {words}")
        scores = translation_scores(
            loaded.translator(), "test", read_pairs("test", data.test), reporter
        )
        facts = Facts(
            format=FORMAT,
            task=recipe.task,
            architecture=recipe.architecture,
            name=output.resolve().name,
            recipe=msgspec.to_builtins(recipe),
            tokenizers=[],
            vocabulary="",
            parameters=sum(map(len, loaded.entries.values())),
            scores=scores,
            libraries=library_versions(),
        )
        write_dictionary(folder, loaded, facts)
        write_card(folder, facts, loaded.description(), place=output, without_valid="")
    return facts


def learn_dictionary(
    recipe: DictionaryRecipe, reporter: Reporter, *, threads: int | None = None
) -> LoadedDictionary:
    """Make a system by `recipe`; nothing is written.

    Raises DataError and UsageError.
    """
    source, target = languages_of(
        recipe.data, (recipe.source_language, recipe.target_language), tell=reporter.message
    )
    if recipe.dictionary:
        read = chain.from_iterable(map(read_dictionary, recipe.dictionary))
        pairs = [(b, a) for a, b in read] if recipe.reversed else read
        entries = printed_entries(pairs, Moses(source), Moses(target))
        sources, targets = learn_moses([], source), learn_moses([], target)
    else:
        if not recipe.data.train:
            raise UsageError(
                "there is nothing to look words up in",
                why="neither a dictionary is named nor pairs to learn one from",
                fix="Give --set dictionary=FILE, or --train SOURCE TARGET",
            )
        sources, targets, entries = _learn(recipe, source, target, reporter, threads)
    alone = learn_moses(read_text(recipe.text), target)
    text = [words for words in [*targets.tokens, *alone.tokens] if words]
    if recipe.choice == "bigram" and not text:
        raise UsageError(
            "there is no text to choose translations by",
            why="choice is 'bigram', and the dictionary has words alone",
            fix="Give --set text=FILE with text in the target language",
        )
    return LoadedDictionary(
        recipe,
        entries,
        sources.words,
        alone.words if recipe.dictionary else targets.words,
        learn_chooser(text) if text and recipe.choice != "first" else None,
    )


def _learn(
    recipe: DictionaryRecipe, source: str, target: str, reporter: Reporter, threads: int | None
) -> tuple[Side[MosesWords], Side[MosesWords], Learned]:
    """Align pairs, and look what each word is linked to."""
    lines = read_training_pairs(recipe.data)
    sides = learn_moses(lines[0], source), learn_moses(lines[1], target)
    usable = usable_pairs(sides[0].tokens, sides[1].tokens, recipe.data, reporter.message)
    tokens = [[side.tokens[number] for number in usable] for side in sides]
    vocabularies = [learn_vocabulary(sentences) for sentences in tokens]
    encoded = [encode_sentences(*each) for each in zip(tokens, vocabularies, strict=True)]
    links = align(
        encoded[0],
        encoded[1],
        model=recipe.alignment.model,
        symmetrization=recipe.alignment.symmetrization,
        seed=recipe.seed,
        threads=threads or available_cores(),
        tell=reporter.message,
    )
    lexicon = learn_lexicon(encoded[0], encoded[1], links)
    return *sides, learned_entries(lexicon, *vocabularies)
