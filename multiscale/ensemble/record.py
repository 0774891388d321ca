"""What is kept of one sample: named arrays with units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiscale.microstructure import Descriptors, boundary_types
from multiscale.network import Percolation
from multiscale.properties import TransportCoefficients
from multiscale.transport import (
    EffectiveDiffusivity,
    VoxelGeometry,
    VoxelSolution,
    hashin_shtrikman,
    wiener,
)
from multiscale.transport.flux import FluxField, share_within

AXES = ("x", "y", "z")
NEIGHBOURHOOD = "heterointerface neighbourhood"


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """What a sample is, whatever comes out of it.

    Parameters
    ----------
    ensemble : str
        Name of its ensemble.
    dimension : int
        Number of axes.
    grain_size : float
        Mean grain edge [m].
    realisation : int
        Number among those that differ by chance alone.
    swept_phase : str
        Phase whose volume fraction is swept; empty if none is.
    volume_fraction : float
        Volume fraction asked of it; NaN if none is swept.
    """

    ensemble: str
    dimension: int
    grain_size: float
    realisation: int
    swept_phase: str
    volume_fraction: float


class SampleRecord:
    """Collects the results of one sample as arrays with names and units.

    Parameters
    ----------
    facts : SampleFacts
        What the sample is.
    temperatures : sequence of float
        Temperatures [K].
    phases : sequence of str
        All phases of the study.
    own : tuple of str
        Phases of this sample's crystal, in the order of their index.
    radius : float
        Neighbourhood of a heterointerface, in mean grain edges.
    classes : sequence of str, optional
        Boundary types, each followed by its rules; the types alone unless given.
    """

    def __init__(
        self,
        facts: SampleFacts,
        temperatures: Sequence[float],
        phases: Sequence[str],
        own: tuple[str, ...],
        radius: float,
        classes: Sequence[str] = (),
    ) -> None:
        self.d, self.own, self.phases = facts.dimension, own, tuple(phases)
        self.described: Descriptors | None = None
        self.weight = 1.0  # what the last coefficients are divided by: D_eff = K_eff/weight
        self.types = boundary_types(self.phases)
        along = tuple(f"along {name}" for name in classes or self.types)
        across = tuple(f"across {name}" for name in classes or self.types)
        self.coords: dict[str, Sequence[Any]] = {
            "temperature": list(temperatures),
            "axis": list(AXES),
            "axis2": list(AXES),
            "phase": list(self.phases),
            "boundary_type": list(self.types),
            "part": [*self.phases, *along, NEIGHBOURHOOD],
            "dissipation_part": [*self.phases, *across, *along],
        }
        self.values: dict[str, tuple[tuple[str, ...], Any, dict[str, str]]] = {}
        self._put("ensemble", (), facts.ensemble, "name of the ensemble")
        self._put("dimension", (), facts.dimension, "number of axes")
        self._put("grain_size", (), facts.grain_size, "mean grain edge", "m")
        self._put("realisation", (), facts.realisation, "number of the realisation")
        text = f"volume fraction asked of {facts.swept_phase}"
        self._put("target_volume_fraction", (), facts.volume_fraction, text, "1")
        self.values["target_volume_fraction"][2]["phase"] = facts.swept_phase
        self.radius = radius

    def _put(
        self, name: str, dims: tuple[str, ...], value: Any, long_name: str, unit: str = ""
    ) -> None:
        attributes = {"long_name": long_name, **({"units": unit} if unit else {})}
        self.values[name] = (dims, value, attributes)

    def _blank(self, name: str, dims: tuple[str, ...], long_name: str, unit: str) -> NDArray[Any]:
        """The array of a variable, filled with NaN when first asked for."""
        if name not in self.values:
            shape = [len(self.coords[dim]) for dim in dims]
            self._put(name, dims, np.full(shape, np.nan), long_name, unit)
        array: NDArray[Any] = self.values[name][1]
        return array

    def microstructure(self, described: Descriptors, paths: Percolation) -> None:
        """Note what the polycrystal is like and what connects in it.

        Parameters
        ----------
        described : Descriptors
            Measures of the microstructure.
        paths : Percolation
            What percolates.
        """
        self.described = described
        order = [self.phases.index(name) for name in self.own]
        fractions = [described.volume_fractions.get(name, 0.0) for name in self.phases]
        areas = [described.area_density.get(name, 0.0) for name in self.types]
        self._put("volume_fraction", ("phase",), np.array(fractions), "volume fraction", "1")
        self._put(
            "boundary_area_density",
            ("boundary_type",),
            np.array(areas),
            "boundary area over volume",
            "1/m",
        )
        unit = "1/m2"
        self._put(
            "triple_line_density",
            (),
            described.triple_line_density,
            "triple-line length over volume (2D: points over area)",
            unit,
        )
        self._put(
            "heterointerfaces",
            (),
            described.heterointerfaces,
            "junction points where at least three boundary types meet",
        )
        self._put(
            "heterointerface_clusters",
            (),
            described.heterointerface_clusters,
            f"clusters of junction points that see three types within {self.radius} grain edges",
        )
        self._put("grains", (), described.grains, "number of grains")
        self._put(
            "diameter_cv",
            (),
            described.diameter_cv,
            "standard deviation over mean of equivalent diameters",
            "1",
        )
        dims = ("phase", "axis")
        for name, values, text in (
            ("percolates", paths.phase_percolates, "whether the phase connects opposite faces"),
            (
                "percolating_fraction",
                paths.percolating_fraction,
                "share of the phase in percolating clusters",
            ),
        ):
            self._blank(name, dims, text, "1")[order, : self.d] = values
        largest = self._blank(
            "largest_cluster_fraction", ("phase",), "share of the phase in its largest cluster", "1"
        )
        largest[order] = paths.largest_cluster_fraction
        types = [self.types.index(name) for name in paths.boundary_types]
        connected = self._blank(
            "boundary_percolates",
            ("boundary_type", "axis"),
            "whether the boundary type connects opposite faces",
            "1",
        )
        connected[types, : self.d] = paths.boundary_percolates

    def transport(
        self,
        number: int,
        given: TransportCoefficients,
        result: EffectiveDiffusivity,
        circuit: NDArray[np.float64],
    ) -> None:
        """Note the effective tensor at one temperature, its checks and bounds.

        Parameters
        ----------
        number : int
            Number of the temperature.
        given : TransportCoefficients
            What was solved with.
        result : EffectiveDiffusivity
            Solution on voxels.
        circuit : (d, d) ndarray
            Effective coefficient of the grain circuit.
        """
        assert self.described is not None
        shares = self.values["volume_fraction"][1]
        values = [float(given.phases[name]) for name in self.phases]
        self.weight = mean = given.mean_weight(self.described)
        tensor = ("temperature", "axis", "axis2")
        for name, value, text in (
            ("effective_diffusivity", result.tensor, "effective diffusivity (from the energy)"),
            ("flux_diffusivity", result.flux_tensor, "effective diffusivity (from the flux)"),
            ("circuit_diffusivity", circuit, "effective diffusivity of the grain circuit"),
        ):
            self._blank(name, tensor, text, "m2/s")[number, : self.d, : self.d] = value / mean
        if given.driving_force == "chemical_potential":
            sigma = given.conductivity(result.tensor, self.coords["temperature"][number])
            text = "effective conductivity (Nernst–Einstein, from the energy)"
            self._blank("effective_conductivity", tensor, text, "S/m")[
                number, : self.d, : self.d
            ] = sigma
        bounds = {
            "wiener": wiener(values, shares),
            "hashin_shtrikman": hashin_shtrikman(values, shares, self.d),
        }
        for name, pair in bounds.items():
            for side, bound in zip(("lower", "upper"), pair, strict=True):
                text = f"{side} {name.replace('_', '–').title()} bound without boundaries"
                self._blank(f"{name}_{side}", ("temperature",), text, "m2/s")[number] = bound / mean
        self._blank(
            "flux_imbalance", ("temperature", "axis"), "spread of the flux over all planes", "1"
        )[number, : self.d] = result.imbalance
        scalars: tuple[tuple[str, float, str, str], ...] = (
            ("residual", result.residual, "relative residual", "1"),
            ("iterations", result.iterations, "solver iterations", "1"),
            ("solve_seconds", result.seconds, "time of assembly and solve", "s"),
        )
        for name, figure, text, unit in scalars:
            self._blank(name, ("temperature",), text, unit)[number] = figure

    def shares(self, number: int, flux: FluxField, near: NDArray[np.bool_] | None) -> None:
        """Note the share of each part in flux and in dissipation.

        Parameters
        ----------
        number : int
            Number of the temperature.
        flux : FluxField
            Flux on voxels.
        near : (nx, ny[, nz]) bool ndarray or None
            Neighbourhoods of heterointerfaces; None where the grid does not resolve
            them.
        """
        part = self._blank(
            "flux_share", ("temperature", "axis", "part"), "share of the flux along the axis", "1"
        )
        loss = self._blank(
            "dissipation_share",
            ("temperature", "axis", "dissipation_part"),
            "share of the dissipation = d ln D_eff / d ln conductance",
            "1",
        )
        for array, names, values, coordinate in (
            (part, flux.parts, flux.flux_share, "part"),
            (loss, flux.dissipation_parts, flux.dissipation_share, "dissipation_part"),
        ):
            places = [list(self.coords[coordinate]).index(name) for name in names]
            for row, axis in enumerate(flux.axes):
                array[number, axis, places] = values[row]
        if flux.axes and near is not None:
            part[number, list(flux.axes), -1] = share_within(flux, near)

    def dataset(self) -> xr.Dataset:
        """Everything noted so far.

        Returns
        -------
        xarray.Dataset
            With units and long names.
        """
        return xr.Dataset(self.values, coords=self.coords)


def flux_slices(
    geometry: VoxelGeometry,
    solution: VoxelSolution,
    flux: FluxField,
    temperature: float,
    weight: float = 1.0,
) -> xr.Dataset:
    """Keep a plane of the flux for pictures: the sample in 2D, mid-height in 3D.

    Parameters
    ----------
    geometry : VoxelGeometry
        Labels and phases.
    solution : VoxelSolution
        The solved problem.
    flux : FluxField
        Its flux.
    temperature : float
        Temperature of the solution [K].
    weight : float, optional
        What coefficients are divided by to make them diffusivities.

    Returns
    -------
    xarray.Dataset
        ``labels``, ``phase`` (x, y), ``flux`` (drive, component, x, y).
    """
    d = geometry.spacing.size
    middle = geometry.labels.shape[2] // 2
    vector = np.zeros((2, 2, *geometry.labels.shape[:2]), dtype=np.float32)
    for row, axis in enumerate(flux.axes):
        if axis < 2:
            plane = flux.vector[row] if d == 2 else flux.vector[row][:, :, middle]
            vector[axis] = np.moveaxis(plane[..., :2], -1, 0) / weight
    plane = ("x", "y")
    return xr.Dataset(
        {
            "labels": (plane, geometry.labels[:, :, middle]),
            "phase": (plane, geometry.phase[:, :, middle].astype(np.int8)),
            "flux": (("drive", "component", *plane), vector, {"units": "m2/s"}),
            "effective": (
                ("drive",),
                np.diag(solution.result.tensor)[:2] / weight,
                {"units": "m2/s"},
            ),
        },
        attrs={
            "temperature": temperature,
            "spacing": geometry.spacing[:2].tolist(),
            "phase_names": "|".join(geometry.phase_names),
            "dimension": d,
        },
    )
