"""Molecular dynamics that can be killed at any moment and goes on where it was.

At constant volume: velocity Verlet with stochastic velocity rescaling (Bussi). It scales all
velocities by one factor near one, so that paths of single atoms, and with them diffusion, are
those of Newtonian dynamics; the centre of mass rests. The conserved quantity, energy less what
the thermostat gave, tells whether the time step is small enough.

A run is a folder: ``run.json`` says what it is, ``frames-*.extxyz.gz`` hold the trajectory in
pieces that ASE reads, with positions that are never wrapped, and ``state.npz`` the last state:
positions, velocities and random numbers, such that the same trajectory goes on.

References
----------
Bussi, Donadio & Parrinello, J. Chem. Phys. 126, 014101 (2007), 10.1063/1.2408420.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zipfile import BadZipFile

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.data import covalent_radii
from ase.io import iread, write
from ase.md.bussi import Bussi
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from multiscale.atomistics.potentials import Potential
from multiscale.errors import DynamicsError, InputError, StoreError, describe
from multiscale.provenance import config_hash

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

CLOSE = 0.55
"""Atoms nearer than this share of the sum of their covalent radii overlap."""
MELTED = 1.2
"""Root mean square displacement of the framework beyond which the crystal is lost [Å]."""
HOT = 2.5
"""A run hotter than this multiple of its temperature has exploded."""
DRIFT = 0.03
"""Largest drift of the conserved quantity that is let through [eV an atom]."""


@dataclass(frozen=True, slots=True)
class MDPlan:
    """What a run at constant volume does.

    Parameters
    ----------
    temperature : float
        [K].
    steps : int
        Time steps.
    timestep : float
        [fs].
    every : int
        Steps between stored frames.
    thermostat_time : float
        Over which the thermostat acts [fs].
    seed : int
        Of velocities and thermostat.
    mobile : str
        Element that diffuses; all others are the framework.
    """

    temperature: float
    steps: int
    timestep: float = 2.0
    every: int = 10
    thermostat_time: float = 100.0
    seed: int = 0
    mobile: str = "Li"

    def __post_init__(self) -> None:
        for name in ("temperature", "timestep", "thermostat_time"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(describe(name, "a positive number", value))
        for name in ("steps", "every"):
            if not (isinstance(getattr(self, name), int) and getattr(self, name) > 0):
                raise InputError(describe(name, "a whole number > 0", getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Parameters
    ----------
    step, steps : int
        Done, and in all.
    temperature : float
        At the moment [K].
    rate : float
        [ns/day] since the run was started or taken up again.
    left : float
        Time left [s].
    """

    step: int
    steps: int
    temperature: float
    rate: float
    left: float


def run_nvt(
    atoms: Atoms,
    potential: Potential,
    plan: MDPlan,
    folder: Path,
    *,
    checkpoint_every: int = 500,
    report: Callable[[Progress], None] | None = None,
    watch: Callable[[Atoms, int], None] | None = None,
) -> Path:
    """Run or take up again molecular dynamics at constant volume.

    Parameters
    ----------
    atoms : ase.Atoms
        Where it starts; velocities are drawn.
    potential : Potential
        What drives it.
    plan : MDPlan
        Temperature, length, sampling.
    folder : pathlib.Path
        Of this run alone.
    checkpoint_every : int, optional
        Steps between states on disk: a multiple of ``plan.every``.
    report : callable, optional
        Called at each checkpoint.
    watch : callable, optional
        Given the atoms and the step at each checkpoint; raises to stop the run.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    StoreError
        If the folder holds another run.
    DynamicsError
        If atoms overlap, the framework melts, or energy drifts.
    """
    return drive(
        atoms,
        potential,
        plan,
        folder,
        lambda state: _Newton(state, potential.calculator(), plan),
        checkpoint_every=checkpoint_every,
        report=report,
        watch=watch,
    )


