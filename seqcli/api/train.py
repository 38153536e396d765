"""Train a model by a recipe, go on with a training that was stopped, or say what would be done."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import fmean

import msgspec
import torch

from seqcli.api.evaluate import score_lines
from seqcli.api.pretrained_vectors import load_vectors, require_fitting_vectors, vector_files
from seqcli.api.training_folder import check_folder, fingerprint, make_folder, reopen_folder
from seqcli.api.training_text import Pairs, read_pairs, read_test_pairs
from seqcli.api.translate import load_translator
from seqcli.architectures.description import describe_model
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
from seqcli.data.batch import Batch, make_batch
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Example, ParallelDataset
from seqcli.errors import ConfigError
from seqcli.evaluation import METRICS
from seqcli.experiment import LOSS, Recipe
from seqcli.tasks.translation import (
    build_model,
    length_ratio,
    make_loss,
    make_loss_validation,
    make_validation,
)
from seqcli.tokenizers import Tokenizer, train_tokenizer
from seqcli.training.checkpoint import STATE_FILE, CheckpointFolder
from seqcli.training.memory import bound_kernel_cache, keep_freed_memory
from seqcli.training.precision import choose_precision
from seqcli.training.report import QuietReporter, Reporter, Validation, ValidationReport
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
    training_pairs, validation_pairs = read_pairs(recipe, reporter)
    text = fingerprint(*training_pairs, *validation_pairs)
    test_pairs = read_test_pairs(recipe)
    if goes_on:
        reopen_folder(output, text)
    tokenizers = load_tokenizers(output) if goes_on else _learn_tokenizers(recipe, training_pairs)
    training = _Training(recipe, training_pairs, tokenizers, reporter, chosen_device)
    if not has_state:
        training.load_vectors()
    trainer = training.prepare(validation_pairs, output)
    if not goes_on:  # only now: whatever is wrong with the data has come to light
        make_folder(output, recipe, tokenizers, text)
    elif trainer.resume():
        reporter.message("going on where the training was stopped")
    trainer.train()
    if test_pairs is not None:
        training.test(test_pairs, output)
    facts = read_facts(output)
    write_card(output, facts, training.model_facts())
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
    training_pairs, validation_pairs = read_pairs(recipe, reporter)
    read_test_pairs(recipe)
    tokenizers = _learn_tokenizers(recipe, training_pairs)
    training = _Training(recipe, training_pairs, tokenizers, reporter, chosen_device)
    training.load_vectors()
    return training.facts(validation_pairs)


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


def _learn_tokenizers(recipe: Recipe, pairs: Pairs) -> dict[str, Tokenizer]:
    """Learn one tokenizer from both sides, or one from each."""
    sources, targets = pairs
    if recipe.target_tokenizer is None:
        return {"shared": train_tokenizer([*sources, *targets], recipe.tokenizer)}
    return {
        "source": train_tokenizer(sources, recipe.tokenizer),
        "target": train_tokenizer(targets, recipe.target_tokenizer),
    }


class _Training:
    """One training: the model, its tokenizers, and the text it learns from. DataError if none."""

    def __init__(
        self,
        recipe: Recipe,
        pairs: Pairs,
        tokenizers: dict[str, Tokenizer],
        reporter: Reporter,
        device: torch.device,
    ) -> None:
        self._recipe = recipe
        self._tokenizers = tokenizers
        self._reporter = reporter
        self._device = device
        self._source_tokenizer = tokenizers.get("source") or tokenizers["shared"]
        self._target_tokenizer = tokenizers.get("target") or tokenizers["shared"]
        self._dataset = self._encode(pairs, sampling=recipe.data.subword_sampling)
        self._recipe = _with_room_for(self._dataset, recipe)
        torch.manual_seed(recipe.seed)
        self._model = build_model(
            recipe.model,
            source_tokenizer=self._source_tokenizer,
            target_tokenizer=self._target_tokenizer,
        ).to(device)

    def load_vectors(self) -> None:
        """Let the embeddings start from the pretrained vectors that the recipe names."""
        load_vectors(
            self._recipe,
            self._model,
            source_tokenizer=self._source_tokenizer,
            target_tokenizer=self._target_tokenizer,
            reporter=self._reporter,
        )

    def prepare(self, validation_pairs: Pairs, output: Path) -> Trainer:
        """Describe what will be done and make ready for it; nothing is written yet."""
        recipe = self._recipe
        self._describe()
        metric = recipe.evaluation.metric
        return Trainer(
            self._model,
            recipe.training,
            batches=partial(_epoch_batches, self._dataset, recipe),
            loss=make_loss(self._model, label_smoothing=recipe.training.label_smoothing),
            validate=self._validation(validation_pairs),
            publish=partial(self._publish, output),
            higher_is_better=metric != LOSS and METRICS[metric].higher_is_better,
            checkpoints=CheckpointFolder(output / TRAINING),
            reporter=self._reporter,
        )

    def facts(self, validation_pairs: Pairs) -> dict[str, str]:
        """Return what is trained on what, in words by name."""
        self._validation(validation_pairs)  # finds fault with text that cannot be used
        training = self._recipe.training
        source_length, target_length = self._mean_lengths()
        dtype = str(choose_precision(training.precision, self._device)).removeprefix("torch.")
        probed = " (auto: the faster one here)" if training.precision == "auto" else ""
        return {
            "pairs": f"{len(self._dataset):,} to train on, {len(validation_pairs[0]):,} to "
            "validate on",
            "left out": self._left_out() or "none",
            "lengths": f"{source_length:.1f} source and {target_length:.1f} target tokens a pair, "
            "the mark of the end included",
            "vocabulary": self._vocabulary_sizes(),
            **self.model_facts(),
            "precision": f"{dtype} on {self._device.type}{probed}",
            "training": self._length_of_training(),
        }

    def model_facts(self) -> dict[str, str]:
        """Return what the model is made of, what computes it and what a token costs."""
        source_length, target_length = self._mean_lengths()
        description = describe_model(self._model, self._recipe.model, self._device.type)
        vectors = {
            f"{side} vectors": f"start from {path}"
            for side, path in vector_files(self._recipe).items()
        }
        facts = description.facts(source_length=source_length, target_length=target_length)
        return facts | vectors

    def test(self, pairs: Pairs, output: Path) -> None:
        """Translate the test set with the model as it was written, and record its scores."""
        translator = load_translator(str(output))
        hypotheses = [translation.text for translation in translator.translate(pairs[0])]
        scores = [
            BundleScore(name=score.name, value=score.value, signature=score.signature, set="test")
            for score in score_lines(hypotheses, [pairs[1]], self._test_metrics())
        ]
        for score in scores:
            self._reporter.message(f"test {score.name} {score.value:.2f}  {score.signature}")
        facts = read_facts(output)
        others = [score for score in facts.scores if score.set != "test"]
        write_facts(output, msgspec.structs.replace(facts, scores=[*others, *scores]))

    def _test_metrics(self) -> tuple[str, ...]:
        metric = self._recipe.evaluation.metric
        return ("bleu", "chrf", "ter") if metric in (LOSS, "bleu", "chrf", "ter") else (metric,)

    def _encode(self, pairs: Pairs, *, sampling: float) -> ParallelDataset:
        return ParallelDataset(
            *pairs,
            source_tokenizer=self._source_tokenizer,
            target_tokenizer=self._target_tokenizer,
            sampling=sampling,
            max_length=self._recipe.data.max_length,
        )

    def _validation(self, pairs: Pairs) -> Callable[[], Validation]:
        metric = self._recipe.evaluation.metric
        if metric == LOSS:
            return make_loss_validation(
                self._model,
                self._encode(pairs, sampling=0.0),
                batch_tokens=self._recipe.training.batch_tokens,
            )
        return make_validation(
            self._model,
            *pairs,
            source_tokenizer=self._source_tokenizer,
            target_tokenizer=self._target_tokenizer,
            metric=METRICS[metric](),
            max_length_ratio=self._recipe.decoding.max_length_ratio,
        )

    def _describe(self) -> None:
        """Say what is trained on what, so that every choice made for the user is seen."""
        say = self._reporter.message
        say(f"{len(self._dataset)} training pairs")
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
            f"{empty} pairs with an empty side, {long} with more than "
            f"{self._recipe.data.max_length} tokens (data.max_length)"
        )

    def _vocabulary_sizes(self) -> str:
        sizes = {role: len(tokenizer.vocabulary) for role, tokenizer in self._tokenizers.items()}
        return ", ".join(f"{size} ({role})" for role, size in sizes.items())

    def _length_of_training(self) -> str:
        training = self._recipe.training
        return f"{training.epochs} epochs, batches of {training.batch_tokens} target tokens"

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
            tokenizers=list(self._tokenizers),
            vocabulary=vocabulary_fingerprint(self._tokenizers),
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


def _with_room_for(dataset: ParallelDataset, recipe: Recipe) -> Recipe:
    """Return the recipe with room in decoding for outputs as long as those of the text."""
    ratio = max(length_ratio(dataset.best_examples), recipe.decoding.max_length_ratio)
    decoding = msgspec.structs.replace(recipe.decoding, max_length_ratio=ratio)
    return msgspec.structs.replace(recipe, decoding=decoding)


def count_parameters(model: torch.nn.Module) -> int:
    """Count the trained numbers, each tied one once."""
    return sum(parameter.numel() for parameter in model.parameters())


def _epoch_batches(
    dataset: ParallelDataset, recipe: Recipe, epoch: int
) -> list[Callable[[], Batch]]:
    """Return the batches of an epoch as functions, so that each is padded when it is wanted."""
    examples = dataset.examples(seed=recipe.seed, epoch=epoch)
    groups = token_batches(
        examples, batch_tokens=recipe.training.batch_tokens, seed=recipe.seed, epoch=epoch
    )
    return [partial(_gather, examples, indices) for indices in groups]


def _gather(examples: list[Example], indices: list[int]) -> Batch:
    return make_batch([examples[index] for index in indices])
