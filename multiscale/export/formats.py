"""The formats by name, and the one function that writes them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import xarray as xr

from multiscale.analysis import fit_surrogate
from multiscale.errors import InputError, describe, nearest
from multiscale.export.bpx_file import as_bpx
from multiscale.export.onnx_file import as_onnx
from multiscale.export.pybamm_module import as_pybamm
from multiscale.export.selection import Selection, select
from multiscale.export.summary import summarise
from multiscale.export.tables import as_comsol, as_csv


def _zarr(results: xr.Dataset, path: Path) -> None:
    """Write a Zarr store."""
    try:
        import zarr
    except ImportError:
        raise InputError(
            describe("--to zarr", "the extra 'zarr'", "none", "pip install 'multiscale[zarr]'")
        ) from None
    assert zarr
    # version 2 of the format: the third has no agreed form for texts of fixed length
    results.to_zarr(path, mode="w", consolidated=False, zarr_format=2)


TEXTS: dict[str, Callable[..., str]] = {
    "pybamm": as_pybamm,
    "bpx": as_bpx,
    "comsol": as_comsol,
    "csv": as_csv,
}
"""Formats that are one text about one group of samples."""
FORMATS = ("pybamm", "bpx", "comsol", "csv", "vtk", "zarr", "onnx")


def export(
    results: xr.Dataset,
    kind: str,
    path: str | Path,
    *,
    selection: Selection | None = None,
    base: str | Path | None = None,
) -> Path:
    """Write results for another program.

    Parameters
    ----------
    results : xarray.Dataset
        Merged results of a run.
    kind : {"pybamm", "bpx", "comsol", "csv", "zarr", "onnx"}
        Format; ``"vtk"`` needs the study too: :func:`multiscale.study.export_study`.
    path : str or pathlib.Path
        The file (for Zarr a folder); replaced as a whole.
    selection : Selection, optional
        Which group of samples; needed where the results hold several. Not for Zarr, which
        holds all; of ONNX, a surrogate of all design points, the ensemble alone.
    base : str or pathlib.Path, optional
        A BPX file of a cell, for ``"bpx"``.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    InputError
        If the format is unknown, the selection is not one group, or the results do not
        hold what the format asks.
    """
    path = Path(path)
    check_format(kind)
    if not path.parent.is_dir():
        raise InputError(describe(path, "a folder that exists", str(path.parent)))
    if base is not None and kind != "bpx":
        raise InputError(describe("--base", "--to bpx", f"--to {kind}"))
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if kind == "zarr":
            if path.exists() and not (path / ".zgroup").exists():
                raise InputError(describe(path, "a Zarr store or nothing", "something else"))
            _zarr(results, partial)
            if path.exists():
                shutil.rmtree(path)
        elif kind == "onnx":
            ensemble = None if selection is None else selection.ensemble
            partial.write_bytes(as_onnx(fit_surrogate(results, ensemble)))
        else:
            more: dict[str, Any] = {"base": base} if kind == "bpx" else {}
            group = select(results, selection or Selection())
            text = TEXTS[kind](summarise(group), **more)
            partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError(describe(path, "a file that can be written", str(error))) from None
    finally:
        with suppress(FileNotFoundError, IsADirectoryError, PermissionError):
            partial.unlink()
        shutil.rmtree(partial, ignore_errors=True)
    return path


def check_format(kind: str) -> None:
    """See that a format is known.

    Parameters
    ----------
    kind : str
        Its name.

    Raises
    ------
    InputError
        If it is not.
    """
    if kind not in FORMATS:
        known = ", ".join(FORMATS)
        raise InputError(describe("--to", f"one of {known}", kind, nearest(kind, FORMATS)))
