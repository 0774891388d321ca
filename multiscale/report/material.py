"""What the sections of the page are made from, and the pieces they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from multiscale.report.findings import Findings
from multiscale.report.markup import Html, element, figure
from multiscale.report.pictures import FieldPicture
from multiscale.report.style import inline_image


@dataclass(frozen=True, slots=True)
class Material:
    """What the page is made from.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    pictures : tuple of FieldPicture
        Example microstructures.
    provenance_rows : tuple of tuple of str
        Name, quantity, value, uncertainty, valid range, source.
    """

    findings: Findings
    pictures: tuple[FieldPicture, ...]
    provenance_rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page.

    Parameters
    ----------
    key : str
        Its anchor.
    title : str
        Its heading.
    build : callable
        Makes the content.
    """

    key: str
    title: str
    build: Callable[[Material], Html]


def join(*pieces: object) -> Html:
    """Put pieces one after another.

    Parameters
    ----------
    *pieces : object
        Data or markup; empty ones are dropped.

    Returns
    -------
    Html
        Markup.
    """
    return element("div", *[piece for piece in pieces if piece])


def drawing(made: Figure, caption: object, alternative: str, kind: str = "svg") -> Html:
    """Set a figure into the page.

    Parameters
    ----------
    made : matplotlib.figure.Figure
        The figure.
    caption : object
        What is seen.
    alternative : str
        Short description for readers who do not see it.
    kind : str, optional
        ``"svg"``, ``"png"`` or ``"png8"``.

    Returns
    -------
    Html
        Markup.
    """
    return figure(inline_image(made, kind), caption, alternative)


def absent(text: str) -> Html:
    """Say that something is not there, and why.

    Parameters
    ----------
    text : str
        One sentence.

    Returns
    -------
    Html
        Markup.
    """
    return element("p", text, class_="absent")
