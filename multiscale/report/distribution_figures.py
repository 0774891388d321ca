"""Distributions of D_eff: how many modes, and which samples make them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from multiscale.report import style
from multiscale.report.findings import Findings
from multiscale.report.observations import AxisValues, Floats, levels
from multiscale.report.verdicts import ModeVerdict
from multiscale.report.wording import percent

MOST_ROWS = 10
"""Most volume fractions that one figure shows."""
_BINS = 56
_AXIS = "effective diffusivity along one axis [m²/s]"


def shown_fractions(fractions: Sequence[float], most: int = MOST_ROWS) -> list[float]:
    """Thin out a list of volume fractions evenly, keeping both ends.

    Parameters
    ----------
    fractions : sequence of float
        Rising.
    most : int, optional
        How many to keep at most.

    Returns
    -------
    list of float
        The chosen ones.
    """
    if len(fractions) <= most:
        return list(fractions)
    chosen = np.unique(np.linspace(0, len(fractions) - 1, most).round().astype(int))
    return [fractions[i] for i in chosen]


def mixed_fractions(findings: Findings) -> list[float]:
    """List the volume fractions where some axes percolate and some do not.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    list of float
        Fractions at which this holds in at least one ensemble.
    """
    every = findings.splits.values()
    return sorted({f for table in every for f, split in table.items() if split.mixed})


@style.styled
def distributions(findings: Findings) -> Figure:
    """Draw the distribution of D_eff at each volume fraction with the verdict on modes.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        One row a volume fraction, one column an ensemble.
    """
    fractions = shown_fractions(levels(findings.values.volume_fraction))
    return _grid(findings, fractions, split=False)


@style.styled
def split_distributions(findings: Findings) -> Figure:
    """Draw the distributions coloured by percolation of the faster phase along the axis.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        One row for each volume fraction at which both kinds occur.
    """
    figure = _grid(findings, shown_fractions(mixed_fractions(findings)), split=True)
    handles = [
        Patch(facecolor=style.PERCOLATING, label=f"{findings.fast} percolates along the axis"),
        Patch(facecolor=style.BLOCKED, label=f"{findings.fast} does not"),
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=2)
    return figure


def _edges(values: AxisValues) -> Floats:
    positive = np.log10(values.positive)
    if positive.size == 0:
        return np.logspace(-15, -10, _BINS)
    low, high = positive.min(), positive.max()
    middle, half = (low + high) / 2, max((high - low) / 2, 0.15) * 1.04
    return np.logspace(middle - half, middle + half, _BINS)


def _grid(findings: Findings, fractions: Sequence[float], *, split: bool) -> Figure:
    columns = findings.ensembles
    figure, grid = style.panels(
        len(fractions), len(columns), 0.9 + 1.12 * len(fractions), sharex=True
    )
    edges = _edges(findings.values)
    for row, fraction in zip(grid, fractions, strict=True):
        for axes, ensemble in zip(row, columns, strict=True):
            group = findings.values.of(ensemble, fraction)
            if not len(group):
                style.note(axes, f"no {ensemble} samples at {percent(fraction)}")
                continue
            verdict = findings.verdicts[ensemble][fraction]
            _histogram(axes, group, edges, split=split, any_zero=findings.values.zeros > 0)
            _annotate(axes, findings, ensemble, fraction, verdict, split=split)
    for axes in grid[-1]:
        axes.set_xlabel(_AXIS)
        axes.tick_params(labelbottom=True)
    figure.supylabel("share of values in the bin [%]", fontsize=10)
    return figure


def _histogram(
    axes: Axes, group: AxisValues, edges: Floats, *, split: bool, any_zero: bool
) -> None:
    style.decades(axes, "x", edges)
    style.grid(axes, "x")
    axes.locator_params(axis="y", nbins=3)
    masks, colours = [np.ones(len(group), dtype=bool)], [style.MUTED]
    if split:
        state = group.fast_percolates
        masks, colours = [state == 0, state == 1], [style.BLOCKED, style.PERCOLATING]
    base, zero_base = np.zeros(edges.size - 1), 0.0
    step = edges[1] / edges[0]
    if any_zero:
        axes.set_xlim(left=edges[0] / step**6)
    for mask, colour in zip(masks, colours, strict=True):
        part = group.where(mask)
        height = 100 * np.histogram(part.positive, edges)[0] / len(group)
        axes.bar(edges[:-1], height, np.diff(edges), base, align="edge", color=colour, linewidth=0)
        base = base + height
        share = 100 * part.zeros / len(group)
        place, width = edges[0] / step**4.5, edges[0] * (step**-2.5 - step**-4.5)
        axes.bar(
            place, share, width, zero_base, align="edge", color=colour, hatch="///", ec="white"
        )
        zero_base += share
    if zero_base > 0:
        axes.text(edges[0] / step**3.5, zero_base, "D = 0", ha="center", va="bottom", fontsize=8)
    axes.set_ylim(0, 1.15 * max(base.max(), zero_base, 1.0))


def _annotate(
    axes: Axes,
    findings: Findings,
    ensemble: str,
    fraction: float,
    verdict: ModeVerdict,
    *,
    split: bool,
) -> None:
    text = f"{ensemble}, {findings.swept} {percent(fraction)}"
    axes.set_title(text, fontsize=9.5, pad=4)
    if split:
        share = np.nanmean(findings.values.of(ensemble, fraction).fast_percolates)
        axes.set_title(
            f"{percent(float(share))} percolate",
            fontsize=9,
            loc="right",
            pad=4,
            fontweight="normal",
            color=style.MUTED,
        )
        return
    p = f", p = {verdict.p_value:.2g}" if np.isfinite(verdict.p_value) else ""
    strong = verdict.modes == 2
    axes.set_title(
        f"{verdict.label}{p}  ({verdict.samples} × {verdict.values // max(verdict.samples, 1)} axes)",
        fontsize=9,
        loc="right",
        pad=4,
        fontweight="bold" if strong else "normal",
        color=style.PALETTE[1] if strong else style.MUTED,
    )
    if verdict.pooled.modes == verdict.modes:
        top = axes.get_ylim()[1]
        for centre in verdict.pooled.centres:
            axes.plot(10**centre, 0.93 * top, "v", color=style.INK, markersize=5, clip_on=False)
