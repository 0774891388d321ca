"""Voxel images in and out of files.

Arrays here are always (x, y[, z]); lengths are metres. How each format maps:

========  ==========================================  ==================================
suffix    order in the file                           spacing
========  ==========================================  ==================================
.npy      (x, y[, z])                                 not carried
.npz      (x, y[, z])                                 array ``spacing``
.h5       (x, y[, z]); DREAM.3D cell data             attribute ``spacing``; DREAM.3D's
          (z, y, x, 1) is recognised and turned       has no unit and is not used
.vti      x fastest, cell data (else point data)      ``Spacing``, taken as metres
.tif      pages are z, rows y, columns x              our metadata, or ImageJ's with a unit
========  ==========================================  ==================================

Files that this module writes hold ``labels`` (grain numbers) and ``phases`` (indices
into the phase names) as two arrays; a plain array makes one. Nothing is ever unpickled,
no file leads to another, and a file that claims more than it can hold, or than there is
memory for, is refused before any is taken.
"""

from __future__ import annotations

import json
import logging
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile
from numpy.typing import ArrayLike, NDArray

from multiscale.errors import ImageError, InputError, describe, nearest
from multiscale.microstructure.crystal import Polycrystal
from multiscale.microstructure.labelled import LabelImage, check_spacing
from multiscale.microstructure.power_diagram import Floats
from multiscale.microstructure.vti import read_vti, write_vti
from multiscale.numerics.memory import check_memory

PREFERRED = ("labels", "phases")  # which of several arrays is meant when none is named
SMALL = 2**20
"""Bytes that spacing and phase names may take."""
SWELL = 10**5
"""Bytes that one byte of a compressed image may become."""
METRES = {
    "m": 1.0,
    "mm": 1e-3,
    "um": 1e-6,
    "µm": 1e-6,
    "\\u00B5m": 1e-6,
    "micron": 1e-6,
    "nm": 1e-9,
}


@dataclass(frozen=True, slots=True, eq=False)
class VoxelImage:
    """An array read from a file.

    Parameters
    ----------
    values : (cells) array
        Finite numbers, axis order (x, y[, z]).
    spacing : (d,) array or None
        Voxel edges [m]; None if neither the file nor the caller gave them.
    name : str
        Name of the array in the file.
    phase_names : tuple of str
        Names of phases 0, 1, … if the file carries them, else empty.
    """

    values: NDArray[Any]
    spacing: Floats | None
    name: str = ""
    phase_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """What a file holds, before it is checked.

    Parameters
    ----------
    arrays : dict of str to array
        Arrays by name, axis order (x, y[, z]).
    spacing : sequence of float or None
        Voxel edges [m].
    phase_names : tuple of str
        Phase names.
    """

    arrays: dict[str, NDArray[Any]]
    spacing: Sequence[float] | None = None
    phase_names: tuple[str, ...] = ()


def _choose(path: Path, names: Sequence[str], dataset: str | None) -> str:
    """Choose one of the arrays of a file."""
    if not names:
        raise ImageError(describe(path, "a 2D or 3D array of numbers", "none"))
    if dataset is not None:
        if dataset in names:
            return dataset
        raise ImageError(
            describe(f"{path}: dataset", "one that exists", dataset, nearest(dataset, names))
        )
    if len(names) == 1:
        return names[0]
    for name in PREFERRED:
        if name in names:
            return name
    raise ImageError(
        describe(path, "one array, or the name of one", ", ".join(names), "name the dataset")
    )


def _read_npy(path: Path, dataset: str | None) -> Contents:
    """Map a NumPy array: it is read where it is needed."""
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise ImageError(describe(path, "an .npy array", type(array).__name__))
    return Contents({"values": array} if dataset is None else {dataset: array})


def _read_npz(path: Path, dataset: str | None) -> Contents:
    """Read one array of a NumPy archive."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        _check_members(path, archive.zip)
        names = [name for name in archive.files if name not in ("spacing", "phase_names")]
        name = _choose(path, names, dataset)
        spacing = archive["spacing"] if "spacing" in archive.files else None
        phases = archive["phase_names"] if "phase_names" in archive.files else ()
        return Contents({name: archive[name]}, spacing, tuple(str(phase) for phase in phases))


def _check_members(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse an archive whose members would unpack to more than there is memory for."""
    for member in archive.infolist():
        if member.filename in ("spacing.npy", "phase_names.npy") and member.file_size > SMALL:
            received = f"{member.file_size} bytes"
            raise ImageError(describe(f"{path}: {member.filename}", "a short list", received))
        _check_room(path, member.file_size)


