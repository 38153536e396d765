"""N-gram models in ARPA files, as SRILM and KenLM read and write them."""

import gzip
import io
import itertools
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from seqcli.errors import DataError, OutputError
from seqcli.smt.arrays import Ids, Places, Singles
from seqcli.smt.ngram_model import LOWEST, NgramModel, Ngrams
from seqcli.text.lines import name_of, read_lines, write_atomically
from seqcli.tokenizers.vocabulary import BOS, PAD, SPECIAL_PIECES, Vocabulary

LOG_OF_10 = math.log(10)
GAP = re.compile("[ \t]+")
FORBIDDEN = re.compile("[ \t\r\n]")  # in a word


def write_arpa(model: NgramModel, pieces: Sequence[str], path: Path) -> None:
    """Write a model, packed if the name ends in .gz. `pieces` says how each word is written.

    Raises OutputError, also for a piece that would be read as several.
    """
    for piece in pieces:
        if not piece or FORBIDDEN.search(piece):
            raise OutputError(
                f"{piece!r} cannot be written to an ARPA file",
                why="a space or a tab ends a word there",
                fix="Write no ARPA file, or clean the text of tabs before training",
            )
    with write_atomically(path) as stream:
        if path.suffix != ".gz":
            _write(model, pieces, stream)
            return
        with (
            gzip.GzipFile(fileobj=stream.buffer, mode="wb", compresslevel=6, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="\n") as text,
        ):
            _write(model, pieces, text)


def _write(model: NgramModel, pieces: Sequence[str], stream: TextIO) -> None:
    arrays, sizes = model.arrays, model.sizes
    stream.write("\\data\\\n")
    for order, size in enumerate(sizes, start=1):
        stream.write(f"ngram {order}={size - (order == 1)}\n")  # PAD is no word of the text
    contexts = np.repeat(np.arange(len(arrays.backoffs)), np.diff(arrays.child_starts))
    texts, first, first_context = [""], 1, 0
    for order, size in enumerate(sizes, start=1):
        stream.write(f"\n\\{order}-grams:\n")
        nodes = np.arange(first, first + size)
        words = arrays.words[nodes].tolist()
        of_contexts = (contexts[nodes - 1] - first_context).tolist()
        texts = [
            f"{texts[context]} {pieces[word]}".lstrip(" ")
            for context, word in zip(of_contexts, words, strict=True)
        ]
        has_backoffs = order < len(sizes)
        weights = (arrays.backoffs[nodes] if has_backoffs else np.zeros(size)).tolist()
        logs = arrays.log_probabilities[nodes].tolist()
        for word, text, log, weight in zip(words, texts, logs, weights, strict=True):
            if order == 1 and word == PAD:
                continue
            backoff = f"\t{weight / LOG_OF_10:.7g}" if weight else ""
            stream.write(f"{log / LOG_OF_10:.7g}\t{text}{backoff}\n")
        first, first_context = first + size, first
    stream.write("\n\\end\\\n")


class _Section(NamedTuple):
    """The n-grams of one order as they stand in a file."""

    lines: Places  # where each stands
    ids: Ids  # a row for each, a column for each word
    log_probabilities: Singles  # nats
    backoffs: Singles


def read_arpa(path: Path) -> tuple[NgramModel, Vocabulary]:
    """Read a model and its words, packed or not. Raises DataError, with the line of the fault.

    PAD has no probability, nor has UNK where there is no <unk>.
    """
    lines = _Lines(path)
    sizes = _read_sizes(lines)
    pieces: dict[str, int] = {piece: index for index, piece in enumerate(SPECIAL_PIECES)}
    orders: list[Ngrams] = []
    for order, size in enumerate(sizes, start=1):
        section = _read_section(lines, order, size, pieces)
        if order == 1:
            orders.append(_unigrams(lines, section, len(pieces)))
        elif size:
            orders.append(_longer(lines, section, orders))
    lines.expect("\\end\\")
    return NgramModel.from_orders(orders), Vocabulary(list(pieces))


class _Lines:
    """The lines of a file with their number, those without text left out."""

    def __init__(self, path: Path) -> None:
        self.name = name_of(path)
        self.number = 0
        self._lines = read_lines(path)

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.number += 1
            text = line.strip(" \t\r")
            if text:
                yield text

    def expect(self, wanted: str) -> None:
        """Read one line, or say that it is not there."""
        text = next(iter(self), None)
        if text != wanted:
            found = "the file ends" if text is None else f"there is {text[:60]!r}"
            raise self.fault(f"{found} where {wanted} must be", self.number + (text is None))

    def fault(self, what: str, line: int | None = None) -> DataError:
        return DataError(
            f"{self.name}, line {line or self.number}: {what}",
            why="an ARPA file has \\data\\, the number of n-grams of each order, then these",
            fix="Write the file again with the program that it comes from",
        )


