"""The grain circuit with complex conductivities: what an impedance bridge would measure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.microstructure import Polycrystal
from multiscale.network.circuit import Condition, check_condition, respond
from multiscale.network.coefficients import Films, film_coefficients
from multiscale.network.grains import Floats, GrainNetwork, grain_network
from multiscale.network.junctions import facet_junctions
from multiscale.properties.dielectric import (
    ComplexConductivity,
    Complexes,
    Dielectric,
    DielectricMap,
    check_frequencies,
    dielectric_films,
    dielectric_phases,
)
from multiscale.properties.validity import check_widths, film_widths, mean_grain_sizes
from multiscale.units import VACUUM_PERMITTIVITY


def circuit_conductivity(
    crystal: Polycrystal,
    frequencies: ArrayLike,
    phases: Mapping[str, Dielectric],
    boundaries: DielectricMap | None = None,
    boundary: Condition | None = None,
    *,
    along: bool = True,
) -> ComplexConductivity:
    """Effective complex conductivity of the grain network over frequency.

    Parameters
    ----------
    crystal : Polycrystal
        Its true facet areas and seed distances are the circuit's geometry.
    frequencies : array_like, shape (f,)
        > 0 [Hz].
    phases : mapping of str to Dielectric
        Conductivity and permittivity of each phase.
    boundaries : mapping, optional
        :class:`~multiscale.DielectricBoundary` of each pair of phases, keyed ``("A", "B")``
        or ``"A|B"`` in either order; no films if left out.
    boundary : {"periodic", "dirichlet"}, optional
        By default what the crystal is.
    along : bool, optional
        Join the facets through triple lines where their films conduct better than the bulk at
        zero frequency.

    Returns
    -------
    ComplexConductivity
        A tensor for each frequency.

    Raises
    ------
    PropertyError
        If a phase or a boundary type has no value, or a value is no good.
    InputError
        If a frequency is not > 0 or the condition does not fit the crystal.
    ResolutionError
        If a film is too wide for its grains.
    ComputationError
        If the network cannot be solved.

    Warns
    -----
    ResolutionWarning
        If a film is wide for its grains.

    Notes
    -----
    The resistors of :func:`multiscale.circuit_diffusivity` with κ = σ + 2πjf ε₀ε_r in place of
    D: each grain becomes a resistor beside a capacitor, and so does each film, of which only
    the excess over the bulk that it replaces counts. Its accuracy is that circuit's: good
    where films, not a contrast of the phases, decide. On where bricks fail to
    describe grains: Fleig & Maier, J. Eur. Ceram. Soc. 19, 693 (1999).
    """
    frequency = check_frequencies(frequencies)
    network = grain_network(crystal)
    condition: Condition = boundary or ("periodic" if network.periodic else "dirichlet")
    check_condition(condition, network)
    given = dielectric_phases(phases, network.phase_names)
    conductivity = np.array([one.conductivity for one in given])[network.phases]
    permittivity = np.array([one.relative_permittivity for one in given])[network.phases]
    still = dielectric_films(boundaries)
    conducting = film_coefficients(still, permittivity, network)
    polarising = film_coefficients(
        dielectric_films(boundaries, permittivity=True), permittivity, network
    )
    if still is not None:
        sizes = mean_grain_sizes(
            network.volumes, network.phases, network.phase_names, network.dimension
        )
        check_widths(film_widths(still), network.phase_names, sizes)
    sheets = _sheeted(network, conductivity, conducting) if along else np.zeros(0, np.bool_)
    junctions = facet_junctions(crystal, len(network.first)) if sheets.any() else None
    tensors, residual = [], []
    for one in frequency:
        unit = 2j * np.pi * one * VACUUM_PERMITTIVITY
        bulk = conductivity + unit * permittivity
        across = conducting.across + unit * polarising.across
        sheet = np.zeros(len(network.first), np.complex128)
        if junctions is not None:
            mean = (bulk[network.first] + bulk[network.second]) / 2
            layer = conducting.along + unit * polarising.along - mean
            sheet[sheets] = (conducting.width * layer)[sheets]
        one_half = _half(network.distance_first, bulk[network.first], conducting.width, across)
        other = _half(network.distance_second, bulk[network.second], conducting.width, across)
        answer = respond(network, junctions, one_half, other, sheet, bulk, condition)
        tensors.append(answer.power)
        residual.append(np.abs(answer.power - answer.flux).max() / np.abs(answer.power).max())
    return ComplexConductivity(
        frequency, np.array(tensors), np.array(residual), answer.unknowns, condition
    )


def _sheeted(network: GrainNetwork, conductivity: Floats, films: Films) -> NDArray[np.bool_]:
    """Facets whose films conduct better than the bulk at zero frequency."""
    mean = (conductivity[network.first] + conductivity[network.second]) / 2
    return np.asarray((films.width > 0) & (films.along > mean))


def _half(distance: Floats, bulk: Complexes, width: Floats, across: Complexes) -> Complexes:
    """Areal resistance from a seed to the middle of the film before it [Ω m²]."""
    replaced = np.minimum(width / 2, distance)
    safe = np.where(width > 0, across, 1.0)
    total: Complexes = distance / bulk + np.where(width > 0, replaced * (1 / safe - 1 / bulk), 0.0)
    return total
