"""Link the words of a text to those of its translation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from seqcli.api.statistical import available_cores
from seqcli.errors import DataError
from seqcli.smt.alignment import MODEL, SEED, SYMMETRIZATION, align
from seqcli.smt.alignment_error_rate import AlignmentScore, read_gold, score_alignment
from seqcli.smt.corpus import Sentences, encode_sentences, learn_vocabulary
from seqcli.smt.links import Links, format_links
from seqcli.smt.symmetrization import Symmetrization
from seqcli.text.parallel import read_parallel
from seqcli.text.words import split_words


@dataclass(frozen=True, slots=True)
class AlignedText:
    """The links of each pair of lines, and how they agree with gold if there is some."""

    links: Links
    score: AlignmentScore | None

    def lines(self) -> Iterator[str]:
        """A line for each pair in Pharaoh's format, such as `0-0 1-2`; empty without links."""
        return format_links(self.links)


def align_files(
    source: str,
    target: str,
    *,
    model: str = MODEL,
    symmetrization: Symmetrization = SYMMETRIZATION,
    gold: str | None = None,
    seed: int = SEED,
    threads: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> AlignedText:
    """Align two files line by line, by what their pairs teach themselves; "-" is standard input.

    Words are what stands between spaces or tabs; to the models they are alike but for case.
    `threads` are all cores if None. Raises DataError for unusable text or gold, ConfigError for an
    unknown name.
    """
    sides = [_encode(lines) for lines in read_parallel(source, target)]
    if not (sides[0].lengths() * sides[1].lengths()).any():
        raise DataError(
            f"{source} and {target} have no pair of lines that both have words",
            why="there is nothing to align",
            fix="Check that these are the right files",
        )
    gold_pairs = None if gold is None else read_gold(gold, *sides)
    links = align(
        *sides,
        model=model,
        symmetrization=symmetrization,
        seed=seed,
        threads=threads or available_cores(),
        tell=tell,
    )
    return AlignedText(links, None if gold_pairs is None else score_alignment(links, gold_pairs))


def _encode(lines: list[str]) -> Sentences:
    words = [split_words(line.lower()) for line in lines]
    return encode_sentences(words, learn_vocabulary(words))
