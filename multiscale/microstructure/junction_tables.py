"""Triple lines and junction points as tables: which grains and boundary types meet where.

From a tessellation they are exact. From an image, a triple line is the voxel edges about
which three grains lie. Their count overestimates its length by |t|₁ (on average 3/2), so each
is signed by the sense in which its grains follow one another about it: the signed edges of a
line add up to the vector between its ends, exact for a straight line up to its ends. A line
so bent, or grains that meet along so many lines, that a fifth and more is lost takes the count
times 2/3. A junction point is the voxel corners about which d + 1 grains lie, at their mean.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.microstructure.boundaries import boundary_types, type_matrix
from multiscale.microstructure.power_diagram import Floats, Ints
from multiscale.microstructure.tessellation import Tessellation

LEAST_TYPES = 3
STRAIGHTNESS = 0.8  # |vector|₁ / counted steps below which a line counts as bent
STEPS_TO_LENGTH = 2 / 3  # mean over directions


@dataclass(frozen=True, slots=True, eq=False)
class JunctionTable:
    """Where boundaries meet.

    Parameters
    ----------
    grains : (q, k) array of int
        Grains that meet, ascending: three about a line, d + 1 about a point. More grains
        about one place make several rows.
    size : (q,) array
        Length of a line [m]; 1 for a point.
    position : (q, d) array
        Midpoint of a line, or the point [m].
    types : (q, t) array of bool
        Whether each of ``boundary_types`` meets there.
    boundary_types : tuple of str
        Names of the t types.
    """

    grains: Ints
    size: Floats
    position: Floats
    types: NDArray[np.bool_]
    boundary_types: tuple[str, ...]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.size)

    @property
    def heterointerfaces(self) -> NDArray[np.intp]:
        """Rows at which at least three boundary types meet."""
        return np.flatnonzero(self.types.sum(axis=1) >= LEAST_TYPES)

    def where(self, *names: str) -> NDArray[np.intp]:
        """Find the rows at which all of some boundary types meet.

        Parameters
        ----------
        *names : str
            Of ``boundary_types``.

        Returns
        -------
        (r,) array of int
            Rows.
        """
        columns = [self.boundary_types.index(name) for name in names]
        return np.flatnonzero(self.types[:, columns].all(axis=1))


def types_at(grains: Ints, phases: NDArray[Any], phase_names: Sequence[str]) -> NDArray[np.bool_]:
    """Find which boundary types meet at junctions.

    Parameters
    ----------
    grains : (q, k) array of int
        Grains that meet at each junction, from ``tessellation.points`` or ``.lines``.
    phases : (n,) array of int
        Phase of each grain.
    phase_names : sequence of str
        Phase names.

    Returns
    -------
    (q, t) array of bool
        Whether each type of ``boundary_types(phase_names)`` meets there.
    """
    kinds = type_matrix(phase_names)
    present = np.zeros((len(grains), len(boundary_types(phase_names))), dtype=bool)
    rows = np.arange(len(grains))
    for a, b in itertools.combinations(range(grains.shape[1]), 2):
        present[rows, kinds[phases[grains[:, a]], phases[grains[:, b]]]] = True
    return present


Tables = tuple[JunctionTable, JunctionTable]


def exact_junctions(
    tessellation: Tessellation, phases: NDArray[Any], phase_names: Sequence[str]
) -> Tables:
    """Tabulate the junctions of a tessellation.

    Parameters
    ----------
    tessellation : Tessellation
        Its lines and points.
    phases : (n,) array of int
        Phase of each grain.
    phase_names : sequence of str
        Phase names.

    Returns
    -------
    lines, points : JunctionTable
        Triple lines (none in 2D) and junction points.
    """
    lines, points = tessellation.lines, tessellation.points
    names = boundary_types(phase_names)
    along = types_at(lines.grains, phases, phase_names)
    at = types_at(points.grains, phases, phase_names)
    return (
        JunctionTable(lines.grains, lines.length, lines.midpoint, along, names),
        JunctionTable(points.grains, np.ones(len(points)), points.position, at, names),
    )


def image_junctions(
    labels: NDArray[np.int32],
    spacing: Floats,
    phases: NDArray[Any],
    phase_names: Sequence[str],
    *,
    periodic: bool,
) -> Tables:
    """Tabulate the junctions of a label image.

    Parameters
    ----------
    labels : (cells) array of int32
        Grain numbers 0 … n−1.
    spacing : (d,) array
        Voxel edges [m].
    phases : (n,) array of int
        Phase of each grain.
    phase_names : sequence of str
        Phase names.
    periodic : bool
        Whether the image repeats.

    Returns
    -------
    lines, points : JunctionTable
        One row for each set of grains, wherever they meet: triple lines (none in 2D) and
        junction points.
    """
    names = boundary_types(phase_names)
    lines = _image_lines(labels, spacing, periodic)
    points = _image_points(labels, spacing, periodic)
    tables = [
        JunctionTable(grains, size, position, types_at(grains, phases, phase_names), names)
        for grains, size, position in (lines, points)
    ]
    return tables[0], tables[1]


Rows = tuple[Ints, Floats, Floats]


def _image_lines(labels: NDArray[np.int32], spacing: Floats, periodic: bool) -> Rows:
    """Triples of grains, the length of their lines and its middle."""
    if labels.ndim == 2:
        return np.zeros((0, 3), dtype=np.int64), np.zeros(0), np.zeros((0, 2))
    parts = [_edges(labels, spacing, axis, periodic) for axis in range(3)]
    grains, step, sign, place = (np.concatenate(column) for column in zip(*parts, strict=True))
    sets, row, middle = _gathered(grains, place, step.sum(axis=1), labels.shape, spacing, periodic)
    counted = np.bincount(row, step.sum(axis=1), minlength=len(sets))
    signed = [np.bincount(row, sign * s, minlength=len(sets)) for s in step.T]
    vector = np.stack(signed, axis=1).reshape(-1, 3)
    straight = np.abs(vector).sum(axis=1) >= STRAIGHTNESS * counted
    length = np.where(straight, np.linalg.norm(vector, axis=1), counted * STEPS_TO_LENGTH)
    return sets, length, middle


def _edges(
    labels: NDArray[np.int32], spacing: Floats, axis: int, periodic: bool
) -> tuple[Ints, Floats, Ints, Floats]:
    """Voxel edges along one axis: grains about them, steps, sense of rotation, middles.

    The sense is +1 if the grains of a set ascend counter-clockwise about the axis, so that
    the signed steps of one line add up to the vector between its ends.
    """
    across = ((axis + 1) % 3, (axis + 2) % 3)
    ring = _around(labels, ((0, 0), (1, 0), (1, 1), (0, 1)), across, periodic)
    grains, column, extra = _sets(ring, 3)
    rank = (ring[:, column, None] > grains[None, :, :2]).sum(axis=-1)
    turn = (np.diff(rank, axis=0, append=rank[:1]) + 1) % 3 - 1
    sense = np.where(extra > 0, 0, np.sign(turn.sum(axis=0)))
    step = np.zeros((len(grains), 3))
    step[:, axis] = spacing[axis] / (1 + extra)
    cells = [n if periodic or a == axis else n - 1 for a, n in enumerate(labels.shape)]
    place = np.stack(np.unravel_index(column, cells), axis=1) + 1.0
    place[:, axis] -= 0.5
    return grains, step, sense, place * spacing


def _image_points(labels: NDArray[np.int32], spacing: Floats, periodic: bool) -> Rows:
    """Sets of d + 1 grains, and where they meet."""
    d = labels.ndim
    moves = tuple(itertools.product((0, 1), repeat=d))
    grains, column, _ = _sets(_around(labels, moves, tuple(range(d)), periodic), d + 1)
    cells = [n if periodic else n - 1 for n in labels.shape]
    place = (np.stack(np.unravel_index(column, cells), axis=1) + 1.0) * spacing
    equal = np.ones(len(grains))
    sets, _, middle = _gathered(grains, place, equal, labels.shape, spacing, periodic)
    return sets, np.ones(len(sets)), middle


def _around(
    labels: NDArray[np.int32],
    moves: Sequence[tuple[int, ...]],
    axes: tuple[int, ...],
    periodic: bool,
) -> NDArray[np.int32]:
    """Voxels about each edge or corner, seen from the lowest of them: one row for each move."""
    inner = tuple(
        slice(None, -1) if a in axes and not periodic else slice(None) for a in range(labels.ndim)
    )
    back = [tuple(-step for step in move) for move in moves]
    return np.stack([np.roll(labels, move, axes)[inner].ravel() for move in back])


def _sets(around: NDArray[np.int32], least: int) -> tuple[Ints, Ints, Ints]:
    """Sets of grains in each column that holds enough, its number, and how many there are more."""
    ordered = np.sort(around, axis=0)
    fresh = np.vstack([np.ones((1, ordered.shape[1]), dtype=bool), np.diff(ordered, axis=0) > 0])
    number = fresh.sum(axis=0)
    grains, columns, extra = [], [], []
    for k in range(least, len(around) + 1):
        here = np.flatnonzero(number == k)
        found = ordered[:, here].T[fresh[:, here].T].reshape(len(here), k)
        for start in range(k - least + 1):
            grains.append(found[:, start : start + least].astype(np.int64))
            columns.append(here.astype(np.int64))
            extra.append(np.full(len(here), k - least))
    return np.concatenate(grains), np.concatenate(columns), np.concatenate(extra)


def _gathered(
    grains: Ints,
    place: Floats,
    weight: Floats,
    cells: tuple[int, ...],
    spacing: Floats,
    periodic: bool,
) -> tuple[Ints, Ints, Floats]:
    """Each set of grains once, the row of every place, and the mean of the places."""
    sets, first, row = np.unique(grains, axis=0, return_index=True, return_inverse=True)
    row = row.ravel().astype(np.int64)
    box = np.array(cells) * spacing
    reach = place - place[first][row]
    if periodic:
        reach -= np.rint(reach / box) * box
    total = np.bincount(row, weight, minlength=len(sets))
    sums = [np.bincount(row, weight * r, minlength=len(sets)) for r in reach.T]
    middle = place[first] + np.stack(sums, axis=1) / total[:, None]
    return sets, row, np.mod(middle, box) if periodic else middle
