"""The yardstick is the same model as ours: else the ratios would compare two different things."""

import random

import pytest
import torch
from torch import Tensor

from seqcli.architectures.recurrent import DecoderConfig, EncoderConfig
from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig, build_seq2seq
from seqcli.data.batch import pair_batch, source_tensors
from seqcli.data.dataset import Example
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.step import ModelStepper
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from tests.benchmarks.plain_loop import PlainModel, greedy_tokens, plain_model

VOCABULARY_SIZE = 30


def both(layers: int, stack: str, *, input_feeding: bool = False) -> tuple[Seq2Seq, PlainModel]:
    config = Seq2SeqConfig(
        embedding_size=8,
        encoder=EncoderConfig(size=6, layers=layers, stack=stack),
        decoder=DecoderConfig(size=10),
        input_feeding=input_feeding,
        dropout=0.0,
        word_dropout=0.0,
    )
    ours = build_seq2seq(
        config, source_vocabulary_size=VOCABULARY_SIZE, target_vocabulary_size=VOCABULARY_SIZE
    )
    plain = plain_model(config, VOCABULARY_SIZE)
    plain.take_weights({name: tensor.detach() for name, tensor in ours.named_parameters()})
    return ours, plain


def examples() -> list[Example]:
    draw = random.Random(1)
    sides = [
        [draw.randrange(4, VOCABULARY_SIZE) for _ in range(draw.randint(1, 9))] for _ in range(12)
    ]
    return [Example(source, target) for source, target in zip(sides[::2], sides[1::2], strict=True)]


@pytest.mark.parametrize(
    ("layers", "stack", "input_feeding"),
    [(1, "residual", False), (2, "residual", False), (2, "plain", False), (1, "residual", True)],
)
def test_loss_and_size_of_the_gradient_equal_those_of_our_model(
    layers: int, stack: str, input_feeding: bool
) -> None:
    ours, plain = both(layers, stack, input_feeding=input_feeding)
    batch = pair_batch(examples())
    task = TranslationTask(TranslationRecipe(), {})
    our_loss = task.loss(ours, batch, smoothing=0.0)[0] / batch.num_targets
    plain_loss = plain.loss(batch)
    torch.testing.assert_close(plain_loss, our_loss)
    our_loss.backward()
    plain_loss.backward()
    torch.testing.assert_close(gradient_norm(plain), gradient_norm(ours))


def gradient_norm(model: torch.nn.Module) -> Tensor:
    gradients = [parameter.grad for parameter in model.parameters()]
    return (
        torch.stack([gradient.square().sum() for gradient in gradients if gradient is not None])
        .sum()
        .sqrt()
    )


@pytest.mark.parametrize("layers", [1, 2])
def test_the_greedy_loop_finds_what_our_greedy_search_finds(layers: int) -> None:
    ours, plain = both(layers, "residual")
    sources = [example.source for example in examples()]
    with torch.inference_mode():
        found = greedy_search(ModelStepper(ours), *source_tensors(sources))
    outputs = greedy_tokens(plain, sources)
    # the plain loop lets a row that never ends go on to the limit of the longest source
    assert [
        output[: len(candidate.tokens)] for output, [candidate] in zip(outputs, found, strict=True)
    ] == [candidate.tokens for [candidate] in found]
