"""Train a model by a recipe, or go on with a training that was stopped."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec
import torch

from seqcli.api.evaluate import score_lines
from seqcli.api.training_folder import check_folder, fingerprint, make_folder, reopen_folder
from seqcli.api.translate import load_translator
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
from seqcli.errors import ConfigError, DataError
from seqcli.evaluation import METRICS
from seqcli.experiment import LOSS, Recipe
from seqcli.tasks.translation import (
    build_model,
    length_ratio,
    make_loss,
    make_loss_validation,
    make_validation,
)
from seqcli.text.parallel import read_parallel
from seqcli.tokenizers import Tokenizer, train_tokenizer
from seqcli.training.checkpoint import CheckpointFolder
from seqcli.training.memory import bound_kernel_cache, keep_freed_memory
from seqcli.training.report import QuietReporter, Reporter, Validation, ValidationReport
from seqcli.training.trainer import Trainer

# Of the training pairs, where no validation set is given
MOST_HELD_OUT = 1000
SHARE_HELD_OUT = 0.05

Pairs = tuple[list[str], list[str]]  # source and target lines


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
    keep_freed_memory()
    bound_kernel_cache()
    if threads is not None:
        torch.set_num_threads(threads)
    chosen_device = choose_device(device)
    goes_on = check_folder(output, recipe, resume=resume, overwrite=overwrite)
    training_pairs, validation_pairs = _read_data(recipe, reporter)
    text = fingerprint(*training_pairs, *validation_pairs)
    test_pairs = read_parallel(*map(Path, recipe.data.test)) if recipe.data.test else None
    if goes_on:
        reopen_folder(output, text)
    tokenizers = load_tokenizers(output) if goes_on else _learn_tokenizers(recipe, training_pairs)
    training = _Training(recipe, output, tokenizers, reporter, chosen_device)
    trainer = training.prepare(training_pairs, validation_pairs)
    if not goes_on:  # only now: whatever is wrong with the data has come to light
        make_folder(output, recipe, tokenizers, text)
    elif trainer.resume():
        reporter.message("going on where the training was stopped")
    trainer.train()
    if test_pairs is not None:
        training.test(test_pairs)
    facts = read_facts(output)
    write_card(output, facts)
    return facts


def choose_device(device: str) -> torch.device:
    """Resolve "auto", "cpu" or "cuda"; ConfigError where there is no such device."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("there is no CUDA device here", fix="Use --device auto or cpu")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def _read_data(recipe: Recipe, reporter: Reporter) -> tuple[Pairs, Pairs]:
    """Read training and validation pairs; hold some out where there is no validation set."""
    sources, targets = read_parallel(*map(Path, recipe.data.train))
    if recipe.data.valid:
        return (sources, targets), read_parallel(*map(Path, recipe.data.valid))
    if len(sources) == 1:
        raise DataError(
            f"{recipe.data.train[0]} has only one line",
            why="no validation set was given, and none can be taken out of one pair",
            fix="Give --valid SOURCE TARGET, or more text",
        )
    count = max(1, min(MOST_HELD_OUT, int(SHARE_HELD_OUT * len(sources))))
    reporter.message(f"no validation set was given: {count} random training pairs are held out")
    held_out = sorted(random.Random(recipe.seed).sample(range(len(sources)), count))
    kept = sorted(set(range(len(sources))).difference(held_out))
    return _select(sources, targets, kept), _select(sources, targets, held_out)


def _select(sources: list[str], targets: list[str], indices: list[int]) -> Pairs:
    return [sources[index] for index in indices], [targets[index] for index in indices]


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
    """One training: the model, its tokenizers, and where its results go."""

    def __init__(
        self,
        recipe: Recipe,
        output: Path,
        tokenizers: dict[str, Tokenizer],
        reporter: Reporter,
        device: torch.device,
    ) -> None:
        self._recipe = recipe
        self._output = output
        self._tokenizers = tokenizers
        self._reporter = reporter
        self._source_tokenizer = tokenizers.get("source") or tokenizers["shared"]
        self._target_tokenizer = tokenizers.get("target") or tokenizers["shared"]
        torch.manual_seed(recipe.seed)
        self._model = build_model(
            recipe.model,
            source_tokenizer=self._source_tokenizer,
            target_tokenizer=self._target_tokenizer,
        ).to(device)

    def prepare(self, training_pairs: Pairs, validation_pairs: Pairs) -> Trainer:
        """Encode the text and describe what will be done; nothing is written."""
        dataset = self._dataset(training_pairs, sampling=self._recipe.data.subword_sampling)
        recipe = self._recipe = _with_room_for(dataset, self._recipe)
        self._describe(dataset)
        metric = recipe.evaluation.metric
        return Trainer(
            self._model,
            recipe.training,
            batches=partial(_epoch_batches, dataset, recipe),
            loss=make_loss(self._model, label_smoothing=recipe.training.label_smoothing),
            validate=self._validation(validation_pairs),
            publish=self._publish,
            higher_is_better=metric != LOSS and METRICS[metric].higher_is_better,
            checkpoints=CheckpointFolder(self._output / TRAINING),
            reporter=self._reporter,
        )

    def test(self, pairs: Pairs) -> None:
        """Translate the test set with the model as it was written, and record its scores."""
        translator = load_translator(str(self._output))
        hypotheses = [translation.text for translation in translator.translate(pairs[0])]
        scores = [
            BundleScore(name=score.name, value=score.value, signature=score.signature, set="test")
            for score in score_lines(hypotheses, [pairs[1]], self._test_metrics())
        ]
        for score in scores:
            self._reporter.message(f"test {score.name} {score.value:.2f}  {score.signature}")
        facts = read_facts(self._output)
        others = [score for score in facts.scores if score.set != "test"]
        write_facts(self._output, msgspec.structs.replace(facts, scores=[*others, *scores]))

    def _test_metrics(self) -> tuple[str, ...]:
        metric = self._recipe.evaluation.metric
        return ("bleu", "chrf", "ter") if metric in (LOSS, "bleu", "chrf", "ter") else (metric,)

    def _dataset(self, pairs: Pairs, *, sampling: float) -> ParallelDataset:
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
                self._dataset(pairs, sampling=0.0),
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

    def _describe(self, dataset: ParallelDataset) -> None:
        """Say what is trained on what, so that every choice made for the user is seen."""
        recipe, say = self._recipe, self._reporter.message
        say(f"{len(dataset)} training pairs")
        if dataset.num_empty or dataset.num_long:
            say(
                f"left out: {dataset.num_empty} pairs with an empty side, {dataset.num_long} with "
                f"more than {recipe.data.max_length} tokens (data.max_length)"
            )
        sizes = {role: len(tokenizer.vocabulary) for role, tokenizer in self._tokenizers.items()}
        say("vocabulary: " + ", ".join(f"{size} ({role})" for role, size in sizes.items()))
        model = recipe.model
        say(
            f"model: {count_parameters(self._model):,} parameters, embeddings "
            f"{model.embedding_size}, encoder {model.encoder_layers} x {model.encoder_size} "
            f"each way, decoder {model.decoder_layers} x {model.decoder_size}, "
            f"{model.attention} attention"
        )
        say(
            f"training: {recipe.training.epochs} epochs, batches of "
            f"{recipe.training.batch_tokens} target tokens"
        )

    def _publish(self, report: ValidationReport) -> None:
        """Write the model as it is now."""
        validation = report.validation
        facts = Facts(
            format=FORMAT,
            task=self._recipe.task,
            architecture=self._recipe.architecture,
            name=self._output.resolve().name,
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
            self._output,
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
