import networkx as nx
import numpy as np
import pytest

from multiscale.errors import ImageError, InputError
from multiscale.network import percolation, voxel_percolation


@pytest.mark.parametrize("periodic", [True, False])
def test_one_phase_fills_the_box(two_phase, periodic):
    result = percolation(two_phase(40, 3, 1.0, 0, periodic=periodic))
    assert result.phase_percolates.tolist() == [[True] * 3, [False] * 3]
    assert result.percolating_fraction.tolist() == [[1.0] * 3, [0.0] * 3]
    assert result.clusters.tolist() == [1, 0]
    assert result.largest_cluster_fraction.tolist() == [1.0, 0.0]
    assert result.cluster_volumes[0].sum() / 1e-18 == pytest.approx(1.2 * 0.9)
    # all boundaries together form one network through the box
    assert dict(zip(result.boundary_types, result.boundary_percolates.tolist(), strict=True)) == {
        "A|A": [True] * 3,
        "A|B": [False] * 3,
        "B|B": [False] * 3,
    }


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("counts", [(4, 3), (4, 3, 3)])
def test_slabs(bricks, counts, periodic):
    result = percolation(bricks(counts, lambda *place: place[0] % 2, periodic=periodic))
    across_blocked = [False] + [True] * (len(counts) - 1)
    assert result.phase_percolates.tolist() == [across_blocked] * 2
    assert result.clusters.tolist() == [2, 2]
    assert result.largest_cluster_fraction == pytest.approx([0.5, 0.5])
    types = dict(zip(result.boundary_types, result.boundary_percolates.tolist(), strict=True))
    assert types["A|B"] == across_blocked
    # facets inside a slab of one layer: 2D not joined along it, 3D joined where they cross
    assert types["A|A"] == ([False] * 2 if len(counts) == 2 else across_blocked)


@pytest.mark.parametrize("periodic", [True, False])
def test_checkerboard_is_joined_by_corners_alone(bricks, periodic):
    result = percolation(bricks((4, 4), lambda i, j: (i + j) % 2, periodic=periodic))
    assert not result.phase_percolates.any()
    assert result.clusters.tolist() == [8, 8]
    assert result.boundary_percolates.tolist() == [[False] * 2, [True] * 2, [False] * 2]


def test_a_staircase_winds_around_both_axes(bricks):
    # grains (i, i) and (i, i + 1): one diagonal band, closed only by going round x and y
    crystal = bricks((4, 4), lambda i, j: 0 if (j - i) % 4 in (0, 1) else 1, periodic=True)
    assert percolation(crystal).phase_percolates[0].tolist() == [True, True]


@pytest.mark.parametrize("seed", range(30))
def test_duality_in_two_dimensions(two_phase, seed):
    crystal = two_phase(60, 2, 0.5, seed, periodic=False)
    a, b = percolation(crystal).phase_percolates
    assert a[0] != b[1]
    assert a[1] != b[0]
    wrapped = percolation(two_phase(60, 2, 0.5, seed)).phase_percolates
    assert wrapped.any()  # on a torus at least one of the two phases winds around


@pytest.mark.parametrize("seed", range(10))
def test_a_type_boundary_in_2d_parts_the_phases(two_phase, seed):
    # with walls: A|B lines run from bottom to top whenever neither phase links left to right,
    # and if a phase links left to right, no A|B line can run from bottom to top
    result = percolation(two_phase(50, 2, 0.5, seed, periodic=False))
    phases = result.phase_percolates.any(axis=0)
    parting = result.boundary_percolates[result.boundary_types.index("A|B")]
    assert parting[1] or phases[0]
    assert not (parting[1] and phases[0])
    assert parting[0] or phases[1]


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("dimension", [2, 3])
def test_clusters_equal_networkx(two_phase, dimension, periodic):
    crystal = two_phase(80, dimension, 0.3, 5, periodic=periodic)
    result = percolation(crystal)
    graph = crystal.grain_graph()
    for p, name in enumerate(crystal.phase_names):
        nodes = [node for node, phase in graph.nodes(data="phase") if phase == name]
        parts = list(nx.connected_components(graph.subgraph(nodes)))
        volumes = sorted(sum(graph.nodes[g]["volume"] for g in part) for part in parts)
        assert np.allclose(result.cluster_volumes[p], volumes[::-1], rtol=1e-9, atol=0)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("dimension", "cells"), [(2, 300), (3, 48)])
