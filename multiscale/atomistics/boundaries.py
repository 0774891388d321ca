"""Grain boundaries and interfaces of crystals, as periodic cells of two grains.

Both grains are cut from their lattices by one plane; the cell repeats along the plane with vectors
common to both, and along its normal, so that it holds two boundaries. The framework is cut
first; atoms of the two grains that would overlap become one. Then the sites that are partly
occupied are filled, as in :mod:`~multiscale.atomistics.crystals`, with so many mobile ions that
the cell is neutral.

*Coincidence boundaries*: the second grain is the first, turned about an axis by an angle at which a
share 1/Σ of lattice points coincide. *Twins*: the second grain is the mirror image of the first in
the plane. *Interfaces*: two crystals whose lattices match along the plane under a small strain.

References
----------
Grimmer, Bollmann & Warrington, Acta Cryst. A 30, 197 (1974), 10.1107/S056773947400043X
(coincidence);
Zur & McGill, J. Appl. Phys. 55, 378 (1984), 10.1063/1.333084 (matching of lattices).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import atomic_numbers, covalent_radii
from ase.neighborlist import neighbor_list
from ase.spacegroup import Spacegroup
from numpy.typing import NDArray

from multiscale.atomistics.crystals import Crystal, Site, check_neutral, fill
from multiscale.atomistics.density import relax
from multiscale.atomistics.dynamics import CrystalCheck
from multiscale.errors import DynamicsError, StructureError, describe

FloatArray = NDArray[np.float64]

MOBILE = "Li"
EV_PER_SQUARE_ANGSTROM = 16.02176634
"""In J/m²."""
TOLERANCE = 1e-6
MERGED = 0.7
"""Framework atoms of one element nearer than this share of twice their radius become one."""
CROWDED = 0.75
"""Sites nearer than this share of the sum of radii to a framework atom are not filled."""
SHORTEST_SITES = 1.5
"""Sites of mobile ions nearer than this are one [Å]."""
SHORTEST_BOX = 40
"""Largest index searched for vectors of a plane."""
BASES = tuple(
    np.array([one, other])
    for one in itertools.product((-1, 0, 1), repeat=2)
    for other in itertools.product((-1, 0, 1), repeat=2)
    if one[0] * other[1] - one[1] * other[0] == 1
)
"""Other right-handed bases of a lattice of a plane that are nearly as short as the reduced one."""
OFF_COMPOSITION = 0.25
"""Largest relative difference of mobile ions to the bulk's that neutrality may ask for."""


@dataclass(frozen=True, slots=True)
class BoundaryCell:
    """A periodic cell of two grains.

    Parameters
    ----------
    atoms : ase.Atoms
        The normal is along z, the third vector.
    planes : tuple of float
        Where the boundaries are, as shares of the third vector.
    area : float
        Of one boundary [Å²].
    detail : mapping of str to object
        What it is: sigma, angle, tilt or twist, strain, terminations, merged atoms.
    """

    atoms: Atoms
    planes: tuple[float, float]
    area: float
    detail: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Grain:
    """A crystal, how it lies in the cell, and where it is cut."""

    crystal: Crystal
    turn: FloatArray  # Cartesian axes of the crystal to those of the cell; may be strained
    layers: int
    spacing: float  # of lattice planes along the normal
    offset: float = 0.0  # of the cut from the origin of the crystal, along the normal
    aside: tuple[float, float] = (0.0, 0.0)  # shift in the plane

    @property
    def height(self) -> float:
        return self.layers * self.spacing


