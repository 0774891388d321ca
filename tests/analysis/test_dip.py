import numpy as np
import pytest
from scipy.optimize import linprog

from multiscale.analysis.dip import _null_dips, dip, dip_p_value
from multiscale.errors import InputError


def slow_dip(sample):
    """The definition as a linear programme, for every place the mode may take."""
    x = np.sort(sample)
    n = x.size
    best = 1.0
    for mode in range(n):
        rows, limits = [], []

        def at_most(terms, limit, rows=rows, limits=limits):
            row = np.zeros(n + 2)
            for column, factor in terms:
                row[column] += factor
            rows.append(row)
            limits.append(limit)

        def column(i, side, mode=mode):  # the law may jump at its mode: two unknowns there
            return i if i < mode or (i == mode and side == 0) else i + 1

        gap = n + 1
        for i in range(n):
            for side in (0, 1) if i == mode else (0,) if i < mode else (1,):
                before = (i + 1) / n if i == mode and side == 1 else i / n
                after = i / n if i == mode and side == 0 else (i + 1) / n
                at_most([(column(i, side), -1), (gap, -1)], -after)
                at_most([(column(i, side), 1), (gap, -1)], before)
        at_most([(column(mode, 0), 1), (column(mode, 1), -1)], 0)
        for i in range(1, n - 1):
            if i == mode:
                continue
            left, right = x[i] - x[i - 1], x[i + 1] - x[i]
            sign, side = (1, 0) if i < mode else (-1, 1)
            at_most(
                [
                    (column(i, side), sign * (1 / left + 1 / right)),
                    (column(i - 1, side), -sign / left),
                    (column(i + 1, side), -sign / right),
                ],
                0,
            )
        solution = linprog(
            np.eye(n + 2)[gap], A_ub=np.array(rows), b_ub=limits, bounds=[(0, 1)] * (n + 2)
        )
        best = min(best, solution.fun)
    return best


@pytest.mark.parametrize("seed", range(6))
def test_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(4, 16))
    sample = rng.random(n) if seed % 2 else np.r_[rng.normal(0, 1, n), rng.normal(6, 1, n)]
    assert dip(sample) == pytest.approx(slow_dip(sample), abs=1e-9)


def test_known_values():
    assert dip(np.arange(20.0)) == pytest.approx(1 / 40)  # evenly spaced: the least there is
    two_atoms = np.r_[np.zeros(500), np.ones(500)] + 1e-9 * np.arange(1000)
    assert dip(two_atoms) == pytest.approx(0.25, abs=2e-3)  # the most there is
    assert dip([3.0]) == 0.5


@pytest.mark.parametrize(("n", "critical"), [(10, 0.1399), (50, 0.0703), (200, 0.0369)])
def test_critical_values_at_95_percent(n, critical):
    # known quantiles of the dip of uniform samples; a simulation of 4000 is good to about 1 %
    assert np.quantile(_null_dips(n, 4000, 7), 0.95) == pytest.approx(critical, rel=0.025)


def test_invariant_under_shift_scale_and_mirror():
    sample = np.random.default_rng(3).normal(size=80)
    assert dip(5 - 3 * sample) == pytest.approx(dip(sample), abs=1e-12)


def test_p_value_is_uniform_for_uniform_samples():
    rng = np.random.default_rng(11)
    p = [dip_p_value(dip(rng.random(60)), 60) for _ in range(400)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)
    assert np.mean(p) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("sample", [[], [1.0, np.nan], [[1.0, 2.0]]])
def test_refuses(sample):
    with pytest.raises(InputError, match="sample: expected"):
        dip(sample)
