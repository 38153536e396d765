"""What every architecture keeps to: it learns, stores and ignores what is not text."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import torch
from torch import Tensor, nn

from seqcli.architectures.seq2seq import Seq2Seq, Seq2SeqConfig
from seqcli.data.batch import Batch, make_batch
from seqcli.data.dataset import Example
from seqcli.experiment import ARCHITECTURES
from seqcli.tasks.translation import make_loss
from seqcli.tokenizers.vocabulary import UNK

VOCABULARY = 20


def seq2seq(**settings: object) -> Seq2Seq:
    config = Seq2SeqConfig(
        embedding_size=16, encoder_size=16, decoder_size=32, dropout=0.0, word_dropout=0.0
    )
    return Seq2Seq(
        source_size=VOCABULARY,
        target_size=VOCABULARY,
        **{**msgspec.structs.asdict(config), **settings},
    )


BUILDERS: dict[str, Callable[..., nn.Module]] = {"seq2seq": seq2seq}

each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


def random_batch(rows: int = 8) -> Batch:
    def sentence() -> list[int]:
        length = int(torch.randint(2, 8, ()))
        return torch.randint(UNK + 1, VOCABULARY, (length,)).tolist()

    return make_batch([Example(sentence(), sentence()) for _ in range(rows)])


def features(model: nn.Module, batch: Batch) -> Tensor:
    features_BTE: Tensor = model(batch.source_BS, batch.source_mask_BS, batch.target_input_BT)
    return features_BTE


def test_every_architecture_is_built_here() -> None:
    assert BUILDERS.keys() == set(ARCHITECTURES)


@each_architecture
def test_gradient_reaches_every_parameter(name: str) -> None:
    model = BUILDERS[name]()
    make_loss(model, label_smoothing=0.1)(random_batch())[0].backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@each_architecture
def test_eight_random_pairs_are_learned_by_heart(name: str) -> None:
    model, batch = BUILDERS[name](), random_batch()
    loss = make_loss(model, label_smoothing=0.0)
    tokens = batch.target_mask_BT.sum()
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-2)
    for _ in range(100):
        optimizer.zero_grad()
        nats = loss(batch)[0] / tokens
        nats.backward()
        optimizer.step()
    assert nats.item() < 0.02


@each_architecture
def test_stored_weights_give_equal_output_in_a_new_model(name: str, tmp_path: Path) -> None:
    model, twin = BUILDERS[name](), BUILDERS[name]()
    batch = random_batch()
    assert not torch.equal(features(model, batch), features(twin, batch))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    twin.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(features(model, batch), features(twin, batch))


@each_architecture
def test_evaluation_is_the_same_each_time_and_training_is_not(name: str) -> None:
    batch = random_batch()
    for settings in ({"dropout": 0.3}, {"word_dropout": 0.3}):
        model = BUILDERS[name](**settings)
        assert not torch.equal(features(model, batch), features(model, batch))
        model.eval()
        assert torch.equal(features(model, batch), features(model, batch))


@each_architecture
def test_the_loss_of_a_batch_is_the_sum_over_its_pairs(name: str) -> None:
    """So that neither padding nor the neighbours in a batch count."""
    model = BUILDERS[name]()
    pairs = [Example([5, 6, 7, 8, 9], [4]), Example([10], [11, 12, 13, 14]), Example([4, 5], [6])]
    loss = make_loss(model, label_smoothing=0.1)
    together = loss(make_batch(pairs))
    alone = [loss(make_batch([pair])) for pair in pairs]
    expected = [sum(sums) for sums in zip(*alone, strict=True)]
    torch.testing.assert_close(list(together), expected)
