"""The resolved field over frequency: exact laminates, limits, both solvers, the circuit."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import ConvergenceError, InputError, PropertyError
from multiscale.transport import complex_field
from multiscale.units import VACUUM_PERMITTIVITY

FREQUENCIES = np.logspace(-2, 10, 7)
PHASES = {
    "A": ms.Dielectric(conductivity=0.1, relative_permittivity=40.0),
    "B": ms.Dielectric(conductivity=0.01, relative_permittivity=20.0),
}


def film(across, along, permittivity=30.0):
    return ms.DielectricBoundary(
        width=1e-9, across=across, along=along, relative_permittivity=permittivity
    )


FILMS = {
    ("A", "A"): film(1e-4, 1e-4),
    ("A", "B"): film(1e-4, 10.0),
    ("B", "B"): film(1e-3, 5.0),
}


@pytest.fixture(scope="module", params=[True, False], ids=["periodic", "walls"])
def crystal(request):
    return ms.polycrystal(
        grains=20, size=(3e-7,) * 2, phases={"A": 0.5, "B": 0.5}, seed=1, periodic=request.param
    )


@pytest.fixture(scope="module")
def solid():
    return ms.polycrystal(grains=20, size=(3e-7,) * 3, phases={"A": 0.5, "B": 0.5}, seed=1)


def slabs(dimension, periodic):
    cells = (12, 4, 4)[:dimension]
    labels = np.zeros(cells, int)
    labels[6:] = 1
    return ms.label_image(labels, 1e-8, phases=["A", "B"], periodic=periodic)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("periodic", [True, False])
class TestLaminates:
    def test_across(self, dimension, periodic):
        found = ms.complex_conductivity(slabs(dimension, periodic), FREQUENCIES, PHASES, FILMS)
        one, two = (PHASES[name].at(FREQUENCIES) for name in "AB")
        across, _ = FILMS["A", "B"].at(FREQUENCIES)
        films = 2 if periodic else 1
        series = 6e-8 / one + 6e-8 / two
        series += films * 1e-9 * (1 / across - (1 / one + 1 / two) / 2)
        np.testing.assert_allclose(found.tensor[:, 0, 0], 12e-8 / series, rtol=1e-9)

    def test_along(self, dimension, periodic):
        found = ms.complex_conductivity(slabs(dimension, periodic), FREQUENCIES, PHASES, FILMS)
        one, two = (PHASES[name].at(FREQUENCIES) for name in "AB")
        _, along = FILMS["A", "B"].at(FREQUENCIES)
        mean = (one + two) / 2
        films = 2 if periodic else 1
        wanted = mean + films * 1e-9 / 12e-8 * (along - mean)
        np.testing.assert_allclose(found.tensor[:, 1, 1], wanted, rtol=1e-9)


def test_low_frequencies_are_the_real_field(crystal):
    found = ms.complex_conductivity(crystal, [1e-9], PHASES, FILMS, cells=(48, 48))
    still = ms.effective_diffusivity(
        crystal, cells=(48, 48), boundary=found.boundary, rtol=1e-10,
        phases={name: one.conductivity for name, one in PHASES.items()},
        boundaries={pair: one.static() for pair, one in FILMS.items()},
    )  # fmt: skip
    np.testing.assert_allclose(found.tensor[0].real, still.tensor, rtol=1e-7, atol=1e-10)


def test_equal_permittivities_are_all_that_is_left_at_high_frequencies(crystal):
    phases = {
        name: ms.Dielectric(conductivity=one.conductivity, relative_permittivity=30.0)
        for name, one in PHASES.items()
    }
    found = ms.complex_conductivity(crystal, [1e14], phases, FILMS, cells=(32, 32))
    wanted = 2j * np.pi * 1e14 * VACUUM_PERMITTIVITY * 30.0
    np.testing.assert_allclose(found.tensor[0] / wanted, np.eye(2), atol=2e-4)


@pytest.mark.parametrize("films", [None, FILMS], ids=["plain", "films"])
def test_factors_and_iterations_agree(crystal, films, monkeypatch):
    first = ms.complex_conductivity(crystal, FREQUENCIES, PHASES, films, cells=(40, 40))
    monkeypatch.setattr(complex_field, "LARGEST_DIRECT", {2: 0, 3: 0})
    second = ms.complex_conductivity(crystal, FREQUENCIES, PHASES, films, cells=(40, 40))
    np.testing.assert_allclose(second.tensor, first.tensor, rtol=1e-9, atol=1e-10)
    assert second.residual.max() < 1e-8


def test_three_dimensions(solid, monkeypatch):
    options = {"phases": PHASES, "boundaries": FILMS, "cells": (20, 20, 20)}
    first = ms.complex_conductivity(solid, [1e-2, 1e6], **options)
    monkeypatch.setattr(complex_field, "LARGEST_DIRECT", {2: 0, 3: 0})
    second = ms.complex_conductivity(solid, [1e-2, 1e6], **options)
    np.testing.assert_allclose(second.tensor, first.tensor, rtol=1e-8, atol=1e-10)
    assert (np.diag(first.tensor[1]).real > 0).all()
    assert (np.diag(first.tensor[1]).imag > 0).all()


def test_the_circuit_comes_close_for_one_phase():
    crystal = ms.polycrystal(grains=40, size=(3e-7,) * 2, phases={"A": 1.0}, seed=2)
    frequency = np.array([1e2, 1e5, 1e6, 2e6, 4e6, 1e7, 1e8, 1e10])
    one = {"A": PHASES["A"]}
    films = {("A", "A"): film(1e-4, 1e-4)}
    field = ms.complex_conductivity(crystal, frequency, one, films, cells=(128, 128))
    circuit = ms.circuit_conductivity(crystal, frequency, one, films)
    ratio = np.trace(circuit.tensor, axis1=1, axis2=2) / np.trace(field.tensor, axis1=1, axis2=2)
    assert np.abs(ratio - 1).max() < 0.03


def test_an_iteration_that_may_not_go_on_says_where_it_stopped(crystal, monkeypatch):
    monkeypatch.setattr(complex_field, "LARGEST_DIRECT", {2: 0, 3: 0})
    monkeypatch.setattr(complex_field, "MOST_ITERATIONS", 2)
    with pytest.raises(ConvergenceError, match="expected relative residual 1e-09, reached"):
        ms.complex_conductivity(crystal, [1e6], PHASES, FILMS, cells=(40, 40))


def test_refused(crystal):
    with pytest.raises(InputError, match=r"frequencies\[0\]"):
        ms.complex_conductivity(crystal, [-1.0], PHASES, cells=(32, 32))
    with pytest.raises(InputError, match="cells"):
        ms.complex_conductivity(crystal, [1.0], PHASES)
    with pytest.raises(PropertyError, match="a Dielectric for 'B'"):
        ms.complex_conductivity(crystal, [1.0], {"A": PHASES["A"]}, cells=(32, 32))
    with pytest.raises(PropertyError, match=r"an entry for A\|B"):
        ms.complex_conductivity(crystal, [1.0], PHASES, {"A|A": film(1, 1)}, cells=(32, 32))
    with pytest.raises(InputError, match="boundary"):
        ms.complex_conductivity(crystal, [1.0], PHASES, cells=(32, 32), boundary="neumann")
