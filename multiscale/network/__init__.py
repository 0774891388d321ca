"""Network: a polycrystal as a graph of its grains.

Enters: a :class:`~multiscale.microstructure.Polycrystal` (or, for the graph, percolation of
voxels and tortuosity, an image); for the circuit also a diffusivity in m²/s for each phase and
a :class:`~multiscale.properties.Boundary` for each boundary type.
Leaves: the graph of grains, boundaries and junctions; which phases and boundary types percolate
along which axes, alone and together; percolation thresholds with their errors; the widest path
and the fewest facets that carry a sample; geodesic tortuosity and constrictivity; and an
effective diffusivity tensor in m²/s.

Governing equations: Kirchhoff's laws. A link between grains 1 and 2 has the resistance
[d₁/K₁ + δ/2 (1/K⊥ − 1/K₁) + δ/2 (1/K⊥ − 1/K₂) + d₂/K₂] / A; a facet of a film that conducts
better than the bulk also carries G = δ (K∥ − K) along itself, from triple line to triple line.
The potentials make the power least, and twice that power under a unit mean gradient, per
volume, is the effective tensor. Clusters are unrolled with the box offset of every link, so
that a periodic box percolates only where a cluster really winds around it; flows and cuts are
those of circulations around the box in the same way.

Assumptions: one potential a grain (no gradient within a grain beyond the straight line to
its facets), flat facets, isotropic coefficients, films much thinner than grains. What the first
costs is stated with figures in :func:`circuit_diffusivity`.

Files in reading order: ``grains.py`` (what is read of a polycrystal), ``graph.py`` (the same
as a graph, of any microstructure), ``_union_kernels.py`` and ``wrapping.py`` (clusters that
wind around the box), ``junctions.py`` (where facets meet), ``parts.py`` (phases and boundary
types that percolate together), ``percolation.py``, ``voxels.py`` (the same question to a grid
of voxels); ``structures.py`` and ``thresholds.py`` (at which share random structures
percolate); ``routes.py`` and ``bottlenecks.py`` (widest paths, minimum cuts);
``tortuosity.py`` and ``grain_paths.py`` (shortest paths, on images and on grains);
``coefficients.py`` (bulk and films on links), ``resistors.py`` (the linear system),
``sheets.py`` (conduction along facets), ``circuit.py`` (the effective diffusivity),
``complex_circuit.py`` (over frequency), ``crossover.py`` (the boundaries' share).
"""

from multiscale.network.bottlenecks import (
    MinimumCut,
    WidestPath,
    facet_conductances,
    minimum_cut,
    widest_path,
)
from multiscale.network.circuit import CircuitDiffusivity, circuit_diffusivity
from multiscale.network.complex_circuit import circuit_conductivity
from multiscale.network.crossover import boundary_share, crossover_grain_size
from multiscale.network.grain_paths import grain_tortuosity
from multiscale.network.grains import GrainNetwork, grain_network
from multiscale.network.graph import grain_graph
from multiscale.network.parts import PartsPercolation, percolates
from multiscale.network.percolation import Percolation, percolation
from multiscale.network.structures import (
    PeriodicGraph,
    lattice_graph,
    voronoi_edges,
    voronoi_grains,
)
from multiscale.network.thresholds import PercolationThreshold, percolation_threshold
from multiscale.network.tortuosity import (
    Constrictivity,
    GeodesicTortuosity,
    conductivity_estimate,
    constrictivity,
    geodesic_tortuosity,
)
from multiscale.network.voxels import VoxelPercolation, voxel_percolation
from multiscale.network.wrapping import Clusters, wrapping_clusters

__all__ = [
    "CircuitDiffusivity",
    "Clusters",
    "Constrictivity",
    "GeodesicTortuosity",
    "GrainNetwork",
    "MinimumCut",
    "PartsPercolation",
    "Percolation",
    "PercolationThreshold",
    "PeriodicGraph",
    "VoxelPercolation",
    "WidestPath",
    "boundary_share",
    "circuit_conductivity",
    "circuit_diffusivity",
    "conductivity_estimate",
    "constrictivity",
    "crossover_grain_size",
    "facet_conductances",
    "geodesic_tortuosity",
    "grain_graph",
    "grain_network",
    "grain_tortuosity",
    "lattice_graph",
    "minimum_cut",
    "percolates",
    "percolation",
    "percolation_threshold",
    "voronoi_edges",
    "voronoi_grains",
    "voxel_percolation",
    "widest_path",
    "wrapping_clusters",
]
