"""The spectrum of a polycrystal by field, grain circuit and brick layer, and what a fit finds.

Usage: python runs/impedance/make_spectra.py [--cells N] [--decade N] [--output DIR]
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import multiscale as ms
from multiscale.circuit import (
    BrickLayer,
    ImpedanceSpectrum,
    arc_capacitance,
    brick_layer_conductivity,
    ceramic_of_arcs,
    fit_circuit,
    lin_kk,
    parse_circuit,
    sample_impedance,
    two_arcs,
    write_spectrum,
)
from multiscale.circuit.elements import constant_phase
from multiscale.errors import MultiscaleError
from multiscale.provenance import git_revision, versions
from multiscale.report.nyquist import nyquist_figure

GRAINS, SEED = 48, 0
GRAIN_SIZE, WIDTH = 200e-9, 1e-9
BULK = ms.Dielectric(conductivity=0.1, relative_permittivity=50.0)
"""LLZO: 1e-3 S/cm by the library's diffusivity at 300 K; the permittivity is assumed."""
FILM = ms.DielectricBoundary(width=WIDTH, across=1e-3, along=1e-3, relative_permittivity=50.0)
"""A hundredth of the bulk across, as the library's Σ5 at 300 K."""
THICKNESS, AREA = 1e-3, 1e-4
"""Of the specimen [m], [m²]."""
ELECTRODE = (2e-5, 0.85)
"""Blocking electrodes as one CPE: Q [S s^n], n."""
SPAN = (-3.0, 9.5)
"""Decades of frequency [Hz]: mHz to GHz and a little more."""
NOISE = 2e-3
"""Relative noise of the spectrum that is fitted."""
CIRCUIT = "p(R1,CPE1)-p(R2,CPE2)-CPE3"


def spectra(cells: int, decade: int) -> tuple[dict[str, ImpedanceSpectrum], ms.Polycrystal]:
    """One specimen by three routes, without electrodes."""
    frequency = np.logspace(*SPAN, int(decade * (SPAN[1] - SPAN[0])) + 1)
    edge = GRAINS ** (1 / 3) * GRAIN_SIZE
    crystal = ms.polycrystal(GRAINS, (edge,) * 3, {"LLZO": 1.0}, SEED)
    phases, films = {"LLZO": BULK}, {"LLZO|LLZO": FILM}
    field = ms.complex_conductivity(crystal, frequency, phases, films, cells=(cells,) * 3)
    circuit = ms.circuit_conductivity(crystal, frequency, phases, films)
    bricks = sample_impedance(
        brick_layer_conductivity(brick(GRAIN_SIZE), frequency), THICKNESS, AREA
    )
    found = {
        "field": field.impedance(0, THICKNESS, AREA),
        "grain circuit": circuit.impedance(0, THICKNESS, AREA),
        "brick layer": bricks,
    }
    return {name: ImpedanceSpectrum(frequency, z) for name, z in found.items()}, crystal


def brick(size: float) -> BrickLayer:
    """Cubes of the same material."""
    return BrickLayer(
        grain_size=size,
        boundary_width=WIDTH,
        bulk_conductivity=BULK.conductivity,
        boundary_conductivity=FILM.across,
        bulk_permittivity=BULK.relative_permittivity,
        boundary_permittivity=FILM.relative_permittivity,
    )


def measured(clean: ImpedanceSpectrum) -> ImpedanceSpectrum:
    """With electrodes and noise, as from an impedance bridge, in its usual range."""
    kept = (clean.frequency >= 0.1) & (clean.frequency <= 1e9)
    frequency = clean.frequency[kept]
    z = clean.impedance[kept] + constant_phase(frequency, *ELECTRODE)
    generator = np.random.default_rng(SEED)
    noise = generator.standard_normal((2, len(z))) * NOISE * np.abs(z)
    return ImpedanceSpectrum(frequency, z + noise[0] + 1j * noise[1])


