"""An Arrhenius law through diffusivities at several temperatures, with its covariance.

ln D = ln D₀ − E/k_B T is a straight line in 1/T; its points carry relative errors. Prefactor and
activation energy of such a line are strongly correlated, and a law given by the two errors alone
overstates its own error everywhere. At one temperature, the *pivot*, value and slope are
uncorrelated: a law written as its value there and its activation energy carries the whole
covariance in two numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe
from multiscale.properties.quantity import check_temperature
from multiscale.units import BOLTZMANN

FloatArray = NDArray[np.float64]

FEWEST = 3
"""Temperatures that make a law."""


@dataclass(frozen=True, slots=True)
class ArrheniusLaw:
    """D(T) = D_p exp[−E/k_B (1/T − 1/T_p)].

    Parameters
    ----------
    value : float
        D_p, at the pivot [m²/s].
    relative : float
        Standard error of ln D_p.
    energy, energy_stderr : float
        E and its standard error, uncorrelated with ln D_p [J].
    pivot : float
        T_p [K].
    sampled : tuple of float
        Lowest and highest temperature of the points [K].
    chi_squared : float
        Of the points about the line, a degree of freedom; where it is above one, the errors
        were widened by its root (Birge).
    shift : float
        Energy added to correct for softening [J].
    """

    value: float
    relative: float
    energy: float
    energy_stderr: float
    pivot: float
    sampled: tuple[float, float]
    chi_squared: float
    shift: float = 0.0

    def at(self, temperature: float) -> tuple[float, float]:
        """Evaluate.

        Parameters
        ----------
        temperature : float
            [K].

        Returns
        -------
        value, stderr : float
            Diffusivity and, to first order, its standard error [m²/s].
        """
        check_temperature(temperature)
        inverse = (1.0 / temperature - 1.0 / self.pivot) / BOLTZMANN
        value = self.value * math.exp(-self.energy * inverse)
        return value, value * math.hypot(self.relative, self.energy_stderr * inverse)

    def extrapolated(self, temperature: float) -> bool:
        """Whether a temperature is outside those sampled.

        Parameters
        ----------
        temperature : float
            [K].

        Returns
        -------
        bool
            True outside.
        """
        check_temperature(temperature)
        return not self.sampled[0] <= temperature <= self.sampled[1]

    @property
    def prefactor(self) -> tuple[float, float]:
        """D₀ [m²/s] and the standard error of ln D₀."""
        inverse = 1.0 / (BOLTZMANN * self.pivot)
        value = self.value * math.exp(self.energy * inverse)
        return value, math.hypot(self.relative, self.energy_stderr * inverse)

    @property
    def covariance(self) -> FloatArray:
        """Of (ln D₀, E), shape (2, 2) [1, J; J, J²]."""
        inverse = 1.0 / (BOLTZMANN * self.pivot)
        own, slope = self.relative**2, self.energy_stderr**2
        return np.array([[own + slope * inverse**2, slope * inverse], [slope * inverse, slope]])

    def corrected(self, shift: float) -> ArrheniusLaw:
        """Raise the activation energy to correct for the softening of a potential.

        Parameters
        ----------
        shift : float
            Energy by which barriers are too low [J].

        Returns
        -------
        ArrheniusLaw
            D(T) exp(−shift/k_B T), with the same errors: how well the shift is known is not
            in them.

        Raises
        ------
        PropertyError
            If the shift is not finite.

        Notes
        -----
        Universal machine-learned potentials are too soft away from equilibrium, and barriers
        come out too low: Deng et al., npj Comput. Mater. 11, 9 (2025),
        10.1038/s41524-024-01500-6. How much depends on potential and material.
        """
        if not math.isfinite(shift):
            raise PropertyError(describe("softening", "a finite energy", shift))
        return ArrheniusLaw(
            self.value * math.exp(-shift / (BOLTZMANN * self.pivot)),
            self.relative,
            self.energy + shift,
            self.energy_stderr,
            self.pivot,
            self.sampled,
            self.chi_squared,
            self.shift + shift,
        )


def fit_arrhenius(
    temperatures: Sequence[float], values: Sequence[float], stderrs: Sequence[float]
) -> ArrheniusLaw:
    """Fit a law by weighted least squares of ln D against 1/T.

    Parameters
    ----------
    temperatures : sequence of float
        Three or more that differ [K].
    values, stderrs : sequence of float
        Diffusivities with their standard errors [m²/s].

    Returns
    -------
    ArrheniusLaw
        With its covariance.

    Raises
    ------
    PropertyError
        If there are too few temperatures, or a value or error is not positive and finite.

    Notes
    -----
    Weights are the squared relative errors' inverses, to first order those of ln D. If the
    points scatter more than their errors allow, all errors are multiplied by the root of chi²
    a degree of freedom: Birge, Phys. Rev. 40, 207 (1932), 10.1103/PhysRev.40.207.
    """
    temperature, value, stderr = (
        np.asarray(one, dtype=float) for one in (temperatures, values, stderrs)
    )
    for name, given in (("temperatures", temperature), ("values", value), ("stderrs", stderr)):
        if given.shape != temperature.shape or not (np.isfinite(given) & (given > 0)).all():
            raise PropertyError(
                describe(name, f"{temperature.size} finite numbers > 0", given.tolist())
            )
    if np.unique(temperature).size < FEWEST:
        shown = ", ".join(f"{one:g} K" for one in np.unique(temperature)) or "none"
        raise PropertyError(
            describe("Arrhenius law", f"diffusivities at {FEWEST} temperatures or more", shown,
                     "run at other temperatures, or longer")
        )  # fmt: skip
    weight = (value / stderr) ** 2
    inverse, logarithm = 1.0 / temperature, np.log(value)
    middle = float((weight * inverse).sum() / weight.sum())
    height = float((weight * logarithm).sum() / weight.sum())
    spread = float((weight * (inverse - middle) ** 2).sum())
    slope = float((weight * (inverse - middle) * logarithm).sum() / spread)
    left = logarithm - height - slope * (inverse - middle)
    chi_squared = float((weight * left**2).sum() / (value.size - 2))
    widened = math.sqrt(max(1.0, chi_squared))
    return ArrheniusLaw(
        math.exp(height),
        widened / math.sqrt(float(weight.sum())),
        -slope * BOLTZMANN,
        widened * BOLTZMANN / math.sqrt(spread),
        1.0 / middle,
        (float(temperature.min()), float(temperature.max())),
        chi_squared,
    )
