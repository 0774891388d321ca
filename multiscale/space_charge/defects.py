"""Charged defects of a phase, and what they do in a potential."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import InputError, describe
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY

Floats = NDArray[np.float64]
Steric = Literal["none", "lattice", "bikerman"]

NEUTRAL = 1e-9
"""Largest bulk charge, as a share of all charge of either sign."""
STEEPEST = 600.0
"""Largest exponent, in units of kT, that doubles still hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One kind of charged defect in the bulk of a phase.

    Parameters
    ----------
    name : str
        For people and messages, e.g. ``"Li_i"``.
    charge : int
        Effective charge in units of the elementary charge, not zero.
    density : float
        In the neutral bulk [1/m³].
    mobile : bool, optional
        Whether it is in equilibrium with the potential; else it stays where it is.
    site_density : float, optional
        Sites it may fill [1/m³]; used by the steric statistics.

    Raises
    ------
    InputError
        If a number is not finite or has the wrong sign, or there are more defects than sites.
    """

    name: str
    charge: int
    density: float
    mobile: bool = True
    site_density: float = math.inf

    def __post_init__(self) -> None:
        place = f"defect {self.name!r}"
        if isinstance(self.charge, bool) or int(self.charge) != self.charge or self.charge == 0:
            raise InputError(describe(f"{place}: charge", "an integer, not 0", self.charge))
        if not (math.isfinite(self.density) and self.density > 0):
            raise InputError(
                describe(f"{place}: density", "a finite number > 0 in 1/m³", self.density)
            )
        if not self.site_density > self.density:
            remedy = f"give more sites than the {self.density:g} defects per m³, or leave it out"
            raise InputError(
                describe(f"{place}: site_density", "more sites than defects", self.site_density,
                         remedy)
            )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class IonicPhase:
    """A phase with its defects: what a potential moves, and what stays.

    Parameters
    ----------
    name : str
        For people and messages.
    relative_permittivity : float
        Static, > 0.
    defects : sequence of Defect
        Neutral together. At least one is mobile.
    steric : {"none", "lattice", "bikerman"}, optional
        Statistics of the mobile defects: Boltzmann; each kind on sites of its own, as
        Fermi–Dirac; or all kinds on the same sites, of which there are as many as the least
        ``site_density``.

    Raises
    ------
    InputError
        If the permittivity is no good, the bulk is charged, nothing is mobile, or sites are
        asked for and not given.

    Notes
    -----
    With y = eφ/kT against the bulk, a mobile defect of charge z has the density

    c = c∞ e^(−zy) / (1 + Σ_j θ_j (e^(−z_j y) − 1)),  θ_j = c∞_j / N,

    the sum over the defects that share its sites, N sites per volume; without sites the
    denominator is 1. Bikerman, Phil. Mag. 33, 384 (1942), 10.1080/14786444208520813;
    Kilic, Bazant & Ajdari, Phys. Rev. E 75, 021502 (2007), 10.1103/PhysRevE.75.021502.
    """

    name: str
    relative_permittivity: float
    defects: tuple[Defect, ...]
    steric: Steric = "none"
    _z: Floats = field(init=False, repr=False, compare=False)
    _c: Floats = field(init=False, repr=False, compare=False)
    _share: Floats = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        place = f"phase {self.name!r}"
        if not (math.isfinite(self.relative_permittivity) and self.relative_permittivity > 0):
            raise InputError(
                describe(f"{place}: relative_permittivity", "a finite number > 0",
                         self.relative_permittivity)
            )  # fmt: skip
        if self.steric not in ("none", "lattice", "bikerman"):
            raise InputError(
                describe(f"{place}: steric", '"none", "lattice" or "bikerman"', self.steric)
            )
        object.__setattr__(self, "defects", tuple(self.defects))
        mobile = [one for one in self.defects if one.mobile]
        if not mobile:
            raise InputError(describe(f"{place}: defects", "at least one mobile defect", "none"))
        _check_neutral(place, self.defects)
        object.__setattr__(self, "_z", np.array([float(one.charge) for one in mobile]))
        object.__setattr__(self, "_c", np.array([one.density for one in mobile]))
        object.__setattr__(self, "_share", _shares(place, mobile, self.steric))

    @property
    def mobile(self) -> tuple[Defect, ...]:
        """The mobile defects, in order."""
        return tuple(one for one in self.defects if one.mobile)

    @property
    def frozen_charge(self) -> float:
        """Charge density of what does not move, in elementary charges per m³."""
        return -float(self._z @ self._c)

    def debye_length(self, temperature: float) -> float:
        """Length over which a small potential decays by a factor of e.

        Parameters
        ----------
        temperature : float
            [K].

        Returns
        -------
        float
            √(ε k T / (−e² dρ/dy)) at the bulk [m]; √(ε k T / Σ z² e² c) without sites.
        """
        answer = float(self.stiffness(np.zeros(1))[0])
        return math.sqrt(strength(self.relative_permittivity, temperature) / answer)

    def _statistics(self, y: Floats) -> tuple[Floats, Floats, Floats]:
        """e^(−zy), shares of the sites and denominators, each (mobile, points)."""
        power = -self._z[:, None] * np.asarray(y)[None, :]
        factor = np.exp(np.clip(power, -STEEPEST, STEEPEST))
        if self.steric == "bikerman":
            below = 1.0 + self._share @ np.expm1(np.clip(power, -STEEPEST, STEEPEST))
            below = np.broadcast_to(below, factor.shape)
        else:
            below = 1.0 + self._share[:, None] * np.expm1(np.clip(power, -STEEPEST, STEEPEST))
        return factor, self._share[:, None] * factor / below, below

    def densities(self, y: Floats) -> Floats:
        """Density of each mobile defect.

        Parameters
        ----------
        y : ndarray, shape (n,)
            Potential against the bulk, eφ/kT.

        Returns
        -------
        ndarray, shape (m, n)
            [1/m³].
        """
        factor, _, below = self._statistics(y)
        found: Floats = self._c[:, None] * factor / below
        return found

    def charge_density(self, y: Floats) -> Floats:
        """Net charge of mobile and frozen defects.

        Parameters
        ----------
        y : ndarray, shape (n,)
            Potential against the bulk, eφ/kT.

        Returns
        -------
        ndarray, shape (n,)
            Elementary charges per m³; exactly zero at y = 0.
        """
        found: Floats = (self._z * self._c) @ self.relative_excess(y)
        return found

    def relative_excess(self, y: Floats) -> Floats:
        """Excess c/c∞ − 1 of each mobile defect, without loss where it is small.

        Parameters
        ----------
        y : ndarray, shape (n,)
            Potential against the bulk, eφ/kT.

        Returns
        -------
        ndarray, shape (m, n)
            Above −1.
        """
        _, _, below = self._statistics(y)
        found: Floats = (self._raised(y, -1.0) - (below - 1.0)) / below
        return found

    def relative_scarcity(self, y: Floats) -> Floats:
        """What c∞/c has in excess of 1 for each mobile defect: its resistivity against the bulk's.

        Parameters
        ----------
        y : ndarray, shape (n,)
            Potential against the bulk, eφ/kT.

        Returns
        -------
        ndarray, shape (m, n)
            Above −1.
        """
        factor, _, below = self._statistics(y)
        found: Floats = self._raised(y, 1.0) + (below - 1.0) / factor
        return found

    def _raised(self, y: Floats, sign: float) -> Floats:
        power = sign * self._z[:, None] * np.asarray(y)[None, :]
        found: Floats = np.expm1(np.clip(power, -STEEPEST, STEEPEST))
        return found

    def stiffness(self, y: Floats) -> Floats:
        """Charge that a rise of the potential takes away, −dn/dy.

        Parameters
        ----------
        y : ndarray, shape (n,)
            Potential against the bulk, eφ/kT.

        Returns
        -------
        ndarray, shape (n,)
            Elementary charges per m³; never negative, hence one solution at most.
        """
        factor, filled, below = self._statistics(y)
        density = self._c[:, None] * factor / below
        if self.steric == "bikerman":
            mean = self._z @ filled
            found: Floats = (self._z**2) @ density - (self._z @ density) * mean
            return found
        found = (self._z**2) @ (density * (1.0 - filled))
        return found

    def pressure(self, y: Floats) -> Floats:
        """Minus the potential energy of the charge: P with dP/dy = −n.

        Parameters
        ----------
        y : ndarray, shape (n,)
            Potential against the bulk, eφ/kT.

        Returns
        -------
        ndarray, shape (n,)
            Osmotic pressure against the bulk less that of the frozen charge, over kT [1/m³];
            convex, zero and flat at y = 0.
        """
        _, _, below = self._statistics(y)
        if self.steric == "none":
            mobile = self._c @ self._raised(y, -1.0)
        elif self.steric == "lattice":
            mobile = (self._c / self._share) @ np.log(below)
        else:
            mobile = (self._c[0] / self._share[0]) * np.log(below[0])
        found: Floats = mobile - self.frozen_charge * np.asarray(y)
        return found


def strength(relative_permittivity: float, temperature: float) -> float:
    """Give ε k T / e², which turns y'' into a charge density.

    Parameters
    ----------
    relative_permittivity : float
        Static.
    temperature : float
        [K].

    Returns
    -------
    float
        [1/m].
    """
    permittivity = VACUUM_PERMITTIVITY * relative_permittivity
    return permittivity * BOLTZMANN * temperature / ELEMENTARY_CHARGE**2


def thermal_voltage(temperature: float) -> float:
    """Give kT/e.

    Parameters
    ----------
    temperature : float
        [K].

    Returns
    -------
    float
        [V].

    Raises
    ------
    InputError
        If the temperature is not finite and > 0.
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise InputError(describe("temperature", "a finite number > 0 in K", temperature))
    return BOLTZMANN * temperature / ELEMENTARY_CHARGE


