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
MOST_BINS = 56
"""Most bins across one panel."""
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
    """Share bins among all panels, wider where a panel holds few values."""
    positive = np.log10(values.positive)
    groups = len(levels(values.volume_fraction)) * np.unique(values.ensemble).size
    bins = int(np.clip(6 * np.sqrt(len(values) / max(groups, 1)), 16, MOST_BINS))
    if positive.size == 0:
        return np.logspace(-15, -10, bins)
    low, high = positive.min(), positive.max()
    middle, half = (low + high) / 2, max((high - low) / 2, 0.15) * 1.04
    return np.asarray(np.logspace(middle - half, middle + half, bins), dtype=np.float64)


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
            _scale(axes, edges, zero=findings.values.zeros > 0)
            _histogram(axes, group, edges, split=split)
            title = f"{ensemble}, {findings.swept} {percent(fraction)}"
            _annotate(axes, title, group, findings.verdicts[ensemble][fraction], split=split)
    for axes in grid[-1]:
        axes.set_xlabel(_AXIS)
        axes.tick_params(labelbottom=True)
    figure.supylabel("share of values in the bin [%]", fontsize=10)
    return figure


def _scale(axes: Axes, edges: Floats, *, zero: bool) -> None:
    """Share one logarithmic axis, with room on its left for the bar of zeros."""
    style.decades(axes, "x", edges, minor=False)
    style.grid(axes, "x")
    if zero:
        ticks = axes.xaxis.get_major_locator().tick_values(edges[0], edges[-1])
        axes.set_xticks([tick for tick in ticks if edges[0] <= tick <= edges[-1]])
        axes.set_xlim(left=edges[0] / (edges[1] / edges[0]) ** 6)


def _histogram(axes: Axes, group: AxisValues, edges: Floats, *, split: bool) -> None:
    axes.locator_params(axis="y", nbins=3)
    parts = [(group, style.MUTED)]
    if split:
        blocked, percolating = (group.where(group.fast_percolates == state) for state in (0, 1))
        parts = [(blocked, style.BLOCKED), (percolating, style.PERCOLATING)]
    base, zero_base = np.zeros(edges.size - 1), 0.0
    step = edges[1] / edges[0]
    place = edges[0] / np.array([step**4.5, step**2.5])
    for part, colour in parts:
        top = base + 100 * np.histogram(part.positive, edges)[0] / len(group)
        axes.stairs(top, edges, baseline=base, fill=True, color=colour, linewidth=0)
        share = zero_base + 100 * part.zeros / len(group)
        axes.stairs([share], place, baseline=zero_base, fill=True, color=colour)
        base, zero_base = top, share
    if zero_base > 0:
        middle = edges[0] / step**3.5
        axes.text(middle, zero_base, "D = 0", ha="center", va="bottom", fontsize=8)
    axes.set_ylim(0, 1.2 * max(base.max(), zero_base, 1.0))


def _annotate(
    axes: Axes, title: str, group: AxisValues, verdict: ModeVerdict, *, split: bool
) -> None:
    axes.set_title(title, fontsize=9.5, pad=4)
    if split:
        text, strong = f"{percent(float(np.nanmean(group.fast_percolates)))} percolate", False
    else:
        p = f", p = {verdict.p_value:.2g}" if np.isfinite(verdict.p_value) else ""
        sets = f"({verdict.samples} × {verdict.values // max(verdict.samples, 1)} axes)"
        text, strong = f"{verdict.label}{p}  {sets}", verdict.modes == 2
        _marks(axes, group, verdict)
    colour, weight = (style.PALETTE[1], "bold") if strong else (style.MUTED, "normal")
    axes.set_title(text, fontsize=9, loc="right", pad=4, fontweight=weight, color=colour)


def _marks(axes: Axes, group: AxisValues, verdict: ModeVerdict) -> None:
    """Mark two centres, or the median where there is one mode."""
    centres = [10**centre for centre in verdict.pooled.centres]
    if len(centres) != 2 or verdict.modes != 2:
        centres = [float(np.median(group.positive))] if group.positive.size else []
    top = axes.get_ylim()[1]
    axes.plot(centres, [0.93 * top] * len(centres), "v", color=style.INK, markersize=5)
