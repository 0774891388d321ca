"""The solver of tensor fields against assembled networks, direct and exact solutions."""

import re
import tracemalloc

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tensor_network import assemble_tensor, solve_network

import multiscale as ms
from multiscale.errors import ConvergenceError, InputError, MemoryLimitError, ResolutionError
from multiscale.numerics import memory
from multiscale.transport import tensor_solver
from multiscale.transport.tensor_solver import TensorField, solve_tensors

BOUNDARIES = ("periodic", "dirichlet")
SPACING = np.array([1.0, 0.6, 1.7])
SHAPES = (
    (6, 7, 8),
    (5, 5, 5),
    (13, 12, 7),
    (11, 2, 3),
    (3, 20, 17),
    (20, 17, 2),
    (9, 11),
    (16, 3),
    (2, 24),
)
KINDS = {
    "dense": {},
    "contrast": {"contrast": 1e-3},
    "holes": {"zeros": 0.4},
    "islands": {"zeros": 0.8},
}


def noise(shape, seed=0, contrast=1.0, zeros=0.0):
    """A random tensor in each voxel, at two levels, and zeros."""
    rng, d = np.random.default_rng(seed), len(shape)
    roots = rng.standard_normal((*shape, d, d))
    tensors = roots @ np.swapaxes(roots, -1, -2) + 0.05 * np.eye(d)
    tensors *= np.where(rng.random(shape) < 0.5, 1.0, contrast)[..., None, None]
    tensors[rng.random(shape) < zeros] = 0.0
    return 1e-14 * tensors


def grains(shape, seed=0, anisotropy=10.0, count=12):
    """Labels and tensors of blocks of grains in random orientations."""
    rng = np.random.default_rng(seed)
    seeds = rng.random((count, 3)) * shape
    place = np.stack(np.indices(shape), axis=-1)[..., None, :] + 0.5
    apart = np.abs(place - seeds)
    labels = np.linalg.norm(np.minimum(apart, shape - apart), axis=-1).argmin(axis=-1)
    matrices = Rotation.random(count, random_state=seed).as_matrix()
    tensors = matrices @ np.diag([anisotropy, 1.0, 1.0]) @ np.swapaxes(matrices, 1, 2)
    return labels, 0.5 * (tensors + np.swapaxes(tensors, 1, 2))


def solve(field, boundary="periodic", spacing=SPACING, rtol=1e-10, **options):
    d = field.shape[-1]
    return solve_tensors(TensorField.of(field), spacing[:d], boundary, rtol=rtol, **options)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_as_the_assembled_network(shape, kind, boundary):
    field = noise(shape, 1, **KINDS[kind])
    spacing = 1e-8 * SPACING[: len(shape)]
    energy, flux, axes = solve_network(field, spacing, boundary, 1e-10)
    found = solve(field, boundary, spacing)
    scale = np.abs(energy).max() or 1.0
    assert found.axes == axes
    assert np.abs(found.energy - energy).max() <= 1e-12 * scale
    assert np.abs(found.flux - flux).max() <= 1e-9 * scale
    assert found.residual <= 1e-10
    assert (found.imbalance <= 1e-10).all()


@pytest.mark.parametrize("shape", [(1, 9, 8), (7, 1, 5), (1, 1, 4), (1, 6), (1, 1)], ids=str)
@pytest.mark.parametrize("zeros", [0.0, 0.3])
def test_single_layers_repeat(shape, zeros):
    field = noise(shape, 2, zeros=zeros)
    energy, _, axes = solve_network(field, SPACING[: len(shape)], "periodic", 1e-10)
    found = solve(field)
    assert found.axes == axes
    assert np.abs(found.energy - energy).max() <= 1e-9 * (np.abs(energy).max() or 1.0)


