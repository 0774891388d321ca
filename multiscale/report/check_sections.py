"""Sections on what carries the flux, the checks, and where everything came from."""

from __future__ import annotations

import json

import numpy as np

from multiscale.report import comparison_figures as figures
from multiscale.report.findings import Findings
from multiscale.report.markup import Html, element, fold, linked, paragraph, table
from multiscale.report.material import Material, Section, absent, drawing, join
from multiscale.report.observations import names
from multiscale.report.wording import count, number, percent, span


def _shares(material: Material) -> Html:
    """Show what carries the flux and what dissipates."""
    f = material.findings
    stored = [variable for variable in figures.PART_OF if variable in f.dataset]
    if not stored:
        return absent("Shares of the flux were not stored.")
    pieces: list[Html] = []
    for variable in stored:
        told = [text for ensemble in f.ensembles if (text := _largest(f, ensemble, variable))]
        caption = f"{_share_caption(f, variable)} {' '.join(told)}"
        drawn = figures.shares(f, variable)
        kind = variable.removesuffix("_share")
        pieces.append(drawing(drawn, caption, f"Share of the {kind} by part"))
        pieces.append(_share_table(f, variable))
    return join(*pieces)


def _share_caption(f: Findings, variable: str) -> str:
    parts = names(f.dataset, figures.PART_OF[variable])
    across = any(part.startswith("across ") for part in parts)
    text = f"at {f.temperature:g} K by phase and along each type of boundary"
    text += " (full colour), and across it (light)." if across else "."
    if figures.NEIGHBOURHOOD in parts:
        text += (
            " The line is the share in the neighbourhood of heterointerfaces; it overlaps the bars "
            "and is not part of their sum."
        )
    if variable == "dissipation_share":
        return (
            f"Mean share of the dissipation {text} A part's share is how strongly D_eff answers to "
            "it: d ln D_eff / d ln of its conductance. Boundaries enter as an excess over the bulk "
            "they replace, so a part below zero is one that resists less than that bulk."
        )
    return f"Mean share of the flux {text}"


def _largest(f: Findings, ensemble: str, variable: str) -> str:
    found = figures.mean_shares(f, ensemble, variable)
    plain = [i for i, name in enumerate(found.parts) if name != figures.NEIGHBOURHOOD]
    if not found.fractions or not plain:
        return ""
    mean = found.mean.mean(axis=0)
    most = max(plain, key=lambda i: float(mean[i]))
    ends = span([percent(found.mean[0, most]), percent(found.mean[-1, most])])
    where = span([percent(found.fractions[0]), percent(found.fractions[-1])])
    return (
        f"{ensemble}: the largest part on average is {found.parts[most]} "
        f"({ends} at {f.swept} {where})."
    )


def _share_table(f: Findings, variable: str) -> Html:
    rows = []
    for ensemble in f.ensembles:
        found = figures.mean_shares(f, ensemble, variable)
        for fraction, line in zip(found.fractions, found.mean, strict=True):
            rows.append([ensemble, percent(fraction), *[percent(value) for value in line]])
    head = ("", f.swept, *names(f.dataset, figures.PART_OF[variable]))
    return fold("The numbers", table(head, rows))


def _circuit(material: Material) -> Html:
    """Compare the resistor network with the field solution."""
    f = material.findings
    if not np.isfinite(f.values.circuit).any():
        return absent("The resistor network was not computed.")
    caption = (
        f"Every axis value at {f.temperature:g} K from the grain graph as a resistor network (one "
        "resistor for half a grain, the boundary and half the next grain) against the field "
        "solution of the same structure. The line marks equality; pairs with a zero are left out "
        "and counted in the table."
    )
    rows = []
    for ensemble in f.ensembles:
        e = figures.circuit_error(f.values.of(ensemble))
        shares = [percent(v) for v in (e.median, e.median_size, e.low, e.high, e.worst)]
        rows.append([ensemble, e.n, *shares, e.only_one_zero])
    head = ("", "Pairs", "Median", "Median size", "5 %", "95 %", "Worst", "Only one is zero")
    drawn = figures.circuit(f)
    return join(drawing(drawn, caption, "Resistor network against field"), table(head, rows))


def _solver(material: Material) -> Html:
    """Show how well the flux problems were solved."""
    f, rows = material.findings, []
    for ensemble in f.ensembles:
        cells = [ensemble]
        for name, _, _ in figures.QUALITY:
            values = figures.quality_values(f, name, ensemble)
            pair = (np.median(values), values.max()) if values.size else (np.nan, np.nan)
            cells += [number(float(value), 2) for value in pair]
        rows.append(cells)
    if all(cell == "–" for row in rows for cell in row[1:]):
        return absent("Solver quality was not stored.")
    head = [""]
    for label in ("imbalance", "residual", "iterations", "seconds"):
        head += [f"{label}, median", "largest"]
    caption = "All samples and temperatures, and for the imbalance all axes."
    drawn = figures.solver_quality(f)
    return join(drawing(drawn, caption, "Histograms of solver quality"), table(head, rows))


_STAMPS = (
    ("study_hash", "Study hash"),
    ("git_revision", "Git revision"),
    ("seed", "Seed"),
    ("created", "Results merged"),
)


def _provenance(material: Material) -> Html:
    """Say which code and which study made the results."""
    given = material.findings.dataset.attrs
    rows: list[tuple[object, object]] = [
        (label, element("code", given[key])) for key, label in _STAMPS if key in given
    ]
    versions = _decoded(given.get("versions"))
    if isinstance(versions, dict):
        rows.append(("Versions", ", ".join(f"{name} {v}" for name, v in versions.items())))
    if not rows:
        return absent("Nothing was stored.")
    made = table(("", ""), rows, words=(0, 1), prose=True)
    study = _decoded(given.get("resolved_study"))
    if study is None:
        return join(made)
    shown = study if isinstance(study, str) else json.dumps(study, indent=2, ensure_ascii=False)
    return join(made, fold("The resolved study", element("pre", shown)))


def _decoded(value: object) -> object:
    """Read an attribute that should be JSON, and show it as it is where it is not."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _sources(material: Material) -> Html:
    """List where each input number came from."""
    given = material.provenance_rows
    if not given:
        return absent("No property table was given.")
    assumed = sum(row[-1].lower().startswith("assumed") for row in given)
    text = (
        f"{count(len(given), 'number')}, of which {assumed} assumed for want of a source; the "
        "reason stands beside each."
    )
    rows = [[*row[:-1], linked(row[-1])] for row in given]
    head = ("Material", "Quantity", "Value", "Uncertainty", "Valid range", "Source")
    return join(paragraph(text), table(head, rows, words=range(6), prose=True))


SECTIONS = (
    Section("flux-share", "What carries the flux", _shares),
    Section("circuit", "Resistor network against field", _circuit),
    Section("solver", "How well it was solved", _solver),
    Section("provenance", "Provenance", _provenance),
    Section("sources", "Where each number came from", _sources),
)
"""Flux shares, checks and provenance."""
