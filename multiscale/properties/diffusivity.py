"""Self-diffusivity from the displacements of a trajectory.

The mean squared displacement of neighbouring lags rests on the same jumps; its values are
strongly correlated, and a straight line through them by least squares gives errors that are
several times too small. kinisi samples the posterior of the slope under the covariance that
a random walk would give. What it is asked here: one axis at a time or all, from the lag on at which
the motion is diffusive.

References
----------
McCluskey, Coles & Morgan, J. Chem. Theory Comput. 21, 79 (2025), 10.1021/acs.jctc.4c01249.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe

FloatArray = NDArray[np.float64]

LAGS = 60
"""Lags at which displacements are looked at."""
FEWEST_LAGS = 10
LONGEST = 0.5
"""Longest lag as a share of the trajectory."""
DIFFUSIVE = 0.15
"""How far the local slope d log MSD / d log t may be from one."""
FEWEST_COLLECTIVE = 18
"""Independent displacements of all ions together that a charge diffusivity rests on."""
FEWEST_HOPS = 1.0
"""Mean squared displacement an axis must reach, in squared hop lengths."""


@dataclass(frozen=True, slots=True)
class Displacements:
    """Squared displacements against lag.

    Parameters
    ----------
    lag : (m,) ndarray
        [s].
    mean : (m,) ndarray
        Mean square over atoms and times [m²].
    variance : (m,) ndarray
        Of single squares [m⁴].
    independent : (m,) ndarray
        How many displacements that do not overlap the mean rests on.
    axes : int
        How many axes are summed.
    """

    lag: FloatArray
    mean: FloatArray
    variance: FloatArray
    independent: FloatArray
    axes: int


@dataclass(frozen=True, slots=True)
class Diffusivity:
    """A self-diffusivity with its posterior.

    Parameters
    ----------
    value, stderr : float
        Mean and standard deviation [m²/s].
    interval_68, interval_95 : tuple of float
        Central credible intervals.
    start : float
        Lag from which on motion counted as diffusive [s].
    """

    value: float
    stderr: float
    interval_68: tuple[float, float]
    interval_95: tuple[float, float]
    start: float


def without_drift(
    positions: FloatArray, masses: FloatArray, mobile: NDArray[np.bool_]
) -> FloatArray:
    """Take the motion of the framework's centre of mass out.

    Parameters
    ----------
    positions : (t, n, 3) ndarray
        Never wrapped.
    masses : (n,) ndarray
        Any unit.
    mobile : (n,) bool ndarray
        Atoms that diffuse; all others are the framework.

    Returns
    -------
    (t, n, 3) ndarray
        In the frame of the framework; of all atoms where all are mobile.

    Raises
    ------
    PropertyError
        If a position is not finite.
    """
    if not np.isfinite(positions).all():
        raise PropertyError(describe("positions", "finite numbers", "NaN or infinity"))
    weights = np.where(mobile, 0.0, masses)
    if not weights.any():
        weights = np.asarray(masses, dtype=float)
    centre = np.einsum("tna,n->ta", positions, weights / weights.sum())
    return np.asarray(positions - (centre - centre[0])[:, None, :])


def displacements(positions: FloatArray, interval: float, axes: str = "xyz") -> Displacements:
    """Average squared displacements over atoms and times.

    Parameters
    ----------
    positions : (t, n, 3) ndarray
        Of the mobile atoms, without drift [m].
    interval : float
        Time between frames [s].
    axes : str, optional
        Some of ``"xyz"``.

    Returns
    -------
    Displacements
        At lags up to half the trajectory, evenly spaced.

    Raises
    ------
    PropertyError
        If there are too few frames, or an axis is none.
    """
    chosen = ["xyz".find(axis) for axis in axes]
    if not axes or -1 in chosen or len(set(chosen)) != len(chosen):
        raise PropertyError(describe("axes", "some of xyz", axes or "none"))
    frames, atoms, _ = positions.shape
    last = int(LONGEST * (frames - 1))
    if last < FEWEST_LAGS:
        raise PropertyError(
            describe("trajectory", f"at least {2 * FEWEST_LAGS + 1} frames", frames, "run longer")
        )
    steps = np.unique(np.linspace(1, last, min(LAGS, last)).round().astype(int))
    mean, variance = np.empty(steps.size), np.empty(steps.size)
    for m, step in enumerate(steps):
        moved = positions[step:, :, chosen] - positions[:-step, :, chosen]
        square = (moved**2).sum(axis=2)
        mean[m], variance[m] = square.mean(), square.var(ddof=1)
    independent = atoms * (frames - 1) / steps
    return Displacements(steps * interval, mean, variance, independent, len(chosen))


def start_of_diffusion(found: Displacements, hop: float) -> float:
    """Find the lag from which on the squared displacement grows in proportion to time.

    Parameters
    ----------
    found : Displacements
        Against lag.
    hop : float
        Length of a hop between sites [m].

    Returns
    -------
    float
        The lag [s].

    Raises
    ------
    PropertyError
        If atoms have not moved by a hop, or nowhere in proportion to time.

    Notes
    -----
    The slope d log MSD / d log t between a lag and twice that lag must be one within
    :data:`DIFFUSIVE` or twice its own error, whichever is larger, at that and all longer lags.
    """
    wanted = FEWEST_HOPS * hop**2 * found.axes / 3.0
    if found.mean[-1] < wanted:
        raise PropertyError(
            describe(
                "trajectory",
                f"a mean squared displacement of at least {1e20 * wanted:.3g} Å² "
                f"along {found.axes} axes",
                f"{1e20 * found.mean[-1]:.3g} Å² in {1e12 * found.lag[-1]:.3g} ps",
                "run longer or hotter",
            )
        )
    double = np.searchsorted(found.lag, 2.0 * found.lag * (1.0 - 1e-9))
    pairs = np.flatnonzero(double < found.lag.size)
    far = double[pairs]
    slope = np.log(found.mean[far] / found.mean[pairs]) / np.log(found.lag[far] / found.lag[pairs])
    relative = np.sqrt(found.variance / found.independent) / found.mean
    error = relative[far] / np.log(found.lag[far] / found.lag[pairs])
    good = np.abs(slope - 1.0) <= np.maximum(DIFFUSIVE, 2.0 * error)
    bad = np.flatnonzero(~good)
    first = 0 if not bad.size else int(bad[-1]) + 1
    if first >= pairs.size:
        raise PropertyError(
            describe(
                "trajectory",
                "a squared displacement in proportion to time (slope 1 in logarithms)",
                f"slope {slope[-1]:.2f} ± {error[-1]:.2f} at {1e12 * found.lag[pairs[-1]]:.3g} ps",
                "run longer",
            )
        )
    return float(found.lag[pairs[first]])


def estimate(
    positions: FloatArray,
    interval: float,
    *,
    axes: str = "xyz",
    hop: float = 2.5e-10,
    seed: int = 0,
) -> Diffusivity:
    """Estimate a self-diffusivity and its uncertainty.

    Parameters
    ----------
    positions : (t, n, 3) ndarray
        Of the mobile atoms, never wrapped, without drift [m].
    interval : float
        Time between frames [s].
    axes : str, optional
        Axes to average over: ``"xyz"``, ``"xy"``, ``"z"`` …
    hop : float, optional
        Length of a hop between sites [m].
    seed : int, optional
        Of the sampler.

    Returns
    -------
    Diffusivity
        Mean, standard deviation and intervals of the posterior.

    Raises
    ------
    PropertyError
        If the motion is not diffusive, or kinisi is not installed.
    """
    try:
        import scipp
        from kinisi.diffusion import Diffusion
    except ImportError as error:
        raise PropertyError(
            describe("diffusivity", "the package kinisi", str(error),
                     'pip install "multiscale[mlip]"')
        ) from None  # fmt: skip
    found = displacements(positions, interval, axes)
    start = start_of_diffusion(found, hop)
    values = scipp.array(
        dims=["time interval"],
        values=1e20 * found.mean,
        variances=1e40 * found.variance / found.independent,
        unit="angstrom**2",
    )
    coords = {
        "time interval": scipp.array(dims=["time interval"], values=1e12 * found.lag, unit="ps"),
        "n_samples": scipp.array(dims=["time interval"], values=found.independent),
    }
    data = scipp.DataGroup(
        {"da": scipp.DataArray(values, coords=coords), "dimensionality": scipp.scalar(found.axes)}
    )
    fit = Diffusion(data)
    fit.bayesian_regression(
        scipp.scalar(1e12 * start * (1.0 - 1e-9), unit="ps"),
        progress=False,
        random_state=np.random.RandomState(seed),
    )
    sampled = np.asarray(fit.gradient.values) / (2.0 * found.axes) * 1e-8  # Å²/ps to m²/s
    low, high, least, most = np.percentile(sampled, [15.865, 84.135, 2.5, 97.5])
    return Diffusivity(
        float(sampled.mean()),
        float(sampled.std(ddof=1)),
        (float(low), float(high)),
        (float(least), float(most)),
        start,
    )


@dataclass(frozen=True, slots=True)
class ChargeDiffusivity:
    """Diffusivity of the charge, with the Haven ratio.

    Parameters
    ----------
    value, stderr : float
        From the displacement of all ions together [m²/s].
    haven_ratio, haven_stderr : float
        Self-diffusivity over it.
    samples : int
        Independent displacements it rests on.
    """

    value: float
    stderr: float
    haven_ratio: float
    haven_stderr: float
    samples: int


def charge_diffusivity(
    positions: FloatArray, interval: float, own: Diffusivity, *, axes: str = "xyz"
) -> ChargeDiffusivity:
    """Estimate the diffusivity that carries charge: of all mobile ions together.

    Parameters
    ----------
    positions : (t, n, 3) ndarray
        Of the mobile ions, never wrapped, without drift [m].
    interval : float
        Time between frames [s].
    own : Diffusivity
        Self-diffusivity of the same trajectory.
    axes : str, optional
        Axes to average over.

    Returns
    -------
    ChargeDiffusivity
        ⟨(Σ Δr)²⟩ / (2 d n t) over windows that do not overlap, and D_self over it.

    Raises
    ------
    PropertyError
        If the trajectory holds fewer than 18 independent displacements.

    Notes
    -----
    There is one collective displacement a window and axis, however many ions: its square is
    chi-squared, and the relative standard error √(2/samples). Murch, Solid State Ionics 7, 177
    (1982), 10.1016/0167-2738(82)90050-9.
    """
    chosen = ["xyz".index(axis) for axis in axes]
    count = positions.shape[1]
    lag = max(1, round(own.start / interval))
    together = positions[::lag, :, chosen].sum(axis=1)
    moved = np.diff(together, axis=0)
    if moved.size < FEWEST_COLLECTIVE:
        raise PropertyError(
            describe("charge diffusivity",
                     f"at least {FEWEST_COLLECTIVE} independent displacements",
                     f"{moved.size} of {1e12 * lag * interval:.3g} ps", "run longer")
        )  # fmt: skip
    value = float((moved**2).mean() / (2.0 * count * lag * interval))
    relative = np.sqrt(2.0 / moved.size)
    ratio = own.value / value
    doubt = ratio * float(np.hypot(relative, own.stderr / own.value))
    return ChargeDiffusivity(value, value * relative, ratio, doubt, int(moved.size))
