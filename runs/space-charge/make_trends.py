"""How space charge shifts the grain size at which boundaries take over.

Usage: python runs/space-charge/make_trends.py [--cells N] [--output DIR]
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import multiscale as ms
from multiscale.errors import MultiscaleError, ResolutionError, ResolutionWarning
from multiscale.provenance import git_revision, versions
from multiscale.space_charge import closed_forms, thermal_voltage

TEMPERATURE = 300.0
PERMITTIVITY = 50.0
POTENTIALS = np.linspace(0.0, 0.4, 9)
DENSITIES = (1e24, 1e25, 1e26, 1e27, 1e28)
SIZES = 1e-9 * np.array([5, 7, 10, 14, 20, 30, 50, 100, 200, 500, 1e3, 5e3, 2e4, 5e4])
SHOWN = (0.1, 0.2, 0.3)
"""Potentials [V] of the curves against grain size."""
DENSITY = 1e26
"""Carriers [1/m³] of the same."""
MODEL = "mott-schottky"
GRAINS, SEED, CORE = 36, 0, 1e-10
FEW = 20.0
"""Grains of up to so many Debye lengths get a potential of their own on voxels."""


def layer(potential: float, density: float = DENSITY, **more: Any) -> Any:
    """The layers beside one boundary."""
    given = {"relative_permittivity": PERMITTIVITY, "model": MODEL} | more
    return ms.space_charge_layer(potential, TEMPERATURE, density=density, **given)


def over_potential() -> list[dict[str, Any]]:
    """Excess resistance for every potential, doping and model, and where it takes over."""
    rows = []
    for density in DENSITIES:
        for model in ("mott-schottky", "gouy-chapman"):
            for potential in POTENTIALS:
                found = layer(potential, density, model=model)
                rows.append(
                    {
                        "model": model,
                        "density_per_m3": density,
                        "potential_V": potential,
                        "debye_length_m": found.debye_length,
                        "extent_m": found.extent,
                        "excess_resistance_length_m": found.excess_resistance_length,
                        "excess_conductance_length_m": found.excess_conductance_length,
                        "core_charge_C_per_m2": found.core_charge,
                        "exact_m": exact(model, potential, density),
                        "crossover_brick_m": takeover(potential, density, model),
                        "newton_steps": found.steps,
                    }
                )
    return rows


def exact(model: str, potential: float, density: float) -> float:
    """Closed form of the excess resistance, to compare with."""
    length = closed_forms.decay_length(PERMITTIVITY, TEMPERATURE, density)
    y = potential / thermal_voltage(TEMPERATURE)
    one_side = closed_forms.mott_schottky if model == "mott-schottky" else closed_forms.gouy_chapman
    return 2 * length * one_side(y) if y else 0.0


def takeover(potential: float, density: float, model: str) -> float:
    """Size of bricks in which the layers, overlapping or not, resist as much as the bulk [m]."""
    if potential == 0:
        return 0.0

    def excess(log_size: float) -> float:
        size = float(np.exp(log_size))
        found = layer(potential, density, model=model, grain_size=size)
        return found.excess_resistance_length / size - 1.0

    low, high = np.log(1e-11), np.log(1.0)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if excess(middle) > 0 else (low, middle)
    return float(np.exp((low + high) / 2))


def crystal_of(size: float) -> ms.Polycrystal:
    """One two-dimensional crystal, scaled."""
    edge = GRAINS**0.5
    return ms.polycrystal(GRAINS, (edge,) * 2, {"A": 1.0}, SEED).scaled(size)


def over_size(cells: int) -> list[dict[str, Any]]:
    """D_eff over that of the bulk by every route."""
    rows = []
    for potential in SHOWN:
        apart = layer(potential)
        bulk_like = ms.Boundary(width=CORE, across=1.0, along=1.0)
        film = apart.boundary(1.0, bulk_like)
        for size in SIZES:
            crystal = crystal_of(size)
            overlapping = layer(potential, grain_size=size).excess_resistance_length
            row: dict[str, Any] = {
                "potential_V": potential,
                "grain_size_m": size,
                "film_width_m": film.width,
                "bricks_overlapping": 1 / (1 + overlapping / size),
                "bricks_apart": 1 / (1 + apart.excess_resistance_length / size),
                "status": "refused",
            }
            rows.append(row | films(crystal, film, cells) | voxels(crystal, potential, size, cells))
        print(f"{potential:g} V")
    return rows


def films(crystal: ms.Polycrystal, film: ms.Boundary, cells: int) -> dict[str, Any]:
    """Circuit and field with a film that carries the layers, where it is thin enough."""
    given: dict[str, Any] = {"phases": {"A": 1.0}, "boundaries": {"A|A": film}}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", ResolutionWarning)
        try:
            circuit = ms.circuit_diffusivity(crystal, **given).tensor
            field = ms.effective_diffusivity(crystal, cells=(cells,) * 2, rtol=1e-7, **given).tensor
        except ResolutionError:
            return {}
    return {
        "circuit_films": np.trace(circuit) / 2,
        "field_films": np.trace(field) / 2,
        "status": "wide" if told else "fine",
    }


def voxels(crystal: ms.Polycrystal, potential: float, size: float, cells: int) -> dict[str, Any]:
    """Poisson–Boltzmann in all grains, then the flux through what carriers they hold."""
    phase = layer(potential).phase
    if size > FEW * phase.debye_length(TEMPERATURE):
        return {}
    found = ms.space_charge_field(crystal, (cells,) * 2, {"A": phase}, potential, TEMPERATURE)
    spacing = float(crystal.size[0]) / cells
    solved = ms.effective_diffusivity(found.carrier_ratio, spacing=spacing, rtol=1e-7)
    return {"field_poisson_boltzmann": np.trace(solved.tensor) / 2}


def write(path: Path, rows: list[dict[str, Any]], header: dict[str, Any]) -> None:
    """Write a table under lines that say where it comes from."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        for key, value in header.items():
            file.write(f"# {key}: {value}\n")
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({k: f"{v:.7g}" if isinstance(v, float) else v for k, v in row.items()})


