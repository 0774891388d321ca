"""Pictures of single microstructures: phase maps, and flux with streamlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from multiscale.errors import ImageError, describe
from multiscale.report import style
from multiscale.report.wording import length, percent, power

Floats = NDArray[np.float64]

LINES = 18
"""Streamlines in a map."""
STUCK = 16
"""Steps without progress after which a streamline ends."""
FLUX_RANGE = (1e-2, 1e1)
"""Flux magnitude over its mean that the colours span."""


@dataclass(frozen=True, slots=True)
class FieldPicture:
    """One microstructure in a plane, with the flux driven along each axis of it.

    Parameters
    ----------
    title : str
        What it is, e.g. ``"2D, LLZO 50 %"``.
    dimension : int
        2, or 3 for a plane cut from a volume.
    phase_names : tuple of str
        Name of each phase index.
    spacing : tuple of float
        (2,) voxel edges [m].
    phase : numpy.ndarray of int
        (nx, ny) index into ``phase_names``.
    labels : numpy.ndarray of int
        (nx, ny) grain numbers.
    flux : numpy.ndarray
        (2, 2, nx, ny): drive direction (x, y), component (x, y) [m²/s for a unit
        gradient]. NaN or 0 where nothing flows.
    temperature : float
        Temperature of the flux [K].
    effective : tuple of float
        (2,) effective diffusivity along x and y [m²/s].

    Raises
    ------
    ImageError
        If the arrays do not share one shape.
    """

    title: str
    dimension: int
    phase_names: tuple[str, ...]
    spacing: tuple[float, float]
    phase: NDArray[np.integer]
    labels: NDArray[np.integer]
    flux: NDArray[np.floating]
    temperature: float
    effective: tuple[float, float]

    def __post_init__(self) -> None:
        """Check the shapes."""
        cells = self.phase.shape
        if len(cells) != 2 or self.labels.shape != cells or self.flux.shape != (2, 2, *cells):
            shapes = (cells, self.labels.shape, self.flux.shape)
            wanted = "phase and labels (nx, ny) and flux (2, 2, nx, ny)"
            raise ImageError(describe(f"picture {self.title}", wanted, shapes))

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top edges [µm]."""
        width, height = (n * h * 1e6 for n, h in zip(self.phase.shape, self.spacing, strict=True))
        return 0.0, width, 0.0, height

    @property
    def fractions(self) -> NDArray[np.float64]:
        """Area fraction of each phase in the plane."""
        counts = np.bincount(self.phase.ravel(), minlength=len(self.phase_names))
        return np.asarray(counts / self.phase.size, dtype=np.float64)

    @property
    def grains(self) -> int:
        """How many grains the plane cuts."""
        return len(set(self.labels.ravel().tolist()))

    def magnitude(self, drive: int) -> NDArray[np.float64]:
        """Flux magnitude over its mean for one drive direction.

        Parameters
        ----------
        drive : int
            0 for x, 1 for y.

        Returns
        -------
        numpy.ndarray
            (nx, ny); all zero where nothing flows.
        """
        flux = np.nan_to_num(np.asarray(self.flux[drive], dtype=np.float64))
        size = np.hypot(flux[0], flux[1])
        mean = size.mean()
        return np.asarray(size / mean if mean > 0 else size, dtype=np.float64)


def outlines(labels: NDArray[np.integer], enlarge: int) -> NDArray[np.bool_]:
    """Mark the grain boundaries of a label map on a finer grid.

    Parameters
    ----------
    labels : numpy.ndarray of int
        (nx, ny) grain numbers.
    enlarge : int
        Fine pixels a voxel edge.

    Returns
    -------
    numpy.ndarray of bool
        (nx × enlarge, ny × enlarge), true on both sides of each boundary.
    """
    fine = np.repeat(np.repeat(labels, enlarge, axis=0), enlarge, axis=1)
    edge: NDArray[np.bool_] = np.zeros(fine.shape, dtype=bool)
    across_x, across_y = fine[1:] != fine[:-1], fine[:, 1:] != fine[:, :-1]
    edge[1:] |= across_x
    edge[:-1] |= across_x
    edge[:, 1:] |= across_y
    edge[:, :-1] |= across_y
    return edge


def _enlarge(picture: FieldPicture) -> int:
    longest: int = max(picture.phase.shape)
    return max(2, 640 // longest)


def phase_image(picture: FieldPicture) -> NDArray[np.float64]:
    """Paint the phases with the grain boundaries on top.

    Parameters
    ----------
    picture : FieldPicture
        The microstructure.

    Returns
    -------
    numpy.ndarray
        (rows, columns, 3) colours, y upwards along rows.
    """
    tints = np.array([to_rgb(tint) for tint in style.phase_tints(picture.phase_names).values()])
    enlarge = _enlarge(picture)
    edge = outlines(picture.labels, enlarge)
    fine = np.repeat(np.repeat(picture.phase, enlarge, axis=0), enlarge, axis=1)
    image = tints[fine]
    image[edge] = to_rgb("#3a4048")
    return np.asarray(image.transpose(1, 0, 2))


def _plane(axes: Axes, picture: FieldPicture) -> None:
    axes.set_xlim(*picture.extent[:2])
    axes.set_ylim(*picture.extent[2:])
    axes.set_aspect("equal")
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)
    axes.set_xlabel("x [µm]")
    axes.locator_params(nbins=4)


