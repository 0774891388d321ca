"""Cell-centred finite volumes on voxels, with thin boundaries, as a network.

Unknowns: one potential a voxel; one more at each voxel face that carries a
conducting film. The conductance between two voxels i, j across a face of area
A is A / (h/2K_i + R_i + R_j + h/2K_j): the harmonic mean where there is no
film. Face unknowns of neighbouring boundary faces are joined through the voxel
edges they share; an edge where three or four meet (a junction line) is
eliminated exactly by the star-mesh transform.

References
----------
Patankar, Numerical Heat Transfer and Fluid Flow (1980), §4.2 (harmonic face
means).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics import ConductanceGraph
from multiscale.numerics.compiling import kernel
from multiscale.transport._face_kernels import count_faces, encode, films_on_faces, list_faces
from multiscale.transport.boundary_model import (
    LARGEST_REPLACEMENT,
    NEGLIGIBLE_SHEET,
    STEEPEST,
    Films,
)
from multiscale.transport.sheets import Sheets

FloatArray = NDArray[np.float64]

LOOSE = 25.0
"""A film is loose if it resists on both sides more than so many voxels do."""
LOOSE_SHARE = 0.1
"""With more loose films than this share the network is faster than sheets beside a grid."""


@dataclass(frozen=True, slots=True)
class Faces:
    """Voxel faces that lie on a boundary between two grains.

    Parameters
    ----------
    axis : (m,) int8 ndarray
        Normal axis.
    index : (m, 3) int32 ndarray
        Lower voxel.
    wraps : (m,) int8 ndarray
        One where the upper voxel lies across the periodic box.
    normal : (m, d) ndarray
        True unit normal of the boundary.
    lower, upper : (m,) ndarray of int
        Phase on either side.
    """

    axis: NDArray[np.int8]
    index: NDArray[np.int32]
    wraps: NDArray[np.int8]
    normal: FloatArray
    lower: NDArray[np.intp]
    upper: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class VoxelProblem:
    """A coefficient on voxels, with or without films, ready to be assembled.

    Parameters
    ----------
    bulk : (nx, ny, nz) ndarray
        Coefficient of each voxel; inactive axes have one cell.
    spacing : (d,) ndarray
        Voxel edges [m].
    phase : (nx, ny, nz) int ndarray
        Phase of each voxel; zeros for a plain field.
    labels : (nx, ny, nz) int32 ndarray
        Grain of each voxel; zeros for a plain field.
    faces : Faces or None
        Faces that carry a film.
    resistance : (m, 2) ndarray
        Excess areal resistance on the lower and the upper side of each face.
    sheet : (m,) ndarray
        Excess sheet conductance of each face.
    classes : (m,) int ndarray or None, optional
        Class of each face, −1 for no film; None where the pair of phases
        says it all.
    class_names : tuple of str, optional
        Classes by number; the pairs of phases unless given.
    """

    bulk: FloatArray
    spacing: FloatArray
    phase: NDArray[np.int32]
    labels: NDArray[np.int32]
    faces: Faces | None
    resistance: FloatArray
    sheet: FloatArray
    classes: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        """Number of active axes."""
        return int(self.spacing.size)

    @property
    def cells(self) -> tuple[int, ...]:
        """Voxels along each active axis."""
        return self.bulk.shape[: self.dimension]

    @property
    def size(self) -> FloatArray:
        """Box edges [m]."""
        return np.asarray(self.cells) * self.spacing

    def walled(self) -> VoxelProblem:
        """Leave out the boundary faces that lead across the periodic box.

        Returns
        -------
        VoxelProblem
            The same problem in a box with walls.
        """
        if self.faces is None:
            return self
        inside = self.faces.wraps == 0
        parts = (getattr(self.faces, field.name)[inside] for field in fields(Faces))
        return replace(
            self,
            faces=Faces(*parts),
            resistance=self.resistance[inside],
            sheet=self.sheet[inside],
            classes=None if self.classes is None else self.classes[inside],
        )


@dataclass(frozen=True, slots=True)
class Network:
    """An assembled problem: the conductance graph and what its nodes stand for.

    Parameters
    ----------
    graph : ConductanceGraph
        Nodes 0 … voxels−1 are the voxels in C order, the rest boundary faces.
    half : (m, 2) ndarray
        Conductance from each sheet face to its lower and upper voxel.
    sheet_face : (m,) int32 ndarray
        Number, in ``faces``, of the face behind each face node.
    """

    graph: ConductanceGraph
    half: FloatArray
    sheet_face: NDArray[np.int32]


def boundary_faces(
    labels: NDArray[np.int32],
    images: NDArray[np.int8] | None,
    phase: NDArray[np.int32],
    dimension: int,
    periodic: bool,
) -> tuple[NDArray[np.int8], NDArray[np.int32], NDArray[np.int8]]:
    """Find the voxel faces between different grains.

    Parameters
    ----------
    labels : (nx, ny, nz) int32 ndarray
        Grain numbers.
    images : (nx, ny, nz, d) int8 ndarray or None
        Box offset of the seed behind each voxel: a grain that touches its own
        periodic image has a boundary there.
    phase : (nx, ny, nz) int ndarray
        Phase of each voxel.
    dimension : int
        Number of active axes.
    periodic : bool
        Whether faces across the box count.

    Returns
    -------
    axis : (m,) int8 ndarray
        Normal axis of each face.
    index : (m, 3) int32 ndarray
        Lower voxel of each face.
    wraps : (m,) int8 ndarray
        One for faces across the box.
    """
    owner, turn = _owners(labels, images, dimension)
    count = count_faces(owner, turn, periodic)
    axis = np.repeat(np.arange(dimension, dtype=np.int8), count)
    index = np.empty((axis.size, 3), np.int32)
    wraps = np.empty(axis.size, np.int8)
    list_faces(owner, turn, periodic, index, wraps)
    return axis, index, wraps


def _owners(
    labels: NDArray[np.int32], images: NDArray[np.int8] | None, dimension: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """One number for grain and box offset, and what it gains by one box along each axis."""
    if images is None:
        return labels.astype(np.int64), np.zeros(dimension, np.int64)
    least = int(images.min())
    base = int(images.max()) - least + 2
    turn = base ** np.arange(dimension, dtype=np.int64)
    return encode(labels, images, least, turn, base**dimension), turn


def film_table(
    faces: Faces, table: Films, classes: NDArray[np.integer], bulk: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Look up the excess quantities of each boundary face.

    Parameters
    ----------
    faces : Faces
        Faces between grains.
    table : Films
        Film of every class of boundary.
    classes : (m,) int ndarray
        Class of each face.
    bulk : (p,) ndarray
        Bulk coefficient of each phase.

    Returns
    -------
    resistance : (m, 2) ndarray
        R on the lower and on the upper side, on the staircase.
    sheet : (m,) ndarray
        G of each face.
    """
    kind = np.arange(-1, len(table.names))[:, None]  # −1, no film, comes first
    resistance = table.resistance(kind, bulk)
    sheet = table.sheet(kind[:, :, None], bulk[:, None], bulk)
    tilted, along = films_on_faces(
        faces.axis, faces.normal, classes, faces.lower, faces.upper, resistance, sheet, STEEPEST
    )
    return tilted, along


