import math
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.config import (
    Config,
    from_dict,
    override,
    read_toml,
    require_one_of,
    require_positive,
    require_probability,
    setting_text,
    to_toml,
)
from seqcli.errors import ConfigError

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


class Model(Config):
    hidden_size: int = 512
    dropout: float = 0.2
    cell: Literal["lstm", "gru"] | None = None

    def __post_init__(self) -> None:
        require_probability("model.dropout", self.dropout)


class Decoding(Config):
    beam_width: int | None = None
    stop: str | None = None


class Recipe(Config):
    name: str
    tied: bool = True
    symbols: tuple[str, ...] = ()
    languages: tuple[str, ...] | None = None
    sizes: tuple[int, int] = (1, 2)
    model: Model = Model()
    decoding: Decoding | None = None


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        from_dict(values, Recipe, origin="recipe.toml")
    return caught.value.what


def set_one(assignment: str, values: dict[str, Any] | None = None) -> Recipe:
    values = {"name": "r"} if values is None else values
    return from_dict(override(values, [assignment], Recipe), Recipe, origin="--set")


@given(
    recipe=st.builds(
        Recipe,
        name=TEXT,
        tied=st.booleans(),
        symbols=st.lists(TEXT).map(tuple),
        languages=st.none() | st.lists(TEXT).map(tuple),
        sizes=st.tuples(st.integers(-(2**60), 2**60), st.integers(0, 9)),
        model=st.builds(Model, hidden_size=st.integers(0, 9), dropout=st.floats(0, 1)),
        decoding=st.none() | st.builds(Decoding, beam_width=st.none() | st.just(5)),
    )
)
def test_any_config_survives_toml(recipe: Recipe) -> None:
    assert from_dict(tomllib.loads(to_toml(recipe)), Recipe, origin="toml") == recipe


@given(TEXT, st.floats(allow_nan=False))
def test_written_toml_says_what_the_standard_parser_reads(text: str, number: float) -> None:
    class Loose(Config):
        text: str
        number: float

    assert tomllib.loads(to_toml(Loose(text=text, number=number))) == {
        "text": text,
        "number": number,
    }


def test_none_is_left_out_and_a_section_of_nones_is_kept() -> None:
    toml = to_toml(Recipe(name="r", decoding=Decoding()))
    assert "languages" not in toml
    assert "[decoding]" in toml
    assert from_dict(tomllib.loads(toml), Recipe, origin="toml").decoding == Decoding()


def test_from_dict_agrees_with_msgspec_on_good_values() -> None:
    values = {"name": "r", "sizes": [3, 4], "model": {"dropout": 1}, "decoding": {"stop": "s"}}
    assert from_dict(values, Recipe, origin="x") == msgspec.convert(values, Recipe)


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Recipe(name="r").name = "s"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"model": {"hiden_size": 1}},
            "recipe.toml: unknown key 'model.hiden_size'; did you mean 'hidden_size'?",
        ),
        ({"modle": {}}, "recipe.toml: unknown key 'modle'; did you mean 'model'?"),
        ({"zzz": 1}, "recipe.toml: unknown key 'zzz'"),
        (
            {"model": {"hidden_size": "512"}},
            "recipe.toml: model.hidden_size must be a whole number, not '512'",
        ),
        (
            {"model": {"hidden_size": True}},
            "recipe.toml: model.hidden_size must be a whole number, not True",
        ),
        (
            {"model": {"cell": "lstmm"}},
            "recipe.toml: model.cell must be one of 'lstm', 'gru' or left out, not 'lstmm'; "
            "did you mean 'lstm'?",
        ),
        (
            {"model": 3},
            "recipe.toml: model must be a section (keys hidden_size, dropout, cell), not 3",
        ),
        ({"symbols": "a"}, "recipe.toml: symbols must be a list (text), not 'a'"),
        ({"symbols": ["a", 1]}, "recipe.toml: symbols must be a list (text), not ['a', 1]"),
        (
            {"sizes": [1]},
            "recipe.toml: sizes must be a list (a whole number, a whole number), not [1]",
        ),
        ({"tied": "yes"}, "recipe.toml: tied must be true or false, not 'yes'"),
        ({}, "recipe.toml: name is missing"),
    ],
)
def test_a_refusal_names_origin_key_and_what_was_expected(
    values: dict[str, Any], message: str
) -> None:
    assert refusal(values) == message


def test_an_unknown_key_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict({"name": "r", "decoding": {"x": 1}}, Recipe, origin="recipe.toml")
    assert caught.value.fix == "[decoding] has beam_width, stop"


