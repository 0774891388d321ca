"""Trends that the page states in numbers: percolation, grain size, temperature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from multiscale.analysis import GroupSummary, summarise_groups
from multiscale.report.observations import (
    AxisValues,
    Floats,
    diagonal,
    ensembles,
    fast_phase,
    levels,
    names,
    per_sample,
    phases,
    sample_ensembles,
    swept_phase,
    target_fraction,
    temperatures,
)
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Edges of the bands that figures and tables show."""


@dataclass(frozen=True, slots=True)
class Curve:
    """A probability against a volume fraction.

    Parameters
    ----------
    ensemble : str
        Name of the ensemble.
    name : str
        Phase or boundary type.
    fraction : numpy.ndarray
        (k,) volume fraction, rising.
    probability : numpy.ndarray
        (k,) share of samples and axes.
    low, high : numpy.ndarray
        (k,) 95 % Wilson interval with the samples as independent trials; the
        axes of a sample count as one.
    """

    ensemble: str
    name: str
    fraction: Floats
    probability: Floats
    low: Floats
    high: Floats

    @property
    def threshold(self) -> float:
        """Volume fraction where the probability first rises through one half, or NaN."""
        for i in range(1, self.fraction.size):
            before, after = self.probability[i - 1 : i + 1]
            if before < 0.5 <= after:
                share = (0.5 - before) / (after - before)
                return float(
                    self.fraction[i - 1] + share * np.diff(self.fraction[i - 1 : i + 1])[0]
                )
        return float("nan")


def wilson(probability: Floats, trials: Floats) -> tuple[Floats, Floats]:
    """Bound a share by its 95 % Wilson score interval.

    Parameters
    ----------
    probability : numpy.ndarray
        Observed share.
    trials : numpy.ndarray
        Independent trials behind it.

    Returns
    -------
    tuple of numpy.ndarray
        Lower and upper bound (Wilson 1927, 10.1080/01621459.1927.10502953).
    """
    z = 1.959964
    scale = 1 + z**2 / trials
    centre = (probability + z**2 / (2 * trials)) / scale
    half = z / scale * np.sqrt(probability * (1 - probability) / trials + (z / (2 * trials)) ** 2)
    low = np.minimum(np.maximum(centre - half, 0.0), probability)
    return low, np.maximum(np.minimum(centre + half, 1.0), probability)


def axis_exists(dataset: xr.Dataset) -> Floats:
    """Mark the axes that each sample has.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    numpy.ndarray
        (samples, axes): 1, or NaN beyond the sample's dimension.
    """
    dimension = np.nan_to_num(per_sample(dataset, "dimension"), nan=3.0)
    return np.where(np.arange(dataset.sizes["axis"]) < dimension[:, None], 1.0, np.nan)


def own_fraction(dataset: xr.Dataset, phase: str) -> Floats:
    """Read the volume fraction of a phase in each sample.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    phase : str
        Which phase.

    Returns
    -------
    numpy.ndarray
        (samples,) measured, or by the target where the measure is not stored.
    """
    if "volume_fraction" in dataset:
        return np.asarray(dataset["volume_fraction"].sel(phase=phase).values, dtype=np.float64)
    target = target_fraction(dataset)
    return target if phase == swept_phase(dataset) else 1 - target


def percolation_curves(dataset: xr.Dataset, variable: str, coordinate: str) -> list[Curve]:
    """Average a property of samples and axes at each volume fraction.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    variable : str
        ``"percolates"``, ``"percolating_fraction"`` or ``"boundary_percolates"``.
    coordinate : str
        ``"phase"`` or ``"boundary_type"``. Against its own volume fraction for a
        phase, that of the swept phase for a boundary type.

    Returns
    -------
    list of Curve
        One for each ensemble and name; empty where the variable is missing.
    """
    if variable not in dataset:
        return []
    table = dataset[variable].transpose("sample", coordinate, "axis").values.astype(np.float64)
    table = table * axis_exists(dataset)[:, None, :]
    member, made = sample_ensembles(dataset), []
    for ensemble in ensembles(dataset):
        for index, name in enumerate(names(dataset, coordinate)):
            x = own_fraction(dataset, name) if coordinate == "phase" else target_fraction(dataset)
            chosen = member == ensemble
            made.append(
                _curve(
                    ensemble,
                    name,
                    x[chosen],
                    target_fraction(dataset)[chosen],
                    table[chosen, index],
                )
            )
    return made


