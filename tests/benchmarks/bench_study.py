"""Wall time of an ensemble of three-dimensional polycrystals, all steps, on two cores.

Usage: python tests/benchmarks/bench_study.py [--cells 64] [--grains 100] [--samples 600]
                                              [--temperatures 1] [--bare] [--workers 2]

The ensemble is the three-dimensional one of runs/llzo-lco; --bare leaves its thin boundaries
out. Fewer samples are scaled up to 600 in the last line. A run of two samples first fills the
caches of compiled code.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ALL = 600


def study_text(cells, temperatures, bare):
    """Take the study with its three-dimensional ensemble alone."""
    text = (ROOT / "runs" / "llzo-lco" / "study.toml").read_text()
    text = re.sub(r'\[\[ensembles\]\]\nname = "2D".*?\n\n', "", text, flags=re.DOTALL)
    text = re.sub(r"cells = \[.*?\]", f"cells = [{cells}, {cells}, {cells}]", text)
    kept = ", ".join(str(value) for value in (300, 350, 400)[:temperatures])
    text = re.sub(r"temperatures_K = \[.*?\]", f"temperatures_K = [{kept}]", text)
    if bare:
        text = re.sub(r"\[boundaries\]\n(?:\".*\n)+", "", text)
    return text


def run(folder, samples, workers):
    """Run a study; return seconds and what it said last."""
    begin = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable, "-m", "multiscale.cli", "run", str(folder), "--fresh",
            "--samples", str(samples), "--workers", str(workers),
        ],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=64)
    parser.add_argument("--grains", type=int, default=100)
    parser.add_argument("--samples", type=int, default=ALL)
    parser.add_argument("--temperatures", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--bare", action="store_true")
    asked = parser.parse_args()
    recipe = (ROOT / "microstructures" / "llzo-lco-3d.toml").read_text()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "runs" / "speed"
        folder.mkdir(parents=True)
        (Path(place) / "microstructures").mkdir()
        (Path(place) / "microstructures" / "llzo-lco-3d.toml").write_text(
            re.sub(r"grains = \d+", f"grains = {asked.grains}", recipe)
        )
        (folder / "study.toml").write_text(study_text(asked.cells, asked.temperatures, asked.bare))
        run(folder, 2, asked.workers)
        seconds = run(folder, asked.samples, asked.workers)
    print(
        f"{asked.samples} samples of {asked.cells}^3 voxels, {asked.grains} grains, "
        f"{asked.temperatures} temperature(s), thin boundaries: {'no' if asked.bare else 'yes'}, "
        f"{asked.workers} workers: {seconds:.1f} s; {ALL} such samples: "
        f"{seconds * ALL / asked.samples / 60:.1f} min"
    )


if __name__ == "__main__":
    main()
