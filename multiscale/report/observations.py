"""The result set as flat arrays: one entry a sample and axis at one temperature.

Every figure and sentence reads the data through this module, so a missing
variable, a NaN or a two-dimensional sample (no z axis) is dealt with once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiscale.errors import StoreError, describe

Floats = NDArray[np.float64]

REQUIRED = ("effective_diffusivity",)


@dataclass(frozen=True, slots=True)
class AxisValues:
    """Transport along single axes at one temperature.

    Parameters
    ----------
    sample : numpy.ndarray
        (n,) position of the sample in the data set.
    ensemble : numpy.ndarray of str
        (n,) name of the ensemble.
    axis : numpy.ndarray of str
        (n,) ``"x"``, ``"y"`` or ``"z"``.
    volume_fraction : numpy.ndarray
        (n,) target volume fraction of the swept phase.
    grain_size : numpy.ndarray
        (n,) grain size [m].
    diffusivity : numpy.ndarray
        (n,) effective diffusivity along the axis [m²/s]; 0 where nothing percolates.
    circuit : numpy.ndarray
        (n,) the same of the resistor network [m²/s]; NaN where not computed.
    fast_percolates : numpy.ndarray
        (n,) 1 where the faster phase percolates along the axis, 0 where it does
        not, NaN where unknown.
    """

    sample: NDArray[np.int64]
    ensemble: NDArray[np.str_]
    axis: NDArray[np.str_]
    volume_fraction: Floats
    grain_size: Floats
    diffusivity: Floats
    circuit: Floats
    fast_percolates: Floats

    def __len__(self) -> int:
        """How many values there are."""
        return int(self.sample.size)

    def where(self, mask: NDArray[np.bool_]) -> AxisValues:
        """Keep some entries.

        Parameters
        ----------
        mask : numpy.ndarray of bool
            (n,) which to keep.

        Returns
        -------
        AxisValues
            The chosen entries.
        """
        return AxisValues(**{f.name: getattr(self, f.name)[mask] for f in fields(self)})

    @property
    def positive(self) -> Floats:
        """The diffusivities above zero [m²/s]."""
        return self.diffusivity[self.diffusivity > 0]

    @property
    def zeros(self) -> int:
        """How many diffusivities are exactly zero."""
        return int(np.count_nonzero(self.diffusivity <= 0))

    @property
    def samples(self) -> int:
        """How many different samples there are."""
        return int(np.unique(self.sample).size)

    def of(self, ensemble: str, volume_fraction: float | None = None) -> AxisValues:
        """Keep one ensemble, and one volume fraction of it where given.

        Parameters
        ----------
        ensemble : str
            Name of the ensemble.
        volume_fraction : float, optional
            Target volume fraction.

        Returns
        -------
        AxisValues
            The chosen entries.
        """
        mask = self.ensemble == ensemble
        if volume_fraction is not None:
            mask &= np.isclose(self.volume_fraction, volume_fraction)
        return self.where(mask)

    def by_fraction(self) -> Iterator[tuple[float, AxisValues]]:
        """Go through the volume fractions in rising order.

        Yields
        ------
        tuple of float and AxisValues
            A target volume fraction and its entries.
        """
        for fraction in levels(self.volume_fraction):
            yield fraction, self.where(np.isclose(self.volume_fraction, fraction))

    def by_size(self) -> Iterator[tuple[float, AxisValues]]:
        """Go through the grain sizes in rising order.

        Yields
        ------
        tuple of float and AxisValues
            A grain size [m] and its entries.
        """
        for size in levels(self.grain_size):
            yield size, self.where(np.isclose(self.grain_size, size, rtol=1e-6, atol=0))


def levels(values: Floats) -> list[float]:
    """List the different values of a swept parameter, rising.

    Parameters
    ----------
    values : numpy.ndarray
        One value a sample, with NaN where unknown.

    Returns
    -------
    list of float
        Values that differ by more than one part in a million.
    """
    known = values[np.isfinite(values)]
    _, first = np.unique([f"{value:.6e}" for value in known], return_index=True)
    return sorted(float(known[i]) for i in first)


def check(dataset: xr.Dataset) -> None:
    """Refuse a data set that holds no results.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Raises
    ------
    StoreError
        If a required variable or all samples are missing.
    """
    for name in REQUIRED:
        if name not in dataset:
            have = ", ".join(sorted(map(str, dataset.data_vars))) or "no variables"
            raise StoreError(describe("results", f"a variable {name}", have, "run the study first"))
    if dataset.sizes.get("sample", 0) == 0:
        raise StoreError(describe("results", "at least one sample", "none", "run the study first"))


def temperatures(dataset: xr.Dataset) -> list[float]:
    """List the temperatures of the study, rising.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    list of float
        Temperatures [K].
    """
    return sorted(float(value) for value in np.atleast_1d(dataset["temperature"].values))


def reference_temperature(dataset: xr.Dataset, wanted: float | None = None) -> float:
    """Choose the temperature that single-temperature figures show.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    wanted : float, optional
        What is asked for [K]; room temperature by default.

    Returns
    -------
    float
        The nearest temperature of the study [K].
    """
    target = 298.15 if wanted is None else wanted
    return min(temperatures(dataset), key=lambda value: abs(value - target))


def swept_phase(dataset: xr.Dataset) -> str:
    """Name the phase whose volume fraction was swept.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    str
        The phase's name, or the first phase's where none is noted.
    """
    if "target_volume_fraction" in dataset:
        noted = dataset["target_volume_fraction"].attrs.get("phase")
        if noted:
            return str(noted)
    return phases(dataset)[0] if phases(dataset) else "the first phase"


def phases(dataset: xr.Dataset) -> list[str]:
    """List the phases.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    list of str
        Names, in the data set's order.
    """
    return names(dataset, "phase")


def names(dataset: xr.Dataset, coordinate: str) -> list[str]:
    """List the names along a coordinate.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    coordinate : str
        For example ``"boundary_type"``.

    Returns
    -------
    list of str
        Names; empty where the data set has no such coordinate.
    """
    return [str(v) for v in dataset[coordinate].values] if coordinate in dataset.coords else []


def fast_phase(dataset: xr.Dataset, temperature: float) -> str | None:
    """Name the phase with the largest bulk diffusivity.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    temperature : float
        A temperature of the study [K].

    Returns
    -------
    str or None
        Its name; None where the bulk diffusivities are not stored.
    """
    if "phase_diffusivity" not in dataset:
        return None
    values = dataset["phase_diffusivity"].sel(temperature=temperature, method="nearest").values
    values = np.asarray(values, dtype=np.float64)
    return phases(dataset)[int(np.nanargmax(values))] if np.isfinite(values).any() else None


def per_sample(dataset: xr.Dataset, name: str) -> Floats:
    """Read a number a sample.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    name : str
        Variable with the one dimension ``sample``.

    Returns
    -------
    numpy.ndarray
        (samples,) values; NaN where the variable is missing.
    """
    if name not in dataset:
        return np.full(dataset.sizes["sample"], np.nan)
    return np.asarray(dataset[name].values, dtype=np.float64)


def target_fraction(dataset: xr.Dataset) -> Floats:
    """Read the target volume fraction of the swept phase.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    numpy.ndarray
        (samples,) targets; measured fractions rounded to 0.01 where no target
        was stored.
    """
    if "target_volume_fraction" in dataset or "volume_fraction" not in dataset:
        return per_sample(dataset, "target_volume_fraction")
    measured = dataset["volume_fraction"].sel(phase=swept_phase(dataset)).values
    return np.asarray(np.round(measured.astype(np.float64), 2), dtype=np.float64)


def sample_ensembles(dataset: xr.Dataset) -> NDArray[np.str_]:
    """Read the ensemble of each sample.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    numpy.ndarray of str
        (samples,) names; ``"2D"`` and ``"3D"`` where only the dimension is stored.
    """
    if "ensemble" in dataset:
        return np.asarray([str(value) for value in dataset["ensemble"].values])
    if "dimension" in dataset:
        return np.asarray([f"{int(value)}D" for value in dataset["dimension"].values])
    return np.full(dataset.sizes["sample"], "all")


def ensembles(dataset: xr.Dataset) -> list[str]:
    """List the ensembles, lower dimension first.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.

    Returns
    -------
    list of str
        Names.
    """
    found = sample_ensembles(dataset)
    dimension = per_sample(dataset, "dimension")
    return sorted(np.unique(found).tolist(), key=lambda e: (float(dimension[found == e][0]), e))


def diagonal(dataset: xr.Dataset, name: str, temperature: float) -> Floats:
    """Read the axis values of a tensor at one temperature.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    name : str
        Variable with dimensions sample, temperature, axis, axis2.
    temperature : float
        A temperature of the study [K].

    Returns
    -------
    numpy.ndarray
        (samples, axes) [m²/s]; NaN where not computed.
    """
    size = (dataset.sizes["sample"], dataset.sizes["axis"])
    if name not in dataset:
        return np.full(size, np.nan)
    chosen = dataset[name].sel(temperature=temperature, method="nearest")
    tensor = chosen.transpose("sample", "axis", "axis2").values
    return np.asarray(np.diagonal(tensor, axis1=1, axis2=2), dtype=np.float64)


def phase_along_axes(dataset: xr.Dataset, name: str, phase: str | None) -> Floats:
    """Read what a phase does along each axis.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    name : str
        ``"percolates"`` or ``"percolating_fraction"``.
    phase : str or None
        Which phase.

    Returns
    -------
    numpy.ndarray
        (samples, axes); NaN where unknown.
    """
    if name not in dataset or phase is None:
        return np.full((dataset.sizes["sample"], dataset.sizes["axis"]), np.nan)
    chosen = dataset[name].sel(phase=phase).transpose("sample", "axis")
    return np.asarray(chosen.values, dtype=np.float64)


def axis_values(dataset: xr.Dataset, temperature: float) -> AxisValues:
    """Read the transport values of all samples along all axes.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    temperature : float
        A temperature of the study [K].

    Returns
    -------
    AxisValues
        One entry for each axis along which a value was computed.
    """
    values = diagonal(dataset, "effective_diffusivity", temperature)
    circuit = diagonal(dataset, "circuit_diffusivity", temperature)
    percolates = phase_along_axes(dataset, "percolates", fast_phase(dataset, temperature))
    sample, axis = np.nonzero(np.isfinite(values))
    return AxisValues(
        sample=sample.astype(np.int64),
        ensemble=sample_ensembles(dataset)[sample],
        axis=np.asarray(names(dataset, "axis") or ["x", "y", "z"])[axis],
        volume_fraction=target_fraction(dataset)[sample],
        grain_size=per_sample(dataset, "grain_size")[sample],
        diffusivity=np.maximum(values[sample, axis], 0.0),
        circuit=circuit[sample, axis],
        fast_percolates=percolates[sample, axis],
    )
