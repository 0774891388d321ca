"""Voxel faces warn of phases that are too unlike beside thin boundaries."""

import warnings

import pytest

import multiscale as ms
from multiscale.errors import ResolutionWarning
from multiscale.properties.validity import FACES_CONTRAST, contrast_warning


def test_the_limit_itself_is_fine():
    assert contrast_warning({"A": FACES_CONTRAST, "B": 1.0}, "faces") == ""


def test_one_line_with_the_number_and_the_remedy():
    line = contrast_warning({"A": 1.0, "B": 1e-3, "pore": 0.0}, "faces")
    assert "\n" not in line
    for word in ("phases", "100", "1e+03 times", "cut-cells"):
        assert word in line


@pytest.mark.parametrize("phases", [{"A": 1.0, "pore": 0.0}, {"A": 3.0}], ids=str)
def test_what_does_not_conduct_has_no_contrast(phases):
    assert contrast_warning(phases, "faces") == ""


def test_the_solver_warns_with_films_only():
    crystal = ms.polycrystal(9, (3.0, 3.0), {"A": 0.5, "B": 0.5}, 1)
    film = ms.Boundary(width=0.01, across=0.1, along=0.1)
    films = dict.fromkeys(("A|A", "A|B", "B|B"), film)
    options = {"cells": (12, 12), "phases": {"A": 1.0, "B": 1e-3}, "rtol": 1e-4}
    with pytest.warns(ResolutionWarning, match="cut-cells"):
        ms.effective_diffusivity(crystal, boundaries=films, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ms.effective_diffusivity(crystal, **options)
        ms.effective_diffusivity(crystal, boundaries=films, scheme="cut-cells", **options)
