"""Layers that make an axis even change no conductance."""

import numpy as np
import pytest
from packed_grids import (
    SHAPES,
    harmonic,
    lay_out,
    layer_links,
    matrix,
    pack,
    places,
    real_cells,
    rough,
    schur,
    unpack,
)

from multiscale.numerics.checkerboard import ENDS, SPLIT, Axis

COUNTS = (1, 2, 3, 4, 5, 8, 13)


@pytest.mark.parametrize(
    ("cells", "ends", "packed", "between", "length"),
    [
        (8, "periodic", False, 0, 8),
        (7, "periodic", False, 1, 8),
        (1, "periodic", False, 0, 1),
        (1, "periodic", True, 1, 2),
        (8, "wall", False, 0, 8),
        (7, "wall", False, 0, 7),  # no wrap, so neighbours differ in colour anyway
        (7, "wall", True, 1, 8),
        (1, "wall", False, 0, 1),
        (1, "wall", True, 1, 2),
        (8, "electrodes", False, 0, 10),
        (7, "electrodes", True, 1, 10),
        (1, "electrodes", False, 1, 4),
    ],
)
def test_layout(cells, ends, packed, between, length):
    axis = Axis.of(cells, ends, packed)
    assert (axis.cells, axis.ends, axis.between, axis.length) == (cells, ends, between, length)
    assert axis.single == (length == 1)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("cells", COUNTS)
class TestLinks:
    def conductances(self, cells, ends, packed):
        axis = Axis.of(cells, ends, packed)
        lower, upper, weight, reach = axis.links()
        value = np.random.default_rng(cells).uniform(0.1, 1.0, cells)
        return axis, value, weight * harmonic(value[lower], value[upper]), reach

    def test_neighbours_differ_in_colour(self, cells, ends, packed):
        axis, _, g, _ = self.conductances(cells, ends, packed)
        assert g.shape == (axis.length,)
        if axis.length % 2:
            assert g[-1] == 0.0
        if packed:
            assert axis.length % 2 == 0

    def test_chain_conducts_as_its_cells_in_series(self, cells, ends, packed):
        axis, value, g, reach = self.conductances(cells, ends, packed)
        halves = 0.5 / value
        if axis.single:
            assert not g.any()
            return
        if ends == "periodic":
            expected = 2 * halves.sum()
            assert (1 / g).sum() == pytest.approx(expected)
            assert reach.sum() == pytest.approx(cells)
        elif ends == "electrodes":
            assert g[-2] == 0.0  # none between the electrodes
            crossed = np.delete(g, -2)
            assert (1 / crossed).sum() == pytest.approx(2 * halves.sum())
            assert reach.sum() == pytest.approx(cells)
        else:
            assert not g[cells - 1 :].any()
            assert (1 / g[: cells - 1]).sum() == pytest.approx((halves[:-1] + halves[1:]).sum())
            assert reach[g > 0].sum() == pytest.approx(cells - 1)

    def test_uniform_chain_has_a_uniform_field(self, cells, ends, packed):
        _, _, weight, reach = Axis.of(cells, ends, packed).links()
        assert weight[weight > 0] * reach[weight > 0] == pytest.approx(1.0)

    def test_added_layer_stays_near_the_last_cell(self, cells, ends, packed):
        axis = Axis.of(cells, ends, packed)
        _, _, weight, _ = axis.links()
        if axis.between and weight[cells - 1] > 0:
            assert weight[cells - 1] == pytest.approx(SPLIT * weight[cells])


