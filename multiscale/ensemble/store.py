"""One netCDF-4 file a sample, verified when found again, merged at the end."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import netCDF4
import numpy as np
import xarray as xr

from multiscale.ensemble.lock import LOCK
from multiscale.errors import StoreError, describe

_NAME = re.compile(r"sample-(\d{6})-([0-9a-f]{16})\.nc")
MANIFEST = "study.json"
MERGED = "results.nc"
REPORT = "report.html"
CHECKSUM = "content_sha256"
"""Attribute of a sample file: what its values add up to."""
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class SampleStore:
    """The result folder of one study.

    Parameters
    ----------
    folder : pathlib.Path
        Where results go; made when missing.
    study_hash : str
        Hash of the resolved study; files of other studies are refused.
    resolved : mapping
        The resolved study, kept beside the results.
    fresh : bool, optional
        Remove what an earlier study left there: its samples, its merged results and its
        page, and nothing else.

    Raises
    ------
    StoreError
        If the folder holds another study's results, or other things.
    """

    def __init__(
        self, folder: Path, study_hash: str, resolved: Mapping[str, Any], *, fresh: bool = False
    ) -> None:
        self.folder, self.study_hash = folder, study_hash
        self.samples = folder / "samples"
        manifest = folder / MANIFEST
        if folder.exists() and not folder.is_dir():
            raise StoreError(describe(folder, "a folder", "a file", "move it away"))
        found = _manifest_hash(manifest)
        emptied = fresh and found is not None
        if emptied:
            self._empty()
            found = None
        if found not in (None, study_hash) and not any(self.samples.glob("*.nc")):
            manifest.unlink()  # a run that stored nothing
            found = None
        if found is None and not emptied and folder.exists() and _foreign(folder):
            raise StoreError(
                describe(
                    folder,
                    "an empty folder or the results of a study",
                    "other files",
                    "choose another folder with --output",
                )
            )
        if found not in (None, study_hash):
            raise StoreError(
                describe(
                    folder,
                    f"results of this study ({study_hash})",
                    f"those of another one ({found})",
                    "pass --fresh to replace them, or --output for another folder",
                )
            )
        try:
            self.samples.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(_unwritable(self.samples, error)) from None
        if found is None:
            text = json.dumps({"hash": study_hash, "study": resolved}, indent=1, sort_keys=True)
            with _all_or_nothing(manifest) as partial:
                partial.write_bytes(text.encode())

    def _empty(self) -> None:
        """Remove what a study left, and nothing that a person put there."""
        for pattern in ("sample-*.nc", "failed-*.json", ".sample-*.part"):
            for one in self.samples.glob(pattern):
                one.unlink()
        for name in (MERGED, REPORT, MANIFEST):
            (self.folder / name).unlink(missing_ok=True)

    def path(self, index: int) -> Path:
        """Where the file of one sample is.

        Parameters
        ----------
        index : int
            Number of the sample.

        Returns
        -------
        pathlib.Path
            Index and study hash make its name.
        """
        return self.samples / f"sample-{index:06d}-{self.study_hash}.nc"

    def write(self, index: int, data: xr.Dataset, fields: xr.Dataset | None = None) -> Path:
        """Write one sample under a temporary name and rename it into place.

        Parameters
        ----------
        index : int
            Number of the sample.
        data : xarray.Dataset
            Its results.
        fields : xarray.Dataset, optional
            Flux fields, kept in the group ``fields``.

        Returns
        -------
        pathlib.Path
            The finished file.
        """
        target = self.path(index)
        stamped = data.assign_attrs(study_hash=self.study_hash, sample_index=index)
        with _all_or_nothing(target) as partial:
            stamped.to_netcdf(partial, engine="netcdf4")
            if fields is not None:
                fields.to_netcdf(partial, engine="netcdf4", mode="a", group="fields")
            with h5py.File(partial, "r") as file:
                digest = _digest(file)
            with netCDF4.Dataset(partial, "a") as file:
                file.setncattr(CHECKSUM, digest)
        self._failure(index).unlink(missing_ok=True)
        return target

    def _failure(self, index: int) -> Path:
        return self.samples / f"failed-{index:06d}-{self.study_hash}.json"

    def note_failure(self, index: int, error: str, attempts: int = 1) -> None:
        """Keep why a sample could not be computed; a later success removes the note.

        Parameters
        ----------
        index : int
            Number of the sample.
        error : str
            What went wrong, in one line.
        attempts : int, optional
            How often it was tried.
        """
        note = {"sample": index, "error": error, "attempts": attempts}
        with _all_or_nothing(self._failure(index)) as partial:
            partial.write_text(json.dumps(note) + "\n", encoding="utf-8")

    def finished(self, indices: Iterable[int]) -> tuple[list[int], list[Path]]:
        """Find the samples that are there and whole.

        Files that cannot be read, whose values are not those that were written, or
        that belong elsewhere are set aside under the name ``*.rejected``, never
        trusted and never deleted. What a killed process of this machine left under a
        temporary name is removed.

        Parameters
        ----------
        indices : iterable of int
            Samples asked for.

        Returns
        -------
        done : list of int
            Samples that need not be computed.
        rejected : list of pathlib.Path
            Where bad files were put.
        """
        for left in self.samples.glob(".sample-*.part"):
            if not _alive(left):
                left.unlink(missing_ok=True)
        done, rejected = [], []
        for index in indices:
            path = self.path(index)
            if not path.exists():
                continue
            if self._whole(path, index):
                done.append(index)
            else:
                aside = _unused(path.with_suffix(".nc.rejected"))
                path.replace(aside)
                rejected.append(aside)
        return done, rejected

    def _whole(self, path: Path, index: int) -> bool:
        try:
            with h5py.File(path, "r") as file:
                return (
                    _text(file.attrs["study_hash"]) == self.study_hash
                    and int(np.ravel(file.attrs["sample_index"])[0]) == index
                    and _text(file.attrs[CHECKSUM]) == _digest(file)
                    and bool(np.isfinite(file["effective_diffusivity"][...]).any())
                )
        except (OSError, KeyError, RuntimeError, ValueError, TypeError):
            return False

    def merge(self, indices: Sequence[int], attributes: Mapping[str, Any]) -> xr.Dataset:
        """Join samples into one data set.

        Parameters
        ----------
        indices : sequence of int
            Samples to join, in this order.
        attributes : mapping
            Attributes of the merged data set.

        Returns
        -------
        xarray.Dataset
            With the dimension ``sample`` first.

        Raises
        ------
        StoreError
            If there is nothing to merge.
        """
        if not indices:
            raise StoreError(describe(self.samples, "at least one finished sample", "none"))
        with xr.open_dataset(self.path(indices[0]), engine="netcdf4") as first:
            template = first.load()
        columns: dict[str, Any] = {}
        for row, index in enumerate(indices):
            with h5py.File(self.path(index), "r") as file:
                for name in template.data_vars:
                    value = _value(file[name])
                    if row == 0:
                        columns[str(name)] = _column(value, len(indices))
                    columns[str(name)][row] = value
        return xr.Dataset(
            {
                name: (
                    ("sample", *template[name].dims),
                    np.array(values),
                    template[name].attrs,
                )
                for name, values in columns.items()
            },
            coords={**template.coords, "sample": ("sample", np.asarray(indices))},
            attrs=dict(attributes),
        )

    def save(self, merged: xr.Dataset) -> None:
        """Write ``results.nc``.

        Parameters
        ----------
        merged : xarray.Dataset
            The merged results.
        """
        write_dataset(self.folder / MERGED, merged)

    def load(self) -> xr.Dataset:
        """Read ``results.nc``.

        Returns
        -------
        xarray.Dataset
            The merged results.

        Raises
        ------
        StoreError
            If it is missing or cannot be read.
        """
        return read_dataset(self.folder / MERGED)

    def fields(self, index: int) -> xr.Dataset | None:
        """Read the flux fields of one sample.

        Parameters
        ----------
        index : int
            Number of the sample.

        Returns
        -------
        xarray.Dataset or None
            None where the sample keeps none.
        """
        with h5py.File(self.path(index), "r") as file:
            if "fields" not in file:
                return None
        with xr.open_dataset(self.path(index), engine="netcdf4", group="fields") as data:
            return data.load()


def write_dataset(path: Path, data: xr.Dataset) -> None:
    """Write a data set whole or not at all.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    data : xarray.Dataset
        What goes into it.
    """
    with _all_or_nothing(path) as partial:
        data.to_netcdf(partial, engine="netcdf4")


def read_dataset(path: Path) -> xr.Dataset:
    """Read a netCDF-4 file of results.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    xarray.Dataset
        In memory.

    Raises
    ------
    StoreError
        If it is missing or cannot be read.
    """
    if not path.is_file():
        raise StoreError(describe(path, "merged results", "no such file", "run the study first"))
    try:
        with xr.open_dataset(path, engine="netcdf4") as data:
            return data.load()
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise StoreError(
            describe(path, "a netCDF-4 file of results", str(error), "run the study again")
        ) from None


def _foreign(folder: Path) -> bool:
    """Whether a folder holds anything but an empty folder for samples."""
    return any(
        one.name != LOCK and (one.name != "samples" or any(one.iterdir()))
        for one in folder.iterdir()
    )


def _manifest_hash(path: Path) -> str | None:
    """Hash in a folder's manifest; None if there is no manifest."""
    if not path.exists():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["hash"])
    except (OSError, ValueError, KeyError, TypeError):
        return "unreadable"


