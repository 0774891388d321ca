"""Effective conductance of a periodic resistor network.

Branch k joins two nodes and carries the current Σ_l W_kl v_l, v_l = u(head) − u(tail) + G · J_l
the potential difference along branch l: G the mean gradient, J_l the box offset of the head.
W is symmetric and positive semi-definite; diagonal for plain resistors. The potentials make the
power least; twice the least power is G · (V K_eff) G. Admittances at a frequency may be complex
and symmetric: the same equations, without conjugates, in which the power is only stationary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import cg, splu

from multiscale.errors import ComputationError
from multiscale.network.wrapping import wrapping_clusters

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


LARGEST_DIRECT = 6000
"""Unknowns up to which factors always cost less than iterations."""
LARGEST_SPARSE = 200_000
"""The same of a network with fewer than ``FULL`` entries a row; more would need gigabytes."""
FULL = 13.0
"""Entries a row from which a network fills in: 14.6 in 3D if all facets conduct along
themselves, 12 or less if those of one type or two do, 5 in 2D."""
TOLERANCE = 1e-10
"""Relative residual of the iteration; the power is wrong by about its square."""
MOST_ITERATIONS = 5000


@dataclass(frozen=True, slots=True)
class Branches:
    """Branches of a network.

    Attributes
    ----------
    nodes : int
        Number of nodes.
    tail, head : ndarray of int64, shape (b,)
        Ends of each branch.
    image : ndarray of int64, shape (b, d)
        Box offset of the head seen from the tail.
    conductance : csr_array, shape (b, b)
        W; zero rows are allowed and conduct nothing.
    """

    nodes: int
    tail: Integers
    head: Integers
    image: Integers
    conductance: csr_array


@dataclass(frozen=True, slots=True)
class Conductance:
    """Response of a network to unit gradients.

    Attributes
    ----------
    power : ndarray, shape (d, d)
        V K_eff from the dissipated power, symmetric.
    flux : ndarray, shape (d, d)
        The same from the currents; column b under a unit gradient along axis b.
    percolates : ndarray of bool, shape (d,)
        Whether a conducting path winds around the box along each axis.
    unknowns : int
        Potentials solved for.
    """

    power: NDArray[Any]
    flux: NDArray[Any]
    percolates: NDArray[np.bool_]
    unknowns: int


def solve_network(branches: Branches, size: Floats) -> Conductance:
    """Find the response of a network to unit gradients.

    Parameters
    ----------
    branches : Branches
        The network.
    size : ndarray, shape (d,)
        Box edges in m.

    Returns
    -------
    Conductance
        With exact zeros along axes that no conducting path winds around.

    Raises
    ------
    ComputationError
        If the factorisation fails or the answer is not finite.

    Notes
    -----
    Every connected part is first unrolled along a spanning tree, which leaves offsets only on
    branches that close a loop around the box. Parts without such loops carry no current and
    are taken out, and an axis that no loop winds around has no source at all: hence the exact
    zeros. One node of each part that is left is held at zero, which its null space allows.
    """
    W, d = branches.conductance, len(size)
    live = np.abs(W.diagonal()) > 0
    tail, head = branches.tail[live], branches.head[live]
    parts = wrapping_clusters(branches.nodes, tail, head, branches.image[live])
    loops = branches.image[live] + parts.shift[tail] - parts.shift[head]
    source = loops * size
    percolates = np.asarray(parts.wraps.any(axis=0))
    if not percolates.any():
        nothing = np.zeros((d, d), W.dtype)
        return Conductance(nothing, nothing, percolates, 0)
    W = csr_array(W[live][:, live])
    free = np.asarray(parts.wraps.any(axis=1))[parts.label]
    free[_busiest(parts.label, tail, head)] = False
    number = np.cumsum(free) - 1
    B = _incidence(tail, head, free, number)
    potentials = _solve(csc_array(B.T @ W @ B), -(B.T @ (W @ source)))
    drop = B @ potentials + source
    current = W @ drop
    power = drop.T @ current
    flux = source.T @ current
    if not np.isfinite(power).all():
        raise ComputationError("resistor network: the potentials are not finite")
    return Conductance((power + power.T) / 2, flux, percolates, int(free.sum()))


def _busiest(label: Integers, tail: Integers, head: Integers) -> NDArray[np.intp]:
    """Node of each cluster that most branches meet: grounded, its full row is left out."""
    branches = np.bincount(tail, minlength=len(label)) + np.bincount(head, minlength=len(label))
    order = np.lexsort((-branches, label))
    return order[np.flatnonzero(np.diff(label[order], prepend=-1))]


def _incidence(
    tail: Integers, head: Integers, free: NDArray[np.bool_], number: NDArray[np.intp]
) -> csr_array:
    rows = np.arange(len(tail))
    at_head, at_tail = free[head], free[tail]
    entries = np.concatenate([np.ones(at_head.sum()), -np.ones(at_tail.sum())])
    row = np.concatenate([rows[at_head], rows[at_tail]])
    column = np.concatenate([number[head[at_head]], number[tail[at_tail]]])
    return csr_array((entries, (row, column)), shape=(len(tail), int(free.sum())))


def _solve(matrix: csc_array, right: NDArray[Any]) -> NDArray[Any]:
    if matrix.shape[0] == 0:
        return np.zeros_like(right)
    scale = 1 / np.sqrt(np.abs(matrix.diagonal()))  # contrasts of 1e10 and more are common
    scaled = csc_array(matrix.multiply(scale[:, None]).multiply(scale[None, :]))
    real = not np.iscomplexobj(right)
    if real and not _fits_direct(matrix.shape[0], matrix.nnz):
        iterated = _iterate(csr_array(scaled), right * scale[:, None])
        if iterated is not None:
            result: NDArray[Any] = iterated * scale[:, None]
            return result
    try:
        factors = splu(
            scaled,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,  # positive definite: no pivoting, so the ordering holds
            options={"SymmetricMode": True},
        )
    except RuntimeError as error:
        raise ComputationError(f"resistor network: {error}") from error
    answer: NDArray[Any] = factors.solve(right * scale[:, None]) * scale[:, None]
    return answer


def _fits_direct(unknowns: int, entries: int) -> bool:
    """Whether the factors cost less than iterations, as measured on Voronoi grains."""
    sparse = entries < FULL * unknowns
    return unknowns <= (LARGEST_SPARSE if sparse else LARGEST_DIRECT)


def _iterate(matrix: csr_array, right: Floats) -> Floats | None:
    """Conjugate gradients on the scaled system; None if a column did not converge."""
    columns = []
    for column in right.T:
        answer, status = cg(matrix, column, rtol=TOLERANCE, maxiter=MOST_ITERATIONS)
        if status != 0:
            return None
        columns.append(answer)
    return np.column_stack(columns)
