"""Effective diffusivity of a polycrystal as a resistor network of its grains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_array, diags_array

from multiscale.errors import InputError, describe
from multiscale.microstructure import Polycrystal
from multiscale.network.coefficients import (
    BoundaryMap,
    bulk_coefficients,
    film_coefficients,
    half_resistance,
    sheet_conductance,
)
from multiscale.network.grains import Floats, GrainNetwork, grain_network
from multiscale.network.junctions import Junctions, facet_junctions
from multiscale.network.resistors import Branches, Conductance, solve_network
from multiscale.network.sheets import sheet_matrices
from multiscale.properties.validity import check_widths, film_widths, mean_grain_sizes

Condition = Literal["periodic", "dirichlet"]


@dataclass(frozen=True, slots=True)
class CircuitDiffusivity:
    """Effective diffusivity of the grain network.

    Attributes
    ----------
    tensor : ndarray, shape (d, d)
        In m²/s, symmetric positive semi-definite, from the dissipated power. Under Dirichlet
        conditions only its diagonal is measured; the rest is zero.
    percolates : ndarray of bool, shape (d,)
        Whether a conducting path crosses the box; where none does, the value is exactly 0.
    flux_imbalance : float
        Largest difference between the tensors from power and from current, relative to the
        largest entry: what rounding left.
    boundary : {"periodic", "dirichlet"}
        The condition at the box faces.
    along : bool
        Whether conduction along the boundaries was part of the network.
    unknowns : int
        Potentials solved for, all axes together under Dirichlet conditions.
    """

    tensor: Floats
    percolates: NDArray[np.bool_]
    flux_imbalance: float
    boundary: Condition
    along: bool
    unknowns: int


def circuit_diffusivity(
    crystal: Polycrystal,
    phases: Mapping[str, float],
    boundaries: BoundaryMap | None = None,
    boundary: Condition | None = None,
    *,
    along: bool = True,
) -> CircuitDiffusivity:
    """Effective diffusivity from half-grain + boundary + half-grain resistors.

    Parameters
    ----------
    crystal : Polycrystal
        Its true facet areas and seed distances are the resistors' geometry.
    phases : mapping of str to float
        Isotropic diffusivity of each phase in m²/s; zero for pores.
    boundaries : mapping, optional
        :class:`~multiscale.properties.Boundary`, or films by rules, of each pair of phases,
        keyed ``("A", "B")`` or ``"A|B"`` in either order; no films if left out.
    boundary : {"periodic", "dirichlet"}, optional
        Periodic cell problem, or fixed values on two opposite faces and no flux through the
        others, axis by axis. By default what the crystal is.
    along : bool, optional
        Join the facets through triple lines (2D: points) so that films which conduct better
        than the bulk carry current along the boundaries.

    Returns
    -------
    CircuitDiffusivity
        The tensor and what was achieved.

    Raises
    ------
    PropertyError
        If a phase or a boundary type has no value, or a value is no good.
    InputError
        If the condition does not fit the crystal.
    ResolutionError
        If a film is too wide for its grains (:mod:`multiscale.properties.validity`).
    ComputationError
        If the network cannot be solved.

    Warns
    -----
    ResolutionWarning
        If a film is wide for its grains.

    Notes
    -----
    A link has the resistance [d₁/K₁ + δ/2(1/K⊥ − 1/K₁) + δ/2(1/K⊥ − 1/K₂) + d₂/K₂] / A. On
    Voronoi and power cells this is the two-point finite-volume scheme (Eymard, Gallouët and
    Herbin 2000, 10.1016/S1570-8659(00)07005-8): exact for a uniform crystal, for laminates
    and for bricks. A facet whose film conducts along itself has a potential of its own at
    the point where the line of seeds meets its plane, and exchanges current with the facets
    at its edges by a mimetic scheme that is exact for linear potentials (Brezzi, Lipnikov and
    Simoncini 2005, 10.1142/S0218202505000832).

    Accuracy, against the voxel solver on 60 Poisson–Voronoi grains (δ = 2 % of the grain size,
    256² and 72³ voxels). One phase with films, K⊥ = K∥ from 1e-4 to 1e4 of bulk, or 1e-3 across
    with 1e3 along: within 2.2 % in 2D and 5.4 % in 3D, of which the voxels have a part. Two
    phases in equal shares, no films: *too low* by 12–20 % at a contrast of 10 and 23–38 % above
    100 in 2D, by 16–22 % and 29–46 % in 3D. One potential a grain makes every facet towards a
    poor conductor a dead end for the current past it; that error shrinks as films, not bulk,
    set the resistance. Use the field solver for bulk contrast and this for films and trends.

    Films that conduct less along themselves than the bulk (K∥ < K) count as bulk along the
    boundary, an error of the order δ/d. Films with pores on both sides conduct if given.
    """
    network = grain_network(crystal)
    condition: Condition = boundary or ("periodic" if network.periodic else "dirichlet")
    check_condition(condition, network)
    bulk = bulk_coefficients(phases, network)
    films = film_coefficients(boundaries, bulk, network)
    if boundaries is not None:
        sizes = mean_grain_sizes(
            network.volumes, network.phases, network.phase_names, network.dimension
        )
        check_widths(film_widths(boundaries), network.phase_names, sizes)
    sheet = sheet_conductance(network, bulk, films) if along else np.zeros(len(network.first))
    junctions = facet_junctions(crystal, len(network.first)) if sheet.any() else None
    r_first = half_resistance(network.distance_first, bulk[network.first], films)
    r_second = half_resistance(network.distance_second, bulk[network.second], films)
    answer = respond(network, junctions, r_first, r_second, sheet, bulk, condition)
    power, flux = answer.power, answer.flux
    scale = np.abs(power).max()
    return CircuitDiffusivity(
        tensor=power,
        percolates=answer.percolates,
        flux_imbalance=float(np.abs(power - flux).max() / scale) if scale > 0 else 0.0,
        boundary=condition,
        along=along,
        unknowns=answer.unknowns,
    )


def respond(
    network: GrainNetwork,
    junctions: Junctions | None,
    r_first: NDArray[Any],
    r_second: NDArray[Any],
    sheet: NDArray[Any],
    bulk: NDArray[Any],
    condition: Condition,
) -> Conductance:
    """Solve the circuit for unit gradients along all axes.

    Parameters
    ----------
    network : GrainNetwork
        Grains and facets.
    junctions : Junctions or None
        Needed if any facet conducts along itself.
    r_first, r_second : ndarray, shape (m,)
        Areal resistances from either seed to the middle of the film, real or complex.
    sheet : ndarray, shape (m,)
        Excess conductance of each facet along itself.
    bulk : ndarray, shape (n,)
        Coefficient of each grain.
    condition : {"periodic", "dirichlet"}
        At the box faces.

    Returns
    -------
    Conductance
        Per volume: ``power`` and ``flux`` are effective tensors.
    """
    circuit = _links(network, r_first, r_second, sheet != 0)
    if junctions is not None:
        circuit = _add_sheets(circuit, network, junctions, sheet)
    if condition == "periodic":
        answers = [solve_network(circuit, network.size)]
    else:
        answers = [
            solve_network(_add_electrodes(circuit, network, bulk, axis, junctions), network.size)
            for axis in range(network.dimension)
        ]
    volume = float(np.prod(network.size))
    power, flux = (sum(getattr(a, name) for a in answers) / volume for name in ("power", "flux"))
    percolates = np.any([a.percolates for a in answers], axis=0)
    return Conductance(power, flux, percolates, sum(a.unknowns for a in answers))


def check_condition(condition: str, network: GrainNetwork) -> None:
    """Refuse a condition that does not fit the crystal.

    Parameters
    ----------
    condition : str
        As given.
    network : GrainNetwork
        The crystal.

    Raises
    ------
    InputError
        If it is none, or not the crystal's.
    """
    if condition not in ("periodic", "dirichlet"):
        raise InputError(describe("boundary", '"periodic" or "dirichlet"', condition))
    if (condition == "periodic") != network.periodic:
        has = "periodic" if network.periodic else "not periodic"
        remedy = f"make the crystal with periodic={condition == 'periodic'}"
        raise InputError(
            describe("boundary", f"a condition that fits a {has} crystal", condition, remedy)
        )


def _links(
    network: GrainNetwork, r_first: NDArray[Any], r_second: NDArray[Any], split: NDArray[np.bool_]
) -> Branches:
    """Join the grains; facets that are ``split`` have a node of their own in the middle."""
    n, whole = network.grains, ~split
    node = n + np.arange(int(split.sum()))
    inside = np.zeros_like(network.image[split])
    conductance = np.concatenate(
        [
            network.area[whole] / (r_first + r_second)[whole],
            network.area[split] / r_first[split],
            network.area[split] / r_second[split],
        ]
    )
    return Branches(
        nodes=n + len(node),
        tail=np.concatenate([network.first[whole], network.first[split], node]),
        head=np.concatenate([network.second[whole], node, network.second[split]]),
        image=np.concatenate([network.image[whole], inside, network.image[split]]),
        conductance=csr_array(diags_array(conductance)),
    )


def _add_sheets(
    circuit: Branches, network: GrainNetwork, junctions: Junctions, sheet: NDArray[Any]
) -> Branches:
    """Join the split facets to the junctions at their edges."""
    edges, matrix = sheet_matrices(junctions, sheet, network.area)
    node = network.grains + np.cumsum(sheet != 0) - 1
    return Branches(
        nodes=circuit.nodes + junctions.count,
        tail=np.concatenate([circuit.tail, node[junctions.facet[edges]]]),
        head=np.concatenate([circuit.head, circuit.nodes + junctions.junction[edges]]),
        image=np.concatenate([circuit.image, junctions.image[edges]]),
        conductance=csr_array(block_diag([circuit.conductance, matrix])),
    )


def _add_electrodes(
    circuit: Branches,
    network: GrainNetwork,
    bulk: NDArray[Any],
    axis: int,
    junctions: Junctions | None,
) -> Branches:
    """Join both faces of one axis in a single node, a box apart from itself."""
    electrode = circuit.nodes
    tail, head, image = circuit.tail, circuit.head.copy(), circuit.image.copy()
    if junctions is not None:  # triple lines that end on a face take its potential
        start = electrode - junctions.count
        for side in (0, 1):
            touches = np.zeros(electrode + 1, dtype=np.bool_)
            touches[start:electrode] = junctions.on_wall[:, axis, side]
            joined = touches[head]
            head[joined] = electrode
            image[joined, axis] += side
    rows = np.concatenate([network.walls(axis, 0), network.walls(axis, 1)])
    outside = np.zeros((len(rows), network.dimension), dtype=np.int64)
    outside[:, axis] = network.wall_side[rows]
    grain = network.wall_grain[rows]
    contact = bulk[grain] * network.wall_area[rows] / network.wall_distance[rows]
    return Branches(
        nodes=electrode + 1,
        tail=np.concatenate([tail, grain]),
        head=np.concatenate([head, np.full(len(rows), electrode)]),
        image=np.concatenate([image, outside]),
        conductance=csr_array(block_diag([circuit.conductance, diags_array(contact)])),
    )
