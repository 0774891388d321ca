"""Which grain is which phase: exact volume fractions, at random or clustered.

A clustered phase is the part of a Gaussian random field above a level. The
field has covariance exp(−(r/ξ)²), ξ the correlation length: it falls to 1/e at ξ.
Each phase but the last takes, from the grains that are left, those at which a
fresh field is highest, until its volume is reached; then grains are moved and
swapped between phases as long as the worst volume error gets smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from multiscale.errors import RecipeError, describe
from multiscale.microstructure.power_diagram import Floats, Ints

FRACTION_TOLERANCE = 1e-6  # of the sum of the fractions
CELLS_PER_CORRELATION_LENGTH = 4
LARGEST_FIELD = 2**22  # grid points
GOOD_ENOUGH = 1e-6  # volume error, of the box, at which swapping ends
MAXIMUM_SWAPS = 50


def check_phases(phases: Mapping[str, float]) -> tuple[tuple[str, ...], Floats]:
    """Check phase names and volume fractions.

    Parameters
    ----------
    phases : mapping of str to float
        Volume fraction of each phase.

    Returns
    -------
    names : tuple of str
        Phase names in the given order.
    fractions : (p,) array
        Fractions that add up to 1.

    Raises
    ------
    RecipeError
        If there is none, a name cannot be used, or the fractions are not a partition of 1.
    """
    if not isinstance(phases, Mapping) or not phases:
        raise RecipeError(describe("phases", "a volume fraction for each phase name", phases))
    for name, fraction in phases.items():
        if not isinstance(name, str) or not name.strip() or "|" in name:
            raise RecipeError(describe("phases", "names without '|'", name))
        number = isinstance(fraction, int | float | np.number) and not isinstance(fraction, bool)
        if not number or not 0 <= float(fraction) <= 1:
            raise RecipeError(describe(f"phases.{name}", "a volume fraction in [0, 1]", fraction))
    fractions = np.array([float(fraction) for fraction in phases.values()])
    if abs(fractions.sum() - 1) > FRACTION_TOLERANCE:
        shown = " + ".join(f"{fraction:g}" for fraction in fractions)
        raise RecipeError(
            describe(
                "phases", "volume fractions that add up to 1", f"{shown} = {fractions.sum():g}"
            )
        )
    return tuple(phases), fractions / fractions.sum()


def gaussian_field(
    points: Floats,
    size: Floats,
    correlation_length: float,
    generator: np.random.Generator,
    *,
    periodic: bool,
) -> Floats:
    """Sample a Gaussian random field of covariance exp(−(r/ξ)²).

    Parameters
    ----------
    points : (n, d) array
        Where [m].
    size : (d,) array
        Box edges [m].
    correlation_length : float
        ξ [m].
    generator : numpy.random.Generator
        Source of randomness.
    periodic : bool
        Whether the field repeats with the box.

    Returns
    -------
    (n,) array
        Values, variance about 1.
    """
    reach = size if periodic else size + 3 * correlation_length
    cells = np.ceil(CELLS_PER_CORRELATION_LENGTH * reach / correlation_length)
    cells *= min(1.0, (LARGEST_FIELD / np.prod(cells)) ** (1 / len(size)))
    counts = np.maximum(cells.astype(int), 4)
    noise = generator.standard_normal(tuple(counts))
    square = np.zeros(tuple(counts))
    for axis, (count, edge) in enumerate(zip(counts, reach, strict=True)):
        wave = 2 * np.pi * np.fft.fftfreq(count, edge / count)
        shape = [1] * len(size)
        shape[axis] = count
        square = square + (wave**2).reshape(shape)
    amplitude = np.exp(-square * correlation_length**2 / 8)
    field = np.fft.ifftn(np.fft.fftn(noise) * amplitude).real
    field /= np.sqrt(np.mean(amplitude**2))
    place = (points / reach * counts).T
    return np.asarray(map_coordinates(field, place, order=3, mode="grid-wrap"))


def assign_phases(volumes: Floats, fractions: Floats, fields: Floats) -> NDArray[np.int64]:
    """Give each grain a phase so that the volume fractions are met.

    Parameters
    ----------
    volumes : (n,) array
        Exact cell volumes.
    fractions : (p,) array
        Wanted volume fractions.
    fields : (p − 1, n) array
        Each phase but the last takes the grains where its field is highest.

    Returns
    -------
    (n,) array of int
        Phase of each grain. Two phases: |realised − wanted| is at most half the volume of the
        largest grain divided by the box. p phases: at most p − 1 times that before swaps,
        and far below after them wherever there are more than a few grains.
    """
    total = volumes.sum()
    phases = np.full(len(volumes), len(fractions) - 1, dtype=np.int64)
    free = np.arange(len(volumes))
    for phase, field in enumerate(fields):
        order = free[np.argsort(-field[free], kind="stable")]
        reached = np.concatenate([[0.0], np.cumsum(volumes[order])])
        taken = int(np.argmin(np.abs(reached - fractions[phase] * total)))
        phases[order[:taken]] = phase
        free = order[taken:]
    return _improved(phases, volumes, fractions * total)


def _improved(phases: NDArray[np.int64], volumes: Floats, target: Floats) -> NDArray[np.int64]:
    """Move or swap grains while the worst volume error gets smaller."""
    for _ in range(MAXIMUM_SWAPS):
        error = np.bincount(phases, volumes, minlength=len(target)) - target
        worst = np.abs(error).max()
        if worst <= GOOD_ENOUGH * volumes.sum():
            break
        giver, taker = int(np.argmax(error)), int(np.argmin(error))
        wanted = (error[giver] - error[taker]) / 2
        given, returned = _best_exchange(phases, volumes, giver, taker, wanted)
        moved = (volumes[given] if given >= 0 else 0.0) - (
            volumes[returned] if returned >= 0 else 0.0
        )
        after = max(abs(error[giver] - moved), abs(error[taker] + moved))
        if after >= max(abs(error[giver]), abs(error[taker])) * (1 - 1e-9):
            break
        phases[given] = taker
        if returned >= 0:
            phases[returned] = giver
    return phases


def _best_exchange(
    phases: NDArray[np.int64], volumes: Floats, giver: int, taker: int, wanted: float
) -> tuple[int, int]:
    """Grain to give and grain to take back (−1: none) that move nearest to a wanted volume."""
    giving, taking = np.flatnonzero(phases == giver), np.flatnonzero(phases == taker)
    taking = taking[np.argsort(volumes[taking])]
    offered = np.concatenate([[0.0], volumes[taking]])
    ideal = volumes[giving] - wanted
    right = np.clip(np.searchsorted(offered, ideal), 1, max(len(offered) - 1, 1))
    options = np.stack([right - 1, np.minimum(right, len(offered) - 1)])
    miss = np.abs(offered[options] - ideal)
    side, pick = np.unravel_index(int(np.argmin(miss)), miss.shape)
    back = int(options[side, pick])
    return int(giving[pick]), int(taking[back - 1]) if back > 0 else -1


def volume_fractions(phases: Ints, volumes: Floats, phase_names: Sequence[str]) -> dict[str, float]:
    """Add up the share of the volume of each phase.

    Parameters
    ----------
    phases : (n,) array of int
        Phase of each grain.
    volumes : (n,) array
        Grain volumes, which fill the box.
    phase_names : sequence of str
        Phase names.

    Returns
    -------
    dict of str to float
        They sum to 1.
    """
    shares = np.bincount(phases, volumes, minlength=len(phase_names)) / volumes.sum()
    return {name: float(share) for name, share in zip(phase_names, shares, strict=True)}
