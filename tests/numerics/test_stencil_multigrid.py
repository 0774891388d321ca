"""Sweeps, transfers and coarse operators against matrices written out."""

import numpy as np
import pytest

from multiscale.numerics import _stencil_kernels as kernels
from multiscale.numerics.stencil_multigrid import (
    StencilMultigrid,
    VertexAxis,
    _Level,
    coarser,
    invert_sums,
    links_shape,
    plan,
    vector_shape,
)

SHAPES = [(4, 5, 6), (3, 4, 7), (7, 3, 5), (1, 6, 7), (2, 2, 4), (5, 5, 5), (13, 2, 3)]


def random_links(axes, seed=0):
    """Positive links; none leaves a wall or an electrode."""
    shape = links_shape(axes)
    links = np.random.default_rng(seed).random(shape).astype(np.float32)
    for o, offset in enumerate(kernels.OFFSETS[:-1]):
        for a, axis in enumerate(axes):
            if offset[a] and (axis.end != "periodic" or axis.vertices == 1):
                inner = (links[:, :, o, 1:-1]).swapaxes(0, a)
                inner[0 if offset[a] < 0 else -1] = 0.0
    kernels._close_links(links)
    invert_sums(links, axes, 1)
    return links


def laplacian(links):
    """The operator on all vertices, with the diagonals that the links hold."""
    shape = (*links.shape[:2], links.shape[3] - 2)
    index = np.arange(np.prod(shape)).reshape(shape)
    matrix = np.zeros((index.size,) * 2)
    for o, offset in enumerate(kernels.OFFSETS[:-1]):
        other, g = np.roll(index, -offset, (0, 1, 2)), links[:, :, o, 1:-1]
        np.add.at(matrix, (index.ravel(), other.ravel()), -g.ravel())
        np.add.at(matrix, (other.ravel(), index.ravel()), -g.ravel())
    inverse = links[:, :, kernels.DIAGONAL, 1:-1].ravel().astype(float)
    np.fill_diagonal(matrix, np.divide(1, inverse, out=np.zeros_like(inverse), where=inverse > 0))
    return matrix


def interpolation(fine, coarse):
    matrix = np.ones((1, 1))
    for axis, few in zip(fine, coarse, strict=True):
        parents, weights = axis.parents(few)
        one = np.zeros((axis.vertices, few.vertices))
        for s in range(2):
            np.add.at(
                one, (np.arange(axis.vertices), parents[s, 1:-1] % few.vertices), weights[s, 1:-1]
            )
        matrix = np.kron(matrix, one)
    return matrix


def vectors(axes, seed, columns=2):
    x = np.random.default_rng(seed).random(vector_shape(axes, columns)).astype(np.float32)
    x[..., 0], x[..., -1] = x[..., -2], x[..., 1]
    return x


def flat(x):
    return x[..., 1:-1].reshape(len(x), -1).astype(float)


@pytest.fixture(params=SHAPES, ids=str)
def level(request):
    x, y, z = (VertexAxis(n, "periodic", 1.0) for n in request.param)
    return _Level(random_links((x, y, z)), (x, y, z), 1)


def lower(level, matrix):
    """The part of a matrix that a forward sweep has done before each vertex."""
    x, y, z = (axis.vertices for axis in level.axes)
    i, j, k = np.indices((x, y, z)).reshape(3, -1)
    turn = (level.order[i] * y + j) * z + k
    row = level.order[i] * y + j
    seam = (row[None, :] == row[:, None]) & (np.abs(k[None, :] - k[:, None]) > 1)
    return np.where((turn[None, :] < turn[:, None]) & ~seam, matrix, 0.0)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("columns", [1, 2, 3])
