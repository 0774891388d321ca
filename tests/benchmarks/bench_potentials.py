"""Milliseconds a step of each student and of its teacher on the same cell, in one run.

Usage: python tests/benchmarks/bench_potentials.py [-o FILE]; needs the extra mlip.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from multiscale.atomistics import crystals
from multiscale.atomistics.potentials import load_potential, student_cards, threads_for

CELLS = {
    "LLZO": (crystals.crystal("LLZO"), (1, 1, 1)),
    "LCO": (crystals.crystal("LCO", lithium=0.6667), (4, 4, 1)),
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
        "| student | atoms | teacher [ms] | student [ms] | ratio | energy [meV/atom] | "
        "forces [meV/Å] | stress [meV/Å³] | trained on |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, card in student_cards().items():
        one, repeat = CELLS[name]
        atoms = crystals.build(one, repeat, np.random.default_rng(0))
        teacher = load_potential(card["teacher"].split()[0], device="cpu").calculator()
        student = load_potential(f"student:{name}", device="cpu").calculator()
        slow, fast = step_time(teacher, atoms, 5), step_time(student, atoms, 30)
        errors = card["held_out"]
        lines.append(
            f"| {name} | {len(atoms)} | {1e3 * slow:.0f} | {1e3 * fast:.0f} | {slow / fast:.1f} | "
            f"{1e3 * errors['energy']:.2g} | {1e3 * errors['forces']:.3g} | "
            f"{1e3 * errors['stress']:.2g} | {card['trained_on']} cells |"
        )
    text = "\n".join(lines) + "\n"
    print(text)
    if asked.output:
        asked.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
