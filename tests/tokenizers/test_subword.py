"""Sentencepiece as it is used here: its settings, its files, its silence."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from seqcli.errors import ModelError
from seqcli.tokenizers import TokenizerConfig, load_tokenizer, train_tokenizer
from seqcli.tokenizers.model_file import read_training
from seqcli.tokenizers.subword import TRAINING_THREADS, automatic_size

TEXT = [
    f"{subject} {verb} {place}"
    for subject in ("der Mann", "die Frau", "das Kind", "ein Hund", "eine Katze")
    for verb in ("läuft", "geht", "schläft", "wartet")
    for place in ("im Park", "im Haus", "auf der Straße", "am Meer")
] * 5
OUR_IDS = {"pad_id": 0, "bos_id": 1, "eos_id": 2, "unk_id": 3}


def foreign_model(**settings: object) -> bytes:
    """A model that another program has trained with sentencepiece."""
    model = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT),
        model_writer=model,
        minloglevel=3,
        **{"vocab_size": 60, "hard_vocab_limit": False, **settings},
    )
    return model.getvalue()


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        (OUR_IDS, "changes the text"),
        ({"normalization_rule_name": "identity"}, "changes the text"),
        (
            {
                "normalization_rule_name": "identity",
                "add_dummy_prefix": False,
                "remove_extra_whitespaces": False,
            },
            "first pieces",
        ),
        (
            {
                **OUR_IDS,
                "normalization_rule_name": "identity",
                "add_dummy_prefix": False,
                "remove_extra_whitespaces": False,
                "model_type": "char",
            },
            "neither",
        ),
    ],
)
def test_a_model_that_is_not_ours_is_refused(
    settings: dict[str, object], fault: str, tmp_path: Path
) -> None:
    path = tmp_path / "foreign.model"
    path.write_bytes(foreign_model(**settings))
    with pytest.raises(ModelError, match=fault):
        load_tokenizer(path)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_the_file_tells_its_kind_and_symbols(kind: str, tmp_path: Path) -> None:
    symbols = ("<sep>", "a,b", "é")
    config = TokenizerConfig(kind=kind, user_symbols=symbols)
    path = train_tokenizer(TEXT, config).save(tmp_path, "joint")
    assert read_training(path.read_bytes()) == (kind, symbols)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_ids_are_those_of_sentencepiece_for_the_line_after_a_space(
    kind: str, tmp_path: Path
) -> None:
    tokenizer = train_tokenizer(TEXT, TokenizerConfig(kind=kind))
    path = tokenizer.save(tmp_path, "joint")
    processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    for line in (*TEXT[:20], "ein  Haus ", "漢字"):
        assert tokenizer.encode(line) == processor.encode(" " + line)
        assert processor.decode(tokenizer.encode(line)).removeprefix(" ") == line


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_characters_of_a_line_that_sentencepiece_would_drop_are_learned(kind: str) -> None:
    long = "ж" * 6000 + " \u2585 \u2581 щ"  # longer than its limit, with its reserved characters
    tokenizer = train_tokenizer([*TEXT, long], TokenizerConfig(kind=kind))
    assert "ж" in tokenizer.vocabulary
    assert "щ" in tokenizer.vocabulary


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_nothing_is_said_on_standard_error(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    tokenizer = train_tokenizer(TEXT, TokenizerConfig(kind=kind))
    tokenizer.encode(TEXT[0])
    assert capfd.readouterr() == ("", "")


def test_lower_coverage_leaves_rare_characters_to_the_bytes() -> None:
    text = [*TEXT * 5, "漢"]
    assert "漢" in train_tokenizer(text, TokenizerConfig()).vocabulary
    config = TokenizerConfig(character_coverage=0.999)
    assert "漢" not in train_tokenizer(text, config).vocabulary


def test_the_automatic_size_grows_with_the_text() -> None:
    characters_a_pair = 2 * 65
    sizes = [automatic_size(pairs * characters_a_pair) for pairs in (500, 3000, 30_000, 300_000)]
    assert sizes == [1000, 2000, 4000, 8000]
    assert automatic_size(10**10) > 8000


def test_more_characters_than_the_automatic_size_all_get_a_piece() -> None:
    characters = [chr(code) for code in range(0x4E00, 0x4E00 + 1500)]
    tokenizer = train_tokenizer(["".join(characters)], TokenizerConfig())
    assert all(character in tokenizer.vocabulary for character in characters)


@pytest.mark.parametrize("kind", ["unigram", "bpe"])
def test_no_more_threads_are_used_than_are_asked_for(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[int] = []
    trainer, processor = sentencepiece.SentencePieceTrainer, sentencepiece.SentencePieceProcessor

    def noted(call: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: Any, num_threads: int, **settings: Any) -> Any:
            used.append(num_threads)
            return call(*arguments, num_threads=num_threads, **settings)

        return noting

    monkeypatch.setattr(trainer, "train", staticmethod(noted(trainer.train)))
    monkeypatch.setattr(processor, "encode", noted(processor.encode))
    monkeypatch.setattr("seqcli.tokenizers.subword.SEGMENTS_OF_A_THREAD", 1)
    config = TokenizerConfig(kind=kind)
    free = train_tokenizer(TEXT, config)
    assert used[0] == TRAINING_THREADS
    used.clear()
    bound = train_tokenizer(TEXT, config, threads=1)
    loaded = load_tokenizer(bound.save(tmp_path, "bound"), threads=1)
    ids = bound.encode_batch(TEXT)
    assert loaded.encode_batch(TEXT) == ids
    assert set(used) == {1}
    assert bound.vocabulary.pieces == free.vocabulary.pieces
    assert free.encode_batch(TEXT) == ids