@style.styled
def microstructures(pictures: Sequence[FieldPicture]) -> Figure:
    """Draw phase maps with grain boundaries.

    Parameters
    ----------
    pictures : sequence of FieldPicture
        At least one.

    Returns
    -------
    matplotlib.figure.Figure
        Up to four maps a row.
    """
    columns = min(4, max(len(pictures), 2))
    rows = -(-len(pictures) // columns)
    figure, grid = style.panels(rows, columns, 0.4 + rows * (style.WIDTH / columns + 0.25))
    every = [axes for row in grid for axes in row]
    for axes, picture in zip(every, pictures, strict=False):
        axes.imshow(phase_image(picture), origin="lower", extent=picture.extent)
        _plane(axes, picture)
        axes.set_title(picture.title)
    for axes in every[len(pictures) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel("y [µm]")
    handles = [
        Patch(facecolor=tint, edgecolor=style.MUTED, label=name)
        for name, tint in style.phase_tints(pictures[0].phase_names).items()
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=6)
    return figure


@style.styled
def flux_maps(pictures: Sequence[FieldPicture]) -> Figure:
    """Draw the flux magnitude and streamlines, driven along x and along y.

    Parameters
    ----------
    pictures : sequence of FieldPicture
        At least one; one row each.

    Returns
    -------
    matplotlib.figure.Figure
        The structure, the flux driven along x, and along y.
    """
    figure, grid = style.panels(len(pictures), 3, 0.9 + 3.7 * len(pictures))
    for line, picture in zip(grid, pictures, strict=True):
        line[0].imshow(phase_image(picture), origin="lower", extent=picture.extent)
        line[0].set_title(f"{picture.title}, {picture.temperature:g} K")
        line[0].set_ylabel("y [µm]")
        _plane(line[0], picture)
        for drive, axes in enumerate(line[1:]):
            _flux_panel(axes, picture, drive)
    scale = ScalarMappable(LogNorm(*FLUX_RANGE), "viridis")
    every = [axes for row in grid for axes in row]
    bar = figure.colorbar(
        scale, ax=every, location="top", shrink=0.35, aspect=30, anchor=(1.0, 0.5), extend="both"
    )
    bar.set_label("flux magnitude / mean of the plane")
    return figure


def _flux_panel(axes: Axes, picture: FieldPicture, drive: int) -> None:
    axes.set_title(f"along {'xy'[drive]}: {power(picture.effective[drive])} m²/s")
    magnitude = picture.magnitude(drive)
    _plane(axes, picture)
    if not magnitude.any():
        style.note(axes, "nothing flows")
        return
    shown = np.clip(magnitude, FLUX_RANGE[0] / 10, None).T
    norm = LogNorm(*FLUX_RANGE)
    axes.imshow(shown, origin="lower", extent=picture.extent, norm=norm, cmap="viridis")
    _boundaries(axes, picture)
    _streamlines(axes, picture, drive)


def _boundaries(axes: Axes, picture: FieldPicture) -> None:
    edge = outlines(picture.labels, _enlarge(picture)).T
    ink = np.zeros((*edge.shape, 4))
    ink[edge] = (0.0, 0.0, 0.0, 0.45)
    axes.imshow(ink, origin="lower", extent=picture.extent)


def _streamlines(axes: Axes, picture: FieldPicture, drive: int) -> None:
    """Draw lines that each start with the same share of the flux through the middle."""
    flux = np.nan_to_num(np.asarray(picture.flux[drive], dtype=np.float64))
    starts = _starts(flux[drive], drive)
    scale = 1e6 * np.asarray(picture.spacing)
    for i, line in enumerate(trace(flux, starts)):
        points = (line + 0.5) * scale
        axes.plot(points[:, 0], points[:, 1], color="white", linewidth=0.8, alpha=0.85)
        if len(line) > 4:
            _arrow(axes, points, (0.3, 0.5, 0.7)[i % 3])


def _arrow(axes: Axes, points: Floats, share: float) -> None:
    place = int(share * (len(points) - 2))
    look = {"arrowstyle": "-|>", "color": "white", "mutation_scale": 8, "shrinkA": 0, "shrinkB": 0}
    tail, tip = points[place], points[place + 1]
    axes.annotate("", (tip[0], tip[1]), xytext=(tail[0], tail[1]), arrowprops=look)


def trace(flux: Floats, starts: Floats, step: float = 0.5) -> list[Floats]:
    """Follow a plane flux both ways from some points, all of them together.

    Parameters
    ----------
    flux : numpy.ndarray
        (2, nx, ny) components along x and y; only the direction counts.
    starts : numpy.ndarray
        (n, 2) starts in voxels from the centre of the first.
    step : float, optional
        Length of a step [voxels], taken by the midpoint rule.

    Returns
    -------
    list of numpy.ndarray
        (points, 2) for each start, along the flux. A line ends at the edge of
        the plane, where nothing flows, or after twice the way around the plane.
    """
    most = int(2 * sum(flux.shape[1:]) / step)
    back = _follow(flux, starts, -step, most)
    ahead = _follow(flux, starts, step, most)
    return [np.concatenate([b[:0:-1], a]) for b, a in zip(back, ahead, strict=True)]


def _follow(flux: Floats, starts: Floats, step: float, most: int) -> list[Floats]:
    last = np.array(flux.shape[1:]) - 0.5
    path, alive = [starts], np.ones(len(starts), dtype=bool)
    lengths = np.ones(len(starts), dtype=int)
    for _ in range(most):
        here = path[-1]
        half = here + 0.5 * step * _direction(flux, here)
        move = _direction(flux, half)
        there = here + step * move
        if len(path) > STUCK:
            alive &= np.abs(here - path[-STUCK]).sum(axis=1) > 1.0
        alive &= ((there > -0.5) & (there < last) & (np.abs(move).sum(axis=1) > 0)[:, None]).all(1)
        if not alive.any():
            break
        lengths += alive
        path.append(np.where(alive[:, None], there, here))
    points = np.stack(path, axis=1)
    return [line[:length] for line, length in zip(points, lengths, strict=True)]


def _direction(flux: Floats, places: Floats) -> Floats:
    """Interpolate the flux bilinearly and scale it to unit length; zero where nothing flows."""
    cells = np.array(flux.shape[1:])
    inside = np.clip(places, 0.0, cells - 1.0)
    low = np.minimum(inside.astype(int), np.maximum(cells - 2, 0))
    high = np.minimum(low + 1, cells - 1)
    (x0, y0), (x1, y1), (fx, fy) = low.T, high.T, (inside - low).T
    value = (
        flux[:, x0, y0] * (1 - fx) * (1 - fy)
        + flux[:, x1, y0] * fx * (1 - fy)
        + flux[:, x0, y1] * (1 - fx) * fy
        + flux[:, x1, y1] * fx * fy
    )
    size = np.hypot(*value)
    return np.asarray((value / np.where(size > 0, size, 1.0)).T)


def _starts(along: Floats, drive: int) -> Floats:
    """Place the starts on the middle line across the drive, evenly in cumulated flux."""
    across = along if drive == 0 else along.T
    line = np.maximum(across[across.shape[0] // 2], 0.0)
    if line.sum() <= 0:
        return np.empty((0, 2))
    shares = (np.arange(LINES) + 0.5) / LINES
    edges = np.concatenate([[0.0], np.cumsum(line) / line.sum()])
    place = np.interp(shares, edges, np.arange(line.size + 1) - 0.5)
    middle = np.full(LINES, float(across.shape[0] // 2))
    return np.column_stack([middle, place] if drive == 0 else [place, middle])


def describe_flux(picture: FieldPicture) -> str:
    """Say how concentrated the flux in a picture is.

    Parameters
    ----------
    picture : FieldPicture
        The microstructure.

    Returns
    -------
    str
        One sentence with the share of the plane that carries half of the flux.
    """
    shares = []
    for drive in range(2):
        size = np.sort(picture.magnitude(drive).ravel())[::-1]
        if size.sum() <= 0:
            shares.append(f"nothing flows along {'xy'[drive]}")
            continue
        half = np.searchsorted(np.cumsum(size), 0.5 * size.sum()) + 1
        shares.append(f"{percent(half / size.size)} along {'xy'[drive]}")
    return f"{picture.title}: half of the flux passes through {' and '.join(shares)} of the plane."


def describe_plane(picture: FieldPicture) -> str:
    """Say what a map shows.

    Parameters
    ----------
    picture : FieldPicture
        The microstructure.

    Returns
    -------
    str
        Grains, phase fractions and edge lengths.
    """
    right, top = picture.extent[1] * 1e-6, picture.extent[3] * 1e-6
    share = ", ".join(
        f"{name} {percent(float(part))}"
        for name, part in zip(picture.phase_names, picture.fractions, strict=True)
    )
    cut = "mid-plane of a volume, " if picture.dimension == 3 else ""
    return (
        f"{picture.title}: {cut}{length(right)} × {length(top)}, {picture.grains} grains, {share}"
    )
