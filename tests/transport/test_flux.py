"""Flux vectors and shares: they add up, and the dissipation share is a derivative."""

from dataclasses import replace

import numpy as np
import pytest

import multiscale as ms
from multiscale.transport import VoxelGeometry, solve_voxels
from multiscale.transport.boundary_classes import type_names, type_table
from multiscale.transport.fields import plain_problem
from multiscale.transport.flux import flux_field, share_within

NAMES = ("A", "B")
BULK = {"A": 1.0, "B": 0.2}
FILMS = {  # across, along: blocking, conducting and both at once
    "A|A": (0.1, 5.0),
    "A|B": (0.02, 0.02),
    "B|B": (0.05, 8.0),
}
WIDTH = 0.02


def crystal(dimension):
    return ms.polycrystal(7, (1.0,) * dimension, {"A": 0.5, "B": 0.5}, 11)


def cells(dimension):
    return (20, 18) if dimension == 2 else (8, 9, 7)


def problem(dimension, bulk=BULK, films=FILMS):
    boundaries = films and {
        name: ms.Boundary(width=WIDTH, across=across, along=along)
        for name, (across, along) in films.items()
    }
    geometry = VoxelGeometry.of(crystal(dimension), cells(dimension))
    return geometry.problem([bulk[name] for name in NAMES], boundaries)


def solved(dimension, boundary, bulk=BULK, films=FILMS):
    return solve_voxels(problem(dimension, bulk, films), boundary=boundary, rtol=1e-10, keep=True)


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
@pytest.mark.parametrize("films", [FILMS, None], ids=["films", "bare"])
@pytest.mark.parametrize("dimension", [2, 3])
class TestSums:
    def test_shares_add_up_to_one(self, dimension, films, boundary):
        field = flux_field(solved(dimension, boundary, films=films), NAMES)
        assert field.axes == tuple(range(dimension))
        assert np.abs(field.flux_share.sum(axis=1) - 1).max() < 1e-12
        assert np.abs(field.dissipation_share.sum(axis=1) - 1).max() < 1e-12
        assert len(field.parts) == field.flux_share.shape[1] == 5
        assert len(field.dissipation_parts) == field.dissipation_share.shape[1] == 8
        if films is None:
            assert (field.flux_share[:, 2:] == 0).all()
            assert np.abs(field.dissipation_share[:, 2:]).max() < 1e-12

    def test_mean_vector_is_the_tensor(self, dimension, films, boundary):
        solution = solved(dimension, boundary, films=films)
        field = flux_field(solution, NAMES)
        mean = field.vector.mean(axis=tuple(range(1, dimension + 1)))
        expected = solution.result.flux_tensor
        if boundary == "dirichlet":
            mean, expected = np.diag(mean), np.diag(expected)
        assert np.abs(mean - expected).max() < 1e-7 * expected.max()
        assert field.magnitude.shape == (dimension, *cells(dimension))

    def test_share_within(self, dimension, films, boundary):
        field = flux_field(solved(dimension, boundary, films=films), NAMES)
        mask = np.random.default_rng(0).random(cells(dimension)) < 0.3
        inside, outside = share_within(field, mask), share_within(field, ~mask)
        assert np.abs(inside + outside - 1).max() < 1e-12
        assert np.abs(share_within(field, np.ones_like(mask)) - 1).max() < 1e-12
        assert (share_within(field, np.zeros_like(mask)) == 0).all()


