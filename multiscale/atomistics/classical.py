"""Molecular dynamics of rigid ions in LAMMPS, for sizes and times that learned potentials miss.

Pair potentials and charges come from :mod:`multiscale.atomistics.pairs`; charges are summed by a
particle–particle particle–mesh sum to a stated accuracy. A run is the folder of
:mod:`multiscale.atomistics.dynamics`, with the same checks: velocity Verlet with stochastic
velocity rescaling, which leaves diffusion as it is.

Between two checkpoints LAMMPS starts anew from the state on disk, with a fresh seed for its
thermostat drawn from the generator stored there. So a run that was killed goes on as it would
have gone, to the last bit on the same machine; no binary file of LAMMPS is kept or read.

References
----------
Thompson et al., Comput. Phys. Commun. 271, 108171 (2022), 10.1016/j.cpc.2021.108171 (LAMMPS);
Bussi, Donadio & Parrinello, J. Chem. Phys. 126, 014101 (2007), 10.1063/1.2408420.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal, cast

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from numpy.typing import NDArray

from multiscale.atomistics._lammps import BAR, PER_PS, Lammps, library
from multiscale.atomistics.dynamics import MDPlan, Progress, State, draw_momenta, drive
from multiscale.atomistics.pairs import PairPotential
from multiscale.atomistics.potentials import Potential
from multiscale.errors import ConvergenceError, InputError, describe

FloatArray = NDArray[np.float64]
Shape = Literal["iso", "aniso", "tri"]

SHAPES: Mapping[str, str] = {
    "iso": "all edges by one factor",
    "aniso": "each edge by its own",
    "tri": "edges and angles",
}
SEEDS = 900_000_000
"""Where seeds of LAMMPS end."""
ROUNDS = 12
"""Minimisations, each from the cell that the last one found, before a relaxation is given up."""


@dataclass(frozen=True, slots=True)
class ClassicalPlan(MDPlan):
    """What a run of rigid ions at constant volume does: as MDPlan, and how charges are summed.

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
    accuracy : float
        Of the forces of the charges, relative to that of two unit charges 1 Å apart.
    """

    timestep: float = 1.0
    accuracy: float = 1e-5

    def __post_init__(self) -> None:
        MDPlan.__post_init__(self)
        if not 1e-10 < self.accuracy < 1e-2:
            raise InputError(describe("accuracy", "a number from 1e-10 to 0.01", self.accuracy))


def run_lammps(
    atoms: Atoms,
    potential: PairPotential,
    plan: ClassicalPlan,
    folder: Path,
    *,
    checkpoint_every: int = 2000,
    report: Callable[[Progress], None] | None = None,
) -> Path:
    """Run or take up again molecular dynamics of rigid ions at constant volume.

    Parameters
    ----------
    atoms : ase.Atoms
        Where it starts; velocities are drawn.
    potential : PairPotential
        What drives it.
    plan : ClassicalPlan
        Temperature, length, sampling, accuracy.
    folder : pathlib.Path
        Of this run alone, read by :func:`multiscale.atomistics.dynamics.frames`.
    checkpoint_every : int, optional
        Steps between states on disk: a multiple of ``plan.every``. It is part of the run: another
        value gives another trajectory of the same ensemble.
    report : callable, optional
        Called at each checkpoint.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    PotentialError
        If an element or LAMMPS itself is missing.
    StructureError
        If the cell is thin, open or charged.
    StoreError
        If the folder holds another run.
    DynamicsError
        If atoms overlap, the framework melts, or energy drifts.
    """
    named = as_potential(potential, accuracy=plan.accuracy)
    potential.check(atoms)
    with _Thermostatted(potential, plan) as engine:
        return drive(
            atoms,
            named,
            plan,
            folder,
            engine.begin,
            checkpoint_every=checkpoint_every,
            report=report,
        )


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """A cell at rest at some temperature and pressure.

    Parameters
    ----------
    atoms : ase.Atoms
        Last positions, scaled to the mean cell of the second half.
    spread : float
        Standard deviation of the volume over the second half, relative to its mean.
    temperature : float
        Mean of the second half [K].
    pressure : float
        Mean of the second half [GPa].
    """

    atoms: Atoms
    spread: float
    temperature: float
    pressure: float


def equilibrate(
    atoms: Atoms,
    potential: PairPotential,
    plan: ClassicalPlan,
    *,
    pressure: float = 0.0,
    shape: Shape = "iso",
    barostat_time: float = 1000.0,
) -> Equilibrium:
    """Find the cell at a temperature and pressure by molecular dynamics.

    Parameters
    ----------
    atoms : ase.Atoms
        Where it starts; velocities are drawn.
    potential : PairPotential
        What drives it.
    plan : ClassicalPlan
        Temperature and length; its second half is averaged.
    pressure : float, optional
        [GPa].
    shape : {"iso", "aniso", "tri"}, optional
        What of the cell may change: all edges by one factor, each by its own, or angles too.
    barostat_time : float, optional
        Over which the barostat acts [fs].

    Returns
    -------
    Equilibrium
        Atoms in the mean cell.

    Raises
    ------
    PotentialError
        If an element or LAMMPS itself is missing.
    StructureError
        If the cell is thin, open or charged.
    DynamicsError
        If LAMMPS stops.

    Notes
    -----
    Nosé–Hoover barostat (Martyna, Tobias & Klein, J. Chem. Phys. 101, 4177 (1994),
    10.1063/1.467468) with stochastic velocity rescaling.
    """
    _known(shape)
    potential.check(atoms)
    generator = np.random.default_rng(plan.seed)
    momenta = draw_momenta(atoms.get_masses(), plan.temperature, generator)
    cells, numbers = [], []
    leaning = shape == "tri"
    with Lammps(potential, atoms, plan.accuracy, momenta, leaning=leaning) as engine:
        engine(f"timestep {plan.timestep / 1000.0!r}")
        goal = f"{pressure / BAR!r}"
        engine(f"fix move all nph {shape} {goal} {goal} {barostat_time / 1000.0!r}")
        engine(_csvr(plan, generator))
        engine("run 0 post no")
        done = 0
        while done < plan.steps:
            wanted = min(plan.every, plan.steps - done)
            engine(f"run {wanted} pre no post no")
            done += wanted
            if 2 * done > plan.steps:
                cells.append(engine.cell())
                numbers.append([engine.thermo("temp"), engine.thermo("press") * BAR])
        last = engine.positions()
        there = engine.cell()
    mean = np.mean(cells, axis=0)
    result = Atoms(atoms.symbols, last, cell=there, pbc=True)
    result.set_masses(atoms.get_masses())
    result.set_cell(mean, scale_atoms=True)
    volumes = np.abs(np.linalg.det(np.array(cells)))
    temperature, reached = np.mean(numbers, axis=0)
    return Equilibrium(
        result, float(volumes.std() / volumes.mean()), float(temperature), float(reached)
    )


def relax(
    atoms: Atoms,
    potential: PairPotential,
    *,
    shape: Shape | None = "iso",
    force: float = 1e-3,
    accuracy: float = 1e-6,
) -> Atoms:
    """Relax ions, and the cell if asked for, at 0 K and no pressure.

    Parameters
    ----------
    atoms : ase.Atoms
        Where it starts.
    potential : PairPotential
        What holds it together.
    shape : {"iso", "aniso", "tri"}, optional
        What of the cell may change; None keeps it.
    force : float, optional
        Largest force that is left on an ion [eV/Å].
    accuracy : float, optional
        Of the forces of the charges, as in :class:`ClassicalPlan`.

    Returns
    -------
    ase.Atoms
        With energy and forces.

    Raises
    ------
    PotentialError
        If an element or LAMMPS itself is missing.
    StructureError
        If the cell is thin, open or charged.
    ConvergenceError
        If forces or pressure remain.
    """
    if shape is not None:
        _known(shape)
    potential.check(atoms)
    history = []
    found: Atoms = atoms.copy()
    for _ in range(ROUNDS):
        with Lammps(potential, found, accuracy, leaning=shape == "tri") as engine:
            if shape is not None:
                engine(f"fix box all box/relax {shape} 0.0 vmax 0.002")
                engine(f"minimize 0.0 {force / 2.0!r} 1000 10000")
                engine("unfix box")
            engine("min_style fire")  # goes by forces alone: energies of a mesh are not smooth
            engine(f"minimize 0.0 {force / 2.0!r} 4000 10000")
            found.set_cell(engine.cell())
            found.set_positions(engine.positions(), apply_constraint=False)
        with Lammps(potential, found, accuracy) as engine:  # the mesh of the new cell
            engine("run 0 post no")
            found.calc = engine.result(found)
            history.append(float(np.abs(found.get_forces(apply_constraint=False)).max()))
            pressed = abs(engine.thermo("press") * BAR) if shape is not None else 0.0
        if history[-1] <= force and pressed < 0.02:
            return found
    raise ConvergenceError(
        describe("relaxation", f"forces below {force:g} eV/Å and pressure below 0.02 GPa",
                 f"{history[-1]:.2g} eV/Å, {pressed:.2g} GPa after {ROUNDS} rounds",
                 "start nearer to the crystal"), history,
    )  # fmt: skip


def as_potential(pairs: PairPotential, *, accuracy: float = 1e-6) -> Potential:
    """Let ase evaluate rigid ions: slower, but open to all that takes a calculator.

    Parameters
    ----------
    pairs : PairPotential
        Charges and pair potentials.
    accuracy : float, optional
        Of the forces of the charges, as in :class:`ClassicalPlan`.

    Returns
    -------
    Potential
        Makes calculators with energy, forces and stress.

    Raises
    ------
    PotentialError
        If LAMMPS is missing.
    """
    library()
    return Potential(
        pairs.name,
        pairs.elements,
        pairs.cutoff,
        {**pairs.origin, "lammps": metadata.version("lammps")},
        (lambda: _Ions(pairs, accuracy),),
    )


class _Ions(Calculator):
    """Energy [eV], forces [eV/Å] and stress [eV/Å³] of rigid ions."""

    implemented_properties = ["energy", "free_energy", "forces", "stress"]  # noqa: RUF012

    def __init__(self, pairs: PairPotential, accuracy: float) -> None:
        super().__init__()
        self.pairs, self.accuracy = pairs, accuracy

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: object = ("energy",),
        system_changes: object = all_changes,
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        given = cast(Atoms, self.atoms)
        self.pairs.check(given)
        with Lammps(self.pairs, given, self.accuracy) as engine:
            engine("run 0 post no")
            energy = engine.thermo("pe")
            self.results = {
                "energy": energy,
                "free_energy": energy,
                "forces": engine.vectors("f"),
                "stress": engine.stress(),
            }


class _Thermostatted:
    """Moves the atoms of a run; LAMMPS starts anew at each checkpoint."""

    def __init__(self, potential: PairPotential, plan: ClassicalPlan) -> None:
        self.potential, self.plan = potential, plan
        self.engine: Lammps | None = None
        self.given = 0.0

    def __enter__(self) -> _Thermostatted:
        return self

    def __exit__(self, *_: object) -> None:
        if self.engine is not None:
            self.engine.close()

    def begin(self, state: State) -> _Thermostatted:
        self.rest(state)
        return self

    def rest(self, state: State) -> None:
        if self.engine is not None:
            self.engine.close()
        self.given = state.transferred
        momenta = state.atoms.get_momenta()
        engine = Lammps(self.potential, state.atoms, self.plan.accuracy, momenta)
        self.engine = engine
        engine(f"timestep {self.plan.timestep / 1000.0!r}")
        engine("fix move all nve")
        engine(_csvr(self.plan, state.generator))
        engine("run 0 post no")
        state.atoms.calc = engine.result(state.atoms)

    def advance(self, state: State, steps: int) -> None:
        engine = self.engine
        assert engine is not None
        engine(f"run {steps} pre no post no")
        moving = state.atoms
        moving.set_positions(engine.positions(), apply_constraint=False)
        velocities = engine.vectors("v") / PER_PS
        moving.set_momenta(velocities * moving.get_masses()[:, None], apply_constraint=False)
        moving.calc = engine.result(moving)
        state.transferred = self.given - engine.thermo("ecouple")


def _csvr(plan: ClassicalPlan, generator: np.random.Generator) -> str:
    seed = int(generator.integers(1, SEEDS))
    kelvin = f"{plan.temperature!r} {plan.temperature!r}"
    return f"fix warm all temp/csvr {kelvin} {plan.thermostat_time / 1000.0!r} {seed}"


def _known(shape: str) -> None:
    if shape not in SHAPES:
        raise InputError(describe("shape", f"one of {', '.join(SHAPES)}", shape))
