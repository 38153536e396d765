"""Functions over arrays that are compiled to machine code, which is kept on disk.

What keeps it there looks at the file of the one function alone, not at those of the functions and
constants that are part of its code: so each state of the sources has a folder of its own.
"""

import contextlib
import hashlib
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import event

Function = TypeVar("Function", bound=Callable[..., Any])
_settings_lock = threading.Lock()
log = logging.getLogger(__name__)
OLD = 24 * 3600  # seconds without a new function, after which the code of other sources goes
POINTER_FUNCTION = "void(voidptr)"

# What LLVM may do to formulas of floats; that there are no NaN and Inf is not said
IN_ORDER = {"contract"}
IN_ANY_ORDER = {"contract", "reassoc", "nsz", "arcp"}


class Compiler:
    """Compiles functions when they are first called, and frees the GIL in them.

    The `sources` are all that the code is made of. It is kept beside the first of them, or where
    that cannot be written to, in the user's cache.
    """

    def __init__(self, sources: Sequence[Path]) -> None:
        home = sources[0].parent
        self.sources = [Path(__file__), *sources]
        self.folder = code_folder(f"kernels-{home.name}", self.sources, _bases(home))
        if self.folder is None:
            _CompilationTeller.again = "each time: NUMBA_CACHE_DIR names no folder to keep it in"

    def kernel(self, function: Function) -> Function:
        """Compile a function that Python calls."""
        return self._compiled(function)

    def part(self, function: Function) -> Function:
        """Compile a function that only kernels call: there is no way into it from Python."""
        return self._compiled(function, no_cpython_wrapper=True)

    def leaf(self, function: Function) -> Function:
        """Compile a part that makes no arrays, so that it need not count who holds which.

        In short functions that are handed many arrays this would take most of the time.
        """
        return self._compiled(function, no_cpython_wrapper=True, _nrt=False)

    def open_leaf(self, function: Function) -> Function:
        """Compile a leaf that Python can call as well."""
        return self._compiled(function, _nrt=False)

    def formula(self, function: Function) -> Function:
        """Compile an inner function over floats, whose operations stay in the order of the text."""
        return self.inner(function, _nrt=False, fastmath=IN_ORDER, error_model="numpy")

    def loop(self, function: Function) -> Function:
        """Compile an inner function that works on many places of arrays at once, in any order."""
        return self.inner(function, _nrt=False, fastmath=IN_ANY_ORDER, error_model="numpy")

    def inner(self, function: Function, **options: Any) -> Function:
        """Compile a function into the code of each callback.

        If it was called, code just made and code from the disk might call two states of it, the one
        optimised alone and the other with its caller; and their floats be rounded differently.
        """
        return self._compiled(function, no_cpython_wrapper=True, forceinline=True, **options)

    def callback(self, function: Function) -> Any:
        """Compile a function of a pointer at once, for C to call at the `address` of the result."""
        is_kept = self.folder is not None
        return self._keeping_code(numba.cfunc(POINTER_FUNCTION, cache=is_kept), function)

    def _compiled(self, function: Function, **options: Any) -> Function:
        compiler: Callable[..., Any] = numba.njit  # whose stubs do not know all options
        is_kept = self.folder is not None
        made = compiler(cache=is_kept, nogil=True, no_cfunc_wrapper=True, **options)
        return cast(Function, self._keeping_code(made, function))

    def _keeping_code(self, compiler: Callable[[Function], Any], function: Function) -> Any:
        """Compile with our folder in numba's settings, which hold for all functions."""
        settings: Any = numba.config
        with _settings_lock:
            before = settings.CACHE_DIR
            settings.CACHE_DIR = str(self.folder or "")
            try:
                return compiler(function)
            finally:
                settings.CACHE_DIR = before


def inlined(function: Function) -> Function:
    """Make a function part of each kernel that calls it, where a call would cost much."""
    return cast(Function, numba.njit(inline="always")(function))


def code_folder(name: str, sources: Iterable[Path], bases: Iterable[Path]) -> Path | None:
    """A folder for the code of these sources in the first of the bases that can be written to.

    None if there is none. What other sources left by this name a day ago or before is removed.
    """
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.read_bytes() + b"\0")
    for base in bases:
        folder = base / f"{name}-{digest.hexdigest()[:16]}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        _remove_old(set(base.glob(f"{name}-*")) - {folder})
        return folder
    return None


def _remove_old(folders: Iterable[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(FileNotFoundError):  # another process has removed it
            if time.time() - folder.stat().st_mtime > OLD:
                shutil.rmtree(folder, ignore_errors=True)


def _bases(home: Path) -> list[Path]:
    """Where the code of sources in this folder may be kept, best first."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    user = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return [Path(chosen)] if chosen else [home / "__pycache__", Path(user) / "seqcli"]


class _CompilationTeller(event.Listener):
    """Says once that functions are compiled, which takes up to half a minute."""

    again = "once for this version"
    _is_told = False

    def on_start(self, event: object) -> None:
        if not self._is_told:
            self._is_told = True
            log.info("compiling (%s)...", self.again)

    def on_end(self, event: object) -> None: ...


# numba declares `register` without types
event.register("numba:compile", _CompilationTeller())  # type: ignore[no-untyped-call]