def stepped(name, step):
    """Bulk and films with the conductance of one type (1/R or G) multiplied by 1 + step."""
    bulk, films = dict(BULK), dict(FILMS)
    kind, pair = name.split()
    one, two = (BULK[p] for p in pair.split("|"))
    across, along = FILMS[pair]
    if kind == "along":
        mean = (one + two) / 2
        films[pair] = (across, mean + (along - mean) * (1 + step))
    else:
        assert one == two, "one film, one excess on either side"
        films[pair] = (1 / (1 / one + (1 / across - 1 / one) / (1 + step)), along)
    return bulk, films


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
@pytest.mark.parametrize("dimension", [2, 3])
class TestDissipationIsTheSensitivity:
    """∂ln D/∂ln(conductance of a part), by central differences."""

    @pytest.mark.parametrize("name", ["across A|A", "across B|B", "along A|A", "along B|B"])
    def test_films(self, dimension, boundary, name):
        field = flux_field(solved(dimension, boundary), NAMES)
        share = field.dissipation_share[:, field.dissipation_parts.index(name)]
        step = 1e-3
        up, down = (
            np.diag(solved(dimension, boundary, *stepped(name, s)).result.tensor)
            for s in (step, -step)
        )
        slope = np.log(up / down) / np.log((1 + step) / (1 - step))
        assert (share > 1e-3).all()
        # sheets of two types that meet at a line share what is lost there half and half
        meet = dimension == 3 and name.startswith("along")
        assert np.abs(slope - share).max() < (1e-2 if meet else 1e-5)

    def test_all_sheets(self, dimension, boundary):
        field = flux_field(solved(dimension, boundary), NAMES)
        share = field.dissipation_share[:, 5:].sum(axis=1)
        step = 1e-3
        up, down = (
            np.diag(
                solved(
                    dimension,
                    boundary,
                    films={
                        pair: stepped(f"along {pair}", s)[1][pair] if pair != "A|B" else film
                        for pair, film in FILMS.items()
                    },
                ).result.tensor
            )
            for s in (step, -step)
        )
        slope = np.log(up / down) / np.log((1 + step) / (1 - step))
        assert np.abs(slope - share).max() < 1e-5

    @pytest.mark.parametrize("name", NAMES)
    def test_bulk(self, dimension, boundary, name):
        field = flux_field(solved(dimension, boundary, films=None), NAMES)
        share = field.dissipation_share[:, NAMES.index(name)]
        step = 1e-3
        up, down = (
            np.diag(
                solved(dimension, boundary, BULK | {name: BULK[name] * (1 + s)}, None).result.tensor
            )
            for s in (step, -step)
        )
        slope = np.log(up / down) / np.log((1 + step) / (1 - step))
        assert np.abs(slope - share).max() < 1e-5

    def test_bulk_under_films_of_one_phase(self, dimension, boundary):
        """With the excess quantities held, K alone is left to vary."""
        films = {"A|A": FILMS["A|A"], "A|B": FILMS["A|A"], "B|B": FILMS["A|A"]}
        same = {"A": 1.0, "B": 1.0}

        def axes(k):
            across, along = FILMS["A|A"]
            pair = (1 / (1 / k + 1 / across - 1.0), along + k - 1.0)
            bulk = {"A": k, "B": k}
            return np.diag(
                solved(dimension, boundary, bulk, dict.fromkeys(films, pair)).result.tensor
            )

        field = flux_field(solved(dimension, boundary, same, films), NAMES)
        share = field.dissipation_share[:, :2].sum(axis=1)
        slope = np.log(axes(1.001) / axes(0.999)) / np.log(1.001 / 0.999)
        assert np.abs(slope - share).max() < 1e-5


class TestLaminate:
    def test_known_shares(self):
        """Layers of 1 and 4, half each: series losses go as 1/K, parallel ones as K."""
        field = np.ones((6, 4))
        field[3:] = 4.0
        bare = plain_problem(field, np.ones(2))
        found = problem_with_phase(bare, (field > 1).astype(np.int32))
        solution = solve_voxels(found, boundary="periodic", rtol=1e-10, keep=True)
        shares = flux_field(solution, NAMES)
        assert shares.dissipation_share[:, :2] == pytest.approx(
            np.array([[0.8, 0.2], [0.2, 0.8]]), abs=1e-9
        )
        assert shares.flux_share[:, :2] == pytest.approx(
            np.array([[0.5, 0.5], [0.2, 0.8]]), abs=1e-9
        )
        assert shares.vector[0, ..., 0] == pytest.approx(np.full((6, 4), 1.6), abs=1e-9)
        assert shares.vector[1, ..., 1] == pytest.approx(field, abs=1e-9)

    def test_axes_that_do_not_conduct_are_left_out(self):
        field = np.ones((6, 4))
        field[2] = 0.0
        solution = solve_voxels(
            plain_problem(field, np.ones(2)), boundary="periodic", rtol=1e-9, keep=True
        )
        shares = flux_field(solution, ("A",))
        assert shares.axes == (1,)
        assert shares.vector.shape == (1, 6, 4, 2)
        assert (shares.vector[0, 2] == 0).all()

    def test_nothing_conducts(self):
        problem = plain_problem(np.zeros((4, 4)), np.ones(2))
        shares = flux_field(
            solve_voxels(problem, boundary="dirichlet", rtol=1e-9, keep=True), ("A",)
        )
        assert shares.axes == ()
        assert shares.vector.shape == (0, 4, 4, 2)
        assert shares.magnitude.shape == (0, 4, 4)


def problem_with_phase(problem, phase):
    return replace(problem, phase=phase[:, :, None])


def test_types():
    assert type_table(3).tolist() == [[0, 1, 2], [1, 3, 4], [2, 4, 5]]
    assert type_names(("b", "a")) == ("b|b", "a|b", "a|a")
