"""Everything that sentences, captions, tables and figures share, computed once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from multiscale.report.observations import (
    AxisValues,
    Floats,
    axis_values,
    check,
    ensembles,
    fast_phase,
    reference_temperature,
    swept_phase,
)
from multiscale.report.trends import Curve, activation_energies, fast_curve
from multiscale.report.verdicts import ModeVerdict, judge, judge_all


@dataclass(frozen=True, slots=True)
class Split:
    """One volume fraction parted by whether the faster phase percolates along the axis.

    Parameters
    ----------
    percolating, blocked : AxisValues
        The two parts.
    percolating_verdict, blocked_verdict : ModeVerdict
        Number of modes inside each part.
    """

    percolating: AxisValues
    blocked: AxisValues
    percolating_verdict: ModeVerdict
    blocked_verdict: ModeVerdict

    @property
    def mixed(self) -> bool:
        """Whether both parts hold values."""
        return len(self.percolating) > 0 and len(self.blocked) > 0

    @property
    def ratio(self) -> float:
        """Median D of the percolating part over that of the blocked part."""
        if not self.mixed:
            return float("nan")
        low = float(np.median(self.blocked.diffusivity))
        high = float(np.median(self.percolating.diffusivity))
        return high / low if low > 0 else float("inf")

    @property
    def explained(self) -> float:
        """Share of the variance of log10 D (D > 0) that lies between the parts."""
        parts = [np.log10(part.positive) for part in (self.percolating, self.blocked)]
        whole = np.concatenate(parts)
        if min(part.size for part in parts) == 0 or np.ptp(whole) == 0:
            return float("nan")
        inside = sum(float(np.sum((part - part.mean()) ** 2)) for part in parts)
        return 1 - inside / float(np.sum((whole - whole.mean()) ** 2))


@dataclass(frozen=True, slots=True)
class Findings:
    """What one result set says at one temperature.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    temperature : float
        Temperature of single-temperature statements [K].
    values : AxisValues
        Transport along every axis of every sample.
    ensembles : tuple of str
        Names, lower dimension first.
    swept : str
        Phase whose volume fraction was swept.
    fast : str or None
        Phase with the largest bulk diffusivity.
    verdicts : dict
        Ensemble → volume fraction → number of modes.
    splits : dict
        Ensemble → volume fraction → parts by percolation of the faster phase.
    percolation : dict
        Ensemble → percolation curve of the faster phase.
    energies : numpy.ndarray
        (samples, axes) apparent activation energies [eV].
    """

    dataset: xr.Dataset
    temperature: float
    values: AxisValues
    ensembles: tuple[str, ...]
    swept: str
    fast: str | None
    verdicts: dict[str, dict[float, ModeVerdict]]
    splits: dict[str, dict[float, Split]]
    percolation: dict[str, Curve]
    energies: Floats


def find(dataset: xr.Dataset, temperature: float | None = None) -> Findings:
    """Compute what the page and the headline state.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    temperature : float, optional
        Wanted temperature [K]; the study's nearest to it is used. Room
        temperature by default.

    Returns
    -------
    Findings
        All of it.

    Raises
    ------
    StoreError
        If the data set holds no results.
    """
    check(dataset)
    dataset = dataset.sortby("temperature")
    chosen = reference_temperature(dataset, temperature)
    values = axis_values(dataset, chosen)
    every = [name for name in ensembles(dataset) if (values.ensemble == name).any()]
    curves = {name: fast_curve(dataset, chosen, name) for name in every}
    return Findings(
        dataset=dataset,
        temperature=chosen,
        values=values,
        ensembles=tuple(every),
        swept=swept_phase(dataset),
        fast=fast_phase(dataset, chosen),
        verdicts={name: judge_all(values, name) for name in every},
        splits={name: _splits(values.of(name)) for name in every},
        percolation={name: curve for name, curve in curves.items() if curve is not None},
        energies=activation_energies(dataset),
    )


def _splits(values: AxisValues) -> dict[float, Split]:
    made = {}
    for fraction, group in values.by_fraction():
        parts = [group.where(group.fast_percolates == state) for state in (1.0, 0.0)]
        if any(len(part) for part in parts):
            made[fraction] = Split(parts[0], parts[1], judge(parts[0]), judge(parts[1]))
    return made
