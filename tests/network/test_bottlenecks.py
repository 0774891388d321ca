"""Widest paths and minimum cuts against brute force, networkx, duality and exact cases."""

import itertools

import networkx as nx
import numpy as np
import pytest

from multiscale.errors import InputError, PropertyError
from multiscale.network import (
    circuit_diffusivity,
    facet_conductances,
    grain_network,
    minimum_cut,
    percolation,
    widest_path,
    wrapping_clusters,
)
from multiscale.properties import Boundary


def wraps(network, kept, axis):
    links = network.first[kept], network.second[kept], network.image[kept]
    return wrapping_clusters(network.grains, *links).wraps[:, axis].any()


def spans(network, kept, axis):
    parts = nx.Graph()
    parts.add_edges_from(np.column_stack([network.first, network.second])[kept].tolist())
    for side, name in ((0, "low"), (1, "high")):
        parts.add_edges_from((name, int(g)) for g in network.wall_grain[network.walls(axis, side)])
    return nx.has_path(parts, "low", "high")


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_widest_path_is_as_wide_as_any(two_phase, dimension, periodic, seed):
    crystal = two_phase(30, dimension, 1.0, seed, periodic=periodic)
    network = grain_network(crystal)
    crosses = wraps if periodic else spans
    for axis in range(dimension):
        found = widest_path(crystal, axis)
        assert found.capacity == network.area[found.bottleneck] == network.area[found.facets].min()
        assert crosses(network, network.area >= found.capacity, axis)
        assert not crosses(network, network.area > found.capacity, axis)
        _check_path(network, found)


def _check_path(network, found):
    """Each facet leads from one grain to the next; the sum of the offsets winds forwards."""
    total = np.zeros(network.dimension, dtype=int)
    for facet, here, there in zip(found.facets, found.grains[:-1], found.grains[1:], strict=True):
        ends = network.first[facet], network.second[facet]
        assert ends in ((here, there), (there, here))
        total += network.image[facet] * (1 if ends == (here, there) else -1)
    if network.periodic:
        assert found.grains[0] == found.grains[-1]
        looped = (network.first == network.second)[found.facets]  # either way around
        assert total[found.axis] > 0 or looped.any()
    else:
        low, high = (network.wall_grain[network.walls(found.axis, side)] for side in (0, 1))
        assert found.grains[0] in low
        assert found.grains[-1] in high


@pytest.mark.parametrize("seed", range(8))
def test_the_cut_is_least_among_all_heights(two_phase, seed):
    """Every integer height from −1 to 1 on six grains in 2D, and on five in 3D."""
    dimension = 2 + seed % 2
    crystal = two_phase(8 - dimension, dimension, 1.0, seed)
    network = grain_network(crystal)
    capacity = np.random.default_rng(seed).random(len(network.first))
    for axis in range(dimension):
        least = np.inf
        for heights in itertools.product((-1, 0, 1), repeat=network.grains - 1):
            h = np.array((0, *heights))
            jumps = network.image[:, axis] + h[network.second] - h[network.first]
            least = min(least, float(np.abs(jumps) @ capacity))
        found = minimum_cut(crystal, axis, capacity=capacity)
        assert found.capacity == pytest.approx(least, rel=1e-9)
        assert found.flow == pytest.approx(least, rel=1e-6)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_with_walls_networkx_finds_the_same_flow(two_phase, dimension, seed):
    crystal = two_phase(60, dimension, 0.7, seed, periodic=False)
    network = grain_network(crystal)
    graph = nx.Graph()
    for a, b, area in zip(network.first, network.second, network.area, strict=True):
        if network.phases[a] == network.phases[b] == 0:
            graph.add_edge(int(a), int(b), capacity=float(area))
    for side, name in ((0, "low"), (1, "high")):
        contacts = network.wall_grain[network.walls(1, side)]
        graph.add_edges_from((name, int(g)) for g in contacts if network.phases[g] == 0)
    flow = nx.maximum_flow_value(graph, "low", "high")
    found = minimum_cut(crystal, 1, phases="A")
    assert found.capacity == pytest.approx(flow, rel=1e-9)
    kept = np.setdiff1d(np.arange(len(network.first)), found.facets)
    kept = kept[(network.phases[network.first] == 0)[kept]]
    kept = kept[(network.phases[network.second] == 0)[kept]]
    assert not spans(network, kept, 1)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("dimension", [2, 3])
def test_duality_and_bounds(two_phase, dimension, periodic):
    crystal = two_phase(150, dimension, 0.75, 3, periodic=periodic)
    network = grain_network(crystal)
    for axis in range(dimension):
        whole, part = minimum_cut(crystal, axis), minimum_cut(crystal, axis, phases=["A"])
        for cut in (whole, part):
            assert cut.flow == pytest.approx(cut.capacity, rel=1e-6)
            assert cut.area == pytest.approx(sum(cut.area_by_type.values()))
            assert cut.capacity == pytest.approx(cut.area)
            assert cut.capacity >= widest_path(crystal, axis, phases="A").capacity
        assert {k for k, v in part.area_by_type.items() if v} == {"A|A"}
        assert whole.share >= 1  # no surface across the box is smaller than its cross-section
        assert part.capacity < whole.capacity
        kept = np.setdiff1d(np.arange(len(network.first)), whole.facets)
        assert not (wraps if periodic else spans)(network, kept, axis)


