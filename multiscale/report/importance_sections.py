"""Section on what decides D_eff, and on what its spread is made of."""

from __future__ import annotations

import numpy as np
import xarray as xr

from multiscale.analysis import Budget, Explanation, explain_diffusivity, uncertainty_budget
from multiscale.analysis.importance import FEWEST
from multiscale.errors import InputError
from multiscale.report.findings import Findings
from multiscale.report.markup import Html, paragraph, table
from multiscale.report.material import Material, Section, join
from multiscale.report.wording import length, number, percent

SHOWN = 8
"""Descriptors listed."""
METHOD = (
    "log₁₀ D_eff along single axes, predicted for polycrystals that the model has not seen "
    f"(five folds, all axes of a polycrystal together; fewer than {FEWEST} are not fitted). "
    "Errors are in decades. Importance: growth of the squared error, over the variance of the "
    "target, when a descriptor is shuffled; it is to be read only where R² is well above zero, "
    "and descriptors that say the same share it."
)
PARTS = (
    "Variance of ln D_eff over the polycrystals of one group, beside what the stated standard "
    "errors of the phases' diffusivities put on it, to first order through the stored "
    "sensitivities ∂ ln D_eff/∂ ln D (boundaries held). Errors of boundaries are not in it."
)


def _decides(material: Material) -> Html:
    """Regress D_eff on descriptors, ensemble by ensemble."""
    f = material.findings
    parts = [paragraph(METHOD)]
    for ensemble in f.ensembles:
        try:
            found = explain_diffusivity(_at(f), ensemble)
        except (InputError, KeyError) as error:
            parts.append(paragraph(f"{ensemble}: not fitted. {error}"))
            continue
        parts += _explained(ensemble, found)
    return join(*parts)


def _explained(ensemble: str, found: Explanation) -> list[Html]:
    told = (
        f"{ensemble}: {found.samples} polycrystals, {found.rows} values; {found.zeros} that do "
        f"not conduct are left out. What the circuit leaves has a standard deviation of "
        f"{number(found.residual_spread)} decades."
    )
    scores = [
        [one.model, f"{one.rmse:.3f} ± {one.rmse_stderr:.3f}", f"{one.r_squared:.3f}"]
        for one in (*found.scores, found.residual)
    ]
    ranks = [
        [name, f"{value:.3f} ± {error:.3f}"]
        for name, (value, error) in list(found.importance.items())[:SHOWN]
    ]
    left = [
        [name, f"{value:.3f} ± {error:.3f}"]
        for name, (value, error) in list(found.residual_importance.items())[:SHOWN]
    ]
    worst = [[str(index), axis, f"{error:+.3f}"] for index, axis, error in found.worst]
    return [
        paragraph(told),
        table(("Model", "Error [decades]", "R²"), scores, words=(0,)),
        table(("Decides D_eff", "Importance"), ranks, words=(0,)),
        table(("Decides what the circuit leaves", "Importance"), left, words=(0,)),
        table(("Sample, worst first", "Axis", "Residual [decades]"), worst, words=(1,)),
    ]


def _budget(material: Material) -> Html:
    """Part the spread of every group into microstructure and inputs."""
    f = material.findings
    data = _at(f)
    rows = []
    keys = ("ensemble", "target_volume_fraction", "grain_size")
    if any(key not in data for key in keys):
        return paragraph("The results do not say which samples belong together.")
    groups = dict.fromkeys(zip(*(data[key].values.tolist() for key in keys), strict=True))
    for group in list(groups)[:60]:
        some = np.ones(data.sizes["sample"], dtype=bool)
        for key, value in zip(keys, group, strict=True):
            some &= (data[key].values == value) | (value != value)  # NaN: not swept
        try:
            found = uncertainty_budget(data.isel(sample=np.flatnonzero(some)))
        except (InputError, KeyError):
            continue
        rows.append([*_named(group), str(found.samples), *_cells(found)])
    if not rows:
        return paragraph("No group has two polycrystals that conduct.")
    head = ("", f.swept, "Grain size", "Samples", "Microstructure", "Diffusivities", "Of it micro.",
            "Without a stated error")  # fmt: skip
    return join(paragraph(PARTS), table(head, rows, words=(0, 7)))


def _named(group: tuple[str, float, float]) -> list[str]:
    ensemble, fraction, size = group
    return [ensemble, "–" if fraction != fraction else percent(fraction), length(size)]


def _cells(found: Budget) -> list[str]:
    said = "–" if not found.inputs else f"{sum(found.inputs.values()):.3g}"
    share = "–" if not found.inputs else percent(found.share)
    return [f"{found.microstructure:.3g}", said, share, ", ".join(found.unknown)]


def _at(f: Findings) -> xr.Dataset:
    """The results at the temperature that the page speaks of."""
    return f.dataset.sel(temperature=[f.temperature])


SECTIONS = (
    Section("decides", "What decides D_eff", _decides),
    Section("budget", "Microstructure or diffusivities", _budget),
)
"""In reading order."""
