"""Going on with lines: what is drawn follows the model, whatever else is in the batch."""

import itertools
import math
from collections import Counter
from typing import Any

import pytest
import torch

from seqcli.architectures.language_model import LanguageModel
from seqcli.decoding.language_model_generator import TextGenerator
from seqcli.nn.cells import CELLS
from seqcli.text.generation import GenerationConfig
from seqcli.tokenizers import BOS, EOS, PAD, UNK, Tokenizer
from seqcli.translator import Hypothesis
from tests.decoding.language_models import LINES, next_log_probabilities, tiny_model, words

BEGINNINGS = ["a dog", "", "two dogs run and a", "a", "", "a man reads", "a woman"]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return words()


def generator(
    model: LanguageModel, tokenizer: Tokenizer, *, seed: int = 1, **settings: Any
) -> TextGenerator:
    config = GenerationConfig(**{"max_tokens": 12, **settings})
    return TextGenerator(model, config, tokenizer=tokenizer, seed=seed)


def continuations(model: LanguageModel, tokenizer: Tokenizer, **settings: Any) -> list[Hypothesis]:
    found = generator(model, tokenizer, **settings).translate(BEGINNINGS)
    return [translation.hypotheses[0] for translation in found]


@pytest.mark.parametrize("cell", CELLS)
def test_greedy_takes_the_most_probable_token_each_time(cell: str, tokenizer: Tokenizer) -> None:
    model = tiny_model(len(tokenizer.vocabulary), decoder={"cell": cell, "layers": 2}).double()
    found = generator(model, tokenizer, top_k=1).translate(BEGINNINGS)
    for line, translation in zip(BEGINNINGS, found, strict=True):
        ids = tokenizer.encode(line)
        written: list[int] = []
        total = 0.0
        while len(written) < 12 and written[-1:] != [EOS]:
            log_probability_V = next_log_probabilities(model, [*ids, *written])
            log_probability_V[[PAD, BOS]] = -torch.inf
            written.append(int(log_probability_V.argmax()))
            total += float(log_probability_V[written[-1]])
        best = translation.hypotheses[0]
        assert best.is_complete is (written[-1] == EOS)
        written = [token for token in written if token != EOS]
        assert list(best.tokens) == tokenizer.vocabulary.pieces_of(written)
        assert best.log_probability == pytest.approx(total, abs=1e-9)
        assert best.text == tokenizer.decode([*ids, *written])
        assert best.text.startswith(line)


def test_lines_are_written_as_often_as_the_model_finds_them_probable(tokenizer: Tokenizer) -> None:
    """Every line of up to two words and its probability, against 4,000 draws."""
    model = tiny_model(len(tokenizer.vocabulary), end_bias=2.0, scale=1.0).double()
    drawn = Counter(
        translation.hypotheses[0].tokens + ("</s>",) * translation.hypotheses[0].is_complete
        for translation in generator(model, tokenizer, max_tokens=2).translate([""] * 4000)
    )
    first_V = next_log_probabilities(model, []).exp()
    possible = [token for token in range(len(first_V)) if token not in (PAD, BOS)]
    first_V /= first_V[possible].sum()
    expected = {("</s>",): float(first_V[EOS])}
    for token in set(possible) - {EOS}:
        second_V = next_log_probabilities(model, [token]).exp()
        second_V /= second_V[possible].sum()
        for following in possible:
            pieces = tokenizer.vocabulary.pieces_of([token, following])
            expected[tuple(pieces)] = float(first_V[token] * second_V[following])
    assert sum(expected.values()) == pytest.approx(1)
    chi_square = sum(
        (drawn[pieces] - 4000 * probability) ** 2 / (4000 * probability)
        for pieces, probability in expected.items()
    )
    freedom = len(expected) - 1
    assert chi_square < freedom + 4 * math.sqrt(2 * freedom)
    assert drawn.keys() <= expected.keys()


