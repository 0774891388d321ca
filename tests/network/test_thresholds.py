"""Thresholds against known ones, and sweeps against clusters found from scratch."""

import networkx as nx
import numpy as np
import pytest

from multiscale.errors import ComputationError, InputError
from multiscale.network import (
    PeriodicGraph,
    lattice_graph,
    percolation_threshold,
    voronoi_edges,
    voronoi_grains,
    wrapping_clusters,
)
from multiscale.network.thresholds import sweep

# Feng et al. 2008, Wang et al. 2013, Xu et al. 2014, Becker and Ziff 2009. Those of 1/2
# are exact: a self-matching triangulation, a self-dual lattice.
KNOWN = [
    ("square", "site", (16, 24, 32, 48), (4000, 2500, 1500, 800), 0.592746),
    ("square", "bond", (16, 24, 32, 48), (4000, 2500, 1500, 800), 0.5),
    ("triangular", "site", (16, 24, 32, 48), (4000, 2500, 1500, 800), 0.5),
    ("cubic", "site", (8, 12, 16, 20), (6000, 3000, 1500, 700), 0.311608),
    ("cubic", "bond", (8, 12, 16, 20), (5000, 2500, 1200, 500), 0.248812),
    ("fcc", "site", (8, 12, 16, 20), (5000, 2500, 1200, 500), 0.199236),
    ("fcc", "bond", (8, 12, 16, 20), (4000, 2000, 1000, 500), 0.120164),
    ("voronoi-2d", "site", (16, 24, 32, 48), (100, 60, 40, 20), 0.5),
    ("voronoi-edges-2d", "site", (16, 24, 32, 48), (100, 60, 40, 20), 0.71410),
    ("voronoi-edges-2d", "bond", (16, 24, 32, 48), (100, 60, 40, 20), 0.666931),
]
LARGEST_ERROR = {"cubic": 7e-4, "fcc": 7e-4, "square": 1.4e-3, "triangular": 1.4e-3}


@pytest.mark.parametrize(("name", "kind", "sizes", "samples", "known"), KNOWN)
def test_known_thresholds_within_three_standard_errors(name, kind, sizes, samples, known):
    sweeps = 40 if name.startswith("voronoi") else 1
    found = percolation_threshold(name, kind, sizes, samples=samples, sweeps=sweeps, seed=7)
    assert abs(found.threshold - known) < 3 * found.stderr
    assert found.stderr < LARGEST_ERROR.get(name, 2e-3)
    assert found.chi_squared < 14  # of 2 degrees: one in a thousand
    assert (found.kind, found.degrees) == (kind, 2)


def test_random_grains_in_space():
    # 0.1515 ± 0.0003 in the benchmark's larger boxes; Jerauld, Scriven and Davis, J. Phys. C 17
    # (1984) 3429, 10.1088/0022-3719/17/19/017, found 0.1453 ± 0.002
    found = percolation_threshold(
        "voronoi-3d", "site", (6, 8, 10, 12), samples=(30, 16, 12, 10), sweeps=40, seed=7
    )
    assert found.stderr < 2e-3
    assert 0.1453 - 0.002 - 3 * found.stderr < found.threshold < 0.1515 + 3 * found.stderr
    degree = np.mean([2 * len(g.first) / g.nodes for g in _poisson_grains(10, 500)])
    assert degree == pytest.approx(2 + 48 * np.pi**2 / 35, abs=0.06)  # exact; ± 0.02


def _poisson_grains(graphs, grains):
    rng = np.random.default_rng(0)
    return [voronoi_grains(rng.random((grains, 3))) for _ in range(graphs)]


@pytest.mark.parametrize("kind", ["site", "bond"])
def test_a_sweep_stops_where_clusters_found_from_scratch_first_wrap(kind):
    graph = lattice_graph("cubic", 4)
    for seed in range(10):
        shares = sweep(graph, kind, np.random.default_rng(seed))
        total = graph.nodes if kind == "site" else len(graph.first)
        rank = np.random.default_rng(seed).permutation(total)
        for axis, count in enumerate(np.rint(shares * (total + 1)).astype(int)):
            assert _wraps(graph, rank < count, kind)[axis]
            assert not _wraps(graph, rank < count - 1, kind)[axis]


def _wraps(graph, chosen, kind):
    if kind == "site":
        clusters = wrapping_clusters(
            graph.nodes, graph.first, graph.second, graph.image, active=chosen
        )
    else:
        links = graph.first[chosen], graph.second[chosen], graph.image[chosen]
        clusters = wrapping_clusters(graph.nodes, *links)
    return clusters.wraps.any(axis=0)


def test_the_mean_share_of_a_ring_is_exact():
    # n sites on a ring about x and a link of each to itself about y: all must be there for x,
    # one for y: shares n/(n + 1) and 1/(n + 1)
    def ring(size, rng):
        n = size
        first, second = np.tile(np.arange(n), 2), np.append((np.arange(n) + 1) % n, np.arange(n))
        image = np.zeros((2 * n, 2), dtype=int)
        image[n - 1, 0] = 1
        image[n:, 1] = 1
        return PeriodicGraph(n, first, second, image)

    for n in (3, 8):
        shares = sweep(ring(n, None), "site", np.random.default_rng(n))
        assert shares == pytest.approx([n / (n + 1), 1 / (n + 1)])


