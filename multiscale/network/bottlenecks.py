"""Bottlenecks: the widest path through the grains, and the fewest facets that cut them.

Both are asked of the facets, each with a capacity: its area, or what it conducts. The widest
path is the crossing whose narrowest facet is widest (Pollack, Oper. Res. 8 (1960) 733,
10.1287/opre.8.5.733; it runs in a maximum spanning forest, Hu, Oper. Res. 9 (1961) 898,
10.1287/opre.9.6.898). The minimum cut is the least capacity that a surface made of facets can
have which parts the two faces of the box; by Ford and Fulkerson (Can. J. Math. 8 (1956) 399,
10.4153/CJM-1956-045-5) it equals the largest flow from face to face.

In a periodic box the surface repeats with the box and parts each image of the box from the
next one. With an integer height h on each grain and the box offset n of each facet along the
axis, it crosses a facet |n + h₂ − h₁| times, and its dual is the circulation that carries most
through the box::

    max Σ n f,  Σ f = 0 at every grain,  |f| ≤ c      =      min Σ c |n + h₂ − h₁|

The matrix of the constraints is totally unimodular, so the optimal heights are integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order

from multiscale.errors import ComputationError, InputError, describe
from multiscale.microstructure import Polycrystal
from multiscale.network._union_kernels import first_wraps
from multiscale.network.coefficients import (
    BoundaryMap,
    bulk_coefficients,
    film_coefficients,
    half_resistance,
)
from multiscale.network.grains import Floats, GrainNetwork, Integers, grain_network
from multiscale.network.routes import Routes, find_routes
from multiscale.network.wrapping import Bools

DUALITY = 1e-6
"""Largest difference of flow and cut, relative: ten times the linear program's tolerance."""


@dataclass(frozen=True, slots=True)
class WidestPath:
    """The crossing whose narrowest facet is widest.

    Attributes
    ----------
    axis : int
        Which way it crosses.
    capacity : float
        Of the narrowest facet, the bottleneck: an area in m² (2D: a length in m) unless
        capacities were given.
    bottleneck : int
        Its number in ``crystal.tessellation.facets``.
    facets : ndarray of int64, shape (k,)
        Facets passed, in order towards the high face.
    grains : ndarray of int64, shape (k + 1,)
        Grains passed; in a periodic box the last is an image of the first.
    """

    axis: int
    capacity: float
    bottleneck: int
    facets: Integers
    grains: Integers


@dataclass(frozen=True, slots=True)
class MinimumCut:
    """The facets that carry all that crosses the box.

    Attributes
    ----------
    axis : int
        Which way is crossed.
    capacity : float
        Of the cut: each facet as often as the cut crosses it.
    flow : float
        Largest flow that the facets let through, found on its own: equal to the capacity.
    facets : ndarray of int64, shape (k,)
        Facets of the cut, as in ``crystal.tessellation.facets``.
    crossings : ndarray of int64, shape (k,)
        How often the cut crosses each: once, but for paths that wind around more than once.
    area : float
        Area in m² (2D: length in m) of the cut, each facet as often as crossed.
    share : float
        The area over that of the box's cross-section. At least 1 if all phases are open,
        because the cut is no plane; less for some alone.
    area_by_type : mapping of str to float
        The area by boundary type.
    """

    axis: int
    capacity: float
    flow: float
    facets: Integers
    crossings: Integers
    area: float
    share: float
    area_by_type: Mapping[str, float]


def facet_conductances(
    crystal: Polycrystal, phases: Mapping[str, float], boundaries: BoundaryMap | None = None
) -> Floats:
    """Conductance of each facet with the half grains on its sides.

    Parameters
    ----------
    crystal : Polycrystal
        Its true facet areas and seed distances.
    phases : mapping of str to float
        Diffusivity of each phase in m²/s; zero blocks.
    boundaries : mapping, optional
        Films as for :func:`circuit_diffusivity`; none if left out.

    Returns
    -------
    ndarray, shape (m,)
        Area over areal resistance in m³/s (2D: m²/s), as :func:`circuit_diffusivity` takes
        it; zero where a side or the film blocks. To be given as ``capacity``.

    Raises
    ------
    PropertyError
        If a phase or a boundary type has no value, or a value is no good.
    InputError
        If it is no polycrystal.
    """
    network = grain_network(crystal)
    bulk = bulk_coefficients(phases, network)
    films = film_coefficients(boundaries, bulk, network)
    first = half_resistance(network.distance_first, bulk[network.first], films)
    second = half_resistance(network.distance_second, bulk[network.second], films)
    return np.asarray(network.area / (first + second))


