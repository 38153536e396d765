import pytest

from seqcli.config import Config, from_dict
from seqcli.errors import ConfigError
from seqcli.smt.recipe import STATISTICAL_RECIPES, DictionaryRecipe, SmtRecipe


@pytest.mark.parametrize(("name", "kind"), STATISTICAL_RECIPES.items())
def test_each_recipe_stands_under_the_architecture_that_it_names(
    name: str, kind: type[Config]
) -> None:
    assert kind().architecture == name


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"seed": -1}, "seed must be from 0"),
        ({"data": {"max_length": 0}}, "data.max_length"),
        ({"data": {"max_length_ratio": 0.5}}, "data.max_length_ratio"),
        ({"tokenizer": {"kind": "moses", "vocabulary_size": 9}}, "'moses' has no other settings"),
        ({"tokenizer": {"kind": "mosess"}}, "did you mean"),
        ({"tokenizer": {"kind": "characters"}, "compounds": "on"}, "compounds cannot be 'on'"),
        (
            {"target_tokenizer": {"kind": "characters"}, "target_compounds": "on"},
            "target_compounds cannot be 'on'",
        ),
        ({"tokenizer": {"kind": "bpe", "byte_fallback": False}}, "byte_fallback cannot be false"),
        ({"phrases": {"longest": 8}}, "phrases.longest must be from 1 to 7"),
        ({"language_model": {"order": 9}}, "language_model.order must be from 1 to 8"),
        ({"language_model": {"class_order": 0}}, "language_model.class_order must be from 1 to 8"),
        ({"language_model": {"classes": -1}}, "language_model.classes must be from 0 to 1000"),
        (
            {"joint_units": True, "language_model": {"text": ["more.txt"]}},
            "joint_units and language_model.text do not go together",
        ),
        ({"alignment": {"letters": 0}}, "alignment.letters"),
        ({"alignment": {"model": "eflomol"}}, "did you mean 'eflomal'"),
        ({"alignment": {"symmetrization": "both"}}, "alignment.symmetrization"),
    ],
)
def test_a_phrase_based_system_refuses(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_dict(settings, SmtRecipe, origin="test")
    assert fault in error.value.what


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"dictionary": ["d"], "data": {"train": ["a", "b"]}}, "do not go together"),
        ({"data": {"valid": ["a", "b"]}}, "data.valid has no effect"),
        ({"reversed": True}, "reversed has no effect"),
        ({"alignment": {"model": "ibm5"}}, "alignment.model"),
        ({"text": ["t"], "choice": "first"}, "text has no effect"),
    ],
)
def test_a_dictionary_refuses(settings: dict[str, object], fault: str) -> None:
    with pytest.raises(ConfigError) as error:
        from_dict(settings, DictionaryRecipe, origin="test")
    assert fault in error.value.what
