"""Diffusivities from the trajectories of one cell at one temperature, drawn several times."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from multiscale.atomistics.dynamics import frames
from multiscale.errors import PropertyError, describe
from multiscale.properties.diffusivity import (
    charge_diffusivity,
    displacements,
    estimate,
    without_drift,
)

FloatArray = NDArray[np.float64]

ANGSTROM, FEMTOSECOND = 1e-10, 1e-15


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the mobile atoms of a run went.

    Parameters
    ----------
    positions : (t, n, 3) ndarray
        Never wrapped, in the frame of the framework [m].
    interval : float
        Time between frames [s].
    cell : (3, 3) ndarray
        Its vectors as rows [m].
    """

    positions: FloatArray
    interval: float
    cell: FloatArray

    @property
    def duration(self) -> float:
        """Length of the trajectory [s]."""
        return self.interval * (len(self.positions) - 1)


@dataclass(frozen=True, slots=True)
class Found:
    """A diffusivity at one temperature.

    Parameters
    ----------
    temperature : float
        [K].
    value, stderr : float
        [m²/s]; an upper bound and NaN where ``bound`` is set.
    bound : bool
        Whether no run was diffusive.
    runs : int
        Trajectories it rests on.
    duration : float
        Their length together [s].
    refused : tuple of str
        Why others, or all, were not used.
    haven_ratio, haven_stderr : float
        Self-diffusivity over that of the charge; NaN where no run is long enough.
    """

    temperature: float
    value: float
    stderr: float
    bound: bool
    runs: int
    duration: float
    refused: tuple[str, ...]
    haven_ratio: float = np.nan
    haven_stderr: float = np.nan


def read_paths(folder: Path, mobile: str, skip: float = 0.0) -> Paths:
    """Read the paths of a run's mobile atoms.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run.
    mobile : str
        Element that diffuses.
    skip : float, optional
        Beginning that is left out [fs].

    Returns
    -------
    Paths
        In SI.

    Raises
    ------
    PropertyError
        If there is no such element or there are fewer than two frames.
    """
    some = [one for one in frames(folder) if float(one.info["time"]) >= skip]
    if len(some) < 2:
        raise PropertyError(describe(folder, "at least 2 frames", len(some), "run longer"))
    moves = np.asarray(some[0].symbols == mobile)
    if not moves.any():
        held = ", ".join(dict.fromkeys(map(str, some[0].symbols)))
        raise PropertyError(describe(f"{folder}: mobile", f"one of {held}", mobile))
    positions = ANGSTROM * np.array([one.positions for one in some])
    still = without_drift(positions, some[0].get_masses(), moves)
    interval = FEMTOSECOND * (float(some[1].info["time"]) - float(some[0].info["time"]))
    return Paths(still[:, moves], interval, ANGSTROM * some[0].cell.array)


def bulk_diffusivity(runs: Sequence[Paths], temperature: float, axes: str = "xyz") -> Found:
    """Estimate a bulk diffusivity from several runs.

    Parameters
    ----------
    runs : sequence of Paths
        Of cells drawn anew.
    temperature : float
        [K].
    axes : str, optional
        Axes to average over.

    Returns
    -------
    Found
        Value with the error of the mean over runs, or an upper bound where none is diffusive.

    Raises
    ------
    PropertyError
        If there is no run.
    """
    if not runs:
        raise PropertyError(describe(f"{temperature:g} K", "at least one valid run", "none"))
    values, errors, used, refused, bounds, haven = [], [], 0.0, [], [], []
    for number, run in enumerate(runs):
        try:
            one = estimate(run.positions, run.interval, axes=axes, seed=number)
        except PropertyError as error:
            if "kinisi" in str(error):
                raise
            refused.append(str(error))
            bounds.append(upper_bound(run, axes))
            continue
        values.append(one.value)
        errors.append(one.stderr)
        used += run.duration
        with contextlib.suppress(PropertyError):  # too short for the charge
            both = charge_diffusivity(run.positions, run.interval, one, axes=axes)
            haven.append((both.haven_ratio, both.haven_stderr))
    if not values:
        whole = sum(run.duration for run in runs)
        return Found(temperature, max(bounds), np.nan, True, 0, whole, tuple(refused))
    value, stderr = combine(np.array(values), np.array(errors))
    ratio = combine(*np.array(haven).T) if haven else (np.nan, np.nan)
    return Found(temperature, value, stderr, False, len(values), used, tuple(refused), *ratio)


def upper_bound(run: Paths, axes: str = "xyz") -> float:
    """Bound a diffusivity from above where motion is not diffusive.

    Parameters
    ----------
    run : Paths
        A trajectory.
    axes : str, optional
        Axes to average over.

    Returns
    -------
    float
        Largest of mean squared displacement plus two standard errors over twice the lag, at the
        longest lag [m²/s]: vibration is counted as if it were diffusion.
    """
    found = displacements(run.positions, run.interval, axes)
    error = np.sqrt(found.variance[-1] / max(found.independent[-1], 1.0))
    return float((found.mean[-1] + 2.0 * error) / (2.0 * found.axes * found.lag[-1]))


def combine(values: FloatArray, errors: FloatArray) -> tuple[float, float]:
    """Average runs that differ by more than their errors where cells differ.

    Parameters
    ----------
    values, errors : (n,) ndarray
        Estimates with their standard errors.

    Returns
    -------
    value, stderr : float
        Weighted mean; the spread between runs beyond their errors is estimated and added.

    Notes
    -----
    DerSimonian & Laird, Control. Clin. Trials 7, 177 (1986), 10.1016/0197-2456(86)90046-2, with
    relative errors, since the error of a diffusivity grows with it.
    """
    if values.size == 1:
        return float(values[0]), float(errors[0])
    variance = (errors / values * values.mean()) ** 2
    weight = 1.0 / variance
    mean = float((weight * values).sum() / weight.sum())
    excess = float((weight * (values - mean) ** 2).sum()) - (values.size - 1)
    scale = float(weight.sum() - (weight**2).sum() / weight.sum())
    weight = 1.0 / (variance + max(0.0, excess / scale))
    mean = float((weight * values).sum() / weight.sum())
    return mean, float(np.sqrt(1.0 / weight.sum()))