def test_the_extrapolation_and_its_error():
    def chain(size, rng):
        # one site of all is joined to itself about both axes: its place in the order is uniform
        return PeriodicGraph(size**2, [0, 0], [0, 0], [[1, 0], [0, 1]])

    found = percolation_threshold(chain, "site", (4, 6, 8), samples=300, seed=0)
    assert abs(found.threshold - 0.5) < 3 * found.stderr
    again = [percolation_threshold(chain, "site", (4, 6, 8), samples=30, seed=s) for s in range(60)]
    spread = np.std([a.threshold for a in again])
    assert np.mean([a.stderr for a in again]) == pytest.approx(spread, rel=0.3)


def test_wrapping_probabilities_rise_and_cross():
    found = percolation_threshold("cubic", "site", (8, 16), samples=(1500, 600), seed=1)
    below, at, above = (found.wrapping_probability(p) for p in (0.25, 0.3116, 0.37))
    assert below[1] < below[0] < 0.2
    assert above[1] > above[0] > 0.9
    assert at == pytest.approx([0.46, 0.46], abs=0.06)  # universal: about any axis at all
    assert (found.wrapping_probability(0.3116, axes=3) < at).all()


@pytest.mark.parametrize(("name", "neighbours"), [("square", 4), ("triangular", 6), ("fcc", 12)])
def test_lattices_have_their_neighbours(name, neighbours):
    graph = lattice_graph(name, 5)
    degree = np.bincount(np.concatenate([graph.first, graph.second]))
    assert (degree == neighbours).all()
    links = nx.Graph(np.column_stack([graph.first, graph.second]).tolist())
    assert links.number_of_edges() == len(graph.first)


def test_voronoi_graphs_have_the_numbers_of_euler():
    seeds = np.random.default_rng(0).random((200, 2))
    grains, edges = voronoi_grains(seeds), voronoi_edges(seeds)
    assert (grains.nodes, len(grains.first)) == (200, 600)
    assert (edges.nodes, len(edges.first)) == (400, 600)
    degree = np.bincount(np.concatenate([edges.first, edges.second]))
    assert (degree == 3).all()
    for graph in (grains, edges):
        clusters = wrapping_clusters(graph.nodes, graph.first, graph.second, graph.image)
        assert clusters.wraps.tolist() == [[True, True]]


def test_the_same_seed_gives_the_same_threshold():
    one, two = (
        percolation_threshold("square", "site", (8, 12), samples=20, seed=3) for _ in range(2)
    )
    assert (one.threshold, one.stderr) == (two.threshold, two.stderr)


class TestRefuses:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"graphs": "kagome"}, "structure: expected one of square, triangular, cubic"),
            ({"kind": "both"}, 'kind: expected "site" or "bond", received both'),
            ({"sizes": (8,)}, "sizes: expected two different linear sizes"),
            ({"sizes": (8, 8)}, "sizes: expected two different linear sizes"),
            ({"samples": 3}, "samples: expected at least 10 at each of 2 sizes, received 3"),
            ({"samples": (20, 20, 20)}, "samples: expected at least 10 at each of 2 sizes"),
            ({"sweeps": 0}, "sweeps: expected 1 or more"),
            ({"exponent": -1.0}, "exponent: expected a positive number"),
        ],
    )
    def test_arguments(self, arguments, message):
        usual = {"graphs": "square", "kind": "site", "sizes": (8, 12), "samples": 10, "seed": 0}
        with pytest.raises(InputError, match=message):
            percolation_threshold(**usual | arguments)

    def test_a_graph_that_cannot_wrap(self):
        def line(size, rng):
            inside = np.zeros((size - 1, 2), dtype=int)
            return PeriodicGraph(size, np.arange(size - 1), np.arange(1, size), inside)

        with pytest.raises(ComputationError, match="does not wind around axes"):
            percolation_threshold(line, "bond", (8, 12), samples=10, seed=0)

    @pytest.mark.parametrize(
        ("links", "message"),
        [
            (([0], [5], [[0, 0]]), "links: expected nodes 0 … 2, received 0 … 5"),
            (([0], [1], [0, 0]), r"links: expected \(m,\), \(m,\) and \(m, d\)"),
            (([0], [1], [[0]]), r"image: expected \(m, 2\) or \(m, 3\)"),
            (([0.5], [1], [[0, 0]]), "first: expected whole numbers"),
        ],
    )
    def test_links(self, links, message):
        with pytest.raises(InputError, match=message):
            PeriodicGraph(3, *links)

    def test_edges_in_space(self):
        with pytest.raises(InputError, match=r"seeds: expected an \(n, 2\) array"):
            voronoi_edges(np.zeros((4, 3)))

    @pytest.mark.parametrize(("name", "edge"), [("hexagonal", 4), ("square", 1)])
    def test_lattices(self, name, edge):
        with pytest.raises(InputError, match=r"lattice: expected|edge: expected"):
            lattice_graph(name, edge)
