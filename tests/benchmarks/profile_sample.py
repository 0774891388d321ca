"""CPU seconds of every step of one sample, in the order in which a study takes them.

Usage: python tests/benchmarks/profile_sample.py [--cells 128] [--grains 1000] [--dimension 3]
                                                 [--temperatures 1] [--no-solve]

The sample is the first of runs/llzo-lco at a volume fraction of one half, with the grains and
voxels asked for; one thread. A small sample runs first, so that compiling does not count.
"""

import argparse
import os
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

from multiscale import study as steps  # noqa: E402
from multiscale.config import load_study  # noqa: E402
from multiscale.ensemble import SampleRecord, flux_slices  # noqa: E402
from multiscale.microstructure import (  # noqa: E402
    describe_microstructure,
    heterointerface_mask,
)
from multiscale.network import percolation  # noqa: E402
from multiscale.transport import VoxelGeometry, solve_voxels  # noqa: E402
from multiscale.transport.flux import flux_field  # noqa: E402

RUN = Path(__file__).resolve().parents[2] / "runs" / "llzo-lco"
SOLVE = "flux solve"


class Clock:
    """CPU seconds by step, in order of first appearance."""

    def __init__(self):
        self.seconds = {}

    @contextmanager
    def step(self, name):
        start = time.process_time()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start

    def table(self):
        rest = {name: value for name, value in self.seconds.items() if name != SOLVE}
        total = sum(rest.values())
        for name, value in rest.items():
            yield f"{name:32s} {value:9.4f} {value / total:7.1%}"
        yield f"{'all but the flux solve':32s} {total:9.4f} {1:7.1%}"
        if SOLVE in self.seconds:
            yield f"{SOLVE:32s} {self.seconds[SOLVE]:9.4f}"


def sample_plan(study, dimension, cells, grains):
    """Take the first sample of this dimension with half of each phase, at another size."""
    plan = next(
        plan
        for plan in study.samples()
        if len(plan.cells) == dimension and abs(plan.fractions["LLZO"] - 0.5) < 1e-9
    )
    return replace(plan, cells=(cells,) * dimension, recipe=replace(plan.recipe, grains=grains))


def run_sample(study, plan, folder, clock, solve):
    """Do what ``multiscale.study.compute_sample`` does, step by step, and store it."""
    with clock.step("grains: seeds, phases"):
        crystal = plan.build()
    with clock.step("tessellation"):
        crystal.tessellation  # noqa: B018
    radius = steps.HETEROINTERFACE_RADIUS * plan.grain_size
    with clock.step("descriptors"):
        described = describe_microstructure(crystal, plan.cells, heterointerface_radius=radius)
    with clock.step("percolation"):
        paths = percolation(crystal)
    near = None
    if radius >= steps.LEAST_RADIUS * float(max(crystal.size / plan.cells)):
        with clock.step("heterointerface mask"):
            near = heterointerface_mask(crystal, plan.cells, radius=radius)
    with clock.step("record"):
        record = SampleRecord(
            steps.facts(study, plan),
            study.temperatures,
            tuple(study.phases),
            crystal.phase_names,
            steps.HETEROINTERFACE_RADIUS,
            study.boundary_classes,
        )
        record.microstructure(described, paths)
    with clock.step("voxels and boundary faces"):
        geometry = VoxelGeometry.of(crystal, plan.cells)
    solution, fields = None, None
    for number, temperature in enumerate(study.temperatures):
        with clock.step("coefficients"):
            given = steps.coefficients(study, temperature)
        with clock.step("films on faces"):
            bulk = [float(given.phases[name]) for name in crystal.phase_names]
            problem = geometry.problem(bulk, given.boundaries)
            geometry.check_films(given.boundaries, scheme="faces")
        with clock.step("circuit"):
            circuit = steps.circuit_tensor(study, crystal, given)
        if not solve:
            continue
        with clock.step(SOLVE):
            solution = solve_voxels(
                problem, boundary=study.boundary, rtol=study.rtol, start=solution, keep=True
            )
        with clock.step("record"):
            record.transport(number, given, solution.result, circuit)
        with clock.step("flux shares"):
            flux = flux_field(solution, crystal.phase_names)
            record.shares(number, flux, near)
        if number == 0:
            with clock.step("flux slices"):
                fields = flux_slices(geometry, solution, flux, temperature, record.weight)
    with clock.step("grain graph (networkx)"):
        crystal.grain_graph()
    with clock.step("storing"):
        store = steps.open_store(study, folder)
        store.write(plan.index, record.dataset(), fields)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=128)
    parser.add_argument("--grains", type=int, default=1000)
    parser.add_argument("--dimension", type=int, default=3, choices=(2, 3))
    parser.add_argument("--temperatures", type=int, default=1)
    parser.add_argument("--no-solve", dest="solve", action="store_false")
    given = parser.parse_args()
    study = load_study(RUN)
    study = replace(study, temperatures=study.temperatures[: given.temperatures])
    clock = Clock()
    small = {2: (48, 40), 3: (24, 40)}[given.dimension]
    for cells, grains in (small, (given.cells, given.grains)):
        clock = Clock()
        plan = sample_plan(study, given.dimension, cells, grains)
        with tempfile.TemporaryDirectory() as folder:
            run_sample(study, plan, Path(folder), clock, given.solve)
    print(f"{given.cells}^{given.dimension} voxels, {given.grains} grains,", end=" ")
    print(f"{len(study.temperatures)} temperature(s); one thread")
    print(f"{'step':32s} {'CPU s':>9s} {'share':>7s}")
    print(*clock.table(), sep="\n")


if __name__ == "__main__":
    main()
