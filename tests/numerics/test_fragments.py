"""Fragments: which are found, their direction's image, and what relaxing them does."""

import numpy as np
import pytest
from packed_grids import lay_out, layer_links, pack, places, reduced

from multiscale.numerics import checkerboard_multigrid
from multiscale.numerics.checkerboard_multigrid import Multigrid, ReducedCG
from multiscale.numerics.fragments import Fragments

PERIODIC, BETWEEN = ("periodic",) * 3, ("electrodes", "wall", "wall")


def grid_of(field, ends=PERIODIC, threads=1):
    axes = lay_out(field.shape, ends)
    links = pack(layer_links(field, axes))
    return axes, links, Multigrid(links, axes, np.ones(3), threads)


def found(field, ends=PERIODIC):
    _, links, grid = grid_of(field, ends)
    return Fragments.of(links, grid.inverse)


def islands(shape=(8, 8, 9), poor=1e-4):
    """A good body from wall to wall and, one layer apart, two good fragments."""
    field = np.full(shape, poor)
    field[:3] = 1.0
    field[4:6, 1:3, 1:4] = 1.0
    field[4:7, 5:7, 6:8] = 0.9
    return field


def own_cells(fragments):
    """Odd cells of each fragment itself: there the direction is one."""
    return np.add.reduceat((fragments.weights == 1.0).astype(int), fragments.starts[:-1])


class TestFound:
    def test_bodies_one_layer_apart(self):
        """The largest is one of them in a periodic box; it hangs on an electrode otherwise."""
        for ends, expected in ((PERIODIC, [6, 6, 120]), (BETWEEN, [6, 6])):
            sizes = np.sort(own_cells(found(islands(), ends)))
            assert sizes.tolist() == expected  # odd cells, added layers too

    @pytest.mark.parametrize(
        "field",
        [np.ones((6, 5, 4)), 10 ** np.random.default_rng(0).uniform(-0.5, 0, (6, 6, 8))],
        ids=["uniform", "low contrast"],
    )
    def test_none_without_contrast(self, field):
        assert found(field).count == 0

    def test_single_voxels_are_left_to_the_sweeps(self):
        field = np.full((6, 6, 6), 1e-4)
        field[2, 2, 2] = field[4, 4, 3] = 1.0
        assert found(field).count == 0

    def test_what_touches_an_electrode_is_none(self):
        field = np.full((8, 6, 6), 1e-4)
        field[:2, 2:4, 2:4] = 1.0
        assert found(field, BETWEEN).count == 0
        assert found(field, PERIODIC).count == 1

    def test_exact_zeros_are_no_weak_links(self):
        field = np.zeros((6, 6, 6))
        field[:, :2] = 1.0
        assert found(field).count == 0

    def test_large_bodies_are_left_to_the_coarse_grids(self, monkeypatch):
        monkeypatch.setattr("multiscale.numerics.fragments.LARGEST", 1000)
        field = np.full((14, 14, 14), 1e-4)
        field[1:12, 1:12, 1:12] = 1.0
        assert found(field).count == 0  # 11³ cells
        field[9:] = 1e-4  # 8 × 11²
        assert found(field).count == 1


@pytest.mark.parametrize("ends", [PERIODIC, BETWEEN], ids=["periodic", "electrodes"])
class TestDirections:
    @pytest.mark.parametrize("poor", [1e-2, 1e-6])
    def test_image_and_energy(self, ends, poor):
        """The energy is what is left of links 1/poor times as strong."""
        axes, links, grid = grid_of(islands(poor=poor), ends)
        fragments = Fragments.of(links, grid.inverse)
        assert fragments.count >= 2
        small = reduced(links, axes)
        for f in range(fragments.count):
            direction, image = np.zeros((2, len(small)))
            own = slice(*fragments.starts[f : f + 2])
            direction[fragments.cells[own]] = fragments.weights[own]
            at = slice(*fragments.image_starts[f : f + 2])
            image[fragments.image_cells[at]] = fragments.image[at]
            assert image == pytest.approx(small @ direction, abs=1e-12)
            assert fragments.energy[f] == pytest.approx(direction @ small @ direction, rel=1e-6)

    def residual(self, axes):
        _, odd, pinned = places(axes)
        value = np.random.default_rng(3).standard_normal(odd.size)
        value[pinned[odd]] = 0.0
        return value

    def test_relaxed_fragments_are_in_balance(self, ends):
        axes, links, grid = grid_of(islands(), ends)
        fragments = Fragments.of(links, grid.inverse)
        left = self.residual(axes).reshape(grid.result.shape)
        before = left.copy()
        steps, kept = fragments.before(left)
        assert np.array_equal(before.ravel()[fragments.image_cells], kept)
        small = reduced(links, axes)
        directions = np.zeros((fragments.count, len(small)))
        for f in range(fragments.count):
            own = slice(*fragments.starts[f : f + 2])
            directions[f, fragments.cells[own]] = fragments.weights[own]
        expected = before.ravel() - small @ (steps @ directions)
        assert left.ravel() == pytest.approx(expected, abs=1e-8)
        assert abs(directions[-1] @ left.ravel()) < 1e-9  # the last to be relaxed

    @pytest.mark.parametrize("threads", [1, 2])
    def test_preconditioner_is_symmetric_and_positive(self, ends, threads):
        axes, _, grid = grid_of(islands(), ends, threads)
        cg = ReducedCG(grid)
        assert cg._fragments.count > 0
        _, odd, pinned = places(axes)
        live = np.flatnonzero(~pinned[odd] & (grid.inverse[1].ravel() > 0))
        columns = []
        for c in live:
            cg.residual[:] = 0.0
            cg.residual.ravel()[c] = 1.0
            cg._precondition(1.0)
            columns.append(grid.result.ravel()[live].astype(float))
        inverse = np.array(columns).T
        scale = np.sqrt(np.outer(inverse.diagonal(), inverse.diagonal()))
        assert (np.abs(inverse - inverse.T) < 1e-4 * scale).all()
        assert np.linalg.eigvalsh((inverse + inverse.T) / 2 / scale).min() > -1e-5

    def test_preconditioning_restores_the_residual_and_returns_products(self, ends):
        axes, _, grid = grid_of(islands(), ends)
        cg = ReducedCG(grid)
        residual = self.residual(axes).reshape(grid.result.shape)
        cg.residual[:] = residual
        cg._product[:] = residual[::-1]
        one, two = cg._precondition(2.0)
        assert np.array_equal(cg.residual, residual)
        assert one == pytest.approx(np.vdot(grid.result, residual), rel=1e-4)
        assert two == pytest.approx(np.vdot(grid.result, cg._product), rel=1e-4)


def test_fragments_save_iterations(monkeypatch):
    def steps():
        _, _, grid = grid_of(islands((16, 16, 16), 1e-6))
        cg = ReducedCG(grid)
        full = np.random.default_rng(0).standard_normal(grid.result.shape)
        cg.residual[:] = full - full.mean()
        first = norm = float(np.linalg.norm(cg.residual))
        count = 0
        while norm > 1e-8 * first:
            norm = cg.step(norm)
            count += 1
            assert count < 200
        return cg._fragments.count, count

    some, with_them = steps()
    monkeypatch.setattr(
        checkerboard_multigrid.Fragments, "of", classmethod(lambda cls, *_: cls(*[np.zeros(0)] * 7))
    )
    none, without = steps()
    assert (some, none) == (3, 0)
    assert with_them < without
