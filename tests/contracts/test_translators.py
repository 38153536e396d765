"""What every translation system keeps to."""

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.api.statistical import load_statistical
from seqcli.api.train_dictionary import train_dictionary
from seqcli.api.train_statistical import train_statistical
from seqcli.decoding.neural_translator import DecodingConfig, NeuralTranslator
from seqcli.decoding.quantize import int8_works
from seqcli.decoding.step import Int8Stepper, ModelStepper, Stepper
from seqcli.smt.recipe import DictionaryRecipe, PairsConfig, SmtRecipe
from seqcli.tokenizers import TokenizerConfig, train_tokenizer
from seqcli.translator import Translation, Translator
from tests.api.statistical import write_pairs
from tests.decoding.steppers import limit_output, tiny_model

TEXT = [
    "A man and two dogs walk along the river.",
    "Zwei Hunde laufen im Regen durch den Fluss, und ein Mann sieht zu.",
    "Where do the dogs go when it rains?",
]
LINES = [
    *TEXT,
    "Der Hund sieht einen Baum.",
    "",
    "dogs",
    "Ein Mann, ein Hund: 3 % von 100!",
    "\u00fc\u4f60\u597d \U0001f415",
    " ",
    "\t",
    "the dogs and the man and the river and the rain and the dogs again",
    "dogs",
]


def neural(
    kind: str, *, stepper: Callable[..., Stepper] = ModelStepper, **decoding: object
) -> NeuralTranslator:
    """An untrained model over real subwords, which cuts the longest of the lines in parts."""
    size = {"unigram": 300, "bpe": 310}.get(kind)
    tokenizer = train_tokenizer(TEXT, TokenizerConfig(kind=kind, vocabulary_size=size))
    model = tiny_model(vocabulary=len(tokenizer.vocabulary), seed=3, end_bias=1.5)
    return NeuralTranslator(
        stepper(model),
        DecodingConfig(max_source_length=40, max_length_ratio=1, **decoding),
        source_tokenizer=tokenizer,
        target_tokenizer=tokenizer,
        num_best=decoding.get("beam_width", 1),
        with_attention=True,
    )


def without_network(architecture: str, **options: object) -> Translator:
    """A system trained on a few pairs."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        data = {"train": write_pairs(folder, "train", 40)}
        if architecture == "smt":
            train_statistical(SmtRecipe(data=PairsConfig(**data)), folder / "m")
        else:
            train_dictionary(DictionaryRecipe(data=PairsConfig(**data)), folder / "m")
        return load_statistical(str(folder / "m"), **options)


TRANSLATORS: dict[str, Callable[[], Translator]] = {
    "neural, beam over unigrams": lambda: neural("unigram", beam_width=3),
    "neural, beam over byte pairs": lambda: neural("bpe", beam_width=2, batch_sentences=2),
    "neural, greedy over words": lambda: neural("words", strategy="greedy"),
    "neural, greedy over characters": lambda: neural("characters", strategy="greedy"),
    "neural, 8-bit beam": lambda: neural("unigram", stepper=Int8Stepper, beam_width=3),
    "phrase-based, one thread": lambda: without_network("smt", num_best=3, threads=1),
    "phrase-based, two threads": lambda: without_network("smt", beam_width=5, threads=2),
    "dictionary": lambda: without_network("dictionary"),
}


@pytest.fixture(scope="module", params=TRANSLATORS)
def translator(request: pytest.FixtureRequest) -> Translator:
    if "8-bit" in request.param and not int8_works():
        pytest.skip("this build of torch does not multiply 8-bit matrices")
    torch.manual_seed(0)
    return TRANSLATORS[request.param]()


@pytest.fixture(autouse=True)
def short_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests prove as much, and take half as long."""
    limit_output(monkeypatch, margin=7)


any_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12)


@settings(max_examples=8)
@given(lines=st.lists(any_line, max_size=5))
def test_each_line_in_gives_one_line_out_in_order(lines: list[str], translator: Translator) -> None:
    found = list(translator.translate(lines))
    assert [translation.source for translation in found] == lines
    for translation in found:
        assert translation.hypotheses
        for hypothesis in translation.hypotheses:
            assert "\n" not in hypothesis.text


def test_empty_and_blank_lines_give_empty_ones(translator: Translator) -> None:
    blank = ["", " ", "\t", "\u3000", "\r"]
    for translation in translator.translate(blank):
        assert [hypothesis.text for hypothesis in translation.hypotheses] == [""]
        assert translation.source_tokens == ()
    assert list(translator.translate([])) == []


def test_some_of_the_other_lines_give_words(translator: Translator) -> None:
    texts = [translation.text for translation in translator.translate(LINES)]
    assert len({text for text in texts if text}) >= 3  # else the tests here would prove little


def test_a_translation_is_that_of_its_line_whatever_the_company(translator: Translator) -> None:
    together = list(translator.translate(LINES))
    alone = [translation for line in LINES for translation in translator.translate([line])]
    backward = list(translator.translate(LINES[::-1]))[::-1]
    for translations in (alone, backward):
        assert [one.source for one in translations] == LINES
        assert [best(one) for one in translations] == [best(one) for one in together]
        for one, other in zip(translations, together, strict=True):
            assert one.hypotheses[0].score == pytest.approx(other.hypotheses[0].score, abs=0.02)


def best(translation: Translation) -> tuple[str, tuple[str, ...]]:
    return translation.text, translation.hypotheses[0].tokens


def test_nothing_is_kept_from_call_to_call(translator: Translator) -> None:
    first = list(translator.translate(LINES))
    list(translator.translate(TEXT))
    assert list(translator.translate(LINES)) == first


def test_lines_may_come_from_an_iterator_which_waits_until_it_is_asked(
    translator: Translator,
) -> None:
    taken: list[str] = []

    def coming() -> Iterator[str]:
        for line in LINES:
            taken.append(line)
            yield line

    translations = translator.translate(coming())
    assert taken == []
    assert list(translations) == list(translator.translate(LINES))
    assert taken == LINES


def test_hypotheses_differ_and_come_best_first(translator: Translator) -> None:
    for translation in translator.translate(LINES):
        scores = [hypothesis.score for hypothesis in translation.hypotheses]
        assert scores == sorted(scores, reverse=True)
        assert len({hypothesis.tokens for hypothesis in translation.hypotheses}) == len(scores)
        assert translation.text == translation.hypotheses[0].text
        assert all(hypothesis.log_probability <= 0 for hypothesis in translation.hypotheses)


def test_attention_has_a_row_for_each_token_and_a_column_for_each_source_token(
    translator: Translator,
) -> None:
    for translation in translator.translate(LINES):
        for hypothesis in translation.hypotheses:
            if hypothesis.attention:
                assert len(hypothesis.attention) == len(hypothesis.tokens)
                for row in hypothesis.attention:
                    assert len(row) == len(translation.source_tokens)
                    assert min(row) >= 0
                    assert sum(row) <= 1 + 1e-5
