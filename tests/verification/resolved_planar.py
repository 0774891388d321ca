"""Two-sided bounds of the effective diffusivity of a triangulated periodic box.

Quadratic elements on triangles over which K is constant. Their energy is an upper bound,
D ≤ D_up, in the sense of quadratic forms. In 2D a flux without divergence is a gradient
turned by 90°, so the least dissipation for a given mean flux is the same problem with
K′ = Rᵀ K⁻¹ R = K / det K (Keller, J. Math. Phys. 5, 548 (1964), 10.1063/1.1704146;
Mendelson, J. Appl. Phys. 46, 917 (1975), 10.1063/1.321615), and its energy D′ bounds D from
below, D ≥ D′ / det D′. Nothing is assumed about smoothness, meshes or orders of convergence.

The two solutions also say where the gap comes from: for a gradient e and the mean flux
j = D_low e it is the integral of (K∇u − σ) · K⁻¹ (K∇u − σ) (Prager and Synge, Q. Appl. Math.
5, 241 (1947), 10.1090/qam/25902), triangle by triangle. Those with the larger part of it
are refined until the bounds are as close as wanted.
"""

from dataclasses import dataclass

import numpy as np
from resolved_mesh import areas
from scipy.sparse import coo_array
from scipy.sparse.linalg import splu

BULK_OF_THE_GAP = 0.6
"""Share of the gap in the triangles that are refined (Dörfler)."""
TURN = np.array([(0.0, -1.0), (1.0, 0.0)])
"""Rotation by 90°."""


@dataclass(frozen=True)
class Bounds:
    """Effective tensor between two bounds.

    ``tensor`` is their mean, ``error`` a guaranteed bound of each component's error but
    for rounding, √(G_aa G_bb) with G half the gap; ``unknowns`` of one finite element
    problem; ``history`` rows (unknowns, gap relative to the diagonal).
    """

    lower: np.ndarray
    upper: np.ndarray
    unknowns: int
    history: tuple

    @property
    def tensor(self):
        return 0.5 * (self.lower + self.upper)

    @property
    def error(self):
        half = np.sqrt(np.maximum(0.5 * np.diag(self.upper - self.lower), 0))
        return np.outer(half, half)

    @property
    def relative_error(self):
        """Bound of the error of a diagonal component over the component."""
        return float((np.diag(self.error) / np.diag(self.tensor)).max())


def _gradients(points, area):
    """Gradients of the six quadratic shape functions at the middles of the three edges.

    Functions 0–2 belong to the corners, 3–5 to the edges opposite; (t, 3 points, 6, 2).
    """
    edge = np.roll(points, -2, axis=1) - np.roll(points, -1, axis=1)
    slope = np.stack([-edge[..., 1], edge[..., 0]], -1) / (2 * area[:, None, None])
    out = np.empty((len(points), 3, 6, 2))
    for q in range(3):
        share = np.full(3, 0.5)
        share[q] = 0.0
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            out[:, q, i] = (4 * share[i] - 1) * slope[:, i]
            out[:, q, 3 + i] = 4 * (share[j] * slope[:, k] + share[k] * slope[:, j])
    return out


def _cell_problem(gradient, area, nodes, count, k):
    """Solve for gradients of one along x and y; return them (t, 3, 2, 2) and the energy.

    ``out[..., a]`` is the gradient driven along axis a.
    """
    weight = area / 3
    matrix = np.zeros((len(area), 6, 6))
    load = np.zeros((len(area), 6, 2))
    for q in range(3):
        flux = np.einsum("tia,tab->tib", gradient[:, q], k) * weight[:, None, None]
        matrix += np.einsum("tib,tjb->tij", flux, gradient[:, q])
        load -= flux
    row = np.repeat(nodes, 6, axis=1).ravel()
    column = np.tile(nodes, (1, 6)).ravel()
    # node 0 is held at zero
    free = (row > 0) & (column > 0)
    system = coo_array(
        (matrix.ravel()[free], (row[free] - 1, column[free] - 1)), shape=(count - 1, count - 1)
    ).tocsc()
    right = np.stack(
        [np.bincount(nodes.ravel(), load[..., a].ravel(), minlength=count) for a in (0, 1)], 1
    )
    factors = splu(
        system,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    x = factors.solve(right[1:])
    x += factors.solve(right[1:] - system @ x)
    potential = np.vstack([np.zeros((1, 2)), x])
    field = np.einsum("tqib,tia->tqba", gradient, potential[nodes]) + np.eye(2)
    energy = np.einsum("tqba,tbc,tqcd,t->ad", field, k, field, weight) / area.sum()
    return field, 0.5 * (energy + energy.T)


def bounds(mesh, k):
    """Bound the effective tensor for coefficients ``k`` (t, 2, 2).

    Returns
    -------
    lower, upper : (2, 2) ndarray
    share : (t,) ndarray
        Each triangle's part of the gap, relative to the diagonal of the tensor.
    unknowns : int
    """
    points = mesh.points
    area = areas(points)
    edges = mesh.edges()
    nodes = np.column_stack([mesh.corner, edges[0] + len(mesh.vertices)])
    count = len(mesh.vertices) + len(edges[1])
    gradient = _gradients(points, area)
    field, upper = _cell_problem(gradient, area, nodes, count, k)
    stream, dual = _cell_problem(gradient, area, nodes, count, k / np.linalg.det(k)[:, None, None])
    lower = dual / np.linalg.det(dual)
    # mean flux j = D_low e needs the mean stream gradient Rᵀ j
    flux = np.einsum("bc,tqca,ad->tqbd", TURN, stream, TURN.T @ lower)
    miss = np.einsum("tbc,tqca->tqba", k, field) - flux
    gap = np.einsum("tqba,tbc,tqca,t->ta", miss, np.linalg.inv(k), miss, area / 3) / area.sum()
    return lower, upper, (gap / np.diag(upper)).sum(axis=1), count


def adapt(mesh, coefficients, *, rtol, most_unknowns):
    """Refine until half the gap is below ``rtol`` of each diagonal component.

    ``coefficients(mesh)`` gives K of the triangles. Stops at ``most_unknowns`` too.
    """
    history = []
    while True:
        lower, upper, share, unknowns = bounds(mesh, coefficients(mesh))
        gap = float((np.diag(upper - lower) / np.diag(upper)).max())
        history.append((unknowns, gap))
        if 0.5 * gap <= rtol or unknowns > most_unknowns / 1.5:
            return Bounds(lower, upper, unknowns, tuple(history))
        order = np.argsort(share)[::-1]
        total = np.cumsum(share[order])
        marked = order[: np.searchsorted(total, BULK_OF_THE_GAP * total[-1]) + 1]
        mesh = mesh.refined(marked)
