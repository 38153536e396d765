"""Predictors of labels: N lines in, N out, each as if it were alone."""

from collections.abc import Callable, Iterator
from itertools import chain

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcli.data.batch import source_tensors
from seqcli.decoding import grouping, labelling
from seqcli.decoding.labelling import TextClassifier
from seqcli.translator import Translation, Translator
from tests.tasks.labellers import classification, tagging

LINES = [
    "a fine day",
    "",
    "dull",
    " \t ",
    "\u3000",
    "what 10\u00a0000  dogs\tbark at , \U0001f415 \u00fc",
    "dogs bark " * 300,  # far longer than what a model is trained on
    "dull",
]


def of_classification(num_best: int = 1) -> TextClassifier:
    task = classification()
    return task.predictor(task.build_model().eval(), num_best=num_best)


def of_tagging() -> Translator:
    task = tagging()
    return task.predictor(task.build_model().eval())


LABELLERS: dict[str, Callable[[], Translator]] = {
    "classification": of_classification,
    "tagging": of_tagging,
}


@pytest.fixture(params=LABELLERS)
def labeller(request: pytest.FixtureRequest) -> Translator:
    torch.manual_seed(0)
    return LABELLERS[request.param]()


def texts(translations: Iterator[Translation] | list[Translation]) -> list[str]:
    return [translation.text for translation in translations]


@pytest.mark.parametrize("tokens", [1, 40, 10_000])
def test_a_line_is_labelled_as_if_it_were_alone(
    labeller: Translator, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [translation for line in LINES for translation in labeller.translate([line])]
    monkeypatch.setattr(grouping, "TOKENS_AT_A_TIME", tokens)
    monkeypatch.setattr(labelling, "LINES_AT_A_TIME", 5)
    together = list(labeller.translate(iter(LINES)))
    assert [translation.source for translation in together] == LINES
    assert texts(together) == texts(alone)
    for one, other in zip(together, alone, strict=True):
        assert one.source_tokens == other.source_tokens
        assert one.num_parts == 1
        score = one.hypotheses[0].score
        assert score == one.hypotheses[0].log_probability <= 0
        assert score == pytest.approx(other.hypotheses[0].score, rel=1e-4, abs=1e-5)


def test_blank_lines_stay_empty(labeller: Translator) -> None:
    for translation in labeller.translate(["", " ", "\t", "\u3000", "\r"]):
        assert texts([translation]) == [""]
        assert translation.source_tokens == ()
    assert list(labeller.translate([])) == []


any_line = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=12)


@settings(max_examples=20)
@given(st.lists(any_line, max_size=5))
def test_each_word_between_spaces_gets_a_tag(lines: list[str]) -> None:
    for line, translation in zip(lines, of_tagging().translate(lines), strict=True):
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        expected = len(words) if line.strip() else 0
        assert len(translation.text.split()) == expected == len(translation.hypotheses[0].tokens)


def test_the_best_labels_are_the_most_probable_ones_and_their_scores_log_probabilities() -> None:
    task = classification()
    model = task.build_model().eval()
    (found,) = task.predictor(model, num_best=9).translate(["a fine day"])
    source = source_tensors([task.source_tokenizer.encode("a fine day")])
    probabilities_L = model.output(model(*source))[0].softmax(0).tolist()
    expected = sorted(zip(probabilities_L, task.labels.labels, strict=True), reverse=True)
    assert [hypothesis.text for hypothesis in found.hypotheses] == [name for _, name in expected]
    total = sum(torch.tensor(hypothesis.score).exp() for hypothesis in found.hypotheses)
    assert total.item() == pytest.approx(1)
    for hypothesis, (probability, _) in zip(found.hypotheses, expected, strict=True):
        assert torch.tensor(hypothesis.score).exp().item() == pytest.approx(probability, rel=1e-4)


def test_the_score_of_a_tagging_is_that_of_all_its_tags() -> None:
    task = tagging()
    model = task.build_model().eval()
    (found,) = task.predictor(model).translate(["the dogs bark"])
    pieces = [task.source_tokenizer.encode(word) for word in [" the", " dogs", " bark"]]
    log_probabilities_SL = model.output(model(*source_tensors([list(chain(*pieces))])))[
        0
    ].log_softmax(1)
    ends = [sum(map(len, pieces[:count])) - 1 for count in (1, 2, 3)]
    best = [log_probabilities_SL[end].max(0) for end in ends]
    assert found.hypotheses[0].tokens == tuple(task.labels.labels[int(b.indices)] for b in best)
    assert found.hypotheses[0].score == pytest.approx(sum(b.values.item() for b in best), rel=1e-5)


def test_lines_may_come_from_an_iterator_which_waits_until_it_is_asked(
    labeller: Translator,
) -> None:
    taken: list[str] = []

    def coming() -> Iterator[str]:
        for line in LINES:
            taken.append(line)
            yield line

    translations = labeller.translate(coming())
    assert taken == []
    assert texts(translations) == texts(labeller.translate(LINES))
