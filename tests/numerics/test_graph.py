"""Connected parts and the box vectors they close on, against brute force."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from multiscale.numerics import ConductanceGraph, connected_parts


def grid_graph(field, periodic=True, spacing=1.0):
    """Link neighbouring non-zero cells of a field; harmonic means, written the slow way."""
    cells = field.shape
    nodes = [index for index in np.ndindex(cells) if field[index] > 0]
    number = {index: i for i, index in enumerate(nodes)}
    rows = [[] for _ in nodes]
    for index in nodes:
        for axis in range(field.ndim):
            other = list(index)
            other[axis] += 1
            if other[axis] == cells[axis]:
                if not periodic:
                    continue
                other[axis] = 0
            other = tuple(other)
            if other in number:
                g = 2 / (1 / field[index] + 1 / field[other])
                rows[number[index]].append((number[other], g))
                rows[number[other]].append((number[index], g))
    links = [link for row in rows for link in row]
    place = np.array(nodes, dtype=np.int32).reshape(-1, field.ndim)
    return ConductanceGraph(
        np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64),
        np.array([j for j, _ in links], dtype=np.int32),
        np.array([g for _, g in links], dtype=float),
        np.zeros((len(nodes), 2)),
        (place + 0.5) * spacing,
        place,
        np.zeros(len(nodes), np.int32),
        cells,
        np.array(cells) * spacing,
    )


def windings(field):
    """Rank of the winding vectors of each part, by unrolling the box five times.

    A part closes along axis a if copies of a node that lie a box apart, in a large block
    of copies, are joined; in general the joined offsets span the winding lattice.
    """
    copies = 5
    block = np.tile(field, (copies,) * field.ndim)
    graph = grid_graph(block, periodic=False)
    matrix = csr_array((graph.conductance, graph.indices, graph.indptr), shape=(graph.nodes,) * 2)
    _, part = connected_components(matrix, directed=False)
    label = np.full(block.shape, -1)
    label[tuple(graph.coordinates.T)] = part
    found = {}
    middle = np.full(field.ndim, copies // 2)
    for index in np.argwhere(field > 0):
        own = label[tuple(index + middle * field.shape)]
        offsets = [
            np.array(turn) - middle
            for turn in np.ndindex((copies,) * field.ndim)
            if label[tuple(index + np.array(turn) * field.shape)] == own
        ]
        found[tuple(index)] = np.array(offsets)
    return found


def rank(vectors):
    return np.linalg.matrix_rank(np.atleast_2d(vectors)) if len(vectors) else 0


@pytest.mark.parametrize("shape", [(7, 6), (5, 9), (4, 5, 3)])
@pytest.mark.parametrize("share", [0.4, 0.55, 0.7])
@pytest.mark.parametrize("seed", range(4))
def test_parts_and_their_windings(shape, share, seed):
    field = (np.random.default_rng(seed).random(shape) < share).astype(float)
    graph = grid_graph(field)
    part, spans = connected_parts(graph)
    matrix = csr_array((graph.conductance, graph.indices, graph.indptr), shape=(graph.nodes,) * 2)
    count, expected = connected_components(matrix, directed=False)
    assert len(spans) == count
    pairs = {(int(a), int(b)) for a, b in zip(part, expected, strict=True)}
    assert len(pairs) == count  # the same partition under other names
    for index, offsets in windings(field).items():
        own = spans[part[np.flatnonzero((graph.coordinates == index).all(axis=1))[0]]]
        assert rank(np.vstack([own, offsets])) == rank(own)  # brute force found no other
        if rank(offsets) == field.ndim or share > 0.6:
            assert rank(own) == rank(offsets)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [((1, 0), [[1, 0]]), ((0, 1), [[0, 1]]), ((1, 1), [[1, 1]]), ((1, -1), [[1, -1]])],
)
def test_a_single_loop(turns, expected):
    n = 6
    field = np.zeros((n, n))
    for i in range(n):
        if 0 in turns:
            field[(i, 2) if turns[0] else (2, i)] = 1
        else:
            field[i, turns[1] * i % n] = field[i, turns[1] * (i + 1) % n] = 1
    part, spans = connected_parts(grid_graph(field))
    assert part.max() == 0
    assert rank(spans[0]) == 1
    assert rank(np.vstack([spans[0], expected])) == 1


def test_zero_links_do_not_connect():
    graph = grid_graph(np.ones((3, 4)))
    graph.conductance[:] = 0.0
    part, spans = connected_parts(graph)
    assert sorted(part) == list(range(12))
    assert not spans.any()