def face_conductances(problem: VoxelProblem, periodic: bool) -> tuple[FloatArray, FloatArray]:
    """Two-point conductances of all faces and the halves at boundary faces.

    Parameters
    ----------
    problem : VoxelProblem
        Coefficients and films.
    periodic : bool
        Whether the last face of an axis leads to the first voxel.

    Returns
    -------
    through : (d, nx, ny, nz) ndarray
        Conductance of the face on the upper side of each voxel.
    half : (m, 2) ndarray
        Conductance from each boundary face to its lower and upper voxel.
    """
    d, h, bulk = problem.dimension, problem.spacing, problem.bulk
    through = np.zeros((d, *bulk.shape))
    for a in range(d):
        area = h.prod() / h[a]
        upper = np.roll(bulk, -1, axis=a)
        total = bulk + upper
        np.divide(2 * bulk * upper, total, out=through[a], where=total > 0)
        through[a] *= area / h[a]
        if not periodic:
            end: list[slice | int] = [slice(None)] * 3
            end[a] = -1
            through[(a, *end)] = 0.0
    faces = problem.faces
    if faces is None:
        return through, np.zeros((0, 2))
    low = faces.index
    up = low.copy()
    rows = np.arange(faces.axis.size)
    up[rows, faces.axis] = (up[rows, faces.axis] + 1) % np.asarray(bulk.shape)[faces.axis]
    value = np.stack([bulk[tuple(low.T)], bulk[tuple(up.T)]], axis=1)
    step = h[faces.axis][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        full = step / value
        film = np.maximum(problem.resistance, -LARGEST_REPLACEMENT * full)
        half = (h.prod() / step) / (0.5 * full + film)
        series = 1.0 / (1.0 / half).sum(axis=1)
    through[(faces.axis, *low.T)] = series
    return through, half


def conducting_sheets(
    problem: VoxelProblem, half: FloatArray
) -> tuple[NDArray[np.int32], Sheets | None]:
    """Take the films that conduct along themselves out of a problem.

    Parameters
    ----------
    problem : VoxelProblem
        Coefficients and films.
    half : (m, 2) ndarray
        Conductance from each boundary face to its lower and upper voxel.

    Returns
    -------
    (n,) int32 ndarray
        Their faces.
    Sheets or None
        The sheets, if there are any.
    """
    if problem.faces is None:
        return np.zeros(0, np.int32), None
    found = _conducting_sheets(problem)
    if not found.size:
        return found, None
    arm = np.zeros((found.size, 3))
    arm[:, : problem.dimension] = _arms(problem, found)
    faces = problem.faces
    return found, Sheets.of(
        faces.axis[found], faces.index[found], half[found], arm, problem.bulk.shape
    )


def _loose(problem: VoxelProblem, found: NDArray[np.int32]) -> bool:
    """Whether much less flows from films onto the voxels on both sides than in these."""
    assert problem.faces is not None
    axis, index = problem.faces.axis[found], problem.faces.index[found]
    behind = index.copy()
    behind[np.arange(found.size), axis] += 1
    behind %= np.array(problem.bulk.shape)
    beside = np.stack([problem.bulk[tuple(index.T)], problem.bulk[tuple(behind.T)]], axis=1)
    loose = (problem.resistance[found] * beside > LOOSE * problem.spacing[axis, None]).all(axis=1)
    return bool(np.count_nonzero(loose) > LOOSE_SHARE * found.size)


def without_network(
    problem: VoxelProblem, periodic: bool
) -> tuple[bool, FloatArray | None, Sheets | None]:
    """Tell whether a problem has one unknown a voxel, and its films' conductances.

    Parameters
    ----------
    problem : VoxelProblem
        Coefficients and films.
    periodic : bool
        Whether the last face of an axis leads to the first voxel.

    Returns
    -------
    bool
        False if a film lets nothing through, if films that conduct along themselves stand
        beside voxels that do not, or if they let so little through that unknowns of their own
        on all grids pay (half as many iterations, or fewer).
    (d, nx, ny[, nz]) ndarray or None
        Conductance to the next voxel along each axis; None without films.
    Sheets or None
        Films that conduct along themselves.
    """
    if problem.faces is None or not (problem.resistance.any() or problem.sheet.any()):
        return True, None, None
    through, half = face_conductances(problem, periodic)
    where = (problem.faces.axis, *problem.faces.index.T)
    low = problem.bulk[where[1:]]
    if (through[where] <= 0.0)[low > 0].any():
        return False, None, None
    found, sheets = conducting_sheets(problem, half)
    if sheets is not None and (not (problem.bulk > 0).all() or _loose(problem, found)):
        return False, None, None
    return True, through.reshape(problem.dimension, *problem.cells), sheets


def assemble(problem: VoxelProblem, electrodes: int | None = None) -> Network:
    """Assemble the conductance graph.

    Parameters
    ----------
    problem : VoxelProblem
        Coefficients and films.
    electrodes : int, optional
        Axis whose two box faces are held at fixed potentials, with no flux
        through the others; None for a periodic box.

    Returns
    -------
    Network
        The graph and the meaning of its nodes.
    """
    periodic = electrodes is None
    through, half = face_conductances(problem, periodic)
    connected = periodic and bool((through > 0).all())
    d, bulk, h = problem.dimension, problem.bulk, problem.spacing
    number = np.arange(bulk.size, dtype=np.int32).reshape(bulk.shape)
    electrode = np.zeros((bulk.size, 2))
    if electrodes is not None:
        last = bulk.shape[electrodes] - 1
        contact = 2 * bulk * h.prod() / h[electrodes] ** 2
        for end, plane in enumerate((0, last)):
            where = np.take(number, plane, axis=electrodes).ravel()
            electrode[where, end] = contact.ravel()[where]
    node = np.full((d, *bulk.shape), -1, np.int32)
    sheets, links = np.zeros(0, np.int32), (np.zeros(0, np.int32),) * 2 + (np.zeros(0),)
    if problem.faces is not None:
        sheets = _conducting_sheets(problem)
        half = half[sheets]
    if sheets.size:
        axis, low = problem.faces.axis[sheets], problem.faces.index[sheets]  # type: ignore[union-attr]
        node[(axis, *low.T)] = bulk.size + np.arange(sheets.size, dtype=np.int32)
        through[(axis, *low.T)] = 0.0
        arm = _arms(problem, sheets)
        links, contacts = _sheet_links(problem, sheets, node, arm, electrodes)
        electrode = np.concatenate([electrode, contacts])
    return Network(
        _graph(problem, through, sheets, half, links, electrode, connected), half, sheets
    )


def _conducting_sheets(problem: VoxelProblem) -> NDArray[np.int32]:
    faces = problem.faces
    assert faces is not None
    low = problem.bulk[tuple(faces.index.T)]
    scale = NEGLIGIBLE_SHEET * problem.spacing.min() * low
    found: NDArray[np.int32] = np.flatnonzero(problem.sheet > scale).astype(np.int32)
    return found


def _arms(problem: VoxelProblem, sheets: NDArray[np.int32]) -> FloatArray:
    """Conductance from a face centre to its edges along each direction b."""
    faces = problem.faces
    assert faces is not None
    h, d = problem.spacing, problem.dimension
    axis = faces.axis[sheets]
    slope = np.abs(faces.normal[sheets])
    own = np.take_along_axis(slope, axis[:, None].astype(np.intp), axis=1)
    volume = h.prod()
    across_width = volume / (h[axis][:, None] * h[None, :])  # edge length normal to b and a
    arm: FloatArray = 2 * problem.sheet[sheets, None] * (own + slope) * across_width / h[None, :]
    arm[np.arange(sheets.size), axis] = 0.0
    return arm.reshape(sheets.size, d)


def _sheet_links(
    problem: VoxelProblem,
    sheets: NDArray[np.int32],
    node: NDArray[np.int32],
    arm: FloatArray,
    electrodes: int | None,
) -> tuple[tuple[NDArray[np.int32], NDArray[np.int32], FloatArray], FloatArray]:
    """Join face nodes over shared voxel edges; join edges at electrodes to them."""
    first, second, value, end_node, end_side, end_value = edge_stars(
        node,
        arm,
        problem.bulk.size,
        problem.dimension,
        electrodes is None,
        -1 if electrodes is None else electrodes,
    )
    contacts = np.zeros((sheets.size, 2))
    np.add.at(contacts, (end_node, end_side), end_value)
    return (first, second, value), contacts


@kernel()
def edge_stars(node, arm, offset, d, periodic, electrodes):  # type: ignore[no-untyped-def]  # noqa: C901
    """Star-mesh transform of every voxel edge that boundary faces share.

    The edge at the lower corner of voxel (i, j) in the plane of axes a, b has
    four faces around it: normal a at ±b and normal b at ±a.

    Parameters
    ----------
    node : (d, nx, ny, nz) int32 ndarray
        Node on the upper face of each voxel, −1 for none.
    arm : (n, d) ndarray
        Conductance from each node to its edges along each axis, real or complex.
    offset : int
        Number of the first of these nodes.
    d : int
        Number of active axes.
    periodic : bool
        Whether the box repeats.
    electrodes : int
        Axis between two electrodes, −1 for none.

    Returns
    -------
    first, second : (l,) int32 ndarray
        Nodes that are joined.
    value : (l,) ndarray
        Conductance between them.
    end_node, end_side : (e,) int64 ndarray
        Nodes, from 0 on, joined to an electrode, and to which.
    end_value : (e,) ndarray
        Conductance to it.
    """
    shape = node.shape[1:]
    nothing = np.zeros(1, arm.dtype)[0]  # arms may be complex
    first, second, value = [np.int32(0)], [np.int32(0)], [nothing]
    end_node, end_side, end_value = [np.int64(0)], [np.int64(0)], [nothing]
    found = np.empty(4, np.int32)
    conductance = np.empty(4, arm.dtype)
    corner, p = np.empty(3, np.int64), np.empty(3, np.int64)
    for a in range(d):
        for b in range(a + 1, d):
            for i in range(shape[0] + (not periodic) * (a == 0)):
                for j in range(shape[1] + (not periodic) * (a == 1 or b == 1)):
                    for k in range(shape[2] + (not periodic) * (b == 2)):
                        corner[0], corner[1], corner[2] = i, j, k
                        count = 0
                        for which in range(4):
                            normal = a if which < 2 else b
                            along = b if which < 2 else a
                            p[0], p[1], p[2] = i, j, k
                            p[normal] -= 1
                            p[along] -= which % 2
                            inside = True
                            for c in range(3):
                                if periodic:
                                    p[c] = p[c] % shape[c]
                                elif p[c] < 0 or p[c] >= shape[c]:
                                    inside = False
                            if not inside:
                                continue
                            f = node[normal, p[0], p[1], p[2]]
                            if f >= 0:
                                found[count] = f
                                conductance[count] = arm[f - offset, along]
                                count += 1
                        side = -1
                        if electrodes in (a, b):
                            if corner[electrodes] == 0:
                                side = 0
                            elif corner[electrodes] == shape[electrodes]:
                                side = 1
                        if side >= 0:
                            for m in range(count):
                                end_node.append(np.int64(found[m] - offset))
                                end_side.append(np.int64(side))
                                end_value.append(conductance[m])
                        else:
                            total = conductance[:count].sum()
                            for m in range(count):
                                for n in range(m + 1, count):
                                    first.append(found[m])
                                    second.append(found[n])
                                    value.append(conductance[m] * conductance[n] / total)
    return (
        np.array(first[1:], np.int32),
        np.array(second[1:], np.int32),
        np.array(value[1:]),
        np.array(end_node[1:]),
        np.array(end_side[1:]),
        np.array(end_value[1:]),
    )


def _graph(
    problem: VoxelProblem,
    through: FloatArray,
    sheets: NDArray[np.int32],
    half: FloatArray,
    links: tuple[NDArray[np.int32], NDArray[np.int32], FloatArray],
    electrode: FloatArray,
    connected: bool,
) -> ConductanceGraph:
    d, h, bulk = problem.dimension, problem.spacing, problem.bulk
    cells = np.asarray(bulk.shape)
    grid = np.stack(np.unravel_index(np.arange(bulk.size), bulk.shape), axis=1)[:, :d]
    coordinates = grid.astype(np.int32)
    position = (grid + 0.5) * h
    group = _groups(problem, through, half)
    first, second, value = links
    if sheets.size:
        assert problem.faces is not None
        axis, low = problem.faces.axis[sheets], problem.faces.index[sheets]
        up = low.copy()
        rows = np.arange(sheets.size)
        up[rows, axis] = (up[rows, axis] + 1) % cells[axis]
        lower = np.ravel_multi_index(tuple(low.T), bulk.shape).astype(np.int32)
        upper = np.ravel_multi_index(tuple(up.T), bulk.shape).astype(np.int32)
        face = (bulk.size + rows).astype(np.int32)
        first = np.concatenate([first, face, face])
        second = np.concatenate([second, lower, upper])
        value = np.concatenate([value, half[:, 0], half[:, 1]])
        centre = (low[:, :d] + 0.5) * h
        centre[rows, axis] += 0.5 * h[axis]
        position = np.concatenate([position, centre])
        coordinates = np.concatenate([coordinates, low[:, :d]])
        group = np.concatenate([group, _sheet_groups(group, lower, upper, half, face, links)])
    indptr, indices, conductance = _compressed_rows(
        through, np.int64(position.shape[0]), first, second, value
    )
    return ConductanceGraph(
        indptr,
        indices,
        conductance,
        electrode,
        position,
        np.ascontiguousarray(coordinates),
        group,
        problem.cells,
        problem.size,
        connected,
    )


def _groups(problem: VoxelProblem, through: FloatArray, half: FloatArray) -> NDArray[np.int32]:
    """Keep grains apart on coarse grids where a film parts them strongly."""
    faces = problem.faces
    if faces is None:
        return np.zeros(problem.bulk.size, np.int32)
    film = problem.resistance.sum(axis=1)
    low = problem.bulk[tuple(faces.index.T)]
    blocking = film * low > 5.0 * problem.spacing[faces.axis]
    if not blocking.any():
        return np.zeros(problem.bulk.size, np.int32)
    return problem.labels.ravel().astype(np.int32)


def _sheet_groups(
    group: NDArray[np.int32],
    lower: NDArray[np.int32],
    upper: NDArray[np.int32],
    half: FloatArray,
    face: NDArray[np.int32],
    links: tuple[NDArray[np.int32], NDArray[np.int32], FloatArray],
) -> NDArray[np.int32]:
    """A face node joins the grain it is tied to best, or forms its own sheet."""
    offset = int(face[0]) if face.size else 0
    sheet = np.bincount(links[0] - offset, links[2], face.size)
    sheet += np.bincount(links[1] - offset, links[2], face.size)
    tied = half.max(axis=1) > 0.1 * sheet
    nearest = np.where(half[:, 0] >= half[:, 1], group[lower], group[upper])
    alone = int(group.max(initial=0)) + 1
    return np.where(tied, nearest, alone).astype(np.int32)


@kernel()
def _compressed_rows(through, n, first, second, value):  # type: ignore[no-untyped-def]  # noqa: C901
    """Compressed rows of the voxel faces plus the extra links."""
    d = through.shape[0]
    shape = through.shape[1:]
    count = np.zeros(n + 1, np.int64)
    size = shape[0] * shape[1] * shape[2]
    stride = (shape[1] * shape[2], shape[2], 1)
    for sweep in range(2):
        if sweep == 1:
            for i in range(n):
                count[i + 1] += count[i]
            indices = np.empty(count[n], np.int32)
            conductance = np.empty(count[n], np.float64)
            place = count[:-1].copy()
        for i in range(shape[0]):
            for j in range(shape[1]):
                for k in range(shape[2]):
                    me = (i * shape[1] + j) * shape[2] + k
                    at = (i, j, k)
                    for a in range(d):
                        v = through[a, i, j, k]
                        if v == 0.0:
                            continue
                        other = me + stride[a]
                        if at[a] == shape[a] - 1:
                            other -= shape[a] * stride[a]
                        if sweep == 0:
                            count[me + 1] += 1
                            count[other + 1] += 1
                        else:
                            indices[place[me]] = other
                            conductance[place[me]] = v
                            place[me] += 1
                            indices[place[other]] = me
                            conductance[place[other]] = v
                            place[other] += 1
        for m in range(first.size):
            if value[m] == 0.0:
                continue
            i, j = first[m], second[m]
            if sweep == 0:
                count[i + 1] += 1
                count[j + 1] += 1
            else:
                indices[place[i]] = j
                conductance[place[i]] = value[m]
                place[i] += 1
                indices[place[j]] = i
                conductance[place[j]] = value[m]
                place[j] += 1
    assert size <= n
    return count, indices, conductance
