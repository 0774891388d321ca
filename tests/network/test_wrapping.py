import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiscale.network import wrapping_clusters


def cubic_lattice(edge, d=3):
    number = np.arange(edge**d).reshape((edge,) * d)
    first, second, image = [], [], []
    for axis in range(d):
        first.append(number.ravel())
        second.append(np.roll(number, -1, axis).ravel())
        offset = np.zeros((*number.shape, d), dtype=int)
        offset[(slice(None),) * axis + (-1, ..., axis)] = 1
        image.append(offset.reshape(-1, d))
    return np.concatenate(first), np.concatenate(second), np.concatenate(image)


def test_a_ring_wraps_and_a_chain_that_crosses_the_face_does_not():
    ring = wrapping_clusters(3, [0, 1, 2], [1, 2, 0], [[0, 0], [0, 0], [1, 0]])
    assert ring.wraps.tolist() == [[True, False]]
    chain = wrapping_clusters(3, [0, 1, 2], [1, 2, 1], [[0, 0], [1, 0], [-1, 0]])
    assert (chain.count, chain.wraps.any()) == (1, False)


def test_a_diagonal_loop_wraps_both_axes():
    loop = wrapping_clusters(2, [0, 1], [1, 0], [[1, 0], [0, 1]])
    assert loop.wraps.tolist() == [[True, True]]


def test_a_grain_that_meets_its_own_image_wraps():
    assert wrapping_clusters(1, [0], [0], [[0, 1]]).wraps.tolist() == [[False, True]]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(0, 60))
def test_parts_equal_networkx_and_links_unroll(seed, nodes, links):
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, nodes, (2, links))
    home = rng.integers(-3, 4, (nodes, 2))  # offsets drawn from positions: no loop can wind
    image = home[second] - home[first]
    active = rng.random(nodes) < 0.8
    clusters = wrapping_clusters(nodes, first, second, image.reshape(-1, 2), active)
    graph = nx.Graph(zip(first.tolist(), second.tolist(), strict=True))
    graph.add_nodes_from(range(nodes))
    graph.remove_nodes_from(np.flatnonzero(~active).tolist())
    parts = {frozenset(part) for part in nx.connected_components(graph)}
    found = {frozenset(np.flatnonzero(clusters.label == k).tolist()) for k in range(clusters.count)}
    assert found == parts
    assert not clusters.wraps.any()
    kept = active[first] & active[second]
    shift = clusters.shift
    assert (shift[first] + image == shift[second])[kept].all()
    assert (clusters.label[~active] == -1).all()


def test_cubic_lattice_threshold():
    # site threshold 0.3116; at the threshold one axis wraps with probability 0.257
    links = cubic_lattice(20)
    rng = np.random.default_rng(1)

    def probability(share, samples=60):
        wraps = [
            wrapping_clusters(8000, *links, active=rng.random(8000) < share).wraps.any(axis=0)
            for _ in range(samples)
        ]
        return np.mean(wraps)

    assert probability(0.27) < 0.05
    assert probability(0.36) > 0.95
    assert probability(0.3116, 120) == pytest.approx(0.257, abs=0.09)
