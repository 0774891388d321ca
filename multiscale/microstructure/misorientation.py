"""How two grains and the plane between them lie to each other.

Orientations are unit quaternions q that turn the crystal into the sample frame; the
misorientation of two grains is Δ = q₁⁻¹ q₂, its smallest angle among equivalent
descriptions the *disorientation*. All angles are in degrees. Crystal frames are
orthonormal: cubic axes along x, y, z; hexagonal and trigonal ones with a along x and c
along z. Exchanging the grains changes nothing.

A coincidence-site lattice (CSL) Σ is a rotation after which one lattice point in Σ is
shared; in the cubic system it is a primitive whole-number quaternion of norm Σ. Brandon
counts a boundary as Σ within 15°/√Σ.

In 2D a grain is turned about z alone, as its 2D tensor is: the twist part of the
quaternion (:mod:`multiscale.transport.orientation`). The first axis of the 2D tensor is a
direction in the layers, the second is c, and all grains share their a axis along z. Cubic
crystals so have ⟨100⟩ tilt boundaries alone (Σ5, Σ13, Σ17, Σ25, Σ29; disorientation up to
45°); layered ones tilt about a, and their disorientation is the angle between the c axes.

References
----------
Brandon, Acta Metall. 14, 1479 (1966), 10.1016/0001-6160(66)90168-4 (limits);
Grimmer, Bollmann and Warrington, Acta Cryst. A30, 197 (1974) (cubic CSL);
Mackenzie, Biometrika 45, 229 (1958), 10.1093/biomet/45.1-2.229 (random cubic grains);
Christian and Mahajan, Prog. Mater. Sci. 39, 1 (1995), 10.1016/0079-6425(94)00007-7
(a twin of type I is the mirror image in its plane).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import PropertyError, describe
from multiscale.microstructure.orientation import rotation_matrices
from multiscale.microstructure.power_diagram import Floats, Ints

SYMMETRIES = ("cubic", "hexagonal", "trigonal")
"""Proper point groups 432, 622 and 32; R3̄m LiCoO₂ is trigonal."""
SIGMAS = tuple(range(3, 31, 2))
"""Coincidence-site lattices that :func:`csl_sigma` tells apart."""
BRANDON = 15.0
"""Brandon's limit for Σ = 1 in degrees."""

_STAND = np.array([0.5, -0.5, -0.5, -0.5])  # a to z, c to y: a third of a turn about ⟨111⟩
_OCTAHEDRAL = np.array(list(itertools.product((1.0, -1.0), repeat=3))) / math.sqrt(3.0)


class Conditions(Protocol):
    """What a rule asks of a boundary; None asks nothing. Ranges and tolerances in degrees."""

    @property
    def sigma(self) -> tuple[int, ...] | None:
        """CSL of which one must hold within Brandon's limit."""

    @property
    def misorientation(self) -> tuple[float, float] | None:
        """Range of the disorientation."""

    @property
    def c_axis_to_plane(self) -> tuple[float, float] | None:
        """Range of the angle between c axis and boundary plane."""

    @property
    def c_axis_angle(self) -> tuple[float, float] | None:
        """Range of the angle between the two c axes."""

    @property
    def coherent_twin(self) -> float | None:
        """Tolerance of a twin whose boundary is its mirror plane."""

    @property
    def c_axis_of(self) -> str:
        """Grains that ``c_axis_to_plane`` asks: ``both``, ``either``, or those of one phase."""


def quaternion_product(first: ArrayLike, second: ArrayLike) -> Floats:
    """Multiply quaternions: the rotation ``second`` followed by ``first``.

    Parameters
    ----------
    first, second : (..., 4) array_like
        w, x, y, z.

    Returns
    -------
    (..., 4) array
        Their product.
    """
    a, b, c, d = np.moveaxis(np.asarray(first, dtype=float), -1, 0)
    w, x, y, z = np.moveaxis(np.asarray(second, dtype=float), -1, 0)
    return np.stack(
        [
            a * w - b * x - c * y - d * z,
            a * x + b * w + c * z - d * y,
            a * y - b * z + c * w + d * x,
            a * z + b * y - c * x + d * w,
        ],
        axis=-1,
    )


