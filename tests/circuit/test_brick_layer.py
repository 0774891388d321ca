import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multiscale.circuit import (
    BrickLayer,
    TwoArcs,
    brick_layer_conductivity,
    ceramic_of_arcs,
    coated_grain_conductivity,
    complex_conductivity,
    parse_circuit,
    sample_impedance,
    series_conductivity,
    two_arcs,
)
from multiscale.errors import InputError
from multiscale.transport import layer_models
from multiscale.units import VACUUM_PERMITTIVITY

MODELS = (brick_layer_conductivity, coated_grain_conductivity)
STATIC = 1e-9
"""A frequency [Hz] so low that nothing but conduction is left."""


@pytest.fixture
def ceramic():
    return BrickLayer(
        grain_size=1e-6,
        boundary_width=2e-9,
        bulk_conductivity=1e-2,
        boundary_conductivity=1e-5,
        bulk_permittivity=50.0,
        boundary_permittivity=40.0,
    )


def close(found, expected, rtol=1e-12):
    return np.all(np.abs(found - expected) <= rtol * np.abs(expected))


def test_complex_conductivity_by_hand():
    found = complex_conductivity(1e6, 0.1, 10.0)
    assert found == pytest.approx(0.1 + 2j * np.pi * 1e6 * VACUUM_PERMITTIVITY * 10.0)


@pytest.mark.parametrize("model", [*MODELS])
def test_a_boundary_like_the_grain_changes_nothing(model, ceramic, frequency):
    same = dataclasses.replace(
        ceramic, boundary_width=3e-7, boundary_conductivity=1e-2, boundary_permittivity=50.0
    )
    assert close(model(same, frequency), same.bulk(frequency))


@pytest.mark.parametrize("width", [1e-9, 1e-7, 5e-7])
@pytest.mark.parametrize("conductivity", [1e-6, 1e-2, 1.0])
def test_static_values_are_those_of_the_transport_room(ceramic, width, conductivity):
    made = dataclasses.replace(ceramic, boundary_width=width, boundary_conductivity=conductivity)
    x = made.width_over_size
    bricks = layer_models.brick_layer(1e-2, conductivity, conductivity, x, 3)
    coated = layer_models.coated_grain(1e-2, conductivity, 1 - (1 - x) ** 3, 3)
    assert brick_layer_conductivity(made, STATIC) == pytest.approx(bricks, rel=1e-9)
    assert coated_grain_conductivity(made, STATIC) == pytest.approx(coated, rel=1e-9)


@pytest.mark.parametrize("model", [*MODELS])
def test_thin_blocking_boundaries_are_the_series_circuit(model, ceramic):
    f = np.geomspace(1.0, 1e10, 101)
    errors = []
    for width in (4e-10, 2e-10, 1e-10):
        thin = dataclasses.replace(
            ceramic, boundary_width=width, boundary_conductivity=1e-2 * width / 1e-6
        )
        errors.append(np.abs(model(thin, f) / series_conductivity(thin, f) - 1).max())
    assert errors[-1] < 5e-4
    assert errors[0] / errors[1] == pytest.approx(2.0, rel=0.02)  # first order in x
    assert errors[1] / errors[2] == pytest.approx(2.0, rel=0.02)


def test_two_arcs_are_the_series_circuit(ceramic):
    f, thickness, area = np.geomspace(1.0, 1e10, 101), 1e-3, 5e-5
    arcs = two_arcs(ceramic, thickness, area)
    expected = sample_impedance(series_conductivity(ceramic, f), thickness, area)
    assert close(parse_circuit(arcs.text).impedance(f, arcs.values), expected)


def test_two_arcs_by_hand(ceramic):
    arcs = two_arcs(ceramic, 1e-3, 1e-4)
    assert arcs.bulk_resistance == pytest.approx(1e3)
    assert arcs.boundary_resistance == pytest.approx(2e3)
    assert arcs.bulk_capacitance == pytest.approx(5 * VACUUM_PERMITTIVITY)
    assert arcs.boundary_capacitance == pytest.approx(2000 * VACUUM_PERMITTIVITY)


def test_properties_come_back_from_two_arcs(ceramic):
    arcs = two_arcs(ceramic, 1e-3, 1e-4)
    found = ceramic_of_arcs(arcs, 1e-6, 1e-3, 1e-4, permittivity_ratio=0.8)
    for field in dataclasses.fields(BrickLayer):
        assert getattr(found, field.name) == pytest.approx(getattr(ceramic, field.name)), field


conductivities = st.floats(-8.0, 2.0).map(lambda power: 10.0**power)


@given(
    bulk=conductivities,
    boundary=conductivities,
    x=st.floats(1e-4, 0.5),
    frequency=st.floats(0.0, 12.0).map(lambda power: 10.0**power),
)
def test_bounds_and_passivity(bulk, boundary, x, frequency):
    """Both models lie between Wiener's bounds; the coated grain above the bricks' lower bound."""
    made = BrickLayer(
        grain_size=1e-6,
        boundary_width=x * 1e-6,
        bulk_conductivity=bulk,
        boundary_conductivity=boundary,
        bulk_permittivity=30.0,
        boundary_permittivity=10.0,
    )
    grains = (1 - x) ** 3
    lower = 1 / (grains / bulk + (1 - grains) / boundary)
    upper = grains * bulk + (1 - grains) * boundary
    for model in MODELS:
        static = float(model(made, STATIC).real)
        assert lower * (1 - 1e-6) <= static <= upper * (1 + 1e-6)
        z = sample_impedance(model(made, frequency), 1e-3)
        assert z.real > 0
        assert z.imag < 0


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(BrickLayer)])
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_bad_ceramics(ceramic, field, bad):
    with pytest.raises(InputError, match=f"^{field}: expected a finite value > 0"):
        dataclasses.replace(ceramic, **{field: bad})


def test_boundary_wider_than_the_grain(ceramic):
    with pytest.raises(InputError, match="boundary_width: expected less than the grain size"):
        dataclasses.replace(ceramic, boundary_width=1e-6)
    arcs = TwoArcs(1.0, 1e-9, 1.0, 1e-9)
    with pytest.raises(InputError, match="boundary_width"):
        ceramic_of_arcs(arcs, 1e-6, 1e-3)


def test_bad_samples(ceramic):
    with pytest.raises(InputError, match="thickness"):
        sample_impedance([1.0], 0.0)
    with pytest.raises(InputError, match="area"):
        two_arcs(ceramic, 1.0, -1.0)
    with pytest.raises(InputError, match="boundary_resistance"):
        ceramic_of_arcs(TwoArcs(1.0, 1.0, 0.0, 1.0), 1e-6, 1e-3)
    with pytest.raises(InputError, match="permittivity"):
        complex_conductivity(1.0, 1.0, -1.0)
