"""Lin-KK: whether a spectrum can be that of a linear, causal system that stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from multiscale.circuit.elements import Complexes, Floats
from multiscale.circuit.ladder import Ladder, fit_ladder, time_constants
from multiscale.circuit.spectrum import ImpedanceSpectrum
from multiscale.errors import InputError, describe

PER_DECADE = 3
"""Time constants a decade to begin with; fewer miss the shape of a plain RC arc by 1 % and more."""
BEYOND = 2.0
"""Factor by which the time constants reach beyond the measured range: constant-phase elements
then leave 0.05 % at the ends and not 0.8 %, and drifts two thirds of their residuals."""
NEGLIGIBLE = 1e-4
"""Root mean square residual, relative to |Z|, at which the ladder needs no more elements."""
STEPS = 3
"""So many elements more have to lower the residual by ``GAIN``, or the ladder is done."""
GAIN = 0.2
OVERFITTED = 0.5
"""Balance of resistances below which no more elements are added, whatever they gain."""
LEAST_POINTS = 8


@dataclass(frozen=True, slots=True, eq=False)
class KramersKronigTest:
    """What the Lin-KK test found.

    Attributes
    ----------
    ladder : Ladder
        The RC ladder, which obeys the Kramers–Kronig relations whatever its values.
    impedance : ndarray of complex, shape (n,)
        The ladder's impedance at the frequencies of the spectrum.
    residual_real, residual_imag : ndarray, shape (n,)
        (Z − ladder)/|Z| [%].
    mu : float
        1 − Σ|R_k < 0| / Σ R_k > 0: near 1 for smooth ladders, falling where a ladder follows
        noise or drift.
    residual_limit : float
        Largest residual of a valid spectrum [%].
    """

    ladder: Ladder
    impedance: Complexes
    residual_real: Floats
    residual_imag: Floats
    mu: float
    residual_limit: float

    @property
    def elements(self) -> int:
        """RC elements of the ladder."""
        return len(self.ladder.times)

    @property
    def largest_residual(self) -> float:
        """Largest residual of either part [%]."""
        return float(max(np.abs(self.residual_real).max(), np.abs(self.residual_imag).max()))

    @property
    def rms_residual(self) -> float:
        """Root mean square of all residuals [%]."""
        return float(np.sqrt(np.mean(np.hypot(self.residual_real, self.residual_imag) ** 2) / 2))

    @property
    def serial_correlation(self) -> float:
        """Correlation of residuals with those at the next frequency: near 0 for noise alone."""
        parts = np.array([self.residual_real, self.residual_imag])
        return float(np.sum(parts[:, 1:] * parts[:, :-1]) / np.sum(parts**2))

    @property
    def valid(self) -> bool:
        """Whether no residual exceeds the limit."""
        return self.largest_residual <= self.residual_limit

    @property
    def verdict(self) -> str:
        """One sentence with the numbers that decided."""
        found = (
            f"largest residual {self.largest_residual:.2g} % of |Z|, limit "
            f"{self.residual_limit:.2g} % ({self.elements} RC elements, mu = {self.mu:.2f})"
        )
        agrees = "agrees" if self.valid else "does not agree"
        return f"The spectrum {agrees} with the Kramers-Kronig relations: {found}."


def lin_kk(
    spectrum: ImpedanceSpectrum,
    *,
    mu_limit: float = 0.85,
    residual_limit: float = 1.0,
    inductance: bool = True,
    capacitance: bool = True,
) -> KramersKronigTest:
    """Test a spectrum against the Kramers–Kronig relations by a ladder of RC elements.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        At least 8 different frequencies, and 3 a decade.
    mu_limit : float, optional
        The ladder grows until mu is below this, 0 to 1.
    residual_limit : float, optional
        Largest residual of a valid spectrum [% of |Z|]. Noise of a standard deviation s
        has residuals up to about 3 s, so ask for more than that.
    inductance, capacitance : bool, optional
        Let a coil and a capacitor in series take part; without the capacitor a spectrum
        that still rises at its lowest frequency fails.

    Returns
    -------
    KramersKronigTest
        Residuals, mu and verdict.

    Raises
    ------
    InputError
        If there are too few points, an impedance is 0, or a limit is no good.

    Notes
    -----
    Time constants are even in log τ, and the linear least squares take both parts with
    weights 1/|Z|. Unlike in the paper, they reach from 1/(2 ω_max) to 2/ω_min, the ladder
    starts with 3 elements a decade and, once mu is below its limit, it still grows while 3
    elements more lower the residual by a fifth: discrete RC arcs have negative R_k from the
    start. It ends at mu < 0.5, at an rms residual of 0.01 %, or with as many elements as points.

    What it sees, on 71 points over 7 decades: an R₂ that grows by 30 % while a circuit of
    two ZARCs is swept, most of the time being spent at low frequencies, leaves 1.7 %; by
    10 %, less than 1 %. A drift that goes evenly with log f may pass altogether: the
    relations hold nearly as well for it. ``serial_correlation`` near 1 at residuals above
    the noise tells of such a drift, or of time constants outside the range. The sharp
    resonance of a coil beside a capacitor obeys the relations, but no ladder follows it: it
    is flagged.

    References
    ----------
    Schönleber, Klotz & Ivers-Tiffée, Electrochim. Acta 131, 20 (2014),
    10.1016/j.electacta.2014.01.034; Boukamp, J. Electrochem. Soc. 142, 1885 (1995),
    10.1149/1.2044210.
    """
    _check(spectrum, mu_limit, residual_limit)
    history: list[float] = []
    for ladder in _ladders(spectrum, inductance, capacitance):
        fitted = ladder.impedance(spectrum.frequency)
        residual = 100.0 * (spectrum.impedance - fitted) / spectrum.modulus
        mu = resistance_balance(ladder.resistances)
        history.append(float(np.sqrt(np.mean(np.abs(residual) ** 2) / 2)) / 100.0)
        if history[-1] <= NEGLIGIBLE or mu < min(OVERFITTED, mu_limit):
            break
        if mu < mu_limit and _stagnates(history):
            break
    return KramersKronigTest(ladder, fitted, residual.real, residual.imag, mu, residual_limit)


def resistance_balance(resistances: Floats) -> float:
    """Compare the negative with the positive resistances of a ladder.

    Parameters
    ----------
    resistances : ndarray
        R_k.

    Returns
    -------
    float
        mu = 1 − Σ|R_k < 0| / Σ R_k > 0; 1 without negative ones, −∞ without positive ones.

    References
    ----------
    Schönleber, Klotz & Ivers-Tiffée, Electrochim. Acta 131, 20 (2014),
    10.1016/j.electacta.2014.01.034.
    """
    negative = -float(resistances[resistances < 0].sum())
    positive = float(resistances[resistances > 0].sum())
    if negative == 0.0:
        return 1.0
    return 1.0 - negative / positive if positive > 0.0 else -np.inf


def _ladders(spectrum: ImpedanceSpectrum, inductance: bool, capacitance: bool) -> Iterator[Ladder]:
    frequency, most = spectrum.frequency, len(spectrum.frequency)
    decades = float(np.log10(frequency.max() / frequency.min()))
    first = max(int(np.ceil(PER_DECADE * decades)) + 1, 3)
    for count in range(first, most + 1):
        times = time_constants(frequency, count, BEYOND)
        yield fit_ladder(spectrum, times, inductance=inductance, capacitance=capacitance)


def _stagnates(history: list[float]) -> bool:
    return len(history) > STEPS and history[-1] > (1.0 - GAIN) * min(history[:-STEPS])


def _check(spectrum: ImpedanceSpectrum, mu_limit: float, residual_limit: float) -> None:
    different = np.unique(spectrum.frequency)
    least = int(np.ceil(PER_DECADE * np.log10(different[-1] / different[0]))) + 1
    if len(different) < max(least, LEAST_POINTS):
        expected = f"at least {max(least, LEAST_POINTS)} frequencies, {PER_DECADE} a decade"
        raise InputError(describe("spectrum", expected, len(different)))
    if (spectrum.impedance == 0).any():
        raise InputError(describe("spectrum", "impedances other than 0", "0"))
    if not 0.0 < mu_limit <= 1.0:
        raise InputError(describe("mu_limit", "a value above 0 and at most 1", mu_limit))
    if not residual_limit > 0.0:
        raise InputError(describe("residual_limit", "a percentage > 0", residual_limit))