@cache
def symmetry_rotations(symmetry: str) -> Floats:
    """List the proper rotations of a crystal.

    Parameters
    ----------
    symmetry : {"cubic", "hexagonal", "trigonal"}
        24, 12 or 6 rotations.

    Returns
    -------
    (n, 4) array
        Unit quaternions.

    Raises
    ------
    PropertyError
        If there is no such symmetry.
    """
    if symmetry == "cubic":
        whole = list(np.eye(4))
        pairs = [
            np.eye(4)[i] + s * np.eye(4)[j] for i in range(4) for j in range(i) for s in (1, -1)
        ]
        halves = [np.array([1.0, *signs]) for signs in itertools.product((1.0, -1.0), repeat=3)]
        found = np.array(whole + pairs + halves)
        rotations: Floats = found / np.linalg.norm(found, axis=1, keepdims=True)
        return rotations
    if symmetry not in SYMMETRIES:
        raise PropertyError(describe("symmetry", f"one of {', '.join(SYMMETRIES)}", symmetry))
    fold = 6 if symmetry == "hexagonal" else 3
    half = np.arange(fold) * math.pi / fold
    zero = np.zeros(fold)
    about_c = np.stack([np.cos(half), zero, zero, np.sin(half)], axis=1)
    in_layer = np.stack([zero, np.cos(half), np.sin(half), zero], axis=1)
    return np.concatenate([about_c, in_layer])


def planar_orientations(orientations: ArrayLike) -> Floats:
    """Stand 2D grains up in space: turned about z, with c in the plane.

    Parameters
    ----------
    orientations : (n, 4) array_like
        Orientations of a 2D crystal, of which the twist about z counts.

    Returns
    -------
    (n, 4) array
        Orientations whose c axis lies along the y of the turned plane and whose a axis
        lies along z.
    """
    given = np.asarray(orientations, dtype=float)
    twist = given * [1.0, 0.0, 0.0, 1.0]
    length = np.linalg.norm(twist, axis=-1, keepdims=True)
    twist = np.where(length > 0, twist / np.where(length > 0, length, 1.0), [1.0, 0.0, 0.0, 0.0])
    return quaternion_product(twist, _STAND)


def misorientation(first: ArrayLike, second: ArrayLike) -> Floats:
    """Find the rotation from the first crystal's frame to the second's.

    Parameters
    ----------
    first, second : (m, 4) array_like
        Orientations of the grains of each pair.

    Returns
    -------
    (m, 4) array
        Unit quaternions Δ = q₁⁻¹ q₂.
    """
    product = quaternion_product(np.asarray(first, dtype=float) * [1.0, -1.0, -1.0, -1.0], second)
    unit: Floats = product / np.linalg.norm(product, axis=-1, keepdims=True)
    return unit


def _angle(cosine_of_half: Floats) -> Floats:
    degrees: Floats = np.degrees(2 * np.arccos(np.clip(cosine_of_half, -1.0, 1.0)))
    return degrees


def disorientation(first: ArrayLike, second: ArrayLike, symmetry: str = "cubic") -> Floats:
    """Find the smallest angle that turns one grain's lattice into the other's.

    Parameters
    ----------
    first, second : (m, 4) array_like
        Orientations of the grains of each pair.
    symmetry : {"cubic", "hexagonal", "trigonal"}, optional
        Of both crystals.

    Returns
    -------
    (m,) array
        Degrees: at most 62.80 (cubic), 93.84 (hexagonal) or 104.48 (trigonal).

    Notes
    -----
    Cubic: with |Δ| sorted a ≥ b ≥ c ≥ d, the cosine of half the angle is the largest of a,
    (a + b)/√2 and (a + b + c + d)/2.
    """
    turn = misorientation(first, second)
    if symmetry != "cubic":
        return _angle(np.abs(turn @ symmetry_rotations(symmetry).T).max(axis=-1))
    a = np.sort(np.abs(turn), axis=-1)
    best = np.maximum(a[..., 3], (a[..., 3] + a[..., 2]) / math.sqrt(2.0))
    return _angle(np.maximum(best, a.sum(axis=-1) / 2))


def reduced_angle(turn: ArrayLike, first: str, second: str) -> Floats:
    """Find the smallest angle among rotations that two symmetries make equal.

    Parameters
    ----------
    turn : (m, 4) array_like
        Rotations from the lattice of one crystal to that of another.
    first, second : {"cubic", "hexagonal", "trigonal"}
        Symmetry of each.

    Returns
    -------
    (m,) array
        Degrees; for two crystals of one symmetry their disorientation.

    Notes
    -----
    The scalar part of s₁ Δ s₂ is that of s₂ s₁ Δ, so the products of the two groups do, and
    for one group the group itself.
    """
    one, two = symmetry_rotations(first), symmetry_rotations(second)
    products = one
    if first != second:
        products = quaternion_product(two[:, None, :], one[None, :, :]).reshape(-1, 4)
    conjugate = products * [1.0, -1.0, -1.0, -1.0]
    return _angle(np.abs(np.asarray(turn, dtype=float) @ conjugate.T).max(axis=-1))


