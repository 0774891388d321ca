"""Percolation thresholds of lattices and random grains beside those of the literature.

Usage: python tests/benchmarks/bench_thresholds.py [--scale 1.0] [--output FILE]

``--scale`` multiplies the numbers of graphs. One thread, some four minutes.
"""

import argparse
import datetime
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402

from multiscale.network import percolation_threshold  # noqa: E402
from multiscale.provenance import git_revision, versions  # noqa: E402

HERE = Path(__file__).resolve().parent
PLANE, SPACE = (32, 48, 64, 96, 128), (12, 16, 24, 32)
MANY, FEWER = (8000, 5000, 3000, 1500, 1000), (6000, 4000, 1800, 700)
RANDOM = {"sizes": (24, 32, 48, 64), "samples": (80, 60, 30, 20)}
SWEEPS = 100
# structure, kind, sizes, graphs, threshold, its error, source
CASES = [
    ("square", "site", PLANE, MANY, 0.592746, 0.0, "10.1103/PhysRevE.78.031136"),
    ("square", "bond", PLANE, MANY, 0.5, 0.0, "exact"),
    ("triangular", "site", PLANE, MANY, 0.5, 0.0, "exact"),
    ("cubic", "site", SPACE, FEWER, 0.311608, 0.0, "10.1103/PhysRevE.87.052107"),
    ("cubic", "bond", SPACE, FEWER, 0.248812, 0.0, "10.1103/PhysRevE.87.052107"),
    ("fcc", "site", SPACE, FEWER, 0.199236, 0.0, "10.1007/s11467-013-0403-z"),
    ("fcc", "bond", SPACE, FEWER, 0.120164, 0.0, "10.1007/s11467-013-0403-z"),
    ("voronoi-2d", "site", *RANDOM.values(), 0.5, 0.0, "exact"),
    ("voronoi-2d", "bond", *RANDOM.values(), 0.333069, 0.0, "10.1103/PhysRevE.80.041101"),
    ("voronoi-edges-2d", "site", *RANDOM.values(), 0.71410, 0.0, "10.1103/PhysRevE.80.041101"),
    ("voronoi-edges-2d", "bond", *RANDOM.values(), 0.666931, 0.0, "10.1103/PhysRevE.80.041101"),
    ("voronoi-3d", "site", (8, 12, 16, 20), (80, 50, 30, 16), 0.1453, 0.002,
     "10.1088/0022-3719/17/19/017"),
    ("voronoi-3d", "bond", (8, 12, 16, 20), (80, 50, 30, 16), 0.0822, 0.005,
     "10.1088/0022-3719/17/19/017"),
]  # fmt: skip


def row(case, scale):
    """Run one case and write its row of the table."""
    name, kind, sizes, samples, known, error, source = case
    counts = [max(10, round(n * scale)) for n in samples]
    sweeps = SWEEPS if name.startswith("voronoi") else 1
    began = time.process_time()
    found = percolation_threshold(name, kind, sizes, samples=counts, sweeps=sweeps, seed=2024)
    spent = time.process_time() - began
    score = (found.threshold - known) / np.hypot(found.stderr, error)
    literature = f"{known:.6g}" + (f" ± {error:g}" if error else "")
    return (
        f"| {name} | {kind} | {', '.join(map(str, sizes))} | {found.threshold:.5f} | "
        f"{found.stderr:.5f} | {literature} | {score:+.1f} | {found.amplitude:+.3f} | "
        f"{found.chi_squared:.1f} / {found.degrees} | {spent:.0f} | {source} |"
    )


def main():
    """Run all cases and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--output", type=Path, default=HERE / "thresholds.md")
    options = parser.parse_args()
    rows = []
    for case in CASES:
        rows.append(row(case, options.scale))
        print(rows[-1], file=sys.stderr, flush=True)
    used = versions()
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    head = [
        "# Percolation thresholds",
        "",
        f"`bench_thresholds.py --scale {options.scale:g}`, {now}, revision "
        f"{git_revision(HERE)}, one thread, Python {sys.version.split()[0]}, "
        f"numpy {used['numpy']}, numba {used['numba']}.",
        "",
        "p_c from p_c(L) = p_c + a L^(−1/ν), p_c(L) the mean share at which a cluster first "
        "winds around any axis of a periodic box; *sizes*: sites or grains along an axis "
        f"(random grains: {SWEEPS} sweeps on each graph); *error*: bootstrap over graphs; "
        "*score*: difference from the literature over the errors of both; χ² of the fit over "
        "its degrees of freedom; CPU seconds. *voronoi*: Poisson–Voronoi grains that share a "
        "facet; *voronoi-edges*: the triple points, joined along the boundaries.",
        "",
        "| structure | kind | sizes | p_c | error | literature | score | a | χ² | CPU [s] "
        "| source |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    options.output.write_text("\n".join([*head, *rows]) + "\n")


if __name__ == "__main__":
    main()
