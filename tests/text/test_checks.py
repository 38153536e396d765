import gzip
import random
import tracemalloc
import unicodedata
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcli.errors import DataError
from seqcli.text import repetitions
from seqcli.text.checks import LINE_RULES, RowChecks, TextChecks
from seqcli.text.cleaning import Cleaning
from seqcli.text.findings import Finding
from seqcli.text.length_ratios import LengthRatios
from seqcli.text.mending import mend
from seqcli.text.repetitions import NEW, OTHER_TARGET, REPEATED, HeldOut, Repetitions
from seqcli.text.scripts import script_of
from seqcli.text.unchecked import UncheckedLine, UncheckedRow, read_unchecked

Row = tuple[str, ...]

GOOD = "A man is riding his bicycle."
NAMES = ["a.de", "a.en"]


def unchecked(rows: Sequence[Row]) -> list[UncheckedRow]:
    return [tuple(UncheckedLine(line, "\n") for line in row) for row in rows]


def findings(
    rows: Sequence[UncheckedRow], held_out: dict[str, HeldOut] | None = None
) -> list[Finding]:
    checks = TextChecks(NAMES[: len(rows[0])], held_out or {}, max_length_ratio=3)
    for row in rows:
        checks.add(row)
    return list(checks.findings())


def found(rows: Sequence[Row], **held_out: Sequence[Row]) -> dict[str, tuple[int, ...]]:
    """The lines of each rule that finds any; of both sides, one after the other."""
    sets = {name: HeldOut(others) for name, others in held_out.items()}
    lines: dict[str, tuple[int, ...]] = {}
    for finding in findings(unchecked(rows), sets):
        lines[finding.rule] = lines.get(finding.rule, ()) + finding.lines
    return lines


def clean(rows: Sequence[Row], **held_out: Sequence[Row]) -> tuple[list[Row], Cleaning]:
    sets = {name: HeldOut(others) for name, others in held_out.items()}
    cleaning = Cleaning(NAMES[: len(rows[0])], sets, 3)
    cleaning.decide(iter(unchecked(rows)))
    return list(cleaning.cleaned(iter(unchecked(rows)))), cleaning


class TestLines:
    @pytest.mark.parametrize(
        ("rule", "line"),
        [
            ("empty", ""),
            ("empty", " \t\u3000"),
            ("nul", "a\0b"),
            ("control_characters", "a\x07b"),
            ("control_characters", "a\rb"),
            ("control_characters", "a\u2028b"),
            ("control_characters", "a\x85b"),
            ("byte_order_marks", "\ufeffa"),
            ("lost_characters", "f\ufffdr alle"),
            ("not_composed", "u\u0308ber"),
            ("html", "a <b>bold</b> man"),
            ("html", '<a href="x">here</a>'),
            ("html", "left<br/>right"),
            ("html", "R &amp; D"),
            ("html", "it&#39;s"),
            ("very_long", "word " * 201),
            ("tokenised", "A man , tall and thin"),
        ],
    )
    def test_each_fault_is_found_where_it_is_and_nowhere_else(self, rule: str, line: str) -> None:
        assert found([(GOOD,), (line,), ("Another line.",)]).get(rule) == (2,)

    @pytest.mark.parametrize(
        "text", ["für", "naïve", "il a dit « oui »", "“quoted", "Привет", "日本語"]
    )
    @pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
    def test_text_in_utf8_read_in_another_encoding_is_found(self, text: str, encoding: str) -> None:
        finds = LINE_RULES["mojibake"][1]
        assert finds(text.encode().decode(encoding))
        assert not finds(text)

    @pytest.mark.parametrize(
        "line",
        [
            "Ein Mädchen, das »Öl« ruft – für 3 € & mehr… naïveté, À LA CARTE, NÃO!",
            "if a < b && c > d: AT&T <unk> <3",
            "\tindented\u00a0text",
            "한국어 문장입니다.",
            "",
        ],
    )
    def test_good_text_has_no_fault(self, line: str) -> None:
        assert not [rule for rule, (_, finds) in LINE_RULES.items() if finds(line)]

    def test_one_sign_of_a_tokenizer_in_many_lines_is_an_accident(self) -> None:
        rows = [(f"Line number {n}.",) for n in range(20)]
        assert "tokenised" not in found([*rows, ("He waits .",)])
        assert "tokenised" in found([*rows, *[(f"He waits {n} .",) for n in range(3)]])

    @pytest.mark.parametrize(
        ("line", "script"),
        [
            ("abc", "Latin"),
            ("über 1", "Latin"),
            ("Привет, world: да", "Cyrillic"),
            ("漢字とカナ", "Han or kana"),
            ("한국어 NLP", "Hangul"),
            ("12 + 3 ²ª", ""),
            ("مرحبا", "Arabic"),
        ],
    )
    def test_a_line_is_in_the_script_of_most_of_its_letters(self, line: str, script: str) -> None:
        assert script_of(line) == script

    def test_lines_in_another_script_than_most_are_found(self) -> None:
        rows = [(GOOD,), ("Привет, мир",), ("Good day",), ("123",)]
        assert found(rows)["other_script"] == (2,)

    def test_only_the_rarer_of_two_kinds_of_line_ends_is_named(self, tmp_path: Path) -> None:
        file = tmp_path / "a"
        file.write_bytes(b"one\r\ntwo\nthree\r\nfour")
        (finding,) = findings(list(read_unchecked([file])))
        assert (finding.rule, finding.lines) == ("line_ends", (2,))
        file.write_bytes(b"one\r\ntwo\r\nthree")
        assert not findings(list(read_unchecked([file])))


