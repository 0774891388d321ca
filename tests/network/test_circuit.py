import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multiscale.errors import InputError, PropertyError
from multiscale.network import circuit_diffusivity, percolation
from multiscale.properties import Boundary

TYPES = ("A|A", "A|B", "B|B")


def everywhere(width, across, along, segregation=1.0):
    film = Boundary(width=width, across=across, along=along, segregation=segregation)
    return dict.fromkeys(TYPES, film)


def close(found, expected, rtol):
    """Compare against the largest entry; approx has an absolute tolerance of 1e-12 built in."""
    return np.abs(found - np.asarray(expected)).max() <= rtol * np.abs(expected).max()


def off_diagonal(tensor):
    return tensor - np.diag(np.diag(tensor))


@pytest.mark.parametrize("weights", [0.0, 0.5])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("dimension", [2, 3])
class TestRandomGrains:
    def test_uniform_crystal(self, two_phase, dimension, periodic, weights):
        crystal = two_phase(40, dimension, 0.5, 1, periodic=periodic, weights=weights)
        result = circuit_diffusivity(crystal, {"A": 3e-12, "B": 3e-12})
        assert np.abs(result.tensor / 3e-12 - np.eye(dimension)).max() < 1e-10
        assert result.flux_imbalance < 1e-10
        assert result.percolates.all()

    def test_film_like_the_bulk_changes_nothing(self, two_phase, dimension, periodic, weights):
        crystal = two_phase(40, dimension, 0.5, 1, periodic=periodic, weights=weights)
        films = everywhere(1e-8, 3e-12, 3e-12)
        result = circuit_diffusivity(crystal, {"A": 3e-12, "B": 3e-12}, films)
        assert np.abs(result.tensor / 3e-12 - np.eye(dimension)).max() < 1e-10

    def test_symmetric_positive_and_bounded(self, two_phase, dimension, periodic, weights):
        crystal = two_phase(60, dimension, 0.4, 2, periodic=periodic, weights=weights)
        result = circuit_diffusivity(crystal, {"A": 1e-11, "B": 1e-14})
        share = crystal.tessellation.volumes @ (crystal.phases == 0) / np.prod(crystal.size)
        values = np.linalg.eigvalsh(result.tensor)
        assert np.array_equal(result.tensor, result.tensor.T)
        assert 1 / (share / 1e-11 + (1 - share) / 1e-14) <= values[0]
        assert values[-1] <= share * 1e-11 + (1 - share) * 1e-14
        assert result.flux_imbalance < 1e-8
        assert periodic or not off_diagonal(result.tensor).any()

    def test_a_phase_that_blocks(self, two_phase, dimension, periodic, weights):
        crystal = two_phase(60, dimension, 0.35, 3, periodic=periodic, weights=weights)
        crosses = percolation(crystal).phase_percolates[0]
        result = circuit_diffusivity(crystal, {"A": 1e-12, "B": 0.0}, {"A|A": FILM})
        assert (result.percolates == crosses).all()
        assert ((np.diag(result.tensor) > 0) == crosses).all()
        assert not result.tensor[~crosses].any()


FILM = Boundary(width=1e-9, across=1e-13, along=1e-12)


