"""What is exported is read back by those it is for, and says what the results say."""

import copy
import csv
import importlib.util
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest

from multiscale.errors import InputError
from multiscale.export import Selection, export, select, summarise
from multiscale.export.summary import fit
from multiscale.study import export_study, run_study
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")
ROOT = Path(__file__).parents[2]
RECIPE = """
description = "Two phases."
dimension = 2
grains = 20
grain_size_nm = 200
periodic = true
[seeding]
law = "poisson"
[grain_sizes]
law = "voronoi"
[orientation]
law = "random"
[phases]
LLZO = 0.8
LCO = 0.2
"""
STUDY = """
[study]
title = "Exports"
question = "Are numbers handed over?"
seed = 11

[[ensembles]]
name = "2D"
recipe = "square.toml"
cells = [32, 32]

[sweep]
volume_fraction = { phase = "LLZO", values = [0.8, 0.9] }
realisations = 3

[phases]
LLZO = "LLZO"
LCO = "blocked"

[boundaries]
"LLZO|LLZO" = "LLZO-LLZO"

[transport]
temperatures_K = [300, 350, 400]
driving_force = "chemical_potential"
boundary = "periodic"
"""
CHOICE = Selection(volume_fraction=0.8)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    (folder / "square.toml").write_text(RECIPE)
    (folder / "study.toml").write_text(STUDY)
    run_study(folder, workers=1)
    return folder


@pytest.fixture(scope="module")
def results(study):
    from multiscale.ensemble.store import read_dataset

    return read_dataset(study / "results" / "results.nc")


def test_a_group_is_chosen_or_the_choices_are_told(results):
    assert select(results, CHOICE).sizes["sample"] == 3
    with pytest.raises(InputError, match=r"--volume-fraction.*there are 0\.8, 0\.9"):
        select(results, Selection())
    with pytest.raises(InputError, match=r"received 0\.7"):
        select(results, Selection(volume_fraction=0.7))
    with pytest.raises(InputError, match=r"--ensemble.*there are 2D"):
        select(results, Selection(ensemble="3D", volume_fraction=0.8))


def test_the_summary_is_that_of_the_samples(results):
    some = select(results, CHOICE)
    found = summarise(some)
    tensor = some.effective_diffusivity.values[:, :, :2, :2]
    mean = np.trace(tensor, axis1=-2, axis2=-1) / 2
    np.testing.assert_allclose(found.diffusivity[0], np.median(mean, axis=0))
    assert np.all(np.diff(found.diffusivity[[3, 1, 0, 2, 4]], axis=0) >= 0)
    # σ = c e² D/(k_B T): the same factor over temperature for every sample
    factor = found.conductivity[0] / found.diffusivity[0] * found.temperatures
    np.testing.assert_allclose(factor, factor[0], rtol=1e-12)
    film = some.boundary_width.values / some.boundary_across.values
    place = list(some.boundary_type.values).index("LLZO|LLZO")
    np.testing.assert_allclose(found.resistance["LLZO|LLZO"], film[:, place])


def test_a_law_gives_back_its_energy():
    temperatures = np.array([300.0, 350.0, 400.0])
    energy = 0.3 * ELEMENTARY_CHARGE
    law = fit(temperatures, 2e-9 * np.exp(-energy / BOLTZMANN / temperatures))
    assert law.energy_eV == pytest.approx(0.3, rel=1e-9)
    assert law.energy_J_per_mol == pytest.approx(28945.9, rel=1e-4)
    assert law.at(325.0) == pytest.approx(2e-9 * np.exp(-energy / BOLTZMANN / 325), rel=1e-9)
    assert law.misfit < 1e-9


def test_csv_and_comsol_hold_the_same_numbers(results, tmp_path):
    some = summarise(select(results, CHOICE))
    text = export(results, "csv", tmp_path / "a.csv", selection=CHOICE).read_text()
    rows = list(csv.DictReader(io.StringIO("".join(
        line for line in text.splitlines(keepends=True) if not line.startswith("#")
    ))))  # fmt: skip
    sigma = [one for one in rows if one["quantity"] == "effective_conductivity"]
    np.testing.assert_allclose([float(one["median"]) for one in sigma], some.conductivity[0])
    assert {one["unit"] for one in sigma} == {"S/m"}
    table = export(results, "comsol", tmp_path / "a.txt", selection=CHOICE)
    values = np.loadtxt(table, comments="%")
    np.testing.assert_allclose(values[:, 0], some.temperatures)
    np.testing.assert_allclose(values[:, 1:6].T, some.diffusivity, rtol=1e-9)
    heads = next(one for one in table.read_text().splitlines() if one.startswith("% T[K]"))
    assert len(heads.split()) - 1 == values.shape[1]


