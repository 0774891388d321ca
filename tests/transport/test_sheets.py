"""Films that conduct along themselves: the packed solver against the assembled network."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import ConvergenceError
from multiscale.transport import (
    VoxelGeometry,
    discretisation,
    effective,
    solve_voxels,
    voxel_solver,
)
from multiscale.transport._sheeted_solver import SheetedSolver
from multiscale.transport.cell_problem import solve_dirichlet, solve_periodic
from multiscale.transport.discretisation import (
    assemble,
    conducting_sheets,
    face_conductances,
    without_network,
)
from multiscale.transport.flux import flux_field
from multiscale.transport.voxel_solver import solve_field

CASES = [  # even, odd and prime axes, two and three dimensions
    ((8, 10, 6), "periodic"),
    ((9, 7, 5), "periodic"),
    ((7, 8, 9), "dirichlet"),
    ((6, 5, 8), "dirichlet"),
    ((14, 9), "periodic"),
    ((11, 12), "dirichlet"),
]
FILMS = {  # across, along
    "fast both ways": (5.0, 50.0),
    "slow across, fast along": (0.1, 3.0),
    "alone": (0.003, 100.0),
}
BULK = (1.0, 0.03)


def problem(cells, film, bulk=BULK, grains=9, seed=4):
    d = len(cells)
    crystal = ms.polycrystal(
        grains, tuple(1.0 + 0.2 * a for a in range(d)), {"A": 0.5, "B": 0.5}, seed
    )
    across, along = film
    fast = ms.Boundary(width=0.02, across=across, along=along)
    slow = ms.Boundary(width=0.02, across=across, along=1e-4)
    films = {"A|A": fast, "A|B": fast, "B|B": slow}
    return VoxelGeometry.of(crystal, cells).problem(list(bulk), films)


def by_network(found, boundary, rtol=1e-11):
    limits = {"rtol": rtol, "max_iterations": 500}
    if boundary == "periodic":
        return [solve_periodic(assemble(found).graph, **limits)]
    found = found.walled()
    return [
        solve_dirichlet(assemble(found, electrodes=a).graph, a, **limits)
        for a in range(found.dimension)
    ]


@pytest.fixture
def always_sheets(monkeypatch):
    """Stay beside the grid however many iterations it takes."""
    monkeypatch.setattr(discretisation, "LOOSE", np.inf)
    monkeypatch.setattr(effective, "ENOUGH", 500)


@pytest.mark.usefixtures("always_sheets")
@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS)
@pytest.mark.parametrize(("cells", "boundary"), CASES, ids=str)
class TestAgainstTheNetwork:
    def test_tensors(self, cells, boundary, film):
        given = problem(cells, film)
        found = solve_voxels(given, boundary=boundary, rtol=1e-10)
        assert found.field is not None  # no network was assembled
        runs = by_network(given, boundary)
        energy = sum(run.energy for run in runs)
        size = abs(energy).max()
        assert np.abs(found.result.tensor - 0.5 * (energy + energy.T)).max() < 1e-9 * size
        flux = sum(run.flux for run in runs)
        assert np.abs(found.result.flux_tensor - flux).max() < 1e-9 * size
        assert found.result.flux_imbalance <= 1e-10
        assert found.result.residual <= 1e-10

    def test_fluxes_and_shares(self, cells, boundary, film, monkeypatch):
        given = problem(cells, film)
        options = {"boundary": boundary, "rtol": 1e-10, "keep": True}
        packed = solve_voxels(given, **options)
        monkeypatch.setattr(effective, "without_network", lambda *_: (False, None, None))
        network = solve_voxels(given, **options)
        assert packed.field is not None
        assert network.field is None
        one, other = (flux_field(solution, ("A", "B")) for solution in (packed, network))
        assert np.abs(one.vector - other.vector).max() < 1e-8 * np.abs(other.vector).max()
        assert np.abs(one.flux_share - other.flux_share).max() < 1e-9
        assert np.abs(one.dissipation_share - other.dissipation_share).max() < 1e-9


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_start_from_the_answer_takes_no_iteration(boundary):
    given = problem((9, 8, 7), FILMS["slow across, fast along"])
    first = solve_voxels(given, boundary=boundary, rtol=1e-10, keep=True)
    again = solve_voxels(given, boundary=boundary, rtol=1e-9, start=first)
    assert again.result.iterations == 0
    assert (
        np.abs(again.result.tensor - first.result.tensor).max() < 1e-9 * first.result.tensor.max()
    )


def test_start_with_other_sheets_is_left_aside():
    """At a lower contrast a film may no longer conduct more than its surroundings."""
    cells = (9, 8, 7)
    first = solve_voxels(problem(cells, (0.1, 3.0)), boundary="periodic", rtol=1e-8, keep=True)
    given = problem(cells, (0.1, 0.5))
    assert np.count_nonzero(given.sheet > 0) != np.count_nonzero(first.problem.sheet > 0)
    found = solve_voxels(given, boundary="periodic", rtol=1e-10, start=first)
    fresh = solve_voxels(given, boundary="periodic", rtol=1e-10)
    assert np.abs(found.result.tensor - fresh.result.tensor).max() < 1e-9


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_threads_agree(boundary):
    given = problem((13, 8, 10), FILMS["fast both ways"])
    one, two = (
        solve_voxels(given, boundary=boundary, rtol=1e-10, threads=n).result for n in (1, 2)
    )
    assert np.abs(one.tensor - two.tensor).max() < 1e-9 * one.tensor.max()


@pytest.mark.parametrize(("cells", "grains"), [((24,) * 3, 8), ((32,) * 3, 8), ((96, 96), 36)])
def test_iterations_stay_few(cells, grains):
    """Films a hundredth of a grain wide, a hundred times faster than the better phase."""
    d = len(cells)
    crystal = ms.polycrystal(grains, (1.0,) * d, {"A": 0.5, "B": 0.5}, 2)
    film = ms.Boundary(width=0.01 * grains ** (-1 / d), across=1.0, along=100.0)
    given = VoxelGeometry.of(crystal, cells).problem(
        [1.0, 1e-3], dict.fromkeys(("A|A", "A|B", "B|B"), film)
    )
    found = solve_voxels(given, boundary="periodic", rtol=1e-6).result
    assert found.iterations <= 18


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_films_that_let_little_through_are_solved_on_the_network(boundary, monkeypatch):
    """Sheets beside the grid take several times as many iterations."""
    given = problem((16, 18, 15), FILMS["alone"])
    found = solve_voxels(given, boundary=boundary, rtol=1e-6)
    assert found.field is None
    monkeypatch.setattr(discretisation, "LOOSE", np.inf)
    beside = solve_voxels(given, boundary=boundary, rtol=1e-6)
    assert beside.field is not None
    assert found.result.iterations < 0.6 * beside.result.iterations


@pytest.mark.usefixtures("always_sheets")
def test_too_many_iterations_with_sheets_end_on_the_network(monkeypatch):
    given = problem((16, 18, 15), FILMS["alone"])
    beside = solve_voxels(given, boundary="periodic", rtol=1e-8)
    monkeypatch.setattr(effective, "ENOUGH", 10)
    changed = solve_voxels(given, boundary="periodic", rtol=1e-8)
    assert beside.field is not None
    assert changed.field is None
    size = beside.result.tensor.max()
    assert np.abs(changed.result.tensor - beside.result.tensor).max() < 1e-7 * size
    with pytest.raises(ConvergenceError):
        solve_voxels(given, boundary="periodic", rtol=1e-8, max_iterations=9)


def test_a_pore_beside_conducting_films_is_solved_on_the_network():
    given = problem((9, 8, 7), FILMS["fast both ways"], bulk=(1.0, 0.0))
    found = solve_voxels(given, boundary="periodic", rtol=1e-9)
    assert found.field is None
    assert found.result.flux_imbalance <= 1e-9


@pytest.mark.parametrize("periodic", [True, False])
def test_links_are_those_of_the_star_mesh_transform(periodic):
    """Each edge: Σ links at a sheet = arm (1 − arm/Σ arms), as of a star without its centre."""
    given = problem((6, 7, 5), FILMS["fast both ways"])
    given = given if periodic else given.walled()
    _, half = face_conductances(given, periodic)
    _, sheets = conducting_sheets(given, half)
    indptr, indices, link, contact = sheets.rows(periodic, -1)
    n = sheets.axis.size
    matrix = np.zeros((n, n))
    rows = np.repeat(np.arange(n), np.diff(indptr))
    np.add.at(matrix, (rows, indices), link)
    assert np.abs(matrix - matrix.T).max() < 1e-15 * link.max()
    assert (contact == 0).all()
    assert all((np.diff(indices[a:b]) > 0).all() for a, b in pairwise(indptr))
    expected = np.zeros(n)
    edges = {}
    shape = np.array(given.bulk.shape)
    for f in range(n):
        a = sheets.axis[f]
        for b in range(3):
            for side in range(2):
                if b == a:
                    continue
                corner = sheets.low[f].astype(int).copy()
                corner[a] += 1
                corner[b] += side
                corner = corner % shape if periodic else corner
                key = (tuple(corner), frozenset((int(a), b)))
                edges.setdefault(key, []).append((f, sheets.arm[f, b]))
    for members in edges.values():
        total = sum(arm for _, arm in members)
        for f, arm in members:
            expected[f] += arm * (1 - arm / total)
    assert np.abs(matrix.sum(axis=1) - expected).max() < 1e-12 * expected.max()


def test_no_more_memory_than_was_asked_for(monkeypatch):
    asked = []
    monkeypatch.setattr(voxel_solver, "check_memory", lambda needed, *_: asked.append(needed))
    given = problem((32, 32, 32), FILMS["fast both ways"], grains=20)
    solve_voxels(given, boundary="periodic", rtol=1e-4)  # compiled, imported
    _, through, sheets = without_network(given, periodic=True)
    options = {"through": through, "sheets": sheets, "solver": SheetedSolver, "threads": 1}
    tracemalloc.start()
    solve_field(given.bulk, given.spacing, "periodic", rtol=1e-4, **options)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.6 * asked[-1] < peak < 1.1 * asked[-1]
