"""Every file of the library loads, and every number says where it comes from."""

import math
import re

import pytest

import multiscale.properties as properties
from multiscale.properties import BoundaryProperties, Material
from multiscale.units import to_si

EV = 1.602176634e-19
K_B = 1.380649e-23
DOI_OR_ORIGIN = re.compile(r"^(10\.\d{4,}/\S+|computed from .+|computed: .+ study [0-9a-f]+)$")
EXPECTED = {
    "LLZO", "LLZO-LLZO", "LLZO-LCO", "LCO-LCO", "Li0.53CoO2", "Li3OCl", "Li3OCl-Li3OCl",
    "Li6PS5Cl", "Li6PS5Cl-Li6PS5Cl", "NMC532", "NMC532-NMC532-sigma2", "NMC532-NMC532-sigma3",
    "NMC532-NMC532-sigma5", "NMC532-NMC532-sigma9",
}  # fmt: skip


def material(name):
    found = properties.load(name)
    assert isinstance(found, Material)
    return found


def boundary(name):
    found = properties.load(name)
    assert isinstance(found, BoundaryProperties)
    return found


def test_the_library_holds_what_the_readme_promises():
    assert set(properties.names()) >= EXPECTED
    assert list(properties.names()) == sorted(properties.names())


@pytest.mark.parametrize("name", properties.names())
def test_every_number_has_a_source_or_a_reason(name):
    for quantity in properties.load(name).quantities:
        if quantity.assumed:
            assert len(quantity.reason) > 10, quantity.name
        else:
            assert DOI_OR_ORIGIN.match(quantity.source), quantity.name
            least = (
                ("high", "medium", "low") if "computed:" in quantity.source else ("high", "medium")
            )
            assert quantity.confidence in least, quantity.name
        for number in (quantity.number, quantity.activation_energy):
            assert number is None or number.uncertainty_origin


@pytest.mark.parametrize("name", properties.names())
def test_every_file_gives_coefficients_in_a_sane_range(name):
    one = properties.load(name)
    if isinstance(one, Material):
        assert 1e-22 < one.diffusivity(300.0).value < 1e-8
        assert one.conductivity(300.0).value > 0
        return
    bulk = [material(beside).diffusivity(300.0).value for beside in one.between]
    layer = one.boundary(300.0, bulk)
    if one.width.assumed:
        assert layer.width == 1e-9
    assert 2e-10 < layer.width < 3e-9
    assert 1e-24 < layer.across < 1e-8
    assert 1e-24 < layer.along < 1e-8


@pytest.mark.parametrize(
    ("quantity", "prefactor_cm2_s", "energy_ev"),
    [
        (lambda: material("LLZO").in_plane, 3.72e-4, 0.28),
        (lambda: boundary("LLZO-LLZO").across_quantity, 10.0, 0.52),
        (lambda: boundary("LLZO-LLZO").along_quantity, 10.0, 0.52),
    ],
)
def test_llzo_pairs_are_those_of_heo_2021_and_marked_as_its_assumption(
    quantity, prefactor_cm2_s, energy_ev
):
    found = quantity()
    assert found.number.value == pytest.approx(prefactor_cm2_s * 1e-4, rel=1e-14)
    assert found.activation_energy.value == pytest.approx(energy_ev * EV, rel=1e-14)
    assert found.source == "10.1038/s41524-021-00681-8"
    assert found.assumed
    by_hand = prefactor_cm2_s * 1e-4 * math.exp(-energy_ev * EV / (K_B * 450.0))
    assert found.evaluate(450.0).value == pytest.approx(by_hand, rel=1e-12)


def test_llzo_boundary_overtakes_the_grain_at_273_kelvin():
    grain, layer = material("LLZO"), boundary("LLZO-LLZO")
    assert layer.across(270.0).value < grain.diffusivity(270.0).value
    assert layer.across(276.0).value > grain.diffusivity(276.0).value


def test_llzo_density_and_nernst_einstein():
    grain = material("LLZO")
    assert grain.lithium_density.number.value == pytest.approx(2.39e28)
    # 1e-3 S/cm is 6.74e-9 cm²/s at 300 K and Haven ratio 1
    ratio = grain.conductivity(300.0).value / grain.diffusivity(300.0).value
    assert ratio == pytest.approx(0.1 / 6.74e-13, rel=2e-3)


@pytest.mark.parametrize(
    ("name", "value_cm2_s"), [("Li6PS5Cl", 1.2e-9), ("Li6PS5Cl-disordered", 2.2e-7)]
)
def test_argyrodite_values(name, value_cm2_s):
    one = material(name)
    assert one.diffusivity(300.0).value == pytest.approx(value_cm2_s * 1e-4)
    assert one.in_plane.source == "10.1103/PhysRevMaterials.8.115407"
    assert not one.in_plane.assumed
    assert one.extrapolated(350.0)


def test_argyrodite_boundary_lies_between_its_limits():
    low, middle, high = (
        boundary(f"Li6PS5Cl-Li6PS5Cl{tail}").across(300.0).value for tail in ("-slow", "", "-fast")
    )
    assert middle == pytest.approx(math.sqrt(low * high), rel=0.02)


@pytest.mark.parametrize(
    ("sigma", "across", "energy"),
    [(2, math.sqrt(1000.0), 0.097), (3, 1e-7, 0.286), (5, math.sqrt(10.0), None)],
)
def test_nmc_boundaries_as_ratios_to_bulk(sigma, across, energy):
    one = boundary(f"NMC532-NMC532-sigma{sigma}")
    assert one.across(300.0, 1e-14).value == pytest.approx(across * 1e-14, rel=2e-3)
    assert one.across_quantity.source == "10.1021/acs.jpcc.1c02400"
    assert not one.across_quantity.assumed
    if energy is not None:
        assert one.boundary_energy.number.value == energy


@pytest.mark.parametrize(
    ("name", "x", "value"), [("Li0.53CoO2", 0.53, 2.5e-10), ("Li0.73CoO2", 0.73, 7e-10)]
)
def test_lixcoo2_is_layered_and_its_density_follows_from_x(name, x, value):
    one = material(name)
    assert not one.isotropic
    tensor = one.diffusivity_tensor(300.0)
    assert tensor[0, 0] == tensor[1, 1] == pytest.approx(value * 1e-4)
    assert tensor[2, 2] == pytest.approx(1e-4 * tensor[0, 0])
    assert one.diffusivity(300.0).value == pytest.approx(tensor[0, 0] / 2, rel=1e-3)
    cell = math.sqrt(3) / 2 * 2.816e-10**2 * 14.05e-10
    assert one.lithium_density.number.value == pytest.approx(3 * x / cell, rel=1e-3)
    assert f"x = {x}" in one.composition
    assert one.in_plane.assumed


def test_extrapolation_is_said():
    one = material("Li0.53CoO2")
    assert not one.extrapolated(400.0)
    assert one.extrapolated(600.0)
    assert "extrapolated to 600 K: outside 300–400 K" in one.diffusivity(600.0).source
    assert "extrapolated" not in one.diffusivity(300.0).source
    nmc = boundary("NMC532-NMC532-sigma2")
    assert "no valid range is stated" in nmc.across(300.0, 1e-14).source


def test_a_heterointerface_refers_to_the_geometric_mean():
    one = boundary("LLZO-LCO")
    assert one.across(300.0, [4e-12, 1e-14]).value == pytest.approx(2e-13)
    assert to_si(1.0, "nm", "length") == one.boundary(300.0, [4e-12, 1e-14]).width
