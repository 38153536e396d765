"""How probable lines are: by whole lines, by steps, in batches and in parts."""

import itertools
import math

import pytest
import torch

from seqcli.decoding import language_model_scorer
from seqcli.decoding.language_model_scorer import TextScorer
from seqcli.nn.cells import CELLS
from seqcli.nn.stacks import STACKS
from seqcli.text.line_scores import LineScore, TextScore
from seqcli.tokenizers import EOS, Tokenizer
from tests.decoding.language_models import LINES, next_log_probabilities, tiny_model, words


@pytest.fixture
def tokenizer() -> Tokenizer:
    return words()


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_score_of_a_line_is_the_sum_over_its_steps(
    cell: str, stack: str, tokenizer: Tokenizer
) -> None:
    decoder = {"cell": cell, "stack": stack, "layers": 2}
    model = tiny_model(len(tokenizer.vocabulary), decoder=decoder, scale=1).double()
    for line, score in zip(LINES, TextScorer(model, tokenizer).score(LINES), strict=True):
        ids = [*tokenizer.encode(line), EOS]
        nats = [
            -float(next_log_probabilities(model, ids[:place])[token])
            for place, token in enumerate(ids)
        ]
        assert score.text == line
        assert score.tokens == (*tokenizer.to_pieces(line), "</s>")
        assert score.nats == pytest.approx(nats, abs=1e-9)
        assert score.log_probability == pytest.approx(-sum(nats), abs=1e-9)
        assert score.perplexity == pytest.approx(math.exp(sum(nats) / len(ids)))


def test_an_empty_line_is_an_end_of_sentence_alone(tokenizer: Tokenizer) -> None:
    model = tiny_model(len(tokenizer.vocabulary))
    (score,) = TextScorer(model, tokenizer).score([""])
    assert score.tokens == ("</s>",)
    expected = float(next_log_probabilities(model, [])[EOS])
    assert score.log_probability == pytest.approx(expected, abs=1e-5)


def test_the_probabilities_of_all_ways_to_go_on_sum_to_one(tokenizer: Tokenizer) -> None:
    """Every line of up to two tokens, and every beginning of three."""
    model = tiny_model(len(tokenizer.vocabulary))
    others = [token for token in range(len(tokenizer.vocabulary)) if token != EOS]
    scorer = TextScorer(model, tokenizer)
    total = 0.0
    for length in range(3):
        for ids in itertools.product(others[4:8], repeat=length):  # those that are words
            (score,) = scorer.score([tokenizer.decode(ids)])
            assert score.tokens[:-1] == tuple(tokenizer.vocabulary.pieces_of(ids))
            total += math.exp(score.log_probability)
            rest_V = next_log_probabilities(model, list(ids)).exp()
            if length == 2:
                total += math.exp(-sum(score.nats[:-1])) * float(1 - rest_V[EOS])
            else:
                left_out = [token for token in others if token not in others[4:8]]
                total += math.exp(-sum(score.nats[:-1])) * float(rest_V[left_out].sum())
    assert total == pytest.approx(1, abs=1e-5)


def test_neighbours_and_parts_leave_a_score_alone(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(len(tokenizer.vocabulary), decoder={"layers": 2}).double()
    long = " ".join(LINES * 9)
    lines = [*LINES, long, *LINES[::-1], long[:100]]
    together = list(TextScorer(model, tokenizer).score(lines))
    for budget in (1, 7, 40):  # a part of a line, a line, a few
        monkeypatch.setattr(language_model_scorer, "TOKENS_AT_A_TIME", budget)
        for one, other in zip(TextScorer(model, tokenizer).score(lines), together, strict=True):
            assert one.text == other.text
            assert one.nats == pytest.approx(other.nats, abs=1e-9)


def test_the_score_of_a_text_is_the_sum_over_its_lines(tokenizer: Tokenizer) -> None:
    model = tiny_model(len(tokenizer.vocabulary))
    scores = list(TextScorer(model, tokenizer).score(LINES))
    total = TextScore()
    for score in scores:
        total = total.plus(score)
    nats = [each for score in scores for each in score.nats]
    text = "".join(f"{line}\n" for line in LINES)
    assert (total.lines, total.tokens, total.characters) == (len(LINES), len(nats), len(text))
    assert total.nats_per_token == pytest.approx(sum(nats) / len(nats))
    assert math.log(total.perplexity) == pytest.approx(total.nats_per_token)
    assert 2 ** (total.bits_per_character * len(text)) == pytest.approx(math.exp(sum(nats)))


def test_what_is_all_but_impossible_has_an_infinite_perplexity() -> None:
    score = LineScore("a", ("a", "</s>"), (2000.0, 10.0))
    assert score.perplexity == TextScore().plus(score).perplexity == math.inf


def test_lines_are_scored_as_they_are_asked_for(tokenizer: Tokenizer) -> None:
    scorer = TextScorer(tiny_model(len(tokenizer.vocabulary)), tokenizer)
    endless = scorer.score(itertools.cycle(LINES))
    assert [score.text for score in itertools.islice(endless, 7)] == [*LINES, *LINES[:2]]
    assert not list(scorer.score([]))
    assert torch.is_grad_enabled()
