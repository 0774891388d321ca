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
