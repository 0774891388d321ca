"""Label images against the tessellation that they were drawn from, and exact shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiscale.errors import ImageError
from multiscale.microstructure import label_image, polycrystal, split_phases


@pytest.mark.parametrize(("dimension", "cells"), [(2, 200), (3, 80)])
def test_areas_and_normals_of_a_drawn_polycrystal(dimension: int, cells: int) -> None:
    crystal = polycrystal(40, (1e-6,) * dimension, {"A": 0.5, "B": 0.5}, 2)
    names = [crystal.phase_names[phase] for phase in crystal.phases]
    image = label_image(
        crystal.labels((cells,) * dimension), 1e-6 / cells, phases=names, periodic=True
    )
    exact, measured = crystal.grain_graph(), image.grain_graph()
    common = [edge for edge in exact.edges if edge in measured.edges]
    typical = np.median([exact.edges[edge]["area"] for edge in common])
    large = [edge for edge in common if exact.edges[edge]["area"] > typical]
    ratio = np.array([measured.edges[e]["area"] / exact.edges[e]["area"] for e in large])
    cosine = np.array([measured.edges[e]["normal"] @ exact.edges[e]["normal"] for e in large])
    assert ratio.mean() == pytest.approx(1.0, abs=0.02)
    assert ratio.std() < 0.04
    assert cosine.min() > 0.99
    assert all(measured.edges[e]["type"] == exact.edges[e]["type"] for e in common)
    shares = np.array([measured.nodes[g]["volume"] / exact.nodes[g]["volume"] for g in range(40)])
    assert np.allclose(shares, 1.0, atol=0.03)
    facets = crystal.tessellation.facets.area.sum()
    assert image.facets().area.sum() == pytest.approx(facets, rel=0.02)


def test_triple_line_length_of_a_drawn_polycrystal() -> None:
    crystal = polycrystal(40, (1.0, 1.0, 1.0), {"A": 1.0}, 3)
    image = label_image(crystal.labels((80, 80, 80)), 1 / 80, periodic=True)
    exact = crystal.tessellation.lines.length.sum()
    assert image.triple_line_length() == pytest.approx(exact, rel=0.03)


def test_triple_points_of_a_drawn_polycrystal() -> None:
    crystal = polycrystal(30, (1.0, 1.0), {"A": 1.0}, 3)
    image = label_image(crystal.labels((400, 400)), 1 / 400, periodic=True)
    assert image.triple_line_length() == pytest.approx(60, abs=3)


@pytest.mark.parametrize("periodic", [True, False])
def test_both_facets_of_a_laminate_are_kept_apart(periodic: bool) -> None:
    labels = np.repeat([5, 9], 4)[:, None, None] * np.ones((1, 3, 6), dtype=int)
    image = label_image(labels, (1.0, 2.0, 0.5), periodic=periodic)
    facets = image.facets()
    assert image.values.tolist() == [5, 9]
    assert len(facets) == (2 if periodic else 1)
    assert np.allclose(facets.area, 3 * 2.0 * 6 * 0.5)
    assert np.allclose(np.abs(facets.normal), [1, 0, 0])
    graph = image.grain_graph()
    assert graph.edges[0, 1]["area"] == pytest.approx(18.0 * len(facets))
    assert len(graph.edges[0, 1]["facets"]) == len(facets)


@pytest.mark.parametrize("tilt", [0.0, 0.3, 1.0, 3.0])
def test_a_tilted_plane_has_its_true_area_and_normal(tilt: float) -> None:
    x, y, _ = np.indices((60, 60, 4))
    image = label_image((x - 30 > tilt * (y - 30)).astype(int), 1.0)
    (area,), (normal,) = image.facets().area, image.facets().normal
    true = np.array([1.0, -tilt, 0.0]) / np.hypot(1, tilt)
    width = 60 / max(tilt, 1.0)
    assert area == pytest.approx(4 * width * np.hypot(1, tilt), rel=0.06)
    assert normal @ true > 0.998


@pytest.mark.parametrize(("dimension", "true"), [(2, 2 * np.pi * 12), (3, 4 * np.pi * 12**2)])
def test_an_inclusion_keeps_its_area_though_its_vectors_cancel(dimension: int, true: float) -> None:
    distance = np.linalg.norm(np.indices((30,) * dimension) - 14.5, axis=0)
    facets = label_image((distance < 12).astype(int), 1.0).facets()
    assert len(facets) == 1
    assert facets.area[0] == pytest.approx(true, rel=0.04)


def test_pieces_that_touch_at_a_corner_are_two_patches() -> None:
    labels = np.zeros((5, 5, 5), dtype=int)
    labels[2, 1, 1] = labels[1, 2, 2] = 1
    facets = label_image(labels, 1.0).facets()
    assert facets.faces.tolist() == [6, 6]


def test_pieces_of_a_phase_become_grains() -> None:
    phases = np.zeros((8, 8), dtype=int)
    phases[1:3, 1:3] = 7
    phases[5:7, 5:7] = 7
    phases[:, 0] = 3
    image = split_phases(phases, 1.0, phase_names={0: "matrix", 7: "grain", 3: "skin"})
    assert image.grains == 4
    assert sorted(image.phase_names[p] for p in image.phases) == [
        "grain",
        "grain",
        "matrix",
        "skin",
    ]
    assert np.array_equal(image.values[image.labels], phases)


def test_pieces_join_through_the_faces_of_a_periodic_image() -> None:
    phases = np.zeros((6, 6), dtype=int)
    phases[0, 2] = phases[-1, 2] = phases[3, 0] = phases[3, -1] = 1
    assert split_phases(phases, 1.0).grains == 5
    assert split_phases(phases, 1.0, periodic=True).grains == 3


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    moves=st.tuples(st.integers(0, 7), st.integers(0, 7), st.integers(0, 7)),
    order=st.permutations([0, 1, 2]),
)
def test_shifting_and_turning_an_image_changes_no_area(
    seed: int, moves: tuple[int, int, int], order: list[int]
) -> None:
    generator = np.random.default_rng(seed)
    labels = np.kron(generator.integers(0, 4, (4, 4, 4)), np.ones((2, 2, 2), dtype=int))
    spacing = np.array([1.0, 2.0, 3.0])
    plain = label_image(labels, spacing, periodic=True)
    moved = np.roll(labels, moves, axis=(0, 1, 2)).transpose(order)
    other = label_image(moved, spacing[order], periodic=True)
    assert np.allclose(np.sort(plain.facets().area), np.sort(other.facets().area))
    assert plain.triple_line_length() == pytest.approx(other.triple_line_length())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros(4), "2D or 3D"),
        (np.zeros((2, 2, 2, 2)), "2D or 3D"),
        (np.zeros((0, 3)), "at least one voxel"),
        (np.array([[0.5, 1.0]]), "whole numbers, received fractions"),
        (np.array([[np.nan, 1.0]]), "1 NaN or infinite"),
        (np.array([["a", "b"]]), "whole numbers, received dtype"),
    ],
)
def test_arrays_that_are_no_labels_are_refused(labels: np.ndarray, message: str) -> None:
    with pytest.raises(ImageError, match=message):
        label_image(labels, 1.0)


def test_wrong_spacing_and_phases_are_refused() -> None:
    labels = np.array([[1, 2], [3, 3]])
    for spacing in (0.0, -1.0, np.nan, (1.0, 1.0, 1.0), "wide"):
        with pytest.raises(ImageError, match="spacing"):
            label_image(labels, spacing)
    with pytest.raises(ImageError, match=r"none for \[2\]"):
        label_image(labels, 1.0, phases={1: "A", 3: "B"})
    with pytest.raises(ImageError, match="3 names"):
        label_image(labels, 1.0, phases=["A", "B"])
    with pytest.raises(ImageError, match=r"none for \[2, 3\]"):
        split_phases(labels, 1.0, phase_names={1: "A"})
