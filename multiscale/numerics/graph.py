"""A network of conductances on a box, and which of its parts carry a current."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.numerics.compiling import kernel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class ConductanceGraph:
    """Nodes, links and electrodes of a network on a box.

    Parameters
    ----------
    indptr : (n + 1,) int64 ndarray
        Start of each node's links.
    indices : (nnz,) int32 ndarray
        Node at the other end; every link appears in both rows.
    conductance : (nnz,) ndarray
        Link conductance.
    electrode : (n, 2) ndarray
        Conductance from each node to the inlet and to the outlet electrode;
        zeros for a periodic problem.
    position : (n, d) ndarray
        Node positions [m].
    coordinates : (n, d) int32 ndarray
        Grid cell each node lies in.
    group : (n,) int32 ndarray
        Nodes of different groups are kept apart on coarse grids.
    cells : tuple of int
        Number of grid cells along each axis.
    size : (d,) ndarray
        Box edge lengths [m]; a link takes the shortest periodic image.
    connected : bool, optional
        Known to be one part that closes on itself along every axis, so that
        no search is needed.
    """

    indptr: NDArray[np.int64]
    indices: IntArray
    conductance: FloatArray
    electrode: FloatArray
    position: FloatArray
    coordinates: IntArray
    group: IntArray
    cells: tuple[int, ...]
    size: FloatArray
    connected: bool = False

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(self.indptr.size - 1)

    def diagonal(self) -> FloatArray:
        """Sum of the conductances at each node.

        Returns
        -------
        (n,) ndarray
            The matrix diagonal.
        """
        total: FloatArray = row_sums(self.indptr, self.conductance)
        total += self.electrode.sum(axis=1)
        return total


@kernel()
def row_sums(indptr: NDArray[np.int64], values: FloatArray) -> FloatArray:
    """Sum the entries of each compressed row.

    Parameters
    ----------
    indptr : (n + 1,) int64 ndarray
        Row starts.
    values : (nnz,) ndarray
        Entries.

    Returns
    -------
    (n,) ndarray
        Row sums.
    """
    n = indptr.size - 1
    total = np.zeros(n)
    for i in range(n):
        s = 0.0
        for k in range(indptr[i], indptr[i + 1]):
            s += values[k]
        total[i] = s
    return total


@kernel()
def _flood(indptr, indices, conductance, coordinates, cells):  # type: ignore  # noqa: C901
    """Label connected parts; collect the box vectors each part closes on.

    Breadth-first search carries the box offset of every node; meeting a node
    of the same part under another offset is a path around the box. At most
    ``d`` independent vectors a part are kept, as an echelon basis.
    """
    n = indptr.size - 1
    d = coordinates.shape[1]
    part = np.full(n, -1, np.int32)
    offset = np.zeros((n, d), np.int32)
    queue = np.empty(n, np.int32)
    starts: list[int] = []
    wraps: list[FloatArray] = []
    for seed in range(n):
        if part[seed] >= 0:
            continue
        number = len(starts)
        starts.append(seed)
        basis = np.zeros((d, d))
        part[seed] = number
        queue[0] = seed
        head, tail = 0, 1
        while head < tail:
            i = queue[head]
            head += 1
            for k in range(indptr[i], indptr[i + 1]):
                if conductance[k] == 0.0:
                    continue
                j = indices[k]
                image = np.zeros(d)
                for a in range(d):
                    step = coordinates[j, a] - coordinates[i, a]
                    turn = 0
                    if 2 * step > cells[a]:
                        turn = -1
                    elif 2 * step < -cells[a]:
                        turn = 1
                    image[a] = offset[i, a] + turn
                if part[j] < 0:
                    part[j] = number
                    for a in range(d):
                        offset[j, a] = np.int32(image[a])
                    queue[tail] = j
                    tail += 1
                else:
                    closed = False
                    for a in range(d):
                        image[a] -= offset[j, a]
                        if image[a] != 0.0:
                            closed = True
                    if closed:
                        _extend(basis, image)
        wraps.append(basis)
    count = len(starts)
    spans = np.zeros((count, d, d))
    for p in range(count):
        spans[p] = wraps[p]
    return part, spans


@kernel()
def _extend(basis, vector):  # type: ignore[no-untyped-def]
    """Add a vector to an echelon basis (row a has its first entry at axis a)."""
    d = vector.size
    for a in range(d):
        if vector[a] == 0.0:
            continue
        if basis[a, a] == 0.0:
            basis[a] = vector
            return
        vector = vector - basis[a] * (vector[a] / basis[a, a])
        for b in range(d):
            if abs(vector[b]) < 1e-9:
                vector[b] = 0.0


def connected_parts(graph: ConductanceGraph) -> tuple[IntArray, FloatArray]:
    """Find the connected parts of a network and how they close on the box.

    Parameters
    ----------
    graph : ConductanceGraph
        The network; links of zero conductance do not connect. Every periodic
        axis has at least three cells.

    Returns
    -------
    part : (n,) int32 ndarray
        Number of the part each node belongs to.
    spans : (parts, d, d) ndarray
        For each part, rows that span the box vectors along which it connects
        to its own periodic image; zero rows fill up.
    """
    if graph.connected:
        return np.zeros(graph.nodes, np.int32), np.eye(graph.position.shape[1])[None]
    part, spans = _flood(
        graph.indptr,
        graph.indices,
        graph.conductance,
        graph.coordinates,
        np.asarray(graph.cells, dtype=np.int64),
    )
    return part, spans


def merge_links(
    nodes: int, first: IntArray, second: IntArray, value: FloatArray
) -> tuple[NDArray[np.int64], IntArray, FloatArray]:
    """Sum links between the same nodes and list them by node.

    Parameters
    ----------
    nodes : int
        Number of nodes.
    first, second : (l,) int32 ndarray
        Ends of each link, different from each other.
    value : (l,) ndarray
        Conductance of each link.

    Returns
    -------
    indptr : (nodes + 1,) int64 ndarray
        Start of each node's links.
    indices : (nnz,) int32 ndarray
        Node at the other end; every link appears in both rows.
    conductance : (nnz,) ndarray
        Sums.
    """
    indptr, indices, conductance = _merge(nodes, first, second, value)
    return indptr, indices, conductance


@kernel()
def _merge(nodes, first, second, value):  # type: ignore[no-untyped-def]
    start = np.zeros(nodes + 1, np.int64)
    for q in range(first.size):
        start[first[q] + 1] += 1
        start[second[q] + 1] += 1
    for i in range(nodes):
        start[i + 1] += start[i]
    end = start[:-1].copy()
    far, weight = np.empty(2 * first.size, np.int32), np.empty(2 * first.size)
    for q in range(first.size):
        i, j = first[q], second[q]
        far[end[i]], weight[end[i]] = j, value[q]
        far[end[j]], weight[end[j]] = i, value[q]
        end[i] += 1
        end[j] += 1
    indptr = np.zeros(nodes + 1, np.int64)
    slot = np.full(nodes, -1, np.int64)
    filled = 0
    for i in range(nodes):
        begin = filled
        for k in range(start[i], start[i + 1]):
            j = far[k]
            if slot[j] < begin:
                slot[j] = filled
                far[filled], weight[filled] = j, weight[k]
                filled += 1
            else:
                weight[slot[j]] += weight[k]
        indptr[i + 1] = filled
    return indptr, far[:filled].copy(), weight[:filled].copy()