def _chamber(turn: Floats) -> Floats:
    """Reflect quaternions into one chamber of the 24-cell: a ≥ b + c + d, b ≥ c ≥ d ≥ 0.

    Cubic rotations on either side and exchange of the grains form the reflection group F₄
    and its dual. Points of one chamber are nearest to each other among all their images.
    """
    a = -np.sort(-np.abs(turn), axis=-1)
    for _ in range(4):
        outside = np.minimum(a[..., 0] - a[..., 1] - a[..., 2] - a[..., 3], 0.0)
        a = a - 0.5 * outside[..., None] * np.array([1.0, -1.0, -1.0, -1.0])
        a = -np.sort(-np.abs(a), axis=-1)
    return a


@cache
def csl_rotations(sigma: int) -> Floats:
    """List the cubic coincidence rotations of one Σ.

    Parameters
    ----------
    sigma : int
        Odd number.

    Returns
    -------
    (k, 2, 4) array
        For each kind (Σ13 has two, 13a and 13b) its place in the chamber and its dual's.
    """
    reach = range(math.isqrt(sigma) + 1)
    whole = [
        q
        for q in itertools.product(reach, repeat=4)
        if sum(n * n for n in q) == sigma and math.gcd(*q) == 1 and q[0] >= q[1] >= q[2] >= q[3]
    ]
    unit = np.array(whole, dtype=float) / math.sqrt(sigma)
    dual = quaternion_product(unit, np.array([1.0, 1.0, 0.0, 0.0]) / math.sqrt(2.0))
    pairs = np.stack([_chamber(unit), _chamber(dual)], axis=1)
    kinds: dict[tuple[tuple[float, ...], ...], Floats] = {}
    for pair in pairs:
        key = tuple(sorted(tuple(np.round(one, 9) + 0.0) for one in pair))
        kinds.setdefault(key, pair)
    return np.array(list(kinds.values()))


def csl_deviation(first: ArrayLike, second: ArrayLike, sigma: int) -> Floats:
    """Find how far cubic grains are from an exact coincidence-site lattice.

    Parameters
    ----------
    first, second : (m, 4) array_like
        Orientations of the grains of each pair.
    sigma : int
        Odd number; 1 gives the disorientation.

    Returns
    -------
    (m,) array
        Angle to the nearest of all equivalent rotations, in degrees.
    """
    return _deviation(_chamber(misorientation(first, second)), sigma)


def _deviation(place: Floats, sigma: int) -> Floats:
    """Angle from a misorientation's place in the chamber to the nearest Σ."""
    return _angle((place @ csl_rotations(sigma).reshape(-1, 4).T).max(axis=-1))


def csl_sigma(first: ArrayLike, second: ArrayLike, tolerance: float = BRANDON) -> Ints:
    """Name the coincidence-site lattice of cubic grains by Brandon's criterion.

    Parameters
    ----------
    first, second : (m, 4) array_like
        Orientations of the grains of each pair.
    tolerance : float, optional
        Deviation allowed for Σ = 1 in degrees; Σ is allowed 1/√Σ of it.

    Returns
    -------
    (m,) array of int
        Σ from 3 to 29, or 0. Where several hold, the one with the least deviation over its
        limit.
    """
    place = _chamber(misorientation(first, second))
    share = np.stack([_deviation(place, s) * math.sqrt(s) / tolerance for s in SIGMAS], axis=-1)
    best = share.argmin(axis=-1)
    found: Ints = np.where(share.min(axis=-1) <= 1.0, np.array(SIGMAS)[best], 0).astype(np.int64)
    return found


def c_axes(orientations: ArrayLike) -> Floats:
    """Find the direction of each grain's c axis.

    Parameters
    ----------
    orientations : (m, 4) array_like
        Orientations.

    Returns
    -------
    (m, 3) array
        Unit vectors in the sample frame.
    """
    return rotation_matrices(orientations)[..., 2]


def c_axis_angle_to_plane(orientations: ArrayLike, normal: ArrayLike) -> Floats:
    """Find the angle between the c axis and a plane.

    Parameters
    ----------
    orientations : (m, 4) array_like
        Orientations.
    normal : (m, 3) array_like
        Unit normals of the planes.

    Returns
    -------
    (m,) array
        Degrees from 0 (c in the plane: layers end on it, open) to 90 (layers lie in the
        plane, which closes them).
    """
    cosine = np.abs((c_axes(orientations) * np.asarray(normal, dtype=float)).sum(axis=-1))
    degrees: Floats = np.degrees(np.arcsin(np.clip(cosine, 0.0, 1.0)))
    return degrees


