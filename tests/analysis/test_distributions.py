import numpy as np
import pytest

from multiscale.analysis import summarise_groups
from multiscale.errors import InputError


def test_figures_of_each_group():
    a, b = summarise_groups([1.0, 2.0, 10.0, 3.0, 0.0], ["a", "a", "b", "a", "a"])
    assert (a.group, a.n, a.mean, a.median) == ("a", 4, 1.5, 1.5)
    assert a.zero_fraction == 0.25
    assert dict(a.quantiles)[0.25] == 0.75
    assert a.standard_deviation == pytest.approx(np.std([0, 1, 2, 3], ddof=1))
    assert (b.n, b.standard_deviation) == (1, 0.0)
    assert (b.mean_interval.low, b.mean_interval.high) == (10.0, 10.0)


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    summaries = summarise_groups(
        rng.exponential(size=300 * 50), np.repeat(np.arange(300), 50).tolist(), resamples=400
    )
    mean = np.mean([s.mean_interval.low < 1 < s.mean_interval.high for s in summaries])
    median = np.mean(
        [s.median_interval.low < np.log(2) < s.median_interval.high for s in summaries]
    )
    assert mean == pytest.approx(0.93, abs=0.04)  # percentile bootstrap, skewed law, n = 50
    assert median == pytest.approx(0.95, abs=0.04)


def test_a_group_does_not_depend_on_those_after_it():
    values = np.random.default_rng(1).normal(size=30)
    whole = summarise_groups(values, ["a"] * 10 + ["b"] * 20)
    assert summarise_groups(values[:10], ["a"] * 10)[0] == whole[0]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"values": []}, "values"),
        ({"values": [1.0, np.nan]}, r"values\[1\]"),
        ({"groups": ["a"]}, "groups"),
        ({"quantiles": (1.5,)}, "quantiles"),
        ({"confidence": 95}, "confidence"),
        ({"resamples": 0}, "resamples"),
    ],
)
def test_refuses(change, place):
    arguments = {"values": [1.0, 2.0], "groups": ["a", "b"][: 2 if "groups" not in change else 1]}
    if change.get("values") == []:
        arguments["groups"] = None
    with pytest.raises(InputError, match=f"^{place}: expected"):
        summarise_groups(**(arguments | change))
