"""What is stated equals what a reader would compute from the data set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from multiscale.analysis import mode_test
from multiscale.report import find, headline
from multiscale.report.comparison_figures import circuit_error, mean_shares, shares
from multiscale.report.trends import activation_energies, size_exponent, slopes, wilson
from multiscale.report.wording import percent, power


def axis_table(dataset: xr.Dataset, ensemble: str, fraction: float, kelvin: float) -> np.ndarray:
    """(samples, axes) of one group, by plain indexing."""
    chosen = dataset["effective_diffusivity"].sel(temperature=kelvin).values
    keep = (dataset["ensemble"].values == ensemble) & np.isclose(
        dataset["target_volume_fraction"].values, fraction
    )
    axes = int(ensemble[0])
    return np.stack([chosen[keep, i, i] for i in range(axes)], axis=1)


def test_headline_medians_are_those_of_the_data(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(realisations=8)
    said = " ".join(headline(dataset, temperature=510.0))
    for ensemble in ("2D", "3D"):
        for fraction in (0.1, 0.9):
            values = axis_table(dataset, ensemble, fraction, 500.0)
            assert f"{power(float(np.median(values)))} m²/s at LLZO {percent(fraction)}" in said


def test_headline_counts_and_extremes(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(realisations=4)
    said = " ".join(headline(dataset))
    assert f"{dataset.sizes['sample']} polycrystals (40 2D, 40 3D)" in said
    assert power(float(dataset["flux_imbalance"].max())) in said
    assert power(float(dataset["residual"].max())) in said


def test_modes_are_tested_on_each_axis_apart(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(ensembles=("2D",), fractions=(0.5,), sizes=(1e-6,), realisations=60)
    verdict = find(dataset).verdicts["2D"][0.5]
    values = axis_table(dataset, "2D", 0.5, 300.0)
    expected = min(mode_test(values[:, i]).p_value for i in range(2)) * 2
    assert verdict.p_value == pytest.approx(min(expected, 1.0))
    assert (verdict.samples, verdict.values, verdict.modes) == (60, 120, 2)


def test_copies_of_an_axis_bring_no_evidence(make_dataset: Callable[..., xr.Dataset]) -> None:
    """Three equal axes must not make a weak second mode significant."""
    dataset = make_dataset(ensembles=("3D",), fractions=(0.5,), sizes=(1e-6,), realisations=24)
    rng = np.random.default_rng(1)
    once = 10.0 ** np.r_[rng.normal(-14, 0.3, 12), rng.normal(-12.9, 0.3, 12)]
    for axis in range(3):
        dataset["effective_diffusivity"][:, 0, axis, axis] = once
    alone = mode_test(once).p_value
    assert find(dataset).verdicts["3D"][0.5].p_value == pytest.approx(min(1.0, 3 * alone))


def test_a_trend_with_grain_size_is_not_two_modes(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(realisations=20)
    size = dataset["grain_size"].values
    sizes = np.unique(size)
    assert sizes.size > 1
    noise = np.exp(0.05 * np.random.default_rng(0).standard_normal(size.size))
    value = np.where(size == sizes[0], 1e-12, 1e-13) * noise
    shape = dataset["effective_diffusivity"].shape
    finite = np.isfinite(dataset["effective_diffusivity"].values)
    tensors = np.where(finite, value[:, None, None, None] * np.ones(shape), np.nan)
    dataset["effective_diffusivity"] = dataset["effective_diffusivity"].copy(data=tensors)
    raw = mode_test(value)
    assert raw.modes == 2  # the trend alone looks like two modes
    found = find(dataset)
    verdicts = [v for one in found.verdicts.values() for v in one.values()]
    assert {verdict.modes for verdict in verdicts} == {1}


def test_percolation_explains_modes_that_it_makes(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(ensembles=("2D",), fractions=(0.5,), sizes=(1e-6,), realisations=60)
    found = find(dataset)
    split = found.splits["2D"][0.5]
    assert found.fast == "LLZO"
    assert split.explained > 0.9
    assert split.percolating_verdict.modes == split.blocked_verdict.modes == 1
    assert len(split.percolating) == int(dataset["percolates"].sel(phase="LLZO")[:, :2].sum())
    assert any("neither part has two modes at 1 of 1" in sentence for sentence in headline(dataset))


def test_a_small_far_group_is_not_hidden(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(ensembles=("2D",), fractions=(0.5,), sizes=(1e-6,), realisations=60)
    rng = np.random.default_rng(2)
    for axis in range(2):
        values = 10.0 ** rng.normal(-14, 0.05, 60)
        values[:3] *= 1e3
        dataset["effective_diffusivity"][:, 0, axis, axis] = values
    verdict = find(dataset).verdicts["2D"][0.5]
    assert verdict.modes == 1
    assert verdict.apart == pytest.approx(0.05, abs=0.01)
    assert "apart" in verdict.label


def test_threshold_is_where_half_of_the_axes_percolate(
    make_dataset: Callable[..., xr.Dataset],
) -> None:
    dataset = make_dataset(ensembles=("3D",), fractions=(0.2, 0.4), sizes=(1e-6,), realisations=4)
    dataset["percolates"][:] = 0
    low = np.isclose(dataset["target_volume_fraction"].values, 0.2)
    dataset["percolates"][np.flatnonzero(low)[:1], 1, :] = 1
    dataset["percolates"][np.flatnonzero(~low)[:3], 1, :] = 1
    assert find(dataset).percolation["3D"].threshold == pytest.approx(0.3)


def test_axes_that_a_sample_lacks_do_not_count(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(ensembles=("2D",), fractions=(0.5,), sizes=(1e-6,), realisations=4)
    dataset["percolates"][:, :, :2] = 1
    dataset["percolates"][:, :, 2] = 0
    assert find(dataset).percolation["2D"].probability.tolist() == [1.0]


def test_activation_energies_are_those_put_in(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(realisations=2)
    energies = activation_energies(dataset)
    known = energies[np.isfinite(energies)]
    assert np.all(np.isclose(known, 0.45) | np.isclose(known, 0.30))
    assert np.isnan(energies[dataset["dimension"].values == 2, 2]).all()


def test_zero_diffusivity_has_no_activation_energy() -> None:
    table = np.array([[1e-14, 0.0], [1e-12, 1e-12]])
    assert np.isfinite(slopes(np.array([300.0, 500.0]), table)).tolist() == [True, False]
    assert np.isnan(slopes(np.array([300.0]), table[:1])).all()


def test_size_exponent_of_a_power_law(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(ensembles=("3D",), fractions=(0.5,), sizes=(1e-7, 1e-6, 1e-5))
    size = dataset["grain_size"].values
    for axis in range(3):
        dataset["effective_diffusivity"][:, 0, axis, axis] = 1e-14 * (size / 1e-6) ** 0.5
    assert size_exponent(find(dataset).values.of("3D", 0.5)) == pytest.approx(0.5)


def test_circuit_error_recovers_a_known_error(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(ensembles=("3D",), realisations=3)
    dataset["circuit_diffusivity"] = 1.1 * dataset["effective_diffusivity"]
    dataset["circuit_diffusivity"][0, 0, 0, 0] = 0.0
    error = circuit_error(find(dataset).values)
    assert error.n == 3 * dataset.sizes["sample"] - 1
    assert (error.median, error.low, error.worst) == pytest.approx((0.1, 0.1, 0.1))
    assert error.only_one_zero == 1


def test_mean_shares_are_means_over_samples_and_axes(
    make_dataset: Callable[..., xr.Dataset],
) -> None:
    dataset = make_dataset(ensembles=("2D",), fractions=(0.5,), realisations=3)
    found = mean_shares(find(dataset), "2D")
    table = dataset["flux_share"].sel(temperature=300.0).values[:, :2]
    np.testing.assert_allclose(found.mean[0], table.mean(axis=(0, 1)))
    assert found.mean[0, :-1].sum() == pytest.approx(1.0)


def test_negative_shares_hang_below_zero(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(ensembles=("2D",), fractions=(0.5,), realisations=2)
    one = np.array([0.7, 0.5, -0.2, 0.0, 0.0, 0.0, 0.0, 0.0])
    dataset["dissipation_share"][:] = one
    bars = shares(find(dataset), "dissipation_share").axes[0].patches
    ends = np.array([(bar.get_y(), bar.get_y() + bar.get_height()) for bar in bars])
    assert (ends.min(), ends.max()) == pytest.approx((-20.0, 120.0))


def test_wilson_interval_against_published_values() -> None:
    """Wilson 1927 for 0 of 10 and 5 of 10 at 95 %."""
    low, high = wilson(np.array([0.0, 0.5]), np.array([10.0, 10.0]))
    np.testing.assert_allclose(low, [0.0, 0.2366], atol=1e-4)
    np.testing.assert_allclose(high, [0.2775, 0.7634], atol=1e-4)
