"""Geodesic tortuosity and constrictivity of shapes that are known exactly."""

from dataclasses import replace

import numpy as np
import pytest

from multiscale.errors import ImageError, InputError
from multiscale.network import (
    conductivity_estimate,
    constrictivity,
    geodesic_tortuosity,
    grain_tortuosity,
)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_straight_channel(axis):
    mask = np.zeros((30, 15, 15), dtype=bool)
    mask[:, 4:11, 4:11] = True
    mask = np.moveaxis(mask, 0, axis)
    found = geodesic_tortuosity(mask, axis, 2e-9)
    assert (found.mean, found.reached) == (1.0, 1.0)
    assert found.deviation < 1e-12
    assert found.thickness == pytest.approx(29 * 2e-9)
    narrow = constrictivity(mask, axis, 2e-9)
    assert narrow.value == 1.0
    assert narrow.bulge_radius == pytest.approx(7e-9)  # half the edge of the channel


def test_a_channel_at_45_degrees():
    x, y = np.indices((60, 80))
    mask = np.abs(y - x - 10) <= 3  # seven voxels high
    # every start point may climb inside the channel by up to 6 of the 59 steps less or more
    found = geodesic_tortuosity(mask, 0)
    least = ((59 - 6) * np.sqrt(2) + 6) / 59
    assert least < found.mean < np.sqrt(2)
    thin = geodesic_tortuosity(y == x + 10, 0)
    assert thin.mean == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (1.0, 0.5)])
def test_a_channel_with_two_turns(spacing):
    # straight to a wall, along it, and on: one opening low on the left, one high on the right
    mask = np.zeros((41, 31), dtype=bool)
    mask[:20, 3] = mask[20, 3:28] = mask[20:, 27] = True
    found = geodesic_tortuosity(mask, 0, spacing)
    across = 24 * spacing[1]
    corner = 1.0 + spacing[1] - np.hypot(1.0, spacing[1])  # cut twice by a diagonal step
    assert found.mean * 40 == pytest.approx(40 + across - 2 * corner)


def test_the_path_between_the_steps_is_too_long_by_at_most_what_is_said():
    # in a box without walls to a single goal: the worst direction is half between two steps
    plane = np.ones((200, 200), dtype=bool)
    plane[-1] = False
    plane[-1, 0] = True
    found = geodesic_tortuosity(plane, 0)
    true = np.hypot(199, np.arange(200)).mean() / 199
    assert 1.0 < found.mean / true < 1.0824


def test_start_points_that_lead_nowhere_are_left_out():
    mask = np.zeros((20, 10), dtype=bool)
    mask[:, 2] = True
    mask[:8, 6:9] = True  # a dead end
    found = geodesic_tortuosity(mask, 0)
    assert (found.mean, found.reached) == (1.0, 0.25)


@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75])
def test_a_neck_between_two_cylinders(ratio):
    """Behind the neck lies more than half: r_min is the neck, r_max the cylinder."""
    radius = 16
    x, y, z = np.indices((80, 37, 37)) - np.array([0, 18, 18])[:, None, None, None]
    narrow = (x >= 20) & (x < 26)
    mask = y**2 + z**2 < np.where(narrow, ratio * radius, radius) ** 2
    found = constrictivity(mask, 0)
    assert found.bulge_radius == pytest.approx(radius, abs=0.75)
    assert found.neck_radius == pytest.approx(ratio * radius, abs=0.75)
    assert found.value == pytest.approx(ratio**2, abs=2 * ratio * 0.75 / radius + 0.01)
    # from the other side the larger part comes first: no neck before half is covered
    assert constrictivity(mask[::-1], 0).value == 1.0


def test_a_slab_with_a_neck():
    # 2D: 41 voxels high, a slit of 11 in a wall after a quarter of the way
    mask = np.ones((80, 43), dtype=bool)
    mask[:, [0, -1]] = False
    mask[20:24] = False
    mask[20:24, 16:27] = True
    found = constrictivity(mask, 0, 1e-9)
    assert found.bulge_radius == pytest.approx(20.5e-9)
    assert found.neck_radius == pytest.approx(5.5e-9)
    assert found.value == pytest.approx((11 / 41) ** 2)


def test_spheres_that_cannot_come_in():
    mask = np.zeros((20, 15), dtype=bool)
    mask[5:, 2:13] = True
    assert constrictivity(mask, 0).value == 0.0


def test_the_estimate():
    assert conductivity_estimate(1.0, 1.0, 1.0) == 1.0
    # 1.15 ln 0.5 + 0.37 ln 0.4 − 4.39 ln 1.2 = −0.79712 − 0.33903 − 0.80039
    assert conductivity_estimate(0.5, 0.4, 1.2) == pytest.approx(np.exp(-1.93654), rel=1e-5)