def drive(
    atoms: Atoms,
    potential: Potential,
    plan: MDPlan,
    folder: Path,
    start: Callable[[State], Engine],
    *,
    checkpoint_every: int,
    report: Callable[[Progress], None] | None = None,
    watch: Callable[[Atoms, int], None] | None = None,
) -> Path:
    """Let an engine run: frames, states on disk, and the checks that stop it.

    Parameters
    ----------
    atoms : ase.Atoms
        Where it starts; velocities are drawn.
    potential : Potential
        What drives it: checks the cell, and is named in ``run.json``.
    plan : MDPlan
        Temperature, length, sampling.
    folder : pathlib.Path
        Of this run alone.
    start : callable
        Makes the engine from the state that it goes on from, with energy and forces of
        ``state.atoms`` known.
    checkpoint_every : int
        Steps between states on disk: a multiple of ``plan.every``.
    report : callable, optional
        Called at each checkpoint.
    watch : callable, optional
        Given the atoms and the step at each checkpoint; raises to stop the run.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    StoreError
        If the folder holds another run.
    DynamicsError
        If atoms overlap, the framework melts, or energy drifts.
    """
    potential.check(atoms)
    if checkpoint_every % plan.every:
        raise InputError(
            describe("checkpoint_every", f"a multiple of {plan.every}", checkpoint_every)
        )
    _claim(folder, atoms, potential, plan)
    state = State.of(folder, atoms, plan)
    if state.step >= plan.steps:
        return folder
    engine = start(state)
    check = CrystalCheck(atoms, plan.mobile, plan.temperature, plan.timestep)
    began, first = time.monotonic(), state.step
    frames: list[Atoms] = [_frame(state.atoms, state.step, plan)] if state.step == 0 else []
    while state.step < plan.steps:
        wanted = min(plan.every, plan.steps - state.step)
        engine.advance(state, wanted)
        state.step += wanted
        check(state.atoms, state.step, state.gained())
        frames.append(_frame(state.atoms, state.step, plan))
        if state.step % checkpoint_every == 0 or state.step >= plan.steps:
            if watch is not None:
                watch(state.atoms, state.step)
            _write_piece(folder, state.pieces, frames)
            state.pieces += 1
            frames = []
            state.write(folder)
            if state.step < plan.steps:
                engine.rest(state)
            if report is not None:
                report(_progress(state, plan, state.step - first, time.monotonic() - began))
    return folder


def _progress(state: State, plan: MDPlan, done: int, seconds: float) -> Progress:
    pace = done / max(seconds, 1e-9)
    return Progress(
        state.step,
        plan.steps,
        float(state.atoms.get_temperature()),
        pace * plan.timestep * 1e-6 * 86400,
        (plan.steps - state.step) / pace,
    )


class Engine(Protocol):
    """What moves atoms."""

    def advance(self, state: State, steps: int) -> None:
        """Move ``state.atoms`` on, and account for the thermostat in ``state.transferred``.

        Parameters
        ----------
        state : State
            Atoms with energy and forces, before and after.
        steps : int
            Time steps.
        """

    def rest(self, state: State) -> None:
        """Go on as if taken up again from the state that was just written.

        Parameters
        ----------
        state : State
            As on disk.
        """


class _Newton:
    """Velocity Verlet of ase with Bussi's thermostat."""

    def __init__(self, state: State, calculator: Calculator, plan: MDPlan) -> None:
        state.atoms.calc = calculator
        self.motion = Bussi(
            state.atoms,
            plan.timestep * units.fs,
            plan.temperature,
            plan.thermostat_time * units.fs,
            rng=state.generator,
        )
        self.motion.transferred_energy = state.transferred

    def advance(self, state: State, steps: int) -> None:
        for _ in range(steps):
            self.motion.step()
        state.transferred = self.motion.transferred_energy

    def rest(self, state: State) -> None:
        """A calculator may hold what was listed earlier: it begins anew."""
        state.atoms.calc.reset()


def frames(folder: Path) -> Iterator[Atoms]:
    """Read the trajectory of a run.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run.

    Yields
    ------
    ase.Atoms
        Frames with energy and forces in ``calc``; ``info`` holds step, time [fs] and the
        conserved quantity [eV].
    """
    with np.load(folder / "state.npz", allow_pickle=False) as state:
        pieces = int(state["pieces"])
    for number in range(pieces):
        yield from iread(_piece(folder, number), index=":", format="extxyz")


