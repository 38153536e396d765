"""Tokenizers over files: the functions, and `seqcli tokenize` through `main`."""

import io
import subprocess
import sys
from pathlib import Path

import pytest

from seqcli.api.tokenize import decode_file, encode_file, load_tokenizer, train_tokenizer
from seqcli.cli.main import main
from seqcli.errors import ModelError
from seqcli.tokenizers import TOKENIZERS, TokenizerConfig
from seqcli.tokenizers import train_tokenizer as train_on_lines

TEXT = [
    f"{subject} {verb} {place}."
    for subject in ("der Mann", "die Frau", "das Kind", "ein Hund", "eine Katze")
    for verb in ("läuft", "geht", "schläft", "wartet")
    for place in ("im Park", "im Haus", "auf der Straße", "am Meer")
]
LINES = ["der Mann im Haus", "", "  zwei \u2581 漢字\t", "", "<s> <0x41> läuft "]

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def text(tmp_path: Path) -> Path:
    return write(tmp_path / "text.de", TEXT)


@pytest.fixture
def tokenizer(tmp_path: Path) -> Path:
    return train_on_lines(TEXT, TokenizerConfig()).save(tmp_path, "joint")


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    return path


def given_on_stdin(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


@pytest.mark.parametrize("form", ["--pieces", "--ids"])
@pytest.mark.parametrize("kind", TOKENIZERS)
def test_decoding_what_was_encoded_gives_back_the_file(
    kind: str, form: str, text: Path, tmp_path: Path, capsys: Capture
) -> None:
    model = str(tmp_path / "model")
    assert main(["tokenize", "train", str(text), "-o", model, "--kind", kind]) == 0
    saved = model + TOKENIZERS[kind].suffix
    assert f"wrote {saved}" in capsys.readouterr().err

    source = write(tmp_path / "lines", LINES)
    assert main(["tokenize", "encode", saved, str(source), form]) == 0
    encoded = capsys.readouterr().out
    assert len(encoded.split("\n")) == len(LINES) + 1
    assert [not line for line in encoded.split("\n")[:-1]] == [not line for line in LINES]

    (tmp_path / "encoded").write_text(encoded, encoding="utf-8", newline="\n")
    assert main(["tokenize", "decode", saved, str(tmp_path / "encoded"), form]) == 0
    assert capsys.readouterr().out == "".join(f"{line}\n" for line in LINES)


def test_pieces_are_the_default_and_both_forms_are_those_of_the_tokenizer(
    tokenizer: Path, tmp_path: Path, capsys: Capture
) -> None:
    source = str(write(tmp_path / "lines", LINES))
    loaded = load_tokenizer(tokenizer)
    main(["tokenize", "encode", str(tokenizer), source])
    assert capsys.readouterr().out.split("\n")[:-1] == [
        " ".join(loaded.to_pieces(line)) for line in LINES
    ]
    main(["tokenize", "encode", str(tokenizer), source, "--ids"])
    assert capsys.readouterr().out.split("\n")[:-1] == [
        " ".join(map(str, loaded.encode(line))) for line in LINES
    ]


def test_standard_input_is_read_when_no_file_is_named(
    tokenizer: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_on_stdin("der Mann\n\n", monkeypatch)
    assert main(["tokenize", "encode", str(tokenizer)]) == 0
    encoded = capsys.readouterr().out
    given_on_stdin(encoded, monkeypatch)
    assert main(["tokenize", "decode", str(tokenizer), "-"]) == 0
    assert capsys.readouterr().out == "der Mann\n\n"


@pytest.mark.parametrize("command", ["encode", "decode"])
def test_a_line_is_answered_before_the_next_one_comes(tokenizer: Path, command: str) -> None:
    arguments = [sys.executable, "-m", "seqcli", "tokenize", command, str(tokenizer)]
    with subprocess.Popen(
        arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(b"Mann\n")
            process.stdin.flush()
            assert process.stdout.readline().strip()
        process.stdin.close()
        assert process.wait() == 0


def test_all_options_of_training_reach_the_tokenizer(text: Path, tmp_path: Path) -> None:
    options = ["--kind", "bpe", "--vocabulary-size", "80", "--no-byte-fallback"]
    symbols = ["--user-symbol", "<a>", "--user-symbol", "<b>"]
    saved = tmp_path / "joint.model"
    assert main(["tokenize", "train", str(text), "-o", str(saved), *options, *symbols]) == 0
    vocabulary = load_tokenizer(saved).vocabulary
    assert len(vocabulary) == 80
    assert not vocabulary.has_bytes
    assert "<a>" in vocabulary
    assert "<b>" in vocabulary


def test_several_files_are_learned_from_as_one(text: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "text.ru", ["жук"])
    config = TokenizerConfig(kind="characters")
    saved = train_tokenizer([text, other], tmp_path / "joint", config)
    assert load_tokenizer(saved).vocabulary.pieces == (
        train_on_lines([*TEXT, "жук"], config).vocabulary.pieces
    )


def test_an_existing_file_is_kept_unless_overwrite_is_said(
    text: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "joint.model").write_text("old")
    command = ["tokenize", "train", str(text), "-o", str(tmp_path / "joint")]
    assert main(command) == 1
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "joint.model").read_text() == "old"
    assert main([*command, "--overwrite"]) == 0
    assert len(load_tokenizer(tmp_path / "joint.model").vocabulary) > 0


@pytest.mark.parametrize(
    ("options", "status", "messages"),
    [
        (["--vocabulary-size", "100000"], 2, ["100000 is too large", "is the most possible"]),
        (["--vocabulary-size", "10"], 2, ["10 is too small", "is the least possible"]),
        (["--kind", "unigramm"], 2, ["did you mean", "unigram"]),
        (["--user-symbol", "<s>"], 2, ["<s>", "built-in"]),
        (["--user-symbol", "\udcff"], 2, ["not UTF-8"]),
        (["--character-coverage", "0.5"], 2, ["0.5", "below 0.98"]),
        (["-o", "none/joint"], 1, ["there is no folder none", "mkdir"]),
        (["-o", "."], 1, [". is a folder", "Name a file"]),
        (["-o", "joint.json"], 2, ["joint.json cannot hold", "joint.model"]),
        (["missing.de"], 1, ["missing.de"]),
    ],
)
def test_training_that_cannot_be_is_refused_in_words(
    options: list[str],
    status: int,
    messages: list[str],
    text: Path,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["tokenize", "train", str(text), "-o", "joint", *options]) == status
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(message in shown.err for message in messages), shown.err
    assert not list(tmp_path.glob("*joint*"))


def test_an_empty_file_has_no_text_to_learn_from(tmp_path: Path, capsys: Capture) -> None:
    empty = write(tmp_path / "empty", [])
    assert main(["tokenize", "train", str(empty), "-o", str(tmp_path / "joint")]) == 1
    assert "there is no text" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ("12 x", ["'x' is not an id", "--pieces"]),
        ("5 -1", ["'-1' is not an id"]),
        ("1_0", ["'1_0' is not an id"]),
        ("5 99999", ["'99999' is too high"]),
        ("9" * 10_000, ["is too high"]),
        ("٣", ["is not an id"]),
    ],
)
def test_an_id_that_is_none_is_named_with_its_line(
    line: str, messages: list[str], tokenizer: Path, tmp_path: Path, capsys: Capture
) -> None:
    source = write(tmp_path / "ids", ["300", "", line, "301"])
    assert main(["tokenize", "decode", str(tokenizer), str(source), "--ids"]) == 1
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 2
    for message in [f"{source}, line 3", *messages]:
        assert message in shown.err


