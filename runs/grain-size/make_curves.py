"""D_eff of one LLZO polycrystal at every grain size: one table and one figure.

Usage: python runs/grain-size/make_curves.py [--scheme faces|cut-cells] [--cells N] [--output DIR]
"""

from __future__ import annotations

import argparse
import csv
import datetime
import inspect
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

import multiscale as ms
from multiscale.errors import InputError, MultiscaleError, ResolutionError, describe
from multiscale.properties import load
from multiscale.properties.validity import GRAIN_LIMITS
from multiscale.provenance import git_revision, versions
from multiscale.transport.layer_models import (
    blocking_films,
    brick_layer,
    coated_grain,
    conducting_films,
)

SIZES = 1e-9 * np.array([5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4])
"""Grain sizes [m]: edge of the cube of the mean grain volume."""
CONTRASTS = (1e-4, 1e-3, 1e-2, 1e-1, 1e1, 1e2, 1e3, 1e4)
"""K⊥ = K∥ of the boundaries over K of the bulk."""
WIDTH = 1e-9
GRAINS = 64
SEED = 0
TEMPERATURE = 300.0
LIBRARY = "LLZO-LLZO"
MODELS = ("thin_film", "coated_grain", "brick_layer")
COLUMNS = (
    "case", "contrast", "grain_size_m", "width_over_size", "status", "K_m2_per_s", "K_over_bulk",
    "spread", *MODELS, "flux_imbalance", "iterations", "seconds",
)  # fmt: skip


def cases() -> tuple[float, dict[str, ms.Boundary]]:
    """Diffusivity of the bulk, and every boundary that is swept."""
    bulk = load("LLZO").diffusivity(TEMPERATURE).value
    films = {
        f"c = {c:g}": ms.Boundary(width=WIDTH, across=c * bulk, along=c * bulk) for c in CONTRASTS
    }
    known = load(LIBRARY).boundary(TEMPERATURE, bulk)
    films[LIBRARY] = ms.Boundary(width=WIDTH, across=known.across, along=known.along)
    return bulk, films


def models(bulk: float, film: ms.Boundary, size: float, surface: float) -> dict[str, float]:
    """Closed forms at one grain size; ``surface`` is S_V of the crystal of grain size 1."""
    density, ratio = surface / size, film.width / size
    if film.across < bulk:
        thin = blocking_films(bulk, film.width, film.across, density, 3)
    else:
        thin = conducting_films(bulk, film.width, film.along, density, 3)
    share = 1.0 - (1.0 - ratio) ** 3
    return {
        "thin_film": thin,
        "coated_grain": coated_grain(bulk, film.across, share, 3),
        "brick_layer": brick_layer(bulk, film.across, film.along, ratio, 3),
    }


def solve(
    crystal: ms.Polycrystal,
    cells: int,
    bulk: float,
    film: ms.Boundary,
    scheme: str,
    phase: str = "LLZO",
) -> dict[str, Any]:
    """Solve at one size, and say whether films were fine, wide or refused."""
    more = {} if scheme == "faces" else {"scheme": scheme}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            result = ms.effective_diffusivity(
                crystal,
                cells=(cells,) * 3,
                phases={phase: bulk},
                boundaries={f"{phase}|{phase}": film},
                rtol=1e-6,
                **more,
            )
        except ResolutionError:
            return {"status": "refused"}
    axes = np.diag(result.tensor)
    return {
        "status": "wide" if told else "fine",
        "K_m2_per_s": axes.mean(),
        "K_over_bulk": axes.mean() / bulk,
        "spread": np.ptp(axes) / axes.mean(),
        "flux_imbalance": result.flux_imbalance,
        "iterations": result.iterations,
        "seconds": result.seconds,
    }


def sweep(scheme: str, cells: int) -> tuple[list[dict[str, Any]], float]:
    """Solve every case at every size of one crystal; also its S_V at grain size 1."""
    bulk, films = cases()
    edge = GRAINS ** (1 / 3)
    unit = ms.polycrystal(GRAINS, (edge,) * 3, {"LLZO": 1.0}, SEED)
    surface = unit.area_density["LLZO|LLZO"]
    rows = []
    for case, film in films.items():
        for size in SIZES:
            found = solve(unit.scaled(size), cells, bulk, film, scheme)
            row = {
                "case": case,
                "contrast": film.across / bulk,
                "grain_size_m": size,
                "width_over_size": film.width / size,
            }
            rows.append(row | found | models(bulk, film, size, surface))
        print(f"{case}: {sum(r['case'] == case and r['status'] != 'refused' for r in rows)} sizes")
    return rows, surface


