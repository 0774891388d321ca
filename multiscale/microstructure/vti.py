"""VTK image data (.vti), through the package vtk, imported only when it is needed."""

from __future__ import annotations

import math
import mmap
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ImageError, InputError, describe
from multiscale.numerics.memory import check_memory

REMEDY = "pip install 'multiscale[vtk]'"
NAMES_FIELD = "phase_names"
SWELL = 10**4
"""Voxels that one byte of a compressed image may become."""
_EXTENT = re.compile(rb"""Extent\s*=\s*["']([^"']*)["']""")
_COUNT = re.compile(rb"""NumberOf(?:Tuples|Components)\s*=\s*["']\s*\+?(\d{1,30})""")


def _modules() -> tuple[Any, Any, Any, Any]:
    """Import the parts of VTK that are used."""
    try:
        from vtkmodules import vtkCommonCore, vtkCommonDataModel, vtkIOXML
        from vtkmodules.util import numpy_support
    except ImportError:
        raise InputError(
            describe(".vti files", "the package vtk", "an installation without it", REMEDY)
        ) from None
    return vtkCommonCore, vtkCommonDataModel, vtkIOXML, numpy_support


@contextmanager
def _silent(core: Any) -> Iterator[None]:
    """Keep VTK from printing its own errors."""
    shown = core.vtkObject.GetGlobalWarningDisplay()
    core.vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        core.vtkObject.SetGlobalWarningDisplay(shown)


def _ends_well(path: Path) -> bool:
    """Whether the file has its end; VTK itself reads a file cut short without a word."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(file.tell() - 64, 0))
        return b"</VTKFile>" in file.read()


def _check_claims(path: Path) -> None:
    """Refuse a file with entities, or with arrays it cannot hold: VTK aborts the process.

    Everything that VTK allocates by is an attribute: extents, tuples, components.
    """
    length = path.stat().st_size
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        start = text.find(b"<VTKFile")
        if start < 0 or b"<!" in text[:start].replace(b"<!--", b""):
            raise ImageError(describe(path, "a VTK image (.vti) without entities", "other XML"))
        end = text.find(b"<AppendedData")
        end = len(text) if end < 0 else end
        cells = [_cells(one[1]) for one in _EXTENT.finditer(text, start, end)]
        counts = [int(one[1]) for one in _COUNT.finditer(text, start, end)]
    most = max([*cells, *counts], default=0)
    if most > SWELL * length:
        received = f"an array of {most} in {length} bytes"
        raise ImageError(describe(path, "a complete VTK image (.vti)", received))
    check_memory(16 * most, f"{path}", "cut the image, or use a machine with more memory")


def _cells(extent: bytes) -> int:
    """Points of an extent; none where it is no extent, which VTK tells itself."""
    try:
        numbers = [int(one) for one in extent.split()]
    except ValueError:
        return 0
    pairs = zip(numbers[::2], numbers[1::2], strict=False)
    return math.prod(max(high - low + 1, 0) for low, high in pairs)


def read_vti(path: Path) -> tuple[dict[str, NDArray[Any]], tuple[float, ...], tuple[str, ...]]:
    """Read the scalar arrays of a VTK image.

    Parameters
    ----------
    path : pathlib.Path
        File.

    Returns
    -------
    arrays : dict of str to (nx, ny[, nz]) array
        Cell data, or point data where there is no cell data; one layer in z makes 2D.
    spacing : tuple of float
        Voxel edges, as in the file.
    phase_names : tuple of str
        The field ``phase_names``, if there is one.

    Raises
    ------
    ImageError
        If the file is not a complete VTK image.
    InputError
        If vtk is not installed.
    """
    core, _, xml, convert = _modules()
    if _ends_well(path):
        _check_claims(path)
    reader = xml.vtkXMLImageDataReader()
    failures: list[str] = []
    reader.AddObserver("ErrorEvent", lambda *_: failures.append("error"))
    reader.SetFileName(str(path))
    with _silent(core):
        readable = _ends_well(path) and bool(reader.CanReadFile(str(path)))
        if readable:
            reader.Update()
    image = reader.GetOutput()
    data, shape = image.GetCellData(), tuple(max(n - 1, 1) for n in image.GetDimensions())
    if data.GetNumberOfArrays() == 0:
        data, shape = image.GetPointData(), image.GetDimensions()
    if not readable or failures or reader.GetErrorCode():
        raise ImageError(describe(path, "a complete VTK image (.vti)", "a broken file"))
    arrays = {}
    for index in range(data.GetNumberOfArrays()):
        array = data.GetArray(index)
        if array is None or array.GetNumberOfComponents() != 1:
            continue
        if array.GetNumberOfTuples() != np.prod(shape):
            raise ImageError(describe(path, "a value for each voxel", "a broken file"))
        values = convert.vtk_to_numpy(array).reshape(shape, order="F").copy()
        arrays[str(array.GetName())] = values[:, :, 0] if shape[2] == 1 else values
    spacing = image.GetSpacing()[: 2 if shape[2] == 1 else 3]
    names = image.GetFieldData().GetAbstractArray(NAMES_FIELD)
    count = 0 if names is None else names.GetNumberOfValues()
    return arrays, spacing, tuple(str(names.GetValue(index)) for index in range(count))


def write_vti(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    spacing: Sequence[float],
    phase_names: Sequence[str],
) -> None:
    """Write arrays as cell data of a VTK image.

    Parameters
    ----------
    path : pathlib.Path
        File.
    arrays : mapping of str to (nx, ny[, nz]) array
        Arrays of one shape.
    spacing : sequence of float
        Voxel edges [m].
    phase_names : sequence of str
        Names of phases 0, 1, …, kept as a field.

    Raises
    ------
    InputError
        If vtk is not installed.
    OSError
        If the file cannot be written.
    """
    core, model, xml, convert = _modules()
    shape = next(iter(arrays.values())).shape
    edges = tuple(float(edge) for edge in spacing)
    image = model.vtkImageData()
    image.SetDimensions(*(n + 1 for n in (*shape, 1)[:3]))
    image.SetSpacing(*(*edges, min(edges))[:3])
    for name, values in arrays.items():
        array = convert.numpy_to_vtk(values.ravel(order="F"), deep=True)
        array.SetName(name)
        image.GetCellData().AddArray(array)
    names = core.vtkStringArray()
    names.SetName(NAMES_FIELD)
    for phase in phase_names:
        names.InsertNextValue(phase)
    if phase_names:
        image.GetFieldData().AddArray(names)
    writer = xml.vtkXMLImageDataWriter()
    writer.SetFileName(str(path))
    writer.SetInputData(image)
    with _silent(core):
        written = writer.Write()
    if not written:
        raise OSError(f"{path}: VTK could not write it")
