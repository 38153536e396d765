"""Attention of found and of given translations, between pieces and between words."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seqcli.data.batch import source_tensors
from seqcli.decoding.neural_translator import DecodingConfig, NeuralTranslator
from seqcli.decoding.step import ModelStepper, Rows
from seqcli.errors import ModelError
from seqcli.inspection.attention import (
    AttentionMap,
    attentive_translator,
    by_words,
    forced_attention,
    words_of,
)
from seqcli.inspection.loading import LoadedModel
from seqcli.nn.attention import ATTENTIONS, NO_ATTENTION
from seqcli.tokenizers import TokenizerConfig, train_tokenizer
from seqcli.tokenizers.vocabulary import BOS, EOS
from tests.inspection.models import SOURCES, TARGETS, untrained_model

MODELS: dict[str, dict[str, Any]] = {
    "input feeding": {"input_feeding": True},
    **{
        name: {"attention": name, "decoder": {"size": 6, "layers": 2}, "attention_heads": heads}
        for name, heads in [("dot", None), ("general", None), ("additive", None), ("multi-head", 2)]
    },
}
TEXT = st.text(st.sampled_from("ab dü\t한✂"), max_size=12)


def stepped_weights(loaded: LoadedModel, source: str, target: str) -> torch.Tensor:
    """Weights_TS of one pair, token by token as a search goes, without the ends of sentence."""
    ids = loaded.source_tokenizer.encode(source)
    stepper = ModelStepper(loaded.model)
    memory, state = stepper.encode(*source_tensors([ids]))
    rows = Rows(torch.tensor([0]), torch.tensor([0]), width=1)
    weights = []
    tokens = [BOS, *loaded.target_tokenizer.encode(target)]
    for token in tokens[:-1]:
        _, state, weights_1S = stepper.step(torch.tensor([token]), state, memory, rows)
        weights.append(weights_1S[0, : len(ids)])
    return torch.stack(weights)


def with_decoding(loaded: LoadedModel, config: DecodingConfig) -> LoadedModel:
    recipe = msgspec.structs.replace(loaded.recipe, decoding=config)
    return replace(loaded, task=type(loaded.task)(recipe, loaded.task.tokenizers))


def test_each_attention_is_among_the_models() -> None:
    assert {*ATTENTIONS} == {*MODELS, NO_ATTENTION} - {"input feeding"}


@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS)
def test_a_given_target_has_the_weights_of_a_search_that_writes_it(
    settings: dict[str, Any],
) -> None:
    loaded = untrained_model(**settings)
    maps = list(forced_attention(loaded, SOURCES, TARGETS))
    for found, source, target in zip(maps, SOURCES, TARGETS, strict=True):
        assert (found.source, found.target) == (source, target)
        assert found.source_tokens == loaded.source_tokenizer.to_pieces(source)
        assert found.target_tokens == loaded.target_tokenizer.to_pieces(target)
        torch.testing.assert_close(
            torch.tensor(found.weights), stepped_weights(loaded, source, target)
        )


def test_the_models_own_translation_given_back_to_it_has_the_same_attention() -> None:
    loaded = untrained_model()
    ids = {id for line in loaded.target_tokenizer.encode_batch(TARGETS) for id in line}
    others = [id for id in range(len(loaded.model.output_bias)) if id not in {*ids, EOS}]
    loaded.model.output_bias[others] = -1e3  # of words alone, a text has one segmentation
    loaded.model.output_bias[EOS] -= 3  # no translation is empty
    own = [AttentionMap.of(found) for found in attentive_translator(loaded).translate(SOURCES)]
    given_back = forced_attention(loaded, SOURCES, [found.target for found in own])
    for found, again in zip(own, given_back, strict=True):
        assert found.target_tokens == again.target_tokens != []
        torch.testing.assert_close(torch.tensor(found.weights), torch.tensor(again.weights))


def test_the_translator_searches_by_the_settings_of_the_model() -> None:
    loaded = with_decoding(untrained_model(), DecodingConfig(strategy="greedy"))
    plain = NeuralTranslator(
        ModelStepper(loaded.model),
        loaded.recipe.decoding,
        source_tokenizer=loaded.source_tokenizer,
        target_tokenizer=loaded.target_tokenizer,
    )
    texts = [found.text for found in attentive_translator(loaded).translate(SOURCES)]
    assert texts == [found.text for found in plain.translate(SOURCES)]


def test_a_pair_with_an_empty_side_has_its_place_but_no_weights() -> None:
    loaded = untrained_model()
    sources, targets = ["", "ein", " ", *SOURCES], ["a", "", "a", *TARGETS]
    maps = list(forced_attention(loaded, sources, targets))
    assert [bool(found.weights) for found in maps] == [False] * 3 + [True] * 4
    assert [found.source for found in maps] == sources
    assert list(forced_attention(loaded, [""], ["a"])) == [AttentionMap("", "a")]
    (translation,) = attentive_translator(loaded).translate([""])
    assert AttentionMap.of(translation) == AttentionMap("", "")


def test_groups_of_any_size_give_the_same_maps_in_order() -> None:
    loaded = untrained_model()
    small = with_decoding(loaded, DecodingConfig(batch_sentences=2))
    for found, other in zip(
        forced_attention(loaded, SOURCES, TARGETS),
        forced_attention(small, SOURCES, TARGETS),
        strict=True,
    ):
        torch.testing.assert_close(torch.tensor(found.weights), torch.tensor(other.weights))


def test_a_model_without_attention_is_refused_before_a_line_is_read() -> None:
    loaded = untrained_model(attention="none")
    for ask in (lambda: attentive_translator(loaded), lambda: forced_attention(loaded, [], [])):
        with pytest.raises(ModelError, match="tiny has no attention") as caught:
            ask()
        assert caught.value.why
        assert caught.value.fix


class TestWords:
    PIECES = AttentionMap(
        "das Haus",
        "the houses",
        ["▁das", "▁Ha", "us"],
        ["▁the", "▁house", "s"],
        [[0.5, 0.25, 0.125], [0.25, 0.5, 0.25], [0.75, 0.0, 0.125]],
    )

    def test_source_pieces_are_summed_and_target_pieces_averaged(self) -> None:
        words = by_words(self.PIECES)
        assert words.source_tokens == ["das", "Haus"]
        assert words.target_tokens == ["the", "houses"]
        assert words.weights == [[0.5, 0.375], [0.5, 0.4375]]
        assert (words.source, words.target) == ("das Haus", "the houses")

    def test_nothing_stays_nothing(self) -> None:
        assert by_words(AttentionMap("", "")) == AttentionMap("", "")

    @pytest.mark.parametrize("kind", ["characters", "words", "unigram", "bpe"])
    @given(line=TEXT)
    def test_the_words_of_a_line_are_those_between_its_white_space(
        self, kind: str, line: str
    ) -> None:
        tokenizer = TOKENIZERS[kind]
        pieces = tokenizer.to_pieces(line)
        words, places = words_of(pieces)
        assert words == line.split()
        assert places == sorted(places)
        assert len(places) == len(pieces)
        if words:
            assert {*places} == {*range(len(words))}

    @given(line=TEXT)
    def test_no_attention_is_lost(self, line: str) -> None:
        pieces = TOKENIZERS["characters"].to_pieces(line)
        rows = [[1 / len(pieces)] * len(pieces) for _ in pieces]
        for row in by_words(AttentionMap(line, line, pieces, pieces, rows)).weights:
            assert sum(row) == pytest.approx(1)


TOKENIZERS = {
    kind: train_tokenizer([*SOURCES, *TARGETS], TokenizerConfig(kind=kind, vocabulary_size=size))
    for kind, size in [("characters", None), ("words", None), ("unigram", None), ("bpe", None)]
}