@pytest.mark.parametrize("shape", [(4, 5, 3), (7, 5)], ids=str)
def test_tensor_of_a_direct_solution(shape):
    """D = ⟨K⟩ − bᵀ A⁺ b / V with A and b written out."""
    field, d = noise(shape, 3, contrast=1e-2), len(shape)
    field /= field.max()
    graph = assemble_tensor(field, SPACING[:d])
    matrix = np.diag(graph.diagonal())
    b = np.zeros((graph.nodes, d))
    for i in range(graph.nodes):
        for k in range(graph.indptr[i], graph.indptr[i + 1]):
            j, g = graph.indices[k], graph.conductance[k]
            matrix[i, j] -= g
            step = graph.position[j] - graph.position[i]
            b[i] += g * (step - graph.size * np.round(step / graph.size))
    lost = b.T @ np.linalg.pinv(matrix, rcond=1e-12, hermitian=True) @ b / graph.size.prod()
    expected = field.mean(axis=tuple(range(d))) - lost
    assert solve(field).energy == pytest.approx(expected, rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_single_path(boundary):
    """A bar of one voxel in a void conducts as its share of the cross section."""
    field = np.zeros((6, 7, 5, 3, 3))
    field[:, 3, 2] = np.diag([2.0, 1.0, 1.0])
    found = solve(field, boundary)
    assert found.axes == (0,)
    assert found.energy[0, 0] == pytest.approx(2.0 / 35, rel=1e-10)
    assert (found.energy[1:] == 0.0).all()
    assert (found.flux[:, 1:] == 0.0).all()


def test_path_through_corners_round_the_box():
    """Voxels in a diagonal touch at corners alone, across all three faces too."""
    field = np.zeros((4, 4, 4, 3, 3))
    field[range(4), range(4), range(4)] = np.eye(3)
    energy, _, axes = solve_network(field, np.ones(3), "periodic", 1e-10)
    found = solve(field, spacing=np.ones(3))
    assert found.axes == axes == (0, 1, 2)
    assert found.energy == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_nothing_conducts(boundary):
    found = solve(np.zeros((4, 5, 6, 3, 3)), boundary)
    assert found.axes == ()
    assert (found.energy == 0.0).all()


def test_labels_give_what_their_field_gives():
    labels, tensors = grains((12, 11, 13))
    named = solve_tensors(
        TensorField.of_labels(labels, tensors), SPACING, "periodic", rtol=1e-9, threads=1
    )
    spelled = solve(tensors[labels], rtol=1e-9, threads=1)
    assert (named.energy == spelled.energy).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_axes_may_be_named_otherwise(boundary):
    """Long rows are put last inside; nothing of it may show."""
    labels, tensors = grains((24, 9, 4), 5)
    field, order = tensors[labels], [2, 0, 1]
    turned = field.transpose(*order, 3, 4)[..., order, :][..., order]
    here = solve(field, boundary)
    there = solve(turned, boundary, SPACING[order])
    assert there.energy == pytest.approx(here.energy[np.ix_(order, order)], rel=1e-8, abs=1e-10)


def test_threads_change_rounding_alone():
    labels, tensors = grains((33, 32, 31), 6)
    for boundary in BOUNDARIES:
        one, two, many = (solve(tensors[labels], boundary, rtol=1e-8, threads=t) for t in (1, 2, 5))
        for other in (two, many):
            assert other.energy == pytest.approx(one.energy, rel=1e-9, abs=1e-9)
            assert abs(other.iterations - one.iterations) <= 1


@pytest.mark.parametrize(("anisotropy", "most"), [(10.0, 17), (100.0, 36)])
def test_iterations_of_a_polycrystal(anisotropy, most):
    labels, tensors = grains((40, 40, 40), 7, anisotropy, 60)
    assert solve(tensors[labels], spacing=np.ones(3), rtol=1e-8).iterations <= most


def test_stretched_voxels_do_not_matter():
    labels, tensors = grains((32, 32, 32), 8, 1.0)
    field = tensors[labels] * (1 + labels % 3)[..., None, None]
    for spacing in ([1.0, 1.0, 20.0], [20.0, 1.0, 1.0], [1.0, 20.0, 1.0]):
        assert solve(field, spacing=np.array(spacing), rtol=1e-8).iterations <= 16


def test_too_few_iterations():
    with pytest.raises(ConvergenceError, match=r"reached .* after 3 .*max_iterations") as caught:
        solve(noise((9, 9, 9), 1, contrast=1e-6), max_iterations=3)
    assert len(caught.value.history) == 4


def test_one_layer_between_electrodes_is_refused():
    with pytest.raises(ResolutionError, match="at least 2 voxels"):
        solve(noise((4, 1, 4)), "dirichlet")


class TestMemory:
    def peak(self, run):
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            run()
            return tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize(("boundary", "most"), [("periodic", 180), ("dirichlet", 130)])
    def test_measured(self, boundary, most):
        labels, tensors = grains((64, 64, 64))
        field = TensorField.of_labels(labels, tensors)
        solve(noise((8, 8, 8)), boundary)
        taken = self.peak(lambda: solve_tensors(field, np.ones(3), boundary, rtol=1e-4, threads=1))
        assert 60 * labels.size < taken <= most * labels.size

    @pytest.mark.parametrize("boundary", BOUNDARIES)
    def test_too_large_is_refused_before_anything_is_taken(self, monkeypatch, boundary):
        free = 2_000_000
        for module in (memory, tensor_solver):
            monkeypatch.setattr(module, "free_memory", lambda: free)
        field = np.broadcast_to(np.eye(3), (64, 48, 40, 3, 3)).copy()

        def refuse():
            with pytest.raises(MemoryLimitError, match=r"64×48×40 voxels.*GiB") as caught:
                solve(field, boundary, rtol=1e-6)
            edge = int(re.search(r"about (\d+)×\1×\1 voxels fit", str(caught.value))[1])
            assert 70 * edge**3 < free < 250 * edge**3

        assert self.peak(refuse) < field[..., 0, 0].size


def test_public_face_honours_threads_and_names_backend():
    field = noise((6, 6, 6), 4)
    result = ms.effective_diffusivity(field, spacing=1.0, threads=2)
    assert (result.tensor == result.tensor.T).all()
    assert result.tensor == pytest.approx(solve(field, spacing=np.ones(3)).energy, rel=1e-7)
    with pytest.raises(InputError, match="backend"):
        ms.effective_diffusivity(field, spacing=1.0, backend="fipy")
