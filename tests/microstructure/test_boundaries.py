"""Boundary types and areas."""

import numpy as np
import pytest

from multiscale.microstructure import (
    area_by_type,
    boundary_type,
    boundary_types,
    facet_types,
    polycrystal,
)


def test_names_are_sorted_whatever_the_order() -> None:
    assert boundary_type("LLZO", "LCO") == boundary_type("LCO", "LLZO") == "LCO|LLZO"
    assert boundary_type("LCO", "LCO") == "LCO|LCO"
    assert boundary_types(("LLZO", "LCO")) == ("LCO|LCO", "LCO|LLZO", "LLZO|LLZO")
    assert len(boundary_types(("a", "b", "c", "d"))) == 10


def test_areas_of_all_types_add_up() -> None:
    phases = {"LLZO": 0.4, "LCO": 0.4, "pore": 0.2}
    crystal = polycrystal(40, (1.0, 1.0, 1.0), phases, 0)
    facets = crystal.tessellation.facets
    areas = area_by_type(facets, crystal.phases, crystal.phase_names)
    assert set(areas) == set(boundary_types(crystal.phase_names))
    assert sum(areas.values()) == pytest.approx(facets.area.sum(), rel=1e-12)
    kinds = facet_types(facets, crystal.phases, crystal.phase_names)
    names = np.array(boundary_types(crystal.phase_names))[kinds]
    for name, first, second in zip(names, facets.first, facets.second, strict=True):
        pair = (crystal.phase_names[crystal.phases[g]] for g in (first, second))
        assert name == boundary_type(*pair)
    graph = crystal.grain_graph()
    by_edge = sum(d["area"] for _, _, d in graph.edges(data=True) if d["type"] == "LCO|LLZO")
    assert by_edge == pytest.approx(areas["LCO|LLZO"], rel=1e-12)
