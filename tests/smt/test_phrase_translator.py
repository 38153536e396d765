import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.errors import ConfigError
from seqcli.smt.features import FEATURES, start_weights
from seqcli.smt.phrase_translator import (
    PhraseDecodingConfig,
    PhraseModel,
    PhraseTranslator,
    cut,
)
from seqcli.tokenizers.vocabulary import EOS, SPECIAL_PIECES, UNK, Vocabulary
from tests.smt.toy_phrases import make_toy

WORDS = ["a", "b", "c", "d", "x"]  # the source has no phrase for x, the target has the word


class Spaces:
    """Words as they stand between spaces."""

    def split(self, line: str) -> list[str]:
        return line.split()

    def join(self, tokens: Sequence[str]) -> str:
        return " ".join(tokens)


def make_translator(
    *,
    num_best: int = 1,
    threads: int = 1,
    copy_word: Callable[[str], str] = str,
    **config: object,
) -> PhraseTranslator:
    toy = make_toy(21)
    source, target = (
        Vocabulary([*SPECIAL_PIECES, *words]) for words in (WORDS, ["A", "B", "C", "D", "x"])
    )
    return PhraseTranslator(
        PhraseModel(source, target, toy.table, toy.model, start_weights(), toy.classes),
        PhraseDecodingConfig(**config),
        source_words=Spaces(),
        target_words=Spaces(),
        num_best=num_best,
        threads=threads,
        copy_word=copy_word,
    )


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(st.sampled_from([*WORDS, "?", "</s>"]), max_size=9), max_size=4))
def test_each_line_in_gives_one_line_out_in_order(token_lines: list[list[str]]) -> None:
    lines = [" ".join(tokens) for tokens in token_lines]
    translator = make_translator(num_best=3)
    found = list(translator.translate(lines))
    assert [translation.source for translation in found] == lines
    assert found == [translation for line in lines for translation in translator.translate([line])]
    for line, translation in zip(lines, found, strict=True):
        assert bool(translation.text) == bool(line)
        texts = [hypothesis.text for hypothesis in translation.hypotheses]
        scores = [hypothesis.score for hypothesis in translation.hypotheses]
        assert len(set(texts)) == len(texts)
        assert scores == sorted(scores, reverse=True)


def test_lines_are_read_as_they_are_needed() -> None:
    def endless() -> Iterator[str]:
        while True:
            yield "a b"

    assert next(make_translator().translate(endless())).source == "a b"


def test_threads_do_not_change_the_result() -> None:
    random = np.random.default_rng(4)
    lines = [" ".join(random.choice(WORDS, random.integers(0, 15))) for _ in range(30)]
    alone = make_translator(num_best=4).translate_group(lines)
    assert make_translator(num_best=4, threads=3).translate_group(lines) == alone


def test_unknown_words_are_copied_as_they_are() -> None:
    found = make_translator().translate_group(["x Grüße </s> <unk>"])[0]
    assert sorted(found.hypotheses[0].tokens) == sorted(["x", "Grüße", "</s>", "<unk>"])


def test_unknown_words_can_be_looked_up() -> None:
    found = make_translator(copy_word={"?": "x", "Katze": "cat"}.get).translate_group(["? Katze"])
    best = found[0].hypotheses[0]
    assert sorted(best.tokens) == ["cat", "x"]
    score, state = 0.0, (model := make_toy(21).model).begin_state
    for word in best.tokens:
        log_probability, state = model.next_word(state, {"x": UNK + 5, "cat": UNK}[word])
        score += log_probability
    expected = score + model.next_word(state, EOS)[0]
    assert best.log_probability == pytest.approx(expected)  # as the words that they have become


def test_a_score_is_the_weighted_sum_of_the_features() -> None:
    for hypothesis in make_translator(num_best=5).translate_group(["a b ? c"])[0].hypotheses:
        features = dict(hypothesis.features)
        assert list(features) == list(FEATURES)
        weights = start_weights()
        total = sum(weights[index] * features[name] for index, name in enumerate(FEATURES))
        assert hypothesis.score == pytest.approx(total)
        assert hypothesis.log_probability == features["language_model"]
        assert features["word_penalty"] == len(hypothesis.tokens)


