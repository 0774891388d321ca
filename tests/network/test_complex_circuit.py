"""The circuit over frequency: exact bricks, limits, passivity."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import multiscale as ms
from multiscale.errors import InputError, PropertyError
from multiscale.units import VACUUM_PERMITTIVITY

FREQUENCIES = np.logspace(-2, 10, 13)
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


@pytest.mark.parametrize("periodic", [True, False])
def test_bricks_in_a_row_are_elements_in_series(bricks, periodic):
    # walls: half of the outer grains touch the electrodes without a film
    crystal = bricks((4, 1, 1), lambda i, j, k: i % 2, periodic=periodic)
    found = ms.circuit_conductivity(crystal, FREQUENCIES, PHASES, FILMS, along=False)
    one, two = (PHASES[name].at(FREQUENCIES) for name in "AB")
    across, _ = FILMS["A", "B"].at(FREQUENCIES)
    edge, count = 1e-7, 4 if periodic else 3
    series = 2 * edge / one + 2 * edge / two
    series += count * 1e-9 * (1 / across - (1 / one + 1 / two) / 2)
    np.testing.assert_allclose(found.tensor[:, 0, 0], 4 * edge / series, rtol=1e-10)


def test_low_frequencies_are_the_circuit_of_diffusivities(two_phase):
    crystal = two_phase(40, 3, 0.5, 1, periodic=True, weights=0.0)
    found = ms.circuit_conductivity(crystal, [1e-9], PHASES, FILMS)
    still = ms.circuit_diffusivity(
        crystal,
        {name: one.conductivity for name, one in PHASES.items()},
        {pair: one.static() for pair, one in FILMS.items()},
    )
    np.testing.assert_allclose(found.tensor[0].real, still.tensor, rtol=1e-9, atol=1e-12)
    assert np.abs(found.tensor[0].imag).max() < 1e-9 * still.tensor.max()


def test_equal_permittivities_are_all_that_is_left_at_high_frequencies(two_phase):
    crystal = two_phase(40, 2, 0.5, 1, periodic=True, weights=0.0)
    phases = {
        name: ms.Dielectric(conductivity=one.conductivity, relative_permittivity=30.0)
        for name, one in PHASES.items()
    }
    found = ms.circuit_conductivity(crystal, [1e14], phases, FILMS)
    wanted = 2j * np.pi * 1e14 * VACUUM_PERMITTIVITY * 30.0
    np.testing.assert_allclose(found.tensor[0] / wanted, np.eye(2), atol=2e-4)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.floats(-6, 2), min_size=5, max_size=5),
    st.floats(1, 1000),
    st.floats(-3, 12),
    st.booleans(),
)
def test_passive_symmetric_and_of_first_degree(two_phase, powers, eps, log_f, periodic):
    a, b, across, along, scale = (10.0**one for one in powers)
    crystal = two_phase(30, 2, 0.5, 3, periodic=periodic, weights=0.0)

    def solve(factor):
        phases = {
            "A": ms.Dielectric(conductivity=factor * a, relative_permittivity=eps),
            "B": ms.Dielectric(conductivity=factor * b, relative_permittivity=10.0),
        }
        films = dict.fromkeys(("A|A", "A|B", "B|B"), film(factor * across, factor * along))
        frequency = [factor * 10.0**log_f]
        return ms.circuit_conductivity(crystal, frequency, phases, films)

    one, two = solve(1.0), solve(scale)
    value = np.diag(one.tensor[0])
    assert (value.real > 0).all()
    assert (value.imag > 0).all()
    np.testing.assert_array_equal(one.tensor[0], one.tensor[0].T)
    # σ scaled and time scaled with it: σ + jωε both grow by the factor
    np.testing.assert_allclose(np.diag(two.tensor[0]), scale * value, rtol=1e-6)
    assert one.residual.max() < 1e-6


def test_a_blocking_film_shows_as_a_second_arc(two_phase):
    """Two relaxations: the film's, slower by its width over the grain size, and the bulk's."""
    crystal = two_phase(60, 3, 1.0, 1, periodic=True, weights=0.0)
    frequency = np.logspace(2, 11, 181)
    found = ms.circuit_conductivity(
        crystal, frequency, {"A": PHASES["A"], "B": PHASES["B"]},
        dict.fromkeys(("A|A", "A|B", "B|B"), film(1e-5, 1e-5)),
    )  # fmt: skip
    minus = -found.impedance(0).imag
    peaks = np.flatnonzero((minus[1:-1] > minus[:-2]) & (minus[1:-1] > minus[2:])) + 1
    assert len(peaks) == 2
    bulk = 0.1 / (2 * np.pi * VACUUM_PERMITTIVITY * 40.0)
    slow = 1e-5 / (2 * np.pi * VACUUM_PERMITTIVITY * 30.0)
    assert frequency[peaks[1]] == pytest.approx(bulk, rel=0.1)
    assert frequency[peaks[0]] == pytest.approx(slow, rel=0.2)


def test_refused(two_phase):
    crystal = two_phase(20, 2, 0.5, 1, periodic=True, weights=0.0)
    with pytest.raises(InputError, match=r"frequencies\[0\]"):
        ms.circuit_conductivity(crystal, [0.0], PHASES)
    with pytest.raises(PropertyError, match=r"a film for 'A\|B'"):
        ms.circuit_conductivity(crystal, [1.0], PHASES, {"A|A": film(1, 1)})
    with pytest.raises(InputError, match="a condition that fits"):
        ms.circuit_conductivity(crystal, [1.0], PHASES, boundary="dirichlet")
    with pytest.raises(PropertyError, match="a Dielectric for 'B'"):
        ms.circuit_conductivity(crystal, [1.0], {"A": PHASES["A"]})
