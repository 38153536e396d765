"""Typed settings: TOML and `--set` in, frozen structs out, and errors that name the key."""

import copy
import difflib
import json
import re
import reprlib
import tomllib
import types
import typing
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, dataclass_transform

import msgspec

from seqcli.errors import ConfigError

TOO_LARGE = 2**31  # for a number of anything; torch takes no size beyond 2**63
SET = "--set"  # the origin of what `override` refuses


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all settings; children check their values in `__post_init__`.

    A field is a scalar, a `Literal`, a tuple of these or a Config (a section), perhaps optional.
    A field that may be None has None as its default, because TOML cannot say None.
    """


C = TypeVar("C", bound=Config)


def require_probability(name: str, value: float) -> None:
    """Refuse a value outside 0 to 1, both included. `name` is the full dotted key."""
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} must be from 0 to 1, not {value}", why="it is a probability")


def require_fraction(name: str, value: float) -> None:
    """Refuse a value outside 0 to 1, the 1 excluded. `name` is the full dotted key."""
    if not 0 <= value < 1:
        raise ConfigError(
            f"{name} must be from 0 to less than 1, not {value}",
            why="at 1 nothing would be left to learn from",
        )


def require_positive(name: str, value: float) -> None:
    """Refuse zero, what is below it, NaN, and what is too large. `name` is the full dotted key."""
    if not 0 < value < TOO_LARGE:
        raise ConfigError(f"{name} must be greater than 0 and less than {TOO_LARGE}, not {value}")


def require_one_of(name: str, value: str, allowed: Collection[str]) -> None:
    """Refuse a value that is not in `allowed`, such as the keys of a table of classes."""
    if value not in allowed:
        raise ConfigError(
            f"{name} cannot be {value!r}{_did_you_mean(value, allowed)}",
            fix=f"Choose one of {', '.join(allowed)}",
        )


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. ConfigError if it cannot be read, with the line of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8", why="TOML files are UTF-8", fix="Save it again as UTF-8"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"{path} is not valid TOML: {error}", fix="Correct that line; text needs quotes"
        ) from error


def from_dict(values: Mapping[str, Any], kind: type[C], *, origin: str) -> C:
    """Build a config and its sections from plain tables; `origin` says where they came from.

    ConfigError names the full dotted key that is unknown, missing or of the wrong type.
    """
    return _build(values, kind, origin, "")


def override(
    values: Mapping[str, Any], assignments: Sequence[str], kind: type[C]
) -> dict[str, Any]:
    """A copy of `values` with each "section.key=value" put in, read by the type of its field.

    A list is "a,b" or a TOML array, an optional field takes "none", the last assignment wins.
    """
    result = copy.deepcopy(dict(values))
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(
                f"{SET} {assignment} has no value", fix=f"Write {SET} section.key=value"
            )
        _assign(result, key.strip(), text.strip(), kind)
    return result


def to_toml(config: Config) -> str:
    """TOML that `from_dict` turns into an equal config; fields that are None are left out."""
    return "\n".join(_toml_lines(msgspec.to_builtins(config), "")) + "\n"


def flat_settings(config: Config) -> dict[str, Any]:
    """Each setting by its full dotted key, as plain values."""
    flat: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = [("", msgspec.to_builtins(config))]
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{key}.{name}".strip("."), inner) for name, inner in value.items()]
        else:
            flat[key] = value
    return flat


def setting_text(value: Any) -> str:
    """A setting as a recipe has it, or "none" for None, which is what `override` reads."""
    return "none" if value is None else _toml_value(msgspec.to_builtins(value))


def _build(values: Mapping[str, Any], kind: type[C], origin: str, prefix: str) -> C:
    fields = _field_types(kind)
    arguments = {}
    for name, value in values.items():
        if name not in fields:
            raise _unknown_key(prefix + name, fields, origin)
        section = _section_of(fields[name])
        if section and isinstance(value, Mapping):
            arguments[name] = _build(value, section, origin, f"{prefix}{name}.")
        else:
            arguments[name] = _convert(value, fields[name], prefix + name, origin)
    for field in msgspec.structs.fields(kind):
        if field.required and field.name not in values:
            raise ConfigError(
                f"{origin}: {prefix}{field.name} is missing",
                fix=f"Give it a value: {_describe(field.type)}",
            )
    return kind(**arguments)


def _assign(tables: dict[str, Any], key: str, text: str, kind: type[Config]) -> None:
    *sections, name = key.split(".")
    prefix = ""
    for section in sections:
        fields = _field_types(kind)
        if section not in fields:
            raise _unknown_key(prefix + section, fields, SET)
        inner = _section_of(fields[section])
        if inner is None:
            raise ConfigError(f"{SET}: {prefix}{section} is a value, so {key!r} is no key")
        if tables.get(section) is None:
            tables[section] = {}
        if not isinstance(tables[section], dict):
            return  # the file gives a value where a section must be: `from_dict` says so
        kind, tables, prefix = inner, tables[section], f"{prefix}{section}."
    fields = _field_types(kind)
    if name not in fields:
        raise _unknown_key(key, fields, SET)
    tables[name] = _parse(text, fields[name], key)


def _parse(text: str, annotation: Any, key: str) -> Any:
    """The plain value that `text` stands for in a field of this type."""
    members = _members(annotation)
    if text.lower() == "none" and types.NoneType in members:
        return None
    value: Any = text
    if any(typing.get_origin(member) in (tuple, list) for member in members):
        value = _parse_list(text)
    return msgspec.to_builtins(_convert(value, annotation, key, SET, strict=False))


def _parse_list(text: str) -> list[Any]:
    if text.startswith("["):
        try:
            return list(tomllib.loads(f"list = {text}")["list"])
        except tomllib.TOMLDecodeError:
            pass  # not an array after all, but an item such as "[MASK]"
    return [item.strip() for item in text.split(",")] if text else []


def _convert(value: Any, annotation: Any, key: str, origin: str, *, strict: bool = True) -> Any:
    try:
        return msgspec.convert(value, annotation, strict=strict)
    except msgspec.ValidationError as error:
        choices = [choice for member in _members(annotation) for choice in typing.get_args(member)]
        hint = _did_you_mean(value, choices)
        raise ConfigError(
            f"{origin}: {key} must be {_describe(annotation)}, not {reprlib.repr(value)}{hint}",
            fix=_flat_hint(value),
        ) from error


def _flat_hint(value: Any) -> str:
    """What to write in place of lists in a list, which no setting takes."""
    if not isinstance(value, list) or not any(isinstance(item, list) for item in value):
        return ""
    parts = [item if isinstance(item, list) else [item] for item in value]
    flat = [item for part in parts for item in part]
    return f"Write one list with no list in it: {_toml_value(flat)}"


def _field_types(kind: type[Config]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(kind)}


def _members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type that there is."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if is_union else (annotation,)


def _section_of(annotation: Any) -> type[Config] | None:
    """The Config that a field of this type holds, if it is a section."""
    for member in _members(annotation):
        if isinstance(member, type) and issubclass(member, Config):
            return member
    return None


def _describe(annotation: Any) -> str:
    """A type in the words of someone who writes a recipe."""
    words = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        types.NoneType: "left out",
    }
    descriptions = []
    for member in _members(annotation):
        if typing.get_origin(member) is Literal:
            choices = ", ".join(repr(choice) for choice in typing.get_args(member))
            descriptions.append(f"one of {choices}")
        elif typing.get_origin(member) in (tuple, list):
            items = [_describe(item) for item in typing.get_args(member) if item is not Ellipsis]
            descriptions.append(f"a list ({', '.join(items)})")
        elif _section_of(member):
            descriptions.append(f"a section (keys {', '.join(_field_types(member))})")
        else:
            descriptions.append(words.get(member, str(member)))
    return " or ".join(descriptions)


def _did_you_mean(given: Any, known: Iterable[Any]) -> str:
    names = [name for name in known if isinstance(name, str)]
    matches = difflib.get_close_matches(str(given).lower(), names, n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""


def _unknown_key(key: str, fields: Mapping[str, Any], origin: str) -> ConfigError:
    section, _, name = key.rpartition(".")
    where = f"[{section}] has" if section else "The keys are"
    return ConfigError(
        f"{origin}: unknown key {key!r}{_did_you_mean(name, fields)}",
        fix=f"{where} {', '.join(fields)}",
    )


def _toml_lines(table: Mapping[str, Any], prefix: str) -> list[str]:
    given = {name: value for name, value in table.items() if value is not None}
    sections = {name: value for name, value in given.items() if isinstance(value, Mapping)}
    lines = [
        f"{_toml_key(name)} = {_toml_value(value)}"
        for name, value in given.items()
        if name not in sections
    ]
    for name, section in sections.items():
        header = prefix + _toml_key(name)
        lines += [""] * bool(lines) + [f"[{header}]", *_toml_lines(section, f"{header}.")]
    return lines


def _toml_key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _toml_value(name)


def _toml_value(value: Any) -> str:
    if isinstance(value, str):  # JSON's escapes are TOML's, but for the character DEL
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    return repr(value)
