"""Percolation probability of phases and boundary types."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from multiscale.report import style
from multiscale.report.findings import Findings
from multiscale.report.trends import Curve, percolation_curves


@style.styled
def percolation(findings: Findings) -> Figure:
    """Draw how often phases and boundary types connect opposite faces.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    matplotlib.figure.Figure
        Probability of each phase against its own volume fraction, mean
        percolating fraction, and probability of each boundary type.
    """
    data = findings.dataset
    figure, grid = style.panels(1, 3, 4.4)
    wanted = (
        ("percolates", "phase", "phase connects opposite faces"),
        ("percolating_fraction", "phase", "share of the phase that is connected"),
        ("boundary_percolates", "boundary_type", "boundary type connects"),
    )
    for axes, (variable, coordinate, title) in zip(grid[0], wanted, strict=True):
        axes.set_title(title)
        found = percolation_curves(data, variable, coordinate)
        if not found:
            style.note(axes, "not stored")
            continue
        _curves(axes, findings, found, bands=variable != "percolating_fraction")
        own = coordinate == "phase"
        axes.set_xlabel(f"volume fraction of {'the phase' if own else findings.swept}")
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlim(0, 1)
        style.grid(axes)
        style.legend_below(axes, 2)
    grid[0][0].set_ylabel("share of samples and axes")
    return figure


def _curves(axes: Axes, findings: Findings, curves: list[Curve], *, bands: bool) -> None:
    members = sorted({curve.name for curve in curves})
    for curve in curves:
        i, e = members.index(curve.name), findings_index(findings, curve.ensemble)
        colour = style.PALETTE[i % len(style.PALETTE)]
        if bands:
            axes.fill_between(curve.fraction, curve.low, curve.high, color=colour, alpha=0.1, lw=0)
        axes.plot(
            curve.fraction,
            curve.probability,
            ("--", "-", ":", "-.")[e % 4],
            marker=style.MARKERS[e % len(style.MARKERS)],
            markersize=4.5,
            color=colour,
            label=f"{curve.name}, {curve.ensemble}",
        )
    axes.axhline(0.5, color=style.MUTED, linewidth=0.7)


def findings_index(findings: Findings, ensemble: str) -> int:
    """Number an ensemble, for markers and dashes that agree in all figures.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    ensemble : str
        Its name.

    Returns
    -------
    int
        Its place; 0 if it has no transport values.
    """
    return findings.ensembles.index(ensemble) if ensemble in findings.ensembles else 0