def _read_sizes(lines: _Lines) -> list[int]:
    """How many n-grams of each order the file says to have."""
    if "\\data\\" not in iter(lines):
        if not lines.number:
            raise DataError(f"{lines.name} is empty", fix="Check that it is the right file")
        raise lines.fault("the file ends before \\data\\")
    sizes: list[int] = []
    for text in lines:
        found = re.fullmatch(r"ngram (\d{1,18}) *= *(\d{1,18})", text)  # as many as fit
        if found and int(found[1]) == len(sizes) + 1:
            sizes.append(int(found[2]))
        elif sizes and text == "\\1-grams:":
            used = list(itertools.takewhile(bool, sizes))
            if used and not any(sizes[len(used) :]):
                return sizes
            break
        else:
            break
    raise lines.fault(f"this is not the number of {len(sizes) + 1}-grams: ngram N=NUMBER")


def _read_section(lines: _Lines, order: int, size: int, pieces: dict[str, int]) -> _Section:
    """Read as many n-grams as there must be; those of order 1 make up `pieces`."""
    if order > 1:
        lines.expect(f"\\{order}-grams:")
    ids: list[int] = []
    weights: list[float] = []
    numbers = array("q")
    for text in itertools.islice(lines, size):
        numbers.append(lines.number)
        fields = GAP.split(text)
        words = fields[1 : order + 1]
        if order == 1 and len(words) == 1:
            pieces.setdefault(words[0], len(pieces))
        try:
            ids += [pieces[word] for word in words]
            weights += _weights(fields, order)
        except KeyError as error:
            raise lines.fault(f"{error} is not among the 1-grams") from None
        except ValueError as error:
            raise lines.fault(f"this is no {order}-gram: {error}") from None
    if len(ids) != size * order:
        raise lines.fault(f"there are {len(ids) // order} {order}-grams, but must be {size}")
    log_probabilities, backoffs = np.array(weights, np.float32).reshape(-1, 2).T
    return _Section(
        np.array(numbers),
        np.array(ids, np.int32).reshape(-1, order),
        log_probabilities,
        backoffs,
    )


def _weights(fields: Sequence[str], order: int) -> tuple[float, float]:
    """The log-probability and log backoff of an n-gram, in nats. ValueError if it has none."""
    if len(fields) not in (order + 1, order + 2):
        raise ValueError(f"it has {len(fields)} parts")
    log_probability = float(fields[0])
    backoff = float(fields[-1]) if len(fields) == order + 2 else 0.0
    if not log_probability <= 0 or math.isnan(backoff) or backoff == math.inf:
        raise ValueError("a probability is from 0 to 1, so its logarithm is 0 or less")
    return max(log_probability * LOG_OF_10, LOWEST), max(backoff * LOG_OF_10, LOWEST)


def _unigrams(lines: _Lines, section: _Section, vocabulary_size: int) -> Ngrams:
    """A row for each word of the vocabulary."""
    words = section.ids[:, 0]
    _require_distinct(lines, section, words)
    log_probabilities = np.full(vocabulary_size, LOWEST, np.float32)
    backoffs = np.zeros(vocabulary_size, np.float32)
    log_probabilities[words] = section.log_probabilities
    log_probabilities[BOS] = LOWEST  # some files say 1
    backoffs[words] = section.backoffs
    all_words = np.arange(vocabulary_size, dtype=np.int32)
    return Ngrams(np.zeros(vocabulary_size, np.int64), all_words, log_probabilities, backoffs)


def _longer(lines: _Lines, section: _Section, orders: Sequence[Ngrams]) -> Ngrams:
    """Sort the n-grams of an order below their contexts."""
    vocabulary_size = len(orders[0].words)
    contexts: Places = 1 + section.ids[:, 0].astype(np.int64)
    first = 1 + vocabulary_size
    for ngrams, words in zip(orders[1:], section.ids.T[1:-1], strict=True):
        keys = ngrams.contexts * vocabulary_size + ngrams.words
        wanted = contexts * vocabulary_size + words
        places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        missing = np.flatnonzero(keys[places] != wanted)
        if len(missing):
            raise lines.fault(
                f"the first {section.ids.shape[1] - 1} words are no n-gram of the file",
                int(section.lines[missing[0]]),
            )
        contexts = first + places
        first += len(keys)
    words = section.ids[:, -1]
    keys = contexts * vocabulary_size + words
    _require_distinct(lines, section, keys)
    rank = np.argsort(keys)
    return Ngrams(
        contexts[rank], words[rank], section.log_probabilities[rank], section.backoffs[rank]
    )


def _require_distinct(lines: _Lines, section: _Section, keys: NDArray[np.integer]) -> None:
    rank = np.argsort(keys, kind="stable")
    twice = rank[1:][np.diff(keys[rank]) == 0]
    if len(twice):
        raise lines.fault("this n-gram stands there twice", int(section.lines[twice.min()]))
