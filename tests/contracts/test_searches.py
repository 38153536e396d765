"""What every search of the table keeps to."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch

from seqcli.architectures.seq2seq import TIES, Seq2Seq
from seqcli.data.batch import source_tensors
from seqcli.decoding.beam import beam_search
from seqcli.decoding.greedy import greedy_search
from seqcli.decoding.neural_translator import STRATEGIES
from seqcli.decoding.search import Candidate, longest_output
from seqcli.decoding.step import ModelStepper
from seqcli.nn.attention import ATTENTIONS, NO_ATTENTION
from seqcli.nn.stacks import STACKS
from seqcli.tokenizers.vocabulary import EOS
from tests.decoding.steppers import (
    VOCABULARY,
    TableStepper,
    forced_attention,
    forced_log_probabilities,
    limit_output,
    random_sources,
    random_tables,
    shrink_batches,
    tiny_model,
)

Search = Callable[..., list[list[Candidate]]]
SEARCHES: dict[str, Search] = {
    "greedy": greedy_search,
    "beam": partial(beam_search, width=1),
    "beam of 4": partial(beam_search, width=4, num_best=3),
    "beam wider than the vocabulary": partial(beam_search, width=VOCABULARY + 5, num_best=20),
}
SOURCES = random_sources(9)

MODELS: dict[str, dict[str, Any]] = {
    "one layer": {},
    "two layers, fed": {"layers": 2, "input_feeding": True},
    "no attention": {"seed": 3, "layers": 2, "attention": "none", "bridge": "copy"},
    "GRU, state copied": {"cell": "gru", "attention": "dot", "bridge": "copy"},
    "dense layer-norm LSTM, fed": {
        "cell": "layer-norm-lstm",
        "stack": "dense",
        "layers": 2,
        "attention": "additive",
        "input_feeding": True,
    },
    "highway RNN, zero state": {
        "cell": "rnn-tanh",
        "stack": "highway",
        "layers": 2,
        "attention": "multi-head",
        "bridge": "zero",
    },
}

each_model = pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
each_search = pytest.mark.parametrize("search", SEARCHES.values(), ids=SEARCHES)


@pytest.fixture(autouse=True)
def short_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests prove as much, and take half as long."""
    limit_output(monkeypatch, margin=7)


def run(
    search: Search, model: Seq2Seq, sources: list[list[int]], **settings: float
) -> list[list[Candidate]]:
    settings = {"max_length_ratio": 1, **settings}
    with torch.inference_mode():
        return search(ModelStepper(model), *source_tensors(sources), **settings)


def written(candidate: Candidate) -> list[int]:
    """The tokens as the search wrote them, with the end of sentence if there was room for it."""
    tokens = [*candidate.tokens, EOS] if candidate.is_complete else candidate.tokens
    assert len(candidate.attention) == len(tokens)
    return tokens


