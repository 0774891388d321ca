"""Circuits written as strings, in the convention of impedance.py.

``R0-p(R1,CPE1)-W2``: a dash joins in series, ``p(…,…)`` in parallel, both may be nested. An
element is its letters and a number. Elements of one parameter give it their own name (``R0``),
others number them (``CPE1_0``, ``CPE1_1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from multiscale.circuit.elements import (
    ELEMENTS,
    Complexes,
    Element,
    Parameter,
    angular_frequency,
)
from multiscale.errors import ComputationError, InputError, describe, nearest

_TOKEN = re.compile(r"p\(|[A-Za-z]+_?\d*|.")
_NAME = re.compile(r"([A-Za-z]+)_?(\d+)")


@dataclass(frozen=True, slots=True)
class Leaf:
    """One element of a circuit.

    Parameters
    ----------
    name : str
        As written, e.g. ``"CPE1"``.
    symbol : str
        Its letters, a key of :data:`~multiscale.circuit.elements.ELEMENTS`.
    first : int
        Place of its first parameter among those of the circuit.
    """

    name: str
    symbol: str
    first: int

    @property
    def element(self) -> Element:
        """What the letters stand for."""
        return ELEMENTS[self.symbol]


@dataclass(frozen=True, slots=True)
class Series:
    """Parts that carry the same current.

    Parameters
    ----------
    parts : tuple of Leaf or Parallel
        One after the other.
    """

    parts: tuple[Leaf | Parallel, ...]


@dataclass(frozen=True, slots=True)
class Parallel:
    """Branches that have the same voltage.

    Parameters
    ----------
    branches : tuple of Series
        Side by side, at least two.
    """

    branches: tuple[Series, ...]


Node: TypeAlias = Leaf | Series | Parallel


@dataclass(frozen=True, slots=True)
class Circuit:
    """An equivalent circuit without its values; made by :func:`parse_circuit`.

    Attributes
    ----------
    text : str
        The string it came from, without spaces.
    root : Series
        How its elements are joined.
    leaves : tuple of Leaf
        Its elements in the order of the string.
    """

    text: str
    root: Series
    leaves: tuple[Leaf, ...]

    @property
    def limits(self) -> tuple[Parameter, ...]:
        """What each parameter means and which values it may have."""
        return tuple(limit for leaf in self.leaves for limit in leaf.element.parameters)

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of the string."""
        return tuple(name for leaf in self.leaves for name in _parameter_names(leaf))

    @property
    def units(self) -> tuple[str, ...]:
        """Units of the parameters where the impedance is in Ω."""
        return tuple(limit.unit for limit in self.limits)

    def values(self, given: Sequence[float] | Mapping[str, float]) -> tuple[float, ...]:
        """Put parameter values in order and check them.

        Parameters
        ----------
        given : sequence of float, or mapping of str to float
            All values in the order of ``parameters``, or by name.

        Returns
        -------
        tuple of float
            In the order of ``parameters``.

        Raises
        ------
        InputError
            If there are too few or too many, or one cannot be what it stands for.
        """
        names = self.parameters
        if isinstance(given, Mapping):
            given = _by_name(given, names)
        if len(given) != len(names):
            expected = f"{len(names)} values ({', '.join(names)})"
            raise InputError(describe(f"values of {self.text}", expected, len(given)))
        values = tuple(float(value) for value in given)
        for name, limit, value in zip(names, self.limits, values, strict=True):
            limit.check(value, name)
        return values

    def impedance(
        self, frequency: ArrayLike, values: Sequence[float] | Mapping[str, float]
    ) -> Complexes:
        """Evaluate the complex impedance.

        Parameters
        ----------
        frequency : array_like
            f [Hz], any shape.
        values : sequence of float, or mapping of str to float
            All parameters in order, or by name.

        Returns
        -------
        ndarray of complex
            Z [Ω], of the shape of ``frequency``.

        Raises
        ------
        InputError
            If a frequency or a value is no good.
        ComputationError
            If the impedance is not finite, as at the resonance of a coil beside a capacitor.
        """
        checked = self.values(values)
        angular_frequency(frequency)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            found = _impedance(self.root, np.asarray(frequency, dtype=np.float64), checked)
        if not np.isfinite(found).all():
            where = float(np.asarray(frequency)[~np.isfinite(found)].flat[0])
            raise ComputationError(f"{self.text}: the impedance is not finite at {where:g} Hz")
        return found


def _parameter_names(leaf: Leaf) -> list[str]:
    count = len(leaf.element.parameters)
    return [leaf.name] if count == 1 else [f"{leaf.name}_{k}" for k in range(count)]


def _by_name(given: Mapping[str, float], names: Sequence[str]) -> list[float]:
    unknown, missing = sorted(set(given) - set(names)), [n for n in names if n not in given]
    if unknown:
        remedy = nearest(unknown[0], names)
        raise InputError(describe("values", "names of parameters", unknown[0], remedy))
    if missing:
        expected = f"a value for each of {', '.join(names)}"
        raise InputError(describe("values", expected, f"none for {', '.join(missing)}"))
    return [given[name] for name in names]


