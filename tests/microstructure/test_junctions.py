"""Heterointerfaces: what can and what cannot occur, and how it is counted."""

import itertools

import numpy as np
import pytest

from multiscale.errors import RecipeError
from multiscale.microstructure import (
    Polycrystal,
    find_heterointerfaces,
    heterointerface_mask,
    label_image,
    polycrystal,
    types_at,
)

TWO = {"A": 0.5, "B": 0.5}


def with_phases(crystal: Polycrystal, phases: list[int], names: tuple[str, ...]) -> Polycrystal:
    return Polycrystal(
        crystal.seeds,
        crystal.weights,
        crystal.size,
        crystal.periodic,
        np.array(phases),
        names,
        crystal.orientations,
    )


def test_types_at_a_junction() -> None:
    phases, names = np.array([0, 0, 1, 2]), ("A", "B", "C")
    present = types_at(np.array([[0, 1, 2], [0, 2, 3]]), phases, names)
    # sorted types: A|A, A|B, A|C, B|B, B|C, C|C
    assert present.tolist() == [
        [True, True, False, False, False, False],
        [False, True, True, False, True, False],
    ]


def test_two_phases_in_2d_have_no_exact_heterointerface() -> None:
    assert find_heterointerfaces(polycrystal(200, (1.0, 1.0), TWO, 0)).exact == 0


def test_three_phases_in_2d_meet_at_points_of_three_different_phases() -> None:
    crystal = polycrystal(200, (1.0, 1.0), {"A": 0.3, "B": 0.3, "C": 0.4}, 0)
    grains = crystal.tessellation.points.grains
    different = [len(set(crystal.phases[row])) == 3 for row in grains]
    found = find_heterointerfaces(crystal)
    assert found.exact == sum(different) > 10
    assert found.clusters == found.exact


def test_two_phases_in_3d_meet_where_two_and_two_are_alike() -> None:
    crystal = polycrystal(100, (1.0, 1.0, 1.0), TWO, 0)
    grains = crystal.tessellation.points.grains
    halves = np.count_nonzero(crystal.phases[grains].sum(axis=1) == 2)
    found = find_heterointerfaces(crystal)
    assert found.exact == halves
    # at random phases 6 of 16 quadruple points
    assert found.exact / len(grains) == pytest.approx(6 / 16, abs=0.1)
    assert found.line_length == 0


def test_line_length_of_three_phases() -> None:
    crystal = polycrystal(100, (1.0, 1.0, 1.0), {"A": 0.3, "B": 0.3, "C": 0.4}, 0)
    lines = crystal.tessellation.lines
    different = np.array([len(set(crystal.phases[row])) == 3 for row in lines.grains])
    found = find_heterointerfaces(crystal)
    assert found.line_length == pytest.approx(lines.length[different].sum())


def test_clusters_join_near_junctions_and_depend_on_the_radius() -> None:
    crystal = polycrystal(100, (1.0, 1.0), TWO, 1)
    counts = [find_heterointerfaces(crystal, radius).clusters for radius in (0.0, 0.02, 10.0)]
    assert counts[0] == 0
    assert counts[1] > 0
    assert counts[2] == 1  # one cluster holds everything


@pytest.mark.parametrize("seed", range(8))
def test_clusters_are_those_of_single_linkage_through_the_box(seed: int) -> None:
    radius = 0.035
    crystal = polycrystal(100, (1.0, 1.0), TWO, seed)
    points = crystal.tessellation.points
    arm = np.abs(points.position[:, None] - points.position)
    near = np.sum(np.minimum(arm, 1 - arm) ** 2, axis=2) <= radius**2
    reach = np.linalg.matrix_power(near.astype(float) / len(near), 64) > 0
    seen = set()
    for row in reach:
        members = tuple(np.flatnonzero(row))
        kinds = {
            tuple(sorted(crystal.phases[list(pair)]))
            for member in members
            for pair in itertools.combinations(points.grains[member], 2)
        }
        if len(kinds) >= 3:
            seen.add(members)
    assert find_heterointerfaces(crystal, radius).clusters == len(seen) > 0


@pytest.mark.parametrize("periodic", [True, False])
def test_mask_agrees_with_distances_computed_one_by_one(periodic: bool) -> None:
    labels = np.zeros((24, 24), dtype=int)
    labels[:12, 12:], labels[12:, :12], labels[12:, 12:] = 1, 2, 3
    image = label_image(labels, 0.5, phases=["A", "A", "B", "B"], periodic=periodic)
    radius = 2.0
    mask = heterointerface_mask(image, radius=radius)
    faces: dict[str, list[tuple[float, float]]] = {"AA": [], "AB": [], "BB": []}
    kind = ["A", "A", "B", "B"]
    steps = range(-1, 25) if periodic else range(24)
    for i, j in itertools.product(steps, steps):
        for di, dj in ((1, 0), (0, 1)):
            if not periodic and (i + di > 23 or j + dj > 23):
                continue
            a, b = labels[i % 24, j % 24], labels[(i + di) % 24, (j + dj) % 24]
            if a != b:
                place = ((i + 0.5 + di / 2) * 0.5, (j + 0.5 + dj / 2) * 0.5)
                faces["".join(sorted(kind[a] + kind[b]))].append(place)
    centres = (np.indices((24, 24)) + 0.5).reshape(2, -1).T * 0.5
    near = sum(
        np.linalg.norm(centres[:, None] - np.array(places), axis=2).min(axis=1) <= radius
        for places in faces.values()
    )
    wanted = (near >= 3).reshape(24, 24)
    wrong = np.argwhere(mask != wanted)
    assert 0 < mask.sum() < mask.size
    assert len(wrong) <= 0.25 * wanted.sum()
    for place in wrong:  # only at the rim, half a voxel in or out
        box = tuple(slice(max(x - 1, 0), x + 2) for x in place)
        assert wanted[box].any()
        assert not wanted[box].all()


def test_mask_shrinks_to_nothing_and_grows_to_everything() -> None:
    crystal = polycrystal(30, (1.0, 1.0, 1.0), TWO, 0)
    small = heterointerface_mask(crystal, (24, 24, 24), radius=0.07)
    large = heterointerface_mask(crystal, (24, 24, 24), radius=0.15)
    assert 0 < small.mean() < large.mean()
    assert np.all(large[small])
    assert heterointerface_mask(crystal, (24, 24, 24), radius=1.0).all()
    single = with_phases(crystal, [0] * 30, ("A",))
    assert not heterointerface_mask(single, (24, 24, 24), radius=1.0).any()


def test_wrong_arguments_are_refused() -> None:
    crystal = polycrystal(5, (1.0, 1.0), TWO, 0)
    with pytest.raises(RecipeError, match="radius"):
        find_heterointerfaces(crystal, -1.0)
    with pytest.raises(RecipeError, match="radius"):
        heterointerface_mask(crystal, (8, 8), radius=float("nan"))
    with pytest.raises(RecipeError, match="cells"):
        heterointerface_mask(crystal, radius=0.1)
