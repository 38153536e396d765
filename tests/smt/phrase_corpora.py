"""Small aligned corpora, and the phrase pairs in them found by trying all."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from hypothesis import strategies as st

from seqcli.smt.corpus import Sentences, encode_sentences, learn_vocabulary
from seqcli.smt.lexicon import learn_lexicon
from seqcli.smt.links import Links, make_links
from seqcli.smt.phrase_extraction import PhraseCounts, count_phrases
from seqcli.tokenizers.vocabulary import Vocabulary

Words = tuple[str, ...]
MONOTONE, SWAP, DISCONTINUOUS = range(3)


class Aligned(NamedTuple):
    """One pair of sentences and its links."""

    source: Words
    target: Words
    links: frozenset[tuple[int, int]]


class Corpus(NamedTuple):
    """Pairs of sentences as arrays."""

    source: Sentences
    target: Sentences
    links: Links
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary

    def count(self, longest: int = 7, threads: int = 1) -> PhraseCounts:
        lexicon = learn_lexicon(self.source, self.target, self.links)
        return count_phrases(
            self.source, self.target, self.links, lexicon, longest=longest, threads=threads
        )


@st.composite
def aligned_pairs(draw: st.DrawFn) -> Aligned:
    source = draw(st.lists(st.sampled_from("abc"), max_size=6))
    target = draw(st.lists(st.sampled_from("xyz"), max_size=6))
    cells = list(product(range(len(source)), range(len(target))))
    links = draw(st.frozensets(st.sampled_from(cells), max_size=7)) if cells else frozenset()
    return Aligned(tuple(source), tuple(target), links)


corpora = st.lists(aligned_pairs(), max_size=5)


def as_arrays(pairs: Sequence[Aligned]) -> Corpus:
    sources, targets = [pair.source for pair in pairs], [pair.target for pair in pairs]
    source_vocabulary, target_vocabulary = learn_vocabulary(sources), learn_vocabulary(targets)
    return Corpus(
        encode_sentences(sources, source_vocabulary),
        encode_sentences(targets, target_vocabulary),
        make_links(pair.links for pair in pairs),
        source_vocabulary,
        target_vocabulary,
    )


def aligned(source: str, target: str, links: str) -> Aligned:
    cells = (tuple(map(int, link.split("-"))) for link in links.split())
    return Aligned(tuple(source.split()), tuple(target.split()), frozenset(cells))  # type: ignore[arg-type]


class Seen(NamedTuple):
    """A phrase pair where it stands."""

    source: Words
    target: Words
    before: int
    after: int
    links: frozenset[tuple[int, int]]  # inside, counted from the begin of the phrases


def spans(length: int, longest: int) -> Iterator[tuple[int, int]]:
    for begin in range(length):
        for end in range(begin + 1, min(length, begin + longest) + 1):
            yield begin, end


def find_pairs(pair: Aligned, longest: int = 7) -> list[Seen]:
    """Try all pairs of spans, by the definition."""
    sizes = len(pair.source), len(pair.target)
    boxes = []
    for (i, k), (j, m) in product(spans(sizes[0], longest), spans(sizes[1], longest)):
        inside = {link for link in pair.links if i <= link[0] < k and j <= link[1] < m}
        touched = {link for link in pair.links if i <= link[0] < k or j <= link[1] < m}
        if inside and inside == touched:
            boxes.append((i, k, j, m))
    begin, end = (-1, 0, -1, 0), (sizes[0], sizes[0] + 1, sizes[1], sizes[1] + 1)

    def turn(straight: bool, crossed: bool) -> int:
        return DISCONTINUOUS if straight == crossed else MONOTONE if straight else SWAP

    return [
        Seen(
            pair.source[i:k],
            pair.target[j:m],
            turn(
                any((b, d) == (i, j) for _, b, _, d in [begin, *boxes]),
                any((a, d) == (k, j) for a, _, _, d in boxes),
            ),
            turn(
                any((a, c) == (k, m) for a, _, c, _ in [end, *boxes]),
                any((b, c) == (i, m) for _, b, c, _ in boxes),
            ),
            frozenset((a - i, b - j) for a, b in pair.links if i <= a < k and j <= b < m),
        )
        for i, k, j, m in boxes
    ]


def count_links(pairs: Sequence[Aligned]) -> Counter[tuple[str, str]]:
    """The links of each pair of words; the word "" is NULL."""
    counts: Counter[tuple[str, str]] = Counter()
    for source, target, links in pairs:
        counts.update((source[i], target[j]) for i, j in links)
        linked_source, linked_target = {i for i, _ in links}, {j for _, j in links}
        counts.update((word, "") for i, word in enumerate(source) if i not in linked_source)
        counts.update(("", word) for j, word in enumerate(target) if j not in linked_target)
    return counts


def conditional(counts: Counter[tuple[str, str]], given: int) -> dict[tuple[str, str], float]:
    """The probability of each pair given its source (0) or its target (1)."""
    totals: Counter[str] = Counter()
    for pair, count in counts.items():
        totals[pair[given]] += count
    return {pair: count / totals[pair[given]] for pair, count in counts.items()}


def lexical_weight(
    seen: Seen, source_given_target: dict[tuple[str, str], float], *, of_source: bool
) -> float:
    """Koehn et al. (2003), equation 7, as a logarithm: for each word the mean over its links."""
    words, others = (seen.source, seen.target) if of_source else (seen.target, seen.source)
    total = 0.0
    for place, word in enumerate(words):
        linked = [
            others[j if of_source else i] for i, j in seen.links if (i if of_source else j) == place
        ] or [""]
        keys = [(word, other) if of_source else (other, word) for other in linked]
        total += math.log(sum(source_given_target[key] for key in keys) / len(keys))
    return total


def phrase_texts(counts: PhraseCounts, corpus: Corpus) -> list[tuple[Words, Words]]:
    """The words of each counted pair."""
    texts = []
    for source, target in zip(counts.source.tolist(), counts.target.tolist(), strict=True):
        row = []
        for number, phrases, sentences, vocabulary in (
            (source, counts.source_phrases, corpus.source, corpus.source_vocabulary),
            (target, counts.target_phrases, corpus.target, corpus.target_vocabulary),
        ):
            begin = phrases.places[number]
            ids = sentences.ids[begin : begin + phrases.lengths[number]].tolist()
            row.append(tuple(vocabulary.pieces_of(ids)))
        texts.append((row[0], row[1]))
    return texts
