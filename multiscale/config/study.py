"""Study files: which polycrystals, which properties, which solver."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar

from pydantic import Discriminator, Field, Tag, model_validator

from multiscale.config.layers import LayerChoice, LayerEntry, layer_choices
from multiscale.config.plans import Range, RangeEntry, spread
from multiscale.config.recipe import (
    Recipe,
    build,
    check_grain_size,
    find_recipe,
    load_recipe,
)
from multiscale.errors import PropertyError, ResolutionError, StudyError, describe, nearest
from multiscale.properties import Boundary, BoundaryProperties, BoundaryRules, Material, load
from multiscale.provenance import Estimate, spawn_generator
from multiscale.tomlfile import Strict, dotted, read, validate
from multiscale.units import to_si

if TYPE_CHECKING:
    import numpy as np

    from multiscale.microstructure import Polycrystal

MOST_SAMPLES = 10**6
"""Samples beyond which a study is refused: each is a file."""
MOST_CELLS = 10**6
"""Voxels along an axis beyond which a study is refused."""
LEAST_VOXELS = 4.0
"""Voxels along the edge of a mean grain below which a study is refused."""

Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Kind = TypeVar("Kind", Material, BoundaryProperties)


class _HeadEntry(Strict):
    """What is asked."""

    title: Text
    question: Text
    seed: Annotated[int, Field(ge=0, lt=2**63)]


class _EnsembleEntry(Strict):
    """Polycrystals of one recipe on one grid."""

    name: Text
    recipe: Text
    cells: Annotated[tuple[Count, ...], Field(min_length=2, max_length=3)]


Share = Annotated[float, Field(ge=0, le=1)]


class _FractionSweep(Strict):
    """Volume fractions of one phase: values, or a range."""

    phase: Text
    values: Annotated[tuple[Share, ...], Field(min_length=1)] | None = None
    from_: Annotated[Share | None, Field(alias="from")] = None
    to: Share | None = None


_Sizes = Annotated[
    Annotated[tuple[Positive, ...], Field(min_length=1), Tag("#sizes")]
    | Annotated[RangeEntry, Tag("#range")],
    Discriminator(lambda given: "#range" if isinstance(given, Mapping) else "#sizes"),
]


class _SweepEntry(Strict):
    """What is varied."""

    realisations: Count
    plan: Literal["factorial", "latin-hypercube", "sobol"] = "factorial"
    samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    volume_fraction: _FractionSweep | None = None
    grain_size_nm: _Sizes | None = None

    @model_validator(mode="after")
    def _sizes_can_be_computed(self) -> Self:
        given = self.grain_size_nm
        if isinstance(given, RangeEntry):
            check_grain_size(given.from_, "grain_size_nm.from")
            check_grain_size(given.to, "grain_size_nm.to")
        else:
            for number, size in enumerate(given or ()):
                check_grain_size(size, f"grain_size_nm[{number}]")
        return self


class _TransportEntry(Strict):
    """How transport is solved."""

    temperatures_K: Annotated[tuple[Positive, ...], Field(min_length=1)]  # noqa: N815
    driving_force: Literal["concentration", "chemical_potential"]
    boundary: Literal["periodic", "dirichlet"]
    rtol: Annotated[float, Field(gt=0, lt=1)] = 1e-6
    backend: Literal["multigrid", "fipy"] = "multigrid"
    scheme: Literal["faces", "cut-cells"] = "faces"


class _StudyFile(Strict):
    """A study's file."""

    study: _HeadEntry
    ensembles: Annotated[tuple[_EnsembleEntry, ...], Field(min_length=1)]
    sweep: _SweepEntry
    phases: Annotated[dict[str, Text], Field(min_length=1)]
    boundaries: dict[str, Text]
    segregation: dict[str, Positive] | None = None
    space_charge: dict[str, LayerEntry] | None = None
    transport: _TransportEntry


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Polycrystals of one recipe on one grid.

    Parameters
    ----------
    name : str
        As in the study file.
    recipe : Recipe
        What kind of polycrystal.
    cells : tuple of int
        Voxels along each axis.
    """

    name: str
    recipe: Recipe
    cells: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """One polycrystal of a study, before it is made.

    Parameters
    ----------
    index : int
        Its number in the whole study; the same however many samples are run.
    ensemble : str
        Name of its ensemble.
    recipe : Recipe
        What kind of polycrystal.
    cells : tuple of int
        Voxels along each axis.
    fractions : Mapping of str to float
        Volume fraction of each phase.
    grain_size : float
        Mean grain size [m].
    realisation : int
        Number among those that differ by chance alone.
    seed : int
        Seed of the study.
    """

    index: int
    ensemble: str
    recipe: Recipe
    cells: tuple[int, ...]
    fractions: Mapping[str, float]
    grain_size: float
    realisation: int
    seed: int

    def generator(self) -> np.random.Generator:
        """Make this sample's own source of randomness.

        Returns
        -------
        numpy.random.Generator
            Fresh, and the same at each call.
        """
        return spawn_generator(self.seed, self.index)

    def build(self) -> Polycrystal:
        """Grow the polycrystal.

        Returns
        -------
        multiscale.microstructure.Polycrystal
            The same at each call.
        """
        return build(
            self.recipe,
            seed=self.generator(),
            fractions=self.fractions,
            grain_size=self.grain_size,
        )


@dataclass(frozen=True, slots=True)
class Study:
    """A study, checked and in SI.

    Parameters
    ----------
    path : pathlib.Path
        Its file.
    title, question : str
        For people.
    seed : int
        From which every sample's randomness follows.
    ensembles : tuple of Ensemble
        Recipes and grids.
    swept_phase : str or None
        Phase whose volume fraction is varied.
    volume_fractions : tuple of float
        Its values; empty if each recipe keeps its own.
    grain_sizes : tuple of float
        Mean grain sizes [m]; empty if each recipe keeps its own.
    realisations : int
        Samples that differ by chance alone.
    temperatures : tuple of float
        Absolute temperatures [K].
    phases : Mapping of str to Material or None
        Property of each phase; None for one that is blocked (D = 0).
    boundaries : Mapping of tuple of str to BoundaryProperties
        Property of each pair of phases that are not blocked, sorted by name.
    driving_force, boundary, backend : str
        As in the study file.
    rtol : float
        Relative tolerance of the solver.
    segregation : Mapping of str to float
        Factors of phases that the study gives in place of the property files'.
    scheme : str
        How thin boundaries enter, as in :func:`multiscale.effective_diffusivity`; with
        ``"cut-cells"`` layered crystals keep their tensors.
    layers : Mapping of tuple of str to LayerChoice
        Space charge beside the boundaries of a type.
    limit : int or None
        Samples to run, if not all.
    plan : str
        ``"factorial"``, ``"latin-hypercube"`` or ``"sobol"``.
    ranges : Mapping of str to Range
        What the points of the latter are spread over: ``"volume_fraction"``,
        ``"grain_size"`` [m].
    points : tuple of tuple
        Volume fraction and grain size [m] of each point; None where it is not varied.
    """

    path: Path
    title: str
    question: str
    seed: int
    ensembles: tuple[Ensemble, ...]
    swept_phase: str | None
    volume_fractions: tuple[float, ...]
    grain_sizes: tuple[float, ...]
    realisations: int
    temperatures: tuple[float, ...]
    phases: Mapping[str, Material | None]
    boundaries: Mapping[tuple[str, str], BoundaryProperties]
    driving_force: str
    boundary: Literal["periodic", "dirichlet"]
    backend: str
    rtol: float
    segregation: Mapping[str, float]
    scheme: str = "faces"
    layers: Mapping[tuple[str, str], LayerChoice] = field(default_factory=dict)
    limit: int | None = None
    plan: str = "factorial"
    ranges: Mapping[str, Range] = field(default_factory=dict)
    points: tuple[tuple[float | None, float | None], ...] = ()

    @property
    def total(self) -> int:
        """Number of samples of the whole study, whatever the limit."""
        groups = max(1, len(self.volume_fractions)) * max(1, len(self.grain_sizes))
        return self.realisations * (len(self.points) or groups) * len(self.ensembles)

    def _order(self) -> Iterator[tuple[int, float | None, float | None, Ensemble]]:
        """Realisation, volume fraction, grain size and ensemble of each sample."""
        if self.points:  # a longer plan begins with the samples of a shorter one
            for point, number in itertools.product(self.points, range(self.realisations)):
                for one in self.ensembles:
                    yield number, *point, one
            return
        yield from itertools.product(
            range(self.realisations),
            self.volume_fractions or (None,),
            self.grain_sizes or (None,),
            self.ensembles,
        )

    def samples(self) -> tuple[SamplePlan, ...]:
        """List the samples to run.

        The ensemble varies fastest; of a factorial plan the realisation varies slowest,
        so that a study that is stopped early has samples of every group, of another plan
        the point.

        Returns
        -------
        tuple of SamplePlan
            In the order of their index; the first ``limit`` of them.
        """
        return tuple(
            SamplePlan(
                index=index,
                ensemble=one.name,
                recipe=one.recipe,
                cells=one.cells,
                fractions=_shared_out(one.recipe, self.swept_phase, fraction),
                grain_size=one.recipe.grain_size if grain_size is None else grain_size,
                realisation=realisation,
                seed=self.seed,
            )
            for index, (realisation, fraction, grain_size, one) in itertools.islice(
                enumerate(self._order()), self.limit
            )
        )

    def phases_at(self, temperature: float) -> dict[str, Estimate]:
        """Self-diffusivity of each phase without texture.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        dict of str to Estimate
            [m²/s]; exactly zero for a blocked phase.
        """
        blocked = Estimate(0.0, 0.0, "m2/s", "blocked phase")
        return {
            name: blocked if material is None else material.diffusivity(temperature)
            for name, material in self.phases.items()
        }

    def segregation_at(self, temperature: float) -> dict[str, float]:
        """Segregation factor of each phase that is not blocked.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        dict of str to float
            The study's, or the property file's, or 1.
        """
        factors = {}
        for name, material in self.phases.items():
            if material is not None:
                own = material.segregation_factor
                known = 1.0 if own is None else own.evaluate(temperature).value
                factors[name] = self.segregation.get(name, known)
        return factors

    def density_at(self, temperature: float) -> dict[str, float]:
        """Lithium number density of each phase that is not blocked.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        dict of str to float
            [1/m³].

        Raises
        ------
        PropertyError
            If a material has none.
        """
        found = {}
        for name, material in self.phases.items():
            if material is None:
                continue
            if material.lithium_density is None:
                remedy = "add it to the property file"
                raise PropertyError(describe(material.name, "a lithium_density", "none", remedy))
            found[name] = material.lithium_density.evaluate(temperature).value
        return found

    def boundaries_at(self, temperature: float) -> dict[tuple[str, str], Boundary | BoundaryRules]:
        """Width and diffusivities of each boundary type.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        dict of tuple of str to Boundary or BoundaryRules
            Keys are sorted pairs of phase names; SI. With the layers of space charge.
        """
        bulk = {name: one.value for name, one in self.phases_at(temperature).items()}
        films = {
            pair: one.film(temperature, [bulk[name] for name in pair], _phase_of(pair, self.phases))
            for pair, one in self.boundaries.items()
        }
        for pair, choice in self.layers.items():
            films[pair] = choice.film(films[pair], bulk[pair[0]], temperature, self.temperatures)
        return films

    @property
    def boundary_classes(self) -> tuple[str, ...]:
        """All boundary types, each followed by ``"A|B rule"`` for the rules that part it."""
        found = []
        for pair in itertools.combinations_with_replacement(sorted(self.phases), 2):
            name = "|".join(pair)
            rules = self.boundaries[pair].rules if pair in self.boundaries else ()
            found += [name, *(f"{name} {rule.name}" for rule in rules)]
        return tuple(found)

    def resolved(self) -> dict[str, Any]:
        """Spell out all that the results follow from, without paths.

        Returns
        -------
        dict
            JSON types, for :func:`multiscale.provenance.config_hash`: with the content
            of every recipe and property file, without the limit on samples, so that a
            first look and the whole study share their results.
        """
        spelt: dict[str, Any] = _plain(
            {
                "study": {"title": self.title, "question": self.question, "seed": self.seed},
                "ensembles": [
                    {"name": one.name, "cells": one.cells, "recipe": one.recipe.content}
                    for one in self.ensembles
                ],
                "sweep": {
                    "phase": self.swept_phase,
                    "volume_fractions": self.volume_fractions,
                    "grain_sizes_m": self.grain_sizes,
                    "realisations": self.realisations,
                },
                "phases": {
                    name: "blocked" if one is None else {"name": one.name, **one.content}
                    for name, one in self.phases.items()
                },
                "boundaries": {
                    "|".join(pair): {"name": one.name, **one.content}
                    for pair, one in self.boundaries.items()
                },
                "transport": {
                    "temperatures_K": self.temperatures,
                    "driving_force": self.driving_force,
                    "boundary": self.boundary,
                    "rtol": self.rtol,
                    "backend": self.backend,
                },
            }
        )
        if self.segregation:  # an absent table leaves the hash of older results alone
            spelt["segregation"] = dict(self.segregation)
        if self.layers:  # the same
            spelt["space_charge"] = {
                "|".join(pair): asdict(one) for pair, one in self.layers.items()
            }
        if self.plan != "factorial":  # the same
            spelt["sweep"]["plan"] = self.plan
            spelt["sweep"]["ranges"] = {name: asdict(one) for name, one in self.ranges.items()}
            if self.plan != "sobol":  # more points of a Sobol plan leave the first as they are
                spelt["sweep"]["samples"] = len(self.points)
        if self.scheme != "faces":  # the same
            spelt["transport"]["scheme"] = self.scheme
        if self.driving_force == "chemical_potential":
            spelt["transport"]["coefficient"] = "c D_charge"
        return spelt


def load_study(path: str | Path, *, samples: int | None = None, cells: int | None = None) -> Study:
    """Read a study with its recipes and properties.

    Parameters
    ----------
    path : str or pathlib.Path
        The study file, or the folder that holds ``study.toml``.
    samples : int, optional
        Run the first so many samples only.
    cells : int, optional
        Voxels along every axis, in place of the file's.

    Returns
    -------
    Study
        Frozen, checked, in SI.

    Raises
    ------
    StudyError
        If the study is wrong, alone or against its recipes and properties.
    RecipeError, PropertyError
        If a file that it names is wrong.
    ResolutionError
        If a mean grain would have less than four voxels along its edge.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "study.toml"
    data = read(path, StudyError, "give a run folder or its study.toml")
    file = validate(_StudyFile, data, path, StudyError)
    for option, given in (("--samples", samples), ("--cells", cells)):
        if given is not None and given < 1:
            raise StudyError(describe(option, "a whole number ≥ 1", given))
    ensembles = _ensembles(file, path, cells)
    ranges = _ranges(file.sweep, path)
    _check_sweep(file, ensembles, path)
    phases = _phases(file, ensembles, path)
    boundaries = _boundaries(file, phases, path)
    _check_driving_force(file, phases, path)
    _check_segregation(file, phases, path)
    _check_scheme(file, path)
    sweep, transport, fraction = file.sweep, file.transport, file.sweep.volume_fraction
    study = Study(
        path=path,
        title=file.study.title,
        question=file.study.question.strip(),
        seed=file.study.seed,
        ensembles=ensembles,
        swept_phase=None if fraction is None else fraction.phase,
        volume_fractions=() if fraction is None else fraction.values or (),
        grain_sizes=tuple(to_si(one, "nm", "length") for one in _listed(sweep)),
        realisations=sweep.realisations,
        temperatures=transport.temperatures_K,
        phases=phases,
        boundaries=boundaries,
        driving_force=transport.driving_force,
        boundary=transport.boundary,
        backend=transport.backend,
        rtol=transport.rtol,
        segregation=dict(file.segregation or {}),
        scheme=transport.scheme,
        layers=layer_choices(file.space_charge, boundaries, path),
        plan=sweep.plan,
        ranges=ranges,
        points=_points(sweep, ranges, file.study.seed),
    )
    if study.total > MOST_SAMPLES:
        place = f"{path}: sweep.realisations"
        raise StudyError(describe(place, f"at most {MOST_SAMPLES} samples in all", study.total))
    return replace(study, limit=None if samples is None else min(samples, study.total))


