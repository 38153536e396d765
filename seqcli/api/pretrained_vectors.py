"""Embeddings that start from pretrained word vectors."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from seqcli.data.vectors import PretrainedVectors, read_vectors, vector_size
from seqcli.errors import ConfigError, DataError, UsageError
from seqcli.experiment import Recipe
from seqcli.text.lines import is_read_once, name_of
from seqcli.tokenizers import Tokenizer
from seqcli.training.report import Reporter


def vector_files(recipe: Recipe) -> dict[str, str]:
    """Return the files of vectors that a recipe names, by side, the source first."""
    files = {"source": recipe.data.source_vectors, "target": recipe.data.target_vectors}
    return {side: path for side, path in files.items() if path is not None}


def require_fitting_vectors(recipe: Recipe) -> None:
    """Refuse files whose vectors are not as wide as the embeddings; only their heads are read.

    Raises ConfigError, DataError for what is no file of vectors, and UsageError for what can be
    read only once.
    """
    for side, path in vector_files(recipe).items():
        if is_read_once(path):
            raise UsageError(
                f"data.{side}_vectors cannot be {name_of(path)}",
                why="the size of the vectors is checked first, then they are read once more",
                fix="Give a file (one packed by gzip will do)",
            )
        sizes = {key: getattr(recipe.model, key) for key in recipe.vector_sizes[side]}
        key, wanted = next((key, size) for key, size in sizes.items() if size is not None)
        found = vector_size(path)
        if found != wanted:
            raise ConfigError(
                f"data.{side}_vectors has vectors of {found} values in {path}, but model.{key} is "
                f"{wanted}",
                why=f"the {side} embeddings start from these vectors, so they must be as wide",
                fix=f"Set model.{key} to {found}, or give vectors of {wanted} values",
            )


def load_vectors(
    recipe: Recipe, tables: Mapping[str, tuple[Tokenizer, nn.Embedding]], *, reporter: Reporter
) -> None:
    """Let the embeddings of all pieces that the recipe's files have start from their vectors.

    `tables` holds the embeddings of each side, with the tokenizer whose pieces they are of.

    Each file is scaled by one factor, so that the vectors found in it have a norm of 1 on average,
    as embeddings have. Where both sides share one table, the source file goes first, and the target
    file sets only what is not set yet. Raises DataError.
    """
    taken: dict[nn.Embedding, NDArray[np.int64]] = {}
    for side, path in vector_files(recipe).items():
        tokenizer, table = tables[side]
        vocabulary = tokenizer.vocabulary
        vectors = read_vectors(path, vocabulary)
        kept_N = np.isin(vectors.ids_N, taken.get(table, ()))
        _set_rows(table, vectors, ~kept_N, path)
        taken[table] = vectors.ids_N
        earlier = f", {kept_N.sum():,} of them set by the source vectors" if kept_N.any() else ""
        reporter.message(
            f"{side} vectors: {len(vectors.ids_N):,} of {len(vocabulary):,} pieces found in "
            f"{name_of(path)}{earlier}"
        )


@torch.no_grad()
def _set_rows(
    table: nn.Embedding, vectors: PretrainedVectors, chosen_N: NDArray[np.bool_], path: str
) -> None:
    """Set the rows of the chosen vectors, scaled by what all the found ones need."""
    precise_NE = vectors.vectors_NE.astype(np.float64)  # squares of large values overflow float32
    norm = np.linalg.norm(precise_NE, axis=1).mean()
    if norm == 0:
        raise DataError(
            f"{name_of(path)}: the vectors of all {len(precise_NE)} pieces found in it are zero",
            why="embeddings that start from zeros could not tell the pieces apart",
            fix="Give another file, or leave it out",
        )
    rows_N = torch.from_numpy(vectors.ids_N[chosen_N]).to(table.weight.device)
    table.weight[rows_N] = torch.from_numpy(precise_NE[chosen_N] / norm).to(table.weight)
