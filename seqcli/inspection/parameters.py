"""The parameters of a network: where they are, how many, and the bytes that they take."""

import itertools
from pathlib import Path
from typing import Any

import msgspec

from seqcli.bundle import WEIGHTS
from seqcli.inspection.loading import LoadedModel


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor that was learned; `tied` are the other names under which the network uses it."""

    name: str
    shape: list[int]
    count: int
    share: float  # of all parameters
    bytes_float32: int
    bytes_stored: int
    tied: list[str]


class ModuleParameters(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of one module, without those of the modules in it."""

    name: str  # empty for the network itself
    count: int
    share: float
    bytes_float32: int
    bytes_stored: int
    parameters: list[Parameter]


class ParameterTable(msgspec.Struct, frozen=True, kw_only=True):
    """All parameters of a network, by module, tied ones once."""

    model: str
    count: int
    bytes_float32: int
    bytes_stored: int
    modules: list[ModuleParameters]


def parameters_of(loaded: LoadedModel[Any]) -> ParameterTable:
    """List the parameters of a model in the order of its modules."""
    rows = _rows(loaded)
    modules = [
        _module(name, list(group))
        for name, group in itertools.groupby(rows, lambda row: row.name.rpartition(".")[0])
    ]
    return ParameterTable(
        model=loaded.facts.name,
        count=sum(row.count for row in rows),
        bytes_float32=sum(row.bytes_float32 for row in rows),
        bytes_stored=sum(row.bytes_stored for row in rows),
        modules=modules,
    )


def _rows(loaded: LoadedModel[Any]) -> list[Parameter]:
    stored = _stored_bytes(loaded.folder / WEIGHTS)
    aliases: dict[int, list[str]] = {}
    for name, parameter in loaded.model.named_parameters(remove_duplicate=False):
        aliases.setdefault(id(parameter), []).append(name)
    parameters = dict(loaded.model.named_parameters())
    total = sum(parameter.numel() for parameter in parameters.values())
    return [
        Parameter(
            name=name,
            shape=list(parameter.shape),
            count=parameter.numel(),
            share=parameter.numel() / total,
            bytes_float32=4 * parameter.numel(),
            bytes_stored=stored[name],
            tied=[alias for alias in aliases[id(parameter)] if alias != name],
        )
        for name, parameter in parameters.items()
    ]


def _module(name: str, rows: list[Parameter]) -> ModuleParameters:
    return ModuleParameters(
        name=name,
        count=sum(row.count for row in rows),
        share=sum(row.share for row in rows),
        bytes_float32=sum(row.bytes_float32 for row in rows),
        bytes_stored=sum(row.bytes_stored for row in rows),
        parameters=rows,
    )


def _stored_bytes(weights: Path) -> dict[str, int]:
    """Read how long each tensor is from the header of a safetensors file."""
    with weights.open("rb") as file:
        header = msgspec.json.decode(file.read(int.from_bytes(file.read(8), "little")))
    del header["__metadata__"]
    return {
        name: entry["data_offsets"][1] - entry["data_offsets"][0] for name, entry in header.items()
    }