def _ensembles(file: _StudyFile, path: Path, cells: int | None) -> tuple[Ensemble, ...]:
    """Load recipes, and see that the grids fit them."""
    made: list[Ensemble] = []
    for number, entry in enumerate(file.ensembles):
        key = f"ensembles[{number}]"
        if entry.name in [one.name for one in made]:
            raise StudyError(describe(f"{path}: {key}.name", "a name used once", entry.name))
        recipe = load_recipe(find_recipe(entry.recipe, path.parent))
        grid = entry.cells if cells is None else (cells,) * recipe.dimension
        place = f"{path}: {key}.cells" if cells is None else "--cells"
        if max(grid) > MOST_CELLS:
            raise StudyError(describe(place, f"at most {MOST_CELLS} voxels an axis", list(grid)))
        if len(grid) != recipe.dimension:
            expected = f"{recipe.dimension} numbers, as {entry.recipe} is {recipe.dimension}D"
            raise StudyError(describe(place, expected, list(grid)))
        found = recipe.voxels_per_grain(grid)
        if found < LEAST_VOXELS * (1 - 1e-9):  # 27^(1/3) is not quite 3
            expected = f"at least {LEAST_VOXELS:g} voxels along a mean grain"
            enough = math.ceil(LEAST_VOXELS * recipe.grains ** (1 / recipe.dimension) - 1e-9)
            remedy = f"{recipe.grains} grains need {enough} voxels along each axis"
            received = f"{found:.2g} ({min(grid)} voxels)"
            raise ResolutionError(describe(place, expected, received, remedy))
        if file.transport.boundary == "periodic" and not recipe.periodic:
            where = f"{path}: transport.boundary"
            received = f"'periodic' with {entry.recipe}, which has walls"
            raise StudyError(describe(where, "'dirichlet'", received, "or a periodic recipe"))
        made.append(Ensemble(entry.name, recipe, grid))
    return tuple(made)


