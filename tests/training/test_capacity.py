"""Models too large for a machine are refused before they are built."""

from pathlib import Path

import pytest
import torch
from torch import nn

from seqcli.api.train import dry_run
from seqcli.architectures.classifier import ClassifierConfig, build_classifier
from seqcli.architectures.recurrent import EncoderConfig
from seqcli.errors import ConfigError
from seqcli.experiment import resolve_recipe
from seqcli.training import capacity
from seqcli.training.capacity import memory_of, require_capacity
from seqcli.training.config import TrainingConfig
from seqcli.training.optimizer import OPTIMIZERS, AveragedWeights, make_optimizer

CPU = torch.device("cpu")
WITHOUT_MOMENTUM = TrainingConfig(optimizer="sgd", momentum=0.0)
CONFIG = ClassifierConfig(embedding_size=4, encoder=EncoderConfig(size=3))


def build(config: ClassifierConfig = CONFIG) -> nn.Module:
    return build_classifier(config, vocabulary_size=9, num_labels=2)


def bytes_in_training(model: nn.Module, training: TrainingConfig) -> int:
    """What an update leaves in memory, tensor by tensor."""
    parameters = list(model.parameters())
    optimizer = make_optimizer(
        training.optimizer,
        parameters,
        learning_rate=0.1,
        weight_decay=0.0,
        momentum=training.momentum,
    )
    average = AveragedWeights(parameters, decay=0.9)
    sum(parameter.sum() for parameter in parameters).backward()
    optimizer.step()
    held = [*parameters, *(parameter.grad for parameter in parameters), *average.tensors]
    for state in optimizer.state.values():
        held += [each for each in state.values() if each is not None and each.dim()]
    return sum(tensor.nbytes for tensor in held)


@pytest.mark.parametrize(
    "training",
    [*(TrainingConfig(optimizer=name) for name in OPTIMIZERS), WITHOUT_MOMENTUM],
    ids=[*OPTIMIZERS, "sgd without momentum"],
)
def test_a_model_fits_to_the_byte_what_its_training_holds(
    monkeypatch: pytest.MonkeyPatch, training: TrainingConfig
) -> None:
    needed = bytes_in_training(build(), training)
    monkeypatch.setattr(capacity, "memory_of", lambda device: needed)
    require_capacity(build, CONFIG, CPU, training)
    monkeypatch.setattr(capacity, "memory_of", lambda device: needed - 1)
    count = sum(parameter.numel() for parameter in build().parameters())
    with pytest.raises(ConfigError, match=f"would have {count:,} parameters") as caught:
        require_capacity(build, CONFIG, CPU, training)
    assert caught.value.fix == (
        "Lower model.embedding_size, model.encoder.size or tokenizer.vocabulary_size"
    )


def test_where_the_memory_is_not_known_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "memory_of", lambda device: None)
    require_capacity(build, CONFIG, CPU, TrainingConfig())


def test_more_than_can_be_counted_is_refused() -> None:
    absurd = ClassifierConfig(encoder=EncoderConfig(size=2_000_000_000))
    with pytest.raises(ConfigError, match="more parameters than can be counted"):
        require_capacity(lambda: build(absurd), absurd, CPU, TrainingConfig())


def test_another_fault_in_building_is_not_hidden() -> None:
    def fail() -> nn.Module:
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        require_capacity(fail, CONFIG, CPU, TrainingConfig())


def test_the_random_numbers_of_the_training_are_left_alone() -> None:
    before = torch.get_rng_state()
    require_capacity(build, CONFIG, CPU, TrainingConfig())
    assert torch.equal(torch.get_rng_state(), before)


def test_the_memory_is_that_which_the_system_tells() -> None:
    table = Path("/proc/meminfo")
    if not table.is_file():
        pytest.skip("this system has no /proc/meminfo")
    kibibytes = int(table.read_text().split("MemTotal:")[1].split()[0])
    assert memory_of(CPU) == kibibytes * 1024


def test_a_training_of_such_a_model_is_refused_with_its_numbers(tmp_path: Path) -> None:
    files = []
    for name in ("source", "target"):
        files.append(str(tmp_path / name))
        Path(files[-1]).write_text("a b\nb a\n" * 4)
    recipe = resolve_recipe(
        None, files={"train": tuple(files)}, assignments=["model.decoder.size=10000000"]
    )
    with pytest.raises(ConfigError) as caught:
        dry_run(recipe)
    assert "GB to be trained, and this machine has" in caught.value.what
    assert "model.decoder.size" in caught.value.fix
