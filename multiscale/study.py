"""The whole chain, readable top to bottom: from a study file to its report.

For each sample: grow the polycrystal, rasterise it, see what percolates; then at
each temperature look up the diffusivities, solve for the effective tensor on
voxels and on the grain graph, and note where the flux goes. All samples run in
a pool, are stored one by one, merged, and told as a page.
"""

from __future__ import annotations

import datetime
import json
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from multiscale.config import SamplePlan, Study, load_study
from multiscale.ensemble import (
    Outcome,
    SampleFacts,
    SampleRecord,
    SampleStore,
    Shard,
    default_workers,
    flux_slices,
    run_all,
    run_lock,
    run_on_cluster,
)
from multiscale.ensemble.execution import RETRIES
from multiscale.ensemble.store import MERGED, read_dataset
from multiscale.errors import (
    ComputationError,
    ResolutionWarning,
    StudyError,
    describe,
    warn_resolution,
)
from multiscale.export import Selection, export
from multiscale.export.formats import check_format
from multiscale.microstructure import (
    Polycrystal,
    describe_microstructure,
    heterointerface_mask,
    write_image,
)
from multiscale.network import circuit_diffusivity, percolation
from multiscale.properties import (
    Boundary,
    BoundaryProperties,
    BoundaryRules,
    Material,
    RuleProperties,
    TransportCoefficients,
    transport_coefficients,
)
from multiscale.properties.validity import contrast_warning, film_widths, width_warnings
from multiscale.provenance import Estimate, config_hash, git_revision, versions
from multiscale.report import exemplars, write_report
from multiscale.transport import VoxelGeometry, effective_diffusivity, solve_voxels
from multiscale.transport.cut_cells import shares
from multiscale.transport.effective import CutSolution, solve_cut_cells
from multiscale.transport.flux import FluxField, flux_field

HETEROINTERFACE_RADIUS = 0.15
"""Neighbourhood of a heterointerface, in mean grain edges."""
LEAST_RADIUS = 1.5
"""Voxels below which such a neighbourhood is not resolved and its share not stated."""


Progress = Callable[[Outcome | None, int, int], None]


@dataclass(frozen=True, slots=True)
class ShardOutcome:
    """What one share of a run left behind.

    Parameters
    ----------
    folder : pathlib.Path
        The result folder.
    computed, resumed : int
        Samples computed now and found finished.
    failures : tuple of Outcome
        Samples that could not be computed.
    """

    folder: Path
    computed: int
    resumed: int
    failures: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """What a run left behind.

    Parameters
    ----------
    folder : pathlib.Path
        The result folder.
    report : pathlib.Path
        The report page.
    results : xarray.Dataset
        The merged results.
    computed, resumed : int
        Samples computed now and found finished.
    failures : tuple of Outcome
        Samples that could not be computed.
    rejected : tuple of pathlib.Path
        Damaged sample files that were set aside.
    """

    folder: Path
    report: Path
    results: xr.Dataset
    computed: int
    resumed: int
    failures: tuple[Outcome, ...]
    rejected: tuple[Path, ...]


def run_study(
    path: str | Path,
    *,
    samples: int | None = None,
    cells: int | None = None,
    workers: int | None = None,
    fresh: bool = False,
    output: str | Path | None = None,
    progress: Progress | None = None,
    scheduler: str | None = None,
    retries: int = RETRIES,
) -> StudyOutcome:
    """Run a study, or what is left of it, and write its report.

    Parameters
    ----------
    path : str or pathlib.Path
        A run folder or its ``study.toml``.
    samples : int, optional
        Only the first so many samples.
    cells : int, optional
        Voxels along every axis, in place of the study's.
    workers : int, optional
        Processes; all processors unless given.
    fresh : bool, optional
        Replace earlier results instead of continuing them.
    output : str or pathlib.Path, optional
        Result folder; ``results`` beside the study file unless given.
    progress : callable, optional
        Told of each finished sample, the number finished and the total; once with
        None before the first.
    scheduler : str, optional
        Address of a Dask scheduler whose workers compute in place of processes here;
        they must see the result folder under the same path.
    retries : int, optional
        How often a sample is tried again whose process died.

    Returns
    -------
    StudyOutcome
        Results, report and failures.

    Raises
    ------
    InputError
        If the study, its properties or its result folder cannot be used, or another
        run is using that folder.
    ComputationError
        If no sample could be computed, or a cluster was lost.
    """
    study = load_study(path, samples=samples, cells=cells)
    tell_warnings(study)
    with run_lock(result_folder(study, output)):
        store = open_store(study, output, fresh=fresh)
        run = Computation(study, store, workers, scheduler, retries, progress)
        run.compute([plan.index for plan in study.samples()])
        return conclude(study, store, run)