def coincidence(
    one: Crystal,
    sigma: int,
    axis: Sequence[int],
    plane: Sequence[int],
    generator: np.random.Generator,
    *,
    thickness: float = 12.0,
    side: float = 0.0,
    translation: tuple[float, float] = (0.0, 0.0),
    gap: float = 0.0,
    cut: int = 0,
) -> BoundaryCell:
    """Build a coincidence-site-lattice boundary of a cubic crystal.

    Parameters
    ----------
    one : Crystal
        Cubic.
    sigma : int
        Inverse share of coincident lattice points.
    axis, plane : sequence of int
        Rotation axis, and the plane as the first grain sees it: a tilt boundary if the axis lies
        in it, a twist boundary if it is normal to it.
    generator : numpy.random.Generator
        Draws the partly occupied sites.
    thickness : float, optional
        Least thickness of each grain [Å].
    side : float, optional
        Least distance of opposite sides of the cell in the plane [Å]; the smallest cell is
        repeated until they are so far apart.
    translation : tuple of float, optional
        Of the second grain, as shares of the vectors in the plane.
    gap : float, optional
        Added at each boundary along the normal [Å].
    cut : int, optional
        Which of :func:`terminations`.

    Returns
    -------
    BoundaryCell
        Not relaxed.

    Raises
    ------
    StructureError
        If there is no such boundary, or no neutral filling of it.
    """
    if len(set(one.cell[:3])) != 1 or set(one.cell[3:]) != {90.0}:
        raise StructureError(describe(one.name, "a cubic crystal", "another", "build a twin"))
    for name, indices in (("axis", axis), ("plane", plane)):
        if len(indices) != 3 or not any(indices):
            raise StructureError(describe(name, "three indices, not all 0", list(indices)))
    angles = coincidence_angles(sigma, axis)
    if not angles:
        raise StructureError(
            describe(f"sigma {sigma}", f"a rotation about {_miller(axis)}",
                     "none", f"some there are: {_some_sigmas(axis)}")
        )  # fmt: skip
    normal = np.array(plane, float)
    turns = [_rotation(axis, angle) for angle in angles]
    best = min(range(len(turns)), key=lambda k: _index_of(turns[k].T @ normal))
    turn, angle = turns[best], angles[best]
    lean = abs(float(np.dot(axis, plane))) / np.linalg.norm(axis) / np.linalg.norm(plane)
    kind = "twist" if lean > 1 - 1e-9 else "tilt" if lean < 1e-9 else "mixed"
    detail = {
        "sigma": sigma,
        "axis": list(axis),
        "angle_degrees": math.degrees(angle),
        "kind": kind,
    }
    size = (thickness, side)
    return _two_of_one(one, plane, turn, generator, size, translation, gap, cut, detail)


def twin(
    one: Crystal,
    plane: Sequence[int],
    generator: np.random.Generator,
    *,
    thickness: float = 12.0,
    side: float = 0.0,
    translation: tuple[float, float] = (0.0, 0.0),
    gap: float = 0.0,
    cut: int = 0,
) -> BoundaryCell:
    """Build a boundary between a crystal and its mirror image.

    Parameters
    ----------
    one : Crystal
        Of any symmetry.
    plane : sequence of int
        Mirror plane: three indices, or four of a hexagonal cell.
    generator : numpy.random.Generator
        Draws the partly occupied sites.
    thickness : float, optional
        Least thickness of each grain [Å].
    side : float, optional
        Least distance of opposite sides of the cell in the plane [Å]; the smallest cell is
        repeated until they are so far apart.
    translation : tuple of float, optional
        Of the mirror image, as shares of the vectors in the plane.
    gap : float, optional
        Added at each boundary along the normal [Å].
    cut : int, optional
        Which of :func:`terminations`.

    Returns
    -------
    BoundaryCell
        Not relaxed.

    Raises
    ------
    StructureError
        If the plane is none, or there is no neutral filling.
    """
    normal = plane_normal(one, plane)
    mirror = np.eye(3) - 2.0 * np.outer(normal, normal)
    detail: dict[str, object] = {"kind": "twin"}
    size = (thickness, side)
    return _two_of_one(one, plane, mirror, generator, size, translation, gap, cut, detail)


def _two_of_one(
    one: Crystal,
    plane: Sequence[int],
    turn: FloatArray,
    generator: np.random.Generator,
    size: tuple[float, float],
    translation: tuple[float, float],
    gap: float,
    cut: int,
    detail: dict[str, object],
) -> BoundaryCell:
    """Two grains of one crystal; the second is turned or mirrored."""
    normal = plane_normal(one, plane)
    lattice = primitive_vectors(one)
    first, second = _common_vectors(lattice, turn @ lattice.T, normal)
    frame = _frame(first, second, normal)
    grains: list[_Grain] = []
    for way in (np.eye(3), turn):
        own = way.T @ normal
        spacing, end = _spacing(lattice, own), _chosen(one, own, cut)
        layers = max(1, math.ceil(size[0] / spacing - 1e-9))
        offset, aside = end.offset, (0.0, 0.0)
        if grains and np.allclose(own, -normal):  # a mirror image: the same cut from the other side
            offset = -grains[0].offset % spacing
            drop = layers * spacing + grains[0].offset + offset
            aside = _aside(lattice @ (frame @ way).T, drop)
        grains.append(_Grain(one, frame @ way, layers, spacing, offset, aside))
        detail["termination"] = end.name
    vectors = _repeated(np.array([frame @ first, frame @ second]), size[1])
    detail |= {
        "plane": list(plane), "translation": list(translation), "gap_A": gap,
        "thickness_A": [grain.height for grain in grains],
    }  # fmt: skip
    return _assemble(grains, vectors, translation, gap, generator, detail)


