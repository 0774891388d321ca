"""Sections on the distributions of D_eff, their modes and what parts them."""

from __future__ import annotations

import numpy as np

from multiscale.report import distribution_figures as figures
from multiscale.report.findings import Findings, Split
from multiscale.report.headline import split_sentence
from multiscale.report.markup import Html, paragraph, table
from multiscale.report.material import Material, Section, absent, drawing, join
from multiscale.report.observations import AxisValues, levels
from multiscale.report.verdicts import ModeVerdict, judge
from multiscale.report.wording import length, listing, number, percent, power

INDEPENDENCE = (
    "The axes of one polycrystal share its grains, so its values are correlated and are not "
    "counted as independent: histograms and mode centres pool the axes, but the test for modes "
    "runs on each axis apart (one value a polycrystal), and its smallest p is multiplied by the "
    "number of axes (Bonferroni). Two modes are reported where the dip test rejects every "
    "one-mode law at p < 0.05, two log-normal laws are clearly preferred (BIC difference above "
    "10), and they part (Ashman separation above 2). The dip test does not see a second group of "
    "a few per cent; where such a group lies far from the rest (separation above 4) its share is "
    "given as “apart”. Values of exactly zero are a group of their own and are not in the test."
)
"""How correlated axes are treated, for the reader of the page."""


def _distributions(material: Material) -> Html:
    """Show D_eff distributions with the test for one or two modes."""
    f = material.findings
    sizes = [length(v) for v in levels(f.values.grain_size)]
    caption = (
        f"Effective diffusivity along single axes at {f.temperature:g} K. Triangles mark the "
        "centres of two fitted log-normal laws, or the median where there is one mode."
    )
    if f.values.zeros:
        caption += f" Bars at the left edge: the {f.values.zeros} values that are exactly zero."
    if len(sizes) > 1:
        caption += (
            f" Grain sizes of {listing(sizes)} are pooled; the test first shifts each to their "
            "common mean of log D, and the table tests them singly too."
        )
    every, most = len(levels(f.values.volume_fraction)), figures.MOST_ROWS
    if every > most:
        caption += f" {most} of {every} volume fractions are drawn."
    drawn = figures.distributions(f)
    shown = drawing(drawn, caption, "Histograms of effective diffusivity by volume fraction")
    return join(shown, paragraph(INDEPENDENCE), _mode_table(f))


def _mode_table(f: Findings) -> Html:
    head = ("", f.swept, "Samples", "Values", "D = 0", "Verdict", "p, corrected", "Separation",
            "Centres [m²/s]", "Weights", "Two modes at one size")  # fmt: skip
    rows = [
        [ensemble, percent(fraction), *_mode_cells(verdict, f.values.of(ensemble, fraction))]
        for ensemble in f.ensembles
        for fraction, verdict in f.verdicts[ensemble].items()
    ]
    return table(head, rows, words=(0, 5))


def _mode_cells(verdict: ModeVerdict, group: AxisValues) -> list[object]:
    pooled = verdict.pooled
    two = verdict.modes == 2 and len(pooled.centres) == 2
    centres = [power(10**centre) for centre in pooled.centres]
    single = [judge(part).modes for _, part in group.by_size()]
    return [
        verdict.samples,
        verdict.values,
        verdict.zeros,
        verdict.label,
        number(verdict.p_value, 2),
        number(pooled.separation, 2),
        ", ".join(centres) if two else "–",
        ", ".join(percent(weight) for weight in pooled.weights) if two else "–",
        f"{single.count(2)} of {len(single)}" if any(single) else "too few",
    ]


def _explained(material: Material) -> Html:
    """Split the distributions by whether the faster phase percolates."""
    f = material.findings
    if not any(f.splits.values()):
        return absent("Percolation or bulk diffusivities were not stored: nothing can be split.")
    shown = paragraph(
        f"At no volume fraction does {f.fast} percolate along some axes and not along others."
    )
    if figures.mixed_fractions(f):
        told = [
            f"{e}: {text[0].lower()}{text[1:]}"
            for e in f.ensembles
            if (text := split_sentence(f, e))
        ]
        caption = (
            f"The distributions at {f.temperature:g} K at volume fractions where some axes "
            f"percolate and others do not, coloured by whether {f.fast} connects opposite faces "
            "along the axis of the value. " + " ".join(told)
        )
        drawn = figures.split_distributions(f)
        shown = drawing(drawn, caption, "Histograms split by percolation")
    return join(shown, _split_table(f))


def _split_table(f: Findings) -> Html:
    rows = [
        [ensemble, percent(fraction), f.verdicts[ensemble][fraction].label, *_split_cells(split)]
        for ensemble in f.ensembles
        for fraction, split in f.splits[ensemble].items()
        if split.mixed
    ]
    if not rows:
        return Html("")
    head = ("", f.swept, "All axes", f"{f.fast} percolates", "Median D there [m²/s]", "Modes",
            "Median D elsewhere", "Modes", "Ratio", "Variance of log D explained")  # fmt: skip
    return table(head, rows, words=(0, 2, 5, 7))


def _split_cells(split: Split) -> list[object]:
    ratio = "∞" if np.isinf(split.ratio) else number(split.ratio, 2)
    words = {0: "too few", 1: "one", 2: "two"}
    return [
        f"{len(split.percolating)} of {len(split.percolating) + len(split.blocked)}",
        power(float(np.median(split.percolating.diffusivity))),
        words[split.percolating_verdict.modes],
        power(float(np.median(split.blocked.diffusivity))),
        words[split.blocked_verdict.modes],
        ratio,
        percent(split.explained, 3),
    ]


SECTIONS = (
    Section("distributions", "One mode or two", _distributions),
    Section("modes", "What makes the modes", _explained),
)
"""Distributions and modes."""
