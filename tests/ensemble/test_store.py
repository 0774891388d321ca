"""A sample file is whole or absent; what is found again is checked."""

import os

import numpy as np
import pytest
import xarray as xr

from multiscale.ensemble import SampleStore
from multiscale.errors import StoreError

HASH = "0123456789abcdef"


def one(value):
    return xr.Dataset(
        {
            "effective_diffusivity": (("axis",), np.array([value, np.nan]), {"units": "m2/s"}),
            "ensemble": ((), "2D", {"long_name": "name"}),
        },
        coords={"axis": ["x", "y"]},
    )


def test_write_find_and_merge(tmp_path):
    store = SampleStore(tmp_path / "results", HASH, {"a": 1})
    for index in (0, 3):
        store.write(index, one(index + 0.5))
    assert store.finished(range(5)) == ([0, 3], [])
    merged = store.merge([0, 3], {"title": "t"})
    store.save(merged)
    np.testing.assert_array_equal(merged["effective_diffusivity"].sel(axis="x"), [0.5, 3.5])
    again = store.load()
    assert again.identical(merged)
    assert again["effective_diffusivity"].attrs["units"] == "m2/s"
    assert again["ensemble"].values.tolist() == ["2D", "2D"]
    assert again["sample"].values.tolist() == [0, 3]


def test_every_type_comes_back_and_fields_lie_beside(tmp_path):
    store = SampleStore(tmp_path / "results", HASH, {})
    data = one(1.0).assign(
        flux=(("axis", "x"), np.ones((2, 5), np.float32), {"units": "m2/s", "scale": 2.5}),
        grains=((), 12),
        percolates=(("axis",), np.array([True, False])),
        labels=(("x",), np.arange(5, dtype=np.int32)),
    )
    fields = xr.Dataset({"phase": (("x", "y"), np.eye(3, dtype=np.int8))}, attrs={"name": "A|B"})
    with xr.open_dataset(store.write(0, data, fields), engine="h5netcdf") as file:
        found = file.load()
    assert len(found.attrs.pop("content_sha256")) == 64
    assert found.identical(data.assign_attrs(study_hash=HASH, sample_index=0))
    assert all(found[name].dtype.kind == data[name].dtype.kind for name in data)
    assert store.fields(0).identical(fields)
    store.write(1, one(2.0))
    assert store.fields(1) is None


def test_truncated_foreign_and_half_written_files_are_not_trusted(tmp_path):
    store = SampleStore(tmp_path / "results", HASH, {})
    for index in range(4):
        store.write(index, one(1.0))
    content = store.path(1).read_bytes()
    store.path(1).write_bytes(content[: len(content) // 2])
    store.path(2).write_bytes(store.path(0).read_bytes())  # sample 0 under another number
    left = store.samples / f".{store.path(4).name}.999999999.part"
    left.write_bytes(b"half")
    done, rejected = store.finished(range(5))
    assert done == [0, 3]
    assert sorted(path.name for path in rejected) == [
        store.path(1).name + ".rejected",
        store.path(2).name + ".rejected",
    ]
    assert all(path.exists() for path in rejected)
    assert not left.exists()


def test_a_running_process_keeps_its_temporary_file(tmp_path):
    store = SampleStore(tmp_path / "results", HASH, {})
    mine = store.samples / f".{store.path(0).name}.{os.getpid()}.part"
    mine.write_bytes(b"half")
    store.finished([0])
    assert mine.exists()


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    store = SampleStore(tmp_path / "results", HASH, {})
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.write(0, one(1.0))
    assert list(store.samples.iterdir()) == []


def test_another_study_needs_fresh(tmp_path):
    SampleStore(tmp_path, HASH, {}).write(0, one(1.0))
    with pytest.raises(StoreError, match=r"--fresh"):
        SampleStore(tmp_path, "f" * 16, {})
    assert SampleStore(tmp_path, HASH, {}).finished([0])[0] == [0]
    assert SampleStore(tmp_path, "f" * 16, {}, fresh=True).finished([0])[0] == []


def test_a_run_that_stored_nothing_does_not_bar_the_next(tmp_path):
    SampleStore(tmp_path, HASH, {})
    SampleStore(tmp_path, "f" * 16, {}).write(0, one(1.0))
    with pytest.raises(StoreError, match=r"--fresh"):
        SampleStore(tmp_path, HASH, {})


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_of_other_things_is_never_emptied(tmp_path, fresh):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(StoreError, match=r"--output"):
        SampleStore(tmp_path, HASH, {}, fresh=fresh)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_loading_before_running_says_so(tmp_path):
    with pytest.raises(StoreError, match="run the study first"):
        SampleStore(tmp_path / "results", HASH, {}).load()


def test_a_truncated_merge_is_one_line(tmp_path):
    store = SampleStore(tmp_path / "results", HASH, {})
    (store.folder / "results.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(StoreError, match=r"results\.nc: expected a netCDF-4 file") as caught:
        store.load()
    assert "\n" not in str(caught.value)
