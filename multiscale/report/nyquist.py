"""Nyquist plot: impedance spectra in the complex plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from multiscale.circuit import ImpedanceSpectrum
from multiscale.circuit.elements import Complexes, Floats
from multiscale.errors import InputError, describe
from multiscale.report import style

PREFIXES = {9: "G", 6: "M", 3: "k", 0: "", -3: "m", -6: "µ", -9: "n"}
"""SI prefixes by their power of ten."""
SYMBOLS = {"ohm": "Ω", "ohm m2": "Ω m²"}
APART = 0.065
"""Labels of decades keep this distance, in widths of the plot."""
FLATTEST, TALLEST = 0.4, 1.2
"""Smallest and largest height of the plot over its width."""
STEP = (-0.1, 0.1)
"""Decades to both sides of a label over which the curve's direction is taken."""
Span = tuple[float, float]


@style.styled
def nyquist_figure(
    spectra: Mapping[str, ImpedanceSpectrum], fits: Mapping[str, ImpedanceSpectrum] | None = None
) -> Figure:
    """Draw −Z″ over Z′ with equal axes and the frequency at every decade.

    Parameters
    ----------
    spectra : mapping of str to ImpedanceSpectrum
        By label; all in one unit. Drawn as points.
    fits : mapping of str to ImpedanceSpectrum, optional
        Drawn as lines, in the colour of the spectrum of the same label.

    Returns
    -------
    matplotlib.figure.Figure
        One panel, with a legend where there are several labels.

    Raises
    ------
    InputError
        If there is no spectrum, or units differ.
    """
    fits = fits or {}
    shown = [*spectra.values(), *fits.values()]
    units = sorted({spectrum.unit for spectrum in shown})
    if len(units) != 1:
        raise InputError(describe("spectra", "spectra of one unit", ", ".join(units) or "none"))
    power = _power(shown)
    horizontal, vertical = _limits(shown, 10.0**power)
    ratio = (vertical[1] - vertical[0]) / (horizontal[1] - horizontal[0])
    figure, [[axes]] = style.panels(1, 1, 1.2 + 6.3 * ratio, width=7.2)
    style.grid(axes)
    axes.set(xlim=horizontal, ylim=vertical, aspect="equal")
    taken: list[tuple[float, float]] = []
    for number, label in enumerate(dict.fromkeys([*spectra, *fits])):
        colour = style.PALETTE[number % len(style.PALETTE)]
        if label in fits:
            z = _by_frequency(fits[label]) / 10.0**power
            name = None if label in spectra else label
            axes.plot(z.real, -z.imag, color=colour, label=name, zorder=2)
        if label in spectra:
            marker = style.MARKERS[number % len(style.MARKERS)]
            z = _by_frequency(spectra[label]) / 10.0**power
            line = "none" if label in fits else "-"
            drawn: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": line}
            axes.plot(z.real, -z.imag, markersize=3.0, linewidth=0.8, label=label, **drawn)
            _mark_decades(axes, spectra[label], 10.0**power, colour, marker, taken)
    _label(axes, f"{PREFIXES[power]}{SYMBOLS[units[0]]}")
    if len({*spectra, *fits}) > 1:
        style.legend_above(figure, axes)
    return figure


def decade_points(spectrum: ImpedanceSpectrum) -> dict[int, complex]:
    """Interpolate a spectrum at whole powers of ten of the frequency.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        In any order.

    Returns
    -------
    dict of int to complex
        Impedance by the power of ten, for those within the measured range; linear in the
        logarithm of the frequency.
    """
    order = np.argsort(spectrum.frequency)
    logs, z = np.log10(spectrum.frequency[order]), spectrum.impedance[order]
    powers = np.arange(np.ceil(logs[0] - 1e-9), np.floor(logs[-1] + 1e-9) + 1)
    at = np.interp(powers, logs, z.real) + 1j * np.interp(powers, logs, z.imag)
    return {int(power): complex(value) for power, value in zip(powers, at, strict=True)}


