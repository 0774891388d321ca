"""How wide a film may be before its picture breaks.

Films are collapsed: no room is made for them, and what they hold is an excess over the bulk
that they replace. That needs δ small against the grains beside them. A grain's size here is
the edge of the cube (2D: square) of the mean grain volume of its phase, as in study files
and recipes. Poisson–Voronoi grains of that size have S_V = 2.9/d (2D: 2/d), so films fill
about 3 δ/d (2 δ/d) of the volume: a third at the warning, most of it where they are refused.

Against the voxel the limit is the scheme's. ``faces`` puts films on voxel faces, and their
sheets into a network on those faces: a voxel finer than the film resolves grain that the
film covers, and a film that conducts better than the bulk can take away no more than the
voxel halves beside it. ``cut-cells`` draws grains back from their films and looks for
them a few voxels away at most.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import InputError, ResolutionError, describe, nearest, warn_resolution
from multiscale.properties.boundary import Boundary
from multiscale.properties.boundary_rules import BoundaryRules


@dataclass(frozen=True, slots=True)
class WidthLimits:
    """Film width over a length: beyond what a run is warned about, beyond what refused.

    Parameters
    ----------
    warn, refuse : float
        Ratios; the limit itself is still fine.
    """

    warn: float
    refuse: float


GRAIN_LIMITS = WidthLimits(warn=0.1, refuse=0.25)
"""Of δ over the mean grain size of either phase beside the film."""
VOXEL_LIMITS: dict[str, WidthLimits | None] = {
    "faces": WidthLimits(warn=1.0, refuse=3.0),
    # Against resolved films, 2D, δ/d of 0.02 and 0.05, K/K_bulk of 1e-3 … 1e3, δ/h up to 3.2:
    # errors change by 0.2 % of the value at most (at δ/d = 0.05, c = 10: 0.32 % at δ/h = 0.4,
    # 0.46 % at 3), iterations from 24 to 46. Beyond δ/h = 2.5 blocking films find no grain
    # beside short facets (δ/d = 0.05: fails from 2.6 on, 2.4 is fine; 0.02: 2.6 … 3.2).
    "cut-cells": WidthLimits(warn=2.0, refuse=2.5),
}
"""Of δ over the shortest voxel edge, by scheme; None where the voxel sets none."""

FACES_CONTRAST = 100.0
"""Ratio of bulk coefficients beyond which ``faces`` is warned of; measured at 1e3, where it is
off by up to 63 % where the fast phase percolates and by factors where it does not
(``runs/boundary-accuracy``)."""

_ROUNDING = 1e-9
"""Relative slack, so that 0.1 of a computed length is not above 0.1 of it."""


def film_widths(
    boundaries: Mapping[tuple[str, str], Boundary | BoundaryRules]
    | Mapping[str, Boundary | BoundaryRules],
) -> dict[str, float]:
    """List the width of every film.

    Parameters
    ----------
    boundaries : mapping
        ``("A", "B")`` or ``"A|B"`` → Boundary or BoundaryRules.

    Returns
    -------
    dict of str to float
        Widths [m] by class: ``"A|B"``, and ``"A|B rule"`` for each rule.
    """
    widths: dict[str, float] = {}
    for key, film in boundaries.items():
        pair = "|".join(sorted(key.split("|") if isinstance(key, str) else key))
        if isinstance(film, BoundaryRules):
            widths[pair] = film.default.width
            widths |= {f"{pair} {rule.name}": rule.film.width for rule in film.rules}
        else:
            widths[pair] = film.width
    return widths


def mean_grain_sizes(
    volumes: ArrayLike, phases: NDArray[np.integer], names: Sequence[str], dimension: int
) -> dict[str, float]:
    """Average the size of the grains of each phase.

    Parameters
    ----------
    volumes : (n,) array_like
        Grain volumes [m³], in 2D areas [m²].
    phases : (n,) array of int
        Phase of each grain, an index into ``names``.
    names : sequence of str
        Phase names.
    dimension : int
        2 or 3.

    Returns
    -------
    dict of str to float
        (mean volume)^(1/dimension) [m] of each phase that has grains.
    """
    total = np.bincount(phases, np.asarray(volumes, dtype=float), minlength=len(names))
    count = np.bincount(phases, minlength=len(names))
    return {
        name: float((total[p] / count[p]) ** (1 / dimension))
        for p, name in enumerate(names)
        if count[p]
    }


def width_warnings(
    widths: Mapping[str, float],
    names: Iterable[str],
    grain_sizes: Mapping[str, float],
    spacing: ArrayLike | None = None,
    scheme: str = "faces",
) -> list[str]:
    """Hold film widths against grains and voxels.

    Parameters
    ----------
    widths : mapping of str to float
        Width [m] of each class of film, ``"A|B"`` or ``"A|B rule"``.
    names : iterable of str
        Phase names.
    grain_sizes : mapping of str to float
        Mean grain size [m] of each phase that has grains; films beside others are not
        looked at.
    spacing : array_like, optional
        Voxel edges [m]; without them the voxel is not looked at.
    scheme : str, optional
        How films enter the voxels, a key of :data:`VOXEL_LIMITS`.

    Returns
    -------
    list of str
        One line for each film that is wide; empty where all is well.

    Raises
    ------
    ResolutionError
        If a film is too wide.
    InputError
        If there is no such scheme.
    """
    if scheme not in VOXEL_LIMITS:
        expected = f"one of {', '.join(VOXEL_LIMITS)}"
        raise InputError(describe("scheme", expected, scheme, nearest(scheme, VOXEL_LIMITS)))
    voxel = VOXEL_LIMITS[scheme]
    known, found = set(names), []
    for name, width in widths.items():
        beside = {phase: grain_sizes.get(phase) for phase in _pair(name, known)}
        if None in beside.values():
            continue
        size, phase = min((one, phase) for phase, one in beside.items() if one is not None)
        what = f"the mean grain size of {phase}, {_nm(size)}"
        remedy = "use larger grains or a thinner film: films would fill most of the volume"
        found.append(_judge(name, width, size, GRAIN_LIMITS, what, remedy))
        if spacing is not None and voxel is not None:
            edge = float(np.min(np.asarray(spacing, dtype=float)))
            what = f"the voxel edge, {_nm(edge)}"
            remedy = f"use fewer cells: scheme {scheme!r} has no room for the film"
            found.append(_judge(name, width, edge, voxel, what, remedy))
    return [line for line in found if line]


def check_widths(
    widths: Mapping[str, float],
    names: Iterable[str],
    grain_sizes: Mapping[str, float],
    spacing: ArrayLike | None = None,
    scheme: str = "faces",
) -> None:
    """Refuse films that are too wide and warn of wide ones.

    Parameters
    ----------
    widths, names, grain_sizes, spacing, scheme
        As for :func:`width_warnings`.

    Raises
    ------
    ResolutionError
        If a film is too wide.
    InputError
        If there is no such scheme.

    Warns
    -----
    ResolutionWarning
        For each film that is wide.
    """
    for line in width_warnings(widths, names, grain_sizes, spacing, scheme):
        warn_resolution(line)


def contrast_warning(phases: Mapping[str, float], scheme: str) -> str:
    """Hold the contrast of phases with thin boundaries against what a scheme can do.

    Parameters
    ----------
    phases : mapping of str to float
        Bulk coefficient of each phase; phases of zero are left out.
    scheme : str
        How films enter the voxels; only ``"faces"`` has a limit.

    Returns
    -------
    str
        One line if the ratio of two coefficients is above :data:`FACES_CONTRAST`,
        empty otherwise.
    """
    conducting = [value for value in phases.values() if value > 0]
    if scheme != "faces" or len(conducting) < 2:
        return ""
    ratio = max(conducting) / min(conducting)
    if ratio <= FACES_CONTRAST * (1 + _ROUNDING):
        return ""
    expected = f"coefficients at most {FACES_CONTRAST:g} times apart beside thin boundaries"
    remedy = "scheme 'cut-cells' is for such contrasts, 'faces' may be off by tens of percent"
    return describe("phases", expected, f"{ratio:.3g} times", remedy)


def check_contrast(phases: Mapping[str, float], scheme: str) -> None:
    """Warn of phases too unlike for films on voxel faces.

    Parameters
    ----------
    phases, scheme
        As for :func:`contrast_warning`.

    Warns
    -----
    ResolutionWarning
        If the ratio of two coefficients is above :data:`FACES_CONTRAST`.
    """
    line = contrast_warning(phases, scheme)
    if line:
        warn_resolution(line)


def _judge(
    name: str, width: float, length: float, limits: WidthLimits, what: str, remedy: str
) -> str:
    """Raise, or word a warning, or say nothing."""
    ratio = width / length
    if ratio <= limits.warn * (1 + _ROUNDING):
        return ""
    place = f"boundaries[{name!r}] width"
    received = f"{_nm(width)}, {ratio:.3g} of it"
    if ratio > limits.refuse * (1 + _ROUNDING):
        expected = f"at most {limits.refuse:g} times {what}"
        raise ResolutionError(describe(place, expected, received, remedy))
    doubt = "take the result as an estimate"
    return describe(place, f"at most {limits.warn:g} times {what}", received, doubt)


def _pair(name: str, phases: set[str]) -> tuple[str, str]:
    """Read the phases of a class; the name of a rule is one word after the last space."""
    first, _, second = name.partition("|")
    return first, second if second in phases else second.rpartition(" ")[0]


def _nm(length: float) -> str:
    return f"{length / 1e-9:.3g} nm"
