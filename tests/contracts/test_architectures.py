"""What every architecture keeps to: it learns, stores and ignores what is not text."""

from functools import reduce
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq, build_seq2seq
from seqcli.data.batch import PairBatch, pair_batch
from seqcli.data.dataset import Example
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.tokenizers.vocabulary import UNK
from tests.contracts.models import CHOICES, SETTINGS, config_of

VOCABULARY = 20

each_model = pytest.mark.parametrize("name", SETTINGS)


def build(name: str, **settings: object) -> Seq2Seq:
    return build_seq2seq(
        config_of(name, **settings),
        source_vocabulary_size=VOCABULARY,
        target_vocabulary_size=VOCABULARY,
    )


def loss_of(model: Seq2Seq, batch: PairBatch, *, smoothing: float) -> tuple[Tensor, Tensor]:
    return TranslationTask(TranslationRecipe(), {}).loss(model, batch, smoothing=smoothing)


def random_batch() -> PairBatch:
    def sentence() -> list[int]:
        length = int(torch.randint(2, 8, ()))
        return torch.randint(UNK + 1, VOCABULARY, (length,)).tolist()

    return pair_batch([Example(sentence(), sentence()) for _ in range(8)])


def features(model: nn.Module, batch: PairBatch) -> Tensor:
    features_BTE: Tensor = model(batch.source_BS, batch.source_mask_BS, batch.target_input_BT)
    return features_BTE


@pytest.mark.parametrize("key", CHOICES)
def test_every_choice_is_that_of_a_model(key: str) -> None:
    chosen = {reduce(getattr, key.split("."), config_of(name)) for name in SETTINGS}
    assert chosen == set(CHOICES[key])


@each_model
def test_gradient_reaches_every_parameter(name: str) -> None:
    model = build(name)
    loss_of(model, random_batch(), smoothing=0.1)[0].backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@each_model
def test_eight_random_pairs_are_learned_by_heart(name: str) -> None:
    model, batch = build(name), random_batch()
    tokens = batch.target_mask_BT.sum()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        nats = loss_of(model, batch, smoothing=0.0)[0] / tokens
        nats.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if nats < 0.02:
            return
    pytest.fail(f"{nats.item()} nats a token are left")


@each_model
def test_stored_weights_give_equal_output_in_a_new_model(name: str, tmp_path: Path) -> None:
    model, twin = build(name), build(name)
    batch = random_batch()
    assert not torch.equal(features(model, batch), features(twin, batch))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    twin.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(features(model, batch), features(twin, batch))


@each_model
def test_evaluation_is_the_same_each_time_and_training_is_not(name: str) -> None:
    batch = random_batch()
    for settings in ({"dropout": 0.3}, {"word_dropout": 0.3}, {"stacks": {"state_dropout": 0.3}}):
        model = build(name, **settings)
        assert not torch.equal(features(model, batch), features(model, batch))
        model.eval()
        assert torch.equal(features(model, batch), features(model, batch))


@each_model
def test_the_loss_of_a_batch_is_the_sum_over_its_pairs(name: str) -> None:
    """So that neither padding nor the neighbours in a batch count."""
    model = build(name)
    pairs = [Example([5, 6, 7, 8, 9], [4]), Example([10], [11, 12, 13, 14]), Example([4, 5], [6])]
    together = loss_of(model, pair_batch(pairs), smoothing=0.1)
    alone = [loss_of(model, pair_batch([pair]), smoothing=0.1) for pair in pairs]
    expected = [sum(sums) for sums in zip(*alone, strict=True)]
    torch.testing.assert_close(list(together), expected)
