"""Attention drawn with characters: a row for each target token, a column for each source token."""

from collections.abc import Sequence

from rich.cells import cell_len

SHADES = " ░▒▓█"
COLUMN = 2  # cells of the terminal that a source token takes; a wide letter, as in Korean, fits


def draw_attention(
    source_tokens: Sequence[str], target_tokens: Sequence[str], weights: Sequence[Sequence[float]]
) -> str:
    """Draw weights, a row for each target token; source tokens are written downwards.

    An empty line has no weights and gives the empty string.
    """
    if not weights:
        return ""
    margin = max(map(cell_len, target_tokens)) + 1
    rows = [
        " " * margin + "".join(letter + " " * (COLUMN - cell_len(letter)) for letter in letters)
        for letters in letters_downwards(source_tokens)
    ]
    rows += [
        f"{' ' * (margin - 1 - cell_len(token))}{token} "
        + "".join(_shade(weight) * COLUMN for weight in row)
        for token, row in zip(target_tokens, weights, strict=True)
    ]
    return "\n".join(row.rstrip() for row in rows)


def letters_downwards(tokens: Sequence[str]) -> list[list[str]]:
    """The letters of each token one below the other, ending on the same row."""
    height = max(map(len, tokens))
    return [[token.rjust(height)[row] for token in tokens] for row in range(height)]


def _shade(weight: float) -> str:
    return SHADES[round(weight * (len(SHADES) - 1))]
