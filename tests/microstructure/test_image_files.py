"""Files in and out: every format, every way a file can be broken."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from multiscale.errors import ImageError, InputError
from multiscale.microstructure import (
    label_image,
    polycrystal,
    read_image,
    split_phases,
    write_image,
)

SUFFIXES = [".h5", ".npz", ".tif", ".vti"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("cells", [(6, 9), (6, 9, 4)])
def test_a_crystal_comes_back(tmp_path: Path, suffix: str, cells: tuple[int, ...]) -> None:
    size = np.array([1e-6, 2e-6, 3e-6])[: len(cells)]
    crystal = polycrystal(10, size, {"LLZO": 0.5, "LCO": 0.5}, 0)
    path = tmp_path / f"crystal{suffix}"
    write_image(path, crystal, cells=cells)
    labels, phases = read_image(path), read_image(path, dataset="phases")
    assert np.array_equal(labels.values, crystal.labels(cells))
    assert np.array_equal(phases.values, crystal.phase_image(cells))
    assert labels.name == "labels"
    assert phases.phase_names == ("LLZO", "LCO")
    assert labels.spacing is not None
    assert np.allclose(labels.spacing, size / cells, rtol=1e-12)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64", "float32", "float64"])
def test_values_of_every_type_come_back(tmp_path: Path, suffix: str, dtype: str) -> None:
    values = (np.arange(60).reshape(3, 4, 5) % 2).astype(dtype)
    path = tmp_path / f"field{suffix}"
    write_image(path, values, spacing=2e-9)
    found = read_image(path)
    assert np.array_equal(found.values, values)
    assert np.array_equal(found.spacing, [2e-9] * 3)
    given = read_image(path, spacing=(1.0, 2.0, 3.0))
    assert np.array_equal(given.spacing, [1.0, 2.0, 3.0])


def test_label_images_come_back_as_grains(tmp_path: Path) -> None:
    image = label_image(np.array([[3, 3], [8, 9]]), 1e-9, phases={3: "A", 8: "B", 9: "A"})
    write_image(tmp_path / "a.h5", image)
    phases = read_image(tmp_path / "a.h5", dataset="phases")
    again = split_phases(
        phases.values, phases.spacing, phase_names=dict(enumerate(phases.phase_names))
    )
    assert again.phase_names == ("A", "B")
    assert np.array_equal(again.phase_image(), image.phase_image())


def test_npy_and_its_missing_spacing(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6).reshape(2, 3))
    found = read_image(tmp_path / "a.npy")
    assert found.values.shape == (2, 3)
    assert found.spacing is None
    assert np.array_equal(read_image(tmp_path / "a.npy", spacing=1.0).spacing, [1.0, 1.0])


def test_a_stack_from_imagej_keeps_axes_and_spacing(tmp_path: Path) -> None:
    values = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)  # x, y, z
    tifffile.imwrite(
        tmp_path / "stack.tif",
        values.transpose(),
        imagej=True,
        resolution=(2.0, 4.0),
        metadata={"axes": "ZYX", "unit": "um", "spacing": 0.7},
    )
    found = read_image(tmp_path / "stack.tif")
    assert np.array_equal(found.values, values)
    assert np.allclose(found.spacing, [0.5e-6, 0.25e-6, 0.7e-6])


def test_a_stack_without_metadata_has_no_spacing(tmp_path: Path) -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="minisblack", metadata=None)
    found = read_image(tmp_path / "a.tif")
    assert np.array_equal(found.values, values.transpose())
    assert found.spacing is None


def test_dream3d_cell_data_is_turned(tmp_path: Path) -> None:
    values = np.arange(24).reshape(2, 3, 4)  # x, y, z
    with h5py.File(tmp_path / "a.dream3d", "w") as file:
        cell = file.create_group("DataContainers/ImageDataContainer/CellData")
        cell["FeatureIds"] = values.transpose()[..., None]
        cell["Quality"] = values.transpose()[..., None] * 0.1
    found = read_image(tmp_path / "a.dream3d")
    assert found.name.endswith("FeatureIds")
    assert np.array_equal(found.values, values)
    assert found.spacing is None


def test_a_vti_with_point_data(tmp_path: Path) -> None:
    model = pytest.importorskip("vtkmodules.vtkCommonDataModel")
    xml = pytest.importorskip("vtkmodules.vtkIOXML")
    support = pytest.importorskip("vtkmodules.util.numpy_support")
    values = np.arange(24.0).reshape(2, 3, 4)
    image = model.vtkImageData()
    image.SetDimensions(2, 3, 4)
    image.SetSpacing(1e-9, 2e-9, 3e-9)
    array = support.numpy_to_vtk(values.ravel(order="F"), deep=True)
    array.SetName("field")
    image.GetPointData().AddArray(array)
    writer = xml.vtkXMLImageDataWriter()
    writer.SetFileName(str(tmp_path / "a.vti"))
    writer.SetInputData(image)
    writer.Write()
    found = read_image(tmp_path / "a.vti")
    assert np.array_equal(found.values, values)
    assert np.allclose(found.spacing, [1e-9, 2e-9, 3e-9])


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.97])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"whole{suffix}"
    write_image(path, np.random.default_rng(0).integers(0, 9, (12, 11, 10)), spacing=1.0)
    content = path.read_bytes()
    keep = int(part * len(content))
    broken = tmp_path / f"broken{suffix}"
    broken.write_bytes(content[:keep])
    with pytest.raises(ImageError, match=rf"broken\{suffix}: expected a complete") as caught:
        read_image(broken)
    assert "\n" not in str(caught.value)


def test_a_stack_cut_after_the_array_that_is_wanted_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    write_image(path, {"labels": np.ones((8, 9)), "phases": np.ones((8, 9))})
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ImageError, match="beyond the end of the file"):
        read_image(path, dataset="labels")


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".npy"])
def test_text_under_a_foreign_name_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_text("these are not voxels, whatever the name says\n" * 20)
    with pytest.raises(ImageError, match="expected a complete"):
        read_image(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros(5), r"2D or 3D array, received shape \(5,\)"),
        (np.zeros((2, 2, 2, 2)), "2D or 3D array"),
        (np.zeros((0, 5)), "at least one voxel"),
        (np.array([[1.0, np.nan]]), r"1 NaN or infinite, first at voxel \(0, 1\)"),
        (np.array([[1j, 2j]]), "real numbers"),
        (np.array([["a", "b"]]), "numbers, received dtype"),
    ],
)
def test_arrays_that_are_no_image_are_refused(
    tmp_path: Path, values: np.ndarray, message: str
) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(ImageError, match=message):
        read_image(tmp_path / "a.npy")
    with pytest.raises(ImageError, match=message):
        write_image(tmp_path / "b.npz", values)


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[{}, 1]], dtype=object), allow_pickle=True)
    with pytest.raises(ImageError, match="expected a complete"):
        read_image(tmp_path / "a.npy")


def refused(path: Path, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)


def test_an_hdf5_file_that_says_it_is_huge_or_names_others(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("labels", (10**6, 10**6), "u1", chunks=(64, 64))
    refused(tmp_path / "huge.h5", "GiB, which is free")
    (tmp_path / "secret").write_bytes(b"S" * 64)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("labels", (8, 8), "u1", external=[(str(tmp_path / "secret"), 0, 64)])
    refused(tmp_path / "a.h5", "a file that holds its data")
    layout = h5py.VirtualLayout(shape=(8, 8), dtype="u1")
    layout[:] = h5py.VirtualSource(str(tmp_path / "a.h5"), "labels", shape=(8, 8))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file.create_virtual_dataset("labels", layout)
    refused(tmp_path / "b.h5", "a file that holds its data")
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["labels"] = h5py.ExternalLink("a.h5", "/labels")
    refused(tmp_path / "c.h5", "a 2D or 3D array of numbers, received none")


def test_an_archive_that_swells_beyond_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", labels=np.zeros((2048, 2048), dtype=np.uint8))
    np.savez(tmp_path / "b.npz", labels=np.eye(3), phase_names=np.array(["x" * 300_000]))
    refused(tmp_path / "b.npz", "a short list")
    monkeypatch.setattr("multiscale.numerics.memory.free_memory", lambda: 2**22)
    refused(tmp_path / "a.npz", "GiB, which is free")


def test_a_stack_whose_pages_lead_back(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.eye(6, dtype="u1"), metadata=None)
    data = bytearray(path.read_bytes())
    offset = int.from_bytes(data[4:8], "little")
    end = offset + 2 + 12 * int.from_bytes(data[offset : offset + 2], "little")
    data[end : end + 4] = data[4:8]
    path.write_bytes(data)
    refused(path, "pages that lead back to one another")


def test_a_compressed_page_that_is_larger_than_it_can_be(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.eye(6, dtype="u1"), compression="zlib", metadata=None)
    data = bytearray(path.read_bytes())
    offset = int.from_bytes(data[4:8], "little")
    for place in range(offset + 2, len(data) - 12, 12):
        if int.from_bytes(data[place : place + 2], "little") in (256, 257, 278):
            data[place + 2 : place + 12] = b"\x04\x00\x01\x00\x00\x00" + (10**6).to_bytes(
                4, "little"
            )
    path.write_bytes(data)
    refused(path, "bytes of pixels in")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('WholeExtent="0 3 0 3 0 1"', 'WholeExtent="0 100000 0 100000 0 9"', "an array of"),
        ('Piece Extent="0 3 0 3 0 1"', "Piece Extent = '0 100000 0 100000 0 9'", "an array of"),
        ("<DataArray", '<DataArray NumberOfTuples="1000000000000"', "an array of"),
        ("<VTKFile", '<!DOCTYPE VTKFile [<!ENTITY a "b">]><VTKFile', "without entities"),
    ],
)
def test_a_vti_that_would_abort_the_process(tmp_path: Path, old: str, new: str, words: str) -> None:
    pytest.importorskip("vtkmodules")
    path = tmp_path / "a.vti"
    write_image(path, np.eye(3, dtype=np.uint8))
    assert read_image(path).values.shape == (3, 3)
    data = path.read_bytes()
    assert data.count(old.encode()) >= 1
    path.write_bytes(data.replace(old.encode(), new.encode(), 1))
    refused(path, words)


def test_one_of_several_arrays_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write_image(path, {"density": np.zeros((2, 2)), "strain": np.ones((2, 2))})
    with pytest.raises(ImageError, match="received density, strain; name the dataset"):
        read_image(path)
    with pytest.raises(ImageError, match="did you mean 'density'"):
        read_image(path, dataset="densty")
    assert read_image(path, dataset="strain").values.all()


def test_colour_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 6, 3), dtype=np.uint8), photometric="rgb")
    with pytest.raises(ImageError, match="grey image, received colour"):
        read_image(tmp_path / "a.tif")


def test_paths_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "missing.npy")
    with pytest.raises(ImageError, match="suffix: expected one of"):
        read_image(tmp_path / "a.png")
    with pytest.raises(ImageError, match="suffix: expected one of"):
        write_image(tmp_path / "a.npy", np.zeros((2, 2)))
    with pytest.raises(ImageError, match="folder that exists"):
        write_image(tmp_path / "none" / "a.h5", np.zeros((2, 2)))
    with pytest.raises(ImageError, match="cells"):
        write_image(tmp_path / "a.h5", polycrystal(2, (1.0, 1.0), {"A": 1.0}, 0))
    with pytest.raises(ImageError, match="one shape"):
        write_image(tmp_path / "a.h5", {"a": np.zeros((2, 2)), "b": np.zeros((2, 3))})
    np.save(tmp_path / "a.npy", np.zeros((2, 2)))
    with pytest.raises(ImageError, match=r"a\.npy: spacing: expected"):
        read_image(tmp_path / "a.npy", spacing=-1.0)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npy"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    write_image(path, np.ones((2, 2)))

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(ImageError, match="disk full"):
        write_image(path, np.zeros((2, 2)))
    monkeypatch.undo()
    assert read_image(path).values.all()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.npz"]


def test_a_missing_vtk_is_named_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "vtkmodules", None)
    with pytest.raises(InputError, match=r"pip install 'multiscale\[vtk\]'"):
        write_image(tmp_path / "a.vti", np.zeros((2, 2)))
