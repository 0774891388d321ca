"""Train the student of one family, round after round; every step goes on where it stopped.

Usage: python runs/mace-students/make_student.py LLZO [--rounds 5] [--anew] [--ship] [--as NAME]

Needs the extra ``mlip``. Everything it makes lies under runs/mace-students/work/NAME, a step
of its own in each file; --ship stores the last round's model and its card in the package, and
the labelled cells of all rounds in runs/mace-students/data/, from which a later call goes on.
"""

import argparse
import gzip
import io
import json
import re
import shlex
import sys
import tomllib
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from ase import Atoms
from ase.io import read, write
from ase.optimize import FIRE

from multiscale.atomistics import boundaries, crystals, dynamics, students
from multiscale.atomistics._mace import write_student
from multiscale.atomistics.compact import CompactCalculator, read_compact
from multiscale.atomistics.potentials import (
    STUDENTS,
    Potential,
    file_hash,
    load_potential,
    student_cards,
    threads_for,
)
from multiscale.errors import DynamicsError

HERE = Path(__file__).resolve().parent
SEED = 2026
EXPANSION = 1.5e-5
"""Linear, a kelvin: own runs are done in cells grown by nothing to twice as much."""


def starts(family, teacher, work):
    """Cells of all realisations, roughly relaxed by the teacher; boundaries teach on the way."""
    file = work / "starts.xyz"
    done = read(file, index=":") if file.exists() else []
    number = 0
    for kind in family["cells"]:
        for turn in range(kind["realisations"]):
            number += 1
            if number <= len(done):
                continue
            cell = drawn(kind, np.random.default_rng([SEED, number]), turn)
            cell.calc = teacher
            relaxation = FIRE(cell, logfile=None)
            seen = []
            if "boundary" in kind:
                relaxation.attach(lambda cell=cell, seen=seen: seen.append(told(cell)), interval=3)
            relaxation.run(fmax=0.3, steps=45)
            for one in seen:
                one.info[students.GROUP] = f"relaxing {number}"
                write(work / "relaxing.xyz", one, append=True, format="extxyz")
            cell.calc = None
            write(file, cell, append=True, format="extxyz")
            done.append(cell)
    return done


def told(cell):
    """Copy a cell with what its calculator says."""
    kept = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
    kept.wrap()
    kept.info = {
        students.ENERGY: float(cell.get_potential_energy()),
        students.STRESS: cell.get_stress(voigt=False),
    }
    kept.arrays[students.FORCES] = cell.get_forces()
    return kept


def drawn(kind, generator, turn):
    """Draw a crystal or a boundary that is not relaxed."""
    options = {key: kind[key] for key in ("lithium", "vacancies", "disorder") if key in kind}
    one = crystals.crystal(kind["crystal"], **options)
    if "boundary" not in kind:
        return crystals.build(one, tuple(kind["repeat"]), generator)
    gap = kind["gaps_A"][turn % len(kind["gaps_A"])]
    size = {"thickness": kind["thickness_A"], "side": kind["side_A"], "gap": gap}
    if kind["boundary"] == "coincidence":
        made = boundaries.coincidence(
            one, kind["sigma"], kind["axis"], kind["plane"], generator, **size
        )
    elif kind["boundary"] == "twin":
        made = boundaries.twin(one, kind["plane"], generator, **size)
    else:
        other = crystals.crystal(kind["second"], lithium=kind["second_lithium"])
        made = boundaries.interface(
            one, other, kind["planes"], generator, max_strain=kind["max_strain"], **size
        )
    return made.atoms