def _listed(sweep: _SweepEntry) -> tuple[float, ...]:
    """Grain sizes that are given one by one [nm]."""
    given = sweep.grain_size_nm
    return given if isinstance(given, tuple) else ()


def _ranges(sweep: _SweepEntry, path: Path) -> dict[str, Range]:
    """See that a plan has what it needs, and put its ranges into SI."""
    place, fraction, size = f"{path}: sweep", sweep.volume_fraction, sweep.grain_size_nm
    spreads = sweep.plan != "factorial"
    if spreads == (sweep.samples is None):
        expected = f"{'a number' if spreads else 'none'} with plan = '{sweep.plan}'"
        received = "none" if sweep.samples is None else sweep.samples
        remedy = "add samples = 64" if spreads else "a factorial plan is as long as its values"
        raise StudyError(describe(f"{place}.samples", expected, received, remedy))
    found: dict[str, Range] = {}
    if fraction is not None:
        ends = (fraction.from_, fraction.to)
        if (fraction.values is None) != spreads or (None in ends) == spreads:
            expected = "from and to" if spreads else "values"
            received = ", ".join(sorted(fraction.model_fields_set - {"phase"})) or "nothing"
            received = received.replace("from_", "from")
            remedy = f"plan = '{sweep.plan}' has no other"
            raise StudyError(describe(f"{place}.volume_fraction", expected, received, remedy))
        if fraction.from_ is not None and fraction.to is not None:
            found["volume_fraction"] = Range(fraction.from_, fraction.to, log=False)
    if size is not None and isinstance(size, RangeEntry) != spreads:
        expected = "{ from = 20, to = 2000 }" if spreads else "a list of sizes"
        received = "a list of sizes" if spreads else "a range"
        remedy = f"plan = '{sweep.plan}' has no other"
        raise StudyError(describe(f"{place}.grain_size_nm", expected, received, remedy))
    if isinstance(size, RangeEntry):
        low, high = (to_si(one, "nm", "length") for one in (size.from_, size.to))
        found["grain_size"] = Range(low, high, log=size.scale == "log")
    for name, one in found.items():
        key = "grain_size_nm" if name == "grain_size" else name
        if not one.low < one.high:
            raise StudyError(describe(f"{place}.{key}", "from < to", f"{one.low:g}, {one.high:g}"))
    if spreads and not found:
        expected = "a range of volume_fraction or grain_size_nm"
        raise StudyError(describe(place, expected, "none", "or leave plan out"))
    return found


