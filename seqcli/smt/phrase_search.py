"""The whole search for one sentence of ids as a single kernel: options, stacks and derivations."""

from typing import NamedTuple

from seqcli.errors import ConfigError
from seqcli.smt.arrays import Floats, Ids, Singles
from seqcli.smt.kbest import Derivations, best_derivations
from seqcli.smt.kernel import kernel
from seqcli.smt.language_models import LanguageModels
from seqcli.smt.lattice import Problem
from seqcli.smt.options import Options, find_options
from seqcli.smt.phrase_table import PhraseTable
from seqcli.smt.stack_decoder import search

LARGEST_STACK = 5000  # hypotheses; more would take gigabytes for a long sentence


class Limits(NamedTuple):
    """How far a search goes."""

    table_limit: int  # options of a span
    distortion_limit: int  # words jumped over
    stack_size: int  # hypotheses of a stack that are gone on with
    pop_limit: int  # hypotheses of a stack that are made
    num_best: int
    distinct: bool  # outputs, not derivations, are counted


@kernel
def find_derivations(
    table: PhraseTable,
    models: LanguageModels,
    estimates: Singles,
    begin_state: int,
    weights: Floats,
    limits: Limits,
    ids: Ids,
    copies: Ids,
) -> tuple[Options, Derivations]:
    """Translate a sentence of 1 to LONGEST_SENTENCE words; see `find_options` for its words."""
    options = find_options(table, models, estimates, weights, ids, copies, limits.table_limit)
    problem = Problem(
        options,
        models,
        begin_state,
        weights,
        limits.distortion_limit,
        limits.stack_size,
        limits.pop_limit,
    )
    lattice = search(problem)
    derivations = best_derivations(
        options, lattice, models, begin_state, limits.num_best, limits.distinct
    )
    return options, derivations


def require_stack_size(name: str, size: int) -> None:
    """Refuse a size that no stack can have. `name` is the full dotted key."""
    if not 1 <= size <= LARGEST_STACK:
        raise ConfigError(
            f"{name} must be from 1 to {LARGEST_STACK}, not {size}",
            why="it is how many hypotheses are kept for each number of words",
        )
