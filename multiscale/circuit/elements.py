"""Complex impedances of the elements that circuits are made of, vectorised over frequency.

Sign convention: a current that leads exp(+jωt); capacitors have Z″ < 0. The letters and the
order of the parameters are those of impedance.py (Murbach et al., J. Open Source Softw. 5,
2349 (2020), 10.21105/joss.02349).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import InputError, describe

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, slots=True)
class Parameter:
    """What an element's parameter means and which values it may have.

    Parameters
    ----------
    name : str
        Argument of the element's function.
    unit : str
        SI unit of an impedance in Ω.
    zero : bool, optional
        Whether 0 has a meaning.
    upper : float, optional
        Largest value.
    """

    name: str
    unit: str
    zero: bool = False
    upper: float = inf

    def check(self, value: float, place: str | None = None) -> None:
        """Refuse a value that the parameter cannot have.

        Parameters
        ----------
        value : float
            What was given.
        place : str, optional
            What the message calls it; by default the parameter's name.

        Raises
        ------
        InputError
            If it is not finite, negative, zero without a meaning, or too large.
        """
        enough = value >= 0 if self.zero else value > 0
        if not (isfinite(value) and enough and value <= self.upper):
            least = "≥ 0" if self.zero else "> 0"
            most = f" and ≤ {self.upper:g}" if isfinite(self.upper) else ""
            expected = f"a finite {self.name} {least}{most} [{self.unit}]"
            raise InputError(describe(place or self.name, expected, f"{value:g}"))


RESISTANCE = Parameter("resistance", "ohm", zero=True)
INDUCTANCE = Parameter("inductance", "H", zero=True)
CAPACITANCE = Parameter("capacitance", "F")
COEFFICIENT = Parameter("coefficient", "S s^n")
EXPONENT = Parameter("exponent", "1", upper=1.0)
WARBURG = Parameter("coefficient", "ohm s^-1/2")
LIMIT = Parameter("resistance", "ohm")
TIME = Parameter("time", "s")


def angular_frequency(frequency: ArrayLike) -> Floats:
    """Check frequencies and multiply them by 2π.

    Parameters
    ----------
    frequency : array_like
        f [Hz], any shape.

    Returns
    -------
    ndarray
        ω = 2πf [rad/s].

    Raises
    ------
    InputError
        If one is not finite and > 0.
    """
    values = np.asarray(frequency, dtype=np.float64)
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        raise InputError(describe("frequency", "finite values > 0 [Hz]", values[bad].flat[0]))
    return np.asarray(2.0 * np.pi * values)


def resistor(frequency: ArrayLike, resistance: float) -> Complexes:
    """Ohmic resistor, Z = R.

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    resistance : float
        R ≥ 0 [Ω].

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.
    """
    RESISTANCE.check(resistance)
    return np.full_like(angular_frequency(frequency), resistance, dtype=np.complex128)


def inductor(frequency: ArrayLike, inductance: float) -> Complexes:
    """Coil, Z = jωL.

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    inductance : float
        L ≥ 0 [H].

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.
    """
    INDUCTANCE.check(inductance)
    return np.asarray(1j * angular_frequency(frequency) * inductance)


def capacitor(frequency: ArrayLike, capacitance: float) -> Complexes:
    """Capacitor, Z = 1/(jωC).

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    capacitance : float
        C > 0 [F].

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.
    """
    CAPACITANCE.check(capacitance)
    return np.asarray(1.0 / (1j * angular_frequency(frequency) * capacitance))


def constant_phase(frequency: ArrayLike, coefficient: float, exponent: float) -> Complexes:
    """Constant-phase element (CPE), Z = 1/(Q (jω)^n).

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    coefficient : float
        Q > 0 [S sⁿ].
    exponent : float
        n, 0 < n ≤ 1; a capacitor at 1.

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.
    """
    COEFFICIENT.check(coefficient)
    EXPONENT.check(exponent)
    return np.asarray(1.0 / (coefficient * (1j * angular_frequency(frequency)) ** exponent))


def zarc(frequency: ArrayLike, resistance: float, coefficient: float, exponent: float) -> Complexes:
    """Resistor beside a CPE, Z = R/(1 + R Q (jω)^n): a depressed arc.

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    resistance : float
        R ≥ 0 [Ω].
    coefficient : float
        Q > 0 [S sⁿ].
    exponent : float
        n, 0 < n ≤ 1.

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.

    References
    ----------
    Cole & Cole, J. Chem. Phys. 9, 341 (1941), 10.1063/1.1750906, for a permittivity.
    """
    RESISTANCE.check(resistance)
    return np.asarray(
        resistance / (1.0 + resistance / constant_phase(frequency, coefficient, exponent))
    )


def warburg(frequency: ArrayLike, coefficient: float) -> Complexes:
    """Semi-infinite diffusion (W), Z = A (1 − j)/√ω.

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    coefficient : float
        A > 0 [Ω s^(−1/2)].

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.
    """
    WARBURG.check(coefficient)
    return np.asarray(coefficient * (1.0 - 1.0j) / np.sqrt(angular_frequency(frequency)))


def warburg_open(frequency: ArrayLike, resistance: float, time: float) -> Complexes:
    """Diffusion towards a wall (Wo), Z = R coth(√(jωτ))/√(jωτ): blocks at low frequency.

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    resistance : float
        R > 0 [Ω]; Z → R/3 + R/(jωτ) as ω → 0.
    time : float
        τ = ℓ²/D > 0 [s], ℓ the length and D the diffusivity.

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.
    """
    LIMIT.check(resistance)
    TIME.check(time)
    root = np.sqrt(1j * angular_frequency(frequency) * time)
    return np.asarray(resistance / (root * np.tanh(root)))


def warburg_short(frequency: ArrayLike, resistance: float, time: float) -> Complexes:
    """Diffusion towards a reservoir (Ws), Z = R tanh(√(jωτ))/√(jωτ): Z → R at low frequency.

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    resistance : float
        R > 0 [Ω].
    time : float
        τ = ℓ²/D > 0 [s], ℓ the length and D the diffusivity.

    Returns
    -------
    ndarray of complex
        Z [Ω], of the shape of ``frequency``.

    Raises
    ------
    InputError
        If a frequency or a parameter is no good.
    """
    LIMIT.check(resistance)
    TIME.check(time)
    root = np.sqrt(1j * angular_frequency(frequency) * time)
    return np.asarray(resistance * np.tanh(root) / root)


def arc_capacitance(resistance: float, coefficient: float, exponent: float) -> float:
    """Capacitance of the RC arc with the resistance and peak frequency of a ZARC.

    Parameters
    ----------
    resistance : float
        R > 0 [Ω].
    coefficient : float
        Q > 0 [S sⁿ].
    exponent : float
        n, 0 < n ≤ 1.

    Returns
    -------
    float
        C = Q^(1/n) R^((1−n)/n) [F], so that RC = (RQ)^(1/n).

    Raises
    ------
    InputError
        If a parameter is no good.

    Notes
    -----
    Exact in R and in the frequency of the peak of −Z″. As the capacitance of a layer it holds
    where the exponent comes from a narrow, symmetric spread of time constants (n above about
    0.8 in practice); the spread itself is not in C.

    References
    ----------
    Haile, West & Campbell, J. Mater. Res. 13, 1576 (1998); Hsu & Mansfeld, Corrosion 57, 747
    (2001), 10.5006/1.3280607.
    """
    LIMIT.check(resistance)
    COEFFICIENT.check(coefficient)
    EXPONENT.check(exponent)
    return float((resistance * coefficient) ** (1.0 / exponent) / resistance)


@dataclass(frozen=True, slots=True)
class Element:
    """An element that a circuit string may name.

    Parameters
    ----------
    parameters : tuple of Parameter
        In the order of the function's arguments.
    impedance : callable
        From frequency and parameters to the complex impedance.
    """

    parameters: tuple[Parameter, ...]
    impedance: Callable[..., Complexes]


ELEMENTS: Mapping[str, Element] = MappingProxyType(
    {
        "R": Element((RESISTANCE,), resistor),
        "C": Element((CAPACITANCE,), capacitor),
        "L": Element((INDUCTANCE,), inductor),
        "CPE": Element((COEFFICIENT, EXPONENT), constant_phase),
        "W": Element((WARBURG,), warburg),
        "Wo": Element((LIMIT, TIME), warburg_open),
        "Ws": Element((LIMIT, TIME), warburg_short),
    }
)
"""Elements by the letters that circuit strings use."""
