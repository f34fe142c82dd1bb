"""Compiled functions kept on disk, in a folder that is named after all that they depend on.

numba's own cache keeps a function as long as the one file that it is written in stays the same, though functions and
memory layouts from other files are compiled into it: after an update such a function may read the wrong memory and
crash. Here the name of the folder is a digest of all these sources, of the versions of Python, numba, llvmlite and
NumPy, and of numba's settings; the name of a file in it is a digest of the function, its types and the processor. A
file is therefore never out of date, wherever it lies, whatever its date is, and whoever copied it there. Each is
written whole or not at all, and no two compiled functions share one, so that processes may write at the same time. It
begins with the SHA-256 checksum of the rest: a damaged file counts as missing and is written anew.
"""

import contextlib
import hashlib
import logging
import os
import pickle
import shutil
import sys
import uuid
from functools import cache
from pathlib import Path

import llvmlite
import numba
import numpy as np
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

from native.function_digest import function_digest
from native.source_digest import source_digest

LOGGER = logging.getLogger(__name__)
SUFFIX = ".code"


class CodeCache(_Cache):
    """The compiled forms of one Python function, one for each combination of argument types.

    They are looked for in three places and saved in the first that can be written: `NUMBA_CACHE_DIR`, where it is set;
    `__pycache__` beside the source; the user's cache folder. Where none can be written, a warning is logged once and
    nothing is saved. A function without a source file, as in a notebook, and one that closes over what no other process
    would recognize are compiled by every process.

    When a folder for new sources is made, those of former sources beside it are deleted. Folders of other versions and
    settings (`environment_digest`) stay, since another installation may use the same sources; they may be deleted by
    hand at any time.

    Args:
        function: The function. Make the cache while its module is being imported.
        **options: What the function is compiled with. The code for other options is kept apart.
    """

    def __init__(self, function, **options):
        self._function, self._options = function, options
        self._enabled = True
        source = Path(function.__code__.co_filename).resolve()
        try:
            self._prefix = f"{source.stem}-{environment_digest()[:8]}-"
            self._folder = self._prefix + source_digest(str(function.__module__), source)[:16]
            self._places = _places(source.parent)
        except (OSError, SyntaxError):  # typed into an interpreter, or from an archive: its source is no file
            self._places = []

    @property
    def cache_path(self) -> str | None:
        """The folder in which code is looked for first; None if there is none."""
        return str(self._places[0] / self._folder) if self._places else None

    def enable(self) -> None:
        """Lets code be loaded and saved, as it is from the beginning."""
        self._enabled = True

    def disable(self) -> None:
        """Lets nothing be loaded or saved."""
        self._enabled = False

    def flush(self) -> None:
        """Deletes the code of this function."""
        for place in self._places:
            for path in (place / self._folder).glob(f"{self._function.__name__}-*{SUFFIX}"):
                path.unlink(missing_ok=True)

    def load_overload(self, signature, target_context):
        """Returns the compiled function for a signature, or None if it has to be compiled."""
        target_context.refresh()
        name = self._name(signature, target_context.codegen())
        if name is None:
            return None
        for place in self._places:
            content = _read(place / self._folder / name)
            if content is not None:
                return CompileResult._rebuild(target_context, *pickle.loads(content))
        announce_compilation()
        return None

    def save_overload(self, signature, result: CompileResult) -> None:
        """Saves a compiled function for `load_overload` of this process and others."""
        name = self._name(signature, result.codegen)
        if name is None or result.library.has_dynamic_globals or any(not f.can_cache for f in result.lifted):
            return
        content = dumps(result._reduce())
        for place in self._places:
            with contextlib.suppress(OSError):
                self._write(place, name, content)
                return
        _warn_that_nothing_is_kept()

    def _write(self, place: Path, name: str, content: bytes) -> None:
        folder = place / self._folder
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            for other in place.glob(f"{self._prefix}*"):
                if other != folder:
                    shutil.rmtree(other, ignore_errors=True)
        temporary = folder / f"{uuid.uuid4().hex}.tmp"
        try:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            os.replace(temporary, folder / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _name(self, signature, codegen) -> str | None:
        """Returns the name of the file for a signature, or None if the code is neither to be loaded nor to be saved."""
        if not self._enabled or not self._places or " at 0x" in str(signature):  # an address differs in every process
            return None
        try:
            digest = function_digest(self._function, self._options, str(signature), codegen.magic_tuple())
        except TypeError:  # it closes over something that no other process would recognize
            return None
        return f"{self._function.__name__}-{digest[:32]}{SUFFIX}"


@cache
def environment_digest() -> str:
    """Returns a digest of the versions and settings of everything that turns Python into machine code.

    The settings are those that numba takes from variables such as `NUMBA_BOUNDSCHECK`, and that change what it makes.
    """
    versions = (sys.implementation.cache_tag, numba.__version__, llvmlite.__version__, np.__version__)
    config = numba.config
    checks = (config.BOUNDSCHECK, config.DEBUGINFO_DEFAULT)
    optimizations = (config.OPT, config.LOOP_VECTORIZE, config.SLP_VECTORIZE)
    return hashlib.sha256(repr((versions, checks, optimizations)).encode()).hexdigest()


def _read(path: Path) -> bytes | None:
    """Returns what was saved in a file, or None if it is missing or damaged."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    size = hashlib.sha256().digest_size
    checksum, content = stored[:size], stored[size:]
    return content if hashlib.sha256(content).digest() == checksum else None


def _places(folder: Path) -> list[Path]:
    """Returns where code from a folder of sources may be kept, best first."""
    elsewhere = f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
    user = Path(AppDirs(appname="numba", appauthor=False).user_cache_dir)
    places = [folder / "__pycache__"]
    if numba.config.CACHE_DIR:
        places.insert(0, Path(numba.config.CACHE_DIR) / elsewhere)
    if user.is_absolute():  # it is not where there is no home
        places.append(user / elsewhere)
    return places


@cache
def announce_compilation() -> None:
    """Says, once in a process, that the user has to wait, and that it will be for this once.

    It is a logged warning because that is what Python shows without any configuration, on stderr, in a program, a
    notebook or beside a progress bar, and what those who do not want to see it can turn off.
    """
    LOGGER.warning("compiling what this run needs for this processor: about ten seconds, once only")


@cache
def _warn_that_nothing_is_kept() -> None:
    LOGGER.warning(
        "no folder for compiled code can be written, so every start compiles anew: set NUMBA_CACHE_DIR to one that can"
    )
