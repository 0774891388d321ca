"""Atomistic studies: which crystals and boundaries, which potential, how hot and how long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from multiscale.errors import StudyError, describe
from multiscale.tomlfile import FieldError, Strict, dotted, read, validate

Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$")]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Temperatures = Annotated[tuple[Positive, ...], Field(min_length=1)]
Miller = Annotated[tuple[int, ...], Field(min_length=3, max_length=4)]
Repeat = Annotated[tuple[Count, ...], Field(min_length=3, max_length=3)]

BUILT = (
    "sigma", "axis", "plane", "planes", "thickness_A", "side_A", "translations", "max_strain",
    "termination", "width_nm",
)  # fmt: skip
"""Keys of a boundary that say what is built."""


class _HeadEntry(Strict):
    """What is asked."""

    title: Text
    question: Text
    seed: Annotated[int, Field(ge=0, lt=2**31)]


class _PotentialEntry(Strict):
    """What drives, and what is asked again about it."""

    name: Text
    sha256: Text | None = None
    guard: Text = "none"
    softening_eV: Annotated[float, Field(ge=0, le=1)] = 0.0  # noqa: N815


class _DynamicsEntry(Strict):
    """How long, how hot, how often."""

    temperatures_K: Temperatures  # noqa: N815
    realisations: Count = 1
    timestep_fs: Positive = 2.0
    density_ps: Annotated[float, Field(ge=0)] = 4.0
    settle_ps: Annotated[float, Field(ge=0)] = 2.0
    length_ps: Positive
    every_fs: Positive = 20.0

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        ratio = self.every_fs / self.timestep_fs
        if abs(ratio - round(ratio)) > 1e-9 or ratio < 0.5:
            wanted = f"a multiple of timestep_fs ({self.timestep_fs:g})"
            raise FieldError("every_fs", wanted, self.every_fs)
        if len(set(self.temperatures_K)) != len(self.temperatures_K):
            raise FieldError("temperatures_K", "each once", list(self.temperatures_K))
        return self


class _CrystalEntry(Strict):
    """A crystal by name, or a file."""

    crystal: Text | None = None
    file: Text | None = None
    lithium: float | None = None
    vacancies: float | None = None
    disorder: float | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.crystal is None) == (self.file is None):
            both = "neither" if self.crystal is None else "both"
            raise FieldError("", "either crystal or file", both)
        if self.file is not None:
            for key in ("lithium", "vacancies", "disorder"):
                if getattr(self, key) is not None:
                    raise FieldError(key, "no such key beside file", getattr(self, key))
        return self

    def options(self) -> dict[str, float]:
        """What the crystal is built with."""
        given = {key: getattr(self, key) for key in ("lithium", "vacancies", "disorder")}
        return {key: value for key, value in given.items() if value is not None}


class _CellEntry(Strict):
    """What every cell may set for itself."""

    title: Text
    mobile: Text = "Li"
    potential: _PotentialEntry | None = None
    temperatures_K: Temperatures | None = None  # noqa: N815
    length_ps: Positive | None = None
    settle_ps: Annotated[float, Field(ge=0)] | None = None
    density_ps: Annotated[float, Field(ge=0)] | None = None
    realisations: Count | None = None


class _PhaseEntry(_CrystalEntry, _CellEntry):
    """``[phases.NAME]``."""

    repeat: Repeat = (1, 1, 1)
    layered: bool = False


class _BoundaryEntry(_CellEntry):
    """``[boundaries.NAME]``."""

    between: Annotated[tuple[Text, ...], Field(min_length=2, max_length=2)]
    kind: Literal["coincidence", "twin", "interface"]
    sigma: Count | None = None
    axis: Miller | None = None
    plane: Miller | None = None
    planes: Annotated[tuple[Miller, ...], Field(min_length=2, max_length=2)] | None = None
    thickness_A: Positive = 12.0  # noqa: N815
    side_A: Positive = 9.0  # noqa: N815
    translations: Count = 1
    max_strain: Positive = 0.03
    termination: Annotated[int, Field(ge=0)] = 0
    width_nm: Positive | None = None

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> Self:
        needed = {
            "coincidence": ("sigma", "axis", "plane"),
            "twin": ("plane",),
            "interface": ("planes",),
        }[self.kind]
        for key in ("sigma", "axis", "plane", "planes"):
            given = getattr(self, key)
            if key in needed and given is None:
                raise FieldError(key, f"this key for kind = '{self.kind}'", "nothing")
            if key not in needed and given is not None:
                raise FieldError(key, f"no such key for kind = '{self.kind}'", list(given))
        return self


class _StudyFile(Strict):
    """An atomistic study's file."""

    study: _HeadEntry
    potential: _PotentialEntry
    dynamics: _DynamicsEntry
    phases: dict[Name, _PhaseEntry]
    boundaries: dict[Name, _BoundaryEntry] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PotentialChoice:
    """Which potential.

    Parameters
    ----------
    name : str
        As :func:`multiscale.atomistics.potentials.load_potential` takes it.
    sha256 : str or None
        For ``"mace:FILE"``.
    guard : str or None
        The potential that is asked again; None for none.
    softening : float
        Energy by which its barriers are held to be too low: added to activation energies [eV].
    """

    name: str
    sha256: str | None = None
    guard: str | None = None
    softening: float = 0.0


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One phase or boundary to compute.

    Parameters
    ----------
    name : str
        Stem of its property file.
    title : str
        For people.
    kind : {"bulk", "coincidence", "twin", "interface"}
        What is built.
    crystals : tuple of CrystalChoice
        One, or those on either side.
    between : tuple of str
        Names of the phases on either side; empty for a bulk.
    options : mapping of str to object
        Of the builder.
    layered : bool
        Whether diffusion in the layers differs from that along c.
    mobile : str
        Element that diffuses.
    potential : PotentialChoice
        What drives it.
    temperatures : tuple of float
        [K].
    density : float
        Length of the run at no pressure [fs]; 0 for the volume of the relaxed cell.
    settle : float
        Beginning of each run that is not used [fs].
    length : float
        Of each run after settling [fs].
    realisations : int
        Cells drawn anew at each temperature.
    """

    name: str
    title: str
    kind: str
    crystals: tuple[CrystalChoice, ...]
    between: tuple[str, ...]
    options: Mapping[str, Any]
    layered: bool
    mobile: str
    potential: PotentialChoice
    temperatures: tuple[float, ...]
    density: float
    settle: float
    length: float
    realisations: int


@dataclass(frozen=True, slots=True)
class CrystalChoice:
    """A crystal by name, or a file of one.

    Parameters
    ----------
    name : str
        For :func:`multiscale.atomistics.crystals.crystal`; empty for a file.
    options : mapping of str to float
        Its composition.
    file : pathlib.Path or None
        Anything ASE reads.
    """

    name: str
    options: Mapping[str, float]
    file: Path | None


@dataclass(frozen=True, slots=True)
class AtomisticStudy:
    """An atomistic study, checked.

    Parameters
    ----------
    path : pathlib.Path
        Its file.
    title, question : str
        For people.
    seed : int
        From which all randomness follows.
    timestep : float
        [fs].
    every : int
        Steps between frames.
    cells : tuple of CellPlan
        Phases first.
    content : mapping
        The file, for provenance.
    """

    path: Path
    title: str
    question: str
    seed: int
    timestep: float
    every: int
    cells: tuple[CellPlan, ...]
    content: Mapping[str, Any]


def load_atomistic_study(place: str | Path) -> AtomisticStudy:
    """Read an atomistic study.

    Parameters
    ----------
    place : str or pathlib.Path
        Its folder, or its ``atomistics.toml``.

    Returns
    -------
    AtomisticStudy
        Checked; nothing has been computed.

    Raises
    ------
    StudyError
        If the file is missing or wrong; one line.
    """
    path = Path(place)
    if path.is_dir():
        path = path / "atomistics.toml"
    data = read(path, StudyError, "give the folder of a study that holds atomistics.toml")
    file = validate(_StudyFile, data, path, StudyError)
    if not file.phases:
        raise StudyError(describe(dotted(path, "phases"), "at least one phase", "none"))
    cells = [_phase(name, entry, file, path) for name, entry in file.phases.items()]
    for name, entry in file.boundaries.items():
        if name in file.phases:
            place = dotted(path, ("boundaries", name))
            raise StudyError(describe(place, "a name of its own", "that of a phase"))
        cells.append(_boundary(name, entry, file, path))
    run = file.dynamics
    return AtomisticStudy(
        path=path,
        title=file.study.title,
        question=file.study.question,
        seed=file.study.seed,
        timestep=run.timestep_fs,
        every=round(run.every_fs / run.timestep_fs),
        cells=tuple(cells),
        content=data,
    )


def _choice(entry: _CrystalEntry, path: Path) -> CrystalChoice:
    file = None if entry.file is None else path.parent / entry.file
    return CrystalChoice(entry.crystal or "", entry.options(), file)


def _common(entry: _CellEntry, file: _StudyFile) -> dict[str, Any]:
    """What a cell takes from the study unless it says otherwise."""
    asked, run = entry.potential or file.potential, file.dynamics
    return {
        "title": entry.title,
        "mobile": entry.mobile,
        "potential": PotentialChoice(
            asked.name,
            asked.sha256,
            None if asked.guard == "none" else asked.guard,
            asked.softening_eV,
        ),
        "temperatures": entry.temperatures_K or run.temperatures_K,
        "density": 1000.0 * (run.density_ps if entry.density_ps is None else entry.density_ps),
        "settle": 1000.0 * (run.settle_ps if entry.settle_ps is None else entry.settle_ps),
        "length": 1000.0 * (entry.length_ps or run.length_ps),
        "realisations": entry.realisations or run.realisations,
    }


def _phase(name: str, entry: _PhaseEntry, file: _StudyFile, path: Path) -> CellPlan:
    return CellPlan(
        name=name,
        kind="bulk",
        crystals=(_choice(entry, path),),
        between=(),
        options={"repeat": entry.repeat},
        layered=entry.layered,
        **_common(entry, file),
    )


def _boundary(name: str, entry: _BoundaryEntry, file: _StudyFile, path: Path) -> CellPlan:
    for number, phase in enumerate(entry.between):
        if phase not in file.phases:
            place = dotted(path, ("boundaries", name, "between", number))
            raise StudyError(describe(place, f"one of the phases {', '.join(file.phases)}", phase))
    if entry.kind != "interface" and entry.between[0] != entry.between[1]:
        place = dotted(path, ("boundaries", name, "between"))
        raise StudyError(
            describe(place, f"one phase twice for kind = '{entry.kind}'", list(entry.between),
                     "use kind = 'interface'")
        )  # fmt: skip
    options = {key: getattr(entry, key) for key in BUILT if getattr(entry, key) is not None}
    sides = dict.fromkeys(entry.between)
    return CellPlan(
        name=name,
        kind=entry.kind,
        crystals=tuple(_choice(file.phases[phase], path) for phase in sides),
        between=tuple(entry.between),
        options=options,
        layered=False,
        **_common(entry, file),
    )
