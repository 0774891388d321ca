"""Where boundaries take over: four materials, field beside circuit beside layer model.

Usage: python runs/grain-size/make_trends.py [--cells N] [--samples N] [--output DIR]
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
from make_curves import GRAINS, SEED, SIZES, models, solve

import multiscale as ms
from multiscale.errors import MultiscaleError, ResolutionError, ResolutionWarning
from multiscale.properties import load
from multiscale.provenance import Estimate, git_revision, versions

SETS = {
    "LLZO Σ3": ("LLZO", "LLZO-LLZO-sigma3"),
    "LLZO Σ5": ("LLZO", "LLZO-LLZO-sigma5"),
    "LLZO disordered": ("LLZO", "LLZO-LLZO"),
    "Li3OCl": ("Li3OCl", "Li3OCl-Li3OCl"),
    "Li6PS5Cl ordered": ("Li6PS5Cl", "Li6PS5Cl-Li6PS5Cl"),
    "Li6PS5Cl disordered": ("Li6PS5Cl-disordered", "Li6PS5Cl-Li6PS5Cl"),
    "NMC532 Σ2": ("NMC532", "NMC532-NMC532-sigma2"),
    "NMC532 Σ3": ("NMC532", "NMC532-NMC532-sigma3"),
}
"""Bulk and boundary of the property library; crystals with layers enter as random averages."""
TEMPERATURE = 300.0
TEMPERATURES = (260.0, 280.0, 300.0, 330.0, 360.0, 400.0, 450.0)
INTERVAL = (0.025, 0.16, 0.5, 0.84, 0.975)


def film_of(name: str, temperature: float, bulk: float) -> ms.Boundary:
    """Film of the library without rules."""
    film = load(name).boundary(temperature, bulk)
    return ms.Boundary(
        width=film.width,
        across=film.segregation * film.across,
        along=film.segregation * film.along,
    )


def crossover(crystal: ms.Polycrystal, bulk: float, film: ms.Boundary) -> float:
    """Crossover grain size [m]; 0 where films never take over."""
    return ms.crossover_grain_size(crystal, {"A": bulk}, {"A|A": film})


def drawn(one: Estimate, generator: np.random.Generator) -> float:
    """A log-normal draw; the value itself where no uncertainty is known."""
    if not np.isfinite(one.stderr):
        return one.value
    spread = np.sqrt(np.log1p((one.stderr / one.value) ** 2))
    return float(one.value * np.exp(spread * generator.standard_normal()))


def sampled(
    crystal: ms.Polycrystal, material: str, boundary: str, count: int
) -> tuple[list[float], str]:
    """Crossover sizes of draws of all that the library calls uncertain, and what it does not."""
    known, bulk = load(boundary), load(material).diffusivity(TEMPERATURE)
    given = {
        "bulk": bulk,
        "across": known.across(TEMPERATURE, bulk.value),
        "along": known.along(TEMPERATURE, bulk.value),
        "width": known.width.evaluate(TEMPERATURE),
    }
    if known.needs_bulk:  # ratios to the bulk: its own uncertainty cancels
        given["bulk"] = Estimate(bulk.value, 0.0, bulk.unit, bulk.source)
        for name, own in (("across", known.across_quantity), ("along", known.along_quantity)):
            spread = own.evaluate(TEMPERATURE)
            relative = spread.stderr / spread.value
            one = given[name]
            given[name] = Estimate(one.value, relative * one.value, one.unit, one.source)
    silent = [name for name, one in given.items() if not np.isfinite(one.stderr)]
    generator = np.random.default_rng([SEED, sorted(SETS.values()).index((material, boundary))])
    sizes = []
    for _ in range(count):
        value = {name: drawn(one, generator) for name, one in given.items()}
        film = ms.Boundary(width=value["width"], across=value["across"], along=value["along"])
        sizes.append(crossover(crystal, value["bulk"], film))
    return sizes, ", ".join(silent)


def circuit(crystal: ms.Polycrystal, bulk: float, film: ms.Boundary) -> dict[str, Any]:
    """D_eff and the boundaries' share from the grain circuit; nothing where films are refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)
        try:
            tensor = ms.circuit_diffusivity(crystal, {"A": bulk}, {"A|A": film}).tensor
            share = ms.boundary_share(crystal, {"A": bulk}, {"A|A": film})
        except ResolutionError:
            return {}
    return {"circuit_over_bulk": np.trace(tensor) / 3 / bulk, "boundary_share": share.mean()}


def sweep(cells: int) -> tuple[list[dict[str, Any]], ms.Polycrystal]:
    """All sets at all sizes at one temperature."""
    edge = GRAINS ** (1 / 3)
    crystal = ms.polycrystal(GRAINS, (edge,) * 3, {"A": 1.0}, SEED)
    surface = crystal.area_density["A|A"]
    rows = []
    for name, (material, boundary) in SETS.items():
        bulk = load(material).diffusivity(TEMPERATURE).value
        film = film_of(boundary, TEMPERATURE, bulk)
        for size in SIZES:
            small = crystal.scaled(size)
            found = solve(small, cells, bulk, film, "faces", phase="A")
            layer = models(bulk, film, size, surface)
            rows.append(
                {
                    "set": name,
                    "grain_size_m": size,
                    "status": found["status"],
                    "field_over_bulk": found.get("K_over_bulk"),
                    **circuit(small, bulk, film),
                    **{f"{key}_over_bulk": value / bulk for key, value in layer.items()},
                }
            )
        print(f"{name}: {sum(r['set'] == name and r['status'] != 'refused' for r in rows)} sizes")
    return rows, crystal