def _check_room(path: Path, needed: int) -> None:
    """Refuse an array that does not fit, twice: as it is read and as it is checked."""
    check_memory(2 * needed, f"{path}", "cut the image, or use a machine with more memory")


def _read_hdf5(path: Path, dataset: str | None) -> Contents:
    """Read one dataset of an HDF5 file."""
    with h5py.File(path, "r") as file:
        names: list[str] = []

        def visit(name: str, item: object) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim in (2, 3, 4):
                names.append(name)

        file.visititems(visit)
        if dataset is None and not set(PREFERRED) & set(names):
            cells = [name for name in names if name.endswith("/FeatureIds")]
            dataset = cells[0] if len(cells) == 1 else None
        item = file[_choose(path, names, dataset)]
        if item.is_virtual or item.external:
            raise ImageError(describe(path, "a file that holds its data", "one that names others"))
        _check_room(path, item.nbytes)
        values = item[()]
        if values.ndim == 4 and values.shape[3] == 1:
            values = values[..., 0].transpose(2, 1, 0)
        spacing = item.attrs.get("spacing", file.attrs.get("spacing"))
        phases = item.attrs.get("phase_names", file.attrs.get("phase_names", ()))
        names_read = tuple(n.decode() if isinstance(n, bytes) else str(n) for n in phases)
        return Contents({item.name.lstrip("/"): values}, spacing, names_read)


def _tiff_spacing(tiff: tifffile.TiffFile, dimension: int) -> list[float] | None:
    """Find voxel edges in ImageJ metadata, if they carry a unit of length."""
    metadata = tiff.imagej_metadata or {}
    unit = METRES.get(str(metadata.get("unit", "")))
    page = tiff.pages[0]
    if not isinstance(page, tifffile.TiffPage):
        return None
    tags = page.tags
    if unit is None or "XResolution" not in tags or "YResolution" not in tags:
        return None
    edges = []
    for tag in ("XResolution", "YResolution"):
        count, length = tags[tag].value
        if not count:
            return None
        edges.append(length / count * unit)
    if dimension == 3:
        edges.append(float(metadata.get("spacing", edges[0] / unit)) * unit)
    return edges


class _Refuse(logging.Handler):
    """Turns what tifffile only logs about a broken file into an error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Raise the first complaint."""
        raise tifffile.TiffFileError(record.getMessage())


@contextmanager
def _strict_tiff() -> Iterator[None]:
    """Make tifffile raise instead of log, and stay silent."""
    log, handler = logging.getLogger("tifffile"), _Refuse(logging.ERROR)
    spread, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = spread


def _check_length(tiff: tifffile.TiffFile) -> None:
    """Refuse a TIFF file whose pages lie beyond its end, or lead back to one another."""
    length, seen = tiff.filehandle.size, set()
    for page in tiff.pages:
        if page.offset in seen:
            raise tifffile.TiffFileError("pages that lead back to one another")
        seen.add(page.offset)
        ends = zip(page.dataoffsets, page.databytecounts, strict=True)
        if any(offset + count > length for offset, count in ends):
            raise tifffile.TiffFileError("pages beyond the end of the file")


def _read_tiff(path: Path, dataset: str | None) -> Contents:
    """Read one series of a TIFF stack."""
    with _strict_tiff(), tifffile.TiffFile(path) as tiff:
        _check_length(tiff)
        described = {}
        for index, series in enumerate(tiff.series):
            own = series.keyframe.shaped_description
            metadata = json.loads(own) if own else {}
            described[str(metadata.get("name", f"series{index}"))] = (series, metadata)
        name = _choose(path, list(described), dataset)
        series, metadata = described[name]
        if "S" in series.axes:
            raise ImageError(describe(path, "a grey image", f"colour (axes {series.axes})"))
        if series.nbytes > SWELL * path.stat().st_size:
            received = f"{series.nbytes} bytes of pixels in {path.stat().st_size}"
            raise ImageError(describe(path, "a complete .tif file", received))
        _check_room(path, series.nbytes)
        values = series.asarray()
        if values.ndim in (2, 3):
            values = values.transpose()
        spacing = metadata.get("spacing_m") or _tiff_spacing(tiff, values.ndim)
        return Contents({name: values}, spacing, tuple(metadata.get("phase_names", ())))


