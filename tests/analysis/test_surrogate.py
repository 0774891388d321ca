"""The surrogate is scikit-learn's process, its ONNX is the surrogate, and neither extrapolates."""

import numpy as np
import pytest
import xarray as xr

from multiscale.analysis import Surrogate, fit_surrogate
from multiscale.analysis.surrogate import _design, features
from multiscale.errors import InputError
from multiscale.export import export
from multiscale.export.onnx_file import NAMES, as_onnx


def law(temperature, size, fraction):
    """A smooth law with everything that a real one has."""
    arrhenius = -0.3 / 8.617333e-5 / np.log(10) * (1 / temperature - 1 / 300)
    return -13 + arrhenius + 1.5 * np.tanh(4 * (fraction - 0.5)) - np.log10(1 + 1e-7 / size)


def ensemble(repeats=6, spread=0.05, seed=0, n=60, names=("2D",)):
    rng = np.random.default_rng(seed)
    size = np.repeat(10 ** rng.uniform(-8, -5, n), repeats)
    fraction = np.repeat(rng.uniform(0.2, 0.8, n), repeats)
    temperatures = np.array([300.0, 350.0, 400.0])
    log = law(temperatures, size[:, None], fraction[:, None])
    log = log + spread * rng.normal(size=(len(size), 1))
    tensor = np.zeros((len(size), 3, 3, 3))
    for axis in range(2):
        tensor[:, :, axis, axis] = 10**log
    return xr.Dataset(
        {
            "ensemble": ("sample", np.resize(names, len(size))),
            "dimension": ("sample", np.full(len(size), 2)),
            "grain_size": ("sample", size),
            "target_volume_fraction": ("sample", fraction),
            "effective_diffusivity": (("sample", "temperature", "axis", "axis2"), tensor),
        },
        coords={"temperature": temperatures},
        attrs={"title": "t", "study_hash": "h"},
    )


@pytest.fixture(scope="module")
def fitted():
    return fit_surrogate(ensemble())


def anywhere(n, seed=5):
    rng = np.random.default_rng(seed)
    return rng.uniform(300, 400, n), 10 ** rng.uniform(-7.9, -5.1, n), rng.uniform(0.22, 0.78, n)


def test_it_learns_the_law_and_says_how_well(fitted):
    points = anywhere(400)
    found = fitted.predict(*points)
    error = found.mean - law(*points)
    assert np.sqrt(np.mean(error**2)) < 0.05
    assert 0.88 < np.mean(np.abs(error) < 1.96 * found.law_sd) <= 1.0
    assert fitted.spread == pytest.approx(0.05, rel=0.3)
    assert 0.85 < fitted.score["coverage_95"] <= 1.0


def test_single_samples_lie_in_their_interval(fitted):
    new = ensemble(repeats=1, seed=9, n=300)
    size, fraction = new.grain_size.values, new.target_volume_fraction.values
    inside = (size > fitted.low[1]) & (size < fitted.high[1])
    inside &= (fraction > fitted.low[2]) & (fraction < fitted.high[2])
    found = fitted.predict(300.0, size[inside], fraction[inside])
    truth = np.log10(new.effective_diffusivity.values[inside, 0, 0, 0])
    assert 0.9 < np.mean(np.abs(truth - found.mean) < 1.96 * found.sample_sd) < 0.99


def test_it_is_the_process_of_scikit_learn(fitted):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rows, target, error, _ = _design(ensemble(), "2D")
    kernel = ConstantKernel(fitted.amplitude) * Matern(fitted.lengths, nu=2.5)
    kernel += WhiteKernel(fitted.white)
    noise = (error / fitted.unit) ** 2 + 1e-10
    process = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None)
    feature = (features(fitted.inputs, rows) - fitted.centre) / fitted.scale
    process.fit(feature, (target - fitted.offset) / fitted.unit)
    points = anywhere(50)
    feature = (features(fitted.inputs, np.column_stack(points)) - fitted.centre) / fitted.scale
    mean, deviation = process.predict(feature, return_std=True)
    found = fitted.predict(*points)
    np.testing.assert_allclose(found.mean, fitted.offset + fitted.unit * mean, rtol=1e-9)
    law_sd = fitted.unit * np.sqrt(deviation**2 - fitted.white)
    np.testing.assert_allclose(found.law_sd, law_sd, rtol=1e-6)


