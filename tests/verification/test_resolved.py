"""The reference for films of real thickness, against what is known exactly."""

import numpy as np
import pytest
from exact_problems import bricks, diamonds, grains_at, honeycomb, tensor_laminate, wiener_means
from resolved import film_width, resolved_2d, resolved_grid
from resolved_cases import build, compute, load
from resolved_grid import film_voxels
from resolved_mesh import areas, triangulate

import multiscale as ms
from multiscale.microstructure import Polycrystal

ONE = {"A": 1.0}


def film(width, across, along=None):
    along = across if along is None else along
    return {"A|A": ms.Boundary(width=width, across=across, along=along)}


def random(grains=8, seed=1, **other):
    size = (np.sqrt(grains),) * 2
    return ms.polycrystal(grains, size, {"A": 1.0}, seed, **other)


def two_phases(crystal, phases, orientations=None):
    turned = crystal.orientations if orientations is None else orientations
    return Polycrystal(
        crystal.seeds, crystal.weights, crystal.size, True, phases, ("A", "B"), turned
    )


def within(bounds, expected, slack=1e-10):
    """No direction lies outside the bounds."""
    above = np.linalg.eigvalsh(bounds.upper - expected)
    below = np.linalg.eigvalsh(expected - bounds.lower)
    return min(above.min(), below.min()) > -slack * np.abs(expected).max()


class TestMesh:
    @pytest.mark.parametrize("width", [0.005, 0.05, 0.5, 3.0])
    @pytest.mark.parametrize("seed", range(4))
    def test_refines_any_films(self, seed, width):
        """Films wider than facets and grains too; areas and conformity survive."""
        crystal = random(16, seed, grain_size_cv=0.4 if seed % 2 else None)
        mesh = triangulate(crystal, width)
        film_share = areas(mesh.points)[mesh.facet >= 0].sum()
        for _ in range(4):
            mesh = mesh.refined(np.arange(seed, len(mesh.corner), 5))
        area = areas(mesh.points)
        assert (np.bincount(mesh.edges()[0].ravel()) == 2).all()
        assert area.min() > 0
        assert area.sum() == pytest.approx(16, rel=1e-12)
        assert area[mesh.facet >= 0].sum() == pytest.approx(film_share, rel=1e-12)

    def test_voxels_are_the_same_films(self):
        crystal = random()
        mesh = triangulate(crystal, 0.1)
        area = areas(mesh.points)
        inside = mesh.facet >= 0
        facets = len(crystal.tessellation.facets)
        expected = np.bincount(mesh.facet[inside], area[inside], minlength=facets) / area.sum()
        labels, facet = film_voxels(crystal, 0.1, (400, 400))
        found = np.bincount(facet[facet >= 0], minlength=facets) / facet.size
        assert found == pytest.approx(expected, abs=5e-4)
        owners = np.column_stack(
            [crystal.tessellation.facets.first, crystal.tessellation.facets.second]
        )
        assert (owners[facet] == labels[..., None]).any(axis=-1)[facet >= 0].all()

    def test_voxels_in_3d(self):
        _, facet = film_voxels(bricks((1.0, 1.0, 1.0)).crystal, 0.2, (20, 20, 20))
        assert (facet >= 0).mean() == pytest.approx(1 - 0.8**3, rel=1e-12)

    def test_one_thickness(self):
        with pytest.raises(ValueError, match="one thickness"):
            film_width(film(0.1, 1.0) | {"A|B": ms.Boundary(width=0.2, across=1.0, along=1.0)})