def _points(
    sweep: _SweepEntry, ranges: Mapping[str, Range], seed: int
) -> tuple[tuple[float | None, float | None], ...]:
    """Spread the points of a plan that is not factorial."""
    if sweep.plan == "factorial" or sweep.samples is None:
        return ()
    order = [name for name in ("volume_fraction", "grain_size") if name in ranges]
    rows = spread(sweep.plan, [ranges[name] for name in order], sweep.samples, seed)
    named = [dict(zip(order, row, strict=True)) for row in rows]
    return tuple((one.get("volume_fraction"), one.get("grain_size")) for one in named)


def _check_sweep(file: _StudyFile, ensembles: tuple[Ensemble, ...], path: Path) -> None:
    """See that what is swept exists and is swept once."""
    sweep = file.sweep
    swept = {"grain_size_nm": _listed(sweep)}
    if sweep.volume_fraction is not None:
        swept["volume_fraction.values"] = sweep.volume_fraction.values or ()
        phase = sweep.volume_fraction.phase
        for one in ensembles:
            place = f"{path}: sweep.volume_fraction.phase"
            if phase not in one.recipe.phases:
                expected = f"a phase of {one.recipe.name}"
                remedy = nearest(phase, one.recipe.phases)
                raise StudyError(describe(place, expected, phase, remedy))
            if one.recipe.phases[phase] == 1.0:
                expected = f"a phase of {one.recipe.name} that leaves room for others"
                raise StudyError(describe(place, expected, phase))
    swept["temperatures_K"] = file.transport.temperatures_K
    for key, values in swept.items():
        if len(set(values)) < len(values):
            table = "transport" if key == "temperatures_K" else "sweep"
            raise StudyError(describe(f"{path}: {table}.{key}", "each value once", list(values)))


