"""One boundary: exact excesses, overlap, films, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import multiscale as ms
from multiscale.errors import InputError
from multiscale.space_charge import closed_forms, thermal_voltage
from tests.space_charge.cases import ALL, mixed

VOLT = thermal_voltage(300.0)
LENGTH = closed_forms.decay_length(50.0, 300.0, 1e27)
MODELS = {
    "gouy-chapman": (closed_forms.gouy_chapman, closed_forms.finite_gouy_chapman),
    "mott-schottky": (closed_forms.mott_schottky, closed_forms.finite_mott_schottky),
}


@pytest.mark.parametrize("y", [-15.0, -4.0, -0.01, 0.01, 1.0, 5.0, 10.0, 15.5])
@pytest.mark.parametrize("model", MODELS)
def test_excess_resistance_is_the_exact_integral(model, y):
    layer = ms.space_charge_layer(potential=y * VOLT, model=model)
    wanted = 2 * LENGTH * MODELS[model][0](y)
    assert layer.excess_resistance_length == pytest.approx(wanted, rel=1e-8)
    assert layer.potential == pytest.approx(y * VOLT, rel=1e-12)


@pytest.mark.parametrize("charge", [-2, -1, 2])
def test_charge_only_scales(charge):
    y = 6.0
    layer = ms.space_charge_layer(potential=y * VOLT / charge, charge=charge)
    length = closed_forms.decay_length(50.0, 300.0, 1e27, charge)
    wanted = 2 * length * closed_forms.gouy_chapman(y)
    assert layer.excess_resistance_length == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("size", [0.5, 2.0, 8.0, 25.0])
@pytest.mark.parametrize("y", [1.0, 5.0, 12.0])
@pytest.mark.parametrize("model", MODELS)
def test_layers_that_overlap(model, y, size):
    layer = ms.space_charge_layer(potential=y * VOLT, model=model, grain_size=size * LENGTH)
    middle, excess = MODELS[model][1](y, size)
    assert layer.middle_potential == pytest.approx(middle * VOLT, rel=1e-8)
    assert layer.excess_resistance_length == pytest.approx(2 * LENGTH * excess, rel=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_large_grains_are_endless(model):
    plain = ms.space_charge_layer(potential=0.2, model=model)
    large = ms.space_charge_layer(potential=0.2, model=model, grain_size=100e-9)
    assert large.excess_resistance_length == pytest.approx(plain.excess_resistance_length, rel=1e-9)


def test_overlap_begins_where_depletion_layers_meet():
    # below 4 λ √Y the middle is no longer neutral, and the layers cost more than apart
    y = 10.0
    meet = 4 * LENGTH * math.sqrt(y)
    above = ms.space_charge_layer(y * VOLT, model="mott-schottky", grain_size=2 * meet)
    below = ms.space_charge_layer(y * VOLT, model="mott-schottky", grain_size=0.5 * meet)
    assert above.middle_potential < 0.1 * VOLT
    assert below.middle_potential > 3 * VOLT
    assert below.excess_resistance_length / below.grain_size > 5 * (
        above.excess_resistance_length / above.grain_size
    )


def test_overlapping_accumulation_hardly_differs():
    # values stated for a grain of 4 λ: within a percent or so of layers apart
    apart = ms.space_charge_layer(potential=-0.2)
    close = ms.space_charge_layer(potential=-0.2, grain_size=4 * LENGTH)
    ratio = close.excess_conductance_length / apart.excess_conductance_length
    assert ratio == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("y", "low"), [(5.0, 0.22), (10.0, 0.11)])
def test_the_textbook_is_too_low(y, low):
    layer = ms.space_charge_layer(potential=y * VOLT, model="mott-schottky")
    textbook = 2 * LENGTH * closed_forms.mott_schottky_asymptote(y)
    assert textbook / layer.excess_resistance_length == pytest.approx(1 - low, abs=0.01)


@pytest.mark.parametrize("phase", ALL.values(), ids=ALL)
def test_charge_and_potential_are_two_ways_to_say_one_thing(phase):
    options = {
        "relative_permittivity": phase.relative_permittivity,
        "defects": phase.defects,
        "steric": phase.steric,
    }
    one = ms.space_charge_layer(potential=0.15, **options)
    two = ms.space_charge_layer(core_charge=one.core_charge, **options)
    assert one.core_charge > 0
    assert two.potential == pytest.approx(0.15, rel=1e-8)
    assert two.excess_resistance_length == pytest.approx(one.excess_resistance_length, rel=1e-7)


def test_carriers_are_counted_by_name():
    phase = mixed()
    options = {"relative_permittivity": 20.0, "defects": phase.defects, "steric": "bikerman"}
    up = ms.space_charge_layer(potential=0.1, carrier="Li_i", **options)
    down = ms.space_charge_layer(potential=0.1, carrier="V_Li", **options)
    assert up.excess_resistance_length > 0 > up.excess_conductance_length
    assert down.excess_resistance_length < 0 < down.excess_conductance_length
    assert set(up.densities) == {"Li_i", "V_Li", "hole"}


@settings(max_examples=25, deadline=None)
@given(st.floats(0.01, 0.35), st.floats(5.0, 300.0), st.floats(1e25, 1e28), st.floats(250, 900))
def test_excess_grows_with_potential_and_scales_with_the_length(potential, eps, density, kelvin):
    given_ = {"relative_permittivity": eps, "density": density, "temperature": kelvin,
              "model": "mott-schottky"}  # fmt: skip
    one = ms.space_charge_layer(potential, **given_)
    more = ms.space_charge_layer(1.1 * potential, **given_)
    assert more.excess_resistance_length > one.excess_resistance_length > 0
    thin = ms.space_charge_layer(potential, **{**given_, "density": 4 * density})
    assert thin.excess_resistance_length == pytest.approx(
        one.excess_resistance_length / 2, rel=1e-7
    )


def test_no_potential_changes_nothing():
    layer = ms.space_charge_layer(potential=0.0)
    assert layer.excess_resistance_length == 0.0
    assert layer.excess_conductance_length == 0.0
    assert layer.extent == 0.0
    core = ms.Boundary(width=1e-9, across=1e-14, along=1e-13)
    film = layer.boundary(1e-12, core)
    assert film.across == pytest.approx(core.across, rel=1e-12)
    assert film.along == pytest.approx(core.along, rel=1e-12)


@pytest.mark.parametrize("potential", [-0.15, 0.05, 0.2])
@pytest.mark.parametrize("wide", [1.0, 3.0])
def test_a_film_carries_core_and_layers(potential, wide):
    layer = ms.space_charge_layer(potential=potential, model="mott-schottky")
    core, bulk = ms.Boundary(width=1e-9, across=1e-13, along=5e-13, segregation=0.5), 1e-12
    usual = layer.boundary(bulk, core).width
    assert core.width < usual < core.width + 2 * layer.extent
    film = layer.boundary(bulk, core, width=wide * usual)
    resistance = core.width / 5e-14 + (film.width - core.width) / bulk
    resistance += layer.excess_resistance_length / bulk
    assert film.width / film.across == pytest.approx(resistance, rel=1e-12)
    along = core.width * 2.5e-13 + (film.width - core.width) * bulk
    along += layer.excess_conductance_length * bulk
    assert film.width * film.along == pytest.approx(along, rel=1e-12)


def test_films_refused():
    layer = ms.space_charge_layer(potential=0.2, model="mott-schottky")
    core = ms.Boundary(width=1e-9, across=1e-13, along=0.0)
    with pytest.raises(InputError, match="width: expected a film that holds core and layers"):
        layer.boundary(1e-12, core, width=1.02e-9)
    with pytest.raises(InputError, match="bulk: expected a coefficient > 0"):
        layer.boundary(0.0, core)
    blocked = layer.boundary(1e-12, ms.Boundary(width=1e-9, across=0.0, along=0.0))
    assert blocked.across == 0.0


def test_areal_resistance():
    layer = ms.space_charge_layer(potential=0.2)
    assert layer.areal_resistance(0.05) == layer.excess_resistance_length / 0.05
    with pytest.raises(InputError, match="conductivity"):
        layer.areal_resistance(0.0)


@pytest.mark.parametrize(
    ("given_", "words"),
    [
        ({}, "either potential or core_charge, received neither"),
        ({"potential": 0.1, "core_charge": 0.1}, "received both"),
        ({"potential": 9.0}, "potential: expected at most 7.76 V"),
        ({"potential": math.nan}, "received nan"),
        ({"core_charge": math.inf}, "core_charge: expected a finite number"),
        ({"potential": 0.1, "temperature": 0.0}, "temperature: expected a finite number > 0 in K"),
        ({"potential": 0.1, "relative_permittivity": 0.0}, "relative_permittivity"),
        ({"potential": 0.1, "density": -1.0}, "density"),
        ({"potential": 0.1, "charge": 0}, "charge"),
        ({"potential": 0.1, "model": "gouy"}, "model: expected"),
        ({"potential": 0.1, "grain_size": 0.0}, "grain_size"),
        ({"potential": 0.1, "steric": "lattice"}, "a site_density for every mobile defect"),
        ({"potential": 0.1, "carrier": "Na"}, "carrier: expected one of carrier, counter"),
        ({"potential": 0.3, "core_sites": 1e15}, "a core charge within its 1e.15 sites"),
        (
            {"core_charge": 1.0, "model": "mott-schottky", "grain_size": 3e-9},
            "less than 0.481 C/m², all that the defects of a grain of 3e-09 m can screen",
        ),
    ],
)
def test_refused(given_, words):
    with pytest.raises(InputError, match=words) as caught:
        ms.space_charge_layer(**given_)
    assert "\n" not in str(caught.value)


def test_profile_is_ordered_and_ends_flat():
    layer = ms.space_charge_layer(potential=0.2, grain_size=2e-9, model="mott-schottky")
    assert (np.diff(layer.x) > 0).all()
    assert layer.x[0] == 0.0
    assert layer.x[-1] == pytest.approx(1e-9)
    assert (np.diff(layer.profile_potential) < 0).all()
    carrier = layer.densities["carrier"]
    np.testing.assert_allclose(carrier, 1e27 * np.exp(-layer.profile_potential / VOLT), rtol=1e-9)