def _curve(ensemble: str, name: str, x: Floats, target: Floats, values: Floats) -> Curve:
    rows = []
    for level in levels(target):
        here = np.isclose(target, level)
        share = values[here]
        if np.isfinite(share).any():
            rows.append((np.nanmean(x[here]), np.nanmean(share), np.count_nonzero(here)))
    fraction, probability, trials = np.array(sorted(rows)).reshape(-1, 3).T
    low, high = wilson(np.clip(probability, 0, 1), trials)
    return Curve(ensemble, name, fraction, probability, low, high)


def summaries(values: Floats, groups: Floats) -> list[tuple[float, GroupSummary]]:
    """Summarise values at each level of a swept parameter.

    Parameters
    ----------
    values : numpy.ndarray
        (n,) finite numbers.
    groups : numpy.ndarray
        (n,) level of each.

    Returns
    -------
    list of tuple
        Level and summary with :data:`QUANTILES`, rising. The bootstrap intervals
        in it are not used, since the axes of a sample are not independent.
    """
    if values.size == 0:
        return []
    found = summarise_groups(values, groups.tolist(), quantiles=QUANTILES, resamples=1)
    return sorted(((float(str(item.group)), item) for item in found), key=lambda pair: pair[0])


def quantile(summary: GroupSummary, probability: float) -> float:
    """Read one quantile of a summary.

    Parameters
    ----------
    summary : GroupSummary
        The summary.
    probability : float
        One of :data:`QUANTILES`.

    Returns
    -------
    float
        The value.
    """
    return dict(summary.quantiles)[probability]


def size_exponent(values: AxisValues) -> float:
    """Fit d ln D / d ln d to the medians of each grain size.

    Parameters
    ----------
    values : AxisValues
        One volume fraction of one ensemble.

    Returns
    -------
    float
        The slope; NaN below two grain sizes with D above zero.
    """
    points = [(size, np.median(group.diffusivity)) for size, group in values.by_size()]
    points = [(size, median) for size, median in points if median > 0]
    if len(points) < 2:
        return float("nan")
    x, y = np.log(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])


def activation_energies(dataset: xr.Dataset) -> Floats:
    """Fit an apparent activation energy to each sample and axis.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    numpy.ndarray
        (samples, axes) [eV]; NaN below two temperatures or where D is zero.
    """
    kelvin = np.array(temperatures(dataset))
    stack = np.stack([diagonal(dataset, "effective_diffusivity", t) for t in kelvin])
    return slopes(kelvin, stack)


def slopes(kelvin: Floats, diffusivity: Floats) -> Floats:
    """Fit ln D = ln D₀ − E/(k_B T) by least squares.

    Parameters
    ----------
    kelvin : numpy.ndarray
        (t,) temperatures [K].
    diffusivity : numpy.ndarray
        (t, ...) [m²/s].

    Returns
    -------
    numpy.ndarray
        (...) E [eV]; NaN below two temperatures or where any D is not positive.
    """
    if kelvin.size < 2:
        return np.full(diffusivity.shape[1:], np.nan)
    beta = ELEMENTARY_CHARGE / (BOLTZMANN * kelvin)
    weight = (beta - beta.mean()) / np.sum((beta - beta.mean()) ** 2)
    good = np.all(diffusivity > 0, axis=0)
    logarithm = np.log(np.where(diffusivity > 0, diffusivity, 1.0))
    return np.asarray(np.where(good, -np.tensordot(weight, logarithm, axes=(0, 0)), np.nan))


def phase_energies(dataset: xr.Dataset) -> dict[str, float]:
    """Fit the activation energy of each bulk phase.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    dict of str to float
        Phase and energy [eV]; empty where bulk diffusivities are not stored.
    """
    if "phase_diffusivity" not in dataset:
        return {}
    table = dataset["phase_diffusivity"].sortby("temperature").transpose("temperature", "phase")
    energies = slopes(np.array(temperatures(dataset)), np.asarray(table.values, dtype=np.float64))
    return dict(zip(phases(dataset), energies.tolist(), strict=True))


def fast_curve(dataset: xr.Dataset, temperature: float, ensemble: str) -> Curve | None:
    """Choose the percolation curve of the faster phase in one ensemble.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    temperature : float
        Decides which phase is the faster one [K].
    ensemble : str
        Name of the ensemble.

    Returns
    -------
    Curve or None
        None where percolation or bulk diffusivities are not stored.
    """
    fast = fast_phase(dataset, temperature)
    for curve in percolation_curves(dataset, "percolates", "phase"):
        if curve.ensemble == ensemble and curve.name == fast:
            return curve
    return None