def _phases(
    file: _StudyFile, ensembles: tuple[Ensemble, ...], path: Path
) -> dict[str, Material | None]:
    """Give every phase of the recipes its property."""
    wanted = {name for one in ensembles for name in one.recipe.phases}
    for name in file.phases:
        if name not in wanted:
            place = dotted(path, ("phases", name))
            raise StudyError(describe(place, "a phase of the recipes", name, nearest(name, wanted)))
    phases: dict[str, Material | None] = {}
    for name in sorted(wanted):
        place = dotted(path, ("phases", name))
        if name not in file.phases:
            remedy = f'add {name} = "property name", or "blocked" for D = 0'
            raise StudyError(describe(place, "a property", "nothing", remedy))
        value = file.phases[name]
        phases[name] = None if value == "blocked" else _property(value, Material, place, path)
    return phases


def _boundaries(
    file: _StudyFile, phases: Mapping[str, Material | None], path: Path
) -> dict[tuple[str, str], BoundaryProperties]:
    """Give every type of boundary that can occur its property."""
    open_phases = sorted(name for name, material in phases.items() if material is not None)
    wanted = list(itertools.combinations_with_replacement(open_phases, 2))
    found: dict[tuple[str, str], BoundaryProperties] = {}
    for key, value in file.boundaries.items():
        place = dotted(path, ("boundaries", f'"{key}"'))
        first, _, second = key.partition("|")
        pair = (min(first, second), max(first, second))
        if pair not in wanted:
            remedy = nearest(key, ["|".join(one) for one in wanted])
            raise StudyError(describe(place, "two open phases joined by '|'", key, remedy))
        if pair in found:
            raise StudyError(describe(place, "each pair of phases once", key, "drop one order"))
        found[pair] = _property(value, BoundaryProperties, place, path)
        _check_rules(found[pair], pair, phases, place)
    for pair in wanted:
        if pair not in found:
            key = "|".join(pair)
            remedy = f'add "{key}" = "property name"'
            raise StudyError(
                describe(f'{path}: boundaries."{key}"', "a property", "nothing", remedy)
            )
    return {pair: found[pair] for pair in wanted}


