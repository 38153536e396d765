import re
from pathlib import Path

import pytest

from seqcli.evaluation.tokenised_text import SIGNS, tokenisation_warning

RAW = [
    "A man, tall and thin, doesn't wait.",
    "It costs 1,234.56 dollars... or so it's said.",
    "Il dit : « Pourquoi ? » Elle rit !",
    "He wrote .NET code & mailed it to me@@example.org",
    "我们在家里。“你好”",
    "",
]


def like_moses(line: str) -> str:
    line = re.sub(r"([.,!?;:()\"])", r" \1 ", line.replace("&", "&amp;"))
    line = re.sub(r"(?<=\w)'(?=\w)", " &apos;", line)
    return " ".join(re.sub(r"(?<=\w)-(?=\w)", " @-@ ", line).split())


def lines_of(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


@pytest.mark.parametrize("language", ["en", "de", "fr"])
@pytest.mark.parametrize("part", ["val", "test_2016_flickr"])
def test_raw_captions_give_no_warning_and_tokenised_ones_do(
    part: str, language: str, multi30k: Path
) -> None:
    lines = lines_of(multi30k / f"{part}.{language}")
    assert tokenisation_warning(lines, "raw") is None
    assert tokenisation_warning([like_moses(line) for line in lines], "tokenised")


def test_raw_text_gives_no_warning() -> None:
    assert tokenisation_warning(RAW, "raw") is None


@pytest.mark.parametrize(
    ("line", "sign"),
    [
        ("A man , tall and thin", "full stop or comma"),
        ("He waits .", "full stop or comma"),
        ("They do n't wait", "contraction"),
        ("They don 't wait", "contraction"),
        ("the dog 's bone", "contraction"),
        ("the dog’s bone isn ’t here", "contraction"),
        ("the dog &apos;s bone", "&apos;"),
        ("a well @-@ known man", "@-@"),
        ("a wel@@ l known man", "subword"),
        ("▁a ▁well ▁known", "subword"),
    ],
)
def test_each_sign_of_a_tokenizer_is_found_and_named(line: str, sign: str) -> None:
    warning = tokenisation_warning([RAW[0], line], "out.txt")
    assert warning is not None
    assert warning.startswith("out.txt looks tokenised: 1 of 2 lines have ")
    assert sign in warning.partition(", as in")[0]
    assert f'"{line}"' in warning


def test_the_warning_says_why_it_matters_and_what_to_do() -> None:
    warning = tokenisation_warning(["He waits ."], "out.txt") or ""
    assert "another scale" in warning
    assert "Detokenise it" in warning


def test_a_sign_in_one_line_of_twenty_is_an_accident() -> None:
    raw = ["He waits."] * 19
    assert tokenisation_warning([*raw, "He waits ."], "raw") is None
    assert tokenisation_warning([*raw[:4], "He waits ."], "tokenised")


def test_empty_lines_do_not_hide_tokenised_ones() -> None:
    assert tokenisation_warning(["He waits ."] + [""] * 99, "out.txt")


def test_text_without_words_gives_no_warning() -> None:
    assert tokenisation_warning([], "none") is None
    assert tokenisation_warning(["", " "], "empty") is None


def test_a_long_line_is_shown_in_part_and_searched_in_linear_time() -> None:
    warning = tokenisation_warning(["word " * 20_000 + "."], "out.txt") or ""
    assert len(warning) < 600
    for pattern in SIGNS.values():
        assert not pattern.search("a" * 100_000)
