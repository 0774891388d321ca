"""Percolation thresholds with their uncertainty, from finite boxes.

Sites (or links) are added in random order until clusters wind around the box along every
axis (Newman and Ziff, Phys. Rev. E 64 (2001) 016706, 10.1103/PhysRevE.64.016706). If the k-th
of N is the one that closes a loop, the expected share of occupied sites at which it does is
⟨k⟩ / (N + 1): the mean of the density of which the wrapping probability is the integral. Its
mean over many sweeps, for the axis that wraps first, tends to the threshold as ::

    p_c(L) = p_c + a L^(−1/ν),      ν = 4/3 in 2D (exact), 0.8765 in 3D

(Stauffer and Aharony, Introduction to Percolation Theory, 1994; ν in 3D: Xu et al., Front.
Phys. 9 (2014) 113, 10.1007/s11467-013-0403-z). The first of the axes is taken and not their
mean, although the latter's spread is a fifth to a third less: its amplitude a nearly vanishes
in 3D, and with it the corrections to the law, which biased the mean by a standard error in
boxes of 8 to 24 lattice spacings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import ComputationError, InputError, describe
from multiscale.network._union_kernels import first_wraps
from multiscale.network.grains import Floats, Integers
from multiscale.network.structures import Maker, PeriodicGraph, structure

KINDS = ("site", "bond")
EXPONENTS = {2: 4 / 3, 3: 0.8765}
LEAST_SAMPLES = 10
RESAMPLINGS = 1000


@dataclass(frozen=True, slots=True)
class PercolationThreshold:
    """A percolation threshold, extrapolated to an infinite box.

    Attributes
    ----------
    threshold : float
        p_c: share of occupied sites or links.
    stderr : float
        Its standard error by bootstrap over the graphs.
    kind : {"site", "bond"}
        What is occupied at random.
    dimension : int
        Number of axes d.
    amplitude : float
        a of the fit.
    sizes : ndarray, shape (k,)
        Linear sizes L: the d-th root of the mean number of nodes.
    at_size : ndarray, shape (k,)
        p_c(L), the mean share at which the first axis wraps.
    at_size_stderr : ndarray, shape (k,)
        Standard errors.
    chi_squared : float
        Of the fit; where it exceeds ``degrees`` by far, the boxes are too small for the law.
    degrees : int
        Degrees of freedom of the fit.
    samples : tuple of k ndarrays, shape (graphs, sweeps, d)
        Every share at which the first, second … axis wrapped.
    """

    threshold: float
    stderr: float
    kind: str
    dimension: int
    amplitude: float
    sizes: Floats
    at_size: Floats
    at_size_stderr: Floats
    chi_squared: float
    degrees: int
    samples: tuple[Floats, ...]

    def wrapping_probability(self, share: float, axes: int = 1) -> Floats:
        """Probability that clusters wrap around a number of axes, at each size.

        Parameters
        ----------
        share : float
            Share of occupied sites or links.
        axes : int, optional
            Number of axes, 1 … d, whichever they are.

        Returns
        -------
        ndarray, shape (k,)
            Share of the sweeps in which so many axes had wrapped.
        """
        return np.array([float(np.mean(s[..., axes - 1] <= share)) for s in self.samples])


def percolation_threshold(
    graphs: str | Maker,
    kind: str,
    sizes: Sequence[int],
    *,
    samples: int | Sequence[int],
    seed: int | np.random.Generator,
    sweeps: int = 1,
    exponent: float | None = None,
) -> PercolationThreshold:
    """Estimate the site or bond percolation threshold of a structure.

    Parameters
    ----------
    graphs : str or callable
        ``"square"``, ``"triangular"``, ``"cubic"``, ``"fcc"``; ``"voronoi-2d"``,
        ``"voronoi-3d"`` (grains that share facets), ``"voronoi-edges-2d"`` (the boundaries
        between them); or a function of the linear size and a ``numpy.random.Generator``
        that gives a :class:`PeriodicGraph`.
    kind : {"site", "bond"}
        Whether nodes or links are occupied at random.
    sizes : sequence of int
        Two linear sizes or more.
    samples : int or sequence of int
        Graphs at each size, at least 10.
    seed : int or numpy.random.Generator
        The same seed gives the same answer.
    sweeps : int, optional
        Random orders on each graph, for graphs that cost more than a sweep.
    exponent : float, optional
        ν; 4/3 in 2D and 0.8765 in 3D unless given.

    Returns
    -------
    PercolationThreshold
        Threshold, error, and the shares at each size.

    Raises
    ------
    InputError
        If an argument is no good, or the graphs are of several dimensions.
    ComputationError
        If a graph does not wrap around every axis although all of it is occupied.
    """
    maker = structure(graphs) if isinstance(graphs, str) else graphs
    if kind not in KINDS:
        raise InputError(describe("kind", '"site" or "bond"', kind))
    numbers = _check_numbers(sizes, samples, sweeps)
    rng = np.random.default_rng(seed)
    found = [_sample(maker, kind, size, n, sweeps, rng) for size, n in numbers]
    shares, lengths = tuple(f[0] for f in found), np.array([f[1] for f in found])
    dimensions = {s.shape[-1] for s in shares}
    if len(dimensions) > 1:
        raise InputError(describe("graphs", "one dimension", sorted(dimensions)))
    d = dimensions.pop()
    nu = EXPONENTS[d] if exponent is None else float(exponent)
    if not (np.isfinite(nu) and nu > 0):
        raise InputError(describe("exponent", "a positive number", exponent))
    means = [s[..., 0].mean(axis=1) for s in shares]  # of each graph
    values = np.array([m.mean() for m in means])
    errors = np.array([m.std(ddof=1) / np.sqrt(len(m)) for m in means])
    functional, chi_squared = _fit(values, errors, lengths ** (-1 / nu))
    return PercolationThreshold(
        threshold=float(functional[0] @ values),
        stderr=_bootstrap(means, functional[0], rng),
        kind=kind,
        dimension=d,
        amplitude=float(functional[1] @ values),
        sizes=lengths,
        at_size=values,
        at_size_stderr=errors,
        chi_squared=chi_squared,
        degrees=len(values) - 2,
        samples=shares,
    )


def _check_numbers(
    sizes: Sequence[int], samples: int | Sequence[int], sweeps: int
) -> list[tuple[int, int]]:
    if len(set(sizes)) < 2 or len(set(sizes)) < len(sizes):
        raise InputError(describe("sizes", "two different linear sizes or more", list(sizes)))
    counts = [samples] * len(sizes) if isinstance(samples, int) else list(samples)
    if len(counts) != len(sizes) or min(counts) < LEAST_SAMPLES:
        wanted = f"at least {LEAST_SAMPLES} at each of {len(sizes)} sizes"
        raise InputError(describe("samples", wanted, samples))
    if sweeps < 1:
        raise InputError(describe("sweeps", "1 or more", sweeps))
    return list(zip(sizes, counts, strict=True))


def _sample(
    maker: Maker, kind: str, size: int, samples: int, sweeps: int, rng: np.random.Generator
) -> tuple[Floats, float]:
    """Shares at which axes wrap in each sweep of each graph, ascending, and the linear size."""
    shares, nodes = [], []
    for _ in range(samples):
        graph = maker(size, rng)
        nodes.append(graph.nodes)
        shares.append([sweep(graph, kind, rng) for _ in range(sweeps)])
    found = np.sort(np.array(shares), axis=-1)
    return found, float(np.mean(nodes)) ** (1 / found.shape[-1])


def sweep(graph: PeriodicGraph, kind: str, rng: np.random.Generator) -> Floats:
    """Occupy a graph in random order until clusters wind around every axis.

    Parameters
    ----------
    graph : PeriodicGraph
        Sites and links.
    kind : {"site", "bond"}
        Which of the two are occupied one by one.
    rng : numpy.random.Generator
        Source of the order.

    Returns
    -------
    ndarray, shape (d,)
        k / (N + 1) for each axis: k of N are occupied when a cluster first winds around it.

    Raises
    ------
    ComputationError
        If none does with all of them.
    """
    if kind == "site":  # a link is there as soon as both of its ends are
        rank = rng.permutation(graph.nodes)
        arrival = np.maximum(rank[graph.first], rank[graph.second])
        total = graph.nodes
    else:
        total = len(graph.first)
        arrival = rng.permutation(total)
    order = np.argsort(arrival).astype(np.int64)
    when: Integers = first_wraps(graph.nodes, graph.first, graph.second, graph.image, order)[0]
    if (when == len(order)).any():
        axes = np.flatnonzero(when == len(order)).tolist()
        raise ComputationError(
            f"threshold: the whole graph of {graph.nodes} nodes and {len(order)} links does not "
            f"wind around axes {axes}"
        )
    return (arrival[order[when]] + 1.0) / (total + 1.0)


def _fit(values: Floats, errors: Floats, scale: Floats) -> tuple[Floats, float]:
    """Weighted least squares of p_c and a, as functionals of the values, and χ²."""
    design = np.stack([np.ones_like(scale), scale], axis=1)
    weighted = design / errors[:, None] ** 2
    functional = np.asarray(np.linalg.solve(design.T @ weighted, weighted.T), dtype=np.float64)
    rest = (values - design @ (functional @ values)) / errors
    return functional, float(rest @ rest)


def _bootstrap(means: list[Floats], functional: Floats, rng: np.random.Generator) -> float:
    """Standard deviation of p_c over resampled graphs, with the weights of the fit."""
    total: NDArray[np.float64] = np.zeros(RESAMPLINGS)
    for mean, weight in zip(means, functional, strict=True):
        drawn = rng.integers(len(mean), size=(RESAMPLINGS, len(mean)))
        total += weight * mean[drawn].mean(axis=1)
    return float(total.std(ddof=1))