def widest_path(
    crystal: Polycrystal,
    axis: int,
    *,
    phases: str | Sequence[str] | None = None,
    capacity: ArrayLike | None = None,
) -> WidestPath:
    """Find the path across the box whose narrowest facet is widest.

    Parameters
    ----------
    crystal : Polycrystal
        Periodic (then the path winds around the box) or with walls (from face to face).
    axis : int
        Which way to cross.
    phases : str or sequence of str, optional
        Grains that may be entered; all unless given.
    capacity : array_like, shape (m,), optional
        Capacity of each facet of ``crystal.tessellation.facets``, 0 to close it; the area
        unless given. See :func:`facet_conductances`.

    Returns
    -------
    WidestPath
        Its bottleneck, facets and grains.

    Raises
    ------
    InputError
        If an argument is no good, no path crosses the box, or a grain reaches from face to
        face by itself, so that no facet is a bottleneck.
    """
    network = grain_network(crystal)
    routes = find_routes(network, axis, phases, capacity)
    order, place, joined = _join_widest_first(routes, axis)
    closing = int(order[place])
    _refuse_bridge(network, routes, axis, routes.capacity[closing])
    links, grains = _loop(routes, np.flatnonzero(joined), closing, axis)
    if not network.periodic:
        links, grains = _from_face_to_face(links, grains, routes.nodes - 1)
    return WidestPath(
        axis=axis,
        capacity=float(routes.capacity[closing]),
        bottleneck=int(routes.facet[closing]),
        facets=routes.facet[links],
        grains=grains,
    )


def _refuse_bridge(network: GrainNetwork, routes: Routes, axis: int, capacity: float) -> None:
    """Refuse grains that reach from face to face: no facet parts the faces."""
    if np.isfinite(capacity):
        return
    low, high = (network.wall_grain[network.walls(axis, side)] for side in (0, 1))
    grains = np.intersect1d(low, high)
    grains = grains[np.isin(grains, routes.first)]
    raise InputError(
        describe(
            "crystal",
            f"facets on every path along axis {axis}",
            f"grain {grains[0]} from face to face",
            "take more grains along the axis",
        )
    )


def _loop(routes: Routes, tree: Integers, closing: int, axis: int) -> tuple[Integers, Integers]:
    """Links and nodes of the loop that one link closes in a forest, in the axis' direction."""
    ends = (
        np.concatenate([routes.first[tree], routes.second[tree]]),
        np.concatenate([routes.second[tree], routes.first[tree]]),
    )
    shape = (routes.nodes, routes.nodes)
    forest = csr_array((np.tile(tree + 1.0, 2), ends), shape=shape)
    start, node = int(routes.second[closing]), int(routes.first[closing])
    before = breadth_first_order(forest, start, directed=False)[1]
    nodes, links = [start], [closing]  # a loop from ``second`` over ``first`` back along the tree
    while node != start:
        nodes.append(node)
        links.append(int(forest[node, before[node]]) - 1)
        node = int(before[node])
    nodes.append(start)
    path, passed = np.array(links, dtype=np.int64), np.array(nodes, dtype=np.int64)
    forward = routes.first[path] == passed[:-1]
    forward[0] = False  # the closing link, also where it joins a grain to itself
    winding = np.where(forward, 1, -1) @ routes.image[path][:, axis]
    return (path, passed) if winding > 0 else (path[::-1], passed[::-1])


