"""Train a model by a recipe, go on with a training that was stopped, or say what would be done."""

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import torch

from seqcli.api.evaluate import score_lines
from seqcli.api.pretrained_vectors import load_vectors, require_fitting_vectors, vector_files
from seqcli.api.score import load_scorer, perplexity_of
from seqcli.api.systems import load_system
from seqcli.api.training_check import tell_findings
from seqcli.api.training_folder import (
    TextMarks,
    changed_settings,
    check_folder,
    make_folder,
    open_folder,
    record_changes,
    reopen_folder,
)
from seqcli.api.training_text import (
    TrainingText,
    read_test_text,
    read_training_text,
    require_files,
)
from seqcli.architectures.description import ModelDescription, describe_model
from seqcli.bundle import (
    FORMAT,
    TRAINING,
    BundleScore,
    Facts,
    library_versions,
    load_tokenizers,
    read_facts,
    vocabulary_fingerprint,
    write_card,
    write_facts,
    write_model,
)
from seqcli.data.dataset import Text
from seqcli.data.prepared_folder import PREPARED, preparing
from seqcli.data.stored_text import StoredText
from seqcli.evaluation import METRICS
from seqcli.experiment import Recipe
from seqcli.tasks import TASKS, Task
from seqcli.text.wording import beside
from seqcli.tokenizers import Tokenizer
from seqcli.training.capacity import require_capacity
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.distributed import Processes, choose_device, joined_processes
from seqcli.training.log import LOG, TrainingLog
from seqcli.training.memory import bound_kernel_caches, keep_freed_memory
from seqcli.training.precision import choose_precision, compute_exactly
from seqcli.training.report import LOSS, QuietReporter, Reporter, ValidationReport
from seqcli.training.trainer import Trainer