def run_shard(
    path: str | Path,
    shard: str,
    *,
    samples: int | None = None,
    cells: int | None = None,
    workers: int | None = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
    retries: int = RETRIES,
) -> ShardOutcome:
    """Compute one share of a study's samples, and nothing else.

    Any number of shares may be computed at once in one result folder;
    :func:`merge_study` joins them.

    Parameters
    ----------
    path : str or pathlib.Path
        A run folder or its ``study.toml``.
    shard : str
        ``"i/n"``: samples whose number leaves i − 1 when divided by n.
    samples, cells, workers, output, progress, retries
        As in :func:`run_study`.

    Returns
    -------
    ShardOutcome
        What was computed.

    Raises
    ------
    InputError
        If the study or its result folder cannot be used, or a whole run is using that
        folder.
    """
    share = Shard.read(shard)
    study = load_study(path, samples=samples, cells=cells)
    tell_warnings(study)
    with run_lock(result_folder(study, output), shared=True):
        store = open_store(study, output)
        run = Computation(study, store, workers, None, retries, progress)
        run.compute(share.of(plan.index for plan in study.samples()))
        return ShardOutcome(store.folder, run.computed, run.resumed, tuple(run.failures))


def merge_study(
    path: str | Path,
    *,
    samples: int | None = None,
    cells: int | None = None,
    output: str | Path | None = None,
) -> tuple[StudyOutcome, tuple[int, ...]]:
    """Join what has been computed, and write results and report.

    Parameters
    ----------
    path : str or pathlib.Path
        A run folder or its ``study.toml``.
    samples, cells, output
        As in :func:`run_study`.

    Returns
    -------
    outcome : StudyOutcome
        Results and report.
    missing : tuple of int
        Samples of the study that are not there.

    Raises
    ------
    InputError
        If the study or its result folder cannot be used, or a run is using that folder.
    ComputationError
        If there is no sample.
    """
    study = load_study(path, samples=samples, cells=cells)
    with run_lock(result_folder(study, output)):
        store = open_store(study, output)
        run = Computation(study, store, 1, None, 0, None)
        wanted = [plan.index for plan in study.samples()]
        done, run.rejected = store.finished(wanted)
        run.resumed = len(done)
        missing = tuple(sorted(set(wanted) - set(done)))
        return conclude(study, store, run), missing


class Computation:
    """Computes samples of a study and keeps count.

    Parameters
    ----------
    study : Study
        The study.
    store : SampleStore
        Where samples go.
    workers : int or None
        Processes; all processors if None.
    scheduler : str or None
        Address of a Dask scheduler, if its workers compute.
    retries : int
        How often a sample is tried again whose process died.
    progress : callable or None
        As in :func:`run_study`.
    """

    def __init__(
        self,
        study: Study,
        store: SampleStore,
        workers: int | None,
        scheduler: str | None,
        retries: int,
        progress: Progress | None,
    ) -> None:
        if workers is not None and workers < 1:
            raise StudyError(describe("--workers", "a whole number ≥ 1", workers))
        if retries < 0:
            raise StudyError(describe("--retries", "a whole number ≥ 0", retries))
        self.study, self.store, self.progress = study, store, progress
        self.workers, self.scheduler, self.retries = workers, scheduler, retries
        self.computed = self.resumed = self.total = 0
        self.failures: list[Outcome] = []
        self.rejected: list[Path] = []

    def compute(self, indices: Sequence[int]) -> None:
        """Compute those of some samples that are not finished.

        Parameters
        ----------
        indices : sequence of int
            Numbers of samples.
        """
        done, rejected = self.store.finished(indices)
        known = set(done)
        todo = [index for index in indices if index not in known]
        self.rejected += rejected
        self.resumed += len(done)
        self.total += len(indices)
        self._tell(None)
        task = SampleTask(self.study, self.store)
        if self.scheduler is not None:
            run_on_cluster(
                task,
                todo,
                scheduler=self.scheduler,
                on_done=self._note,
                stored=lambda index: self.store.path(index).exists(),
                retries=self.retries,
            )
            return
        first = first_of_each_ensemble(self.study.samples(), todo)
        run_all(task, first, workers=1, on_done=self._note)  # compiles what workers will load
        rest = [index for index in todo if index not in first]
        workers = self.workers or default_workers()
        run_all(task, rest, workers=workers, on_done=self._note, retries=self.retries)

    def _note(self, outcome: Outcome) -> None:
        if outcome.error:
            self.failures.append(outcome)
            self.store.note_failure(outcome.index, outcome.error, outcome.attempts)
        else:
            self.computed += 1
        self._tell(outcome)

    def _tell(self, outcome: Outcome | None) -> None:
        if self.progress is not None:
            finished = self.resumed + self.computed + len(self.failures)
            self.progress(outcome, finished, self.total)


