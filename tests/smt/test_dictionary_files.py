import gzip
import logging
from pathlib import Path

import pytest

from seqcli.errors import DataError
from seqcli.smt.dictionary_files import read_dictionary

TEI = """<?xml version="1.0"?><TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>
<entry><form><orth>Hund</orth><pron>h</pron></form><sense><cit type="trans"><quote>dog</quote></cit>
<cit type="trans"><quote>big  <hi>hound</hi></quote></cit></sense></entry>
<entry><form><orth>leer</orth></form></entry></body></text></TEI>"""


@pytest.mark.parametrize(
    ("name", "content", "entries"),
    [
        ("d.tsv", "Hund\tdog\thound\n\nKatze \tcat\n", "Hund=dog Hund=hound Katze=cat"),
        ("d.txt", "# Ding\nHund {m} [zool.] :: dog; hound (old)\n", "Hund=dog Hund=hound"),
        ("d.txt", "Hund {m} | Hunde {pl} :: dog | dogs\n", "Hund=dog Hunde=dogs"),
        ("d.txt", "gehen {vi} | geht :: to go; to walk | goes\n", "gehen=go gehen=walk geht=goes"),
        ("d.txt", "nach :: to\n", "nach=to"),
        ("d.txt", "zur Zeit /z.Z./ :: now\n", "zur Zeit=now"),
        ("d.tei", TEI, "Hund=dog Hund=big hound"),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_a_dictionary_is_read_in_the_order_of_its_entries(
    name: str, content: str, entries: str, is_packed: bool, tmp_path: Path
) -> None:
    path = tmp_path / (f"{name}.gz" if is_packed else name)
    path.write_bytes(gzip.compress(content.encode()) if is_packed else content.encode())
    assert " ".join(f"{source}={target}" for source, target in read_dictionary(path)) == entries


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("d.txt", "Hund\tdog\nKatze cat\n", "line 2: there is neither a tab nor ::"),
        ("d.txt", "", "has no entries"),
        ("d.txt", "Hund\t \n", "has no entries"),
        ("d.tei", "<TEI><entry>", "is not valid XML"),
        ("d.tei", "<TEI/>", "has no entries"),
    ],
)
def test_what_is_no_dictionary_is_refused(
    name: str, content: str, fault: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError) as error:
        read_dictionary(tmp_path / name)
    assert fault in error.value.what


def test_forms_without_a_partner_are_left_out_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "ding.txt"
    path.write_text("a | b | c :: x | y\nHund :: dog | dogs | doggy\nKatze\tcat | cats\n")
    with caplog.at_level(logging.WARNING):
        entries = read_dictionary(path)
    assert entries == [("a", "x"), ("b", "y"), ("Hund", "dog"), ("Katze", "cat | cats")]
    assert caplog.messages == [f"{path}: forms without a partner on the other side: 3"]
    caplog.clear()
    path.write_text("a | b :: x | y\n")
    read_dictionary(path)
    assert not caplog.records