def interface(
    first: Crystal,
    second: Crystal,
    planes: tuple[Sequence[int], Sequence[int]],
    generator: np.random.Generator,
    *,
    thickness: float = 12.0,
    side: float = 0.0,
    max_strain: float = 0.03,
    max_area: float = 500.0,
    translation: tuple[float, float] = (0.0, 0.0),
    gap: float = 0.0,
    cuts: tuple[int, int] = (0, 0),
) -> BoundaryCell:
    """Build an interface of two crystals; the second is strained to match the first.

    Parameters
    ----------
    first, second : Crystal
        The crystals.
    planes : tuple of sequence of int
        Plane of each that lies in the interface.
    generator : numpy.random.Generator
        Draws the partly occupied sites.
    thickness : float, optional
        Least thickness of each grain [Å].
    side : float, optional
        Least distance of opposite sides of the cell in the plane [Å]; the smallest cell is
        repeated until they are so far apart.
    max_strain : float, optional
        Largest principal strain of the second that is let through.
    max_area : float, optional
        Largest area [Å²].
    translation : tuple of float, optional
        Of the second, as shares of the vectors in the plane.
    gap : float, optional
        Added at each boundary along the normal [Å].
    cuts : tuple of int, optional
        Which of :func:`terminations` of each.

    Returns
    -------
    BoundaryCell
        Not relaxed; ``detail["strain"]`` holds the principal strains.

    Raises
    ------
    StructureError
        If no match is within both limits, there is no such termination, or no neutral filling.
    """
    crystals = (first, second)
    normals = [plane_normal(one, plane) for one, plane in zip(crystals, planes, strict=True)]
    frames, vectors = [], []
    for one, normal in zip(crystals, normals, strict=True):
        lattice = primitive_vectors(one)
        a, b = _common_vectors(lattice, lattice.T, normal)
        frame = _frame(a, b, normal)
        frames.append(frame)
        vectors.append(np.array([frame @ a, frame @ b])[:, :2])
    cell, strain = _match(vectors[0], vectors[1], max_strain, max_area)
    stretch = np.eye(3)
    stretch[:2, :2] = strain
    grains, ends = [], []
    for number, (one, normal) in enumerate(zip(crystals, normals, strict=True)):
        spacing = _spacing(primitive_vectors(one), normal)
        end = _chosen(one, normal, cuts[number])
        ends.append(end)
        way = frames[number] if number == 0 else stretch @ frames[number]
        layers = max(1, math.ceil(thickness / spacing - 1e-9))
        grains.append(_Grain(one, way, layers, spacing, end.offset))
    principal = np.linalg.svd(strain, compute_uv=False) - 1.0
    detail: dict[str, object] = {
        "kind": "interface", "planes": [list(one) for one in planes],
        "strain": [float(one) for one in principal],
        "terminations": [end.name for end in ends], "open": all(end.open for end in ends),
        "translation": list(translation), "gap_A": gap,
    }  # fmt: skip
    whole = np.zeros((2, 3))
    whole[:, :2] = cell
    whole = _repeated(whole, side)
    return _assemble(grains, whole, translation, gap, generator, detail)


@dataclass(frozen=True, slots=True)
class Termination:
    """A way to cut a crystal between two layers of its framework.

    Parameters
    ----------
    offset : float
        Distance of the cut from the origin along the normal [Å].
    name : str
        Elements of the layers above and below the cut.
    open : bool
        Whether no layer of metal atoms lies at the cut: mobile ions can pass between anions.
    """

    offset: float
    name: str
    open: bool


ANIONS = ("O", "S", "Cl", "F", "N")
LAYER = 0.6
"""Atoms whose heights differ by less are one layer [Å]."""


def terminations(one: Crystal, plane: Sequence[int]) -> tuple[Termination, ...]:
    """Find where a crystal can be cut parallel to a plane.

    Parameters
    ----------
    one : Crystal
        The crystal.
    plane : sequence of int
        Its plane.

    Returns
    -------
    tuple of Termination
        Cuts midway between layers of the framework, widest gap first.
    """
    return _terminations(one, plane_normal(one, plane))


def _chosen(one: Crystal, normal: FloatArray, cut: int) -> Termination:
    known = _terminations(one, normal)
    if not 0 <= cut < len(known):
        raise StructureError(describe(f"termination of {one.name}", f"0 … {len(known) - 1}", cut))
    return known[cut]


