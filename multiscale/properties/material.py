"""Materials and boundary types of the library, evaluated at a temperature."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe
from multiscale.properties.average import isotropic_average
from multiscale.properties.boundary import Boundary
from multiscale.properties.boundary_rules import BoundaryRule, BoundaryRules
from multiscale.properties.quantity import Quantity
from multiscale.provenance import Estimate
from multiscale.units import ELEMENTARY_CHARGE, thermal_energy


@dataclass(frozen=True, slots=True)
class Material:
    """A phase.

    Parameters
    ----------
    name : str
        Name in the library, or the stem of its file.
    title, composition, description : str
        For people.
    in_plane : Quantity
        Self-diffusivity; of a layered crystal, that in the layers.
    c_ratio : Quantity or None
        Self-diffusivity along c over that in the layers; None if isotropic.
    lithium_density : Quantity or None
        Li number density [1/m³].
    haven_ratio : Quantity or None
        Self- over charge diffusivity; 1 where None.
    segregation_factor : Quantity or None
        Lithium held in local equilibrium, relative to the other phases' factors; 1 where
        None. Counts where the concentration drives.
    content : Mapping
        The file as read, for provenance.
    """

    name: str
    title: str
    composition: str
    description: str
    in_plane: Quantity
    c_ratio: Quantity | None
    lithium_density: Quantity | None
    haven_ratio: Quantity | None
    segregation_factor: Quantity | None
    content: Mapping[str, Any]

    @property
    def isotropic(self) -> bool:
        """Whether the crystal conducts alike in all directions."""
        return self.c_ratio is None

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All that the file gives."""
        given = (
            self.in_plane,
            self.c_ratio,
            self.lithium_density,
            self.haven_ratio,
            self.segregation_factor,
        )
        return tuple(one for one in given if one is not None)

    def diffusivity(self, temperature: float) -> Estimate:
        """Self-diffusivity of the untextured polycrystal without its boundaries.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        Estimate
            [m²/s]; for a layered crystal :func:`isotropic_average` of its tensor, with
            the relative error of the in-plane value (the c axis hardly counts).
        """
        plane = self.in_plane.evaluate(temperature)
        if self.c_ratio is None:
            return plane
        value = isotropic_average(self.diffusivity_tensor(temperature))
        stderr = plane.stderr * value / plane.value if plane.value else plane.stderr
        source = f"random-polycrystal average (10.1103/PhysRevB.12.3368) of: {plane.source}"
        return Estimate(value, stderr, "m2/s", source)

    def diffusivity_tensor(self, temperature: float) -> NDArray[np.float64]:
        """Self-diffusivity in the crystal frame.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        numpy.ndarray, shape (3, 3)
            [m²/s]; the c axis is the third.
        """
        plane = self.in_plane.evaluate(temperature).value
        ratio = 1.0 if self.c_ratio is None else self.c_ratio.evaluate(temperature).value
        return np.diag([plane, plane, plane * ratio])

    def charge_diffusivity(self, temperature: float) -> Estimate:
        """Diffusivity that the conductivity follows: self-diffusivity over the Haven ratio.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        Estimate
            [m²/s].
        """
        own = self.diffusivity(temperature)
        if self.haven_ratio is None:
            source = f"{own.source}; Haven ratio taken as 1"
            return Estimate(own.value, own.stderr, own.unit, source)
        ratio = self.haven_ratio.evaluate(temperature)
        value = own.value / ratio.value
        relative = math.hypot(own.stderr / own.value, self.haven_ratio.number.relative)
        source = f"{own.source}; Haven ratio {ratio.value:g}: {ratio.source}"
        return Estimate(value, value * relative, own.unit, source)

    def conductivity(self, temperature: float) -> Estimate:
        """Nernst–Einstein conductivity σ = c e² D_charge/(k_B T).

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        Estimate
            [S/m].

        Raises
        ------
        PropertyError
            If the file has no Li number density.
        """
        if self.lithium_density is None:
            raise PropertyError(
                describe(self.name, "a lithium_density", "none", "add it to the property file")
            )
        charge = self.charge_diffusivity(temperature)
        density = self.lithium_density.evaluate(temperature)
        factor = density.value * ELEMENTARY_CHARGE**2 / thermal_energy(temperature)
        relative = charge.stderr / charge.value
        if not math.isnan(density.stderr):
            relative = math.hypot(relative, density.stderr / density.value)
        value = factor * charge.value
        return Estimate(value, value * relative, "S/m", f"{charge.source}; {density.source}")

    def extrapolated(self, temperature: float) -> bool:
        """Whether the diffusivity is used outside its valid range.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        bool
            True if nothing vouches for it at this temperature.
        """
        return self.in_plane.extrapolated(temperature)


