"""Solvers for conductance networks on a grid.

What enters: a weighted graph (compressed rows of link conductances), the grid
coordinates of its nodes, right-hand sides. What leaves: potentials and a
report of how well they satisfy the equations.

The matrix of a network with link conductances g and node-to-electrode
conductances e is (A u)_i = Σ_j g_ij (u_i − u_j) + e_i u_i: symmetric positive
semi-definite when the links are positive or come from an assembled element
energy. Nothing here knows about materials or files.

Reading order: ``graph`` (the network and its components), ``multigrid`` (the
preconditioner), ``krylov`` (the iteration and its report).
"""

from multiscale.numerics.graph import ConductanceGraph, connected_parts
from multiscale.numerics.krylov import SolveReport, solve
from multiscale.numerics.multigrid import Hierarchy

__all__ = ["ConductanceGraph", "Hierarchy", "SolveReport", "connected_parts", "solve"]
