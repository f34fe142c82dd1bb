"""Decorators for functions that numba compiles: at their first use, and once for all processes."""

from collections.abc import Callable
from functools import cached_property

import numba
from numba.core.ccallback import CFunc
from numba.core.sigutils import normalize_signature

from native.code_cache import CodeCache


def compiled(function: Callable | None = None, **options):
    """Turns a function into one that numba compiles when it is first called, for each combination of argument types.

    It is `numba.njit` with `CodeCache` in place of numba's own cache.

    Args:
        function: The function, where the decorator is used without parentheses.
        **options: Options of `numba.njit`, such as `nogil=True` or `parallel=True`.
    """

    def decorate(function: Callable):
        dispatcher = numba.njit(**options)(function)
        dispatcher._cache = CodeCache(function, **options)
        return dispatcher

    return decorate if function is None else decorate(function)


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
