"""The public contract: what a user's script and command line rely on, and nothing else."""

import json
import os
import signal
import subprocess
import sys
import time

import networkx as nx
import numpy as np
import pytest
import xarray as xr

import multiscale as ms

PROGRAM = [sys.executable, "-m", "multiscale.cli"]


def multiscale(*arguments, **options):
    """Run the command line as a user does."""
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=600, **options
    )


def refused(done):
    """One line on stderr, exit code 2, no traceback."""
    assert done.returncode == 2, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.strip().splitlines()) == 1
    return done.stderr


# Python -----------------------------------------------------------------------------------


def test_a_voxel_field():
    field = np.ones((6, 5, 4))
    field[:3] = 4.0
    result = ms.effective_diffusivity(field, spacing=1e-9, boundary="periodic", rtol=1e-8)
    np.testing.assert_allclose(np.diag(result.tensor), [1.6, 2.5, 2.5], rtol=1e-7)
    np.testing.assert_array_equal(result.tensor, result.tensor.T)
    assert 0 <= result.flux_imbalance <= 1e-8
    assert result.residual <= 1e-8
    assert result.iterations >= 0
    tensors = field[..., None, None] * np.eye(3)
    again = ms.effective_diffusivity(tensors, spacing=(1e-9, 1e-9, 1e-9))
    np.testing.assert_allclose(np.diag(again.tensor)[1:], [2.5, 2.5], rtol=1e-7)


@pytest.fixture(scope="module")
def crystal():
    return ms.polycrystal(
        grains=60, size=(1e-6, 1e-6, 1e-6), phases={"LLZO": 0.5, "LCO": 0.5}, seed=0
    )


PHASES = {"LLZO": 1e-12, "LCO": 1e-14}
FILMS = {
    ("LLZO", "LLZO"): ms.Boundary(width=1e-9, across=1e-14, along=1e-13),
    ("LLZO", "LCO"): ms.Boundary(width=1e-9, across=1e-15, along=1e-13),
    ("LCO", "LCO"): ms.Boundary(width=1e-9, across=1e-14, along=1e-11),
}


def test_a_polycrystal_and_its_graph(crystal):
    assert crystal.seeds.shape == (60, 3)
    assert set(crystal.phase_names) == {"LLZO", "LCO"}
    assert crystal.phases.shape == (60,)
    labels = crystal.labels(cells=(16, 16, 16))
    assert labels.shape == (16, 16, 16)
    assert labels.dtype == np.int32
    assert 0 <= labels.min() <= labels.max() < 60
    graph = crystal.grain_graph()
    assert isinstance(graph, nx.Graph)
    assert graph.number_of_nodes() == 60
    volumes = [data["volume"] for _, data in graph.nodes(data=True)]
    assert sum(volumes) == pytest.approx(1e-18)
    assert {data["phase"] for _, data in graph.nodes(data=True)} == {"LLZO", "LCO"}
    for g, k, data in graph.edges(data=True):
        pair = sorted((graph.nodes[g]["phase"], graph.nodes[k]["phase"]))
        assert data["type"] == "|".join(pair)
        assert data["area"] > 0
        assert np.linalg.norm(data["normal"]) == pytest.approx(1.0)


def test_a_polycrystal_with_thin_boundaries(crystal):
    field = ms.effective_diffusivity(
        crystal, cells=(24, 24, 24), phases=PHASES, boundaries=FILMS, rtol=1e-6
    )
    circuit = ms.circuit_diffusivity(crystal, phases=PHASES, boundaries=FILMS)
    assert field.tensor.shape == circuit.tensor.shape == (3, 3)
    assert (np.linalg.eigvalsh(field.tensor) > 0).all()
    np.testing.assert_allclose(np.diag(circuit.tensor), np.diag(field.tensor), rtol=0.5)
    assert field.status == ("percolating",) * 3


def test_crystal_tensors_are_turned_by_the_orientations(crystal):
    layered = np.diag([1e-12, 1e-12, 1e-16])
    result = ms.effective_diffusivity(
        crystal, cells=(12, 12, 12), phases={"LLZO": 1e-12, "LCO": layered}, rtol=1e-6
    )
    assert 0.5e-12 < np.trace(result.tensor) / 3 < 1e-12
    assert abs(result.tensor[0, 1]) > 0


def test_percolation(crystal):
    found = ms.percolation(crystal)
    assert found.phase_names == crystal.phase_names
    assert found.phase_percolates.shape == (2, 3)
    assert found.boundary_percolates.shape == (3, 3)