def recovered(
    clean: dict[str, ImpedanceSpectrum], crystal: ms.Polycrystal, cells: int
) -> tuple[list[dict[str, Any]], ImpedanceSpectrum, ImpedanceSpectrum]:
    """Fit the noisy spectrum of the field and compare with what was put in."""
    noisy = measured(clean["field"])
    test = lin_kk(noisy, capacitance=True)
    fit = fit_circuit(noisy, parse_circuit(CIRCUIT))
    value = {name: one for name, (one, _) in fit.by_name.items()}
    error = {name: one for name, (_, one) in fit.by_name.items()}
    bulk_capacitance = arc_capacitance(value["R1"], value["CPE1_0"], value["CPE1_1"])
    film_capacitance = arc_capacitance(value["R2"], value["CPE2_0"], value["CPE2_1"])
    still = {"LLZO": BULK.conductivity}
    films = {"LLZO|LLZO": FILM.static()}
    solved = ms.effective_diffusivity(
        crystal, cells=(cells,) * 3, phases=still, boundaries=films, rtol=1e-8
    )
    direct = THICKNESS / AREA / solved.tensor[0, 0]
    put = THICKNESS / AREA / BULK.conductivity
    arcs = two_arcs(brick(GRAIN_SIZE), THICKNESS, AREA)
    ceramic = ceramic_of_arcs(
        type(arcs)(value["R1"], bulk_capacitance, value["R2"], film_capacitance),
        GRAIN_SIZE, THICKNESS, AREA,
    )  # fmt: skip
    rows = [
        row("bulk resistance", "ohm", value["R1"], error["R1"], put, "that of a single crystal"),
        row("boundary resistance", "ohm", value["R2"], error["R2"], direct - put,
            "field at zero frequency, same voxels, less the bulk"),
        row("boundary resistance", "ohm", value["R2"], error["R2"], arcs.boundary_resistance,
            "brick layer"),
        row("bulk capacitance", "F", bulk_capacitance, None, arcs.bulk_capacitance, "brick layer"),
        row("boundary capacitance", "F", film_capacitance, None, arcs.boundary_capacitance,
            "brick layer"),
        row("boundary conductivity", "S/m", ceramic.boundary_conductivity, None, FILM.across,
            "put in; found by the brick layer from both arcs and the grain size"),
        row("boundary width", "m", ceramic.boundary_width, None, WIDTH,
            "put in; found from both arcs and the grain size, equal permittivities"),
        row("electrode CPE exponent", "1", value["CPE3_1"], error["CPE3_1"], ELECTRODE[1],
            "put in"),
        row("Lin-KK largest residual", "%", test.largest_residual, None, 100 * NOISE,
            f"the noise put in; {test.verdict}"),
    ]  # fmt: skip
    return rows, noisy, ImpedanceSpectrum(noisy.frequency, fit.impedance)


def row(
    what: str, unit: str, found: float, error: float | None, reference: float, source: str
) -> dict[str, Any]:
    """One line of the table."""
    return {
        "quantity": what,
        "unit": unit,
        "found": found,
        "standard_error": error,
        "reference": reference,
        "found_over_reference": found / reference,
        "reference_is": source,
    }


def write(path: Path, rows: list[dict[str, Any]], header: dict[str, Any]) -> None:
    """Write a table under lines that say where it comes from."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for key, value in header.items():
            file.write(f"# {key}: {value}\n")
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        for one in rows:
            table.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in one.items()})


def main() -> None:
    """Read the command line, compute, fit, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=48, help="voxels along each axis")
    parser.add_argument("--decade", type=int, default=6, help="frequencies in a decade")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    begin = time.perf_counter()
    clean, crystal = spectra(given.cells, given.decade)
    rows, noisy, fitted = recovered(clean, crystal, given.cells)
    apart = {
        name: np.abs(clean[name].impedance / clean["field"].impedance - 1).max()
        for name in ("grain circuit", "brick layer")
    }
    header = {
        "command": f"make_spectra.py --cells {given.cells} --decade {given.decade}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "git_revision": git_revision(Path(__file__).parent),
        "versions": json.dumps(versions()),
        "crystal": f"{GRAINS} Poisson-Voronoi grains of {GRAIN_SIZE:g} m, periodic, seed {SEED}",
        "specimen": f"{THICKNESS:g} m thick, {AREA:g} m2",
        "largest_difference_of_circuit": f"{apart['grain circuit']:.3g} of |Z| of the field",
        "largest_difference_of_bricks": f"{apart['brick layer']:.3g} of |Z| of the field",
        "fitted": f"{CIRCUIT} to the field with electrodes and noise of {NOISE:g} |Z|",
        "seconds": f"{time.perf_counter() - begin:.0f}",
    }
    given.output.mkdir(parents=True, exist_ok=True)
    for name, one in (*clean.items(), ("measured", noisy)):
        write_spectrum(one, given.output / f"{name.replace(' ', '-')}.csv")
    write(given.output / "recovered.csv", rows, header)
    pictures = {
        "spectra": nyquist_figure(clean),
        "fit": nyquist_figure(
            {"field, electrodes, noise": clipped(noisy)},
            {"field, electrodes, noise": clipped(fitted)},
        ),
    }
    for name, figure in pictures.items():
        figure.savefig(given.output / f"{name}.png", dpi=130)
        print(given.output / f"{name}.png")
    print(given.output / "recovered.csv")


def clipped(one: ImpedanceSpectrum) -> ImpedanceSpectrum:
    """Leave out the electrodes' long tail, which would dwarf both arcs."""
    kept = one.frequency > 100.0
    return ImpedanceSpectrum(one.frequency[kept], one.impedance[kept])


if __name__ == "__main__":
    try:
        main()
    except MultiscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