def first_cells(given, begin):
    """Rattled and strained cells: each realisation and size of rattle is a trajectory."""
    cells = []
    for number, start in enumerate(begin):
        for size in given["rattles"]:
            generator = np.random.default_rng([SEED, 1000, number, int(1000 * size)])
            for _ in range(given["rattled_each"]):
                cell = students.rattled(start, generator, size, given["strain"])
                cell.wrap()
                cell.info = {students.GROUP: f"rattled {size:g} of {number}"}
                cells.append(cell)
    order = np.random.default_rng(SEED).permutation(len(cells) // given["rattled_each"])
    each = given["rattled_each"]
    return [cell for block in order for cell in cells[block * each : (block + 1) * each]]


def next_cells(family, given, begin, potential, work, step):
    """Cells from the student's own dynamics, also from runs that failed."""
    cells = []
    bulk = sum(kind["realisations"] for kind in family["cells"] if "boundary" not in kind)
    turns = range(given["starts_each"])
    taken = [(step * given["starts_each"] + turn) % bulk for turn in turns] if bulk else []
    for number in range(given["pressed_each"]):
        generator = np.random.default_rng([SEED, 3000 + step, number])
        cell = students.rattled(begin[number % len(begin)], generator, 0.05, given["strain"])
        cell = students.pressed(cell, generator, 6, tuple(given["pressed_to"]))
        cell.wrap()
        cell.info = {students.GROUP: f"pressed in round {step}"}
        cells.append(cell)
    if len(begin) > bulk:
        taken += [bulk + (step + turn) % (len(begin) - bulk) for turn in range(1 if bulk else 2)]
    for number in taken:
        start = begin[number]
        if number >= bulk:
            for size in given["rattles"]:
                generator = np.random.default_rng([SEED, 2000 + step, number, int(1000 * size)])
                cell = students.rattled(start, generator, size, given["strain"])
                cell.wrap()
                cell.info = {students.GROUP: f"rattled {number} in round {step}"}
                cells.append(cell)
        count = max(3, round(given["atoms_each"] / len(start)))
        for temperature in family["temperatures_K"]:
            generator = np.random.default_rng([SEED, step, number, temperature])
            folder = work / f"dynamics-{step}-{number}-{temperature}"
            plan = dynamics.MDPlan(
                temperature=float(temperature), steps=int(given["dynamics_ps"] * 500),
                every=4, seed=100 * step + number, mobile=family["mobile"],
            )  # fmt: skip
            hot = start.copy()
            grown = 1.0 + EXPANSION * temperature * generator.uniform(0.0, 2.0)
            hot.set_cell(start.cell * grown, scale_atoms=True)
            try:
                dynamics.run_nvt(hot, potential, plan, folder, checkpoint_every=20)
            except DynamicsError as error:
                print(f"  {folder.name}: {error}", flush=True)
            try:
                trajectory = list(dynamics.frames(folder))
            except FileNotFoundError:
                trajectory = []
            if trajectory:
                group = f"{temperature} K of {number} in round {step}"
                cells += students.spread(trajectory[1:], count, group)
    return cells


def driver_of(work, step):
    """A round's model, as potential."""
    file = work / f"student-{step}.npz"
    if not file.exists():
        path = work / f"student-{step}.model"
        write_student(torch.load(path, weights_only=False, map_location="cpu"), file)
    model = read_compact(file)
    return Potential(
        f"round {step}", model.elements, model.cutoff, {"sha256": file_hash(file)},
        (lambda: CompactCalculator(model),),
    )  # fmt: skip


def main():
    """Do all rounds of one family."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("family")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--anew", action="store_true", help="train on all cells from nothing")
    parser.add_argument("--ship", action="store_true")
    parser.add_argument("--title", help="what a student of later rounds is for")
    parser.add_argument("--as", dest="name", help="name to ship it under, if not the family's")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    threads_for(1)
    table = tomllib.loads((HERE / "families.toml").read_text())
    family, given, options = table[asked.family], table["students"], dict(table["mace"])
    work = HERE / "work" / asked.family
    work.mkdir(parents=True, exist_ok=True)
    unpack(asked.family, work)
    source = load_potential(given["teacher"], device=asked.device)
    teacher = source.calculator()
    begin = starts(family, teacher, work)
    log, epochs = work / "log.jsonl", 0
    seen = work / "relaxing.xyz"
    cells = kept(read(seen, index=":"), given) if seen.exists() else []
    for step in range(asked.rounds or given["rounds"]):
        epochs += given["epochs"][step]
        labels, model = work / f"round-{step}.xyz", work / f"student-{step}.model"
        if not (work / f"asked-{step}.xyz").exists():
            if step == 0:
                new = first_cells(given, begin)
                if asked.family in student_cards():
                    driver = load_potential(f"student:{asked.family}", device=asked.device)
                    new += next_cells(family, given, begin, driver, work, step)
            else:
                driver = driver_of(work, step - 1)
                new = next_cells(family, given, begin, driver, work, step)
            write(work / f"asked-{step}.xyz", new)
        new = students.label(read(work / f"asked-{step}.xyz", index=":"), teacher, labels)
        if step and not model.exists():
            found = students.errors(new, driver_of(work, step - 1).calculator())
            print(f"round {step}: before training on its own cells {asdict(found)}", flush=True)
            log.open("a").write(json.dumps({"round": step, "before": asdict(found)}) + "\n")
        cells += kept(new, given)
        if model.exists():
            continue
        train, held_out = students.split(cells)
        heated = work / f"reheated-{step}"
        if step and not heated.exists():
            low, high = given["reheat"]
            students.reheat(work / "training", high, (low / high) ** (1 / given["epochs"][step]))
            heated.touch()
        made = students.train(
            work / "training", asked.family, train, held_out, epochs, options, device=asked.device
        )
        made.rename(model)
        found = students.errors(held_out, driver_of(work, step).calculator())
        print(f"round {step}: {len(train)} cells, held out {asdict(found)}", flush=True)
        log.open("a").write(
            json.dumps({"round": step, "train": len(train), "held_out": asdict(found)}) + "\n"
        )
    if asked.anew and not (work / "student-anew.model").exists():
        train, held_out = students.split(cells)
        made = students.train(
            work / "training-anew", asked.family, train, held_out, given["anew_epochs"], options,
            device=asked.device,
        )  # fmt: skip
        made.rename(work / "student-anew.model")
        found = students.errors(held_out, driver_of(work, "anew").calculator())
        print(f"anew: {len(train)} cells, held out {asdict(found)}", flush=True)
    if asked.ship:
        ship(asked, family, source, cells, work, step)


def kept(cells, given):
    """Leave out cells far from any crystal, where the teacher's forces are huge."""
    return [
        cell for cell in cells
        if np.sqrt(np.mean(cell.arrays[students.FORCES] ** 2)) < given["strongest_eV_A"]
    ]  # fmt: skip


def pack(name, work, rounds):
    """Store the labelled cells of all rounds in one file, to five digits."""
    target = HERE / "data" / f"{name}.xyz.gz"
    target.parent.mkdir(exist_ok=True)
    cells = []
    for step in range(-1, rounds):
        file = work / ("relaxing.xyz" if step < 0 else f"round-{step}.xyz")
        for cell in read(file, index=":") if file.exists() else []:
            cell.info["round"] = step
            cells.append(cell)
    text = io.StringIO()
    write(text, cells, format="extxyz")
    short = re.sub(r"(\.\d{5})\d+", r"\1", text.getvalue())
    target.write_bytes(gzip.compress(short.encode(), 9, mtime=0))
    print(f"{target}: {target.stat().st_size} bytes, {len(cells)} cells")


def unpack(name, work):
    """Take up labelled cells that were stored, where there are none yet."""
    source = HERE / "data" / f"{name}.xyz.gz"
    if not source.exists() or (work / "round-0.xyz").exists():
        return
    cells = read(io.StringIO(gzip.decompress(source.read_bytes()).decode()), ":", "extxyz")
    for step in sorted({cell.info["round"] for cell in cells}):
        own = [cell for cell in cells if cell.info["round"] == step]
        for cell in own:
            del cell.info["round"]
        if step < 0:
            write(work / "relaxing.xyz", own, format="extxyz")
            continue
        write(work / f"round-{step}.xyz", own, format="extxyz")
        write(work / f"asked-{step}.xyz", own, format="extxyz")


def ship(asked, family, source, cells, work, step):
    """Store the model as plain arrays beside its card."""
    made = "anew" if (work / "student-anew.model").exists() else step
    driver, name = driver_of(work, made), asked.name or asked.family
    target = Path(str(STUDENTS)) / f"{name}.npz"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes((work / f"student-{made}.npz").read_bytes())
    pack(asked.family, work, step + 1)
    train, held_out = students.split(cells)
    found = students.errors(held_out, driver.calculator())
    ran = [cell for cell in held_out if " K of " in cell.info[students.GROUP]]
    own = {
        formula: asdict(students.errors(some, driver.calculator()))
        for formula in sorted({cell.get_chemical_formula() for cell in ran})
        if (some := [cell for cell in ran if cell.get_chemical_formula() == formula])
    }
    students.write_card(
        target.with_name("cards.json"),
        {
            "name": name,
            "title": asked.title or family["title"],
            "files": {target.name: file_hash(target)},
            "teacher": f"{source.name} ({source.origin['sha256'][:12]})",
            "trained_on": len(train),
            "held_out": asdict(found),
            "held_out_dynamics": own,
            "compositions": sorted({cell.get_chemical_formula() for cell in train}),
            "temperatures_K": family["temperatures_K"],
            "command": " ".join(
                ["python runs/mace-students/make_student.py", *map(shlex.quote, sys.argv[1:])]
            ),
        },
    )
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