def test_lists_for_tuning_are_the_hypotheses_of_a_translation() -> None:
    lines = ["a b ? c", "", "a b c d " * 3]
    translator = make_translator(num_best=5, max_source_length=8)
    lists = translator.nbest([line.split() for line in lines], start_weights(), 5)
    for nbest, translation in zip(lists, translator.translate_group(lines), strict=True):
        found = [hypothesis for hypothesis in translation.hypotheses if hypothesis.tokens]
        assert [hypothesis.tokens for hypothesis in found] == list(nbest.outputs)
        expected = [[value for _, value in hypothesis.features] for hypothesis in found]
        np.testing.assert_array_equal(nbest.features, np.reshape(expected, (-1, len(FEATURES))))


def test_a_derivation_tells_how_the_best_translation_came_about() -> None:
    line = "a b ? c d a x"
    translator = make_translator(max_source_length=5)
    derivation, best = translator.derive(line), translator.translate_group([line])[0].hypotheses[0]
    assert derivation.text == best.text
    assert derivation.features == pytest.approx(dict(best.features))
    assert derivation.score == pytest.approx(best.score)
    words = [word for step in derivation.steps for word in step.source]
    assert sorted(words) == sorted(line.split())
    for step in derivation.steps:
        assert step.source == derivation.source_tokens[step.begin : step.end]
        assert step.is_copied == (step.source in {("?",), ("x",)})
    for name in FEATURES:
        of_steps = sum(step.features[name] for step in derivation.steps)
        ends = ("language_model", "class_language_model")
        assert name in ends or of_steps == pytest.approx(derivation.features[name])
    assert make_translator().derive(" ").steps == ()


def test_long_lines_are_cut_and_translated_in_parts() -> None:
    found = make_translator(num_best=2).translate_group(["a b c d " * 100])[0]
    assert found.num_parts == 4
    assert len(found.source_tokens) == 400
    assert len(found.hypotheses) == 2


def test_a_line_is_cut_after_punctuation_or_where_it_must_be() -> None:
    assert cut([], 4) == []
    assert cut(["w"] * 4, 4) == [(0, 4)]
    assert cut(["w"] * 9, 4) == [(0, 4), (4, 8), (8, 9)]
    assert cut(["w", "w", ",", "w", "w", "w"], 4) == [(0, 3), (3, 6)]
    assert cut([",", "w", "w", "w", "w"], 4) == [(0, 4), (4, 5)]  # too early to cut there


def test_pieces_and_characters_are_cut_between_words() -> None:
    characters = list("\u2581a bcd efg".replace(" ", "\u2581"))
    assert cut(characters, 8) == [(0, 6), (6, 10)]
    assert cut(["\u2581a", ",", "\u2581b", "\u2581c", "d"], 4) == [(0, 3), (3, 5)]
    assert cut(["\u2581a", "b", ",", "\u2581b", "\u2581c", "d"], 5) == [(0, 3), (3, 6)]
    assert cut(["\u2581a", ".", "5", "b", "c"], 4) == [(0, 4), (4, 5)]  # no word begins there


def test_a_longest_sentence_is_searched_whole_and_in_time() -> None:
    translator = make_translator()
    translator.translate_group(["a"])
    begin = time.process_time()
    assert translator.translate_group(["a b c d " * 32])[0].num_parts == 1
    assert time.process_time() - begin < 2


@pytest.mark.parametrize(
    "config",
    [
        {"stack_size": 0},
        {"stack_size": 10**8},
        {"table_limit": 10**20},
        {"distortion_limit": -1},
        {"max_source_length": 129},
    ],
)
def test_settings_out_of_range_are_refused(config: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=f"decoding.{next(iter(config))}"):
        PhraseDecodingConfig(**config)


@pytest.mark.parametrize("threads", [1, 2])
def test_compiled_code_is_not_run_where_interrupts_arrive(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """What it returns is made by Python, and an exception there would end the process."""
    names = set()
    search = PhraseTranslator._search

    def watched(self: PhraseTranslator, *arguments: Any) -> Any:
        names.add(threading.current_thread() is threading.main_thread())
        return search(self, *arguments)

    monkeypatch.setattr(PhraseTranslator, "_search", watched)
    translator = make_translator(threads=threads)
    translator.translate_group(["a b"])
    translator.derive("a b")
    translator.nbest([["a"]], start_weights(), 2)
    assert names == {False}
