"""What a model is made of decides what can be looked at; all else is refused with the reason."""

from pathlib import Path

import msgspec
import pytest

from seqcli.bundle import FACTS, FORMAT, Facts
from seqcli.errors import ConfigError, ModelError
from seqcli.inspection.loading import load_attentive, load_network, require_attention
from tests.inspection.models import READERS, save, untrained_model

OTHERS = (*READERS, "language-model")


@pytest.mark.parametrize("architecture", ["seq2seq", *OTHERS])
def test_a_stored_model_is_loaded_as_it_was(architecture: str, tmp_path: Path) -> None:
    before = untrained_model(architecture=architecture)
    loaded = load_network(save(before, tmp_path / "model"))
    weights = loaded.model.state_dict()
    assert {name: tensor.tolist() for name, tensor in before.model.state_dict().items()} == {
        name: tensor.tolist() for name, tensor in weights.items()
    }
    assert type(loaded.task) is type(before.task)
    assert not loaded.model.training


@pytest.mark.parametrize(
    ("architecture", "first", "last"),
    [
        ("seq2seq", "encoder", "decoder"),
        ("classifier", "encoder", "encoder"),
        ("tagger", "encoder", "encoder"),
        ("language-model", "decoder", "decoder"),
    ],
)
def test_the_preferred_part_is_taken_where_it_is_there(
    architecture: str, first: str, last: str
) -> None:
    loaded = untrained_model(architecture=architecture)
    assert loaded.choose_part(None, preferred="encoder") == first
    assert loaded.choose_part(None, preferred="decoder") == last
    for part, other in ((first, last), (last, first)):
        assert loaded.choose_part(part, preferred=other) == part


def test_a_part_that_no_network_has_is_refused_with_what_there_is() -> None:
    with pytest.raises(ConfigError, match="part"):
        untrained_model().choose_part("bridge", preferred="encoder")


@pytest.mark.parametrize("architecture", OTHERS)
def test_attention_of_a_model_without_a_source_and_a_target_is_refused(
    architecture: str, tmp_path: Path
) -> None:
    folder = save(untrained_model(architecture=architecture), tmp_path / "model")
    with pytest.raises(ModelError, match="has no attention to show") as caught:
        load_attentive(folder)
    assert repr(architecture) in caught.value.why


def test_attention_of_a_bottleneck_is_refused_by_its_setting() -> None:
    with pytest.raises(ModelError, match="has no attention to show") as caught:
        require_attention(untrained_model(attention="none"))
    assert "model.attention is 'none'" in caught.value.why


@pytest.mark.parametrize(
    ("task", "architecture"), [("translation", "phrase-based"), ("translation", "dictionary")]
)
def test_a_statistical_model_is_refused_by_its_facts_alone(
    task: str, architecture: str, tmp_path: Path
) -> None:
    """The folder holds none of the files that a network has."""
    facts = Facts(
        format=FORMAT,
        task=task,
        architecture=architecture,
        name="counts",
        recipe={},
        tokenizers=[],
        vocabulary="",
        parameters=0,
    )
    (tmp_path / FACTS).write_bytes(msgspec.json.encode(facts))
    for load in (load_network, load_attentive):
        with pytest.raises(ModelError, match="is no neural network") as caught:
            load(str(tmp_path))
        assert repr(architecture) in caught.value.what
        assert "statistical" in caught.value.why
