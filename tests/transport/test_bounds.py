import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multiscale.errors import InputError
from multiscale.transport import hashin_shtrikman, wiener


def test_wiener_by_hand():
    assert wiener([1.0, 4.0], [0.5, 0.5]) == pytest.approx((1.6, 2.5))
    assert wiener([1.0, 0.0], [0.5, 0.5]) == (0.0, 0.5)
    assert wiener([1.0, 0.0], [1.0, 0.0]) == pytest.approx((1.0, 1.0))


def test_hashin_shtrikman_by_hand():
    """K1 + f2/(1/(K2 − K1) + f1/(d K1)): Hashin & Shtrikman 1962, 10.1063/1.1728579."""
    k1, k2, f1, f2 = 1.0, 10.0, 0.7, 0.3
    for d in (2, 3):
        low = k1 + f2 / (1 / (k2 - k1) + f1 / (d * k1))
        high = k2 + f1 / (1 / (k1 - k2) + f2 / (d * k2))
        assert hashin_shtrikman([k1, k2], [f1, f2], d) == pytest.approx((low, high))


def test_hashin_shtrikman_with_a_void_is_maxwell():
    """2 f/(3 − f) of the matrix in three dimensions, f/(2 − f) in two."""
    assert hashin_shtrikman([1.0, 0.0], [0.7, 0.3], 3) == pytest.approx((0.0, 1.4 / 2.3))
    assert hashin_shtrikman([1.0, 0.0], [0.7, 0.3], 2) == pytest.approx((0.0, 0.7 / 1.3))
    assert hashin_shtrikman([0.0, 0.0], [0.7, 0.3], 3) == (0.0, 0.0)
    assert hashin_shtrikman([0.0, 2.0], [0.0, 1.0], 3) == pytest.approx((2.0, 2.0))


VALUES = st.lists(st.floats(1e-20, 1e3) | st.just(0.0), min_size=1, max_size=4)


@given(VALUES, st.integers(0, 1000), st.sampled_from([2, 3]))
@settings(deadline=None, max_examples=100)
def test_order(values, seed, dimension):
    fractions = np.random.default_rng(seed).dirichlet(np.ones(len(values)))
    low, high = hashin_shtrikman(values, fractions, dimension)
    below, above = wiener(values, fractions)
    slack = 1e-12 * max(values)
    assert min(values) - slack <= below <= low + slack
    assert low <= high + slack
    assert high <= above + slack
    assert above <= max(values) + slack


@pytest.mark.parametrize("bound", [wiener, lambda k, f: hashin_shtrikman(k, f, 3)])
@pytest.mark.parametrize(
    ("values", "fractions"),
    [
        ([1.0], [0.5, 0.5]),
        ([1.0, -1.0], [0.5, 0.5]),
        ([1.0, np.nan], [0.5, 0.5]),
        ([1.0, 2.0], [0.5, 0.6]),
        ([1.0, 2.0], [1.5, -0.5]),
        ([1.0, 2.0], [np.nan, 1.0]),
        ([], []),
    ],
)
def test_bad_input(bound, values, fractions):
    with pytest.raises(InputError, match="bounds") as caught:
        bound(values, fractions)
    assert "\n" not in str(caught.value)
