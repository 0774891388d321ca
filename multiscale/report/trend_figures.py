"""D_eff against volume fraction, grain size and temperature."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multiscale.report import style
from multiscale.report.distribution_figures import shown_fractions
from multiscale.report.findings import Findings
from multiscale.report.observations import (
    AxisValues,
    Floats,
    diagonal,
    levels,
    per_sample,
    phases,
    sample_ensembles,
    target_fraction,
    temperatures,
)
from multiscale.report.trends import phase_energies, quantile, summaries
from multiscale.report.wording import percent

_D = "effective diffusivity [m²/s]"
_BOUNDS = {
    "wiener": ("Wiener", "--", style.MUTED),
    "hashin_shtrikman": ("Hashin–Shtrikman", ":", style.INK),
}


def bounds(findings: Findings, name: str, ensemble: str) -> tuple[Floats, Floats, Floats] | None:
    """Read a pair of bounds against the volume fraction.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    name : str
        ``"wiener"`` or ``"hashin_shtrikman"``.
    ensemble : str
        Name of the ensemble.

    Returns
    -------
    tuple of numpy.ndarray or None
        Volume fraction, median lower and median upper bound [m²/s] of the bulk
        phases; None where not stored.
    """
    data, pair = findings.dataset, []
    member = sample_ensembles(data) == ensemble
    fraction = target_fraction(data)
    for side in ("lower", "upper"):
        if f"{name}_{side}" not in data:
            return None
        chosen = data[f"{name}_{side}"].sel(temperature=findings.temperature, method="nearest")
        pair.append(np.asarray(chosen.values, dtype=np.float64))
    rows = []
    for level in levels(fraction[member]):
        here = member & np.isclose(fraction, level) & np.isfinite(pair[0]) & np.isfinite(pair[1])
        if here.any():
            rows.append((level, np.median(pair[0][here]), np.median(pair[1][here])))
    x, low, high = np.array(rows).reshape(-1, 3).T
    return x, low, high


def _floor(values: Floats) -> float:
    positive = values[values > 0]
    return float(positive.min()) / 3 if positive.size else 1e-30


@style.styled
def against_fraction(findings: Findings) -> Figure:
    """Draw D_eff against volume fraction with bounds and percolation thresholds.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an ensemble, with one logarithmic axis in common.
    """
    figure, grid = style.panels(1, len(findings.ensembles), 4.9, sharey=True)
    shown = [findings.values.positive]
    for axes, ensemble in zip(grid[0], findings.ensembles, strict=True):
        for name in _BOUNDS:
            found = bounds(findings, name, ensemble)
            shown += [found[1], found[2]] if found else []
        _fraction_panel(axes, findings, ensemble)
    everything = np.concatenate(shown)
    for axes in grid[0]:
        style.decades(axes, "y", everything)
        if findings.values.zeros:
            _zero_line(axes, findings.values)
        style.grid(axes)
    grid[0][0].set_ylabel(_D)
    style.legend_above(figure, grid[0][0])
    return figure


def _zero_line(axes: Axes, values: AxisValues) -> None:
    bottom = _floor(values.positive)
    axes.set_ylim(bottom=min(bottom / 1.5, axes.get_ylim()[0]))
    axes.axhline(bottom, color=style.MUTED, linewidth=0.6)
    axes.annotate(
        "D = 0", (0.01, bottom), xycoords=("axes fraction", "data"), va="bottom", fontsize=8
    )


def _fraction_panel(axes: Axes, findings: Findings, ensemble: str) -> None:
    group, floor = findings.values.of(ensemble), _floor(findings.values.positive)
    for name, (label, line, ink) in _BOUNDS.items():
        found = bounds(findings, name, ensemble)
        for edge in found[1:] if found else ():
            axes.plot(found[0] if found else [], edge, line, color=ink, lw=1.3, label=label)
    _cloud(axes, group, floor)
    points = summaries(group.diffusivity, group.volume_fraction)
    x, colour = [level for level, _ in points], style.PALETTE[0]

    def at(probability: float) -> list[float]:
        return [max(quantile(s, probability), floor) for _, s in points]

    axes.fill_between(x, at(0.1), at(0.9), color=colour, alpha=0.15, lw=0, label="10–90 %")
    axes.fill_between(x, at(0.25), at(0.75), color=colour, alpha=0.3, lw=0, label="25–75 %")
    axes.plot(x, at(0.5), "o-", color=colour, markersize=5, label="median")
    curve = findings.percolation.get(ensemble)
    if curve is not None and np.isfinite(curve.threshold):
        _threshold(axes, findings, curve.threshold)
    axes.set_title(ensemble)
    axes.set_xlabel(f"volume fraction of {findings.swept}")


def _threshold(axes: Axes, findings: Findings, own: float) -> None:
    place = own if findings.fast == findings.swept else 1 - own
    axes.axvline(place, color=style.PALETTE[2], linewidth=1.2)
    axes.annotate(
        f"{findings.fast} percolates\nin half of the cases",
        (place, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(4 if place < 0.6 else -4, 0),
        textcoords="offset points",
        ha="left" if place < 0.6 else "right",
        fontsize=8.5,
        color=style.PALETTE[2],
        bbox={"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 1.5},
    )


def _cloud(axes: Axes, group: AxisValues, floor: float) -> None:
    steps = np.diff(levels(group.volume_fraction))
    width = 0.12 * float(steps.min()) if steps.size else 0.01
    shift = np.random.default_rng(0).uniform(-width, width, len(group))
    colours = np.where(group.fast_percolates == 1, style.PERCOLATING, style.BLOCKED)
    colours = np.where(np.isnan(group.fast_percolates), style.UNKNOWN, colours)
    place = np.maximum(group.diffusivity, floor)
    axes.scatter(
        group.volume_fraction + shift,
        place,
        s=7,
        c=colours,
        alpha=0.45,
        linewidths=0,
        rasterized=True,
    )


def _ramp(count: int) -> list[tuple[float, float, float, float]]:
    chosen = mpl.colormaps["viridis"](np.linspace(0.0, 0.88, max(count, 1)))
    return [tuple(map(float, colour)) for colour in chosen]  # type: ignore[misc]


@style.styled
def against_grain_size(findings: Findings) -> Figure:
    """Draw the median D_eff against grain size for several volume fractions.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an ensemble; bars span the quartiles.
    """
    figure, grid = style.panels(1, len(findings.ensembles), 4.2, sharey=True)
    fractions = shown_fractions(levels(findings.values.volume_fraction), 6)
    colours = _ramp(len(fractions))
    for axes, ensemble in zip(grid[0], findings.ensembles, strict=True):
        for i, fraction in enumerate(fractions):
            group = findings.values.of(ensemble, fraction)
            label = f"{findings.swept} {percent(fraction)}"
            _size_line(axes, group, label, colours[i], 1.015 ** (i - len(fractions) / 2))
        axes.set_title(ensemble)
        axes.set_xlabel("grain size [µm]")
    for axes in grid[0]:
        style.decades(axes, "x", 1e6 * findings.values.grain_size)
        style.decades(axes, "y", findings.values.positive)
        style.grid(axes)
    grid[0][0].set_ylabel(f"median {_D}")
    style.legend_above(figure, grid[0][0])
    return figure


def _size_line(
    axes: Axes, group: AxisValues, label: str, colour: tuple[float, ...], shift: float
) -> None:
    points = [(x, s) for x, s in summaries(group.diffusivity, group.grain_size) if s.median > 0]
    if not points:
        return
    x = 1e6 * np.array([level for level, _ in points]) * shift
    middle = np.array([s.median for _, s in points])
    low = np.array([max(quantile(s, 0.25), s.median * 1e-3) for _, s in points])
    high = np.array([quantile(s, 0.75) for _, s in points])
    axes.errorbar(
        x, middle, yerr=(middle - low, high - middle), fmt="o-", color=colour, label=label,
        markersize=4.5, elinewidth=1.0,
    )  # fmt: skip


@style.styled
def arrhenius(findings: Findings) -> Figure:
    """Draw the median D_eff against 1000/T with the bulk phases beside it.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        One panel an ensemble; straight lines mean one activation energy.
    """
    figure, grid = style.panels(1, len(findings.ensembles) + 1, 4.6)
    fractions = shown_fractions(levels(findings.values.volume_fraction), 6)
    kelvin = np.array(temperatures(findings.dataset))
    shown: list[Floats] = []
    for axes, ensemble in zip(grid[0], findings.ensembles, strict=False):
        for fraction, colour in zip(fractions, _ramp(len(fractions)), strict=True):
            middle = medians(findings, ensemble, fraction)
            label = f"{findings.swept} {percent(fraction)}"
            line = np.where(middle > 0, middle, np.nan)
            axes.plot(1000 / kelvin, line, "o-", color=colour, label=label, markersize=4.5)
            shown.append(middle)
        shown += _bulk_lines(axes, findings, kelvin)
        axes.set_title(ensemble)
        axes.set_xlabel("1000 / T [1/K]")
        _temperature_axis(axes, kelvin)
    for axes in grid[0][:-1]:
        style.decades(axes, "y", np.concatenate(shown))
        style.grid(axes)
    grid[0][0].set_ylabel(f"median {_D}")
    _energy_panel(grid[0][-1], findings)
    style.legend_above(figure, grid[0][0])
    return figure


def _energy_panel(axes: Axes, findings: Findings) -> None:
    data = findings.dataset
    member, fraction = sample_ensembles(data), target_fraction(data)
    for e, ensemble in enumerate(findings.ensembles):
        table = findings.energies[member == ensemble]
        groups = np.broadcast_to(fraction[member == ensemble][:, None], table.shape)
        known = np.isfinite(table) & np.isfinite(groups)
        points = summaries(table[known], groups[known])
        x, colour = [level for level, _ in points], style.PALETTE[e % 8]
        low, middle, high = ([quantile(s, q) for _, s in points] for q in (0.1, 0.5, 0.9))
        axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(x, middle, marker=style.MARKERS[e % 7], color=colour, label=ensemble, ms=4.5)
    for i, energy in enumerate(phase_energies(data).values()):
        line = ("--", ":", "-.")[i % 3]
        axes.axhline(energy, linestyle=line, color=style.INK, linewidth=1.3)
    axes.margins(y=0.16)
    axes.set_title("apparent activation energy", pad=24)
    axes.set_ylabel("median and 10–90 % [eV]")
    axes.set_xlabel(f"volume fraction of {findings.swept}")
    style.grid(axes)
    axes.legend(fontsize=8)


def medians(findings: Findings, ensemble: str, fraction: float) -> Floats:
    """Take the median of D_eff over samples and axes at each temperature.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    ensemble : str
        Name of the ensemble.
    fraction : float
        Target volume fraction.

    Returns
    -------
    numpy.ndarray
        (t,) [m²/s], temperatures rising; NaN where nothing was computed.
    """
    data = findings.dataset
    member = sample_ensembles(data) == ensemble
    member &= np.isclose(target_fraction(data), fraction)
    tables = [diagonal(data, "effective_diffusivity", t)[member] for t in temperatures(data)]
    known = [table[np.isfinite(table)] for table in tables]
    return np.array([np.median(table) if table.size else np.nan for table in known])


def _bulk_lines(axes: Axes, findings: Findings, kelvin: Floats) -> list[Floats]:
    if "phase_diffusivity" not in findings.dataset:
        return []
    table = findings.dataset["phase_diffusivity"].transpose("phase", "temperature").values
    lines = [np.asarray(row, dtype=np.float64) for row in table]
    styles = ("--", ":", "-.")
    for i, (name, line) in enumerate(zip(phases(findings.dataset), lines, strict=True)):
        shown = np.where(line > 0, line, np.nan)
        axes.plot(
            1000 / kelvin, shown, styles[i % 3], color=style.INK, lw=1.3, label=f"bulk {name}"
        )
    return lines


def _temperature_axis(axes: Axes, kelvin: Floats) -> None:
    top = axes.secondary_xaxis("top", functions=(_reciprocal, _reciprocal))
    top.set_xticks(list(kelvin), [f"{value:g} K" for value in kelvin])
    top.tick_params(colors=style.INK)
    axes.set_title(axes.get_title(loc="left"), pad=24)


def _reciprocal(value: Any) -> Any:
    value = np.asarray(value, dtype=np.float64)
    return np.divide(1000.0, value, out=np.full_like(value, 1e9), where=value != 0)


@style.styled
def descriptors(findings: Findings) -> Figure:
    """Draw boundary area and heterointerfaces against volume fraction.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        Made dimensionless with the grain size or the number of grains, so that
        all sizes agree.
    """
    figure, grid = style.panels(1, 2, 4.4)
    _area_panel(grid[0][0], findings)
    _junction_panel(grid[0][1], findings)
    for axes in grid[0]:
        if not axes.lines:
            axes.set_ylabel("")
            style.note(axes, "not stored")
            continue
        axes.set_xlabel(f"volume fraction of {findings.swept}")
        style.grid(axes)
        axes.set_ylim(bottom=0)
        style.legend_below(axes, len(findings.ensembles))
    return figure


def _area_panel(axes: Axes, findings: Findings) -> None:
    data, member = findings.dataset, sample_ensembles(findings.dataset)
    size, fraction = per_sample(data, "grain_size"), target_fraction(data)
    axes.set_ylabel("boundary area per volume × grain size")
    if "boundary_area_density" not in data:
        return
    for e, ensemble in enumerate(findings.ensembles):
        here = member == ensemble
        for b, name in enumerate(str(v) for v in data["boundary_type"].values):
            area = data["boundary_area_density"].sel(boundary_type=name).values * size
            _median_line(axes, fraction[here], area[here], f"{ensemble}  {name}", e, b)


def _junction_panel(axes: Axes, findings: Findings) -> None:
    data, member = findings.dataset, sample_ensembles(findings.dataset)
    fraction, grains = target_fraction(data), per_sample(data, "grains")
    counts = {"exact points": per_sample(data, "heterointerfaces") / grains}
    counts["clusters"] = per_sample(data, "heterointerface_clusters") / grains
    if not np.isfinite(grains).any():
        power = np.nan_to_num(per_sample(data, "dimension"), nan=3)
        volume = per_sample(data, "grain_size") ** power
        counts = {"exact points": per_sample(data, "heterointerface_density") * volume}
    axes.set_ylabel("heterointerfaces per grain")
    for e, ensemble in enumerate(findings.ensembles):
        here = member == ensemble
        for c, (name, values) in enumerate(counts.items()):
            _median_line(axes, fraction[here], values[here], f"{ensemble}  {name}", e, 3 + c)


def _median_line(axes: Axes, x: Floats, y: Floats, label: str, dash: int, colour: int) -> None:
    known = np.isfinite(x) & np.isfinite(y)
    points = summaries(y[known], x[known])
    if not points:
        return
    axes.plot(
        [level for level, _ in points],
        [s.median for _, s in points],
        ("--", "-", ":", "-.")[dash % 4],
        marker=style.MARKERS[dash % len(style.MARKERS)],
        markersize=4.5,
        color=style.PALETTE[colour % len(style.PALETTE)],
        label=label,
    )


def has_sizes(findings: Findings) -> bool:
    """Tell whether more than one grain size was studied.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    bool
        True for two or more.
    """
    return len(levels(findings.values.grain_size)) > 1


def has_descriptors(findings: Findings) -> bool:
    """Tell whether boundary areas or heterointerfaces are stored.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    bool
        True for either.
    """
    wanted = ("boundary_area_density", "heterointerface_density", "heterointerfaces")
    return any(name in findings.dataset for name in wanted)
