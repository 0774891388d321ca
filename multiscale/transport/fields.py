"""Turn what a user gives (a field, a crystal, an image) into a voxel problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import ImageError, InputError, PropertyError, describe, nearest
from multiscale.properties.validity import check_widths, film_widths, mean_grain_sizes
from multiscale.transport._tensor_kernels import first_unfit
from multiscale.transport.boundary_model import (
    BoundaryMap,
    Films,
    films,
    normals_from_faces,
    normals_from_seeds,
)
from multiscale.transport.discretisation import (
    Faces,
    VoxelProblem,
    boundary_faces,
    film_table,
)

FloatArray = NDArray[np.float64]
WINDOW = 3
"""Half width, in voxels, of the window that gives an image's boundary normals."""


MOST_LABELS = 100_000
"""An image of more different values is taken for a field by mistake."""


class Grains(Protocol):
    """What every microstructure tells: its grains' phases."""

    @property
    def periodic(self) -> bool:
        """Whether the box repeats."""
        ...

    @property
    def phases(self) -> NDArray[Any]:
        """Phase of each grain, (n,)."""
        ...

    @property
    def phase_names(self) -> tuple[str, ...]:
        """Phases by index."""
        ...


@runtime_checkable
class TessellatedCrystal(Grains, Protocol):
    """A polycrystal with a seed behind every grain."""

    @property
    def seeds(self) -> FloatArray:
        """Seed positions, (n, d) [m]."""
        ...

    @property
    def size(self) -> FloatArray:
        """Box edges, (d,) [m]."""
        ...

    @property
    def orientations(self) -> FloatArray:
        """Unit quaternion of each grain, (n, 4)."""
        ...

    def labels_and_images(self, cells: Sequence[int]) -> tuple[NDArray[np.int32], NDArray[np.int8]]:
        """Rasterise: grain numbers and box offsets of their seeds."""
        ...


@runtime_checkable
class LabelledImage(Grains, Protocol):
    """A voxel image of grains without seeds."""

    @property
    def labels(self) -> NDArray[np.int32]:
        """Grain numbers, (nx, ny[, nz])."""
        ...

    @property
    def spacing(self) -> FloatArray:
        """Voxel edges, (d,) [m]."""
        ...


def check_spacing(spacing: float | ArrayLike | None, dimension: int) -> FloatArray:
    """Bring a voxel spacing into the form (d,).

    Parameters
    ----------
    spacing : float or (d,) array_like
        Voxel edges [m].
    dimension : int
        Number of axes.

    Returns
    -------
    (d,) ndarray
        Voxel edges [m].

    Raises
    ------
    InputError
        If it is missing, not positive, or has another length.
    """
    if spacing is None:
        raise InputError(describe("spacing", "voxel edges in m", "none", "pass spacing=1e-9"))
    try:
        value = np.asarray(spacing, dtype=float)
    except (TypeError, ValueError):
        raise InputError(describe("spacing", "numbers in m", spacing)) from None
    if value.ndim == 0:
        value = np.full(dimension, float(value))
    if value.shape != (dimension,) or not np.isfinite(value).all() or (value <= 0).any():
        raise InputError(describe("spacing", f"one or {dimension} finite lengths > 0 m", spacing))
    return value


def check_field(field: ArrayLike) -> tuple[NDArray[Any], bool]:
    """Check a diffusivity field.

    Parameters
    ----------
    field : (nx, ny[, nz]) or (nx, ny[, nz], d, d) array_like
        Coefficients.

    Returns
    -------
    field : ndarray of float
        The same values; a scalar field in single or double precision is not copied, so
        that one mapped from a file may be larger than the memory; tensors in double
        precision without gaps in memory are not copied either.
    tensor : bool
        Whether each voxel has a (d, d) tensor.

    Raises
    ------
    ImageError
        If shape or type do not fit, a value is negative or not finite, or a
        tensor is not symmetric positive semi-definite.
    """
    try:
        raw = np.asarray(field)
    except ValueError:  # rows of different lengths
        raise ImageError(
            describe("diffusivity", "an array of real numbers", "rows of different lengths")
        ) from None
    if raw.dtype.kind not in "fiu":
        raise ImageError(describe("diffusivity", "an array of real numbers", str(raw.dtype)))
    value = raw
    d = value.ndim - 2
    tensor = value.ndim >= 4 and d in (2, 3) and value.shape[-2:] == (d, d)
    if not tensor and value.ndim not in (2, 3):
        raise ImageError(
            describe("diffusivity", "shape (nx, ny[, nz]) or (nx, ny[, nz], d, d)", value.shape)
        )
    if value.size == 0:
        raise ImageError(describe("diffusivity", "at least one voxel", value.shape))
    lowest = -np.inf if tensor else 0.0
    _check_values(value, lowest)
    if tensor:
        value = np.ascontiguousarray(value, dtype=float)
        _check_tensors(value)
    elif value.dtype not in (np.float32, np.float64) or not value.dtype.isnative:
        value = value.astype(float)
    return value, tensor


