"""Look for what is wrong with a text before a model learns from it, and clean it by rules."""

import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from seqcli.api.tokenize import load_tokenizer
from seqcli.api.unknown_tokens import UnknownTokens
from seqcli.bundle import find_model
from seqcli.bundle import load_tokenizers as load_tokenizers_of_model
from seqcli.data.corpora import Corpus
from seqcli.data.dataset import Text
from seqcli.errors import DataError, UsageError
from seqcli.text.checks import RowChecks, TextChecks
from seqcli.text.cleaning import Cleaning
from seqcli.text.findings import Finding
from seqcli.text.length_ratios import MAX_LENGTH_RATIO
from seqcli.text.lines import STDIN, name_of, require_writable, write_together
from seqcli.text.mending import mend
from seqcli.text.parallel import check_counts, is_table
from seqcli.text.repetitions import HeldOut
from seqcli.text.unchecked import read_unchecked
from seqcli.tokenizers import Tokenizer
from seqcli.tokenizers.labels import LabelTokenizer

ROLES = ("source", "target")
MOST_LINES_SAMPLED = 10_000  # of each side, where a training asks for unknown tokens

Files = Sequence[str]  # one for each side, or one table of both


@dataclass(frozen=True, slots=True)
class TextReport:
    """What was found in a text."""

    files: tuple[str, ...]  # the name of each side
    lines: tuple[int, ...]  # how many each side has
    findings: tuple[Finding, ...]  # the serious first

    @property
    def is_serious(self) -> bool:
        """Whether something must be mended before a model can learn from the text."""
        return any(finding.is_serious for finding in self.findings)

    def messages(self) -> list[str]:
        """A line for each finding, in words."""
        return [str(finding) for finding in self.findings]


@dataclass(frozen=True, slots=True)
class CleanedText:
    """What was written, and what was done to it by each rule."""

    files: tuple[str, ...]
    read: int  # rows
    kept: int  # of them
    dropped: dict[str, int]  # rows
    mended: dict[str, int]  # lines


def check_files(
    files: Files,
    *,
    valid: Files = (),
    test: Files = (),
    tokenizers: Mapping[str, Tokenizer] | None = None,
    max_length_ratio: float = MAX_LENGTH_RATIO,
) -> TextReport:
    """Look for what is wrong with aligned files, with a table, or with one file of text alone.

    `valid` and `test` are other sets, which should have no row of this text. `tokenizers` are those
    of a model, by role; with them unknown tokens are counted. Reads the files once and holds about
    15 bytes a line. Raises DataError for files that cannot be read or are empty.
    """
    _require_ratio(max_length_ratio)
    names = side_names(files)
    checks = TextChecks(
        names, _held_out(len(names), valid, test), max_length_ratio=max_length_ratio
    )
    unknown = _unknown_tokens(names, tokenizers or {})
    for row in read_unchecked(files):
        checks.add(row)
        for counter, line in zip(unknown, row, strict=False):
            if line is not None:
                counter.add(line.text if line.is_utf8 else "")
    lines = tuple(side.num_lines for side in checks.sides)
    if not all(lines):
        check_counts(names, lines)
    findings = (*checks.findings(), *(counter.finding() for counter in unknown))
    return TextReport(names, lines, findings)


def check_text(
    text: Text,
    *,
    valid: Text | None = None,
    test: Text | None = None,
    names: Sequence[str] = ROLES,
    tokenizers: Mapping[str, Tokenizer] | None = None,
    compare_lengths: bool = True,
) -> TextReport:
    """Look over a text that a training is about to learn from, in seconds for a million rows.

    It is searched for empty sides, copies, repetitions, rows of the other sets, and (where lengths
    can be compared, not so for a line and its label) odd ratios of lengths; the rate of unknown
    tokens is that of lines at even distances.
    """
    held_out = {
        name: HeldOut(zip(*other, strict=True))
        for name, other in (("valid", valid), ("test", test))
        if other is not None
    }
    names = tuple(names[: len(text)])
    checks = RowChecks(
        names, held_out, max_length_ratio=MAX_LENGTH_RATIO if compare_lengths else None
    )
    for row in zip(*text, strict=True):
        checks.add(row)
    step = len(text[0]) // (MOST_LINES_SAMPLED + 1) + 1
    unknown = _unknown_tokens(names, tokenizers or {}, step=step)
    for counter, side in zip(unknown, text, strict=False):
        for line in side[::step]:
            counter.add(line)
    findings = (*checks.findings(), *(counter.finding() for counter in unknown))
    return TextReport(names, tuple(map(len, text)), findings)


