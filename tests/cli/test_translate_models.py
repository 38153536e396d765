"""`seqcli translate` with models that are whole, damaged, missing or without attention."""

from pathlib import Path

import pytest

from seqcli.bundle import read_facts
from seqcli.cli.main import main
from seqcli.decoding.quantize import int8_works
from tests.cli.translators import in_full, one_by_one, train_at

pytestmark = pytest.mark.usefixtures("source")


@pytest.fixture(scope="module")
def bottleneck(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A model without attention."""
    folder = tmp_path_factory.mktemp("bottleneck")
    return train_at(folder, "model.attention=none", "training.epochs=1")


class TestModel:
    @pytest.mark.parametrize("precision", ["int8", "float32"])
    def test_verbose_tells_what_translates_and_leaves_the_results_alone(
        self, precision: str, model: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = ["translate", model, "source", "--precision", precision, "--beam", "3"]
        assert main(command) == 0
        plain = capsys.readouterr().out
        assert main([*command, "--verbose", "--threads", "2"]) == 0
        out, err = capsys.readouterr()
        assert out == plain
        facts = read_facts(Path(model))
        for told in (model, f"format {facts.format}", f"{facts.parameters:,} parameters"):
            assert told in err
        assert "beam_width 3" in err
        assert f"{precision if int8_works() else 'float32'}, 2 threads" in err

    def test_float32_is_used_where_8_bit_integers_do_not_work_and_this_is_told(
        self, model: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command = ["translate", model, "source", "--format", "tsv"]
        assert main([*command, "--precision", "float32"]) == 0
        exact = capsys.readouterr()
        monkeypatch.setattr("seqcli.decoding.quantize.int8_works", lambda: False)
        assert main([*command, "--quiet"]) == 0
        assert capsys.readouterr() == exact
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert out == exact.out
        assert "float32 is used" in err

    def test_a_name_that_is_no_model_is_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["translate", "no-such-model", "source"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: there is no model 'no-such-model'\n")
        assert "`seqcli models`" in err

    def test_a_folder_that_is_no_model_is_an_error(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("empty").mkdir()
        assert main(["translate", "empty", "source"]) == 1
        assert capsys.readouterr().err.startswith("error: empty is not a model: it has no ")

    @pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "tokenizer.json"])
    def test_a_damaged_file_is_an_error_that_names_the_model(
        self, name: str, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        content = (copy / name).read_bytes()
        (copy / name).write_bytes(content[: len(content) // 2])
        assert main(["translate", "copy", "source", "-o", "out"]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: ")
        assert "copy" in err.splitlines()[0]
        assert not Path("out").exists()

    def test_a_recipe_of_another_version_is_an_error_of_the_model(
        self, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        facts = (copy / "model.json").read_text(encoding="utf-8")
        (copy / "model.json").write_text(facts.replace('"dropout"', '"drop"'), encoding="utf-8")
        assert main(["translate", "copy", "source"]) == 1
        error = capsys.readouterr().err
        assert error.startswith(
            "error: the recipe of the model is not one of ours: copy/model.json"
        )
        assert "model.drop" in error

    def test_a_missing_file_of_a_model_is_an_error(
        self, copy: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (copy / "weights.safetensors").unlink()
        assert main(["translate", "copy", "source"]) == 1
        assert capsys.readouterr().err.startswith("error: the model in copy is broken: ")


class TestModelWithoutAttention:
    @pytest.mark.parametrize("options", [["--attention", "--format", "jsonl"], ["--draw"]])
    def test_attention_asked_of_it_is_refused_before_text_is_read(
        self, options: list[str], bottleneck: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", bottleneck, "gone", "-o", "out", *options]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        what, why, fix = err.splitlines()
        assert what == f"error: the model in {bottleneck} has no attention to show"
        assert "model.attention is 'none'" in why
        assert fix.startswith("  fix: ")
        assert not Path("out").exists()

    def test_it_translates_line_by_line_all_the_same(
        self, bottleneck: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["translate", bottleneck, "source"]) == 0
        alone = [translation.text for translation in one_by_one(bottleneck)]
        assert capsys.readouterr().out == in_full(alone)
