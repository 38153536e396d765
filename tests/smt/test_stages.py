from collections.abc import Callable
from pathlib import Path

import pytest

from seqcli.smt.stages import STAGES, Stages, text_fingerprint


def worked(folder: Path, settings: dict[str, object], *, breaks_at: str = "") -> list[str]:
    """Run the stages a, b (after a) and c (after a); say which of them were made."""
    made: list[str] = []

    def make(name: str) -> Callable[[], str]:
        def run() -> str:
            if name == breaks_at:
                raise KeyboardInterrupt
            made.append(name)
            return name

        return run

    stages = Stages(folder, lambda text: None, outdated=[folder / "model.json"])
    try:
        for name, after in {"a": [], "b": ["a"], "c": ["a"]}.items():
            assert name == stages.run(
                name,
                after=after,
                settings=settings.get(name),
                make=make(name),
                load=lambda n=name: n,
            )
    except KeyboardInterrupt:
        pass
    return made


def test_what_is_finished_is_loaded_and_not_made_again(tmp_path: Path) -> None:
    assert worked(tmp_path, {}) == ["a", "b", "c"]
    assert worked(tmp_path, {}) == []


def test_one_that_was_interrupted_goes_on_with_the_stage_that_broke(tmp_path: Path) -> None:
    assert worked(tmp_path, {}, breaks_at="b") == ["a"]
    assert worked(tmp_path, {}) == ["b", "c"]


def test_other_settings_make_a_stage_and_those_after_it_anew(tmp_path: Path) -> None:
    worked(tmp_path, {})
    assert worked(tmp_path, {"c": {"rounds": 2}}) == ["c"]
    assert worked(tmp_path, {"a": 1, "c": {"rounds": 2}}) == ["a", "b", "c"]


def test_a_stage_that_breaks_while_made_anew_is_not_taken_for_finished(tmp_path: Path) -> None:
    worked(tmp_path, {})
    worked(tmp_path, {"b": 2}, breaks_at="b")
    assert worked(tmp_path, {}) == ["b"]


def test_a_model_goes_before_a_part_of_it_is_made_anew(tmp_path: Path) -> None:
    worked(tmp_path, {})
    (tmp_path / "model.json").touch()
    worked(tmp_path, {})
    assert (tmp_path / "model.json").exists()
    worked(tmp_path, {"c": 1}, breaks_at="c")
    assert not (tmp_path / "model.json").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1}', b'{"\xff": 1}'])
def test_all_is_made_again_where_nothing_tells_what_is_finished(
    tmp_path: Path, content: bytes
) -> None:
    (tmp_path / STAGES).write_bytes(content)
    assert worked(tmp_path, {}) == ["a", "b", "c"]


def test_a_fingerprint_tells_texts_apart_by_lines_and_by_name() -> None:
    texts = [{"a": ["x", "y"]}, {"a": ["x y"]}, {"a": ["x"], "b": ["y"]}, {"b": ["x", "y"]}]
    assert len({text_fingerprint(text) for text in texts}) == len(texts)
