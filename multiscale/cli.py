"""The command line: what a person types, and how a mistake is told.

Commands only read arguments, call one function of a room and print. An error of the
package is one line on stderr with its exit code (2 for bad input, 1 for a computation
that failed); a traceback means a defect of the program.
"""

from __future__ import annotations

import json
import math
import re
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from typer.core import TyperGroup

from multiscale.errors import (
    DeviceWarning,
    ImageError,
    InputError,
    MultiscaleError,
    ResolutionWarning,
    StudyError,
    describe,
)
from multiscale.properties import BoundaryProperties, Material, Number, Quantity, load, names
from multiscale.provenance import Estimate
from multiscale.units import from_si, to_si

if TYPE_CHECKING:
    from multiscale.ensemble import Outcome
    from multiscale.study import ShardOutcome, StudyOutcome
    from multiscale.transport import EffectiveDiffusivity

_SHOWN_AT = 300.0
_SHOWN_IN = {
    "diffusivity": "cm2/s",
    "length": "nm",
    "number_density": "1/cm3",
    "surface_energy": "J/m2",
    "dimensionless": "1",
}


def _tell(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """Print a warning of the package as one line."""
    if issubclass(category, ResolutionWarning | DeviceWarning):
        print(f"warning: {message}", file=sys.stderr)
    else:
        print(warnings.formatwarning(message, category, *place[:2]), end="", file=sys.stderr)


class _OneLineErrors(TyperGroup):
    """Turns an error raised on purpose into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("default", ResolutionWarning)
                warnings.simplefilter("default", DeviceWarning)
                warnings.showwarning = _tell
                return super().invoke(ctx)
        except MultiscaleError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            place = error.filename or "file system"
            print(f"error: {place}: {error.strerror or error}", file=sys.stderr)
            raise typer.Exit(2) from None
        except MemoryError as error:
            reason = " ".join(str(error).split()) or "more than this machine has"
            print(f"error: not enough memory ({reason}); use fewer cells", file=sys.stderr)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            print("interrupted; finished samples are kept: run again to go on", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Effective diffusivity of two-phase polycrystals with thin grain boundaries.",
)
properties_app = typer.Typer(no_args_is_help=True, help="The property library and its sources.")
app.add_typer(properties_app, name="properties")


@app.callback()
def _group() -> None:
    """Keep every command a word of its own, however few there are."""


def main() -> None:
    """Run the command line."""
    app()


@properties_app.command("list", epilog="Example: multiscale properties list")
def list_properties() -> None:
    """List the materials and boundary types of the library."""
    table = Table(title=None, box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "kind", "D at 300 K [cm²/s]", "basis", "title"):
        table.add_column(escape(heading), overflow="fold")
    for name in names():
        one = load(name)
        if isinstance(one, Material):
            shown, first = _diffusivity(one.diffusivity(_SHOWN_AT)), one.in_plane
        else:
            first = one.across_quantity
            across, along = _across_along(one)
            shown = f"{across} across, {along} along"
        kind = "material" if isinstance(one, Material) else "boundary"
        table.add_row(name, kind, shown, _basis(first), escape(one.title))
    _console().print(table)


@properties_app.command(
    "show",
    epilog="Examples: multiscale properties show LLZO  ·  multiscale properties show my/file.toml",
    help="Print every number of one material or boundary type, with its source or reason.",
)
def show_property(
    name: Annotated[str, typer.Argument(help="A name of the library, or a property file.")],
) -> None:
    """Print every number of one material or boundary type, with its source or reason.

    Parameters
    ----------
    name : str
        A name of the library, or the path of a property file.
    """
    one = load(name)
    console = _console()
    console.print(f"[bold]{escape(one.name)}[/bold]  {escape(one.title)}")
    if isinstance(one, Material):
        console.print(escape(one.composition))
    if one.description.strip():
        console.print(escape(" ".join(one.description.split())), style="dim")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("quantity", "at 300 K", "law", "uncertainty", "valid"):
        table.add_column(heading, overflow="fold")
    for quantity in one.quantities:
        table.add_row(*(escape(cell) for cell in _row(quantity)))
    console.print()
    console.print(table)
    console.print()
    for quantity in one.quantities:
        confidence = f" [confidence {quantity.confidence}]" if quantity.confidence else ""
        console.print(escape(f"{quantity.name}: {quantity.origin()}{confidence}"))
        for line in _doubts(quantity):
            console.print(escape(f"  {line}"), style="dim")
        if quantity.note:
            console.print(escape(f"  {quantity.note}"), style="dim")
    if isinstance(one, Material):
        average = one.diffusivity(_SHOWN_AT)
        if not one.isotropic:
            shown = f"random-polycrystal average at 300 K: {_diffusivity(average)} cm2/s"
            console.print(escape(shown))
    else:
        across, along = _across_along(one)
        beside = " and ".join(dict.fromkeys(one.between))
        console.print(escape(f"at 300 K beside {beside}: across {across}, along {along} cm2/s"))


@app.command(
    epilog="Example: multiscale generate microstructures/llzo-lco-3d.toml --cells 64 -o grains.vti",
    help="Grow a polycrystal after a recipe and write its voxel image.",
)
def generate(
    recipe: Annotated[Path, typer.Argument(help="A recipe file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Image: .h5, .vti, .tif or .npz.")],
    cells: Annotated[int, typer.Option(min=1, help="Voxels along each axis.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the polycrystal.")] = 0,
) -> None:
    """Grow a polycrystal after a recipe and write its voxel image.

    Parameters
    ----------
    recipe : pathlib.Path
        A recipe file.
    output : pathlib.Path
        Image; its suffix decides the format.
    cells : int
        Voxels along each axis.
    seed : int
        Seed of the polycrystal.
    """
    from multiscale.config import build, load_recipe
    from multiscale.microstructure import check_voxels, write_image
    from multiscale.numerics.memory import check_memory

    plan = load_recipe(recipe)
    grid = (cells,) * plan.dimension
    check_voxels(plan.voxels_per_grain(grid), plan.grains, grid)  # before it is grown
    check_memory(12 * math.prod(grid), f"an image of {cells}^{plan.dimension} voxels", "cut it")
    write_image(output, build(plan, seed=seed), cells=grid)
    print(output)


@app.command(
    epilog="Examples: multiscale run runs/quickstart  ·  multiscale run runs/llzo-lco --samples 60",
    help="Run a study, or what is left of it, and write its report.",
)
def run(
    rundir: Annotated[Path, typer.Argument(help="A run folder or its study.toml.")],
    samples: Annotated[int | None, typer.Option(help="Only the first so many samples.")] = None,
    cells: Annotated[int | None, typer.Option(help="Voxels along every axis.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; all processors unless given.")] = (
        None
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="Replace earlier results.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Result folder; RUNDIR/results.")
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Dask scheduler, tcp://host:8786; its workers share the result folder."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="i/n: every n-th sample only, for job arrays; then merge.")
    ] = None,
    retries: Annotated[
        int, typer.Option(min=0, help="Further tries of a sample whose process died.")
    ] = 2,
) -> None:
    """Run a study, or what is left of it, and write its report.

    Parameters
    ----------
    rundir : pathlib.Path
        A run folder or its study file.
    samples, cells, workers : int, optional
        Limits, as in :func:`multiscale.run_study`.
    fresh : bool
        Replace earlier results.
    output : pathlib.Path, optional
        Result folder.
    scheduler : str, optional
        Address of a Dask scheduler.
    shard : str, optional
        Share of the samples, ``i/n``.
    retries : int
        Further tries of a sample whose process died.
    """
    from multiscale.study import run_shard, run_study

    for given, option in ((scheduler, "--scheduler"), (fresh or None, "--fresh")):
        if shard is not None and given is not None:
            raise StudyError(describe("--shard", f"no {option} beside it", "both", "drop one"))
    signal.signal(signal.SIGTERM, _end)

    console = _console()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    begin, computed = time.monotonic(), 0
    bars = Progress(*columns, console=console, speed_estimate_period=120)
    bar = bars.add_task("samples (compiling first)", rate="")

    def on_done(outcome: Outcome | None, done: int, total: int) -> None:
        nonlocal begin, computed
        if outcome is None:
            begin = time.monotonic()
            bars.update(bar, total=total, completed=done)
            bars.start()
            return
        computed += 1
        rate = f"{60 * computed / (time.monotonic() - begin):.0f}/min"
        bars.update(bar, description="samples", completed=done, rate=rate)
        if outcome.error:
            bars.console.print(f"sample {outcome.index}: {escape(outcome.error)}")

    outcome: StudyOutcome | ShardOutcome
    try:
        if shard is not None:
            outcome = run_shard(
                rundir, shard, samples=samples, cells=cells, workers=workers, output=output,
                progress=on_done, retries=retries,
            )  # fmt: skip
        else:
            outcome = run_study(
                rundir, samples=samples, cells=cells, workers=workers, fresh=fresh,
                output=output, progress=on_done, scheduler=scheduler, retries=retries,
            )  # fmt: skip
    finally:
        bars.stop()
    _tell_outcome(outcome, console)


def _end(*_: Any) -> None:
    """End on SIGTERM as on an interrupt: workers go, finished samples stay."""
    raise SystemExit(143)


def _tell_outcome(done: StudyOutcome | ShardOutcome, console: Console) -> None:
    """Say what a run left behind; exit code 1 if samples failed."""
    from multiscale.report import headline
    from multiscale.study import StudyOutcome

    if isinstance(done, StudyOutcome):
        for path in done.rejected:
            console.print(f"set aside, could not be trusted: {escape(str(path))}")
        for line in headline(done.results):
            console.print(f"• {escape(line)}", soft_wrap=True)
    console.print(
        f"{done.computed} samples computed, {done.resumed} found finished, "
        f"{len(done.failures)} failed"
    )
    if isinstance(done, StudyOutcome):
        console.print(f"results  {escape(str(done.folder / 'results.nc'))}", soft_wrap=True)
        console.print(f"report   {escape(str(done.report))}", soft_wrap=True)
    if done.failures:
        first = "; ".join(f"{one.index}: {one.error}" for one in done.failures[:5])
        print(f"error: {len(done.failures)} samples failed ({first})", file=sys.stderr)
        raise typer.Exit(1)


@app.command(
    epilog="Example: multiscale merge runs/llzo-lco",
    help="Join the samples that shards computed: results.nc and report.html.",
)
def merge(
    rundir: Annotated[Path, typer.Argument(help="A run folder or its study.toml.")],
    samples: Annotated[int | None, typer.Option(help="As the shards were run with.")] = None,
    cells: Annotated[int | None, typer.Option(help="As the shards were run with.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Result folder; RUNDIR/results.")
    ] = None,
) -> None:
    """Join what shards computed.

    Parameters
    ----------
    rundir : pathlib.Path
        A run folder or its study file.
    samples, cells : int, optional
        As the shards were run with.
    output : pathlib.Path, optional
        Result folder.
    """
    from multiscale.study import merge_study

    done, missing = merge_study(rundir, samples=samples, cells=cells, output=output)
    _tell_outcome(done, _console())
    if missing:
        shown = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        text = f"{len(missing)} samples are missing ({shown}); run their shards again"
        print(f"error: {text}", file=sys.stderr)
        raise typer.Exit(1)


@app.command(
    epilog="Example: multiscale jobscript runs/llzo-lco --shards 40 -o job.sh",
    help="Write a SLURM job array that runs a study in shards.",
)
def jobscript(
    rundir: Annotated[Path, typer.Argument(help="A run folder or its study.toml.")],
    shards: Annotated[int, typer.Option(help="Tasks of the array.")] = 20,
    time_limit: Annotated[str, typer.Option("--time", help="Of a task: HH:MM:SS.")] = "04:00:00",
    memory: Annotated[str, typer.Option(help="Of a task.")] = "4G",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The script; printed unless given.")
    ] = None,
) -> None:
    """Write a SLURM job array.

    Parameters
    ----------
    rundir : pathlib.Path
        A run folder or its study file.
    shards : int
        Tasks of the array.
    time_limit, memory : str
        Of a task.
    output : pathlib.Path, optional
        The script.
    """
    from multiscale.config import load_study
    from multiscale.ensemble import job_script

    load_study(rundir)
    text = job_script(str(rundir), shards, time=time_limit, memory=memory)
    if output is None:
        print(text, end="")
        return
    output.write_text(text, encoding="utf-8")
    print(output)


@app.command(
    epilog="Example: multiscale report runs/llzo-lco",
    help="Rebuild report.html from what is stored.",
)
def report(
    rundir: Annotated[Path, typer.Argument(help="A run folder or its study.toml.")],
    cells: Annotated[int | None, typer.Option(help="As the study was run with.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Result folder; RUNDIR/results.")
    ] = None,
) -> None:
    """Rebuild the report of a study.

    Parameters
    ----------
    rundir : pathlib.Path
        A run folder or its study file.
    cells : int, optional
        Voxels along every axis that the study was run with.
    output : pathlib.Path, optional
        Result folder.
    """
    from multiscale.study import rebuild_report

    print(rebuild_report(rundir, cells=cells, output=output))


@app.command(
    name="export",
    epilog="Examples: multiscale export runs/llzo-lco --to csv -o d_eff.csv --ensemble 3D "
    "--volume-fraction 0.5 --grain-size 100  ·  multiscale export runs/quickstart --to vtk "
    "--sample 0 -o fields.vti",
    help="Write results for PyBaMM, BPX, COMSOL, ParaView (VTK), spreadsheets, Zarr or ONNX.",
)
def export_results(
    rundir: Annotated[Path, typer.Argument(help="A run folder or its study.toml.")],
    kind: Annotated[str, typer.Option("--to", help="pybamm, bpx, comsol, csv, vtk, zarr or onnx.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file.")],
    results: Annotated[Path | None, typer.Option(help="Result folder; RUNDIR/results.")] = None,
    ensemble: Annotated[str | None, typer.Option(help="Name of an ensemble.")] = None,
    volume_fraction: Annotated[
        float | None, typer.Option(help="Volume fraction of the swept phase.")
    ] = None,
    grain_size: Annotated[float | None, typer.Option(help="Mean grain size in nm.")] = None,
    sample: Annotated[int | None, typer.Option(min=0, help="For vtk: which sample.")] = None,
    temperature: Annotated[float | None, typer.Option(help="For vtk: which, in K.")] = None,
    base: Annotated[
        Path | None, typer.Option(help="For bpx: a complete BPX file of the cell.")
    ] = None,
) -> None:
    """Write results for another program.

    Parameters
    ----------
    rundir : pathlib.Path
        A run folder or its study file.
    kind : str
        Format.
    output : pathlib.Path
        The file.
    results : pathlib.Path, optional
        Result folder.
    ensemble, volume_fraction, grain_size
        Which group of samples.
    sample, temperature
        Which field.
    base : pathlib.Path, optional
        A BPX file of a cell.
    """
    from multiscale.export import Selection
    from multiscale.study import export_study

    size = None if grain_size is None else to_si(grain_size, "nm", "length")
    selection = Selection(ensemble, volume_fraction, size)
    print(
        export_study(
            rundir, kind, output, selection=selection, base=base, sample=sample,
            temperature=temperature, output=results,
        )
    )  # fmt: skip


@app.command(
    epilog="Example: multiscale calibrate spectrum.csv --thickness-mm 1 --area-mm2 100 "
    "--grain-size-nm 500",
    help="Infer bulk and grain boundary from a measured impedance spectrum.",
)
def calibrate(
    spectrum: Annotated[Path, typer.Argument(help="CSV: frequency [Hz], Z′, Z″ [Ω].")],
    thickness_mm: Annotated[float, typer.Option(help="Between the contacts.")],
    area_mm2: Annotated[float, typer.Option(help="Of the contacts.")],
    grain_size_nm: Annotated[float, typer.Option(help="Mean grain edge.")],
    boundary_width_nm: Annotated[float, typer.Option(help="Taken for known.")] = 1.0,
    infer_width: Annotated[
        bool, typer.Option("--infer-width", help="Infer the boundary width too.")
    ] = False,
    steps: Annotated[int, typer.Option(min=100, help="Of the sampler.")] = 6000,
    seed: Annotated[int, typer.Option(min=0, help="Of the sampler.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Infer bulk and grain boundary from a measured impedance spectrum.

    Parameters
    ----------
    spectrum : pathlib.Path
        CSV of the spectrum.
    thickness_mm, area_mm2, grain_size_nm, boundary_width_nm : float
        Geometry of the sample.
    infer_width : bool
        Infer the boundary width too.
    steps, seed : int
        Of the sampler.
    as_json : bool
        Print JSON.
    """
    from multiscale.analysis import MeasuredSample, without_width
    from multiscale.analysis import calibrate as infer
    from multiscale.circuit import read_any_spectrum

    sample = MeasuredSample(
        thickness=1e-3 * thickness_mm,
        area=1e-6 * area_mm2,
        grain_size=1e-9 * grain_size_nm,
        boundary_width=1e-9 * boundary_width_nm,
    )
    sample = without_width(sample) if infer_width else sample
    found = infer(read_any_spectrum(spectrum), sample, steps=steps, seed=seed)
    if as_json:
        print(json.dumps(found.to_dict()))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("unknown", "median", "68 %", "95 %", "unit"):
        table.add_column(heading)
    for one in found.parameters:
        inner, outer = (
            f"{low:.3g} to {high:.3g}" for low, high in (one.interval_68, one.interval_95)
        )
        table.add_row(one.name, f"{one.median:.4g}", inner, outer, one.unit)
    _console().print(table)
    for line in found.warnings:
        print(f"warning: {line}", file=sys.stderr)


@app.command(
    epilog="Examples: multiscale atomistics runs/llzo-lco-atomistics  ·  multiscale atomistics "
    "runs/llzo-lco-atomistics --length-ps 200 --workers 2",
    help="Run molecular dynamics of crystals and boundaries, and write property files.",
)
def atomistics(
    place: Annotated[
        Path, typer.Argument(help="A study folder or its atomistics.toml.", metavar="STUDY")
    ],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Trajectories at a time; all processors unless given.")
    ] = None,
    length_ps: Annotated[
        float | None, typer.Option(min=0.1, help="Length of each run; longer ones go on.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Result folder; STUDY/results.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="A phase or boundary; may be repeated.")
    ] = None,
) -> None:
    """Run an atomistic study, or what is left of it.

    Parameters
    ----------
    place : pathlib.Path
        A study folder or its file.
    workers : int, optional
        Trajectories at a time.
    length_ps : float, optional
        Length of each run [ps].
    output : pathlib.Path, optional
        Result folder.
    only : list of str, optional
        Phases and boundaries to do.
    """
    from multiscale.atomistic_progress import Live, summary
    from multiscale.atomistic_study import run_atomistic_study

    console = _console()
    with Live(console) as live:
        outcomes = run_atomistic_study(
            place, workers=workers, length_ps=length_ps, output=output, only=only or (),
            progress=live,
        )  # fmt: skip
    failures = 0
    for outcome in outcomes:
        for line in summary(outcome):
            console.print(escape(line), soft_wrap=True)
        failures += len(outcome.failures)
    if failures:
        print(f"error: {failures} trajectories failed or are invalid (see above)", file=sys.stderr)
        raise typer.Exit(1)


@app.command(
    epilog="Examples: multiscale solve image.tif --diffusivity 0=1e-12 --diffusivity 1=1e-14 "
    "--spacing 5e-9  ·  multiscale solve grains.h5 --dataset phases -d LLZO=7.4e-9cm2/s -d LCO=0",
    help="Solve for the effective diffusivity of a voxel image.",
)
def solve(
    image: Annotated[Path, typer.Argument(help="Image: .npy, .npz, .h5, .vti, .tif.")],
    diffusivity: Annotated[
        list[str],
        typer.Option("--diffusivity", "-d", help="LABEL=VALUE in m2/s, or with a unit: 1e-8cm2/s."),
    ],
    spacing: Annotated[
        str | None,
        typer.Option(help="Voxel edge in m, or with a unit: 5nm; or one an axis: a,b,c."),
    ] = None,
    boundary: Annotated[str, typer.Option(help="periodic or dirichlet.")] = "periodic",
    dataset: Annotated[str | None, typer.Option(help="Name of the array in the file.")] = None,
    rtol: Annotated[float, typer.Option(help="Tolerance on residual and flux balance.")] = 1e-8,
    backend: Annotated[str, typer.Option(help="multigrid or fipy.")] = "multigrid",
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Solve for the effective diffusivity of a voxel image.

    Parameters
    ----------
    image : pathlib.Path
        The image, of labels.
    diffusivity : list of str
        ``LABEL=VALUE`` for each label.
    spacing : str, optional
        Voxel edges, if the image carries none.
    boundary, dataset, rtol, backend, device
        As in :func:`multiscale.effective_diffusivity`.
    as_json : bool
        Print JSON instead of a table.
    """
    from multiscale.microstructure import read_image
    from multiscale.transport import effective_diffusivity, field_of_labels

    voxels = read_image(image, dataset=dataset, spacing=_edges(spacing))
    if voxels.spacing is None:
        raise ImageError(describe(image, "a spacing", "none in the file", "pass --spacing 5nm"))
    if dataset is None and voxels.name == "labels" and voxels.phase_names:
        voxels = read_image(image, dataset="phases", spacing=_edges(spacing))
    given: dict[str, float] = {}
    for label, value in map(_assignment, diffusivity):
        if label in given:
            raise InputError(describe(f"--diffusivity {label}", "each label once", diffusivity))
        given[label] = value
    names = () if voxels.name == "labels" else voxels.phase_names
    field = field_of_labels(voxels.values, given, names, str(image))
    result = effective_diffusivity(
        field,
        spacing=voxels.spacing,
        boundary=boundary,
        rtol=rtol,
        backend=backend,
        device=device,
    )
    if as_json:
        print(json.dumps(_as_json(result)))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    axes = "xyz"[: len(result.tensor)]
    for heading in ("D_eff [m²/s]", *axes, "status"):
        table.add_column(escape(heading))
    for row, axis in enumerate(axes):
        values = (f"{value:.6e}" for value in result.tensor[row])
        table.add_row(axis, *values, result.status[row])
    _console().print(table)
    print(
        f"flux imbalance {result.flux_imbalance:.1e}, residual {result.residual:.1e}, "
        f"{result.iterations} iterations, {result.seconds:.2f} s, {result.boundary}, "
        f"{result.backend}, {result.device}"
    )


def _as_json(result: EffectiveDiffusivity) -> dict[str, Any]:
    return {
        "tensor_m2_per_s": result.tensor.tolist(),
        "flux_tensor_m2_per_s": result.flux_tensor.tolist(),
        "flux_imbalance": result.flux_imbalance,
        "residual": result.residual,
        "iterations": result.iterations,
        "status": list(result.status),
        "seconds": result.seconds,
        "boundary": result.boundary,
        "backend": result.backend,
        "device": result.device,
    }


def _edges(spacing: str | None) -> float | list[float] | None:
    """Read one length, or one for each axis."""
    if spacing is None:
        return None
    edges = [_quantity(one, "length", "--spacing") for one in spacing.split(",")]
    return edges[0] if len(edges) == 1 else edges


def _assignment(text: str) -> tuple[str, float]:
    """Read LABEL=VALUE."""
    label, equals, value = text.partition("=")
    if not equals or not label.strip():
        raise InputError(describe("--diffusivity", "LABEL=VALUE, e.g. 1=1e-12", text))
    return label.strip(), _quantity(value, "diffusivity", f"--diffusivity {label.strip()}")


def _quantity(text: str, quantity: str, place: str) -> float:
    """Read a number with or without a unit; SI without."""
    found = re.fullmatch(r"\s*([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)\s*([A-Za-zµ/0-9]*)\s*", text)
    try:
        value = float(found.group(1)) if found else float("nan")
    except ValueError:
        value = float("nan")
    if found is None or not math.isfinite(value):
        example = "1e-12 or 1e-8cm2/s" if quantity == "diffusivity" else "5e-9 or 5nm"
        raise InputError(describe(place, f"a number with or without a unit, e.g. {example}", text))
    unit = found.group(2).replace("µ", "u")
    return to_si(value, unit, quantity, place) if unit else value


def _console() -> Console:
    """Make a console that does not cut lines where output goes to a file."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    return console


def _row(quantity: Quantity) -> tuple[str, str, str, str, str]:
    """Show one quantity."""
    unit = _SHOWN_IN[quantity.dimension]
    value = from_si(quantity.evaluate(_SHOWN_AT).value, unit, quantity.dimension)
    shown = f"{value:.3g} {unit}".removesuffix(" 1")
    return quantity.name, shown, quantity.law(), quantity.doubt(), quantity.validity()


def _doubts(quantity: Quantity) -> list[str]:
    """Say where each uncertainty comes from."""
    given: dict[str, Number | None] = {
        "uncertainty": quantity.number,
        "uncertainty of E": quantity.activation_energy,
    }
    return [
        f"{label}: {number.uncertainty_origin}"
        for label, number in given.items()
        if number is not None
    ]


def _basis(quantity: Quantity) -> str:
    """Say in a word or two what a quantity rests on."""
    return "assumed" if quantity.assumed else f"{quantity.source} ({quantity.confidence})"


def _across_along(one: BoundaryProperties) -> tuple[str, str]:
    """Show both coefficients at 300 K beside the materials that the file names."""
    bulk = []
    for name in one.between if one.needs_bulk else ():
        material = load(name)
        if isinstance(material, Material):
            bulk.append(material.diffusivity(_SHOWN_AT).value)
    across, along = one.across(_SHOWN_AT, bulk), one.along(_SHOWN_AT, bulk)
    return _diffusivity(across), _diffusivity(along)


def _diffusivity(estimate: Estimate) -> str:
    """Show a diffusivity in cm²/s."""
    return f"{from_si(estimate.value, 'cm2/s', 'diffusivity'):.3g}"


if __name__ == "__main__":
    main()