def _phase_of(pair: tuple[str, str], phases: Mapping[str, Material | None]) -> dict[str, str]:
    """Phase of the study by the name of its material, for what a boundary file names."""
    found = {}
    for name in pair:
        material = phases[name]
        if material is not None:
            found[material.name] = name
    return found


def _check_rules(
    one: BoundaryProperties,
    pair: tuple[str, str],
    phases: Mapping[str, Material | None],
    place: str,
) -> None:
    """See that the rules of a boundary file can be asked of these phases."""
    if one.rules:
        film = Boundary(width=1e-9, across=1.0, along=1.0)
        rules = one.with_rules(film, [film] * len(one.rules), _phase_of(pair, phases))
        rules.check_between(*pair, place=place)


def _property(value: str, kind: type[Kind], place: str, path: Path) -> Kind:
    """Load a property of the kind that belongs here."""
    found = load(path.parent / value if value.endswith(".toml") else value)
    if isinstance(found, kind):
        return found
    words = {Material: "a material", BoundaryProperties: "a boundary type"}
    raise StudyError(describe(place, words[kind], f"{value}, which is {words[type(found)]}"))


def _check_driving_force(
    file: _StudyFile, phases: Mapping[str, Material | None], path: Path
) -> None:
    """See that a chemical potential has its concentrations."""
    if file.transport.driving_force == "concentration":
        return
    for name, material in phases.items():
        if material is not None and material.lithium_density is None:
            place = f"{path}: transport.driving_force"
            received = f"{file.phases[name]} without lithium_density"
            raise StudyError(describe(place, "the Li density of each open phase", received))


