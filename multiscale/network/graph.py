"""The grain graph of any microstructure: a polycrystal, a label image, or bare labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import networkx as nx
from numpy.typing import ArrayLike

from multiscale.errors import InputError, describe
from multiscale.microstructure import LabelImage, Polycrystal, label_image


def grain_graph(
    source: Polycrystal | LabelImage | ArrayLike,
    spacing: ArrayLike | None = None,
    *,
    phases: Mapping[int, str] | Sequence[str] | None = None,
    periodic: bool | None = None,
    orientations: ArrayLike | None = None,
    symmetry: str | Mapping[str, str] = "cubic",
) -> nx.Graph[int]:
    """Build the graph of grains, boundaries and junctions.

    Parameters
    ----------
    source : Polycrystal, LabelImage or (cells) array_like of int
        Exact geometry, or a label for each voxel.
    spacing : float or (d,) array_like, optional
        Voxel edges in m; needed for labels, and for them alone.
    phases : mapping of int to str, or sequence of str, optional
        Phase of each label, in the order of the labels; for labels alone.
    periodic : bool, optional
        Whether the image repeats, which it does not unless said; for labels alone.
    orientations : (n, 4) array_like, optional
        Unit quaternion of each grain of an image; a polycrystal has its own.
    symmetry : str or mapping of str to str, optional
        ``"cubic"``, ``"hexagonal"`` or ``"trigonal"``, of all phases or by phase.

    Returns
    -------
    networkx.Graph
        Nodes: ``phase``, ``volume`` in m³, ``orientation`` if known. Edges: ``type``, ``area``
        in m², ``normal``, ``facets`` and, where orientations are known, ``misorientation`` in
        degrees. ``graph.graph`` holds the tables ``"facets"``, ``"triple_lines"`` and
        ``"junction_points"``, whose ``heterointerfaces`` are the rows at which three boundary
        types meet.

    Raises
    ------
    InputError
        If labels have no spacing, or an argument is given that the source decides itself.
    ImageError
        If labels, spacing, phases or orientations are no good.
    RecipeError
        If a phase has no symmetry.

    Notes
    -----
    Areas of a polycrystal are exact. Those of an image are vector areas: counted voxel faces
    would be too large by |n|₁, 1 to √3 by the direction of the normal n and 3/2 on average
    (2D: 4/π); the sum of the signed faces of a flat patch is exact but for its rim. See
    :mod:`multiscale.microstructure.voxel_facets` for its error and for curved patches.
    """
    if isinstance(source, Polycrystal | LabelImage):
        own: dict[str, Any] = {"spacing": spacing, "phases": phases, "periodic": periodic}
        if isinstance(source, Polycrystal):
            own["orientations"] = orientations
        _refuse_given(own, type(source).__name__)
        if isinstance(source, Polycrystal):
            return source.grain_graph(symmetry)
        return source.grain_graph(orientations, symmetry)
    if spacing is None:
        raise InputError(describe("spacing", "voxel edges in m for bare labels", "none"))
    image = label_image(source, spacing, phases=phases, periodic=bool(periodic))
    return image.grain_graph(orientations, symmetry)


def _refuse_given(own: Mapping[str, Any], kind: str) -> None:
    for name, value in own.items():
        if value is not None:
            raise InputError(describe(name, f"nothing, because a {kind} has its own", value))