def _check_values(value: NDArray[Any], lowest: float) -> None:
    """Refuse values that are not finite or too low, plane by plane."""
    bad = [
        (i, ~(np.isfinite(plane) & (plane >= lowest)))
        for i, plane in enumerate(value)
        if not (plane.min() >= lowest and np.isfinite(plane.max()) and np.isfinite(plane.min()))
    ]
    if bad:
        plane, places = bad[0]
        where = (plane, *(int(i) for i in np.argwhere(places)[0]))
        raise ImageError(
            describe(
                f"diffusivity{list(where)}",
                "finite values ≥ 0 m²/s",
                str(value[where]),
                f"{sum(int(places.sum()) for _, places in bad)} such values",
            )
        )


def _check_tensors(value: FloatArray) -> None:
    d = value.shape[-1]
    tensors = value.reshape(-1, d, d).view()
    tensors.flags.writeable = False
    bad = first_unfit(tensors, 1e-9)
    if bad < 0:
        return
    where = [int(i) for i in np.unravel_index(bad, value.shape[:-2])]
    wrong = tensors[bad]
    if (np.abs(wrong - wrong.T) > 1e-9 * np.abs(wrong).max()).any():
        raise ImageError(describe(f"diffusivity{where}", "a symmetric tensor", "an asymmetric one"))
    raise ImageError(
        describe(
            f"diffusivity{where}",
            "a positive semi-definite tensor",
            f"eigenvalue {np.linalg.eigvalsh(wrong)[0]:.3g}",
        )
    )


def phase_values(
    phases: Mapping[str, float | ArrayLike] | None, phase_names: Sequence[str], dimension: int
) -> list[FloatArray]:
    """Look up the coefficient of each phase.

    Parameters
    ----------
    phases : mapping of str to float or (d, d) array_like
        Coefficient of each phase; tensors in the crystal frame.
    phase_names : sequence of str
        Phases in the order of their index.
    dimension : int
        Number of axes.

    Returns
    -------
    list of ndarray
        Scalars of shape () or tensors of shape (d, d).

    Raises
    ------
    PropertyError
        If a phase is missing, unknown, negative, not finite or of the wrong
        shape.
    """
    if phases is None:
        raise PropertyError(
            describe("phases", "a diffusivity for each phase", "none", "pass phases={name: m²/s}")
        )
    for name in phases:
        if name not in phase_names:
            raise PropertyError(
                describe(
                    f"phases[{name!r}]", "a phase of this crystal", name, nearest(name, phase_names)
                )
            )
    values = []
    for name in phase_names:
        if name not in phases:
            raise PropertyError(
                describe(
                    "phases",
                    f"a diffusivity for {name!r}",
                    sorted(phases),
                    f"add {name!r}: value in m²/s",
                )
            )
        place = f"phases[{name!r}]"
        try:
            if isinstance(phases[name], str) or phases[name] is None:
                raise TypeError
            value = np.asarray(phases[name], dtype=float)
        except (TypeError, ValueError):
            raise PropertyError(
                describe(place, "a number in m²/s", repr(phases[name]), "give a float in m²/s")
            ) from None
        if value.shape not in ((), (dimension, dimension), (3, 3)):
            raise PropertyError(
                describe(place, f"a number or a ({dimension}, {dimension}) tensor", value.shape)
            )
        if not np.isfinite(value).all() or (value.ndim == 0 and value < 0):
            raise PropertyError(describe(place, "finite, ≥ 0 m²/s", str(value)))
        if value.ndim == 2 and (
            not np.allclose(value, value.T, rtol=1e-9, atol=0)
            or np.linalg.eigvalsh(value)[0] < -1e-9 * np.abs(value).max()
        ):
            raise PropertyError(
                describe(place, "a symmetric positive semi-definite tensor", value.tolist())
            )
        values.append(value)
    return values


