from pathlib import Path

import numpy as np
import pytest

from seqcli.errors import ModelError
from seqcli.smt.corpus import learn_vocabulary
from seqcli.smt.features import FEATURES
from seqcli.smt.phrase_files import (
    WEIGHTS,
    load_vocabulary,
    load_weights,
    save_vocabulary,
    save_weights,
)


def test_weights_survive_their_file(tmp_path: Path) -> None:
    weights = np.arange(len(FEATURES)) / 7
    save_weights(tmp_path, weights)
    np.testing.assert_array_equal(load_weights(tmp_path), weights)


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"\xff": 1}', b'{"distortion": "x"}'])
def test_broken_weights_are_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match=WEIGHTS):
        load_weights(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"\xff"])
def test_a_broken_vocabulary_is_refused(tmp_path: Path, content: bytes | None) -> None:
    vocabulary = learn_vocabulary([["a", "b"]])
    save_vocabulary(tmp_path, "source", vocabulary)
    path = tmp_path / "vocabulary-source.txt"
    assert load_vocabulary(tmp_path, "source").pieces == vocabulary.pieces
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ModelError, match=path.name):
        load_vocabulary(tmp_path, "source")