@dataclass(slots=True)
class State:
    """What a run needs to go on.

    Parameters
    ----------
    atoms : ase.Atoms
        Positions [Å], never wrapped, and momenta.
    generator : numpy.random.Generator
        Of the thermostat.
    step, pieces : int
        Time steps done, and pieces of the trajectory on disk.
    transferred : float
        What the thermostat gave [eV].
    conserved : float
        The conserved quantity where the run began [eV]; NaN before.
    """

    atoms: Atoms
    generator: np.random.Generator
    step: int
    pieces: int
    transferred: float
    conserved: float

    @classmethod
    def of(cls, folder: Path, atoms: Atoms, plan: MDPlan) -> State:
        """Take up the state in a folder, or draw velocities.

        Parameters
        ----------
        folder : pathlib.Path
            Of the run.
        atoms : ase.Atoms
            Where it starts.
        plan : MDPlan
            Temperature and seed.

        Returns
        -------
        State
            Without a calculator.

        Raises
        ------
        StoreError
            If the state on disk cannot be read.
        """
        moving = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
        moving.set_masses(atoms.get_masses())
        moving.set_constraint(FixCom())
        generator = np.random.default_rng(plan.seed)
        stored = folder / "state.npz"
        if not stored.exists():
            maxwell_boltzmann(moving, plan.temperature, generator)
            return cls(moving, generator, 0, 0, 0.0, float("nan"))
        try:
            with stored.open("rb") as file, np.load(file, allow_pickle=False) as state:
                moving.set_positions(state["positions"], apply_constraint=False)
                moving.set_momenta(state["momenta"], apply_constraint=False)
                generator.bit_generator.state = json.loads(str(state["generator"]))
                numbers = (int(state["step"]), int(state["pieces"]))
                energies = (float(state["transferred"]), float(state["conserved"]))
        except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
            raise StoreError(
                describe(stored, "the state of this run", str(error), "delete the folder")
            ) from None
        return cls(moving, generator, *numbers, *energies)

    def gained(self) -> float:
        """Compare the conserved quantity with that of the first look.

        Returns
        -------
        float
            Difference [eV an atom].
        """
        moving = self.atoms
        conserved = (
            float(moving.get_potential_energy())
            + float(moving.get_kinetic_energy())
            - self.transferred
        )
        if np.isnan(self.conserved):
            self.conserved = conserved
        moving.info["conserved_energy"] = conserved
        return (conserved - self.conserved) / len(moving)

    def write(self, folder: Path) -> None:
        """Store it whole.

        Parameters
        ----------
        folder : pathlib.Path
            Of the run.
        """
        store(
            folder / "state.npz",
            positions=self.atoms.get_positions(),
            momenta=self.atoms.get_momenta(),
            generator=np.array(json.dumps(self.generator.bit_generator.state)),
            step=self.step,
            pieces=self.pieces,
            transferred=self.transferred,
            conserved=self.conserved,
        )


def draw_momenta(
    masses: FloatArray, temperature: float, generator: np.random.Generator
) -> FloatArray:
    """Draw momenta from the Maxwell distribution; the centre of mass rests.

    Parameters
    ----------
    masses : (n,) ndarray
        [u].
    temperature : float
        [K].
    generator : numpy.random.Generator
        Draws them.

    Returns
    -------
    (n, 3) ndarray
        In the units of ase, √(u eV).
    """
    weights = masses[:, None]
    spread = np.sqrt(weights * units.kB * temperature)
    momenta: FloatArray = spread * generator.standard_normal((len(masses), 3))
    momenta -= weights * (momenta.sum(axis=0) / weights.sum())
    return momenta


class CrystalCheck:
    """Stops a run that is no longer the crystal it was.

    Parameters
    ----------
    atoms : ase.Atoms
        As it was at the start.
    mobile : str
        Element that diffuses; all others are the framework.
    temperature : float
        Of the run [K].
    timestep : float
        [fs].
    """

    def __init__(self, atoms: Atoms, mobile: str, temperature: float, timestep: float) -> None:
        self.temperature, self.timestep = temperature, timestep
        self.framework = ~np.asarray(atoms.symbols == mobile)
        radii = covalent_radii[atoms.numbers]
        self.radii, self.longest = radii, 2.0 * CLOSE * float(radii.max())
        self.weights = atoms.get_masses()[self.framework]
        self.start = atoms.cell.scaled_positions(atoms.get_positions())

    def __call__(self, atoms: Atoms, step: int, gained: float | None) -> None:
        """Check a moment.

        Parameters
        ----------
        atoms : ase.Atoms
            With a calculator.
        step : int
            Its number.
        gained : float or None
            Conserved quantity less that of the start [eV an atom]; None where there is none.

        Raises
        ------
        DynamicsError
            If atoms overlap, the framework melts, or energy drifts.
        """
        place = f"step {step}"
        positions = atoms.get_positions()
        energy = float(atoms.get_potential_energy())
        if not (np.isfinite(positions).all() and np.isfinite(energy)):
            raise DynamicsError(describe(place, "finite positions and energy", "others"))
        self.overlaps(atoms, place)
        temperature = float(atoms.get_temperature())
        if step * self.timestep > 200.0 and temperature > HOT * self.temperature:
            raise DynamicsError(
                describe(place, f"about {self.temperature:g} K", f"{temperature:.0f} K",
                         "shorten the time step")
            )  # fmt: skip
        if gained is not None and abs(gained) > DRIFT:
            raise DynamicsError(
                describe(place, f"a conserved energy within {DRIFT:g} eV an atom",
                         f"{gained:+.3f}", "shorten the time step")
            )  # fmt: skip
        if self.weights.size:
            moved = (atoms.cell.scaled_positions(positions) - self.start)[self.framework]
            moved -= np.average(moved, axis=0, weights=self.weights)
            away = float(np.sqrt(((moved @ atoms.cell.array) ** 2).sum(axis=1).mean()))
            if away > MELTED:
                raise DynamicsError(
                    describe(place, f"a framework within {MELTED:g} Å of where it was",
                             f"{away:.2f} Å", "it melts: lower the temperature or check the "
                             "potential")
                )  # fmt: skip

    def overlaps(self, atoms: Atoms, place: str) -> None:
        """See that no two atoms overlap.

        Parameters
        ----------
        atoms : ase.Atoms
            Of the same elements as at the start.
        place : str
            What it is called in the message.

        Raises
        ------
        DynamicsError
            If two do.
        """
        first, second, apart = _pairs_within(atoms, self.longest)
        close = apart < CLOSE * (self.radii[first] + self.radii[second])
        if close.any():
            worst = int(np.argmin(np.where(close, apart, np.inf)))
            pair = "–".join(atoms.symbols[k] for k in (first[worst], second[worst]))
            raise DynamicsError(
                describe(place, "atoms apart from each other", f"{pair} at {apart[worst]:.2f} Å",
                         "the start was not relaxed, or the potential does not know this")
            )  # fmt: skip