class TestBricks:
    """Grains whose network is the exact answer."""

    @pytest.mark.parametrize("periodic", [True, False])
    @pytest.mark.parametrize("counts", [(4, 2), (4, 2, 2)])
    def test_laminate(self, bricks, counts, periodic):
        crystal = bricks(counts, lambda *place: place[0] % 2, periodic=periodic)
        tensor = circuit_diffusivity(crystal, {"A": 1e-12, "B": 1e-15}).tensor
        series, parallel = 2 / (1 / 1e-12 + 1 / 1e-15), (1e-12 + 1e-15) / 2
        expected = np.diag([series] + [parallel] * (len(counts) - 1))
        assert close(np.diag(tensor) / np.diag(expected), np.ones(len(counts)), 1e-10)
        assert close(tensor, expected, 1e-10)

    def test_series_of_bulk_and_films(self, bricks):
        # periods of 4: two A|B, one A|A and one B|B film on each line along x
        edge, bulk = 1e-7, {"A": 1e-12, "B": 1e-13}
        films = {
            ("A", "A"): Boundary(width=1e-9, across=1e-16, along=0.0),
            ("B", "A"): Boundary(width=2e-9, across=1e-15, along=0.0),
            "B|B": Boundary(width=1e-9, across=1e-11, along=0.0),
        }
        crystal = bricks((4, 2, 2), lambda i, j, k: int(i > 1), periodic=True)
        across = circuit_diffusivity(crystal, bulk, films).tensor[0, 0]
        resistance = (2 * edge - 2e-9 - 1e-9) * (1 / 1e-12 + 1 / 1e-13)
        resistance += 1e-9 / 1e-16 + 2 * 2e-9 / 1e-15 + 1e-9 / 1e-11
        assert close(across, 4 * edge / resistance, 1e-12)

    @pytest.mark.parametrize("periodic", [True, False])
    @pytest.mark.parametrize("counts", [(3, 3), (3, 3, 3)])
    def test_sheets_in_parallel(self, bricks, counts, periodic):
        # films that differ from the bulk along themselves alone leave the potential linear
        crystal = bricks(
            counts, lambda *_: 0, periodic=periodic, edge=(1e-7, 2e-7, 3e-7)[: len(counts)]
        )
        tensor = circuit_diffusivity(
            crystal, {"A": 1e-14, "B": 0}, everywhere(1e-9, 1e-14, 1e-9)
        ).tensor
        sheet = 1e-9 * (1e-9 - 1e-14)
        planes = np.array(counts) if periodic else np.array(counts) - 1
        density = planes / crystal.size  # sheets per length, by the axis of their normal
        expected = 1e-14 + sheet * (density.sum() - density)
        assert close(np.diag(tensor), expected, 1e-9)

    def test_sheets_are_left_out_on_request(self, bricks):
        crystal = bricks((3, 3), lambda *_: 0, periodic=True)
        films = everywhere(1e-9, 1e-14, 1e-9)
        result = circuit_diffusivity(crystal, {"A": 1e-14, "B": 0}, films, along=False)
        assert close(result.tensor, 1e-14 * np.eye(2), 1e-12)
        assert not result.along

    def test_sheets_alone_carry_current_past_pores(self, bricks):
        crystal = bricks((4, 4), lambda i, j: int(i == 2), periodic=True)
        films = {"A|A": Boundary(width=1e-9, across=1e-12, along=1e-9), "A|B": FILM}
        result = circuit_diffusivity(crystal, {"A": 1e-12, "B": 0.0}, films)
        assert result.percolates.tolist() == [False, True]
        assert (result.tensor[0] == 0).all()

    def test_segregation_multiplies_the_film(self, bricks):
        crystal = bricks((2, 2), lambda *_: 0, periodic=True)
        phases = {"A": 1e-12, "B": 0}
        rich = circuit_diffusivity(crystal, phases, everywhere(1e-9, 1e-15, 1e-10, 10.0)).tensor
        fast = circuit_diffusivity(crystal, phases, everywhere(1e-9, 1e-14, 1e-9)).tensor
        assert close(rich, fast, 1e-9)


def cell_edge(crystal):
    return (np.prod(crystal.size) / crystal.grains) ** (1 / crystal.dimension)


@pytest.mark.parametrize(
    ("contrast", "tolerance"), [(1e-4, 2e-3), (1e-2, 0.02), (0.1, 0.03), (0.5, 0.01)]
)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_duality_in_two_dimensions(two_phase, seed, contrast, tolerance):
    # K*(1/c) = K*(c) / det K*(c): blocking films and conducting sheets check each other
    crystal = two_phase(80, 2, 1.0, seed)
    width = 0.02 * cell_edge(crystal)

    def effective(c):
        return circuit_diffusivity(crystal, {"A": 1.0, "B": 0}, everywhere(width, c, c)).tensor

    blocking, conducting = effective(contrast), effective(1 / contrast)
    dual = blocking / np.linalg.det(blocking)
    assert np.abs(conducting - dual).max() < tolerance * np.abs(dual).max()


