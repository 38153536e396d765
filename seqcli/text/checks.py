"""What is wrong with text: rules for a line, and for how lines stand to each other."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from seqcli.text.findings import Finding, Tally
from seqcli.text.length_ratios import MAX_LENGTH_RATIO, LengthRatios
from seqcli.text.mending import BYTE_ORDER_MARK, CONTROL, mend
from seqcli.text.repetitions import OTHER_TARGET, REPEATED, HeldOut, Repetitions
from seqcli.text.scripts import script_of
from seqcli.text.tokenised_text import SUSPICIOUS_SHARE, has_sign
from seqcli.text.unchecked import UncheckedLine, UncheckedRow

MOST_CHARACTERS = 1000  # of a line that is not very long
MOST_CHARACTERS_OF_A_WORD = 12  # on average, where spaces stand between words
ALLOWED_CHARACTERS, ALLOWED_WORDS = 10, 2  # that make no difference to the ratio of lengths

# The second and later bytes of UTF-8, as they look when they are read as Latin-1 or Windows-1252.
_TAIL = "[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]"  # noqa: RUF001  # the very look-alikes
_MOJIBAKE = re.compile(
    f"[ÂÃ]{_TAIL}|â[\x80\x82\u20ac\u201a]{_TAIL}|ï»¿|ï¿½|(?:[ÐÑ]{_TAIL}){{2}}|(?:[à-ì]{_TAIL}{{2}}){{2}}"
)
_HTML = re.compile(
    r"</?(?:a|b|blockquote|br|code|div|em|font|h[1-6]|hr|i|img|li|ol|p|pre|script|span|strong|sub|"
    r"sup|table|td|th|tr|u|ul)(?:\s[^<>]*)?/?>|&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});",
    re.IGNORECASE,
)


def is_empty(line: str) -> bool:
    """Whether there is nothing in a line but white space."""
    return not line.strip()


LINE_RULES: dict[str, tuple[str, Callable[[str], object]]] = {  # in words, and what finds it
    "nul": ("NUL bytes", lambda line: "\0" in line),
    "control_characters": (
        "control characters",
        lambda line: CONTROL.search(line.replace("\0", "")),
    ),
    "byte_order_marks": ("byte order marks inside", lambda line: BYTE_ORDER_MARK in line),
    "lost_characters": ("characters lost in a conversion (U+FFFD)", lambda line: "\ufffd" in line),
    "mojibake": (
        "UTF-8 that was read as Latin-1, like Ã¼ for ü",
        lambda line: not line.isascii() and _MOJIBAKE.search(line),
    ),
    "not_composed": (
        "letters and accents that are not composed (NFC)",
        lambda line: not unicodedata.is_normalized("NFC", line),
    ),
    "html": ("tags or entities of HTML", _HTML.search),
    "very_long": (
        f"lines of more than {MOST_CHARACTERS:,} characters",
        lambda line: len(line) > MOST_CHARACTERS,
    ),
    "tokenised": ("signs of a tokenizer, where text should be raw", has_sign),
}
SERIOUS_RULES = ("not_utf8", "nul", "line_count")
RARE_BY_ACCIDENT = {"tokenised": SUSPICIOUS_SHARE}  # found only if the share of lines is so large


class LineChecks:
    """The rules for each line of one side, which `file` is the name of."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.num_lines = 0
        self._num_full = 0
        self._found = {rule: Tally() for rule in LINE_RULES}
        self._not_utf8 = Tally()
        self._ends: defaultdict[str, Tally] = defaultdict(Tally)
        self._scripts: defaultdict[str, Tally] = defaultdict(Tally)

    def add(self, line: UncheckedLine) -> None:
        """Examine the next line."""
        self.num_lines += 1
        number = self.num_lines
        if line.end:
            self._ends[line.end].add(number)
        if not line.is_utf8:
            self._not_utf8.add(number)
            return
        self._num_full += not is_empty(line.text)
        for rule, (_, finds) in LINE_RULES.items():
            if finds(line.text):
                self._found[rule].add(number)
        if script := script_of(line.text):
            self._scripts[script].add(number)

    def findings(self) -> Iterator[Finding]:
        """What was found, if anything."""
        yield from self._finding("not_utf8", "lines that are not UTF-8", self._not_utf8)
        for rule, (text, _) in LINE_RULES.items():
            tally = self._found[rule]
            if tally.count >= RARE_BY_ACCIDENT.get(rule, 0) * self._num_full:
                yield from self._finding(rule, text, tally)
        usual_end, others = _apart(self._ends)
        usual_end = "CR LF" if usual_end == "\r\n" else "LF"
        text = f"lines that do not end in {usual_end} like the others"
        for tally in others.values():
            yield from self._finding("line_ends", text, tally)
        usual_script, others = _apart(self._scripts)
        for script, tally in others.items():
            text = f"lines in {script}, where most are in {usual_script}"
            yield from self._finding("other_script", text, tally)

    def _finding(self, rule: str, text: str, tally: Tally) -> Iterator[Finding]:
        if tally.count:
            is_serious = rule in SERIOUS_RULES
            yield Finding.of(
                rule, text, tally, self.num_lines, file=self.file, is_serious=is_serious
            )


def _apart(tallies: Mapping[str, Tally]) -> tuple[str, dict[str, Tally]]:
    """The most frequent of some kinds, and the others."""
    usual = max(tallies, key=lambda kind: tallies[kind].count, default="")
    return usual, {kind: tally for kind, tally in tallies.items() if kind != usual}


