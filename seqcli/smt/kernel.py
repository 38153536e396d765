"""Functions over arrays that are compiled to machine code.

The code is kept on disk. What keeps it looks at the file of the one function alone, not at those of
the functions and constants that are part of its code: so each state of the sources has a folder of
its own.
"""

import hashlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event

from seqcli.tokenizers import vocabulary

Function = TypeVar("Function", bound=Callable[..., Any])
HERE = Path(__file__).parent
SOURCES = (*sorted(HERE.glob("*.py")), Path(vocabulary.__file__))  # all that code is made of
log = logging.getLogger(__name__)
OLD = 24 * 3600  # seconds without a new function, after which the code of other sources goes


def code_folder(sources: Iterable[Path], bases: Iterable[Path]) -> Path | None:
    """A folder for the code of these sources in the first of the bases that can be written to.

    None if there is none. What other sources left in that base a day ago or before is removed.
    """
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.read_bytes() + b"\0")
    for base in bases:
        folder = base / f"kernels-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            for other in set(base.glob("kernels-*")) - {folder}:
                if time.time() - other.stat().st_mtime > OLD:
                    shutil.rmtree(other, ignore_errors=True)
        except OSError:
            continue
        return folder
    return None


def _bases() -> list[Path]:
    """Where code may be kept, best first."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return [Path(chosen)] if chosen else [HERE / "__pycache__", Path(user) / "seqcli"]


FOLDER = code_folder(SOURCES, _bases())


class _CompilationTeller(event.Listener):
    """Says once that functions are compiled, which takes half a minute if it is all of them."""

    _is_told = False

    def on_start(self, event: object) -> None:
        if not self._is_told:
            self._is_told = True
            again = "once for this version" if FOLDER else "each time: no folder can keep the code"
            log.info("compiling (%s)...", again)

    def on_end(self, event: object) -> None: ...


# numba declares `register` without types
event.register("numba:compile", _CompilationTeller())  # type: ignore[no-untyped-call]


def _compiled(function: Function, **options: bool) -> Function:
    settings: Any = numba.config
    compiler: Callable[..., Any] = numba.njit  # whose stubs do not know all options
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(FOLDER or "")
    try:
        made = compiler(cache=FOLDER is not None, nogil=True, no_cfunc_wrapper=True, **options)
        return cast(Function, made(function))
    finally:
        settings.CACHE_DIR = before


def kernel(function: Function) -> Function:
    """Compile a function when it is first called, keep its code on disk, and free the GIL in it."""
    return _compiled(function)


def part(function: Function) -> Function:
    """Compile a function that only kernels call: there is no way into it from Python."""
    return _compiled(function, no_cpython_wrapper=True)


def leaf(function: Function) -> Function:
    """Compile a part that makes no arrays, so that it need not count who holds which.

    In short functions that are handed many arrays this would take most of the time.
    """
    return _compiled(function, no_cpython_wrapper=True, _nrt=False)


def open_leaf(function: Function) -> Function:
    """Compile a leaf that Python can call as well."""
    return _compiled(function, _nrt=False)


def inlined(function: Function) -> Function:
    """Make a function part of each kernel that calls it, where a call would cost much."""
    return cast(Function, numba.njit(inline="always")(function))