def test_onnx_says_the_same(fitted):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    session = runtime.InferenceSession(as_onnx(fitted), providers=["CPUExecutionProvider"])
    points = anywhere(500)
    points[0][0], points[1][1], points[2][2] = 299.0, 1e-9, 0.9
    given = {NAMES[name]: one for name, one in zip(fitted.inputs, points, strict=True)}
    mean, law_sd, sample_sd, extrapolated = session.run(None, given)
    found = fitted.predict(*points, extrapolate=True)
    np.testing.assert_allclose(mean, found.mean, rtol=1e-10)
    np.testing.assert_allclose(law_sd, found.law_sd, rtol=1e-6)
    np.testing.assert_allclose(sample_sd, found.sample_sd, rtol=1e-9)
    np.testing.assert_array_equal(extrapolated, found.extrapolated)
    assert extrapolated[:3].all()
    assert session.get_modelmeta().custom_metadata_map["study_hash"] == "h"


def test_onnx_on_the_design_points_where_single_precision_fails(fitted):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(as_onnx(fitted), providers=["CPUExecutionProvider"])
    data = ensemble()
    size, fraction = data.grain_size.values[::6], data.target_volume_fraction.values[::6]
    given = {NAMES["temperature"]: np.full(60, 350.0), NAMES["grain_size"]: size}
    given |= {NAMES["volume_fraction"]: fraction}
    found = fitted.predict(350.0, size, fraction)
    np.testing.assert_allclose(session.run(["law_sd"], given)[0], found.law_sd, rtol=1e-6)


def test_it_refuses_to_extrapolate(fitted):
    with pytest.raises(
        InputError, match=r"temperature: expected 300 to 400 K, received 500"
    ) as one:
        fitted.predict(500.0, 1e-6, 0.5)
    assert "extrapolate=True" in str(one.value)
    far = fitted.predict(500.0, 1e-6, 0.5, extrapolate=True)
    assert far.extrapolated.all()
    assert far.law_sd[0] > 2 * fitted.predict(350.0, 1e-6, 0.5).law_sd[0]
    for wrong in (np.nan, -1.0, 0.0, np.inf):
        with pytest.raises(InputError, match="finite and positive"):
            fitted.predict(350.0, wrong, 0.5, extrapolate=True)
    with pytest.raises(InputError, match="volume_fraction: expected a value"):
        fitted.predict(350.0, 1e-6)


def test_it_is_stored_as_plain_arrays(fitted, tmp_path):
    again = Surrogate.load(fitted.save(tmp_path / "a.npz"))
    points = anywhere(20)
    np.testing.assert_array_equal(again.predict(*points).mean, fitted.predict(*points).mean)
    np.savez(tmp_path / "b.npz", facts=np.array({"format": 1}, dtype=object))
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 cut")
    for name in ("b.npz", "c.npz", "none.npz"):
        with pytest.raises(InputError, match="a surrogate that this program stored"):
            Surrogate.load(tmp_path / name)


def test_what_cannot_be_fitted_is_one_line(tmp_path):
    with pytest.raises(InputError, match="at least 6 design points"):
        fit_surrogate(ensemble(n=1))
    with pytest.raises(InputError, match="there are 2D, 3D"):
        fit_surrogate(ensemble(names=("2D", "3D")))
    blocked = ensemble()
    blocked.effective_diffusivity.values[:6] = 0.0
    with pytest.raises(InputError, match="2% that do not"):
        fit_surrogate(blocked)


def test_one_sample_a_point_is_enough():
    made = fit_surrogate(ensemble(repeats=1, n=120))
    assert made.spread == pytest.approx(0.05, rel=0.5)
    assert made.score["rmse"] < 0.1


def test_export_by_name(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    path = export(ensemble(n=20), "onnx", tmp_path / "a.onnx")
    inputs = {one.name for one in runtime.InferenceSession(str(path)).get_inputs()}
    assert inputs == set(NAMES.values())
