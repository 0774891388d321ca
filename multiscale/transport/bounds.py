"""Rigorous bounds on the effective coefficient of a multiphase field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import InputError, describe


def wiener(values: Sequence[float], fractions: Sequence[float]) -> tuple[float, float]:
    """Series and parallel bounds.

    Parameters
    ----------
    values : (p,) sequence of float
        Coefficient of each phase, ≥ 0.
    fractions : (p,) sequence of float
        Volume fractions.

    Returns
    -------
    lower, upper : float
        Harmonic and arithmetic mean.

    Raises
    ------
    InputError
        If lengths differ, a coefficient is negative, or the fractions do not
        sum to one.

    References
    ----------
    Wiener, Abh. Sächs. Akad. Wiss. 32, 509 (1912).
    """
    k, f = _checked(values, fractions)
    occupied = f > 0
    upper = float(f @ k)
    if (k[occupied] == 0).any():
        return 0.0, upper
    return float(1.0 / (f[occupied] / k[occupied]).sum()), upper


def hashin_shtrikman(
    values: Sequence[float], fractions: Sequence[float], dimension: int
) -> tuple[float, float]:
    """Bounds for statistically isotropic composites.

    Parameters
    ----------
    values : (p,) sequence of float
        Coefficient of each phase, ≥ 0.
    fractions : (p,) sequence of float
        Volume fractions.
    dimension : int
        2 or 3.

    Returns
    -------
    lower, upper : float
        The bounds of :math:`K(k_0) = [Σ f_i/(k_i + (d-1) k_0)]^{-1} - (d-1) k_0`
        with k_0 the smallest and the largest coefficient.

    Raises
    ------
    InputError
        As :func:`wiener`.

    References
    ----------
    Hashin & Shtrikman, J. Appl. Phys. 33, 3125 (1962), 10.1063/1.1728579.
    """
    k, f = _checked(values, fractions)
    present = k[f > 0]

    def bound(k0: float) -> float:
        stiff = (dimension - 1) * k0
        if stiff == 0.0 and (present == 0).any():
            return 0.0
        return float(1.0 / (f[f > 0] / (present + stiff)).sum() - stiff)

    return max(bound(float(present.min())), 0.0), bound(float(present.max()))


def _checked(
    values: Sequence[float], fractions: Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    k, f = np.asarray(values, dtype=float), np.asarray(fractions, dtype=float)
    if k.shape != f.shape or k.ndim != 1:
        raise InputError(describe("bounds", "one fraction for each value", (k.shape, f.shape)))
    if not np.isfinite(k).all() or (k < 0).any():
        raise InputError(describe("bounds values", "finite numbers ≥ 0", k.tolist()))
    if not (f >= 0).all() or not abs(f.sum() - 1.0) <= 1e-6:  # refuses NaN too
        raise InputError(describe("bounds fractions", "numbers ≥ 0 that sum to 1", f.tolist()))
    return k, f
