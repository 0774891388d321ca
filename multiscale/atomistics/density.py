"""Bring a cell to the density it has at a temperature and no pressure.

The shape of the cell is that of the relaxed structure at rest; its volume follows the pressure by
stochastic cell rescaling, which has no inertia that could overshoot and gives the right
fluctuations, under the thermostat of :mod:`~multiscale.atomistics.dynamics`. The mean volume over
the second half of the run is kept.

References
----------
Bernetti & Bussi, J. Chem. Phys. 153, 114107 (2020), 10.1063/5.0020514 (barostat).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.filters import FrechetCellFilter
from ase.md.bussi import Bussi
from ase.optimize import FIRE
from numpy.typing import NDArray

from multiscale.atomistics.dynamics import CrystalCheck, maxwell_boltzmann, store
from multiscale.atomistics.potentials import Potential
from multiscale.errors import DynamicsError, StoreError, StructureError, describe

FloatArray = NDArray[np.float64]

COMPRESSIBILITY = 1.6
"""Of a stiff crystal, 1/(100 GPa); sets how fast the volume follows, not where to [Å³/eV]."""
BETWEEN = 5
"""Time steps between two changes of the volume."""
FASTEST = 0.01
"""Largest change of ln V at once: the first pressures of a cold cell are high."""
SWOLLEN = 0.25
"""A volume this much above or below the relaxed one ends the run: the crystal is lost."""


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A structure at rest.

    Parameters
    ----------
    atoms : ase.Atoms
        Without calculator.
    energy : float
        [eV].
    force : float
        Largest force left on an atom [eV/Å].
    steps : int
        Taken.
    converged : bool
        Whether the force is below what was asked.
    """

    atoms: Atoms
    energy: float
    force: float
    steps: int
    converged: bool


def relax(
    atoms: Atoms,
    calculator: Calculator,
    *,
    fmax: float = 0.05,
    steps: int = 300,
    along: tuple[int, int, int] | None = None,
) -> Relaxed:
    """Let atoms, and the cell, go downhill.

    Parameters
    ----------
    atoms : ase.Atoms
        Where it starts; not changed.
    calculator : ase.calculators.calculator.Calculator
        Gives forces and stress.
    fmax : float, optional
        Largest force (and its counterpart for the cell) at which it ends [eV/Å].
    steps : int, optional
        At most.
    along : tuple of int, optional
        Axes (1 or 0 each) along which the cell relaxes; its whole shape unless given.

    Returns
    -------
    Relaxed
        Also where ``fmax`` was not reached; ``converged`` tells.

    Raises
    ------
    StructureError
        If the volume leaves that of the start by a quarter, or energy is not finite.
    """
    moving = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    moving.calc = calculator
    mask = [1] * 6 if along is None else [*along, 0, 0, 0]
    optimiser = FIRE(FrechetCellFilter(moving, mask=mask) if any(mask) else moving, logfile=None)
    done = bool(optimiser.run(fmax=fmax, steps=steps))
    energy = float(moving.get_potential_energy())
    swollen = moving.get_volume() / atoms.get_volume() - 1.0
    if not np.isfinite(energy) or abs(swollen) > SWOLLEN:
        raise StructureError(
            describe("relaxation", f"a volume within {SWOLLEN:.0%} of the start's",
                     f"{swollen:+.0%} (energy {energy:g} eV)",
                     "check the structure and whether the potential knows it")
        )  # fmt: skip
    force = float(np.linalg.norm(moving.get_forces(), axis=1).max())
    kept = Atoms(moving.symbols, moving.positions, cell=moving.cell, pbc=True)
    return Relaxed(kept, energy, force, int(optimiser.nsteps), done)


@dataclass(frozen=True, slots=True)
class DensityPlan:
    """A run at no pressure.

    Parameters
    ----------
    temperature : float
        [K].
    steps : int
        Time steps; the volume is the mean over the second half.
    timestep : float
        [fs].
    thermostat_time, barostat_time : float
        [fs].
    seed : int
        Of velocities, thermostat and barostat.
    mobile : str
        Element that diffuses; all others are the framework.
    """

    temperature: float
    steps: int
    timestep: float = 2.0
    thermostat_time: float = 100.0
    barostat_time: float = 500.0
    seed: int = 0
    mobile: str = "Li"


