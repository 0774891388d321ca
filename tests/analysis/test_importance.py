"""Regression finds what was put in, does not see what it should not, and says when it cannot."""

import numpy as np
import pytest
import xarray as xr

from multiscale.analysis import explain_diffusivity, uncertainty_budget
from multiscale.errors import InputError


def ensemble(n=120, seed=0, law=None, repeat=1):
    """Results in which log10 D_eff is a known function of known descriptors."""
    rng = np.random.default_rng(seed)
    fraction = np.repeat(rng.uniform(0.2, 0.8, n), repeat)
    size = np.repeat(10 ** rng.uniform(-8, -6, n), repeat)
    n *= repeat
    noise = rng.normal(size=(n, 1, 2))
    circuit = -14 + 2 * fraction[:, None, None] + 0 * noise
    log = law(fraction, size, circuit, noise)
    tensor, second = np.zeros((2, n, 1, 3, 3))
    for axis in range(2):
        tensor[:, :, axis, axis] = 10 ** log[:, :, axis]
        second[:, :, axis, axis] = 10 ** circuit[:, :, axis]
    pair = np.stack([fraction, 1 - fraction], axis=1)
    per_axis = np.zeros((n, 2, 3))
    return xr.Dataset(
        {
            "ensemble": ("sample", np.full(n, "2D")),
            "dimension": ("sample", np.full(n, 2)),
            "grain_size": ("sample", size),
            "triple_line_density": ("sample", 1 / size**2),
            "diameter_cv": ("sample", rng.normal(0.4, 0.01, n)),
            "heterointerfaces": ("sample", rng.integers(10, 20, n)),
            "grains": ("sample", np.full(n, 100)),
            "volume_fraction": (("sample", "phase"), pair),
            "largest_cluster_fraction": (("sample", "phase"), pair),
            "percolates": (("sample", "phase", "axis"), per_axis),
            "percolating_fraction": (("sample", "phase", "axis"), per_axis),
            "boundary_area_density": (("sample", "boundary_type"), np.ones((n, 1))),
            "boundary_percolates": (("sample", "boundary_type", "axis"), np.zeros((n, 1, 3))),
            "hashin_shtrikman_lower": (("sample", "temperature"), np.full((n, 1), 1e-15)),
            "hashin_shtrikman_upper": (("sample", "temperature"), np.full((n, 1), 1e-12)),
            "effective_diffusivity": (("sample", "temperature", "axis", "axis2"), tensor),
            "circuit_diffusivity": (("sample", "temperature", "axis", "axis2"), second),
        },
        coords={
            "sample": np.arange(n), "temperature": [300.0], "axis": ["x", "y", "z"],
            "phase": ["A", "B"], "boundary_type": ["A|B"],
        },
    )  # fmt: skip


def score(found, start):
    return next(one for one in found.scores if one.model.startswith(start))


def test_the_feature_that_decides_is_found():
    found = explain_diffusivity(
        ensemble(law=lambda f, s, c, e: -13 + 0.8 * np.log10(s)[:, None, None] + 0.02 * e)
    )
    assert next(iter(found.importance)) in ("grain size", "triple line density")
    assert score(found, "descriptors, linear").r_squared > 0.99
    assert score(found, "bounds and circuit").r_squared < 0.1


def test_what_the_circuit_leaves_is_measured_and_explained():
    found = explain_diffusivity(
        ensemble(law=lambda f, s, c, e: c + 0.1 * np.log10(s)[:, None, None] + 0.005 * e)
    )
    assert found.residual_spread == pytest.approx(0.1 * 2 / np.sqrt(12), rel=0.15)
    assert next(iter(found.residual_importance)) in ("grain size", "triple line density")
    assert found.residual.r_squared > 0.9


def test_noise_is_not_explained_even_where_samples_have_several_rows():
    found = explain_diffusivity(ensemble(law=lambda f, s, c, e: -13 + e[:, :, :1] + 0 * e))
    for model in ("descriptors, linear", "descriptors, trees", "descriptors, bounds"):
        assert score(found, model).r_squared < 0.1
    assert all(value < 4 * stderr + 0.02 for value, stderr in found.importance.values())


def test_axes_that_do_not_conduct_are_counted_and_the_worst_listed():
    data = ensemble(law=lambda f, s, c, e: -13 + f[:, None, None] + 0.01 * e)
    data.effective_diffusivity.values[3, 0, 0, 0] = 0.0
    data.effective_diffusivity.values[7, 0, 1, 1] *= 10.0
    found = explain_diffusivity(data)
    assert (found.zeros, found.rows, found.samples) == (1, 239, 120)
    assert found.worst[0][:2] == (7, "y")
    assert found.worst[0][2] == pytest.approx(1.0, abs=0.15)


def test_the_same_seed_gives_the_same_answer():
    data = ensemble(n=40, law=lambda f, s, c, e: -13 + f[:, None, None] + 0.1 * e)
    assert explain_diffusivity(data, seed=3) == explain_diffusivity(data, seed=3)


def test_too_few_samples_or_no_choice_is_one_line():
    data = ensemble(n=20, law=lambda f, s, c, e: -13 + e)
    with pytest.raises(InputError, match="at least 30 samples"):
        explain_diffusivity(data)
    with pytest.raises(InputError, match="one of 2D"):
        explain_diffusivity(data, "3D")


def test_the_budget_parts_known_variances():
    rng = np.random.default_rng(0)
    n = 4000
    tensor = np.zeros((n, 1, 3, 3))
    tensor[:, 0, 0, 0] = 1e-13 * np.exp(0.3 * rng.normal(size=n))
    share = np.zeros((n, 1, 3, 3))
    share[:, 0, 0] = (0.7, 0.1, 0.2)
    data = xr.Dataset(
        {
            "effective_diffusivity": (("sample", "temperature", "axis", "axis2"), tensor),
            "dissipation_share": (("sample", "temperature", "axis", "dissipation_part"), share),
            "phase_diffusivity": (("temperature", "phase"), [[1e-12, 1e-13]]),
            "phase_diffusivity_stderr": (("temperature", "phase"), [[2e-13, np.nan]]),
        },
        coords={"phase": ["A", "B"], "dissipation_part": ["A", "B", "across A|A"]},
    )
    found = uncertainty_budget(data)
    assert found.microstructure == pytest.approx(0.09, rel=0.1)
    assert found.inputs == {"A": pytest.approx((0.7 * 0.2) ** 2)}
    assert found.unknown == ("B",)
    assert found.share == pytest.approx(0.09 / (0.09 + 0.0196), rel=0.05)
    with pytest.raises(InputError, match="two samples"):
        uncertainty_budget(data.isel(sample=[0]))
