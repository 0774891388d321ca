"""Boundaries of a periodic cell on walkers whose diffusivities are known."""

import numpy as np
import pytest

from multiscale.errors import PropertyError
from multiscale.properties.from_dynamics import Paths
from multiscale.properties.slab import layer_edges, slab_diffusivities, slab_regions, visited

HEIGHT, WIDTH = 40e-10, 8e-10
PLANES = (0.1, 0.6)
SLAB, BULK = (5e-9, 0.4e-9), (1e-9, 1e-9)  # along, across
INTERVAL, HOP = 20e-15, 0.25e-10


def walkers(seed, atoms=50, frames=1000, slab=SLAB):
    """Random walk with other diffusivities near both planes; the density is even."""
    generator = np.random.default_rng(seed)
    layers = round(HEIGHT / HOP)
    inside = slab_regions((np.arange(layers) + 0.5) * HOP, HEIGHT, PLANES, WIDTH) == 0
    own = np.where(inside, slab[1], BULK[1])
    flat_own = np.where(inside, slab[0], BULK[0])
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
            size = np.sqrt(2 * flat_own[here] * step)[:, None]
            flat += generator.normal(size=(atoms, 2)) * size
            draw = generator.random(atoms)
            climbs = draw < up[here] * step
            place = place + climbs - (~climbs & (draw < (up + down)[here] * step))
        path[frame, :, :2], path[frame, :, 2] = flat, (place + 0.5) * HOP
    return Paths(path, INTERVAL, np.diag([30e-10, 30e-10, HEIGHT]))


def test_slab_and_bulk_are_told_apart():
    found = slab_diffusivities([walkers(1), walkers(2)], 1000.0, PLANES, WIDTH, HOP, 10)
    for name, wanted in (
        ("along", SLAB[0]), ("across", SLAB[1]),
        ("beyond, along", BULK[0]), ("beyond, across", BULK[1]),
    ):  # fmt: skip
        one = found[name]
        assert not one.bound
        assert one.runs == 2
        assert abs(one.value - wanted) < 3.5 * one.stderr, name
        assert one.stderr < 0.3 * wanted, name


def test_a_wrong_width_mixes_them():
    found = slab_diffusivities([walkers(1)], 1000.0, PLANES, 1.9 * WIDTH, HOP, 10)
    assert found["along"].value < 0.8 * SLAB[0]


def test_planes_may_lie_anywhere_and_atoms_outside_the_cell():
    run = walkers(3)
    moved = Paths(run.positions + np.array([0, 0, 7.3 * HEIGHT]), run.interval, run.cell)
    places = [(plane + 7.3) % 1.0 for plane in PLANES]
    first = slab_diffusivities([run], 1000.0, PLANES, WIDTH, HOP, 10)["along"]
    second = slab_diffusivities([moved], 1000.0, places, WIDTH, HOP, 10)["along"]
    assert second.value == pytest.approx(first.value, rel=1e-3)
    third = slab_diffusivities([run], 1000.0, PLANES[::-1], WIDTH, HOP, 10)["along"]
    assert third.value == first.value


def test_atoms_that_do_not_move_give_a_bound_and_the_reason():
    still = walkers(4, frames=200)
    frozen = Paths(still.positions[:1] + np.zeros((200, 1, 1)), still.interval, still.cell)
    shaken = frozen.positions + np.random.default_rng(0).normal(scale=0.1e-10, size=(200, 50, 3))
    found = slab_diffusivities([Paths(shaken, INTERVAL, still.cell)], 300.0, PLANES, WIDTH, HOP, 10)
    assert found["across"].bound
    assert "at least a hop" in found["across"].refused[0]
    assert found["along"].bound


def test_layers_hold_the_edges_of_the_slabs():
    edges = layer_edges(HEIGHT, PLANES, WIDTH, 0.9e-10)
    assert edges[-1] - edges[0] == pytest.approx(HEIGHT)
    assert (np.diff(edges) <= 0.9e-10 * (1 + 1e-9)).all()
    for plane in PLANES:
        for side in (-1, 1):
            mark = plane * HEIGHT + side * WIDTH / 2
            offset = np.abs((edges - mark + HEIGHT / 2) % HEIGHT - HEIGHT / 2).min()
            assert offset < 1e-18


@pytest.mark.parametrize("width", [0.0, 17e-10, -1e-10])
def test_slabs_must_fit(width):
    with pytest.raises(PropertyError, match="width of the boundary"):
        slab_diffusivities([walkers(1, frames=80)], 1000.0, PLANES, width, HOP, 10)


def test_short_runs_are_refused():
    found = slab_diffusivities([walkers(1, frames=50)], 1000.0, PLANES, WIDTH, HOP, 10)
    assert found["along"].bound
    assert "at least 60 frames" in found["along"].refused[0]


def test_layers_without_atoms_join_their_neighbours():
    generator = np.random.default_rng(0)
    sites = np.arange(20) * 2e-10 + 1e-10
    atoms = generator.choice(sites, 4000) + generator.normal(scale=0.15e-10, size=4000)
    kept = layer_edges(HEIGHT, PLANES, WIDTH, np.inf)
    thin = layer_edges(HEIGHT, PLANES, WIDTH, 0.4e-10)
    joined = visited(thin, atoms, kept)
    assert np.isin(kept, joined).all()
    assert 20 < joined.size < 0.7 * thin.size
    inside = joined[0] + (atoms - joined[0]) % HEIGHT
    assert (np.histogram(inside, joined)[0] > 0).all()
