"""A digest that tells apart the functions that are written in the same sources.

Functions of one name may differ in their code, in the values that they close over, or in the options that they are
compiled with. All that is described here in the same words in every process, so that the digest of a function stays the
same from one start to the next; pickled functions of numba, for comparison, hold a random number.
"""

import dis
import hashlib
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, ModuleType

import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic

from native.source_digest import source_digest

_WRITTEN_OUT = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))


def function_digest(function: FunctionType, *more) -> str:
    """Returns a digest of the code of a function, its default values and what it closes over.

    Docstrings, names of files and numbers of lines leave it as it is. Functions that it closes over are described in
    the same way, together with their sources, which need not be among those of the function itself. The values of
    global names are not looked at.

    Args:
        function: The function.
        *more: What else the digest is to depend on: constants, numba types, functions, or collections of them.

    Returns:
        A hexadecimal number of 64 digits.

    Raises:
        TypeError: If there is a value of which no two processes can be sure that it is the same.
    """
    return hashlib.sha256(repr(_Description(function).of((function, *more))).encode()).hexdigest()


class _Description:
    """Turns values into nested tuples whose `repr` is the same in every process."""

    def __init__(self, function: FunctionType):
        self._function = function  # the one whose sources need no description
        self._within: list[FunctionType] = []  # functions that are being described, which may refer to themselves

    def of(self, value) -> tuple:
        kind = type(value)
        if kind in _WRITTEN_OUT:
            return kind.__name__, repr(value)
        if kind in (tuple, list):
            return kind.__name__, *map(self.of, value)
        if kind in (set, frozenset):
            return kind.__name__, *sorted(map(self.of, value), key=repr)
        if isinstance(value, dict):  # also the dictionaries of numba's options
            return "dict", *sorted(map(self.of, value.items()), key=repr)
        if kind is CodeType:
            return self._of_code(value)
        if kind is FunctionType:
            return self._of_function(value)
        if isinstance(value, Dispatcher):
            return "dispatcher", self.of(value.py_func), self.of(value.targetoptions), self.of(value.locals)
        if isinstance(value, _Intrinsic):
            return "intrinsic", self.of(value.__wrapped__)
        if isinstance(value, types.Type):
            return "type", _without_address(str(value))
        if isinstance(value, np.dtype) and not value.hasobject:
            return "dtype", repr(value)
        if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            return "array", kind.__name__, repr(value.dtype), value.shape, value.strides, value.tobytes()
        if isinstance(value, Enum):
            return "member", self.of(kind), value.name
        if isinstance(value, ModuleType | np.ufunc):
            return kind.__name__, value.__name__
        if isinstance(value, type | BuiltinFunctionType) and "<locals>" not in value.__qualname__:
            return kind.__name__, value.__module__, value.__qualname__
        raise TypeError(f"no description of a {kind.__name__} is the same in every process")

    def _of_function(self, function: FunctionType) -> tuple:
        name = function.__module__, function.__qualname__
        if function in self._within:
            return "itself", *name
        sources = "" if function is self._function else _sources_of(function)
        self._within.append(function)
        values = [_content(cell) for cell in function.__closure__ or ()]
        parts = function.__code__, function.__defaults__, function.__kwdefaults__, values
        description = "function", *name, sources, *map(self.of, parts)
        self._within.remove(function)
        return description

    def _of_code(self, code: CodeType) -> tuple:
        # Constants are taken from where they are used, as the docstring of a function is one that is not. The keywords
        # of a call are constants too; `argval` does not have them in Python 3.11.
        steps = [
            (step.opname, self.of(code.co_consts[step.arg]) if step.opcode in dis.hasconst else step.arg)
            for step in dis.get_instructions(code)
        ]
        names = code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars
        counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
        return "code", code.co_name, steps, names, counts, code.co_exceptiontable


def _sources_of(function: FunctionType) -> str:
    try:
        return source_digest(str(function.__module__), Path(function.__code__.co_filename).resolve())
    except (OSError, SyntaxError) as error:
        raise TypeError(f"the function {function.__qualname__} has no source file") from error


def _content(cell: CellType):
    try:
        return cell.cell_contents
    except ValueError:  # a variable that is not set yet
        return None


def _without_address(words: str) -> str:
    """Returns the words of a numba type, unless they hold the address of an object in this process."""
    if " at 0x" in words:
        raise TypeError(f"the type {words} differs from process to process")
    return words
