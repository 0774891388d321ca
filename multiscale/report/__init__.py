"""Report: what a study says, as figures, tables and one page.

Enters: the merged results (``results.nc`` as an :class:`xarray.Dataset`), a few
:class:`FieldPicture`, and the rows of the property table. Leaves: one
self-contained ``report.html``, sentences for the terminal, and Matplotlib
figures for papers.

Nothing is concluded by hand: every number and every verdict in sentences and
captions is computed from the data set (``findings.py``). Assumed: the samples
of an ensemble are independent; the axes of one sample are not, and the test for
modes allows for that (``verdicts.py``).

Files in reading order: ``observations.py`` (data set → flat arrays),
``verdicts.py``, ``trends.py``, ``findings.py`` (what is found),
``headline.py`` (sentences), ``exemplars.py``, ``pictures.py``, ``nyquist.py`` and
``*_figures.py`` (drawings),
``style.py``, ``wording.py``, ``markup.py``, ``stylesheet.py`` (how things look
and read), ``material.py``, ``*_sections.py`` and
``page.py`` (the page).
"""

from multiscale.report.exemplars import exemplars
from multiscale.report.findings import Findings, find
from multiscale.report.headline import headline
from multiscale.report.page import page, write_report
from multiscale.report.pictures import FieldPicture

__all__ = ["FieldPicture", "Findings", "exemplars", "find", "headline", "page", "write_report"]
