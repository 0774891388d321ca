"""The page itself: one file, no network, readable on screen and on paper."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import xarray as xr

from multiscale.report import (
    check_sections,
    importance_sections,
    mode_sections,
    structure_sections,
    trend_sections,
)
from multiscale.report.findings import find
from multiscale.report.headline import sentences
from multiscale.report.markup import Html, bullets, element, text
from multiscale.report.material import Material, Section
from multiscale.report.pictures import FieldPicture
from multiscale.report.stylesheet import STYLESHEET

SECTIONS = (
    *structure_sections.SECTIONS,
    *mode_sections.SECTIONS,
    *trend_sections.SECTIONS,
    *importance_sections.SECTIONS,
    *check_sections.SECTIONS,
)
"""The parts of the page after the headline, in reading order."""
_WITHOUT_VALUES = ("asked", "microstructures", "flux", "provenance", "sources")


def page(
    dataset: xr.Dataset,
    pictures: Sequence[FieldPicture] = (),
    provenance_rows: Sequence[Sequence[str]] = (),
    *,
    temperature: float | None = None,
) -> str:
    """Make the report as a string of HTML.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    pictures : sequence of FieldPicture, optional
        Example microstructures.
    provenance_rows : sequence of sequence of str, optional
        Name, quantity, value, uncertainty, valid range, and source or reason.
    temperature : float, optional
        Temperature of single-temperature figures [K]; the study's nearest is used.
        Room temperature by default.

    Returns
    -------
    str
        A whole document with everything in it.

    Raises
    ------
    StoreError
        If the data set holds no results.
    """
    findings = find(dataset, temperature)
    rows = tuple(tuple(str(cell) for cell in row) for row in provenance_rows)
    material = Material(findings, tuple(pictures), rows)
    attributes = findings.dataset.attrs
    title = str(attributes.get("title", "") or "Effective diffusivity of polycrystals")
    told = bullets(sentences(findings), class_="headline")
    kept = [s for s in SECTIONS if len(findings.values) or s.key in _WITHOUT_VALUES]
    made = [_section("headline", "In short", told)]
    made += [_section(s.key, s.title, s.build(material)) for s in kept]
    stamp = " · ".join(
        f"{label} {attributes[key]}"
        for key, label in (("study_hash", "study"), ("created", "made"))
        if key in attributes
    )
    header = element(
        "header", element("h1", title), element("p", stamp, class_="stamp") if stamp else ""
    )
    return _document(title, element("main", header, _contents(kept), *made))


def _section(key: str, title: str, content: Html) -> Html:
    return element("section", element("h2", title), content, id=key)


def _contents(kept: Sequence[Section]) -> Html:
    entries = [("headline", "In short"), *[(s.key, s.title) for s in kept]]
    links = [element("li", element("a", title, href=f"#{key}")) for key, title in entries]
    return element("nav", element("ol", *links), aria_label="Contents")


def _document(title: str, body: Html) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{STYLESHEET}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def write_report(
    path: str | os.PathLike[str],
    dataset: xr.Dataset,
    pictures: Sequence[FieldPicture] = (),
    provenance_rows: Sequence[Sequence[str]] = (),
    *,
    temperature: float | None = None,
) -> Path:
    """Write the report, whole or not at all.

    Parameters
    ----------
    path : path-like
        Where it goes; its folder must exist.
    dataset : xarray.Dataset
        The merged results.
    pictures : sequence of FieldPicture, optional
        Example microstructures.
    provenance_rows : sequence of sequence of str, optional
        Name, quantity, value, uncertainty, valid range, and source or reason.
    temperature : float, optional
        Temperature of single-temperature figures [K]; the study's nearest is used.
        Room temperature by default.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    StoreError
        If the data set holds no results.
    """
    target = Path(path)
    made = page(dataset, pictures, provenance_rows, temperature=temperature)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        partial.write_text(made, encoding="utf-8")
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target
