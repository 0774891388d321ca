import numpy as np
import pytest

from multiscale.analysis import fit_two, mode_test
from multiscale.errors import InputError


def sample(rng, *groups):
    return 10 ** np.concatenate([rng.normal(centre, width, n) for centre, width, n in groups])


def test_two_modes_are_found_with_their_laws():
    result = mode_test(sample(np.random.default_rng(0), (-12, 0.1, 120), (-14, 0.2, 80)))
    assert (result.verdict, result.modes, result.n) == ("two", 2, 200)
    assert result.centres == pytest.approx((-14, -12), abs=0.06)
    assert result.widths == pytest.approx((0.2, 0.1), rel=0.2)
    assert result.weights == pytest.approx((0.4, 0.6), abs=0.01)
    assert result.separation > 8
    assert result.p_value < 0.01


@pytest.mark.parametrize(("law", "most"), [("normal", 1), ("exponential", 1), ("uniform", 20)])
def test_false_positives_are_rare(law, most):
    # of 200; the uniform law is the worst case, where the level of 5 % is met with equality
    rng = np.random.default_rng(5)
    draws = [10 ** getattr(rng, law)(size=100) for _ in range(200)]
    assert sum(mode_test(d).modes == 2 for d in draws) <= most


def test_power_at_four_standard_deviations():
    rng = np.random.default_rng(6)
    draws = [sample(rng, (0, 0.25, 100), (1, 0.25, 100)) for _ in range(60)]
    assert sum(mode_test(d).modes == 2 for d in draws) >= 50


def test_zeros_are_counted_apart():
    positive = sample(np.random.default_rng(1), (-12, 0.1, 60))
    result = mode_test(np.r_[positive, np.zeros(20)])
    alone = mode_test(positive)
    assert result.zero_fraction == 0.25
    assert (result.modes, result.n, result.dip) == (1, 60, alone.dip)


def test_too_few_constant_and_all_zero():
    assert mode_test(np.full(9, 1e-12)).verdict == "too few"
    assert mode_test([]).verdict == "too few"
    constant = mode_test(np.full(30, 1e-12))
    assert (constant.verdict, constant.modes) == ("constant", 1)
    assert constant.centres == pytest.approx((-12,))
    zeros = mode_test(np.zeros(30))
    assert (zeros.verdict, zeros.zero_fraction) == ("too few", 1.0)


def test_reproducible_and_scale_free():
    values = sample(np.random.default_rng(2), (-12, 0.3, 50), (-13.5, 0.3, 50))
    assert mode_test(values) == mode_test(values)
    assert mode_test(1e4 * values).p_value == mode_test(values).p_value


def test_mixture_survives_a_repeated_value():
    fit = fit_two(np.r_[np.zeros(20), np.random.default_rng(0).normal(3, 1, 40)])
    assert np.isfinite(fit.log_likelihood)
    assert fit.widths.min() > 0


@pytest.mark.parametrize("bad", [-1e-12, np.nan, np.inf])
def test_refuses(bad):
    with pytest.raises(InputError, match=r"diffusivities\[2\]: expected a finite number"):
        mode_test([1e-12, 1e-12, bad])
