"""The matrix-free solver against a direct one, and what it promises on return."""

import re
import tracemalloc

import numpy as np
import pytest
from direct_solution import effective, links

import multiscale as ms
from multiscale.errors import ConvergenceError, MemoryLimitError
from multiscale.numerics import memory
from multiscale.numerics.checkerboard import Axis
from multiscale.transport import VoxelGeometry, solve_voxels, voxel_solver
from multiscale.transport.cell_problem import solve_dirichlet, solve_periodic
from multiscale.transport.discretisation import assemble, without_network
from multiscale.transport.fields import plain_problem
from multiscale.transport.voxel_solver import needed_memory, solve_field

BOUNDARIES = ("periodic", "dirichlet")
SHAPES = (
    (6, 5, 7),
    (8, 4, 6),
    (2, 2, 2),
    (2, 3, 9),
    (1, 6, 5),
    (6, 1, 5),
    (5, 6, 1),
    (1, 1, 7),
    (7, 1, 1),
    (1, 1, 1),
    (11, 13),
    (16, 8),
    (1, 8),
    (9, 1),
)
SPACING = np.array([1.0, 0.6, 1.7])


def two_phases(shape, second, seed=0):
    """Blocks of up to two voxels, half of them each."""
    small = np.random.default_rng(seed).random([-(-n // 2) for n in shape]) < 0.5
    mask = np.kron(small, np.ones((2,) * len(shape), bool))[tuple(slice(n) for n in shape)]
    return np.where(mask, 1.0, second)


def noise(shape, second, seed=0):
    return np.where(np.random.default_rng(seed).random(shape) < 0.5, 1.0, second)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [0.1, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_tensor_is_that_of_a_direct_solution(shape, second, boundary):
    spacing = SPACING[: len(shape)] * 1e-9
    rtol = 1e-9 if second != 1e-6 else 1e-6  # rounding of a good conductor's fluxes shows
    for field in (two_phases(shape, second, 1), 3e-13 * noise(shape, second, 2)):
        expected = effective(field, spacing, boundary)
        found = solve_field(field, spacing, boundary, rtol=rtol)
        unit = field.max() or 1.0
        flows = expected.diagonal() > 1e-9 * unit
        assert found.axes == tuple(np.flatnonzero(flows))
        assert (found.energy[~flows] == 0).all()
        assert found.energy == pytest.approx(expected, rel=100 * rtol, abs=rtol * unit)
        assert found.flux == pytest.approx(expected, rel=100 * rtol, abs=10 * rtol * unit)
        assert np.array_equal(found.energy, found.energy.T)
        assert found.imbalance.max() <= rtol
        assert found.residual <= rtol


def test_periodic_tensor_has_off_diagonals():
    """Stripes at 45°."""
    i, j = np.indices((12, 12))
    field = np.where((i + j) % 12 < 6, 1.0, 0.01)
    found = solve_field(field, np.ones(2), "periodic", rtol=1e-9)
    assert found.energy == pytest.approx(effective(field, np.ones(2), "periodic"), rel=1e-8)
    assert found.energy[0, 1] < -0.1
    assert solve_field(field, np.ones(2), "dirichlet", rtol=1e-9).energy[0, 1] == 0.0


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(6, 5, 7), (11, 13), (5, 6, 1)], ids=str)
@pytest.mark.parametrize("second", [0.05, 0.0])
def test_given_conductances(shape, second, boundary):
    """Films that resist, stronger and weaker than the voxels beside them."""
    spacing = SPACING[: len(shape)]
    field = two_phases(shape, second, 3)
    field[0], field[:, 0] = 1.0, 1.0
    through = 10 ** np.random.default_rng(4).uniform(-2, 0.3, (len(shape), *shape))
    expected = effective(field, spacing, boundary, through)
    found = solve_field(field, spacing, boundary, rtol=1e-9, through=through)
    assert found.energy == pytest.approx(expected, rel=1e-7, abs=1e-9)
    assert not np.allclose(expected, effective(field, spacing, boundary), rtol=1e-2)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("second", [0.2, 1e-4])
class TestAgainstTheNetwork:
    """The graph solver's answer to the same problem."""

    def agree(self, problem, boundary):
        found = solve_voxels(problem, boundary=boundary, rtol=1e-9)
        assert found.field is not None
        assert found.runs == ()
        tensor = np.zeros((problem.dimension,) * 2)
        if boundary == "periodic":
            graph = assemble(problem).graph
            tensor = solve_periodic(graph, rtol=1e-9, max_iterations=500).energy
        else:
            for axis in range(problem.dimension):
                graph = assemble(problem.walled(), electrodes=axis).graph
                tensor += solve_dirichlet(graph, axis, rtol=1e-9, max_iterations=500).energy
        assert found.result.tensor == pytest.approx(tensor, rel=1e-6, abs=1e-8 * tensor.max())
        assert found.result.percolates == (True,) * problem.dimension

    def geometry(self, dimension):
        crystal = ms.polycrystal(9, (1.0,) * dimension, {"A": 0.5, "B": 0.5}, 11)
        return VoxelGeometry.of(crystal, (21, 18) if dimension == 2 else (9, 8, 7))

    def test_bare(self, dimension, second, boundary):
        self.agree(self.geometry(dimension).problem([1.0, second], None), boundary)

    def test_resisting_films(self, dimension, second, boundary):
        film = ms.Boundary(width=0.02, across=1e-5, along=1e-5)
        films = dict.fromkeys(("A|A", "A|B", "B|B"), film)
        problem = self.geometry(dimension).problem([1.0, second], films)
        assert without_network(problem, boundary == "periodic")[0]
        self.agree(problem, boundary)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [1e-3, 0.0])
@pytest.mark.parametrize("shape", [(6, 5, 7), (11, 13), (1, 6, 5)], ids=str)
def test_kept_potentials_satisfy_the_equations(shape, second, boundary):
    spacing = SPACING[: len(shape)] * 1e-9
    field = two_phases(shape, second, 5)
    found = solve_field(field, spacing, boundary, rtol=1e-9, keep=True)
    assert len(found.potentials) == len(found.axes) > 0
    for axis, potential in zip(found.axes, found.potentials, strict=True):
        assert potential.shape == shape
        net = links(field, spacing, boundary, None if boundary == "periodic" else axis)
        u = np.append(potential.ravel(), 0.0)  # the electrodes
        drops = net.drops(u, axis)
        left = net.source(axis) - net.matrix @ u
        moved = np.zeros(net.nodes)  # isolated parts stay as they were given
        np.add.at(moved, net.low, np.abs(net.g * drops))
        live = np.append(voxel_mask(field, boundary, axis), False)
        scale = np.linalg.norm(net.source(axis)) + np.linalg.norm(moved)
        assert np.linalg.norm(left[live]) < 1e-8 * scale
        inside = live[net.low] | live[net.up]
        energy = (net.g * drops**2)[inside].sum() / net.volume
        assert energy == pytest.approx(found.energy[axis, axis], rel=1e-8)


def voxel_mask(field, boundary, axis):
    """Voxels whose part carries current."""
    ends = ["periodic" if boundary == "periodic" else "wall"] * 3
    shape = (*field.shape, 1)[:3]
    if boundary != "periodic":
        ends[axis] = "electrodes"
    elif field.ndim == 2:
        ends[2] = "wall"
    found = voxel_solver.carriers(field.reshape(shape), tuple(ends))
    return np.ones(field.size, bool) if found.mask is None else found.mask.ravel() > 0


def test_no_potentials_unless_asked_for():
    assert solve_field(noise((4, 5), 0.1), np.ones(2), "periodic", rtol=1e-6).potentials == ()


CELLS = (64, 64, 64)


@pytest.fixture(scope="module")
def images():
    return {
        seed: ms.polycrystal(60, (1.0,) * 3, {"A": 0.5, "B": 0.5}, seed).phase_image(CELLS)
        for seed in (1, 2)
    }


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [0.1, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_iterations_of_a_polycrystal(images, seed, second, boundary):
    """7 or 8 were measured in periodic boxes, 7 to 12 between electrodes."""
    field = np.array([1.0, second])[images[seed]]
    found = solve_field(field, np.ones(3), boundary, rtol=1e-6, threads=1)
    assert found.iterations <= 16
    assert len(found.history) == found.iterations + 1
    assert found.residual <= 1e-6
    assert found.imbalance.max() <= 1e-6


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [0.1, 1e-3, 1e-6])
@pytest.mark.parametrize("shape", [(13, 13, 13), (12, 13, 12), (27, 28, 25), (51, 33)], ids=str)
def test_odd_axes_take_about_as_many_iterations_as_even_ones(shape, second, boundary):
    """Layers put between cells must not unsettle the coarse grids."""

    def most(cells):
        fields = (two_phases(cells, second, seed) for seed in range(3))
        return max(
            solve_field(field, np.ones(len(cells)), boundary, rtol=1e-6).iterations
            for field in fields
        )

    assert most(shape) <= 1.25 * most([n + n % 2 for n in shape]) + 1


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [0.1, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_single_voxel_noise_converges(share, second, boundary):
    """A fifth does not percolate: past it, the flux is 1e-6 of what a good voxel takes."""
    good = np.random.default_rng(6).random((32, 32, 32)) < share
    found = solve_field(np.where(good, 1.0, second), np.ones(3), boundary, rtol=1e-6)
    assert found.iterations <= (80 if share == 0.2 and 0 < second < 1e-3 else 40)
    assert found.imbalance.max() <= 1e-6


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [0.1, 1e-3])
def test_warm_start_saves_iterations(images, second, boundary):
    part = images[1][:40, :37, :32]

    def problem(factor):
        field = np.array([1.0, factor * second])[part]
        return plain_problem(field, np.ones(3))

    def solve(factor, start=None):
        return solve_voxels(
            problem(factor), boundary=boundary, rtol=1e-6, start=start, keep=start is None
        )

    first, cold = solve(1.05), solve(1.0)
    warm = solve(1.0, first)
    assert warm.result.iterations < cold.result.iterations
    assert warm.result.tensor == pytest.approx(cold.result.tensor, rel=1e-5, abs=1e-7)
    assert warm.result.residual <= 1e-6
    assert warm.result.flux_imbalance <= 1e-6


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(8, 7, 9), (11, 13)], ids=str)
def test_start_from_the_answer_takes_no_iteration(shape, boundary):
    """Of the axes that conduct: one is cut, so potentials and axes differ in number."""
    field = two_phases(shape, 0.1, 7)
    field[3] = 0.0
    options = {"spacing": SPACING[: len(shape)], "boundary": boundary, "rtol": 1e-8}
    one = solve_field(field, keep=True, **options)
    assert one.axes == tuple(range(1, len(shape)))
    assert one.iterations > 0
    again = solve_field(field, start=one, **options)
    assert again.iterations == 0
    assert again.energy == pytest.approx(one.energy, rel=1e-12)


