"""Complex conductivities of phases and films, and what is refused."""

import math

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import InputError, PropertyError
from multiscale.properties import ComplexConductivity
from multiscale.properties.dielectric import (
    check_frequencies,
    dielectric_films,
    dielectric_phases,
)
from multiscale.units import VACUUM_PERMITTIVITY

FILM = {"width": 1e-9, "across": 1e-4, "along": 1e-2, "relative_permittivity": 30.0}


def test_conduction_and_polarisation_add():
    one = ms.Dielectric(conductivity=0.1, relative_permittivity=40.0)
    corner = 0.1 / (2 * math.pi * VACUUM_PERMITTIVITY * 40.0)
    np.testing.assert_allclose(one.at([corner, 2 * corner]), [0.1 + 0.1j, 0.1 + 0.2j], rtol=1e-13)
    across, along = ms.DielectricBoundary(**FILM).at([corner])
    np.testing.assert_allclose([across[0].real, along[0].real], [1e-4, 1e-2])
    assert across[0].imag == along[0].imag == pytest.approx(0.075)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"relative_permittivity": 0.0}, "relative_permittivity: expected a finite number > 0"),
        ({"across": -1.0}, "across: expected a finite number ≥ 0"),
        ({"along": math.nan}, "along"),
        ({"width": 0.0}, "width"),
        ({"width": "1 nm"}, "width: expected a number"),
    ],
)
def test_films_refused(change, words):
    with pytest.raises(PropertyError, match=words):
        ms.DielectricBoundary(**{**FILM, **change})


def test_phases_refused():
    with pytest.raises(PropertyError, match="relative_permittivity"):
        ms.Dielectric(conductivity=1.0, relative_permittivity=0.0)
    one = ms.Dielectric(conductivity=1.0, relative_permittivity=1.0)
    assert dielectric_phases({"A": one}, ("A",)) == (one,)
    with pytest.raises(PropertyError, match="a Dielectric for 'B'"):
        dielectric_phases({"A": one}, ("A", "B"))
    with pytest.raises(PropertyError, match="LCO"):
        dielectric_phases({"LCo": one}, ("LCO",))
    with pytest.raises(PropertyError, match=r"a multiscale\.Dielectric"):
        dielectric_phases({"A": 1.0}, ("A",))
    with pytest.raises(PropertyError, match=r"a multiscale\.DielectricBoundary"):
        dielectric_films({"A|A": 1.0})


def test_films_of_real_numbers():
    film = ms.DielectricBoundary(**FILM)
    assert dielectric_films({("A", "B"): film}) == {
        "A|B": ms.Boundary(width=1e-9, across=1e-4, along=1e-2)
    }
    assert dielectric_films({"A|B": film}, permittivity=True)["A|B"].along == 30.0
    assert dielectric_films(None) is None


@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan, math.inf])
def test_frequencies_refused(bad):
    with pytest.raises(InputError, match=r"frequencies\[1\]: expected a finite number > 0 in Hz"):
        check_frequencies([1.0, bad])
    with pytest.raises(InputError, match="a list of frequencies"):
        check_frequencies([])


def test_impedance_of_a_specimen():
    kappa = np.array([2.0 + 1.0j])[:, None, None] * np.eye(2)
    found = ComplexConductivity(np.array([1.0]), kappa, np.zeros(1), 1, "periodic")
    np.testing.assert_allclose(found.impedance(1, thickness=1e-3, area=1e-4), 10 / (2 + 1j))
    with pytest.raises(InputError, match="axis: expected 0 to 1"):
        found.impedance(2)
    with pytest.raises(InputError, match="area"):
        found.impedance(0, area=0.0)
