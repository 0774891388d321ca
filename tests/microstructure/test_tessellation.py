"""Exact geometry: lattices, Poisson statistics, closure, voxel counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiscale.errors import RecipeError
from multiscale.microstructure import Tessellation, naive_labels, tessellate

BASES = {
    "square": ([(0.1, 0.2)], 2),
    "cubic": ([(0.1, 0.2, 0.3)], 3),
    "cubic on the faces": ([(0.0, 0.0, 0.0)], 3),
    "body-centred": ([(0.1, 0.1, 0.1), (0.6, 0.6, 0.6)], 3),
    "face-centred": ([(0, 0, 0), (0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)], 3),
}


def lattice(name: str, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    basis, dimension = BASES[name]
    grid = np.stack(np.meshgrid(*[np.arange(repeats)] * dimension, indexing="ij"), axis=-1)
    seeds = np.concatenate([grid.reshape(-1, dimension) + np.array(one) for one in basis])
    return seeds.astype(float), np.full(dimension, float(repeats))


def random_seeds(
    count: int, dimension: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    size = np.array([1.0, 1.4, 0.7])[:dimension]
    edge = (np.prod(size) / count) ** (1 / dimension)
    seeds = generator.random((count, dimension)) * size
    return seeds, size, generator.random(count) * 0.2 * edge**2


def surface_sums(found: Tessellation, dimension: int) -> tuple[np.ndarray, np.ndarray]:
    """Net area vector and divergence-theorem volume of each cell."""
    net = np.zeros((len(found.volumes), dimension))
    volume = np.zeros(len(found.volumes))
    facets, walls = found.facets, found.walls
    np.add.at(net, facets.first, facets.area[:, None] * facets.normal)
    np.add.at(net, facets.second, -facets.area[:, None] * facets.normal)
    np.add.at(net, walls.first, walls.area[:, None] * walls.normal)
    np.add.at(volume, facets.first, facets.area * facets.distance_first / dimension)
    np.add.at(volume, facets.second, facets.area * facets.distance_second / dimension)
    np.add.at(volume, walls.first, walls.area * walls.distance_first / dimension)
    return net, volume


@pytest.mark.parametrize("name", ["square", "cubic", "cubic on the faces"])
def test_cubes(name: str) -> None:
    seeds, size = lattice(name, 3)
    found = tessellate(seeds, size)
    dimension = len(size)
    assert np.allclose(found.volumes, 1.0, rtol=1e-12)
    assert len(found.facets) == dimension * len(seeds)
    assert np.allclose(found.facets.area, 1.0, rtol=1e-12)
    assert np.allclose(found.facets.distance_first, 0.5, rtol=1e-12)
    if dimension == 3:
        assert found.lines.length.sum() == pytest.approx(3 * len(seeds), rel=1e-12)
        corners = np.rint(found.points.position * 10).astype(int) % 30
        for corner in np.unique(corners, axis=0):
            here = np.all(corners == corner, axis=1)
            assert len(np.unique(found.points.grains[here])) == 8


def test_seeds_on_the_walls() -> None:
    seeds, size = lattice("cubic on the faces", 3)
    found = tessellate(seeds, size, periodic=False)
    widths = np.array([0.5, 1.0, 1.5])[seeds.astype(int)]
    assert np.allclose(found.volumes, widths.prod(axis=1), rtol=1e-4)
    assert np.abs(surface_sums(found, 3)[0]).max() < 1e-9


def test_body_centred_cells_are_truncated_octahedra() -> None:
    seeds, size = lattice("body-centred", 2)
    found = tessellate(seeds, size)
    edge = np.sqrt(2) / 4  # of a truncated octahedron between seeds of a cube of edge 1
    squares = np.isclose(found.facets.area, edge**2, rtol=1e-10)
    hexagons = np.isclose(found.facets.area, 3 * np.sqrt(3) / 2 * edge**2, rtol=1e-10)
    assert np.count_nonzero(squares) == 3 * len(seeds)
    assert np.count_nonzero(hexagons) == 4 * len(seeds)
    assert len(found.facets) == 7 * len(seeds)
    assert len(found.lines) == 12 * len(seeds)
    assert np.allclose(found.lines.length, edge, rtol=1e-10)
    assert len(found.points) == 6 * len(seeds)


def test_face_centred_cells_are_rhombic_dodecahedra() -> None:
    seeds, size = lattice("face-centred", 2)
    found = tessellate(seeds, size)
    assert len(found.facets) == 6 * len(seeds)
    assert np.allclose(found.facets.area, np.sqrt(2) / 8, rtol=1e-10)


@pytest.mark.parametrize("dimension", [2, 3])
def test_one_grain_meets_itself_through_every_face(dimension: int) -> None:
    found = tessellate([[0.3, 0.1, 0.2][:dimension]], [1.0] * dimension)
    assert len(found.facets) == dimension
    assert np.array_equal(np.abs(found.facets.image).sum(axis=1), np.ones(dimension))
    assert np.allclose(found.facets.area, 1.0)
    assert found.volumes[0] == pytest.approx(1.0, rel=1e-12)


def test_poisson_voronoi_statistics_in_3d() -> None:
    found = [
        tessellate(np.random.default_rng(seed).random((600, 3)), [1.0] * 3) for seed in (1, 2, 3)
    ]
    grains = 1800
    facets = 2 * sum(len(one.facets) for one in found) / grains
    surface = sum(one.facets.area.sum() for one in found) / 3 / 600 ** (1 / 3)
    edges = 3 * sum(len(one.lines) for one in found) / grains
    vertices = 4 * sum(len(one.points) for one in found) / grains
    volumes = np.concatenate([one.volumes for one in found]) * 600
    assert facets == pytest.approx(15.5355, abs=3 * 3.33 / np.sqrt(grains))
    assert surface == pytest.approx(2.9105, abs=0.02)
    assert edges == pytest.approx(40.606, abs=3 * 10 / np.sqrt(grains))
    assert vertices == pytest.approx(27.071, abs=3 * 6.7 / np.sqrt(grains))
    assert volumes.var() == pytest.approx(0.179, abs=3 * 0.28 / np.sqrt(grains))
    assert facets == pytest.approx(2 + vertices / 2, rel=1e-12)  # Euler, exact in every sample


def test_poisson_voronoi_statistics_in_2d() -> None:
    found = tessellate(np.random.default_rng(4).random((2000, 2)), [1.0, 1.0])
    assert len(found.facets) == 3 * 2000  # six sides each, exact in a periodic box
    assert len(found.points) == 2 * 2000
    assert found.facets.area.sum() / np.sqrt(2000) == pytest.approx(2.0, rel=0.02)
    assert (found.volumes * 2000).var() == pytest.approx(0.280, abs=0.03)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_cells_close_and_fill_the_box(dimension: int, periodic: bool, weighted: bool) -> None:
    seeds, size, weights = random_seeds(60, dimension, 5)
    found = tessellate(seeds, size, weights if weighted else None, periodic=periodic)
    net, volume = surface_sums(found, dimension)
    assert found.volumes.sum() == pytest.approx(np.prod(size), rel=1e-10)
    assert np.abs(net).max() < 1e-10
    assert np.allclose(volume, found.volumes, rtol=1e-9, atol=1e-12)
    assert len(found.walls) == 0 if periodic else len(found.walls) > 0


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("periodic", [True, False])
def test_volumes_and_centroids_agree_with_voxel_counts(dimension: int, periodic: bool) -> None:
    seeds, size, weights = random_seeds(9, dimension, 6)
    cells = (160, 160) if dimension == 2 else (48, 48, 48)
    found = tessellate(seeds, size, weights, periodic=periodic)
    labels = naive_labels(seeds, weights, size, cells, periodic=periodic)
    counted = np.bincount(labels.ravel(), minlength=9) / labels.size * np.prod(size)
    assert np.allclose(counted, found.volumes, rtol=0.02, atol=2e-3 * np.prod(size))
    if not periodic:
        axes = [(np.arange(n) + 0.5) / n * edge for n, edge in zip(cells, size, strict=True)]
        places = np.meshgrid(*axes, indexing="ij")
        for axis, place in enumerate(places):
            mean = np.bincount(labels.ravel(), place.ravel()) / np.bincount(labels.ravel())
            assert np.allclose(mean, found.centroids[:, axis], atol=0.01)


@pytest.mark.parametrize("periodic", [True, False])
def test_facets_lie_where_two_seeds_have_the_same_least_power(periodic: bool) -> None:
    seeds, size, weights = random_seeds(30, 3, 7)
    facets = tessellate(seeds, size, weights, periodic=periodic).facets
    second = seeds[facets.second] + facets.image * size
    power = np.sum((facets.centroid - seeds[facets.first]) ** 2, axis=1) - weights[facets.first]
    other = np.sum((facets.centroid - second) ** 2, axis=1) - weights[facets.second]
    assert np.allclose(power, other, atol=1e-9)
    arm = np.abs((facets.centroid % size)[:, None, :] - seeds)
    arm = np.minimum(arm, size - arm) if periodic else arm
    least = (np.sum(arm**2, axis=2) - weights).min(axis=1)
    assert np.allclose(power, least, atol=1e-9)


@pytest.mark.parametrize("periodic", [True, False])
def test_junctions_have_equal_power_to_their_grains(periodic: bool) -> None:
    seeds, size, weights = random_seeds(40, 3, 8)
    found = tessellate(seeds, size, weights, periodic=periodic)
    for grains, position in (
        (found.points.grains, found.points.position),
        (found.lines.grains, found.lines.midpoint),
    ):
        arm = np.abs(position[:, None, :] - seeds[grains])
        arm = np.minimum(arm, size - arm) if periodic else arm
        power = np.sum(arm**2, axis=2) - weights[grains]
        assert np.ptp(power, axis=1).max() < 1e-9


@pytest.mark.parametrize("count", [7, 60, 3000])
def test_euler_characteristic_of_a_periodic_box_is_zero(count: int) -> None:
    found = tessellate(np.random.default_rng(count).random((count, 3)), [1.0, 1.0, 1.0])
    tables = (found.points, found.lines, found.facets, found.volumes)
    assert np.dot([1, -1, 1, -1], [len(table) for table in tables]) == 0


def test_equal_weights_make_the_voronoi_tessellation() -> None:
    seeds, size, _ = random_seeds(50, 3, 9)
    plain, equal = tessellate(seeds, size), tessellate(seeds, size, np.full(50, 0.37))
    assert np.allclose(plain.volumes, equal.volumes, rtol=1e-9)
    assert np.array_equal(plain.facets.second, equal.facets.second)
    assert np.allclose(plain.facets.area, equal.facets.area, atol=1e-10)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("size", [(1.0, 0.05, 0.4), (0.2, 5.0)])
@pytest.mark.parametrize("count", [1, 2, 20])
def test_slender_boxes_and_seeds_in_one_corner(
    periodic: bool, size: tuple[float, ...], count: int
) -> None:
    for crowding in (1.0, 0.05):
        seeds = np.random.default_rng(count).random((count, len(size))) * size * crowding
        found = tessellate(seeds, size, periodic=periodic)
        net, volume = surface_sums(found, len(size))
        assert volume.sum() == pytest.approx(np.prod(size), rel=1e-9)
        assert np.abs(net).max() < 1e-9


def test_a_cell_may_be_covered_by_its_neighbours() -> None:
    found = tessellate([[0.25, 0.5], [0.27, 0.5], [0.75, 0.5]], [1.0, 1.0], [0.0, -0.5, 0.0])
    assert found.volumes[1] == 0
    assert found.volumes.sum() == pytest.approx(1.0, rel=1e-12)
    assert 1 not in np.concatenate([found.facets.first, found.facets.second])


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(0.0, 1.0), order=st.permutations([0, 1, 2]))
def test_shifting_and_turning_the_box_changes_nothing(
    seed: int, shift: float, order: list[int]
) -> None:
    seeds, size, weights = random_seeds(12, 3, seed)
    plain = tessellate(seeds, size, weights)
    moved = (seeds + shift * size) % size
    moved[moved >= size] = 0.0
    other = tessellate(moved[:, order], size[order], weights)
    assert np.allclose(plain.volumes, other.volumes, rtol=1e-8, atol=1e-12)
    assert np.allclose(np.sort(plain.facets.area), np.sort(other.facets.area), atol=1e-9)
    assert plain.lines.length.sum() == pytest.approx(other.lines.length.sum(), rel=1e-8)


@pytest.mark.parametrize(
    ("seeds", "size", "weights"),
    [
        ([[0.5, 0.5], [0.5, 0.5]], [1, 1], None),
        ([[0.5, 1.0]], [1, 1], None),
        ([[0.5, np.nan]], [1, 1], None),
        ([[0.5, 0.5]], [1, -1], None),
        ([[0.5, 0.5]], [1, 1], [0.0, 1.0]),
        ([[0.5, 0.5]], [1, 1], [np.inf]),
        (np.zeros((0, 2)), [1, 1], None),
        ([[0.5, 0.5, 0.5]], [1, 1], None),
    ],
)
def test_seeds_that_make_no_tessellation_are_refused(seeds, size, weights) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(RecipeError, match="expected"):
        tessellate(seeds, size, weights)
