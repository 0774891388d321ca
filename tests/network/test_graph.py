"""The grain graph: exact, and of an image against the exact one."""

import numpy as np
import pytest

from multiscale.errors import ImageError, InputError, RecipeError
from multiscale.microstructure import disorientation, label_image, polycrystal
from multiscale.network import grain_graph

PHASES = {"A": 0.5, "B": 0.5}


@pytest.fixture(scope="module")
def drawn():
    """A polycrystal and its image, 17 voxels a grain."""
    crystal = polycrystal(100, (1e-6,) * 3, PHASES, 3)
    names = [crystal.phase_names[phase] for phase in crystal.phases]
    return crystal, grain_graph(
        crystal.labels((80,) * 3),
        1e-6 / 80,
        phases=names,
        periodic=True,
        orientations=crystal.orientations,
    )


def test_areas_of_an_image_are_true_though_counted_faces_are_half_too_many(drawn):
    crystal, image = drawn
    exact, table = crystal.grain_graph(), image.graph["facets"]
    typical = np.median(crystal.tessellation.facets.area)
    large = [
        (data, image.edges[edge])
        for *edge, data in exact.edges(data=True)
        if len(data["facets"]) == 1 and data["area"] > typical
    ]
    ratio = np.array([found["area"] / true["area"] for true, found in large])
    faces = np.array([table.faces[found["facets"]].sum() for _, found in large])
    counted = faces * (1e-6 / 80) ** 2 / [true["area"] for true, _ in large]
    assert len(large) > 350
    # measured 0.991 ± 0.027; of the mean of 386 that is ± 0.0014
    assert ratio.mean() == pytest.approx(1.0, abs=0.0125)
    assert ratio.std() < 0.035
    assert counted.mean() == pytest.approx(1.47, abs=0.03)
    assert counted.std() > 0.1
    cosine = [abs(found["normal"] @ true["normal"]) for true, found in large]
    assert min(cosine) > 0.99
    assert all(found["type"] == true["type"] for true, found in large)
    assert table.area.sum() == pytest.approx(crystal.tessellation.facets.area.sum(), rel=0.01)


def test_nodes_and_misorientations_of_both(drawn):
    crystal, image = drawn
    exact = crystal.grain_graph()
    for grain, data in exact.nodes(data=True):
        found = image.nodes[grain]
        assert found["phase"] == data["phase"]
        assert found["volume"] == pytest.approx(data["volume"], rel=0.05)
        assert np.array_equal(found["orientation"], data["orientation"])
    for a, b in set(exact.edges) & set(image.edges):
        turned = crystal.orientations[[a]], crystal.orientations[[b]]
        (angle,) = disorientation(*turned)
        assert exact.edges[a, b]["misorientation"] == pytest.approx(angle, abs=1e-6)
        assert image.edges[a, b]["misorientation"] == pytest.approx(angle, abs=1e-6)


def test_triple_lines_of_both(drawn):
    crystal, image = drawn
    exact, found = crystal.grain_graph().graph["triple_lines"], image.graph["triple_lines"]
    true, seen = ({}, {})
    for lengths, table in ((true, exact), (seen, found)):
        for grains, length in zip(table.grains.tolist(), table.size, strict=True):
            lengths[tuple(grains)] = lengths.get(tuple(grains), 0.0) + length
    typical = np.median(list(true.values()))
    ratio = [seen[key] / length for key, length in true.items() if length > typical]
    # a quarter of a voxel is lost at the ends: 3.5 % of lines of seven voxels
    assert np.mean(ratio) == pytest.approx(0.965, abs=0.02)
    assert np.std(ratio) < 0.11
    assert sum(seen.values()) == pytest.approx(sum(true.values()), rel=0.04)
    assert exact.size.sum() == pytest.approx(crystal.tessellation.lines.length.sum())
    assert not len(exact.heterointerfaces)  # two phases see two types at most about a line


def test_heterointerface_points_of_both(drawn):
    crystal, image = drawn
    exact, found = (g.graph["junction_points"] for g in (crystal.grain_graph(), image))
    here, there = ({tuple(g) for g in table.grains.tolist()} for table in (exact, found))
    assert len(here & there) > 0.85 * len(here)  # points a voxel apart merge and swap
    assert len(found.heterointerfaces) == pytest.approx(len(exact.heterointerfaces), rel=0.15)
    halves = np.count_nonzero(crystal.phases[exact.grains].sum(axis=1) == 2)
    assert len(exact.heterointerfaces) == halves
    assert set(exact.where("A|A", "A|B", "B|B")) == set(exact.heterointerfaces)
    # where the image has a set of grains, it has it at the same place
    at = {tuple(g): p for g, p in zip(exact.grains.tolist(), exact.position, strict=True)}
    apart = np.array(
        [p - at[tuple(g)] for g, p in zip(found.grains.tolist(), found.position, strict=True)
         if tuple(g) in at]
    )  # fmt: skip
    apart = np.linalg.norm(apart - np.rint(apart / 1e-6) * 1e-6, axis=1)
    assert np.median(apart) < 1e-6 / 80  # a voxel
    assert np.mean(apart < 3e-6 / 80) > 0.95  # flat angles move some further


