"""Phrase-based search with stacks (Koehn et al., 2003), pruned as in cube pruning (Chiang, 2007).

A hypothesis is a node: which source words are covered, where the last phrase stood, and what the
language models remember. Nodes that cannot differ in anything to come are one node with several
arcs into it (recombination), so that the lattice holds all derivations that were found.

The stack of nodes with so many words covered is filled from rows: a node and a span to translate
next, with the options of the span best first. The row whose next option promises most is asked
first, and only then are the language models, so that its look-ups are few. What depends on the
covered words and the span alone is reckoned once for all nodes that have covered the same.
"""

import numpy as np

from seqcli.smt.arrays import Floats, Ids
from seqcli.smt.coverage import Whole, first_gap, is_covered
from seqcli.smt.features import (
    CLASS_MODEL,
    DISCONTINUOUS,
    DISTORTION,
    LANGUAGE_MODEL,
    MONOTONE,
    SWAP,
)
from seqcli.smt.kernel import kernel, leaf
from seqcli.smt.language_models import next_words
from seqcli.smt.lattice import (
    Arcs,
    Lattice,
    Nodes,
    Problem,
    Rows,
    Stacks,
    Steps,
    make_arcs,
    make_nodes,
    make_rows,
    make_slots,
    make_stacks,
    make_steps,
)
from seqcli.smt.options import LONGEST_PHRASE, Options
from seqcli.tokenizers.vocabulary import EOS


@leaf
def orientation_between(last_begin: Whole, last_end: Whole, begin: Whole, end: Whole) -> int:
    """How a phrase stands to the one before it; both ends of a sentence are empty phrases."""
    if begin == last_end:
        return MONOTONE
    return SWAP if end == last_begin else DISCONTINUOUS


@leaf
def _rest(
    future: Floats,
    distortion: float,
    low: np.uint64,
    high: np.uint64,
    covered: int,
    gap: Whole,
    end: Whole,
) -> float:
    """What the words left may bring if the gaps are visited from left to right."""
    length = len(future) - 1
    total, seen = 0.0, gap  # covered words before the gap
    while gap < length:
        stop = length
        if seen < covered:
            stop = gap + 1
            while not is_covered(low, high, stop):
                stop += 1
        total += future[gap, stop] - distortion * abs(gap - end)
        end = stop
        gap = first_gap(low, high, stop, length)
        seen += gap - stop
    return total


@leaf
def _span_of(options: Options, option: Whole) -> tuple[Whole, Whole]:
    """First source word and end of an option; the begin of the sentence for -1."""
    if option < 0:
        return 0, 0
    return np.int64(options.begin[option]), np.int64(options.end[option])


@leaf
def _find_rows(
    problem: Problem, nodes: Nodes, stacks: Stacks, covered: int, steps: Steps, rows: Rows
) -> int:
    """Write all rows that lead to so many covered words, and their steps; return their number."""
    num_steps, num_rows = 0, 0
    for stack in range(max(0, covered - LONGEST_PHRASE), covered):
        first, last = stacks.starts[stack], stacks.starts[stack]
        while last < stacks.starts[stack + 1]:
            first, last = last, _end_of_group(nodes, stacks, last, stacks.starts[stack + 1])
            node, before, width = stacks.nodes[first], num_steps, covered - stack
            num_steps = _add_steps(problem, nodes, node, covered, width, steps, before)
            for step in range(before, num_steps):
                for place in range(first, last):
                    node = stacks.nodes[place]
                    num_rows = _add_row(problem, nodes, node, steps, step, rows, num_rows)
    return num_rows


@leaf
def _end_of_group(nodes: Nodes, stacks: Stacks, first: int, end: int) -> int:
    """Where the nodes of a stack end that have covered the same words as the first of them."""
    node, last = stacks.nodes[first], first + 1
    while (
        last < end
        and nodes.low[stacks.nodes[last]] == nodes.low[node]
        and nodes.high[stacks.nodes[last]] == nodes.high[node]
    ):
        last += 1
    return last


@leaf
def _add_steps(
    problem: Problem, nodes: Nodes, node: int, covered: int, width: int, steps: Steps, count: int
) -> int:
    """Add each span of `width` words that may follow the words of a node; return the new count.

    The first gap stays within reach of a jump back. `covered` is the number of words that are
    covered then.
    """
    options, limit = problem.options, problem.distortion_limit
    low, high, gap = nodes.low[node], nodes.high[node], np.int64(nodes.gap[node])
    length = len(options.span_at)
    for begin in range(gap, length - width + 1):
        span, end = options.span_at[begin, width - 1], begin + width
        if begin != gap and end - gap > limit:
            break
        if span < 0 or options.low[span] & low or options.high[span] & high:
            continue
        new_low, new_high = low | options.low[span], high | options.high[span]
        new_gap = first_gap(new_low, new_high, end, length) if begin == gap else gap
        steps.span[count], steps.gap[count] = span, new_gap
        steps.low[count], steps.high[count] = new_low, new_high
        distortion = problem.weights[DISTORTION]
        steps.rest[count] = _rest(
            options.future, distortion, new_low, new_high, covered, new_gap, end
        )
        count += 1
    return count


