"""The solver for GPUs: its code on CPU tensors against the CPU's own, and what it says.

The tests marked ``gpu`` run the same on a CUDA device, where there is one.
"""

import builtins
import functools
import json
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import ConvergenceError, DeviceWarning, InputError, MemoryLimitError
from multiscale.numerics import checkerboard_torch
from multiscale.numerics._checkerboard_kernels import product
from multiscale.numerics.checkerboard import Axis
from multiscale.numerics.checkerboard_multigrid import Multigrid
from multiscale.numerics.fragments import Fragments
from multiscale.transport import gpu_solver, solve_voxels
from multiscale.transport.fields import plain_problem
from multiscale.transport.gpu_solver import TorchFieldSolver, field_solver
from multiscale.transport.voxel_solver import _FieldSolver, _Layout, solve_field

BOUNDARIES = ("periodic", "dirichlet")
SHAPES = ((12, 10, 14), (13, 11, 17), (1, 9, 8), (8, 1, 1), (23, 29), (1, 1))
SPACING = np.array([1.0, 0.6, 1.7]) * 1e-9


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def solver(request):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    if request.param == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return functools.partial(TorchFieldSolver, device=request.param)


def field_of(shape, second, seed=0):
    """Blocks of up to two voxels and a few single ones."""
    rng = np.random.default_rng(seed)
    small = rng.random([-(-n // 2) for n in shape]) < 0.5
    mask = np.kron(small, np.ones((2,) * len(shape), bool))[tuple(slice(n) for n in shape)]
    return 1e-12 * np.where(mask ^ (rng.random(shape) < 0.1), 1.0, second)


def agree(found, expected, rel=1e-8):
    scale = max(expected.energy.max(), 1e-300)
    assert found.axes == expected.axes
    assert np.abs(found.energy - expected.energy).max() <= rel * scale
    assert np.abs(found.flux - expected.flux).max() <= 10 * rel * scale
    assert found.iterations <= expected.iterations + 3
    assert len(found.history) == len(found.axes[:1]) * (found.iterations + 1)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [0.1, 1e-3, 1e-6, 0.0])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_agrees_with_the_cpu(solver, shape, second, boundary, monkeypatch):
    """Even, odd and prime grids, planes and rows, islands, unlike voxel edges.

    With as many grids as there: larger ones solved directly save iterations.
    """
    monkeypatch.setattr(checkerboard_torch, "DIRECT", 0)
    options = {"boundary": boundary, "rtol": 1e-9 if second != 1e-6 else 1e-7}
    field, spacing = field_of(shape, second), SPACING[: len(shape)]
    expected = solve_field(field, spacing, threads=1, **options)
    found = solve_field(field, spacing, solver=solver, **options)
    agree(found, expected)
    assert found.iterations >= expected.iterations - 3
    assert found.residual <= options["rtol"]
    assert found.imbalance.max() <= options["rtol"]


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [1e-3, 0.0])
def test_polycrystal(solver, second, boundary):
    crystal = ms.polycrystal(30, (1.0,) * 3, {"A": 0.5, "B": 0.5}, 3)
    field = np.array([1.0, second])[crystal.phase_image((40, 37, 36))]
    expected = solve_field(field, np.ones(3), boundary, rtol=1e-6, threads=1)
    agree(solve_field(field, np.ones(3), boundary, rtol=1e-6, solver=solver), expected)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_many_fragments(solver, boundary):
    """Some touch each other, so that they are relaxed in several batches."""
    good = np.random.default_rng(6).random((20, 20, 20)) < 0.2
    field = np.where(good, 1.0, 1e-3)
    expected = solve_field(field, np.ones(3), boundary, rtol=1e-8, threads=1)
    agree(solve_field(field, np.ones(3), boundary, rtol=1e-8, solver=solver), expected)


def test_fragments_of_a_batch_do_not_see_each_other():
    good = np.random.default_rng(6).random((16, 16, 16)) < 0.2
    axes = tuple(Axis.of(16, "periodic", packed=a == 2) for a in range(3))
    solver = _FieldSolver(
        _Layout.of(np.where(good, 1.0, 1e-3), np.ones(3), None), ("periodic",) * 3, None, 0, 1
    )
    grid = Multigrid(solver.cg.multigrid.links, axes, np.ones(3))
    found = Fragments.of(grid.links, grid.inverse)
    batches = checkerboard_torch._batches(found)
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(found.count))
    assert 1 < len(batches) < found.count
    for batch in batches:
        for f in batch:
            image = found.image_cells[found.image_starts[f] : found.image_starts[f + 1]]
            others = [found.cells[found.starts[g] : found.starts[g + 1]] for g in batch if g != f]
            assert not np.isin(np.concatenate([*others, [-1]]), image).any()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("second", [0.05, 0.0])
