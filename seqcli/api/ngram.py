"""An n-gram language model in its folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from seqcli.bundle import (
    FACTS,
    Facts,
    find_model,
    load_tokenizers,
    read_facts,
    save_tokenizers,
    vocabulary_fingerprint,
    write_facts,
)
from seqcli.config import from_dict
from seqcli.errors import ConfigError, UsageError
from seqcli.smt.arrays import broken
from seqcli.smt.ngram_language_model import NgramGenerator, NgramScorer, export_arpa
from seqcli.smt.ngram_model import NgramModel, load_ngram_model, save_ngram_model
from seqcli.smt.ngram_recipe import NgramRecipe
from seqcli.text.generation import GenerationConfig
from seqcli.tokenizers import Tokenizer

NGRAMS = "ngrams"  # the folder of the arrays
ARPA = "language_model.arpa.gz"
ARCHITECTURE = NgramRecipe().architecture


@dataclass(frozen=True, slots=True)
class LoadedNgram:
    """An n-gram model and what belongs to it."""

    recipe: NgramRecipe
    model: NgramModel
    tokenizer: Tokenizer

    def scorer(self) -> NgramScorer:
        return NgramScorer(self.model, self.tokenizer)

    def generator(self, config: GenerationConfig, *, seed: int) -> NgramGenerator:
        return NgramGenerator(self.model, config, tokenizer=self.tokenizer, seed=seed)

    def description(self) -> dict[str, str]:
        """What the model is made of, in words by name."""
        sizes = enumerate(self.model.sizes, start=1)
        origin = {} if self.recipe.arpa is None else {"taken from": self.recipe.arpa}
        return origin | {
            "vocabulary": f"{self.model.vocabulary_size:,}",
            "n-grams": ", ".join(f"{size:,} of order {order}" for order, size in sizes),
        }


def is_ngram(model: str) -> bool:
    """Whether the model in a folder, or a shipped one, is of this kind. Raises ModelError."""
    return read_facts(find_model(model)).architecture == ARCHITECTURE


def refuse_for_ngrams(model: str, options: Mapping[str, object]) -> None:
    """Raise UsageError for the first option that is not None: it would have no effect."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(
                f"{name} has no effect on the model in {model}",
                why="a model of n-grams takes its lines one by one, on one thread",
                fix=f"Leave out {name}",
            )


def load_ngram(model: str) -> LoadedNgram:
    """Load the model in a folder, or a shipped one by its name. Raises ModelError."""
    folder = find_model(model)
    facts = read_facts(folder)
    try:
        recipe = from_dict(facts.recipe, NgramRecipe, origin=str(folder / FACTS))
    except ConfigError as error:
        raise broken(folder, f"its recipe is not one of ours: {error.what}") from error
    tokenizers = load_tokenizers(folder)
    if set(tokenizers) != {"shared"} or vocabulary_fingerprint(tokenizers) != facts.vocabulary:
        raise broken(folder, "its tokenizer is not the one that the model was trained with")
    ngrams = load_ngram_model(folder / NGRAMS)
    if ngrams.vocabulary_size != len(tokenizers["shared"].vocabulary):
        raise broken(folder, "its n-grams are of another vocabulary")
    return LoadedNgram(recipe, ngrams, tokenizers["shared"])


def write_ngram(folder: Path, loaded: LoadedNgram, facts: Facts) -> None:
    """Write a model to a folder that is there and empty. Raises OutputError."""
    save_tokenizers(folder, {"shared": loaded.tokenizer})
    (folder / NGRAMS).mkdir()
    save_ngram_model(loaded.model, folder / NGRAMS)
    if loaded.recipe.write_arpa:
        export_arpa(loaded.model, loaded.tokenizer, folder / ARPA)
    write_facts(folder, facts)
