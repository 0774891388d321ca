"""Microstructures (being built)."""

from multiscale.microstructure.boundaries import (
    area_by_type,
    boundary_type,
    boundary_types,
    facet_types,
)
from multiscale.microstructure.polycrystal import Polycrystal, check_resolution, polycrystal
from multiscale.microstructure.tessellation import FacetTable, Tessellation, tessellate

__all__ = [
    "FacetTable",
    "Polycrystal",
    "Tessellation",
    "area_by_type",
    "boundary_type",
    "boundary_types",
    "check_resolution",
    "facet_types",
    "polycrystal",
    "tessellate",
]
