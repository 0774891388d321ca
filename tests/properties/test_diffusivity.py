"""Self-diffusivity of random walkers, and motion that is none."""

import numpy as np
import pytest

from multiscale.errors import PropertyError
from multiscale.properties import diffusivity

INTERVAL = 20e-15
TRUE = np.array([1e-9, 1e-9, 0.25e-9])


def walk(seed, atoms=40, frames=1000, cage=0.0):
    generator = np.random.default_rng(seed)
    steps = generator.normal(size=(frames, atoms, 3)) * np.sqrt(2 * TRUE * INTERVAL)
    return np.cumsum(steps, axis=0) + cage * generator.normal(size=steps.shape)


def test_squared_displacements_are_those_of_a_walk():
    found = diffusivity.displacements(walk(0, atoms=400), INTERVAL)
    exact = 2 * TRUE.sum() * found.lag
    short = found.lag < 30 * INTERVAL
    assert found.mean[short] == pytest.approx(exact[short], rel=0.02)
    # the square of a Gaussian displacement has the variance 2 Σ (2 D t)²
    assert found.variance[short] == pytest.approx(
        2 * ((2 * TRUE) ** 2).sum() * found.lag[short] ** 2, rel=0.1
    )
    assert found.independent[0] == 400 * 999


def test_axes():
    found = diffusivity.displacements(walk(0, atoms=400), INTERVAL, "z")
    assert found.axes == 1
    assert found.mean[0] == pytest.approx(2 * TRUE[2] * INTERVAL, rel=0.02)
    for axes in ("", "xw", "xx"):
        with pytest.raises(PropertyError, match="axes"):
            diffusivity.displacements(walk(0), INTERVAL, axes)


def test_drift_of_the_framework_is_taken_out():
    path = walk(1)
    mobile = np.arange(40) < 30
    path[:, ~mobile] = path[0, ~mobile]
    masses = np.linspace(1, 2, 40)
    drift = np.linspace(0, 1e-9, len(path))[:, None, None] * np.array([1.0, 2.0, -1.0])
    still = diffusivity.without_drift(path + drift, masses, mobile)
    assert np.abs(still - path).max() < 1e-22
    with pytest.raises(PropertyError, match="finite"):
        diffusivity.without_drift(path * np.nan, masses, mobile)


class TestStart:
    def test_a_free_walk_is_diffusive_at_once(self):
        found = diffusivity.displacements(walk(2), INTERVAL)
        assert diffusivity.start_of_diffusion(found, 1e-10) == found.lag[0]

    def test_vibration_delays_it(self):
        found = diffusivity.displacements(walk(2, atoms=400, cage=0.2e-10), INTERVAL)
        start = diffusivity.start_of_diffusion(found, 1e-10)
        # (o + 2 x) / (o + x) = 2^0.85 for o = 6 c² and x = 2 Σ D t: x = 4.06 o
        exact = 4.06 * 6 * (0.2e-10) ** 2 / (2 * TRUE.sum())
        assert start == pytest.approx(exact, rel=0.3)

    def test_atoms_that_have_not_hopped_are_refused(self):
        found = diffusivity.displacements(walk(2), INTERVAL)
        with pytest.raises(PropertyError, match="run longer") as caught:
            diffusivity.start_of_diffusion(found, 20e-10)
        assert "Å²" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_atoms_in_cages_are_refused(self):
        generator = np.random.default_rng(0)
        caged = 3e-10 * generator.normal(size=(400, 30, 3))
        found = diffusivity.displacements(caged, INTERVAL)
        with pytest.raises(PropertyError, match="in proportion to time"):
            diffusivity.start_of_diffusion(found, 2.5e-10)

    def test_short_trajectories_are_refused(self):
        with pytest.raises(PropertyError, match="frames"):
            diffusivity.displacements(walk(0, frames=15), INTERVAL)


@pytest.mark.mlip
class TestEstimate:
    def test_recovered(self):
        pytest.importorskip("kinisi")
        found = diffusivity.estimate(walk(3), INTERVAL, hop=1e-10)
        assert abs(found.value - TRUE.mean()) < 3 * found.stderr
        assert found.stderr < 0.2 * TRUE.mean()
        assert found.interval_95[0] < found.interval_68[0] < found.interval_68[1]

    def test_an_axis_alone(self):
        pytest.importorskip("kinisi")
        found = diffusivity.estimate(walk(4, atoms=80), INTERVAL, axes="z", hop=1e-10)
        assert abs(found.value - TRUE[2]) < 3 * found.stderr

    @pytest.mark.slow
    def test_intervals_cover(self):
        pytest.importorskip("kinisi")
        inside = np.zeros(2)
        for seed in range(200):
            found = diffusivity.estimate(
                walk(1000 + seed, atoms=20, frames=400), INTERVAL, hop=1e-10
            )
            value = TRUE.mean()
            inside += [
                found.interval_68[0] < value < found.interval_68[1],
                found.interval_95[0] < value < found.interval_95[1],
            ]
        # three standard deviations of a binomial of 200
        assert abs(inside[0] / 200 - 0.68) < 0.10
        assert abs(inside[1] / 200 - 0.95) < 0.05


def test_without_kinisi_one_line_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "scipp", None)
    with pytest.raises(PropertyError, match="kinisi"):
        diffusivity.estimate(walk(0), INTERVAL)


class TestCharge:
    """Walkers alone, in pairs and against each other."""

    D, INTERVAL = 2e-9, 1e-13

    def own(self):
        return diffusivity.Diffusivity(self.D, 0.0, (0, 0), (0, 0), 2 * self.INTERVAL)

    def walk(self, seed, shape):
        step = np.sqrt(2 * self.D * self.INTERVAL)
        return np.cumsum(step * np.random.default_rng(seed).normal(size=shape), axis=0)

    def test_independent_ones_have_a_haven_ratio_of_one(self):
        found = [
            diffusivity.charge_diffusivity(self.walk(seed, (400, 30, 3)), self.INTERVAL, self.own())
            for seed in range(40)
        ]
        z = [(one.value - self.D) / one.stderr for one in found]
        assert abs(np.mean(z)) < 3.5 / np.sqrt(40)
        assert 0.7 < np.std(z) < 1.3
        assert found[0].haven_ratio == pytest.approx(self.D / found[0].value)
        assert found[0].samples == 199 * 3

    @pytest.mark.parametrize(("group", "ratio"), [(2, 0.5), (5, 0.2)])
    def test_those_that_move_together(self, group, ratio):
        path = np.repeat(self.walk(1, (3000, 20, 3)), group, axis=1)
        found = diffusivity.charge_diffusivity(path, self.INTERVAL, self.own())
        assert abs(found.haven_ratio - ratio) < 3.5 * found.haven_stderr
        assert found.haven_stderr < 0.1 * ratio

    def test_short_runs_are_refused(self):
        with pytest.raises(PropertyError, match="at least 18 independent displacements"):
            diffusivity.charge_diffusivity(self.walk(1, (12, 9, 3)), self.INTERVAL, self.own())