def power(value: float) -> str:
    """Write a power of ten."""
    return f"$10^{{{np.log10(value):.0f}}}$"


def draw(path: Path, layers: list[dict[str, Any]], sizes: list[dict[str, Any]]) -> None:
    """Takeover against potential on the left, D_eff against grain size on the right."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
    made, (left, right) = plt.subplots(1, 2, figsize=(12, 5.2), layout="constrained")
    for colour, density in zip(colours, DENSITIES, strict=False):
        for model, style in (("mott-schottky", "-"), ("gouy-chapman", "--")):
            kept = [r for r in layers if r["model"] == model and r["density_per_m3"] == density
                    and r["potential_V"] > 0]  # fmt: skip
            left.plot(
                [r["potential_V"] for r in kept], [r["crossover_brick_m"] for r in kept], style,
                color=colour, label=f"{power(density)} per m³" if style == "-" else None,
            )  # fmt: skip
    left.plot([], [], "-", color="0.4", label="dopant frozen (Mott–Schottky)")
    left.plot([], [], "--", color="0.4", label="both mobile (Gouy–Chapman)")
    left.set(
        yscale="log", xlabel="core potential [V]", ylabel="grain size [m]",
        title="layers resist as much as the bulk",
    )  # fmt: skip
    left.legend(fontsize=8, frameon=False)
    for colour, potential in zip(colours, SHOWN, strict=False):
        kept = [r for r in sizes if r["potential_V"] == potential]
        x = [r["grain_size_m"] for r in kept]
        right.plot(x, [r["bricks_overlapping"] for r in kept], "-", color=colour, lw=1.2,
                   label=f"{potential:g} V")  # fmt: skip
        right.plot(x, [r["bricks_apart"] for r in kept], ":", color=colour, lw=1.2)
        for key, marker in (
            ("circuit_films", "x"), ("field_films", "o"), ("field_poisson_boltzmann", "s")
        ):  # fmt: skip
            here = [r for r in kept if key in r]
            right.plot([r["grain_size_m"] for r in here], [r[key] for r in here], marker, ms=5,
                       color=colour, mfc="none")  # fmt: skip
    for style, words in (
        ("-", "bricks, layers overlap"), (":", "bricks, layers apart"), ("x", "circuit, films"),
        ("o", "field, films"), ("s", "field, Poisson–Boltzmann on voxels"),
    ):  # fmt: skip
        right.plot([], [], style, color="0.4", mfc="none", label=words)
    right.set(
        xscale="log", yscale="log", xlabel="mean grain size [m]", ylabel="D_eff / D of the bulk",
        title=f"{power(DENSITY)} carriers per m³, dopant frozen",
    )  # fmt: skip
    right.set_ylim(1e-5, 2)
    right.legend(fontsize=8, frameon=False, loc="lower right")
    made.suptitle(f"Depletion beside grain boundaries, {TEMPERATURE:g} K, ε_r = {PERMITTIVITY:g}")
    made.savefig(path, dpi=130)
    plt.close(made)


def main() -> None:
    """Read the command line, sweep, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=256, help="voxels along each axis")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    begin = time.perf_counter()
    layers, sizes = over_potential(), over_size(given.cells)
    header = {
        "command": f"make_trends.py --cells {given.cells}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "git_revision": git_revision(Path(__file__).parent),
        "versions": json.dumps(versions()),
        "temperature_K": TEMPERATURE,
        "relative_permittivity": f"{PERMITTIVITY:g} (assumed; lengths scale with its root)",
        "crystal": f"{GRAINS} Poisson-Voronoi grains, 2D, periodic, seed {SEED}",
        "grain_size": "edge of the square of the mean grain area",
        "seconds": f"{time.perf_counter() - begin:.0f}",
    }
    given.output.mkdir(parents=True, exist_ok=True)
    for name, table in (("layers", layers), ("sizes", sizes)):
        write(given.output / f"{name}.csv", table, header)
        print(given.output / f"{name}.csv")
    draw(given.output / "trends.png", layers, sizes)
    print(given.output / "trends.png")


if __name__ == "__main__":
    try:
        main()
    except MultiscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
