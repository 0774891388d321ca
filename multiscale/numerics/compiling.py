"""Compiled kernels that keep their machine code where a folder allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

COMMON: dict[str, Any] = {"nogil": True, "no_cfunc_wrapper": True}
BORROWED: dict[str, Any] = {"forceinline": True, "_nrt": False, "no_cpython_wrapper": True}
"""Put where it is called, without counting references; nothing else can call it."""


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile with numba, without the interpreter's lock.

    The machine code is kept beside the source, or in the user's cache folder, so
    that a second process need not compile; where neither can be written, each
    process compiles for itself.

    Parameters
    ----------
    **options
        For :func:`numba.njit`.

    Returns
    -------
    callable
        Decorator.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(cache=True, **COMMON, **options)(function)
        except RuntimeError:  # no folder for the machine code
            return numba.njit(**COMMON, **options)(function)

    return decorate


def piece(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile what is part of kernels: it is put into each of them, and called by nothing else.

    It borrows the arrays that it is given, alone or in tuples, and does not count references
    to them, which would cost more than a short row of a grid. So it can neither make nor
    return arrays: numba refuses the former, the latter is forbidden. Its machine code is
    never used by itself, so none is kept and nothing is made to call it by.

    Parameters
    ----------
    **options
        For :func:`numba.njit`.

    Returns
    -------
    callable
        Decorator.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        return numba.njit(**COMMON, **BORROWED, **options)(function)

    return decorate