def assert_same(found: list[list[Candidate]], expected: list[list[Candidate]]) -> None:
    for candidates, others in zip(found, expected, strict=True):
        assert [one.tokens for one in candidates] == [one.tokens for one in others]
        for one, other in zip(candidates, others, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
            torch.testing.assert_close(
                torch.tensor(one.attention), torch.tensor(other.attention), atol=1e-4, rtol=0
            )


def test_every_strategy_is_among_the_searches() -> None:
    assert set(STRATEGIES) <= set(SEARCHES)


@each_search
@each_model
def test_outputs_of_the_tiny_models_differ_in_length(
    search: Search, settings: dict[str, Any]
) -> None:
    found = run(search, tiny_model(**settings), SOURCES)
    lengths = {len(candidate.tokens) for candidates in found for candidate in candidates}
    assert len(lengths) >= 4  # else the tests here would prove little


@each_model
@pytest.mark.parametrize("penalty", [0.0, 0.6, 1.0, 2.0])
def test_a_beam_of_one_is_greedy_search(settings: dict[str, Any], penalty: float) -> None:
    model = tiny_model(**settings)
    how = {"length_penalty": penalty, "with_attention": True}
    assert_same(
        run(SEARCHES["beam"], model, SOURCES, **how),
        run(SEARCHES["greedy"], model, SOURCES, **how),
    )


@each_search
@pytest.mark.parametrize(
    ("settings", "penalty"), [*zip(MODELS.values(), [0.0, 0.6, 1.0, 2.0, 0.6, 1.0], strict=True)]
)
def test_scores_are_those_of_the_forward_pass_over_the_output(
    search: Search, settings: dict[str, Any], penalty: float
) -> None:
    for model in (tiny_model(**settings), tiny_model(**settings, end_bias=-20.0)):
        found = run(search, model, SOURCES[:6], length_penalty=penalty)
        for source, candidates in zip(SOURCES, found, strict=False):
            for candidate in candidates:
                tokens = written(candidate)
                forced_TV = forced_log_probabilities(model, source, tokens)
                expected = forced_TV[torch.arange(len(tokens)), tokens].sum().item()
                assert candidate.log_probability == pytest.approx(expected, abs=1e-3)
                norm = ((5 + len(tokens)) / 6) ** penalty
                assert candidate.score == pytest.approx(candidate.log_probability / norm)


@each_search
@pytest.mark.parametrize("input_feeding", [False, True])
@pytest.mark.parametrize(
    ("attention", "stack"),
    [*zip([name for name in ATTENTIONS if name != NO_ATTENTION], STACKS, strict=True)],
)
def test_attention_is_that_of_the_forward_pass_over_the_output(
    search: Search, attention: str, stack: str, input_feeding: bool
) -> None:
    model = tiny_model(attention=attention, stack=stack, layers=2, input_feeding=input_feeding)
    for source, candidates in zip(
        SOURCES, run(search, model, SOURCES, with_attention=True), strict=True
    ):
        rows = torch.tensor(candidates[0].attention)
        assert rows.shape == (len(written(candidates[0])), len(source) + 1)
        torch.testing.assert_close(rows.sum(1), torch.ones(len(rows)))
        expected_TS = forced_attention(model, source, written(candidates[0]))
        torch.testing.assert_close(rows, expected_TS, atol=1e-4, rtol=0)


@each_search
def test_attention_rows_are_empty_unless_asked_for(search: Search) -> None:
    found = run(search, tiny_model(), SOURCES)
    attended = run(search, tiny_model(), SOURCES, with_attention=True)
    for (candidate, *_), (other, *_) in zip(found, attended, strict=True):
        assert candidate._replace(attention=other.attention) == other
        assert candidate.attention == [[]] * len(other.attention)


@each_search
@pytest.mark.parametrize(
    ("settings", "tie_embeddings"), [*zip(MODELS.values(), [*TIES, "all"], strict=True)]
)
def test_a_sentence_alone_is_searched_as_within_a_batch(
    search: Search, settings: dict[str, Any], tie_embeddings: str
) -> None:
    model = tiny_model(tie_embeddings=tie_embeddings, **settings)
    together = run(search, model, SOURCES, with_attention=True)
    alone = [run(search, model, [source], with_attention=True)[0] for source in SOURCES]
    assert_same(together, alone)


@each_search
def test_the_order_of_sentences_makes_no_difference(search: Search) -> None:
    model = tiny_model()
    forward = run(search, model, SOURCES, with_attention=True)
    backward = run(search, model, SOURCES[::-1], with_attention=True)
    assert_same(backward[::-1], forward)


@each_search
@pytest.mark.parametrize("full_enough", [0.0, 1.0, 1.1])
def test_making_batches_smaller_changes_nothing(
    search: Search, full_enough: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_model(attention="additive", layers=2, input_feeding=True)
    expected = run(search, model, SOURCES, with_attention=True)
    shrink_batches(monkeypatch, full_enough)
    assert_same(run(search, model, SOURCES, with_attention=True), expected)


@each_search
def test_a_model_that_never_ends_is_cut_at_the_longest_output(search: Search) -> None:
    model = tiny_model()
    model.output_bias[EOS] = -torch.inf
    for source, candidates in zip(SOURCES, run(search, model, SOURCES), strict=True):
        assert candidates
        for candidate in candidates:
            assert EOS not in candidate.tokens
            assert len(candidate.tokens) == longest_output(len(source) + 1, 1)
            assert not candidate.is_complete


@each_search
def test_a_model_that_ends_at_once_gives_empty_outputs(search: Search) -> None:
    model = tiny_model(end_bias=1000.0)
    for candidates in run(search, model, SOURCES, with_attention=True):
        assert candidates[0].tokens == []
        assert candidates[0].is_complete
        assert len(candidates[0].attention) == 1
        assert candidates[0].log_probability == pytest.approx(0)


@each_search
def test_outputs_differ_and_come_best_first(search: Search) -> None:
    for candidates in run(search, tiny_model(), SOURCES):
        scores = [candidate.score for candidate in candidates]
        assert scores == sorted(scores, reverse=True)
        assert len({tuple(candidate.tokens) for candidate in candidates}) == len(candidates)


@each_search
def test_each_sentence_is_searched_by_its_own_probabilities(
    search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_output(monkeypatch, margin=4)
    stepper = TableStepper(random_tables(6, size=5, longest=4, seed=1))
    sources = [[4, 4, 4], [0], [3, 4], [1, 4, 4, 4], [4], [2]]
    together = search(stepper, *source_tensors(sources), max_length_ratio=0)
    alone = [
        search(stepper, *source_tensors([source]), max_length_ratio=0)[0] for source in sources
    ]
    assert_same(together, alone)
    assert together[0] != together[2]
