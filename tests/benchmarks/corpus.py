"""Text to measure with: Multi30k where it is at hand, else made up with the same lengths."""

import math
import random
from pathlib import Path

from seqcli.data.dataset import Example
from seqcli.experiment import TranslationRecipe
from seqcli.tasks.translation import TranslationTask
from seqcli.text.lines import read_lines
from seqcli.text.parallel import read_parallel
from seqcli.tokenizers import UNK, TokenizerConfig, train_tokenizer

MULTI30K = Path(__file__).parents[2] / ".." / "shared" / "data" / "multi30k"
VOCABULARY_SIZE = 8000
NUM_PAIRS = 29_000  # as in Multi30k
LINES_FOR_TOKENIZER = 8_000  # of each side: a larger sample gives the same lengths

# Multi30k in 8,000 pieces: the logarithms of its lengths are close to normal
TARGET_LOG_LENGTH = (2.635, 0.321)  # mean and standard deviation
LOG_LENGTH_RATIO = (0.025, 0.199)  # of source to target
SHORTEST, LONGEST = 4, 55

SUBJECTS = (
    "Ein Mann",
    "Eine Frau",
    "Ein kleiner Junge",
    "Ein junges Mädchen",
    "Zwei Hunde",
    "Eine Gruppe von Leuten",
    "Drei Kinder in bunten Kleidern",
    "Ein älterer Mann mit einem grauen Bart",
)
CLOTHES = (
    "in einem blauen Hemd",
    "mit einem roten Hut",
    "in einer schwarzen Jacke und Jeans",
    "mit einer Sonnenbrille",
    "in Badebekleidung",
)
VERBS = ("steht", "sitzt", "läuft", "spielt", "wartet", "springt", "schläft")
PLACES = (
    "auf einer Straße",
    "am Strand",
    "vor einem Gebäude",
    "im Schnee",
    "auf einer Bank",
    "neben einem Fahrrad",
    "in einem Park",
)
ENDINGS = (
    "und schaut in die Kamera",
    "während andere Leute im Hintergrund zusehen",
    "und hält eine Tasse Kaffee in der Hand",
    "und spricht mit einem Freund",
)


def has_multi30k() -> bool:
    return MULTI30K.is_dir()


def training_examples() -> list[Example]:
    """Return token ids of German and English captions, in a joint vocabulary of 8,000."""
    if not has_multi30k():
        return _made_up_examples()
    text = read_parallel(MULTI30K / "train.de", MULTI30K / "train.en")
    sample = [line for lines in text for line in lines[:LINES_FOR_TOKENIZER]]
    tokenizer = train_tokenizer(
        sample, TokenizerConfig(kind="unigram", vocabulary_size=VOCABULARY_SIZE)
    )
    task = TranslationTask(TranslationRecipe(), {"shared": tokenizer})
    return task.encode(text, alpha=0.0, seed=0)


def test_lines() -> list[str]:
    """Return 1,000 German captions."""
    if has_multi30k():
        return list(read_lines(MULTI30K / "test_2016_flickr.de"))
    return made_up_captions(1000)


def made_up_captions(count: int) -> list[str]:
    """Return German captions that nobody has written."""
    draw = random.Random(1)
    return [_made_up_caption(draw) for _ in range(count)]


def _made_up_examples() -> list[Example]:
    draw = random.Random(1)

    def length_near(logarithm: float) -> int:
        return min(LONGEST, max(SHORTEST, round(math.exp(logarithm))))

    def ids(count: int) -> list[int]:  # rare ids are as rare as words are (Zipf's law)
        others = VOCABULARY_SIZE - UNK - 1
        return [UNK + int(math.pow(others, draw.random())) for _ in range(count)]

    examples = []
    for _ in range(NUM_PAIRS):
        target = draw.gauss(*TARGET_LOG_LENGTH)
        source = target + draw.gauss(*LOG_LENGTH_RATIO)
        examples.append(Example(ids(length_near(source)), ids(length_near(target))))
    return examples


def _made_up_caption(draw: random.Random) -> str:
    parts = [draw.choice(SUBJECTS)]
    parts += draw.sample(CLOTHES, draw.choice((0, 1, 1)))
    parts += [draw.choice(VERBS)]
    parts += draw.sample(PLACES, draw.choice((1, 1, 2)))
    parts += draw.sample(ENDINGS, draw.choice((0, 0, 0, 1)))
    return " ".join(parts) + "."
