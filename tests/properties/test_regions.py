"""Region-resolved diffusivity on walkers whose diffusivities are known."""

import numpy as np
import pytest

from multiscale.errors import PropertyError
from multiscale.properties import regions

LENGTH, LOW, HIGH = 40e-10, 15e-10, 25e-10
PARALLEL, NORMAL = np.array([1e-9, 4e-9]), np.array([1e-9, 0.3e-9])
INTERVAL = 20e-15
HOP = 0.5e-10


def walkers(seed, atoms=60, frames=1500):
    """Random walk with other diffusivities in a slab; the density is even."""
    generator = np.random.default_rng(seed)
    layers = round(LENGTH / HOP)
    centre = (np.arange(layers) + 0.5) * HOP
    region = ((centre > LOW) & (centre < HIGH)).astype(int)
    own = NORMAL[region]
    up = 2 * own * np.roll(own, -1) / (own + np.roll(own, -1)) / HOP**2
    down = np.roll(up, 1)
    parts = int(np.ceil((up + down).max() * INTERVAL / 0.2))
    step = INTERVAL / parts
    place = generator.integers(layers, size=atoms)
    flat = np.zeros((atoms, 2))
    path = np.empty((frames, atoms, 3))
    for frame in range(frames):
        for _ in range(parts):
            here = place % layers
            flat += (
                generator.normal(size=(atoms, 2))
                * np.sqrt(2 * PARALLEL[region[here]] * step)[:, None]
            )
            draw = generator.random(atoms)
            climbs = draw < up[here] * step
            falls = ~climbs & (draw < (up + down)[here] * step)
            place = place + climbs - falls
        path[frame, :, :2], path[frame, :, 2] = flat, (place + 0.5) * HOP
    return path


def slab(path):
    height = path[:, :, 2] % LENGTH
    return ((height > LOW) & (height < HIGH)).astype(int)


class TestAlong:
    @pytest.mark.parametrize("lags", [(1, 10), (5, 60)])
    def test_recovered(self, lags):
        path = walkers(1)
        found = regions.along(path, INTERVAL, slab(path), (0, 1), lags)
        assert (np.abs(found.value - PARALLEL) < 3.5 * found.stderr).all()
        assert (found.stderr < 0.15 * PARALLEL).all()

    def test_vibration_drops_out(self):
        path = walkers(2)
        generator = np.random.default_rng(3)
        region = slab(path)
        shaken = path + generator.normal(scale=0.3e-10, size=path.shape)
        found = regions.along(shaken, INTERVAL, region, (0, 1), (5, 60))
        assert (np.abs(found.value - PARALLEL) < 3.5 * found.stderr).all()
        naive = ((shaken[5:] - shaken[:-5])[:, :, :2] ** 2).mean() / (2 * 5 * INTERVAL)
        assert naive > 1.3 * (found.residence @ PARALLEL)  # the offset matters here

    def test_intervals_cover(self):
        """Of 60 trajectories two thirds lie within one standard error, 19 of 20 within two."""
        inside = np.zeros((2, 2))
        for seed in range(60):
            path = walkers(100 + seed, atoms=40, frames=600)
            found = regions.along(path, INTERVAL, slab(path), (0, 1), (2, 20), seed=seed)
            z = np.abs(found.value - PARALLEL) / found.stderr
            inside += [z < 1, z < 1.96]
        assert (inside[0] / 60 > 0.68 - 0.17).all()
        assert (inside[1] / 60 > 0.95 - 0.09).all()


class TestAcross:
    @pytest.mark.parametrize("lag", [50, 150])
    def test_recovered(self, lag):
        path = walkers(4)
        edges = np.linspace(0.0, LENGTH, 81)
        region = ((edges[:-1] > LOW - 1e-12) & (edges[:-1] < HIGH - 1e-12)).astype(int)
        found = regions.across(path[:, :, 2], INTERVAL, edges, region, lag, repeats=20)
        assert (np.abs(found.value - NORMAL) < 3.5 * found.stderr).all()
        assert (found.stderr < 0.3 * NORMAL).all()

    def test_chances_of_even_layers_are_those_of_a_periodic_walk(self):
        """Eigenvalues of the discrete Laplacian, known in closed form."""
        n, width, diffusivity, time = 12, 1e-10, 2e-9, 5e-12
        chance = regions.passage_chances(
            np.array([diffusivity]), np.full(n, width), np.full(n, 1 / n), np.zeros(n, int), time
        )
        k = 2 * np.pi * np.arange(n) / n
        decay = np.exp(-2 * diffusivity / width**2 * (1 - np.cos(k)) * time)
        exact = np.array([(decay * np.cos(k * j)).mean() for j in range(n)])
        assert chance[0] == pytest.approx(exact, abs=1e-12)
        assert chance.sum(axis=1) == pytest.approx(np.ones(n), abs=1e-12)

    def test_flow_through_layers_in_series(self):
        """The slowest decay of two wide regions follows from their series resistance."""
        width, share = np.full(60, 1e-10), np.full(60, 1 / 60)
        region = np.repeat([0, 1, 0], 20)
        long = 1e-6
        chance = regions.passage_chances(np.array([1e-9, 1e-9]), width, share, region, long)
        assert chance == pytest.approx(np.full((60, 60), 1 / 60), abs=1e-9)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"lags": (0, 5)}, "lags"),
        ({"lags": (5, 5)}, "lags"),
        ({"lags": (1, 100)}, "lags"),
        ({"region": np.full((50, 3), 2)}, "visits"),
    ],
)
def test_along_refuses(change, part):
    given = {"region": np.zeros((50, 3), int), "lags": (1, 5)} | change
    with pytest.raises(PropertyError, match=part) as caught:
        regions.along(np.zeros((50, 3, 3)), 1e-15, given["region"], (0, 1), given["lags"])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("edges", "lag", "part"),
    [
        ([0.0, 2.0, 1.0], 5, "edges"),
        ([0.0, 1.0, 2.0], 0, "lag"),
        ([0.0, 1.0, 2.0], 49, "lag"),
        ([0.0, 1.0, 2.0], 5, "visits"),
    ],
)
def test_across_refuses(edges, lag, part):
    still = np.full((50, 3), 0.5)
    with pytest.raises(PropertyError, match=part):
        regions.across(still, 1e-15, np.array(edges), np.array([0, 1]), lag)