@pytest.mark.parametrize("shape", [(12, 10, 14), (13, 11, 9), (23, 28)], ids=str)
def test_resisting_films(solver, shape, second, boundary):
    through = 10 ** np.random.default_rng(4).uniform(-2, 0.3, (len(shape), *shape))
    field = 1e12 * field_of(shape, second, 3)
    field[0], field[:, 0] = 1.0, 1.0
    given = {"boundary": boundary, "rtol": 1e-9, "through": through}
    expected = solve_field(field, np.ones(len(shape)), threads=1, **given)
    agree(solve_field(field, np.ones(len(shape)), solver=solver, **given), expected)
    bare = solve_field(field, np.ones(len(shape)), boundary, rtol=1e-9)
    assert not np.allclose(expected.energy, bare.energy, rtol=1e-2)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("slab", [1, 700])
def test_slabs_change_rounding_alone(solver, slab, boundary, monkeypatch):
    """Layer by layer and a few at a time."""
    field = field_of((13, 10, 15), 0.0)
    whole = solve_field(field, SPACING, boundary, rtol=1e-9, solver=solver, keep=True)
    monkeypatch.setattr(gpu_solver, "SLAB", slab)
    parts = solve_field(field, SPACING, boundary, rtol=1e-9, solver=solver, keep=True)
    assert parts.energy == pytest.approx(whole.energy, rel=1e-12, abs=1e-24)
    for one, other in zip(parts.potentials, whole.potentials, strict=True):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-15)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [(8, 7, 9), (11, 13)], ids=str)
def test_potentials_and_a_start_from_them(solver, shape, boundary):
    field = field_of(shape, 0.1, 7)
    options = {"spacing": SPACING[: len(shape)], "boundary": boundary, "rtol": 1e-8, "keep": True}
    expected = solve_field(field, threads=1, **options)
    found = solve_field(field, solver=solver, **options)
    for one, other in zip(found.potentials, expected.potentials, strict=True):
        assert one - one.mean() == pytest.approx(other - other.mean(), abs=1e-6 * np.ptp(other))
    again = solve_field(field, solver=solver, start=expected, **options)
    assert again.iterations == 0


@pytest.mark.parametrize("kind", ["float32", "int64", "uint8", "strided"])
def test_any_layout_and_type(solver, kind):
    field = np.round(1e12 * field_of((8, 6, 10), 3.0)).astype(int)
    expected = solve_field(field.astype(float), SPACING, "periodic", rtol=1e-8)
    given = np.asfortranarray(field)[::1] if kind == "strided" else field.astype(kind)
    given.flags.writeable = False
    agree(solve_field(given, SPACING, "periodic", rtol=1e-8, solver=solver), expected)


def test_sweeps_and_coarse_links_are_those_of_the_kernels(solver, monkeypatch):
    """One cycle and one product of the same links, between electrodes on an odd axis."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    axes = (Axis.of(13, "electrodes"), Axis.of(11, "wall"), Axis.of(15, "wall", packed=True))
    made = []

    class Kept(TorchFieldSolver):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self.cg.multigrid)

    field = 1e12 * field_of((13, 11, 15), 0.1)
    kept = functools.partial(Kept, device=solver.keywords["device"])
    solve_field(field, np.ones(3), "dirichlet", rtol=1e-3, solver=kept)
    torch_grid = made[0]
    links = torch_grid.links.cpu().numpy()
    grid = Multigrid(links, axes, np.ones(3))
    assert np.abs(grid.inverse - torch_grid.inverse.cpu().numpy()).max() < 1e-6

    p = np.random.default_rng(0).random(links.shape[1:]) * (grid.inverse[1] > 0)
    q, put = np.empty_like(p), torch.from_numpy(p).to(torch_grid.links.device)
    curvature = product(links, grid.inverse, p, q, 1)
    result, work = torch.empty_like(put), torch.empty_like(put)
    assert float(torch_grid.product(put, result, work)) == pytest.approx(curvature, rel=1e-12)
    assert result.cpu().numpy() == pytest.approx(q, abs=1e-12)

    monkeypatch.setattr(checkerboard_torch, "DIRECT", 0)  # as many levels as on the CPU
    deep = checkerboard_torch.TorchMultigrid(torch_grid.links, axes, np.ones(3))
    grid.cycle(p, 1.0, p)
    deep.cycle(put, 1.0)
    assert deep.result.cpu().numpy() == pytest.approx(grid.result, abs=1e-5)


def test_one_number_leaves_the_device_an_iteration(solver, monkeypatch):
    """What has to wait for the device is counted by how it is read."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    field = 1e12 * field_of((16, 16, 16), 0.2)
    made = []

    class Kept(TorchFieldSolver):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            made.append(self)

    kept = functools.partial(Kept, device=solver.keywords["device"])
    solve_field(field, np.ones(3), "periodic", rtol=1e-4, solver=kept)
    made[0]._examine(0, True)
    reads = []
    for name in ("item", "tolist", "__float__", "__bool__", "__int__", "cpu", "numpy", "nonzero"):
        plain = getattr(torch.Tensor, name)

        def counted(self, *arguments, plain=plain, name=name, **options):
            reads.append(name)
            return plain(self, *arguments, **options)

        monkeypatch.setattr(torch.Tensor, name, counted)
    size = made[0].cg.step(1.0)
    assert size > 0
    assert reads == ["tolist"]


