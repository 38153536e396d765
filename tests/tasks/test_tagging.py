"""Tagging: words, their pieces and their tags stay together."""

from itertools import chain

import pytest
import torch

from seqcli.architectures.tagger import Tagger
from seqcli.data.batch import source_tensors
from seqcli.data.words import cut_words
from seqcli.errors import DataError
from seqcli.experiment import TaggingEvaluationConfig
from seqcli.tasks.tagging import TaggingTask
from seqcli.text.words import split_words
from seqcli.tokenizers import PAD, TOKENIZERS, UNK, Tokenizer, TokenizerConfig, train_tokenizer
from tests.tasks.labellers import SENTENCES, tagging

FILES = ("words", "tags")
PAIRS = [(words.split(), tags.split()) for words, tags in zip(*SENTENCES, strict=True)]


def surprise(task: TaggingTask, model: Tagger, words: list[str], tags: list[str]) -> float:
    """Nats of the tags of one sentence, alone, word by word."""
    pieces = [task.source_tokenizer.encode(f" {word}") for word in words]
    logits_1SL = model.output(model(*source_tensors([list(chain(*pieces))])))
    nats = 0.0
    for number, tag in enumerate(tags):
        last = sum(map(len, pieces[: number + 1])) - 1
        log_probabilities_L = logits_1SL[0, last].log_softmax(0)
        nats -= log_probabilities_L[task.labels.labels.index(tag)].item()
    return nats


@pytest.mark.parametrize(
    "tokenizer",
    [
        TokenizerConfig(kind="characters"),
        TokenizerConfig(kind="words", byte_fallback=False),
        TokenizerConfig(byte_fallback=False),
    ],
    ids=lambda config: config.kind,
)
@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_the_tag_of_a_word_stands_at_its_last_piece(
    tokenizer: TokenizerConfig, alpha: float
) -> None:
    task = tagging(tokenizer=tokenizer)
    for example, (words, tags) in zip(
        task.encode(SENTENCES, alpha=alpha, seed=3), PAIRS, strict=True
    ):
        assert len(example.source) == len(example.target)
        read, found, start = [], [], 0
        for place, label in enumerate(example.target):
            if label != PAD:
                word = task.source_tokenizer.decode(example.source[start : place + 1])
                read.append(word.removeprefix(" "))
                found.append(task.labels.decode([label]))
                start = place + 1
        assert (read, found) == (words, tags)
        assert start == len(example.source)


def test_a_word_that_gives_no_piece_keeps_its_place() -> None:
    class Deaf:
        """Hears nothing of words with an h."""

        leading_space = True

        def encode_batch(self, words: list[str]) -> list[list[int]]:
            return [[] if "h" in word else [7] * len(word) for word in words]

    lines = [["oh", "no"], [], ["h"]]
    # What is cut needs no more of a tokenizer than that.
    tokenizer: Tokenizer = Deaf()  # type: ignore[assignment]
    assert cut_words(tokenizer, lines) == [[[UNK], [7, 7]], [], [[UNK]]]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_words_are_cut_as_they_are_in_a_line(kind: str) -> None:
    tokenizer = train_tokenizer(SENTENCES[0], TokenizerConfig(kind=kind))
    before = "" if tokenizer.leading_space else " "
    for words, _ in PAIRS:
        (pieces,) = cut_words(tokenizer, [words])
        assert list(chain(*pieces)) == tokenizer.encode(before + " ".join(words))


def test_the_loss_of_a_batch_is_the_sum_over_its_words() -> None:
    task = tagging()
    model = task.build_model()
    batch = task.make_batch(task.encode(SENTENCES, alpha=0, seed=0))
    assert batch.num_targets == sum(len(words) for words, _ in PAIRS)
    loss, nats = task.loss(model, batch, smoothing=0.0)
    expected = sum(surprise(task, model, *pair) for pair in PAIRS)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    assert nats.item() == pytest.approx(expected, rel=1e-5)


def test_smoothing_gives_each_tag_its_share() -> None:
    task = tagging()
    model = task.build_model()
    batch = task.make_batch(task.encode(SENTENCES, alpha=0, seed=0))
    labelled_BS = batch.labels_BL != PAD
    logits_NL = model.output(model(batch.source_BS, batch.source_mask_BS))[labelled_BS]
    first = min(batch.labels_BL[labelled_BS].tolist())
    expected = torch.nn.functional.cross_entropy(
        logits_NL, batch.labels_BL[labelled_BS] - first, label_smoothing=0.2, reduction="sum"
    )
    torch.testing.assert_close(task.loss(model, batch, smoothing=0.2)[0], expected)


def test_the_validation_loss_is_the_mean_over_words() -> None:
    task = tagging(evaluation=TaggingEvaluationConfig(metric="loss"))
    model = task.build_model()
    count = sum(len(words) for words, _ in PAIRS)
    validation = task.validation(model, SENTENCES)()
    nats = sum(surprise(task, model, *pair) for pair in PAIRS)
    assert validation.score == pytest.approx(nats / count, rel=1e-5)


def test_another_number_of_tags_than_words_is_told_with_files_line_and_counts() -> None:
    with pytest.raises(DataError) as error:
        TaggingTask.check((["a b", "a  b c "], ["X Y", "X Y"]), FILES)
    assert error.value.what == "line 2: words has 3 words but tags has 2 tags"


def test_spaces_and_tabs_part_words_and_a_no_break_space_does_not() -> None:
    assert split_words(" 10\u00a0000  men\tsing ") == ["10\u00a0000", "men", "sing"]
    assert split_words(" \u3000\u00a0") == []
    assert TaggingTask.check((["10\u00a0000 men", " "], ["NUM\tNOUN", ""]), FILES) is None


def test_an_unknown_tag_is_told_with_its_line_where_it_needs_an_id() -> None:
    task = tagging()
    with pytest.raises(DataError, match=r"^line 2: the label 'ODD' is not in the tr"):
        task.encode((["dogs", "dogs bark"], ["NOUN", "NOUN ODD"]), alpha=0, seed=0)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [("B-PER O O", ("token-accuracy", "span-f1")), ("NOUN VERB DET", ("token-accuracy",))],
)
def test_spans_are_scored_where_tags_mark_spans(tags: str, expected: tuple[str, ...]) -> None:
    assert tagging((["a b c"], [tags])).test_metrics() == expected
