"""Printed dictionaries that a user has, read from their files.

- tab-separated: SOURCE TAB TARGET, and more targets after further tabs
- Ding (as of TU Chemnitz): `Hund {m} | Hunde {pl} :: dog | dogs`, one translation a semicolon
- FreeDict: TEI, a file of XML whose name ends in .tei
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from seqcli.errors import DataError
from seqcli.text.lines import name_of, open_unpacked, read_lines

log = logging.getLogger(__name__)

DING_SIDES = " :: "
TEI_ENDINGS = (".tei", ".tei.gz", ".tei.xml")
NOTES = re.compile(r"\{[^}]*\}|\[[^\]]*\]|\([^)]*\)|<[^>]*>|/[^/]*/")  # gender, field, abbreviation
VERB = re.compile(
    r"\{v[itr ,;./]*\}"
)  # the note of a verb, before whose translation "to" may stand

Entry = tuple[str, str]  # a word or several, and one translation


def read_dictionary(path: str | Path) -> list[Entry]:
    """All entries of a file in its order, source first. DataError if it has none or is broken.

    Forms of a Ding file that have no partner are left out, and their number is logged.
    """
    name = name_of(path)
    if str(path).endswith(TEI_ENDINGS):
        entries = list(_read_tei(path))
    else:
        entries = list(_read_lines(path, name))
    if not entries:
        raise DataError(
            f"{name} has no entries",
            why="a line is SOURCE TAB TARGET or SOURCE :: TARGET; a file in .tei is FreeDict's",
            fix="Check that it is a dictionary",
        )
    return entries


def _read_lines(path: str | Path, name: str) -> Iterator[Entry]:
    num_left_out = 0
    for number, line in enumerate(read_lines(path), start=1):
        if line.strip() and not line.startswith("#"):
            yield from _parse_line(line, name, number)
            num_left_out += _count_without_partner(line)
    if num_left_out:
        log.warning("%s: forms without a partner on the other side: %d", name, num_left_out)


def _parse_line(line: str, name: str, number: int) -> Iterator[Entry]:
    if "\t" in line:
        source, *targets = line.split("\t")
        for target in targets:
            if source.strip() and target.strip():
                yield source.strip(), target.strip()
    elif DING_SIDES in line:
        yield from _parse_ding(line)
    else:
        raise DataError(
            f"{name}, line {number}: there is neither a tab nor {DING_SIDES.strip()}",
            why="one of them stands between a word and its translation",
            fix="Correct the line",
        )


def _parse_ding(line: str) -> Iterator[Entry]:
    """The entries of a line: its forms, parted by |, belong together one by one."""
    for sources, targets in zip(*_ding_forms(line), strict=False):  # the rest is counted
        is_verb = bool(VERB.search(sources))
        for source in _alternatives(sources):
            for target in _alternatives(targets):
                yield source, target.removeprefix("to ") if is_verb else target


def _ding_forms(line: str) -> list[list[str]]:
    return [side.split("|") for side in line.split(DING_SIDES, 1)]


def _count_without_partner(line: str) -> int:
    """How many forms of a line are more than there are on its other side."""
    if "\t" in line:
        return 0
    sources, targets = map(len, _ding_forms(line))
    return abs(sources - targets)


def _alternatives(text: str) -> list[str]:
    plain = (" ".join(NOTES.sub(" ", part).split()) for part in text.split(";"))
    return [part for part in plain if part]


def _read_tei(path: str | Path) -> Iterator[Entry]:
    """The headwords of FreeDict's entries with each of their translations."""
    try:
        with open_unpacked(path) as stream:
            for _, element in ElementTree.iterparse(stream):
                if _tag(element) != "entry":
                    continue
                for source in _texts(element, "orth"):
                    for target in _texts(element, "quote"):
                        yield source, target
                element.clear()
    except ElementTree.ParseError as error:
        raise DataError(
            f"{name_of(path)} is not valid XML: {error}", fix="Copy or download it again"
        ) from error


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _texts(entry: ElementTree.Element, tag: str) -> list[str]:
    found = (element for element in entry.iter() if _tag(element) == tag)
    return [text for text in (" ".join("".join(each.itertext()).split()) for each in found) if text]
