"""One look for all figures: palette, axes furniture, and figures as inline images.

Colours are those of Okabe and Ito, told apart by readers with any colour
vision. Nothing here touches pyplot, so no figure outlives its last reference.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

P = ParamSpec("P")

INK = "#22262b"
MUTED = "#6a7178"
RULE = "#d5d9dd"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F6000", "#000000")
PERCOLATING = "#0072B2"
BLOCKED = "#E69F00"
UNKNOWN = "#8c949b"
PHASE_TINTS = ("#f3cf9c", "#a4cde8", "#b5dfcf", "#ecd0e0", "#e4e4e4", "#f3ebad")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
WIDE = ((2.2, (1.0,)), (0.7, (1.0, 2.0, 5.0)), (0.0, (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)))
"""Labelled digits of a logarithmic axis that spans more than so many decades."""
NARROW = ((2.0, (1.0,)), (0.7, (1.0, 3.0)), (0.0, (1.0, 2.0, 3.0, 5.0)))
"""The same in a narrow panel."""
WIDTH = 11.0
"""Width of a figure [inch]; the page shows it about 1100 CSS pixels wide."""

_RC: Any = {
    "font.size": 10.0,
    "font.family": ["DejaVu Sans"],
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 10.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlecolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "multiscale",
    "mathtext.default": "regular",
}


def phase_tints(phase_names: Sequence[str]) -> dict[str, str]:
    """Choose a colour for each phase by its name, so that all figures agree.

    Parameters
    ----------
    phase_names : sequence of str
        Names in any order.

    Returns
    -------
    dict of str to str
        Name and colour, in the given order.
    """
    ordered = sorted(phase_names)
    many = len(PHASE_TINTS)
    return {name: PHASE_TINTS[ordered.index(name) % many] for name in phase_names}


def legend_below(axes: Axes, columns: int) -> None:
    """Place the legend of a panel under it, where it hides nothing.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    columns : int
        Columns of the legend.
    """
    place: dict[str, Any] = {
        "loc": "upper center",
        "bbox_to_anchor": (0.5, -0.19),
        "borderaxespad": 0.0,
    }
    axes.legend(fontsize=8.5, ncols=columns, **place)


def styled(build: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a figure builder under the report's look and leave the user's alone.

    Parameters
    ----------
    build : callable
        A function that returns a figure.

    Returns
    -------
    callable
        The same function; global settings are restored after each call.
    """

    @wraps(build)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(_RC):
            return build(*args, **kwargs)

    return inside


def panels(
    rows: int, columns: int, height: float, *, width: float = WIDTH, **options: Any
) -> tuple[Figure, list[list[Axes]]]:
    """Make a figure with a grid of axes.

    Parameters
    ----------
    rows, columns : int
        Panels down and across.
    height : float
        Height of the figure [inch].
    width : float, optional
        Width of the figure [inch].
    **options
        Passed to :meth:`matplotlib.figure.Figure.subplots`.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure, with an Agg canvas.
    axes : list of list of matplotlib.axes.Axes
        Rows of panels.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [list(row) for row in axes]


def grid(axes: Axes, which: str = "both") -> None:
    """Draw faint grid lines behind the data.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    which : str, optional
        ``"x"``, ``"y"`` or ``"both"``.
    """
    axes.grid(True, axis=which, color=RULE, linewidth=0.6)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def decades(
    axes: Axes, which: str, values: NDArray[np.float64], *, minor: bool = True, narrow: bool = False
) -> None:
    """Make an axis logarithmic with whole or half decades and labelled ticks.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    which : str
        ``"x"`` or ``"y"``.
    values : numpy.ndarray
        Everything shown; only positive finite values count.
    minor : bool, optional
        Draw ticks between the labelled ones.
    narrow : bool, optional
        Label fewer ticks, for a panel a quarter of the page wide.
    """
    shown = values[np.isfinite(values) & (values > 0)]
    if shown.size == 0:
        return
    low, high = np.log10(shown.min()), np.log10(shown.max())
    margin = max(0.05 * (high - low), 0.05)
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    limits = (10 ** (low - margin), 10 ** (high + margin))
    (axes.set_xlim if which == "x" else axes.set_ylim)(*limits)
    span = high - low + 2 * margin
    subs = next(subs for least, subs in (NARROW if narrow else WIDE) if span > least)
    step = max(1, int(np.ceil(span / 7)))
    axis.set_major_locator(ticker.LogLocator(base=10.0**step, subs=subs if step == 1 else (1.0,)))
    axis.set_major_formatter(ticker.FuncFormatter(short_power))
    between = ticker.LogLocator(subs=list(range(2, 10)), numticks=99)
    axis.set_minor_locator(between if minor else ticker.NullLocator())
    axis.set_minor_formatter(ticker.NullFormatter())


def short_power(value: float, position: int | None = None) -> str:
    """Write a tick of a logarithmic axis.

    Parameters
    ----------
    value : float
        Where the tick lies.
    position : int, optional
        Its number, unused.

    Returns
    -------
    str
        Mathtext such as ``2×10⁻¹³``.
    """
    if value <= 0:
        return ""
    power = int(np.floor(np.log10(value) + 1e-9))
    digit = round(value / 10.0**power, 6)
    if -2 <= power <= 2:
        return f"{value:g}"
    return rf"${digit:g}\times10^{{{power}}}$" if digit != 1 else rf"$10^{{{power}}}$"


def note(axes: Axes, text: str) -> None:
    """Say in an empty panel why it is empty.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    text : str
        One short line.
    """
    axes.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def legend_above(figure: Figure, axes: Axes, **options: Any) -> None:
    """Place the legend of one panel above all panels.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    axes : matplotlib.axes.Axes
        The panel whose entries are shown.
    **options
        Passed to :meth:`matplotlib.figure.Figure.legend`.
    """
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    if unique:
        figure.legend(
            list(unique.values()),
            list(unique),
            loc="outside upper left",
            ncols=min(len(unique), 6),
            **options,
        )


def inline_image(figure: Figure, kind: str = "svg", dpi: int = 140) -> str:
    """Render a figure as a data URI.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to show.
    kind : str, optional
        ``"svg"`` for drawings, ``"png"`` for pictures, ``"png8"`` for pictures
        of few colours (painted with 256).
    dpi : int, optional
        Resolution of PNG and of rasterised parts.

    Returns
    -------
    str
        ``data:image/...;base64,...``
    """
    target = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if kind == "svg" else {"Software": None}
    with mpl.rc_context(_RC):
        figure.savefig(target, format=kind[:3], dpi=dpi, metadata=metadata, facecolor="white")
    if kind == "png8":
        target = _fewer_colours(target)
    mime = "image/svg+xml" if kind == "svg" else "image/png"
    return f"data:{mime};base64,{base64.b64encode(target.getvalue()).decode()}"


def _fewer_colours(source: io.BytesIO) -> io.BytesIO:
    """Repaint a PNG with 256 colours: a third of the size, no difference to the eye."""
    target = io.BytesIO()
    with Image.open(source) as image:
        painted = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    painted.save(target, format="png", optimize=True)
    return target


def lighter(colour: str, share: float = 0.55) -> tuple[float, float, float]:
    """Mix a colour with white.

    Parameters
    ----------
    colour : str
        Any colour.
    share : float, optional
        How much white.

    Returns
    -------
    tuple of float
        Red, green, blue.
    """
    red, green, blue = (1 - (1 - part) * (1 - share) for part in to_rgb(colour))
    return red, green, blue
