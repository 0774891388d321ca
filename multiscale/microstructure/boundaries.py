"""Boundary types, and the graph of the grains they part.

A boundary type is the pair of phase names that it parts, sorted and joined by
``|``; grains of one phase are parted by a boundary of the type ``"LCO|LCO"``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from multiscale.errors import RecipeError, describe
from multiscale.microstructure.misorientation import (
    misorientation,
    planar_orientations,
    reduced_angle,
)
from multiscale.microstructure.power_diagram import Floats, Ints


class Facets(Protocol):
    """What every table of facets has, exact or from an image."""

    @property
    def first(self) -> Ints:
        """Grain on one side of each facet."""

    @property
    def second(self) -> Ints:
        """Grain on the other side."""

    @property
    def area(self) -> Floats:
        """Area [m²], in 2D length [m]."""

    @property
    def normal(self) -> Floats:
        """Unit normal from first to second."""


def boundary_type(a: str, b: str) -> str:
    """Name the boundary between two phases.

    Parameters
    ----------
    a, b : str
        Phase names in either order.

    Returns
    -------
    str
        For example ``"LCO|LLZO"``.
    """
    return "|".join(sorted((a, b)))


def boundary_types(phase_names: Sequence[str]) -> tuple[str, ...]:
    """Name every boundary type that some phases can make.

    Parameters
    ----------
    phase_names : sequence of str
        Phase names.

    Returns
    -------
    tuple of str
        All p (p + 1) / 2 types, sorted.
    """
    names = list(phase_names)
    pairs = [boundary_type(a, b) for i, a in enumerate(names) for b in names[i:]]
    return tuple(sorted(set(pairs)))


def type_matrix(phase_names: Sequence[str]) -> Ints:
    """Tabulate the boundary type of each pair of phases.

    Parameters
    ----------
    phase_names : sequence of str
        Phase names.

    Returns
    -------
    (p, p) array of int
        Index into ``boundary_types(phase_names)``.
    """
    number = {name: index for index, name in enumerate(boundary_types(phase_names))}
    rows = [[number[boundary_type(a, b)] for b in phase_names] for a in phase_names]
    return np.array(rows, dtype=np.int64)


def facet_types(facets: Facets, phases: NDArray[Any], phase_names: Sequence[str]) -> Ints:
    """Find the boundary type of each facet.

    Parameters
    ----------
    facets : Facets
        Table of m facets.
    phases : (n,) array of int
        Phase of each grain.
    phase_names : sequence of str
        Phase names.

    Returns
    -------
    (m,) array of int
        Index into ``boundary_types(phase_names)``.
    """
    found: Ints = type_matrix(phase_names)[phases[facets.first], phases[facets.second]]
    return found


def area_by_type(
    facets: Facets, phases: NDArray[Any], phase_names: Sequence[str]
) -> dict[str, float]:
    """Add up the boundary area of each type.

    Parameters
    ----------
    facets : Facets
        Table of facets.
    phases : (n,) array of int
        Phase of each grain.
    phase_names : sequence of str
        Phase names.

    Returns
    -------
    dict of str to float
        Area [m²], in 2D length [m]; 0 for a type that does not occur.
    """
    names = boundary_types(phase_names)
    kinds = facet_types(facets, phases, phase_names)
    sums = np.bincount(kinds, facets.area, minlength=len(names))
    return {name: float(area) for name, area in zip(names, sums, strict=True)}


def _edge_normal(area: Floats, normal: Floats) -> Floats:
    """Area-weighted normal of several facets; the largest facet's if they cancel."""
    total = area @ normal
    length = float(np.linalg.norm(total))
    if length > 1e-9 * float(area.sum()):
        return np.asarray(total / length)
    return np.asarray(normal[int(np.argmax(area))])


def build_grain_graph(
    facets: Facets,
    phases: NDArray[Any],
    phase_names: Sequence[str],
    **nodes: NDArray[Any],
) -> nx.Graph[int]:
    """Build the graph whose nodes are grains and whose edges are boundaries.

    Parameters
    ----------
    facets : Facets
        Table of facets.
    phases : (n,) array of int
        Phase of each grain.
    phase_names : sequence of str
        Phase names.
    **nodes : (n, ...) array
        Further data of each node, by name.

    Returns
    -------
    networkx.Graph
        Nodes 0 … n−1 with ``phase`` (name) and the data given. Edges with ``type``,
        ``area`` [m²] summed over all facets of the two grains, ``normal`` (unit,
        area-weighted, from the lower to the higher grain number) and ``facets``, their
        numbers. A grain that meets itself through a periodic box has a self-loop.
    """
    graph: nx.Graph[int] = nx.Graph()
    for grain, phase in enumerate(phases):
        data = {name: values[grain] for name, values in nodes.items()}
        graph.add_node(grain, phase=phase_names[phase], **data)
    names = boundary_types(phase_names)
    kinds = facet_types(facets, phases, phase_names)
    low, high = np.minimum(facets.first, facets.second), np.maximum(facets.first, facets.second)
    upward = facets.normal * np.where(facets.first <= facets.second, 1.0, -1.0)[:, None]
    order = np.lexsort((high, low))
    ends = np.flatnonzero(np.diff(low[order], append=-1) | np.diff(high[order], append=-1)) + 1
    for group in np.split(order, ends[:-1]) if len(order) else []:
        one = group[0]
        graph.add_edge(
            int(low[one]),
            int(high[one]),
            type=names[kinds[one]],
            area=float(facets.area[group].sum()),
            normal=upward[one]
            if len(group) == 1
            else _edge_normal(facets.area[group], upward[group]),
            facets=[int(number) for number in group],
        )
    return graph


def add_misorientation(
    graph: nx.Graph[int], orientations: Floats, symmetry: str | Mapping[str, str], dimension: int
) -> None:
    """Give each edge of a grain graph the misorientation of its grains.

    Parameters
    ----------
    graph : networkx.Graph
        Edges get ``misorientation`` [degrees]: the least angle of the rotation from one
        lattice to the other, of all that the symmetries of the two make equal.
    orientations : (n, 4) array
        Unit quaternion of each node.
    symmetry : str or mapping of str to str
        ``"cubic"``, ``"hexagonal"`` or ``"trigonal"``, of all phases or of each by its name.
    dimension : int
        2 or 3; in 2D only the twist about z counts.

    Raises
    ------
    RecipeError
        If a phase has no symmetry.
    """
    if not graph.number_of_edges():
        return
    quaternions = planar_orientations(orientations) if dimension == 2 else orientations
    pairs = np.array(graph.edges)
    kinds = [[_symmetry(symmetry, graph.nodes[g]["phase"]) for g in pair] for pair in pairs]
    turn = misorientation(quaternions[pairs[:, 0]], quaternions[pairs[:, 1]])
    angle = np.zeros(len(pairs))
    for one, two in {tuple(kind) for kind in kinds}:
        here = np.array([kind == [one, two] for kind in kinds])
        angle[here] = reduced_angle(turn[here], one, two)
    for (a, b), value in zip(pairs.tolist(), angle.tolist(), strict=True):
        graph.edges[a, b]["misorientation"] = value


def _symmetry(symmetry: str | Mapping[str, str], phase: str) -> str:
    if isinstance(symmetry, str):
        return symmetry
    if phase not in symmetry:
        raise RecipeError(describe("symmetry", f"one of {phase!r}", dict(symmetry)))
    return symmetry[phase]
