"""Mixed rules against single ones, against voxels of thickened facets, and against exact cases."""

import numpy as np
import pytest

from multiscale.errors import InputError
from multiscale.microstructure import label_image
from multiscale.network import percolates, percolation, voxel_percolation


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_single_parts_give_what_percolation_gives(two_phase, dimension, periodic, seed):
    crystal = two_phase(60, dimension, 0.35, seed, periodic=periodic)
    whole = percolation(crystal, rules={name: name for name in ("A", "B", "A|A", "B|A", "B|B")})
    for p, name in enumerate(whole.phase_names):
        rule = whole.rules[name]
        assert np.array_equal(rule.percolates, whole.phase_percolates[p])
        assert rule.percolating_fraction[name] == pytest.approx(whole.percolating_fraction[p])
        assert rule.clusters == whole.clusters[p]
        largest = whole.largest_cluster_fraction[p]
        assert rule.largest_cluster_fraction[name] == pytest.approx(largest)
    for t, name in enumerate(whole.boundary_types):
        rule = whole.rules["B|A" if name == "A|B" else name]
        assert rule.parts == (name,)
        assert np.array_equal(rule.percolates, whole.boundary_percolates[t])
        share = whole.boundary_percolating_fraction[t]
        assert rule.percolating_fraction[name] == pytest.approx(share)
        assert rule.clusters == whole.boundary_clusters[t]


@pytest.mark.parametrize("periodic", [True, False])
def test_interfaces_join_what_corners_part(bricks, periodic):
    # squares of A touch at corners alone; A|B sides lead from one to the next
    crystal = bricks((4, 4), lambda i, j: (i + j) % 2, periodic=periodic)
    assert not percolates(crystal, "A").percolates.any()
    mixed = percolates(crystal, ("A", "B|A"))
    assert mixed.percolates.all()
    assert mixed.clusters == 1
    assert mixed.largest_cluster_fraction == {"A": 1.0, "A|B": 1.0}
    assert {k: v.tolist() for k, v in mixed.percolating_fraction.items()} == {
        "A": [1.0, 1.0],
        "A|B": [1.0, 1.0],
    }


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("counts", [(6, 4), (6, 3, 3)])
def test_boundaries_bridge_a_slab(bricks, counts, periodic):
    # along x: two layers of A, one of B, twice over: B|B facets bridge the slabs of B
    crystal = bricks(counts, lambda *place: int(place[0] % 3 == 2), periodic=periodic)
    assert percolates(crystal, "A").percolates.tolist() == [False] + [True] * (len(counts) - 1)
    # a B|B facet ends on the triple line A|A–B|B alone: no facet has A on one side
    bridged = percolates(crystal, ("A", "B|B"))
    assert bridged.percolates.all()  # with walls the facets of the last slab reach the face
    spans = bridged.percolating_fraction["A"]
    assert spans.tolist() == [1.0] * len(counts)
    assert bridged.clusters == 1
    # one interface does not lead through a slab, whose two sides share no triple line
    assert not percolates(crystal, ("A", "A|B")).percolates[0]


def test_two_phases_together_fill_the_box(two_phase):
    both = percolates(two_phase(50, 3, 0.5, 1), ("A", "B"))
    assert (both.clusters, both.percolates.tolist()) == (1, [True] * 3)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize(("dimension", "cells"), [(2, 240), (3, 72)])
@pytest.mark.parametrize("parts", [("A", "A|B"), ("A", "B|B"), ("A|B", "B|B"), ("B", "A|A")])
def test_voxels_agree(two_phase, dimension, cells, periodic, parts):
    """The grains, and the voxels beside the facets, on a grid: an independent answer."""
    agree = total = 0
    for seed in range(3):
        crystal = two_phase(25, dimension, 0.35, seed, periodic=periodic)
        names = [crystal.phase_names[p] for p in crystal.phases]
        labels = crystal.labels((cells,) * dimension)
        image = label_image(labels, 1.0, phases=names, periodic=periodic)
        mask = np.isin(np.array(names)[labels], [p for p in parts if "|" not in p])
        for axis in range(dimension):
            following = np.roll(image.labels, -1, axis)
            if not periodic:
                last = (slice(None),) * axis + (-1,)
                following[last] = image.labels[last]
            phase = np.array(names)
            low, high = phase[image.labels], phase[following]
            kind = np.where(low < high, low + "|" + high, high + "|" + low)
            film = (image.labels != following) & np.isin(kind, parts)
            mask |= film | np.roll(film, 1, axis)  # one voxel on either side
        voxels = voxel_percolation(mask, periodic).percolates
        agree += int((voxels == percolates(crystal, parts).percolates).sum())
        total += dimension
    assert agree >= total - 1  # films that pass within two voxels of each other are one


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("C", "parts: expected phases or boundary types of this crystal, received C; valid: A"),
        (("A", "a|B"), r"received a\|B; did you mean '.\|B'"),
        (("A|B", "B|A"), r"expected each part once, received A\|B a second time"),
        ((), "expected at least one phase or boundary type, received none"),
        (("A", 3), "received 3"),
    ],
)
def test_refuses(two_phase, parts, message):
    with pytest.raises(InputError, match=message):
        percolates(two_phase(10, 2, 0.5, 0), parts)


def test_a_bad_rule_is_named(two_phase):
    with pytest.raises(InputError, match=r"rules\['ionic'\]: expected phases"):
        percolation(two_phase(10, 2, 0.5, 0), rules={"ionic": ("A", "LLZO")})
