"""Voxels that carry current, found by hand and against a network's own search."""

from itertools import permutations

import numpy as np
import pytest
from direct_solution import effective, links
from scipy.sparse.csgraph import connected_components

from multiscale.transport.islands import carriers
from multiscale.transport.voxel_solver import solve_field

PERIODIC = ("periodic",) * 3
FLAT = ("periodic", "periodic", "wall")


def between(axis):
    ends = ["wall"] * 3
    ends[axis] = "electrodes"
    return tuple(ends)


def bar(shape=(5, 4, 6), axis=0):
    """One straight line of voxels through the box."""
    field = np.zeros(shape)
    place = [1, 2, 3]
    place[axis] = slice(None)
    field[tuple(place)] = 2.0
    return field


def test_all_take_part_where_all_conduct():
    for ends in (PERIODIC, between(1)):
        found = carriers(np.full((3, 4, 2), 1e-30), ends)
        assert found.mask is None
        assert found.along == tuple(end != "wall" for end in ends)


def test_nothing_conducts():
    for ends in (PERIODIC, between(0)):
        found = carriers(np.zeros((3, 4, 2)), ends)
        assert found.along == (False,) * 3
        assert not found.mask.any()


@pytest.mark.parametrize("axis", range(3))
class TestBar:
    def test_carries_along_its_axis_alone(self, axis):
        field = bar(axis=axis)
        found = carriers(field, PERIODIC)
        assert found.along == tuple(a == axis for a in range(3))
        assert np.array_equal(found.mask > 0, field > 0)
        for other in range(3):
            assert carriers(field, between(other)).along[other] == (other == axis)

    def test_gap_anywhere_cuts_it(self, axis):
        for cut in range(bar().shape[axis]):
            field = np.moveaxis(bar(axis=axis).copy(), axis, 0)
            field[cut] = 0.0
            field = np.moveaxis(field, 0, axis)
            for ends in (PERIODIC, between(axis)):
                found = carriers(field, ends)
                assert not any(found.along)
                assert not found.mask.any()

    def test_pockets_are_left_out(self, axis):
        field = bar(axis=axis)
        whole = field.copy()
        whole[4, 0, 0] = whole[0, 0, 0] = whole[4, 3, 0] = 1.0  # one pocket through two faces
        whole[3, 0, 5 if axis != 2 else 2] = 7.0
        for ends in (PERIODIC, between(axis)):
            found = carriers(whole, ends)
            assert np.array_equal(found.mask > 0, field > 0)
            assert found.along == tuple(a == axis for a in range(3))


def test_lines_joined_across_the_wrap():
    field = np.zeros((6, 4, 1))
    field[:, 0] = field[:, 2] = field[0, 1] = 1.0
    assert carriers(field, FLAT).along == (True, False, False)
    field[0, 3] = 1.0
    assert carriers(field, FLAT).along == (True, True, False)


def test_single_layer_closes_on_itself():
    field = np.zeros((4, 5, 1))
    field[1, 2] = 1.0
    assert carriers(field, PERIODIC).along == (False, False, True)
    assert carriers(field, FLAT).along == (False, False, False)


def test_diagonal_winding_closes_along_both_axes():
    n = 5
    field = np.zeros((n, n, 1))
    for i in range(n):
        field[i, i] = field[i, (i + 1) % n] = 1.0
    found = carriers(field, FLAT)
    assert found.along == (True, True, False)
    assert np.array_equal(found.mask > 0, field > 0)


def test_touching_the_same_electrode_twice_is_no_path():
    field = np.zeros((4, 5, 1))
    field[:3, 1] = field[:3, 3] = field[2, 1:4] = 1.0
    assert not carriers(field, between(0)).along[0]
    assert not carriers(field, FLAT).along[0]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("share", [0.25, 0.35, 0.5, 0.65])
