"""Reduced product, coarse grids and cycle against dense algebra on small grids."""

import numpy as np
import pytest
from packed_grids import (
    SHAPES,
    lay_out,
    layer_links,
    matrix,
    pack,
    places,
    real_cells,
    reduced,
    rough,
    schur,
    unpack,
)

from multiscale.numerics._checkerboard_kernels import advance, product, turn
from multiscale.numerics.checkerboard_multigrid import (
    COARSEST,
    RELAXATION,
    STRETCHED,
    Multigrid,
    ReducedCG,
    packed_shape,
    plan,
    pool_size,
)

SPACING = np.ones(3)


def build(name, decades=2.0, seed=0, threads=1):
    cells, ends = SHAPES[name]
    axes = lay_out(cells, ends)
    links = pack(layer_links(rough(cells, decades, seed), axes))
    return axes, links, Multigrid(links, axes, SPACING, threads)


def odd_vectors(axes, count, seed=1):
    """Random values of the odd cells that have links; zero on the electrodes."""
    _, odd, pinned = places(axes)
    values = np.random.default_rng(seed).standard_normal((count, odd.size))
    values[:, pinned[odd]] = 0.0
    return values


def live_cells(axes, links):
    _, odd, pinned = places(axes)
    return ~pinned[odd] & (matrix(unpack(links)).diagonal()[odd] > 0)


def cycle_matrix(grid, live):
    """One column a cell of the odd half that takes part."""
    shape = grid.result.shape
    columns = []
    for c in np.flatnonzero(live):
        unit = np.zeros(live.size)
        unit[c] = 1.0
        grid.cycle(unit.reshape(shape), 1.0, np.zeros(shape))
        columns.append(grid.result.ravel()[live].astype(float))
    return np.array(columns).T


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", SHAPES)
def test_product_is_the_schur_complement(name, threads):
    axes, links, grid = build(name, decades=5.0)
    expected = reduced(links, axes)
    for p in odd_vectors(axes, 3):
        q = np.full(grid.result.shape, np.nan)
        dot = product(links, grid.inverse, p.reshape(q.shape), q, threads)
        wanted = expected @ p
        wanted[~live_cells(axes, links)] = 0.0
        assert q.ravel() == pytest.approx(wanted, abs=1e-12)  # twice single precision
        assert dot == pytest.approx(p @ wanted, rel=1e-12)


@pytest.mark.parametrize("name", SHAPES)
def test_coarse_matrix_is_the_galerkin_product_relaxed(name):
    """Relaxed along joined axes alone; layers between coarse cells eliminated."""
    axes, links, grid = build(name)
    (fine, factors), (below, _) = plan(axes, SPACING)[:2]
    assert fine == axes
    shape = tuple(axis.length for axis in axes)
    big = tuple(axis.length for axis in below)
    parents = [a.parents(f, c) for a, f, c in zip(axes, factors, below, strict=True)]
    at = np.indices(shape).reshape(3, -1)
    parent = np.ravel_multi_index([p[i] for p, i in zip(parents, at, strict=True)], big)
    sums = np.zeros((np.prod(big), np.prod(shape)))
    sums[parent, np.arange(parent.size)] = 1.0
    softened = links.copy()
    for a in np.flatnonzero(np.array(factors) == 2):
        softened[2 * a : 2 * a + 2] *= RELAXATION
    galerkin = sums @ matrix(unpack(softened)) @ sums.T
    coarse = matrix(unpack(grid._coarse_links(0)))
    own = real_cells(below)
    _, _, pinned = places(below)
    between = np.setdiff1d(np.flatnonzero(~pinned), own)
    found = schur(coarse, own, between)
    expected = schur(galerkin, own, between)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", SHAPES)
def test_cycle_is_symmetric_and_positive(name, threads):
    axes, links, grid = build(name, decades=4.0, threads=threads)
    live = live_cells(axes, links)
    inverse = cycle_matrix(grid, live)
    scale = np.sqrt(np.outer(inverse.diagonal(), inverse.diagonal()))
    assert (np.abs(inverse - inverse.T) < 1e-5 * scale).all()
    assert np.linalg.eigvalsh((inverse + inverse.T) / 2 / scale).min() > -1e-6


@pytest.mark.parametrize("name", SHAPES)
def test_cycle_is_near_the_inverse(name):
    """Eigenvalues of cycle times matrix, but for the constant."""
    axes, links, grid = build(name)
    live = live_cells(axes, links)
    inverse = cycle_matrix(grid, live)
    small = reduced(links, axes)[np.ix_(live, live)]
    values = np.sort(np.linalg.eigvals(inverse @ small).real)
    constant = int("electrodes" not in SHAPES[name][1])
    assert np.abs(values[:constant]).max(initial=0.0) < 1e-4
    assert values[constant] > 0.2
    assert values[-1] < 2.5


