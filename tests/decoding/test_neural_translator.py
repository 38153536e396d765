import math
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqcli.decoding.neural_translator import STRATEGIES, DecodingConfig, NeuralTranslator
from seqcli.decoding.step import ModelStepper, Rows, Stepper
from seqcli.errors import ConfigError
from seqcli.nn.attention import Memory
from seqcli.nn.decoder import DecoderState
from seqcli.tokenizers import Tokenizer, TokenizerConfig, train_tokenizer
from seqcli.translator import Hypothesis, Translation
from tests.decoding.steppers import limit_output, tiny_model

SENTENCE = "a man and two dogs walk along the river in summer rain"
WORDS = SENTENCE.split()
LINES = [
    "a man and two dogs",
    "",
    "the river",
    "rain in summer rain in summer rain in summer along the river",
    "dogs",
    "   ",
    "two dogs walk",
]

each_strategy = pytest.mark.parametrize("strategy", STRATEGIES)


@pytest.fixture(autouse=True)
def short_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests prove as much, and take half as long."""
    limit_output(monkeypatch, margin=7)


def words(byte_fallback: bool = False) -> Tokenizer:
    config = TokenizerConfig(kind="words", byte_fallback=byte_fallback)
    return train_tokenizer([SENTENCE], config)


class RepeatingStepper:
    """Writes the source again, token by token, each time with all attention on that token."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.shapes: list[tuple[int, ...]] = []  # of the batches read

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        self.shapes.append(tuple(source_BS.shape))
        place_B1 = torch.zeros(len(source_BS), 1, dtype=torch.long)
        source_BS1 = source_BS.unsqueeze(2)
        return Memory(source_BS1, source_BS1, mask_BS), DecoderState([(place_B1,)])

    def step(
        self, tokens_R: Tensor, state: DecoderState, memory: Memory, rows: Rows
    ) -> tuple[Tensor, DecoderState, Tensor]:
        source_RS = memory.states_BSH[rows.sentence_R, :, 0]
        place_R1 = state.layers[0][0].clamp(max=source_RS.shape[1] - 1)
        logits_RV = torch.zeros(len(tokens_R), self.size)
        logits_RV.scatter_(1, source_RS.gather(1, place_R1), 20.0)
        weights_RS = torch.zeros(source_RS.shape).scatter_(1, place_R1, 1.0)
        return logits_RV, DecoderState([(place_R1 + 1,)]), weights_RS


class SpellingStepper(RepeatingStepper):
    """Writes each source token three times, so that its output is long."""

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        return super().encode(
            source_BS.repeat_interleave(3, dim=1), mask_BS.repeat_interleave(3, dim=1)
        )


class NoStepper:
    """Must not be asked."""

    def encode(self, source_BS: Tensor, mask_BS: Tensor) -> tuple[Memory, DecoderState]:
        raise AssertionError("there was nothing to read")

    def step(
        self, tokens_R: Tensor, state: DecoderState, memory: Memory, rows: Rows
    ) -> tuple[Tensor, DecoderState, Tensor]:
        raise AssertionError("there was nothing to write")


def make_translator(
    stepper: Stepper | None = None,
    *,
    tokenizer: Tokenizer | None = None,
    num_best: int = 1,
    with_attention: bool = False,
    num_workers: int = 0,
    **settings: object,
) -> NeuralTranslator:
    """A translator by repetition, unless a stepper is given."""
    tokenizer = tokenizer or words()
    return NeuralTranslator(
        stepper or RepeatingStepper(len(tokenizer.vocabulary)),
        DecodingConfig(**{"max_length_ratio": 1, **settings}),
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        num_best=num_best,
        with_attention=with_attention,
        num_workers=num_workers,
    )


def network(tokenizer: Tokenizer, *, seed: int = 0, end_bias: float = 1.0) -> ModelStepper:
    size = len(tokenizer.vocabulary)
    return ModelStepper(tiny_model(vocabulary=size, seed=seed, end_bias=end_bias))