def test_pieces_of_another_vocabulary_are_taken_by_their_letters(
    tokenizer: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "pieces", ["\u2581Quark \u2581Zwieback <0xC3> <0xA4> </s>"])
    assert list(decode_file(load_tokenizer(tokenizer), source, as_ids=False)) == ["Quark Zwiebackä"]


@pytest.mark.parametrize("stem", ["tokenizer", "tokenizer-source"])
def test_the_source_tokenizer_of_a_model_is_found_in_its_folder(stem: str, tmp_path: Path) -> None:
    ours = train_on_lines(TEXT, TokenizerConfig())
    ours.save(tmp_path, stem)
    if stem != "tokenizer":
        other = train_on_lines(["xyz"], TokenizerConfig(kind="characters"))
        other.save(tmp_path, "tokenizer-target")
    found = load_tokenizer(tmp_path)
    assert found.vocabulary.fingerprint() == ours.vocabulary.fingerprint()
    source = write(tmp_path / "lines", LINES)
    encoded = list(encode_file(found, source, as_ids=True))
    assert encoded == [" ".join(map(str, ours.encode(line))) for line in LINES]


def test_a_folder_without_a_tokenizer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no tokenizer"):
        load_tokenizer(tmp_path)


def test_a_file_that_is_no_tokenizer_is_an_error(text: Path, capsys: Capture) -> None:
    assert main(["tokenize", "encode", str(text), str(text)]) == 1
    assert f"{text} is not a tokenizer" in capsys.readouterr().err


def test_a_tokenizer_is_found_without_its_suffix(tmp_path: Path) -> None:
    saved = train_on_lines(["a b c"], TokenizerConfig(kind="characters")).save(tmp_path, "small")
    assert saved.suffix
    assert load_tokenizer(tmp_path / "small").encode("a b") == load_tokenizer(saved).encode("a b")