class TestReading:
    def test_what_is_not_utf8_is_found_and_reading_goes_on(self, tmp_path: Path) -> None:
        file = tmp_path / "a"
        file.write_bytes("für\ngrüßen\n".encode("latin-1") + b"good\n\xff\n")
        (finding,) = findings(list(read_unchecked([file])))
        assert (finding.rule, finding.lines, finding.is_serious) == ("not_utf8", (1, 2, 4), True)

    def test_lines_without_a_partner_are_serious_and_come_first(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("\none\n")
        with gzip.open(tmp_path / "b", "wt") as stream:
            stream.write("un\ndeux\ntrois\nquatre\n")
        first, *_ = findings(list(read_unchecked([tmp_path / "a", tmp_path / "b"])))
        assert (first.rule, first.file, first.lines) == ("line_count", "a.en", (3, 4))
        assert first.is_serious

    def test_a_table_has_two_sides(self, tmp_path: Path) -> None:
        (tmp_path / "a.tsv").write_text("\tone\ntwo\t\n")
        rows = list(read_unchecked([tmp_path / "a.tsv"]))
        assert [[line.text for line in row if line] for row in rows] == [["", "one"], ["two", ""]]
        (tmp_path / "a.tsv").write_text("one\n")
        with pytest.raises(DataError, match=r"a\.tsv, line 1: there is no tab"):
            list(read_unchecked([tmp_path / "a.tsv"]))

    def test_a_fault_in_a_table_is_that_of_its_own_side_and_its_line_end_is_told_once(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "a.tsv").write_bytes(b"f\xfcr\tfor\r\nf\xc3\xbcr\tf\xf6r\nfein\tfine\n")
        rows = list(read_unchecked([tmp_path / "a.tsv"]))
        told = [(finding.file, finding.rule, finding.lines) for finding in findings(rows)]
        assert ("a.de", "not_utf8", (1,)) in told
        assert ("a.en", "not_utf8", (2,)) in told
        assert [each for each in told if each[1] == "line_ends"] == [("a.en", "line_ends", (1,))]
        assert rows[1][0] == UncheckedLine("für", "")


class TestRows:
    def test_copies_repeated_pairs_and_sources_with_another_target_are_told_apart(self) -> None:
        rows = [("a", "x"), ("b", "b"), ("a", "x"), ("a", "y"), ("a", "y"), ("", ""), ("", "")]
        lines = found(rows)
        assert lines["copies"] == (2,)
        assert lines["duplicates"] == (3, 5)
        assert lines["other_targets"] == (4,)

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), max_size=30))
    def test_repetitions_are_those_of_a_plain_search(self, rows: list[Row]) -> None:
        expected = []
        for place, row in enumerate(rows):
            sources = [earlier[0] for earlier in rows[:place]]
            new = OTHER_TARGET if row[0] in sources else NEW
            expected.append(REPEATED if row in rows[:place] else new)
        for at_once in (repetitions.LINES_AT_ONCE, 7):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(repetitions, "LINES_AT_ONCE", at_once)
                known = Repetitions()
                for row in rows:
                    known.add(row)
                assert list(known.verdicts()) == expected

    def test_rows_and_sources_of_other_sets_are_found_by_the_line_of_that_set(self) -> None:
        rows = [("a", "x"), ("b", "y"), ("c", "")]
        lines = found(rows, valid=[("b", "y"), ("q", "z"), ("a", "z"), ("c", "")])
        assert lines["valid_pairs"] == (1,)
        assert lines["valid_sources"] == (1, 3)

    def test_lines_of_text_alone_are_compared_as_lines(self) -> None:
        lines = found([("a",), ("b",), ("a",)], test=[("b",), ("c",)])
        assert lines == {"duplicates": (3,), "test_lines": (1,)}

    def test_text_is_compared_as_it_is_when_mended(self) -> None:
        assert found([("u\u0308", "x"), ("\u00fc", "x\x07")])["duplicates"] == (2,)

    def test_a_few_bytes_are_held_of_each_row_and_no_text(self) -> None:
        checks = RowChecks(NAMES, {})
        held = []
        tracemalloc.start()
        for size in (5_000, 20_000):
            for number in range(size):
                checks.add((f"The line with the number {number}.", f"Die Zeile Nummer {number}."))
            held.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
        assert held[1] - held[0] < 20 * 20_000