class TestMemory:
    @pytest.mark.parametrize("driven", [None, 0, 1, 2])
    def test_count(self, driven):
        ends = ["periodic" if driven is None else "wall"] * 3
        if driven is not None:
            ends[driven] = "electrodes"
        axes = tuple(Axis.of(128, end, packed=a == 2) for a, end in enumerate(ends))
        needed = needed_memory(axes, np.ones(3), kept=2 if driven is None else 0)
        assert 30 * 128**3 < needed <= 45 * 128**3

    def peak(self, solve):
        """Bytes that NumPy took at most, beyond what was there."""
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            solve()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("boundary", BOUNDARIES)
    @pytest.mark.parametrize("second", [0.1, 0.0])
    def test_measured(self, images, second, boundary):
        field = np.array([1.0, second])[images[1]]
        solve_field(field, np.ones(3), boundary, rtol=1e-6)  # compiled by now
        taken = self.peak(lambda: solve_field(field, np.ones(3), boundary, rtol=1e-6))
        assert 30 * field.size < taken <= 45 * field.size

    @pytest.mark.parametrize("boundary", BOUNDARIES)
    @pytest.mark.parametrize("kind", ["float64", "float32", "file"])
    def test_measured_from_the_public_face(self, images, kind, boundary, tmp_path):
        field = np.array([1.0, 0.1])[images[1]].astype("float32" if kind == "float32" else float)
        if kind == "file":
            field.tofile(tmp_path / "field.raw")
            field = np.memmap(tmp_path / "field.raw", dtype=float, mode="r", shape=field.shape)

        def solve(values):
            ms.effective_diffusivity(values, spacing=1.0, boundary=boundary, rtol=1e-6)

        solve(field)  # compiled by now
        assert self.peak(lambda: solve(field)) <= 45 * field.size

    @pytest.mark.parametrize("boundary", BOUNDARIES)
    def test_too_large_is_refused_before_anything_is_taken(self, monkeypatch, boundary):
        field, free = np.ones((64, 48, 80)), 2_000_000
        for module in (memory, voxel_solver):
            monkeypatch.setattr(module, "free_memory", lambda: free)

        def refuse():
            with pytest.raises(MemoryLimitError, match=r"64×48×80 voxels.*GiB") as caught:
                solve_field(field, np.ones(3), boundary, rtol=1e-6)
            message = str(caught.value)
            edge = int(re.search(r"about (\d+)×\1×\1 voxels fit", message)[1])
            assert 30 * edge**3 < free < 60 * edge**3

        assert self.peak(refuse) < field.size
        solve_field(field[:10], np.ones(3), boundary, rtol=1e-6)

    def test_what_fits_is_a_square_in_two_dimensions(self, monkeypatch):
        for module in (memory, voxel_solver):
            monkeypatch.setattr(module, "free_memory", lambda: 100_000)
        with pytest.raises(MemoryLimitError, match=r"about (\d+)×\1 voxels fit"):
            solve_field(np.ones((200, 100)), np.ones(2), "periodic", rtol=1e-6)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_too_few_iterations(boundary):
    field = noise((16, 16, 16), 1e-6)
    with pytest.raises(
        ConvergenceError, match=r"expected .* 1\.0e-10, reached .* after 3 .*max_iterations"
    ) as caught:
        solve_field(field, np.ones(3), boundary, rtol=1e-10, max_iterations=3)
    assert len(caught.value.history) == 4
    assert 2 > caught.value.history[0] > caught.value.history[-1] > 1e-10
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("rtol", [1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("second", [0.1, 1e-4, 0.0])
def test_residual_and_fluxes_meet_the_tolerance(second, rtol, boundary):
    """By the solver's own account and summed anew."""
    field = two_phases((14, 13, 12), second, 8)
    found = solve_field(field, np.ones(3), boundary, rtol=rtol, keep=True)
    assert found.residual <= rtol
    assert found.imbalance.max() <= rtol
    for axis, potential in zip(found.axes, found.potentials, strict=True):
        net = links(field, np.ones(3), boundary, None if boundary == "periodic" else axis)
        u = np.append(potential.ravel(), 0.0)
        current = net.g * net.drops(u, axis)
        live = np.append(voxel_mask(field, boundary, axis), False)
        along = (net.step[:, axis] > 0) & (live[net.low] | live[net.up])
        layer = np.append(np.indices(field.shape)[axis].ravel(), -1)[net.low]
        planes = np.bincount(layer[along] + 1, current[along])
        planes = planes[1:] if boundary == "periodic" else planes
        assert np.ptp(planes) <= 1.1 * rtol * planes.mean() + 1e-13


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(24, 23, 22), (31, 40)], ids=str)
def test_threads_change_rounding_alone(shape, boundary):
    field = two_phases(shape, 1e-3, 9)
    spacing = SPACING[: len(shape)]
    one, two, many = (
        solve_field(field, spacing, boundary, rtol=1e-8, keep=True, threads=t) for t in (1, 2, 5)
    )
    for other in (two, many):
        assert other.energy == pytest.approx(one.energy, rel=1e-9, abs=1e-9)
        assert abs(other.iterations - one.iterations) <= 1
        for u, v in zip(one.potentials, other.potentials, strict=True):
            assert u - u.mean() == pytest.approx(v - v.mean(), abs=1e-5)