def frequency_name(power: int) -> str:
    """Write a power of ten of a frequency with an SI prefix.

    Parameters
    ----------
    power : int
        Of ten, in Hz.

    Returns
    -------
    str
        Such as ``"10 kHz"``.
    """
    third = min(max(power // 3 * 3, min(PREFIXES)), max(PREFIXES))
    return f"{10.0 ** (power - third):g} {PREFIXES[third]}Hz"


def _by_frequency(spectrum: ImpedanceSpectrum) -> Complexes:
    return spectrum.impedance[np.argsort(spectrum.frequency)]


def _power(shown: list[ImpedanceSpectrum]) -> int:
    """Power of ten of the prefix with which the largest value has 1 to 3 digits."""
    largest = max(float(spectrum.modulus.max()) for spectrum in shown)
    power = int(np.floor(np.log10(largest) / 3) * 3) if largest > 0 else 0
    return min(max(power, min(PREFIXES)), max(PREFIXES))


def _limits(shown: list[ImpedanceSpectrum], scale: float) -> tuple[Span, Span]:
    """Ranges of Z′ and −Z″ that show all points, the origin, and room for labels.

    The narrower range is widened until the panel is neither a strip nor a tower.
    """
    z = np.concatenate([spectrum.impedance for spectrum in shown]) / scale
    left, right = min(float(z.real.min()), 0.0), max(float(z.real.max()), 0.0)
    low, high = min(float(-z.imag.max()), 0.0), max(float(-z.imag.min()), 0.0)
    margin = 0.07 * (max(right - left, high - low) or 1.0)
    left, right = left - margin, right + margin
    low, high = low - min(margin, -3.0 * low), high + margin
    right = max(right, left + (high - low) / TALLEST)
    high = max(high, low + (right - left) * FLATTEST)
    return (left, right), (low, high)


def _mark_decades(
    axes: Axes,
    spectrum: ImpedanceSpectrum,
    scale: float,
    colour: str,
    marker: str,
    taken: list[tuple[float, float]],
) -> None:
    """Mark each decade; label those that lie apart from the labels that are there."""
    span = APART * float(np.ptp(axes.get_xlim()))
    points = decade_points(spectrum)
    for (power, value), (right, up) in zip(
        points.items(), _outwards(spectrum, points), strict=True
    ):
        x, y = value.real / scale, -value.imag / scale
        edge: dict[str, Any] = {"markerfacecolor": "white", "markeredgecolor": colour}
        axes.plot(x, y, marker=marker, markersize=6.5, linestyle="none", zorder=4, **edge)
        if all(np.hypot(x - a, y - b) > span for a, b in taken):
            taken.append((x, y))
            axes.annotate(
                frequency_name(power),
                (x, y),
                xytext=(8.0 * right, max(8.0 * up, 2.0)),
                textcoords="offset points",
                ha="left" if right > 0.3 else "right" if right < -0.3 else "center",
                va="bottom",
                color=colour,
                fontsize=8.0,
                zorder=5,
                path_effects=[Stroke(linewidth=2.5, foreground="white"), Normal()],
            )


def _outwards(spectrum: ImpedanceSpectrum, powers: Iterable[int]) -> Floats:
    """Directions across the curve, upwards, at powers of ten of the frequency."""
    order = np.argsort(spectrum.frequency)
    logs, z = np.log10(spectrum.frequency[order]), spectrum.impedance[order]
    at = np.asarray(list(powers), dtype=np.float64)
    step = [np.interp(at + d, logs, z.real) - 1j * np.interp(at + d, logs, z.imag) for d in STEP]
    across = 1j * (step[1] - step[0])
    across = np.where(across.imag < 0, -across, across)
    across = np.where(across == 0, 1j, across)
    across = across / np.abs(across)
    return np.column_stack([across.real, across.imag])


def _label(axes: Axes, unit: str) -> None:
    axes.set_xlabel(f"Z′ [{unit}]")
    axes.set_ylabel(f"−Z″ [{unit}]")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
