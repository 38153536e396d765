"""Options that take a source and a target file each time they are given."""

from typing import Any, NamedTuple

from typer.core import TyperCommand


class FilePair(NamedTuple):
    """A source and a target file; the type of an option is a list of them."""

    source: str
    target: str


class CommandWithFilePairs(TyperCommand):
    """A command whose options called `..._files` take two words each time.

    typer itself knows options that take two words and those that can be repeated, but not both.
    """

    def __init__(self, *arguments: Any, **how: Any) -> None:
        super().__init__(*arguments, **how)
        for option in self.params:
            if (option.name or "").endswith("_files"):
                option.nargs = len(FilePair._fields)
