import pytest

from seqcli.smt.moses import Moses


@pytest.mark.parametrize(
    ("language", "line", "words"),
    [
        ("en", 'Don\'t say e.g. "no", Mr. X.', ["Don", "'t", "say", "e.g.", '"', "no", '"', ","]),
        ("de", "Ein T-Shirt & 3,5 kg.", ["Ein", "T", "@-@", "Shirt", "&", "3,5", "kg", "."]),
        ("xx", "a|b <c>", ["a", "|", "b", "<", "c", ">"]),
    ],
)
def test_a_line_is_cut_into_words_and_signs(language: str, line: str, words: list[str]) -> None:
    assert Moses(language).split(line)[: len(words)] == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("두 아이가 해변에서 놀고 있다.", ["두", "아이가", "해변에서", "놀고", "있다", "."]),
        ("两个孩子。 今日は、猫がいる。", ["两个孩子。", "今日は、猫がいる。"]),
        ("cafe\u0301 ผมชื่อ", ["cafe\u0301", "ผมชื่อ"]),
        ("𠀀𠀁 ２０！", ["𠀀𠀁", "２０！"]),
    ],
)
@pytest.mark.parametrize("language", ["de", "xx"])
def test_words_of_a_foreign_script_stay_whole_with_their_spaces(
    language: str, line: str, words: list[str]
) -> None:
    assert Moses(language).split(line) == words
    assert Moses("en").join(words) == line


def test_korean_is_cut_and_joined_by_its_own_rules() -> None:
    line = "두 아이가 해변에서 놀고 있다."
    assert Moses("ko").split(line) == ["두", "아이가", "해변에서", "놀고", "있다", "."]
    assert Moses("ko").join(Moses("ko").split(line)) == line


def test_a_language_without_spaces_is_joined_without() -> None:
    assert Moses("zh").join(["两个", "孩子", "。"]) == "两个孩子。"


@pytest.mark.parametrize("line", ["Ein T-Shirt, das (fast) neu ist!", "3,5% von 100.", ""])
def test_usual_text_is_joined_as_it_was(line: str) -> None:
    moses = Moses("de")
    assert moses.join(moses.split(line)) == line
