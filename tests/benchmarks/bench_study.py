"""Wall time of ensembles of three-dimensional polycrystals, all steps, on two cores.

Usage: python tests/benchmarks/bench_study.py [--samples 60] [--workers 2] [-o study.md]

Samples of the three-dimensional ensemble of runs/llzo-lco at one temperature, with its thin
boundaries on voxel faces, at 64 and 128 voxels an axis and 16 voxels a grain, from the seeds to the
stored result. Scaled to 600 samples from a run of one sample a process and the whole one; the
former is done twice, so that compiling does not count.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALL = 600
POINTS = 30
"""Volume fractions times grain sizes of the study."""


def study_text(cells, realisations):
    """Take the study with its three-dimensional ensemble alone, at its first temperature."""
    text = (ROOT / "runs" / "llzo-lco" / "study.toml").read_text()
    text = re.sub(r'\[\[ensembles\]\]\nname = "2D".*?\n\n', "", text, flags=re.DOTALL)
    text = re.sub(r"cells = \[.*?\]", f"cells = [{cells}, {cells}, {cells}]", text)
    text = re.sub(r"temperatures_K = \[.*?\]", "temperatures_K = [300]", text)
    return re.sub(r"realisations = \d+", f"realisations = {realisations}", text)


def run(folder, workers, *samples):
    """Run a study; return seconds."""
    begin = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable, "-m", "multiscale.cli", "run", str(folder), "--fresh",
            *samples, "--workers", str(workers),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - begin


def measured(case, samples, workers):
    """Row of the table for one kind of ensemble."""
    cells, grains = case
    recipe = (ROOT / "microstructures" / "llzo-lco-3d.toml").read_text()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "runs" / "speed"
        folder.mkdir(parents=True)
        (Path(place) / "microstructures").mkdir()
        (Path(place) / "microstructures" / "llzo-lco-3d.toml").write_text(
            re.sub(r"grains = \d+", f"grains = {grains}", recipe)
        )
        (folder / "study.toml").write_text(study_text(cells, samples // POINTS))
        few = [run(folder, workers, "--samples", str(workers)) for _ in range(2)][1]
        seconds = run(folder, workers)
    each = (seconds - few) / (samples - workers)
    whole = (few + each * (ALL - workers)) / 60
    return f"| {cells}³ | {grains} | {seconds:.1f} | {few:.1f} | {each:.2f} | {whole:.1f} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2 * POINTS)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    lines = [
        "# Ensembles: wall time of all steps",
        "",
        f"`make bench-study`: {asked.samples} samples each, {asked.workers} processes on "
        f"{os.cpu_count()} cores, 10 volume fractions × 3 grain sizes, full "
        "tensor, one temperature, report included.",
        "",
        "| voxels | grains | wall time [s] | of the first and the report [s] "
        "| a further sample [s] | 600 samples [min] |",
        "|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for case in ((64, 64), (128, 512)):
        lines.append(measured(case, asked.samples, asked.workers))
        print(lines[-1], flush=True)
    if asked.output:
        asked.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
