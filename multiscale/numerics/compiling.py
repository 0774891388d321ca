"""Compiled kernels that keep their machine code where a folder allows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


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
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # no folder for the machine code
            return numba.njit(nogil=True, **options)(function)

    return decorate


def piece(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile what is part of kernels: it is put into each of them.

    It borrows the arrays that it is given, alone or in tuples, and does not count references
    to them, which would cost more than a short row of a grid. So it can neither make nor
    return arrays: numba refuses the former, the latter is forbidden.

    Parameters
    ----------
    **options
        For :func:`numba.njit`.

    Returns
    -------
    callable
        Decorator.
    """
    return kernel(forceinline=True, _nrt=False, **options)
