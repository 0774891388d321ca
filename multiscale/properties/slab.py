"""Diffusivities along and across the boundaries of a periodic cell.

A cell of two grains has two boundaries; the atoms within half a width of either plane are the
*slab*, the others bulk-like. What is measured in the slab is what a film of that width conducts.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe
from multiscale.properties.from_dynamics import Found, Paths, combine
from multiscale.properties.regions import RegionDiffusivity, across, along

FloatArray = NDArray[np.float64]

SLAB, BEYOND = 0, 1
LAYERS_MOVED = 2.5
"""Layers an atom moves, at least, between two looks."""
VISITS = 0.2
"""A layer is joined with the next one if its share of the atoms is below this part of its share of
the cell: between the sites of a crystal there is hardly anyone."""
FEWEST = 60
"""Frames below which nothing is estimated."""


def slab_diffusivities(
    runs: Sequence[Paths],
    temperature: float,
    planes: Sequence[float],
    width: float,
    hop: float = 2.5e-10,
    repeats: int = 60,
) -> dict[str, Found]:
    """Estimate diffusivities in the slab and beyond it.

    Parameters
    ----------
    runs : sequence of Paths
        Of cells whose third vector is the normal.
    temperature : float
        [K].
    planes : sequence of float
        Where the boundaries lie, as shares of the third cell vector, in the frame of ``runs``.
    width : float
        Of the slab [m].
    hop : float, optional
        Length of a hop between sites: atoms must move so far, root mean square, in a fifth of a
        run [m].
    repeats : int, optional
        Drawings of the bootstrap of those across.

    Returns
    -------
    dict of str to Found
        ``"along"`` and ``"across"`` of the slab, ``"beyond, along"`` and ``"beyond, across"``.

    Raises
    ------
    PropertyError
        If slabs overlap or leave nothing between them, or there is no run.
    """
    if not runs:
        raise PropertyError(describe(f"{temperature:g} K", "at least one valid run", "none"))
    height = _height(runs[0])
    ordered = sorted(planes)
    apart = min(b - a for a, b in itertools.pairwise([*ordered, ordered[0] + 1.0]))
    if not 0 < width < 0.8 * apart * height:
        raise PropertyError(
            describe("width of the boundary", f"below 0.8 of {1e10 * apart * height:.3g} Å, the "
                     "distance of the planes", f"{1e10 * width:.3g} Å", "use thicker grains")
        )  # fmt: skip
    found = {}
    given: dict[str, Any] = {"planes": planes, "width": width, "hop": hop}
    for direction, method in (
        ("along", partial(_along, **given)),
        ("across", partial(_across, **given, repeats=repeats)),
    ):
        both = _each(runs, temperature, method)
        found[direction], found[f"beyond, {direction}"] = both
    return found


def _each(
    runs: Sequence[Paths], temperature: float, method: Callable[[Paths], RegionDiffusivity]
) -> tuple[Found, Found]:
    """Average over runs; the bound where none tells is that of no information."""
    done, refused, used = [], [], 0.0
    for run in runs:
        try:
            done.append(method(run))
        except PropertyError as error:
            refused.append(str(error))
            continue
        used += run.duration
    results = []
    for region in (SLAB, BEYOND):
        values = np.array([one.value[region] for one in done])
        errors = np.array([one.stderr[region] for one in done])
        good = values > 2.0 * errors
        if good.any():
            value, stderr = combine(values[good], errors[good])
            results.append(
                Found(temperature, value, stderr, False, int(good.sum()), used, tuple(refused))
            )
            continue
        bound = float((values + 2.0 * errors).max()) if done else np.inf
        why = tuple(refused) or ("the value is not told from zero",)
        results.append(Found(temperature, bound, np.nan, True, 0, used, why))
    return results[0], results[1]


def slab_regions(
    coordinate: FloatArray, height: float, planes: Sequence[float], width: float
) -> NDArray[np.intp]:
    """Tell slab from bulk.

    Parameters
    ----------
    coordinate : ndarray
        Along the normal, any shape [m].
    height : float
        Of the cell [m].
    planes : sequence of float
        Shares of it.
    width : float
        Of the slab [m].

    Returns
    -------
    ndarray of int
        0 in the slab, 1 beyond.
    """
    away = np.full(np.shape(coordinate), np.inf)
    for plane in planes:
        offset = (coordinate - plane * height + 0.5 * height) % height - 0.5 * height
        away = np.minimum(away, np.abs(offset))
    return np.where(away <= 0.5 * width, SLAB, BEYOND)


def _height(run: Paths) -> float:
    normal = np.cross(run.cell[0], run.cell[1])
    return float(abs(run.cell[2] @ normal) / np.linalg.norm(normal))


def _frames(run: Paths) -> int:
    if len(run.positions) < FEWEST:
        raise PropertyError(
            describe("trajectory", f"at least {FEWEST} frames", len(run.positions), "run longer")
        )
    return len(run.positions)


def _moved(coordinates: FloatArray, lag: int, hop: float) -> float:
    """Root mean square displacement of one axis, at least a hop."""
    moved = float(np.sqrt(np.mean((coordinates[lag:] - coordinates[:-lag]) ** 2)))
    if moved < hop:
        raise PropertyError(
            describe("motion of the atoms", f"at least a hop ({1e10 * hop:.3g} Å, root mean "
                     "square) in a fifth of the run", f"{1e10 * moved:.3g} Å",
                     "run longer or hotter")
        )  # fmt: skip
    return moved


def _along(run: Paths, planes: Sequence[float], width: float, hop: float) -> RegionDiffusivity:
    frames = _frames(run)
    region = slab_regions(run.positions[:, :, 2], _height(run), planes, width)
    long = max(8, frames // 5)
    _moved(run.positions[:, :, :2], long, hop)
    return along(run.positions, run.interval, region, (0, 1), (max(2, long // 4), long))


def _across(
    run: Paths, planes: Sequence[float], width: float, hop: float, repeats: int
) -> RegionDiffusivity:
    frames, height = _frames(run), _height(run)
    lag = frames // 5
    coordinate = run.positions[:, :, 2]
    moved = _moved(coordinate, lag, hop)
    edges = layer_edges(height, planes, width, moved / LAYERS_MOVED)
    edges = visited(edges, coordinate, layer_edges(height, planes, width, np.inf))
    centres = 0.5 * (edges[1:] + edges[:-1])
    region = slab_regions(centres, height, planes, width)
    return across(coordinate, run.interval, edges, region, lag, repeats=repeats)


def layer_edges(
    height: float, planes: Sequence[float], width: float, thickest: float
) -> FloatArray:
    """Divide slabs and what lies between them into thin layers.

    Parameters
    ----------
    height : float
        Of the cell [m].
    planes : sequence of float
        Shares of it.
    width : float
        Of the slabs [m].
    thickest : float
        Layers are no thicker [m].

    Returns
    -------
    ndarray
        Rising edges over one period; those of the slabs are among them.
    """
    marks = sorted(
        (plane * height + side * 0.5 * width) % height for plane in planes for side in (-1.0, 1.0)
    )
    edges = [marks[0]]
    for low, high in itertools.pairwise([*marks, marks[0] + height]):
        parts = max(1, int(np.ceil((high - low) / thickest)))
        edges += np.linspace(low, high, parts + 1)[1:].tolist()
    return np.array(edges)


def visited(edges: FloatArray, coordinate: FloatArray, kept: FloatArray) -> FloatArray:
    """Join layers where hardly any atom is ever seen with their neighbours.

    Parameters
    ----------
    edges : (m + 1,) ndarray
        Rising, over one period [m].
    coordinate : ndarray
        Of atoms along the normal [m].
    kept : ndarray
        Edges that stay [m].

    Returns
    -------
    ndarray
        Some of ``edges``; a layer between two kept edges may still be empty.
    """
    period = edges[-1] - edges[0]
    inside = edges[0] + (np.ravel(coordinate) - edges[0]) % period
    share = np.histogram(inside, edges)[0] / inside.size * period / np.diff(edges)
    stay = np.isin(edges, kept)
    chosen, held, wide = [edges[0]], 0.0, 0.0
    for number, thick in enumerate(np.diff(edges)):
        held, wide = held + share[number] * thick, wide + thick
        if stay[number + 1]:
            if held < VISITS * wide and not np.isin(chosen[-1], kept):
                chosen.pop()
            chosen.append(edges[number + 1])
            held, wide = 0.0, 0.0
        elif held >= VISITS * wide:
            chosen.append(edges[number + 1])
            held, wide = 0.0, 0.0
    return np.array(chosen)