@pytest.mark.parametrize(
    "settings", [{}, {"top_k": 3}, {"top_p": 0.8, "temperature": 1.5}], ids=str
)
def test_the_same_seed_gives_the_same_lines_in_batches_of_any_size(
    settings: dict[str, Any], tokenizer: Tokenizer
) -> None:
    model = tiny_model(len(tokenizer.vocabulary), decoder={"layers": 2}).double()
    together = continuations(model, tokenizer, **settings)
    for size in (1, 2, 3):
        found = continuations(model, tokenizer, batch_sentences=size, **settings)
        assert [each.text for each in found] == [each.text for each in together]
        for one, other in zip(found, together, strict=True):
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-9)
    groups = [BEGINNINGS[:1], BEGINNINGS[1:4], BEGINNINGS[4:]]
    arrived = generator(model, tokenizer, **settings).generate(groups)
    assert [each.text for each in arrived] == [each.text for each in together]


def test_another_seed_and_another_line_give_other_draws(tokenizer: Tokenizer) -> None:
    model = tiny_model(len(tokenizer.vocabulary))
    lines = [
        translation.text
        for seed in range(5)
        for translation in generator(model, tokenizer, seed=seed).translate([""] * 5)
    ]
    assert len(set(lines)) > 15


def test_the_log_probability_is_that_of_the_model_without_temperature_or_cuts(
    tokenizer: Tokenizer,
) -> None:
    model = tiny_model(len(tokenizer.vocabulary))
    found = continuations(model, tokenizer, temperature=2.0, top_k=5)
    for line, continuation in zip(BEGINNINGS, found, strict=True):
        ids = tokenizer.encode(line)
        total = 0.0
        ending = [EOS] if continuation.is_complete else []
        for token in [*map(tokenizer.vocabulary.id, continuation.tokens), *ending]:
            total += float(next_log_probabilities(model, ids)[token])
            ids = [*ids, token]
        assert continuation.log_probability == pytest.approx(total, abs=1e-4)
        assert continuation.score == continuation.log_probability


def test_what_has_not_ended_in_time_is_cut_off_and_says_so(tokenizer: Tokenizer) -> None:
    for longest in (1, 3):
        endless = tiny_model(len(tokenizer.vocabulary), end_bias=-1e9)
        for continuation in continuations(endless, tokenizer, max_tokens=longest):
            assert not continuation.is_complete
            assert len(continuation.tokens) == longest
    silent = tiny_model(len(tokenizer.vocabulary), end_bias=1e9)
    for line, continuation in zip(BEGINNINGS, continuations(silent, tokenizer), strict=True):
        assert continuation == Hypothesis(line, continuation.score, continuation.score)
        assert continuation.log_probability == pytest.approx(0)


def test_no_mark_is_ever_drawn_but_the_unknown_where_nothing_is_spelled_in_bytes() -> None:
    for byte_fallback in (False, True):
        tokenizer = words(byte_fallback=byte_fallback)
        model = tiny_model(len(tokenizer.vocabulary), end_bias=-1e9)
        with torch.no_grad():
            model.output_bias[[PAD, BOS, UNK]] += 1e3
        drawn = {piece for each in continuations(model, tokenizer) for piece in each.tokens}
        if byte_fallback:
            assert not drawn & {"<pad>", "<s>", "<unk>"}
        else:
            assert drawn == {"<unk>"}


def test_a_beginning_is_kept_as_it_is_also_where_the_tokenizer_does_not_know_it() -> None:
    tokenizer = words()
    model = tiny_model(len(tokenizer.vocabulary))
    for line in ("a  zebra", " a dog ", "\u2028", "LLM"):
        (translation,) = generator(model, tokenizer).translate([line])
        assert translation.source == line
        assert translation.text.startswith(line)


def test_lines_come_as_they_are_asked_for(tokenizer: Tokenizer) -> None:
    model = tiny_model(len(tokenizer.vocabulary))
    endless = generator(model, tokenizer).generate([line] for line in itertools.cycle(LINES))
    taken = list(itertools.islice(endless, 7))
    assert [translation.source for translation in taken] == [*LINES, *LINES[:2]]
    assert not list(generator(model, tokenizer).translate([]))
