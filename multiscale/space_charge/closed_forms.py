"""Exact integrals of one-dimensional layers, and the textbook asymptote, to compare with.

λ = √(ε k T / 2 z² e² c∞) and Y = z e φ_core/kT of the carrier throughout; each is the excess
∫(c∞/c − 1) dx of one side, in units of λ.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scipy.integrate import quad
from scipy.optimize import brentq

from multiscale.errors import InputError, describe
from multiscale.space_charge.defects import strength


def decay_length(
    relative_permittivity: float, temperature: float, density: float, charge: int = 1
) -> float:
    """Give λ = √(ε k T / 2 z² e² c∞).

    Parameters
    ----------
    relative_permittivity : float
        Static.
    temperature : float
        [K].
    density : float
        c∞ [1/m³].
    charge : int, optional
        z.

    Returns
    -------
    float
        [m]: the Debye length of Gouy–Chapman, 1/√2 of that of Mott–Schottky.
    """
    return math.sqrt(strength(relative_permittivity, temperature) / (2.0 * charge**2 * density))


def gouy_chapman(Y: float) -> float:
    """Both defects mobile, endless grain: 2 (e^(Y/2) − 1).

    Parameters
    ----------
    Y : float
        Core potential.

    Returns
    -------
    float
        Excess resistance length of one side over λ.

    References
    ----------
    Gouy, J. Phys. Theor. Appl. 9, 457 (1910); Chapman, Phil. Mag. 25, 475 (1913), for the field
    λ y' = −2 sinh(y/2).
    """
    return 2.0 * math.expm1(Y / 2.0)


def mott_schottky(Y: float) -> float:
    """Opposite charge frozen, carriers left in the layer, endless grain.

    Parameters
    ----------
    Y : float
        Core potential, either sign.

    Returns
    -------
    float
        Excess resistance length of one side over λ, ∫₀^Y (e^y − 1)/√(y + e^(−y) − 1) dy.

    Notes
    -----
    With y = ± t² the integrand is smooth from 0 on.
    """
    sign = math.copysign(1.0, Y)

    def integrand(t: float) -> float:
        y = sign * t * t
        rest = y + math.expm1(-y) if abs(y) > 1e-2 else _small(y)
        return 2.0 * t * math.expm1(y) / math.sqrt(rest) if t > 0.0 else 0.0

    return float(quad(integrand, 0.0, math.sqrt(abs(Y)), epsabs=0.0, epsrel=1e-12, limit=400)[0])


def _small(y: float) -> float:
    """y + e^−y − 1 by its series."""
    total, term = 0.0, 1.0
    for k in range(1, 12):
        term *= -y / k
        if k > 1:
            total += term
    return total


def mott_schottky_asymptote(Y: float) -> float:
    """Estimate the textbook's way: depletion width 2√Y λ, resistivity e^Y/2Y times the bulk's.

    Parameters
    ----------
    Y : float
        Core potential, > 0.

    Returns
    -------
    float
        Excess resistance length of one side over λ; 22 % low at Y = 5, 11 % at Y = 10.

    References
    ----------
    Fleig, Rodewald & Maier, J. Appl. Phys. 87, 2372 (2000).
    """
    if not Y > 0:
        raise InputError(describe("Y", "a number > 0", Y))
    return 2.0 * math.sqrt(Y) * math.exp(Y) / (2.0 * Y)


def finite_gouy_chapman(Y: float, size: float) -> tuple[float, float]:
    """Both defects mobile, layers of two boundaries overlap.

    Parameters
    ----------
    Y : float
        Core potential, > 0.
    size : float
        Distance of the boundaries over λ.

    Returns
    -------
    middle : float
        Potential half-way between the boundaries.
    excess : float
        Excess resistance length of half a grain over λ.

    Notes
    -----
    First integral λ² y'² = 2 (cosh y − cosh y_m), with y = y_m + t²; y_m by bisection.
    """

    def gap(middle: float, s: float) -> float:
        return 4.0 * math.sinh(middle + s / 2.0) * math.sinh(s / 2.0)

    return _overlapping(Y, size, gap)


def finite_mott_schottky(Y: float, size: float) -> tuple[float, float]:
    """Opposite charge frozen, layers of two boundaries overlap.

    Parameters
    ----------
    Y : float
        Core potential, > 0.
    size : float
        Distance of the boundaries over λ.

    Returns
    -------
    middle : float
        Potential half-way between the boundaries.
    excess : float
        Excess resistance length of half a grain over λ.

    Notes
    -----
    First integral λ² y'² = y + e^(−y) − y_m − e^(−y_m), with y = y_m + t²; y_m by bisection.
    """

    def gap(middle: float, s: float) -> float:
        rest = s + math.expm1(-s) if s > 1e-2 else _small(s)
        return rest + math.expm1(-middle) * math.expm1(-s)

    return _overlapping(Y, size, gap)


def _overlapping(
    Y: float,
    size: float,
    gap: Callable[[float, float], float],
) -> tuple[float, float]:
    """Shoot from the middle; ``gap(y_m, y − y_m)`` is λ² y'², free of cancellation."""

    def half(middle: float, weight: Callable[[float], float]) -> float:
        def integrand(t: float) -> float:
            t = max(t, 1e-12)
            return 2.0 * t * weight(middle + t * t) / math.sqrt(gap(middle, t * t))

        top = math.sqrt(Y - middle)
        bends = [p for p in (1e-8, 1e-6, 1e-4, 1e-2, 0.1, 0.5, 1.0) if p < top]
        found = quad(integrand, 0.0, top, epsabs=0.0, epsrel=1e-11, limit=1000, points=bends)
        return float(found[0])

    def length(shift: float) -> float:
        return half(Y * math.exp(shift), lambda _: 1.0) - size / 2.0

    middle = Y * math.exp(brentq(length, -60.0, -1e-9, xtol=1e-13, rtol=1e-13))
    return middle, half(middle, math.expm1)