def _impedance(node: Node, frequency: ArrayLike, values: Sequence[float]) -> Complexes:
    if isinstance(node, Leaf):
        count = len(node.element.parameters)
        return node.element.impedance(frequency, *values[node.first : node.first + count])
    children = node.parts if isinstance(node, Series) else node.branches
    parts = np.array([_impedance(child, frequency, values) for child in children])
    if isinstance(node, Series):
        return np.asarray(parts.sum(axis=0))
    shorted = (parts == 0).any(axis=0)  # R = 0 or L = 0 beside anything
    return np.where(shorted, 0.0, 1.0 / np.where(parts == 0, 1.0, 1.0 / parts).sum(axis=0))


def peak_frequency(node: Node, frequency: ArrayLike, values: Sequence[float]) -> float:
    """Find where −Z″ of a part of a circuit is largest.

    Parameters
    ----------
    node : Leaf, Series or Parallel
        The part.
    frequency : array_like
        f [Hz]; it is looked for from 1e-6 of the lowest to 1e6 times the highest, 50 steps a
        decade.
    values : sequence of float
        All parameters of the circuit.

    Returns
    -------
    float
        f [Hz].
    """
    given = np.asarray(frequency, dtype=np.float64)
    decades = np.log10(given.max() / given.min()) + 12.0
    grid = np.geomspace(1e-6 * given.min(), 1e6 * given.max(), int(50 * decades) + 1)
    with np.errstate(all="ignore"):
        return float(grid[np.argmax(-_impedance(node, grid, values).imag)])


def parse_circuit(text: str) -> Circuit:
    """Read a circuit string.

    Parameters
    ----------
    text : str
        Such as ``"R0-p(R1,CPE1)-p(R2,CPE2)-CPE3"``; spaces mean nothing. Elements are
        R, C, L, CPE (Q, n), W (A), Wo and Ws (R, τ), as in
        :mod:`multiscale.circuit.elements`, each with a number.

    Returns
    -------
    Circuit
        The circuit, to be evaluated with values.

    Raises
    ------
    InputError
        If brackets do not match, an element is unknown, or a name comes twice.
    """
    plain = "".join(text.split())
    parser = _Parser(plain)
    root = parser.series()
    if parser.token:
        parser.fail("'-' or the end")
    return Circuit(plain, root, tuple(parser.leaves))


class _Parser:
    """Recursive descent.

    series = item {"-" item}; item = element | "p(" series "," series {"," series} ")"
    """

    def __init__(self, text: str) -> None:
        self.text, self.leaves, self.seen = text, list[Leaf](), set[tuple[str, int]]()
        self.tokens: Iterator[re.Match[str]] = _TOKEN.finditer(text)
        self.token, self.at = "", 0
        self.advance()

    def advance(self) -> None:
        match = next(self.tokens, None)
        self.token, self.at = (match.group(), match.start()) if match else ("", len(self.text))

    def fail(self, expected: str, remedy: str = "") -> NoReturn:
        received = f"'{self.token}'" if self.token else "the end"
        place = f"circuit '{self.text}', character {self.at + 1}"
        raise InputError(describe(place, expected, received, remedy))

    def take(self, token: str, remedy: str = "") -> None:
        if self.token != token:
            self.fail(f"'{token}'", remedy)
        self.advance()

    def series(self) -> Series:
        parts = [self.item()]
        while self.token == "-":
            self.advance()
            parts.append(self.item())
        return Series(tuple(parts))

    def item(self) -> Leaf | Parallel:
        return self.parallel() if self.token == "p(" else self.leaf()

    def parallel(self) -> Parallel:
        opened = self.at + 1
        self.advance()
        branches = [self.series()]
        self.take(",", "p(…) joins at least two branches, parted by commas")
        branches.append(self.series())
        while self.token == ",":
            self.advance()
            branches.append(self.series())
        self.take(")", f"close the bracket opened at character {opened}")
        return Parallel(tuple(branches))

    def leaf(self) -> Leaf:
        match = _NAME.fullmatch(self.token)
        if not match:
            self.fail("an element with its number, such as R1, or p(…)")
        symbol, number = match.group(1), int(match.group(2))
        if symbol not in ELEMENTS:
            self.fail("a known element", nearest(symbol, ELEMENTS))
        if (symbol, number) in self.seen:
            self.fail("a name that is not in use", f"'{self.token}' comes twice: renumber one")
        self.seen.add((symbol, number))
        first = sum(len(leaf.element.parameters) for leaf in self.leaves)
        leaf = Leaf(self.token, symbol, first)
        self.leaves.append(leaf)
        self.advance()
        return leaf