def test_vtk_opens_elsewhere_and_carries_the_mean_flux(study, results, tmp_path):
    reader = pytest.importorskip("vtk").vtkXMLImageDataReader()
    from vtk.util.numpy_support import vtk_to_numpy

    path = export_study(study, "vtk", tmp_path / "a.vti", sample=2, temperature=350.0)
    reader.SetFileName(str(path))
    reader.Update()
    data = reader.GetOutput().GetCellData()
    names = [data.GetArrayName(number) for number in range(data.GetNumberOfArrays())]
    assert {"labels", "phases", "coefficient", "flux_x_driven_along_x"} <= set(names)
    sigma = results.effective_conductivity.sel(sample=2, temperature=350.0).values
    flux = vtk_to_numpy(data.GetArray("flux_x_driven_along_x")).mean()
    phases = vtk_to_numpy(data.GetArray("phases"))
    assert set(np.unique(phases)) == {0, 1}
    expected = sigma[0, 0] * BOLTZMANN * 350 / ELEMENTARY_CHARGE**2
    assert abs(flux) == pytest.approx(expected, rel=0.02)


def test_zarr_comes_back(results, tmp_path):
    pytest.importorskip("zarr")
    import xarray as xr

    path = export(results, "zarr", tmp_path / "a.zarr")
    again = xr.open_zarr(path, consolidated=False).load()
    for name in results.data_vars:
        np.testing.assert_array_equal(again[name].values, results[name].values)
    export(results, "zarr", path)  # again, over itself
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match="a Zarr store or nothing"):
        export(results, "zarr", tmp_path / "mine")


BASE = {
    "Header": {"BPX": "1.0.0", "Model": "DFN"},
    "Parameterisation": {
        "Cell": {
            "Electrode area [m2]": 0.01,
            "External surface area [m2]": 0.05,
            "Volume [m3]": 1e-5,
            "Number of electrode pairs connected in parallel to make a cell": 1,
            "Lower voltage cut-off [V]": 2.5,
            "Upper voltage cut-off [V]": 4.3,
            "Nominal cell capacity [A.h]": 0.3,
            "Reference temperature [K]": 298.15,
        },
        "Electrolyte": {
            "Cation transference number": 0.3,
            "Conductivity [S.m-1]": 1.0,
            "Diffusivity [m2.s-1]": 3e-10,
        },
        "Separator": {
            "Thickness [m]": 2e-5, "Porosity": 1.0, "Transport efficiency": 0.35
        },
    },
    "State": {
        "Initial conditions": {"Initial state-of-charge": 0.9, "Initial temperature [K]": 298.15,
                               "Initial electrolyte concentration [mol.m-3]": 1000.0},
        "Thermal environment": {"Ambient temperature [K]": 298.15},
    },
}  # fmt: skip


