"""From a study of cells and temperatures to property files.

Every cell is drawn, relaxed, brought to its density at each temperature and run at constant volume;
each trajectory is judged before a diffusivity is made from it; laws of all temperatures become
files that ``multiscale run`` takes by name. Whatever is done lies in the study's folder, and a
later call goes on from there, also after a kill, and also with longer runs than before.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read, write

from multiscale import atomistic_results as results
from multiscale.atomistics import boundaries, crystals, density, dynamics, guard
from multiscale.atomistics.potentials import Potential, load_potential, threads_for
from multiscale.config.atomistics import (
    AtomisticStudy,
    CellPlan,
    PotentialChoice,
    load_atomistic_study,
)
from multiscale.ensemble.execution import Outcome, default_workers, run_all
from multiscale.errors import (
    DynamicsError,
    GenerationError,
    MultiscaleError,
    PropertyError,
    StructureError,
    StudyError,
    describe,
    nearest,
)
from multiscale.properties.arrhenius import ArrheniusLaw
from multiscale.properties.from_dynamics import Found
from multiscale.provenance import config_hash

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

RELAXED_TO = 0.05
"""Largest force of a relaxed cell [eV/Å]."""
READABLE = (".cif", ".extxyz", ".xyz", ".vasp", ".xsf", ".res", ".traj")
"""Files of structures that are read: none of them can run code."""
GAPS = (0.0, 0.5, 1.0)
"""Room added at each boundary, tried with every translation [Å]."""
PIECE = 25
"""Frames between states on disk."""


@dataclass(frozen=True, slots=True)
class Job:
    """One trajectory.

    Parameters
    ----------
    cell : CellPlan
        Of what.
    realisation : int
        Which drawing.
    temperature : float
        [K].
    folder : pathlib.Path
        Its own.
    """

    cell: CellPlan
    realisation: int
    temperature: float
    folder: Path

    @property
    def name(self) -> str:
        """For messages and progress."""
        return f"{self.cell.name} {self.temperature:g} K #{self.realisation}"


@dataclass(frozen=True, slots=True)
class CellOutcome:
    """What became of one phase or boundary.

    Parameters
    ----------
    cell : CellPlan
        Of what.
    found : mapping of str to tuple of Found
        By direction, one a temperature.
    laws : mapping of str to ArrheniusLaw
        By direction.
    verdicts : mapping of str to guard.Verdict
        By run.
    failures : tuple of str
        Runs that stopped or are invalid, and why.
    file : pathlib.Path or None
        Property file; None where there is no law.
    reason : str
        Why there is none.
    """

    cell: CellPlan
    found: Mapping[str, tuple[Found, ...]]
    laws: Mapping[str, ArrheniusLaw]
    verdicts: Mapping[str, guard.Verdict]
    failures: tuple[str, ...]
    file: Path | None
    reason: str


def jobs(study: AtomisticStudy, folder: Path) -> tuple[Job, ...]:
    """List the trajectories of a study: first one of each, hot ones before cold ones.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    folder : pathlib.Path
        For its results.

    Returns
    -------
    tuple of Job
        In the order they are run.
    """
    listed = [
        Job(
            cell,
            realisation,
            temperature,
            folder / "md" / cell.name / f"{temperature:g}K-{realisation}",
        )
        for cell in study.cells
        for realisation in range(cell.realisations)
        for temperature in cell.temperatures
    ]
    place = {cell.name: number for number, cell in enumerate(study.cells)}
    return tuple(
        sorted(listed, key=lambda job: (job.realisation, -job.temperature, place[job.cell.name]))
    )


def run_atomistic_study(
    place: str | Path,
    *,
    workers: int | None = None,
    output: Path | None = None,
    length_ps: float | None = None,
    only: Sequence[str] = (),
    progress: Callable[[Outcome | None, tuple[Job, ...]], None] | None = None,
) -> tuple[CellOutcome, ...]:
    """Run a study, or what is left of it, and write its property files.

    Parameters
    ----------
    place : str or pathlib.Path
        Its folder or file.
    workers : int, optional
        Trajectories at a time; as many as there are processors unless given.
    output : pathlib.Path, optional
        For results; ``results`` beside the file unless given.
    length_ps : float, optional
        Length of each run in place of the study's [ps].
    only : sequence of str, optional
        Phases and boundaries to do; all unless given.
    progress : callable, optional
        Told the list of trajectories, and of each that ended.

    Returns
    -------
    tuple of CellOutcome
        One for each phase and boundary.

    Raises
    ------
    StudyError, PotentialError, StructureError
        If the study cannot be begun.
    """
    study = load_atomistic_study(place)
    folder = output or study.path.parent / "results"
    cells = chosen(study, only)
    listed = tuple(job for job in jobs(study, folder) if job.cell in cells)
    check(study, cells)
    folder.mkdir(parents=True, exist_ok=True)
    if progress is not None:
        progress(None, listed)
    failed: dict[str, str] = {}

    def on_done(outcome: Outcome) -> None:
        if outcome.error:
            failed[listed[outcome.index].name] = outcome.error
        if progress is not None:
            progress(outcome, listed)

    count = min(workers or default_workers(), len(listed))
    run_all(JobTask(study, listed, length_ps), range(len(listed)), workers=count, on_done=on_done)
    return tuple(conclude(study, cell, listed, failed, folder) for cell in cells)


def chosen(study: AtomisticStudy, only: Sequence[str]) -> tuple[CellPlan, ...]:
    """Choose phases and boundaries by name.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    only : sequence of str
        Names; none for all.

    Returns
    -------
    tuple of CellPlan
        In the order of the study.

    Raises
    ------
    StudyError
        If there is no such phase or boundary.
    """
    names = [cell.name for cell in study.cells]
    for name in only:
        if name not in names:
            raise StudyError(
                describe("only", f"one of {', '.join(names)}", name, nearest(name, names))
            )
    return tuple(cell for cell in study.cells if not only or cell.name in only)


def check(study: AtomisticStudy, cells: Sequence[CellPlan]) -> None:
    """See before anything is computed that potentials can be had and know the elements.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    cells : sequence of CellPlan
        Those of it that are to be done.

    Raises
    ------
    PotentialError, StructureError
        If not; one line.
    """
    for cell in cells:
        if cell.kind == "bulk":
            potential(cell.potential).check(draw(study, cell, 0))
        else:
            potential(cell.potential)
        if cell.potential.guard is not None:
            potential(PotentialChoice(cell.potential.guard))


@functools.lru_cache(maxsize=8)
def potential(choice: PotentialChoice) -> Potential:
    """Load a potential once a process.

    Parameters
    ----------
    choice : PotentialChoice
        Which.

    Returns
    -------
    Potential
        Ready.
    """
    return load_potential(choice.name, sha256=choice.sha256)


def draw(study: AtomisticStudy, cell: CellPlan, realisation: int) -> Atoms:
    """Draw a cell that is not relaxed.

    Parameters
    ----------
    study : AtomisticStudy
        Gives the seed.
    cell : CellPlan
        What to draw.
    realisation : int
        Which drawing.

    Returns
    -------
    ase.Atoms
        The same at each call.

    Raises
    ------
    StructureError
        If it cannot be built.
    """
    number = [one.name for one in study.cells].index(cell.name)
    generator = np.random.default_rng([study.seed, number, realisation])
    if cell.kind != "bulk":
        return next(boundary_candidates(cell, generator)).atoms
    (choice,) = cell.crystals
    if choice.file is not None:
        whole: Atoms = read_structure(choice.file) * cell.options["repeat"]
        return whole
    one = crystals.crystal(choice.name, **choice.options)
    return crystals.build(one, cell.options["repeat"], generator)


def boundary_candidates(
    cell: CellPlan, generator: np.random.Generator
) -> Iterator[boundaries.BoundaryCell]:
    """Build a boundary with other translations and gaps.

    Parameters
    ----------
    cell : CellPlan
        The boundary.
    generator : numpy.random.Generator
        Draws partly occupied sites.

    Yields
    ------
    boundaries.BoundaryCell
        Those that can be filled.

    Raises
    ------
    StructureError
        If none can.
    """
    asked = cell.options
    sides = [crystals.crystal(one.name, **one.options) for one in cell.crystals]
    count, steps = 0, range(asked["translations"])
    last: MultiscaleError | None = None
    for gap, a, b in itertools.product(GAPS, steps, steps):
        given: dict[str, Any] = {
            "thickness": asked["thickness_A"], "side": asked["side_A"], "gap": gap,
            "translation": (a / asked["translations"], b / asked["translations"]),
        }  # fmt: skip
        cut = asked["termination"]
        try:
            if cell.kind == "coincidence":
                made = boundaries.coincidence(
                    sides[0], asked["sigma"], asked["axis"], asked["plane"], generator,
                    cut=cut, **given,
                )  # fmt: skip
            elif cell.kind == "twin":
                made = boundaries.twin(sides[0], asked["plane"], generator, cut=cut, **given)
            else:
                made = boundaries.interface(
                    sides[0], sides[-1], asked["planes"], generator, cuts=(cut, 0),
                    max_strain=asked["max_strain"], **given,
                )  # fmt: skip
        except (StructureError, GenerationError) as error:
            last = error
            continue
        count += 1
        yield made
    if not count:
        raise StructureError(
            describe(cell.name, "a boundary that can be filled", last, "allow more translations")
        )


def relaxed_boundary(
    study: AtomisticStudy, job: Job, drives: Potential
) -> tuple[Atoms, dict[str, Any]]:
    """Relax the candidates of a boundary and keep the lowest.

    Where there is a guard, it tells the energies and relaxes the lowest further: candidates are
    far from what a student has seen.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    job : Job
        Of which trajectory.
    drives : Potential
        What relaxes it.

    Returns
    -------
    atoms : ase.Atoms
        At rest.
    known : dict
        Planes, area, energy, what it is.
    """
    teacher = job.cell.potential.guard
    builder = drives if teacher is None else potential(PotentialChoice(teacher))
    calculator = builder.calculator()
    phases = {cell.name: cell for cell in study.cells if cell.kind == "bulk"}
    bulk = []
    for name in dict.fromkeys(job.cell.between):
        rest = density.relax(
            draw(study, phases[name], job.realisation), calculator, fmax=0.1, steps=100
        )
        bulk.append((rest.atoms, rest.energy))
    number = [one.name for one in study.cells].index(job.cell.name)
    generator = np.random.default_rng([study.seed, number, job.realisation])
    best, energies = boundaries.lowest(
        boundary_candidates(job.cell, generator), calculator, bulk,
        quick=None if builder is drives else drives.calculator(), steps=100,
    )  # fmt: skip
    known = {
        "relaxed_by": builder.name,
        "planes": list(best.cell.planes), "area_A2": best.cell.area,
        "boundary_energy_J_m2": best.energy, "force_eV_A": best.force,
        "candidates_J_m2": [None if np.isnan(one) else one for one in energies],
        **best.cell.detail,
    }  # fmt: skip
    return best.cell.atoms, known


def read_structure(file: Path) -> Atoms:
    """Read a periodic cell from a file.

    Parameters
    ----------
    file : pathlib.Path
        Of a kind that cannot run code.

    Returns
    -------
    ase.Atoms
        The cell.

    Raises
    ------
    StructureError
        If it is missing, of another kind, damaged, or not periodic.
    """
    if file.suffix not in READABLE:
        raise StructureError(describe(file, f"a file of {', '.join(READABLE)}", file.suffix))
    if not file.is_file():
        raise StructureError(describe(file, "a structure", "no such file", "check its path"))
    try:
        atoms = read(file)
    except Exception as error:  # whatever a reader raises on a damaged file
        line = (str(error).splitlines() or [type(error).__name__])[0]
        raise StructureError(describe(file, "a structure", line)) from None
    assert isinstance(atoms, Atoms)
    if not atoms.pbc.all() or not np.isfinite(atoms.positions).all() or not atoms:
        raise StructureError(describe(file, "a cell that is periodic along three axes", "another"))
    return atoms


def cell_hash(study: AtomisticStudy, job: Job) -> str:
    """Name what a relaxed cell depends on.

    Parameters
    ----------
    study : AtomisticStudy
        Gives the seed.
    job : Job
        The phase or boundary, and which drawing.

    Returns
    -------
    str
        The same for the same crystals, options, seed and potentials.
    """
    cell = job.cell
    number = [one.name for one in study.cells].index(cell.name)
    return config_hash(
        {
            "seed": [study.seed, number, job.realisation],
            "kind": cell.kind,
            "crystals": [[one.name, dict(one.options), str(one.file)] for one in cell.crystals],
            "options": {key: value for key, value in cell.options.items() if key != "width_nm"},
            "potential": [cell.potential.name, cell.potential.sha256, cell.potential.guard],
        }
    )


def _is_of(shipped: Path, study: AtomisticStudy, job: Job) -> bool:
    """Whether a relaxed cell that came with a study is what the study asks for."""
    known = shipped.with_suffix(".json")
    if not (shipped.exists() and known.exists()):
        return False
    found = json.loads(known.read_text(encoding="utf-8"))
    return bool(found.get("cell") == cell_hash(study, job))


@contextlib.contextmanager
def alone(file: Path) -> Iterator[None]:
    """Let one process at a time do something; released when it ends, however it ends.

    Parameters
    ----------
    file : pathlib.Path
        Its lock; stays behind, empty.

    Yields
    ------
    None
        While it is held; where the system has no such locks, at once.
    """
    with file.open("w") as held:
        if fcntl is not None:
            fcntl.flock(held, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True, slots=True)
class JobTask:
    """Runs one trajectory by its number; picklable.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    listed : tuple of Job
        All trajectories.
    length_ps : float or None
        In place of the study's.
    """

    study: AtomisticStudy
    listed: tuple[Job, ...]
    length_ps: float | None

    def __call__(self, index: int) -> None:
        """Run it, or what is left of it, and judge it.

        Parameters
        ----------
        index : int
            Its number.

        Raises
        ------
        DynamicsError
            If it stops or is invalid.
        """
        threads_for(1)
        job = self.listed[index]
        length = 1000.0 * self.length_ps if self.length_ps else job.cell.length
        perform(self.study, job, length)


def perform(study: AtomisticStudy, job: Job, length: float) -> guard.Verdict:
    """Relax, bring to density, run and judge.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    job : Job
        Which trajectory.
    length : float
        After settling [fs].

    Returns
    -------
    guard.Verdict
        Valid.

    Raises
    ------
    DynamicsError
        If it stops or is invalid.
    """
    drives = potential(job.cell.potential)
    start = relaxed(study, job, drives)
    seed = int(np.random.default_rng([study.seed, 7, job.realisation]).integers(2**31))
    given: dict[str, Any] = {"timestep": study.timestep, "seed": seed, "mobile": job.cell.mobile}
    if job.cell.density > 0:
        wanted = density.DensityPlan(
            job.temperature, max(1, round(job.cell.density / study.timestep)), **given
        )
        start = density.equilibrate(start, drives, wanted, job.folder / "density")
    steps = round((job.cell.settle + length) / study.timestep / study.every) * study.every
    plan = dynamics.MDPlan(job.temperature, steps, every=study.every, **given)

    def tell(now: dynamics.Progress) -> None:
        dynamics.write_text(job.folder / "progress.json", json.dumps(asdict(now)))

    dynamics.run_nvt(
        start, drives, plan, job.folder, checkpoint_every=PIECE * study.every, report=tell,
        watch=guard.Watch(drives),
    )  # fmt: skip
    return judge(study, job)


def judge(study: AtomisticStudy, job: Job) -> guard.Verdict:
    """Judge a finished trajectory.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    job : Job
        Which trajectory.

    Returns
    -------
    guard.Verdict
        Valid.

    Raises
    ------
    DynamicsError
        If it is not.
    """
    asked = job.cell.potential
    teacher = None
    if asked.guard is not None and asked.guard != asked.name:
        teacher = potential(PotentialChoice(asked.guard))
    verdict = guard.judge(
        job.folder, potential(asked), teacher, mobile=job.cell.mobile, skip=job.cell.settle
    )
    if not verdict.valid:
        raise DynamicsError(
            describe(job.name, "a framework on its plateau and forces of the teacher",
                     "; ".join(verdict.faults), "no diffusivity is made from this run")
        )  # fmt: skip
    return verdict


def relaxed_file(job: Job) -> Path:
    """Where a relaxed cell lies; what is known of it lies beside, as JSON.

    Parameters
    ----------
    job : Job
        Of which trajectory.

    Returns
    -------
    pathlib.Path
        An extended XYZ file.
    """
    return job.folder.parent / f"relaxed-{job.realisation}.extxyz"


def relaxed(study: AtomisticStudy, job: Job, drives: Potential) -> Atoms:
    """Relax a drawn cell, or read it if that was done.

    A study may come with relaxed cells of its own, ``relaxed/NAME-0.extxyz`` beside its file:
    each says what it is a cell of, and is passed over once the study says otherwise.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    job : Job
        Of which trajectory.
    drives : Potential
        What relaxes it.

    Returns
    -------
    ase.Atoms
        At rest.
    """
    file = relaxed_file(job)
    file.parent.mkdir(parents=True, exist_ok=True)
    with alone(file.with_suffix(".lock")):
        shipped = study.path.parent / "relaxed" / f"{job.cell.name}-{job.realisation}.extxyz"
        if not file.exists() and _is_of(shipped, study, job):
            for suffix in (".json", ".extxyz"):
                shutil.copy(shipped.with_suffix(suffix), file.with_suffix(suffix))
        if not file.exists():
            if job.cell.kind == "bulk":
                atoms = draw(study, job.cell, job.realisation)
                drives.check(atoms)
                found = density.relax(atoms, drives.calculator(), fmax=RELAXED_TO)
                rest = found.atoms
                known: dict[str, Any] = {"energy_eV": found.energy, "force_eV_A": found.force}
            else:
                rest, known = relaxed_boundary(study, job, drives)
            known["cell"] = cell_hash(study, job)
            dynamics.write_text(file.with_suffix(".json"), json.dumps(known, indent=1))
            partial = file.with_name(f".{job.folder.name}-{file.name}")
            write(partial, rest, format="extxyz")
            partial.replace(file)
    stored = read(file, format="extxyz")
    assert isinstance(stored, Atoms)
    return stored


def conclude(
    study: AtomisticStudy,
    cell: CellPlan,
    listed: tuple[Job, ...],
    failed: Mapping[str, str],
    folder: Path,
) -> CellOutcome:
    """Make laws and a property file from the valid runs of one phase or boundary.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    cell : CellPlan
        The phase or boundary.
    listed : tuple of Job
        All trajectories.
    failed : mapping of str to str
        Those that stopped or are invalid, with the reason.
    folder : pathlib.Path
        For results.

    Returns
    -------
    CellOutcome
        Also where there is no law; ``reason`` says why.
    """
    own = [job for job in listed if job.cell.name == cell.name]
    good = [job for job in own if job.name not in failed]
    verdicts = {job.name: judge(study, job) for job in good}
    folders: dict[float, list[Path]] = {}
    for job in sorted(good, key=lambda job: (job.temperature, job.realisation)):
        folders.setdefault(job.temperature, []).append(job.folder)
    found: dict[str, tuple[Found, ...]] = {}
    origin = potential(cell.potential).origin
    file: Path | None = None
    laws: dict[str, ArrheniusLaw] = {}
    reason = ""
    try:
        if not good:
            raise PropertyError(describe(cell.name, "at least one valid run", "none"))
        path = folder / "properties" / f"{cell.name}.toml"
        if cell.kind == "bulk":
            found = results.bulk_found(cell, folders, cell.settle)
            first = next(iter(dynamics.frames(good[0].folder)))
            file, laws = results.write_material(study, cell, origin, found, first, path)
        else:
            known = json.loads((relaxed_file(good[0])).with_suffix(".json").read_text())
            pure = results.crystals_of(cell, folder)
            width = results.measured_width(cell, good[0].folder, cell.settle, known, pure)
            found = results.boundary_found(cell, folders, cell.settle, known["planes"], width)
            laws, reason = results.laws_of(cell, found)
            if not reason:
                file = results.write_boundary(study, cell, origin, found, laws, width, known, path)
    except PropertyError as error:
        reason = str(error)
    failures = tuple(failed[job.name] for job in own if job.name in failed)
    place = folder / f"{cell.name}.json"
    results.record(place, study, cell, origin, found, laws, verdicts, failures)
    return CellOutcome(cell, found, laws, verdicts, failures, file, reason)
