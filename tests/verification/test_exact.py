"""Exact problems crossed with boundary conditions, spacings and discretisations."""

import numpy as np
import pytest
from exact_problems import (
    ANISOTROPIC,
    FIELDS,
    ISOTROPIC,
    LATTICES,
    SPHERES,
    checkerboard,
    checkerboard_of_voids,
    grains_at,
    positive_tensor,
    sphere_octant,
    tensor_laminate,
)
from scipy.spatial.transform import Rotation

import multiscale as ms


def miss(found, expected):
    """Largest error relative to the largest entry."""
    return np.abs(found - expected).max() / np.abs(expected).max()


def as_tensors(field):
    """Give each voxel its coefficient times the unit tensor, for the tensor elements."""
    return field[..., None, None] * np.eye(field.ndim)


def by_name(problem):
    return problem.name


@pytest.mark.parametrize("problem", FIELDS, ids=by_name)
@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC], ids=["cubes", "slabs"])
class TestFields:
    """Problems that the voxels hold exactly."""

    def test_finite_volumes(self, problem, boundary, spacing):
        h = np.array(spacing[: problem.dimension]) * 1e-9
        result = ms.effective_diffusivity(problem.field, spacing=h, boundary=boundary, rtol=1e-11)
        assert miss(result.tensor, problem.tensor) <= problem.error
        assert miss(result.flux_tensor, problem.tensor) <= problem.error
        conducts = np.diag(problem.tensor) > 0
        assert result.percolates == tuple(conducts)
        assert (result.tensor[~conducts] == 0.0).all()
        assert result.flux_imbalance <= 1e-11

    def test_tensor_elements(self, problem, boundary, spacing):
        if problem.name.startswith("channels"):
            pytest.skip("elements join voxels that meet at a corner: another problem")
        h = np.array(spacing[: problem.dimension]) * 1e-9
        result = ms.effective_diffusivity(
            as_tensors(problem.field), spacing=h, boundary=boundary, rtol=1e-11
        )
        assert miss(result.tensor, problem.tensor) <= problem.error
        conducts = np.diag(problem.tensor) > 0
        assert result.percolates == tuple(conducts)
        assert (result.tensor[~conducts] == 0.0).all()


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
class TestNothingPercolates:
    def test_corners_do_not_conduct(self, dimension, boundary):
        problem = checkerboard_of_voids(dimension)
        result = ms.effective_diffusivity(problem.field, spacing=1e-9, boundary=boundary)
        assert (result.tensor == 0.0).all()
        assert (result.flux_tensor == 0.0).all()
        assert result.status == ("not percolating",) * dimension
        assert result.iterations == 0

    def test_all_zero(self, dimension, boundary):
        field = np.zeros((4, 5, 3)[:dimension])
        result = ms.effective_diffusivity(field, spacing=1e-9, boundary=boundary)
        assert (result.tensor == 0.0).all()
        assert not any(result.percolates)

    def test_islands_change_no_digit(self, dimension, boundary):
        rng = np.random.default_rng(4)
        field = np.zeros((12, 12, 5)[:dimension])
        inside = (slice(3, 9), slice(9, 11), slice(1, 3))[:dimension]
        field[:, 2:7] = rng.uniform(1, 10, field[:, 2:7].shape)
        without = ms.effective_diffusivity(field, spacing=1.0, boundary=boundary)
        field[inside] = 1e3  # an island, parted by zeros
        field[(5, 8, 1)[:dimension]] = 1e-3
        with_island = ms.effective_diffusivity(field, spacing=1.0, boundary=boundary)
        assert (with_island.tensor == without.tensor).all()
        assert with_island.iterations == without.iterations


class TestWinding:
    """A channel that closes on itself only after a turn around another axis."""

    def test_diagonal_channel(self):
        n = 6
        field = np.zeros((n, n))
        for i in range(n):
            field[i, i] = field[i, (i + 1) % n] = 1.0  # a staircase from corner to corner
        result = ms.effective_diffusivity(field, spacing=1.0)
        # a drop of n over 2 n links in series, one crossing of every plane of length n
        assert miss(result.tensor, np.full((2, 2), 1 / (2 * n))) < 1e-10
        assert result.percolates == (True, True)


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC], ids=["cubes", "slabs"])
class TestTensorElements:
    def test_uniform_tensor(self, dimension, spacing):
        tensor = positive_tensor(dimension, 5)
        field = np.broadcast_to(tensor, (5, 4, 6)[:dimension] + tensor.shape)
        result = ms.effective_diffusivity(field, spacing=spacing[:dimension], rtol=1e-11)
        assert miss(result.tensor, tensor) < 1e-10

    @pytest.mark.parametrize("thickness", [(1, 1), (3, 1)])
    def test_laminate_of_tensors(self, dimension, spacing, thickness):
        first, second = positive_tensor(dimension, 1), 7 * positive_tensor(dimension, 2)
        for axis in range(dimension):
            layers = np.array([first] * thickness[0] + [second] * thickness[1])
            shape = [3] * dimension
            shape[axis] = len(layers)
            order = [1] * dimension
            order[axis] = len(layers)
            column = layers.reshape(*order, dimension, dimension)
            field = np.broadcast_to(column, (*shape, dimension, dimension))
            result = ms.effective_diffusivity(field, spacing=spacing[:dimension], rtol=1e-11)
            expected = tensor_laminate(first, second, thickness[0] / len(layers), axis)
            assert miss(result.tensor, expected) < 1e-9

    def test_crystal_in_any_orientation(self, dimension, spacing):
        """One crystal in one orientation comes back as R K Rᵀ."""
        size = np.array(spacing[:dimension])
        for seed in range(3):
            if dimension == 3:
                turn = Rotation.random(rng=np.random.default_rng(seed))
            else:
                turn = Rotation.from_euler("z", [0.3, 1.2, 2.5][seed])
            base = grains_at(np.random.default_rng(seed).random((5, dimension)) * size, size)
            quaternion = np.roll(turn.as_quat(), 1)  # w first
            crystal = ms.Polycrystal(
                base.seeds,
                base.weights,
                base.size,
                True,
                base.phases,
                base.phase_names,
                np.tile(quaternion, (base.grains, 1)),
            )
            tensor = np.diag([3e-12, 1e-12, 0.2e-12]) if dimension == 3 else np.diag([3.0, 0.5])
            matrix = turn.as_matrix()[:dimension, :dimension]
            result = ms.effective_diffusivity(
                crystal, cells=(6, 5, 7)[:dimension], phases={"A": tensor}, rtol=1e-11
            )
            assert miss(result.tensor, matrix @ tensor @ matrix.T) < 1e-8


