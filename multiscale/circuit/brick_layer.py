"""Impedance of a polycrystal of one phase with boundaries of one kind: closed forms.

A cube of grain with its share of boundaries has the edge d; boundaries have the width δ and
x = δ/d. Grain and boundary have the complex conductivities κ = σ + jωε₀ε_r. Every model
gives the effective κ of the ceramic at each frequency; a sample of thickness L and area A then
has Z = L/(A κ), without electrodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import ArrayLike

from multiscale.circuit.elements import Complexes, angular_frequency
from multiscale.errors import InputError, describe
from multiscale.units import VACUUM_PERMITTIVITY


@dataclass(frozen=True, slots=True, kw_only=True)
class BrickLayer:
    """A ceramic of equal cubic grains.

    Parameters
    ----------
    grain_size : float
        d [m], grain and boundary together.
    boundary_width : float
        δ [m], < d.
    bulk_conductivity, boundary_conductivity : float
        σ_b and σ_gb [S/m].
    bulk_permittivity, boundary_permittivity : float
        ε_b and ε_gb, relative.

    Raises
    ------
    InputError
        If a value is not finite and > 0, or the boundary as wide as the grain.
    """

    grain_size: float
    boundary_width: float
    bulk_conductivity: float
    boundary_conductivity: float
    bulk_permittivity: float
    boundary_permittivity: float

    def __post_init__(self) -> None:
        """Check the values."""
        check_positive(**{name: getattr(self, name) for name in self.__slots__})
        if self.boundary_width >= self.grain_size:
            expected = f"less than the grain size, {self.grain_size:g} m"
            raise InputError(describe("boundary_width", expected, f"{self.boundary_width:g} m"))

    @property
    def width_over_size(self) -> float:
        """The ratio x = δ/d."""
        return self.boundary_width / self.grain_size

    def bulk(self, frequency: ArrayLike) -> Complexes:
        """Complex conductivity of a grain.

        Parameters
        ----------
        frequency : array_like
            f [Hz].

        Returns
        -------
        ndarray of complex
            κ_b [S/m].
        """
        return complex_conductivity(frequency, self.bulk_conductivity, self.bulk_permittivity)

    def boundary(self, frequency: ArrayLike) -> Complexes:
        """Complex conductivity of a boundary.

        Parameters
        ----------
        frequency : array_like
            f [Hz].

        Returns
        -------
        ndarray of complex
            κ_gb [S/m].
        """
        return complex_conductivity(
            frequency, self.boundary_conductivity, self.boundary_permittivity
        )


@dataclass(frozen=True, slots=True)
class TwoArcs:
    """Values of the circuit p(R1,C1)-p(R2,C2): grains, then boundaries.

    Parameters
    ----------
    bulk_resistance : float
        R_b [Ω], or [Ω m²] of a unit area.
    bulk_capacitance : float
        C_b [F], or [F/m²] of a unit area.
    boundary_resistance : float
        R_gb, likewise.
    boundary_capacitance : float
        C_gb, likewise.
    """

    bulk_resistance: float
    bulk_capacitance: float
    boundary_resistance: float
    boundary_capacitance: float

    @property
    def text(self) -> str:
        """The circuit string for :func:`~multiscale.circuit.parse_circuit`."""
        return "p(R1,C1)-p(R2,C2)"

    @property
    def values(self) -> tuple[float, float, float, float]:
        """The values in the order of the string's parameters."""
        return (
            self.bulk_resistance,
            self.bulk_capacitance,
            self.boundary_resistance,
            self.boundary_capacitance,
        )


def complex_conductivity(
    frequency: ArrayLike, conductivity: float, permittivity: float
) -> Complexes:
    """Conduction and displacement together, κ = σ + jωε₀ε_r.

    Parameters
    ----------
    frequency : array_like
        f [Hz].
    conductivity : float
        σ [S/m].
    permittivity : float
        ε_r, relative.

    Returns
    -------
    ndarray of complex
        κ [S/m].

    Raises
    ------
    InputError
        If a frequency or value is no good.
    """
    check_positive(conductivity=conductivity, permittivity=permittivity)
    displacement = 1j * angular_frequency(frequency) * VACUUM_PERMITTIVITY * permittivity
    return np.asarray(conductivity + displacement)


