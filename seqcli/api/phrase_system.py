"""A phrase-based system in its folder."""

import msgspec

from seqcli.bundle import FACTS, find_model, read_facts
from seqcli.config import from_dict
from seqcli.errors import ConfigError, ModelError
from seqcli.smt.arrays import broken
from seqcli.smt.lexicon import LEXICON
from seqcli.smt.phrase_files import FILES, PhraseSystem, load_phrase_system, with_lookup
from seqcli.smt.phrase_translator import LOOK_UP, PhraseDecodingConfig, PhraseTranslator
from seqcli.smt.recipe import SmtRecipe

ARCHITECTURE = SmtRecipe().architecture
PARTS = (*FILES, LEXICON)  # all that its folder has beside what each model has


def load_phrase_translator(
    model: str,
    *,
    beam_width: int | None = None,
    num_best: int = 1,
    threads: int = 1,
) -> PhraseTranslator:
    """Load the system in a folder, or a shipped one by its name.

    A `beam_width` takes the place of its recipe's decoding.stack_size. Raises ModelError.
    """
    recipe, system = load_phrase_parts(model)
    config = recipe.decoding
    if beam_width is not None:
        config = msgspec.structs.replace(config, stack_size=beam_width)
    return translator_of(system, config, num_best=num_best, threads=threads)


def load_phrase_parts(model: str) -> tuple[SmtRecipe, PhraseSystem]:
    """Load a system with its recipe. Raises ModelError, also for a model of another kind."""
    folder = find_model(model)
    facts = read_facts(folder)
    if facts.architecture != ARCHITECTURE:
        raise ModelError(
            f"the model in {folder} is no phrase-based system: its architecture is "
            f"{facts.architecture!r}",
            fix=f"Give a model whose architecture is {ARCHITECTURE!r}",
        )
    try:
        recipe = from_dict(facts.recipe, SmtRecipe, origin=str(folder / FACTS))
    except ConfigError as error:
        raise broken(folder, f"its recipe is not one of ours: {error.what}") from error
    system = load_phrase_system(folder)
    if system.fingerprint() != facts.vocabulary:
        raise broken(folder, "its vocabularies are not those that it was trained with")
    if recipe.decoding.unknown_words == LOOK_UP:
        system = with_lookup(system, folder)
    return recipe, system


def translator_of(
    system: PhraseSystem, config: PhraseDecodingConfig, *, num_best: int = 1, threads: int = 1
) -> PhraseTranslator:
    """A translator that uses all parts of a system."""
    return PhraseTranslator(
        system.model,
        config,
        source_words=system.source_words,
        target_words=system.target_words,
        num_best=num_best,
        threads=threads,
        copy_word=system.copy_word,
    )