def _check_neutral(place: str, defects: Sequence[Defect]) -> None:
    charge = sum(one.charge * one.density for one in defects)
    size = sum(abs(one.charge) * one.density for one in defects)
    if abs(charge) > NEUTRAL * size:
        remedy = "change a density, or add the frozen dopant that balances it"
        raise InputError(
            describe(f"{place}: defects", "a neutral bulk, Σ z c = 0", f"{charge:.3g} e/m³", remedy)
        )


def _shares(place: str, mobile: Sequence[Defect], steric: str) -> Floats:
    """Part of its sites that each mobile defect fills in the bulk; 0 without sites."""
    density = np.array([one.density for one in mobile])
    if steric == "none":
        return np.zeros(len(mobile))
    sites = np.array([one.site_density for one in mobile])
    if not np.isfinite(sites).all():
        missing = [one.name for one in mobile if not math.isfinite(one.site_density)]
        raise InputError(
            describe(f"{place}: steric", "a site_density for every mobile defect",
                     f"none for {', '.join(missing)}", 'give it, or choose steric="none"')
        )  # fmt: skip
    if steric == "bikerman":
        sites = np.full(len(mobile), sites.min())
        if density.sum() >= sites[0]:
            raise InputError(
                describe(f"{place}: site_density", f"more than the {density.sum():g} defects "
                         "that share the sites", f"{sites[0]:g}")
            )  # fmt: skip
    shares: Floats = density / sites
    return shares