@pytest.mark.parametrize("name", SHAPES)
def test_cycle_returns_its_scalar_products(name):
    axes, _, grid = build(name)
    shape = grid.result.shape
    residual, last = (v.reshape(shape) for v in odd_vectors(axes, 2))
    one, two = grid.cycle(residual, 4.0, last)
    assert one == pytest.approx(np.vdot(grid.result, residual), rel=1e-9)
    assert two == pytest.approx(np.vdot(grid.result, last), rel=1e-9)


def test_cycle_scales_into_the_range_of_single_precision():
    axes, _, grid = build("odd")
    residual = odd_vectors(axes, 1)[0].reshape(grid.result.shape)
    grid.cycle(residual, 1.0, residual)
    wanted = grid.result.copy()
    grid.cycle(1e-60 * residual, 1e60, residual)
    assert grid.result == pytest.approx(wanted, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("decades", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("name", SHAPES)
def test_iteration_finds_the_dense_answer(name, decades):
    axes, links, grid = build(name, decades)
    live = live_cells(axes, links)
    small = reduced(links, axes)
    rhs = small @ odd_vectors(axes, 1)[0]
    rhs[~live] = 0.0
    cg = ReducedCG(grid)
    cg.residual[:] = rhs.reshape(cg.residual.shape)
    first = norm = float(np.linalg.norm(rhs))
    steps = 0
    while norm > 1e-11 * first and steps < 60:
        norm = cg.step(norm)
        steps += 1
    found = cg.potential.ravel()
    assert norm <= 1e-11 * first
    assert np.linalg.norm(small @ found - rhs) < 1e-10 * first
    wanted = np.linalg.lstsq(small[np.ix_(live, live)], rhs[live])[0]
    gap = found[live] - wanted
    if "electrodes" not in SHAPES[name][1]:
        gap -= gap.mean()  # a constant is free
    assert np.abs(gap).max() < 1e-5 * np.abs(wanted).max()


@pytest.mark.parametrize("name", ["odd", "2D", "slab", "electrodes x"])
def test_threads_change_rounding_alone(name):
    found = []
    for threads in (1, 2):
        axes, _, grid = build(name, threads=threads)
        cg = ReducedCG(grid)
        cg.residual[:] = odd_vectors(axes, 1)[0].reshape(cg.residual.shape)
        cg.residual -= cg.residual.mean()
        norm = float(np.linalg.norm(cg.residual))
        norms = [norm := cg.step(norm) for _ in range(3)]
        found.append((cg.potential.copy(), norms))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-4, abs=1e-5)
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-3)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_vector_updates(threads):
    u, p, r, q = (np.random.default_rng(s).standard_normal((5, 4, 3)) for s in range(4))
    new_u, new_r, new_p = u + 0.3 * p, r - 0.3 * q, None
    square = advance(u, p, r, q, 0.3, threads)
    assert u == pytest.approx(new_u)
    assert r == pytest.approx(new_r)
    assert square == pytest.approx((new_r**2).sum())
    z = q.astype(np.float32)
    new_p = 2.0 * z + 0.7 * p
    turn(p, z, 2.0, 0.7, threads)
    assert p == pytest.approx(new_p)


class TestPlan:
    def test_halves_until_a_direct_solve_is_cheap(self):
        levels = plan(lay_out((64, 64, 64), ("periodic",) * 3), SPACING)
        assert [axes[0].cells for axes, _ in levels] == [64, 32, 16, 8, 4]
        assert [factors for _, factors in levels] == [(2, 2, 2)] * 4 + [(1, 1, 1)]

    @pytest.mark.parametrize("name", SHAPES)
    def test_last_level_is_small(self, name):
        levels = plan(lay_out(*SHAPES[name]), SPACING)
        assert len(levels) >= 2  # the finest is never solved directly
        cells = [np.prod([axis.cells for axis in axes]) for axes, _ in levels]
        assert cells[-1] <= COARSEST
        assert (np.diff(cells) < 0).all()

    def test_long_cells_wait(self):
        spacing = np.array([1.0, 1.0, 3.0])
        levels = plan(lay_out((64, 64, 64), ("periodic",) * 3), spacing)
        assert levels[0][1] == (2, 2, 1)
        step = spacing.copy()
        for _, factors in levels[:-1]:
            assert max(step[np.array(factors) == 2]) < STRETCHED * step.min()
            step *= factors

    def test_pool_is_what_is_allocated(self):
        axes, _, grid = build("odd")
        assert pool_size(plan(axes, SPACING)[1:]) == grid._pool.size
        assert packed_shape(axes) == grid.result.shape