def _terminations(one: Crystal, normal: FloatArray) -> tuple[Termination, ...]:
    """Cuts between layers of the framework, widest gap first."""
    spacing = _spacing(primitive_vectors(one), normal)
    atoms = _parts(one)[0]
    height = (atoms.positions @ normal) % spacing
    order = np.argsort(height)
    heights, symbols = height[order], [atoms.symbols[int(k)] for k in order]
    gaps = np.append(np.diff(heights), heights[0] + spacing - heights[-1])
    found = []
    for k in np.argsort(-gaps, kind="stable"):
        if gaps[k] < min(LAYER, 0.999 * gaps.max()):
            break
        offset = float((heights[k] + 0.5 * gaps[k]) % spacing)
        below = {
            s for h, s in zip(heights, symbols, strict=True) if (heights[k] - h) % spacing < LAYER
        }
        top = heights[(k + 1) % heights.size]
        above = {s for h, s in zip(heights, symbols, strict=True) if (h - top) % spacing < LAYER}
        free = all(side & set(ANIONS) for side in (below, above))
        name = f"{'+'.join(sorted(below))}|{'+'.join(sorted(above))}"
        found.append(Termination(offset, name, free))
    return tuple(found)


def plane_normal(one: Crystal, plane: Sequence[int]) -> FloatArray:
    """Normal of a lattice plane.

    Parameters
    ----------
    one : Crystal
        The crystal.
    plane : sequence of int
        Three indices, or four of a hexagonal cell.

    Returns
    -------
    (3,) ndarray
        Unit vector in the axes of the crystal's conventional cell.

    Raises
    ------
    StructureError
        If the indices are no plane.
    """
    indices = list(plane)
    if len(indices) == 4:
        if indices[0] + indices[1] + indices[2] != 0:
            raise StructureError(
                describe("plane", "indices h k i l with h + k + i = 0", _miller(plane))
            )
        del indices[2]
    if len(indices) != 3 or not any(indices):
        raise StructureError(describe("plane", "three indices, not all 0", list(plane)))
    cell = Atoms(cell=one.cell, pbc=True).cell.array
    normal = np.linalg.inv(cell) @ np.array(indices, float)
    return np.asarray(normal / np.linalg.norm(normal))


def primitive_vectors(one: Crystal) -> FloatArray:
    """Primitive vectors of a crystal's lattice.

    Parameters
    ----------
    one : Crystal
        The crystal.

    Returns
    -------
    (3, 3) ndarray
        Rows, in the axes of its conventional cell [Å].
    """
    cell = Atoms(cell=one.cell, pbc=True).cell.array
    group = Spacegroup(one.space_group)
    points = np.array(group.subtrans, float).reshape(-1, 3)
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)), float)
    every = (points[:, None, :] + shifts[None]).reshape(-1, 3) @ cell
    every = every[np.linalg.norm(every, axis=1) > TOLERANCE]
    every = every[np.argsort(np.round(np.linalg.norm(every, axis=1), 6), kind="stable")]
    volume = abs(np.linalg.det(cell)) / len(points)
    for three in itertools.combinations(every[:24], 3):
        if abs(np.linalg.det(three) - volume) < 1e-6 * volume:
            return np.array(three)
    raise StructureError(describe(one.name, "primitive vectors", "none"))


