"""What the stack decoder keeps: hypotheses, the ways between them, and what is to be tried next."""

from typing import NamedTuple

import numpy as np

from seqcli.smt.arrays import Floats, Ids, Places
from seqcli.smt.kernel import part
from seqcli.smt.language_models import LanguageModels
from seqcli.smt.options import Bits, Options


class Problem(NamedTuple):
    """What is searched, and how far."""

    options: Options
    models: LanguageModels
    begin_state: int  # of the language models
    weights: Floats
    distortion_limit: int  # words that may be jumped over
    stack_size: int  # hypotheses of a stack that are gone on with
    pop_limit: int  # hypotheses of a stack that are made


class Nodes(NamedTuple):
    """Hypotheses, one a place in each array; number 0 is the empty one."""

    score: Floats  # of the best way to it
    rest: Floats  # what the words left may bring, and the last option for how the next stands to it
    low: Bits  # the source words covered
    high: Bits
    gap: Ids  # the first source word that is not covered
    state: Places  # of the language models
    option: Ids  # the last, or -1
    arc: Ids  # the newest arc into it, or -1


class Arcs(NamedTuple):
    """Ways into nodes, one a place in each array."""

    node: Ids  # where it comes from
    option: Ids  # what it translates, -1 for the end of the sentence
    score: Floats  # of the best way that ends with it
    next: Ids  # another arc into the same node, or -1


class Lattice(NamedTuple):
    """All derivations that a search found: the ways from node 0 to the last node."""

    node_score: Floats
    node_arc: Ids
    arcs: Arcs


class Stacks(NamedTuple):
    """The nodes to go on with; those of c covered words are [starts[c]:starts[c + 1]].

    Nodes with the same words covered stand together.
    """

    starts: Places
    nodes: Ids


class Steps(NamedTuple):
    """Spans to translate next, each after a choice of covered words, one a place in each array."""

    span: Ids
    low: Bits  # the source words covered after it
    high: Bits
    gap: Ids  # the first that is not
    rest: Floats  # what the words left may bring after it


class Rows(NamedTuple):
    """Nodes, each with a step to take next, one a place in each array but the last."""

    node: Ids
    step: Ids
    orientation: Ids
    place: Ids  # of the next option of the span in `Options.order`
    base: Floats  # score of the node, the jump, and the orientation as the node sees it
    promise: Floats  # the score of a whole translation that goes on with the next option
    heap: Ids  # the rows, those of more promise above others


@part
def make_nodes(count: int, begin_state: int) -> Nodes:
    """Room for so many nodes, the empty hypothesis among them."""
    nodes = Nodes(
        np.zeros(count),
        np.zeros(count),
        np.zeros(count, np.uint64),
        np.zeros(count, np.uint64),
        np.zeros(count, np.int32),
        np.zeros(count, np.int64),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
    )
    nodes.state[0], nodes.option[0], nodes.arc[0] = begin_state, -1, -1
    return nodes


@part
def make_arcs(count: int) -> Arcs:
    """Room for so many arcs."""
    ids = np.empty((3, count), np.int32)
    return Arcs(ids[0], ids[1], np.empty(count), ids[2])


@part
def make_steps(count: int) -> Steps:
    """Room for so many steps."""
    return Steps(
        np.empty(count, np.int32),
        np.empty(count, np.uint64),
        np.empty(count, np.uint64),
        np.empty(count, np.int32),
        np.empty(count),
    )


@part
def make_rows(count: int) -> Rows:
    """Room for so many rows."""
    ids = np.empty((5, count), np.int32)
    return Rows(ids[0], ids[1], ids[2], ids[3], np.empty(count), np.empty(count), ids[4])


@part
def make_stacks(length: int, stack_size: int) -> Stacks:
    """Stacks of a sentence of so many words, the first of which holds the empty hypothesis."""
    starts = np.zeros(length + 2, np.int64)
    starts[1] = 1
    return Stacks(starts, np.zeros(1 + length * stack_size, np.int32))


@part
def make_slots(count: int) -> Ids:
    """A hash table with room for so many nodes."""
    size = 4
    while size < 2 * count:
        size *= 2
    return np.empty(size, np.int32)