def test_too_few_iterations(solver):
    field = field_of((16, 16, 16), 1e-6)
    with pytest.raises(ConvergenceError, match=r"after 3 .*max_iterations") as caught:
        solve_field(field, SPACING, "periodic", rtol=1e-10, max_iterations=3, solver=solver)
    assert len(caught.value.history) == 4


class TestMemory:
    field = np.ones((64, 48, 80))

    def test_too_large_is_refused(self, solver, monkeypatch):
        monkeypatch.setattr(gpu_solver, "_free_on", lambda device: 2_000_000)
        with pytest.raises(MemoryLimitError, match=r"64×48×80 voxels on c.*GiB") as caught:
            solve_field(self.field, np.ones(3), "periodic", rtol=1e-6, solver=solver)
        message = str(caught.value)
        assert re.search(r"about (\d+)×\1×\1 voxels fit", message)
        assert "leave device out" in message
        assert "\n" not in message

    def test_full_on_the_way(self, solver, monkeypatch):
        """Another program took what was free."""
        torch = pytest.importorskip("torch", exc_type=ImportError)

        def full(*arguments, **options):
            raise torch.cuda.OutOfMemoryError

        for name in ("_links", "_look"):
            with monkeypatch.context() as patch:
                patch.setattr(TorchFieldSolver, name, full)
                with pytest.raises(MemoryLimitError, match="voxels fit"):
                    solve_field(self.field, np.ones(3), "periodic", rtol=1e-6, solver=solver)


@pytest.mark.gpu
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_on_a_gpu(boundary):
    """From the public face, and within the memory that was counted."""
    torch = pytest.importorskip("torch", exc_type=ImportError)
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    crystal = ms.polycrystal(60, (1.0,) * 3, {"A": 0.5, "B": 0.5}, 3)
    field = np.array([1.0, 1e-3])[crystal.phase_image((128,) * 3)]
    options = {"spacing": 1e-9, "boundary": boundary, "rtol": 1e-8}
    expected = ms.effective_diffusivity(field, **options)
    torch.cuda.reset_peak_memory_stats()
    found = ms.effective_diffusivity(field, device="cuda", **options)
    assert found.device.startswith("cuda:")
    assert np.abs(found.tensor - expected.tensor).max() <= 1e-8 * expected.tensor.max()
    assert abs(found.iterations - expected.iterations) <= 3
    layout = _Layout.of(field, np.ones(3), None)
    ends = "wall" if boundary == "dirichlet" else "periodic"
    axes = tuple(Axis.of(128, end, packed=a == 2) for a, end in enumerate((ends,) * 3))
    counted = gpu_solver.device_memory(axes, np.ones(3), layout, 2)
    assert torch.cuda.max_memory_allocated() <= 1.05 * counted


# Where there is no device ------------------------------------------------------------------


@pytest.fixture
def no_torch(monkeypatch):
    plain = builtins.__import__

    def without(name, *arguments, **options):
        if name.partition(".")[0] == "torch":
            raise ImportError("No module named 'torch'")
        return plain(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)


@pytest.fixture
def no_cuda(monkeypatch):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


FIELD = np.where(np.indices((6, 5, 4)).sum(axis=0) % 3 > 0, 1.0, 0.1)