def conclude(study: Study, store: SampleStore, run: Computation) -> StudyOutcome:
    """Merge all that is stored, save it and write the report.

    Parameters
    ----------
    study : Study
        The study.
    store : SampleStore
        Where samples are.
    run : Computation
        What was computed.

    Returns
    -------
    StudyOutcome
        Results, report and failures.

    Raises
    ------
    ComputationError
        If there is no sample.
    """
    finished = store.finished(range(study.total))[0]  # what earlier runs stored counts too
    if not finished:
        reason = f"; the first: {run.failures[0].error}" if run.failures else ""
        raise ComputationError(f"no sample has been computed{reason}")
    results = with_properties(study, store.merge(finished, attributes(study)))
    store.save(results)
    report = report_study(study, store, results)
    return StudyOutcome(
        store.folder,
        report,
        results,
        run.computed,
        run.resumed,
        tuple(run.failures),
        tuple(run.rejected),
    )


def tell_warnings(study: Study) -> None:
    """Warn of films that are wide somewhere, before anything is written.

    Parameters
    ----------
    study : Study
        The study.

    Raises
    ------
    ResolutionError
        If a film is too wide anywhere.
    """
    for line in film_warnings(study):
        warn_resolution(line)


def result_folder(study: Study, output: str | Path | None = None) -> Path:
    """Name the result folder of a study.

    Parameters
    ----------
    study : Study
        The study.
    output : str or pathlib.Path, optional
        What was asked for.

    Returns
    -------
    pathlib.Path
        ``results`` beside the study file unless another was asked for.
    """
    return Path(output) if output is not None else study.path.parent / "results"


def export_study(
    path: str | Path,
    kind: str,
    target: str | Path,
    *,
    selection: Selection | None = None,
    base: str | Path | None = None,
    sample: int | None = None,
    temperature: float | None = None,
    output: str | Path | None = None,
) -> Path:
    """Write what a run found for another program.

    Parameters
    ----------
    path : str or pathlib.Path
        A run folder or its ``study.toml``.
    kind : {"pybamm", "bpx", "comsol", "csv", "vtk", "zarr", "onnx"}
        Format.
    target : str or pathlib.Path
        The file.
    selection : Selection, optional
        Which group of samples, where the run has several.
    base : str or pathlib.Path, optional
        A BPX file of a cell, for ``"bpx"``.
    sample : int, optional
        For ``"vtk"``, which sample; 0 unless given. Its microstructure is grown and its
        field solved anew.
    temperature : float, optional
        For ``"vtk"``, one of the study's [K]; the first unless given.
    output : str or pathlib.Path, optional
        Result folder; ``results`` beside the study file unless given.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If the run has no results, or the format cannot hold them.
    """
    check_format(kind)
    study = load_study(path)
    if kind == "vtk":
        return export_fields(study, target, sample or 0, temperature)
    for option, given in (("--sample", sample), ("--temperature", temperature)):
        if given is not None:
            raise StudyError(describe(option, "--to vtk", f"--to {kind}"))
    results = read_dataset(result_folder(study, output) / MERGED)
    return export(results, kind, target, selection=selection, base=base)