def field_of_labels(
    values: NDArray[Any],
    diffusivities: Mapping[str, float],
    names: Sequence[str] = (),
    place: str = "image",
) -> FloatArray:
    """Give every voxel of a label image its diffusivity.

    Parameters
    ----------
    values : (nx, ny[, nz]) ndarray
        Whole-number labels.
    diffusivities : mapping of str to float
        Diffusivity [m²/s] of each label, by number or by name.
    names : sequence of str, optional
        Names of labels 0, 1, …
    place : str, optional
        File, for error messages.

    Returns
    -------
    (nx, ny[, nz]) ndarray of float
        The field.

    Raises
    ------
    ImageError
        If the labels are not whole numbers, a label has no diffusivity, or a
        diffusivity belongs to no label or is negative.
    """
    labels = np.unique(values)
    if (labels != np.round(labels)).any() or labels.size > MOST_LABELS:
        raise ImageError(
            describe(
                place,
                f"whole-number labels, at most {MOST_LABELS}",
                f"{labels.size} different values from {labels[0]} to {labels[-1]}",
                "solve a field of diffusivities with multiscale.effective_diffusivity",
            )
        )
    known = {str(int(label)): int(label) for label in labels}
    known |= {name: number for number, name in enumerate(names) if number in known.values()}
    table = np.full(labels.size, np.nan)
    for label, value in diffusivities.items():
        if label not in known:
            raise ImageError(
                describe(
                    f"diffusivity of {label!r}", f"a label of {place}", label, nearest(label, known)
                )
            )
        if not (np.isfinite(value) and value >= 0):
            raise ImageError(describe(f"diffusivity of {label!r}", "a number ≥ 0 m²/s", value))
        table[np.searchsorted(labels, known[label])] = value
    missing = [str(int(label)) for label in labels[np.isnan(table)]]
    if missing:
        shown = ", ".join(missing[:10]) + (", …" if len(missing) > 10 else "")
        raise ImageError(
            describe(
                place,
                "a diffusivity for every label",
                f"none for {shown}",
                f"add --diffusivity {missing[0]}=VALUE",
            )
        )
    field: FloatArray = table[np.searchsorted(labels, values)]
    return field


def padded(array: NDArray[np.generic], dimension: int) -> NDArray[np.generic]:
    """Give a 2D array a third axis of one cell.

    Parameters
    ----------
    array : ndarray
        Values on voxels, maybe with trailing axes.
    dimension : int
        Number of active axes.

    Returns
    -------
    ndarray
        The same values with three voxel axes.
    """
    return array[:, :, None] if dimension == 2 else array


def plain_problem(field: NDArray[Any], spacing: FloatArray) -> VoxelProblem:
    """Make the problem of a scalar field without films.

    Parameters
    ----------
    field : (nx, ny[, nz]) ndarray
        Coefficients.
    spacing : (d,) ndarray
        Voxel edges [m].

    Returns
    -------
    VoxelProblem
        Ready to be assembled.
    """
    bulk = np.ascontiguousarray(padded(field, spacing.size), dtype=float)
    zero = np.zeros(bulk.shape, np.int32)
    return VoxelProblem(bulk, spacing, zero, zero, None, np.zeros((0, 2)), np.zeros(0))


