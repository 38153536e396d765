"""Learn an n-gram language model from text, or take one from an ARPA file."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec

from seqcli.api.ngram import ARPA, NGRAMS, LoadedNgram, write_ngram
from seqcli.api.score import perplexity_of
from seqcli.api.whole_folder import written_whole
from seqcli.bundle import (
    FORMAT,
    BundleScore,
    Facts,
    library_versions,
    read_facts,
    vocabulary_fingerprint,
    write_card,
)
from seqcli.errors import ConfigError, DataError, UsageError
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.smt.ngram_language_model import encode_lines, import_arpa
from seqcli.smt.ngram_recipe import ORDER, TOKENIZER, NgramDataConfig, NgramRecipe
from seqcli.text.lines import read_lines
from seqcli.tokenizers import TokenizerConfig, train_tokenizer
from seqcli.training.report import QuietReporter, Reporter


def train_ngram(
    recipe: NgramRecipe,
    output: Path,
    *,
    reporter: Reporter | None = None,
    overwrite: bool = False,
) -> Facts:
    """Make a model by `recipe` and write it to the folder `output`, whole or not at all.

    Without a `reporter` nothing is said. Raises DataError, ConfigError, UsageError and OutputError.
    """
    reporter = reporter or QuietReporter()
    data = recipe.data
    inputs = [*data.train, *data.valid, *data.test, *([recipe.arpa] if recipe.arpa else [])]
    with written_whole(output, overwrite=overwrite, inputs=inputs, others=(NGRAMS, ARPA)) as folder:
        texts = _texts_to_score(data)
        loaded = _learn(recipe, reporter)
        for name, text in loaded.description().items():
            reporter.message(f"{name}: {text}")
        facts = Facts(
            format=FORMAT,
            task=recipe.task,
            architecture=recipe.architecture,
            name=output.resolve().name,
            recipe=msgspec.to_builtins(loaded.recipe),
            tokenizers=["shared"],
            vocabulary=vocabulary_fingerprint({"shared": loaded.tokenizer}),
            parameters=sum(loaded.model.sizes),
            scores=_scores(loaded, texts, reporter),
            libraries=library_versions(),
        )
        write_ngram(folder, loaded, facts)
        write_card(
            folder, facts, loaded.description(), command="score", place=output, without_valid=""
        )
    return read_facts(output)


def learn_ngram(recipe: NgramRecipe, reporter: Reporter) -> LoadedNgram:
    """Make a model by `recipe`; nothing is written.

    Raises DataError, ConfigError and UsageError.
    """
    _texts_to_score(recipe.data)
    return _learn(recipe, reporter)


def _learn(recipe: NgramRecipe, reporter: Reporter) -> LoadedNgram:
    if recipe.arpa is not None:
        return _import(recipe, recipe.arpa)
    if recipe.data.train:
        return _estimate(recipe, reporter)
    raise UsageError(
        "there is nothing to train on",
        why="neither the recipe nor the command names training files",
        fix="Give --train-text FILE, or set data.train or arpa in the recipe",
    )


def _estimate(recipe: NgramRecipe, reporter: Reporter) -> LoadedNgram:
    """Learn from text, but not from its empty lines."""
    lines = [line for line in _read(recipe.data.train) if line]
    reporter.message(f"{len(lines)} training lines")
    config = TOKENIZER if recipe.tokenizer is None else recipe.tokenizer
    order = ORDER if recipe.order is None else recipe.order
    tokenizer = train_tokenizer(lines, config)
    model = estimate_ngram_model(
        encode_lines(tokenizer, lines),
        len(tokenizer.vocabulary),
        order=order,
        pruning=recipe.pruning,
    )
    resolved = msgspec.structs.replace(recipe, tokenizer=config, order=order)
    return LoadedNgram(resolved, model, tokenizer)


def _import(recipe: NgramRecipe, arpa: str) -> LoadedNgram:
    """Take a model from an ARPA file."""
    model, tokenizer = import_arpa(Path(arpa), recipe.tokenizer.kind if recipe.tokenizer else None)
    if recipe.order not in (None, model.order):
        raise ConfigError(
            f"order is {recipe.order}, but {arpa} has n-grams up to order {model.order}",
            why="a model that arpa names is taken as it is",
            fix="Leave order out",
        )
    config = TokenizerConfig(kind=tokenizer.kind)
    resolved = msgspec.structs.replace(recipe, tokenizer=config, order=model.order)
    return LoadedNgram(resolved, model, tokenizer)


def _texts_to_score(data: NgramDataConfig) -> dict[str, list[str]]:
    """The lines to validate and to test on, by the name of the set. DataError if there are none."""
    texts = {}
    for name, files in (("validation", data.valid), ("test", data.test)):
        if files:
            texts[name] = _read(files)
            if not texts[name]:
                raise DataError(f"{files[0]} is empty", fix="Give text to score, or leave it out")
    return texts


def _scores(
    loaded: LoadedNgram, texts: Mapping[str, Sequence[str]], reporter: Reporter
) -> list[BundleScore]:
    """The perplexity of each text."""
    scores = []
    for name, lines in texts.items():
        score = perplexity_of(loaded.scorer(), lines)
        if name != "test":  # that is what the training returns
            reporter.message(f"{name} {score.name} {score.value:.2f}  {score.signature}")
        scores.append(msgspec.structs.replace(score, set=name))
    return scores


def _read(files: Sequence[str]) -> list[str]:
    return list(chain.from_iterable(map(read_lines, files)))