CONDITIONS = (
    "sigma",
    "misorientation",
    "c_axis_to_plane",
    "c_axis_angle",
    "coherent_twin",
    "c_axis_of",
)
"""What a rule may ask, as :class:`BoundaryRule` names it."""


@dataclass(frozen=True, slots=True)
class RuleProperties:
    """A film for boundaries of a certain crystallography.

    Parameters
    ----------
    name : str
        One word.
    reason : str
        Why these conditions.
    conditions : Mapping
        Arguments of :class:`BoundaryRule`.
    film : BoundaryProperties
        The film where they hold.
    """

    name: str
    reason: str
    conditions: Mapping[str, Any]
    film: BoundaryProperties


@dataclass(frozen=True, slots=True)
class BoundaryProperties:
    """A boundary type.

    Parameters
    ----------
    name : str
        Name in the library, or the stem of its file.
    title, description : str
        For people.
    between : tuple of str
        Property names of the two materials it parts.
    width : Quantity
        Thickness [m].
    across_quantity, along_quantity : Quantity
        Diffusivity [m²/s], or its ratio to the bulk.
    segregation_factor, boundary_energy : Quantity or None
        1 where None; [J/m²].
    content : Mapping
        The file as read, for provenance, with those that it names.
    symmetry : str, optional
        Of the crystals that the rules ask about; empty without rules.
    rules : tuple of RuleProperties, optional
        Films of boundaries that meet conditions; the numbers above are those of the rest.
    """

    name: str
    title: str
    description: str
    between: tuple[str, str]
    width: Quantity
    across_quantity: Quantity
    along_quantity: Quantity
    segregation_factor: Quantity | None
    boundary_energy: Quantity | None
    content: Mapping[str, Any]
    symmetry: str = ""
    rules: tuple[RuleProperties, ...] = ()

    @property
    def needs_bulk(self) -> bool:
        """Whether a coefficient is given as a ratio to the bulk."""
        given = (self.across_quantity, self.along_quantity)
        ruled = any(rule.film.needs_bulk for rule in self.rules)
        return ruled or any(one.dimension == "dimensionless" for one in given)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """All that the file gives."""
        given = (
            self.width,
            self.across_quantity,
            self.along_quantity,
            self.segregation_factor,
            self.boundary_energy,
        )
        own = [one for one in given if one is not None]
        for rule in self.rules:
            for one in rule.film.quantities:
                key = one.name.rpartition("].")[2]
                own.append(replace(one, name=f"{rule.name}: {key}"))
        return tuple(own)

    def across(self, temperature: float, bulk: float | Sequence[float] | None = None) -> Estimate:
        """Diffusivity normal to the boundary.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].
        bulk : float or sequence of float, optional
            Diffusivity of the phases beside it [m²/s]; of two the geometric mean counts.
            Needed where the file gives a ratio.

        Returns
        -------
        Estimate
            [m²/s].

        Raises
        ------
        PropertyError
            If the bulk is needed and missing, or not a positive number.
        """
        return self._coefficient(self.across_quantity, temperature, bulk)

    def along(self, temperature: float, bulk: float | Sequence[float] | None = None) -> Estimate:
        """Diffusivity in the plane of the boundary.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].
        bulk : float or sequence of float, optional
            As for :meth:`across`.

        Returns
        -------
        Estimate
            [m²/s].

        Raises
        ------
        PropertyError
            As for :meth:`across`.
        """
        return self._coefficient(self.along_quantity, temperature, bulk)

    def boundary(self, temperature: float, bulk: float | Sequence[float] | None = None) -> Boundary:
        """Make the value object that the transport rooms take, leaving out rules.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].
        bulk : float or sequence of float, optional
            As for :meth:`across`.

        Returns
        -------
        Boundary
            Width, across, along, segregation in SI.

        Raises
        ------
        PropertyError
            As for :meth:`across`.
        """
        factor = self.segregation_factor
        return Boundary(
            width=self.width.evaluate(temperature).value,
            across=self.across(temperature, bulk).value,
            along=self.along(temperature, bulk).value,
            segregation=1.0 if factor is None else factor.evaluate(temperature).value,
        )

    def film(
        self,
        temperature: float,
        bulk: float | Sequence[float] | None = None,
        names: Mapping[str, str] | None = None,
    ) -> Boundary | BoundaryRules:
        """Make the films that the transport rooms take, by rules where there are any.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].
        bulk : float or sequence of float, optional
            As for :meth:`across`.
        names : mapping of str to str, optional
            Phase of a crystal for each material in ``between``, where they are called
            otherwise.

        Returns
        -------
        Boundary or BoundaryRules
            In SI.

        Raises
        ------
        PropertyError
            As for :meth:`across`.
        """
        usual = self.boundary(temperature, bulk)
        if not self.rules:
            return usual
        films = [rule.film.boundary(temperature, bulk) for rule in self.rules]
        return self.with_rules(usual, films, names)

    def with_rules(
        self,
        default: Boundary,
        films: Sequence[Boundary],
        names: Mapping[str, str] | None = None,
    ) -> BoundaryRules:
        """Put films under this file's rules.

        Parameters
        ----------
        default : Boundary
            Film where no rule holds.
        films : sequence of Boundary
            Film of each rule.
        names : mapping of str to str, optional
            As for :meth:`film`.

        Returns
        -------
        BoundaryRules
            The rules.

        Raises
        ------
        PropertyError
            If a condition cannot hold.
        """
        rules = []
        for rule, film in zip(self.rules, films, strict=True):
            conditions = dict(rule.conditions)
            asked = conditions["c_axis_of"]
            conditions["c_axis_of"] = (names or {}).get(asked, asked)
            rules.append(BoundaryRule(rule.name, film, **conditions))
        return BoundaryRules(default, tuple(rules), self.symmetry)

    def extrapolated(self, temperature: float) -> bool:
        """Whether a coefficient is used outside its valid range.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        bool
            True if nothing vouches for it at this temperature.
        """
        given = (self.across_quantity, self.along_quantity)
        ruled = any(rule.film.extrapolated(temperature) for rule in self.rules)
        return ruled or any(one.extrapolated(temperature) for one in given)

    def _coefficient(
        self, quantity: Quantity, temperature: float, bulk: float | Sequence[float] | None
    ) -> Estimate:
        found = quantity.evaluate(temperature)
        if quantity.dimension == "diffusivity":
            return found
        if bulk is None:
            place, remedy = f"{self.name}: {quantity.name}", f"that of {' and '.join(self.between)}"
            raise PropertyError(describe(place, "the bulk diffusivity", "none", f"pass {remedy}"))
        sides = np.atleast_1d(np.asarray(bulk, dtype=float))
        if sides.size == 0 or not np.all(np.isfinite(sides) & (sides > 0.0)):
            place = f"{self.name}: bulk"
            raise PropertyError(describe(place, "finite diffusivities > 0", sides.tolist()))
        reference = float(np.exp(np.mean(np.log(sides))))
        source = f"ratio to bulk {found.value:g}: {found.source}"
        return Estimate(found.value * reference, found.stderr * reference, "m2/s", source)
