"""Attention drawn with characters: a row for each target token, a column for each source token."""

from rich.cells import cell_len

from seqcli.translator import Translation

SHADES = " ░▒▓█"
COLUMN = 2  # cells of the terminal that a source token takes; a wide letter, as in Korean, fits


def draw_attention(translation: Translation) -> str:
    """Draw the weights of the best hypothesis; source tokens are written downwards.

    An empty line has nothing to draw and gives the empty string.
    """
    hypothesis = translation.hypotheses[0]
    if not hypothesis.attention:
        return ""
    margin = max(map(cell_len, hypothesis.tokens)) + 1
    rows = [
        " " * margin + "".join(letter + " " * (COLUMN - cell_len(letter)) for letter in letters)
        for letters in letters_downwards(translation.source_tokens)
    ]
    rows += [
        f"{' ' * (margin - 1 - cell_len(token))}{token} "
        + "".join(_shade(weight) * COLUMN for weight in weights)
        for token, weights in zip(hypothesis.tokens, hypothesis.attention, strict=True)
    ]
    return "\n".join(row.rstrip() for row in rows)


def letters_downwards(tokens: tuple[str, ...]) -> list[list[str]]:
    """The letters of each token one below the other, ending on the same row."""
    height = max(map(len, tokens))
    return [[token.rjust(height)[row] for token in tokens] for row in range(height)]


def _shade(weight: float) -> str:
    return SHADES[round(weight * (len(SHADES) - 1))]