def test_the_public_names_are_there():
    for name in ms.__all__:
        assert getattr(ms, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ms.nothing


# Command line -----------------------------------------------------------------------------


def test_help_has_examples():
    assert multiscale("--help").returncode == 0
    for command in ("run", "generate", "solve", "report", "properties"):
        done = multiscale(command, "--help")
        assert done.returncode == 0
        if command != "properties":
            assert "Example" in done.stdout


def test_run_resumes_and_reports(tiny_study):
    first = multiscale("run", tiny_study, "--samples", 3, "--workers", 2)
    assert first.returncode == 0, first.stderr
    assert "3 samples computed, 0 found finished, 0 failed" in first.stdout
    second = multiscale("run", tiny_study, "--workers", 1)
    assert "1 samples computed, 3 found finished, 0 failed" in second.stdout
    folder = tiny_study / "results"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.rstrip().endswith("</html>")
    data = xr.load_dataset(folder / "results.nc", engine="h5netcdf")
    assert data.sizes["sample"] == 4
    for name, variable in data.data_vars.items():
        assert variable.attrs.get("long_name"), name
    assert data["effective_diffusivity"].attrs["units"] == "m2/s"
    for key in ("resolved_study", "study_hash", "git_revision", "versions", "seed"):
        assert key in data.attrs
    tensor = data["effective_diffusivity"].isel(sample=1).values
    assert (tensor[:, 0, 0] > 0).all()
    flat = data["effective_diffusivity"].sel(axis="z", axis2="z")[data["dimension"] == 2]
    assert np.isnan(flat).all()
    os.remove(folder / "report.html")
    rebuilt = multiscale("report", tiny_study)
    assert rebuilt.returncode == 0
    assert (folder / "report.html").exists()


def test_the_result_does_not_depend_on_workers_or_interruption(tiny_study, tmp_path):
    whole = multiscale("run", tiny_study, "--workers", 1, "-o", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
    command = [*PROGRAM, "run", str(tiny_study), "--workers", "2", "-o", str(tmp_path / "cut")]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    samples = tmp_path / "cut" / "samples"
    deadline = time.monotonic() + 300
    while not list(samples.glob("sample-*.nc")) and time.monotonic() < deadline:
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    resumed = multiscale("run", tiny_study, "--workers", 2, "-o", tmp_path / "cut")
    assert resumed.returncode == 0, resumed.stderr
    one, two = (
        xr.load_dataset(tmp_path / name / "results.nc", engine="h5netcdf").drop_vars(
            "solve_seconds"
        )
        for name in ("whole", "cut")
    )
    one.attrs, two.attrs = {}, {}
    assert one.identical(two)


def test_generate_and_solve(tmp_path):
    image = tmp_path / "grains.h5"
    recipe = "microstructures/llzo-lco-3d.toml"
    made = multiscale("generate", recipe, "--cells", 24, "--seed", 1, "-o", image)
    assert made.returncode == 0, made.stderr
    done = multiscale(
        "solve", image, "--dataset", "phases", "-d", "LLZO=1e-8cm2/s", "-d", "LCO=1e-14", "--json"
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    tensor = np.array(answer["tensor_m2_per_s"])
    assert tensor.shape == (3, 3)
    assert (np.diag(tensor) < 1e-12).all()
    assert (np.diag(tensor) > 1e-14).all()
    assert answer["flux_imbalance"] <= 1e-8


def test_names_select_phases_not_grain_numbers(tmp_path):
    image = tmp_path / "two.h5"
    two = ms.polycrystal(grains=2, size=(1e-6, 1e-6), phases={"A": 0.7, "B": 0.3}, seed=3)
    ms.write_image(image, two, cells=(32, 32))
    label = ["-d", "A=1e-12", "-d", "B=1e-16", "--json"]
    plain, named = (
        json.loads(multiscale("solve", image, *label, *more).stdout)["tensor_m2_per_s"]
        for more in ([], ["--dataset", "phases"])
    )
    assert plain == named
    assert "'A'" in refused(multiscale("solve", image, *label, "--dataset", "labels"))


def test_an_output_that_cannot_be_written_is_one_line(tiny_study):
    for target in ("/dev/null/x", "/proc/x"):
        assert target in refused(multiscale("run", tiny_study, "--samples", 1, "-o", target))


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".tif"])
def test_solve_own_image(tmp_path, suffix):
    import tifffile

    labels = np.zeros((6, 6, 6), np.uint8)
    labels[3:] = 7
    image = tmp_path / f"image{suffix}"
    if suffix == ".npz":
        np.savez(image, labels=labels)
    elif suffix == ".npy":
        np.save(image, labels)
    else:
        tifffile.imwrite(image, np.ascontiguousarray(labels.T))
    done = multiscale(
        "solve", image, "-d", "0=1e-12", "-d", "7=0", "--spacing", "5nm", "--boundary", "dirichlet"
    )
    assert done.returncode == 0, done.stderr
    assert "not percolating" in done.stdout
    assert "5.000000e-13" in done.stdout


def bad_solves(folder):
    whole = folder / "whole.npy"
    labels = np.zeros((4, 4), int)
    labels[2:] = 1
    np.save(whole, labels)
    broken = folder / "broken.npy"
    broken.write_bytes(whole.read_bytes()[:-40])
    pickled = folder / "pickled.npy"
    np.save(pickled, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    nan = folder / "nan.npy"
    np.save(nan, np.array([[0.0, np.nan], [1.0, 1.0]]))
    label = ["-d", "0=1e-12", "-d", "1=1e-14", "--spacing", "1nm"]
    yield ["solve", whole, "-d", "0=1e-12", "--spacing", "1nm"], "every label"
    yield ["solve", whole, *label, "-d", "2=1"], "'2'"
    yield ["solve", whole, "-d", "0=-1e-12", "-d", "1=0", "--spacing", "1nm"], "-1e-12"
    yield ["solve", whole, "-d", "0=1e-12m/s", "-d", "1=0", "--spacing", "1nm"], "m/s"
    yield ["solve", whole, "-d", "0=fast", "-d", "1=0", "--spacing", "1nm"], "fast"
    yield ["solve", whole, *label, "-d", "0=1"], "each label once"
    yield ["solve", whole, "-d", "0", "-d", "1=0", "--spacing", "1nm"], "LABEL=VALUE"
    yield ["solve", whole, "-d", "0=1", "-d", "1=0"], "--spacing"
    yield ["solve", whole, "-d", "0=1", "-d", "1=0", "--spacing", "1parsec"], "parsec"
    yield ["solve", whole, *label, "--boundary", "perodic"], "periodic"
    yield ["solve", broken, *label], "broken.npy"
    yield ["solve", pickled, *label], "pickled.npy"
    yield ["solve", nan, *label], "nan.npy"
    yield ["solve", folder / "none.npy", *label], "none.npy"
    yield ["solve", folder / "none.docx", *label], ".docx"


def test_bad_images_are_one_line(tmp_path):
    for arguments, word in bad_solves(tmp_path):
        assert word in refused(multiscale(*arguments))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("grain_size_nm", "grain_size_mm", ["sweep.grain_size_mm", "grain_size_nm"]),
        ('LLZO = "LLZO"', 'LLZO = "LZLO"', ["LZLO", "LLZO"]),
        ("rtol = 1e-6", "rtol = nan", ["transport.rtol"]),
        ("seed = 5", "seed = -5", ["study.seed"]),
        ("seed = 5", "seed = 18446744073709551616000", ["study.seed"]),
        ("[300, 350]", "[300, -350]", ["temperatures_K"]),
        ("[300, 350]", '"hot"', ["temperatures_K"]),
        ("cells = [20, 20, 20]", "cells = [20, 20]", ["cells"]),
        ("cells = [40, 40]", "cells = [9, 9]", ["voxels"]),
        ('"LCO|LCO" = "LCO-LCO"\n', "", ["LCO|LCO"]),
        ("[transport]", "[transport", ["line"]),
        ("llzo-lco-2d.toml", "llzo-lco-4d.toml", ["llzo-lco-4d"]),
    ],
)
def test_bad_studies_are_one_line_and_leave_nothing(tiny_study, old, new, words):
    file = tiny_study / "study.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    message = refused(multiscale("run", tiny_study))
    for word in [*words, "expected"]:
        assert word in message
    assert sorted(path.name for path in tiny_study.iterdir()) == ["study.toml"]