def _read_vti(path: Path, dataset: str | None) -> Contents:
    """Read one array of a VTK image."""
    arrays, spacing, phase_names = read_vti(path)
    name = _choose(path, list(arrays), dataset)
    return Contents({name: arrays[name]}, spacing, phase_names)


READERS: dict[str, Callable[[Path, str | None], Contents]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".h5": _read_hdf5,
    ".hdf5": _read_hdf5,
    ".dream3d": _read_hdf5,
    ".vti": _read_vti,
    ".tif": _read_tiff,
    ".tiff": _read_tiff,
}


def _check_values(path: Path, name: str, values: NDArray[Any]) -> NDArray[Any]:
    """Refuse arrays that are no voxel image."""
    place = f"{path}: {name}" if name else str(path)
    if values.ndim not in (2, 3):
        raise ImageError(describe(place, "a 2D or 3D array", f"shape {values.shape}"))
    if values.size == 0:
        raise ImageError(describe(place, "at least one voxel", f"shape {values.shape}"))
    if values.dtype != bool and not np.issubdtype(values.dtype, np.number):
        raise ImageError(describe(place, "numbers", f"dtype {values.dtype}"))
    if np.issubdtype(values.dtype, np.complexfloating):
        raise ImageError(describe(place, "real numbers", f"dtype {values.dtype}"))
    bad = np.count_nonzero(~np.isfinite(values)) if values.dtype.kind == "f" else 0
    if bad:
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        received = f"{bad} NaN or infinite, first at voxel {first}"
        raise ImageError(describe(place, "finite numbers", received))
    return np.ascontiguousarray(values.astype(values.dtype.newbyteorder("="), copy=False))


def _suffix(path: Path, known: Mapping[str, object]) -> str:
    """Find the format of a file by its name."""
    suffix = path.suffix.lower()
    if suffix not in known:
        raise ImageError(
            describe(f"{path}: suffix", "one of " + ", ".join(known), suffix or "none")
        )
    return suffix


def read_image(
    path: str | Path, *, dataset: str | None = None, spacing: ArrayLike | None = None
) -> VoxelImage:
    """Read a voxel image from .npy, .npz, .h5, .dream3d, .vti or .tif.

    Parameters
    ----------
    path : str or pathlib.Path
        File; the format follows from its suffix.
    dataset : str, optional
        Name of the array; needed if there are several, none of them ``labels`` or ``phases``.
    spacing : float or (d,) array_like, optional
        Voxel edges [m], instead of those in the file.

    Returns
    -------
    VoxelImage
        Values in axis order (x, y[, z]), with the spacing where it is known.

    Raises
    ------
    ImageError
        If the file is missing, broken, or holds something else than a 2D or 3D array of
        finite numbers.
    InputError
        If the file is a .vti and vtk is not installed.
    """
    path = Path(path)
    suffix = _suffix(path, READERS)
    if not path.is_file():
        raise ImageError(describe(path, "an image file", "no such file"))
    try:
        contents = READERS[suffix](path, dataset)
    except InputError:
        raise
    except Exception as error:  # whatever a parser makes of a broken file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ImageError(describe(path, f"a complete {suffix} file", reason)) from error
    ((name, values),) = contents.arrays.items()
    if suffix == ".npy":  # read only now; a file with holes is larger than what it takes
        _check_room(path, values.nbytes)
    values = _check_values(path, name, values)
    edges = contents.spacing if spacing is None else spacing
    try:
        checked = None if edges is None else check_spacing(edges, values.ndim)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None
    return VoxelImage(values, checked, name, contents.phase_names)


def _write_npz(path: Path, contents: Contents) -> None:
    """Write a compressed NumPy archive."""
    arrays = dict(contents.arrays)
    if contents.spacing is not None:
        arrays["spacing"] = np.asarray(contents.spacing, dtype=float)
    if contents.phase_names:
        arrays["phase_names"] = np.array(contents.phase_names, dtype=np.str_)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _write_hdf5(path: Path, contents: Contents) -> None:
    """Write compressed HDF5 datasets."""
    with h5py.File(path, "w") as file:
        file.attrs["axes"] = "x, y, z"
        if contents.spacing is not None:
            file.attrs["spacing"] = np.asarray(contents.spacing, dtype=float)
            file.attrs["spacing_unit"] = "m"
        if contents.phase_names:
            file.attrs["phase_names"] = list(contents.phase_names)
        for name, values in contents.arrays.items():
            file.create_dataset(name, data=values, compression="gzip", compression_opts=4)