def crystal_problem(
    crystal: TessellatedCrystal | LabelledImage,
    cells: Sequence[int] | None,
    bulk: Sequence[float],
    boundaries: BoundaryMap | None,
) -> VoxelProblem:
    """Rasterise a polycrystal and put its films on the voxel faces.

    Parameters
    ----------
    crystal : TessellatedCrystal or LabelledImage
        The microstructure.
    cells : sequence of int or None
        Voxels along each axis; an image brings its own.
    bulk : sequence of float
        Coefficient of each phase.
    boundaries : mapping or None
        Film of each pair of phases; None for none.

    Returns
    -------
    VoxelProblem
        Ready to be assembled.

    Raises
    ------
    PropertyError
        If a boundary type has no film.
    InputError
        If ``cells`` is missing or does not fit.
    """
    geometry = VoxelGeometry.of(crystal, cells)
    return geometry.problem(bulk, boundaries)


class VoxelGeometry:
    """A rasterised crystal with the normals of its boundary faces.

    Made once for a microstructure and used for all temperatures and sizes.

    Parameters
    ----------
    labels : (nx, ny, nz) int32 ndarray
        Grain numbers.
    phase : (nx, ny, nz) int32 ndarray
        Phase of each voxel.
    spacing : (d,) ndarray
        Voxel edges [m].
    phase_names : tuple of str
        Names by phase index.
    faces : Faces
        Faces between grains.
    orientations : (n, 4) ndarray, optional
        Unit quaternion of each grain; an image has none.
    """

    __slots__ = (
        "_grain_sizes",
        "faces",
        "labels",
        "orientations",
        "phase",
        "phase_names",
        "spacing",
    )

    def __init__(
        self,
        labels: NDArray[np.int32],
        phase: NDArray[np.int32],
        spacing: FloatArray,
        phase_names: tuple[str, ...],
        faces: Faces,
        orientations: FloatArray | None = None,
    ) -> None:
        self.labels, self.phase, self.spacing = labels, phase, spacing
        self.phase_names, self.faces = phase_names, faces
        self.orientations = orientations
        self._grain_sizes: dict[str, float] | None = None

    @classmethod
    def of(
        cls, crystal: TessellatedCrystal | LabelledImage, cells: Sequence[int] | None
    ) -> VoxelGeometry:
        """Rasterise a crystal or take an image as it is.

        Parameters
        ----------
        crystal : TessellatedCrystal or LabelledImage
            The microstructure.
        cells : sequence of int or None
            Voxels along each axis.

        Returns
        -------
        VoxelGeometry
            Labels, phases and boundary faces.

        Raises
        ------
        InputError
            If ``cells`` is missing or does not fit.
        """
        if isinstance(crystal, TessellatedCrystal):
            size = np.asarray(crystal.size, dtype=float)
            grid = check_cells(cells, size.size)
            labels, images = crystal.labels_and_images(grid)
            spacing = size / np.asarray(grid)
            images = np.asarray(padded(images, size.size), dtype=np.int8)
        else:
            labels, spacing = crystal.labels, np.asarray(crystal.spacing, dtype=float)
            if cells is not None and tuple(cells) != labels.shape:
                raise InputError(
                    describe("cells", f"the image's own {labels.shape}", tuple(cells), "leave out")
                )
            images = None
        d = spacing.size
        labels = np.ascontiguousarray(padded(labels, d), dtype=np.int32)
        phase = np.asarray(crystal.phases, dtype=np.int32)[labels]
        axis, index, wraps = boundary_faces(labels, images, phase, d, crystal.periodic)
        if isinstance(crystal, TessellatedCrystal):
            normal = normals_from_seeds(
                axis, labels, images, np.asarray(crystal.seeds), size, index, wraps
            )
        else:
            area = np.zeros(3)
            area[:d] = spacing.prod() / spacing
            normal = normals_from_faces(axis, labels, index, area, WINDOW, crystal.periodic, d)
        up = _upper(axis, index, labels.shape)
        faces = Faces(axis, index, wraps, normal, phase[tuple(index.T)], phase[tuple(up.T)])
        turned = getattr(crystal, "orientations", None)
        orientations = None if turned is None else np.asarray(turned, dtype=float)
        return cls(labels, phase, spacing, tuple(crystal.phase_names), faces, orientations)

    def classes(self, table: Films) -> NDArray[np.int64]:
        """Find the class of each boundary face.

        Parameters
        ----------
        table : Films
            Films of every class.

        Returns
        -------
        (m,) int ndarray
            Place in ``table.names``; −1 where there is no film.

        Raises
        ------
        PropertyError
            If rules are to be asked of grains without orientations.
        """
        faces, turned = self.faces, self.orientations
        if turned is None or not table.classes.rules:
            return table.classify(faces.lower, faces.upper, None, None, faces.normal)
        up = _upper(faces.axis, faces.index, self.labels.shape)
        lower, upper = self.labels[tuple(faces.index.T)], self.labels[tuple(up.T)]
        return table.classify(faces.lower, faces.upper, turned[lower], turned[upper], faces.normal)

    def check_films(self, boundaries: BoundaryMap | None, scheme: str) -> None:
        """Refuse films too wide for their grains or voxels, and warn of wide ones.

        Parameters
        ----------
        boundaries : mapping or None
            As for :meth:`problem`, which has checked it.
        scheme : str
            How films enter the voxels.

        Raises
        ------
        ResolutionError
            If a film is too wide.
        """
        if boundaries is None:
            return
        if self._grain_sizes is None:
            self._grain_sizes = self._measured_grains()
        sizes = self._grain_sizes
        check_widths(film_widths(boundaries), self.phase_names, sizes, self.spacing, scheme)

    def _measured_grains(self) -> dict[str, float]:
        """Mean grain size of each phase, from its voxels."""
        counts = np.bincount(self.labels.ravel())
        grains = np.flatnonzero(counts)
        phases = np.zeros(counts.size, np.int64)
        phases[self.labels] = self.phase
        volumes = counts[grains] * self.spacing.prod()
        return mean_grain_sizes(volumes, phases[grains], self.phase_names, self.spacing.size)

    def problem(self, bulk: Sequence[float], boundaries: BoundaryMap | None) -> VoxelProblem:
        """Put coefficients on the voxels and films on the faces.

        Parameters
        ----------
        bulk : sequence of float
            Coefficient of each phase.
        boundaries : mapping or None
            Film, or films by rules, of each pair of phases; None for none.

        Returns
        -------
        VoxelProblem
            Ready to be assembled.

        Raises
        ------
        PropertyError
            If a boundary type has no film, or has rules and the grains no orientations.
        """
        values = np.asarray(bulk, dtype=float)
        table = films(boundaries, self.phase_names, values.tolist())
        field = values[self.phase]
        if table is None:
            empty = (np.zeros((0, 2)), np.zeros(0))
            return VoxelProblem(field, self.spacing, self.phase, self.labels, None, *empty)
        classes = self.classes(table)
        excess = film_table(self.faces, table, classes, values)
        return VoxelProblem(
            field,
            self.spacing,
            self.phase,
            self.labels,
            self.faces,
            *excess,
            classes,
            table.names,
        )