@contextmanager
def _all_or_nothing(path: Path) -> Iterator[Path]:
    """Give a temporary name to write to; what is complete gets its own, what is not goes.

    Raises
    ------
    StoreError
        If the disk is full or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{_HOST}.{os.getpid()}.part")
    try:
        yield partial
        with partial.open("rb+") as handle:
            os.fsync(handle.fileno())
        partial.replace(path)
        _keep_name(path.parent)
    except (OSError, RuntimeError) as error:
        if _refused(path.parent, error):
            raise StoreError(_unwritable(path, error)) from None
        raise
    finally:
        partial.unlink(missing_ok=True)


_HOST = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname()) or "host"


def _keep_name(folder: Path) -> None:
    """Have the new name itself survive a power cut."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refused(folder: Path, error: Exception) -> bool:
    """Whether the disk or its rights are why writing failed; HDF5 hides the reason."""
    if isinstance(error, OSError) and error.errno in (*NO_ROOM, errno.EROFS, errno.EACCES):
        return True
    return shutil.disk_usage(folder).free < 2**16


def _unwritable(path: Path, error: Exception) -> str:
    """Say that a file cannot be written."""
    free = shutil.disk_usage(path.parent if path.parent.exists() else "/").free
    full = getattr(error, "errno", None) in NO_ROOM or free < 2**16
    received = f"a full disk ({free / 1e6:.1f} MB free)" if full else str(error)
    remedy = "finished samples are kept: make room, or pass --output, and run again"
    return describe(path, "a place that can be written", received, remedy)


def _alive(partial: Path) -> bool:
    """Whether the process that is writing a temporary file may still run."""
    parts = partial.name.split(".")
    host, pid = parts[-3], parts[-2]
    if host not in (_HOST, "nc"):  # of another machine on a shared folder
        return True
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _unused(path: Path) -> Path:
    """A name that no earlier file has."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.name}-{number}")
    return free


def _digest(file: h5py.File) -> str:
    """Add up all values of a file, by name."""
    total = hashlib.sha256()
    found: list[str] = []
    file.visit(found.append)
    for name in sorted(found):
        if isinstance(file[name], h5py.Dataset):
            value = file[name][()]
            array = np.asarray(value)
            content = repr(value).encode() if array.dtype.kind in "OSU" else array.tobytes()
            total.update(f"{name}{array.dtype.kind}{array.shape}".encode() + content)
    return total.hexdigest()


def _column(value: Any, rows: int) -> Any:
    """Room for one variable of all samples."""
    array = np.asarray(value)
    return (
        [None] * rows if array.dtype.kind in "OSU" else np.empty((rows, *array.shape), array.dtype)
    )


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _value(data: h5py.Dataset) -> Any:
    value = data[()]
    return _text(value) if isinstance(value, bytes | str) else value
