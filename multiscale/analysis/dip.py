"""Hartigan's dip: how far a sample's distribution lies from any unimodal one."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import InputError, describe
from multiscale.numerics.compiling import kernel

Floats = NDArray[np.float64]


def dip(sample: ArrayLike) -> float:
    """Largest gap between the empirical distribution and the closest unimodal one.

    Parameters
    ----------
    sample : array_like, shape (n,)
        The values, in any order and unit.

    Returns
    -------
    float
        Between 1/(2n), which every sample without ties reaches at least, and 1/4.

    Raises
    ------
    InputError
        If the sample is empty, not one-dimensional or not finite.

    Notes
    -----
    Hartigan and Hartigan, Ann. Stat. 13 (1985) 70, 10.1214/aos/1176346577. The greatest
    convex minorant of the steps' feet and the least concave majorant of their tops are
    drawn over a modal interval that shrinks until they lie within the dip of each other.
    """
    values = np.sort(np.asarray(sample, dtype=np.float64))
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise InputError(
            describe("sample", "a list of finite numbers", f"an array of shape {values.shape}")
        )
    return float(_dip(values))


def dip_p_value(statistic: float, n: int, *, resamples: int = 2000, seed: int = 0) -> float:
    """Chance that a uniform sample of the same size has a dip as large.

    Parameters
    ----------
    statistic : float
        The observed dip.
    n : int
        Sample size.
    resamples : int, optional
        Uniform samples drawn; the p-value cannot fall below 1/(resamples + 1).
    seed : int, optional
        Of the draws.

    Returns
    -------
    float
        (1 + samples at least as far from unimodal) / (resamples + 1). The uniform law is the
        hardest unimodal one to tell from two modes, so the test errs towards one mode.
    """
    null = _null_dips(n, resamples, seed)
    above = resamples - int(np.searchsorted(null, statistic * (1 - 1e-12)))
    return (1 + above) / (resamples + 1)


@lru_cache(maxsize=64)
def _null_dips(n: int, resamples: int, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    return np.sort([_dip(np.sort(rng.random(n))) for _ in range(resamples)])


@kernel()
def _hull(
    x: Floats, y: Floats, low: int, high: int, sign: float, out: Floats, touch: Floats
) -> None:
    """Evaluate at x[low..high] the convex minorant (sign +1) or concave majorant (−1) of y."""
    top = low
    touch[top] = low
    for i in range(low + 1, high + 1):
        while top > low:
            a, b = int(touch[top - 1]), int(touch[top])
            if sign * ((y[b] - y[a]) * (x[i] - x[b]) - (y[i] - y[b]) * (x[b] - x[a])) < 0.0:
                break
            top -= 1
        top += 1
        touch[top] = i
    for k in range(low, top):
        a, b = int(touch[k]), int(touch[k + 1])
        for i in range(a, b):
            out[i] = y[a] + (y[b] - y[a]) * (x[i] - x[a]) / (x[b] - x[a])
    out[high] = y[high]


@kernel()
def _dip(values: Floats) -> float:
    n = values.size
    x = np.empty(n)
    foot = np.empty(n)
    top = np.empty(n)
    m = 0
    for i in range(n):  # ties become one step of several counts
        if i == 0 or values[i] > values[i - 1]:
            x[m] = values[i]
            foot[m] = i
            m += 1
        top[m - 1] = i + 1
    convex, concave, scratch = np.empty(m), np.empty(m), np.empty(m)
    low, high, found = 0, m - 1, 1.0
    while low < high:
        _hull(x, foot, low, high, 1.0, convex, scratch)
        _hull(x, top, low, high, -1.0, concave, scratch)
        widest = low
        for i in range(low, high + 1):
            if concave[i] - convex[i] > concave[widest] - convex[widest]:
                widest = i
        if concave[widest] - convex[widest] <= found:
            break
        new_low, new_high = widest, widest
        while convex[new_low] < foot[new_low]:
            new_low -= 1
        while concave[new_high] > top[new_high]:
            new_high += 1
        for i in range(low, new_low + 1):
            found = max(found, top[i] - convex[i])
        for i in range(new_high, high + 1):
            found = max(found, concave[i] - foot[i])
        if new_low == low and new_high == high:
            break
        low, high = new_low, new_high
    return found / (2 * n)