def coincidence_angles(sigma: int, axis: Sequence[int]) -> list[float]:
    """Angles of rotation about an axis at which a share 1/Σ of a cubic lattice coincides.

    Parameters
    ----------
    sigma : int
        Odd.
    axis : sequence of int
        Of rotation.

    Returns
    -------
    list of float
        Within (0, π), rising [rad].

    Notes
    -----
    Ranganathan, Acta Cryst. 21, 197 (1966), 10.1107/S0365110X66002615: Σ is x² + N y², with the
    factors of 2 taken out, tan(θ/2) = (y/x) √N, N the squared length of the axis.
    """
    divisor = math.gcd(*(int(one) for one in axis))
    length = sum((int(one) // divisor) ** 2 for one in axis)
    found = set()
    for x, y in itertools.product(range(4 * sigma + 1), range(1, 4 * sigma + 1)):
        if math.gcd(x, y) != 1:
            continue
        value = x * x + length * y * y
        while value % 2 == 0:
            value //= 2
        if value == sigma:
            found.add(round(2.0 * math.atan2(y * math.sqrt(length), x), 12))
    return sorted(angle for angle in found if 1e-9 < angle < math.pi + 1e-9)


def _some_sigmas(axis: Sequence[int]) -> str:
    return ", ".join(str(s) for s in range(3, 40, 2) if coincidence_angles(s, axis))


def _miller(indices: Sequence[int]) -> str:
    return "[" + " ".join(str(one) for one in indices) + "]"


def _index_of(vector: FloatArray) -> float:
    """How far a direction is from one with small whole indices."""
    for scale in range(1, 200):
        scaled = vector * scale
        if np.abs(scaled - np.round(scaled)).max() < 1e-6:
            return float(np.linalg.norm(scaled))
    return math.inf


def _rotation(axis: Sequence[int], angle: float) -> FloatArray:
    x, y, z = np.array(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


def _common_vectors(
    lattice: FloatArray, other: FloatArray, normal: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Two shortest vectors of a plane that belong to a lattice (rows) and to another (columns)."""
    inverse = np.linalg.inv(other)
    for reach in (4, 8, 16, SHORTEST_BOX):
        steps = np.arange(-reach, reach + 1)
        grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
        points = grid @ lattice
        flat = np.abs(points @ normal) < 1e-6 * np.abs(lattice).max()
        points = points[flat & grid.any(axis=1)]
        inside = points @ inverse.T
        points = points[np.abs(inside - np.round(inside)).max(axis=1) < 1e-5]
        length = np.linalg.norm(points, axis=1)
        points = points[np.argsort(np.round(length, 6), kind="stable")]
        if not len(points):
            continue
        first = points[0]
        apart = np.linalg.norm(np.cross(points, first), axis=1)
        rest = points[apart > 1e-6 * np.linalg.norm(first)]
        limit = 0.5 * reach * np.linalg.norm(lattice, axis=1).min()
        if len(rest) and (np.linalg.norm(rest[0]) < limit or reach == SHORTEST_BOX):
            second = rest[0] if first @ rest[0] >= -1e-9 else -rest[0]
            if np.cross(first, second) @ normal < 0:
                first, second = second, first
            return first, second
    raise StructureError(
        describe("plane", "vectors common to both grains", "none", "choose smaller indices")
    )


def _frame(first: FloatArray, second: FloatArray, normal: FloatArray) -> FloatArray:
    """Rotation that takes the normal to z and the first vector to x."""
    x = first / np.linalg.norm(first)
    return np.array([x, np.cross(normal, x), normal])


def _repeated(vectors: FloatArray, side: float) -> FloatArray:
    """Repeat a cell of a plane until its opposite sides are far enough apart."""
    area = float(np.linalg.norm(np.cross(vectors[0], vectors[1])))
    apart = area / np.linalg.norm(vectors[::-1], axis=1)
    times = np.maximum(1, np.ceil(side / apart - 1e-9))
    return np.asarray(vectors * times[:, None])


def _spacing(lattice: FloatArray, normal: FloatArray) -> float:
    """Distance of the lattice planes with a normal."""
    along = lattice @ normal
    steps = np.arange(-12, 13)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
    found = np.abs(grid @ along)
    return float(found[found > 1e-4 * np.abs(lattice).max()].min())


def _aside(lattice: FloatArray, drop: float) -> tuple[float, float]:
    """Shift in the plane of the shortest lattice vector that goes down by so much."""
    steps = np.arange(-12, 13)
    grid = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3) @ lattice
    down = grid[np.abs(grid[:, 2] + drop) < 1e-4]
    x, y, _ = down[np.linalg.norm(down[:, :2], axis=1).argmin()]
    return float(x), float(y)


def _match(
    first: FloatArray, second: FloatArray, max_strain: float, max_area: float
) -> tuple[FloatArray, FloatArray]:
    """Find a common cell of two lattices of a plane, and the strain of the second."""
    areas = [abs(np.linalg.det(one)) for one in (first, second)]
    most = [int(max_area / area) for area in areas]
    pairs = sorted(
        (one, other)
        for one, other in itertools.product(range(1, most[0] + 1), range(1, most[1] + 1))
        if abs(one * areas[0] / (other * areas[1]) - 1) <= 2.2 * max_strain
    )
    for one, some in itertools.groupby(pairs, key=lambda pair: pair[0]):
        cells = [turn @ cell for cell in _reduced_cells(first, one) for turn in BASES]
        targets = np.array(cells)[:, None]
        others = np.array([cell for _, other in some for cell in _reduced_cells(second, other)])
        strains = np.linalg.solve(np.broadcast_to(others, (len(cells), *others.shape)), targets)
        values = np.linalg.svd(strains, compute_uv=False)
        size = np.abs(values - 1.0).max(axis=2)
        if size.min() <= max_strain:
            best, other = np.unravel_index(int(size.argmin()), size.shape)
            return cells[best], np.asarray(strains[best, other].T)  # the second's to the first's
    raise StructureError(
        describe("interface", f"a common cell within {max_strain:g} strain and {max_area:g} Å²",
                 "none", "allow more strain or area, or choose other planes")
    )  # fmt: skip


def _reduced_cells(vectors: FloatArray, multiple: int) -> Iterator[FloatArray]:
    """Cells of a lattice of a plane with so many times its area, as reduced bases."""
    for a in range(1, multiple + 1):
        if multiple % a:
            continue
        for shift in range(multiple // a):
            matrix = np.array([[a, shift], [0, multiple // a]], float)
            cell = matrix @ vectors
            yield _reduce(cell)


def _reduce(cell: FloatArray) -> FloatArray:
    """Gauss's reduction; the angle is at most a right one, the basis right-handed."""
    first, second = cell
    while True:
        if np.dot(first, first) > np.dot(second, second) + 1e-12:
            first, second = second, first
        steps = np.round(np.dot(first, second) / np.dot(first, first))
        if steps == 0:
            break
        second = second - steps * first
    if np.dot(first, second) < -1e-9:
        second = -second
    if first[0] * second[1] - first[1] * second[0] < 0:
        first, second = second, first
    return np.array([first, second])


def _cut(
    grain: _Grain, vectors: FloatArray, crystal_cell: Atoms, places: FloatArray
) -> tuple[FloatArray, NDArray[np.intp]]:
    """Points of a grain within one cell of the plane and its height, and which they repeat."""
    base = crystal_cell.cell.array @ grain.turn.T
    points = places @ grain.turn.T
    plane = vectors[:, :2]
    corners = np.array(list(itertools.product((0, 1), (0, 1), (0, 1))), float)
    box = np.zeros((3, 3))
    box[:2], box[2, 2] = vectors, grain.height
    low_high = (corners @ box + [0, 0, grain.offset]) @ np.linalg.inv(base)
    low, high = np.floor(low_high.min(axis=0)) - 2, np.ceil(low_high.max(axis=0)) + 2
    ranges = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 3)
    every = (grid @ base)[:, None, :] + points[None]
    which = np.tile(np.arange(len(points)), len(grid))
    every = every.reshape(-1, 3)
    every[:, 2] -= grain.offset
    shares = every[:, :2] @ np.linalg.inv(plane)
    inside = (
        (shares >= -TOLERANCE).all(axis=1)
        & (shares < 1 - TOLERANCE).all(axis=1)
        & (every[:, 2] >= -1e-4)
        & (every[:, 2] < grain.height - 1e-4)
    )
    return every[inside], which[inside]


def _assemble(
    grains: Sequence[_Grain],
    vectors: FloatArray,
    translation: tuple[float, float],
    gap: float,
    generator: np.random.Generator,
    detail: dict[str, object],
) -> BoundaryCell:
    """Put two grains into a cell, merge what overlaps and fill the sites."""
    first, second = grains
    height = first.height + second.height + 2.0 * gap
    cell = np.zeros((3, 3))
    cell[:2], cell[2, 2] = vectors, height
    shift = np.array(translation) @ vectors + [0.0, 0.0, first.height + gap]
    frameworks, sites, kinds, sides = [], [], [], []
    for side, (grain, moved) in enumerate(zip(grains, (np.zeros(3), shift), strict=True)):
        fixed, ghosts, kind = _parts(grain.crystal)
        moved = moved + np.array([*grain.aside, 0.0])
        where, which = _cut(grain, vectors, fixed, fixed.positions)
        _see_count(grain, fixed, vectors, len(where))
        frameworks.append(
            Atoms([fixed.symbols[int(k)] for k in which], where + moved, cell=cell, pbc=True)
        )
        where, which = _cut(grain, vectors, ghosts, ghosts.positions)
        sites.append(where + moved)
        kinds.append(kind[which])
        sides.append(np.full(len(where), side))
    framework = frameworks[0] + frameworks[1]
    framework.wrap()
    framework, merged = _merge(framework)
    detail["merged"] = merged
    points = Atoms("X" * sum(map(len, sites)), np.concatenate(sites), cell=cell, pbc=True)
    points.wrap()
    atoms = _populate(
        [grain.crystal for grain in grains], framework, points,
        np.concatenate(kinds), np.concatenate(sides), generator, detail,
    )  # fmt: skip
    middle = 0.5 * gap
    planes = (((-middle) % height) / height, (first.height + middle) / height)
    area = float(np.linalg.norm(np.cross(vectors[0], vectors[1])))
    return BoundaryCell(atoms, planes, area, detail)


def _filled(site: Site) -> bool:
    """Whether a site is filled once the framework is there."""
    return site.drawn or MOBILE in site.species


def _parts(one: Crystal) -> tuple[Atoms, Atoms, NDArray[np.intp]]:
    """Conventional cells of the framework and of the sites to fill, with their kinds."""
    fixed, ghosts = Atoms(cell=one.cell, pbc=True), Atoms(cell=one.cell, pbc=True)
    kind: list[int] = []
    for number, site in enumerate(one.sites):
        points = one.points(site)
        if _filled(site):
            ghosts += Atoms("X" * len(points), scaled_positions=points, cell=one.cell)
            kind += [number] * len(points)
        else:
            (element,) = site.species
            fixed += Atoms([element] * len(points), scaled_positions=points, cell=one.cell)
    return fixed, ghosts, np.array(kind, np.intp)


def _see_count(grain: _Grain, fixed: Atoms, vectors: FloatArray, count: int) -> None:
    """A cut grain holds as many atoms as its volume tells."""
    volume = float(np.linalg.norm(np.cross(vectors[0], vectors[1]))) * grain.height
    stretched = abs(np.linalg.det(grain.turn))
    exact = len(fixed) * volume / (fixed.get_volume() * stretched)
    if abs(count - exact) > 0.01 * exact + 0.5:
        raise StructureError(
            describe(f"grain of {grain.crystal.name}", f"{exact:.1f} framework atoms", count)
        )


def _merge(atoms: Atoms) -> tuple[Atoms, int]:
    """Make one of framework atoms of an element that nearly coincide."""
    radii = covalent_radii[atoms.numbers]
    first, second, apart = neighbor_list("ijd", atoms, 2.0 * MERGED * float(radii.max()))
    same = atoms.numbers[first] == atoms.numbers[second]
    near = same & (apart < 2.0 * MERGED * radii[first]) & (first < second)
    drop: set[int] = set()
    for i, j in zip(first[near].tolist(), second[near].tolist(), strict=True):
        if i not in drop:
            drop.add(j)
    keep = [k for k in range(len(atoms)) if k not in drop]
    return atoms[keep], len(drop)


def _populate(
    crystals: Sequence[Crystal],
    framework: Atoms,
    points: Atoms,
    kind: NDArray[np.intp],
    side: NDArray[np.intp],
    generator: np.random.Generator,
    detail: dict[str, object],
) -> Atoms:
    """Fill the sites of both grains such that the cell is neutral."""
    good = _roomy(framework, points)
    points, kind, side = points[good], kind[good], side[good]
    charges = {key: value for one in reversed(crystals) for key, value in one.charges.items()}
    same = crystals[0] is crystals[1]
    offsets = np.array([0, 0 if same else len(crystals[0].sites)])
    label = kind + offsets[side]
    shares: dict[int, Mapping[str, float]] = {}
    for number, one in enumerate(crystals):
        for place, site in enumerate(one.sites):
            if _filled(site):
                shares[place + int(offsets[number])] = site.species
    closest = max(max(one.closest for one in crystals), 0.0)
    whole = fill(framework, points, label, shares, charges, closest, generator, MOBILE)
    bulk = sum(
        shares[int(k)].get(MOBILE, 0.0) * int(np.count_nonzero(label == k))
        for k in np.unique(label)
    )
    count = int(np.count_nonzero(whole.symbols == MOBILE))
    if abs(count - bulk) > OFF_COMPOSITION * bulk:
        raise StructureError(
            describe("boundary", f"about {bulk:.0f} Li", f"{count} to be neutral",
                     "try another translation")
        )  # fmt: skip
    detail["mobile"] = [count, round(bulk, 1)]
    check_neutral(whole, charges, "boundary")
    return whole


def _roomy(framework: Atoms, points: Atoms) -> NDArray[np.bool_]:
    """Tell sites that are neither on a framework atom nor on an earlier site."""
    both = framework + points
    lithium = covalent_radii[atomic_numbers[MOBILE]]
    start = len(framework)
    radii = np.append(covalent_radii[framework.numbers], np.full(len(points), lithium))
    longest = CROWDED * (float(radii.max()) + lithium)
    first, second, apart = neighbor_list("ijd", both, max(longest, SHORTEST_SITES))
    good = np.ones(len(both), bool)
    crowd = (first >= start) & (second < start) & (apart < CROWDED * (radii[first] + radii[second]))
    good[first[crowd]] = False
    twice = (first >= start) & (second > first) & (apart < 1e-3 * SHORTEST_SITES)
    good[second[twice]] = False
    return good[start:]


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A boundary at rest.

    Parameters
    ----------
    cell : BoundaryCell
        Its atoms at rest.
    energy : float
        Of one boundary [J/m²]; NaN where atoms were merged, so that the cell is not made of the
        bulk's formula units.
    force : float
        Largest left [eV/Å].
    """

    cell: BoundaryCell
    energy: float
    force: float


def boundary_energy(
    cell: BoundaryCell, energy: float, bulk: Sequence[tuple[Atoms, float]]
) -> float:
    """Energy of a boundary.

    Parameters
    ----------
    cell : BoundaryCell
        With two boundaries.
    energy : float
        Of the cell [eV].
    bulk : sequence of (ase.Atoms, float)
        A cell of each crystal with its energy [eV].

    Returns
    -------
    float
        (E − Σ n E_bulk) / 2A [J/m²]; NaN if the cell is not a sum of the crystals.
    """
    symbols = sorted(set(cell.atoms.get_chemical_symbols()))

    def content(atoms: Atoms) -> FloatArray:
        own = atoms.get_chemical_symbols()
        return np.array([own.count(one) for one in symbols], float)

    parts = np.array([content(atoms) for atoms, _ in bulk]).T
    held = content(cell.atoms)
    number, *_ = np.linalg.lstsq(parts, held, rcond=None)
    if np.abs(parts @ number - held).max() > 0.5:
        return math.nan
    reference = float(number @ [one for _, one in bulk])
    return (energy - reference) / (2.0 * cell.area) * EV_PER_SQUARE_ANGSTROM


def lowest(
    candidates: Iterable[BoundaryCell],
    calculator: Calculator,
    bulk: Sequence[tuple[Atoms, float]],
    *,
    quick: Calculator | None = None,
    fmax: float = 0.1,
    steps: int = 150,
) -> tuple[Relaxed, list[float]]:
    """Relax candidates and keep the one of lowest energy.

    A costly potential need not relax them all: a quick one does, the costly one tells the
    energy of what comes out, once each, and relaxes the lowest further.

    Parameters
    ----------
    candidates : iterable of BoundaryCell
        Other translations, gaps or cuts of a boundary.
    calculator : ase.calculators.calculator.Calculator
        Gives forces and stress.
    bulk : sequence of (ase.Atoms, float)
        A cell of each crystal with its energy [eV].
    quick : ase.calculators.calculator.Calculator, optional
        Relaxes all candidates first.
    fmax : float, optional
        Largest force at which a relaxation ends [eV/Å].
    steps : int, optional
        At most.

    Returns
    -------
    best : Relaxed
        Relaxed along the normal and in its atoms.
    energies : list of float
        Of all candidates in their order [J/m²], as the quick one left them; NaN for those that
        could not be relaxed, or whose composition is not that of the crystals.

    Raises
    ------
    StructureError
        If none could be relaxed, or none has the composition of the crystals.
    """
    best, energies, last = None, [], "no candidate"
    for cell in candidates:
        if math.isnan(boundary_energy(cell, 0.0, bulk)):
            last = "another composition than the crystals'"
            energies.append(math.nan)
            continue
        try:
            found = relax(cell.atoms, quick or calculator, fmax=fmax, steps=steps, along=(0, 0, 1))
            CrystalCheck(found.atoms, MOBILE, 1.0, 1.0).overlaps(found.atoms, "relaxed boundary")
        except (StructureError, DynamicsError) as error:
            last = str(error)
            energies.append(math.nan)
            continue
        total = found.energy if quick is None else _energy(found.atoms, calculator)
        energy = boundary_energy(cell, total, bulk)
        energies.append(energy)
        if best is None or energy < best.energy:
            kept = BoundaryCell(found.atoms, cell.planes, cell.area, cell.detail)
            best = Relaxed(kept, energy, found.force)
    if best is None:
        raise StructureError(
            describe("boundary", "a candidate that relaxes", last, "try more translations and gaps")
        )
    if quick is not None:
        found = relax(best.cell.atoms, calculator, fmax=fmax, steps=steps, along=(0, 0, 1))
        kept = BoundaryCell(found.atoms, best.cell.planes, best.cell.area, best.cell.detail)
        best = Relaxed(kept, boundary_energy(kept, found.energy, bulk), found.force)
    return best, energies


def _energy(atoms: Atoms, calculator: Calculator) -> float:
    copy = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    copy.calc = calculator
    return float(copy.get_potential_energy())
