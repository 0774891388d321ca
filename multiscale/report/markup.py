"""HTML pieces as plain strings; every piece of data is escaped here and only here.

A :class:`Html` is a string that is already markup. The functions escape
ordinary strings and pass ``Html`` through, so that markup in data (a title, a
phase name, a source) can never become markup of the page.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_DOI = re.compile(r"(?:\bdoi:\s*|https?://(?:dx\.)?doi\.org/|\b)(10\.\d{4,9}/[^\s\"<>,;]+)")


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def text(value: object) -> Html:
    """Escape data, or pass markup through.

    Parameters
    ----------
    value : object
        Data, or an :class:`Html`.

    Returns
    -------
    Html
        Markup.
    """
    return value if isinstance(value, Html) else Html(html.escape(str(value), quote=True))


def linked(value: str) -> Html:
    """Escape a source and turn the DOIs in it into links.

    Parameters
    ----------
    value : str
        A reference, with or without DOIs.

    Returns
    -------
    Html
        Markup with one link a DOI.
    """
    parts, end = [], 0
    for match in _DOI.finditer(value):
        parts.append(text(value[end : match.start()]))
        found = _trimmed(match.group(1))
        doi = text(found)
        parts.append(Html(f'<a href="https://doi.org/{doi}">doi:{doi}</a>'))
        end = match.start(1) + len(found)
    return Html("".join([*parts, text(value[end:])]))


def _trimmed(doi: str) -> str:
    """Take off the punctuation of the sentence, and a bracket opened before the DOI."""
    while doi[-1] in ".:])" and not (doi[-1] == ")" and doi.count("(") >= doi.count(")")):
        doi = doi[:-1]
    return doi


def element(tag: str, *content: object, **attributes: str) -> Html:
    """Wrap content in an element.

    Parameters
    ----------
    tag : str
        Name of the element.
    *content : object
        Data or markup, joined.
    **attributes : str
        Attributes; a trailing underscore is dropped (``class_``).

    Returns
    -------
    Html
        Markup.
    """
    given = "".join(f' {name.rstrip("_")}="{text(value)}"' for name, value in attributes.items())
    return Html(f"<{tag}{given}>{''.join(text(piece) for piece in content)}</{tag}>")


def paragraph(*content: object) -> Html:
    """Make a paragraph.

    Parameters
    ----------
    *content : object
        Data or markup.

    Returns
    -------
    Html
        Markup.
    """
    return element("p", *content)


def figure(image: str, caption: object, alternative: str, *, wide: bool = True) -> Html:
    """Make a figure with a caption.

    Parameters
    ----------
    image : str
        Data URI.
    caption : object
        What is seen.
    alternative : str
        Short description for readers who do not see it.
    wide : bool, optional
        Wider than the text column.

    Returns
    -------
    Html
        Markup.
    """
    picture = Html(f'<img src="{text(image)}" alt="{text(alternative)}">')
    kind = "wide" if wide else "plain"
    return element("figure", picture, element("figcaption", caption), class_=kind)


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    words: Iterable[int] = (0,),
    prose: bool = False,
) -> Html:
    """Make a table.

    Parameters
    ----------
    head : sequence
        Column titles.
    rows : iterable of sequence
        Cells.
    words : iterable of int, optional
        Columns that hold words and align left; the others align right.
    prose : bool, optional
        Let long words wrap.

    Returns
    -------
    Html
        Markup, in a box that scrolls where the screen is narrow.
    """
    left = set(words)

    def line(cells: Sequence[object], tag: str) -> Html:
        made = [
            element(tag, cell, class_="word" if i in left else "figure")
            for i, cell in enumerate(cells)
        ]
        return element("tr", *made)

    body = [line(row, "td") for row in rows]
    kind = "prose" if prose else "data"
    top = element("thead", line(head, "th")) if any(head) else ""
    made = element("table", top, element("tbody", *body), class_=kind)
    return element("div", made, class_="table")


def bullets(items: Iterable[object], **attributes: str) -> Html:
    """Make a list.

    Parameters
    ----------
    items : iterable
        Data or markup.
    **attributes : str
        Attributes of the list.

    Returns
    -------
    Html
        Markup.
    """
    return element("ul", *[element("li", item) for item in items], **attributes)


def fold(summary: object, content: object) -> Html:
    """Make a part that opens on a click.

    Parameters
    ----------
    summary : object
        What is always seen.
    content : object
        What is folded away.

    Returns
    -------
    Html
        Markup.
    """
    return element("details", element("summary", summary), content)