@pytest.mark.parametrize("weights", [0.0, 0.3])
def test_voxels_agree(two_phase, dimension, cells, periodic, weights):
    agree = total = 0
    for seed in range(6):
        chance = 0.5 if dimension == 2 else 0.2
        crystal = two_phase(50, dimension, chance, seed, periodic=periodic, weights=weights)
        image = crystal.phase_image((cells,) * dimension)
        result = percolation(crystal)
        for p in range(2):
            voxels = voxel_percolation(image == p, periodic)
            same = voxels.percolates == result.phase_percolates[p]
            share = np.abs(voxels.percolating_fraction - result.percolating_fraction[p]) < 0.05
            agree += int((same & share).sum())
            total += dimension
    assert agree >= total - 2  # a facet smaller than a voxel may join or part two clusters


def test_random_voronoi_grains_percolate_near_fifteen_percent_in_3d(two_phase):
    def probability(chance):
        wraps = [
            percolation(two_phase(250, 3, chance, seed)).phase_percolates[0] for seed in range(12)
        ]
        return np.mean(wraps)

    assert probability(0.08) < 0.15
    assert probability(0.26) > 0.85


def test_random_voronoi_grains_percolate_at_one_half_in_2d(two_phase):
    def probability(chance):
        wraps = [
            percolation(two_phase(600, 2, chance, seed)).phase_percolates[0] for seed in range(12)
        ]
        return np.mean(wraps)

    assert probability(0.40) < 0.15
    assert probability(0.60) > 0.85


def test_refuses_what_is_no_polycrystal():
    with pytest.raises(InputError, match="crystal: expected a Polycrystal"):
        percolation(np.zeros((4, 4)))


class TestVoxels:
    def test_slab_and_open_diagonal(self):
        mask = np.zeros((6, 5), dtype=bool)
        mask[2] = True
        result = voxel_percolation(mask, periodic=False)
        assert result.percolates.tolist() == [False, True]
        assert result.percolating_fraction.tolist() == [0.0, 1.0]
        assert not voxel_percolation(np.eye(6, dtype=bool), periodic=True).percolates.any()

    def test_touching_both_faces_is_not_winding(self):
        # two arms reach both faces in different rows: spanning, but no loop around the box
        mask = np.zeros((6, 6), dtype=bool)
        mask[:3, 1] = mask[2, 1:4] = mask[2:, 3] = True
        assert voxel_percolation(mask, periodic=False).percolates.tolist() == [True, False]
        assert not voxel_percolation(mask, periodic=True).percolates.any()

    def test_cluster_across_the_face_counts_once(self):
        mask = np.zeros((6, 6, 6), dtype=bool)
        mask[[0, -1], 2, 2] = True
        assert voxel_percolation(mask, periodic=True).clusters == 1
        assert voxel_percolation(mask, periodic=False).cluster_sizes.tolist() == [1, 1]

    def test_empty(self):
        result = voxel_percolation(np.zeros((4, 4), dtype=bool), periodic=True)
        assert (result.clusters, result.largest_cluster_fraction) == (0, 0.0)
        assert not result.percolates.any()

    @pytest.mark.parametrize("mask", [np.zeros((4, 4)), np.zeros(4, dtype=bool)])
    def test_refuses(self, mask):
        with pytest.raises(ImageError, match="phase_mask: expected a boolean array"):
            voxel_percolation(mask, periodic=True)
