"""Whether a trajectory may be trusted: framework at rest, potential where it was learnt.

A compact model can leave the surface it learnt while temperature, forces and distances look
normal: the framework creeps, and diffusivities come out several times too high. Two looks tell.
The *framework* must stay on a plateau: its mean squared displacement may not go on growing with
the lag. And the *teacher* is asked again about frames spread over the run: the difference between
its energy and the student's may not drift, and the forces must agree. A trajectory that fails
either is invalid, and no diffusivity is made from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from multiscale.atomistics.dynamics import frames, write_text
from multiscale.atomistics.potentials import Potential
from multiscale.errors import DynamicsError, describe

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

FloatArray = NDArray[np.float64]

CREEP = 0.25
"""Largest growth of the framework's squared displacement from an eighth of the run to half of it,
as a share of the former … """
CREEP_FLOOR = 0.03
"""… and never less than this [Å²]."""
ENERGY_DRIFT = 0.010
"""Largest change of the energy difference to the teacher over a run [eV an atom]."""
FORCE_ERROR = 0.25
"""Largest root mean square difference of a force component to the teacher's [eV/Å]."""
DISAGREEMENT = 0.25
"""Largest root mean square spread of a force component within a committee [eV/Å]."""
SHORTEST = 3000.0
"""Length of a run that can be judged: an eighth of it is longer than vibrations last [fs]."""
LOOKS = 6
"""Frames the teacher is asked about."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found of one trajectory.

    Parameters
    ----------
    framework : tuple of float
        Mean squared displacement of the framework at an eighth and at half of the run [Å²].
    energy_drift : float or None
        Change of the energy difference to the teacher from the first to the second half of the
        frames asked about [eV an atom]; None where the teacher drove.
    force_error : float or None
        Root mean square difference of a force component to the teacher's [eV/Å].
    disagreement : float or None
        Root mean square spread of a force component within the committee [eV/Å].
    looks : int
        Frames the teacher was asked about.
    teacher : str
        Its name.
    """

    framework: tuple[float, float]
    energy_drift: float | None
    force_error: float | None
    disagreement: float | None
    looks: int
    teacher: str

    @property
    def faults(self) -> tuple[str, ...]:
        """What is beyond its limit, with the numbers; empty where the run is valid."""
        early, late = self.framework
        limit = early + max(CREEP * early, CREEP_FLOOR)
        found = []
        if not late <= limit:
            found.append(
                f"framework creeps: mean squared displacement {early:.3g} Å² at an eighth of the "
                f"run, {late:.3g} Å² at half of it (limit {limit:.3g})"
            )
        for value, most, words, unit in (
            (self.energy_drift, ENERGY_DRIFT, "energy drifts off the teacher's by", "eV an atom"),
            (self.force_error, FORCE_ERROR, "forces differ from the teacher's by", "eV/Å"),
            (self.disagreement, DISAGREEMENT, "the committee's forces differ by", "eV/Å"),
        ):
            if value is not None and not abs(value) <= most:  # NaN is a fault, too
                found.append(f"{words} {abs(value):.3g} {unit} (limit {most:g})")
        return tuple(found)

    @property
    def valid(self) -> bool:
        """Whether a diffusivity may be made from it."""
        return not self.faults


def judge(
    folder: Path,
    potential: Potential,
    teacher: Potential | None,
    *,
    mobile: str,
    skip: float = 0.0,
    looks: int = LOOKS,
) -> Verdict:
    """Judge a trajectory.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run.
    potential : Potential
        What drove it.
    teacher : Potential or None
        Asked again; None where it drove itself.
    mobile : str
        Element that diffuses; all others are the framework.
    skip : float, optional
        Beginning that is left out [fs].
    looks : int, optional
        Frames the teacher is asked about.

    Returns
    -------
    Verdict
        Also stored in the folder (``guard.json``), where a later call finds it.

    Raises
    ------
    DynamicsError
        If there are too few frames, or the run is too short, to tell.
    """
    stored = folder / "guard.json"
    some = [one for one in frames(folder) if float(one.info.get("time", 0.0)) >= skip]
    if len(some) < 16:
        raise DynamicsError(describe(folder, "at least 16 frames", len(some), "run longer"))
    length = float(some[-1].info["time"]) - float(some[0].info["time"])
    if length < SHORTEST:
        raise DynamicsError(
            describe(folder, f"at least {SHORTEST / 1000:g} ps after settling",
                     f"{length / 1000:g} ps", "run longer")
        )  # fmt: skip
    asked: dict[str, Any] = {
        "frames": len(some),
        "looks": looks if teacher is not None else 0,
        "teacher": "" if teacher is None else teacher.name,
        "skip": skip,
    }
    if stored.exists():
        found = json.loads(stored.read_text(encoding="utf-8"))
        if found.pop("asked", None) == asked:
            early, late = found.pop("framework")
            return Verdict(framework=(early, late), **found)
    drift, error, spread = None, None, None
    places = np.unique(np.linspace(0, len(some) - 1, looks).round().astype(int))
    chosen = [some[place] for place in places]
    if teacher is not None:
        drift, error = against(chosen, teacher)
    if len(potential.makers) > 1:
        spread = disagreement(chosen, potential)
    verdict = Verdict(plateau(some, mobile), drift, error, spread, asked["looks"], asked["teacher"])
    write_text(stored, json.dumps({**asdict(verdict), "asked": asked}, indent=1))
    return verdict


