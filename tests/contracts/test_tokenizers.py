"""What holds for every tokenizer of the table."""

import itertools
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seqcli.errors import ConfigError, DataError, ModelError, OutputError
from seqcli.tokenizers import TOKENIZERS, Tokenizer, TokenizerConfig, load_tokenizer
from seqcli.tokenizers import train_tokenizer as train
from seqcli.tokenizers.base import KINDS
from seqcli.tokenizers.vocabulary import BOS, EOS, PAD, SPECIAL_PIECES, UNK

TEXT = [
    f"{subject} {verb} {place}{mark}"
    for subject in ("der Mann", "die Frau", "das Kind", "ein Hund", "Müllers Katze")
    for verb in ("läuft", "geht", "schläft", "wartet", "spielte", "lachte")
    for place in ("im Park", "nach Hause", "auf der Straße", "am 24.12.", "vor dem Haus")
    for mark in (".", "!", "", " ...")
]
HARD_LINES = [
    "",
    " ",
    "   ",
    " vorn und hinten ",
    "zwei  Leerzeichen   drei",
    "\t",
    "a\tb\t",
    "\xa0fest\xa0\xa0",
    "\u2581",
    "\u2581\u2581a \u2581 b\u2581",
    "\u2585",
    "<unk>",
    "<s> </s> <pad>",
    "<0x41>",
    "<0x0A><0x41",
    "\u0301",
    "e\u0301 \u0301\u0301",
    "नमस्ते",
    "👩‍👩‍👧‍👦 🇩🇪",
    "\ufffd\ufeff\u2028\x85\x0b",
    "\r",
    "a\0b",
    "漢字かな交じり文",
]
ODD_CHARACTERS = " \u2581\u2585\t\r\0\xa0\u0301\u200d<>x0sunkDerM"
lines_of_any_text = st.text(
    st.characters(exclude_characters="\n", exclude_categories=["Cs"])
    | st.sampled_from(ODD_CHARACTERS)
)

every_kind = pytest.mark.parametrize("kind", TOKENIZERS)


@cache
def trained(kind: str) -> Tokenizer:
    return train(TEXT, TokenizerConfig(kind=kind))


def test_the_settings_name_every_kind_of_the_table() -> None:
    assert set(KINDS) == set(TOKENIZERS)


@every_kind
@pytest.mark.parametrize("line", [*TEXT[:3], *HARD_LINES])
def test_ids_and_pieces_give_back_the_line(kind: str, line: str) -> None:
    tokenizer = trained(kind)
    assert tokenizer.decode(tokenizer.encode(line)) == line
    assert tokenizer.from_pieces(tokenizer.to_pieces(line)) == line


@every_kind
@settings(max_examples=150)
@given(line=lines_of_any_text)
@example(line="\u2581 \u2581")
def test_ids_pieces_and_samples_give_back_any_line(kind: str, line: str) -> None:
    tokenizer = trained(kind)
    assert tokenizer.decode(tokenizer.encode(line)) == line
    (sampled,) = tokenizer.sample_batch([line], alpha=0.4, seed=len(line))
    assert tokenizer.decode(sampled) == line
    written = " ".join(tokenizer.to_pieces(line))
    assert "\n" not in written
    assert "\r" not in written
    assert tokenizer.from_pieces(written.split(" ")) == line


@every_kind
def test_a_line_of_100_000_characters_is_encoded_and_sampled(kind: str) -> None:
    tokenizer = trained(kind)
    for line in ("der Mann \u2581" * 10_000, "laufen" * 16_667):
        (sampled,) = tokenizer.sample_batch([line], alpha=0.1, seed=1)
        assert tokenizer.decode(tokenizer.encode(line)) == line
        assert tokenizer.decode(sampled) == line


@every_kind
def test_special_pieces_come_first_and_never_in_the_ids_of_a_line(kind: str) -> None:
    tokenizer = trained(kind)
    assert tokenizer.vocabulary.pieces[:4] == SPECIAL_PIECES
    seen = set(itertools.chain(*tokenizer.encode_batch(TEXT + HARD_LINES)))
    assert not seen & {PAD, BOS, EOS, UNK}


@every_kind
def test_decoding_ignores_padding_and_the_marks_of_a_sentence(kind: str) -> None:
    tokenizer = trained(kind)
    ids = tokenizer.encode(TEXT[0])
    assert tokenizer.decode([BOS, *ids, EOS, PAD, PAD]) == TEXT[0]


@every_kind
def test_a_decoded_line_stays_one_line(kind: str) -> None:
    tokenizer = trained(kind)
    newline = tokenizer.vocabulary.id("<0x0A>")
    ids = tokenizer.encode("Haus")
    assert tokenizer.decode([*ids, newline, newline]) == "Haus  "


@every_kind
def test_half_a_character_decodes_to_the_replacement_character(kind: str) -> None:
    tokenizer = trained(kind)
    ids = tokenizer.encode("x\U0001f600")
    assert tokenizer.decode(ids[:-1]) == "x\ufffd"


@every_kind
def test_a_batch_encodes_as_its_lines_do_alone(kind: str) -> None:
    tokenizer = trained(kind)
    lines = [*TEXT[:20], *HARD_LINES]
    assert tokenizer.encode_batch(lines) == [tokenizer.encode(line) for line in lines]


