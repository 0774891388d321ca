"""Cost of the thin-boundary schemes over that of the plain two-point solve.

Usage: python tests/benchmarks/bench_schemes.py [--cells2d 256] [--cells3d 48] [--output FILE]

Every scheme and the plain solve without films run on the same crystal and cells, one after
the other in one process with one thread; CPU time, geometry and assembly apart from the solve.
"""

import argparse
import datetime
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

import multiscale as ms  # noqa: E402
from multiscale.errors import MultiscaleError  # noqa: E402
from multiscale.provenance import git_revision, versions  # noqa: E402
from multiscale.transport import VoxelGeometry  # noqa: E402
from multiscale.transport.cell_problem import solve_periodic  # noqa: E402
from multiscale.transport.cut_cells import assemble_cut_cells  # noqa: E402
from multiscale.transport.cut_crystal import cut_problem  # noqa: E402
from multiscale.transport.discretisation import assemble  # noqa: E402
from multiscale.transport.fields import plain_problem  # noqa: E402

HERE = Path(__file__).resolve().parent
WIDTH = 0.02
PER_GRAIN = {2: 16, 3: 12}
LIMITS = {"rtol": 1e-6, "max_iterations": 500}


def crystal_of(cells, dimension, shares):
    """Grains of mean size one, 16 voxels along each in 2D and 12 in 3D."""
    edge = cells / PER_GRAIN[dimension]
    grains = round(edge**dimension)
    return ms.polycrystal(grains, (edge,) * dimension, shares, 1)


def problems():
    """Phases and films of each row."""
    film = {c: ms.Boundary(width=WIDTH, across=c, along=c) for c in (1e-2, 1e2)}
    mixed = {key: ms.Boundary(width=WIDTH, across=c, along=c) for key, c in
             (("A|A", 10.0), ("B|B", 1e-5), ("A|B", 0.1))}  # fmt: skip
    yield "blocking, c = 1e-2", {"A": 1.0}, {"A|A": film[1e-2]}
    yield "conducting, c = 1e2", {"A": 1.0}, {"A|A": film[1e2]}
    yield "two phases, 1 and 1e-3", {"A": 1.0, "B": 1e-3}, mixed


def plain(crystal, cells, phases, films):
    """Network of a two-point solve without films; grains conduct 1 and 1e-3 in turn.

    Grains all alike would be solved before the first iteration.
    """
    labels = crystal.labels(cells)
    field = np.array([1.0, 1e-3])[labels % 2]
    return assemble(plain_problem(field, crystal.size / np.array(cells))).graph, {}


def faces(crystal, cells, phases, films):
    """Geometry and network of films on faces."""
    geometry = VoxelGeometry.of(crystal, cells)
    network = assemble(geometry.problem([phases[n] for n in crystal.phase_names], films))
    return network.graph, {}


def cut_cells(crystal, cells, phases, films):
    """Geometry and network of films on cut cells."""
    values = [np.asarray(phases[name], dtype=float) for name in crystal.phase_names]
    problem = cut_problem(crystal, cells, values, films, periodic=True)
    made = assemble_cut_cells(problem.grid, problem.links)
    return made.graph, {"preconditioner": made.preconditioner}


SCHEMES = {"plain": plain, "faces": faces, "cut-cells": cut_cells}


def measure(make, crystal, cells, phases, films):
    """CPU seconds of assembly and solve, iterations and unknowns."""
    begin = time.process_time()
    graph, more = make(crystal, cells, phases, films)
    middle = time.process_time()
    run = solve_periodic(graph, **LIMITS, **more)
    end = time.process_time()
    return {
        "assembly": middle - begin,
        "solve": end - middle,
        "iterations": run.report.iterations,
        "unknowns": graph.nodes / np.prod(cells),
    }


def peak(scheme, number, dimension, cells):
    """Peak memory beyond the imports, in bytes a voxel, from a process of its own."""
    command = [sys.executable, __file__, "--one", scheme, str(number), str(dimension), str(cells)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return float(done.stdout.split()[-1]) if done.returncode == 0 and done.stdout else float("nan")


def one(scheme, number, dimension, cells):
    """Solve one row and print the growth of the peak; a small one before, to load all code."""
    _, phases, films = list(problems())[number]
    shares = dict.fromkeys(phases, 1 / len(phases))
    small = 2 * PER_GRAIN[dimension]
    grid = (small,) * dimension
    measure(SCHEMES[scheme], crystal_of(small, dimension, shares), grid, phases, films)
    crystal, grid = crystal_of(cells, dimension, shares), (cells,) * dimension
    crystal.labels_and_images(grid)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    measure(SCHEMES[scheme], crystal, grid, phases, films)
    # not ru_maxrss, which a process takes over from the one that started it
    status = Path("/proc/self/status").read_text().splitlines()
    most = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    print((most - before) / cells**dimension)


def rows(dimension, cells, memory):
    """Lines of the table of one size."""
    for number, (name, phases, films) in enumerate(problems()):
        shares = dict.fromkeys(phases, 1 / len(phases))
        crystal, grid = crystal_of(cells, dimension, shares), (cells,) * dimension
        crystal.labels_and_images(grid)
        least = 0.0
        for scheme, make in SCHEMES.items():
            try:
                found = measure(make, crystal, grid, phases, films)
            except (MultiscaleError, ValueError) as error:
                yield f"| {name} | {scheme} | not solved: {str(error)[:80]} |  |  |  |  |  |"
                continue
            total = found["assembly"] + found["solve"]
            least = least or total
            room = f"{peak(scheme, number, dimension, cells):.0f}" if memory else "–"
            yield (
                f"| {name} | {scheme} | {total / least:.1f} | {found['assembly']:.2f} | "
                f"{found['solve']:.2f} | {found['iterations']} | {found['unknowns']:.2f} | {room} |"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells2d", type=int, default=256)
    parser.add_argument("--cells3d", type=int, default=48)
    parser.add_argument("--no-memory", action="store_true", help="leave out peak memory")
    parser.add_argument("--output", type=Path, default=HERE / "schemes.md")
    parser.add_argument("--one", nargs=4, metavar="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one[0], *map(int, given.one[1:]))
        return
    for dimension in (2, 3):  # compile
        list(rows(dimension, 2 * PER_GRAIN[dimension], False))
    known = versions()
    lines = [
        "# Cost of the thin-boundary schemes",
        "",
        f"`bench_schemes.py --cells2d {given.cells2d} --cells3d {given.cells3d}`, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, revision "
        f"{git_revision(HERE)}, one thread, Python {known['python']}, numpy "
        f"{known['numpy']}, numba {known['numba']}.",
        "",
        "CPU seconds of one periodic solve of all axes to 1e-6; *cost*: "
        "assembly and solve over those of a plain two-point solve without films on the same "
        "crystal and cells, whose grains conduct 1 and 1e-3 in turn. Unknowns and peak "
        "memory are a voxel; assembly includes the geometry, the solve the multigrid levels.",
    ]
    for dimension, cells in ((2, given.cells2d), (3, given.cells3d)):
        grid = f"{cells}{'²' if dimension == 2 else '³'}"
        lines += ["", f"## {dimension}D, {grid}, {PER_GRAIN[dimension]} voxels a grain", ""]
        lines += ["| films | scheme | cost | assembly [s] | solve [s] | iterations | unknowns | "
                  "peak [bytes] |", "|---|---|---:|---:|---:|---:|---:|---:|"]  # fmt: skip
        for line in rows(dimension, cells, not given.no_memory):
            print(line, flush=True)
            lines.append(line)
    given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(given.output)


if __name__ == "__main__":
    main()