def _upper(
    axis: NDArray[np.int8], index: NDArray[np.int32], shape: tuple[int, ...]
) -> NDArray[np.int32]:
    """Find the voxel on the upper side of each face."""
    up = index.copy()
    for a, count in enumerate(shape):
        column = up[:, a]
        column += axis == a
        column[column == count] = 0
    return up


def check_cells(cells: Sequence[int] | None, dimension: int) -> tuple[int, ...]:
    """Check a number of voxels along each axis.

    Parameters
    ----------
    cells : sequence of int or None
        As given.
    dimension : int
        Number of axes.

    Returns
    -------
    tuple of int
        As given, checked.

    Raises
    ------
    InputError
        If it is missing, of the wrong length, or not positive.
    """
    if cells is None:
        raise InputError(
            describe("cells", f"{dimension} numbers of voxels", "none", "pass cells=(64, 64, 64)")
        )
    if not isinstance(cells, Sequence | np.ndarray):
        raise InputError(describe("cells", f"{dimension} whole numbers ≥ 1", cells))
    grid = tuple(cells)
    whole = all(isinstance(n, int | np.integer) and not isinstance(n, bool) for n in grid)
    if len(grid) != dimension or not whole or min(grid) < 1:
        raise InputError(describe("cells", f"{dimension} whole numbers ≥ 1", cells))
    return tuple(int(n) for n in grid)
