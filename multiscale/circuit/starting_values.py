"""Initial values of a circuit's parameters, read from the spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from multiscale.circuit.elements import Complexes, Floats, angular_frequency
from multiscale.circuit.ladder import time_constants
from multiscale.circuit.parsing import Circuit, Leaf, Node, Parallel, Series
from multiscale.circuit.spectrum import ImpedanceSpectrum

EXPONENT = 0.9
"""Exponent that a constant-phase element starts with where the spectrum does not tell."""
TAILS = np.array([0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])
"""Exponents of the constant-phase elements that stand for what blocks at low frequency."""
PER_DECADE = 6
SMALLEST = 1e-3
"""Arcs with less than this share of |Z| at their own frequency are left to noise."""
RIDGE = 1e-3
"""Weight of the norm beside the misfit: of solutions that fit alike, the smoothest."""


@dataclass(frozen=True, slots=True)
class Arc:
    """A relaxation: a resistance and the time constant at its middle.

    Parameters
    ----------
    resistance : float
        In the unit of the spectrum.
    time : float
        τ [s].
    exponent : float, optional
        Of the constant-phase element that goes with it.
    """

    resistance: float
    time: float
    exponent: float = EXPONENT


@dataclass(frozen=True, slots=True, eq=False)
class Relaxations:
    """What a spectrum is made of, by non-negative least squares.

    Attributes
    ----------
    times, resistances : ndarray, shape (m,)
        RC ladder, τ_k [s] and R_k ≥ 0.
    resistance, inductance : float
        In series.
    tail : complex
        What the blocking elements contribute at the lowest frequency; 0 without them.
    """

    times: Floats
    resistances: Floats
    resistance: float
    inductance: float
    tail: complex


def relaxations(spectrum: ImpedanceSpectrum, *, blocking: bool) -> Relaxations:
    """Part a spectrum into R, L, an RC ladder and, if asked, a blocking tail.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        What to part.
    blocking : bool
        Whether constant-phase elements of the exponents ``TAILS`` take part, in series.

    Returns
    -------
    Relaxations
        The non-negative least squares with weights 1/|Z|.
    """
    omega = angular_frequency(spectrum.frequency)
    decades = float(np.log10(omega.max() / omega.min()))
    times = time_constants(spectrum.frequency, max(int(np.ceil(PER_DECADE * decades)) + 1, 3))
    ends = [np.ones_like(omega, dtype=np.complex128), 1j * omega / omega.max()]
    blocks = (1j * omega[:, None] / omega.min()) ** -TAILS * float(blocking)
    columns = np.column_stack([1.0 / (1.0 + 1j * omega[:, None] * times), *ends, blocks])
    found = _nonnegative(columns, spectrum)
    resistance, coil = found[len(times) : len(times) + 2]
    tail = np.sum(found[len(times) + 2 :] * 1j**-TAILS * float(blocking))
    return Relaxations(
        times, found[: len(times)], float(resistance), float(coil / omega.max()), complex(tail)
    )


def _nonnegative(columns: Complexes, spectrum: ImpedanceSpectrum) -> Floats:
    weight = 1.0 / spectrum.modulus
    weighted = columns * weight[:, None]
    matrix = np.concatenate([weighted.real, weighted.imag])
    scale = np.linalg.norm(matrix, axis=0)
    scale[scale == 0] = 1.0
    count = matrix.shape[1]
    system = np.concatenate([matrix / scale, RIDGE * np.eye(count)])
    target = spectrum.impedance * weight
    right = np.concatenate([target.real, target.imag, np.zeros(count)])
    return np.asarray(nnls(system, right, maxiter=30 * count)[0] / scale)


def starting_values(
    circuit: Circuit, spectrum: ImpedanceSpectrum, smallest: float = SMALLEST
) -> tuple[float, ...]:
    """Read initial values of all parameters from a spectrum.

    Parameters
    ----------
    circuit : Circuit
        What is to be fitted.
    spectrum : ImpedanceSpectrum
        To what.
    smallest : float, optional
        Share of |Z| at its own frequency below which an arc is left to noise.

    Returns
    -------
    tuple of float
        In the order of ``circuit.parameters``, all > 0.

    Notes
    -----
    Parts in series are told apart: parallel parts and Ws take the arcs of the spectrum from
    high to low frequency in the order of the string; R and L in series take the high end of
    the spectrum; C, CPE, W and Wo what blocks at the low end.
    """
    parts = circuit.root.parts
    tails = [part for part in parts if not (is_arc(part) or _is_ohmic(part))]
    blocking = not all(_conducts(part) for part in parts)
    found = relaxations(spectrum, blocking=blocking)
    arcs = iter(arcs_of(found, spectrum, sum(is_arc(part) for part in parts), smallest))
    top, tail = _high_end(found, spectrum), _low_end(found, spectrum, len(tails) or 1)
    share = sum(_is_ohmic(part) for part in parts) or 1
    values = np.ones(len(circuit.parameters))
    for part in parts:
        if is_arc(part):
            _fill(part, next(arcs), values)
        else:
            _fill(part, Arc(top.resistance / share, top.time) if _is_ohmic(part) else tail, values)
    return tuple(float(value) for value in values)


def is_arc(part: Leaf | Parallel) -> bool:
    """Tell whether a part in series has an arc of its own in the complex plane.

    Parameters
    ----------
    part : Leaf or Parallel
        Of a circuit's root.

    Returns
    -------
    bool
        True for parallel parts and Ws.
    """
    return isinstance(part, Parallel) or part.symbol == "Ws"


def _conducts(node: Node) -> bool:
    """Tell whether a direct current passes."""
    if isinstance(node, Leaf):
        return node.symbol in ("R", "L", "Ws")
    if isinstance(node, Series):
        return all(map(_conducts, node.parts))
    return any(map(_conducts, node.branches))


def _is_ohmic(part: Leaf | Parallel) -> bool:
    return isinstance(part, Leaf) and part.symbol in "RL"


def arcs_of(
    found: Relaxations, spectrum: ImpedanceSpectrum, count: int, smallest: float = SMALLEST
) -> list[Arc]:
    """Group the relaxations of a spectrum into arcs.

    Parameters
    ----------
    found : Relaxations
        Its relaxations.
    spectrum : ImpedanceSpectrum
        The spectrum itself, for its scale.
    count : int
        How many arcs the circuit has: those with the largest shares of |Z| at their own
        frequencies are taken; where there are fewer, the largest is parted.
    smallest : float, optional
        Share of |Z| at its own frequency below which an arc is left to noise.

    Returns
    -------
    list of Arc
        From short to long time constants.
    """
    arcs = [arc for arc in _clusters(found) if _share(arc, spectrum) > smallest]
    arcs = sorted(arcs, key=lambda arc: _share(arc, spectrum))[-max(count, 1) :]
    arcs = sorted(arcs, key=lambda arc: arc.time)
    if not arcs:
        omega = angular_frequency(spectrum.frequency)
        middle = float(1.0 / np.sqrt(omega.min() * omega.max()))
        arcs = [Arc(float(np.median(spectrum.modulus)), middle)]
    while len(arcs) < count:
        arcs = _part_largest(arcs)
    return arcs


def _clusters(found: Relaxations) -> list[Arc]:
    """Group neighbouring resistances > 0; each group is an arc at its mean log τ."""
    arcs, group = [], list[int]()
    for k, resistance in enumerate([*found.resistances, 0.0, 0.0]):
        if resistance > 0:
            group.append(k)
        elif group and k - group[-1] > 1:  # one empty place does not part a group
            weights = found.resistances[group]
            middle = float(np.average(np.log(found.times[group]), weights=weights))
            arcs.append(Arc(float(weights.sum()), float(np.exp(middle))))
            group = []
    return arcs


def _share(arc: Arc, spectrum: ImpedanceSpectrum) -> float:
    omega, order = angular_frequency(spectrum.frequency), np.argsort(spectrum.frequency)
    at = np.interp(-np.log(arc.time), np.log(omega[order]), spectrum.modulus[order])
    return float(arc.resistance / at)


def _part_largest(arcs: list[Arc]) -> list[Arc]:
    k = max(range(len(arcs)), key=lambda place: arcs[place].resistance)
    half, time = arcs[k].resistance / 2, arcs[k].time
    return [*arcs[:k], Arc(half, time / 3), Arc(half, time * 3), *arcs[k + 1 :]]


def _high_end(found: Relaxations, spectrum: ImpedanceSpectrum) -> Arc:
    """Series resistance, with the time constant L/R of the series inductance."""
    omega = float(angular_frequency(spectrum.frequency).max())
    resistance = found.resistance or SMALLEST * float(spectrum.modulus.min())
    return Arc(resistance, max(found.inductance / resistance, 1e-3 / omega))


def _low_end(found: Relaxations, spectrum: ImpedanceSpectrum, share: int) -> Arc:
    """What blocks, as its modulus at the lowest frequency, where ωτ = 1, and its exponent."""
    time = 1.0 / float(angular_frequency(spectrum.frequency).min())
    if found.tail == 0:
        return Arc(SMALLEST * float(spectrum.modulus.max()), time)
    exponent = float(np.clip(-np.angle(found.tail) / (np.pi / 2), TAILS.min(), 0.99))
    return Arc(abs(found.tail) / share, time, exponent)


def _fill(node: Node, arc: Arc, values: Floats) -> None:
    """Give every element of a part the impedance R at ωτ = 1."""
    if isinstance(node, Series | Parallel):
        for child in node.parts if isinstance(node, Series) else node.branches:
            _fill(child, arc, values)
        return
    resistance, time = arc.resistance, arc.time
    found = {
        "R": (resistance,),
        "C": (time / resistance,),
        "L": (resistance * time,),
        "CPE": (time**arc.exponent / resistance, arc.exponent),
        "W": (resistance / np.sqrt(2.0 * time),),
        "Wo": (resistance, time),
        "Ws": (resistance, time),
    }[node.symbol]
    values[node.first : node.first + len(found)] = found
