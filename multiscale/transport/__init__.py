"""Steady Li transport on voxels: from coefficients to the effective tensor.

Enters: a voxel field of coefficients [m²/s], or a rasterised crystal with a
coefficient for each phase and a thin film for each boundary type. Leaves: the
effective tensor with its flux balance, flux fields and the share of flux and
dissipation of each part.

Equation: ∇·(K ∇u) = 0 with u = e·x + periodic, or with u fixed on two faces;
D_eff from the mean energy and from the mean flux. Assumptions: linear, steady,
local equilibrium across films up to their areal resistance; films much thinner
than grains.

Reading order: ``boundary_model``, ``fields``, ``discretisation`` (what is
solved); ``islands``, ``voxel_solver`` (fields and films that resist, without a
matrix), ``sheets`` (films that conduct along themselves), ``gpu_solver`` (without
such films on a GPU); ``cell_problem`` (what still needs a graph: conducting films
beside pores); ``effective``, ``flux``; ``cut_cells``,
``polyhedra``, ``cut_grid``, ``nitsche``, ``cut_crystal``, ``cut_image`` (films on
their true facets); ``tensor_elements``, ``tensor_solver`` (plain fields of tensors,
without a matrix); ``orientation``, ``boundary_classes``,
``complex_field`` (over frequency), ``bounds``, ``layer_models``, ``fipy_reference``.
"""

from multiscale.transport.bounds import hashin_shtrikman, wiener
from multiscale.transport.complex_field import complex_conductivity
from multiscale.transport.effective import (
    CutSolution,
    EffectiveDiffusivity,
    VoxelSolution,
    effective_diffusivity,
    solve_cut_cells,
    solve_voxels,
)
from multiscale.transport.fields import VoxelGeometry, field_of_labels

__all__ = [
    "CutSolution",
    "EffectiveDiffusivity",
    "VoxelGeometry",
    "VoxelSolution",
    "complex_conductivity",
    "effective_diffusivity",
    "field_of_labels",
    "hashin_shtrikman",
    "solve_cut_cells",
    "solve_voxels",
    "wiener",
]
