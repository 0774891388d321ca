"""Poisson–Boltzmann in one dimension: Newton on spectral elements that refine themselves.

The potential y = eφ/kT makes the convex functional ::

    J[y] = ∫ ( a(x) y'²/2 + P(y − y_phase) ) dx − Σ_j q_j y(x_j),   a = ε kT/e²,

least, P the pressure of the phase at x and q_j the sheet charges in e/m². Its Euler–Lagrange
equation is a y'' = −n(y), with a jump of −q_j in a y' at each sheet. On every element y is a
polynomial through the Gauss–Lobatto points, and the integrals are sums over the same points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, solveh_banded

from multiscale.errors import ConvergenceError
from multiscale.space_charge.defects import Floats, IonicPhase, strength

Integers = NDArray[np.int64]

ORDER = 8
"""Degree of the polynomials."""
TOLERANCE = 1e-10
"""Largest of the last coefficients of e^±y on an element, relative to its mean, when done."""
LAST = 1e-9
"""A Newton step shorter than this, relative to y, is the last: the next would be its square."""
MOST_STEPS = 300
MOST_ELEMENTS = 4000
MOST_REFINEMENTS = 40
STRIDE = 8.0
"""Longest Newton step in y while far from the solution."""


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of one phase.

    Attributes
    ----------
    phase : IonicPhase
        Its defects and permittivity.
    length : float
        [m].
    reference : float
        y at which the phase is neutral.
    """

    phase: IonicPhase
    length: float
    reference: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    """The potential along a line through sections.

    Attributes
    ----------
    sections : tuple of Section
        From left to right; the line begins at x = 0.
    temperature : float
        [K].
    edges : ndarray, shape (e + 1,)
        Ends of the elements [m].
    owner : ndarray of int64, shape (e,)
        Section each element lies in.
    values : ndarray, shape (e, p + 1)
        y at the Gauss–Lobatto points of each element.
    steps : int
        Newton steps, all meshes together.
    unresolved : float
        The largest of the last coefficients of e^±y that is left.
    """

    sections: tuple[Section, ...]
    temperature: float
    edges: Floats
    owner: Integers
    values: Floats
    steps: int
    unresolved: float

    def at(self, x: Floats) -> Floats:
        """Potential at points.

        Parameters
        ----------
        x : ndarray, shape (n,)
            [m], from the left end.

        Returns
        -------
        ndarray, shape (n,)
            y.
        """
        x = np.asarray(x, dtype=np.float64)
        element = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.owner) - 1)
        width = np.diff(self.edges)
        local = 2.0 * (x - self.edges[element]) / width[element] - 1.0
        modes = legendre.legvander(local, ORDER)
        found: Floats = np.einsum("nk,nk->n", modes, self.values[element] @ TO_MODES.T)
        return found

    def points(self) -> tuple[Floats, Floats]:
        """Give all nodes once.

        Returns
        -------
        x, y : ndarray
            Positions [m] and potentials.
        """
        x = self.edges[:-1, None] + np.diff(self.edges)[:, None] * (NODES + 1.0) / 2.0
        keep = np.ones_like(x, dtype=np.bool_)
        keep[1:, 0] = False
        return x[keep], self.values[keep]

    def quadrature(self, section: int) -> tuple[Floats, Floats, Floats]:
        """Give Gauss points of one section for integrals over the profile.

        Parameters
        ----------
        section : int
            Its number.

        Returns
        -------
        x, weight, y : ndarray
            Positions [m], weights [m] and y less the section's reference.
        """
        here = self.owner == section
        width, left = np.diff(self.edges)[here], self.edges[:-1][here]
        x = left[:, None] + width[:, None] * (FINE + 1.0) / 2.0
        weight = width[:, None] / 2.0 * FINE_WEIGHTS
        y = self.values[here] @ TO_FINE.T - self.sections[section].reference
        return x.ravel(), weight.ravel(), y.ravel()

    def slope(self, end: int) -> float:
        """Derivative of y at an end of the line.

        Parameters
        ----------
        end : int
            0 for the left one, −1 for the right one.

        Returns
        -------
        float
            [1/m].
        """
        width = np.diff(self.edges)[end]
        return float(DERIVATIVE[end] @ self.values[end] * 2.0 / width)


