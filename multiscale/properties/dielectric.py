"""What conducts and polarises: complex conductivities σ + jωε of phases and films."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import InputError, PropertyError, describe, nearest
from multiscale.properties.boundary import Boundary
from multiscale.units import VACUUM_PERMITTIVITY

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dielectric:
    """A phase that conducts and polarises.

    Parameters
    ----------
    conductivity : float
        At zero frequency, ≥ 0 [S/m].
    relative_permittivity : float
        Without the conduction, > 0.

    Raises
    ------
    PropertyError
        If a number is not finite or has the wrong sign.
    """

    conductivity: float
    relative_permittivity: float

    def __post_init__(self) -> None:
        _check("Dielectric", self, {"conductivity": False, "relative_permittivity": True})

    def at(self, frequency: ArrayLike) -> Complexes:
        """Complex conductivity.

        Parameters
        ----------
        frequency : array_like, shape (f,)
            [Hz].

        Returns
        -------
        ndarray, shape (f,)
            σ + 2πjf ε₀ε_r [S/m].
        """
        return _complex(self.conductivity, self.relative_permittivity, frequency)


@dataclass(frozen=True, slots=True, kw_only=True)
class DielectricBoundary:
    """A film between grains that conducts and polarises.

    Parameters
    ----------
    width : float
        > 0 [m].
    across, along : float
        Conductivities at zero frequency, ≥ 0 [S/m].
    relative_permittivity : float
        > 0.

    Raises
    ------
    PropertyError
        If a number is not finite or has the wrong sign.
    """

    width: float
    across: float
    along: float
    relative_permittivity: float

    def __post_init__(self) -> None:
        signs = {"width": True, "across": False, "along": False, "relative_permittivity": True}
        _check("DielectricBoundary", self, signs)

    def at(self, frequency: ArrayLike) -> tuple[Complexes, Complexes]:
        """Complex conductivities.

        Parameters
        ----------
        frequency : array_like, shape (f,)
            [Hz].

        Returns
        -------
        across, along : ndarray, shape (f,)
            [S/m].
        """
        eps = self.relative_permittivity
        return _complex(self.across, eps, frequency), _complex(self.along, eps, frequency)

    def static(self) -> Boundary:
        """Give the film at zero frequency.

        Returns
        -------
        Boundary
            With conductivities in place of diffusivities.
        """
        return Boundary(width=self.width, across=self.across, along=self.along)


DielectricMap = Mapping[tuple[str, str], DielectricBoundary] | Mapping[str, DielectricBoundary]


@dataclass(frozen=True, slots=True)
class ComplexConductivity:
    """Effective complex conductivity of a sample over frequency.

    Attributes
    ----------
    frequency : ndarray, shape (f,)
        [Hz].
    tensor : ndarray of complex, shape (f, d, d)
        [S/m], symmetric. Under Dirichlet conditions only the diagonal is measured.
    residual : ndarray, shape (f,)
        Largest relative residual of the solves.
    unknowns : int
        Potentials solved for at each frequency.
    boundary : {"periodic", "dirichlet"}
        The condition at the box faces.
    """

    frequency: Floats
    tensor: Complexes
    residual: Floats
    unknowns: int
    boundary: str

    def impedance(self, axis: int = 0, thickness: float = 1.0, area: float = 1.0) -> Complexes:
        """Impedance of a specimen between two electrodes that block nothing.

        Parameters
        ----------
        axis : int, optional
            Along which the current flows.
        thickness, area : float, optional
            Of the specimen, > 0 [m], [m²]; 1 and 1 give a resistivity in Ω m.

        Returns
        -------
        ndarray of complex, shape (f,)
            thickness / (area κ) [Ω].

        Raises
        ------
        InputError
            If the axis does not exist or a length is not > 0.
        """
        if axis not in range(self.tensor.shape[1]):
            raise InputError(describe("axis", f"0 to {self.tensor.shape[1] - 1}", axis))
        for name, value in (("thickness", thickness), ("area", area)):
            if not (math.isfinite(value) and value > 0):
                raise InputError(describe(name, "a finite number > 0", value))
        found: Complexes = thickness / area / self.tensor[:, axis, axis]
        return found


def check_frequencies(frequencies: ArrayLike) -> Floats:
    """Check frequencies.

    Parameters
    ----------
    frequencies : array_like, shape (f,)
        [Hz].

    Returns
    -------
    ndarray, shape (f,)
        The same.

    Raises
    ------
    InputError
        If there are none, or one is not a finite number > 0.
    """
    found = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    if found.ndim != 1 or not found.size:
        raise InputError(describe("frequencies", "a list of frequencies in Hz", found.shape))
    bad = ~(np.isfinite(found) & (found > 0))
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise InputError(
            describe(f"frequencies[{first}]", "a finite number > 0 in Hz", found[first])
        )
    return found


def dielectric_phases(
    phases: Mapping[str, Dielectric], names: Sequence[str]
) -> tuple[Dielectric, ...]:
    """Put phases into order.

    Parameters
    ----------
    phases : mapping of str to Dielectric
        By name.
    names : sequence of str
        Of the crystal's phases.

    Returns
    -------
    tuple of Dielectric
        In the order of the names.

    Raises
    ------
    PropertyError
        If one is missing, unknown, or not a Dielectric.
    """
    for name, value in phases.items():
        if name not in names:
            raise PropertyError(
                describe(f"phases[{name!r}]", "a phase of this crystal", name, nearest(name, names))
            )
        if not isinstance(value, Dielectric):
            raise PropertyError(
                describe(f"phases[{name!r}]", "a multiscale.Dielectric", repr(value))
            )
    missing = [name for name in names if name not in phases]
    if missing:
        raise PropertyError(describe("phases", f"a Dielectric for {missing[0]!r}", sorted(phases)))
    return tuple(phases[name] for name in names)


def dielectric_films(
    boundaries: DielectricMap | None,
    permittivity: bool = False,
) -> dict[str, Boundary] | None:
    """Give films with real coefficients, for whatever takes such films.

    Parameters
    ----------
    boundaries : mapping or None
        Film of each pair of phases.
    permittivity : bool, optional
        Put relative permittivities in place of the conductivities at zero frequency.

    Returns
    -------
    dict or None
        The same films, keyed ``"A|B"``.

    Raises
    ------
    PropertyError
        If one is not a DielectricBoundary.
    """
    if boundaries is None:
        return None
    for key, value in boundaries.items():
        if not isinstance(value, DielectricBoundary):
            raise PropertyError(
                describe(f"boundaries[{key!r}]", "a multiscale.DielectricBoundary", repr(value))
            )
    found = {}
    for key, film in boundaries.items():
        name = key if isinstance(key, str) else "|".join(str(part) for part in key)
        eps = film.relative_permittivity
        polarised = Boundary(width=film.width, across=eps, along=eps)
        found[name] = polarised if permittivity else film.static()
    return found


def _check(place: str, one: object, positive: Mapping[str, bool]) -> None:
    for name, strictly in positive.items():
        value = getattr(one, name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise PropertyError(describe(f"{place} {name}", "a number", repr(value)))
        if not math.isfinite(value) or value < 0 or (strictly and value == 0):
            sign = "> 0" if strictly else "≥ 0"
            raise PropertyError(describe(f"{place} {name}", f"a finite number {sign}", value))


def _complex(conductivity: float, permittivity: float, frequency: ArrayLike) -> Complexes:
    omega = 2.0 * np.pi * np.asarray(frequency, dtype=np.float64)
    found = conductivity + 1j * omega * VACUUM_PERMITTIVITY * permittivity
    return np.asarray(found, dtype=np.complex128)