@leaf
def _add_row(
    problem: Problem, nodes: Nodes, node: int, steps: Steps, step: int, rows: Rows, count: int
) -> int:
    """Add the row of a node and a step unless the jump is too long; return the new count."""
    options, last = problem.options, nodes.option[node]
    first = options.starts[steps.span[step]]
    begin, end = _span_of(options, first)
    last_begin, last_end = _span_of(options, last)
    if begin - last_end > problem.distortion_limit:
        return count
    orientation = orientation_between(last_begin, last_end, begin, end)
    base = nodes.score[node] - problem.weights[DISTORTION] * abs(begin - last_end)
    if last >= 0:
        base += options.reordering[last, 3 + orientation]
    rows.node[count], rows.step[count] = node, step
    rows.orientation[count], rows.place[count] = orientation, first
    rows.base[count] = base
    rows.promise[count] = base + steps.rest[step] + options.looks[orientation, first]
    return count + 1


@leaf
def _sink(heap: Ids, promise: Floats, size: int, place: int) -> None:
    """Let the row at a place of the heap sink below all that promise more."""
    row = heap[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and promise[heap[child + 1]] > promise[heap[child]]:
            child += 1
        if promise[heap[child]] <= promise[row]:
            break
        heap[place] = heap[child]
        place = child
    heap[place] = row


@leaf
def _go_on(options: Options, steps: Steps, rows: Rows, heap: Ids, size: int) -> int:
    """Let the first row of the heap offer its next option; return the new size of the heap."""
    row = heap[0]
    step = rows.step[row]
    rows.place[row] += 1
    if rows.place[row] < options.starts[steps.span[step] + 1]:
        looks = options.looks[rows.orientation[row], rows.place[row]]
        rows.promise[row] = rows.base[row] + steps.rest[step] + looks
    else:
        size -= 1
        heap[0] = heap[size]
    _sink(heap, rows.promise, size, 0)
    return size


@leaf
def _extend(
    problem: Problem,
    steps: Steps,
    rows: Rows,
    row: int,
    nodes: Nodes,
    new: int,
) -> None:
    """Write the node number `new` that the next option of a row leads to."""
    options, node, step = problem.options, rows.node[row], rows.step[row]
    orientation = rows.orientation[row]
    option = options.order[orientation, rows.place[row]]
    score = rows.base[row] + options.score[option] + options.reordering[option, orientation]
    state, of_words, of_classes = nodes.state[node], 0.0, 0.0
    for place in range(options.target_starts[option], options.target_starts[option + 1]):
        of_word, of_class, state = next_words(problem.models, state, options.target_ids[place])
        of_words += of_word
        of_classes += of_class
    score += problem.weights[LANGUAGE_MODEL] * of_words
    nodes.score[new] = score + problem.weights[CLASS_MODEL] * of_classes
    nodes.rest[new] = steps.rest[step] + options.to_next[option]
    nodes.gap[new], nodes.low[new], nodes.high[new] = (
        steps.gap[step],
        steps.low[step],
        steps.high[step],
    )
    nodes.state[new], nodes.option[new], nodes.arc[new] = state, option, -1


@leaf
def _same_future(options: Options, nodes: Nodes, one: int, other: int) -> bool:
    """Whether whatever follows adds the same to the scores of two nodes."""
    return bool(
        nodes.low[one] == nodes.low[other]
        and nodes.high[one] == nodes.high[other]
        and nodes.state[one] == nodes.state[other]
        and options.reordering_class[nodes.option[one]]
        == options.reordering_class[nodes.option[other]]
    )


@leaf
def _slot_of(options: Options, nodes: Nodes, node: int, slots: Ids) -> Whole:
    """The place in a hash table of the node's equal, or the free one where it belongs."""
    key = nodes.low[node] * np.uint64(0x9E3779B97F4A7C15)
    key ^= nodes.high[node] * np.uint64(0xC2B2AE3D27D4EB4F)
    key ^= np.uint64(nodes.state[node]) * np.uint64(0x165667B19E3779F9)
    key += np.uint64(options.reordering_class[nodes.option[node]]) * np.uint64(0xD6E8FEB86659FD93)
    key ^= key >> np.uint64(32)
    key *= np.uint64(0x9E3779B97F4A7C15)
    slot = np.int64((key >> np.uint64(32)) & np.uint64(len(slots) - 1))
    while slots[slot] >= 0 and not _same_future(options, nodes, node, slots[slot]):
        slot = (slot + 1) & (len(slots) - 1)
    return slot


@leaf
def _add_arc(
    nodes: Nodes, node: int, arcs: Arcs, arc: int, origin: int, option: int, score: float
) -> None:
    """Write an arc from `origin` to a node."""
    arcs.node[arc], arcs.option[arc] = origin, option
    arcs.score[arc], arcs.next[arc] = score, nodes.arc[node]
    nodes.arc[node] = arc
    nodes.score[node] = max(nodes.score[node], score)


@leaf
def _fill_stack(
    problem: Problem,
    steps: Steps,
    rows: Rows,
    size: int,
    slots: Ids,
    nodes: Nodes,
    new: int,
    arcs: Arcs,
    arc: int,
) -> tuple[int, int]:
    """Make nodes of the options that promise most; return the new numbers of nodes and arcs.

    There are `size` rows. `slots` are a hash table that is empty.
    """
    options, heap = problem.options, rows.heap
    for row in range(size):
        heap[row] = row
    for place in range(size // 2 - 1, -1, -1):
        _sink(heap, rows.promise, size, place)
    for _ in range(problem.pop_limit):
        if size == 0:
            break
        _extend(problem, steps, rows, heap[0], nodes, new)
        option, score = nodes.option[new], nodes.score[new]
        slot = _slot_of(options, nodes, new, slots)
        if slots[slot] < 0:
            slots[slot] = new
            new += 1
        _add_arc(nodes, slots[slot], arcs, arc, rows.node[heap[0]], option, score)
        arc += 1
        size = _go_on(options, steps, rows, heap, size)
    return new, arc


@leaf
def _take_best(keys: Floats, heap: Ids, size: int, taken: Ids) -> None:
    """Fill `taken` with the places of the highest of `size` keys, the highest first."""
    for place in range(size):
        heap[place] = place
    for place in range(size // 2 - 1, -1, -1):
        _sink(heap, keys, size, place)
    for index in range(len(taken)):
        taken[index] = heap[0]
        heap[0] = heap[size - 1 - index]
        _sink(heap, keys, size - 1 - index, 0)


@leaf
def _keep_best(
    nodes: Nodes, first: int, last: int, stack_size: int, room: Rows, stacks: Stacks, stack: int
) -> None:
    """Write the nodes that are worth to go on with to a stack, those of the same words together.

    `room` is used for orderings.
    """
    start, count = stacks.starts[stack], min(last - first, stack_size)
    stacks.starts[stack + 1] = start + count
    keys, chosen = room.promise, room.node[:count]
    for index in range(last - first):
        keys[index] = nodes.score[first + index] + nodes.rest[first + index]
    _take_best(keys, room.heap, last - first, chosen)
    for index in range(count):
        node = first + chosen[index]
        chosen[index] = node
        keys[index] = nodes.low[node] ^ (nodes.high[node] * np.uint64(0x9E3779B97F4A7C15))
    kept = stacks.nodes[start : start + count]
    _take_best(keys, room.heap, count, kept)
    for index in range(count):
        kept[index] = chosen[kept[index]]


@leaf
def _finish(problem: Problem, nodes: Nodes, first: int, final: int, arcs: Arcs, arc: int) -> int:
    """Lead the nodes from `first` on to node `final`, the end; return the new number of arcs."""
    options, length = problem.options, len(problem.options.span_at)
    nodes.score[final], nodes.arc[final] = -np.inf, -1
    for node in range(first, final):
        option = nodes.option[node]
        begin, end = _span_of(options, option)
        orientation = orientation_between(begin, end, length, length)
        score = nodes.score[node] + options.reordering[option, 3 + orientation]
        of_word, of_class, _ = next_words(problem.models, nodes.state[node], np.int32(EOS))
        score += problem.weights[LANGUAGE_MODEL] * of_word
        score += problem.weights[CLASS_MODEL] * of_class
        _add_arc(nodes, final, arcs, arc, node, -1, score)
        arc += 1
    return arc


@kernel
def search(problem: Problem) -> Lattice:
    """Search the best derivations of a sentence of 1 to LONGEST_SENTENCE words.

    For each number of covered words the `pop_limit` hypotheses that promise most are made, and the
    `stack_size` best of these are gone on with.
    """
    length, pop_limit = len(problem.options.span_at), problem.pop_limit
    nodes = make_nodes(length * pop_limit + 2, problem.begin_state)
    arcs = make_arcs((length + 1) * pop_limit + 2)
    stacks = make_stacks(length, problem.stack_size)
    jumps = min(length, problem.distortion_limit + 1)
    most = max(pop_limit, LONGEST_PHRASE * problem.stack_size * jumps)
    steps, rows, slots = make_steps(most), make_rows(most), make_slots(pop_limit)
    first, last, arc = 0, 1, 0
    for covered in range(1, length + 1):
        first, slots[:] = last, -1
        num_rows = _find_rows(problem, nodes, stacks, covered, steps, rows)
        last, arc = _fill_stack(problem, steps, rows, num_rows, slots, nodes, first, arcs, arc)
        _keep_best(nodes, first, last, problem.stack_size, rows, stacks, covered)
    arc = _finish(problem, nodes, first, last, arcs, arc)
    return Lattice(
        nodes.score[: last + 1].copy(),
        nodes.arc[: last + 1].copy(),
        Arcs(
            arcs.node[:arc].copy(),
            arcs.option[:arc].copy(),
            arcs.score[:arc].copy(),
            arcs.next[:arc].copy(),
        ),
    )