def _from_face_to_face(
    links: Integers, nodes: Integers, electrode: int
) -> tuple[Integers, Integers]:
    """Open the loop at the electrode and leave out its two contacts."""
    start = int(np.flatnonzero(nodes == electrode)[0])
    return np.roll(links, -start)[1:-1], np.roll(nodes[:-1], -start)[1:]


def minimum_cut(
    crystal: Polycrystal,
    axis: int,
    *,
    phases: str | Sequence[str] | None = None,
    capacity: ArrayLike | None = None,
) -> MinimumCut:
    """Find the facets of least capacity that part the faces of the box.

    Parameters
    ----------
    crystal : Polycrystal
        Periodic (then the cut parts each image of the box from the next) or with walls.
    axis : int
        Which way is crossed.
    phases : str or sequence of str, optional
        Grains that may be entered; all unless given.
    capacity : array_like, shape (m,), optional
        Capacity of each facet of ``crystal.tessellation.facets``, 0 to close it; the area
        unless given. See :func:`facet_conductances`.

    Returns
    -------
    MinimumCut
        One of the cuts of least capacity, and the largest flow.

    Raises
    ------
    InputError
        If an argument is no good, no path crosses the box, or a grain reaches from face to
        face by itself, so that facets cannot part them.
    ComputationError
        If the linear program fails, or flow and cut differ.
    """
    network = grain_network(crystal)
    routes = find_routes(network, axis, phases, capacity)
    order, place, _ = _join_widest_first(routes, axis)
    widest = float(routes.capacity[order[place]])
    _refuse_bridge(network, routes, axis, widest)
    flow, crossings = _largest_circulation(routes, axis, widest)
    cut = np.flatnonzero(crossings)
    times, facets = crossings[cut], routes.facet[cut]
    value = float(times @ routes.capacity[cut])
    if not abs(value - flow) <= DUALITY * flow:
        raise ComputationError(f"minimum cut: capacity {value:.12g}, but a flow of {flow:.12g}")
    area = times * network.area[facets]
    sums = np.bincount(network.types[facets], area, minlength=len(network.boundary_types))
    section = float(np.prod(np.delete(network.size, axis)))
    return MinimumCut(
        axis=axis,
        capacity=value,
        flow=flow,
        facets=facets,
        crossings=times,
        area=float(area.sum()),
        share=float(area.sum()) / section,
        area_by_type=dict(zip(network.boundary_types, sums.tolist(), strict=True)),
    )


def _join_widest_first(routes: Routes, axis: int) -> tuple[Integers, int, Bools]:
    """Order of links, place in it of the one that first closes a crossing, links of the forest."""
    order = np.argsort(-routes.capacity, kind="stable").astype(np.int64)
    when, joined = first_wraps(routes.nodes, routes.first, routes.second, routes.image, order)
    return order, int(when[axis]), joined


def _largest_circulation(routes: Routes, axis: int, widest: float) -> tuple[float, Integers]:
    """Largest flow around the box, and how often the least cut crosses each link.

    Without the facets that are no wider than the widest path's bottleneck nothing crosses, so
    the flow is of the order of that width or a number of times that: it is the unit, and
    capacities far above can be clipped, infinite ones too, without being part of the cut.
    """
    links = np.arange(len(routes.first))
    rows = np.concatenate([routes.first, routes.second])
    signs = np.repeat([-1.0, 1.0], len(links))
    balance = csr_array((signs, (rows, np.tile(links, 2))), shape=(routes.nodes, len(links)))
    bounds = np.minimum(routes.capacity / widest, 2.0 * len(links))
    ahead = routes.image[:, axis]
    answer = linprog(  # type: ignore[call-overload]
        -ahead.astype(np.float64),
        A_eq=balance,
        b_eq=np.zeros(routes.nodes),
        bounds=np.column_stack([-bounds, bounds]),
        method="highs",
    )
    if answer.status != 0:
        raise ComputationError(f"minimum cut: {' '.join(str(answer.message).split())}")
    height = np.rint(answer.eqlin.marginals).astype(np.int64)
    crossings = np.abs(ahead + height[routes.second] - height[routes.first])
    return -float(answer.fun) * widest, crossings
