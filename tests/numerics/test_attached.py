"""Nodes attached to a packed grid: the preconditioner is symmetric, the iteration exact."""

import numpy as np
import pytest
from packed_grids import SHAPES, lay_out, layer_links, pack, rough

from multiscale.numerics.attached import AttachedCG, Nodes
from multiscale.numerics.checkerboard_multigrid import packed_shape

SEEDS = range(3)


def random_nodes(axes, links, seed, count=12):
    """Nodes on links of real cells, joined at random."""
    rng = np.random.default_rng(seed)
    x, y, z = (axis.cells for axis in axes)
    shape = packed_shape(axes)
    ways = [a for a in range(3) if axes[a].cells > 2]
    chosen = {}
    for _ in range(count):
        a = rng.choice(ways)
        low = [int(rng.integers(n - (b == a))) for b, n in enumerate((x, y, z))]
        chosen[(int(a), *low)] = None
    cell, hidden = [], []
    for a, i, j, k in chosen:
        up = [i, j, k]
        up[a] += 1
        cell.append([packed(shape, (i, j, k)), packed(shape, up)])
        kind = 4 + (k & 1) if a == 2 else 2 * a + ((i + j + k) & 1)
        hidden.append(np.ravel_multi_index((kind, i, j, k // 2), links.shape))
    n = len(chosen)
    tie = rng.uniform(0.2, 2.0, (n, 2)).astype(np.float32)
    links.reshape(-1)[hidden] = 1 / (1 / tie).sum(axis=1)
    joined = np.triu(rng.random((n, n)) < 0.4, 1) * rng.uniform(0.1, 3.0, (n, n))
    joined = (joined + joined.T).astype(np.float32)
    rows, columns = np.nonzero(joined)
    indptr = np.searchsorted(rows, np.arange(n + 1)).astype(np.int32)
    contact = np.zeros((n, 2), np.float32)
    return Nodes(
        np.array(cell, np.int32),
        tie,
        indptr,
        columns.astype(np.int32),
        joined[rows, columns],
        contact,
        np.array(hidden, np.int64),
    )


def packed(shape, voxel):
    i, j, k = voxel
    return int(np.ravel_multi_index(((i + j + k) & 1, i, j, k // 2), (2, *shape)))


def solver(name, seed):
    cells, ends = SHAPES[name]
    axes = lay_out(cells, ends)
    links = pack(layer_links(rough(cells, 1.0, seed), axes))
    nodes = random_nodes(axes, links, seed)
    return AttachedCG(links, nodes, axes, np.ones(3), 1)


NAMES = ["even", "odd", "prime", "2D", "electrodes x", "electrodes z", "electrodes 2D"]


def put(cg, values):
    cg.residual.reshape(-1)[:] = values[: cg.residual.size]
    cg.node_residual[:] = values[cg.residual.size :]


def result(cg):
    return np.concatenate([cg.multigrid.result.reshape(-1), cg._node_result]).astype(float)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NAMES)
def test_preconditioner_is_symmetric_and_positive(name, seed):
    cg = solver(name, seed)
    rng = np.random.default_rng(seed)
    live = np.concatenate([cg.multigrid.inverse[1].reshape(-1) > 0, cg._inverse > 0])
    one, other = (np.where(live, rng.normal(size=live.size), 0.0) for _ in range(2))
    put(cg, one)
    dot, _ = cg._precondition(1.0)
    first = result(cg).copy()
    assert dot == pytest.approx(first @ one, rel=1e-4)
    put(cg, other)
    cg._precondition(1.0)
    second = result(cg)
    size = np.linalg.norm(first) * np.linalg.norm(other)
    assert abs(first @ other - second @ one) < 2e-5 * size
    assert first @ one > 0
    assert second @ other > 0


@pytest.mark.parametrize("name", NAMES)
def test_product_is_symmetric_and_tells_its_curvature(name):
    cg = solver(name, 5)
    rng = np.random.default_rng(1)
    images, vectors = [], []
    for _ in range(2):
        direction = rng.normal(size=cg._direction.shape) * (cg.multigrid.inverse[1] > 0)
        nodes = rng.normal(size=cg._node_direction.size)
        cg._direction[:], cg._node_direction[:] = direction, nodes
        curvature = cg._multiply()
        image = np.concatenate([cg._product.reshape(-1), cg._node_product])
        vector = np.concatenate([direction.reshape(-1), nodes])
        assert curvature == pytest.approx(image @ vector, rel=1e-12)
        assert curvature > 0
        images.append(image)
        vectors.append(vector)
    assert images[0] @ vectors[1] == pytest.approx(images[1] @ vectors[0], rel=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_iteration_reaches_the_answer(name):
    cg = solver(name, 2)
    rng = np.random.default_rng(3)
    target = rng.normal(size=cg._direction.shape) * (cg.multigrid.inverse[1] > 0)
    nodes = rng.normal(size=cg._node_direction.size)
    cg._direction[:], cg._node_direction[:] = target, nodes
    cg._multiply()
    cg.residual[:], cg.node_residual[:] = cg._product, cg._node_product
    cg.restart()
    size = first = float(np.sqrt((cg.residual**2).sum() + (cg.node_residual**2).sum()))
    steps = 0
    while size > 1e-11 * first:
        size = cg.step(size)
        steps += 1
        assert steps < 60
    wrong = cg.potential - target
    shift = 0.0 if "electrodes" in name else float(np.mean(cg.node_potential - nodes))
    live = cg.multigrid.inverse[1] > 0
    assert np.abs(wrong[live] - shift).max() < 1e-8
    assert np.abs(cg.node_potential - nodes - shift).max() < 1e-8


def test_mean_of_the_cells_is_weighted_with_the_ties():
    nodes = Nodes(
        np.array([[0, 1], [1, 2]], np.int32),
        np.array([[3.0, 1.0], [0.0, 0.0]], np.float32),
        np.zeros(3, np.int32),
        np.zeros(0, np.int32),
        np.zeros(0, np.float32),
        np.array([[0.5, 0.0], [0.0, 0.0]], np.float32),
        np.zeros(0, np.int64),
    )
    assert nodes.shares.tolist() == [[0.75, 0.25], [0.5, 0.5]]
    assert nodes.diagonal().tolist() == [4.5, 0.0]