class TestLengths:
    def test_a_pair_that_is_far_from_the_usual_ratio_is_found(self) -> None:
        rows = [(f"{n} " + "x y z " * 10, f"{n} " + "a b " * 10) for n in range(9)]
        rows[4] = ("short", rows[4][1] * 5)
        lines = found(rows)
        assert lines["length_ratio_characters"] == (5,)
        assert lines["length_ratio_words"] == (5,)

    def test_short_lines_may_differ(self) -> None:
        rows = [("word " * 10, f"mot {n} " + "mot " * 9) for n in range(9)]
        assert "length_ratio_characters" not in found([*rows, ("a", "bcdefghi")])

    def test_words_are_not_counted_where_no_spaces_stand_between_them(self) -> None:
        rows = [("one two three four " * n, "一二三四五六七八" * n) for n in range(1, 9)]
        assert not {rule for rule in found(rows) if rule.startswith("length")}

    @given(st.lists(st.tuples(st.integers(1, 500), st.integers(1, 500)), max_size=40))
    def test_no_pair_is_odd_when_the_odd_ones_are_gone(
        self, lengths: list[tuple[int, int]]
    ) -> None:
        ratios, rest = LengthRatios(10), LengthRatios(10)
        for pair in lengths:
            ratios.add(*pair)
        limits = ratios.limits(2)
        for pair, step in zip(lengths, ratios.steps, strict=True):
            if not limits.excludes(step):
                rest.add(*pair)
        assert bool(rest.steps) is bool(lengths)
        assert not any(map(rest.limits(2).excludes, rest.steps))

    def test_a_ratio_beyond_the_most_times_the_median_is_odd(self) -> None:
        generator = random.Random(1)
        pairs = [(generator.randint(20, 60), 40) for _ in range(101)]
        ratios = LengthRatios(0)
        for pair in [*pairs, (400, 40), (4, 40)]:
            ratios.add(*pair)
        limits = ratios.limits(4)
        assert [limits.excludes(step) for step in ratios.steps] == [False] * 101 + [True] * 2
        usual = sorted(source / target for source, target in pairs)[50]
        assert limits.usual_ratio == pytest.approx(usual, rel=0.03)
        assert not any(map(ratios.limits(float("inf")).excludes, ratios.steps))