class TestLevel:
    def test_forward_sweep_and_what_it_leaves(self, level, columns, threads):
        level.threads = threads
        matrix = laplacian(level.links)
        below = lower(level, matrix) + np.diag(np.diag(matrix))
        b, x = vectors(level.axes, 1, columns), vectors(level.axes, 2, columns)
        level.sweep_forward(b, x)
        assert flat(x) == pytest.approx(np.linalg.solve(below, flat(b).T).T, rel=1e-5)
        coarse = coarser(level.axes)
        level.coarsened(coarse, 1)
        rest = np.zeros(vector_shape(coarse, columns), np.float32)
        level.restrict(x, rest)
        expected = (flat(b) - flat(x) @ matrix) @ interpolation(level.axes, coarse)
        assert flat(rest) == pytest.approx(expected, rel=1e-5, abs=1e-5)

    def test_backward_sweep(self, level, columns, threads):
        level.threads = threads
        matrix = laplacian(level.links)
        above = lower(level, matrix).T + np.diag(np.diag(matrix))
        b, x = vectors(level.axes, 1, columns), vectors(level.axes, 2, columns)
        change = np.linalg.solve(above, (flat(b) - flat(x) @ matrix).T).T
        expected = flat(x) + change
        level.sweep_backward(b, x)
        assert flat(x) == pytest.approx(expected, abs=1e-5)

    def test_products(self, level, columns, threads):
        level.threads = threads
        matrix = laplacian(level.links)
        x, b = vectors(level.axes, 2, columns), vectors(level.axes, 1, columns)
        q, expected = np.zeros_like(x), flat(x) @ matrix
        dots = np.empty((x.shape[1], columns))
        kernels.apply(level.links, x, q, dots, threads)
        assert flat(q) == pytest.approx(expected, abs=1e-5)
        assert dots.sum(axis=0) == pytest.approx((flat(x) * expected).sum(axis=1), rel=1e-5)
        rest = flat(b) - expected
        level.subtract(x, b)
        assert flat(b) == pytest.approx(rest, abs=1e-5)

    def test_prolongation(self, level, columns, threads):
        level.threads = threads
        coarse = coarser(level.axes)
        level.coarsened(coarse, 1)
        e, x = vectors(coarse, 3, columns), vectors(level.axes, 2, columns)
        expected = flat(x) + flat(e) @ interpolation(level.axes, coarse).T
        level.prolong(e, x)
        assert flat(x) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("ends", ["ppp", "www", "eww", "wew", "wwe", "pwe"])
@pytest.mark.parametrize("shape", [*SHAPES, (5, 6, 8), (8, 7, 5)], ids=str)
def test_coarse_operator_is_the_galerkin_product(shape, ends):
    names = {"p": "periodic", "w": "wall", "e": "electrodes"}
    x, y, z = (VertexAxis(n, names[e], 1.0) for n, e in zip(shape, ends, strict=True))
    if any(axis.end == "electrodes" and not axis.shrinks for axis in (x, y, z)):
        pytest.skip("no vertex between the electrodes to spare")
    level = _Level(random_links((x, y, z)), (x, y, z), 1)
    coarse = coarser((x, y, z))
    up = interpolation(level.axes, coarse)
    expected = up.T @ laplacian(level.links) @ up
    found = laplacian(level.coarsened(coarse, 1).links)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("ends", ["periodic", "wall", "electrodes"])
@pytest.mark.parametrize("shape", [(14, 13, 11), (3, 21, 18), (4, 16, 16)], ids=str)
def test_cycle_is_symmetric_and_positive(shape, ends):
    x, y, z = (VertexAxis(n, ends if a == 0 else "periodic", 1.0) for a, n in enumerate(shape))
    links = random_links((x, y, z))
    multigrid = StencilMultigrid(links, (x, y, z), 3, 1)
    assert len(multigrid.levels) > 1
    live = links[:, :, kernels.DIAGONAL, 1:-1] > 0
    b = np.random.default_rng(4).standard_normal(vector_shape((x, y, z), 3)).astype(np.float32)
    inner = b[..., 1:-1]
    inner[:, ~live] = 0.0
    inner[:, live] -= inner[:, live].mean(axis=1, keepdims=True)
    z_ = np.zeros_like(b)
    multigrid.cycle(b, z_)
    products = flat(b) @ flat(z_).T
    assert products == pytest.approx(products.T, rel=1e-3, abs=1e-4 * np.trace(products))
    assert (np.linalg.eigvalsh(products + products.T) > 0).all()


def test_plan_ends_small_and_takes_close_axes_first():
    x, y, z = (VertexAxis(64, "periodic", h) for h in (1.0, 1.0, 8.0))
    levels = plan((x, y, z))
    assert [axis.vertices for axis in levels[1]] == [32, 32, 64]
    assert np.prod([axis.vertices for axis in levels[-1]]) <= 216
