"""Bulk and film coefficients, read from what the user gives and put onto links."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe, nearest
from multiscale.microstructure import matching_rule
from multiscale.network.grains import GrainNetwork
from multiscale.properties import Boundary, BoundaryRules

Floats = NDArray[np.float64]

BoundaryFilm = Boundary | BoundaryRules
BoundaryMap = Mapping[tuple[str, str], BoundaryFilm] | Mapping[str, BoundaryFilm]


@dataclass(frozen=True, slots=True)
class Films:
    """Film on each facet.

    Attributes
    ----------
    width : ndarray, shape (m,)
        Thickness δ in m; 0 where there is none.
    across, along : ndarray, shape (m,)
        Segregation factor times diffusivity in m²/s: the flux for a unit gradient of the
        concentration in the grains beside it (Hart).
    """

    width: Floats
    across: Floats
    along: Floats


def bulk_coefficients(phases: Mapping[str, float], network: GrainNetwork) -> Floats:
    """Look up the bulk coefficient of each grain.

    Parameters
    ----------
    phases : mapping of str to float
        Diffusivity of each phase in m²/s; zero blocks.
    network : GrainNetwork
        Names and phases of the grains.

    Returns
    -------
    ndarray, shape (n,)
        Coefficient of each grain in m²/s.

    Raises
    ------
    PropertyError
        If a phase is missing or unknown, or a value is negative or not finite.
    """
    for name in phases:
        if name not in network.phase_names:
            raise PropertyError(
                describe(
                    f"phases[{name!r}]",
                    "a phase of this crystal",
                    name,
                    nearest(str(name), network.phase_names),
                )
            )
    values = []
    for name in network.phase_names:
        if name not in phases:
            raise PropertyError(
                describe("phases", f"a diffusivity for {name!r}", sorted(phases), f"add {name!r}")
            )
        value = phases[name]
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise PropertyError(describe(f"phases[{name!r}]", "a number in m²/s", value))
        if not (math.isfinite(value) and value >= 0):
            raise PropertyError(describe(f"phases[{name!r}]", "a finite number ≥ 0 in m²/s", value))
        values.append(float(value))
    return np.array(values)[network.phases]


def film_coefficients(boundaries: BoundaryMap | None, bulk: Floats, network: GrainNetwork) -> Films:
    """Look up the film on each facet.

    Parameters
    ----------
    boundaries : mapping of pair or "A|B" to Boundary or BoundaryRules, or None
        Films by the phases they part, in either order; None for no films at all.
    bulk : ndarray, shape (n,)
        Bulk coefficients: facets of a grain that blocks need no film.
    network : GrainNetwork
        Types of the facets.

    Returns
    -------
    Films
        Film of each facet.

    Raises
    ------
    PropertyError
        If a pair is unknown, given twice, or missing between conducting grains, or its
        rules cannot be asked of it.
    """
    table = np.zeros((len(network.boundary_types), 3))
    given: set[str] = set()
    ruled: list[tuple[str, BoundaryRules]] = []
    for key, film in (boundaries or {}).items():
        name = _type_name(key, network, given)
        given.add(name)
        place = f"boundaries[{key!r}]"
        if isinstance(film, BoundaryRules):
            first, _, second = name.partition("|")
            film.check_between(first, second, place)
            ruled.append((name, film))
        elif not isinstance(film, Boundary):
            raise PropertyError(
                describe(place, "a multiscale.Boundary or BoundaryRules", repr(film))
            )
        usual = film.default if isinstance(film, BoundaryRules) else film
        table[network.boundary_types.index(name)] = _row(usual)
    if boundaries is not None:
        conducts = (bulk[network.first] > 0) & (bulk[network.second] > 0)
        for t in np.unique(network.types[conducts]):
            if network.boundary_types[t] not in given:
                missing = network.boundary_types[t]
                raise PropertyError(
                    describe("boundaries", f"a film for {missing!r}", sorted(given), "add it")
                )
    found = table[network.types]
    for name, rules in ruled:
        here = np.flatnonzero(network.types == network.boundary_types.index(name))
        match = _matches(rules, name, here, network)
        for number, rule in enumerate(rules.rules):
            found[here[match == number]] = _row(rule.film)
    width, across, along = found.T
    return Films(width, across, along)


def _row(film: Boundary) -> tuple[float, float, float]:
    return film.width, film.segregation * film.across, film.segregation * film.along


def _matches(
    rules: BoundaryRules, name: str, facets: NDArray[np.intp], network: GrainNetwork
) -> NDArray[np.int64]:
    """Rule that each of these facets of one type meets, −1 for none."""
    one, _, two = name.partition("|")
    first, second = network.first[facets], network.second[facets]
    swap = network.phases[first] != network.phase_names.index(one)
    turned = network.orientations
    return matching_rule(
        rules.rules,
        rules.symmetry,
        (one, two),
        turned[np.where(swap, second, first)],
        turned[np.where(swap, first, second)],
        network.normal[facets],
    )


def _type_name(key: tuple[str, str] | str, network: GrainNetwork, given: set[str]) -> str:
    parts = key.split("|") if isinstance(key, str) else list(key)
    name = "|".join(sorted(str(part) for part in parts))
    place = f"boundaries[{key!r}]"
    if name not in network.boundary_types:
        raise PropertyError(
            describe(
                place, "two phases of this crystal", name, nearest(name, network.boundary_types)
            )
        )
    if name in given:
        raise PropertyError(describe(place, "each pair once", f"{name} a second time"))
    return name


def half_resistance(distance: Floats, bulk: Floats, films: Films) -> Floats:
    """Areal resistance from a seed to the middle of the film before it.

    Parameters
    ----------
    distance : ndarray, shape (m,)
        From the seed to the facet in m.
    bulk : ndarray, shape (m,)
        Coefficient of the grain in m²/s.
    films : Films
        Film on the facet.

    Returns
    -------
    ndarray, shape (m,)
        d/K + δ/2 (1/K⊥ − 1/K) in s/m: the film replaces half its width of bulk. A film
        that conducts better than the bulk replaces at most the distance there is, so the
        result stays positive. Infinite where the grain or the film blocks.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = 1 / bulk
        gain = 1 / films.across - inverse
        replaced = np.where(gain > 0, films.width / 2, np.minimum(films.width / 2, distance))
        total = distance * inverse + np.where(films.width > 0, replaced * gain, 0.0)
    return np.where((bulk > 0) & ((films.width == 0) | (films.across > 0)), total, np.inf)


def sheet_conductance(network: GrainNetwork, bulk: Floats, films: Films) -> Floats:
    """Excess conductance of each facet along its plane.

    Parameters
    ----------
    network : GrainNetwork
        The facets.
    bulk : ndarray, shape (n,)
        Bulk coefficients in m²/s.
    films : Films
        Film on each facet.

    Returns
    -------
    ndarray, shape (m,)
        δ (K∥ − mean bulk) in m³/s, zero where a film conducts less than the bulk.
    """
    mean = (bulk[network.first] + bulk[network.second]) / 2
    return np.maximum(films.width * (films.along - mean), 0.0)
