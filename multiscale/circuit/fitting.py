"""Complex nonlinear least squares: the values of a circuit that fit a spectrum best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from multiscale.circuit.elements import Complexes, Floats
from multiscale.circuit.parsing import (
    Circuit,
    Leaf,
    Node,
    Series,
    parse_circuit,
    peak_frequency,
)
from multiscale.circuit.spectrum import ImpedanceSpectrum
from multiscale.circuit.starting_values import is_arc, starting_values
from multiscale.errors import ComputationError, ConvergenceError, InputError, describe

RESTARTS = 10
"""Starts with scattered initial values beside the first two."""
SHARES = (1e-3, 0.2)
"""Smallest arcs that initial values are read from: small ones count, or are noise."""
SCATTER = 1.0
"""Standard deviation of ln(value) among them."""
AGREEING, SAME = 3, 1e-3
"""So many starts that reach the lowest misfit, within this relative difference, end the search."""
EXACT = 1e-16
"""Misfits below this are rounding."""
FARTHEST = 100.0
"""Largest |ln(value)|; a value that runs off so far is one the spectrum does not determine."""
LOWEST_EXPONENT = 0.05
UNDETERMINED = 1e-8
"""Ratio of singular values of the scaled Jacobian under which a parameter is free."""
AT_BOUND = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class CircuitFit:
    """A circuit with the values that fit a spectrum.

    Attributes
    ----------
    circuit : Circuit
        What was fitted.
    values : tuple of float
        In the order of ``circuit.parameters``.
    standard_errors : tuple of float
        One standard error of each value, from the Jacobian; NaN where the value lies at its
        bound, as an exponent of 1 does.
    covariance : ndarray, shape (p, p)
        Of the values; NaN for those at a bound.
    at_bound : tuple of str
        Parameters that lie at a bound.
    reduced_chi_square : float
        Sum of the squared weighted residuals over the degrees of freedom, 2n − p. With modulus
        weights its root is the relative misfit; with given standard deviations it is near
        1 where circuit and deviations are right.
    impedance : ndarray of complex, shape (n,)
        The circuit at the frequencies of the spectrum.
    weights : str
        ``"modulus"``, ``"unit"`` or ``"given"``.
    evaluations : int
        Evaluations of the circuit of the start that won, Jacobians not counted.
    """

    circuit: Circuit
    values: tuple[float, ...]
    standard_errors: tuple[float, ...]
    covariance: Floats
    at_bound: tuple[str, ...]
    reduced_chi_square: float
    impedance: Complexes
    weights: str
    evaluations: int

    @property
    def by_name(self) -> dict[str, tuple[float, float]]:
        """Value and standard error of each parameter."""
        pairs = zip(self.values, self.standard_errors, strict=True)
        return dict(zip(self.circuit.parameters, pairs, strict=True))


def fit_circuit(
    spectrum: ImpedanceSpectrum,
    circuit: Circuit | str,
    start: Sequence[float] | Mapping[str, float] | None = None,
    *,
    weights: str | ArrayLike = "modulus",
    seed: int = 0,
    max_evaluations: int = 300,
) -> CircuitFit:
    """Fit a circuit to real and imaginary part of a spectrum together.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        What to fit.
    circuit : Circuit or str
        What with, e.g. ``"R0-p(R1,CPE1)"``.
    start : sequence of float, or mapping of str to float, optional
        Initial values of all parameters, > 0; the only start then. By default they are read
        from the spectrum, starts scattered around them compete until 3 agree, and like arcs in
        series are named from high to low frequency.
    weights : {"modulus", "unit"} or array_like, shape (n,), optional
        Residuals over |Z|, over 1, or over given standard deviations of Z′ and Z″, in the
        unit of the spectrum.
    seed : int, optional
        Of the scattered starts.
    max_evaluations : int, optional
        Cap of circuit evaluations for each start.

    Returns
    -------
    CircuitFit
        Values, standard errors and misfit.

    Raises
    ------
    InputError
        If circuit, initial values or weights are no good, or there are fewer numbers than
        parameters.
    ConvergenceError
        If no start converged; it says where the best one stopped.
    ComputationError
        If the spectrum does not determine some parameters; it names them.

    Notes
    -----
    Minimises Σ |Z − Z_fit|²/s² over the logarithms of the values, which keeps them positive
    (exponents from 0.05 to 1), with scipy's trust region. Standard errors are those of the
    linearised problem, s²(JᵀJ)⁻¹ with s² the reduced χ²; with given deviations s = 1. They
    are right where the circuit is, noise is independent from point to point, and errors are
    small against the values. The lowest of the minima found need not be the lowest there is:
    compare the misfit with the noise, and give initial values where it is larger.

    References
    ----------
    Boukamp, Solid State Ionics 20, 31 (1986), for the method.
    """
    circuit = parse_circuit(circuit) if isinstance(circuit, str) else circuit
    problem = _Problem(circuit, spectrum, _deviations(spectrum, weights))
    starts = _starts(problem, start, seed)
    found = _best(_answers(problem, starts, max_evaluations), problem)
    if start is None:
        found = _from_high_to_low_frequency(problem, found)
    name = weights if isinstance(weights, str) else "given"
    return _result(problem, found, name)


@dataclass(frozen=True, slots=True, eq=False)
class _Answer:
    """Where one start ended."""

    logs: Floats
    jacobian: Floats
    residuals: Floats
    converged: bool
    evaluations: int

    @property
    def cost(self) -> float:
        return 0.5 * float(self.residuals @ self.residuals)

    @property
    def misfit(self) -> float:
        return float(np.sqrt(np.mean(self.residuals**2)))


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    circuit: Circuit
    spectrum: ImpedanceSpectrum
    deviations: Floats

    @property
    def bounded(self) -> NDArray[np.bool_]:
        """Parameters with a largest value: exponents."""
        return np.isfinite([limit.upper for limit in self.circuit.limits])

    @property
    def upper(self) -> Floats:
        logs = np.log([limit.upper for limit in self.circuit.limits])
        return np.minimum(logs, FARTHEST)

    @property
    def lower(self) -> Floats:
        return np.where(self.bounded, np.log(LOWEST_EXPONENT), -FARTHEST)

    def residuals(self, logs: Floats) -> Floats:
        """Weighted differences, real parts first; huge but finite where values overflow."""
        spectrum = self.spectrum
        values = np.minimum(np.exp(logs), np.exp(self.upper))
        try:
            found = self.circuit.impedance(spectrum.frequency, values.tolist())
        except ComputationError:
            return np.full(2 * len(self.deviations), 1e30)
        difference = (found - spectrum.impedance) / self.deviations
        parts = np.concatenate([difference.real, difference.imag])
        return np.asarray(np.clip(parts, -1e30, 1e30))

    def solve(self, start: Floats, max_evaluations: int) -> _Answer:
        inside = np.clip(start, self.lower, self.upper - 1e-3)
        found = least_squares(
            self.residuals,
            inside,
            jac="3-point",  # forward differences hide a singular Jacobian behind their error
            bounds=(self.lower, self.upper),
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
            max_nfev=max_evaluations,
        )
        jacobian = np.asarray(found.jac, dtype=np.float64)
        return _Answer(found.x, jacobian, found.fun, found.status > 0, found.nfev)


def _deviations(spectrum: ImpedanceSpectrum, weights: str | ArrayLike) -> Floats:
    """Standard deviations that the weights stand for."""
    if isinstance(weights, str):
        if weights not in ("modulus", "unit"):
            raise InputError(describe("weights", '"modulus", "unit" or an array', weights))
        found = spectrum.modulus if weights == "modulus" else np.ones(len(spectrum.frequency))
    else:
        found = np.asarray(weights, dtype=np.float64)
    if found.shape != spectrum.frequency.shape:
        expected = f"one deviation for each of {len(spectrum.frequency)} points"
        raise InputError(describe("weights", expected, f"shape {found.shape}"))
    if not (np.isfinite(found) & (found > 0)).all():
        what = "|Z|" if isinstance(weights, str) else "deviations"
        raise InputError(describe("weights", f"{what} > 0 at every point", f"{found.min():g}"))
    return found


def _starts(
    problem: _Problem, start: Sequence[float] | Mapping[str, float] | None, seed: int
) -> list[Floats]:
    """Logarithms of initial values."""
    circuit, numbers = problem.circuit, 2 * len(problem.spectrum.frequency)
    count = len(circuit.parameters)
    if numbers <= count:
        expected = f"more than {count / 2:g} points for {count} parameters"
        raise InputError(describe("spectrum", expected, numbers // 2))
    if start is not None:
        values = circuit.values(start)
        if min(values) <= 0:
            name = circuit.parameters[int(np.argmin(values))]
            raise InputError(describe(f"start {name}", "a value > 0", min(values)))
        return [np.log(values)]
    read = [np.log(starting_values(circuit, problem.spectrum, share)) for share in SHARES]
    rng = np.random.default_rng(seed)
    scatter = np.where(problem.bounded, 0.1, SCATTER)
    more = [read[k % 2] + scatter * rng.normal(size=count) for k in range(RESTARTS)]
    return read + more


def _answers(problem: _Problem, starts: list[Floats], max_evaluations: int) -> list[_Answer]:
    """Solve from each start until the lowest misfit was reached often enough.

    Answers where an element has no say, as an arc that became nothing, do not count.
    """
    answers: list[_Answer] = []
    for start in starts:
        answers.append(problem.solve(start, max_evaluations))
        lowest = min(answer.cost for answer in answers) * (1.0 + SAME) + EXACT
        agreeing = [a for a in answers if a.converged and a.cost <= lowest]
        if sum(_is_determined(problem, answer) for answer in agreeing) >= AGREEING:
            break
    return answers


def _free(problem: _Problem, found: _Answer) -> NDArray[np.int64]:
    """Numbers of the parameters that lie at no bound."""
    inside = (found.logs < problem.upper - AT_BOUND) & (found.logs > problem.lower + AT_BOUND)
    return np.flatnonzero(inside | ~problem.bounded)


def _is_determined(problem: _Problem, found: _Answer) -> bool:
    singular = np.linalg.svd(found.jacobian[:, _free(problem, found)], compute_uv=False)
    return bool(singular.min(initial=np.inf) > UNDETERMINED * singular.max(initial=0.0))


def _best(answers: list[_Answer], problem: _Problem) -> _Answer:
    """Take the lowest misfit of the starts that converged."""
    converged = [answer for answer in answers if answer.converged]
    best = min(converged or answers, key=lambda answer: answer.cost)
    if converged:
        return best
    values = zip(problem.circuit.parameters, np.exp(best.logs), strict=True)
    where = ", ".join(f"{name} = {value:.3g}" for name, value in values)
    raise ConvergenceError(
        f"{problem.circuit.text}: no convergence within {best.evaluations} evaluations; "
        f"stopped at a weighted misfit of {best.misfit:.3g} with {where}; give initial values "
        "or a simpler circuit",
        [answer.misfit for answer in answers],
    )


def _from_high_to_low_frequency(problem: _Problem, found: _Answer) -> _Answer:
    """Rename like arcs in series so that the first has the highest peak frequency."""
    parts = [part for part in problem.circuit.root.parts if is_arc(part)]
    values, order = np.exp(found.logs).tolist(), np.arange(len(found.logs))
    for shape in {_shape(part) for part in parts}:
        alike = [part for part in parts if _shape(part) == shape]
        places = [_places(part) for part in alike]
        peaks = [peak_frequency(part, problem.spectrum.frequency, values) for part in alike]
        ranked = [places[k] for k in np.argsort(peaks)[::-1]]
        order[[k for place in places for k in place]] = [k for place in ranked for k in place]
    return replace(found, logs=found.logs[order], jacobian=found.jacobian[:, order])


def _shape(node: Node) -> str:
    if isinstance(node, Leaf):
        return node.symbol
    if isinstance(node, Series):
        return "-".join(map(_shape, node.parts))
    return f"p({','.join(map(_shape, node.branches))})"


def _places(node: Node) -> list[int]:
    if isinstance(node, Leaf):
        return [node.first + k for k in range(len(node.element.parameters))]
    children = node.parts if isinstance(node, Series) else node.branches
    return [place for child in children for place in _places(child)]


def _result(problem: _Problem, found: _Answer, weights: str) -> CircuitFit:
    circuit, names = problem.circuit, problem.circuit.parameters
    free = _free(problem, found)
    values = np.minimum(np.exp(found.logs), np.exp(problem.upper))
    reduced = 2.0 * found.cost / (len(found.residuals) - len(free))
    inverse = _inverse(found.jacobian[:, free], [names[k] for k in free], circuit)
    covariance = np.full((len(names), len(names)), np.nan)
    scale = 1.0 if weights == "given" else reduced
    covariance[np.ix_(free, free)] = scale * inverse * np.outer(values[free], values[free])
    return CircuitFit(
        circuit=circuit,
        values=tuple(values.tolist()),
        standard_errors=tuple(np.sqrt(np.diag(covariance)).tolist()),
        covariance=covariance,
        at_bound=tuple(name for k, name in enumerate(names) if k not in free),
        reduced_chi_square=reduced,
        impedance=circuit.impedance(problem.spectrum.frequency, values.tolist()),
        weights=weights,
        evaluations=found.evaluations,
    )


def _inverse(jacobian: Floats, names: list[str], circuit: Circuit) -> Floats:
    """Invert JᵀJ, or name the parameters that it does not determine."""
    _, singular, directions = np.linalg.svd(jacobian, full_matrices=False)
    weak = singular <= UNDETERMINED * singular.max(initial=0.0)
    if weak.any():
        loose = (np.abs(directions[weak]) > 0.1).any(axis=0)
        which = ", ".join(name for name, is_loose in zip(names, loose, strict=True) if is_loose)
        raise ComputationError(
            f"{circuit.text}: the spectrum does not determine {which}; leave elements out or "
            "measure a wider range of frequencies"
        )
    return np.asarray((directions.T / singular**2) @ directions)