def test_a_bare_image_and_its_spacing():
    labels = np.repeat([[5, 9], [7, 7]], 4, axis=0).repeat(4, axis=1)
    graph = grain_graph(labels, (1e-9, 2e-9), phases={5: "A", 7: "B", 9: "A"})
    assert graph.edges[0, 1]["type"] == "A|B"
    assert graph.edges[0, 1]["area"] == pytest.approx(8e-9)
    assert graph.edges[0, 2]["area"] == pytest.approx(4e-9)
    assert "misorientation" not in graph.edges[0, 1]
    (grains,), (position,) = (
        getattr(graph.graph["junction_points"], k) for k in ("grains", "position")
    )
    assert grains.tolist() == [0, 1, 2]
    assert position == pytest.approx([4e-9, 8e-9])
    same = grain_graph(label_image(labels, (1e-9, 2e-9), phases=["A", "B", "A"]))
    assert same.edges[0, 1]["area"] == graph.edges[0, 1]["area"]


@pytest.mark.parametrize(("axis", "length"), [(0, 6.0), (1, 10.0), (2, 7.0)])
def test_a_straight_triple_line_has_its_length(axis, length):
    # three grains about one axis, with voxels of 1, 2 and 0.5: exact, counted edges × 2/3 are not
    plane = np.repeat([[0, 1], [2, 2]], 3, axis=0).repeat(3, axis=1)
    cells = {0: 6, 1: 5, 2: 14}[axis]
    labels = np.moveaxis(np.repeat(plane[None], cells, axis=0), 0, axis)
    lines = grain_graph(labels, (1.0, 2.0, 0.5)).graph["triple_lines"]
    assert lines.grains.tolist() == [[0, 1, 2]]
    assert lines.size == pytest.approx([length])


def test_a_slanted_triple_line_has_its_length():
    x, y, z = np.indices((40, 40, 40)) - 20.0
    labels = np.where(x + y + z > 0.1, 2, np.where(x - y > 0.1, 1, 0))
    lines = grain_graph(labels, 1.0).graph["triple_lines"]
    # along (1, 1, −2)/√6, through 40 voxels of z: 20 and 20 steps beside it
    assert lines.size[0] == pytest.approx(20 * np.sqrt(6), rel=0.04)


def test_four_grains_about_a_line_share_its_length():
    plane = np.repeat([[0, 1], [2, 3]], 3, axis=0).repeat(3, axis=1)
    lines = grain_graph(np.repeat(plane[..., None], 6, axis=2), 1.0).graph["triple_lines"]
    assert lines.grains.tolist() == [[0, 1, 2], [1, 2, 3]]
    # the sense of rotation of four is not told: two thirds of the counted steps
    assert lines.size == pytest.approx([2.0, 2.0])


@pytest.mark.parametrize("table", ["triple_lines", "junction_points"])
def test_junctions_move_with_a_periodic_image(table):
    labels = polycrystal(60, (1.0,) * 3, PHASES, 5).labels((30,) * 3)
    moves = np.array([7, 16, 11])
    still, moved = (
        grain_graph(image, 1.0, periodic=True).graph[table]
        for image in (labels, np.roll(labels, moves, axis=(0, 1, 2)))
    )
    assert np.array_equal(still.grains, moved.grains)
    assert still.size == pytest.approx(moved.size)
    away = moved.position - still.position - moves
    away -= np.rint(away / 30) * 30
    # but for grains that meet half a box apart, whose middle is anywhere
    assert np.mean(np.abs(away).max(axis=1) < 1e-6) > 0.98


def test_symmetries_by_phase():
    crystal = polycrystal(30, (1e-6,) * 3, PHASES, 1)
    both = grain_graph(crystal, symmetry={"A": "cubic", "B": "trigonal"})
    angles = {kind: [] for kind in ("A|A", "A|B", "B|B")}
    for a, b, data in both.edges(data=True):
        angles[data["type"]].append(data["misorientation"])
        turned = crystal.orientations[[a]], crystal.orientations[[b]]
        if data["type"] != "A|B":
            symmetry = "cubic" if data["type"] == "A|A" else "trigonal"
            assert data["misorientation"] == pytest.approx(
                disorientation(*turned, symmetry)[0], abs=1e-6
            )
        else:  # no more than either symmetry alone leaves
            assert data["misorientation"] <= disorientation(*turned, "cubic")[0] + 1e-6
            assert data["misorientation"] <= disorientation(*turned, "trigonal")[0] + 1e-6
    # 24 × 6 equal rotations, 2 × 3 × 3 of them shared: less than a cubic pair can reach
    assert 0 < max(angles["A|B"]) < 62.8


class TestRefuses:
    def test_labels_without_spacing(self):
        with pytest.raises(InputError, match="spacing: expected voxel edges in m"):
            grain_graph(np.zeros((3, 3), dtype=int))

    @pytest.mark.parametrize("name", ["spacing", "phases", "periodic", "orientations"])
    def test_what_a_crystal_has(self, name):
        crystal = polycrystal(5, (1.0, 1.0), PHASES, 0)
        with pytest.raises(InputError, match=f"{name}: expected nothing, because a Polycrystal"):
            grain_graph(crystal, **{name: 1.0})

    @pytest.mark.parametrize(
        ("orientations", "message"),
        [([[1.0, 0, 0, 0]], r"\(2, 4\) unit quaternions.*\(1, 4\)"), ([[2.0, 0, 0, 0]] * 2, "2")],
    )
    def test_orientations(self, orientations, message):
        labels = np.array([[0, 1], [0, 1]])
        with pytest.raises(ImageError, match="orientations: expected .*" + message):
            grain_graph(labels, 1.0, orientations=orientations)

    def test_a_phase_without_symmetry(self):
        with pytest.raises(RecipeError, match="symmetry: expected one of 'B'"):
            grain_graph(polycrystal(20, (1.0, 1.0), PHASES, 0), symmetry={"A": "cubic"})
