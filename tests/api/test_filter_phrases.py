from pathlib import Path

import pytest

from seqcli.api.filter_phrases import filter_phrases
from seqcli.api.phrase_system import load_phrase_translator
from seqcli.api.train_statistical import train_statistical
from seqcli.bundle import read_facts
from seqcli.errors import OutputError
from tests.api.statistical import smt_recipe
from tests.smt.parallel_lines import make_pairs


def test_a_filtered_system_translates_its_text_as_the_whole_does(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    train_statistical(smt_recipe(tmp_path, valid=False), whole, threads=1)
    lines = [*make_pairs(4, seed=3)[0], "", "fremd"]
    text = tmp_path / "text.de"
    text.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    kept = filter_phrases(str(whole), str(text), part)
    every, few = (load_phrase_translator(str(path), num_best=3) for path in (whole, part))
    assert list(few.translate(lines)) == list(every.translate(lines))
    sizes = [read_facts(folder).parameters for folder in (whole, part)]
    assert 0 < kept < kept + (sizes[0] - sizes[1]) // 11
    assert {path.name for path in part.iterdir()} == {p.name for p in whole.iterdir()} - {
        "training"
    }
    with pytest.raises(OutputError, match="part exists already"):
        filter_phrases(str(whole), str(text), part)
    with pytest.raises(OutputError, match="is not overwritten"):
        filter_phrases(str(whole), str(text), whole, overwrite=True)
    assert next(load_phrase_translator(str(whole)).translate(["x"])).text == "X"
