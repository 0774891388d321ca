"""Clipped cubes against closed forms and hulls; cut grids against the exact tessellation."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial import ConvexHull, HalfspaceIntersection

import multiscale as ms
from multiscale.microstructure import Polycrystal
from multiscale.transport.boundary_model import films as table_of
from multiscale.transport.cut_cells import facet_films
from multiscale.transport.cut_crystal import cut_problem
from multiscale.transport.cut_grid import polygon_area, sides_of
from multiscale.transport.polyhedra import (
    MOST_CORNERS,
    MOST_FACES,
    clip,
    clip_tagged,
    cube,
    moments,
    plane_polygon,
)

CENTRE = np.full(3, 0.5)


def moments_of(planes):
    """Moments of the unit cube below all planes (normal, level)."""
    vert, count = np.zeros((MOST_FACES, MOST_CORNERS, 3)), np.zeros(MOST_FACES, np.int64)
    cap, scratch = np.zeros((4 * MOST_CORNERS, 3)), np.zeros((2 * MOST_CORNERS, 3))
    faces = cube(vert, count)
    for normal, level in planes:
        if faces:
            faces = clip(vert, count, faces, np.array(normal, float), float(level), cap, scratch)
    found = np.zeros((3, 3, 3))
    moments(vert, count, faces, found)
    return found


def simplex(edges):
    """Of x, y, z ≥ 0, x/a + y/b + z/c ≤ 1: ∫ x^i y^j z^k (Dirichlet)."""
    found = np.zeros((3, 3, 3))
    for powers in np.ndindex(3, 3, 3):
        ones = math.prod(
            math.factorial(p) * e ** (p + 1) for p, e in zip(powers, edges, strict=True)
        )
        found[powers] = ones / math.factorial(sum(powers) + 3)
    return found


EXACT = np.array([sum(powers) <= 5 for powers in np.ndindex(3, 3, 3)]).reshape(3, 3, 3)
"""Moments the quadrature integrates exactly."""


class TestMoments:
    def test_whole_cube(self):
        share = 1 / np.arange(1, 4)
        expected = np.einsum("i,j,k->ijk", share, share, share)
        assert np.abs(moments_of([]) - expected)[EXACT].max() < 1e-14

    @pytest.mark.parametrize("edges", [(1, 1, 1), (0.3, 0.9, 0.5), (1e-3, 1, 1e-2)], ids=str)
    def test_corner(self, edges):
        found = moments_of([(1 / np.array(edges), 1.0)])
        expected = simplex(edges)
        assert np.abs(found / expected - 1)[EXACT].max() < 1e-11

    def test_box(self):
        low, high = (0.2, 0.0, 0.5), (0.7, 0.3, 0.9)
        planes = [(np.eye(3)[a], high[a]) for a in range(3)]
        planes += [(-np.eye(3)[a], -low[a]) for a in range(3)]
        ends = [
            [(h ** (p + 1) - q ** (p + 1)) / (p + 1) for p in range(3)]
            for q, h in zip(low, high, strict=True)
        ]
        assert np.abs(moments_of(planes) - np.einsum("i,j,k->ijk", *ends))[EXACT].max() < 1e-14

    @pytest.mark.parametrize("level", [-1e-3, 0.0])
    def test_nothing_left(self, level):
        assert (moments_of([((1.0, 2.0, 0.5), level)]) == 0).all()

    def test_untouched(self):
        assert (moments_of([((1.0, 1.0, 1.0), 3.0)]) == moments_of([])).all()


def halfspaces(count):
    """Planes that keep a ball about the centre."""
    direction = arrays(float, (count, 3), elements=st.floats(-1, 1).map(lambda x: round(x, 4)))
    away = arrays(float, count, elements=st.floats(0.01, 0.8))
    return st.tuples(direction.filter(lambda v: (np.linalg.norm(v, axis=1) > 0.1).all()), away)


def planes_of(drawn):
    normals = drawn[0] / np.linalg.norm(drawn[0], axis=1)[:, None]
    return [(n, n @ CENTRE + away) for n, away in zip(normals, drawn[1], strict=True)]


def hull(planes):
    faces = [(*n, -level) for n, level in planes]
    faces += [(*e, -1.0) for e in np.eye(3)] + [(*-e, 0.0) for e in np.eye(3)]
    return ConvexHull(HalfspaceIntersection(np.array(faces), CENTRE).intersections)


class TestClipping:
    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(halfspaces(6))
    def test_volume_of_the_hull(self, drawn):
        planes = planes_of(drawn)
        assert moments_of(planes)[0, 0, 0] == pytest.approx(hull(planes).volume, abs=1e-9)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(halfspaces(6), st.permutations(range(6)))
    def test_order_does_not_matter(self, drawn, order):
        planes = planes_of(drawn)
        other = [planes[i] for i in order]
        assert np.abs((moments_of(planes) - moments_of(other))[EXACT]).max() < 1e-9

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(halfspaces(4))
    def test_parts_add_up(self, drawn):
        """What a plane keeps and what its other side keeps."""
        *planes, (normal, level) = planes_of(drawn)
        one, two = (moments_of([*planes, (s * normal, s * level)]) for s in (1, -1))
        assert np.abs((one + two - moments_of(planes))[EXACT]).max() < 1e-9

    def test_length_of_the_normal_is_free(self):
        normal, level = np.array([0.3, -0.2, 0.7]), 0.35
        one, two = (moments_of([(f * normal, f * level)]) for f in (1.0, 1e-3))
        assert np.abs(one - two).max() < 1e-13

    @settings(max_examples=20, deadline=None, derandomize=True)
    @given(halfspaces(3))
    def test_first_moments_by_points(self, drawn):
        """Half-spaces beside 64³ midpoints."""
        planes, x = planes_of(drawn), (np.arange(64) + 0.5) / 64
        place = np.stack(np.meshgrid(x, x, x, indexing="ij"), -1)
        inside = np.all([place @ n <= level for n, level in planes], axis=0)
        found = moments_of(planes)
        assert found[0, 0, 0] == pytest.approx(inside.mean(), abs=0.02)
        for a in range(3):
            at = tuple(np.eye(3, dtype=int)[a])
            assert found[at] == pytest.approx((inside * place[..., a]).mean(), abs=0.02)


def area_of(normal, level):
    points = np.zeros((2 * MOST_CORNERS, 3))
    normal = np.array(normal, float)
    norm = np.linalg.norm(normal)
    corners = plane_polygon(normal / norm, level / norm, points)
    return polygon_area(points, corners, np.ones(3)) if corners else 0.0


class TestPlanePolygon:
    @pytest.mark.parametrize(
        ("normal", "level", "area"),
        [
            ((1, 0, 0), 0.3, 1.0),
            ((0, -1, 0), -0.3, 1.0),
            ((0, 0, 1), 0.0, 1.0),
            ((0, 0, 1), 1.0, 0.0),  # belongs to the next cube
            ((1, 0, 0), 1.2, 0.0),
            ((1, 1, 0), 1.0, math.sqrt(2)),
            ((1, 1, 0), 0.5, math.sqrt(0.5)),
            ((1, 1, 1), 1.0, math.sqrt(3) / 2),
            ((1, 1, 1), 1.5, 0.75 * math.sqrt(3)),
            ((1, -1, 0), 0.0, math.sqrt(2)),
            ((1, 1, 1), -0.1, 0.0),
            ((1, 2, 3), 0.5, math.sqrt(14) / 12 * 0.25),
        ],
        ids=str,
    )
    def test_area(self, normal, level, area):
        assert area_of(normal, level) == pytest.approx(area, abs=1e-9)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(halfspaces(1))
    def test_derivative_of_the_volume(self, drawn):
        """dV/d level is the area."""
        ((normal, level),) = planes_of(drawn)
        assume(np.sort(np.abs(normal))[1] > 0.02)  # else the area jumps at a face
        step = 1e-5
        below, above = (moments_of([(normal, level + s)])[0, 0, 0] for s in (-step, step))
        assert area_of(normal, level) == pytest.approx((above - below) / (2 * step), abs=2e-3)

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(halfspaces(5), st.permutations(range(1, 5)))
    def test_clipped_pieces(self, drawn, order):
        """The order of the cuts changes neither area nor what the marks say."""
        planes = planes_of(drawn)
        found = []
        for turn in (range(1, 5), order):
            points, spare = np.zeros((2, 2 * MOST_CORNERS, 3))
            tags, spare_tags = np.full((2, 2 * MOST_CORNERS), -1)
            corners = plane_polygon(*planes[0], points)
            for tag in turn:
                corners = clip_tagged(points, tags, corners, *planes[tag], tag, spare, spare_tags)
                points, spare, tags, spare_tags = spare, points, spare_tags, tags
            found.append(polygon_area(points, corners, np.ones(3)) if corners else 0.0)
            for c in range(corners):
                if tags[c] >= 0:
                    normal, level = planes[tags[c]]
                    middle = (points[c] + points[(c + 1) % corners]) / 2
                    assert abs(middle @ normal - level) < 1e-8
        assert found[0] == pytest.approx(found[1], abs=1e-9)


def crystal_of(grains, size, seed, *, weights=False, periodic=True):
    """Seeds at random, with weights of Laguerre cells where asked."""
    rng = np.random.default_rng(seed)
    size = np.asarray(size, float)
    mean = (size.prod() / grains) ** (1 / size.size)
    return Polycrystal(
        rng.uniform(size=(grains, size.size)) * size,
        rng.uniform(0, 0.15, grains) * mean**2 if weights else np.zeros(grains),
        size,
        periodic,
        np.zeros(grains, int),
        ("A",),
        np.tile([1.0, 0, 0, 0], (grains, 1)),
    )


CRYSTALS = {
    "2d": (crystal_of(12, (1.0, 1.3), 1), (20, 26)),
    "2d-odd": (crystal_of(12, (1.0, 1.0), 2), (19, 23)),
    "2d-weights-anisotropic": (crystal_of(12, (1.0, 3.0), 3, weights=True), (31, 17)),
    "2d-walls": (crystal_of(10, (1.0, 1.0), 4, periodic=False), (17, 20)),
    "2d-one-grain": (crystal_of(1, (1.0, 1.0), 5), (7, 8)),
    "2d-two-grains": (crystal_of(2, (1.0, 0.7), 6), (11, 9)),
    "2d-small-unit": (crystal_of(9, (1e-7, 1e-7), 7), (13, 16)),
    "3d": (crystal_of(8, (1.0, 1.0, 1.0), 1), (9, 10, 8)),
    "3d-weights-prime": (crystal_of(9, (1.0, 1.2, 0.8), 2, weights=True), (7, 13, 11)),
    "3d-walls": (crystal_of(6, (1.0, 1.0, 1.0), 3, periodic=False), (7, 8, 9)),
    "3d-one-grain": (crystal_of(1, (1.0, 1.0, 1.0), 4), (6, 7, 8)),
    "3d-two-grains": (crystal_of(2, (1.0, 1.0, 0.8), 5), (7, 6, 9)),
}


@pytest.mark.parametrize("name", CRYSTALS)
class TestCutGrid:
    @staticmethod
    def cut(name):
        crystal, cells = CRYSTALS[name]
        values = [np.array(1.0)]
        problem = cut_problem(crystal, cells, values, None, periodic=crystal.periodic)
        return crystal, problem.grid

    def test_fragments_fill_every_voxel(self, name):
        _, grid = self.cut(name)
        voxel = np.repeat(np.arange(grid.start.size - 1), np.diff(grid.start))
        assert np.abs(np.bincount(voxel, grid.volume) - 1).max() < 1e-9

    def test_fragments_make_up_the_grains(self, name):
        crystal, grid = self.cut(name)
        found = np.bincount(grid.grain, grid.volume, crystal.grains) * grid.spacing.prod()
        exact = crystal.tessellation.volumes
        assert np.abs(found - exact).max() < 1e-9 * exact.max()

    def test_pieces_make_up_the_facets(self, name):
        crystal, grid = self.cut(name)
        facets = crystal.tessellation.facets
        sides = sides_of(
            facets.first, facets.second, facets.image, facets.normal,
            (facets.distance_first, facets.distance_second), crystal.grains,
        )  # fmt: skip
        area = np.array(
            [
                polygon_area(grid.corners[low:high], high - low, grid.spacing)
                for low, high in zip(grid.corner_start[:-1], grid.corner_start[1:], strict=True)
            ]
        )
        found = np.bincount(sides.facet[grid.side], area, len(facets))
        assert np.abs(found - facets.area).max() < 1e-9 * facets.area.max()

    def test_drawn_back_grains(self, name):
        """A film of δ takes S δ less what it shares at its edges: at most S δ, and no less than
        nine tenths for films of a hundredth of a grain."""
        crystal, cells = CRYSTALS[name]
        size = (crystal.size.prod() / crystal.grains) ** (1 / crystal.dimension)
        width = 0.01 * size
        films = {"A|A": ms.Boundary(width=width, across=1e-9, along=1.0)}
        grid = cut_problem(crystal, cells, [np.array(1.0)], films, periodic=crystal.periodic).grid
        lost = (1 - grid.volume.sum() / grid.shape.prod()) * crystal.size.prod()
        share = lost / (crystal.tessellation.facets.area.sum() * width)
        assert 0.9 < share < 1 + 1e-6


class TestFacetFilms:
    """What a film leaves to the grain, the crossing and the sheet (module docstring)."""

    @pytest.mark.parametrize("across", [0.01, 0.5, 1.0, 3.0, 100.0])
    @pytest.mark.parametrize("along", [0.01, 0.5, 1.0, 3.0, 100.0])
    def test_nothing_is_lost(self, across, along):
        """Crossing and along a straight film: (δ/2 − s)/K + R = δ/2K⊥, likewise G."""
        crystal = crystal_of(4, (1.0, 1.0), 1)
        films = {"A|A": ms.Boundary(width=0.01, across=across, along=along)}
        found = films_of(crystal, films)
        half, rest = 0.005, 0.005 - found.shift
        assert (found.shift >= 0).all()
        assert (found.shift <= half).all()
        assert np.abs(rest + found.resistance - half / across).max() < 1e-12 * half / across
        assert np.abs(2 * rest + found.sheet - 2 * half * along).max() < 1e-6
        assert (found.resistance >= 0).all()
        assert (found.sheet >= 0).all()


def films_of(crystal, films):
    facets = crystal.tessellation.facets
    sides = sides_of(
        facets.first, facets.second, facets.image, facets.normal,
        (facets.distance_first, facets.distance_second), crystal.grains,
    )  # fmt: skip
    table = table_of(films, crystal.phase_names, [1.0])
    bulk = np.zeros((crystal.grains, 3, 3))
    bulk[:, range(2), range(2)] = 1.0
    return facet_films(sides, bulk, table, np.zeros(sides.own.size, np.int64), np.full(2, 0.05))
