"""The `sacrebleu` command, run as a user would, is the second way to the answer."""

import importlib.util
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from seqcli.errors import ConfigError
from seqcli.evaluation.base import Score
from seqcli.evaluation.bleu import BLEU, BLEU_TOKENIZERS
from seqcli.evaluation.chrf import CHRF
from seqcli.evaluation.ter import TER

DIGITS = 12

HYPOTHESES = [
    "The cat sat on the mat.",
    "A man — tall, thin — doesn't wait (here)…",
    "",
    "Zwei Männer STEHEN am Herd und bereiten Essen zu.  ",
    "$1,234.56 for 50% of it!",
    "word\u2028after a line separator and\xa0no-break space",
    "我们在家里。She said: “hello”",
    "a a a a a a a a",
]
FIRST = [
    "The cat sat on a mat.",
    "A tall, thin man — he doesn't wait here …",
    "Nothing was said.",
    "Zwei Männer stehen am Herd und bereiten Essen zu.",
    "$1,234.56 for 50 % of it!",
    "word after a line separator and no-break space",
    "我们在家。She said: “hello!”",
    "a b a b",
]
SECOND = [
    "",
    "A man, tall and thin, doesn't wait here.",
    "",
    "Am Herd stehen zwei Männer.",
    "",
    "a word",
    "",
    "a a a a a a",
]


def by_the_command(
    folder: Path, hypotheses: Sequence[str], references: Sequence[Sequence[str]], *options: str
) -> dict[str, Score]:
    files = []
    for number, lines in enumerate([hypotheses, *references]):
        files.append(folder / f"{number}.txt")
        files[-1].write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    command = [sys.executable, "-m", "sacrebleu", *map(str, files[1:]), "-i", str(files[0])]
    environment = {name: value for name, value in os.environ.items() if name != "SACREBLEU_FORMAT"}
    shown = subprocess.run(
        [*command, "-w", str(DIGITS), "-f", "json", *options],
        capture_output=True,
        check=True,
        env=environment,
    ).stdout
    scores = json.loads(shown)
    return {
        score["name"]: Score(score["name"], score["score"], score["signature"])
        for score in (scores if isinstance(scores, list) else [scores])
    }


def to_the_last_digit(score: Score) -> Score:
    return Score(score.name, float(f"{score.value:.{DIGITS}f}"), score.signature)


@pytest.mark.parametrize("references", [[FIRST], [FIRST, SECOND], [SECOND, FIRST, FIRST[::-1]]])
def test_bleu_chrf_and_ter_are_those_of_the_command(
    references: list[list[str]], tmp_path: Path
) -> None:
    expected = by_the_command(tmp_path, HYPOTHESES, references, "-m", "bleu", "chrf", "ter")
    for metric in (BLEU(), CHRF(), TER()):
        score = metric.compute(HYPOTHESES, references)
        assert to_the_last_digit(score) == expected[metric.name]
        assert score.value > 0


@pytest.mark.parametrize("tokenize", ["intl", "char", "none", "zh"])
def test_bleu_with_another_tokenizer_is_that_of_the_command(tokenize: str, tmp_path: Path) -> None:
    expected = by_the_command(tmp_path, HYPOTHESES, [FIRST, SECOND], "-tok", tokenize)
    score = BLEU(tokenize=tokenize).compute(HYPOTHESES, [FIRST, SECOND])
    assert to_the_last_digit(score) == expected["BLEU"]


def test_lowercased_scores_are_those_of_the_command(tmp_path: Path) -> None:
    options = ["-m", "bleu", "chrf", "ter", "-lc", "--chrf-lowercase"]
    expected = by_the_command(tmp_path, HYPOTHESES, [FIRST], *options)
    for metric in (BLEU(lowercase=True), CHRF(lowercase=True), TER(lowercase=True)):
        score = metric.compute(HYPOTHESES, [FIRST])
        assert to_the_last_digit(score) == expected[metric.name]


def test_scores_of_real_text_are_those_of_the_command(multi30k: Path, tmp_path: Path) -> None:
    text = (multi30k / "test_2016_flickr.en").read_text(encoding="utf-8")
    reference = text.split("\n")[:150]
    chance = random.Random(1)
    hypotheses = [
        " ".join(word for word in line.split() if chance.random() < 0.8) for line in reference
    ]
    expected = by_the_command(tmp_path, hypotheses, [reference], "-m", "bleu", "chrf", "ter")
    for metric in (BLEU(), CHRF(), TER()):
        assert to_the_last_digit(metric.compute(hypotheses, [reference])) == expected[metric.name]


def test_an_unknown_tokenizer_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="did you mean '13a'"):
        BLEU(tokenize="13A")


@pytest.mark.parametrize(("tokenize", "package"), [("ja-mecab", "MeCab"), ("ko-mecab", "mecab_ko")])
def test_a_tokenizer_that_is_not_installed_is_refused_with_how_to(
    tokenize: str, package: str
) -> None:
    assert tokenize in BLEU_TOKENIZERS
    if importlib.util.find_spec(package):
        pytest.skip(f"{package} is installed here")
    with pytest.raises(ConfigError, match="not installed") as caught:
        BLEU(tokenize=tokenize)
    assert f"sacrebleu[{tokenize[:2]}]" in caught.value.fix


def test_only_bleu_without_a_tokenizer_is_meant_for_tokenised_text() -> None:
    assert BLEU().expects_raw_text
    assert CHRF().expects_raw_text
    assert TER().expects_raw_text
    assert not BLEU(tokenize="none").expects_raw_text
