import dataclasses

import numpy as np
import pytest
from scipy.special import gamma, j0, jn_zeros, jv

from multiscale.circuit import (
    BrickLayer,
    constriction_conductivity,
    constriction_factor,
    easy_path_conductivity,
    parse_circuit,
    sample_impedance,
    series_conductivity,
)
from multiscale.errors import InputError


@pytest.fixture
def ceramic():
    return BrickLayer(
        grain_size=1e-6,
        boundary_width=1e-9,
        bulk_conductivity=1e-2,
        boundary_conductivity=1e-12,
        bulk_permittivity=50.0,
        boundary_permittivity=50.0,
    )


def close(found, expected, rtol=1e-12):
    return np.all(np.abs(found - expected) <= rtol * np.abs(expected))


def spreading_by_galerkin(ratio, zeros=10_000, functions=8):
    """4 a σ R of a spot at one potential in an insulated cylinder of the radius a/ratio.

    The flux through the spot is a sum of (1 − r²/a²)^(m−1/2); the least power for a unit current
    is the resistance. Each cosh mode of the cylinder is a zero of J₁.
    """
    k = jn_zeros(1, zeros)
    m = np.arange(functions)[:, None]
    moments = 2.0 ** (m - 0.5) * gamma(m + 0.5) * jv(m + 0.5, k * ratio)
    moments = moments / (k * ratio) ** (m + 0.5)
    power = (moments * 2 / (k * j0(k) ** 2)) @ moments.T
    current = 1.0 / (2.0 * np.arange(functions) + 1.0)
    return 4 * ratio / (2 * np.pi * current @ np.linalg.solve(power, current))


@pytest.mark.parametrize("ratio", [0.05, 0.1, 0.3, 0.5, 0.7])
def test_constriction_factor_is_that_of_an_independent_solution(ratio):
    assert constriction_factor(ratio) == pytest.approx(spreading_by_galerkin(ratio), abs=3e-4)


@pytest.mark.parametrize("ratio", [0.8, 0.9, 0.95])
def test_constriction_factor_of_wide_spots(ratio):
    assert constriction_factor(ratio) == pytest.approx(spreading_by_galerkin(ratio), abs=1.3e-3)


def test_limits_of_the_constriction_factor():
    assert constriction_factor(0.0) == 1.0
    assert constriction_factor(1.0) == pytest.approx(0.0, abs=1e-12)


def test_easy_paths_between_open_and_blocked(ceramic, frequency):
    assert close(easy_path_conductivity(ceramic, frequency, 1.0), ceramic.bulk(frequency))
    blocked = easy_path_conductivity(ceramic, frequency, 0.0)
    assert close(blocked, series_conductivity(ceramic, frequency), 2e-3)  # x = 1e-3


def test_easy_paths_as_a_circuit(ceramic, frequency):
    """Column of grain beside column of grain and boundary, each an RC element."""
    share, x, thickness = 0.1, ceramic.width_over_size, 1e-3
    eps = 8.8541878128e-12 * 50.0
    wide, narrow = share / thickness, (1 - share) / thickness
    values = [1 / (1e-2 * wide), eps * wide]
    values += [(1 - x) / (1e-2 * narrow), eps * narrow / (1 - x)]
    values += [x / (1e-12 * narrow), eps * narrow / x]
    circuit = parse_circuit("p(R1,C1,p(R2,C2)-p(R3,C3))")
    expected = circuit.impedance(frequency, values)
    kappa = easy_path_conductivity(ceramic, frequency, share)
    assert close(sample_impedance(kappa, thickness), expected, 1e-9)


def test_open_boundaries_do_not_constrict(ceramic, frequency):
    found = constriction_conductivity(ceramic, frequency, 1.0, 1e-7)
    assert close(found, ceramic.bulk(frequency), 1e-6)


def test_static_constriction_is_that_of_maxwell(ceramic):
    """Few small spots in an insulator: 1/(2 a σ) of each spot over its share of the area."""
    share, radius = 1e-4, 2e-9
    kappa = constriction_conductivity(ceramic, 1e-6, share, radius).real
    areal = (1 / kappa - 1 / 1e-2) * 1e-6  # per boundary [Ω m²]
    spots_per_area = share / (np.pi * radius**2)
    expected = (1 / (2 * radius * 1e-2) + 1e-9 / (1e-2 * np.pi * radius**2)) / spots_per_area
    assert areal == pytest.approx(expected, rel=0.02)  # a/b = 0.01


def test_static_constriction_of_spots_close_together(ceramic):
    """A quarter of the area: the cylinder of each spot is twice as wide as the spot."""
    kappa = constriction_conductivity(ceramic, 1e-6, 0.25, 1e-7).real
    grain = (1 - ceramic.width_over_size) / 1e-2
    areal = (1 / kappa - grain) * 1e-6
    each = 2 * spreading_by_galerkin(0.5) / (4 * 1e-7 * 1e-2) + 1e-9 / (1e-2 * np.pi * 1e-14)
    assert areal == pytest.approx(each * np.pi * (2e-7) ** 2, rel=1e-3)


def test_smaller_spots_of_the_same_share_conduct_better(ceramic):
    static = [
        float(constriction_conductivity(ceramic, 1e-6, 0.01, radius).real)
        for radius in (5e-8, 2e-8, 1e-8)
    ]
    assert static == sorted(static)
    assert static[-1] < ceramic.bulk_conductivity


def test_current_passes_the_gap_at_high_frequency(ceramic):
    found = constriction_conductivity(ceramic, 1e12, 0.01, 2e-8)
    assert close(found, ceramic.bulk(1e12), 1e-2)


def test_bad_input(ceramic):
    for share in (-0.1, 1.1, np.nan):
        with pytest.raises(InputError, match="open_share"):
            easy_path_conductivity(ceramic, 1.0, share)
        with pytest.raises(InputError, match="open_share"):
            constriction_conductivity(ceramic, 1.0, share, 1e-8)
        with pytest.raises(InputError, match="radius_ratio: expected a ratio from 0 to 1"):
            constriction_factor(share)
    with pytest.raises(InputError, match="open_share"):
        constriction_conductivity(ceramic, 1.0, 0.0, 1e-8)
    with pytest.raises(InputError, match="spot_radius: expected a finite value > 0"):
        constriction_conductivity(ceramic, 1.0, 0.1, 0.0)


def test_spots_wider_than_the_model(ceramic):
    with pytest.raises(InputError, match="spot_radius: expected spots at most 5e-08 m in radius"):
        constriction_conductivity(ceramic, 1.0, 0.01, 6e-8)
    small = dataclasses.replace(ceramic, grain_size=2e-6)
    assert constriction_conductivity(small, 1.0, 0.01, 6e-8).real > 0