def test_wide_films_are_one_line_of_warning_or_refusal(tiny_study):
    file = tiny_study / "study.toml"
    text = file.read_text()
    file.write_text(text.replace("[50]", "[3]"))
    assert "times the mean grain size" in refused(multiscale("run", tiny_study))
    file.write_text(text.replace("[50]", "[8]"))
    done = multiscale("run", tiny_study, "--samples", 1)
    assert done.returncode == 0, done.stderr
    lines = done.stderr.strip().splitlines()
    assert lines
    assert all(line.startswith("warning: ") and "of it; " in line for line in lines)


def test_another_study_in_the_folder_needs_fresh(tiny_study):
    assert multiscale("run", tiny_study, "--samples", 1).returncode == 0
    kept = sorted((tiny_study / "results" / "samples").iterdir())
    message = refused(multiscale("run", tiny_study, "--samples", 1, "--cells", 44))
    assert "--fresh" in message
    assert sorted((tiny_study / "results" / "samples").iterdir()) == kept
    done = multiscale("run", tiny_study, "--samples", 1, "--cells", 44, "--fresh")
    assert done.returncode == 0, done.stderr
    assert len(list((tiny_study / "results" / "samples").iterdir())) == 1


def test_usage_errors_exit_with_two():
    assert multiscale("run").returncode == 2
    assert multiscale("fly").returncode == 2
    assert multiscale("report", "/nowhere").returncode == 2