def sample_impedance(conductivity: ArrayLike, thickness: float, area: float = 1.0) -> Complexes:
    """Impedance of a slab, Z = L/(A κ).

    Parameters
    ----------
    conductivity : array_like of complex
        κ [S/m].
    thickness : float
        L [m], from electrode to electrode.
    area : float, optional
        A [m²]; 1 gives the impedance of a unit area, in Ω m².

    Returns
    -------
    ndarray of complex
        Z [Ω].

    Raises
    ------
    InputError
        If thickness or area is not > 0.
    """
    check_positive(thickness=thickness, area=area)
    return np.asarray(thickness / area / np.asarray(conductivity, dtype=np.complex128))


def brick_layer_conductivity(ceramic: BrickLayer, frequency: ArrayLike) -> Complexes:
    """Brick layer with side walls: grain and boundary in series, boundaries beside them.

    Parameters
    ----------
    ceramic : BrickLayer
        Geometry and properties.
    frequency : array_like
        f [Hz].

    Returns
    -------
    ndarray of complex
        κ = (1−x)² / [(1−x)/κ_b + x/κ_gb] + [1 − (1−x)²] κ_gb [S/m].

    Raises
    ------
    InputError
        If a frequency is no good.

    Notes
    -----
    Two parallel paths that exchange no current: for static values a lower bound of such cubes
    at any x < 1, exact to first order in x. Grains that are not cubes have more boundary for
    the same size (d is then the edge of a cube with the grain's S/V), and a network of
    unlike or very resistive boundaries has detours that cubes lack (Fleig & Maier 1999).

    References
    ----------
    Bouchet, Knauth & Laugier, J. Electrochem. Soc. 150, E348 (2003), 10.1149/1.1580151;
    Fleig & Maier, J. Eur. Ceram. Soc. 19, 693 (1999).
    """
    x = ceramic.width_over_size
    bulk, boundary = ceramic.bulk(frequency), ceramic.boundary(frequency)
    core = (1.0 - x) ** 2
    return np.asarray(core / ((1.0 - x) / bulk + x / boundary) + (1.0 - core) * boundary)


def series_conductivity(ceramic: BrickLayer, frequency: ArrayLike) -> Complexes:
    """Brick layer of thin, blocking boundaries: two RC elements in series.

    Parameters
    ----------
    ceramic : BrickLayer
        Geometry and properties.
    frequency : array_like
        f [Hz].

    Returns
    -------
    ndarray of complex
        κ with 1/κ = 1/κ_b + x/κ_gb [S/m].

    Raises
    ------
    InputError
        If a frequency is no good.

    Notes
    -----
    For x ≪ 1 and |κ_gb| ≪ |κ_b|/x or so: the side walls carry 2x κ_gb, which is left out, and
    the grain is as long as the cell. The error is of the order x (1 + 2 κ_gb/κ).
    :func:`two_arcs` gives its R and C.

    References
    ----------
    Bouchet, Knauth & Laugier, J. Electrochem. Soc. 150, E348 (2003), 10.1149/1.1580151.
    """
    x = ceramic.width_over_size
    return np.asarray(1.0 / (1.0 / ceramic.bulk(frequency) + x / ceramic.boundary(frequency)))


def two_arcs(ceramic: BrickLayer, thickness: float, area: float = 1.0) -> TwoArcs:
    """Resistances and capacitances of :func:`series_conductivity` in a slab.

    Parameters
    ----------
    ceramic : BrickLayer
        Geometry and properties.
    thickness : float
        L [m].
    area : float, optional
        A [m²]; 1 gives values of a unit area.

    Returns
    -------
    TwoArcs
        R_b = L/(A σ_b), C_b = ε₀ε_b A/L, R_gb = x L/(A σ_gb), C_gb = ε₀ε_gb A/(x L).

    Raises
    ------
    InputError
        If thickness or area is not > 0.
    """
    check_positive(thickness=thickness, area=area)
    length, x = thickness / area, ceramic.width_over_size
    return TwoArcs(
        bulk_resistance=length / ceramic.bulk_conductivity,
        bulk_capacitance=VACUUM_PERMITTIVITY * ceramic.bulk_permittivity / length,
        boundary_resistance=x * length / ceramic.boundary_conductivity,
        boundary_capacitance=VACUUM_PERMITTIVITY * ceramic.boundary_permittivity / (x * length),
    )