@every_kind
def test_a_saved_tokenizer_loads_as_an_equal_one(kind: str, tmp_path: Path) -> None:
    config = TokenizerConfig(kind=kind, user_symbols=("<sep>",))
    tokenizer = train(TEXT, config)
    loaded = load_tokenizer(tokenizer.save(tmp_path, "joint"))
    assert [path.name for path in tmp_path.iterdir()] == [f"joint{tokenizer.suffix}"]
    assert loaded.vocabulary.pieces == tokenizer.vocabulary.pieces
    assert loaded.vocabulary.fingerprint() == tokenizer.vocabulary.fingerprint()
    lines = ["a<sep>b der <sep>", *TEXT, *HARD_LINES]
    assert loaded.encode_batch(lines) == tokenizer.encode_batch(lines)
    samples = [t.sample_batch(lines, alpha=0.3, seed=1) for t in (loaded, tokenizer)]
    assert samples[0] == samples[1]


@every_kind
def test_training_twice_gives_the_same_tokenizer(kind: str, tmp_path: Path) -> None:
    config = TokenizerConfig(kind=kind)
    paths = [train(iter(TEXT), config).save(tmp_path, stem) for stem in ("first", "second")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


@every_kind
def test_a_sample_depends_on_its_arguments_only(kind: str) -> None:
    tokenizer = trained(kind)
    first = tokenizer.sample_batch(TEXT, alpha=0.2, seed=7)
    tokenizer.sample_batch(TEXT[:10], alpha=0.5, seed=8)
    assert tokenizer.sample_batch(TEXT, alpha=0.2, seed=7) == first


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_another_seed_gives_another_sample(kind: str) -> None:
    tokenizer = trained(kind)
    samples = [tokenizer.sample_batch(TEXT, alpha=0.2, seed=seed) for seed in (7, 8)]
    assert samples[0] != samples[1]


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_a_sample_is_the_same_in_another_process(kind: str, tmp_path: Path) -> None:
    path = trained(kind).save(tmp_path, "joint")
    program = (
        "import sys, pathlib\n"
        "from seqcli.tokenizers import load_tokenizer\n"
        "tokenizer = load_tokenizer(pathlib.Path(sys.argv[1]))\n"
        "print(tokenizer.sample_batch(sys.argv[2:], alpha=0.3, seed=5))\n"
    )
    lines = TEXT[:30]
    command = [sys.executable, "-c", program, str(path), *lines]
    root = Path(__file__).parents[2]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    assert printed.strip() == str(trained(kind).sample_batch(lines, alpha=0.3, seed=5))


@every_kind
def test_a_user_symbol_is_always_one_piece(kind: str) -> None:
    symbols = ("<sep>", "<separate>", "@")
    tokenizer = train(TEXT, TokenizerConfig(kind=kind, user_symbols=symbols))
    line = "der<sep>Mann @ <separate>im@Park"
    wanted = ["<sep>", "@", "<separate>", "@"]
    (sampled,) = tokenizer.sample_batch([line], alpha=0.5, seed=1)
    for ids in (tokenizer.encode(line), sampled):
        pieces = tokenizer.vocabulary.pieces_of(ids)
        assert [piece for piece in pieces if piece in symbols] == wanted
        assert tokenizer.from_pieces(pieces) == line


@every_kind
def test_without_byte_fallback_the_unknown_is_unk(kind: str) -> None:
    tokenizer = train(TEXT, TokenizerConfig(kind=kind, byte_fallback=False))
    assert not tokenizer.vocabulary.has_bytes
    assert len(tokenizer.vocabulary) < len(trained(kind).vocabulary)
    assert UNK in tokenizer.encode("漢")
    assert "<unk>" in tokenizer.decode(tokenizer.encode("漢"))
    assert tokenizer.decode(tokenizer.encode(TEXT[5])) == TEXT[5]


@every_kind
def test_a_vocabulary_size_is_kept_exactly(kind: str) -> None:
    size = len(train(TEXT, TokenizerConfig(kind=kind)).vocabulary) - 2
    assert len(train(TEXT, TokenizerConfig(kind=kind, vocabulary_size=size)).vocabulary) == size


@every_kind
@pytest.mark.parametrize(("size", "fault"), [(100_000, "large"), (20, "small")])
def test_an_impossible_vocabulary_size_is_refused_and_the_nearest_named(
    kind: str, size: int, fault: str
) -> None:
    with pytest.raises(ConfigError, match=f"{size} is too {fault}") as caught:
        train(TEXT, TokenizerConfig(kind=kind, vocabulary_size=size))
    possible = int(caught.value.what.split(", ")[1].split()[0])
    config = TokenizerConfig(kind=kind, vocabulary_size=possible)
    assert len(train(TEXT, config).vocabulary) == possible


@every_kind
def test_text_that_is_empty_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match="no text"):
        train(["", ""], TokenizerConfig(kind=kind))


@every_kind
@pytest.mark.parametrize("line", ["\u2581", " ", "x" * 5000 + "\u3042" * 3000, "\0\0"])
def test_odd_text_can_be_learned_from(kind: str, line: str) -> None:
    tokenizer = train([line], TokenizerConfig(kind=kind))
    assert tokenizer.decode(tokenizer.encode(line)) == line


@every_kind
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x00\x01\x02", b'{"kind": "words"}', b"[]"])
def test_a_broken_or_foreign_file_is_an_error(kind: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"tokenizer{TOKENIZERS[kind].suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not a tokenizer"):
        load_tokenizer(path)


@every_kind
def test_a_truncated_file_is_an_error(kind: str, tmp_path: Path) -> None:
    path = trained(kind).save(tmp_path, "tokenizer")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ModelError, match="is not a tokenizer"):
        load_tokenizer(path)


@every_kind
def test_a_missing_file_is_an_error(kind: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read"):
        load_tokenizer(tmp_path / f"none{TOKENIZERS[kind].suffix}")


@every_kind
def test_a_folder_that_is_missing_is_an_error(kind: str, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        trained(kind).save(tmp_path / "none", "tokenizer")
