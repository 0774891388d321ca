"""Cut cells: what cannot be used is refused in one line."""

import math

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import InputError, PropertyError, ResolutionError

FILM = ms.Boundary(width=1e-9, across=1e-13, along=1e-13)
PAIRS = ("A|A", "A|B", "B|B")


@pytest.fixture(scope="module")
def crystal():
    return ms.polycrystal(6, (1e-7, 1e-7), {"A": 0.5, "B": 0.5}, 1)


def solve(crystal, **changed):
    given = {
        "cells": (12, 12),
        "phases": {"A": 1e-12, "B": 1e-13},
        "boundaries": dict.fromkeys(PAIRS, FILM),
        "scheme": "cut-cells",
    }
    return ms.effective_diffusivity(crystal, **(given | changed))


def skewed(matrix):
    return {"A": np.array(matrix, float), "B": 1e-13}


BAD = {
    "misspelt scheme": ({"scheme": "cut-cell"}, ["scheme", "did you mean 'cut-cells'"]),
    "scheme of another kind": ({"scheme": 3}, ["scheme", "faces, cut-cells"]),
    "few cells": ({"cells": (12, 5)}, ["cells", "at least 6 voxels"]),
    "no cells": ({"cells": None}, ["cells"]),
    "cells of another dimension": ({"cells": (12, 12, 12)}, ["cells"]),
    "fractional cells": ({"cells": (12.5, 12)}, ["cells"]),
    "fipy": ({"backend": "fipy"}, ["backend", "'multigrid' for cut-cells"]),
    "spacing": ({"spacing": 1e-9}, ["spacing"]),
    "boundary": ({"boundary": "open"}, ["boundary", "periodic, dirichlet"]),
    "asymmetric tensor": ({"phases": skewed([[1, 0.5], [0, 1]])}, ["A", "symmetric"]),
    "indefinite tensor": ({"phases": skewed([[1, 2], [2, 1]])}, ["A", "semi-definite"]),
    "nan tensor": ({"phases": skewed([[1, math.nan], [math.nan, 1]])}, ["A", "nan"]),
    "negative phase": ({"phases": {"A": -1.0, "B": 1.0}}, ["A", "-1.0"]),
    "missing phase": ({"phases": {"A": 1e-12}}, ["B"]),
    "missing boundary": ({"boundaries": {"A|A": FILM, "A|B": FILM}}, ["B|B"]),
    "unknown boundary": (
        {"boundaries": dict.fromkeys((*PAIRS, "A|C"), FILM)},
        ["C"],
    ),
    "a number for a film": ({"boundaries": dict.fromkeys(PAIRS, 1e-13)}, ["Boundary"]),
    "tolerance": ({"rtol": 0.0}, ["rtol"]),
    "iterations": ({"max_iterations": 0}, ["max_iterations"]),
    "wide film": (
        {"boundaries": dict.fromkeys(PAIRS, ms.Boundary(width=2e-8, across=1.0, along=1.0))},
        ["width", "mean grain size"],
    ),
    "fine voxels": (
        {
            "cells": (256, 256),
            "boundaries": dict.fromkeys(PAIRS, FILM),
        },
        ["width", "voxel edge", "use fewer cells"],
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_refused(crystal, name):
    changed, words = BAD[name]
    with pytest.raises(InputError) as caught:
        solve(crystal, **changed)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    for word in (*words, "expected", "received"):
        assert word in message


@pytest.mark.parametrize("value", [-1e-13, math.nan, math.inf, "1e-13", None, True])
@pytest.mark.parametrize("name", ["width", "across", "along"])
def test_films(name, value):
    given = {"width": 1e-9, "across": 1e-13, "along": 1e-13}
    with pytest.raises(PropertyError, match=f"Boundary {name}") as caught:
        ms.Boundary(**(given | {name: value}))
    assert "\n" not in str(caught.value)


def test_scheme_with_a_field():
    with pytest.raises(InputError, match="'faces' for a field") as caught:
        ms.effective_diffusivity(np.ones((8, 8)), spacing=1e-9, scheme="cut-cells")
    assert "\n" not in str(caught.value)


def test_too_few_cells_is_about_resolution(crystal):
    with pytest.raises(ResolutionError):
        solve(crystal, cells=(5, 5))


def test_walls_are_not_periodic():
    walls = ms.polycrystal(6, (1e-7, 1e-7), {"A": 0.5, "B": 0.5}, 1, periodic=False)
    with pytest.raises(InputError, match="'dirichlet' for a crystal that is not periodic"):
        solve(walls)


class TestChoice:
    """Which scheme runs."""

    TENSOR = np.diag([1e-12, 1e-13])

    def test_tensors_with_films(self, crystal):
        phases = {"A": self.TENSOR, "B": 1e-13}
        chosen = solve(crystal, phases=phases, scheme=None)
        assert chosen.scheme == "cut-cells"
        assert (chosen.tensor == solve(crystal, phases=phases).tensor).all()

    def test_tensors_with_films_on_faces(self, crystal):
        with pytest.raises(PropertyError, match="scheme='cut-cells'"):
            solve(crystal, phases={"A": self.TENSOR, "B": 1e-13}, scheme="faces")

    def test_tensors_alone(self, crystal):
        phases = {"A": self.TENSOR, "B": 1e-13}
        assert solve(crystal, phases=phases, boundaries=None, scheme=None).scheme == "faces"

    def test_numbers(self, crystal):
        assert solve(crystal, scheme=None).scheme == "faces"
        assert solve(crystal).scheme == "cut-cells"
