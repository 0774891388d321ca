"""Solvers for conductance networks on a grid.

Two kinds. On a voxel grid every cell has a link to each neighbour, and some are
tied to nodes beside the grid (conducting films); or every vertex has one to its
26 neighbours. The links lie in packed arrays and no matrix is assembled. Any
other network (cut cells, conducting films beside pores) is a weighted graph:
compressed rows of link conductances and the grid coordinates of the nodes.
What leaves is the same: potentials and how well they satisfy the equations.

The matrix of a network with link conductances g and node-to-electrode
conductances e is (A u)_i = Σ_j g_ij (u_i − u_j) + e_i u_i: symmetric positive
semi-definite when the links are positive or come from an assembled element
energy. Nothing here knows about materials or files.

Reading order, voxel grids: ``checkerboard`` (layers and colours),
``checkerboard_multigrid`` (levels, cycle and iteration), ``fragments`` (what
coarse grids cannot see), ``attached`` (nodes beside the grid),
``checkerboard_torch`` (the same for a GPU), ``planes`` and ``compiling`` (how
kernels are shared among threads and compiled), ``memory`` (ask before taking).
Grids whose vertices have 26 neighbours: ``stencil_multigrid``. Graphs: ``graph``
(the network and its components), ``multigrid`` (the preconditioner),
``vertex_multigrid`` (the one for several fields on a grid's vertices),
``krylov`` (the iteration and its report).
"""

from multiscale.numerics.graph import ConductanceGraph, connected_parts, merge_links
from multiscale.numerics.krylov import Preconditioner, SolveReport, solve
from multiscale.numerics.multigrid import Hierarchy
from multiscale.numerics.vertex_multigrid import FieldNodes, VertexHierarchy

__all__ = [
    "ConductanceGraph",
    "FieldNodes",
    "Hierarchy",
    "Preconditioner",
    "SolveReport",
    "VertexHierarchy",
    "connected_parts",
    "merge_links",
    "solve",
]
