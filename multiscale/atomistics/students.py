"""Compact models of one family of cells, learnt from a large one.

A student is trained on cells that its teacher labelled: first rattled and strained ones, then, in
several rounds, cells from the student's own molecular dynamics, until those no longer surprise
it. Cells of one trajectory are alike: whole trajectories are held out for the errors on its card.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.data import covalent_radii
from ase.io import read, write
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from multiscale.errors import ComputationError, describe

FloatArray = NDArray[np.float64]

ENERGY, FORCES, STRESS = "teacher_energy", "teacher_forces", "teacher_stress"
GROUP = "trajectory"
"""Entry of ``info`` that names the trajectory a cell is from."""


@dataclass(frozen=True, slots=True)
class Errors:
    """How far a model is from its teacher.

    Parameters
    ----------
    energy : float
        Root mean square error [eV an atom].
    forces : float
        Of a component [eV/Å].
    stress : float
        Of a component [eV/Å³].
    cells, atoms : int
        How many it was measured on.
    """

    energy: float
    forces: float
    stress: float
    cells: int
    atoms: int


def rattled(
    atoms: Atoms, generator: np.random.Generator, displacement: float, strain: float
) -> Atoms:
    """Displace all atoms and strain the cell.

    Parameters
    ----------
    atoms : ase.Atoms
        A cell.
    generator : numpy.random.Generator
        Draws both.
    displacement : float
        Standard deviation of each coordinate [Å].
    strain : float
        Largest component of the strain.

    Returns
    -------
    ase.Atoms
        Another cell.
    """
    changed = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    tensor = generator.uniform(-strain, strain, (3, 3))
    tensor = np.eye(3) + 0.5 * (tensor + tensor.T)
    changed.set_cell(atoms.cell.array @ tensor, scale_atoms=True)
    changed.positions += generator.normal(scale=displacement, size=changed.positions.shape)
    return changed


def pressed(
    atoms: Atoms, generator: np.random.Generator, pairs: int, shares: tuple[float, float]
) -> Atoms:
    """Push some neighbours together, to teach how atoms repel each other.

    Parameters
    ----------
    atoms : ase.Atoms
        A cell.
    generator : numpy.random.Generator
        Draws them.
    pairs : int
        How many, without a common atom.
    shares : tuple of float
        Least and largest distance of a pair, as shares of the sum of covalent radii.

    Returns
    -------
    ase.Atoms
        Another cell; fewer pairs where there are no more.
    """
    changed = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    radii = covalent_radii[changed.numbers]
    first, second, vectors = neighbor_list("ijD", changed, 1.2 * radii)
    kinds = [
        frozenset((changed.numbers[i], changed.numbers[j]))
        for i, j in zip(first, second, strict=True)
    ]
    every = list(dict.fromkeys(kinds))
    used: set[int] = set()
    for turn in range(pairs):
        wanted = every[(turn + int(generator.integers(len(every)))) % len(every)] if every else None
        free = [
            k for k in range(len(first))
            if kinds[k] == wanted and not {int(first[k]), int(second[k])} & used
        ]  # fmt: skip
        if not free:
            continue
        k = int(generator.choice(free))
        i, j = int(first[k]), int(second[k])
        wide = float(np.linalg.norm(vectors[k]))
        target = float(generator.uniform(*shares)) * float(radii[i] + radii[j])
        if target < wide:
            step = 0.5 * (1.0 - target / wide) * vectors[k]
            changed.positions[i] += step
            changed.positions[j] -= step
            used |= {i, j}
    return changed


def label(cells: Sequence[Atoms], teacher: Calculator, file: Path) -> list[Atoms]:
    """Ask the teacher about cells, and go on where an earlier call stopped.

    Parameters
    ----------
    cells : sequence of ase.Atoms
        With ``info["trajectory"]``.
    teacher : ase.calculators.calculator.Calculator
        Gives energy, forces and stress.
    file : pathlib.Path
        Extended XYZ; labelled cells are added to it one by one.

    Returns
    -------
    list of ase.Atoms
        All cells with their labels in ``info`` and ``arrays``.
    """
    done = read(file, index=":") if file.exists() else []
    assert isinstance(done, list)
    for cell in cells[len(done) :]:
        asked = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
        asked.calc = teacher
        kept = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
        kept.info = {GROUP: cell.info[GROUP], ENERGY: float(asked.get_potential_energy())}
        kept.info[STRESS] = asked.get_stress(voigt=False)
        kept.arrays[FORCES] = asked.get_forces()
        write(file, kept, append=True, format="extxyz")
        done.append(kept)
    return done


def errors(cells: Iterable[Atoms], model: Calculator) -> Errors:
    """Compare a model with the labels of its teacher.

    Parameters
    ----------
    cells : iterable of ase.Atoms
        From :func:`label`.
    model : ase.calculators.calculator.Calculator
        The model.

    Returns
    -------
    Errors
        Root mean squares.
    """
    energy, forces, stress, atoms = [], [], [], 0
    for cell in cells:
        asked = Atoms(cell.symbols, cell.positions, cell=cell.cell, pbc=True)
        asked.calc = model
        energy.append((asked.get_potential_energy() - cell.info[ENERGY]) / len(cell))
        forces.append(np.ravel(asked.get_forces() - cell.arrays[FORCES]))
        stress.append(np.ravel(asked.get_stress(voigt=False) - cell.info[STRESS]))
        atoms += len(cell)

    def rms(values: Sequence[FloatArray] | Sequence[float]) -> float:
        whole = np.concatenate([np.atleast_1d(value) for value in values])
        return float(np.sqrt(np.mean(whole**2)))

    return Errors(rms(energy), rms(forces), rms(stress), len(energy), atoms)


def split(cells: Iterable[Atoms], share: float = 0.12) -> tuple[list[Atoms], list[Atoms]]:
    """Hold whole trajectories out.

    Parameters
    ----------
    cells : iterable of ase.Atoms
        With ``info["trajectory"]``.
    share : float, optional
        Of trajectories to hold out: every so many in the order they came, so that a
        trajectory once held out stays so when others are added.

    Returns
    -------
    train, held_out : list of ase.Atoms
        Two parts without a common trajectory.
    """
    cells = list(cells)
    groups = list(dict.fromkeys(str(cell.info[GROUP]) for cell in cells))
    step = max(2, round(1.0 / share))
    out = set(groups[step - 1 :: step])
    train = [cell for cell in cells if str(cell.info[GROUP]) not in out]
    return train, [cell for cell in cells if str(cell.info[GROUP]) in out]


def train(
    folder: Path,
    name: str,
    cells: Sequence[Atoms],
    held_out: Sequence[Atoms],
    epochs: int,
    options: Mapping[str, object],
    *,
    seed: int = 1,
    device: str = "cpu",
) -> Path:
    """Train with the trainer of mace-torch, or go on with what is there.

    Parameters
    ----------
    folder : pathlib.Path
        For data, checkpoints, logs and models.
    name : str
        Of the model.
    cells, held_out : sequence of ase.Atoms
        Labelled; the latter choose the best epoch's weights.
    epochs : int
        Epochs in all: more than an earlier call's to go on.
    options : mapping of str to object
        Of ``mace_run_train`` besides.
    seed : int, optional
        Of weights and batches.
    device : str, optional
        ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    pathlib.Path
        The ``.model`` file.

    Raises
    ------
    ComputationError
        If the trainer stops with an error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file, some in (("train.xyz", cells), ("held_out.xyz", held_out)):
        write(folder / file, list(some), format="extxyz")
    given: dict[str, object] = {
        "name": name,
        "seed": seed,
        "device": device,
        "train_file": "train.xyz",
        "valid_file": "held_out.xyz",
        "energy_key": ENERGY,
        "forces_key": FORCES,
        "stress_key": STRESS,
        "compute_stress": True,
        "model": "MACE",
        "max_num_epochs": epochs,
        "eval_interval": max(1, epochs // 20),
        "default_dtype": "float32",
        "error_table": "PerAtomRMSEstressvirials",
        "num_workers": 0,
        "plot": False,
        **options,
    }
    command = [sys.executable, "-m", "mace.cli.run_train", "--restart_latest", "--ema"]
    command += [f"--{key}={value}" for key, value in given.items()]
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": os.environ.get("CUDA_VISIBLE_DEVICES", "")},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ComputationError(describe(f"training of {name}", "a model", last))
    return folder / f"{name}.model"


def reheat(folder: Path, rate: float, gamma: float) -> None:
    """Let a training that slowed down learn from new cells: raise its learning rate once more.

    Parameters
    ----------
    folder : pathlib.Path
        Of :func:`train`; its newest checkpoint is changed.
    rate : float
        Learning rate to go on with.
    gamma : float
        By which it falls in every epoch.
    """
    import torch

    newest = max((folder / "checkpoints").glob("*.pt"), key=lambda one: one.stat().st_mtime)
    state = torch.load(newest, weights_only=False, map_location="cpu")
    for group in state["optimizer"]["param_groups"]:
        group["lr"] = rate
    state["lr_scheduler"]["gamma"] = gamma
    state["lr_scheduler"]["_last_lr"] = [rate] * len(state["optimizer"]["param_groups"])
    partial = newest.with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(newest)


def spread(some: Sequence[Atoms], count: int, group: str) -> list[Atoms]:
    """Take cells evenly from a trajectory.

    Parameters
    ----------
    some : sequence of ase.Atoms
        The trajectory.
    count : int
        How many.
    group : str
        What to call it.

    Returns
    -------
    list of ase.Atoms
        Wrapped copies without results.
    """
    places = np.unique(np.linspace(0, len(some) - 1, min(count, len(some))).round().astype(int))
    taken = []
    for place in places:
        cell = Atoms(some[place].symbols, some[place].positions, cell=some[place].cell, pbc=True)
        cell.wrap()
        cell.info[GROUP] = group
        taken.append(cell)
    return taken


def as_labelled(cell: Atoms) -> Atoms:
    """Show the teacher's labels as results, for tools that ask ``get_forces``.

    Parameters
    ----------
    cell : ase.Atoms
        From :func:`label`.

    Returns
    -------
    ase.Atoms
        A copy with a calculator that knows this one answer.
    """
    copy: Atoms = cell.copy()
    copy.calc = SinglePointCalculator(
        copy, energy=cell.info[ENERGY], forces=cell.arrays[FORCES], stress=cell.info[STRESS]
    )
    return copy


def write_card(path: Path, card: Mapping[str, object]) -> None:
    """Add a model's card to the shipped ones.

    Parameters
    ----------
    path : pathlib.Path
        ``cards.json``.
    card : mapping
        With its name under ``"name"``.
    """
    cards = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content = dict(card)
    cards[content.pop("name")] = content
    path.write_text(json.dumps(cards, indent=1, sort_keys=True) + "\n", encoding="utf-8")
