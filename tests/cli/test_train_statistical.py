import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seqcli.cli.main import main
from tests.api.statistical import write_pairs
from tests.smt.parallel_lines import make_pairs

SOURCE, TARGET = make_pairs(12, seed=3)
QUICK = ["--set", "tuning.rounds=2", "--set", "tuning.num_best=10", "--set", "tuning.stack_size=5"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Text, and a model of each architecture."""
    folder = tmp_path_factory.mktemp("statistical")
    train, valid = write_pairs(folder, "train", 60), write_pairs(folder, "valid", 10, 2)
    write_pairs(folder, "test", 12, 3)
    pairs = ["--train", *train]
    smt = ["--arch", "smt", *pairs, "--valid", *valid, "-o", str(folder / "smt")]
    assert main(["train", *smt, *QUICK, "-q"]) == 0
    assert main(["train", "--arch", "dictionary", *pairs, "-o", str(folder / "dict"), "-q"]) == 0
    text = ["--train-text", train[1], "-o", str(folder / "ngram")]
    assert main(["train", "--arch", "ngram", *text, "-q"]) == 0
    return folder


@pytest.mark.parametrize("name", ["smt", "dict"])
def test_each_line_is_translated(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["translate", str(folder / name), str(folder / "test.de")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum(a == b for a, b in zip(lines, TARGET, strict=True)) >= 11


def test_several_hypotheses_come_with_their_features(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--nbest", "3", "--format", "jsonl", "--beam", "20"]
    assert main(["translate", str(folder / "smt"), str(folder / "test.de"), *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(len(json.loads(line)["hypotheses"]) > 1 for line in lines)
    for line in lines:
        hypotheses = json.loads(line)["hypotheses"]
        scores = [hypothesis["score"] for hypothesis in hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({hypothesis["text"] for hypothesis in hypotheses}) == len(hypotheses)
        assert all("language_model" in hypothesis["features"] for hypothesis in hypotheses)


@pytest.mark.parametrize("name", ["smt", "dict"])
def test_a_system_is_scored_as_any_model(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ["--source", str(folder / "test.de"), "--reference", str(folder / "test.en")]
    assert main(["eval", str(folder / name), *files]) == 0
    assert float(capsys.readouterr().out.split()[1]) > 90


@pytest.mark.parametrize(
    ("name", "arguments", "fault"),
    [
        ("smt", ["--greedy"], "greedy search has no effect"),
        ("smt", ["--length-penalty", "1"], "a length penalty has no effect"),
        ("smt", ["--batch", "3"], "a batch size has no effect"),
        ("smt", ["--draw"], "attention has no effect"),
        ("smt", ["--precision", "float32"], "a precision has no effect"),
        ("dict", ["--precision", "int8"], "a precision has no effect"),
        ("dict", ["--beam", "3"], "a beam has no effect"),
        ("dict", ["--nbest", "3", "--format", "tsv"], "--nbest has no effect"),
        ("ngram", [], "does not translate: it is a language model"),
    ],
)
def test_an_option_without_effect_is_refused(
    name: str,
    arguments: list[str],
    fault: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["translate", str(folder / name), str(folder / "test.de"), *arguments]) > 0
    assert fault in capsys.readouterr().err


def test_a_system_of_each_seed_is_that_of_a_training_of_its_own(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = ["--train", *write_pairs(folder, "train", 60), "--valid"]
    texts += [*write_pairs(folder, "valid", 10, 2), "--test", *write_pairs(folder, "test", 12, 3)]
    arguments = ["train", "--arch", "smt", *texts, *QUICK, "-q", "-o"]
    assert main([*arguments, str(tmp_path / "several"), "--seeds", "1,2"]) == 0
    shown = capsys.readouterr().out
    alone = []
    for seed in ("1", "2"):
        assert main([*arguments, str(tmp_path / seed), "--seed", seed]) == 0
        (bleu,) = re.findall(r"test BLEU (\S+)", capsys.readouterr().out)
        alone.append(float(bleu))
        weights = (tmp_path / f"several-{seed}" / "weights.json").read_bytes()
        assert weights == (tmp_path / seed / "weights.json").read_bytes()
    mean = sum(alone) / 2
    assert f"test BLEU {mean:.2f} +/- {abs(alone[0] - mean) * 2**0.5:.2f}" in shown


@pytest.mark.parametrize(
    ("architecture", "arguments", "fault"),
    [
        ("smt", ["--device", "cpu"], "--device has no effect"),
        ("smt", ["--device", "cpu"], "runs on the CPU alone"),
        ("smt", ["--max-time", "1h"], "each stage is done whole"),
        ("smt", ["--source-vectors", "v"], "--source-vectors has no effect"),
        ("dictionary", ["--seeds", "1,2"], "--seeds has no effect"),
        ("smt", ["--seeds", "1,1"], "not several different ones"),
        ("smt", ["--tensorboard", "t"], "--tensorboard has no effect"),
        ("smt", ["--set", "model.dropout=0.1"], "unknown key 'model'"),
        ("dictionary", ["--resume"], "--resume has no effect"),
        ("ngram", ["--threads", "2"], "a language model has no pairs to learn from"),
        ("smtt", [], "did you mean 'smt'?"),
    ],
)
def test_a_training_refuses_what_it_cannot_use(
    architecture: str,
    arguments: list[str],
    fault: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pairs = [str(folder / f"train.{language}") for language in ("de", "en")]
    command = ["train", "--arch", architecture, "--train", *pairs, "-o", str(folder / "new")]
    assert main([*command, *arguments]) == 2
    assert fault in capsys.readouterr().err
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("architecture", "fact"),
    [("smt", "languages "), ("dictionary", "entries "), ("ngram", "n-grams ")],
)
def test_a_dry_run_says_what_would_be_trained(
    architecture: str, fact: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [str(folder / f"train.{language}") for language in ("de", "en")]
    text = ["--train-text", pairs[1]] if architecture == "ngram" else ["--train", *pairs]
    assert main(["train", "--arch", architecture, *text, "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert shown.out.count(fact) == 1
    assert fact.strip() + ":" not in shown.err


def test_the_end_of_a_training_names_the_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = [str(folder / f"train.{language}") for language in ("de", "en")]
    output = str(folder / "named")
    assert main(["train", "--arch", "dictionary", "--train", *pairs, "-o", output]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == f"wrote {output}"


@pytest.mark.parametrize(
    ("command", "name", "hint"),
    [
        ("classify", "smt", "`seqcli translate`"),
        ("score", "smt", "`seqcli translate`"),
        ("generate", "dict", "`seqcli translate`"),
        ("tag", "ngram", "`seqcli score`"),
        ("curves", "smt", "it has no network"),
    ],
)
def test_other_commands_refuse_a_system_and_say_what_it_is_for(
    command: str, name: str, hint: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(folder / name)]) == 1
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize("command", ["phrases", "derivation", "weights"])
def test_the_help_names_the_files_that_can_be_written(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert ".json" in shown
    assert ".png" not in shown


def test_the_architecture_can_come_from_the_recipe_or_a_setting(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = ["--train", str(folder / "train.de"), str(folder / "train.en")]
    (folder / "recipe.toml").write_text('architecture = "smt"\n[phrases]\nlongest = 3\n')
    assert main(["train", str(folder / "recipe.toml"), *pairs, "--dry-run", "-q"]) == 0
    assert "up to 3 words" in capsys.readouterr().out
    assert main(["train", "--set", "architecture=smt", *pairs, "--dry-run", "-q"]) == 0
    assert "up to 7 words" in capsys.readouterr().out


def test_phrases_derivation_and_weights_can_be_looked_at(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(folder / "smt")
    assert main(["inspect", "phrases", model, "der Hund", "--limit", "1"]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["Hund", "dog"] in rows
    assert main(["inspect", "derivation", model, SOURCE[0]]) == 0
    assert capsys.readouterr().out.splitlines()[0] == TARGET[0]
    assert main(["inspect", "derivation", model, SOURCE[0], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["translation"] == TARGET[0]
    assert main(["inspect", "weights", model]) == 0
    assert "language_model" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["weights", "dict"], "is no phrase-based system"),
        (["derivation", "smt", " "], "the sentence is empty"),
        (["weights", "smt", "-o", "w.pdf"], "does not say what to write"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(
    arguments: list[str], fault: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command, model, *others = arguments
    assert main(["inspect", command, str(folder / model), *others]) > 0
    assert fault in capsys.readouterr().err


def test_no_network_library_is_loaded_on_the_way(folder: Path) -> None:
    script = (
        "import sys; from seqcli.cli.main import main; "
        f"assert main(['translate', {str(folder / 'smt')!r}, {str(folder / 'test.de')!r}]) == 0; "
        f"main(['train', '--arch', 'smt', '--train', {str(folder / 'train.de')!r}, "
        f"{str(folder / 'train.en')!r}, '--dry-run', '-q']); "
        f"main(['eval', {str(folder / 'dict')!r}, '--source', {str(folder / 'test.de')!r}, "
        f"'--reference', {str(folder / 'test.en')!r}]); "
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
