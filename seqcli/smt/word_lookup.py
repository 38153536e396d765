"""Words that no phrase translates, looked up in a lexicon."""

import numpy as np

from seqcli.smt.lexicon import NULL, Lexicon
from seqcli.tokenizers.vocabulary import Vocabulary


class WordLookup:
    """Gives the most probable translation of a word, or the word itself.

    Where the lexicon does not have the word as it is written, it is tried in small letters, then
    with a capital.
    """

    def __init__(
        self, lexicon: Lexicon, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary
    ) -> None:
        is_pair = (lexicon.source != NULL) & (lexicon.target != NULL)
        sources, targets = lexicon.source[is_pair], lexicon.target[is_pair]
        order = np.lexsort((-lexicon.target_given_source[is_pair], sources))
        known, firsts = np.unique(sources[order], return_index=True)
        self._targets = dict(zip(known.tolist(), targets[order][firsts].tolist(), strict=True))
        self._vocabularies = source_vocabulary, target_vocabulary

    def __call__(self, word: str) -> str:
        sources, targets = self._vocabularies
        for form in (word, word.lower(), word.capitalize()):
            target = self._targets.get(sources.id(form))
            if form in sources and target is not None:
                return targets.pieces[target]
        return word