def _write_tiff(path: Path, contents: Contents) -> None:
    """Write a TIFF stack, one series for each array."""
    with tifffile.TiffWriter(path) as tiff:
        for name, values in contents.arrays.items():
            metadata: dict[str, Any] = {"axes": "ZYX"[-values.ndim :], "name": name}
            if contents.spacing is not None:
                metadata["spacing_m"] = [float(edge) for edge in contents.spacing]
            if contents.phase_names:
                metadata["phase_names"] = list(contents.phase_names)
            pages = np.ascontiguousarray(values.transpose())
            pages = pages.astype(np.uint8) if pages.dtype == bool else pages
            pages = pages.astype(np.int32) if pages.dtype == np.int64 else pages
            tiff.write(pages, photometric="minisblack", metadata=metadata)


def _write_vti(path: Path, contents: Contents) -> None:
    """Write a VTK image."""
    arrays = {
        name: values.astype(np.uint8) if values.dtype == bool else values
        for name, values in contents.arrays.items()
    }
    dimension = next(iter(arrays.values())).ndim
    edges = contents.spacing if contents.spacing is not None else [1.0] * dimension
    write_vti(path, arrays, edges, contents.phase_names)


WRITERS: dict[str, Callable[[Path, Contents], None]] = {
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".npz": _write_npz,
    ".tif": _write_tiff,
    ".tiff": _write_tiff,
    ".vti": _write_vti,
}


def _gather(
    source: Polycrystal | LabelImage | Mapping[str, ArrayLike] | NDArray[Any],
    cells: Sequence[int] | None,
    spacing: ArrayLike | None,
) -> Contents:
    """Collect the arrays to write."""
    if isinstance(source, Polycrystal):
        if cells is None:
            raise ImageError(describe("cells", f"{source.dimension} voxel counts", "none"))
        labels = source.labels(cells)
        phases = source.phases.astype(np.int8)[labels]
        arrays: dict[str, NDArray[Any]] = {"labels": labels, "phases": phases}
        return Contents(arrays, list(source.size / labels.shape), source.phase_names)
    if isinstance(source, LabelImage):
        arrays = {"labels": source.labels, "phases": source.phase_image()}
        return Contents(arrays, list(source.spacing), source.phase_names)
    given = source if isinstance(source, Mapping) else {"values": source}
    plain = {name: np.asarray(values) for name, values in given.items()}
    shapes = {values.shape for values in plain.values()}
    if len(shapes) != 1:
        raise ImageError(describe("arrays", "one shape", sorted(shapes)))
    for name, values in plain.items():
        _check_values(Path("arrays"), name, values)
    dimension = len(shapes.pop())
    edges = None if spacing is None else list(check_spacing(spacing, dimension))
    return Contents(plain, edges)


def write_image(
    path: str | Path,
    source: Polycrystal | LabelImage | Mapping[str, ArrayLike] | NDArray[Any],
    *,
    cells: Sequence[int] | None = None,
    spacing: ArrayLike | None = None,
) -> None:
    """Write a microstructure or arrays to .h5, .npz, .tif or .vti.

    The file is written under a temporary name in the same folder and renamed, so
    that a reader never sees half of it.

    Parameters
    ----------
    path : str or pathlib.Path
        File; the format follows from its suffix.
    source : Polycrystal, LabelImage, mapping of str to array, or array
        A microstructure writes ``labels`` and ``phases`` with spacing and phase names.
    cells : sequence of int, optional
        Voxels along each axis; needed for a polycrystal.
    spacing : float or (d,) array_like, optional
        Voxel edges [m] of plain arrays.

    Raises
    ------
    ImageError
        If the suffix is unknown, the folder does not exist, or the arrays cannot be written.
    InputError
        If the file is a .vti and vtk is not installed.
    """
    path = Path(path)
    suffix = _suffix(path, WRITERS)
    if not path.parent.is_dir():
        raise ImageError(describe(path, "a folder that exists", str(path.parent)))
    contents = _gather(source, cells, spacing)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{suffix}")
    try:
        WRITERS[suffix](temporary, contents)
        temporary.replace(path)
    except OSError as error:
        raise ImageError(describe(path, "a file that can be written", str(error))) from error
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
