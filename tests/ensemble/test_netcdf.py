"""Small data sets read back as those that xarray wrote itself."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from multiscale.ensemble._netcdf import write_netcdf

DATA = xr.Dataset(
    {
        "diffusivity": (("temperature", "axis"), np.array([[1.0, np.nan], [3.0, 4.0]])),
        "flux": (("axis", "x"), np.ones((2, 5), np.float32), {"units": "m2/s", "scale": 2.5}),
        "grains": ((), 12, {"long_name": "number of grains"}),
        "ensemble": ((), "3D"),
        "percolates": (("axis",), np.array([True, False])),
        "labels": (("x",), np.arange(5, dtype=np.int32)),
        "cross": (("axis", "axis2"), np.eye(2)),
    },
    coords={
        "temperature": ("temperature", [300.0, 350.0], {"units": "K"}),
        "axis": ["x", "y"],
        "axis2": ["x", "y"],
    },
    attrs={"title": "two µm", "seed": 3, "spacing": [1.0, 2.0]},
)
FIELDS = xr.Dataset({"phase": (("x", "y"), np.eye(3, dtype=np.int8))}, attrs={"name": "A|B"})


def read(path: Path, group: str | None) -> xr.Dataset:
    with xr.open_dataset(path, engine="h5netcdf", group=group) as data:
        return data.load()


def test_reads_back_as_written_by_xarray(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.nc", tmp_path / "theirs.nc"
    write_netcdf(ours, DATA, {"fields": FIELDS})
    DATA.to_netcdf(theirs, engine="h5netcdf")
    FIELDS.to_netcdf(theirs, engine="h5netcdf", mode="a", group="fields")
    for group in (None, "fields"):
        ours_read, theirs_read = read(ours, group), read(theirs, group)
        xr.testing.assert_identical(ours_read, theirs_read)
        for name, variable in theirs_read.variables.items():
            assert ours_read[name].dtype == variable.dtype
            assert ours_read[name].encoding.get("_FillValue", 0) == pytest.approx(
                variable.encoding.get("_FillValue", 0), nan_ok=True
            )


@pytest.mark.parametrize(
    "data",
    [
        DATA.assign_coords(place=("x", np.arange(5.0))),
        xr.Dataset({"current": ("x", np.ones(2, complex))}),
        xr.Dataset({"names": ("x", np.array(["A", 1], dtype=object))}),
    ],
)
def test_refuses_what_it_cannot_write(data: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="can be written"):
        write_netcdf(tmp_path / "file.nc", data, {})