def c_axis_angle(first: ArrayLike, second: ArrayLike) -> Floats:
    """Find the angle between the c axes of two grains.

    Parameters
    ----------
    first, second : (m, 4) array_like
        Orientations of the grains of each pair.

    Returns
    -------
    (m,) array
        Degrees from 0 to 90.
    """
    cosine = np.abs((c_axes(first) * c_axes(second)).sum(axis=-1))
    degrees: Floats = np.degrees(np.arccos(np.clip(cosine, 0.0, 1.0)))
    return degrees


def coherent_twins(
    first: ArrayLike, second: ArrayLike, normal: ArrayLike, symmetry: str, tolerance: float
) -> NDArray[np.bool_]:
    """Tell the twins whose boundary is the plane in which they mirror each other.

    Parameters
    ----------
    first, second : (m, 4) array_like
        Orientations of the grains of each pair.
    normal : (m, 3) array_like
        Unit normals of the boundaries.
    symmetry : {"cubic", "hexagonal", "trigonal"}
        Of both crystals.
    tolerance : float
        Degrees.

    Returns
    -------
    (m,) array of bool
        Cubic: Σ3 by Brandon's criterion, and a {111} normal of either grain within the
        tolerance of the boundary's. Otherwise: the mirror image of one lattice in the
        boundary plane is within the tolerance of the other lattice, and the grains
        themselves differ by more. (A lattice has a centre, so that the mirror in a plane
        does to it what half a turn about the plane's normal does.)
    """
    n = np.asarray(normal, dtype=float)
    if symmetry == "cubic":
        twin = csl_deviation(first, second, 3) <= BRANDON / math.sqrt(3.0)
        for side in (first, second):
            local = np.einsum("mij,mi->mj", rotation_matrices(side), n)
            tilt = np.degrees(np.arccos(np.clip(np.abs(local @ _OCTAHEDRAL.T).max(axis=-1), 0, 1)))
            twin &= tilt <= tolerance
        return np.asarray(twin)
    half_turn = np.concatenate([np.zeros((len(n), 1)), n], axis=1)
    mirrored = disorientation(quaternion_product(half_turn, first), second, symmetry)
    apart = disorientation(first, second, symmetry)
    return np.asarray((mirrored <= tolerance) & (apart > tolerance))


def matching_rule(
    rules: Sequence[Conditions],
    symmetry: str,
    phases: tuple[str, str],
    first: ArrayLike,
    second: ArrayLike,
    normal: ArrayLike,
) -> Ints:
    """Find the first rule that each facet between two phases meets.

    Parameters
    ----------
    rules : sequence of Conditions
        In the order in which they are tried.
    symmetry : {"cubic", "hexagonal", "trigonal"}
        Of the crystals that the rules ask about.
    phases : tuple of str
        Phases of the first and second grains.
    first, second : (m, 4) array_like
        Orientations of the grains on either side.
    normal : (m, d) array_like
        Unit normals; two components for a 2D crystal (see above).

    Returns
    -------
    (m,) array of int
        Place in ``rules``, or −1.
    """
    n = np.atleast_2d(np.asarray(normal, dtype=float))
    one, two = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if n.shape[1] == 2:
        n = np.concatenate([n, np.zeros((len(n), 1))], axis=1)
        one, two = planar_orientations(one), planar_orientations(two)
    found: Ints = np.full(len(n), -1, dtype=np.int64)
    for number, rule in enumerate(rules):
        left = np.flatnonzero(found < 0)
        holds = _holds(rule, symmetry, phases, one[left], two[left], n[left])
        found[left[holds]] = number
    return found


def _holds(
    rule: Conditions,
    symmetry: str,
    phases: tuple[str, str],
    first: Floats,
    second: Floats,
    normal: Floats,
) -> NDArray[np.bool_]:
    """Try one rule."""
    holds = np.ones(len(normal), dtype=np.bool_)
    if rule.sigma is not None:
        place = _chamber(misorientation(first, second))
        near = [_deviation(place, s) <= BRANDON / math.sqrt(s) for s in rule.sigma]
        holds &= np.any(near, axis=0)
    if rule.misorientation is not None:
        holds &= _within(disorientation(first, second, symmetry), rule.misorientation)
    if rule.c_axis_angle is not None:
        holds &= _within(c_axis_angle(first, second), rule.c_axis_angle)
    if rule.coherent_twin is not None:
        holds &= coherent_twins(first, second, normal, symmetry, rule.coherent_twin)
    if rule.c_axis_to_plane is not None:
        sides = [
            _within(c_axis_angle_to_plane(side, normal), rule.c_axis_to_plane)
            for side, phase in zip((first, second), phases, strict=True)
            if rule.c_axis_of in ("both", "either", phase)
        ]
        holds &= np.any(sides, axis=0) if rule.c_axis_of == "either" else np.all(sides, axis=0)
    return holds


def _within(value: Floats, limits: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((limits[0] <= value) & (value <= limits[1]))
