"""What a translation is judged by: its score is the sum of these features, each times its weight.

All but the counts are natural logarithms of probabilities, or distances with a minus sign, so that
more is better. The counts (words, phrases, unknown words, rare phrases) are plain: a positive
weight of `word_penalty` lengthens the output, a negative one shortens it.
"""

import numpy as np
from numpy.typing import NDArray

FEATURES: tuple[str, ...] = (
    "language_model",  # log probability of the sentence with its end
    "class_language_model",  # the same of the classes of its words; 0 in a system without
    "word_penalty",  # target words
    "phrase_penalty",  # phrases
    "unknown_words",  # source words that are copied, as no phrase of that one word is known
    "rare_phrases",  # phrases seen once in training
    "source_given_target",
    "lexical_source_given_target",
    "target_given_source",
    "lexical_target_given_source",
    "distortion",  # minus the words jumped over between phrases, from the left
    "monotone_from_previous",  # how the phrase stands to the one before
    "swap_from_previous",
    "discontinuous_from_previous",
    "monotone_to_next",  # how it stands to the one after
    "swap_to_next",
    "discontinuous_to_next",
)
NUM_FEATURES = len(FEATURES)
LANGUAGE_MODEL, CLASS_MODEL, WORDS, PHRASES, UNKNOWN, RARE = range(6)
TRANSLATION = FEATURES.index("source_given_target")  # the first of four
DISTORTION = FEATURES.index("distortion")
FROM_PREVIOUS = FEATURES.index("monotone_from_previous")  # the first of three orientations
TO_NEXT = FEATURES.index("monotone_to_next")
MONOTONE, SWAP, DISCONTINUOUS = range(3)

START_WEIGHTS = {
    "language_model": 3.5,
    "class_language_model": 1.5,
    "word_penalty": 5.5,
    "phrase_penalty": 1.2,
    "unknown_words": -0.5,
    "rare_phrases": -3.0,
    "source_given_target": 2.0,
    "lexical_source_given_target": 0.1,
    "target_given_source": 4.4,
    "lexical_target_given_source": 1.2,
    "distortion": 0.45,
    "monotone_from_previous": 3.7,
    "swap_from_previous": 3.0,
    "discontinuous_from_previous": 2.2,
    "monotone_to_next": 1.8,
    "swap_to_next": 1.5,
    "discontinuous_to_next": 2.7,
}


def start_weights() -> NDArray[np.float64]:
    """Weights that translate fairly before any tuning, in the order of `FEATURES`."""
    return np.array([START_WEIGHTS[name] for name in FEATURES])
