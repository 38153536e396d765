import errno
import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seqcli.api.check import check_files, check_text, clean_files, load_tokenizers
from seqcli.errors import DataError, OutputError, UsageError
from seqcli.text.findings import Finding
from seqcli.tokenizers import UNK, Tokenizer, TokenizerConfig, train_tokenizer
from seqcli.tokenizers.labels import LabelTokenizer

Write = Callable[[str, str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, newline="")
        return str(tmp_path / name)

    return write_file


def named(findings: tuple[Finding, ...]) -> dict[str, Finding]:
    return {finding.rule: finding for finding in findings}


def test_files_a_table_and_a_packed_file_are_checked_alike(write: Write, tmp_path: Path) -> None:
    pairs = [("one man", "ein Mann"), ("", "leer"), ("two men", "two men"), ("one man", "ein Mann")]
    source = write("a.en", "".join(f"{pair[0]}\n" for pair in pairs))
    target = write("a.de", "".join(f"{pair[1]}\n" for pair in pairs))
    table = write("a.tsv", "".join("\t".join(pair) + "\n" for pair in pairs))
    packed = tmp_path / "a.en.gz"
    packed.write_bytes(gzip.compress(Path(source).read_bytes()))
    found = []
    for files in ([source, target], [str(packed), target], [table]):
        report = check_files(files, valid=[table])
        assert report.lines == (4, 4)
        assert not report.is_serious
        found.append([(f.rule, f.count, f.total, f.lines) for f in report.findings])
    assert found[0] == found[1] == found[2]
    assert {rule for rule, *_ in found[0]} == {
        "empty",
        "copies",
        "duplicates",
        "valid_pairs",
        "valid_sources",
    }


def test_a_file_can_stand_on_both_sides(write: Write) -> None:
    found = check_files([write("a", "one\n\ntwo\n")] * 2).findings
    assert [(f.rule, f.lines) for f in found] == [("empty", (2,))] * 2 + [("copies", (1, 3))]


def test_the_rate_of_unknown_tokens_is_that_of_plain_counting(write: Write) -> None:
    learned = ["the man waits", "the woman reads"] * 3
    config = TokenizerConfig(kind="words", byte_fallback=False)
    tokenizer = train_tokenizer(learned, config)
    lines = [*learned, "the dog barks", "a man waits"]
    report = check_files([write("a", "\n".join(lines))], tokenizers={"shared": tokenizer})
    finding = named(report.findings)["unknown_tokens"]
    tokens = [index for line in lines for index in tokenizer.encode(line)]
    assert (finding.count, finding.total) == (tokens.count(UNK), len(tokens))
    assert finding.lines == (7, 8)


def test_characters_spelled_in_bytes_are_unknown_and_each_side_has_its_tokenizer(
    write: Write,
) -> None:
    config = TokenizerConfig(kind="characters")
    tokenizers = {
        "source": train_tokenizer(["abc"], config),
        "target": train_tokenizer(["über"], config),
    }
    files = [write("a", "über\n"), write("b", "über\n")]
    first, second = (
        finding
        for finding in check_files(files, tokenizers=tokenizers).findings
        if finding.rule == "unknown_tokens"
    )
    assert (first.file, first.count) == (files[0], len("über".encode()) - 1)  # a "b" is known
    assert (second.file, second.count) == (files[1], 0)


def test_the_tokenizer_of_a_file_serves_both_sides(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["abc"], TokenizerConfig(kind="characters"))
    path = tokenizer.save(tmp_path, "tokenizer")
    for loaded in (load_tokenizers(tokenizer=path), load_tokenizers(str(tmp_path))):
        assert loaded["shared"].vocabulary.pieces == tokenizer.vocabulary.pieces
    assert load_tokenizers() == {}


def test_a_training_hears_of_its_text_what_the_files_would_tell(write: Write) -> None:
    text = (["a b c", "", "x", "a b c", "s"], ["d e f", "y", "x", "d e f", "word " * 99])
    files = [write(name, "\n".join(side)) for name, side in zip("ab", text, strict=True)]
    tokenizer = train_tokenizer(["a b c"], TokenizerConfig(kind="characters"))
    told = check_text(text, valid=text, names=files, tokenizers={"shared": tokenizer})
    whole = check_files(files, valid=files, tokenizers={"shared": tokenizer})
    assert set(told.findings) == set(whole.findings)
    assert {"empty", "copies", "duplicates", "valid_pairs", "length_ratio_characters"} < set(
        named(told.findings)
    )
    assert told.messages() == list(map(str, told.findings))


def test_a_training_hears_of_empty_sides() -> None:
    told = check_text((["a", "", "c"], ["x", "y", " "]))
    assert [(f.rule, f.lines) for f in told.findings] == [("empty", (2,)), ("empty", (3,))]


def test_lengths_of_lines_and_labels_are_not_compared() -> None:
    text = (["word"] * 9 + ["word " * 99], ["label"] * 10)
    assert "length_ratio_characters" in named(check_text(text).findings)
    assert set(named(check_text(text, compare_lengths=False).findings)) == {"duplicates"}


def test_clean_text_is_written_and_the_files_stay_as_they_are(write: Write, tmp_path: Path) -> None:
    files = [write("a", "u\u0308ber\r\n\none\none\nvalid\n"), write("b", "x\ny\nz\nz\nset\n")]
    before = [Path(file).read_bytes() for file in files]
    valid = [write("v", "valid\n"), write("w", "set\n")]
    outputs = [tmp_path / "clean.a", tmp_path / "clean.b.gz"]
    cleaned = clean_files(files, outputs, valid=valid)
    assert outputs[0].read_bytes() == "über\none\n".encode()
    assert gzip.decompress(outputs[1].read_bytes()) == b"x\nz\n"
    assert (cleaned.read, cleaned.kept) == (5, 2)
    assert sum(cleaned.dropped.values()) == 3
    assert cleaned.mended["carriage_returns"] == 1
    assert [Path(file).read_bytes() for file in files] == before
    again = clean_files([str(path) for path in outputs], [tmp_path / "c", tmp_path / "d"])
    assert (tmp_path / "c").read_bytes() == outputs[0].read_bytes()
    assert (again.kept, sum(again.mended.values())) == (2, 0)


def test_text_alone_is_cleaned_into_one_file(write: Write, tmp_path: Path) -> None:
    cleaned = clean_files([write("a", "one\n\none\ntwo")], [tmp_path / "b"])
    assert (tmp_path / "b").read_text() == "one\ntwo\n"
    assert cleaned.dropped == {"empty": 1, "duplicates": 1, "length_ratio": 0}


def test_nothing_is_written_for_text_that_cannot_be_cleaned(write: Write, tmp_path: Path) -> None:
    outputs = [tmp_path / "c", tmp_path / "d"]
    short, long, empty = write("s", "a\n"), write("l", "a\nb\n"), write("e", "\n")
    (tmp_path / "bad").write_bytes(b"f\xfcr\n")
    for files, fault in (
        ([short, long], "has 1 line but"),
        ([short, str(tmp_path / "bad")], "bad, line 1: not UTF-8"),
        ([short, empty], "nothing is left of"),
        ([short, write("none", "")], "none is empty"),
    ):
        with pytest.raises(DataError, match=fault):
            clean_files(files, outputs)
    with pytest.raises(OutputError):
        clean_files([short, short], [tmp_path / "c", tmp_path / "missing" / "d"])
    assert not [path for path in outputs if path.exists()]


def test_a_disk_that_is_full_for_one_side_leaves_both_as_they_were(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [write("a", "one\n"), write("b", "two\n")]
    outputs = [Path(write(name, "old\n")) for name in ("c", "d")]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    waits = iter(range(9))
    fsync = os.fsync

    def fail_second(file: int) -> None:
        if next(waits) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", fail_second)
    with pytest.raises(OutputError, match="No space left"):
        clean_files(files, outputs)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    clean_files(files, outputs)
    assert [path.read_text() for path in outputs] == ["one\n", "two\n"]


def test_an_input_is_never_written_over(write: Write, tmp_path: Path) -> None:
    source, target = write("a", "one\n"), write("b", "two\n")
    valid = [write("v", "three\n"), write("w", "four\n")]
    (tmp_path / "link").symlink_to(source)
    for outputs in (["a", "c"], ["c", "link"], ["c", "c"], ["v", "c"]):
        with pytest.raises(UsageError, match="is read or written already"):
            clean_files([source, target], [tmp_path / name for name in outputs], valid=valid)
    with pytest.raises(UsageError, match="files to write: 1, but sides of the text: 2"):
        clean_files([source, target], [tmp_path / "c"])
    with pytest.raises(UsageError, match="standard input cannot be read twice"):
        clean_files(["-"], [tmp_path / "c"])


def test_a_file_that_is_empty_or_cannot_be_read_is_an_error(write: Write, tmp_path: Path) -> None:
    empty, full = write("e", ""), write("f", "a\n")
    with pytest.raises(DataError, match="is empty"):
        check_files([empty])
    with pytest.raises(DataError, match="is empty"):
        check_files([full, empty])
    with pytest.raises(DataError, match="cannot read"):
        check_files([str(tmp_path / "missing")])
    half = tmp_path / "half.gz"
    half.write_bytes(gzip.compress(b"a\n" * 1000)[:-10])
    with pytest.raises(DataError, match=r"half\.gz is a broken gzip file"):
        check_files([str(half)])


def test_labels_are_not_counted_as_tokens(write: Write) -> None:
    tokenizers: dict[str, Tokenizer] = {
        "source": train_tokenizer(["a b"], TokenizerConfig(kind="words")),
        "target": LabelTokenizer.learn(["A", "B"]),
    }
    files = [write("a", "a b\n"), write("b", "A B\n")]
    findings = check_files(files, tokenizers=tokenizers).findings
    assert [each.file for each in findings if each.rule == "unknown_tokens"] == files[:1]


def test_unknown_tokens_of_much_text_are_those_of_lines_at_even_distances(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seqcli.api.check.MOST_LINES_SAMPLED", 4)
    tokenizer = train_tokenizer(["b"], TokenizerConfig(kind="words", byte_fallback=False))
    lines = ["b", "a", "b", "a a", "b"]
    (finding,) = (
        each
        for each in check_text((lines,), tokenizers={"shared": tokenizer}).findings
        if each.rule == "unknown_tokens"
    )
    assert (finding.count, finding.total) == (0, 3)  # of the first, third and fifth line
    assert "in one line of 2: 0 of 3" in str(finding)