def warned(words, solve):
    """One warning, on one line, at this file."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = solve()
    assert [one.category for one in told] == [DeviceWarning]
    message = str(told[0].message)
    assert "\n" not in message
    for word in words:
        assert word in message
    assert told[0].filename == __file__
    return found


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_without_torch_the_cpu_solves(no_torch, boundary):
    def solve(**options):
        return ms.effective_diffusivity(FIELD, spacing=1.0, boundary=boundary, **options)

    words = ["device 'cuda'", "expected torch", "solving on the CPU", "multiscale[gpu]"]
    found = warned(words, lambda: solve(device="cuda"))
    assert np.array_equal(found.tensor, solve().tensor)
    assert found.device == "cpu"


def test_without_a_device_the_cpu_solves(no_cuda):
    problem = plain_problem(FIELD, np.ones(3))
    found = warned(
        ["device 'cuda:1'", "a CUDA device", "nvidia-smi"],
        lambda: solve_voxels(problem, boundary="periodic", rtol=1e-8, device="cuda:1").result,
    )
    assert found.device == "cpu"


def test_a_device_with_too_high_a_number(monkeypatch):
    torch = pytest.importorskip("torch", exc_type=ImportError)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    warned(["'cuda:2'", "one of cuda:0, cuda:1"], lambda: field_solver("cuda:2"))
    made, used = field_solver("cuda:1")
    assert used == "cuda:1"
    assert made.keywords == {"device": "cuda:1"}


def test_what_only_the_cpu_solves(no_torch):
    crystal = ms.polycrystal(9, (1.0,) * 2, {"A": 0.5, "B": 0.5}, 1)
    phases = {"A": 1.0, "B": 0.5}
    film = ms.Boundary(width=0.01, across=1.0, along=30.0)
    options = {"device": "cuda", "rtol": 1e-6}

    def of_crystal(**more):
        return ms.effective_diffusivity(crystal, cells=(12, 12), **(options | more))

    films = dict.fromkeys(("A|A", "A|B", "B|B"), film)
    tensors = {"A": np.diag([1.0, 2.0]), "B": 0.5}
    field = FIELD[..., None, None] * np.eye(3)
    for words, solve in (
        ("tensors", lambda: ms.effective_diffusivity(field, spacing=1.0, **options)),
        ("crystal tensors", lambda: of_crystal(phases=tensors)),
        ("films that do", lambda: of_crystal(phases=phases, boundaries=films)),
        (
            "cut cells",
            lambda: of_crystal(phases=phases, boundaries=films, scheme="cut-cells"),
        ),
        ("fipy", lambda: of_crystal(phases=phases, backend="fipy")),
    ):
        assert warned(["device 'cuda'", words, "on the CPU"], solve).device == "cpu"


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("cdua", "did you mean 'cuda'?"),
        ("gpu", "did you mean 'cuda'?"),
        ("CUDA", "did you mean 'cuda'?"),
        ("cuda:", "did you mean 'cuda'?"),
        ("cuda:-1", "did you mean 'cuda'?"),
        ("cpu:0", "did you mean 'cpu'?"),
        ("quantum", "valid: cpu, cuda"),
        (0, "received 0"),
        (None, "received None"),
    ],
)
def test_misspelt_devices(device, words):
    crystal = ms.polycrystal(9, (1.0,) * 2, {"A": 1.0}, 1)
    for solve in (
        lambda: ms.effective_diffusivity(FIELD, spacing=1.0, device=device),
        lambda: ms.effective_diffusivity(
            crystal, cells=(8, 8), phases={"A": np.eye(2)}, device=device
        ),
        lambda: solve_voxels(
            plain_problem(FIELD, np.ones(3)), boundary="periodic", rtol=1e-6, device=device
        ),
    ):
        with pytest.raises(InputError, match="device: expected one of cpu, cuda, cuda:N") as caught:
            solve()
        assert words in str(caught.value)


def test_torch_is_not_imported_before_it_is_asked_for():
    code = (
        "import sys, numpy, multiscale as ms; "
        "ms.effective_diffusivity(numpy.ones((4, 4)), spacing=1.0); "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_command_line(tmp_path):
    """A missing device is one line on stderr; a misspelt one an error."""
    np.save(tmp_path / "image.npy", np.arange(24).reshape(4, 3, 2) % 2)
    program = [sys.executable, "-m", "multiscale.cli", "solve", str(tmp_path / "image.npy")]
    program += ["-d", "0=1", "-d", "1=0.1", "--spacing", "1nm", "--json", "--device"]

    def run(device):
        return subprocess.run([*program, device], capture_output=True, text=True, timeout=600)

    far = run("cuda:999")
    assert far.returncode == 0
    assert re.fullmatch(r"warning: device 'cuda:999': expected .*CPU.*\n", far.stderr)
    assert json.loads(far.stdout)["device"] == "cpu"
    wrong = run("cdua")
    assert wrong.returncode == 2
    assert wrong.stderr == (
        "error: device: expected one of cpu, cuda, cuda:N, received cdua; did you mean 'cuda'?\n"
    )
