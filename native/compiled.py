"""Decorators for functions that numba compiles: at their first use, and once for all processes."""

from collections.abc import Callable
from functools import cached_property

import numba
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

from native.code_cache import CodeCache
from native.forks import has_lost_threads


def compiled(function: Callable | None = None, **options):
    """Turns a function into one that numba compiles when it is first called, for each combination of argument types.

    It is `numba.njit` with `CodeCache` in place of numba's own cache.

    Args:
        function: The function, where the decorator is used without parentheses.
        **options: Options of `numba.njit`, such as `nogil=True` or `parallel=True`. With the latter the function can be
            called from Python only, and also in a process whose threads a fork has lost, see `ParallelFunction`.
    """

    def decorate(function: Callable):
        if options.get("parallel"):
            return ParallelFunction(function, **options)
        return _make_dispatcher(function, **options)

    return decorate if function is None else decorate(function)


class ParallelFunction:
    """A compiled function whose `prange` loops run in threads, or in this thread alone after a fork has lost those.

    Args:
        function: The Python function. Its results must not depend on the number of threads.
        **options: Options of `numba.njit`, with `parallel=True` among them.
    """

    def __init__(self, function: Callable, **options):
        self.__doc__, self.__name__, self.__wrapped__ = function.__doc__, function.__name__, function
        self.in_threads = _make_dispatcher(function, **options)
        self.alone = _make_dispatcher(function, **{**options, "parallel": False})

    def __call__(self, *arguments):
        """Calls the function."""
        return (self.alone if has_lost_threads() else self.in_threads)(*arguments)


def _make_dispatcher(function: Callable, **options):
    dispatcher = numba.njit(**options)(function)
    dispatcher._cache = CodeCache(function, **options)
    return dispatcher


def callback(signature) -> Callable[[Callable], "Callback"]:
    """Turns a function into a C function of a signature, for compiled code or a C library to call.

    Args:
        signature: A numba signature such as `types.void(types.int64)`.
    """
    return lambda function: Callback(function, signature)


class Callback:
    """A C function that is compiled when its address is first asked for.

    numba's own `cfunc` compiles as soon as its module is imported, whether or not the function is used.

    Args:
        function: The Python function. It must not raise exceptions.
        signature: Its numba signature.
    """

    def __init__(self, function: Callable, signature):
        self.__doc__, self.__name__, self.__wrapped__ = function.__doc__, function.__name__, function
        self._compiled = CFunc(function, normalize_signature(signature), locals={}, options={})
        self._compiled._cache = CodeCache(function, callback=True)

    @cached_property
    def address(self) -> int:
        """The address of the C function, for as long as this object lives."""
        self._compiled.compile()
        return self._compiled.address

    @cached_property
    def ctypes(self):
        """The C function as Python calls it, through the standard library's `ctypes`."""
        self._compiled.compile()
        return self._compiled.ctypes