class RowChecks:
    """The rules for lines side by side, and for rows in one text or in two.

    `files` names the sides, and `held_out` the other sets. Without `max_length_ratio` lengths are
    not compared.
    """

    def __init__(
        self,
        files: Sequence[str],
        held_out: Mapping[str, HeldOut],
        *,
        max_length_ratio: float | None = MAX_LENGTH_RATIO,
    ) -> None:
        self._noun = "pairs" if len(files) == 2 else "lines"
        self._empty = [(file, Tally()) for file in files]
        self._held_out = held_out
        self._most = max_length_ratio
        self._num_rows = 0
        self._copies = Tally()
        self._repetitions = Repetitions()
        self._characters = LengthRatios(ALLOWED_CHARACTERS)
        self._words = LengthRatios(ALLOWED_WORDS)
        self._num_characters, self._num_words = [0] * len(files), [0] * len(files)

    def add(self, row: tuple[str, ...]) -> None:
        """Examine the next row; of one with an empty side, only that is told."""
        are_empty = [is_empty(line) for line in row]
        if any(are_empty):
            self.pass_over()
            for (_, tally), is_one in zip(self._empty, are_empty, strict=True):
                if is_one:
                    tally.add(self._num_rows)
            return
        self._num_rows += 1
        self._repetitions.add(row)
        for held_out in self._held_out.values():
            held_out.meet(row)
        if len(row) == 2:
            self._add_pair(*row)

    def pass_over(self) -> None:
        """Do not examine the next row."""
        self._num_rows += 1
        self._repetitions.skip()
        self._characters.skip()
        self._words.skip()

    def _add_pair(self, source: str, target: str) -> None:
        if source.strip() == target.strip():
            self._copies.add(self._num_rows)
        if self._most is None:
            return
        num_words = len(source.split()), len(target.split())
        self._characters.add(len(source), len(target))
        self._words.add(*num_words)
        for side, line in enumerate((source, target)):
            self._num_characters[side] += len(line)
            self._num_words[side] += num_words[side]

    def findings(self) -> Iterator[Finding]:
        """What was found, if anything."""
        for file, tally in self._empty:
            yield from self._finding("empty", "empty lines", tally, file=file)
        yield from self._finding("copies", "pairs of a line and its copy", self._copies)
        verdicts = self._repetitions.verdicts()
        yield from self._finding(
            "duplicates",
            f"{self._noun} that repeat an earlier one",
            _places(verdicts, lambda verdict: verdict == REPEATED),
        )
        yield from self._finding(
            "other_targets",
            "sources that stood there before with another target",
            _places(verdicts, lambda verdict: verdict == OTHER_TARGET),
        )
        yield from self._of_lengths()
        for name, held_out in self._held_out.items():
            yield from self._of_held_out(name, held_out)

    def _of_lengths(self) -> Iterator[Finding]:
        measures = {"characters": self._characters}
        if all(
            0 < characters <= MOST_CHARACTERS_OF_A_WORD * words
            for characters, words in zip(self._num_characters, self._num_words, strict=True)
        ):
            measures["words"] = self._words
        for unit, ratios in measures.items():
            if self._most is None or not any(ratios.steps):
                continue
            limits = ratios.limits(self._most)
            tally = _places(ratios.steps, limits.excludes)
            text = (
                f"pairs whose ratio of lengths in {unit} is over {self._most:g} times "
                f"the usual {limits.usual_ratio:.2f}, or under the inverse"
            )
            yield from self._finding(f"length_ratio_{unit}", text, tally)

    def _of_held_out(self, name: str, held_out: HeldOut) -> Iterator[Finding]:
        tallies = {self._noun: held_out.met_pairs()}
        if self._noun == "pairs":
            tallies["sources"] = held_out.met_sources()
        for noun, tally in tallies.items():
            if tally.count:
                text = f"{noun} of {name} that are in the training text"
                yield Finding.of(f"{name}_{noun}", text, tally, len(held_out))

    def _finding(
        self, rule: str, text: str, tally: Tally, file: str | None = None
    ) -> Iterator[Finding]:
        if tally.count:
            yield Finding.of(rule, text, tally, self._num_rows, file=file)


def _places(marks: bytearray, is_meant: Callable[[int], bool]) -> Tally:
    return Tally(number for number, mark in enumerate(marks, start=1) if is_meant(mark))


class TextChecks:
    """All the rules, for rows of lines as they are; `files` names each side."""

    def __init__(
        self, files: Sequence[str], held_out: Mapping[str, HeldOut], *, max_length_ratio: float
    ) -> None:
        self.sides = [LineChecks(file) for file in files]
        self._rows = RowChecks(files, held_out, max_length_ratio=max_length_ratio)

    def add(self, row: UncheckedRow) -> None:
        """Examine the next row. What is repeated is told by lines as they are when mended."""
        lines = [line for line in row if line is not None]
        for side, line in zip(self.sides, row, strict=True):
            if line is not None:
                side.add(line)
        if len(lines) == len(row):
            if all(line.is_utf8 for line in lines):
                self._rows.add(tuple(mend(line.text) for line in lines))
            else:
                self._rows.pass_over()

    def findings(self) -> Iterator[Finding]:
        """What was found, if anything; the serious first."""
        found = [
            *self._without_partner(),
            *(finding for side in self.sides for finding in side.findings()),
            *self._rows.findings(),
        ]
        yield from sorted(found, key=lambda finding: not finding.is_serious)

    def _without_partner(self) -> Iterator[Finding]:
        shortest = min(side.num_lines for side in self.sides)
        for side in self.sides:
            if side.num_lines > shortest:
                tally = Tally(range(shortest + 1, side.num_lines + 1))
                text = "lines without a partner on the other side"
                yield Finding.of(
                    "line_count", text, tally, side.num_lines, file=side.file, is_serious=True
                )