def solve(
    sections: Sequence[Section],
    temperature: float,
    *,
    sheets: Sequence[float] = (),
    left: float | None = None,
    right: float | None = None,
) -> Profile:
    """Find the potential along a line through sections.

    Parameters
    ----------
    sections : sequence of Section
        From left to right.
    temperature : float
        [K].
    sheets : sequence of float, optional
        Charges at the left end, between the sections and at the right end, in elementary
        charges per m²; none by default. One at an end of given potential has no effect.
    left, right : float, optional
        y at the ends; where left out, the field there is that of the sheet charge.

    Returns
    -------
    Profile
        Resolved to 1e-10 in e^±y.

    Raises
    ------
    ConvergenceError
        If Newton's method or the refinement does not end; says where it stopped.
    """
    problem = _Problem(tuple(sections), temperature, tuple(sheets), left, right)
    edges, owner = problem.first_mesh()
    values = np.zeros((len(owner), ORDER + 1))
    values += np.array([one.reference for one in sections])[owner][:, None]
    steps = 0
    for _ in range(MOST_REFINEMENTS):
        values, taken = problem.newton(edges, owner, values)
        steps += taken
        rough = _roughness(values)
        if rough.max() <= TOLERANCE:
            return Profile(
                tuple(sections), temperature, edges, owner, values, steps, float(rough.max())
            )
        edges, owner, values = _bisect(edges, owner, values, rough > TOLERANCE)
        if len(owner) > MOST_ELEMENTS:
            break
    raise ConvergenceError(
        f"Poisson–Boltzmann: {len(owner)} elements after {steps} Newton steps leave "
        f"{rough.max():.2g} of the profile unresolved, expected {TOLERANCE:.0e}; "
        "give a smaller potential or a larger permittivity"
    )


@dataclass(frozen=True, slots=True)
class _Problem:
    """What is minimised."""

    sections: tuple[Section, ...]
    temperature: float
    sheets: tuple[float, ...]
    left: float | None
    right: float | None

    def first_mesh(self) -> tuple[Floats, Integers]:
        edges, owner = [np.zeros(1)], []
        start = 0.0
        for number, one in enumerate(self.sections):
            parts = int(np.clip(np.ceil(one.length / one.phase.debye_length(self.temperature)),
                                2, 40))  # fmt: skip
            edges.append(start + one.length * np.arange(1, parts + 1) / parts)
            owner.append(np.full(parts, number))
            start += one.length
        return np.concatenate(edges), np.concatenate(owner).astype(np.int64)

    def newton(self, edges: Floats, owner: Integers, values: Floats) -> tuple[Floats, int]:
        """Minimise J on one mesh; gives the values and the steps it took."""
        width = np.diff(edges)
        a = np.array([strength(s.phase.relative_permittivity, self.temperature)
                      for s in self.sections])[owner]  # fmt: skip
        unknowns = len(owner) * ORDER + 1
        number = np.arange(len(owner))[:, None] * ORDER + np.arange(ORDER + 1)
        stiff = 2.0 * (a / width)[:, None, None] * STIFFNESS
        weight = width[:, None] / 2.0 * WEIGHTS
        charge = self._sheet_charges(owner, unknowns)
        fixed = [0] * (self.left is not None) + [unknowns - 1] * (self.right is not None)
        y = np.empty(unknowns)
        y[number] = values
        if self.left is not None:
            y[0] = self.left
        if self.right is not None:
            y[-1] = self.right
        for step in range(1, MOST_STEPS + 1):
            energy, gradient, curvature = self._terms(y, number, owner, stiff, weight, charge)
            band = _banded(number, stiff, curvature, unknowns)
            gradient[fixed] = 0.0
            for one in fixed:
                _pin(band, one)
            try:
                move = -solveh_banded(band, gradient, lower=True, check_finite=False)
            except (LinAlgError, ValueError) as error:
                raise ConvergenceError(
                    f"Poisson–Boltzmann: step {step} cannot be solved ({error})"
                ) from error
            largest = float(np.abs(move).max())
            if largest <= LAST * max(1.0, float(np.abs(y).max())):
                return (y + move)[number], step
            y = self._search(
                y, move, -float(gradient @ move), energy, number, owner, stiff, weight, charge
            )
        raise ConvergenceError(
            f"Poisson–Boltzmann: {MOST_STEPS} Newton steps left a largest change of "
            f"{largest:.2g} kT/e at a potential of {np.abs(y).max():.3g} kT/e"
        )

    def _sheet_charges(self, owner: Integers, unknowns: int) -> Floats:
        charge = np.zeros(unknowns)
        ends = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=len(self.sections)))])
        for place, size in zip(ends * ORDER, self.sheets, strict=False):
            charge[place] = size
        return charge

    def _terms(
        self, y: Floats, number: Integers, owner: Integers, stiff: Floats, weight: Floats,
        charge: Floats,
    ) -> tuple[float, Floats, Floats]:  # fmt: skip
        local = y[number]
        pull = np.einsum("eij,ej->ei", stiff, local)
        energy = 0.5 * float(np.sum(pull * local)) - float(charge @ y)
        curvature = np.empty_like(local)
        for section, one in enumerate(self.sections):
            here = owner == section
            own = (local[here] - one.reference).ravel()
            w = weight[here]
            shape = w.shape
            energy += float(np.sum(w * one.phase.pressure(own).reshape(shape)))
            pull[here] -= w * one.phase.charge_density(own).reshape(shape)
            curvature[here] = w * one.phase.stiffness(own).reshape(shape)
        gradient = np.bincount(number.ravel(), pull.ravel(), minlength=len(y)) - charge
        return energy, gradient, curvature

    def _energy(
        self, y: Floats, number: Integers, owner: Integers, stiff: Floats, weight: Floats,
        charge: Floats,
    ) -> float:  # fmt: skip
        return self._terms(y, number, owner, stiff, weight, charge)[0]

    def _search(
        self, y: Floats, move: Floats, decrement: float, energy: float, number: Integers,
        owner: Integers, stiff: Floats, weight: Floats, charge: Floats,
    ) -> Floats:  # fmt: skip
        """Shorten the step until J falls; near the end rounding hides the fall."""
        largest = float(np.abs(move).max())
        share = min(1.0, STRIDE / largest)
        if largest < 1e-6:
            return y + move
        for _ in range(60):
            trial = y + share * move
            now = self._energy(trial, number, owner, stiff, weight, charge)
            if now <= energy - 1e-4 * share * decrement + 1e-12 * abs(energy):
                return trial
            share /= 2.0
        raise ConvergenceError(
            f"Poisson–Boltzmann: no step lowers the energy at a potential of "
            f"{np.abs(y).max():.3g} kT/e (Newton decrement {decrement:.2g})"
        )


