"""Property files from computed laws, in the form in which those of the library are written.

A law is written as its value at the pivot and its activation energy, whose errors are
uncorrelated there: reading the file gives back the law's error at every temperature.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path

from multiscale.errors import PropertyError, describe
from multiscale.properties.arrhenius import ArrheniusLaw
from multiscale.properties.catalogue import load
from multiscale.provenance import Estimate
from multiscale.units import from_si

SPREAD = "standard error of the fit to trajectories at several temperatures"


def material_file(
    path: Path,
    *,
    title: str,
    composition: str,
    description: str,
    source: str,
    law: ArrheniusLaw,
    c_ratio: Estimate | None = None,
    c_note: str = "",
    lithium_density: Estimate | None = None,
    haven_ratio: Estimate | None = None,
    note: str = "",
) -> Path:
    """Write the property file of a material.

    Parameters
    ----------
    path : pathlib.Path
        Ends in ``.toml``; replaced as a whole.
    title, composition, description : str
        For people.
    source : str
        What computed it: potential, hash, length of trajectories.
    law : ArrheniusLaw
        Diffusivity; in the layers if ``c_ratio`` is given.
    c_ratio : Estimate, optional
        Diffusivity along c over that in the layers [1]; ``stderr`` NaN for an upper bound.
    c_note : str, optional
        What to know of it.
    lithium_density : Estimate, optional
        [1/m³].
    haven_ratio : Estimate, optional
        Self-diffusivity over that of the charge [1].
    note : str, optional
        What to know of the law.

    Returns
    -------
    pathlib.Path
        The file, which has been read back.

    Raises
    ------
    PropertyError
        If the law cannot be written.
    """
    key = "self_diffusivity" if c_ratio is None else "layered_self_diffusivity.in_plane"
    lines = [
        'kind = "material"',
        f"title = {_text(title)}",
        f"composition = {_text(composition)}",
        f"description = {_text(description)}",
        "",
        *_law(key, law, source, note),
    ]
    if c_ratio is not None:
        lines += ["", *_ratio("layered_self_diffusivity.c_ratio", c_ratio, source, law, c_note)]
    if lithium_density is not None:
        lines += [
            "",
            *_value("lithium_density", lithium_density, "1/cm3", "number_density", source),
        ]
    if haven_ratio is not None:
        lines += ["", *_value("haven_ratio", haven_ratio, "1", "dimensionless", source)]
    return _store(path, lines)


def boundary_file(
    path: Path,
    *,
    title: str,
    between: tuple[str, str],
    description: str,
    source: str,
    width: Estimate,
    across: ArrheniusLaw,
    along: ArrheniusLaw,
    boundary_energy: Estimate | None = None,
    notes: Mapping[str, str] | None = None,
) -> Path:
    """Write the property file of a boundary type.

    Parameters
    ----------
    path : pathlib.Path
        Ends in ``.toml``; replaced as a whole.
    title : str
        For people.
    between : tuple of str
        Phases on either side.
    description : str
        For people.
    source : str
        What computed it.
    width : Estimate
        [m].
    across, along : ArrheniusLaw
        Diffusivities.
    boundary_energy : Estimate, optional
        [J/m²].
    notes : mapping of str to str, optional
        By ``"width"``, ``"across"``, ``"along"``.

    Returns
    -------
    pathlib.Path
        The file, which has been read back.

    Raises
    ------
    PropertyError
        If a law cannot be written.
    """
    notes = notes or {}
    lines = [
        'kind = "boundary"',
        f"title = {_text(title)}",
        f"between = [{_text(between[0])}, {_text(between[1])}]",
        f"description = {_text(description)}",
        "",
        *_value("width", width, "nm", "length", source, notes.get("width", "")),
        "",
        *_law("across.diffusivity", across, source, notes.get("across", "")),
        "",
        *_law("along.diffusivity", along, source, notes.get("along", "")),
    ]
    if boundary_energy is not None:
        lines += ["", *_value("boundary_energy", boundary_energy, "J/m2", "surface_energy", source)]
    return _store(path, lines)


def _text(words: str) -> str:
    """Quote for TOML: its basic strings are those of JSON, without DEL."""
    return json.dumps(words.replace("\x7f", " "), ensure_ascii=False)


def _number(value: float) -> str:
    return repr(float(f"{value:.6g}"))


def _law(key: str, law: ArrheniusLaw, source: str, note: str) -> list[str]:
    energy, doubt = (from_si(x, "eV", "energy") for x in (law.energy, law.energy_stderr))
    if not energy >= 0:
        raise PropertyError(
            describe(key, "a diffusivity that grows with temperature",
                     f"an activation energy of {energy:.3g} ± {doubt:.2g} eV", "run longer")
        )  # fmt: skip
    if law.shift:
        shift = from_si(law.shift, "eV", "energy")
        note = f"{note} Activation energy raised by {shift:g} eV for softening.".strip()
    spread = law.relative / math.log(10.0)
    low, high = law.sampled
    lines = [
        f"[{key}]",
        f"value = {_number(from_si(law.value, 'cm2/s', 'diffusivity'))}",
        'unit = "cm2/s"',
        f"at = {_number(law.pivot)}",
        f'uncertainty = {{ kind = "log10 sd", value = {_number(spread)}, '
        f"origin = {_text(SPREAD)} }}",
        f'activation_energy = {{ value = {_number(energy)}, unit = "eV", uncertainty = '
        f'{{ kind = "standard error", value = {_number(doubt)}, origin = {_text(SPREAD)} }} }}',
        f"source = {_text(source)}",
        'confidence = "medium"',
        f"valid = [{_number(low)}, {_number(high)}]",
    ]
    return lines + ([f"note = {_text(note)}"] if note else [])


def _ratio(key: str, ratio: Estimate, source: str, law: ArrheniusLaw, note: str) -> list[str]:
    low, high = law.sampled
    if math.isnan(ratio.stderr):
        doubt = '{ kind = "unknown", origin = "an upper bound" }'
    else:
        spread = _number(ratio.stderr / ratio.value / math.log(10.0))
        doubt = f'{{ kind = "log10 sd", value = {spread}, origin = {_text(SPREAD)} }}'
    lines = [
        f"[{key}]",
        f"value = {_number(ratio.value)}",
        'unit = "1"',
        f"uncertainty = {doubt}",
        f"source = {_text(source)}",
        'confidence = "low"',
        f"valid = [{_number(low)}, {_number(high)}]",
    ]
    return lines + ([f"note = {_text(note)}"] if note else [])


def _value(
    key: str, estimate: Estimate, unit: str, dimension: str, source: str, note: str = ""
) -> list[str]:
    value, stderr = (from_si(x, unit, dimension) for x in (estimate.value, estimate.stderr))
    doubt = '{ kind = "unknown", origin = "one cell" }'
    if math.isfinite(stderr):
        origin = _text(estimate.source)
        doubt = f'{{ kind = "standard error", value = {_number(stderr)}, origin = {origin} }}'
    lines = [
        f"[{key}]",
        f"value = {_number(value)}",
        f'unit = "{unit}"',
        f"uncertainty = {doubt}",
        f"source = {_text(source)}",
        'confidence = "medium"',
        'valid = "not stated"',
    ]
    return lines + ([f"note = {_text(note)}"] if note else [])


def _store(path: Path, lines: list[str]) -> Path:
    """Write a file whole, once it can be read back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}-{os.getpid()}.toml")
    try:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        load(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