@pytest.mark.parametrize("dimension", [2, 3])
def test_thin_film_limits(two_phase, dimension):
    # 1/K = 1/K_b + S R / dim and K = K_b + (dim − 1)/dim S G for small excess, S area a volume
    crystal = two_phase(120, dimension, 1.0, 4)
    surface = crystal.tessellation.facets.area.sum() / np.prod(crystal.size)
    width = 0.001 * cell_edge(crystal)

    def mean(across, along):
        films = everywhere(width, across, along)
        return np.trace(circuit_diffusivity(crystal, {"A": 1.0, "B": 0}, films).tensor) / dimension

    blocking = surface * width * (1 / 0.05 - 1) / dimension
    assert 1 / mean(0.05, 1.0) - 1 == pytest.approx(blocking, rel=0.04)
    sheet = (dimension - 1) / dimension * surface * width * (20.0 - 1)
    assert mean(1.0, 20.0) - 1 == pytest.approx(sheet, rel=0.04)


@settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a pure function
)
@given(seed=st.integers(0, 999), exponents=st.lists(st.floats(-4, 4), min_size=8, max_size=8))
def test_monotone_scaling_and_relabelling(two_phase, seed, exponents):
    crystal = two_phase(25, 2, 0.5, seed)
    values = 10.0 ** np.array(exponents)

    def effective(v, target=crystal):
        films = {
            t: Boundary(width=1e-9, across=v[2 + k], along=v[5 + k]) for k, t in enumerate(TYPES)
        }
        return circuit_diffusivity(target, {"A": v[0], "B": v[1]}, films).tensor

    base = effective(values)
    assert close(effective(7 * values), 7 * base, 1e-6)
    for k in range(2, 8):  # films; they are measured against the bulk, so the bulk stays
        raised = values.copy()
        raised[k] *= 3
        gain = np.linalg.eigvalsh(effective(raised) - base)
        assert gain[0] > -1e-7 * np.trace(base)
    order = np.random.default_rng(seed).permutation(crystal.grains)
    other = type(crystal)(
        crystal.seeds[order],
        crystal.weights[order],
        crystal.size,
        True,
        crystal.phases[order],
        crystal.phase_names,
        crystal.orientations[order],
    )
    assert close(effective(values, other), base, 1e-6)


def test_iterations_and_factors_agree(two_phase, monkeypatch):
    crystal = two_phase(150, 3, 0.5, 0)
    films = everywhere(1e-9, 1e-14, 1e-9)
    direct = circuit_diffusivity(crystal, {"A": 1e-12, "B": 1e-14}, films).tensor
    monkeypatch.setattr("multiscale.network.resistors._fits_direct", lambda *_: False)
    iterated = circuit_diffusivity(crystal, {"A": 1e-12, "B": 1e-14}, films).tensor
    assert close(iterated, direct, 1e-8)


class TestRefuses:
    @pytest.mark.parametrize(
        ("phases", "message"),
        [
            ({"A": 1e-12}, "phases: expected a diffusivity for 'B'"),
            ({"A": 1e-12, "B": 1e-12, "a": 1.0}, r"phases\['a'\].*did you mean 'A'"),
            ({"A": -1e-12, "B": 1e-12}, r"phases\['A'\]: expected a finite number ≥ 0"),
            ({"A": 1e-12, "B": float("nan")}, r"phases\['B'\]: expected a finite number ≥ 0"),
            ({"A": 1e-12, "B": "1e-12"}, r"phases\['B'\]: expected a number"),
        ],
    )
    def test_phases(self, two_phase, phases, message):
        with pytest.raises(PropertyError, match=message):
            circuit_diffusivity(two_phase(10, 2, 0.5, 0), phases)

    @pytest.mark.parametrize(
        ("boundaries", "message"),
        [
            ({"A|A": FILM, "B|B": FILM}, r"boundaries: expected a film for 'A\|B'"),
            ({"A|A": FILM, "A|C": FILM}, r"boundaries\['A\|C'\].*did you mean 'A\|"),
            ({"A|B": FILM, ("B", "A"): FILM}, "expected each pair once"),
        ],
    )
    def test_boundaries(self, two_phase, boundaries, message):
        with pytest.raises(PropertyError, match=message):
            circuit_diffusivity(two_phase(10, 2, 0.5, 0), {"A": 1e-12, "B": 1e-12}, boundaries)

    @pytest.mark.parametrize(
        ("periodic", "condition"), [(True, "dirichlet"), (False, "periodic"), (True, "neumann")]
    )
    def test_conditions(self, two_phase, periodic, condition):
        crystal = two_phase(10, 2, 0.5, 0, periodic=periodic)
        with pytest.raises(InputError, match="boundary: expected"):
            circuit_diffusivity(crystal, {"A": 1e-12, "B": 1e-12}, boundary=condition)
