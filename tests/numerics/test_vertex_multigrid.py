"""The vertex preconditioner: symmetric, positive, and counts that do not grow with the grid."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.numerics.krylov import apply
from multiscale.transport.cut_cells import assemble_cut_cells
from multiscale.transport.cut_crystal import cut_problem

BLOCKING, CONDUCTING = (1e-3, 1e-3), (1e3, 1e3)


def assembly(dimension, cells, film, *, periodic=True, electrodes=None):
    crystal = ms.polycrystal(9, (1.0,) * dimension, {"A": 1.0}, 2, periodic=periodic)
    across, along = film
    films = {"A|A": ms.Boundary(width=0.005, across=across, along=along)}
    problem = cut_problem(crystal, (cells,) * dimension, [np.array(1.0)], films, periodic=periodic)
    return assemble_cut_cells(problem.grid, problem.links, electrodes)


def kernel_free(rng, graph, electrodes):
    x = rng.standard_normal((graph.nodes, 3))
    return x - x.mean(axis=0) if electrodes is None else x


@pytest.mark.parametrize("film", [BLOCKING, CONDUCTING, (1e-3, 1e3)], ids=str)
@pytest.mark.parametrize(
    ("dimension", "cells", "electrodes"), [(2, 19, None), (2, 24, 0), (3, 8, None), (3, 7, 2)]
)
class TestPreconditioner:
    def built(self, dimension, cells, electrodes, film):
        whole = assembly(dimension, cells, film, periodic=electrodes is None, electrodes=electrodes)
        every = np.ones(whole.graph.nodes, bool)
        hierarchy = whole.preconditioner(whole.graph, every)
        assert hierarchy.levels
        return whole.graph, hierarchy

    def test_symmetric(self, dimension, cells, electrodes, film):
        graph, hierarchy = self.built(dimension, cells, electrodes, film)
        rng = np.random.default_rng(1)
        x, y = (kernel_free(rng, graph, electrodes) for _ in range(2))
        one, two = x.T @ hierarchy.precondition(y), (y.T @ hierarchy.precondition(x)).T
        assert np.abs(one - two).max() < 1e-8 * np.abs(one).max()

    def test_positive(self, dimension, cells, electrodes, film):
        graph, hierarchy = self.built(dimension, cells, electrodes, film)
        x = kernel_free(np.random.default_rng(2), graph, electrodes)
        assert (np.einsum("ic,ic->c", x, hierarchy.precondition(x)) > 0).all()

    def test_matrix_is_positive(self, dimension, cells, electrodes, film):
        """Contacts bring links of either sign; their sum must not."""
        graph, _ = self.built(dimension, cells, electrodes, film)
        x = kernel_free(np.random.default_rng(3), graph, electrodes)
        assert (np.einsum("ic,ic->c", x, apply(graph, x)) > 0).all()

    def test_columns_are_apart(self, dimension, cells, electrodes, film):
        graph, hierarchy = self.built(dimension, cells, electrodes, film)
        x = kernel_free(np.random.default_rng(4), graph, electrodes)
        whole = hierarchy.precondition(x)
        for c in range(3):
            alone = hierarchy.precondition(x[:, c : c + 1])[:, 0]
            assert np.abs(whole[:, c] - alone).max() < 1e-10 * np.abs(alone).max()


@pytest.mark.parametrize(("film", "most"), [(BLOCKING, 12), (CONDUCTING, 40)], ids=str)
def test_counts(film, most):
    """From 16² to 64² voxels."""
    crystal = ms.polycrystal(9, (1.0, 1.0), {"A": 1.0}, 2)
    across, along = film
    films = {"A|A": ms.Boundary(width=0.005, across=across, along=along)}
    counts = [
        ms.effective_diffusivity(
            crystal,
            cells=(n, n),
            phases={"A": 1.0},
            boundaries=films,
            scheme="cut-cells",
            rtol=1e-6,
        ).iterations
        for n in (16, 32, 64)
    ]
    assert max(counts) <= most
    if film == BLOCKING:
        assert counts[-1] <= 1.5 * counts[0] + 1
