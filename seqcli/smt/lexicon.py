r"""How words translate, counted from a word alignment (Koehn et al., 2003), NULL among them.

A word that no link touches counts as a translation of NULL, the missing word. The file of a lexicon
is text packed by gzip with one line for each pair of words that were linked:

    source TAB target TAB p(target | source) TAB p(source | target)

NULL is the empty text. A backslash, tab or line feed in a word is written \\, \t or \n.
"""

import gzip
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seqcli.errors import DataError, ModelError
from seqcli.smt.arrays import Floats, Ids, Places, broken
from seqcli.smt.corpus import Sentences
from seqcli.smt.links import Links
from seqcli.text.lines import read_lines, write_atomically
from seqcli.tokenizers.vocabulary import PAD, Vocabulary

NULL = PAD  # no word of a sentence has this id
LEXICON = "lexicon.tsv.gz"
ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n"}
UNESCAPES = {escape: character for character, escape in ESCAPES.items()}


class Lexicon(NamedTuple):
    """Pairs of linked words, sorted by source, then target, each once; NULL is `NULL`."""

    source: Ids
    target: Ids
    target_given_source: Floats  # over all targets of a source word: sums to one
    source_given_target: Floats


def learn_lexicon(source: Sentences, target: Sentences, links: Links) -> Lexicon:
    """Count links. DataError if a link leads out of its pair of sentences."""
    source_words, target_words = linked_words(source, target, links)
    linked = _keys(source.ids[source_words], target.ids[target_words])
    without_target = _keys(np.delete(source.ids, source_words), NULL)
    without_source = _keys(NULL, np.delete(target.ids, target_words))
    every = np.concatenate([linked, without_target, without_source])
    keys, counts = np.unique(every, return_counts=True)
    sources, targets = keys >> 32, keys & (2**32 - 1)
    return Lexicon(
        sources.astype(np.int32),
        targets.astype(np.int32),
        counts / np.bincount(sources, counts)[sources],
        counts / np.bincount(targets, counts)[targets],
    )


def linked_words(source: Sentences, target: Sentences, links: Links) -> tuple[Places, Places]:
    """The places in `source.ids` and `target.ids` of the words of each link.

    DataError if the numbers of sentences differ or a link leads out of its pair of sentences.
    """
    if not source.num_sentences == target.num_sentences == links.num_pairs:
        raise DataError(
            f"there are {source.num_sentences} source sentences, {target.num_sentences} target "
            f"sentences and {links.num_pairs} alignments",
            why="each pair of sentences has one alignment",
        )
    pairs = np.repeat(np.arange(links.num_pairs), np.diff(links.starts))
    places = []
    for side, sentences in ((links.source, source), (links.target, target)):
        is_outside = (side < 0) | (side >= sentences.lengths()[pairs])
        if is_outside.any():
            raise DataError(
                f"alignment {pairs[np.argmax(is_outside)] + 1}: a link leads out of the sentence",
                fix="Align these very sentences again",
            )
        places.append(sentences.starts[pairs] + side)
    return places[0], places[1]


def word_weights(
    lexicon: Lexicon, source: Sentences, target: Sentences, links: Links
) -> tuple[Floats, Floats]:
    """The lexical weight of each word of `source.ids`, then of `target.ids`, as logarithms.

    It is the mean of the word's probability given the words linked to it, or that given NULL.
    The lexical weight of a phrase is the sum over its words, as a phrase holds all their links.
    Raises KeyError if two linked words are not in the lexicon.
    """
    source_words, target_words = linked_words(source, target, links)
    entries = _find(lexicon, source.ids[source_words], target.ids[target_words])
    weights = []
    for ids, words, probabilities, null_entries in (
        (source.ids, source_words, lexicon.source_given_target, lambda free: (free, NULL)),
        (target.ids, target_words, lexicon.target_given_source, lambda free: (NULL, free)),
    ):
        num_links = np.bincount(words, minlength=len(ids))
        sums = np.bincount(words, probabilities[entries], len(ids)).astype(float)  # even if empty
        is_free = num_links == 0
        sums[is_free] = probabilities[_find(lexicon, *null_entries(ids[is_free]))]
        weights.append(np.log(sums / np.maximum(num_links, 1)))
    return weights[0], weights[1]


def save_lexicon(
    path: Path, lexicon: Lexicon, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary
) -> None:
    """Write a lexicon as text; equal ones give equal files. Raises OutputError."""
    sources, targets = _texts(source_vocabulary), _texts(target_vocabulary)
    with (
        write_atomically(path) as stream,
        gzip.GzipFile(
            filename="", mode="wb", compresslevel=6, fileobj=stream.buffer, mtime=0
        ) as packed,
    ):
        for source, target, forth, back in zip(*(array.tolist() for array in lexicon), strict=True):
            packed.write(
                f"{sources[source]}\t{targets[target]}\t{forth:.6g}\t{back:.6g}\n".encode()
            )


def load_lexicon(
    path: Path, source_vocabulary: Vocabulary, target_vocabulary: Vocabulary
) -> Lexicon:
    """Read what `save_lexicon` wrote with the same vocabularies. ModelError if it is broken."""
    rows = []
    try:
        for number, line in enumerate(read_lines(path), start=1):
            rows.append(_parse(line, path, number, source_vocabulary, target_vocabulary))
    except DataError as error:
        raise ModelError(error.what, why=error.why, fix=error.fix) from error
    if not rows:
        raise broken(path.parent, f"{path.name} is empty")
    rows.sort()
    return Lexicon(
        np.array([row[0] for row in rows], np.int32),
        np.array([row[1] for row in rows], np.int32),
        np.array([row[2] for row in rows], np.float64),
        np.array([row[3] for row in rows], np.float64),
    )


def _parse(
    line: str, path: Path, number: int, sources: Vocabulary, targets: Vocabulary
) -> tuple[int, int, float, float]:
    try:
        source, target, *texts = line.split("\t")
        forth, back = map(float, texts)
        if not (0 < forth <= 1 and 0 < back <= 1):
            raise ValueError
        return _word_id(source, sources), _word_id(target, targets), forth, back
    except (ValueError, KeyError) as error:
        raise ModelError(
            f"{path}, line {number}: this is no entry of the model's lexicon",
            why="an entry has two words that the model knows and two probabilities",
            fix="Copy the whole folder again, or train the model again",
        ) from error


def _word_id(text: str, vocabulary: Vocabulary) -> int:
    """The id of a word as it is written in the file. KeyError if there is none."""
    if not text:
        return NULL
    word = re.sub(r"\\.", lambda match: UNESCAPES[match[0]], text)
    if word not in vocabulary:
        raise KeyError(word)
    return vocabulary.id(word)


def _texts(vocabulary: Vocabulary) -> list[str]:
    table = str.maketrans(ESCAPES)
    return [
        "" if id == NULL else word.translate(table) for id, word in enumerate(vocabulary.pieces)
    ]


def _keys(source: Ids | int, target: Ids | int) -> Places:
    """One number for each pair of words, which rises with (source, target)."""
    return np.asarray(source, np.int64) << 32 | np.asarray(target, np.int64)


def _find(lexicon: Lexicon, source: Ids | int, target: Ids | int) -> Places:
    """The entries of pairs of words."""
    keys, wanted = _keys(lexicon.source, lexicon.target), _keys(source, target)
    places = np.searchsorted(keys, wanted)
    if not np.array_equal(keys[places[places < len(keys)]], wanted):
        raise KeyError("words are linked that the lexicon does not hold")
    return places