def clean_files(
    files: Files,
    outputs: Sequence[Path],
    *,
    valid: Files = (),
    test: Files = (),
    max_length_ratio: float = MAX_LENGTH_RATIO,
) -> CleanedText:
    """Write the text of `files` without what harms a training, a file for each side.

    Rows are dropped that have an empty side, are in `valid` or `test`, repeat an earlier one, or
    have sides whose ratio of lengths in characters is over `max_length_ratio` times the usual one
    or under its inverse. Lines are mended: no control characters, no byte order marks, no carriage
    returns, letters and accents composed (NFC). Cleaning again changes nothing more.

    The files are read twice and never changed; those that are written appear together. A name that
    ends in .gz is packed. Raises DataError if a line is not UTF-8, the sides differ in number or
    nothing is left; OutputError.
    """
    _require_ratio(max_length_ratio)
    names = side_names(files)
    check_outputs(outputs, files, valid=valid, test=test)
    cleaning = Cleaning(names, _held_out(len(names), valid, test), max_length_ratio)
    cleaning.decide(read_unchecked(files))
    if not cleaning.kept:
        raise DataError(
            f"nothing is left of {', '.join(files)}",
            why="every line is empty, repeated, or in another set",
            fix="Check that these are the right files",
        )
    with write_together(outputs) as streams, ExitStack() as opened:
        writers = [
            opened.enter_context(_writer(path, stream.buffer))
            for path, stream in zip(outputs, streams, strict=True)
        ]
        for row in cleaning.cleaned(read_unchecked(files)):
            for write, line in zip(writers, row, strict=True):
                write(f"{line}\n".encode())
    return CleanedText(
        files=tuple(map(str, outputs)),
        read=cleaning.read,
        kept=cleaning.kept,
        dropped=cleaning.dropped,
        mended=dict(cleaning.mended),
    )


def check_outputs(
    outputs: Sequence[Path], files: Files, *, valid: Files = (), test: Files = ()
) -> None:
    """Raise UsageError unless there is a file for each side, and the text can be reread.

    Raises OutputError for a file that cannot be written.
    """
    names = side_names(files)
    if len(outputs) != len(names):
        raise UsageError(
            f"files to write: {len(outputs)}, but sides of the text: {len(names)}",
            why="each side is written to a file of its own",
            fix="Give --fix SOURCE TARGET for pairs, --fix-file FILE for text alone",
        )
    inputs = [*files, *valid, *test]
    for file in inputs:
        if file == STDIN or (Path(file).exists() and not Path(file).is_file()):
            raise UsageError(
                f"{name_of(file)} cannot be read twice",
                why="text is first counted and then cleaned",
                fix="Put it in a file",
            )
    taken = {Path(file).resolve() for file in inputs}
    for output in outputs:
        if output.resolve() in taken:
            raise UsageError(
                f"{output} is read or written already",
                why="each side is written to a file of its own, and the text stays as it is",
                fix="Choose another name",
            )
        taken.add(output.resolve())
        require_writable(output)


def load_tokenizers(
    model: str | None = None, tokenizer: Path | None = None
) -> dict[str, Tokenizer]:
    """Load the tokenizers of a model, by role, or one from its file; none without either."""
    if model is not None:
        return load_tokenizers_of_model(find_model(model))
    return {} if tokenizer is None else {"shared": load_tokenizer(tokenizer)}


def _require_ratio(max_length_ratio: float) -> None:
    if not max_length_ratio >= 1:  # so that "nan" is refused as well
        raise UsageError(
            f"the maximal ratio of lengths cannot be {max_length_ratio:g}",
            why="it is how many times the usual ratio is still good",
            fix="Give 1 or more, or inf for any",
        )


def _unknown_tokens(
    names: Sequence[str], tokenizers: Mapping[str, Tokenizer], *, step: int = 1
) -> list[UnknownTokens]:
    """One for each side of text, if there are tokenizers; labels have no tokens."""
    each = [tokenizers.get(role) or tokenizers["shared"] for role in ROLES] if tokenizers else []
    return [
        UnknownTokens(tokenizer, name, step=step)
        for tokenizer, name in zip(each, names, strict=False)
        if not isinstance(tokenizer, LabelTokenizer)
    ]


def side_names(files: Files) -> tuple[str, ...]:
    """What to call each side in messages."""
    if len(files) == 1 and is_table(files[0]):
        return tuple(f"{files[0]} ({role})" for role in ROLES)
    return tuple(map(name_of, files))


def _held_out(num_sides: int, valid: Files, test: Files) -> dict[str, HeldOut]:
    """The other sets that are given, mended as the text is before it is compared."""
    return {
        name: HeldOut(tuple(map(mend, row)) for row in Corpus(tuple(files), num_sides).rows())
        for name, files in (("valid", valid), ("test", test))
        if files
    }


@contextmanager
def _writer(path: Path, stream: BinaryIO) -> Iterator[Callable[[bytes], object]]:
    """Give what writes to the stream of a file; packed if its name says so."""
    if path.suffix == ".gz":
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed:
            yield packed.write
    else:
        yield stream.write