def assert_same(found: list[Translation], expected: list[Translation]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert (one.source, one.source_tokens) == (other.source, other.source_tokens)
        for hypothesis, wanted in zip(one.hypotheses, other.hypotheses, strict=True):
            assert (hypothesis.text, hypothesis.tokens) == (wanted.text, wanted.tokens)
            assert hypothesis.score == pytest.approx(wanted.score, abs=1e-4)
            torch.testing.assert_close(
                torch.tensor(hypothesis.attention),
                torch.tensor(wanted.attention),
                atol=1e-4,
                rtol=0,
            )


any_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=9)


@each_strategy
@settings(max_examples=30)
@given(lines=st.lists(any_line, max_size=6))
def test_a_model_that_repeats_its_source_gives_back_every_line(
    lines: list[str], strategy: str
) -> None:
    tokenizer = words(byte_fallback=True)
    translator = make_translator(tokenizer=tokenizer, strategy=strategy, batch_sentences=2)
    found = list(translator.translate(lines))
    assert [translation.source for translation in found] == lines
    assert [translation.text for translation in found] == [
        line if line.strip() else "" for line in lines
    ]


def test_texts_come_from_the_target_tokenizer_and_columns_from_the_source_tokenizer() -> None:
    targets = train_tokenizer([SENTENCE], TokenizerConfig(kind="words"))
    targets = type(targets)([*targets.vocabulary.pieces[:4], *targets.vocabulary.pieces[:3:-1]])
    translator = NeuralTranslator(
        RepeatingStepper(len(targets.vocabulary)),
        DecodingConfig(),
        source_tokenizer=words(),
        target_tokenizer=targets,
    )
    (translation,) = translator.translate(["the river"])
    ids = words().encode("the river")
    assert translation.source_tokens == tuple(words().to_pieces("the river"))
    assert translation.text == targets.decode(ids) != "the river"
    assert translation.hypotheses[0].tokens == tuple(targets.vocabulary.pieces[i] for i in ids)


@each_strategy
def test_what_is_empty_stays_empty(strategy: str) -> None:
    translator = make_translator(strategy=strategy)
    found = list(translator.translate(LINES))
    assert [not translation.text for translation in found] == [not line.strip() for line in LINES]
    for translation in (found[1], found[5]):
        assert translation.hypotheses == (Hypothesis("", 0.0, 0.0),)
        assert translation.source_tokens == ()


def test_where_all_is_empty_the_model_is_not_asked() -> None:
    translator = make_translator(NoStepper(), num_best=3, with_attention=True)
    assert [translation.text for translation in translator.translate(["", " ", ""])] == ["", "", ""]
    assert list(translator.translate([])) == []
    assert translator.translate_group([]) == []


@each_strategy
@pytest.mark.parametrize("count", [5, 6, 10, 11, 23, 25])
def test_a_line_too_long_for_one_search_is_translated_in_parts(strategy: str, count: int) -> None:
    tokenizer = words()
    stepper = RepeatingStepper(len(tokenizer.vocabulary))
    translator = make_translator(stepper, strategy=strategy, max_source_length=5)
    line = " ".join((WORDS * 3)[:count])
    (translation,) = translator.translate([line])
    assert translation.text == line  # nothing is lost
    assert translation.source_tokens == tuple(tokenizer.to_pieces(line))
    assert translation.num_parts == math.ceil(count / 5)
    assert all(length <= 5 + 1 for _, length in stepper.shapes)  # the end of sentence is one more
    assert sum(rows for rows, _ in stepper.shapes) == translation.num_parts


