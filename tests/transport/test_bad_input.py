"""Whatever cannot be used is refused in one line: the place, what was wanted, what came."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import ConvergenceError, InputError

FILM = ms.Boundary(width=1e-9, across=1e-13, along=1e-13)


@pytest.fixture(scope="module")
def crystal():
    return ms.polycrystal(6, (1e-7, 1e-7), {"LLZO": 0.5, "LCO": 0.5}, 1)


@pytest.fixture(scope="module")
def walls():
    return ms.polycrystal(6, (1e-7, 1e-7), {"LLZO": 0.5, "LCO": 0.5}, 1, periodic=False)


def refuse(problem, words, **options):
    with pytest.raises(InputError) as caught:
        ms.effective_diffusivity(problem, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    assert "received" in message
    assert len(message) < 400
    for word in words:
        assert word in message


def spoilt(value, shape=(4, 5, 3), where=(1, 2, 0)):
    field = np.ones(shape)
    field[where] = value
    return field


def tensors(matrix):
    return np.broadcast_to(np.asarray(matrix, float), (4, 4, 2, 2))


FIELDS = {
    "nan": (spoilt(np.nan), ["diffusivity[1, 2, 0]", "nan", "1 such"]),
    "infinite": (spoilt(np.inf), ["diffusivity[1, 2, 0]", "inf"]),
    "negative": (spoilt(-2.0), ["diffusivity[1, 2, 0]", "≥ 0", "-2.0"]),
    "one axis": (np.ones(5), ["shape", "(5,)"]),
    "five axes": (np.ones((2,) * 5), ["shape"]),
    "three tensors in two axes": (np.ones((4, 4, 3, 3)), ["shape"]),
    "a number": (3.0, ["shape", "()"]),
    "bool": (np.ones((4, 4), bool), ["real numbers", "bool"]),
    "complex": (np.ones((4, 4), complex), ["real numbers", "complex128"]),
    "text": (np.full((4, 4), "1"), ["real numbers", "<U1"]),
    "objects": (np.full((4, 4), None), ["real numbers", "object"]),
    "ragged": ([[1.0, 2.0], [3.0]], ["diffusivity"]),
    "none": (None, ["real numbers", "object"]),
    "empty": (np.ones((0, 4)), ["at least one voxel", "(0, 4)"]),
    "asymmetric": (tensors([[1, 0.5], [0, 1]]), ["symmetric"]),
    "indefinite": (tensors([[1, 2], [2, 1]]), ["positive semi-definite", "-1"]),
    "nan tensor": (tensors([[1, np.nan], [np.nan, 1]]), ["nan"]),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name):
    field, words = FIELDS[name]
    refuse(field, words, spacing=1e-9)


@pytest.mark.parametrize(
    "spacing", [None, 0.0, -1e-9, np.nan, np.inf, (1e-9,) * 3, "1 nm", [1e-9, -1e-9], {"x": 1}]
)
def test_spacings(spacing):
    refuse(np.ones((4, 4)), ["spacing"], spacing=spacing)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("boundary", "periodc", ["boundary", "did you mean 'periodic'?"]),
        ("boundary", "Dirichlet faces", ["did you mean 'dirichlet'?"]),
        ("boundary", None, ["boundary", "periodic, dirichlet"]),
        ("backend", "fypi", ["backend", "did you mean 'fipy'?"]),
        ("backend", "petsc", ["backend", "multigrid, fipy"]),
        ("rtol", 2.0, ["rtol", "2.0"]),
        ("rtol", 0.0, ["rtol", "0.0"]),
        ("rtol", -1e-8, ["rtol"]),
        ("rtol", 1e-16, ["rtol", "1e-16"]),
        ("rtol", np.nan, ["rtol", "nan"]),
        ("rtol", "1e-8", ["rtol", "1e-8"]),
        ("max_iterations", 0, ["max_iterations"]),
        ("max_iterations", -3, ["max_iterations"]),
        ("max_iterations", 2.5, ["max_iterations"]),
    ],
)
def test_options(option, value, words):
    refuse(np.ones((4, 4)), words, spacing=1e-9, **{option: value})


BOTH = {"LLZO": 1e-12, "LCO": 1e-13}
ALL = {"LLZO|LLZO": FILM, "LLZO|LCO": FILM, "LCO|LCO": FILM}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cells": None}, ["cells", "none"]),
        ({"cells": (8,)}, ["cells", "2 whole numbers"]),
        ({"cells": (8, 8, 8)}, ["cells"]),
        ({"cells": (8.5, 8)}, ["cells", "8.5"]),
        ({"cells": (8, -8)}, ["cells"]),
        ({"cells": 8}, ["cells"]),
        ({"cells": (2, 8)}, ["cells", "at least 3"]),
        ({"phases": None}, ["phases", "none"]),
        ({"phases": {"LLZO": 1e-12}}, ["phases", "'LCO'"]),
        ({"phases": BOTH | {"LLOZ": 1.0}}, ["LLOZ", "did you mean 'LLZO'?"]),
        ({"phases": BOTH | {"LCO": -1.0}}, ["phases['LCO']", "-1"]),
        ({"phases": BOTH | {"LCO": np.nan}}, ["phases['LCO']", "nan"]),
        ({"phases": BOTH | {"LCO": "fast"}}, ["phases['LCO']", "fast"]),
        ({"phases": BOTH | {"LCO": np.ones(2)}}, ["phases['LCO']", "(2,)"]),
        ({"phases": BOTH | {"LCO": [[1, 2], [2, 1]]}}, ["positive semi-definite"]),
        ({"phases": BOTH | {"LCO": [[1, 0.5], [0, 1]]}}, ["symmetric"]),
        ({"boundaries": {"LLZO|LLZO": FILM}}, ["boundaries", "LLZO|LCO"]),
        ({"boundaries": {}}, ["boundaries", "LLZO|LLZO"]),
        ({"boundaries": ALL | {"LLZO|LC0": FILM}}, ["LC0", "did you mean 'LCO'?"]),
        ({"boundaries": ALL | {"LLZO": FILM}}, ["two phase names"]),
        ({"boundaries": ALL | {"LLZO|LCO": 1e-13}}, ["LLZO|LCO", "Boundary"]),
        (
            {"boundaries": ALL, "phases": BOTH | {"LCO": np.eye(2)}, "scheme": "faces"},
            ["crystal tensor", "scheme='cut-cells'"],
        ),
        ({"boundary": "neumann"}, ["boundary", "valid"]),
        ({"spacing": 1e-9}, ["spacing"]),
    ],
)
def test_crystals(crystal, changes, words):
    refuse(crystal, words, **{"cells": (8, 8), "phases": BOTH} | changes)


def test_walls_cannot_be_periodic(walls):
    refuse(walls, ["boundary", "'dirichlet'", "periodic"], cells=(8, 8), phases=BOTH)


def test_images_bring_their_own_cells(crystal):
    labels = crystal.labels((8, 8))
    image = ms.label_image(labels, spacing=1e-9, periodic=True)
    phases = dict.fromkeys(image.phase_names, 1.0)
    refuse(image, ["cells", "(8, 8)", "(9, 8)"], cells=(9, 8), phases=phases)
    refuse(image, ["tensor"], phases=dict.fromkeys(image.phase_names, np.eye(2)))


def test_fields_take_no_phases():
    refuse(np.ones((4, 4)), ["polycrystal"], spacing=1e-9, phases={"A": 1.0})
    refuse(np.ones((4, 4)), ["polycrystal"], spacing=1e-9, boundaries=ALL)


def test_fields_take_no_cells():
    refuse(np.ones((4, 4)), ["cells"], spacing=1e-9, cells=(8, 8))


def test_tensor_fields_need_two_voxels_between_electrodes():
    refuse(np.ones((1, 4, 1, 1)) * np.eye(2), ["2 voxels"], spacing=1.0, boundary="dirichlet")


def test_a_solver_out_of_iterations_tells_its_history():
    field = 10 ** np.random.default_rng(0).uniform(-3, 3, (20, 20))
    with pytest.raises(ConvergenceError, match="after 2 iterations") as caught:
        ms.effective_diffusivity(field, spacing=1.0, max_iterations=2)
    assert "\n" not in str(caught.value)
    assert len(caught.value.history) == 3
    assert caught.value.history[0] > caught.value.history[-1] > 1e-8
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("scheme", ["faces", "cut-cells"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"boundaries": [FILM]}, ["boundaries", "each pair", "list"]),
        ({"boundaries": ALL | {"LCO|LLZO": FILM}}, ["one film for a pair", "leave one out"]),
        ({"phases": BOTH | {"LCO": "1e-13"}}, ["phases['LCO']", "number", "'1e-13'"]),
        ({"phases": BOTH | {"LCO": None}}, ["phases['LCO']", "number", "None"]),
    ],
)
def test_films_and_phases(crystal, changes, words, scheme):
    given = {"cells": (8, 8), "phases": BOTH, "boundaries": ALL, "scheme": scheme}
    refuse(crystal, words, **given | changes)
