"""What share the boundaries have in the transport, and at which grain size it is a half."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.optimize import brentq

from multiscale.errors import InputError, ResolutionWarning, describe
from multiscale.microstructure import Polycrystal
from multiscale.network.circuit import circuit_diffusivity
from multiscale.network.coefficients import BoundaryMap
from multiscale.network.grains import Floats
from multiscale.properties import Boundary, BoundaryRules
from multiscale.properties.validity import GRAIN_LIMITS, film_widths

STEP = 1e-4
"""Relative change of the films' widths in the difference."""
LARGEST = 1.0
"""Grain size that no polycrystal has [m]."""


def boundary_share(
    crystal: Polycrystal, phases: Mapping[str, float], boundaries: BoundaryMap
) -> Floats:
    """Share of the boundaries in the resistance, or minus that in the conductance.

    Parameters
    ----------
    crystal : Polycrystal
        The grains.
    phases : mapping of str to float
        Diffusivity of each phase [m²/s].
    boundaries : mapping
        Film of each pair of phases.

    Returns
    -------
    ndarray, shape (d,)
        S = −∂ ln D_eff/∂ ln δ along each axis, all films' widths scaled together.

    Raises
    ------
    InputError
        As :func:`multiscale.circuit_diffusivity`, or if D_eff is zero along an axis.
    ResolutionError
        If a film is too wide for its grains.

    Notes
    -----
    A film's excess resistance and conductance are both proportional to δ. In series with the
    grains S = R/(R + R_bulk), from 0 to 1; beside them −S = G/(G + G_bulk). From the circuit,
    whose derivative a central difference of relative step 1e-4 gives to 1e-7 or so.
    """
    wide, thin = (
        np.diag(circuit_diffusivity(crystal, phases, _scaled(boundaries, factor)).tensor)
        for factor in (1.0 + STEP, 1.0 - STEP)
    )
    if not (thin > 0).all():
        axis = "xyz"[int(np.argmin(thin))]
        raise InputError(
            describe("phases", f"a conducting path along {axis}", "none",
                     "boundaries have no share in nothing")
        )  # fmt: skip
    found: Floats = -(np.log(wide) - np.log(thin)) / (math.log1p(STEP) - math.log1p(-STEP))
    return found


def crossover_grain_size(
    crystal: Polycrystal, phases: Mapping[str, float], boundaries: BoundaryMap
) -> float:
    """Grain size at which boundaries and grains count alike.

    Parameters
    ----------
    crystal : Polycrystal
        The grains, at any size: it is scaled.
    phases : mapping of str to float
        Diffusivity of each phase [m²/s].
    boundaries : mapping
        Film of each pair of phases.

    Returns
    -------
    float
        Edge of the cube (2D: square) of the mean grain volume at which the mean of |S| over
        the axes is 1/2 [m]; 0 if it is less at all sizes for which films are thin.

    Raises
    ------
    InputError
        As :func:`boundary_share`.

    Notes
    -----
    S falls with the grain size for films of one kind. Sizes begin where a film takes a quarter
    of a grain; below, a layer that thick is no boundary any more.
    """
    # films of any phase are measured by its own grains, which may be less than the mean
    mean = float((np.prod(crystal.size) / crystal.grains) ** (1 / crystal.dimension))
    own = [
        float((volume / count) ** (1 / crystal.dimension)) / mean
        for volume, count in _of_phases(crystal)
    ]
    least = 1.02 * max(film_widths(boundaries).values()) / GRAIN_LIMITS.refuse / min(own)

    def excess(log_size: float) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResolutionWarning)
            share = boundary_share(crystal.scaled(math.exp(log_size) / mean), phases, boundaries)
        return float(np.abs(share).mean()) - 0.5

    low, high = math.log(least), math.log(LARGEST)
    if excess(low) <= 0:
        return 0.0
    return math.exp(brentq(excess, low, high, xtol=1e-6))


def _of_phases(crystal: Polycrystal) -> list[tuple[float, int]]:
    """Volume and number of the grains of each phase that has some."""
    volumes = np.asarray(crystal.tessellation.volumes)
    kinds = np.asarray(crystal.phases)
    return [
        (float(volumes[kinds == kind].sum()), int((kinds == kind).sum()))
        for kind in np.unique(kinds)
    ]


def _scaled(boundaries: BoundaryMap, factor: float) -> dict[Any, Boundary | BoundaryRules]:
    """Make all films wider."""
    return {key: _wider(film, factor) for key, film in boundaries.items()}


def _wider(film: Any, factor: float) -> Any:
    if isinstance(film, BoundaryRules):
        rules = tuple(replace(rule, film=_wider(rule.film, factor)) for rule in film.rules)
        return replace(film, default=_wider(film.default, factor), rules=rules)
    return replace(film, width=factor * film.width)