@pytest.mark.parametrize("shape", [(5, 7, 1), (4, 5, 6)], ids=str)
def test_agrees_with_a_direct_solution(shape, share, seed):
    """A voxel takes part exactly where its part carries current along some axis."""
    field = (np.random.default_rng(seed).random(shape) < share).astype(float)
    if not field.any():
        return
    net = links(field, np.ones(3), "periodic")
    _, part = connected_components(net.matrix)
    carried = np.zeros((3, part.max() + 1))
    for axis in range(3):
        loss = net.g * net.drops(net.deviation(axis), axis) ** 2
        np.add.at(carried[axis], part[net.low], loss)
    flows = carried > 1e-9
    ends = tuple("periodic" if n > 1 else "wall" for n in shape)
    active = [n > 1 for n in shape]
    found = carriers(field, ends)
    flows[np.logical_not(active)] = False
    expected = flows.any(axis=0)[part[:-1]].reshape(shape) & (field > 0)
    mask = field > 0 if found.mask is None else found.mask > 0
    assert np.array_equal(mask, expected)
    assert np.array_equal(found.along, flows.any(axis=1))


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_pockets_change_no_digit(boundary):
    rng = np.random.default_rng(3)
    field = np.zeros((9, 8, 10))
    field[:, :4] = rng.uniform(0.1, 1.0, (9, 4, 10))
    bare = solve_field(field, np.ones(3), boundary, rtol=1e-8)
    assert bare.axes == (0, 2)
    pocket = field.copy()
    pocket[2:5, 5:7, 3:6] = 1e3
    pocket[8, 6, 0] = pocket[8, 6, 9] = 5.0
    found = solve_field(pocket, np.ones(3), boundary, rtol=1e-8)
    assert np.array_equal(found.energy, bare.energy)
    assert np.array_equal(found.flux, bare.flux)
    assert np.array_equal(found.imbalance, bare.imbalance)
    assert (found.axes, found.history) == (bare.axes, bare.history)
    assert np.diag(found.energy) == pytest.approx(
        np.diag(effective(pocket, np.ones(3), boundary)), abs=1e-7
    )


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
def test_no_path_is_exactly_zero(boundary):
    field = np.random.default_rng(0).uniform(0.1, 1.0, (6, 5, 7))
    field[3] = 0.0
    found = solve_field(field, np.ones(3), boundary, rtol=1e-8)
    assert found.axes == (1, 2)
    assert (found.energy[0] == 0).all()
    assert (found.energy[:, 0] == 0).all()
    assert (found.flux[0] == 0).all()
    field[:] = 0.0
    found = solve_field(field, np.ones(3), boundary, rtol=1e-8)
    assert (found.axes, found.iterations, found.residual) == ((), 0, 0.0)
    assert not found.energy.any()
    assert not found.flux.any()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("axes", list(permutations(range(3))), ids=str)
def test_part_around_an_edge_of_the_box_closes_nowhere(axes, turned):
    """Its voxels touch across one face, across the other, and diagonally across both."""
    field = np.zeros((4, 5, 6))
    field[-1, -1, 2] = field[0, 0, 2] = field[0, -1, 2] = 1.0
    field = (field[:, ::-1] if turned else field).transpose(axes)
    found = carriers(field, PERIODIC, corners=True)
    assert found.along == (False, False, False)
    assert not found.mask.any()


def test_path_over_two_ends_at_once():
    """It leaves through the low end of y and comes back through the high one."""
    field = np.zeros((4, 5, 6))
    field[:3, 0, 1] = field[3, -1, 1] = 1.0
    assert carriers(field, PERIODIC, corners=True).along == (True, False, False)
    assert carriers(field, PERIODIC).along == (False, False, False)
    walled = carriers(field, ("periodic", "wall", "periodic"), corners=True)
    assert walled.along == (False, False, False)


def test_walls_do_not_join_diagonals():
    field = np.zeros((4, 4, 3))
    field[range(4), range(4), 1] = 1.0
    assert carriers(field, PERIODIC, corners=True).along == (True, True, False)
    walled = carriers(field, ("periodic", "wall", "periodic"), corners=True)
    assert walled.along == (False, False, False)