def train(
    recipe: Recipe,
    output: Path,
    *,
    reporter: Reporter | None = None,
    resume: bool = False,
    overwrite: bool = False,
    override: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> Facts:
    """Train by `recipe` and write the model to the folder `output`; return its facts.

    Each new best model is written at once, so that the folder can be used while the training goes
    on. Without a `reporter` nothing is said. Raises Interrupted after Ctrl-C, when all is saved to
    go on with `resume`; with `override` that takes a recipe with other settings of the training.
    """
    start = time.monotonic()
    chosen_device = _set_up(recipe, device, threads)
    with joined_processes(chosen_device) as processes, ExitStack() as opened:
        if not processes.is_first or reporter is None:
            reporter = QuietReporter()
        goes_on = processes.from_first(
            lambda: opened.enter_context(
                open_folder(output, recipe, resume=resume, overwrite=overwrite, override=override)
            )
        )
        run = _Run(reporter, chosen_device, processes, start, threads)
        return _train_in(output, recipe, run, resume=resume, goes_on=goes_on)


@dataclass(frozen=True, slots=True)
class _Run:
    """What a training has of this process, beside its recipe."""

    reporter: Reporter
    device: torch.device
    processes: Processes = field(default_factory=Processes)
    start: float | None = None  # its moment, by `time.monotonic`
    threads: int | None = None  # of torch and the tokenizers; None: as many as they like


def _train_in(output: Path, recipe: Recipe, run: _Run, *, resume: bool, goes_on: bool) -> Facts:
    """Train in the folder `output`, which is open, anew or from where the training in it stands.

    `resume` is what was asked for, `goes_on` whether there is a folder to go on in. Of several
    processes the first alone writes, and the others follow it.
    """
    log = TrainingLog(output / TRAINING / LOG, run.reporter)
    if run.processes.is_first:
        run = replace(run, reporter=log)
    reporter, processes = run.reporter, run.processes
    if processes.count > 1:
        require_files(recipe)
    has_state = goes_on and processes.from_first(
        lambda: CheckpointFolder(output / TRAINING).has_state
    )
    if not has_state:
        if resume:
            reporter.message("there is nothing to go on with: a new training begins")
        require_fitting_vectors(recipe)
    task = TASKS[recipe.task]
    with preparing(output / TRAINING / PREPARED, is_first=processes.is_first) as prepared:
        with processes.first_goes_ahead():
            text = read_training_text(recipe, task, prepared, reporter)
        marks = text.marks()
        test_text = read_test_text(recipe, task)
        tokenizers = processes.from_first(
            lambda: (
                _reopen(output, recipe, marks, run)
                if goes_on
                else task.learn_tokenizers(recipe, text.stored.kept_lines, threads=run.threads)
            )
        )
        with processes.first_goes_ahead():
            if processes.is_first and not goes_on:
                tell_findings(text, test_text, tokenizers, recipe, reporter)
            training = _Training(recipe, text.stored, tokenizers, run)
        if not has_state:
            training.load_vectors()
        trainer = training.prepare(text, output)
        if has_state:
            trainer.resume()
        processes.from_first(
            lambda: (
                record_changes(output, recipe, epochs=trainer.epochs)
                if goes_on  # else only now: whatever is wrong with the data has come to light
                else make_folder(output, recipe, tokenizers, marks)
            )
        )
        if not has_state:
            trainer.save()  # so that a model never lies there without a state to go on from
        if processes.is_first:
            log.go_on(step=trainer.step, epochs=trainer.epochs)
    is_over = trainer.train()
    return processes.from_first(lambda: training.finish(output, test_text, is_over=is_over))


def _reopen(output: Path, recipe: Recipe, marks: TextMarks, run: _Run) -> dict[str, Tokenizer]:
    """Make ready to go on in the folder; return the tokenizers that are in it."""
    for key, values in changed_settings(output, recipe).items():
        run.reporter.message(f"going on with another {key}: {values}")
    reopen_folder(output, recipe, marks)
    return load_tokenizers(output, threads=run.threads)


def dry_run(
    recipe: Recipe,
    output: Path | None = None,
    *,
    reporter: Reporter | None = None,
    overwrite: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> dict[str, str]:
    """Prepare all that `train` would, write nothing, and return what would be trained, by name.

    Whatever is wrong with recipe, data or (if it is given) `output` comes to light as in `train`.
    """
    reporter = reporter or QuietReporter()
    run = _Run(reporter, _set_up(recipe, device, threads), threads=threads)
    if output is not None:
        check_folder(output, recipe, resume=False, overwrite=overwrite)
    require_fitting_vectors(recipe)
    task = TASKS[recipe.task]
    with TemporaryDirectory() as folder, preparing(Path(folder)) as prepared:
        text = read_training_text(recipe, task, prepared, reporter)
        test_text = read_test_text(recipe, task)
        tokenizers = task.learn_tokenizers(recipe, text.stored.kept_lines, threads=threads)
        tell_findings(text, test_text, tokenizers, recipe, reporter)
        training = _Training(recipe, text.stored, tokenizers, run)
        training.load_vectors()
        return training.facts(text)


def _set_up(recipe: Recipe, device: str, threads: int | None) -> torch.device:
    """Set memory, threads and exactness of this process for training, and resolve the device."""
    keep_freed_memory()
    bound_kernel_caches()
    if threads is not None:
        torch.set_num_threads(threads)
    compute_exactly(recipe.training.deterministic)
    return choose_device(device)


class _Training:
    """One training: the model, its tokenizers, and the text it learns from. DataError if none."""

    def __init__(
        self,
        recipe: Recipe,
        text: StoredText,
        tokenizers: dict[str, Tokenizer],
        run: _Run,
    ) -> None:
        kind = TASKS[recipe.task]
        task = kind(recipe, tokenizers)
        self._dataset = task.training_dataset(text, tell=run.reporter.message)
        self._recipe: Recipe = task.fitted_recipe(self._dataset)
        self._task: Task[Any, Any] = kind(self._recipe, tokenizers)
        self._run = run
        self._reporter = run.reporter
        self._device = run.device
        require_capacity(
            self._task.build_model, self._recipe.model, run.device, self._recipe.training
        )
        torch.manual_seed(recipe.seed)
        self._model = self._task.build_model().to(run.device)

    def load_vectors(self) -> None:
        """Let the embeddings start from the pretrained vectors that the recipe names."""
        load_vectors(self._recipe, self._task.embeddings(self._model), reporter=self._reporter)

    def prepare(self, text: TrainingText, output: Path) -> Trainer:
        """Describe what will be done and make ready for it; nothing is written yet."""
        recipe = self._recipe
        self._describe()
        metric = recipe.evaluation.metric
        return Trainer(
            self._model,
            recipe.training,
            batches=partial(self._task.batches, self._dataset),
            loss=partial(
                self._task.loss,
                self._model,
                smoothing=recipe.training.label_smoothing,
                consistency=recipe.training.consistency,
            ),
            validate=self._task.validation(self._model, text.validation, text.place),
            publish=partial(self._publish, output),
            metric=metric,
            unit=self._task.unit,
            higher_is_better=metric != LOSS and METRICS[metric].higher_is_better,
            checkpoints=CheckpointFolder(output / TRAINING),
            reporter=self._reporter,
            seed=recipe.seed,
            processes=self._run.processes,
            start=self._run.start,
        )

    def facts(self, text: TrainingText) -> dict[str, str]:
        """Return what is trained on what, in words by name. DataError for unusable text."""
        self._task.validation(self._model, text.validation, text.place)
        training = self._recipe.training
        dtype = str(choose_precision(training.precision, self._device)).removeprefix("torch.")
        probed = " (auto: the faster one here)" if training.precision == "auto" else ""
        return {
            self._task.noun: f"{len(self._dataset):,} to train on, {len(text.validation[0]):,} to "
            "validate on",
            "left out": self._dataset.losses or "none",
            **({"cut": self._dataset.cuts} if self._dataset.cuts else {}),
            "lengths": self._description().lengths(*self._dataset.mean_lengths()),
            "vocabulary": self._vocabulary_sizes(),
            **self.model_facts(),
            "precision": f"{dtype} on {self._device.type}{probed}",
            "training": self._length_of_training(),
        }

    def model_facts(self) -> dict[str, str]:
        """Return what the model is made of, what computes it and what a token costs."""
        vectors = {
            f"{side} vectors": f"start from {path}"
            for side, path in vector_files(self._recipe).items()
        }
        return self._description().facts(*self._dataset.mean_lengths()) | vectors

    def _description(self) -> ModelDescription:
        return describe_model(self._model, self._recipe.model, self._device.type)

    def finish(self, output: Path, test_text: Text | None, *, is_over: bool) -> Facts:
        """Score the model on the test set, if there is one, and write its card.

        Not so before the training is over: the model is not yet what will be used.
        """
        if is_over and test_text is not None:
            self._test(test_text, output)
        facts = read_facts(output)
        if is_over:
            write_card(output, facts, self.model_facts(), command=self._task.command)
        return facts

    def _test(self, text: Text, output: Path) -> None:
        """Score the model as it was written on the test set, and record the scores."""
        scores = self._test_scores(text, output)
        facts = read_facts(output)
        others = [score for score in facts.scores if score.set != "test"]
        data = {**facts.recipe["data"], "test": list(self._recipe.data.test)}
        write_facts(
            output,
            msgspec.structs.replace(
                facts, recipe={**facts.recipe, "data": data}, scores=[*others, *scores]
            ),
        )

    def _test_scores(self, text: Text, output: Path) -> list[BundleScore]:
        if len(text) == 1:  # text alone: what counts is how well it is predicted
            return [perplexity_of(load_scorer(str(output)), text[0])]
        system = load_system(str(output))
        hypotheses = [translation.text for translation in system.translate(text[0])]
        return [
            BundleScore(name=score.name, value=score.value, signature=score.signature, set="test")
            for score in score_lines(hypotheses, [text[1]], self._task.test_metrics())
        ]

    def _describe(self) -> None:
        """Say what is trained on what, so that every choice made for the user is seen."""
        say = self._reporter.message
        size = len(self._dataset)
        say(f"{size} training {beside(size, self._task.noun)}")
        if self._dataset.losses:
            say(f"left out: {self._dataset.losses}")
        if self._dataset.cuts:
            say(f"cut: {self._dataset.cuts}")
        say(f"vocabulary: {self._vocabulary_sizes()}")
        parameters = count_parameters(self._model)
        say(f"model: {parameters:,} parameters, {self._recipe.model.summary()}")
        say(f"training: {self._length_of_training()}")

    def _vocabulary_sizes(self) -> str:
        tokenizers = self._task.tokenizers
        sizes = {role: len(tokenizer.vocabulary) for role, tokenizer in tokenizers.items()}
        return ", ".join(f"{size} ({role})" for role, size in sizes.items())

    def _length_of_training(self) -> str:
        training = self._recipe.training
        size, noun = training.batch_tokens, "tokens"
        if training.batch_sentences:
            size, noun = training.batch_sentences, self._task.noun
        epochs = f"{training.epochs} {beside(training.epochs, 'epochs')}"
        return f"{epochs}, batches of {size} {beside(size, noun)}"

    def _publish(self, output: Path, report: ValidationReport) -> None:
        """Write the model as it is now."""
        validation = report.validation
        facts = Facts(
            format=FORMAT,
            task=self._recipe.task,
            architecture=self._recipe.architecture,
            name=output.resolve().name,
            recipe=msgspec.to_builtins(self._recipe),
            tokenizers=list(self._task.tokenizers),
            vocabulary=vocabulary_fingerprint(self._task.tokenizers),
            parameters=count_parameters(self._model),
            scores=[
                BundleScore(
                    name=validation.metric,
                    value=validation.score,
                    signature=validation.signature,
                    set="validation",
                )
            ],
            libraries=library_versions(),
        )
        weights = {name: tensor.detach() for name, tensor in self._model.named_parameters()}
        write_model(
            output,
            facts,
            weights,
            half_precision=self._recipe.training.half_precision_weights,
        )


def count_parameters(model: torch.nn.Module) -> int:
    """Count the trained numbers, each tied one once."""
    return sum(parameter.numel() for parameter in model.parameters())