class TestGrains:
    @pytest.mark.parametrize("periodic", [True, False])
    @pytest.mark.parametrize("counts", [(4, 3), (4, 3, 2)])
    def test_columns_of_bricks(self, bricks, counts, periodic):
        crystal = bricks(counts, lambda *place: place[1] % 2, periodic=periodic)
        for phases in ("A", ("A", "B"), None):
            found = grain_tortuosity(crystal, 0, phases=phases)
            assert found.mean == pytest.approx(1.0)
            assert found.deviation == pytest.approx(0.0, abs=1e-6)
            assert found.reached == pytest.approx(1.0)
        assert found.thickness == pytest.approx(4e-7)

    def test_the_place_of_the_box_faces_does_not_matter(self, bricks):
        crystal = bricks((4, 3), lambda i, j: j % 2, periodic=True)
        for part in (0.2, 0.5, 0.7):
            seeds = np.mod(crystal.seeds + np.array([part * 1e-7, 0]), crystal.size)
            found = grain_tortuosity(replace(crystal, seeds=seeds), 0, phases="A")
            assert found.mean == pytest.approx(1.0)

    @pytest.mark.parametrize("dimension", [2, 3])
    def test_the_numbers_of_the_grains_do_not_matter(self, two_phase, dimension):
        crystal = two_phase(60, dimension, 0.8, 4)
        order = np.random.default_rng(0).permutation(60)
        other = replace(crystal, seeds=crystal.seeds[order], phases=crystal.phases[order])
        one, two = (grain_tortuosity(c, 0, phases="A") for c in (crystal, other))
        assert one.mean == pytest.approx(two.mean, rel=1e-9)
        assert one.deviation == pytest.approx(two.deviation, rel=1e-6)
        assert one.reached == pytest.approx(two.reached)

    @pytest.mark.parametrize("periodic", [True, False])
    def test_a_staircase(self, bricks, periodic):
        # grains (i, i) and (i, i + 1): every brick is entered at a side and left at the next one
        crystal = bricks((6, 6), lambda i, j: 0 if (j - i) % 6 in (0, 1) else 1, periodic=periodic)
        found = grain_tortuosity(crystal, 0, phases="A")
        assert found.reached > 0.49
        if periodic:  # half a diagonal in each of the twelve bricks
            assert found.mean == pytest.approx(12 * np.sqrt(0.5) / 6)
        else:  # the first and the last may be entered straight
            assert found.mean < 12 * np.sqrt(0.5) / 6

    def test_two_turns(self, bricks):
        # along y = 0, up the column x = 2 to y = 2, and on: in 2D with walls at the sides
        channel = {(0, 0), (1, 0), (2, 0), (2, 1), (2, 2), (3, 2), (4, 2), (5, 2)}
        crystal = bricks((6, 5), lambda i, j: int((i, j) not in channel), periodic=False)
        found = grain_tortuosity(crystal, 0, phases="A")
        # 2 straight to the column, half a diagonal, 1 up, half a diagonal, 3 straight
        assert found.mean * 6 == pytest.approx(2 + np.sqrt(0.5) + 1 + np.sqrt(0.5) + 3)
        assert found.reached == 1.0

    @pytest.mark.parametrize("dimension", [2, 3])
    @pytest.mark.parametrize("periodic", [True, False])
    def test_images_agree(self, two_phase, dimension, periodic):
        crystal = two_phase(200, dimension, 0.75, 1, periodic=periodic)
        cells = (240,) * 2 if dimension == 2 else (72,) * 3
        whole, part = grain_tortuosity(crystal, 0), grain_tortuosity(crystal, 0, phases="A")
        assert 1 < whole.mean < (1.03 if dimension == 2 else 1.05)
        assert part.mean > whole.mean
        image = geodesic_tortuosity(crystal.phase_image(cells) == 0, 0, crystal.size / cells)
        assert part.mean == pytest.approx(image.mean, rel=0.08)

    def test_no_path(self, bricks):
        crystal = bricks((4, 3), lambda i, j: i % 2, periodic=True)
        with pytest.raises(InputError, match="phases = A: expected grains that cross the box"):
            grain_tortuosity(crystal, 0, phases="A")


class TestRefuses:
    @pytest.mark.parametrize("ask", [geodesic_tortuosity, constrictivity])
    @pytest.mark.parametrize(
        ("mask", "axis", "spacing", "message"),
        [
            (np.zeros((4, 4)), 0, 1.0, "phase_mask: expected a boolean array"),
            (np.ones((4, 4), dtype=bool), 2, 1.0, "axis: expected 0 … 1, received 2"),
            (np.ones((1, 4), dtype=bool), 0, 1.0, "phase_mask: expected 2 layers or more"),
            (np.ones((4, 4), dtype=bool), 0, -1.0, "spacing: expected one or 2 positive"),
            (np.ones((4, 4), dtype=bool), 0, "wide", "spacing: expected one or 2 positive"),
        ],
    )
    def test_images(self, ask, mask, axis, spacing, message):
        with pytest.raises((ImageError, InputError), match=message):
            ask(mask, axis, spacing)

    def test_no_path(self):
        mask = np.zeros((10, 8), dtype=bool)
        mask[:6, 1] = mask[:3, 4] = mask[5:, 6] = True
        wanted = "a path from face to face along axis 0, received none: of 3 parts 2 touch the low"
        with pytest.raises(InputError, match=wanted):
            geodesic_tortuosity(mask, 0)

    @pytest.mark.parametrize("mask", [np.ones((5, 5), dtype=bool), np.zeros((5, 5), dtype=bool)])
    def test_no_walls(self, mask):
        with pytest.raises(InputError, match="phase_mask: expected a phase that fills a part"):
            constrictivity(mask, 0)

    @pytest.mark.parametrize("numbers", [(1.2, 1, 1), (0.5, -0.1, 1), (0.5, 0.5, 0.9)])
    def test_numbers_out_of_range(self, numbers):
        with pytest.raises(InputError, match="expected a number from"):
            conductivity_estimate(*numbers)
