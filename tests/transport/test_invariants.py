"""What must hold for any field and any crystal, with random ones."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import multiscale as ms
from multiscale.transport import wiener

FEW = settings(
    deadline=None, max_examples=12, suppress_health_check=list(HealthCheck), derandomize=True
)
PRIMES_AND_SLABS = st.sampled_from(
    [(7, 11), (1, 6), (5, 1), (2, 9), (16, 3), (13, 13), (5, 7, 3), (1, 4, 6), (6, 1, 1), (2, 2, 2)]
)
BOUNDARY = st.sampled_from(["periodic", "dirichlet"])


@st.composite
def fields(draw, zeros=True):
    """A field of one to four values over up to six decades, zeros among them."""
    cells = draw(PRIMES_AND_SLABS)
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    decades = draw(st.sampled_from([0.5, 2.0, 6.0]))
    palette = 10 ** rng.uniform(-decades / 2, decades / 2, draw(st.integers(1, 4)))
    field = rng.choice(palette, cells)
    if zeros and draw(st.booleans()):
        field[rng.random(cells) < draw(st.sampled_from([0.1, 0.4]))] = 0.0
    spacing = rng.uniform(0.3, 3.0, len(cells))
    return field, spacing


def solve(field, spacing, boundary="periodic", rtol=1e-8):
    return ms.effective_diffusivity(field, spacing=spacing, boundary=boundary, rtol=rtol)


def close(found, expected, tolerance=1e-6):
    scale = max(np.abs(expected).max(), 1e-300)
    return np.abs(found - expected).max() <= tolerance * scale


@FEW
@given(fields(), BOUNDARY)
def test_bounds_symmetry_and_both_tensors(case, boundary):
    field, spacing = case
    result = solve(field, spacing, boundary)
    values, counts = np.unique(field, return_counts=True)
    low, high = wiener(values, counts / field.size)
    tensor = result.tensor
    assert (tensor == tensor.T).all()
    assert close(result.flux_tensor, tensor)
    eigenvalues = np.linalg.eigvalsh(tensor)
    assert low * (1 - 1e-6) <= eigenvalues[0] + 1e-7 * high
    assert eigenvalues[-1] <= high * (1 + 1e-6)
    assert np.isfinite(tensor).all()
    conducts = np.array(result.percolates)
    assert (tensor[~conducts] == 0.0).all()
    assert (np.diag(tensor)[conducts] > 0).all()
    assert result.flux_imbalance <= 1e-8


@FEW
@given(fields(), BOUNDARY, st.sampled_from([1e-20, 1e-9, 7.0, 1e12]))
def test_scaling(case, boundary, factor):
    field, spacing = case
    one, many = solve(field, spacing, boundary), solve(field * factor, spacing, boundary)
    assert close(many.tensor, factor * one.tensor)
    assert close(solve(field, spacing * 1e-9, boundary).tensor, one.tensor)


@FEW
@given(fields(), BOUNDARY, st.randoms(use_true_random=False))
def test_axes_may_be_exchanged_and_turned(case, boundary, random):
    field, spacing = case
    axes = list(range(field.ndim))
    random.shuffle(axes)
    one = solve(field, spacing, boundary).tensor
    moved = solve(np.transpose(field, axes), spacing[axes], boundary).tensor
    assert close(moved, one[np.ix_(axes, axes)])
    mirror = np.ones(field.ndim)
    mirror[0] = -1
    assert close(solve(field[::-1], spacing, boundary).tensor, one * np.outer(mirror, mirror))


@FEW
@given(fields(), st.integers(0, 10**6))
def test_periodic_shift_and_tiles(case, seed):
    field, spacing = case
    one = solve(field, spacing)
    shift = np.random.default_rng(seed).integers(0, field.shape)
    moved = solve(np.roll(field, shift, tuple(range(field.ndim))), spacing)
    assert close(moved.tensor, one.tensor)
    assert moved.percolates == one.percolates
    tiled = solve(np.tile(field, (2,) * field.ndim), spacing)
    assert close(tiled.tensor, one.tensor)
    assert tiled.percolates == one.percolates


@FEW
@given(fields(zeros=False), BOUNDARY)
def test_more_of_anything_conducts_more(case, boundary):
    field, spacing = case
    one = np.diag(solve(field, spacing, boundary).tensor)
    richer = np.where(field == field.flat[0], 1.5 * field, field)
    assert (np.diag(solve(richer, spacing, boundary).tensor) >= one * (1 - 1e-6)).all()


@FEW
@given(fields(zeros=False))
def test_elements_bound_volumes_from_above(case):
    """Trilinear elements converge from above; two-point fluxes lie below on coarse fields."""
    field, spacing = case
    tensors = field[..., None, None] * np.eye(field.ndim)
    result = ms.effective_diffusivity(tensors, spacing=spacing)
    values, counts = np.unique(field, return_counts=True)
    low, high = wiener(values, counts / field.size)
    eigenvalues = np.linalg.eigvalsh(result.tensor)
    assert low * (1 - 1e-6) <= eigenvalues[0]
    assert eigenvalues[-1] <= high * (1 + 1e-6)
    assert close(result.flux_tensor, result.tensor)


FILMS = {
    "A|A": ms.Boundary(width=0.01, across=0.02, along=3.0),
    "A|B": ms.Boundary(width=0.02, across=0.5, along=0.01),
    "B|B": ms.Boundary(width=0.01, across=2.0, along=20.0),
}
CRYSTAL = {"phases": {"A": 1.0, "B": 0.1}, "boundaries": FILMS}


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
@pytest.mark.parametrize("cells", [(19, 16), (7, 8, 9)], ids=["2d", "3d"])
class TestCrystals:
    def crystal(self, cells):
        size = np.array([1.0, 0.8, 1.1])[: len(cells)]
        return ms.polycrystal(8, size, {"A": 0.5, "B": 0.5}, 5)

    def solve(self, crystal, cells, boundary, **changes):
        options = CRYSTAL | {"cells": cells, "boundary": boundary} | changes
        return ms.effective_diffusivity(crystal, **options).tensor

    def test_grains_may_be_renumbered(self, cells, boundary):
        crystal = self.crystal(cells)
        order = np.random.default_rng(0).permutation(crystal.grains)
        renumbered = replace(
            crystal,
            seeds=crystal.seeds[order],
            weights=crystal.weights[order],
            phases=crystal.phases[order],
            orientations=crystal.orientations[order],
        )
        one, two = (self.solve(c, cells, boundary) for c in (crystal, renumbered))
        assert close(two, one)

    def test_phases_may_be_renamed(self, cells, boundary):
        crystal = self.crystal(cells)
        swapped = replace(crystal, phases=1 - crystal.phases, phase_names=("B", "A"))
        one, two = (self.solve(c, cells, boundary) for c in (crystal, swapped))
        assert close(two, one)

    def test_names_of_a_boundary_in_any_order(self, cells, boundary):
        crystal = self.crystal(cells)
        other = {"A|A": FILMS["A|A"], ("B", "A"): FILMS["A|B"], ("B", "B"): FILMS["B|B"]}
        one = self.solve(crystal, cells, boundary)
        assert (self.solve(crystal, cells, boundary, boundaries=other) == one).all()

    def test_scaling(self, cells, boundary):
        """All coefficients times a factor; all lengths, films included, times another."""
        crystal = self.crystal(cells)
        one = self.solve(crystal, cells, boundary)
        films = {
            key: ms.Boundary(width=film.width, across=3 * film.across, along=3 * film.along)
            for key, film in FILMS.items()
        }
        more = {name: 3 * value for name, value in CRYSTAL["phases"].items()}
        found = self.solve(crystal, cells, boundary, phases=more, boundaries=films)
        assert close(found, 3 * one)
        films = {key: replace(film, width=1e-7 * film.width) for key, film in FILMS.items()}
        assert close(self.solve(crystal.scaled(1e-7), cells, boundary, boundaries=films), one)

    def test_periodic_shift(self, cells, boundary):
        if boundary == "dirichlet":
            pytest.skip("the walls would cut other grains")
        crystal = self.crystal(cells)
        spacing = crystal.size / cells
        seeds = (crystal.seeds + spacing * np.array([3, 5, 2])[: len(cells)]) % crystal.size
        one, two = (
            self.solve(c, cells, boundary) for c in (crystal, replace(crystal, seeds=seeds))
        )
        assert close(two, one)

    def test_axes_may_be_exchanged(self, cells, boundary):
        crystal = self.crystal(cells)
        axes = [1, 0] if len(cells) == 2 else [2, 0, 1]
        turned = replace(crystal, seeds=crystal.seeds[:, axes], size=crystal.size[axes])
        one = self.solve(crystal, cells, boundary)
        two = self.solve(turned, tuple(np.array(cells)[axes]), boundary)
        assert close(two, one[np.ix_(axes, axes)])

    def test_tiles(self, cells, boundary):
        """The crystal repeated along x is the same crystal."""
        if boundary == "dirichlet":
            pytest.skip("the walls would lie elsewhere")
        crystal = self.crystal(cells)
        step = np.zeros(len(cells))
        step[0] = crystal.size[0]
        twice = replace(
            crystal,
            seeds=np.concatenate([crystal.seeds, crystal.seeds + step]),
            weights=np.tile(crystal.weights, 2),
            size=crystal.size + step,
            phases=np.tile(crystal.phases, 2),
            orientations=np.tile(crystal.orientations, (2, 1)),
        )
        one = self.solve(crystal, cells, boundary)
        assert close(self.solve(twice, (2 * cells[0], *cells[1:]), boundary), one)

    def test_image_of_the_same_grains(self, cells, boundary):
        """Without films an image solves like the crystal it was drawn from."""
        crystal = self.crystal(cells)
        if boundary == "periodic":
            field = np.array([1.0, 0.1])[crystal.phase_image(cells)]
            found = ms.effective_diffusivity(field, spacing=crystal.size / cells)
            one = self.solve(crystal, cells, boundary, boundaries=None)
            assert close(found.tensor, one)


def test_a_voided_bulk_needs_no_film():
    """A pore parts grains by itself; its boundaries may go unnamed."""
    crystal = ms.polycrystal(12, (1.0, 1.0), {"A": 0.8, "pore": 0.2}, 2)
    result = ms.effective_diffusivity(
        crystal,
        cells=(24, 24),
        phases={"A": 1.0, "pore": 0.0},
        boundaries={"A|A": FILMS["A|A"]},
    )
    assert np.isfinite(result.tensor).all()
    assert (np.diag(result.tensor) > 0).any()