@pytest.mark.parametrize("periodic", [True, False])
def test_bricks_with_a_neck(bricks, periodic):
    # A everywhere but for one layer of B with a single brick of A: its facets are the neck
    crystal = bricks((4, 3, 3), lambda i, j, k: int(i == 2 and (j, k) != (1, 1)), periodic=periodic)
    cut, path = minimum_cut(crystal, 0, phases="A"), widest_path(crystal, 0, phases="A")
    assert cut.area == pytest.approx(1e-14)
    assert cut.share == pytest.approx(1 / 9)
    assert cut.crossings.tolist() == [1]
    assert path.capacity == pytest.approx(1e-14)
    neck = int(np.flatnonzero((crystal.seeds == (np.array([2, 1, 1]) + 0.5) * 1e-7).all(axis=1))[0])
    assert neck in path.grains
    assert minimum_cut(crystal, 0).share == pytest.approx(1.0)


def test_a_spiral_that_winds_twice_is_cut_twice(bricks):
    # one staircase that closes only after two periods: a plane across the box cuts it twice
    crystal = bricks((4, 8), lambda i, j: 0 if (j - i) % 4 in (0, 1) else 1, periodic=True)
    assert percolation(crystal).clusters[0] == 1
    cut = minimum_cut(crystal, 0, phases="A")
    assert cut.capacity == pytest.approx(2e-7)
    assert cut.crossings.sum() == 2
    assert cut.share == pytest.approx(2 / 8)
    path = widest_path(crystal, 0, phases="A")
    assert path.capacity == pytest.approx(1e-7)
    assert sorted(path.grains[1:]) == np.flatnonzero(crystal.phases == 0).tolist()


def test_conductances_of_bricks_in_series(bricks):
    film = Boundary(width=1e-9, across=1e-15, along=0.0)
    films = dict.fromkeys(("A|A", "A|B", "B|B"), film)
    crystal = bricks((4, 2, 2), lambda *_: 0, periodic=True)
    found = facet_conductances(crystal, {"A": 1e-12, "B": 0.0}, films)
    resistance = (1e-7 - 1e-9) / 1e-12 + 1e-9 / 1e-15
    assert found == pytest.approx(np.full(len(found), 1e-14 / resistance), rel=1e-12, abs=0)
    cut = minimum_cut(crystal, 0, capacity=found)
    # four alike cuts in series make the whole
    tensor = circuit_diffusivity(crystal, {"A": 1e-12, "B": 0.0}, films).tensor
    across = tensor[0, 0] * (2e-7) ** 2 / 4e-7
    assert cut.capacity / 4 == pytest.approx(across, rel=1e-9, abs=0)


def test_the_cut_bounds_the_conductance(two_phase):
    """Grains held at two potentials alone on either side of the cut: Rayleigh's bound."""
    phases = {"A": 1e-12, "B": 1e-15}
    crystal = two_phase(100, 3, 0.4, 0)
    conductance = facet_conductances(crystal, phases)
    tensor = circuit_diffusivity(crystal, phases).tensor
    for axis in range(3):
        cut = minimum_cut(crystal, axis, capacity=conductance)
        section = np.prod(crystal.size) / crystal.size[axis]
        assert cut.capacity * crystal.size[axis] / section >= tensor[axis, axis]


@pytest.mark.parametrize("ask", [widest_path, minimum_cut])
class TestRefuses:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"axis": 2}, "axis: expected 0 … 1, received 2"),
            ({"axis": 0, "phases": "C"}, "phases: expected phases of this crystal, received C"),
            ({"axis": 0, "phases": ()}, "phases: expected at least one phase, received none"),
            ({"axis": 0, "capacity": [1.0]}, r"capacity: expected \d+ finite numbers.* \(1,\)"),
        ],
    )
    def test_arguments(self, two_phase, ask, arguments, message):
        with pytest.raises(InputError, match=message):
            ask(two_phase(20, 2, 0.5, 0), **arguments)

    @pytest.mark.parametrize("bad", [-1e-9, np.nan, np.inf])
    def test_a_capacity_that_is_none(self, two_phase, ask, bad):
        crystal = two_phase(20, 2, 0.5, 0)
        capacity = crystal.tessellation.facets.area.copy()
        capacity[7] = bad
        with pytest.raises(InputError, match=f"capacity: expected .* received {bad} at facet 7"):
            ask(crystal, 0, capacity=capacity)

    def test_no_path(self, bricks, ask):
        crystal = bricks((6, 3), lambda i, j: int(i % 3 == 2), periodic=True)
        message = "phases = A: expected grains that cross the box along axis 0, received no path: "
        with pytest.raises(InputError, match=message + "2 parts of 6, 6 grains"):
            ask(crystal, 0, phases="A")

    def test_an_absent_phase(self, bricks, ask):
        with pytest.raises(InputError, match="received no grains"):
            ask(bricks((3, 3), lambda *_: 0, periodic=True), 0, phases="B")

    def test_a_grain_from_face_to_face(self, bricks, ask):
        crystal = bricks((1, 3), lambda *_: 0, periodic=False)
        with pytest.raises(InputError, match="received grain 0 from face to face; take more"):
            ask(crystal, 0)


def test_conductances_need_every_phase(two_phase):
    with pytest.raises(PropertyError, match="expected a diffusivity for 'B'"):
        facet_conductances(two_phase(10, 2, 0.5, 0), {"A": 1.0})