class TestCheckerboard:
    """√(k1 k2) in two dimensions, approached at the order of the corners."""

    SIZES = (8, 16, 32, 64)

    def series(self, problem, elements):
        fields = [problem.field(n) for n in self.SIZES]
        if elements:
            fields = [as_tensors(field) for field in fields]
        return np.array(
            [ms.effective_diffusivity(f, spacing=1.0, rtol=1e-9).tensor[0, 0] for f in fields]
        )

    @pytest.mark.parametrize("elements", [False, True], ids=["volumes", "elements"])
    @pytest.mark.parametrize(("contrast", "finest"), [(2.0, 2e-4), (10.0, 0.026)])
    def test_order(self, contrast, finest, elements):
        """Measured: 1.57 wanted, 1.55 found; 0.78 wanted, 0.77 (0.79) found."""
        problem = checkerboard(contrast)
        error = np.abs(self.series(problem, elements) / problem.value - 1)
        order = np.log2(error[:-1] / error[1:])
        assert error[-1] < finest
        assert abs(order[-1] - problem.order) < 0.03

    @pytest.mark.parametrize("elements", [False, True], ids=["volumes", "elements"])
    @pytest.mark.parametrize(("contrast", "bound"), [(2.0, 1e-5), (10.0, 2e-3)])
    def test_extrapolated(self, contrast, bound, elements):
        problem = checkerboard(contrast)
        value = self.series(problem, elements)
        factor = 2**problem.order
        assert abs((factor * value[-1] - value[-2]) / (factor - 1) / problem.value - 1) < bound

    def test_volumes_from_below_elements_from_above(self):
        problem = checkerboard(10.0)
        assert (self.series(problem, False) < problem.value).all()
        assert (self.series(problem, True) > problem.value).all()


class TestSphereArrays:
    def octant(self, array, k, n, boundary="dirichlet"):
        field = sphere_octant(array, k, n)
        if boundary == "periodic":
            for axis in range(3):
                field = np.concatenate([field, np.flip(field, axis)], axis)
        return ms.effective_diffusivity(field, spacing=1.0, boundary=boundary, rtol=1e-6)

    @pytest.mark.parametrize("array", LATTICES)
    def test_octant_is_the_periodic_cell(self, array):
        walls = self.octant(array, 10.0, 6).tensor
        periodic = self.octant(array, 10.0, 6, "periodic").tensor
        assert miss(walls, periodic) < 1e-6
        assert miss(walls, walls[0, 0] * np.eye(3)) < 1e-6

    @pytest.mark.parametrize("array", LATTICES)
    @pytest.mark.parametrize(
        ("k", "low", "high"),
        [
            (1e6, 0.0, 0.02),
            (100, 0.0, 0.02),
            (10, -0.001, 0.008),
            (0.1, -0.027, -0.008),
            (0, -0.045, -0.015),
        ],
    )
    def test_error_at_48_voxels(self, array, k, low, high):
        """Measured at 48³: +1.0 … +1.8, +0.8 … +1.6, +0.1 … +0.6, −1.1 … −2.5, −1.7 … −4.3 %.

        k = 1e6 stands for ∞. Arithmetic instead of harmonic means give +8 … +14, +7 … +13 and
        +3 … +6 % above one, and −0.4 … 0 and −0.3 … −1.0 % below one.
        """
        result = self.octant(array, k, 24)
        assert low < result.tensor[0, 0] / SPHERES[array][1][k] - 1 < high
        assert result.iterations <= 20

    @pytest.mark.slow
    @pytest.mark.parametrize("array", LATTICES)
    @pytest.mark.parametrize("k", [1e6, 100, 10, 0.1, 0])
    def test_extrapolated_from_96_voxels(self, array, k):
        """A straight line in the voxel edge, 48³ … 96³; measured −0.7 … +0.5 %.

        The staircase of the spheres, not the scheme, scatters about the line.
        """
        sizes = np.array([24, 32, 40, 48])
        found = [self.octant(array, k, n).tensor[0, 0] for n in sizes]
        limit = np.polyfit(1 / sizes, found, 1)[1]
        assert abs(limit / SPHERES[array][1][k] - 1) < 0.008
        assert abs(found[-1] / SPHERES[array][1][k] - 1) < 0.022
