"""All phrases that a system can translate, in sorted arrays that may lie in files."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seqcli.smt.arrays import Ids, Places, Singles, broken, load_arrays, save_arrays
from seqcli.smt.corpus import Sentences
from seqcli.smt.kernel import kernel, leaf

NUM_SCORES, NUM_REORDERING = 5, 6


class PhraseTable(NamedTuple):
    """S source phrases, sorted by their words, and P pairs with target phrases.

    Source phrase s has the words `source_ids[source_starts[s]:source_starts[s + 1]]` and the pairs
    `pair_starts[s]` to `pair_starts[s + 1]`, the most probable first. Scores are natural logarithms
    but for the last.
    """

    source_starts: Places  # S + 1
    source_ids: Ids
    pair_starts: Places  # S + 1
    target_starts: Places  # P + 1
    target_ids: Ids
    scores: Singles  # P, 5: p(f|e), lex(f|e), p(e|f), lex(e|f), 1 if the pair was seen once or 0
    reordering: (
        Singles  # P, 6: monotone, swap, discontinuous to the phrase before, then to the next
    )


@kernel
def find_phrases(table: PhraseTable, ids: Ids, longest: int) -> tuple[Ids, Ids, Places]:
    """Find the parts of a sentence, of up to `longest` words, that are source phrases.

    Returns where each begins and ends and its number in the table, by begin, then end.
    """
    most = len(ids) * min(longest, len(ids))
    begins, ends = np.empty(most, np.int32), np.empty(most, np.int32)
    phrases = np.empty(most, np.int64)
    count = 0
    for begin in range(len(ids)):
        low, high = 0, len(table.source_starts) - 1  # share the words so far
        for length in range(1, min(longest, len(ids) - begin) + 1):
            word = int(ids[begin + length - 1])
            low = _first_not_below(table, low, high, length, word)
            high = _first_not_below(table, low, high, length, word + 1)
            if low == high:
                break
            if table.source_starts[low + 1] - table.source_starts[low] == length:
                begins[count], ends[count] = begin, begin + length
                phrases[count] = low
                count += 1
    return begins[:count].copy(), ends[:count].copy(), phrases[:count].copy()


@leaf
def _first_not_below(table: PhraseTable, low: int, high: int, length: int, word: int) -> int:
    """The first of the phrases low to high whose word number `length` is not below `word`.

    They share all words before it; one that ends there is below any word.
    """
    while low < high:
        middle = (low + high) >> 1
        place = table.source_starts[middle] + length - 1
        if place >= table.source_starts[middle + 1] or table.source_ids[place] < word:
            low = middle + 1
        else:
            high = middle
    return low


@kernel
def _mark_phrases(
    table: PhraseTable, ids: Ids, starts: Places, longest: int, is_used: NDArray[np.bool_]
) -> None:
    for n in range(len(starts) - 1):
        for phrase in find_phrases(table, ids[starts[n] : starts[n + 1]], longest)[2]:
            is_used[phrase] = True


def filter_table(table: PhraseTable, sentences: Sentences) -> PhraseTable:
    """The part of a table that can serve these sentences, which translates them just as well."""
    is_used = np.zeros(len(table.pair_starts) - 1, np.bool_)
    longest = np.diff(table.source_starts).max(initial=0)
    _mark_phrases(table, sentences.ids, sentences.starts, longest, is_used)
    sizes = np.diff(table.pair_starts)
    is_kept = np.repeat(is_used, sizes)
    source, target = np.diff(table.source_starts)[is_used], np.diff(table.target_starts)[is_kept]
    return PhraseTable(
        *gather(table.source_ids, table.source_starts[:-1][is_used], source),
        np.concatenate([[0], np.cumsum(sizes[is_used])]),
        *gather(table.target_ids, table.target_starts[:-1][is_kept], target),
        table.scores[is_kept],
        table.reordering[is_kept],
    )


def gather(ids: Ids, begins: Places, lengths: NDArray[np.integer]) -> tuple[Places, Ids]:
    """Put parts of `ids` one after another: where each begins, with the end, and their words."""
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return starts, ids[np.repeat(begins - starts[:-1], lengths) + np.arange(starts[-1])]


def save_phrase_table(table: PhraseTable, folder: Path) -> None:
    """Write a file for each array into `folder`, which is there. Raises OutputError."""
    save_arrays(table, folder)


def load_phrase_table(folder: Path) -> PhraseTable:
    """Open what `save_phrase_table` wrote, by memory map. ModelError if it is broken."""
    table = load_arrays(PhraseTable, folder)
    fault = _fault_of(table)
    if fault:
        raise broken(folder, fault)
    return table


def _fault_of(table: PhraseTable) -> str:
    """What would lead a kernel out of the arrays, "" if nothing."""
    num_phrases, num_pairs = len(table.source_starts) - 1, len(table.target_starts) - 1
    wanted: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "source_starts": (np.int64, (num_phrases + 1,)),
        "source_ids": (np.int32, (len(table.source_ids),)),
        "pair_starts": (np.int64, (num_phrases + 1,)),
        "target_starts": (np.int64, (num_pairs + 1,)),
        "target_ids": (np.int32, (len(table.target_ids),)),
        "scores": (np.float32, (num_pairs, NUM_SCORES)),
        "reordering": (np.float32, (num_pairs, NUM_REORDERING)),
    }
    for name, (kind, shape) in wanted.items():
        array = getattr(table, name)
        if array.dtype != kind or array.shape != shape:
            return f"{name} does not fit the other arrays"
        if kind is np.float32 and not np.isfinite(array).all():
            return f"{name} holds what is no number"
    if table.source_ids.min(initial=0) < 0 or table.target_ids.min(initial=0) < 0:
        return "a word has no number"
    for starts, end in (
        (table.source_starts, len(table.source_ids)),
        (table.pair_starts, num_pairs),
        (table.target_starts, len(table.target_ids)),
    ):
        if not _are_starts(starts, end):
            return "phrases are not one after another"
    return "" if _is_sorted(table) else "phrases are not sorted"


@kernel
def _is_sorted(table: PhraseTable) -> bool:
    """Whether each source phrase is below the next, word by word, a shorter one below a longer."""
    for phrase in range(len(table.source_starts) - 2):
        one, other = table.source_starts[phrase], table.source_starts[phrase + 1]
        end, last = other, table.source_starts[phrase + 2]
        while one < end and other < last and table.source_ids[one] == table.source_ids[other]:
            one, other = one + 1, other + 1
        if other == last or (one < end and table.source_ids[one] > table.source_ids[other]):
            return False
    return True


def _are_starts(starts: NDArray[Any], end: int) -> bool:
    """Whether all parts from 0 to `end` hold something."""
    return (
        len(starts) > 0
        and starts[0] == 0
        and starts[-1] == end
        and bool((np.diff(starts) > 0).all())
    )
