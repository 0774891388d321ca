"""Small data sets as netCDF-4 files, by HDF5 alone.

A netCDF-4 file is an HDF5 file in which every dimension is a dimension scale, attached to the
variables along it (Rew et al., The NetCDF-4 file format specification, Unidata). General
writers look every object up again and again: a tenth of a second for forty small variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

PROPERTIES = f"version=2,hdf5={h5py.version.hdf5_version},h5py={h5py.version.version}"
BARE = "This is a netCDF dimension but not a netCDF variable.{size:10d}"


def write_netcdf(path: Path, data: xr.Dataset, groups: Mapping[str, xr.Dataset]) -> None:
    """Write data sets to a new file.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    data : xarray.Dataset
        Numbers and text, without encodings, for the root; every coordinate a dimension.
    groups : mapping of str to xarray.Dataset
        The same for groups of that name.

    Raises
    ------
    TypeError
        If a coordinate is not a dimension, or a variable neither numbers nor text.
    OSError
        If the file cannot be written.
    """
    with h5py.File(path, "w", track_order=True) as file:
        file.attrs["_NCProperties"] = np.bytes_(PROPERTIES)
        first = _write(file, data, 0)
        for name, one in groups.items():
            first = _write(file.create_group(name, track_order=True), one, first)


def _write(group: h5py.Group, data: xr.Dataset, first: int) -> int:
    """Write one group; its dimensions count from ``first``. Return the next number."""
    others = {str(name) for name in data.coords if name not in data.sizes}
    if others:
        raise TypeError(f"coordinates that are dimensions can be written, not {sorted(others)}")
    for name, value in data.attrs.items():
        group.attrs[name] = value if isinstance(value, str) else np.atleast_1d(value)
    numbers, scales = {}, {}
    for number, (dim, size) in enumerate(data.sizes.items(), start=first):
        name = str(dim)
        if name in data.coords:
            scale = _variable(group, name, data.variables[name])
            scale.make_scale(name)
            scale.attrs["_Netcdf4Coordinates"] = np.array([number], np.int32)
        else:
            scale = group.create_dataset(name, (size,), ">f4")
            scale.make_scale(BARE.format(size=size))
        scale.attrs["_Netcdf4Dimid"] = np.int32(number)
        numbers[name], scales[name] = number, scale
    for key in data.data_vars:
        variable = data.variables[key]
        made = _variable(group, str(key), variable)
        if not variable.dims:
            continue
        along = [str(dim) for dim in variable.dims]
        for axis, dim in enumerate(along):
            made.dims[axis].attach_scale(scales[dim])
        made.attrs["_Netcdf4Coordinates"] = np.array([numbers[dim] for dim in along], np.int32)
        made.attrs["_Netcdf4Dimid"] = np.int32(numbers[along[0]])
    return first + len(numbers)


def _variable(group: h5py.Group, name: str, variable: xr.Variable) -> h5py.Dataset:
    """Write the values and attributes of one variable; NaN is what is missing."""
    values, attributes = np.asarray(variable.values), dict[str, Any](variable.attrs)
    options: dict[str, Any] = {}
    if values.dtype.kind in "UO":
        if not all(isinstance(one, str) for one in values.ravel()):
            raise TypeError(f"{name}: numbers or text can be written, not other objects")
        values, options["dtype"] = values.astype(object), h5py.string_dtype()
    elif values.dtype.kind == "b":
        values, attributes["dtype"] = values.astype(np.int8), "bool"
    elif values.dtype.kind == "f":
        options["fillvalue"] = np.array(np.nan, values.dtype)[()]
        attributes["_FillValue"] = np.full(1, np.nan, values.dtype)
    elif values.dtype.kind not in "iu":
        raise TypeError(f"{name}: numbers or text can be written, not {values.dtype}")
    made = group.create_dataset(name, data=values, **options)
    for key, value in attributes.items():
        made.attrs[key] = value if isinstance(value, str) else np.atleast_1d(value)
    return made
