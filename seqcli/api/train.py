"""Train a model by a recipe, go on with a training that was stopped, or say what would be done."""

from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import msgspec
import torch

from seqcli.api.evaluate import score_lines
from seqcli.api.pretrained_vectors import load_vectors, require_fitting_vectors, vector_files
from seqcli.api.score import load_scorer, perplexity_of
from seqcli.api.systems import load_system
from seqcli.api.training_folder import check_folder, fingerprint, make_folder, reopen_folder
from seqcli.api.training_text import read_test_text, read_training_text
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
from seqcli.errors import ConfigError
from seqcli.evaluation import METRICS
from seqcli.experiment import LOSS, Recipe
from seqcli.tasks import TASKS, Task
from seqcli.tokenizers import Tokenizer
from seqcli.training.capacity import require_capacity
from seqcli.training.checkpoint import STATE_FILE, CheckpointFolder
from seqcli.training.memory import bound_kernel_cache, keep_freed_memory
from seqcli.training.precision import choose_precision
from seqcli.training.report import QuietReporter, Reporter, ValidationReport
from seqcli.training.trainer import Trainer


def train(
    recipe: Recipe,
    output: Path,
    *,
    reporter: Reporter | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> Facts:
    """Train by `recipe` and write the model to the folder `output`; return its facts.

    Each new best model is written at once, so that the folder can be used while the training goes
    on. Without a `reporter` nothing is said. Raises Interrupted after Ctrl-C, when all is saved to
    go on with `resume`.
    """
    reporter = reporter or QuietReporter()
    chosen_device = _set_up(device, threads)
    goes_on = check_folder(output, recipe, resume=resume, overwrite=overwrite)
    has_state = goes_on and (output / TRAINING / STATE_FILE).is_file()
    if not has_state:
        require_fitting_vectors(recipe)
    task = TASKS[recipe.task]
    training_text, validation_text = read_training_text(recipe, task, reporter)
    mark = fingerprint(*training_text, *validation_text)
    test_text = read_test_text(recipe, task)
    if goes_on:
        reopen_folder(output, mark)
        tokenizers = load_tokenizers(output)
    else:
        tokenizers = task.learn_tokenizers(recipe, training_text)
    training = _Training(recipe, training_text, tokenizers, reporter, chosen_device)
    if not has_state:
        training.load_vectors()
    trainer = training.prepare(validation_text, output)
    if not goes_on:  # only now: whatever is wrong with the data has come to light
        make_folder(output, recipe, tokenizers, mark)
    elif trainer.resume():
        reporter.message("going on where the training was stopped")
    trainer.train()
    if test_text is not None:
        training.test(test_text, output)
    facts = read_facts(output)
    write_card(output, facts, training.model_facts(), command=task.command)
    return facts


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
    chosen_device = _set_up(device, threads)
    if output is not None:
        check_folder(output, recipe, resume=False, overwrite=overwrite)
    require_fitting_vectors(recipe)
    task = TASKS[recipe.task]
    training_text, validation_text = read_training_text(recipe, task, reporter)
    read_test_text(recipe, task)
    tokenizers = task.learn_tokenizers(recipe, training_text)
    training = _Training(recipe, training_text, tokenizers, reporter, chosen_device)
    training.load_vectors()
    return training.facts(validation_text)


def _set_up(device: str, threads: int | None) -> torch.device:
    """Set memory and threads of this process for training, and resolve the device."""
    keep_freed_memory()
    bound_kernel_cache()
    if threads is not None:
        torch.set_num_threads(threads)
    return choose_device(device)


def choose_device(device: str) -> torch.device:
    """Resolve "auto", "cpu" or "cuda"; ConfigError where there is no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("there is no CUDA device here", fix="Use --device auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


class _Training:
    """One training: the model, its tokenizers, and the text it learns from. DataError if none."""

    def __init__(
        self,
        recipe: Recipe,
        text: Text,
        tokenizers: dict[str, Tokenizer],
        reporter: Reporter,
        device: torch.device,
    ) -> None:
        kind = TASKS[recipe.task]
        task = kind(recipe, tokenizers)
        self._dataset = task.dataset(text, sampled=True)
        self._recipe: Recipe = task.fitted_recipe(self._dataset)
        self._task: Task[Any, Any] = kind(self._recipe, tokenizers)
        self._reporter = reporter
        self._device = device
        require_capacity(self._task.build_model, self._recipe.model, device)
        torch.manual_seed(recipe.seed)
        self._model = self._task.build_model().to(device)

    def load_vectors(self) -> None:
        """Let the embeddings start from the pretrained vectors that the recipe names."""
        load_vectors(self._recipe, self._task.embeddings(self._model), reporter=self._reporter)

    def prepare(self, validation_text: Text, output: Path) -> Trainer:
        """Describe what will be done and make ready for it; nothing is written yet."""
        recipe = self._recipe
        self._describe()
        metric = recipe.evaluation.metric
        return Trainer(
            self._model,
            recipe.training,
            batches=partial(self._task.batches, self._dataset),
            loss=partial(self._task.loss, self._model, smoothing=recipe.training.label_smoothing),
            validate=self._task.validation(self._model, validation_text),
            publish=partial(self._publish, output),
            higher_is_better=metric != LOSS and METRICS[metric].higher_is_better,
            checkpoints=CheckpointFolder(output / TRAINING),
            reporter=self._reporter,
        )

    def facts(self, validation_text: Text) -> dict[str, str]:
        """Return what is trained on what, in words by name."""
        self._task.validation(self._model, validation_text)  # finds fault with unusable text
        training = self._recipe.training
        dtype = str(choose_precision(training.precision, self._device)).removeprefix("torch.")
        probed = " (auto: the faster one here)" if training.precision == "auto" else ""
        return {
            self._task.noun: f"{len(self._dataset):,} to train on, {len(validation_text[0]):,} to "
            "validate on",
            "left out": self._left_out() or "none",
            "lengths": self._description().lengths(*self._mean_lengths()),
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
        return self._description().facts(*self._mean_lengths()) | vectors

    def _description(self) -> ModelDescription:
        return describe_model(self._model, self._recipe.model, self._device.type)

    def test(self, text: Text, output: Path) -> None:
        """Score the model as it was written on the test set, and record the scores."""
        scores = self._test_scores(text, output)
        for score in scores:
            self._reporter.message(f"test {score.name} {score.value:.2f}  {score.signature}")
        facts = read_facts(output)
        others = [score for score in facts.scores if score.set != "test"]
        write_facts(output, msgspec.structs.replace(facts, scores=[*others, *scores]))

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
        say(f"{len(self._dataset)} training {self._task.noun}")
        if left_out := self._left_out():
            say(f"left out: {left_out}")
        say(f"vocabulary: {self._vocabulary_sizes()}")
        parameters = count_parameters(self._model)
        say(f"model: {parameters:,} parameters, {self._recipe.model.summary()}")
        say(f"training: {self._length_of_training()}")

    def _left_out(self) -> str:
        """Say how many pairs are left out, and why; nothing where none is."""
        empty, long = self._dataset.num_empty, self._dataset.num_long
        if not empty and not long:
            return ""
        return (
            f"{empty} {self._task.noun} with an empty side, {long} with more than "
            f"{self._recipe.data.max_length} tokens (data.max_length)"
        )

    def _vocabulary_sizes(self) -> str:
        tokenizers = self._task.tokenizers
        sizes = {role: len(tokenizer.vocabulary) for role, tokenizer in tokenizers.items()}
        return ", ".join(f"{size} ({role})" for role, size in sizes.items())

    def _length_of_training(self) -> str:
        training = self._recipe.training
        return f"{training.epochs} epochs, batches of {training.batch_tokens} tokens"

    def _mean_lengths(self) -> tuple[float, float]:
        """Tokens of a source and of a target, the mark of the end included."""
        examples = self._dataset.best_examples
        return (
            fmean(len(example.source) + 1 for example in examples),
            fmean(len(example.target) + 1 for example in examples),
        )

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