def export_fields(study: Study, target: str | Path, sample: int, temperature: float | None) -> Path:
    """Grow and solve one sample, and write its fields as a VTK image.

    Parameters
    ----------
    study : Study
        The study.
    target : str or pathlib.Path
        The ``.vti`` file.
    sample : int
        Its number.
    temperature : float or None
        One of the study's [K]; None for the first.

    Returns
    -------
    pathlib.Path
        Grain numbers, phases, coefficient and, for a unit mean gradient along each axis,
        the flux, as cell data.

    Raises
    ------
    StudyError
        If there is no such sample or temperature.
    """
    plans = study.samples()
    if not 0 <= sample < len(plans):
        raise StudyError(describe("--sample", f"0 to {len(plans) - 1}", sample))
    chosen = study.temperatures[0] if temperature is None else temperature
    if chosen not in study.temperatures:
        known = ", ".join(f"{one:g}" for one in study.temperatures)
        raise StudyError(describe("--temperature", f"one of {known} K", chosen))
    plan = plans[sample]
    crystal, given = plan.build(), coefficients(study, chosen)
    geometry = VoxelGeometry.of(crystal, plan.cells)
    bulk = [float(given.phases[name]) for name in crystal.phase_names]
    problem = geometry.problem(bulk, given.boundaries)
    solution = solve_voxels(problem, boundary=study.boundary, rtol=study.rtol, keep=True)
    flux = flux_field(solution, crystal.phase_names)
    arrays: dict[str, NDArray[Any]] = {
        "labels": crystal.labels(plan.cells),
        "phases": crystal.phases[crystal.labels(plan.cells)].astype(np.int32),
        "coefficient": np.array(bulk)[crystal.phases][crystal.labels(plan.cells)],
    }
    for row, axis in enumerate(flux.axes):
        field = np.asarray(flux.vector[row], dtype=float).reshape(*plan.cells, -1)
        for component in range(len(plan.cells)):
            name = f"flux_{'xyz'[component]}_driven_along_{'xyz'[axis]}"
            arrays[name] = np.ascontiguousarray(field[..., component])
    write_image(Path(target), arrays, spacing=crystal.size / np.array(plan.cells))
    return Path(target)


def open_store(
    study: Study, output: str | Path | None = None, *, fresh: bool = False
) -> SampleStore:
    """Open the result folder of a study.

    Parameters
    ----------
    study : Study
        The study.
    output : str or pathlib.Path, optional
        Result folder; ``results`` beside the study file unless given.
    fresh : bool, optional
        Replace earlier results.

    Returns
    -------
    SampleStore
        Ready to be read and written.

    Raises
    ------
    StoreError
        If the folder holds something else.
    """
    resolved = study.resolved()
    folder = result_folder(study, output)
    return SampleStore(folder, config_hash(resolved), resolved, fresh=fresh)


@dataclass(frozen=True, slots=True)
class SampleTask:
    """Computes and stores one sample of a study by its number.

    Parameters
    ----------
    study : Study
        The study.
    store : SampleStore
        Where samples go.
    """

    study: Study
    store: SampleStore

    def __call__(self, index: int) -> None:
        """Compute and store sample ``index``."""
        plan = next(plan for plan in self.study.samples() if plan.index == index)
        with warnings.catch_warnings():  # the run has warned once for all samples
            warnings.simplefilter("ignore", ResolutionWarning)
            data, fields = compute_sample(self.study, plan)
        self.store.write(index, data, fields)