def maxwell_boltzmann(atoms: Atoms, temperature: float, generator: np.random.Generator) -> None:
    """Draw velocities; the centre of mass rests.

    Parameters
    ----------
    atoms : ase.Atoms
        Gets momenta.
    temperature : float
        [K].
    generator : numpy.random.Generator
        Draws them.
    """
    momenta = draw_momenta(atoms.get_masses(), temperature, generator)
    atoms.set_momenta(momenta, apply_constraint=False)


def store(path: Path, **arrays: Any) -> None:
    """Write arrays as ``.npz``, whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    **arrays : array_like
        By name.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    _replace(path, buffer.getvalue())


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    text : str
        Its content.
    """
    _replace(path, text.encode())


def _pairs_within(atoms: Atoms, reach: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of near atoms and their distances; by a tree where the cell is a box."""
    edges = atoms.cell.lengths()
    if not atoms.cell.orthorhombic or reach > 0.5 * edges.min():
        first, second, apart = neighbor_list("ijd", atoms, reach)
        return first, second, apart
    inside = (atoms.get_scaled_positions() % 1.0) * edges
    tree = cKDTree(inside, boxsize=edges)
    first, second = tree.query_pairs(reach, output_type="ndarray").T
    vector = inside[second] - inside[first]
    return first, second, np.linalg.norm(vector - edges * np.round(vector / edges), axis=1)


def _frame(atoms: Atoms, step: int, plan: MDPlan) -> Atoms:
    """Copy what is stored of a moment."""
    from ase.calculators.singlepoint import SinglePointCalculator

    copy = Atoms(atoms.symbols, atoms.get_positions(), cell=atoms.cell, pbc=True)
    copy.info = {"step": step, "time": step * plan.timestep}
    if "conserved_energy" in atoms.info:
        copy.info["conserved_energy"] = atoms.info["conserved_energy"]
    copy.calc = SinglePointCalculator(
        copy, energy=float(atoms.get_potential_energy()), forces=atoms.get_forces()
    )
    return copy


def _piece(folder: Path, number: int) -> Path:
    return folder / f"frames-{number:05d}.extxyz.gz"


def _write_piece(folder: Path, number: int, some: list[Atoms]) -> None:
    text = io.StringIO()
    write(text, some, format="extxyz", write_results=True)
    _replace(_piece(folder, number), gzip.compress(text.getvalue().encode(), 6, mtime=0))


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _claim(folder: Path, atoms: Atoms, potential: Potential, plan: MDPlan) -> None:
    """See that a folder is empty or holds this very run."""
    asked: dict[str, Any] = {
        "plan": {key: value for key, value in asdict(plan).items() if key != "steps"},
        "potential": {"name": potential.name, **potential.origin},
        "start": config_hash(
            {
                "symbols": atoms.get_chemical_formula(mode="reduce"),
                "positions": atoms.positions.tolist(),
                "cell": atoms.cell.array.tolist(),
            }
        ),
    }
    stored = folder / "run.json"
    if stored.exists():
        found = json.loads(stored.read_text(encoding="utf-8"))
        for key, value in asked.items():
            if found.get(key) != value:
                raise StoreError(
                    describe(
                        folder,
                        f"the run asked for ({key} {value})",
                        f"another ({found.get(key)})",
                        "choose another folder",
                    )
                )
        return
    folder.mkdir(parents=True, exist_ok=True)
    _replace(stored, json.dumps(asked, indent=1, sort_keys=True).encode())
