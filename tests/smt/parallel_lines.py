"""Little aligned text that a system can be trained on in a second."""

import random

WORDS = {
    "der": "the", "Hund": "dog", "Mann": "man", "Ball": "ball", "Baum": "tree", "sieht": "sees",
    "wirft": "throws", "groß": "big", "klein": "small", "rot": "red", "einen": "a",
}  # fmt: skip
NOUNS, VERBS, ADJECTIVES = (
    ("Hund", "Mann", "Ball", "Baum"),
    ("sieht", "wirft"),
    ("groß", "klein", "rot"),
)


def make_pairs(count: int, seed: int = 1) -> tuple[list[str], list[str]]:
    """So many simple German sentences, word for word in English."""
    chance = random.Random(seed)
    source, target = [], []
    for _ in range(count):
        words = ["der", chance.choice(NOUNS), chance.choice(VERBS), "einen"]
        words += [*chance.sample(ADJECTIVES, chance.randint(0, 2)), chance.choice(NOUNS)]
        for lines, side in ((source, words), (target, [WORDS[word] for word in words])):
            text = " ".join(side)
            lines.append(text[0].upper() + text[1:] + ".")
    return source, target
