"""Medians, intervals and temperature laws of one group of samples."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiscale.errors import InputError, describe
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

Floats = NDArray[np.float64]
LEVELS = (0.5, 0.16, 0.84, 0.025, 0.975)
"""Median, and the ends of the central 68 and 95 %."""


@dataclass(frozen=True, slots=True)
class Law:
    """A quantity against temperature: ln y = ln y₀ − E/k_B (1/T − 1/T₀), or between points.

    Parameters
    ----------
    temperatures : (t,) ndarray
        Where it was computed [K].
    values : (t,) ndarray
        Values there.
    energy : float
        Activation energy [J]; NaN where fewer than two temperatures say one.
    pivot : float
        T₀ [K].
    value : float
        y₀.
    misfit : float
        Largest relative difference of the law from the values.
    """

    temperatures: Floats
    values: Floats
    energy: float
    pivot: float
    value: float
    misfit: float

    @property
    def energy_eV(self) -> float:  # noqa: N802
        """Activation energy [eV]."""
        return self.energy / ELEMENTARY_CHARGE

    @property
    def energy_J_per_mol(self) -> float:  # noqa: N802
        """Activation energy [J/mol]."""
        return self.energy * 6.02214076e23

    def at(self, temperature: float) -> float:
        """Evaluate.

        Parameters
        ----------
        temperature : float
            [K].

        Returns
        -------
        float
            In the unit of the values.
        """
        if not np.isfinite(self.energy):
            return self.value
        slope = self.energy / BOLTZMANN
        return float(self.value * np.exp(-slope * (1 / temperature - 1 / self.pivot)))


@dataclass(frozen=True, slots=True)
class Summary:
    """What one group of samples says.

    Parameters
    ----------
    temperatures : (t,) ndarray
        [K].
    diffusivity : (5, t) ndarray
        Effective diffusivity [m²/s], mean over the axes of each sample: median, ends of the
        central 68 %, ends of the central 95 % of the samples.
    conductivity : (5, t) ndarray or None
        Effective conductivity [S/m]; None where the study does not say it.
    resistance : dict of str to (t,) ndarray
        Areal resistance of each boundary type across it: δ/D⊥ [s/m].
    ionic_resistance : dict of str to (t,) ndarray
        The same in Ω m², where there is a conductivity.
    electrolyte_fraction : float
        Volume fraction of the phase that conducts best.
    samples : int
        How many.
    zeros : float
        Share of them that does not conduct along some axis.
    title, study_hash, versions : str
        Where it comes from.
    """

    temperatures: Floats
    diffusivity: Floats
    conductivity: Floats | None
    resistance: dict[str, Floats]
    ionic_resistance: dict[str, Floats]
    electrolyte_fraction: float
    samples: int
    zeros: float
    title: str
    study_hash: str
    versions: str

    def law(self, quantity: str = "diffusivity", level: int = 0) -> Law:
        """Fit a temperature law.

        Parameters
        ----------
        quantity : {"diffusivity", "conductivity"}, optional
            Of which.
        level : int, optional
            Row: 0 is the median.

        Returns
        -------
        Law
            By least squares of ln y against 1/T.
        """
        rows = self.diffusivity if quantity == "diffusivity" else self.conductivity
        if rows is None:
            raise InputError(no_conductivity())
        return fit(self.temperatures, rows[level])


def fit(temperatures: Floats, values: Floats) -> Law:
    """Fit an activation energy to positive values.

    Parameters
    ----------
    temperatures, values : (t,) ndarray
        [K], any unit.

    Returns
    -------
    Law
        Without an energy for one temperature or where a value is zero.
    """
    middle = len(temperatures) // 2
    if len(temperatures) < 2 or not np.all(values > 0):
        nan = float("nan")
        return Law(temperatures, values, nan, float(temperatures[middle]), values[middle], nan)
    pivot = 1 / float(np.mean(1 / temperatures))
    slope, offset = np.polyfit(1 / temperatures - 1 / pivot, np.log(values), 1)
    found = offset + slope * (1 / temperatures - 1 / pivot)
    misfit = float(np.max(np.abs(np.expm1(found - np.log(values)))))
    energy = float(-slope * BOLTZMANN)
    return Law(temperatures, values, energy, pivot, float(np.exp(offset)), misfit)


def no_conductivity() -> str:
    """Say why there is no conductivity.

    Returns
    -------
    str
        One line.
    """
    return describe(
        "results.nc",
        "an effective conductivity",
        "diffusivities of a study driven by concentration, without carrier densities",
        "run it with driving_force = 'chemical_potential'",
    )


def summarise(results: xr.Dataset) -> Summary:
    """Summarise one group of samples.

    Parameters
    ----------
    results : xarray.Dataset
        Merged results, of the samples that :func:`select` chose.

    Returns
    -------
    Summary
        Medians, intervals and areal resistances.

    Raises
    ------
    InputError
        If the results lack what a run stores.
    """
    for name in ("effective_diffusivity", "boundary_width", "boundary_across", "volume_fraction"):
        if name not in results:
            raise InputError(describe("results.nc", f"the variable {name}", "none", "run again"))
    dimension = int(results["dimension"].values[0])
    tensor = results["effective_diffusivity"].values[..., :dimension, :dimension]
    axes = np.diagonal(tensor, axis1=-2, axis2=-1)  # (sample, temperature, axis)
    found = np.quantile(axes.mean(axis=-1), LEVELS, axis=0)
    sigma = None
    if "effective_conductivity" in results:
        tensor = results["effective_conductivity"].values[..., :dimension, :dimension]
        mean = np.diagonal(tensor, axis1=-2, axis2=-1).mean(axis=-1)
        sigma = np.quantile(mean, LEVELS, axis=0)
    width, across = results["boundary_width"].values, results["boundary_across"].values
    resistance, ionic = {}, {}
    for place, name in enumerate(results["boundary_type"].values):
        if np.isfinite(width[place]) and np.all(across[:, place] > 0):
            resistance[str(name)] = width[place] / across[:, place]
            if sigma is not None and np.all(found[0] > 0):
                ionic[str(name)] = resistance[str(name)] * found[0] / sigma[0]
    best = int(np.argmax(results["phase_diffusivity"].values[0]))
    return Summary(
        np.asarray(results["temperature"].values, dtype=float),
        found,
        sigma,
        resistance,
        ionic,
        float(results["volume_fraction"].values[:, best].mean()),
        results.sizes["sample"],
        float(np.mean(np.any(axes <= 0, axis=(1, 2)))),
        str(results.attrs.get("title", "")),
        str(results.attrs.get("study_hash", "")),
        str(json.loads(results.attrs.get("versions", "{}")).get("multiscale", "")),
    )