def electrode(low, high, ocp):
    return {
        "Minimum stoichiometry": low, "Maximum stoichiometry": high,
        "Maximum concentration [mol.m-3]": 50000.0, "Particle radius [m]": 2e-6,
        "Surface area per unit volume [m-1]": 6e5, "Diffusivity [m2.s-1]": 1e-14,
        "Entropic change coefficient [V.K-1]": 0.0,
        "OCP [V]": ocp, "Reaction rate constant [mol.m-2.s-1]": 1e-5,
        "Thickness [m]": 5e-5, "Conductivity [S.m-1]": 10.0, "Porosity": 0.3,
        "Transport efficiency": 0.2,
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:'Open-circuit voltage at")  # of the base, not ours
@pytest.mark.filterwarnings("ignore:Accessing the 'model_fields'")  # pybamm's, with new pydantic
def test_bpx_is_valid_and_read_back_by_pybamm(results, tmp_path):
    bpx = pytest.importorskip("bpx")
    pybamm = pytest.importorskip("pybamm")
    part = json.loads(export(results, "bpx", tmp_path / "part.json", selection=CHOICE).read_text())
    bpx.parse_bpx_obj(copy.deepcopy(part))
    law = summarise(select(results, CHOICE)).law("conductivity")
    given = part["Parameterisation"]["Electrolyte"]
    assert given["Conductivity [S.m-1]"] == pytest.approx(law.at(298.15))
    assert given["Conductivity activation energy [J.mol-1]"] == pytest.approx(law.energy_J_per_mol)
    base = json.loads(json.dumps(BASE))
    base["Parameterisation"]["Negative electrode"] = electrode(0.01, 0.9, "0.3 - 0.2 * x")
    base["Parameterisation"]["Positive electrode"] = electrode(0.3, 0.95, "4.4 - 0.9 * x")
    (tmp_path / "cell.json").write_text(json.dumps(base))
    path = export(
        results, "bpx", tmp_path / "a.json", selection=CHOICE, base=tmp_path / "cell.json"
    )
    whole = json.loads(path.read_text())["Parameterisation"]
    assert whole["Separator"]["Transport efficiency"] == 1.0
    assert whole["Positive electrode"]["Thickness [m]"] == 5e-5
    values = pybamm.ParameterValues.create_from_bpx(str(path))
    sigma = values.evaluate(
        values["Electrolyte conductivity [S.m-1]"](pybamm.Scalar(1000), pybamm.Scalar(350))
    )
    assert float(sigma) == pytest.approx(law.at(350.0), rel=1e-6)
    model = pybamm.lithium_ion.SPMe()
    found = pybamm.Simulation(model, parameter_values=values, C_rate=0.2).solve([0, 600])
    ohmic = found["X-averaged battery electrolyte ohmic losses [V]"].entries[-1]
    density = 0.2 * 0.3 / 0.01  # [A/m²]
    length = 2e-5 + 5e-5 / 3 + 5e-5 / 3 / 0.2  # the negative electrode keeps its efficiency
    expected = density * length / law.at(298.15)
    assert -ohmic == pytest.approx(expected, rel=1e-3)


def test_pybamm_discharges_and_the_change_is_the_ohmic_loss(study, results, tmp_path):
    pytest.importorskip("pybamm")
    place = ROOT / "runs" / "atoms-to-cell" / "make_discharge.py"
    spec = importlib.util.spec_from_file_location("make_discharge", place)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    some = select(results, CHOICE)
    found, drop, _ = script.curves(some, tmp_path, 0.5, 350.0, "SPMe")
    charge, voltage, ohmic, concentration = found["median"]
    half = np.searchsorted(charge, 0.5 * charge[-1])
    assert -ohmic[half] == pytest.approx(drop, rel=0.02)
    assert abs(concentration[half]) < 1e-5  # transference number one
    assert -found["liquid"][3][half] > 1e-4
    lowest, highest = found["lowest 2.5 %"][1], found["highest 2.5 %"][1]
    assert lowest[half] < voltage[half] < highest[half]


def test_what_cannot_be_handed_over_is_one_line(study, results, tmp_path):
    with pytest.raises(InputError, match="did you mean 'comsol'"):
        export(results, "comsl", tmp_path / "a")
    with pytest.raises(InputError, match="a folder that exists"):
        export(results, "csv", tmp_path / "none" / "a.csv", selection=CHOICE)
    with pytest.raises(InputError, match="--base: expected --to bpx"):
        export(results, "csv", tmp_path / "a.csv", selection=CHOICE, base="cell.json")
    plain = results.drop_vars("effective_conductivity")
    for kind in ("pybamm", "bpx"):
        with pytest.raises(InputError, match="driving_force = 'chemical_potential'"):
            export(plain, kind, tmp_path / "a", selection=CHOICE)
    (tmp_path / "broken.json").write_text('{"Header": ')
    for base in ("broken.json", "none.json"):
        with pytest.raises(InputError, match=r"a BPX file"):
            export(results, "bpx", tmp_path / "a", selection=CHOICE, base=tmp_path / base)
    with pytest.raises(InputError, match=r"--sample: expected 0 to 5"):
        export_study(study, "vtk", tmp_path / "a.vti", sample=6)
    with pytest.raises(InputError, match="--temperature: expected one of 300, 350, 400 K"):
        export_study(study, "vtk", tmp_path / "a.vti", temperature=310.0)
    assert os.listdir(tmp_path) == ["broken.json"]  # nothing half written
