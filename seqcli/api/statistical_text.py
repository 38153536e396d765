"""The text that a recipe of a statistical system names, and the languages that it is in."""

import logging
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

from seqcli.data.corpora import corpora_of
from seqcli.errors import ConfigError, DataError, UsageError
from seqcli.smt.recipe import PairsConfig
from seqcli.text.lines import read_lines
from seqcli.text.parallel import columns

DEFAULT_LANGUAGE = "en"
LANGUAGE_CODE_LETTERS = (2, 3)

log = logging.getLogger(__name__)


def read_pairs(name: str, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines of both sides of the text that `data.name` names; none where it names none.

    Raises ConfigError where a file is left over, DataError for what cannot be read.
    """
    corpora = corpora_of(files, 2)
    if corpora is None:
        raise ConfigError(
            f"data.{name} must name pairs of files, source and target, not {len(files)}",
            why="this architecture learns from lines and what belongs to each of them",
            fix=f"Give --{name} SOURCE TARGET; one file alone must end in .tsv",
        )
    texts = [columns(corpus.rows(), corpus.num_sides) for corpus in corpora]
    source, target = (list(chain.from_iterable(text[side] for text in texts)) for side in (0, 1))
    return source, target


def read_training_pairs(data: PairsConfig) -> tuple[list[str], list[str]]:
    """The same of the training text. UsageError if there is none."""
    if not data.train:
        raise UsageError(
            "there is nothing to train on",
            why="neither the recipe nor the command names training files",
            fix="Give --train SOURCE TARGET, or set data.train in the recipe",
        )
    return read_pairs("train", data.train)


def read_text(files: Sequence[str]) -> list[str]:
    """The lines of all files. DataError if one of them is empty."""
    texts = {file: list(read_lines(file)) for file in files}
    for file, lines in texts.items():
        if not any(lines):
            raise DataError(f"{file} is empty", fix="Check that it is the right file")
    return list(chain.from_iterable(texts.values()))


def language_of(file: str) -> str | None:
    """The language that a file's name ends in, such as "de" for train.de.gz; None if in none."""
    ending = Path(file.removesuffix(".gz")).suffix.removeprefix(".")
    is_code = len(ending) in LANGUAGE_CODE_LETTERS and ending.isascii() and ending.islower()
    return ending if is_code and ending.isalpha() and ending not in ("txt", "tsv") else None


def languages_of(
    data: PairsConfig,
    given: Sequence[str | None],
    *,
    tell: Callable[[str], None],
    matters: Sequence[bool] = (True, True),
) -> tuple[str, str]:
    """The languages of source and target.

    Each is what is given, what its first training file's name ends in, or else English. `tell`
    hears of a guess by the name, the log is warned of one by nothing, where the language `matters`.
    """
    languages = []
    texts = corpora_of(data.train, 2) or ()
    is_table = not texts or len(texts[0].files) == 1
    for place, side in enumerate(("source", "target")):
        found = None if is_table else language_of(data.train[place])
        languages.append(given[place] or found or DEFAULT_LANGUAGE)
        if given[place] is not None or not matters[place]:
            continue
        if found:
            tell(f"{side} language: {found} (by its file's name; {side}_language sets it)")
        else:
            log.warning(
                "%s language: taken for %s, as no file's name tells it; if it is another, give it "
                "as in --set %s_language=de",
                side,
                DEFAULT_LANGUAGE,
                side,
            )
    return languages[0], languages[1]
