"""Label images on cut cells: exact laminates, known tensors of polycrystals, refusals."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import InputError, PropertyError
from multiscale.transport.cut_cells import facet_films
from multiscale.transport.cut_image import cut_image, image_facets

FILM = {"A|A": ms.Boundary(width=0.02, across=0.01, along=0.01)}


def solve(labels, boundaries, *, spacing=1.0, phases=None, named=None, boundary="periodic"):
    image = ms.label_image(
        labels, spacing, phases=named or dict.fromkeys(np.unique(labels).tolist(), "A"),
        periodic=boundary == "periodic",
    )  # fmt: skip
    return ms.effective_diffusivity(
        image, phases=phases or {"A": 1.0}, boundaries=boundaries, scheme="cut-cells",
        boundary=boundary,
    )  # fmt: skip


def layers(cells, thick, axis=0):
    index = np.arange(cells[axis]) // thick
    shape = [1] * len(cells)
    shape[axis] = cells[axis]
    return np.broadcast_to(index.reshape(shape), cells)


def voronoi(seed, voxels):
    crystal = ms.polycrystal(grains=16, size=[4.0, 4.0], phases={"A": 1.0}, seed=seed)
    return crystal, crystal.labels((4 * voxels, 4 * voxels))


@pytest.mark.parametrize("cells", [(12, 7), (12, 6, 6)])
@pytest.mark.parametrize("film", [(0.02, 0.01, 0.01), (0.02, 50.0, 50.0), (0.02, 0.2, 3.0)])
def test_laminates_along_the_faces_are_exact(cells, film):
    width, across, along = film
    found = solve(layers(cells, 4), {"A|A": ms.Boundary(width=width, across=across, along=along)})
    share = width / 4
    normal = 1 / (1 - share + share / across)
    wanted = np.diag([normal] + [1 - share + share * along] * (len(cells) - 1))
    np.testing.assert_allclose(found.tensor, wanted, rtol=1e-7, atol=1e-9)


def test_thin_layers_between_electrodes_are_exact():
    found = solve(layers((9, 6), 3), FILM, boundary="dirichlet")
    share = 0.04 / 9
    np.testing.assert_allclose(found.tensor[0, 0], 1 / (1 - share + share / 0.01), rtol=1e-7)


def test_an_image_of_one_grain_is_its_bulk():
    found = solve(np.zeros((8, 8), int), FILM)
    np.testing.assert_allclose(found.tensor, np.eye(2), atol=1e-9)


@pytest.mark.parametrize("across", [None, 1.0])
def test_boundaries_like_the_bulk_change_nothing(across):
    labels = voronoi(3, 8)[1]
    film = ms.Boundary(width=0.02, across=1.0, along=1.0)
    found = solve(labels, None if across is None else {"A|A": film}, spacing=1 / 8)
    np.testing.assert_allclose(found.tensor, np.eye(2), atol=1e-9)


def test_fragments_fill_every_voxel():
    crystal = ms.polycrystal(grains=8, size=[2.0, 2.0, 2.0], phases={"A": 1.0}, seed=4)
    labels = crystal.labels((8, 8, 8))
    facets = image_facets(labels, np.full(3, 1 / 4), periodic=True)
    sides = facets.sides(8)
    none = facet_films(sides, np.zeros((8, 3, 3)), None, sides.facet, np.full(3, 1 / 4))
    grid = cut_image(facets, sides, none.shift, np.ones(8, bool), periodic=True)
    filled = np.add.reduceat(grid.volume, grid.start[:-1])
    np.testing.assert_allclose(filled, 1.0, atol=1e-9)


def test_boundary_area_is_not_biased():
    error = []
    for seed in range(31, 39):
        crystal, labels = voronoi(seed, 8)
        area = image_facets(labels, np.full(2, 1 / 8), periodic=True).pieces.area.sum()
        error.append(area / crystal.tessellation.facets.area.sum() - 1)
    assert abs(np.mean(error)) < 0.01


@pytest.mark.parametrize(("voxels", "bound"), [(8, 0.05), (16, 0.03)])
@pytest.mark.parametrize("film", [1e-4, 0.1, 10.0, 1e4])
def test_polycrystals_agree_with_their_tessellation(voxels, bound, film):
    crystal, labels = voronoi(5, voxels)
    boundaries = {"A|A": ms.Boundary(width=0.02, across=film, along=film)}
    wanted = ms.effective_diffusivity(
        crystal, cells=(64, 64), phases={"A": 1.0}, boundaries=boundaries, scheme="cut-cells"
    ).tensor
    found = solve(labels, boundaries, spacing=1 / voxels).tensor
    assert abs(np.trace(found) / np.trace(wanted) - 1) < bound


def test_images_refuse_other_cells_and_tensors():
    image = ms.label_image(layers((8, 8), 4), 1.0, phases=["A", "A"], periodic=True)
    with pytest.raises(InputError, match="cells: expected the image's own"):
        ms.effective_diffusivity(
            image, cells=(16, 16), phases={"A": 1.0}, boundaries=FILM, scheme="cut-cells"
        )
    with pytest.raises(PropertyError, match="an image without orientations"):
        ms.effective_diffusivity(
            image, phases={"A": np.diag([1.0, 2.0])}, boundaries=FILM, scheme="cut-cells"
        )
