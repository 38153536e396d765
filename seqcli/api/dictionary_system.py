"""A dictionary that translates, in its folder."""

import gzip
from dataclasses import dataclass
from pathlib import Path

from seqcli.bundle import FACTS, Facts, find_model, read_facts, write_facts
from seqcli.config import from_dict
from seqcli.errors import ConfigError, DataError
from seqcli.smt.arrays import broken
from seqcli.smt.dictionary import DictionaryTranslator, Entries, WordChooser
from seqcli.smt.dictionary_training import entry_lines, parse_entry_lines
from seqcli.smt.ngram_model import load_ngram_model, save_ngram_model
from seqcli.smt.phrase_files import FILES, NGRAMS, load_vocabulary, save_vocabulary
from seqcli.smt.recipe import DictionaryRecipe
from seqcli.smt.words import MosesWords, load_words, save_words
from seqcli.text.lines import read_lines, write_atomically

ENTRIES = "dictionary.tsv.gz"
PARTS = (*FILES, ENTRIES)  # all that its folder has beside what each model has


@dataclass(frozen=True, slots=True)
class LoadedDictionary:
    """Entries and what belongs to them."""

    recipe: DictionaryRecipe
    entries: Entries
    source_words: MosesWords
    target_words: MosesWords
    chooser: WordChooser | None

    def translator(self) -> DictionaryTranslator:
        return DictionaryTranslator(
            self.entries,
            source_words=self.source_words,
            target_words=self.target_words,
            chooser=self.chooser,
        )

    def description(self) -> dict[str, str]:
        """What the system is made of, in words by name."""
        count = sum(map(len, self.entries.values()))
        chosen = "the first of an entry"
        if self.chooser is not None:
            chosen = f"by a bigram model of {len(self.chooser.vocabulary):,} words"
        files = ", ".join(self.recipe.dictionary)
        return ({"taken from": files} if files else {}) | {
            "entries": f"{len(self.entries):,} with {count:,} translations",
            "choice": chosen,
        }


def write_dictionary(folder: Path, loaded: LoadedDictionary, facts: Facts) -> None:
    """Write a system to a folder that is there and empty. Raises OutputError."""
    save_words(folder, "source", loaded.source_words)
    save_words(folder, "target", loaded.target_words)
    with (
        write_atomically(folder / ENTRIES) as stream,
        gzip.GzipFile(filename="", mode="wb", fileobj=stream.buffer, mtime=0) as packed,
    ):
        packed.writelines(f"{line}\n".encode() for line in entry_lines(loaded.entries))
    if loaded.chooser is not None:
        save_vocabulary(folder, "target", loaded.chooser.vocabulary)
        (folder / NGRAMS).mkdir()
        save_ngram_model(loaded.chooser.model, folder / NGRAMS)
    write_facts(folder, facts)


def load_dictionary_translator(model: str) -> DictionaryTranslator:
    """Load the system in a folder, or a shipped one by its name. Raises ModelError."""
    folder = find_model(model)
    facts = read_facts(folder)
    try:
        recipe = from_dict(facts.recipe, DictionaryRecipe, origin=str(folder / FACTS))
        entries = parse_entry_lines(read_lines(folder / ENTRIES), str(folder / ENTRIES))
    except (ConfigError, DataError) as error:
        raise broken(folder, error.what) from error
    source_words, target_words = load_words(folder, "source"), load_words(folder, "target")
    if not (isinstance(source_words, MosesWords) and isinstance(target_words, MosesWords)):
        raise broken(folder, "it has a tokenizer of another kind of model")
    chooser = None
    if (folder / NGRAMS).is_dir():
        chooser = WordChooser(load_ngram_model(folder / NGRAMS), load_vocabulary(folder, "target"))
        if chooser.model.vocabulary_size != len(chooser.vocabulary):
            raise broken(folder, "its n-grams are of another vocabulary")
    return LoadedDictionary(recipe, entries, source_words, target_words, chooser).translator()
