"""Numbers and lists as people write them, for the page and for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def minus(text: str) -> str:
    """Set a minus sign where a hyphen stands for one.

    Parameters
    ----------
    text : str
        A written number.

    Returns
    -------
    str
        The same with ``−``.
    """
    return text.replace("-", "−")


def power(value: float, digits: int = 2) -> str:
    """Write a number with a power of ten.

    Parameters
    ----------
    value : float
        Any number.
    digits : int, optional
        Significant digits.

    Returns
    -------
    str
        ``1.2×10⁻¹²``, ``0`` or ``–`` for NaN.
    """
    if not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return minus(mantissa) + f"×10{str(int(exponent)).translate(_RAISED)}"


def number(value: float, digits: int = 3) -> str:
    """Write a number plainly where that is short, with a power of ten otherwise.

    Parameters
    ----------
    value : float
        Any number.
    digits : int, optional
        Significant digits.

    Returns
    -------
    str
        ``0.25``, ``1300`` or ``3.1×10⁷``.
    """
    if not np.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    if not 1e-3 <= abs(value) < 1e5:
        return power(value, digits)
    decimals = digits - 1 - int(np.floor(np.log10(abs(value))))
    rounded = round(value, decimals)
    text = f"{rounded:.{max(decimals, 0)}f}"
    return minus(text.rstrip("0").rstrip(".") if decimals > 0 else text)


def percent(value: float, digits: int = 2) -> str:
    """Write a fraction in per cent.

    Parameters
    ----------
    value : float
        A fraction, e.g. 0.25.
    digits : int, optional
        Significant digits.

    Returns
    -------
    str
        ``25 %``, with a space that does not break.
    """
    return f"{number(100 * value, digits)}\u00a0%" if np.isfinite(value) else "–"


def length(value: float) -> str:
    """Write a length with the prefix that suits it.

    Parameters
    ----------
    value : float
        Length [m].

    Returns
    -------
    str
        ``250 nm``, ``1.5 µm`` or ``2 mm``.
    """
    if not np.isfinite(value):
        return "–"
    for factor, unit in ((1e-3, "mm"), (1e-6, "µm")):
        if abs(value) >= factor * 0.9999:
            return f"{number(value / factor)}\u00a0{unit}"
    return f"{number(value / 1e-9)}\u00a0nm"


def signed(value: float, decimals: int = 2) -> str:
    """Write a number with its sign.

    Parameters
    ----------
    value : float
        Any number.
    decimals : int, optional
        Digits after the point.

    Returns
    -------
    str
        ``+0.12``, ``−0.30`` or ``0.00``.
    """
    text = f"{value:+.{decimals}f}"
    return text[1:] if float(text) == 0 else minus(text)


def listing(words: Iterable[str]) -> str:
    """Join words with commas and a last *and*.

    Parameters
    ----------
    words : iterable of str
        What to list.

    Returns
    -------
    str
        ``a, b and c``.
    """
    every = list(words)
    return " and ".join([", ".join(every[:-1]), every[-1]]) if len(every) > 1 else "".join(every)


def span(values: Sequence[str]) -> str:
    """Write the range of an ordered list.

    Parameters
    ----------
    values : sequence of str
        Written values, ordered.

    Returns
    -------
    str
        ``a`` or ``a to b``.
    """
    return values[0] if len(set(values)) == 1 else f"{values[0]} to {values[-1]}"


def count(how_many: int, singular: str, plural: str = "") -> str:
    """Write a number of things.

    Parameters
    ----------
    how_many : int
        The number.
    singular : str
        Word for one.
    plural : str, optional
        Word for several; ``singular`` with an s by default.

    Returns
    -------
    str
        ``1 sample`` or ``2 samples``.
    """
    return f"{how_many} {singular if how_many == 1 else plural or singular + 's'}"