def _check_segregation(file: _StudyFile, phases: Mapping[str, Material | None], path: Path) -> None:
    """See that factors belong to open phases and to the driving force."""
    for name in file.segregation or {}:
        place = dotted(path, ("segregation", name))
        if phases.get(name) is None:
            open_phases = [one for one, material in phases.items() if material is not None]
            raise StudyError(describe(place, "an open phase", name, nearest(name, open_phases)))
        if file.transport.driving_force != "concentration":
            received = f"{file.transport.driving_force!r}"
            remedy = "the Li densities already tell the partition; leave it out"
            expected = "transport.driving_force = 'concentration'"
            raise StudyError(describe(place, expected, received, remedy))


def _check_scheme(file: _StudyFile, path: Path) -> None:
    """See that the backend knows the scheme."""
    if file.transport.scheme != "faces" and file.transport.backend != "multigrid":
        expected = f"'multigrid' for scheme {file.transport.scheme!r}"
        received = f"{file.transport.backend!r}"
        remedy = "leave backend or scheme out"
        raise StudyError(describe(f"{path}: transport.backend", expected, received, remedy))


def _shared_out(recipe: Recipe, phase: str | None, fraction: float | None) -> dict[str, float]:
    """Set one phase's fraction; the others share the rest as in the recipe."""
    if phase is None or fraction is None:
        return dict(recipe.phases)
    rest = (1.0 - fraction) / (1.0 - recipe.phases[phase])
    return {
        name: fraction if name == phase else share * rest for name, share in recipe.phases.items()
    }


def _plain(value: Any) -> Any:
    """Turn mappings and tuples into JSON's own."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
