import pytest

from seqcli.errors import (
    ConfigError,
    DataError,
    ModelError,
    OutputError,
    SeqcliError,
    UsageError,
)


@pytest.mark.parametrize("kind", [DataError, ModelError, OutputError])
def test_a_fault_in_the_material_leaves_with_status_one(kind: type[SeqcliError]) -> None:
    assert kind("x").exit_status == 1


@pytest.mark.parametrize("kind", [ConfigError, UsageError])
def test_a_wrong_use_leaves_with_status_two(kind: type[SeqcliError]) -> None:
    assert kind("x").exit_status == 2


@pytest.mark.parametrize("kind", [DataError, ModelError, OutputError, ConfigError, UsageError])
def test_every_fault_of_the_user_can_be_caught_as_one_kind(kind: type[SeqcliError]) -> None:
    with pytest.raises(SeqcliError) as caught:
        raise kind("what is wrong", why="why it matters", fix="how to mend it")
    error = caught.value
    assert (error.what, error.why, error.fix) == (
        "what is wrong",
        "why it matters",
        "how to mend it",
    )
    assert str(error) == "what is wrong"
    assert not isinstance(error, (ValueError, OSError))
