"""The measurements of the flux-solver benchmark, one in a process of its own.

Usage: python bench_tasks.py '{"task": "ours", "n": 64, ...}'; the last line printed is the
result in JSON. Threads are set by the caller through the environment, before numba starts.
"""

import contextlib
import gc
import json
import resource
import sys
import time
import traceback
from pathlib import Path

import bench_peers
import numpy as np
from bench_problems import Problem, crystal, ends_of, field
from numba import config, get_num_threads, njit, prange, set_num_threads

import multiscale as ms
from multiscale.numerics import checkerboard_multigrid, fragments
from multiscale.transport import voxel_solver
from multiscale.transport.islands import carriers

RTOL = 1e-6
LARGEST_TRIAD = 256**3
"""Longer sweeps are as fast a cell: arrays are far beyond any cache."""
WIDTH = 0.02 / 8
"""Width of thin films, in box edges."""


@njit(cache=True)
def triad(a, b, s, c):
    for i in range(a.size):
        a[i] = b[i] + s * c[i]


@njit(cache=True, parallel=True)
def shared_triad(a, b, s, c):
    for i in prange(a.size):
        a[i] = b[i] + s * c[i]


class Triad:
    """Sweeps a = b + s c over as many cells as the grid has."""

    def __init__(self, cells):
        size = min(cells, LARGEST_TRIAD)
        self._a, self._b, self._c = np.zeros(size), np.ones(size), np.ones(size)
        self._share, self._sweeps = cells / size, max(1, 4_000_000 // size)
        for threads in (1, config.NUMBA_NUM_THREADS):
            self.seconds(threads)

    def seconds(self, threads=1, clock=time.process_time):
        sweep = triad if threads == 1 else shared_triad
        before = get_num_threads()
        set_num_threads(threads)
        begin = clock()
        for _ in range(self._sweeps):
            sweep(self._a, self._b, 0.5, self._c)
        spent = (clock() - begin) / self._sweeps * self._share
        set_num_threads(before)
        return spent


class Peak:
    """Growth of the peak of resident memory from now on."""

    def __init__(self):
        gc.collect()
        with contextlib.suppress(OSError):  # the high-water mark falls to what is resident now
            Path("/proc/self/clear_refs").write_text("5")
        self._before = self._now()

    @staticmethod
    def _now():
        try:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
        except OSError:
            return Peak._most()
        return pages * resource.getpagesize()

    @staticmethod
    def _most():
        # not ru_maxrss where there is better: a process takes it over from the one that
        # started it, and it counts the making of the input
        try:
            status = Path("/proc/self/status").read_text().splitlines()
        except OSError:
            return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def bytes(self):
        return max(0, self._most() - self._before)


def one_axis(coefficients, boundary, threads=1, rtol=RTOL):
    """What ``effective_diffusivity`` does for the first axis of a field, and no other.

    Search for islands, links and levels, iteration, energy and fluxes of all planes.
    """
    layout = voxel_solver._Layout.of(coefficients, np.ones(3), None)
    ends = ends_of(boundary)
    out = voxel_solver._Collector(3)
    found = carriers(layout.field, ends)
    if found.along[0]:
        solver = voxel_solver._FieldSolver
        options = voxel_solver._Options(rtol, 500, None, False, threads, solver)
        voxel_solver._solve_axes(layout, ends, found, (0,), out, options)
    return out.solution()


def warm(threads=(1,)):
    """Compile all that the measurements run."""
    for boundary in ("dirichlet", "periodic"):
        for contrast in ("10", "insulating"):
            for t in threads:
                one_axis(field(32, "polycrystal", contrast), boundary, t)


def ours(n, structure, contrast, boundary, repeats):
    """Cost, memory and result of our solve of one axis on one thread."""
    warm()
    coefficients = field(n, structure, contrast)
    peak = Peak()
    one_axis(coefficients, boundary)
    memory = peak.bytes() / coefficients.size
    sweep = Triad(coefficients.size)
    seconds, triads = [], []
    for _ in range(repeats):
        triads.append(sweep.seconds())
        begin = time.process_time()
        found = one_axis(coefficients, boundary)
        seconds.append(time.process_time() - begin)
    triads.append(sweep.seconds())
    return {
        "seconds": min(seconds),
        "median": float(np.median(seconds)),
        "triad": min(triads),
        "iterations": found.iterations,
        "bytes": memory,
        "imbalance": float(found.imbalance[0]),
        "residual": found.residual,
        "deff": float(found.energy[0, 0]),
    }


def threads(n, structure, contrast, boundary, count, repeats):
    """Wall time with one thread and with more, turn by turn."""
    warm((1, count))
    coefficients = field(n, structure, contrast)
    sweep = Triad(coefficients.size)
    found = {f"{what}{which}": [] for what in ("seconds", "triad") for which in (1, 2)}
    for _ in range(repeats):
        for which, t in ((1, 1), (2, count)):
            found[f"triad{which}"].append(sweep.seconds(t, time.perf_counter))
            begin = time.perf_counter()
            one_axis(coefficients, boundary, t)
            found[f"seconds{which}"].append(time.perf_counter() - begin)
    return {key: min(values) for key, values in found.items()}


def peer(name, n, structure, contrast, boundary, limit):
    """Cost, memory and result of another solver."""
    coefficients = field(n, structure, contrast)
    small = field(16, structure, contrast)
    bench_peers.PEERS[name](small, boundary, lambda: None, 1.0)  # compile and load
    peaks = []
    run = bench_peers.PEERS[name]
    found = run(coefficients, boundary, lambda: peaks.append(Peak()), limit)
    return found | {"bytes": peaks[0].bytes() / coefficients.size}


FILMS = {
    "plain": None,
    "resisting films, c = 1e-2": 1e-2,
    "conducting films, c = 1e2": 1e2,
    "crystal tensors": None,
}


def films(n, kind, repeats):
    """A whole periodic solve of all axes, with thin films or crystal tensors."""
    c = FILMS[kind]
    phases = {"A": 1.0, "B": 0.1}
    if kind == "crystal tensors":
        phases = {"A": np.diag([1.0, 1.0, 0.2]), "B": np.diag([0.1, 0.1, 0.02])}
    boundaries = None
    if c is not None:
        film = ms.Boundary(width=WIDTH, across=c, along=c)
        boundaries = {"A|A": film, "B|B": film, "A|B": film}

    def solve(made, edge):
        return ms.effective_diffusivity(
            made,
            cells=(edge,) * 3,
            phases=phases,
            boundaries=boundaries,
            rtol=RTOL,
            threads=1,
            scheme="faces" if boundaries else None,
        )

    solve(crystal(32), 32)
    made = crystal(n)
    made.labels_and_images((n,) * 3)
    peak = Peak()
    seconds = []
    for _ in range(repeats):
        begin = time.process_time()
        found = solve(made, n)
        seconds.append(time.process_time() - begin)
        if len(seconds) == 1:
            memory = peak.bytes() / n**3
    return {
        "seconds": min(seconds),
        "iterations": found.iterations,
        "bytes": memory,
        "imbalance": found.flux_imbalance,
        "deff": float(found.tensor[0, 0]),
    }


def profile(n, structure, contrast, boundary, repeats):
    """Seconds of every compiled kernel that the solve calls."""
    warm()
    spent = {}

    def timed(name, call):
        def wrapped(*given, **named):
            begin = time.process_time()
            try:
                return call(*given, **named)
            finally:
                seconds, calls = spent.get(name, (0.0, 0))
                spent[name] = (seconds + time.process_time() - begin, calls + 1)

        return wrapped

    for module in (voxel_solver, checkerboard_multigrid, fragments):
        for name, value in list(vars(module).items()):
            if hasattr(value, "py_func"):
                setattr(module, name, timed(name, value))
    globals()["carriers"] = timed("carriers (islands)", carriers)
    coefficients = field(n, structure, contrast)
    begin = time.process_time()
    for _ in range(repeats):
        one_axis(coefficients, boundary)
    total = (time.process_time() - begin) / repeats
    kernels = {name: [s / repeats, calls // repeats] for name, (s, calls) in spent.items()}
    return {"total": total, "kernels": kernels}


TASKS = {
    "ours": ours,
    "threads": threads,
    "peer": peer,
    "films": films,
    "profile": profile,
}


def of_problem(problem: Problem):
    """Arguments of a task that name a problem."""
    return {
        "structure": problem.structure,
        "contrast": problem.contrast,
        "boundary": problem.boundary,
    }


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    try:
        answer = TASKS[given.pop("task")](**given)
    except Exception as error:  # said in the report
        traceback.print_exc()
        answer = {"error": f"{type(error).__name__}: {error}"[:200]}
    print(json.dumps(answer), flush=True)