def _lobatto(order: int) -> tuple[Floats, Floats]:
    """Gauss–Lobatto points and weights on [−1, 1]."""
    top = np.zeros(order + 1)
    top[order] = 1.0
    inner = np.sort(legendre.legroots(legendre.legder(top)).real)
    nodes = np.concatenate([[-1.0], inner, [1.0]])
    weights = 2.0 / (order * (order + 1) * legendre.legval(nodes, top) ** 2)
    return nodes, weights


NODES, WEIGHTS = _lobatto(ORDER)
TO_MODES = np.linalg.inv(legendre.legvander(NODES, ORDER))
"""Legendre coefficients from values at the nodes."""
FINE, FINE_WEIGHTS = legendre.leggauss(2 * ORDER)
TO_FINE = legendre.legvander(FINE, ORDER) @ TO_MODES
"""Values at Gauss points from those at the nodes."""
DERIVATIVE = np.array(
    [legendre.legval(NODES, legendre.legder(column)) for column in TO_MODES.T]
).T  # fmt: skip
"""Derivatives at the nodes from values there."""
STIFFNESS = DERIVATIVE.T @ (WEIGHTS[:, None] * DERIVATIVE)
"""∫ u' v' on [−1, 1], exact."""


def _banded(number: Integers, stiff: Floats, curvature: Floats, unknowns: int) -> Floats:
    """Assemble the lower half of the Hessian, a row a diagonal."""
    band = np.zeros((ORDER + 1, unknowns))
    block = stiff.copy()
    diagonal = np.arange(ORDER + 1)
    block[:, diagonal, diagonal] += curvature
    for i in range(ORDER + 1):
        for j in range(i + 1):
            np.add.at(band[i - j], number[:, j], block[:, i, j])
    return band


def _pin(band: Floats, row: int) -> None:
    """Make a row and its column those of the identity, at the scale of what was there."""
    for below in range(1, ORDER + 1):
        if row + below < band.shape[1]:
            band[below, row] = 0.0
        if row - below >= 0:
            band[below, row - below] = 0.0


def _roughness(values: Floats) -> Floats:
    """Last two Legendre coefficients of e^±y on each element, relative to the mean."""
    middle = values.mean(axis=1, keepdims=True)
    apart = np.clip(values - middle, -50.0, 50.0)
    last = np.zeros(len(values))
    for sign in (-1.0, 1.0):
        modes = np.abs(np.exp(sign * apart) @ TO_MODES.T)
        last = np.maximum(last, modes[:, -2:].sum(axis=1) / modes[:, 0])
    return last


def _bisect(
    edges: Floats, owner: Integers, values: Floats, chosen: NDArray[np.bool_]
) -> tuple[Floats, Integers, Floats]:
    """Halve the chosen elements and carry the polynomials over."""
    halves = [legendre.legvander((NODES + shift) / 2.0, ORDER) @ TO_MODES for shift in (-1.0, 1.0)]
    middle = (edges[:-1] + edges[1:]) / 2.0
    count = np.where(chosen, 2, 1)
    first = np.cumsum(count) - count
    fresh = np.empty((int(count.sum()), ORDER + 1))
    fresh[first[~chosen]] = values[~chosen]
    fresh[first[chosen]] = values[chosen] @ halves[0].T
    fresh[first[chosen] + 1] = values[chosen] @ halves[1].T
    return np.sort(np.concatenate([edges, middle[chosen]])), np.repeat(owner, count), fresh