def takeover(crystal: ms.Polycrystal, samples: int) -> list[dict[str, Any]]:
    """Crossover sizes with their intervals, and over temperature."""
    rows = []
    for name, (material, boundary) in SETS.items():
        for temperature in TEMPERATURES:
            bulk = load(material).diffusivity(temperature).value
            film = film_of(boundary, temperature, bulk)
            row = {
                "set": name,
                "temperature_K": temperature,
                "across_over_bulk": film.across / bulk,
                "along_over_bulk": film.along / bulk,
                "crossover_m": crossover(crystal, bulk, film),
                "extrapolated": load(boundary).extrapolated(temperature)
                or load(material).extrapolated(temperature),
            }
            if temperature == TEMPERATURE:
                sizes, silent = sampled(crystal, material, boundary, samples)
                quantiles = np.quantile(sizes, INTERVAL)
                row |= {
                    f"crossover_q{100 * q:g}_m": value
                    for q, value in zip(INTERVAL, quantiles, strict=True)
                }
                row["no_uncertainty_known_of"] = silent
            rows.append(row)
    return rows


def write(path: Path, rows: list[dict[str, Any]], header: dict[str, Any]) -> None:
    """Write a table under lines that say where it comes from."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        for key, value in header.items():
            file.write(f"# {key}: {value}\n")
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})


def draw(path: Path, rows: list[dict[str, Any]], sizes: list[dict[str, Any]]) -> None:
    """One panel a set: field, circuit and layer models, and where boundaries take over."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    wide = -(-len(SETS) // 2)
    made, panels = plt.subplots(
        2, wide, figsize=(3.5 * wide, 7), sharex=True, squeeze=False, layout="constrained"
    )
    for panel, name in zip(panels.ravel(), SETS, strict=False):
        kept = [row for row in rows if row["set"] == name and row["status"] != "refused"]
        for key, style, label in (
            ("brick_layer_over_bulk", ":", "brick layer"),
            ("coated_grain_over_bulk", "--", "coated grain"),
            ("circuit_over_bulk", "-", "grain circuit"),
        ):
            panel.plot(
                [r["grain_size_m"] for r in kept if r.get(key)],
                [r[key] for r in kept if r.get(key)],
                style, color="#0072B2", lw=1.3, label=label,
            )  # fmt: skip
        for status, fill in (("fine", "#D55E00"), ("wide", "white")):
            here = [row for row in kept if row["status"] == status]
            panel.plot(
                [r["grain_size_m"] for r in here], [r["field_over_bulk"] for r in here],
                "o", ms=5, color="#D55E00", mfc=fill,
                label="field" if status == "fine" else "field, wide film",
            )  # fmt: skip
        one = next(r for r in sizes if r["set"] == name and r["temperature_K"] == TEMPERATURE)
        if one["crossover_m"] > 2 * SIZES[-1]:
            words = f"boundaries rule up to {1e3 * one['crossover_m']:.2g} mm"
            panel.text(0.95, 0.05, words, transform=panel.transAxes, ha="right", fontsize=9)
        elif one["crossover_m"] > 0:
            panel.axvline(one["crossover_m"], color="0.3", lw=1)
            low, high = one["crossover_q16_m"], one["crossover_q84_m"]
            if high > low:
                panel.axvspan(max(low, 1e-9), high, color="0.9", zorder=0)
        panel.set(xscale="log", yscale="log", xlim=(3e-9, 1e-4), title=name)
        panel.margins(y=0.15)
        if min(y for r in kept for y in [r["field_over_bulk"]]) > 0.1:
            panel.set_ylim(bottom=0.1, top=max(10, 2 * max(r["field_over_bulk"] for r in kept)))
    for panel in panels[:, 0]:
        panel.set_ylabel("D_eff / D of the bulk")
    for panel in panels[-1]:
        panel.set_xlabel("mean grain size [m]")
    panels[0, 0].plot([], [], color="0.3", lw=1, label="half of it is boundary")
    panels[0, 0].plot([], [], color="0.9", lw=8, label="its 68 % interval")
    panels[0, 0].legend(fontsize=8, frameon=False)
    made.suptitle(f"{TEMPERATURE:g} K, boundaries of the property library, one crystal scaled")
    made.savefig(path, dpi=130)
    plt.close(made)


def main() -> None:
    """Read the command line, sweep, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=48, help="voxels along each axis")
    parser.add_argument("--samples", type=int, default=200, help="draws for each interval")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    begin = time.perf_counter()
    rows, crystal = sweep(given.cells)
    sizes = takeover(crystal, given.samples)
    header = {
        "command": f"make_trends.py --cells {given.cells} --samples {given.samples}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "git_revision": git_revision(Path(__file__).parent),
        "versions": json.dumps(versions()),
        "crystal": f"{GRAINS} Poisson-Voronoi grains, periodic, seed {SEED}",
        "grain_size": "edge of the cube of the mean grain volume",
        "crossover": "grain size where |d ln D_eff / d ln width| of the circuit is 1/2; 0: never",
        "seconds": f"{time.perf_counter() - begin:.0f}",
    }
    given.output.mkdir(parents=True, exist_ok=True)
    for name, table in (("trends", rows), ("crossover", sizes)):
        write(given.output / f"{name}.csv", table, header)
        print(given.output / f"{name}.csv")
    draw(given.output / "trends.png", rows, sizes)
    print(given.output / "trends.png")


if __name__ == "__main__":
    try:
        main()
    except MultiscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
