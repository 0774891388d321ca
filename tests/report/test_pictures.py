"""Phase maps and streamlines."""

from __future__ import annotations

import dataclasses
import gc
from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from multiscale.errors import ImageError
from multiscale.report import FieldPicture
from multiscale.report.pictures import LINES, flux_maps, microstructures, outlines, trace


def test_shapes_must_agree(make_picture: Callable[..., FieldPicture]) -> None:
    with pytest.raises(ImageError, match="flux"):
        dataclasses.replace(make_picture(), flux=np.zeros((2, 2, 3, 3)))


def test_fractions_and_grains_are_counted(make_picture: Callable[..., FieldPicture]) -> None:
    made = make_picture()
    assert made.fractions.sum() == pytest.approx(1.0)
    assert made.fractions[1] == pytest.approx((made.phase == 1).mean())
    assert made.grains == np.unique(made.labels).size


def test_outlines_follow_the_labels() -> None:
    labels = np.array([[0, 0], [1, 1]])
    edge = outlines(labels, 4)
    assert edge.shape == (8, 8)
    assert edge[3:5].all()
    assert not edge[:3].any()


def test_lines_of_a_uniform_flux_are_straight_and_whole() -> None:
    flux = np.zeros((2, 12, 8))
    flux[0] = 3.0
    (line,) = trace(flux, np.array([[6.0, 4.0]]))
    np.testing.assert_allclose(line[:, 1], 4.0)
    assert np.all(np.diff(line[:, 0]) > 0)
    assert line[0, 0] < 0.1
    assert line[-1, 0] > 10.9


def test_lines_of_a_vortex_close_on_their_circle() -> None:
    x, y = np.meshgrid(np.arange(41.0) - 20, np.arange(41.0) - 20, indexing="ij")
    (line,) = trace(np.stack([-y, x]), np.array([[30.0, 20.0]]))
    radius = np.hypot(line[:, 0] - 20, line[:, 1] - 20)
    np.testing.assert_allclose(radius, 10.0, atol=0.2)


def test_a_line_ends_where_nothing_flows() -> None:
    flux = np.zeros((2, 20, 5))
    flux[0, :10] = 1.0
    (line,) = trace(flux, np.array([[4.0, 2.0]]))
    assert 9.0 <= line[:, 0].max() <= 10.5


def test_figures_carry_maps_and_lines(make_picture: Callable[..., FieldPicture]) -> None:
    made = flux_maps([make_picture(cells=24)])
    assert [len(axes.lines) for axes in made.axes[:3]] == [0, LINES, LINES]
    assert len(microstructures([make_picture(cells=24)] * 5).axes) == 8


def test_no_figure_stays_behind_and_no_setting_changes(
    make_picture: Callable[..., FieldPicture],
) -> None:
    before = dict(mpl.rcParams)
    microstructures([make_picture(cells=8)])
    gc.collect()
    assert not [thing for thing in gc.get_objects() if issubclass(type(thing), Figure)]
    assert dict(mpl.rcParams) == before
