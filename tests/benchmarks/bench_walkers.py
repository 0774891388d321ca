"""How often stated intervals hold the truth, for walkers whose diffusivities are known.

Usage: python tests/benchmarks/bench_walkers.py [--repeats 200] [-o FILE]; needs the extra mlip.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "properties"))

from test_diffusivity import INTERVAL as STEP
from test_diffusivity import TRUE, walk
from test_regions import HIGH, INTERVAL, LENGTH, LOW, NORMAL, PARALLEL, slab, walkers

from multiscale.errors import PropertyError
from multiscale.properties import diffusivity, regions


def rows(repeats):
    """Yield name, truth, and each repeat's value, standard error and whether intervals hold it."""
    edges = np.linspace(0.0, LENGTH, 81)
    region = ((edges[:-1] > LOW - 1e-12) & (edges[:-1] < HIGH - 1e-12)).astype(int)
    both = {"along": [], "across": []}
    for seed in range(repeats):
        path = walkers(7000 + seed, atoms=300, frames=600)
        both["along"].append(regions.along(path, INTERVAL, slab(path), (0, 1), (2, 20), seed=seed))
        both["across"].append(
            regions.across(path[:, :, 2], INTERVAL, edges, region, 150, repeats=30, seed=seed)
        )
    for direction, true in (("along", PARALLEL), ("across", NORMAL)):
        for which, place in ((1, "slab"), (0, "beyond it")):
            value = np.array([one.value[which] for one in both[direction]])
            stderr = np.array([one.stderr[which] for one in both[direction]])
            z = np.abs(value - true[which]) / stderr
            yield (
                f"two regions, {direction}, {place}",
                true[which],
                np.column_stack([value, stderr, z < 1.0, z < 1.96]),
            )
    for name, axes, truth, frames in (
        ("mean of three axes", "xyz", TRUE.mean(), 400),
        ("one axis of an anisotropic walk", "z", TRUE[2], 2000),
    ):
        found = []
        refused = 0
        for seed in range(repeats):
            path = walk(5000 + seed, atoms=20, frames=frames)
            try:
                one = diffusivity.estimate(path, STEP, axes=axes, hop=1e-10)
            except PropertyError:  # it has not moved far enough, and says so
                refused += 1
                continue
            inside = [low < truth < high for low, high in (one.interval_68, one.interval_95)]
            found.append((one.value, one.stderr, *inside))
        yield f"{name}, {refused} refused" if refused else name, truth, np.array(found)


def main():
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    noise = [np.sqrt(p * (1 - p) / asked.repeats) for p in (0.68, 0.95)]
    lines = [
        f"{asked.repeats} walks of each kind; `python tests/benchmarks/bench_walkers.py`. By "
        f"chance alone shares vary by ±{noise[0]:.2f} and ±{noise[1]:.3f} (standard deviation).",
        "",
        "| walk | true D [m²/s] | mean of estimates over it | median stated error over spread | "
        "68 % holds it | 95 % holds it |",
        "|---|---|---|---|---|---|",
    ]
    for name, truth, found in rows(asked.repeats):
        value, stderr, one, two = found.T
        spread = 0.5 * np.ptp(np.quantile(value, [0.16, 0.84]))
        lines.append(
            f"| {name} | {truth:.3g} | {value.mean() / truth:.3f} | "
            f"{np.median(stderr) / spread:.2f} | {one.mean():.2f} | {two.mean():.3f} |"
        )
        print(lines[-1], flush=True)
    if asked.output:
        asked.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
