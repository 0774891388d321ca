"""Put a student to the test: long and hot, and beside its teacher for the same short time.

Usage: python runs/mace-students/examine_student.py LLZO 1400 [--ps 3] [--long-ps 50] [--ship]

Goes on where it was stopped. First the student runs for 50 ps, and the guard judges it: framework
on its plateau, energies and forces those of the teacher. Then the teacher runs once, the student
several times with other velocities: what its runs differ by is what one short run of the teacher
may be off by chance. --ship adds what was found to the student's card.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from ase.io import read

from multiscale.atomistics import dynamics, guard
from multiscale.atomistics.potentials import (
    STUDENTS,
    load_potential,
    student_cards,
    threads_for,
)
from multiscale.properties.diffusivity import displacements
from multiscale.properties.from_dynamics import read_paths

HERE = Path(__file__).resolve().parent
SEEDS = 8
CM2 = 1e4


def diffusivity(folder, mobile, settle):
    """Slope of the mean squared displacement between a fifth and half of a run [m²/s]."""
    paths = read_paths(folder, mobile, settle)
    found = displacements(paths.positions, paths.interval)
    low, high = 0.2 * paths.duration, 0.5 * paths.duration
    used = (found.lag >= low) & (found.lag <= high)
    slope = np.polyfit(found.lag[used], found.mean[used], 1)[0]
    return float(slope / (2.0 * found.axes))


def alone(student, teacher, start, work, asked):
    """Judge a long run of the student."""
    folder = work / f"alone-{asked.temperature:g}"
    plan = dynamics.MDPlan(asked.temperature, round(500 * asked.long_ps), every=20, seed=1)
    dynamics.run_nvt(start, student, plan, folder, checkpoint_every=500)
    verdict = guard.judge(folder, student, teacher, mobile=plan.mobile, skip=2000.0)
    return {
        "length_ps": asked.long_ps, "framework_A2": list(verdict.framework),
        "energy_drift_eV_atom": verdict.energy_drift, "force_error_eV_A": verdict.force_error,
        "valid": verdict.valid,
    }  # fmt: skip


def main():
    """Run both and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("student")
    parser.add_argument("temperature", type=float)
    parser.add_argument("--ps", type=float, default=3.0)
    parser.add_argument("--long-ps", type=float, default=50.0)
    parser.add_argument("--settle-ps", type=float, default=0.5)
    parser.add_argument("--ship", action="store_true")
    asked = parser.parse_args()
    threads_for(1)
    card = student_cards()[asked.student]
    work = HERE / "work" / asked.student
    start = read(work / "starts.xyz", index=0)
    steps = round(500 * asked.ps)
    found = {"temperature_K": asked.temperature, "length_ps": asked.ps}
    student = load_potential(f"student:{asked.student}")
    teacher = load_potential(card["teacher"].split()[0])
    found["alone"] = alone(student, teacher, start, work, asked)
    print("alone", json.dumps(found["alone"]), flush=True)
    for name, potential, seeds in (("student", student, SEEDS), ("teacher", teacher, 1)):
        values, plateaus = [], []
        for seed in range(seeds):
            folder = work / f"beside-{name}-{asked.temperature:g}-{seed}"
            plan = dynamics.MDPlan(asked.temperature, steps, seed=seed)
            dynamics.run_nvt(start, potential, plan, folder, checkpoint_every=50)
            values.append(CM2 * diffusivity(folder, plan.mobile, 1000.0 * asked.settle_ps))
            plateaus.append(guard.plateau(list(dynamics.frames(folder)), plan.mobile)[1])
        found[name] = {
            "D_cm2_s": float(np.mean(values)), "runs": seeds,
            "spread_cm2_s": float(np.std(values, ddof=1)) if seeds > 1 else None,
            "framework_A2": float(np.mean(plateaus)),
        }  # fmt: skip
        print(name, json.dumps(found[name]), flush=True)
    ratio = found["student"]["D_cm2_s"] / found["teacher"]["D_cm2_s"]
    print(f"student over teacher: {ratio:.2f}")
    if asked.ship:
        index = Path(str(STUDENTS)) / "cards.json"
        cards = json.loads(index.read_text())
        cards[asked.student]["tested"] = found
        index.write_text(json.dumps(cards, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