class TestCleaning:
    def test_each_rule_drops_what_it_says_and_rows_stay_together(self) -> None:
        good = [(f"source {n} of a pair", f"its target {n}") for n in range(8)]
        bad = [("", "x"), good[0], ("v", "w"), ("t", "u"), ("odd", "one " * 99), ("s", "\x07")]
        rows, cleaning = clean([*good, *bad], valid=[("v", "w")], test=[("t", "u")])
        assert rows == good
        assert cleaning.kept == 8
        assert cleaning.dropped == {
            "empty": 2,
            "in_valid": 1,
            "in_test": 1,
            "duplicates": 1,
            "length_ratio": 1,
        }

    def test_each_rule_mends_what_it_says(self) -> None:
        rows = unchecked([("\ufeffone", "u\u0308ber\0"), ("two\x0bthree", "good")])
        rows[1] = (rows[1][0], UncheckedLine("good", "\r\n"))
        cleaning = Cleaning(NAMES, {}, 3)
        cleaning.decide(iter(rows))
        assert list(cleaning.cleaned(iter(rows))) == [("one", "über"), ("two three", "good")]
        assert cleaning.mended == {
            "byte_order_marks": 1,
            "control_characters": 2,
            "not_composed": 1,
            "carriage_returns": 1,
        }

    def test_lines_of_dropped_rows_are_not_counted_as_mended(self) -> None:
        marked = ("\ufeffone", "u\u0308ber")
        _, cleaning = clean([marked, marked, ("\ufeff", "two")])
        assert cleaning.kept == 1
        assert {rule: count for rule, count in cleaning.mended.items() if count} == {
            "byte_order_marks": 1,
            "not_composed": 1,
        }

    @given(st.text())
    def test_a_mended_line_has_no_fault_that_can_be_mended_and_stays_as_it_is(
        self, line: str
    ) -> None:
        mended = mend(line)
        assert mend(mended) == mended
        assert unicodedata.is_normalized("NFC", mended)
        kinds = {unicodedata.category(character) for character in mended.replace("\t", "")}
        assert not kinds & {"Cc", "Zl", "Zp"}
        if line.isprintable():
            assert mended == unicodedata.normalize("NFC", line)

    @given(
        st.lists(
            st.tuples(*[st.text(st.sampled_from("ab \u0308\x07\ufeff"), max_size=60)] * 2),
            min_size=1,
            max_size=30,
        )
    )
    def test_cleaning_again_changes_nothing_more(self, rows: list[Row]) -> None:
        cleaned, _ = clean(rows, valid=[("a", "b"), ("b", "a")])
        if cleaned:
            again, cleaning = clean(cleaned, valid=[("a", "b"), ("b", "a")])
            assert again == cleaned
            assert not sum(cleaning.dropped.values())
            assert not cleaning.mended.total()

    def test_what_was_cleaned_has_no_fault_that_cleaning_ends(self) -> None:
        generator = random.Random(1)
        letters = "abcde  \u0308\x07\ufeff"
        lines = ["".join(generator.choices(letters, k=generator.randint(0, 60))) for _ in range(99)]
        rows = list(zip(lines, lines[1:] + lines[:1], strict=True))
        rows += islice(rows, 10)
        held_out = [tuple(map(mend, row)) for row in rows[:5]]
        cleaned, _ = clean(rows, valid=held_out)
        dropped_or_mended = {
            "empty",
            "duplicates",
            "valid_pairs",
            "length_ratio_characters",
            "control_characters",
            "byte_order_marks",
            "not_composed",
        }
        assert dropped_or_mended <= set(found(rows, valid=held_out))
        assert not dropped_or_mended & set(found(cleaned, valid=held_out))

    def test_sides_of_different_length_and_bytes_that_are_no_text_are_errors(self) -> None:
        cleaning = Cleaning(NAMES, {}, 3)
        good = UncheckedLine("good", "\n")
        with pytest.raises(DataError, match=r"a\.de has 3 lines but a\.en has 1"):
            cleaning.decide(iter([(good, good), (good, None), (good, None)]))
        bad = UncheckedLine(b"f\xfcr".decode(errors="surrogateescape"), "\n", is_utf8=False)
        with pytest.raises(DataError, match=r"a\.en, line 2: not UTF-8") as caught:
            cleaning.decide(iter([(good, good), (good, bad)]))
        assert "0xfc" in caught.value.why


def test_a_finding_says_what_where_how_often_and_in_which_lines() -> None:
    few = Finding("r", "odd lines", "a.de", 2, 4, (1, 3))
    assert str(few) == "a.de: odd lines: 2 of 4 (50.0%), lines 1, 3"
    many = Finding("r", "odd pairs", None, 6, 100_000, (1, 2, 3, 4, 5))
    assert str(many) == "odd pairs: 6 of 100,000 (under 0.1%), lines 1, 2, 3, 4, 5, ..."
    none = Finding("r", "odd tokens", "a.de", 0, 0, ())
    assert str(none) == "a.de: odd tokens: 0 of 0 (0.0%)"