class Watch:
    """Stops a run where the members of a committee no longer agree.

    Parameters
    ----------
    potential : Potential
        What drives; with one member alone nothing is watched.
    limit : float, optional
        Largest root mean square spread of a force component [eV/Å].
    """

    def __init__(self, potential: Potential, limit: float = DISAGREEMENT) -> None:
        self.members = potential.committee() if len(potential.makers) > 1 else ()
        self.limit = limit

    def __call__(self, atoms: Atoms, step: int) -> None:
        """Look at a moment.

        Parameters
        ----------
        atoms : ase.Atoms
            The cell.
        step : int
            Its number.

        Raises
        ------
        DynamicsError
            If the members' forces spread too much.
        """
        if not self.members:
            return
        found = float(np.sqrt(_spread(atoms, self.members)))
        if not found <= self.limit:
            raise DynamicsError(
                describe(f"step {step}", f"committee forces within {self.limit:g} eV/Å",
                         f"{found:.3g}", "the potential was not taught this: teach it or cool down")
            )  # fmt: skip


def plateau(some: Sequence[Atoms], mobile: str) -> tuple[float, float]:
    """Mean squared displacement of the framework, early and late.

    Parameters
    ----------
    some : sequence of ase.Atoms
        A trajectory, evenly spaced, never wrapped.
    mobile : str
        Element that is not of the framework.

    Returns
    -------
    tuple of float
        At lags of an eighth and of half the trajectory, averaged over times [Å²].
    """
    rest = ~np.asarray(some[0].symbols == mobile)
    if not rest.any():
        return 0.0, 0.0
    masses = some[0].get_masses()[rest]
    paths = np.array([one.positions[rest] for one in some])
    paths -= np.einsum("tna,n->ta", paths, masses / masses.sum())[:, None, :]

    def mean(lag: int) -> float:
        return float(((paths[lag:] - paths[:-lag]) ** 2).sum(axis=2).mean())

    return mean(len(some) // 8), mean(len(some) // 2)


def against(some: Sequence[Atoms], teacher: Potential) -> tuple[float, float]:
    """Ask the teacher about frames.

    Parameters
    ----------
    some : sequence of ase.Atoms
        With the energies and forces of what drove them.
    teacher : Potential
        Is asked.

    Returns
    -------
    drift : float
        Mean energy difference of the second half of them less that of the first [eV an atom].
    error : float
        Root mean square difference of a force component [eV/Å].
    """
    calculator = teacher.calculator()
    energies, squares = [], []
    for one in some:
        copy = Atoms(one.symbols, one.positions, cell=one.cell, pbc=True)
        copy.calc = calculator
        energies.append((one.get_potential_energy() - copy.get_potential_energy()) / len(one))
        squares.append(float(np.mean((one.get_forces() - copy.get_forces()) ** 2)))
    half = len(some) // 2
    drift = float(np.mean(energies[-half:]) - np.mean(energies[:half]))
    return drift, float(np.sqrt(np.mean(squares)))


def disagreement(some: Sequence[Atoms], potential: Potential) -> float:
    """Spread of the forces of a committee.

    Parameters
    ----------
    some : sequence of ase.Atoms
        Frames.
    potential : Potential
        With several members.

    Returns
    -------
    float
        Root mean square of the standard deviation of a component [eV/Å].
    """
    members = potential.committee()
    return float(np.sqrt(np.mean([_spread(one, members) for one in some])))


def _spread(one: Atoms, members: Sequence[Calculator]) -> float:
    """Mean variance of a force component within a committee."""
    forces = []
    for member in members:
        copy = Atoms(one.symbols, one.positions, cell=one.cell, pbc=True)
        copy.calc = member
        forces.append(copy.get_forces())
    return float(np.var(forces, axis=0, ddof=1).mean())
