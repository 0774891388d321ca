"""What drives lithium: from diffusivities to the coefficient K, and back to D_eff.

Steady transport solves ∇·(K∇u) = 0. Two readings, chosen by name, never mixed:

``concentration``
    K = s D, u = c/s. The factor s of a phase says how much lithium it holds in local
    equilibrium, relative to a common reference (partition coefficient; 1 unless given).
``chemical_potential``
    K = c D, with the lithium number density c and the charge diffusivity D: K is the
    conductivity but for a factor, σ = z² e² K/(k_B T) with z = 1 (Nernst–Einstein).

Both have one form, K = w D with the weight w = s or c. A film has w = s_f (w₁ + w₂)/2: Hart's
factor s_f is the concentration in the film over that in the grains beside it. The effective
diffusivity is defined by mean flux = −D_eff ∇⟨w u⟩, hence D_eff = K_eff/⟨w⟩.

⟨w⟩ is the mean over the volume of the phases that hold lithium (a pore holds none and is left
out, so D_eff of a porous solid of weight 1 is K_eff), and over the films by area × width, as
what they hold beyond the bulk they replace: Σ S_V δ (w₁ + w₂)/2 (s_f − 1). Films with s_f = 1
therefore leave ⟨w⟩ alone, and for films along the flux D_eff is Hart's
(g s D_film + (1 − g) D)/(g s + 1 − g).

References
----------
Hart, Acta Metall. 5, 597 (1957), 10.1016/0001-6160(57)90127-X.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import InputError, PropertyError, describe, nearest
from multiscale.properties.boundary import Boundary
from multiscale.properties.boundary_rules import BoundaryRules
from multiscale.units import ELEMENTARY_CHARGE, thermal_energy

FloatArray = NDArray[np.float64]
Film = Boundary | BoundaryRules
Films = Mapping[tuple[str, str], Film] | Mapping[str, Film]

DRIVING_FORCES = ("concentration", "chemical_potential")


class Composition(Protocol):
    """What the mean over a microstructure needs: a crystal, an image, or its descriptors."""

    @property
    def volume_fractions(self) -> Mapping[str, float]:
        """Volume fraction of each phase."""
        ...

    @property
    def area_density(self) -> Mapping[str, float]:
        """Boundary area per volume [1/m] of each type ``"A|B"``; of rules, ``"A|B rule"``."""
        ...


@dataclass(frozen=True, slots=True)
class TransportCoefficients:
    """What a solver is given, and the way back from what it returns.

    Parameters
    ----------
    driving_force : str
        ``"concentration"`` or ``"chemical_potential"``.
    phases : mapping of str to float or (d, d) ndarray
        K of each phase: s D [m²/s], or c D [1/(m s)].
    boundaries : mapping of (str, str) to Boundary or BoundaryRules, or None
        Films in the same reading; each keeps its segregation factor, which the solver and
        the circuit multiply in.
    weights : mapping of str to float
        s, or c [1/m³], of each phase; zero where it holds no lithium.
    """

    driving_force: str
    phases: Mapping[str, float | FloatArray]
    boundaries: Mapping[tuple[str, str], Film] | None
    weights: Mapping[str, float]

    def mean_weight(self, crystal: Composition) -> float:
        """Average the weight over a microstructure.

        Parameters
        ----------
        crystal : Polycrystal, LabelImage or Descriptors
            Anything with ``volume_fractions`` and ``area_density``.

        Returns
        -------
        float
            ⟨w⟩ over the phases that hold lithium, and films; 1 where nothing holds any
            (K_eff is zero there).

        Raises
        ------
        PropertyError
            If the crystal has a phase that no coefficient was given for, or films of one
            type hold different amounts and the area of each is not known.
        """
        shares = crystal.volume_fractions
        for name in shares:
            if name not in self.weights:
                remedy = nearest(name, self.weights)
                raise PropertyError(describe("crystal", "the phases given", name, remedy))
        filled = sum(share for name, share in shares.items() if self.weights[name] > 0)
        held = sum(share * self.weights[name] for name, share in shares.items())
        if filled <= 0:
            return 1.0
        for pair, film in (self.boundaries or {}).items():
            beside = 0.5 * (self.weights[pair[0]] + self.weights[pair[1]])
            held += beside * _film_excess("|".join(sorted(pair)), film, crystal)
        return float(held / filled)

    def diffusivity(self, effective: ArrayLike, crystal: Composition) -> FloatArray:
        """Turn an effective coefficient into the effective diffusivity.

        Parameters
        ----------
        effective : array_like
            K_eff of these coefficients, e.g. ``effective_diffusivity(…).tensor``.
        crystal : Polycrystal, LabelImage or Descriptors
            The microstructure that was solved.

        Returns
        -------
        ndarray
            D_eff = K_eff/⟨w⟩ [m²/s].
        """
        return np.asarray(effective, dtype=float) / self.mean_weight(crystal)

    def conductivity(self, effective: ArrayLike, temperature: float) -> FloatArray:
        """Turn an effective coefficient into the effective conductivity.

        Parameters
        ----------
        effective : array_like
            K_eff of these coefficients.
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        ndarray
            σ_eff = e² K_eff/(k_B T) [S/m].

        Raises
        ------
        InputError
            If the driving force is the concentration, s D knows no number of carriers;
            or if the temperature is not positive.
        """
        if self.driving_force != "chemical_potential":
            raise InputError(
                describe(
                    "conductivity",
                    "coefficients for chemical_potential",
                    self.driving_force,
                    "pass density= to transport_coefficients",
                )
            )
        if not (np.isfinite(temperature) and temperature > 0):
            raise InputError(describe("temperature", "finite, > 0 K", temperature))
        factor = ELEMENTARY_CHARGE**2 / thermal_energy(temperature)
        return factor * np.asarray(effective, dtype=float)


def transport_coefficients(
    phases: Mapping[str, float | ArrayLike],
    boundaries: Films | None = None,
    *,
    segregation: Mapping[str, float] | None = None,
    density: Mapping[str, float] | None = None,
) -> TransportCoefficients:
    """Form the coefficients that a driving force calls for.

    Parameters
    ----------
    phases : mapping of str to float or (d, d) array_like
        Diffusivity of each phase [m²/s]: the self-diffusivity for a concentration gradient,
        the charge diffusivity (over the Haven ratio) for a chemical potential.
    boundaries : mapping, optional
        ``("A", "B")`` or ``"A|B"`` → :class:`multiscale.Boundary`, or rules that choose one;
        a film's ``segregation`` is relative to the mean of the two phases beside it.
    segregation : mapping of str to float, optional
        Factor s of phases, 1 for those left out: the driving force is the concentration.
    density : mapping of str to float, optional
        Lithium number density of every phase that conducts [1/m³]: the driving force is the
        chemical potential.

    Returns
    -------
    TransportCoefficients
        To be solved with, and to turn the answer into D_eff and σ_eff.

    Raises
    ------
    PropertyError
        If a density is missing, a number is not positive, a phase unknown, or both
        ``segregation`` and ``density`` are given.

    Notes
    -----
    A phase of diffusivity zero that neither mapping names holds no lithium: a pore.

    Examples
    --------
    >>> import multiscale as ms
    >>> given = ms.transport_coefficients({"A": 1e-12, "B": 1e-14}, segregation={"B": 3.0})
    >>> image = ms.label_image([[0, 0, 1, 1]] * 4, 1e-9, phases=["A", "B"], periodic=True)
    >>> K = ms.effective_diffusivity(image, phases=given.phases)
    >>> bool(abs(given.diffusivity(K.tensor, image)[0, 0] / 2.575e-13 - 1) < 1e-9)
    True
    """
    if segregation is not None and density is not None:
        expected = "one of segregation= and density="
        raise PropertyError(
            describe("driving force", expected, "both", "a density already tells the partition")
        )
    name = "segregation" if density is None else "density"
    given = (segregation if density is None else density) or {}
    _check(name, given, phases)
    values = {phase: _array(phase, value) for phase, value in phases.items()}
    weights: dict[str, float] = {}
    for phase, value in values.items():
        conducts = bool(value.any())
        if phase in given:
            weights[phase] = float(given[phase])
        elif density is not None and conducts:
            expected = "the Li density [1/m³] of each phase that conducts"
            raise PropertyError(
                describe("density", expected, f"none for {phase!r}", f"add {phase!r}: value")
            )
        else:
            weights[phase] = 1.0 if conducts else 0.0
    bulk = {phase: _times(weights[phase], value) for phase, value in values.items()}
    films = None if boundaries is None else _films(boundaries, weights)
    force = DRIVING_FORCES[density is not None]
    return TransportCoefficients(force, bulk, films, weights)


def _array(phase: str, value: float | ArrayLike) -> FloatArray:
    place = f"phases[{phase!r}]"
    try:
        if isinstance(value, str) or value is None:
            raise TypeError
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise PropertyError(describe(place, "a number in m²/s", repr(value))) from None
    if not np.isfinite(array).all() or (array.ndim == 0 and array < 0):
        raise PropertyError(describe(place, "finite, ≥ 0 m²/s", str(array)))
    if array.ndim == 2 and (
        not np.allclose(array, array.T, rtol=1e-9, atol=0)
        or np.linalg.eigvalsh(array)[0] < -1e-9 * np.abs(array).max()
    ):
        expected = "a symmetric positive semi-definite tensor"
        raise PropertyError(describe(place, expected, array.tolist()))
    return array


def _times(weight: float, value: FloatArray) -> float | FloatArray:
    return weight * float(value) if value.ndim == 0 else weight * value


def _films(boundaries: Films, weights: Mapping[str, float]) -> dict[tuple[str, str], Film]:
    """Weigh the films with the mean of the phases beside them."""
    films: dict[tuple[str, str], Film] = {}
    for key, film in boundaries.items():
        names = key.split("|") if isinstance(key, str) else list(key)
        place = f"boundaries[{key!r}]"
        if len(names) != 2 or any(name not in weights for name in names):
            known = ", ".join(sorted(weights))
            raise PropertyError(
                describe(place, f"two of the phases {known}", "|".join(map(str, names)))
            )
        pair = (min(names), max(names))
        if pair in films:
            raise PropertyError(describe(place, "each pair once", f"{'|'.join(pair)} again"))
        weigh = partial(_weighed, 0.5 * (weights[pair[0]] + weights[pair[1]]))
        if isinstance(film, BoundaryRules):
            films[pair] = film.mapped(weigh)
        elif isinstance(film, Boundary):
            films[pair] = weigh(film)
        else:
            raise PropertyError(describe(place, "a multiscale.Boundary", repr(film)))
    return films


def _weighed(weight: float, film: Boundary) -> Boundary:
    return replace(film, across=weight * film.across, along=weight * film.along)


def _film_excess(name: str, film: Film, crystal: Composition) -> float:
    """What the films of a type hold beyond the bulk they replace, over the weight beside them."""

    def own(one: Boundary) -> float:
        return one.width * (one.segregation - 1.0)

    if isinstance(film, Boundary):
        return own(film) * crystal.area_density.get(name, 0.0) if own(film) else 0.0
    default, area = own(film.default), crystal.area_density
    total = default * area.get(name, 0.0)
    for rule in film.rules:
        if own(rule.film) != default:
            key = f"{name} {rule.name}"
            if key not in area:
                expected = "the area of each rule's boundaries where their segregation differs"
                remedy = "give all films of a type one width and segregation"
                raise PropertyError(describe("area_density", expected, f"none for {key}", remedy))
            total += (own(rule.film) - default) * area[key]
    return total


def _check(name: str, given: Mapping[str, float], phases: Mapping[str, float | ArrayLike]) -> None:
    for phase, value in given.items():
        if phase not in phases:
            place = f"{name}[{phase!r}]"
            raise PropertyError(describe(place, "a phase given", phase, nearest(phase, phases)))
        number = not isinstance(value, bool) and isinstance(value, int | float | np.number)
        if not number or not (math.isfinite(value) and value > 0):
            raise PropertyError(describe(f"{name}[{phase!r}]", "a finite number > 0", value))
