"""Milliseconds a step of each student and of its teacher on the same cell, in one run.

Usage: python tests/benchmarks/bench_potentials.py [-o FILE]; needs the extra mlip.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from multiscale.atomistics import boundaries, crystals
from multiscale.atomistics._mace import as_potential, read_student
from multiscale.atomistics.potentials import (
    STUDENTS,
    load_potential,
    student_cards,
    threads_for,
)

LLZO, LCO = crystals.crystal("LLZO"), crystals.crystal("LCO", lithium=0.6667)
CELLS = {
    "LLZO": lambda draw: crystals.build(LLZO, (1, 1, 1), draw),
    "LLZO-sigma3": lambda draw: (
        boundaries.coincidence(LLZO, 3, (1, 1, 0), (1, -1, 2), draw, thickness=8.0, gap=0.5).atoms
    ),
    "LCO": lambda draw: crystals.build(LCO, (4, 4, 1), draw),
    "LLZO-LCO": lambda draw: (
        boundaries.interface(
            LLZO, LCO, ((1, 0, 0), (1, 0, -1, 4)), draw, max_strain=0.032, thickness=8.0
        ).atoms
    ),
}


def step_time(calculator, atoms, steps):
    """Median CPU time of a step: energy, forces and stress of a cell that moved a little."""
    generator, times = np.random.default_rng(0), []
    moving = atoms.copy()
    moving.calc = calculator
    moving.get_forces()
    for _ in range(steps):
        moving.positions += generator.normal(scale=0.01, size=moving.positions.shape)
        begin = time.process_time()
        moving.get_forces()
        moving.get_stress()
        times.append(time.process_time() - begin)
    return float(np.median(times))


def main():
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    threads_for(1)
    lines = [
        "One thread, CPU time of energy, forces and stress; `python "
        "tests/benchmarks/bench_potentials.py`. Errors: root mean squares, held-out trajectories.",
        "",
        "| student | atoms | teacher [ms] | student by mace-torch [ms] | student [ms] | "
        "teacher over student | energy [meV/atom] | "
        "forces [meV/Å] | stress [meV/Å³] | trained on |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, card in student_cards().items():
        atoms = CELLS[name](np.random.default_rng(0))
        teacher = load_potential(card["teacher"].split()[0], device="cpu").calculator()
        model = read_student(STUDENTS / f"{name}.npz", "cpu")
        torch = as_potential(name, (model,), {}, "cpu").calculator()
        student = load_potential(f"student:{name}").calculator()
        slow = step_time(teacher, atoms, 5)
        middle, fast = step_time(torch, atoms, 30), step_time(student, atoms, 100)
        errors = card["held_out"]
        lines.append(
            f"| {name} | {len(atoms)} | {1e3 * slow:.0f} | {1e3 * middle:.0f} | "
            f"{1e3 * fast:.1f} | {slow / fast:.0f} | "
            f"{1e3 * errors['energy']:.2g} | {1e3 * errors['forces']:.3g} | "
            f"{1e3 * errors['stress']:.2g} | {card['trained_on']} cells |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.output:
        asked.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
