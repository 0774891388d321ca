"""The RC ladder Z = R₀ + Σ R_k/(1 + jωτ_k) [+ jωL] [+ 1/(jωC)], linear in all but the τ_k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multiscale.circuit.elements import Complexes, Floats, angular_frequency
from multiscale.circuit.spectrum import ImpedanceSpectrum


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """An RC ladder fitted to a spectrum.

    Attributes
    ----------
    times : ndarray, shape (m,)
        τ_k [s], rising.
    resistances : ndarray, shape (m,)
        R_k, in the unit of the spectrum.
    series_resistance, inductance, elastance : float
        R₀, L and 1/C; 0 where they were not part of the fit.
    """

    times: Floats
    resistances: Floats
    series_resistance: float
    inductance: float
    elastance: float

    def impedance(self, frequency: Floats) -> Complexes:
        """Evaluate the ladder.

        Parameters
        ----------
        frequency : ndarray
            f [Hz].

        Returns
        -------
        ndarray of complex
            Z in the unit of the spectrum.
        """
        columns = _columns(angular_frequency(frequency), self.times)
        ends = [self.series_resistance, self.inductance, self.elastance]
        return np.asarray(columns @ np.concatenate([self.resistances, ends]))


def time_constants(frequency: Floats, count: int, beyond: float = 1.0) -> Floats:
    """Space time constants evenly in their logarithm over the measured range.

    Parameters
    ----------
    frequency : ndarray
        f [Hz].
    count : int
        How many; the ends are included from 2 on.
    beyond : float, optional
        Factor by which the range is wider at both ends.

    Returns
    -------
    ndarray, shape (count,)
        τ_k [s] from 1/(ω_max ``beyond``) to ``beyond``/ω_min.
    """
    omega = angular_frequency(frequency)
    return np.geomspace(1.0 / (omega.max() * beyond), beyond / omega.min(), count)


def fit_ladder(
    spectrum: ImpedanceSpectrum,
    times: Floats,
    *,
    inductance: bool = True,
    capacitance: bool = False,
) -> Ladder:
    """Find the resistances of a ladder by linear least squares, weighted by 1/|Z|.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        What to fit, real and imaginary part together.
    times : ndarray, shape (m,)
        τ_k [s].
    inductance, capacitance : bool, optional
        Let a coil or a capacitor in series take part.

    Returns
    -------
    Ladder
        The ladder of the least squares; where many do as well, the one of the least norm.

    References
    ----------
    Boukamp, J. Electrochem. Soc. 142, 1885 (1995), 10.1149/1.2044210.
    """
    used = np.concatenate([np.full(len(times), True), [True, inductance, capacitance]])
    weight = 1.0 / spectrum.modulus
    columns = _columns(angular_frequency(spectrum.frequency), times)[:, used]
    matrix = _stack(columns * weight[:, None])
    target = _stack(spectrum.impedance * weight)
    scale = np.linalg.norm(matrix, axis=0)
    found = np.linalg.lstsq(matrix / scale, target, rcond=None)[0]
    values = np.zeros(len(used))
    values[used] = found / scale
    r0, coil, elastance = (float(value) for value in values[len(times) :])
    return Ladder(np.asarray(times), values[: len(times)], r0, coil, elastance)


def _columns(omega: Floats, times: Floats) -> Complexes:
    arcs = 1.0 / (1.0 + 1j * omega[:, None] * times)
    ends = [np.ones_like(omega, dtype=np.complex128), 1j * omega, 1.0 / (1j * omega)]
    return np.column_stack([arcs, *ends])


def _stack(values: Complexes) -> Floats:
    return np.concatenate([values.real, values.imag])