def write(path: Path, rows: list[dict[str, Any]], header: dict[str, Any]) -> None:
    """Write the table under lines that say where it comes from."""
    with path.open("w", encoding="utf-8", newline="") as file:
        for key, value in header.items():
            file.write(f"# {key}: {value}\n")
        table = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        table.writeheader()
        for row in rows:
            shown = {k: f"{v:.8g}" if isinstance(v, float) else v for k, v in row.items()}
            table.writerow(shown)


def draw(path: Path, rows: list[dict[str, Any]], scheme: str) -> None:
    """Draw blocking cases on the left and conducting ones on the right."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    bulk, films = cases()
    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000")
    made, panels = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    surface = next(r for r in rows)["surface"]
    fine = np.geomspace(WIDTH / GRAIN_LIMITS.refuse, SIZES[-1], 200)
    lines = {"thin_film": "-", "coated_grain": "--", "brick_layer": ":"}
    for panel, blocking in zip(panels, (True, False), strict=True):
        group = {name: one for name, one in films.items() if (one.across < bulk) == blocking}
        for colour, (name, film) in zip(colours, group.items(), strict=False):
            for model, style in lines.items():
                values = [models(bulk, film, size, surface)[model] / bulk for size in fine]
                panel.plot(fine, values, style, color=colour, lw=0.9, alpha=0.8)
            for status, fill in (("fine", colour), ("wide", "white")):
                kept = [r for r in rows if r["case"] == name and r["status"] == status]
                panel.plot(
                    [r["grain_size_m"] for r in kept],
                    [r["K_over_bulk"] for r in kept],
                    "o", ms=5, color=colour, mfc=fill,
                    label=name if status == "fine" else None,
                )  # fmt: skip
        panel.axvspan(1e-9, WIDTH / GRAIN_LIMITS.refuse, color="0.9", zorder=0)
        panel.set(
            xscale="log", yscale="log", xlim=(2e-9, 1e-4), xlabel="mean grain size [m]",
            ylabel="D_eff / D of the bulk",
            title="blocking boundaries" if blocking else "conducting boundaries",
        )  # fmt: skip
        for style, label in zip(lines.values(), lines, strict=True):
            panel.plot([], [], style, color="0.4", label=label.replace("_", " "))
        panel.plot([], [], "o", color="0.4", mfc="white", label="wide film: an estimate")
        panel.plot([], [], lw=8, color="0.9", label="refused: δ > d/4")
        panel.legend(fontsize=8, frameon=False)
    made.suptitle(f"LLZO, {WIDTH * 1e9:g} nm boundaries, {TEMPERATURE:g} K; scheme {scheme}")
    made.savefig(path, dpi=150)


def main() -> None:
    """Read the command line, sweep, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scheme", default="faces", choices=("faces", "cut-cells"))
    parser.add_argument("--cells", type=int, default=48, help="voxels along each axis")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    given = parser.parse_args()
    known = inspect.signature(ms.effective_diffusivity).parameters
    if given.scheme != "faces" and "scheme" not in known:
        raise InputError(describe("--scheme", "'faces', the one there is", given.scheme))
    begin = time.perf_counter()
    rows, surface = sweep(given.scheme, given.cells)
    header = {
        "what": "effective diffusivity of one LLZO polycrystal at many grain sizes",
        "command": f"make_curves.py --scheme {given.scheme} --cells {given.cells}",
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "git_revision": git_revision(Path(__file__).parent),
        "versions": json.dumps(versions()),
        "crystal": f"{GRAINS} Poisson-Voronoi grains, periodic, seed {SEED}",
        "cells": f"{given.cells}^3, {given.cells / GRAINS ** (1 / 3):.3g} along a mean grain",
        "boundary_area_times_size_over_volume": f"{surface:.6g}",
        "width_m": WIDTH,
        "temperature_K": TEMPERATURE,
        "bulk_m2_per_s": f"{cases()[0]:.6g} (property LLZO)",
        "grain_size": "edge of the cube of the mean grain volume",
        "status": "fine; wide: an estimate (a ResolutionWarning); refused: not computed",
        "models": "multiscale/transport/layer_models.py, K in m2/s",
        "seconds": f"{time.perf_counter() - begin:.0f}",
    }
    given.output.mkdir(parents=True, exist_ok=True)
    stem = given.output / f"curves-{given.scheme}"
    write(stem.with_suffix(".csv"), rows, header)
    draw(stem.with_suffix(".png"), [row | {"surface": surface} for row in rows], given.scheme)
    print(f"{stem}.csv\n{stem}.png")


if __name__ == "__main__":
    try:
        main()
    except MultiscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