class TestInput:
    field = two_phases((8, 6, 10), 3.0, 10)

    def solve(self, field):
        return solve_field(field, SPACING, "periodic", rtol=1e-8)

    def test_is_not_modified(self):
        before = self.field.copy()
        for boundary in BOUNDARIES:
            solve_field(self.field, SPACING, boundary, rtol=1e-8, keep=True)
        assert np.array_equal(self.field, before)

    @pytest.mark.parametrize("kind", ["float32, read-only", "integers, Fortran", "strided"])
    def test_any_layout_and_type(self, kind):
        if kind == "strided":
            field = np.repeat(np.repeat(self.field, 2, axis=0), 2, axis=2)[::2, :, ::2]
            assert not field.flags.c_contiguous
        elif kind.startswith("float32"):
            field = self.field.astype(np.float32)
            field.flags.writeable = False
        else:
            field = np.asfortranarray(self.field.astype(int))
            assert not field.flags.c_contiguous
        expected, found = self.solve(self.field), self.solve(field)
        assert np.array_equal(field, self.field)
        assert found.energy == pytest.approx(expected.energy, rel=1e-12)
        assert found.iterations == expected.iterations

    def test_transposed(self):
        turned = solve_field(self.field.astype(int).T, SPACING[::-1], "periodic", rtol=1e-8)
        assert turned.energy[::-1, ::-1] == pytest.approx(self.solve(self.field).energy, rel=1e-7)

    def test_scale_is_free(self):
        expected = self.solve(self.field).energy
        for unit, length in ((1e-30, 1.0), (1e25, 1e-9)):
            found = solve_field(unit * self.field, length * SPACING, "periodic", rtol=1e-8)
            assert found.energy / unit == pytest.approx(expected, rel=1e-7)