def ceramic_of_arcs(
    arcs: TwoArcs,
    grain_size: float,
    thickness: float,
    area: float = 1.0,
    permittivity_ratio: float = 1.0,
) -> BrickLayer:
    """Read the properties of grain and boundary from two arcs: the inverse of :func:`two_arcs`.

    Parameters
    ----------
    arcs : TwoArcs
        Measured or fitted R and C; those of a ZARC by
        :func:`~multiscale.circuit.elements.arc_capacitance`.
    grain_size : float
        d [m].
    thickness : float
        L [m].
    area : float, optional
        A [m²].
    permittivity_ratio : float, optional
        ε_gb/ε_b, which a spectrum cannot tell from the width; 1 is usual.

    Returns
    -------
    BrickLayer
        With δ = d (ε_gb/ε_b) C_b/C_gb and σ_gb = (δ/d) L/(A R_gb).

    Raises
    ------
    InputError
        If a value is not > 0, or C_gb is too small for a boundary thinner than the grain.

    References
    ----------
    Haile, West & Campbell, J. Mater. Res. 13, 1576 (1998).
    """
    check_positive(
        **{name: getattr(arcs, name) for name in TwoArcs.__slots__},
        thickness=thickness,
        area=area,
        permittivity_ratio=permittivity_ratio,
    )
    length = thickness / area
    x = permittivity_ratio * arcs.bulk_capacitance / arcs.boundary_capacitance
    permittivity = arcs.bulk_capacitance * length / VACUUM_PERMITTIVITY
    return BrickLayer(
        grain_size=grain_size,
        boundary_width=x * grain_size,
        bulk_conductivity=length / arcs.bulk_resistance,
        boundary_conductivity=x * length / arcs.boundary_resistance,
        bulk_permittivity=permittivity,
        boundary_permittivity=permittivity_ratio * permittivity,
    )


def coated_grain_conductivity(ceramic: BrickLayer, frequency: ArrayLike) -> Complexes:
    """Round grains that the boundary coats without a gap (Maxwell, Hashin–Shtrikman).

    Parameters
    ----------
    ceramic : BrickLayer
        Geometry and properties; the grains' share of the volume is f = (1−x)³.
    frequency : array_like
        f [Hz].

    Returns
    -------
    ndarray of complex
        κ = κ_gb [(1+2f) κ_b + 2(1−f) κ_gb] / [(1−f) κ_b + (2+f) κ_gb] [S/m].

    Raises
    ------
    InputError
        If a frequency is no good.

    Notes
    -----
    Exact at every frequency for coated spheres of all sizes that fill space, hence for any
    x; for other grains of the same f an estimate, which for static σ_gb < σ_b is a lower
    bound, for σ_gb > σ_b an upper one.

    References
    ----------
    Maxwell, A Treatise on Electricity and Magnetism (1873), art. 314;
    Hashin & Shtrikman, J. Appl. Phys. 33, 3125 (1962), 10.1063/1.1728579.
    """
    grains = (1.0 - ceramic.width_over_size) ** 3
    bulk, boundary = ceramic.bulk(frequency), ceramic.boundary(frequency)
    numerator = (1.0 + 2.0 * grains) * bulk + 2.0 * (1.0 - grains) * boundary
    return np.asarray(boundary * numerator / ((1.0 - grains) * bulk + (2.0 + grains) * boundary))


def check_positive(**values: float) -> None:
    """Refuse values that are not finite and > 0.

    Parameters
    ----------
    **values : float
        By the names that the message uses.

    Raises
    ------
    InputError
        If one is no good.
    """
    for name, value in values.items():
        if not (value > 0 and isfinite(value)):
            raise InputError(describe(name, "a finite value > 0", f"{value:g}"))
