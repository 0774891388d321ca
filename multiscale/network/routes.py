"""The links that a crossing of the box may take: facets, and contacts with two faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from multiscale.errors import InputError, describe, nearest
from multiscale.network.grains import Floats, GrainNetwork, Integers
from multiscale.network.wrapping import Bools, wrapping_clusters


@dataclass(frozen=True, slots=True)
class Routes:
    """Links of a graph in which to cross the box is to wind around it.

    In a box with walls both faces of the axis are one node, a box apart from itself, so that
    a loop through it is a path from face to face.

    Attributes
    ----------
    nodes : int
        Grains, and the electrode if there are walls: then it is the last.
    first, second : ndarray of int64, shape (k,)
        Ends of each link.
    image : ndarray of int64, shape (k, d)
        Box offset of ``second`` seen from ``first``.
    facet : ndarray of int64, shape (k,)
        Facet of the link; for contacts with a face, which come last, the number of facets.
    capacity : ndarray, shape (k,)
        Positive; infinite for contacts.
    """

    nodes: int
    first: Integers
    second: Integers
    image: Integers
    facet: Integers
    capacity: Floats


def find_routes(
    network: GrainNetwork,
    axis: int,
    phases: str | Sequence[str] | None,
    capacity: ArrayLike | None,
) -> Routes:
    """Gather the links along which some phases may cross the box.

    Parameters
    ----------
    network : GrainNetwork
        Grains and facets.
    axis : int
        Which way to cross.
    phases : str, sequence of str or None
        Grains that may be entered; all if None.
    capacity : array_like, shape (m,), or None
        Capacity of each facet, where zero closes it; its area if None.

    Returns
    -------
    Routes
        Facets between two such grains, and contacts with the faces.

    Raises
    ------
    InputError
        If the axis, a phase or a capacity is no good, or no path crosses the box.
    """
    if isinstance(axis, bool) or axis not in range(network.dimension):
        raise InputError(describe("axis", f"0 … {network.dimension - 1}", axis))
    open_grains = np.isin(network.phases, _check_phases(network, phases))
    values = _check_capacity(network, capacity)
    kept = open_grains[network.first] & open_grains[network.second] & (values > 0)
    facet = np.flatnonzero(kept).astype(np.int64)
    first, second, image = network.first[facet], network.second[facet], network.image[facet]
    nodes = network.grains
    if not network.periodic:
        nodes += 1
        contact = np.concatenate([network.walls(axis, 0), network.walls(axis, 1)])
        contact = contact[open_grains[network.wall_grain[contact]]]
        offset = np.zeros((len(contact), network.dimension), dtype=np.int64)
        offset[:, axis] = network.wall_side[contact]
        first = np.concatenate([first, network.wall_grain[contact]])
        second = np.concatenate([second, np.full(len(contact), network.grains)])
        image = np.concatenate([image, offset])
        facet = np.concatenate([facet, np.full(len(contact), len(network.first))])
    routes = Routes(nodes, first, second, image, facet, np.append(values, np.inf)[facet])
    _check_crossing(network, routes, axis, open_grains, phases)
    return routes


def _check_phases(network: GrainNetwork, phases: str | Sequence[str] | None) -> list[int]:
    if phases is None:
        return list(range(len(network.phase_names)))
    names = [phases] if isinstance(phases, str) else list(phases)
    if not names:
        raise InputError(describe("phases", "at least one phase", "none"))
    for name in names:
        if name not in network.phase_names:
            remedy = nearest(str(name), network.phase_names)
            raise InputError(describe("phases", "phases of this crystal", name, remedy))
    return [network.phase_names.index(name) for name in names]


def _check_capacity(network: GrainNetwork, capacity: ArrayLike | None) -> Floats:
    wanted = f"{len(network.first)} finite numbers ≥ 0, one for each facet"
    try:
        values = np.asarray(network.area if capacity is None else capacity, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(describe("capacity", wanted, capacity)) from None
    if values.shape != network.area.shape:
        raise InputError(describe("capacity", wanted, f"shape {values.shape}"))
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(wrong):
        raise InputError(describe("capacity", wanted, f"{values[wrong[0]]} at facet {wrong[0]}"))
    return values


def _check_crossing(
    network: GrainNetwork,
    routes: Routes,
    axis: int,
    open_grains: Bools,
    phases: str | Sequence[str] | None,
) -> None:
    """Refuse a graph whose parts all end inside the box, and say which parts there are."""
    active = np.append(open_grains, True)[: routes.nodes]
    clusters = wrapping_clusters(routes.nodes, routes.first, routes.second, routes.image, active)
    if clusters.wraps[:, axis].any():
        return
    inside = clusters.label[: network.grains][open_grains]
    sizes = np.sort(np.bincount(inside))[::-1] if len(inside) else np.zeros(0, dtype=int)
    shown = ", ".join(map(str, sizes[:5])) + (", …" if len(sizes) > 5 else "")
    what = "all phases" if phases is None else phases if isinstance(phases, str) else list(phases)
    raise InputError(
        describe(
            f"phases = {what}",
            f"grains that cross the box along axis {axis}",
            f"no path: {len(sizes)} parts of {shown} grains" if len(sizes) else "no grains",
            "percolation() tells which axes percolate",
        )
    )
