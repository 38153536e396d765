import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from seqcli.api.evaluate import evaluate_files, evaluate_model, score_lines
from seqcli.errors import ConfigError, DataError
from seqcli.evaluation import BLEU, METRICS
from seqcli.translator import Hypothesis, Translation

SOURCE = ["eine Katze auf der Matte", "ein Mann"]
REFERENCE = ["A CAT ON THE MAT", "A MAN"]
LEXICON = {"eine": "a", "Katze": "cat", "auf": "on", "der": "the", "Matte": "mat"}
LEXICON |= {"ein": "a", "Mann": "man"}


class WordByWord:
    """A rule-based translator, so that no model is needed; it counts what it is given."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
        for line in lines:
            self.seen.append(line)
            text = " ".join(LEXICON.get(word, word) for word in line.split())
            yield Translation(line, (Hypothesis(text, score=0.0, log_probability=0.0),))


def write(path: Path, lines: Iterable[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_lines_are_scored_by_each_metric_in_the_order_asked_for() -> None:
    names = ["wer", "bleu", "ter"]
    hypotheses = ["a b c d e", "f g"]
    references = [["a b c d x", "f g"], ["", "f"]]
    assert score_lines(hypotheses, references, names) == [
        METRICS[name]().compute(hypotheses, references) for name in names
    ]


def test_settings_reach_the_metrics() -> None:
    hypotheses, references = ["A b-c d e"], [["a b-c D e"]]
    scores = score_lines(
        hypotheses, references, ["bleu", "accuracy"], bleu_tokenizer="char", lowercase=True
    )
    assert scores[0] == BLEU(tokenize="char", lowercase=True).compute(hypotheses, references)
    assert [score.value for score in scores] == pytest.approx([100, 100])


def test_files_score_as_their_lines_do(tmp_path: Path) -> None:
    hypothesis = write(tmp_path / "out", ["a b c d e", ""])
    first = write(tmp_path / "one", ["a b c d x", "y"])
    second = write(tmp_path / "two", ["a c", ""])
    evaluation = evaluate_files(hypothesis, [first, second])
    expected = score_lines(["a b c d e", ""], [["a b c d x", "y"], ["a c", ""]], ["bleu", "chrf"])
    assert list(evaluation.scores) == expected
    assert (evaluation.line_count, evaluation.reference_count) == (2, 2)
    assert evaluation.warnings == ()


def test_line_ends_of_another_system_and_a_byte_order_mark_make_no_difference(
    tmp_path: Path,
) -> None:
    hypothesis, reference = tmp_path / "out", tmp_path / "one"
    hypothesis.write_bytes(b"\xef\xbb\xbfa b c d\r\ne\r\n")
    write(reference, ["a b c d", "e"])
    assert evaluate_files(hypothesis, [reference], ["accuracy"]).scores[0].value == 100


def test_files_of_different_length_are_named_with_both_counts(tmp_path: Path) -> None:
    hypothesis = write(tmp_path / "out", ["a", "b", "c"])
    good, short = write(tmp_path / "one", "xyz"), write(tmp_path / "two", "xy")
    with pytest.raises(DataError) as caught:
        evaluate_files(hypothesis, [good, short])
    assert caught.value.what == f"{hypothesis} has 3 lines but {short} has 2"


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    empty, full = write(tmp_path / "none", []), write(tmp_path / "one", ["a"])
    for hypothesis, reference in [(empty, full), (full, empty)]:
        with pytest.raises(DataError) as caught:
            evaluate_files(hypothesis, [reference])
        assert caught.value.what == f"{empty} has no lines"


def test_an_unknown_metric_or_tokenizer_is_told_before_a_file_is_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(ConfigError, match="did you mean 'bleu'"):
        evaluate_files(missing, [missing], ["blue"])
    with pytest.raises(ConfigError, match="did you mean 'intl'"):
        evaluate_files(missing, [missing], ["bleu"], bleu_tokenizer="int")


def test_tokenised_files_are_warned_of_by_name(tmp_path: Path) -> None:
    hypothesis = write(tmp_path / "out", ["He waits .", "She too ."])
    reference = write(tmp_path / "one", ["He waits.", "She too."])
    (warning,) = evaluate_files(hypothesis, [reference]).warnings
    assert warning.startswith(f"{hypothesis} looks tokenised")
    (warning,) = evaluate_files(reference, [hypothesis], ["ter"]).warnings
    assert warning.startswith(f"{hypothesis} looks tokenised")


def test_there_is_no_warning_where_tokens_are_what_is_scored(tmp_path: Path) -> None:
    tokenised = write(tmp_path / "out", ["He waits ."])
    assert evaluate_files(tokenised, [tokenised], ["accuracy", "per", "wer"]).warnings == ()
    assert evaluate_files(tokenised, [tokenised], ["bleu"], bleu_tokenizer="none").warnings == ()


def test_a_model_scores_as_a_file_of_its_translations(tmp_path: Path) -> None:
    source, reference = write(tmp_path / "src", SOURCE), write(tmp_path / "ref", REFERENCE)
    kept: list[str] = []
    evaluation = evaluate_model(
        WordByWord(),
        source,
        [reference],
        ["bleu", "wer"],
        bleu_tokenizer="none",
        lowercase=True,
        on_translation=kept.append,
    )
    assert kept == ["a cat on the mat", "a man"]
    kept_file = write(tmp_path / "kept", kept)
    assert evaluation == evaluate_files(
        kept_file, [reference], ["bleu", "wer"], bleu_tokenizer="none", lowercase=True
    )
    assert [score.value for score in evaluation.scores] == pytest.approx([100, 0])


def test_nothing_is_translated_if_the_files_do_not_fit(tmp_path: Path) -> None:
    source, reference = write(tmp_path / "src", SOURCE), write(tmp_path / "ref", REFERENCE[:1])
    translator = WordByWord()
    with pytest.raises(DataError) as caught:
        evaluate_model(translator, source, [reference])
    assert caught.value.what == f"{source} has 2 lines but {reference} has 1"
    assert translator.seen == []


def test_tokenised_translations_are_warned_of(tmp_path: Path) -> None:
    source, reference = write(tmp_path / "src", ["Mann ."]), write(tmp_path / "ref", ["Man."])
    (warning,) = evaluate_model(WordByWord(), source, [reference]).warnings
    assert warning.startswith("the translation looks tokenised")


def test_translations_that_are_cut_off_are_counted_in_a_warning(tmp_path: Path) -> None:
    class Cutting(WordByWord):
        def translate(self, lines: Iterable[str]) -> Iterator[Translation]:
            for line in lines:
                stump = Hypothesis(line[:8], 0.0, 0.0, is_complete=len(line) <= 8)
                yield Translation(line, (stump,))

    source, reference = write(tmp_path / "src", SOURCE), write(tmp_path / "ref", REFERENCE)
    (warning,) = evaluate_model(Cutting(), source, [reference]).warnings
    assert warning.startswith("1 of 2 translations ")


def test_length_is_that_of_the_source_or_else_of_the_first_reference(tmp_path: Path) -> None:
    source = write(tmp_path / "src", ["eins zwei drei", "eins"])
    first, second = write(tmp_path / "one", ["a", "b c"]), write(tmp_path / "two", ["a b c", "b"])
    hypothesis = write(tmp_path / "out", ["a", "x"])
    for measured, values in [(source, [0, 100]), (None, [100, 0])]:
        evaluation = evaluate_files(
            hypothesis, [first, second], ["accuracy"], source=measured, by_length=[1]
        )
        assert [bucket.scores[0].value for bucket in evaluation.by_length] == values
        assert evaluation.line_count == 2
        assert evaluation.reference_count == 2


def test_a_model_scores_by_the_length_of_its_source(tmp_path: Path) -> None:
    source = write(tmp_path / "src", ["der Mann", "ein Mann auf der Matte"])
    reference = write(tmp_path / "ref", ["the man", "the mat"])
    by_length = evaluate_model(WordByWord(), source, [reference], by_length=[2, 4]).by_length
    translation = write(tmp_path / "out", ["the man", "a man on the mat"])
    expected = evaluate_files(translation, [reference], source=source, by_length=[2, 4])
    assert by_length == expected.by_length
    assert [bucket.line_count for bucket in by_length] == [1, 0, 1]


def test_the_source_of_hypotheses_is_no_reference_and_is_not_warned_of(tmp_path: Path) -> None:
    raw, source = write(tmp_path / "out", ["He waits."]), write(tmp_path / "src", ["Er wartet ."])
    evaluation = evaluate_files(raw, [raw], ["chrf"], source=source, by_length=[10])
    assert evaluation.warnings == ()
    assert evaluation.scores == evaluate_files(raw, [raw], ["chrf"]).scores


def test_a_source_of_another_length_than_the_hypotheses_is_named(tmp_path: Path) -> None:
    full, short = write(tmp_path / "out", ["a", "b"]), write(tmp_path / "src", ["a"])
    with pytest.raises(DataError) as caught:
        evaluate_files(full, [full], source=short, by_length=[10])
    assert caught.value.what == f"{full} has 2 lines but {short} has 1"


def test_wrong_bounds_of_length_are_told_before_a_file_is_read(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(ConfigError, match="20,10"):
        evaluate_files(missing, [missing], by_length=[20, 10])
    with pytest.raises(ConfigError, match="20,10"):
        evaluate_model(WordByWord(), missing, [missing], by_length=[20, 10])


def test_scoring_files_imports_no_torch(tmp_path: Path) -> None:
    path = str(write(tmp_path / "out", ["a b c d e"]))
    program = (
        "import sys; from seqcli.api.evaluate import evaluate_files; "
        f"evaluate_files({path!r}, [{path!r}], ['bleu', 'chrf', 'ter', 'per']); "
        "print(sorted({'torch', 'sentencepiece', 'numpy', 'typer'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert shown.stdout.decode().strip() == "[]"
