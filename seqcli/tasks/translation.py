"""Translation: text to text, by a Seq2Seq model."""

import itertools
import math
from collections.abc import Callable, Sequence

from torch import Tensor

from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.data.batch import Batch, make_batch
from seqcli.data.batching import token_batches
from seqcli.data.dataset import Example, ParallelDataset
from seqcli.decoding.neural_translator import DecodingConfig, NeuralTranslator
from seqcli.decoding.search import MAX_LENGTH_RATIO
from seqcli.decoding.step import ModelStepper
from seqcli.evaluation import Metric
from seqcli.nn.loss import output_cross_entropy
from seqcli.tokenizers import Tokenizer
from seqcli.training.report import Sample, Validation

SHARE_WITHIN_LENGTH_RATIO = 0.999  # of the training pairs; the rest are likely to be misaligned


def build_model(
    config: Seq2SeqConfig, *, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer
) -> Seq2Seq:
    """Build the untrained model for these vocabularies."""
    return build_seq2seq(
        config,
        source_vocabulary_size=len(source_tokenizer.vocabulary),
        target_vocabulary_size=len(target_tokenizer.vocabulary),
    )


def length_ratio(examples: Sequence[Example]) -> float:
    """Return the length ratio that a search needs to write outputs such as these targets.

    It is their 99.9th percentile, rounded up to tenths, but not less than the usual one.
    """
    tenths = sorted(10 * len(example.target) / len(example.source) for example in examples)
    last = math.ceil(SHARE_WITHIN_LENGTH_RATIO * len(tenths)) - 1
    return max(MAX_LENGTH_RATIO, math.ceil(tenths[last]) / 10)


def make_loss(
    model: Seq2Seq, *, label_smoothing: float
) -> Callable[[Batch], tuple[Tensor, Tensor]]:
    """Return the loss over a batch, as `Trainer` wants it: two sums in nats."""

    def loss(batch: Batch) -> tuple[Tensor, Tensor]:
        features_BTE = model(batch.source_BS, batch.source_mask_BS, batch.target_input_BT)
        return output_cross_entropy(
            features_BTE[batch.target_mask_BT],
            model.output_weight,
            model.output_bias,
            batch.target_output_BT[batch.target_mask_BT],
            smoothing=label_smoothing,
        )

    return loss


def make_validation(
    model: Seq2Seq,
    sources: Sequence[str],
    references: Sequence[str],
    *,
    source_tokenizer: Tokenizer,
    target_tokenizer: Tokenizer,
    metric: Metric,
    max_length_ratio: float = MAX_LENGTH_RATIO,
) -> Callable[[], Validation]:
    """Return a pass over the validation set: greedy translations, scored by `metric`.

    The sample is the first line, then the second, and so on from one pass to the next.
    """
    translator = NeuralTranslator(
        ModelStepper(model),
        DecodingConfig(strategy="greedy", max_length_ratio=max_length_ratio),
        source_tokenizer=source_tokenizer,
        target_tokenizer=target_tokenizer,
    )
    passes = itertools.count()

    def validate() -> Validation:
        hypotheses = [translation.text for translation in translator.translate(sources)]
        score = metric.compute(hypotheses, [references])
        shown = next(passes) % len(sources)
        sample = Sample(sources[shown], hypotheses[shown], references[shown])
        return Validation(score.name, score.value, score.signature, sample)

    return validate


def make_loss_validation(
    model: Seq2Seq, dataset: ParallelDataset, *, batch_tokens: int
) -> Callable[[], Validation]:
    """Return a pass over the validation set that gives its nats a target token."""
    loss = make_loss(model, label_smoothing=0.0)
    examples = dataset.examples(seed=0, epoch=0)
    groups = token_batches(examples, batch_tokens=batch_tokens, seed=0, epoch=0)

    def validate() -> Validation:
        nats, tokens = 0.0, 0
        for indices in groups:
            batch = make_batch([examples[index] for index in indices]).to(model.output_bias.device)
            nats += loss(batch)[1].item()
            tokens += int(batch.target_mask_BT.sum())
        return Validation("loss", nats / tokens, "nats a target token, teacher forcing")

    return validate
