"""From judged trajectories to laws and property files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io import read

from multiscale.atomistics import dynamics, guard
from multiscale.config.atomistics import AtomisticStudy, CellPlan
from multiscale.errors import PropertyError, describe
from multiscale.properties.arrhenius import ArrheniusLaw, fit_arrhenius
from multiscale.properties.from_dynamics import (
    ANGSTROM,
    Found,
    Paths,
    bulk_diffusivity,
    combine,
    read_paths,
)
from multiscale.properties.profile import disorder, slab_width
from multiscale.properties.slab import slab_diffusivities
from multiscale.properties.writing import boundary_file, material_file
from multiscale.provenance import Estimate, config_hash, versions
from multiscale.units import ELEMENTARY_CHARGE

PER_CUBIC_ANGSTROM = 1e30


def bulk_found(
    cell: CellPlan, folders: Mapping[float, Sequence[Path]], settle: float
) -> dict[str, tuple[Found, ...]]:
    """Estimate a phase's diffusivities at all temperatures.

    Parameters
    ----------
    cell : CellPlan
        The phase.
    folders : mapping of float to sequence of pathlib.Path
        Valid runs by temperature [K].
    settle : float
        Beginning of each that is left out [fs].

    Returns
    -------
    dict of str to tuple of Found
        By direction: ``"all"``, or ``"in plane"`` and ``"along c"``.
    """
    wanted = {"in plane": "xy", "along c": "z"} if cell.layered else {"all": "xyz"}
    found: dict[str, list[Found]] = {name: [] for name in wanted}
    for temperature, some in folders.items():
        runs: list[Paths] = [read_paths(one, cell.mobile, settle) for one in some]
        for name, axes in wanted.items():
            found[name].append(bulk_diffusivity(runs, temperature, axes))
    return {name: tuple(some) for name, some in found.items()}


def law_of(found: Sequence[Found], softening: float = 0.0) -> ArrheniusLaw:
    """Fit a law to what is not a bound.

    Parameters
    ----------
    found : sequence of Found
        One a temperature.
    softening : float, optional
        Added to the activation energy [eV].

    Returns
    -------
    ArrheniusLaw
        Their law.

    Raises
    ------
    PropertyError
        If fewer than three temperatures are diffusive.
    """
    good = [one for one in found if not one.bound]
    law = fit_arrhenius(
        [one.temperature for one in good],
        [one.value for one in good],
        [one.stderr for one in good],
    )
    return law.corrected(softening * ELEMENTARY_CHARGE) if softening else law


def c_ratio(plane: Sequence[Found], normal: Sequence[Found]) -> tuple[Estimate, str]:
    """Compare diffusion along c with that in the layers.

    Parameters
    ----------
    plane, normal : sequence of Found
        One a temperature each.

    Returns
    -------
    ratio : Estimate
        At the temperature where it is known best: the largest that is a bound if all are.
    note : str
        Which it is.
    """
    pairs = [(a, b) for a, b in zip(plane, normal, strict=True) if not a.bound]
    if not pairs:
        raise PropertyError(
            describe("layers", "one temperature with diffusion in the layers", "none", "run longer")
        )
    known = [(a, b) for a, b in pairs if not b.bound]
    if known:
        a, b = min(known, key=lambda pair: pair[1].stderr / pair[1].value)
        ratio = b.value / a.value
        stderr = ratio * float(np.hypot(a.stderr / a.value, b.stderr / b.value))
        return Estimate(ratio, stderr, "1", "trajectories"), f"measured at {a.temperature:g} K"
    a, b = min(pairs, key=lambda pair: pair[1].value / pair[0].value)
    return (
        Estimate(b.value / a.value, float("nan"), "1", "trajectories"),
        f"an upper bound, at {a.temperature:g} K: along c no run was diffusive, and vibration "
        "is counted as if it were diffusion",
    )


def source_of(
    study: AtomisticStudy, cell: CellPlan, origin: Mapping[str, str], found: Sequence[Found]
) -> str:
    """Say what computed a number.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    cell : CellPlan
        The phase or boundary.
    origin : mapping of str to str
        Of the potential.
    found : sequence of Found
        What was found.

    Returns
    -------
    str
        One line.
    """
    length = sum(one.duration for one in found) * 1e12
    runs = sum(one.runs for one in found)
    weights = origin.get("sha256", "")[:12]
    of = f", weights {weights}" if weights else ""
    return (
        f"computed: molecular dynamics with {cell.potential.name}{of}, {runs} runs of together "
        f"{length:.4g} ps, study {config_hash(study.content)}"
    )


def composition(atoms: Atoms) -> str:
    """Name what a cell is made of.

    Parameters
    ----------
    atoms : ase.Atoms
        The cell.

    Returns
    -------
    str
        Reduced formula and number of atoms.
    """
    return f"{atoms.get_chemical_formula(mode='hill')} ({len(atoms)} atoms)"


def write_material(
    study: AtomisticStudy,
    cell: CellPlan,
    origin: Mapping[str, str],
    found: Mapping[str, Sequence[Found]],
    atoms: Atoms,
    path: Path,
) -> tuple[Path, dict[str, ArrheniusLaw]]:
    """Write a phase's property file.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    cell : CellPlan
        The phase.
    origin : mapping of str to str
        Of the potential.
    found : mapping of str to sequence of Found
        By direction.
    atoms : ase.Atoms
        A cell at its density.
    path : pathlib.Path
        The file.

    Returns
    -------
    path : pathlib.Path
        The file.
    laws : dict of str to ArrheniusLaw
        What is in it.

    Raises
    ------
    PropertyError
        If there is no law.
    """
    main = "in plane" if cell.layered else "all"
    law = law_of(found[main], cell.potential.softening)
    ratio, note = c_ratio(found[main], found["along c"]) if cell.layered else (None, "")
    count = int(np.count_nonzero(atoms.symbols == cell.mobile))
    density = Estimate(
        PER_CUBIC_ANGSTROM * count / atoms.get_volume(), float("nan"), "1/m3", "its cell"
    )
    known = np.array([(one.haven_ratio, one.haven_stderr) for one in found[main]])
    known = known[np.isfinite(known).all(axis=1)]
    haven = None
    if len(known):
        value, stderr = combine(*known.T)
        haven = Estimate(value, stderr, "1", "spread of trajectories, all temperatures as one")
    description = (
        f"Computed by `multiscale atomistics` from molecular dynamics of {composition(atoms)} at "
        f"{', '.join(f'{one.temperature:g}' for one in found[main])} K. {study.question}"
    )
    material_file(
        path, title=cell.title, composition=composition(atoms), description=description,
        source=source_of(study, cell, origin, found[main]), law=law, c_ratio=ratio, c_note=note,
        lithium_density=density if cell.mobile == "Li" else None, haven_ratio=haven,
        note=f"chi squared a degree of freedom {law.chi_squared:.2g}",
    )  # fmt: skip
    return path, {main: law}


def crystals_of(cell: CellPlan, folder: Path) -> list[Atoms]:
    """Cells at rest of the phases beside a boundary.

    Parameters
    ----------
    cell : CellPlan
        The boundary.
    folder : pathlib.Path
        Of the study's results.

    Returns
    -------
    list of ase.Atoms
        One for each phase.

    Raises
    ------
    PropertyError
        If a phase has not been relaxed.
    """
    found = []
    for name in dict.fromkeys(cell.between):
        file = folder / "md" / name / "relaxed-0.extxyz"
        if not file.exists():
            raise PropertyError(describe(cell.name, f"the phase {name} at rest", "none yet"))
        atoms = read(file, format="extxyz")
        assert isinstance(atoms, Atoms)
        larger: Atoms = atoms * (2, 2, 2)
        found.append(larger)
    return found


def measured_width(
    cell: CellPlan, run: Path, settle: float, known: Mapping[str, Any], crystals: Sequence[Atoms]
) -> Estimate:
    """Width of a boundary, as the study gives it or from its disorder.

    Parameters
    ----------
    cell : CellPlan
        The boundary.
    run : pathlib.Path
        A valid run of it.
    settle : float
        Beginning that is left out [fs].
    known : mapping
        Its planes.
    crystals : sequence of ase.Atoms
        What its grains are made of.

    Returns
    -------
    Estimate
        [m].
    """
    if "width_nm" in cell.options:
        return Estimate(1e-9 * cell.options["width_nm"], float("nan"), "m", "given in the study")
    some = [one for one in dynamics.frames(run) if float(one.info["time"]) >= settle]
    mean = some[0].copy()
    mean.positions = np.mean([one.positions for one in some], axis=0)
    which, value = disorder(mean, crystals, cell.mobile)
    height = float(mean.cell.array[2, 2])
    found = slab_width(
        ANGSTROM * mean.positions[which, 2], value, ANGSTROM * height, known["planes"]
    )
    return Estimate(found.value, found.stderr, "m", "integral breadth of the framework's disorder")


def boundary_found(
    cell: CellPlan,
    folders: Mapping[float, Sequence[Path]],
    settle: float,
    planes: Sequence[float],
    width: Estimate,
) -> dict[str, tuple[Found, ...]]:
    """Estimate a boundary's diffusivities at all temperatures.

    Parameters
    ----------
    cell : CellPlan
        The boundary.
    folders : mapping of float to sequence of pathlib.Path
        Valid runs by temperature [K].
    settle : float
        Beginning of each that is left out [fs].
    planes : sequence of float
        Where they are, as shares of the cell's height.
    width : Estimate
        Of the slab [m].

    Returns
    -------
    dict of str to tuple of Found
        ``"across"`` and ``"along"``, and the same beyond the slab.
    """
    found: dict[str, list[Found]] = {}
    for temperature, some in folders.items():
        runs = [read_paths(one, cell.mobile, settle) for one in some]
        for name, one in slab_diffusivities(runs, temperature, planes, width.value).items():
            found.setdefault(name, []).append(one)
    return {name: tuple(some) for name, some in found.items()}


def laws_of(
    cell: CellPlan, found: Mapping[str, Sequence[Found]]
) -> tuple[dict[str, ArrheniusLaw], str]:
    """Fit the laws that a boundary's diffusivities allow.

    Parameters
    ----------
    cell : CellPlan
        The boundary.
    found : mapping of str to sequence of Found
        By direction.

    Returns
    -------
    laws : dict of str to ArrheniusLaw
        Of ``"across"`` and ``"along"`` those that are diffusive at three temperatures or more.
    reason : str
        Why the first that is missing is missing; empty if both are there.
    """
    laws: dict[str, ArrheniusLaw] = {}
    reason = ""
    for name in ("across", "along"):
        try:
            laws[name] = law_of(found[name], cell.potential.softening)
        except PropertyError as error:
            reason = reason or f"{name}: {error}"
    return laws, reason


def write_boundary(
    study: AtomisticStudy,
    cell: CellPlan,
    origin: Mapping[str, str],
    found: Mapping[str, Sequence[Found]],
    laws: Mapping[str, ArrheniusLaw],
    width: Estimate,
    known: Mapping[str, Any],
    path: Path,
) -> Path:
    """Write a boundary's property file.

    Parameters
    ----------
    study : AtomisticStudy
        The study.
    cell : CellPlan
        The boundary.
    origin : mapping of str to str
        Of the potential.
    found : mapping of str to sequence of Found
        By direction.
    laws : mapping of str to ArrheniusLaw
        ``"across"`` and ``"along"``.
    width : Estimate
        Of the slab [m].
    known : mapping
        Area, energy, what it is.
    path : pathlib.Path
        The file.

    Returns
    -------
    pathlib.Path
        The file.
    """
    energy = Estimate(float(known["boundary_energy_J_m2"]), float("nan"), "J/m2", "one cell")
    words = ", ".join(
        f"{key} {known[key]}"
        for key in ("sigma", "axis", "plane", "planes", "kind")
        if key in known
    )
    boundary_file(
        path, title=cell.title, between=(cell.between[0], cell.between[1]),
        description=f"Computed by `multiscale atomistics`: {words}. {study.question}",
        source=source_of(study, cell, origin, found["along"]), width=width,
        across=laws["across"], along=laws["along"], boundary_energy=energy,
        notes={"width": width.source},
    )  # fmt: skip
    return path


def record(
    path: Path,
    study: AtomisticStudy,
    cell: CellPlan,
    origin: Mapping[str, str],
    found: Mapping[str, Sequence[Found]],
    laws: Mapping[str, ArrheniusLaw],
    verdicts: Mapping[str, guard.Verdict],
    failures: Sequence[str],
) -> None:
    """Store all that was found of a phase or boundary, with what made it.

    Parameters
    ----------
    path : pathlib.Path
        A JSON file; replaced as a whole.
    study : AtomisticStudy
        The study.
    cell : CellPlan
        The phase or boundary.
    origin : mapping of str to str
        Of the potential.
    found, laws, verdicts, failures
        What became of it.
    """
    content: dict[str, Any] = {
        "title": cell.title,
        "study": config_hash(study.content),
        "potential": {"name": cell.potential.name, **origin},
        "versions": versions(),
        "diffusivities_m2_s": {
            name: [_plain(asdict(one)) for one in some] for name, some in found.items()
        },
        "laws": {
            name: {
                **_plain(asdict(law)),
                "energy_eV": law.energy / ELEMENTARY_CHARGE,
                "energy_stderr_eV": law.energy_stderr / ELEMENTARY_CHARGE,
            }
            for name, law in laws.items()
        },
        "verdicts": {name: {**asdict(one), "valid": one.valid} for name, one in verdicts.items()},
        "failures": list(failures),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    dynamics.write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """JSON has no NaN or infinity: null."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in content.items()
    }