@each_strategy
@pytest.mark.parametrize("max_source_length", [400, 9])
def test_an_output_has_the_room_that_the_ratio_gives_and_says_if_it_is_cut_off(
    strategy: str, max_source_length: int
) -> None:
    stepper = SpellingStepper(len(words().vocabulary))
    settings = {"strategy": strategy, "max_source_length": max_source_length}
    line = " ".join(WORDS[:9] * 2)
    in_full = [word for word in line.split() for _ in range(3)]

    enough = make_translator(stepper, max_length_ratio=3.0, **settings)
    (hypothesis,) = next(enough.translate([line])).hypotheses
    assert hypothesis.text.split() == in_full
    assert hypothesis.is_complete

    scarce = make_translator(stepper, max_length_ratio=1.5, **settings)
    short, long = scarce.translate(["a man", line])
    assert short.hypotheses[0].is_complete
    assert not long.hypotheses[0].is_complete
    assert len(long.text.split()) == sum(
        int(1.5 * (18 // long.num_parts + 1)) + 7 for _ in range(long.num_parts)
    )


@pytest.mark.parametrize("count", [1, 5, 11, 23])
def test_attention_of_parts_lies_at_their_place_in_the_source(count: int) -> None:
    translator = make_translator(max_source_length=5, with_attention=True)
    lines = [" ".join((WORDS * 3)[:count]), "dogs walk along the river in summer"]
    for line, translation in zip(lines, translator.translate(lines), strict=True):
        (hypothesis,) = translation.hypotheses
        assert len(hypothesis.tokens) == len(translation.source_tokens) == len(line.split())
        assert torch.equal(torch.tensor(hypothesis.attention), torch.eye(len(line.split())))


def test_there_is_no_attention_unless_asked_for() -> None:
    for translation in make_translator(max_source_length=5).translate(LINES):
        assert translation.hypotheses[0].attention == ()


@each_strategy
def test_parts_are_translated_as_lines_of_their_own(strategy: str) -> None:
    tokenizer = words()
    num_best = 3 if strategy == "beam" else 1
    shared = {"tokenizer": tokenizer, "num_best": num_best, "with_attention": True}
    line = "rain in summer rain in summer rain in summer along the river"
    parts = ["rain in summer rain", "in summer rain in", "summer along the river"]
    for seed in range(3):
        stepper = network(tokenizer, seed=seed, end_bias=5.0)
        cut = make_translator(stepper, strategy=strategy, max_source_length=5, **shared)
        whole = make_translator(stepper, strategy=strategy, **shared)
        (translation,) = cut.translate([line])
        by_rank = zip(*(part.hypotheses for part in whole.translate(parts)), strict=True)
        for hypothesis, ranked in zip(translation.hypotheses, by_rank, strict=True):
            assert hypothesis.text == " ".join(part.text for part in ranked if part.text)
            assert hypothesis.tokens == sum((part.tokens for part in ranked), ())
            assert hypothesis.log_probability == pytest.approx(
                sum(part.log_probability for part in ranked), abs=1e-3
            )
            assert hypothesis.score == pytest.approx(sum(part.score for part in ranked) / 3)
            blocks = [torch.tensor(part.attention).view(-1, 4) for part in ranked]
            torch.testing.assert_close(
                torch.tensor(hypothesis.attention).view(-1, 12),
                torch.block_diag(*blocks),
                atol=1e-4,
                rtol=0,
            )


def test_empty_translations_of_parts_leave_no_spaces() -> None:
    tokenizer = words()
    translator = make_translator(network(tokenizer, end_bias=99.0), max_source_length=5)
    assert [one.text for one in translator.translate([SENTENCE, "dogs"])] == ["", ""]


@each_strategy
@pytest.mark.parametrize("batch_sentences", [1, 2, 64])
def test_lines_are_translated_the_same_alone_and_in_company(
    strategy: str, batch_sentences: int
) -> None:
    tokenizer = words()
    translator = make_translator(
        network(tokenizer),
        tokenizer=tokenizer,
        strategy=strategy,
        batch_sentences=batch_sentences,
        max_source_length=5,
        with_attention=True,
    )
    alone = [translation for line in LINES for translation in translator.translate_group([line])]
    assert_same(list(translator.translate(LINES)), alone)
    assert_same(translator.translate_group(LINES), alone)
    assert_same(translator.translate_group(LINES[::-1])[::-1], alone)


@each_strategy
@pytest.mark.parametrize("num_workers", [1, 3])
def test_workers_make_no_difference_and_leave_the_number_of_threads(
    strategy: str, num_workers: int
) -> None:
    tokenizer = words()
    settings = {"strategy": strategy, "batch_sentences": 2, "max_source_length": 5}
    shared = {"tokenizer": tokenizer, "with_attention": True, **settings}
    threads = torch.get_num_threads()
    alone = make_translator(network(tokenizer), **shared)
    workers = make_translator(network(tokenizer), num_workers=num_workers, **shared)
    assert_same(list(workers.translate(LINES)), list(alone.translate(LINES)))
    assert torch.get_num_threads() == threads


def test_an_error_of_a_worker_is_raised_and_leaves_the_number_of_threads() -> None:
    threads = torch.get_num_threads()
    translator = make_translator(NoStepper(), num_workers=2)
    with pytest.raises(AssertionError, match="nothing to read"):
        translator.translate_group(LINES)
    assert torch.get_num_threads() == threads


def test_lines_are_taken_in_groups_as_translations_are_asked_for() -> None:
    taken: list[str] = []

    def endless() -> Iterator[str]:
        while True:
            taken.append(WORDS[len(taken) % len(WORDS)])
            yield taken[-1]

    found = make_translator(batch_sentences=2).translate(endless())
    assert taken == []
    for _ in range(3):
        assert next(found).text == taken[_]
    first = len(taken)
    assert 3 <= first < 100
    assert [next(found).text for _ in range(first)] == taken[3 : first + 3]
    assert len(taken) == 2 * first


def test_similar_lengths_share_a_batch_and_the_longest_come_first() -> None:
    tokenizer = words()
    stepper = RepeatingStepper(len(tokenizer.vocabulary))
    lines = ["dogs walk along the river", "rain", "a man walk in the rain", "dogs"]
    list(make_translator(stepper, batch_sentences=2).translate(lines))
    assert stepper.shapes == [(2, 6 + 1), (2, 1 + 1)]


@pytest.mark.parametrize("num_best", [1, 2, 4])
def test_hypotheses_are_as_many_as_asked_for_and_come_best_first(num_best: int) -> None:
    tokenizer = words()
    translator = make_translator(
        network(tokenizer, end_bias=5.0), tokenizer=tokenizer, beam_width=4, num_best=num_best
    )
    for line, translation in zip(LINES, translator.translate(LINES), strict=True):
        scores = [hypothesis.score for hypothesis in translation.hypotheses]
        assert len(scores) == (num_best if line.strip() else 1)
        assert scores == sorted(scores, reverse=True)
        assert len({hypothesis.tokens for hypothesis in translation.hypotheses}) == len(scores)


def test_more_hypotheses_than_the_beam_is_wide_are_refused() -> None:
    make_translator(beam_width=3, num_best=3)
    with pytest.raises(
        ConfigError, match="4 hypotheses are asked for, but beam search finds 3"
    ) as caught:
        make_translator(beam_width=3, num_best=4)
    assert "wider beam" in str(caught.value.fix)
    with pytest.raises(ConfigError, match="greedy"):
        make_translator(strategy="greedy", beam_width=5, num_best=2)


@pytest.mark.parametrize("num_best", [0, -1])
def test_no_hypotheses_are_refused(num_best: int) -> None:
    with pytest.raises(ConfigError, match=f"num_best must be greater than 0.*{num_best}"):
        make_translator(num_best=num_best)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strategy", "beem"),
        ("beam_width", 0),
        ("batch_sentences", -1),
        ("max_source_length", 0),
        ("max_length_ratio", 0.0),
        ("max_length_ratio", math.inf),
        ("length_penalty", -0.1),
        ("length_penalty", 11.0),
        ("length_penalty", math.nan),
    ],
)
def test_settings_out_of_range_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=f"decoding.{name}"):
        DecodingConfig(**{name: value})
