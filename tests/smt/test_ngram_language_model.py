"""An n-gram model scores and writes text by its own probabilities."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from seqcli.decoding.sampling import draw as draw_rows
from seqcli.errors import ConfigError
from seqcli.smt.ngram_estimation import estimate_ngram_model
from seqcli.smt.ngram_language_model import (
    NgramGenerator,
    NgramScorer,
    draw,
    encode_lines,
    export_arpa,
    import_arpa,
)
from seqcli.smt.ngram_model import NgramModel
from seqcli.text.generation import GenerationConfig
from seqcli.tokenizers import EOS, UNK, Tokenizer, TokenizerConfig, train_tokenizer

LINES = ["a dog runs", "a dog sleeps", "two dogs run and a man reads", "a man runs", "dogs run"]


def learned(kind: str = "words", *, byte_fallback: bool = False) -> tuple[NgramModel, Tokenizer]:
    tokenizer = train_tokenizer(LINES, TokenizerConfig(kind=kind, byte_fallback=byte_fallback))
    sentences = encode_lines(tokenizer, LINES)
    return estimate_ngram_model(sentences, len(tokenizer.vocabulary), order=3), tokenizer


def test_a_line_scores_the_sum_of_its_words() -> None:
    model, tokenizer = learned()
    lines = ["a dog runs", "", "a cat", "dogs run and run"]
    for line, found in zip(lines, NgramScorer(model, tokenizer).score(lines), strict=True):
        state, wanted = model.begin_state, []
        for token in [*tokenizer.encode(line), EOS]:
            log_probability, state = model.next_word(state, token)
            wanted.append(-log_probability)
        assert found.text == line
        assert found.tokens == (*tokenizer.to_pieces(line), "</s>")
        assert found.nats == pytest.approx(wanted)


def test_a_line_scores_the_same_whatever_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer = NgramScorer(*learned())
    together = list(scorer.score(LINES))
    monkeypatch.setattr("seqcli.smt.ngram_language_model.LINES_AT_A_TIME", 2)
    assert list(scorer.score(LINES)) == together


def test_lines_are_drawn_as_often_as_they_are_probable() -> None:
    model, tokenizer = learned()
    generator = NgramGenerator(model, GenerationConfig(), tokenizer=tokenizer)
    number = 3000
    found = Counter(text.text for text in generator.translate([""] * number))
    for score in NgramScorer(model, tokenizer).score(["a dog runs", "dogs run", "a man runs"]):
        share = math.exp(score.log_probability)
        deviation = math.sqrt(share * (1 - share) / number)
        assert found[score.text] / number == pytest.approx(share, abs=4 * deviation)


def test_the_score_of_what_is_written_is_that_of_the_scorer() -> None:
    model, tokenizer = learned()
    config = GenerationConfig(temperature=2.0, top_k=5, top_p=0.9)
    generator = NgramGenerator(model, config, tokenizer=tokenizer, seed=4)
    scorer = NgramScorer(model, tokenizer)
    compared = 0
    for text in generator.translate([""] * 20):
        [hypothesis] = text.hypotheses
        [score] = scorer.score([text.text])
        if hypothesis.is_complete and score.tokens[:-1] == hypothesis.tokens:
            assert hypothesis.log_probability == pytest.approx(score.log_probability)
            compared += 1
    assert compared > 10  # others were cut off, or have pieces that their text has not


def test_what_is_written_depends_on_seed_and_place_alone() -> None:
    model, tokenizer = learned()
    beginnings = ["a", "", "two dogs", "a"]

    def write(seed: int) -> list[str]:
        generator = NgramGenerator(model, GenerationConfig(), tokenizer=tokenizer, seed=seed)
        return [text.text for text in generator.generate([beginnings[:1], beginnings[1:]])]

    generator = NgramGenerator(model, GenerationConfig(), tokenizer=tokenizer, seed=1)
    assert write(1) == [text.text for text in generator.translate(beginnings)]
    assert any(write(1) != write(seed) for seed in range(2, 6))
    assert all(map(str.startswith, write(1), beginnings))


def test_greedy_takes_the_most_probable_word_each_time() -> None:
    model, tokenizer = learned(byte_fallback=True)
    config = GenerationConfig(top_k=1, max_tokens=6)
    [text] = NgramGenerator(model, config, tokenizer=tokenizer).translate(["a"])
    state = model.begin_state
    for token in tokenizer.encode("a"):
        _, state = model.next_word(state, token)
    wanted: list[int] = []
    while len(wanted) < 6 and EOS not in wanted:
        wanted.append(int(np.argmax(model.distribution(state))))
        _, state = model.next_word(state, wanted[-1])
    ended = wanted[-1] == EOS
    assert text.hypotheses[0].is_complete == ended
    assert list(text.hypotheses[0].tokens) == tokenizer.vocabulary.pieces_of(
        wanted[:-1] if ended else wanted
    )


def test_unknown_is_never_written_where_bytes_can_be() -> None:
    model, tokenizer = learned(byte_fallback=True)
    config = GenerationConfig(temperature=50.0, max_tokens=20)
    texts = NgramGenerator(model, config, tokenizer=tokenizer).translate([""] * 30)
    assert not [text for text in texts if "<unk>" in text.hypotheses[0].tokens]


@pytest.mark.parametrize(
    "config",
    [
        GenerationConfig(),
        GenerationConfig(temperature=0.3),
        GenerationConfig(top_k=1),
        GenerationConfig(top_k=4, temperature=1.7),
        GenerationConfig(top_p=0.6),
        GenerationConfig(top_k=50, top_p=0.8),
    ],
)
def test_a_word_is_drawn_as_neural_models_draw(config: GenerationConfig) -> None:
    random = np.random.default_rng(3)
    logits = random.normal(size=(200, 12)) * 2
    uniform = random.random(200)
    uniform[:2] = 0, np.nextafter(1, 0)
    wanted = draw_rows(torch.from_numpy(logits), torch.from_numpy(uniform), config).tolist()
    assert [draw(*each, config) for each in zip(logits, uniform, strict=True)] == wanted


@pytest.mark.parametrize("kind", ["words", "characters", "whitespace"])
@pytest.mark.parametrize("byte_fallback", [False, True])
def test_a_model_comes_back_from_its_arpa_file(
    tmp_path: Path, kind: str, byte_fallback: bool
) -> None:
    model, tokenizer = learned(kind, byte_fallback=byte_fallback)
    export_arpa(model, tokenizer, tmp_path / "model.arpa")
    again = import_arpa(tmp_path / "model.arpa", kind)
    lines = ["a dog runs", "", "zwei Hunde"]
    for old, new in zip(
        NgramScorer(model, tokenizer).score(lines), NgramScorer(*again).score(lines), strict=True
    ):
        assert new.tokens == old.tokens
        assert new.nats == pytest.approx(old.nats, rel=1e-5)


def test_words_between_spaces_are_written_without_the_sign_of_a_space(tmp_path: Path) -> None:
    export_arpa(*learned("whitespace"), tmp_path / "model.arpa")
    assert "\tdogs run" in (tmp_path / "model.arpa").read_text()


@pytest.mark.parametrize(
    "line", ["a  dog runs", "a dog runs ", "  a\tdog \t runs", "a dog\truns\t"]
)
def test_any_run_of_spaces_parts_the_words_of_an_arpa_file(tmp_path: Path, line: str) -> None:
    export_arpa(*learned("whitespace"), tmp_path / "model.arpa")
    scorer = NgramScorer(*import_arpa(tmp_path / "model.arpa"))
    found, wanted = scorer.score([line, "a dog runs"])
    assert found.tokens == wanted.tokens
    assert found.nats == wanted.nats


def test_a_word_of_an_arpa_file_may_hold_a_space_that_does_not_break(tmp_path: Path) -> None:
    text = "\\data\\\nngram 1=2\n\n\\1-grams:\n-1\t</s>\n-2\t10\u00a0000\n\n\\end\\\n"
    (tmp_path / "a.arpa").write_text(text, encoding="utf-8")
    _, tokenizer = import_arpa(tmp_path / "a.arpa")
    assert tokenizer.to_pieces("10\u00a0000") == ["\u258110\u00a0000"]


def test_letters_of_an_arpa_file_can_be_pieces(tmp_path: Path) -> None:
    text = "\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t</s>\n-2\ta\n-2\tb\n\n\\end\\\n"
    (tmp_path / "a.arpa").write_text(text)
    assert import_arpa(tmp_path / "a.arpa", "characters")[1].to_pieces("ab") == ["a", "b"]
    with pytest.raises(ConfigError, match="cannot be 'words'"):
        import_arpa(tmp_path / "a.arpa", "words")


def test_what_an_arpa_file_lacks_is_unknown(tmp_path: Path) -> None:
    export_arpa(*learned("whitespace"), tmp_path / "model.arpa")
    _, tokenizer = import_arpa(tmp_path / "model.arpa")
    assert tokenizer.encode("a cat,")[1:] == [UNK]
