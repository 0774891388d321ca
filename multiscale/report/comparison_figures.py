"""Circuit against field, what carries the flux, and how well it was solved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from multiscale.report import style
from multiscale.report.findings import Findings
from multiscale.report.observations import (
    AxisValues,
    Floats,
    levels,
    names,
    sample_ensembles,
    target_fraction,
)

PART_OF = {"flux_share": "part", "dissipation_share": "dissipation_part"}
"""Coordinate of each kind of share."""
NEIGHBOURHOOD = "heterointerface neighbourhood"
"""Part that overlaps all others."""


@dataclass(frozen=True, slots=True)
class CircuitError:
    """How far the circuit is from the field solution.

    Parameters
    ----------
    n : int
        Pairs with both values above zero.
    median : float
        Median of circuit/field − 1.
    median_size : float
        Median of its absolute value.
    low, high : float
        5 % and 95 % quantiles of circuit/field − 1.
    worst : float
        The value farthest from zero.
    only_one_zero : int
        Pairs of which exactly one is zero.
    """

    n: int
    median: float
    median_size: float
    low: float
    high: float
    worst: float
    only_one_zero: int


def relative_error(values: AxisValues) -> Floats:
    """Divide circuit by field, minus one.

    Parameters
    ----------
    values : AxisValues
        Any entries.

    Returns
    -------
    numpy.ndarray
        (n,) with NaN where either is missing or zero.
    """
    good = np.isfinite(values.circuit) & (values.circuit > 0) & (values.diffusivity > 0)
    whole = np.where(good, values.diffusivity, 1.0)
    return np.where(good, values.circuit / whole - 1, np.nan)


def circuit_error(values: AxisValues) -> CircuitError:
    """Summarise circuit against field.

    Parameters
    ----------
    values : AxisValues
        Any entries.

    Returns
    -------
    CircuitError
        NaN statistics where there are no pairs.
    """
    error = relative_error(values)
    error = error[np.isfinite(error)]
    known = np.isfinite(values.circuit)
    one_zero = known & ((values.circuit > 0) != (values.diffusivity > 0))
    zeros = int(np.count_nonzero(one_zero))
    if error.size == 0:
        nan = float("nan")
        return CircuitError(0, nan, nan, nan, nan, nan, zeros)
    low, middle, high = np.quantile(error, (0.05, 0.5, 0.95))
    size = float(np.median(np.abs(error)))
    worst = float(error[np.argmax(np.abs(error))])
    return CircuitError(error.size, float(middle), size, float(low), float(high), worst, zeros)


@style.styled
def circuit(findings: Findings) -> Figure:
    """Draw circuit against field and the distribution of their difference.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        A scatter on logarithmic axes, the relative error against volume fraction.
    """
    figure, grid = style.panels(1, 2, 4.6)
    left, right = grid[0]
    values = findings.values
    for e, ensemble in enumerate(findings.ensembles):
        group = values.of(ensemble)
        error = relative_error(group)
        good = np.isfinite(error)
        look: dict[str, Any] = {
            "color": style.PALETTE[e % 8],
            "marker": style.MARKERS[e % 7],
            "alpha": 0.5,
        }
        look |= {"linewidths": 0, "rasterized": True, "label": ensemble}
        left.scatter(group.diffusivity[good], group.circuit[good], s=11, **look)
        shift = 0.008 * (e - (len(findings.ensembles) - 1) / 2)
        jitter = np.random.default_rng(e).uniform(-0.003, 0.003, len(group)) + shift
        right.scatter((group.volume_fraction + jitter)[good], 100 * error[good], s=9, **look)
    both = np.concatenate([values.positive, values.circuit[values.circuit > 0]])
    style.decades(left, "x", both)
    style.decades(left, "y", both)
    ends = left.get_xlim()
    left.plot(ends, ends, color=style.INK, linewidth=0.8)
    left.set_xlabel("field solution [m²/s]")
    left.set_ylabel("resistor network [m²/s]")
    right.axhline(0, color=style.INK, linewidth=0.8)
    right.set_xlabel(f"volume fraction of {findings.swept}")
    right.set_ylabel("network / field − 1 [%]")
    for axes in grid[0]:
        style.grid(axes)
        axes.legend()
    return figure


@dataclass(frozen=True, slots=True)
class Shares:
    """Mean share of the flux that each part carries.

    Parameters
    ----------
    fractions : tuple of float
        Target volume fractions.
    parts : tuple of str
        Names of the parts.
    mean : numpy.ndarray
        (fractions, parts) mean over samples and axes; NaN where nothing flows.
    """

    fractions: tuple[float, ...]
    parts: tuple[str, ...]
    mean: Floats


def mean_shares(findings: Findings, ensemble: str, variable: str = "flux_share") -> Shares:
    """Average the shares of flux or of dissipation over samples and axes.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    ensemble : str
        Name of the ensemble.
    variable : str, optional
        ``"flux_share"`` or ``"dissipation_share"``.

    Returns
    -------
    Shares
        At the reference temperature; no fractions where nothing is stored.
    """
    data, over = findings.dataset, PART_OF[variable]
    parts = tuple(names(data, over))
    if variable not in data:
        return Shares((), parts, np.empty((0, len(parts))))
    chosen = data[variable].sel(temperature=findings.temperature, method="nearest")
    table = chosen.transpose("sample", "axis", over).values.astype(np.float64)
    member, fraction = sample_ensembles(data) == ensemble, target_fraction(data)
    kept, rows = [], []
    for level in levels(fraction[member]):
        here = table[member & np.isclose(fraction, level)].reshape(-1, len(parts))
        here = here[np.isfinite(here).any(axis=1)]
        if here.size:
            kept.append(level)
            rows.append(np.nan_to_num(here).mean(axis=0))
    return Shares(tuple(kept), parts, np.array(rows).reshape(-1, len(parts)))


@style.styled
def shares(findings: Findings, variable: str = "flux_share") -> Figure:
    """Draw what carries the flux, or what dissipates, against volume fraction.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    variable : str, optional
        ``"flux_share"`` or ``"dissipation_share"``.

    Returns
    -------
    matplotlib.figure.Figure
        Stacked bars an ensemble; the heterointerface neighbourhood as a line,
        since it overlaps the other parts.
    """
    figure, grid = style.panels(1, len(findings.ensembles), 4.6, sharey=True)
    for axes, ensemble in zip(grid[0], findings.ensembles, strict=True):
        found = mean_shares(findings, ensemble, variable)
        axes.set_title(ensemble)
        if not found.fractions:
            style.note(axes, "nothing flows or not stored")
            continue
        _stack(axes, found)
        axes.set_xlabel(f"volume fraction of {findings.swept}")
        style.grid(axes, "y")
    grid[0][0].set_ylabel(f"mean share of the {variable.removesuffix('_share')} [%]")
    filled = next((axes for axes in grid[0] if axes.has_data()), grid[0][0])
    style.legend_above(figure, filled)
    return figure


def part_colours(parts: tuple[str, ...]) -> dict[str, tuple[float, float, float]]:
    """Choose a colour for each part that is stacked.

    Parameters
    ----------
    parts : tuple of str
        Names of the parts.

    Returns
    -------
    dict of str to tuple of float
        Phases in their own colours; for each boundary type one colour, full
        along the boundary and light across it.
    """
    ways = ("along ", "across ")
    plain = [part for part in parts if not part.startswith(ways) and part != NEIGHBOURHOOD]
    types = sorted({part.split(" ", 1)[1] for part in parts if part.startswith(ways)})
    made = {name: style.lighter(tint, 0) for name, tint in style.phase_tints(plain).items()}
    for i, name in enumerate(types):
        colour = style.PALETTE[(0, 1, 2, 3)[i % 4]]
        made[f"along {name}"] = style.lighter(colour, 0.0)
        made[f"across {name}"] = style.lighter(colour, 0.5)
    return made


def _stack(axes: Axes, shares: Shares) -> None:
    x = np.array(shares.fractions)
    gaps = np.diff(x)
    width = 0.72 * float(gaps.min()) if gaps.size else 0.08
    above, below = np.zeros(x.size), np.zeros(x.size)
    for name, colour in part_colours(shares.parts).items():
        if name not in shares.parts:
            continue
        height = 100 * shares.mean[:, shares.parts.index(name)]
        base = np.where(height < 0, below, above)
        axes.bar(x, height, width, base, color=colour, ec="white", lw=0.4, label=name)
        above, below = above + np.maximum(height, 0), below + np.minimum(height, 0)
    if below.any():
        axes.axhline(0, color=style.INK, linewidth=0.8)
    if NEIGHBOURHOOD in shares.parts:
        line = 100 * shares.mean[:, shares.parts.index(NEIGHBOURHOOD)]
        axes.plot(x, line, "o-", color=style.INK, markersize=4.5, label=NEIGHBOURHOOD)


QUALITY = (
    ("flux_imbalance", "relative flux imbalance", True),
    ("residual", "relative residual", True),
    ("iterations", "iterations", False),
    ("solve_seconds", "seconds a solve", True),
)
"""Measures of solver quality: variable, axis label, whether the axis is logarithmic."""


def quality_values(findings: Findings, name: str, ensemble: str) -> Floats:
    """Read a measure of solver quality, all temperatures and axes.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    name : str
        For example ``"flux_imbalance"``.
    ensemble : str
        Name of the ensemble.

    Returns
    -------
    numpy.ndarray
        Finite values, flat; empty where not stored.
    """
    data = findings.dataset
    if name not in data:
        return np.empty(0)
    table = data[name].transpose("sample", ...).values.astype(np.float64)
    chosen = table[sample_ensembles(data) == ensemble].ravel()
    return np.asarray(chosen[np.isfinite(chosen)])


@style.styled
def solver_quality(findings: Findings) -> Figure:
    """Draw how well and how fast the flux problems were solved.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        Histograms of imbalance, residual, iterations and time.
    """
    figure, grid = style.panels(1, 4, 3.2)
    for axes, (name, label, logarithmic) in zip(grid[0], QUALITY, strict=True):
        axes.set_xlabel(label)
        sets = [quality_values(findings, name, ensemble) for ensemble in findings.ensembles]
        every = np.concatenate(sets) if sets else np.empty(0)
        if every.size == 0:
            style.note(axes, "not stored")
            continue
        _quality_panel(axes, findings, sets, every, logarithmic=logarithmic)
    grid[0][0].set_ylabel("solves [%]")
    return figure


def _quality_panel(
    axes: Axes, findings: Findings, sets: list[Floats], every: Floats, *, logarithmic: bool
) -> None:
    positive = every[every > 0]
    logarithmic = logarithmic and positive.size > 0
    if logarithmic:
        low, high = np.log10(positive.min()) - 0.05, np.log10(positive.max()) + 0.05
        edges = np.logspace(low, high, 30)
        style.decades(axes, "x", edges, narrow=True)
    else:
        low, high = np.floor(every.min()) - 0.5, np.ceil(every.max()) + 0.5
        edges = np.linspace(low, high, int(min(high - low, 30)) + 1)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for e, (ensemble, values) in enumerate(zip(findings.ensembles, sets, strict=True)):
        inside = np.clip(values, edges[0], edges[-1])
        share = 100 * np.histogram(inside, edges)[0] / max(values.size, 1)
        axes.stairs(share, edges, color=style.PALETTE[e % 8], label=ensemble, linewidth=1.6)
    axes.set_ylim(bottom=0)
    style.grid(axes, "y")
    axes.legend(fontsize=8)
