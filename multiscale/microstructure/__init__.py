"""Microstructures: grains, the boundaries between them, and their images.

Enters: a recipe (:func:`polycrystal`: number of grains, box, volume fractions,
laws of seeding and grain size, a seed) or a voxel image (:func:`read_image`).
Leaves: an analytic :class:`Polycrystal` that can be drawn on any grid, its exact
:class:`Tessellation`, a :class:`LabelImage`, the grain graph, and descriptors.

Definitions. Grain i is the power cell {x : |x − s_i|² − w_i ≤ |x − s_j|² − w_j for
all j}; equal weights w make Voronoi cells. A boundary type is the pair of phases it
parts, ``"LCO|LLZO"``; a heterointerface is a junction at which at least three types
meet. Assumed: grains are convex and boundaries flat and without thickness (their
width is a matter for transport), orientations are uniform and independent of phase
and neighbours, a pore is a phase.

Files in reading order
    crystal         the analytic object and its recipe
    seeding, grain_size, phases, orientation
                    the four laws that the recipe draws from
    misorientation  how two grains and the plane between them lie to each other
    power_diagram, power_cells, tessellation
                    vertices by convex lifting; facets and cells; lines and points
    rasteriser      voxels of a polycrystal
    boundaries, junction_tables, junctions
                    boundary types, grain graph, triple lines, heterointerfaces
    labelled, voxel_facets
                    the same from an image alone
    image_files, vti
                    files in and out
    descriptors     numbers that describe a microstructure
"""

from multiscale.microstructure.boundaries import (
    area_by_type,
    boundary_type,
    boundary_types,
    facet_types,
)
from multiscale.microstructure.crystal import (
    Polycrystal,
    check_resolution,
    check_voxels,
    polycrystal,
)
from multiscale.microstructure.descriptors import (
    Descriptors,
    correlation_length,
    describe_microstructure,
    two_point_covariance,
)
from multiscale.microstructure.image_files import VoxelImage, read_image, write_image
from multiscale.microstructure.junction_tables import JunctionTable, types_at
from multiscale.microstructure.junctions import (
    Heterointerfaces,
    find_heterointerfaces,
    heterointerface_mask,
)
from multiscale.microstructure.labelled import (
    LabelImage,
    label_image,
    split_phases,
)
from multiscale.microstructure.misorientation import (
    c_axis_angle,
    c_axis_angle_to_plane,
    csl_deviation,
    csl_sigma,
    disorientation,
    matching_rule,
)
from multiscale.microstructure.orientation import random_orientations, rotation_matrices
from multiscale.microstructure.power_cells import FacetTable
from multiscale.microstructure.rasteriser import naive_labels, rasterise, rasterise_labels
from multiscale.microstructure.seeding import SEEDINGS
from multiscale.microstructure.tessellation import (
    LineTable,
    PointTable,
    Tessellation,
    tessellate,
)
from multiscale.microstructure.voxel_facets import ImageFacets

__all__ = [
    "SEEDINGS",
    "Descriptors",
    "FacetTable",
    "Heterointerfaces",
    "ImageFacets",
    "JunctionTable",
    "LabelImage",
    "LineTable",
    "PointTable",
    "Polycrystal",
    "Tessellation",
    "VoxelImage",
    "area_by_type",
    "boundary_type",
    "boundary_types",
    "c_axis_angle",
    "c_axis_angle_to_plane",
    "check_resolution",
    "check_voxels",
    "correlation_length",
    "csl_deviation",
    "csl_sigma",
    "describe_microstructure",
    "disorientation",
    "facet_types",
    "find_heterointerfaces",
    "heterointerface_mask",
    "label_image",
    "matching_rule",
    "naive_labels",
    "polycrystal",
    "random_orientations",
    "rasterise",
    "rasterise_labels",
    "read_image",
    "rotation_matrices",
    "split_phases",
    "tessellate",
    "two_point_covariance",
    "types_at",
    "write_image",
]
