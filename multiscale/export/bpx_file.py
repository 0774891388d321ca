"""A battery parameter exchange (BPX) file: a part of one, or a given cell with its electrolyte."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np

from multiscale.errors import InputError, describe
from multiscale.export.summary import Law, Summary, no_conductivity
from multiscale.export.tables import origin

VERSION = "1.0.0"
DENSE = 0.5
"""Porosity written in place of 1; it has no effect on the solution."""


def as_bpx(summary: Summary, base: str | Path | None = None) -> str:
    """Write a BPX file with the effective electrolyte.

    The effective conductivity is put in once: transport efficiencies are one. A porosity of
    one, which a dense separator has, is not written: readers turn efficiency and porosity into
    a Bruggeman exponent, ln 1 / ln 1. With a transference number of one the porosity of the
    separator only says how much salt it stores, which never changes. Energies are in J/mol,
    values at the reference temperature of the file.

    Parameters
    ----------
    summary : Summary
        One group of samples, with conductivities.
    base : str or pathlib.Path, optional
        A complete BPX file of a cell, whose electrolyte and whose transport efficiencies of
        separator and positive electrode are replaced; the negative electrode keeps its own;
        a part ("Model": "Partial") is written unless given.

    Returns
    -------
    str
        JSON, valid under the schema of the bpx package where that is installed.

    Raises
    ------
    InputError
        If there are no conductivities, or the base cannot be used.
    """
    if summary.conductivity is None:
        raise InputError(no_conductivity())
    if not np.all(summary.conductivity[0] > 0):
        raise InputError("--to bpx: expected a median that conducts, received 0 S/m")
    whole = _base(base) if base is not None else _part(summary)
    cell = whole["Parameterisation"].get("Cell", {})
    reference = float(cell.get("Reference temperature [K]") or 298.15)
    sigma, diffusivity = summary.law("conductivity"), summary.law()
    parts = whole["Parameterisation"]
    parts["Electrolyte"] = {
        "Cation transference number": 1.0,
        "Conductivity [S.m-1]": sigma.at(reference),
        "Conductivity activation energy [J.mol-1]": _energy(sigma),
        "Diffusivity [m2.s-1]": diffusivity.at(reference),
        "Diffusivity activation energy [J.mol-1]": _energy(diffusivity),
    }
    separator = parts.setdefault("Separator", {"Thickness [m]": 50e-6})
    porosity = separator.get("Porosity", 1.0)
    separator["Porosity"] = porosity if 0 < porosity < 1 else DENSE
    separator["Transport efficiency"] = 1.0
    if "Positive electrode" in parts:
        parts["Positive electrode"]["Transport efficiency"] = 1.0
    _validate(whole)
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _energy(law: Law) -> float:
    return 0.0 if np.isnan(law.energy) else law.energy_J_per_mol


def _part(summary: Summary) -> dict[str, Any]:
    """A file with nothing but what the study knows."""
    return {
        "Header": {
            "BPX": VERSION,
            "Title": summary.title,
            "Description": "; ".join(origin(summary))
            + "; the separator's thickness is a placeholder of 50 µm",
            "Model": "Partial",
        },
        "Parameterisation": {},
    }


def _base(path: str | Path) -> dict[str, Any]:
    """Read a cell's file."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(describe(path, "a BPX file (JSON)", str(error))) from None
    if not isinstance(found, dict) or not isinstance(found.get("Parameterisation"), dict):
        raise InputError(describe(path, "a BPX file with Parameterisation", "none"))
    return copy.deepcopy(found)


def _validate(content: dict[str, Any]) -> None:
    """Hold a file against the schema, if bpx is there."""
    try:
        import bpx
    except ImportError:
        return
    try:
        bpx.parse_bpx_obj(copy.deepcopy(content))
    except ValueError as error:
        first = " ".join(str(error).split())[:300]
        raise InputError(describe("--base", "a cell that is valid under BPX", first)) from None
