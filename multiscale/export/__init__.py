"""Hand results to cell models, viewers and tables, in the formats that they read.

Enters: the merged results of a run (one group of its samples). Leaves: a file, written whole
or not at all, with units, the temperature law, what the microstructure spreads, and the hash
of the study that it came from.

Reading order: ``selection`` (which samples), ``summary`` (medians, intervals, laws), ``tables``
(CSV, COMSOL), ``pybamm_module``, ``bpx_file``, ``onnx_file``, ``formats``
(which writes Zarr too; VTK needs the study and is in ``multiscale.study``).
"""

from multiscale.export.formats import FORMATS, export
from multiscale.export.selection import Selection, select
from multiscale.export.summary import Law, Summary, summarise

__all__ = ["FORMATS", "Law", "Selection", "Summary", "export", "select", "summarise"]
