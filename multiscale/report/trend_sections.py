"""Sections on volume fraction, percolation, grain size and temperature."""

from __future__ import annotations

import numpy as np

from multiscale.report import percolation_figures, trend_figures
from multiscale.report.findings import Findings
from multiscale.report.markup import Html, fold, table
from multiscale.report.material import Material, Section, absent, drawing, join
from multiscale.report.observations import (
    levels,
    sample_ensembles,
    target_fraction,
    temperatures,
)
from multiscale.report.trends import (
    QUANTILES,
    percolation_curves,
    phase_energies,
    quantile,
    size_exponent,
    summaries,
)
from multiscale.report.wording import length, listing, percent, power, signed


def _fraction(material: Material) -> Html:
    """Show D_eff against volume fraction with bounds."""
    f = material.findings
    colours = f" (blue: {f.fast} percolates along the axis; orange: it does not)" if f.fast else ""
    caption = (
        f"D_eff along single axes at {f.temperature:g} K: every value{colours}, median and "
        "quantile bands. The Wiener and Hashin–Shtrikman bounds are those of the bulk phases "
        "alone. Grain boundaries are not in them: conducting boundaries can lift values above the "
        "upper bounds and blocking ones can push them below the lower. The Hashin–Shtrikman "
        "bounds also assume an isotropic, infinite structure, which single axes of finite samples "
        f"are not. {_outside(f)}"
    )
    drawn = trend_figures.against_fraction(f)
    shown = drawing(drawn, caption, "Effective diffusivity against volume fraction")
    return join(shown, _fraction_table(f))


def _outside(f: Findings) -> str:
    texts = []
    for name, label in (("wiener", "Wiener"), ("hashin_shtrikman", "Hashin–Shtrikman")):
        if not {f"{name}_lower", f"{name}_upper"} <= set(f.dataset.data_vars):
            continue
        here = f.dataset.sel(temperature=f.temperature, method="nearest")
        low = here[f"{name}_lower"].values[f.values.sample]
        high = here[f"{name}_upper"].values[f.values.sample]
        below = int(np.count_nonzero(f.values.diffusivity < low * (1 - 1e-6)))
        above = int(np.count_nonzero(f.values.diffusivity > high * (1 + 1e-6)))
        texts.append(f"{label}: {below} of {len(f.values)} values lie below, {above} above.")
    return " ".join(texts)


def _fraction_table(f: Findings) -> Html:
    rows = []
    for ensemble in f.ensembles:
        group = f.values.of(ensemble)
        for level, s in summaries(group.diffusivity, group.volume_fraction):
            cells = [power(quantile(s, q)) for q in QUANTILES]
            rows.append([ensemble, percent(level), s.n, *cells, percent(s.zero_fraction)])
    head = ("", f.swept, "Values", "10 %", "25 %", "Median [m²/s]", "75 %", "90 %", "D = 0")
    return fold("The numbers", table(head, rows))


def _percolation(material: Material) -> Html:
    """Show how often phases and boundary types connect opposite faces."""
    f = material.findings
    wanted = {"percolates", "percolating_fraction", "boundary_percolates"}
    if not wanted & set(map(str, f.dataset.data_vars)):
        return absent("Percolation was not stored.")
    parts = [
        f"{percent(curve.threshold)} for {curve.name} in {curve.ensemble}"
        for curve in percolation_curves(f.dataset, "percolates", "phase")
        if np.isfinite(curve.threshold)
    ]
    measured = (
        f" Measured volume fraction at which half of the axes percolate: {listing(parts)}."
        if parts
        else " No phase passes one half within the volume fractions studied."
    )
    caption = (
        "Left: how often a phase connects opposite faces along an axis, against its own volume "
        "fraction. Middle: the share of the phase in the connected cluster. Right: as left, for "
        "networks of one boundary type. Bands: 95 % Wilson intervals that count each sample "
        f"once, since its axes are correlated.{measured} For comparison, infinite "
        "Poisson–Voronoi cells percolate at 50 % in 2D and near 15 % in 3D."
    )
    drawn = percolation_figures.percolation(f)
    return drawing(drawn, caption, "Percolation probability against volume fraction")


def _grain_size(material: Material) -> Html:
    """Show the trend with grain size."""
    f = material.findings
    if not trend_figures.has_sizes(f):
        sizes = listing(length(v) for v in levels(f.values.grain_size))
        return absent(f"One grain size was studied ({sizes or 'not stored'}): no trend.")
    parts = []
    for ensemble in f.ensembles:
        found = [(v, size_exponent(g)) for v, g in f.values.of(ensemble).by_fraction()]
        told = [f"{signed(s)} at {percent(v)}" for v, s in found if np.isfinite(s)]
        if told:
            parts.append(f"{ensemble}: {listing(told)}.")
    caption = (
        f"Median D_eff at {f.temperature:g} K against grain size; bars span the quartiles of "
        "samples and axes, points are set apart sideways to be seen. Slopes d ln D / d ln d of "
        f"the medians, by volume fraction of {f.swept}: {' '.join(parts)} D that rises with the "
        "grain size means that boundaries hinder, D that falls that they help."
    )
    drawn = trend_figures.against_grain_size(f)
    return drawing(drawn, caption, "Effective diffusivity against grain size")


def _temperature(material: Material) -> Html:
    """Show the trend with temperature and apparent activation energies."""
    f = material.findings
    kelvin = [f"{t:g} K" for t in temperatures(f.dataset)]
    if len(kelvin) < 2:
        return absent(f"One temperature was studied ({f.temperature:g} K): no trend.")
    bulk = [f"{name} {e:.3f} eV" for name, e in phase_energies(f.dataset).items() if np.isfinite(e)]
    caption = (
        "Left: median D_eff against reciprocal temperature, with the bulk phases in black. Right: "
        "apparent activation energies, fitted to each sample and axis over "
        f"{listing(kelvin)}: median and 10–90 % band."
    )
    if bulk:
        caption += f" The bulk phases by themselves have {listing(bulk)}."
    drawn = trend_figures.arrhenius(f)
    return join(drawing(drawn, caption, "Arrhenius plot"), _energy_table(f))


def _energy_table(f: Findings) -> Html:
    member, fraction, rows = sample_ensembles(f.dataset), target_fraction(f.dataset), []
    for ensemble in f.ensembles:
        for level in levels(fraction[member == ensemble]):
            values = f.energies[(member == ensemble) & np.isclose(fraction, level)]
            values = values[np.isfinite(values)]
            if values.size:
                cells = [f"{q:.3f}" for q in np.quantile(values, (0.1, 0.5, 0.9))]
                rows.append([ensemble, percent(level), values.size, *cells])
    head = ("", f.swept, "Values", "10 %", "Median activation energy [eV]", "90 %")
    return fold("The numbers", table(head, rows))


SECTIONS = (
    Section("volume-fraction", "Diffusivity against volume fraction", _fraction),
    Section("percolation", "Percolation", _percolation),
    Section("grain-size", "Grain size", _grain_size),
    Section("temperature", "Temperature", _temperature),
)
"""Trends."""
