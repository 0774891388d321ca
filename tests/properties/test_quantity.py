"""The laws, their errors, the boundary object and the polycrystal average."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import multiscale.properties as properties
from multiscale.errors import PropertyError
from multiscale.properties import Boundary, Number, Quantity, isotropic_average

EV = 1.602176634e-19
K_B = 1.380649e-23


def quantity(value, kind, sigma, energy=0.3, energy_sigma=0.02, at=math.inf):
    return Quantity(
        name="d",
        dimension="diffusivity",
        number=Number(value * 1e-4, value, "cm2/s", kind, sigma, "test"),
        activation_energy=Number(energy * EV, energy, "eV", "standard error", energy_sigma, "test"),
        at=at,
        valid=(300.0, 400.0),
        source="10.1/x",
        assumed=False,
        reason="",
        confidence="high",
        note="",
    )


def test_arrhenius_by_hand():
    # exp(−0.3 eV / (k_B · 300 K)) with k_B = 8.617333e-5 eV/K
    found = quantity(2.0, "relative", 0.0).evaluate(300.0)
    assert found.value == pytest.approx(2e-4 * math.exp(-0.3 / (8.617333262e-5 * 300.0)), rel=1e-9)
    assert found.unit == "m2/s"
    assert found.source == "10.1/x"


def test_anchored_law_returns_its_anchor():
    found = quantity(2.5e-10, "log10 sd", 0.5, at=300.0)
    assert found.evaluate(300.0).value == pytest.approx(2.5e-14, rel=1e-15)
    assert found.evaluate(300.0).stderr == pytest.approx(2.5e-14 * 0.5 * math.log(10))
    ratio = found.evaluate(600.0).value / found.evaluate(300.0).value
    assert ratio == pytest.approx(math.exp(0.3 * EV / K_B * (1 / 300 - 1 / 600)), rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "sigma", "relative"),
    [("relative", 0.1, 0.1), ("log10 sd", 0.1, 0.1 * math.log(10)), ("standard error", 0.2, 0.1)],
)
def test_errors_add_up_as_of_a_log_normal(kind, sigma, relative):
    found = quantity(2.0, kind, sigma).evaluate(350.0)
    expected = math.hypot(relative, 0.02 * EV / (K_B * 350.0))
    assert found.stderr / found.value == pytest.approx(expected, rel=1e-12)


def test_first_order_error_agrees_with_sampling():
    generator = np.random.default_rng(0)
    law = quantity(2.0, "log10 sd", 0.05, energy_sigma=0.002)
    prefactor = 2e-4 * 10 ** (0.05 * generator.standard_normal(200_000))
    energy = (0.3 + 0.002 * generator.standard_normal(200_000)) * EV
    sampled = np.std(np.log(prefactor * np.exp(-energy / (K_B * 350.0))))
    found = law.evaluate(350.0)
    assert found.stderr / found.value == pytest.approx(sampled, rel=0.01)


def test_unknown_uncertainty_is_nan_not_zero():
    assert math.isnan(quantity(2.0, "unknown", math.nan).evaluate(300.0).stderr)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_temperature_must_be_one(temperature):
    with pytest.raises(PropertyError, match="temperature: expected a finite number > 0 K"):
        quantity(2.0, "relative", 0.1).evaluate(temperature)


# --- Boundary -----------------------------------------------------------------


@pytest.mark.parametrize("energy", [-3e-18, -1e-15])
def test_a_value_beyond_all_numbers_is_refused(energy):
    number = Number(1e300, 1e300, "m2/s", "unknown", math.nan, "-")
    barrier = Number(energy, energy, "J", "unknown", math.nan, "-")
    law = Quantity("D", "diffusivity", number, barrier, math.inf, None, "", True, "-", "", "")
    with pytest.raises(PropertyError, match="D at 300 K: expected a finite number, received inf"):
        law.evaluate(300.0)


def test_boundary_takes_keywords_and_zero_coefficients():
    layer = Boundary(width=1e-9, across=0.0, along=1e-12)
    assert layer.segregation == 1.0


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", 0.0),
        ("width", -1e-9),
        ("across", -1e-14),
        ("along", math.nan),
        ("along", math.inf),
        ("segregation", 0.0),
        ("across", "1e-14"),
        ("across", True),
    ],
)
def test_boundary_refuses_what_cannot_be(key, value):
    numbers = {"width": 1e-9, "across": 1e-14, "along": 1e-13, key: value}
    with pytest.raises(PropertyError, match=rf"^Boundary {key}: expected") as caught:
        Boundary(**numbers)
    assert "\n" not in str(caught.value)


def test_ratio_needs_a_bulk():
    layer = properties.load("LCO-LCO")
    with pytest.raises(PropertyError, match=r"LCO-LCO: across.ratio_to_bulk: expected the bulk"):
        layer.boundary(300.0)
    with pytest.raises(PropertyError, match="finite diffusivities > 0"):
        layer.boundary(300.0, [1e-14, 0.0])


# --- isotropic average --------------------------------------------------------


def test_layered_crystal_averages_to_half():
    assert isotropic_average(np.diag([3.0, 3.0, 0.0])) == pytest.approx(1.5, rel=1e-12)


def test_one_open_axis_does_not_connect():
    assert isotropic_average(np.diag([1.0, 0.0, 0.0])) == 0.0
    assert isotropic_average(np.zeros((3, 3))) == 0.0


@pytest.mark.parametrize(("a", "c"), [(1.0, 1.0), (1.0, 10.0), (5e-14, 2e-15), (1.0, 1e6)])
def test_uniaxial_closed_form(a, c):
    # 2(a − K)/(a + 2K) + (c − K)/(c + 2K) = 0  ⇔  2K² − aK − ac = 0
    exact = (a + math.sqrt(a * a + 8 * a * c)) / 4
    assert isotropic_average(np.diag([a, a, c])) == pytest.approx(exact, rel=1e-10)


positive = st.floats(1e-6, 1e6)


@given(positive, positive, positive, st.integers(0, 2**32 - 1))
def test_average_lies_in_the_wiener_bounds_and_forgets_the_frame(a, b, c, seed):
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))
    values = np.array([a, b, c])
    average = isotropic_average(np.diag(values))
    assert 3 / np.sum(1 / values) * (1 - 1e-9) <= average <= values.mean() * (1 + 1e-9)
    turned = turn @ np.diag(values) @ turn.T
    assert isotropic_average((turned + turned.T) / 2) == pytest.approx(average, rel=1e-4)


@pytest.mark.parametrize(
    "tensor",
    [np.eye(2), np.diag([1.0, 1.0, -1.0]), np.full((3, 3), np.nan), np.triu(np.ones((3, 3)))],
)
def test_average_refuses_what_is_no_diffusivity(tensor):
    with pytest.raises(PropertyError, match=r"^tensor: expected"):
        isotropic_average(tensor)