def test_a_check_of_the_config_itself_comes_through_unchanged() -> None:
    with pytest.raises(ConfigError) as direct:
        Model(dropout=1.5)
    assert refusal({"name": "r", "model": {"dropout": 1.5}}) == direct.value.what
    with pytest.raises(ConfigError, match=r"model\.dropout must be from 0 to 1"):
        msgspec.convert({"name": "r", "model": {"dropout": 1.5}}, Recipe)


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("name=none", Recipe(name="none")),
        ("name=a=b", Recipe(name="a=b")),
        ("name=3", Recipe(name="3")),
        ("tied=false", Recipe(name="r", tied=False)),
        ("symbols=a,b", Recipe(name="r", symbols=("a", "b"))),
        ("symbols=a", Recipe(name="r", symbols=("a",))),
        ("symbols=", Recipe(name="r")),
        ("symbols=[MASK], [SEP]", Recipe(name="r", symbols=("[MASK]", "[SEP]"))),
        ('symbols=["a,b", "c"]', Recipe(name="r", symbols=("a,b", "c"))),
        ("languages=de,en", Recipe(name="r", languages=("de", "en"))),
        ("languages=none", Recipe(name="r", languages=None)),
        ("sizes=3,4", Recipe(name="r", sizes=(3, 4))),
        ("model.hidden_size = 7", Recipe(name="r", model=Model(hidden_size=7))),
        ("model.dropout=1e-1", Recipe(name="r", model=Model(dropout=0.1))),
        ("model.dropout=1", Recipe(name="r", model=Model(dropout=1.0))),
        ("model.cell=gru", Recipe(name="r", model=Model(cell="gru"))),
        ("decoding.beam_width=5", Recipe(name="r", decoding=Decoding(beam_width=5))),
        ("decoding=none", Recipe(name="r")),
    ],
)
def test_an_assignment_is_read_by_the_type_of_its_field(assignment: str, expected: Recipe) -> None:
    assert set_one(assignment) == expected


def test_an_assignment_keeps_the_rest_of_the_section_and_of_the_given_values() -> None:
    values = {"name": "r", "model": {"hidden_size": 7}}
    assert set_one("model.dropout=0", values).model == Model(hidden_size=7, dropout=0.0)
    assert values == {"name": "r", "model": {"hidden_size": 7}}


def test_the_last_assignment_to_a_key_wins() -> None:
    assert override({}, ["name=a", "name=b"], Recipe) == {"name": "b"}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("name", "--set name has no value"),
        ("modle.dropout=1", "--set: unknown key 'modle'; did you mean 'model'?"),
        (
            "model.hiden_size=1",
            "--set: unknown key 'model.hiden_size'; did you mean 'hidden_size'?",
        ),
        ("model.hidden_size=big", "--set: model.hidden_size must be a whole number, not 'big'"),
        ("model.hidden_size=1.5", "--set: model.hidden_size must be a whole number, not '1.5'"),
        (
            "model.hidden_size.x=1",
            "--set: model.hidden_size is a value, so 'model.hidden_size.x' is no key",
        ),
        ("sizes=3", "--set: sizes must be a list (a whole number, a whole number), not ['3']"),
        (
            "decoding.beam_width=x",
            "--set: decoding.beam_width must be a whole number or left out, not 'x'",
        ),
    ],
)
def test_a_wrong_assignment_is_refused_by_key(assignment: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        set_one(assignment)
    assert caught.value.what == message


def test_a_value_where_a_section_must_be_is_blamed_on_the_file() -> None:
    values = override({"name": "r", "model": 3}, ["model.dropout=0"], Recipe)
    assert refusal(values).startswith("recipe.toml: model must be a section")


def test_a_recipe_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_bytes(b'\xef\xbb\xbfname = "r"\r\n[model]\r\ndropout = 0.5\r\n')
    assert read_toml(path) == {"name": "r", "model": {"dropout": 0.5}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = 1\nb = = 2\n", "line 2"),
        (b"a = 1\na = 2\n", "line 2"),
        (b"a = '\xff'\n", "is not UTF-8"),
        (None, "No such file"),
    ],
)
def test_a_recipe_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_toml(path)
    assert str(path) in caught.value.what


@pytest.mark.parametrize("value", [0, 1, 0.5])
def test_a_probability_may_be_its_bounds(value: float) -> None:
    require_probability("p", value)


@pytest.mark.parametrize("value", [-0.1, 1.1, math.nan])
def test_what_is_no_probability_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match=r"model\.dropout"):
        require_probability("model.dropout", value)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, 10**20])
def test_what_is_not_positive_or_beyond_all_sizes_is_refused(value: float) -> None:
    require_positive("ok", 1e-9)
    with pytest.raises(ConfigError, match=r"batch\.tokens must be greater than 0"):
        require_positive("batch.tokens", value)


def test_a_choice_outside_a_table_is_refused_with_the_nearest() -> None:
    table = {"residual": 1, "plain": 2}
    require_one_of("model.stack", "plain", table)
    with pytest.raises(ConfigError) as caught:
        require_one_of("model.stack", "Residul", table)
    assert caught.value.what == "model.stack cannot be 'Residul'; did you mean 'residual'?"
    assert caught.value.fix == "Choose one of residual, plain"


def test_a_list_in_a_list_is_answered_with_one_list() -> None:
    values = {"name": "r", "symbols": [["a", "b"], "c", ["d"]]}
    with pytest.raises(ConfigError, match="symbols must be a list") as caught:
        from_dict(values, Recipe, origin="recipe.toml")
    flat = caught.value.fix.removeprefix("Write one list with no list in it: ")
    symbols = tuple(tomllib.loads(f"symbols = {flat}")["symbols"])
    assert symbols == ("a", "b", "c", "d")


@pytest.mark.parametrize("value", [3, 0.5, True, "a b", ["a", "b,c"], []])
def test_the_text_of_a_setting_is_that_of_a_recipe(value: Any) -> None:
    assert tomllib.loads(f"key = {setting_text(value)}")["key"] == value


def test_the_text_of_a_setting_that_is_left_out_is_none() -> None:
    assert setting_text(None) == "none"
