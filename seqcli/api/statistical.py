"""The systems without a network: which they are, and how they are loaded.

What they need is imported where it is used: numba alone takes a good part of a second.
"""

import os

from seqcli.bundle import find_model, read_facts
from seqcli.errors import ModelError, UsageError
from seqcli.translator import Translator

PHRASES, DICTIONARY, NGRAM = "smt", "dictionary", "ngram"  # architectures
ARCHITECTURES = (PHRASES, DICTIONARY, NGRAM)


def is_statistical(architecture: str) -> bool:
    """Whether an architecture is one of those that have no network."""
    return architecture in ARCHITECTURES


def load_statistical(
    model: str, *, beam_width: int | None = None, num_best: int = 1, threads: int | None = None
) -> Translator:
    """Load such a system as a translator.

    Raises ModelError, and UsageError for a beam or several hypotheses where
    nothing is searched for.
    """
    architecture = read_facts(find_model(model)).architecture
    if architecture == PHRASES:
        from seqcli.api.phrase_system import load_phrase_translator

        return load_phrase_translator(
            model,
            beam_width=beam_width,
            num_best=num_best,
            threads=threads or available_cores(),
        )
    if architecture != DICTIONARY:
        raise ModelError(
            f"the model in {model} does not translate: it is a language model",
            fix="Use `seqcli score` or `seqcli generate` with it",
        )
    from seqcli.api.dictionary_system import load_dictionary_translator

    for name, is_given in {"a beam": beam_width is not None, "--nbest": num_best > 1}.items():
        if is_given:
            raise UsageError(
                f"{name} has no effect on the model in {model}",
                why="it puts a word for each word, and has one answer to a line",
                fix="Leave it out",
            )
    return load_dictionary_translator(model)


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
