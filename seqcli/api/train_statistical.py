"""Train a phrase-based system by a recipe, or go on with a training that was stopped."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from seqcli.api.evaluate import score_lines
from seqcli.api.phrase_system import PARTS, translator_of
from seqcli.api.seeds import ScoreOfSeeds, Watch, train_each
from seqcli.api.stage_folder import check_stage_folder, stage_folder
from seqcli.api.statistical import available_cores
from seqcli.api.statistical_text import (
    languages_of,
    read_pairs,
    read_text,
    read_training_pairs,
)
from seqcli.api.translation_scores import translation_scores
from seqcli.bundle import (
    CARD,
    FACTS,
    FORMAT,
    Facts,
    library_versions,
    write_card,
    write_facts,
)
from seqcli.errors import DataError
from seqcli.smt.ngram_model import NgramModel
from seqcli.smt.phrase_files import PhraseSystem
from seqcli.smt.phrase_training import PhraseTraining, TrainingLines
from seqcli.smt.recipe import MOSES, SmtRecipe
from seqcli.smt.stages import Stages
from seqcli.training.report import QuietReporter, Reporter


def train_statistical(
    recipe: SmtRecipe,
    output: Path,
    *,
    reporter: Reporter | None = None,
    resume: bool = False,
    overwrite: bool = False,
    override: bool = False,
    threads: int | None = None,
) -> Facts:
    """Train by `recipe` and write the system to the folder `output`; return its facts.

    It is trained in stages. One that was stopped goes on with `resume` after the last that was
    finished; with `override` it takes a recipe with other settings, and does again what depends on
    them. Without a `reporter` nothing is said. Raises DataError, ConfigError and OutputError.
    """
    reporter = reporter or QuietReporter()
    how = {"resume": resume, "overwrite": overwrite, "override": override}
    inputs = _inputs(recipe)
    check_stage_folder(output, recipe, inputs=inputs, others=PARTS, **how)  # before text is read
    lines, languages = _read(recipe, reporter)
    test = read_pairs("test", recipe.data.test)
    with stage_folder(output, recipe, inputs=inputs, others=PARTS, **how) as state:
        outdated = (output / FACTS, output / CARD)
        training = PhraseTraining(
            recipe=recipe,
            lines=lines,
            languages=languages,
            output=output,
            state=state,
            stages=Stages(
                state, reporter.message, outdated=outdated, must_match=resume and not override
            ),
            score=_judge(recipe.tuning.metric, lines.dev_target),
            tell=reporter.message,
            threads=threads or available_cores(),
        )
        system = training.run()
        return _finish(training, system, test, reporter)


def train_statistical_seeds(
    recipe: SmtRecipe,
    output: Path,
    seeds: Sequence[int],
    *,
    watch: Watch | None = None,
    resume: bool = False,
    overwrite: bool = False,
    override: bool = False,
    threads: int | None = None,
) -> list[ScoreOfSeeds]:
    """Train a system for each of `seeds`, one after the other; return the scores that all have.

    Each is in its `folder_of_seed`. `watch` gives the reporter of each for as long as it is
    trained; all else is as for `train_statistical`. Raises UsageError where seeds are not several.
    """
    wish = {"resume": resume, "overwrite": overwrite, "override": override}

    def train_one(each: SmtRecipe, folder: Path, reporter: Reporter) -> Facts:
        return train_statistical(each, folder, reporter=reporter, threads=threads, **wish)

    return train_each(
        recipe,
        output,
        seeds,
        train=train_one,
        check=lambda each, folder: check_stage_folder(
            folder, each, inputs=_inputs(each), others=PARTS, **wish
        ),
        watch=watch,
    )


def dry_run_statistical(
    recipe: SmtRecipe,
    output: Path | None = None,
    *,
    reporter: Reporter | None = None,
    overwrite: bool = False,
    threads: int | None = None,
) -> dict[str, str]:
    """Read all that `train_statistical` would, write nothing, and say what would be trained."""
    if output is not None:
        check_stage_folder(
            output,
            recipe,
            inputs=_inputs(recipe),
            others=PARTS,
            resume=False,
            overwrite=overwrite,
            override=False,
        )
    lines, (source, target) = _read(recipe, reporter or QuietReporter())
    read_pairs("test", recipe.data.test)
    alignment, tuning = recipe.alignment, recipe.tuning
    return {
        "pairs": f"{len(lines.source):,} to train on, {len(lines.dev_source):,} to tune on",
        "languages": f"{source} to {target}",
        "words": (recipe.target_tokenizer or recipe.tokenizer).kind
        if recipe.target_tokenizer == recipe.tokenizer or recipe.target_tokenizer is None
        else f"{recipe.tokenizer.kind} to {recipe.target_tokenizer.kind}",
        "alignment": f"{alignment.model}, {alignment.symmetrization}",
        "phrases": f"up to {recipe.phrases.longest} words",
        "language model": f"order {recipe.language_model.order}, "
        f"{len(lines.target) + len(lines.target_alone):,} lines"
        + (f", and of {recipe.num_classes} classes of words" if recipe.num_classes else ""),
        "tuning": f"{tuning.method} for {tuning.metric}, {tuning.rounds} rounds"
        if lines.dev_source
        else "none, as there is no validation text",
        "threads": str(threads or available_cores()),
    }


def _inputs(recipe: SmtRecipe) -> list[str]:
    data = recipe.data
    return [*data.train, *data.valid, *data.test, *recipe.language_model.text]


def _read(recipe: SmtRecipe, reporter: Reporter) -> tuple[TrainingLines, tuple[str, str]]:
    source, target = read_training_pairs(recipe.data)
    dev_source, dev_target = read_pairs("valid", recipe.data.valid)
    if dev_source and not any(map(str.strip, dev_source)):
        raise DataError(
            f"{recipe.data.valid[0]} has no text",
            why="weights are tuned by its translations",
            fix="Leave out data.valid (--valid) to train without tuning",
        )
    alone = read_text(recipe.language_model.text)
    lines = TrainingLines(source, target, dev_source, dev_target, alone)
    tokenizers = recipe.tokenizer, recipe.target_tokenizer or recipe.tokenizer
    languages = languages_of(
        recipe.data,
        (recipe.source_language, recipe.target_language),
        tell=reporter.message,
        matters=[tokenizer.kind == MOSES for tokenizer in tokenizers],
    )
    return lines, languages


def _judge(metric: str, references: Sequence[str]) -> Callable[[Sequence[str]], float]:
    """What translations of the validation text are worth, from 0 to 1."""
    return lambda hypotheses: score_lines(hypotheses, [references], [metric])[0].value / 100


def _finish(
    training: PhraseTraining,
    system: PhraseSystem,
    test: tuple[list[str], list[str]],
    reporter: Reporter,
) -> Facts:
    """Score the system, and write its facts and its card, by which it becomes a model."""
    recipe, output, table = training.recipe, training.output, system.model.table
    translator = translator_of(system, recipe.decoding, threads=training.threads)
    dev = (training.lines.dev_source, training.lines.dev_target)
    scores = [
        *translation_scores(translator, "validation", dev, reporter),
        *translation_scores(translator, "test", test, reporter),
    ]
    facts = Facts(
        format=FORMAT,
        task=recipe.task,
        architecture=recipe.architecture,
        name=output.resolve().name,
        recipe=msgspec.to_builtins(recipe),
        tokenizers=[],
        vocabulary=system.fingerprint(),
        parameters=table.scores.size
        + table.reordering.size
        + sum(sum(model.sizes) for model in _language_models(system).values()),
        scores=scores,
        libraries=library_versions(),
    )
    write_facts(output, facts)
    description = _description(system, training.stages)
    write_card(output, facts, description, without_valid="nothing: the weights are not tuned")
    return facts


def _description(system: PhraseSystem, stages: Stages) -> dict[str, str]:
    """What the system is made of, in words by name."""
    model = system.model
    return {
        "phrases": f"{len(model.table.pair_starts) - 1:,} source phrases with "
        f"{len(model.table.scores):,} translations",
        "vocabulary": f"{len(model.source_vocabulary):,} source and "
        f"{len(model.target_vocabulary):,} target words",
        **{
            name: ", ".join(
                f"{size:,} of order {order}" for order, size in enumerate(ngrams.sizes, 1)
            )
            for name, ngrams in _language_models(system).items()
        },
        "training": ", ".join(f"{name} {spent:.1f} s" for name, spent in stages.seconds.items()),
    }


def _language_models(system: PhraseSystem) -> dict[str, NgramModel]:
    """By the name of what they are models of."""
    words, classes = system.model.language_model, system.model.classes
    return {"n-grams": words} | ({} if classes is None else {"n-grams of classes": classes.model})
