"""Write what the trajectories gave, beside the literature: measured.md.

Usage: python runs/llzo-lco-atomistics/make_table.py [--ship]

Reads results/*.json of the study; --ship copies its property files into the library.
"""

import argparse
import json
import shutil
from dataclasses import fields
from importlib import resources
from pathlib import Path

import numpy as np

from multiscale.config.atomistics import load_atomistic_study
from multiscale.properties import load
from multiscale.properties.arrhenius import ArrheniusLaw
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
CM2 = 1e4
BESIDE = {
    "LLZO-md": ("LLZO",),
    "LCO-md": ("Li0.73CoO2", "Li0.53CoO2"),
    "LLZO-sigma3-md": ("LLZO-LLZO-sigma3",),
    "LCO-twin-md": ("LCO-LCO-twin",),
    "LLZO-LCO-md": ("LLZO-LCO",),
}
"""Entries of the library that rest on literature, or are assumed, for the same thing."""


def of_library(name, direction, temperature, bulk):
    """Diffusivity of an entry of the library [m²/s]."""
    entry = load(name)
    if direction in ("across", "along"):
        return getattr(entry, direction)(temperature, bulk).value
    return float(entry.diffusivity_tensor(temperature)[0, 0])


def energy_between(low, high, temperatures):
    """Activation energy between two temperatures [eV]."""
    cold, hot = temperatures
    slope = np.log(high / low) / (1.0 / cold - 1.0 / hot)
    return float(slope * BOLTZMANN / ELEMENTARY_CHARGE)


def number(one):
    """A diffusivity in cm²/s with its error, or a bound."""
    if one["bound"]:
        return f"< {CM2 * one['value']:.2g}" if one["value"] is not None else "no information"
    return f"{CM2 * one['value']:.3g} ± {CM2 * one['stderr']:.1g}"


def rows():
    """Yield the lines of the tables."""
    yield from (
        "Made by `python runs/llzo-lco-atomistics/make_table.py` from `make atomistics`.",
        "",
        "| what | direction | K | D [cm²/s] | runs, ps | Haven ratio | literature or assumed "
        "[cm²/s] | factor |",
        "|---|---|---|---|---|---|---|---|",
    )
    study = load_atomistic_study(HERE)
    known = {cell.name: json.loads(file.read_text()) for cell in study.cells
             if (file := RESULTS / f"{cell.name}.json").exists()}  # fmt: skip
    for cell in study.cells:
        if cell.name not in known:
            continue
        for direction, found in known[cell.name]["diffusivities_m2_s"].items():
            for one in found:
                others = []
                for name in BESIDE.get(cell.name, ()):
                    if direction in ("all", "in plane", "across", "along"):
                        bulk = bulk_of(cell, known, one["temperature"])
                        value = of_library(name, direction, one["temperature"], bulk)
                        others.append((name, value))
                beside = ", ".join(f"{name} {CM2 * value:.2g}" for name, value in others)
                ratios = ", ".join(
                    f"{one['value'] / value:.2g}" for _, value in others if not one["bound"]
                )
                haven = one["haven_ratio"]
                yield (
                    f"| {cell.name} | {direction} | {one['temperature']:g} | {number(one)} | "
                    f"{one['runs']}, {1e12 * one['duration']:.0f} | "
                    f"{'' if haven is None else format(haven, '.2f')} | {beside} | "
                    f"{ratios} |"
                )
    yield from (
        "",
        "| what | direction | activation energy [eV] | D at 300 K, extrapolated [cm²/s] | "
        "library's energy over the same range [eV] | χ² a degree of freedom |",
        "|---|---|---|---|---|---|",
    )
    for cell in study.cells:
        for direction, law in known.get(cell.name, {"laws": {}})["laws"].items():
            ends = (min(cell.temperatures), max(cell.temperatures))
            energies = []
            for name in BESIDE.get(cell.name, ()):
                values = [of_library(name, direction, t, bulk_of(cell, known, t)) for t in ends]
                energies.append(f"{name} {energy_between(*values, ends):.2f}")
            room = at(law, 300.0)
            yield (
                f"| {cell.name} | {direction} | {law['energy_eV']:.3f} ± "
                f"{law['energy_stderr_eV']:.3f} | {CM2 * room:.1g} | {', '.join(energies)} | "
                f"{law['chi_squared']:.2g} |"
            )
    for cell in study.cells:
        for line in known.get(cell.name, {"failures": []})["failures"]:
            yield f"\nNot used: {line}"


def at(law, temperature):
    """Value of a stored law [m²/s]."""
    kept = {field.name: law[field.name] for field in fields(ArrheniusLaw)}
    return ArrheniusLaw(**kept).at(temperature)[0]


def bulk_of(cell, known, temperature):
    """Bulk diffusivities on either side of a boundary, computed here [m²/s]."""
    if not cell.between:
        return None
    values = []
    for name in cell.between:
        laws = known.get(name, {"laws": {}})["laws"]
        if not laws:
            return None
        values.append(float(at(next(iter(laws.values())), temperature)))
    return values


def main():
    """Write measured.md."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ship", action="store_true")
    asked = parser.parse_args()
    text = "\n".join(rows()) + "\n"
    print(text)
    (HERE / "measured.md").write_text(text, encoding="utf-8")
    if asked.ship:
        library = Path(str(resources.files("multiscale.properties") / "library"))
        for file in sorted((RESULTS / "properties").glob("*.toml")):
            shutil.copy(file, library / file.name)
            print("library:", file.name)


if __name__ == "__main__":
    main()
