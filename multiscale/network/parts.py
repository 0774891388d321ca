"""Mixed rules: phases and boundary types that percolate together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import InputError, describe, nearest
from multiscale.microstructure import Polycrystal, boundary_type
from multiscale.network.grains import Floats, GrainNetwork, grain_network
from multiscale.network.junctions import Junctions, facet_junctions
from multiscale.network.wrapping import Bools, Clusters, crossing_clusters, wrapping_clusters


@dataclass(frozen=True, slots=True)
class PartsPercolation:
    """Connectivity of a set of phases and boundary types along d axes.

    Attributes
    ----------
    parts : tuple of str
        The set: phase names, and boundary types as ``"A|B"`` with the names sorted.
    percolates : ndarray of bool, shape (d,)
        Whether a cluster winds around the box (periodic) or touches both faces.
    clusters : int
        Number of clusters, grains and facets together.
    percolating_fraction : mapping of str to ndarray, shape (d,)
        Share of each part in clusters that percolate along the axis: of the volume of a
        phase, of the area of a boundary type; 0 for a part that is absent.
    largest_cluster_fraction : mapping of str to float
        Share of each part in the cluster that holds most of it.
    """

    parts: tuple[str, ...]
    percolates: Bools
    clusters: int
    percolating_fraction: Mapping[str, Floats]
    largest_cluster_fraction: Mapping[str, float]


def percolates(crystal: Polycrystal, parts: str | Sequence[str]) -> PartsPercolation:
    """Find the axes along which a set of phases and boundary types percolates.

    Parameters
    ----------
    crystal : Polycrystal
        Periodic or with walls, 2D or 3D.
    parts : str or sequence of str
        Phases, and boundary types as ``"A|B"`` in either order; for instance
        ``("LLZO", "LLZO|LCO")``.

    Returns
    -------
    PartsPercolation
        Answers for the whole set, axis by axis, and the share of each part that takes part.

    Raises
    ------
    InputError
        If it is no polycrystal, or a part is unknown, given twice, or none is given.

    Notes
    -----
    Two grains of the set are joined by any facet between them, whether or not its type is in
    the set. A facet of the set is joined to the grains of the set on its sides and, through
    the triple lines (2D: triple points) at its edges, to the facets and grains of the set
    that meet there. A single phase and a single boundary type thus give what
    :func:`percolation` gives.
    """
    network = grain_network(crystal)
    junctions = facet_junctions(crystal, len(network.first))
    return connect_parts(network, junctions, parts)


def connect_parts(
    network: GrainNetwork, junctions: Junctions, parts: str | Sequence[str], place: str = "parts"
) -> PartsPercolation:
    """Find the axes along which a set percolates, on a network that is at hand.

    Parameters
    ----------
    network : GrainNetwork
        Grains and facets.
    junctions : Junctions
        Where its facets meet.
    parts : str or sequence of str
        Phases and boundary types.
    place : str, optional
        What to call the set in messages.

    Returns
    -------
    PartsPercolation
        As from :func:`percolates`.

    Raises
    ------
    InputError
        If a part is unknown, given twice, or none is given.
    """
    names = _check_parts(network, parts, place)
    phases = [network.phase_names.index(name) for name in names if "|" not in name]
    types = [network.boundary_types.index(name) for name in names if "|" in name]
    grains = np.isin(network.phases, phases) & (network.volumes > 0)
    facets = np.isin(network.types, types)
    clusters = _unite(network, junctions, grains, facets)
    crosses = crossing_clusters(clusters, _touches(network, junctions), network.periodic)
    sizes = {name: _sizes(network, clusters, name) for name in names}
    return PartsPercolation(
        parts=names,
        percolates=np.asarray(crosses.any(axis=0)),
        clusters=clusters.count,
        percolating_fraction={k: _share(size @ crosses, size) for k, size in sizes.items()},
        largest_cluster_fraction={
            k: float(_share(size.max(initial=0.0), size)) for k, size in sizes.items()
        },
    )


def _check_parts(network: GrainNetwork, parts: str | Sequence[str], place: str) -> tuple[str, ...]:
    """Sort the names of boundary types and refuse what the crystal does not have."""
    given = [parts] if isinstance(parts, str) else list(parts)
    valid = (*network.phase_names, *network.boundary_types)
    names: list[str] = []
    for part in given:
        ends = str(part).split("|")
        name = boundary_type(*ends) if len(ends) == 2 else str(part)
        if name not in valid:
            wanted = "phases or boundary types of this crystal"
            raise InputError(describe(place, wanted, part, nearest(name, valid)))
        if name in names:
            raise InputError(describe(place, "each part once", f"{name} a second time"))
        names.append(name)
    if not names:
        raise InputError(describe(place, "at least one phase or boundary type", "none"))
    return tuple(names)


def _unite(network: GrainNetwork, junctions: Junctions, grains: Bools, facets: Bools) -> Clusters:
    """Unite grains, facets and the junctions of these facets, numbered in this order."""
    n, m = network.grains, len(network.first)
    facet, node = np.arange(m), n + m + junctions.junction
    active = np.zeros(n + m + junctions.count, dtype=np.bool_)
    active[:n], active[n : n + m] = grains, facets
    active[node[facets[junctions.facet]]] = True
    seen_from_second = junctions.image - network.image[junctions.facet]
    inside = np.zeros_like(network.image)
    links = (
        (network.first, network.second, network.image),
        (n + facet, network.first, inside),
        (n + facet, network.second, network.image),
        (n + junctions.facet, node, junctions.image),
        (network.first[junctions.facet], node, junctions.image),
        (network.second[junctions.facet], node, seen_from_second),
    )
    first, second, image = (np.concatenate(column) for column in zip(*links, strict=True))
    return wrapping_clusters(len(active), first, second, image, active)


def _touches(network: GrainNetwork, junctions: Junctions) -> Bools:
    """Tell which nodes lie on the low and high box faces."""
    n, m = network.grains, len(network.first)
    touches = np.zeros((n + m + junctions.count, network.dimension, 2), dtype=np.bool_)
    touches[network.wall_grain, network.wall_axis, network.wall_side] = True
    touches[n + m :] = junctions.on_wall
    return touches


def _sizes(network: GrainNetwork, clusters: Clusters, name: str) -> Floats:
    """Volume or area of one part in each cluster."""
    if "|" in name:
        start, size = network.grains, network.area
        chosen = network.types == network.boundary_types.index(name)
    else:
        start, size = 0, network.volumes
        chosen = (network.phases == network.phase_names.index(name)) & (size > 0)
    label = clusters.label[start : start + len(size)]
    return np.bincount(label[chosen], size[chosen], minlength=clusters.count).astype(np.float64)


def _share(part: NDArray[np.float64] | float, sizes: Floats) -> Floats:
    total = float(sizes.sum())
    return np.asarray(part) / total if total > 0 else np.zeros_like(np.asarray(part))