def compute_sample(study: Study, plan: SamplePlan) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Compute one sample: microstructure, networks and transport.

    Parameters
    ----------
    study : Study
        Properties and solver.
    plan : SamplePlan
        Which polycrystal.

    Returns
    -------
    data : xarray.Dataset
        Its results at all temperatures.
    fields : xarray.Dataset or None
        Flux fields at the first temperature, for the first realisations.
    """
    crystal = plan.build()
    radius = HETEROINTERFACE_RADIUS * plan.grain_size
    described = describe_microstructure(crystal, plan.cells, heterointerface_radius=radius)
    paths = percolation(crystal)
    near = None
    if radius >= LEAST_RADIUS * float(np.max(crystal.size / np.array(plan.cells))):
        near = heterointerface_mask(crystal, plan.cells, radius=radius)
    record = SampleRecord(
        facts(study, plan),
        study.temperatures,
        tuple(study.phases),
        crystal.phase_names,
        HETEROINTERFACE_RADIUS,
        study.boundary_classes,
    )
    record.microstructure(described, paths)
    geometry = VoxelGeometry.of(crystal, plan.cells)
    fields, solution = None, None
    for number, temperature in enumerate(study.temperatures):
        given = coefficients(study, temperature)
        bulk = [float(given.phases[name]) for name in crystal.phase_names]
        flux = None
        if study.backend == "fipy":
            result = effective_diffusivity(
                crystal,
                cells=plan.cells,
                phases=given.phases,
                boundaries=given.boundaries,
                boundary=study.boundary,
                rtol=study.rtol,
                backend="fipy",
            )
        elif study.scheme == "cut-cells":
            cut = solve_cut_cells(
                crystal,
                plan.cells,
                crystal_coefficients(study, given, temperature),
                given.boundaries,
                boundary=study.boundary,
                rtol=study.rtol,
            )
            result, flux = cut.result, cut_shares(cut, crystal.phase_names)
        else:
            problem = geometry.problem(bulk, given.boundaries)
            geometry.check_films(given.boundaries, scheme="faces")
            solution = solve_voxels(
                problem, boundary=study.boundary, rtol=study.rtol, start=solution, keep=True
            )
            result = solution.result
        circuit = circuit_tensor(study, crystal, given)
        record.transport(number, given, result, circuit)
        if flux is not None:
            record.shares(number, flux, None)
        if solution is not None:
            flux = flux_field(solution, crystal.phase_names)
            record.shares(number, flux, near)
            if number == 0 and plan.realisation == 0:
                fields = flux_slices(geometry, solution, flux, temperature, record.weight)
    return record.dataset(), fields


def crystal_coefficients(
    study: Study, given: TransportCoefficients, temperature: float
) -> dict[str, float | NDArray[np.float64]]:
    """Give layered crystals their tensor in place of its average.

    Parameters
    ----------
    study : Study
        Materials.
    given : TransportCoefficients
        Coefficients at one temperature, with the average of each tensor.
    temperature : float
        Absolute temperature [K].

    Returns
    -------
    dict of str to float or (3, 3) ndarray
        Coefficient of each phase; tensors in the crystal frame, weighed as their average.
    """
    found: dict[str, float | NDArray[np.float64]] = {}
    for name, value in given.phases.items():
        material, average = study.phases[name], float(value)
        found[name] = average
        if material is not None and not material.isotropic:
            weight = average / material.diffusivity(temperature).value
            found[name] = weight * material.diffusivity_tensor(temperature)
    return found


def cut_shares(solution: CutSolution, phase_names: tuple[str, ...]) -> FluxField:
    """Bring the shares of parts on cut cells into the form of those on voxels.

    Parameters
    ----------
    solution : CutSolution
        A solved problem.
    phase_names : tuple of str
        Phases by index.

    Returns
    -------
    FluxField
        Shares alone, without vectors. Flux through films that are crossed is booked on the
        phases beside them, half on each.
    """
    every = [shares(one, run.kept, run.axes, run.deviation) for one, run in solution.runs]
    flux = np.concatenate([pair[0] for pair in every])
    loss = np.concatenate([pair[1] for pair in every])
    axes = tuple(axis for _, run in solution.runs for axis in run.axes)
    parts, p = solution.runs[0][0].links.parts, len(phase_names)
    kinds = (len(parts) - p) // 2
    booked = np.concatenate([flux[:, :p], flux[:, p + kinds :]], axis=1)
    for column, name in enumerate(parts[p : p + kinds], start=p):
        first, _, rest = name.removeprefix("across ").partition("|")
        second = rest if rest in phase_names else rest.rpartition(" ")[0]  # without its rule
        for one in (first, second):
            booked[:, phase_names.index(one)] += 0.5 * flux[:, column]
    kept = (*phase_names, *parts[p + kinds :])
    return FluxField(axes, np.zeros((len(axes), 0)), kept, booked, parts, loss)


def circuit_tensor(
    study: Study, crystal: Polycrystal, given: TransportCoefficients
) -> NDArray[np.float64]:
    """Solve the same problem on the grain graph.

    Parameters
    ----------
    study : Study
        Which boundary condition.
    crystal : Polycrystal
        The grains.
    given : TransportCoefficients
        Coefficients at one temperature.

    Returns
    -------
    (d, d) ndarray
        Effective coefficient; NaN where a periodic crystal is asked for between
        electrodes, which its graph cannot tell.
    """
    if crystal.periodic != (study.boundary == "periodic"):
        return np.full((crystal.dimension, crystal.dimension), np.nan)
    phases = {name: float(value) for name, value in given.phases.items()}
    return circuit_diffusivity(crystal, phases, given.boundaries, study.boundary).tensor


def facts(study: Study, plan: SamplePlan) -> SampleFacts:
    """Say what a sample is.

    Parameters
    ----------
    study : Study
        The study.
    plan : SamplePlan
        The sample.

    Returns
    -------
    SampleFacts
        For its record.
    """
    swept = study.swept_phase or next(iter(plan.fractions))
    return SampleFacts(
        plan.ensemble,
        len(plan.cells),
        plan.grain_size,
        plan.realisation,
        swept,
        plan.fractions.get(swept, float("nan")),
    )


def diffusivities(
    study: Study, temperature: float
) -> tuple[dict[str, Estimate], dict[tuple[str, str], Boundary | BoundaryRules]]:
    """Look up the diffusivities that the chosen driving force calls for.

    Parameters
    ----------
    study : Study
        Properties and driving force.
    temperature : float
        Absolute temperature [K].

    Returns
    -------
    phases : dict of str to Estimate
        [m²/s]; ``concentration``: self-diffusivities; ``chemical_potential``: charge
        diffusivities, that is over the Haven ratio.
    boundaries : dict of (str, str) to Boundary or BoundaryRules
        Films in the same reading: they have the geometric mean of the Haven ratios beside
        them, as their ratios to the bulk refer to the geometric mean of diffusivities.
    """
    own, films = study.phases_at(temperature), study.boundaries_at(temperature)
    if study.driving_force == "concentration":
        return own, films
    charge, haven = dict(own), dict.fromkeys(own, 1.0)
    for name, material in study.phases.items():
        if material is not None and material.haven_ratio is not None:
            charge[name] = material.charge_diffusivity(temperature)
            haven[name] = material.haven_ratio.evaluate(temperature).value
    for pair, film in films.items():
        ratio = math.sqrt(haven[pair[0]] * haven[pair[1]])
        if ratio != 1.0:
            films[pair] = (
                film.mapped(partial(_slower, ratio=ratio))
                if isinstance(film, BoundaryRules)
                else _slower(film, ratio)
            )
    return charge, films


def _slower(film: Boundary, ratio: float) -> Boundary:
    return replace(film, across=film.across / ratio, along=film.along / ratio)


def coefficients(study: Study, temperature: float) -> TransportCoefficients:
    """Form the coefficients that the chosen driving force calls for.

    Parameters
    ----------
    study : Study
        Properties and driving force.
    temperature : float
        Absolute temperature [K].

    Returns
    -------
    TransportCoefficients
        As :func:`multiscale.transport_coefficients` makes them.
    """
    estimates, films = diffusivities(study, temperature)
    bulk = {name: one.value for name, one in estimates.items()}
    if study.driving_force == "concentration":
        return transport_coefficients(bulk, films, segregation=study.segregation_at(temperature))
    return transport_coefficients(bulk, films, density=study.density_at(temperature))


def film_warnings(study: Study) -> list[str]:
    """Hold the films against the mean grains and the voxels of all ensembles.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of str
        One line for each film that is wide somewhere: where its grains are smallest;
        one more if the phases are too unlike for the scheme.

    Raises
    ------
    ResolutionError
        If a film is too wide anywhere.
    """
    widths = film_widths(study.boundaries_at(study.temperatures[0]))
    found: dict[str, str] = {}
    for plan in sorted(study.samples(), key=lambda plan: plan.grain_size):
        dimension = len(plan.cells)
        box = plan.grain_size * plan.recipe.grains ** (1 / dimension)
        sizes = dict.fromkeys(plan.recipe.phases, plan.grain_size)
        spacing = box / np.array(plan.cells)
        for line in width_warnings(widths, plan.recipe.phases, sizes, spacing, study.scheme):
            key = f"{plan.ensemble} {line.partition(':')[0]} {'voxel' in line}"
            found.setdefault(key, f"{plan.ensemble}: {line}")
    contrasts = (
        contrast_warning(bulk_coefficients(study, temperature), study.scheme)
        for temperature in study.temperatures
    )
    return [*found.values(), *[line for line in contrasts if line][:1]]


def bulk_coefficients(study: Study, temperature: float) -> dict[str, float]:
    """Give the bulk coefficient of each phase, of tensors the average.

    Parameters
    ----------
    study : Study
        The study.
    temperature : float
        Temperature [K].

    Returns
    -------
    dict of str to float
        By phase name.
    """
    given = coefficients(study, temperature)
    return {name: float(value) for name, value in given.phases.items()}


def attributes(study: Study) -> dict[str, Any]:
    """Provenance of the merged results.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    dict
        Attributes of ``results.nc``.
    """
    resolved = study.resolved()
    return {
        "Conventions": "CF-1.11",
        "title": study.title,
        "question": study.question,
        "seed": study.seed,
        "study_hash": config_hash(resolved),
        "resolved_study": json.dumps(resolved, sort_keys=True),
        "git_revision": git_revision(Path(__file__).parent),
        "versions": json.dumps(versions(), sort_keys=True),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "heterointerface_radius_grain_edges": HETEROINTERFACE_RADIUS,
        "film_warnings": json.dumps(film_warnings(study), ensure_ascii=False),
    }


def first_of_each_ensemble(plans: Sequence[SamplePlan], todo: Sequence[int]) -> list[int]:
    """Choose one sample of each ensemble.

    Parameters
    ----------
    plans : sequence of SamplePlan
        All samples.
    todo : sequence of int
        Numbers of those that are not finished.

    Returns
    -------
    list of int
        At most one number for each ensemble.
    """
    chosen: dict[str, int] = {}
    for plan in plans:
        if plan.index in todo:
            chosen.setdefault(plan.ensemble, plan.index)
    return list(chosen.values())


def report_study(study: Study, store: SampleStore, results: xr.Dataset) -> Path:
    """Write ``report.html`` from stored results.

    Parameters
    ----------
    study : Study
        The study, for the sources of its numbers.
    store : SampleStore
        Where the flux fields are.
    results : xarray.Dataset
        The merged results.

    Returns
    -------
    pathlib.Path
        The page.
    """
    path = store.folder / "report.html"
    return write_report(path, results, exemplars(store, results), sources(study))


def rebuild_report(
    path: str | Path, *, cells: int | None = None, output: str | Path | None = None
) -> Path:
    """Write a study's report anew from what is stored.

    Parameters
    ----------
    path : str or pathlib.Path
        A run folder or its ``study.toml``.
    cells : int, optional
        Voxels along every axis that the study was run with.
    output : str or pathlib.Path, optional
        Result folder; ``results`` beside the study file unless given.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    InputError
        If the study or its results cannot be used.
    """
    study = load_study(path, cells=cells)
    read_dataset(result_folder(study, output) / MERGED)
    store = open_store(study, output)
    return report_study(study, store, store.load())


def with_properties(study: Study, results: xr.Dataset) -> xr.Dataset:
    """Add the diffusivities that went in to the results that came out.

    Parameters
    ----------
    study : Study
        The study.
    results : xarray.Dataset
        The merged results.

    Returns
    -------
    xarray.Dataset
        With ``phase_diffusivity``, its standard error, and the boundaries'
        width and coefficients; of a type with rules, those where none holds, and
        all of them by ``boundary_class``.
    """
    phases, types = list(results.phase.values), list(results.boundary_type.values)
    shape = (len(study.temperatures), len(phases))
    bulk, error = np.zeros(shape), np.zeros(shape)
    across, along = (np.full((len(study.temperatures), len(types)), np.nan) for _ in range(2))
    width = np.full(len(types), np.nan)
    for row, temperature in enumerate(study.temperatures):
        estimates, films = diffusivities(study, temperature)
        for name, estimate in estimates.items():
            bulk[row, phases.index(name)] = estimate.value
            error[row, phases.index(name)] = estimate.stderr
        for pair, film in films.items():
            place = types.index("|".join(sorted(pair)))
            usual = film.default if isinstance(film, BoundaryRules) else film
            across[row, place], along[row, place] = usual.across, usual.along
            width[place] = usual.width
    by_phase, by_type = ("temperature", "phase"), ("temperature", "boundary_type")
    unit = {"units": "m2/s"}
    if any(one.rules for one in study.boundaries.values()):
        results = with_classes(study, results)
    return results.assign(
        phase_diffusivity=(by_phase, bulk, {"long_name": "diffusivity in grains", **unit}),
        phase_diffusivity_stderr=(by_phase, error, {"long_name": "its standard error", **unit}),
        boundary_across=(by_type, across, {"long_name": "diffusivity across boundaries", **unit}),
        boundary_along=(by_type, along, {"long_name": "diffusivity along boundaries", **unit}),
        boundary_width=(
            ("boundary_type",),
            width,
            {"long_name": "boundary width", "units": "m"},
        ),
    )


def with_classes(study: Study, results: xr.Dataset) -> xr.Dataset:
    """Add the films of every class of boundary to merged results.

    Parameters
    ----------
    study : Study
        A study with boundary rules.
    results : xarray.Dataset
        The merged results.

    Returns
    -------
    xarray.Dataset
        With width and coefficients by ``boundary_class``: ``"A|B"`` where no rule holds,
        ``"A|B rule"`` where one does.
    """
    names = study.boundary_classes
    shape = (len(study.temperatures), len(names))
    across, along, width = (np.full(shape, np.nan) for _ in range(3))
    for row, temperature in enumerate(study.temperatures):
        for pair, film in diffusivities(study, temperature)[1].items():
            first = names.index("|".join(pair))
            made = [film]
            if isinstance(film, BoundaryRules):
                made = [film.default, *(rule.film for rule in film.rules)]
            for place, one in enumerate(made, start=first):
                assert isinstance(one, Boundary)
                across[row, place], along[row, place] = one.across, one.along
                width[row, place] = one.width
    dims, text = ("temperature", "boundary_class"), "boundaries by rule"
    return results.assign_coords(boundary_class=list(names)).assign(
        class_across=(dims, across, {"long_name": f"diffusivity across {text}", "units": "m2/s"}),
        class_along=(dims, along, {"long_name": f"diffusivity along {text}", "units": "m2/s"}),
        class_width=(dims, width, {"long_name": f"width of {text}", "units": "m"}),
    )


def sources(study: Study) -> list[tuple[str, str, str, str, str, str]]:
    """List every number that went in, with its source or the reason it is assumed.

    Parameters
    ----------
    study : Study
        The study.

    Returns
    -------
    list of tuple of str
        Name, quantity, value, uncertainty, valid range, source.
    """
    used = {name: one.name for name, one in study.phases.items() if one is not None}
    substitutes = {
        one.name: f" [made for {' | '.join(one.between)}, used for {' | '.join(pair)}]"
        for pair, one in study.boundaries.items()
        if sorted(one.between) != sorted(used[name] for name in pair)
    }
    given: dict[str, Material | BoundaryProperties] = {
        one.name: one for one in study.phases.values() if one is not None
    }
    given |= {one.name: one for one in study.boundaries.values()}
    rows = [
        (name, "segregation_factor", f"{factor:g}", "not stated", "not stated", "the study file")
        for name, factor in sorted(study.segregation.items())
    ]
    rows += [
        (
            one.name,
            f"{rule.name}: where",
            _conditions(rule),
            "not stated",
            "not stated",
            rule.reason,
        )
        for one in {one.name: one for one in study.boundaries.values()}.values()
        for rule in one.rules
    ]
    rows += [
        (
            "|".join(pair),
            "space charge",
            f"{one.potential:g} V, {one.model}, {one.density * 1e-6:.3g} carriers per cm³ of "
            f"charge {one.charge:+d}, ε_r = {one.relative_permittivity:g}",
            "not stated",
            "not stated",
            "the study file: layers beside every film of this type, which is as wide as they need",
        )
        for pair, one in study.layers.items()
    ]
    if study.scheme == "cut-cells":
        text = (
            "films on their true facets; layered crystals with their tensors, but the grain "
            "circuit and the bounds with averages; no flux maps, no shares of neighbourhoods"
        )
        rows.append(
            (
                "thin boundaries",
                "scheme",
                "cut-cells",
                "not stated",
                "always",
                f"the study file: {text}",
            )
        )
    for name, one in sorted(given.items()):
        for quantity in one.quantities:
            outside = [
                f"{temperature:g} K"
                for temperature in study.temperatures
                if quantity.extrapolated(temperature)
            ]
            valid = quantity.validity()
            if outside and quantity.valid is not None:
                valid += f" (extrapolated at {', '.join(outside)})"
            rows.append(
                (
                    name,
                    quantity.name,
                    quantity.law(),
                    quantity.doubt(),
                    valid,
                    quantity.origin() + substitutes.get(name, ""),
                )
            )
    return rows


def _conditions(rule: RuleProperties) -> str:
    """Write what a rule asks, ranges in degrees."""
    asked = {key: value for key, value in rule.conditions.items() if value is not None}
    if "c_axis_to_plane" not in asked:
        del asked["c_axis_of"]
    return ", ".join(
        f"{key} {'–'.join(f'{end:g}' for end in value)}"
        if isinstance(value, tuple) and key != "sigma"
        else f"{key} {', '.join(map(str, value)) if key == 'sigma' else value}"
        for key, value in asked.items()
    )