@pytest.mark.parametrize("factor", [1, 2])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("cells", COUNTS)
class TestCoarser:
    def test_parents_take_every_layer_once(self, cells, ends, packed, factor):
        axis = Axis.of(cells, ends, packed)
        coarse = axis.coarser(factor, packed)
        parent = axis.parents(factor, coarse)
        assert coarse.cells == -(-cells // factor)
        assert parent.shape == (axis.length,)
        assert (np.diff(parent) >= 0).all()
        assert (parent[:cells] == np.arange(cells) // factor).all()
        share = np.bincount(parent, minlength=coarse.length)
        assert share.size == coarse.length
        assert share.sum() == axis.length
        assert (share[: coarse.cells] > 0).all()
        if ends == "electrodes":
            assert (parent[-2:] >= coarse.length - 2).all()
            assert (parent[:-2] < coarse.length - 2).all()

    def test_coarse_links_conserve_conductance(self, cells, ends, packed, factor):
        """Summed where layers of two coarse cells meet; split ones count in series."""
        axis = Axis.of(cells, ends, packed)
        coarse = axis.coarser(factor, packed)
        slot, weight, following = axis.coarse_links(factor, coarse)
        _, _, live, _ = axis.links()
        g = live * np.random.default_rng(1).uniform(0.1, 1.0, axis.length)
        parent = axis.parents(factor, coarse)
        inside = np.roll(parent, -1) == parent
        if ends == "electrodes" and factor == 2:
            inside[-2] = True
        if factor == 2:
            assert (slot[inside] == -1).all()
        found = np.zeros(coarse.length)
        for own, where in enumerate(slot):
            if where >= 0 and g[own] > 0:
                found[where] += weight[own] * g[own]
                found[(where + 1) % coarse.length] += following[own] * g[own]
        if factor == 1 or not coarse.between:
            assert found.sum() == pytest.approx(g[slot >= 0].sum())
            return
        joint = coarse.cells - 1
        if found[joint] > 0:
            series = 1 / (1 / found[joint] + 1 / found[joint + 1])
            assert series == pytest.approx(g[slot == joint].sum())
        rest = np.delete(found, [joint, joint + 1])
        assert rest.sum() == pytest.approx(g[(slot >= 0) & (slot != joint)].sum())


@pytest.mark.parametrize("name", SHAPES)
class TestPackedGrid:
    def test_packing_loses_no_link(self, name):
        axes = lay_out(*SHAPES[name])
        whole = layer_links(rough(SHAPES[name][0]), axes).astype(np.float32)
        assert np.array_equal(unpack(pack(whole)), whole)

    def test_colours_of_linked_cells_differ(self, name):
        axes = lay_out(*SHAPES[name])
        full = matrix(layer_links(rough(SHAPES[name][0]), axes))
        even, odd, _ = places(axes)
        for colour in (even, odd):
            block = full[np.ix_(colour, colour)]
            assert np.array_equal(block, np.diag(block.diagonal()))

    def test_added_layers_eliminated_leave_the_field_itself(self, name):
        """Against links summed from one real cell to the next."""
        cells, ends = SHAPES[name]
        axes = lay_out(cells, ends)
        field = rough(cells)
        full = matrix(layer_links(field, axes))
        own = real_cells(axes)
        _, _, pinned = places(axes)
        between = np.setdiff1d(np.flatnonzero(~pinned), own)
        number = np.arange(field.size).reshape(cells)
        expected = np.zeros((field.size,) * 2)
        for a, end in enumerate(ends):
            if cells[a] > 1:
                last = cells[a] if end == "periodic" else cells[a] - 1
                low = number.take(np.arange(last), axis=a).ravel()
                up = number.take(np.arange(1, last + 1) % cells[a], axis=a).ravel()
                g = harmonic(field.ravel()[low], field.ravel()[up])
                np.add.at(expected, (low, low), g)
                np.add.at(expected, (up, up), g)
                np.add.at(expected, (low, up), -g)
                np.add.at(expected, (up, low), -g)
            if end == "electrodes":
                for layer in (0, -1):
                    at = number.take(layer, axis=a).ravel()
                    expected[at, at] += 2 * field.ravel()[at]
        assert schur(full, own, between) == pytest.approx(expected, abs=1e-12)
