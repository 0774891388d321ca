"""Parts cover a grid once; rings and neighbours close."""

import numpy as np
import pytest

from multiscale.numerics import planes
from multiscale.numerics.planes import RING, run

around, slots, span = (one.py_func for one in (planes.around, planes.slots, planes.span))


@pytest.mark.parametrize("count", [1, 2, 5, 16])
@pytest.mark.parametrize("parts", [1, 2, 3, 8])
def test_parts_cover_all_planes_once(count, parts):
    covered = [i for part in range(parts) for i in range(*span(count, part, parts))]
    assert covered == list(range(count))


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_neighbours_follow_one_another_round_the_axis(n):
    for i in range(n):
        assert around(i, n) == ((i - 1) % n, i, (i + 1) % n)


def test_a_ring_holds_three_planes_and_room_for_the_next():
    for plane in range(-1, 2 * RING):
        before, here, after = slots(plane)
        assert slots(plane + 1)[:2] == (here, after)
        assert len({before, here, after, slots(plane + 1)[2]}) == RING


@pytest.mark.parametrize("threads", [1, 3])
def test_one_thread_never_calls_what_is_compiled_for_several(threads):
    done = []
    values = np.zeros(2)

    def alone(given, part, parts):
        done.append(("alone", given is values, part, parts))

    def among(given, threads):
        done.append(("among", given is values, threads))

    run(alone, among, (values,), threads)
    assert done == [("alone", True, 0, 1) if threads == 1 else ("among", True, 3)]