def equilibrate(
    atoms: Atoms,
    potential: Potential,
    plan: DensityPlan,
    folder: Path,
    *,
    checkpoint_every: int = 100,
) -> Atoms:
    """Run at no pressure, and scale the last cell to the mean volume.

    Parameters
    ----------
    atoms : ase.Atoms
        Relaxed.
    potential : Potential
        What drives it.
    plan : DensityPlan
        Temperature and length.
    folder : pathlib.Path
        Holds the state; a run that was killed goes on from its last checkpoint.
    checkpoint_every : int, optional
        Steps between states on disk.

    Returns
    -------
    ase.Atoms
        Start of a run at constant volume, the same at each later call.

    Raises
    ------
    DynamicsError
        If atoms overlap, the framework melts or the volume runs away.
    StoreError
        If the folder holds another run.
    """
    potential.check(atoms)
    folder.mkdir(parents=True, exist_ok=True)
    moving = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    generator = np.random.default_rng([plan.seed, 1])
    file = folder / "density.npz"
    volumes = _take_up(file, moving, generator, plan)
    check = CrystalCheck(atoms, plan.mobile, plan.temperature, plan.timestep)
    if len(volumes) < plan.steps:
        motion = _motion(moving, potential, plan, generator)
        while len(volumes) < plan.steps:
            motion.step()
            if (len(volumes) + 1) % BETWEEN == 0:
                _rescale(moving, plan, generator)
            volumes.append(float(moving.get_volume()))
            if len(volumes) % checkpoint_every == 0 or len(volumes) == plan.steps:
                check(moving, len(volumes), None)
                _see_volume(moving, atoms, len(volumes))
                _write(file, moving, generator, plan, volumes)
                moving.calc.reset()  # as when it is taken up again
    mean = float(np.mean(volumes[len(volumes) // 2 :]))
    dense = Atoms(moving.symbols, moving.positions, cell=moving.cell, pbc=True)
    dense.set_cell(moving.cell.array * (mean / moving.get_volume()) ** (1 / 3), scale_atoms=True)
    return dense


def _motion(
    moving: Atoms, potential: Potential, plan: DensityPlan, generator: np.random.Generator
) -> Bussi:
    moving.calc = potential.calculator()
    return Bussi(
        moving,
        plan.timestep * units.fs,
        plan.temperature,
        plan.thermostat_time * units.fs,
        rng=generator,
    )


def _rescale(moving: Atoms, plan: DensityPlan, generator: np.random.Generator) -> None:
    """Let the volume follow the pressure for the steps between two calls (Eq. 8 of the source)."""
    pressure = -float(moving.get_stress(voigt=True, include_ideal_gas=True)[:3].mean())
    time = BETWEEN * plan.timestep / plan.barostat_time
    noise = 2.0 * units.kB * plan.temperature * COMPRESSIBILITY / moving.get_volume() * time
    growth = COMPRESSIBILITY * pressure * time + np.sqrt(noise) * generator.normal()
    growth = float(np.clip(growth, -FASTEST, FASTEST))
    momenta = moving.get_momenta()
    moving.set_cell(moving.cell.array * np.exp(growth / 3.0), scale_atoms=True)
    moving.set_momenta(momenta * np.exp(-growth / 3.0), apply_constraint=False)


def _take_up(
    file: Path, moving: Atoms, generator: np.random.Generator, plan: DensityPlan
) -> list[float]:
    """Take up the state in a folder, or draw velocities."""
    if not file.exists():
        maxwell_boltzmann(moving, plan.temperature, generator)
        return []
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as state:
            if json.loads(str(state["plan"])) != _identity(plan, moving):
                raise StoreError(
                    describe(file, "the run asked for", "another", "choose another folder")
                )
            moving.set_cell(state["cell"])
            moving.set_positions(state["positions"])
            moving.set_momenta(state["momenta"])
            generator.bit_generator.state = json.loads(str(state["generator"]))
            return [float(one) for one in state["volumes"]]
    except (OSError, KeyError, ValueError, EOFError, BadZipFile) as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(
            describe(file, "the state of this run", str(error), "delete the folder")
        ) from None


def _identity(plan: DensityPlan, atoms: Atoms) -> dict[str, object]:
    kept = {key: value for key, value in asdict(plan).items() if key != "steps"}
    return kept | {"formula": str(atoms.symbols)}


def _write(
    file: Path,
    moving: Atoms,
    generator: np.random.Generator,
    plan: DensityPlan,
    volumes: list[float],
) -> None:
    store(
        file,
        positions=moving.get_positions(),
        momenta=moving.get_momenta(),
        cell=moving.cell.array,
        generator=np.array(json.dumps(generator.bit_generator.state)),
        plan=np.array(json.dumps(_identity(plan, moving))),
        volumes=np.array(volumes),
    )


def _see_volume(moving: Atoms, atoms: Atoms, step: int) -> None:
    swollen = moving.get_volume() / atoms.get_volume() - 1.0
    if abs(swollen) > SWOLLEN:
        raise DynamicsError(
            describe(f"density, step {step}", f"a volume within {SWOLLEN:.0%} of the relaxed one",
                     f"{swollen:+.0%}", "lower the temperature or check the potential")
        )  # fmt: skip