class TestExact:
    def test_films_like_the_bulk(self):
        found = resolved_2d(random(), ONE, film(0.05, 1.0))
        assert np.abs(found.tensor - np.eye(2)).max() < 1e-12
        assert found.relative_error < 1e-12

    @pytest.mark.parametrize("dimension", [2, 3])
    def test_films_like_the_bulk_on_voxels(self, dimension):
        crystal = ms.polycrystal(5, (1.0,) * dimension, {"A": 1.0}, 0)
        found = resolved_grid(crystal, ONE, film(0.1, 1.0), (6, 8, 10))
        assert np.abs(found.tensor - np.eye(dimension)).max() < 1e-9

    def test_laminate(self):
        layers = two_phases(grains_at([(0.5, 0.5), (1.5, 0.5)], (2, 1)), [0, 1])
        found = resolved_2d(layers, {"A": 1.0, "B": 0.01}, None)
        assert found.tensor == pytest.approx(
            np.diag(wiener_means((1, 0.01), (0.5, 0.5))), rel=1e-12
        )
        assert found.relative_error < 1e-12

    def test_laminate_of_turned_crystals(self):
        half = np.deg2rad(25) / 2
        layers = two_phases(
            grains_at([(0.5, 0.5), (1.5, 0.5)], (2, 1)),
            [0, 1],
            [(np.cos(half), 0, 0, np.sin(half)), (np.cos(half), 0, 0, -np.sin(half))],
        )
        k = np.diag([1.0, 0.05])
        turn = np.array(
            [(np.cos(2 * half), -np.sin(2 * half)), (np.sin(2 * half), np.cos(2 * half))]
        )
        expected = tensor_laminate(turn @ k @ turn.T, turn.T @ k @ turn, 0.5, 0)
        found = resolved_2d(layers, {"A": k, "B": k}, None)
        assert found.tensor == pytest.approx(expected, rel=1e-11, abs=1e-12)

    @pytest.mark.parametrize("contrast", [10.0, 30.0])
    def test_checkerboard(self, contrast):
        """√(k1 k2), at corners as sharp as they come."""
        squares = two_phases(bricks((1.0, 1.0)).crystal, [0, 1, 1, 0])
        found = resolved_2d(squares, {"A": contrast, "B": 1.0}, None, rtol=1e-3)
        assert within(found, np.sqrt(contrast) * np.eye(2))
        assert found.relative_error < 1e-3
        assert found.tensor == pytest.approx(np.sqrt(contrast) * np.eye(2), rel=1e-4, abs=1e-3)

    @pytest.mark.parametrize(
        "shape",
        [bricks((1.0, 0.6)), diamonds(), honeycomb()],
        ids=["bricks", "diamonds", "honeycomb"],
    )
    @pytest.mark.parametrize(("resistance", "sheet"), [(1.0, 0.0), (0.0, 1.0)])
    def test_networks(self, shape, resistance, sheet):
        """Closed forms of thin films that work one way only.

        Where a sheet of fixed G ends or turns its current spreads over the thickness in a
        length δ √(K∥/K⊥) ~ √δ, and so the limit is approached.
        """
        if shape.name == "honeycomb" and resistance:
            pytest.skip("no closed form")
        expected = np.diag(shape.value(resistance, sheet))
        miss = []
        for width in (0.01, 0.005):
            films = film(width, 1 / (1 + resistance / width), 1 + sheet / width)
            found = resolved_2d(shape.crystal, ONE, films, rtol=5e-4)
            miss.append(np.diag(found.tensor) / expected - 1)
        assert np.abs(miss[1]).max() < 0.03
        assert miss[0] / miss[1] == pytest.approx(np.sqrt(2), abs=0.1)


class TestBounds:
    @pytest.mark.parametrize(("across", "along"), [(1e-3, 1e-3), (0.1, 10.0)])
    def test_coarse_contain_fine(self, across, along):
        coarse, fine = (
            resolved_2d(random(), ONE, film(0.05, across, along), rtol=rtol)
            for rtol in (0.02, 1e-3)
        )
        assert within(coarse, fine.lower, slack=1e-9)
        assert within(coarse, fine.upper, slack=1e-9)
        assert (np.abs(coarse.tensor - fine.tensor) < coarse.error + fine.error).all()

    def test_duality(self):
        """K* of 1/c is K*(c)/det K*(c); of tensors, with K⊥ and K∥ exchanged."""
        crystal = random()
        for across, along in ((0.01, 0.01), (0.1, 5.0)):
            one = resolved_2d(crystal, ONE, film(0.05, across, along), rtol=5e-4).tensor
            two = resolved_2d(crystal, ONE, film(0.05, 1 / along, 1 / across), rtol=5e-4).tensor
            assert two == pytest.approx(one / np.linalg.det(one), rel=1e-3, abs=1e-3 * two[0, 0])

    def test_blocking_is_refused(self):
        with pytest.raises(ValueError, match="positive"):
            resolved_2d(random(), ONE, film(0.05, 0.0))


class TestVoxels:
    @pytest.mark.parametrize(
        ("bulk", "coefficient", "parts"),
        [
            (1.0, 0.1, None),
            (1.0, 10.0, 3),
            (np.diag([1.0, 0.1]), 0.1, 3),
            (np.diag([1.0, 0.1]), 10.0, None),
        ],
        ids=["plain", "layered", "layered-tensor", "plain-tensor"],
    )
    def test_agree_with_the_bounds(self, bulk, coefficient, parts):
        crystal, phases = random(), {"A": bulk}
        films = film(0.08, coefficient)
        exact = resolved_2d(crystal, phases, films, rtol=1e-4)
        grids = (144, 192, 256, 336) if parts is None else (56, 72, 96, 128)
        found = resolved_grid(crystal, phases, films, grids, parts=parts)
        assert (np.abs(found.tensor - exact.tensor) < found.error + exact.error).all()
        assert found.tensor == pytest.approx(exact.tensor, abs=0.006 * exact.tensor[0, 0])


class TestStored:
    def test_crystals_are_the_same(self):
        for entry in load():
            build(entry)

    def test_one_again(self):
        entry = next(e for e in load() if e["name"] == "2d one w0.05 c10 s1")
        again = compute(entry)
        assert (np.abs(again["tensor"] - entry["tensor"]) < 1e-8).all()
