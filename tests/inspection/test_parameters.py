"""The table of parameters against torch's own counts and the file's own size."""

from pathlib import Path

import pytest
from safetensors.torch import load_file

from seqcli.bundle import WEIGHTS
from seqcli.inspection.parameters import parameters_of
from tests.inspection.models import READERS, saved_model

TIED = {
    "all": {"output_weight": ["source_embedding.weight", "target_embedding.weight"]},
    "source-target": {"source_embedding.weight": ["target_embedding.weight"]},
    "target-output": {"output_weight": ["target_embedding.weight"]},
    "none": {},
}


@pytest.mark.parametrize("tie", TIED)
def test_each_parameter_is_counted_once_and_says_what_it_is_tied_to(
    tie: str, tmp_path: Path
) -> None:
    loaded = saved_model(tmp_path / "model", f"model.tie_embeddings={tie}")
    table = parameters_of(loaded)
    rows = [row for module in table.modules for row in module.parameters]
    shapes = {name: list(tensor.shape) for name, tensor in loaded.model.named_parameters()}
    assert {row.name: row.shape for row in rows} == shapes
    assert {row.name: row.tied for row in rows if row.tied} == TIED[tie]
    assert table.count == loaded.facts.parameters == sum(row.count for row in rows)
    assert sum(row.share for row in rows) == pytest.approx(1)


@pytest.mark.parametrize(
    ("architecture", "tied"),
    [
        *((architecture, {}) for architecture in READERS),
        ("language-model", {"output_weight": ["embedding.weight"]}),
    ],
)
def test_every_architecture_has_its_table(
    architecture: str, tied: dict[str, list[str]], tmp_path: Path
) -> None:
    loaded = saved_model(tmp_path / "model", architecture=architecture)
    table = parameters_of(loaded)
    rows = [row for module in table.modules for row in module.parameters]
    shapes = {name: list(tensor.shape) for name, tensor in loaded.model.named_parameters()}
    assert {row.name: row.shape for row in rows} == shapes
    assert {row.name: row.tied for row in rows if row.tied} == tied
    assert table.count == loaded.facts.parameters == sum(row.count for row in rows)


@pytest.mark.parametrize("half", [True, False])
def test_sizes_are_those_in_memory_and_in_the_file(half: bool, tmp_path: Path) -> None:
    loaded = saved_model(tmp_path / "model", half_precision=half)
    table = parameters_of(loaded)
    stored = {name: tensor.nbytes for name, tensor in load_file(loaded.folder / WEIGHTS).items()}
    rows = [row for module in table.modules for row in module.parameters]
    assert {row.name: row.bytes_stored for row in rows} == stored
    assert table.bytes_stored == sum(stored.values())
    assert table.bytes_float32 == 4 * table.count == table.bytes_stored * (2 if half else 1)


def test_a_module_sums_up_the_parameters_that_are_its_own(tmp_path: Path) -> None:
    loaded = saved_model(tmp_path / "model")
    for module in parameters_of(loaded).modules:
        own = loaded.model.get_submodule(module.name).parameters(recurse=False)
        assert module.count == sum(parameter.numel() for parameter in own)
        assert module.bytes_stored == sum(row.bytes_stored for row in module.parameters)
