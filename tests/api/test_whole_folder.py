"""A model's folder is there whole or not at all, and nothing else is lost for it."""

from pathlib import Path

import pytest

from seqcli.api.whole_folder import written_whole
from seqcli.errors import OutputError


def write(
    output: Path, text: str, *, overwrite: bool = False, inputs: tuple[str, ...] = ()
) -> None:
    with written_whole(output, overwrite=overwrite, inputs=inputs, others=("ngrams",)) as folder:
        (folder / "model.json").write_text(text)
        (folder / "ngrams").mkdir()


def test_the_folder_is_there_at_the_end_alone(tmp_path: Path) -> None:
    output = tmp_path / "made" / "model"
    with written_whole(output, overwrite=False, inputs=(), others=()) as folder:
        assert not output.exists()
        assert folder.is_dir()
    assert output.is_dir()
    assert list(output.parent.iterdir()) == [output]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    output = tmp_path / "model"
    write(output, "old")

    def fail() -> None:
        with written_whole(output, overwrite=True, inputs=(), others=("ngrams",)) as folder:
            (folder / "model.json").write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (output / "model.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("number", [1, 2])
def test_what_was_there_comes_back_if_it_cannot_be_replaced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException | type[BaseException],
    number: int,
) -> None:
    output = tmp_path / "model"
    write(output, "old")
    rename, calls = Path.rename, 0

    def fail(path: Path, target: Path) -> Path:
        nonlocal calls
        calls += 1
        if calls == number:
            raise fault
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises((KeyboardInterrupt, OutputError)):
        write(output, "new", overwrite=True)
    assert (output / "model.json").read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_what_was_there_is_kept_and_named_if_it_cannot_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "model"
    write(output, "old")
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if target == output:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(OutputError, match="No space left") as raised:
        write(output, "new", overwrite=True)
    [kept] = tmp_path.iterdir()
    assert (kept / "model.json").read_text() == "old"
    assert str(kept) in raised.value.why


def test_a_model_is_replaced_if_asked_for(tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    write(output, "old")
    with pytest.raises(OutputError, match="exists already"):
        write(output, "new")
    write(output, "new", overwrite=True)
    assert (output / "model.json").read_text() == "new"
    assert list(tmp_path.iterdir()) == [output]


def test_a_link_keeps_leading_to_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "model", "old")
    (tmp_path / "link").symlink_to("model")
    write(tmp_path / "link", "new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "model" / "model.json").read_text() == "new"


@pytest.mark.parametrize(
    ("name", "what"), [("recipe.toml", "it holds recipe.toml"), ("text.txt", "text.txt")]
)
def test_files_of_the_user_are_not_deleted(tmp_path: Path, name: str, what: str) -> None:
    output = tmp_path / "model"
    write(output, "old")
    (output / name).write_text("mine")
    with pytest.raises(OutputError, match=what):
        write(output, "new", overwrite=True)
    assert (output / name).read_text() == "mine"


def test_text_inside_the_model_is_not_deleted(tmp_path: Path) -> None:
    output = tmp_path / "model"
    write(output, "old")
    (output / "ngrams" / "a.txt").write_text("mine")
    with pytest.raises(OutputError, match="is in"):
        write(output, "new", overwrite=True, inputs=(str(output / "ngrams" / "a.txt"),))
    assert (output / "ngrams" / "a.txt").read_text() == "mine"


def test_a_folder_that_is_no_model_and_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other" / "ngrams").mkdir(parents=True)
    (tmp_path / "file").write_text("mine")
    for name in ("other", "file"):
        with pytest.raises(OutputError):
            write(tmp_path / name, "new", overwrite=True)


def test_where_nothing_can_be_written_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot write the folder"):
        write(tmp_path / "file" / "model", "new")
