"""Sections on the question, the microstructures and the flux in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multiscale.report import pictures, trend_figures
from multiscale.report.findings import Findings
from multiscale.report.markup import Html, paragraph, table
from multiscale.report.material import Material, Section, absent, drawing, join
from multiscale.report.observations import (
    levels,
    names,
    per_sample,
    phases,
    sample_ensembles,
    target_fraction,
    temperatures,
)
from multiscale.report.pictures import FieldPicture
from multiscale.report.wording import count, length, listing, number, percent, power


def _asked(material: Material) -> Html:
    """Say what was asked and over what it was studied."""
    f = material.findings
    question = str(f.dataset.attrs.get("question", "")).strip()
    fractions = listing(percent(v) for v in levels(target_fraction(f.dataset)))
    sizes = listing(length(v) for v in levels(per_sample(f.dataset, "grain_size")))
    rows = [
        ("Phases", listing(phases(f.dataset)) + (f"; {f.fast} conducts faster" if f.fast else "")),
        ("Boundary types", listing(names(f.dataset, "boundary_type")) or "none stored"),
        ("Swept", f"volume fraction of {f.swept}: {fractions}"),
        ("Grain sizes", sizes or "none stored"),
        ("Temperatures", listing(f"{t:g} K" for t in temperatures(f.dataset))),
    ]
    member = sample_ensembles(f.dataset)
    for ensemble in f.ensembles:
        group, n = f.values.of(ensemble), int(np.count_nonzero(member == ensemble))
        text = f"{count(n, 'polycrystal')}, solved along {listing(np.unique(group.axis).tolist())}"
        rows.append((f"Ensemble {ensemble}", text))
    words = table(("", ""), rows, words=(0, 1), prose=True)
    return join(paragraph(question) if question else "", words, _inputs(f))


def _inputs(f: Findings) -> Html:
    if "phase_diffusivity" not in f.dataset:
        return Html("")
    here = f.dataset.sel(temperature=f.temperature, method="nearest")
    bulk = here["phase_diffusivity"]
    rows = [[name, "–", power(float(bulk.sel(phase=name))), "–"] for name in phases(here)]
    for name in names(here, "boundary_type"):
        width, across, along = (
            float(here[key].sel(boundary_type=name)) if key in here else float("nan")
            for key in ("boundary_width", "boundary_across", "boundary_along")
        )
        rows.append([name, length(width), power(across), power(along)])
    head = ("", "Width", f"D, or across, {f.temperature:g} K [m²/s]", "Along [m²/s]")
    return table(head, rows)


def _microstructures(material: Material) -> Html:
    """Show phase maps and what the structures are made of."""
    f, chosen = material.findings, material.pictures
    pieces = [absent("No example fields were stored.")]
    if chosen:
        caption = f"Phases and grain boundaries (dark lines). {_planes(chosen)}."
        drawn = pictures.microstructures(chosen)
        pieces = [drawing(drawn, caption, "Maps of phases with grain boundaries", "png8")]
    if trend_figures.has_descriptors(f):
        drawn = trend_figures.descriptors(f)
        text = _junctions(f)
        pieces.append(drawing(drawn, text, "Boundary area and heterointerface density"))
    return join(*pieces)


def _planes(chosen: Sequence[FieldPicture]) -> str:
    return "; ".join(pictures.describe_plane(picture) for picture in chosen)


def _junctions(f: Findings) -> str:
    text = (
        "Medians. Boundary area (length in 2D) is multiplied by the grain size, and junctions are "
        "counted for each grain, so that structures of different grain size can be compared."
    )
    if "heterointerfaces" not in f.dataset:
        return text
    text += (
        " A heterointerface is a junction point where at least three types of boundary meet; the "
        f"median structure holds {_median_count(f, 'heterointerfaces')} such points."
    )
    if "heterointerface_clusters" in f.dataset:
        radius = f.dataset.attrs.get("heterointerface_radius_grain_edges")
        within = f"within {number(float(radius))} grain edges" if radius is not None else "nearby"
        text += (
            f" Clusters are groups of junction points that see three types {within}; the median "
            f"structure holds {_median_count(f, 'heterointerface_clusters')}."
        )
    return text


def _median_count(f: Findings, name: str) -> str:
    found, member = per_sample(f.dataset, name), sample_ensembles(f.dataset)
    return listing(
        f"{number(float(np.nanmedian(found[member == e])))} in {e}"
        for e in f.ensembles
        if np.isfinite(found[member == e]).any()
    )


def _flux(material: Material) -> Html:
    """Show flux magnitude and streamlines for two drive directions."""
    if not material.pictures:
        return absent("No example fields were stored.")
    picked = spread(material.pictures)
    low, high = pictures.FLUX_RANGE
    caption = (
        "Left: the structure. Middle and right: flux magnitude (colour, logarithmic, from "
        f"{low:g} to {high:g} times the mean of the plane) and streamlines, driven by a mean "
        "gradient along x and along y; above each map the effective diffusivity of the whole "
        f"sample along that axis. The {pictures.LINES} lines of a map start from its middle at "
        "even steps of cumulated flux, so that crowded lines mean much flux. In a plane cut from "
        "a volume the in-plane part of the flux is drawn, and lines may end where flux leaves "
        "the plane. " + " ".join(pictures.describe_flux(picture) for picture in picked)
    )
    drawn = pictures.flux_maps(picked)
    return drawing(drawn, caption, "Maps of flux magnitude with streamlines", "png")


def spread(chosen: Sequence[FieldPicture], each: int = 2) -> list[FieldPicture]:
    """Pick a few pictures of each dimension from the middle of their order.

    Parameters
    ----------
    chosen : sequence of FieldPicture
        All pictures.
    each : int, optional
        How many of one dimension.

    Returns
    -------
    list of FieldPicture
        2D before 3D.
    """
    picked: list[FieldPicture] = []
    for dimension in sorted({picture.dimension for picture in chosen}):
        same = [picture for picture in chosen if picture.dimension == dimension]
        first = max(0, (len(same) - each) // 2)
        picked += same[first : first + each]
    return picked


SECTIONS = (
    Section("asked", "What was asked", _asked),
    Section("microstructures", "The microstructures", _microstructures),
    Section("flux", "Where the flux goes", _flux),
)
"""The question and the structures."""
