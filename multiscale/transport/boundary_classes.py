"""Which film a boundary facet has: by its pair of phases, and by rules within a pair.

Every pair of phases is a class, ``"A|B"``, whether or not it has a film; each rule of a
pair is one more, ``"A|B rule"``, right after it. Pairs come in the order (0,0), (0,1), …,
(1,1), …
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe, nearest
from multiscale.microstructure import matching_rule
from multiscale.properties import Boundary, BoundaryRules

FloatArray = NDArray[np.float64]
Integers = NDArray[np.int64]
BoundaryFilm = Boundary | BoundaryRules
BoundaryMap = Mapping[tuple[str, str], BoundaryFilm] | Mapping[str, BoundaryFilm]


def type_table(count: int) -> NDArray[np.int32]:
    """Number the unordered pairs of phases.

    Parameters
    ----------
    count : int
        Number of phases.

    Returns
    -------
    (p, p) int32 ndarray
        Pair (g, k) in the order (0,0), (0,1), …, (1,1), …
    """
    table = np.zeros((count, count), np.int32)
    first, second = np.triu_indices(count)
    table[first, second] = table[second, first] = np.arange(first.size)
    return table


def type_names(phase_names: Sequence[str]) -> tuple[str, ...]:
    """Name the boundary types in the order of :func:`type_table`.

    Parameters
    ----------
    phase_names : sequence of str
        Phases.

    Returns
    -------
    tuple of str
        ``"A|B"``, names sorted.
    """
    pairs = itertools.combinations_with_replacement(phase_names, 2)
    return tuple("|".join(sorted(pair)) for pair in pairs)


def class_table(names: Sequence[str], phase_names: Sequence[str]) -> NDArray[np.int32]:
    """Find the class of each pair of phases where no rule holds.

    Parameters
    ----------
    names : sequence of str
        Classes.
    phase_names : sequence of str
        Phases.

    Returns
    -------
    (p, p) int32 ndarray
        Place in ``names`` of the pair (g, k).
    """
    places = np.array([list(names).index(name) for name in type_names(phase_names)], np.int32)
    table: NDArray[np.int32] = places[type_table(len(phase_names))]
    return table


def films_by_pair(
    boundaries: BoundaryMap, phase_names: Sequence[str], bulk: Sequence[float]
) -> dict[tuple[int, int], BoundaryFilm]:
    """Read what a user gives into films by pair of phases.

    Parameters
    ----------
    boundaries : mapping
        ``("LLZO", "LCO")`` or ``"LLZO|LCO"`` → Boundary or BoundaryRules.
    phase_names : sequence of str
        Phases in the order of their index.
    bulk : sequence of float
        Bulk coefficient of each phase; a pair with a phase of coefficient
        zero (a pore) may go without a film.

    Returns
    -------
    dict of (int, int) to Boundary or BoundaryRules
        Smaller index first.

    Raises
    ------
    PropertyError
        If a pair is unknown, a pair of conducting phases has no entry, or
        rules do not fit their pair.
    """
    names = list(phase_names)
    given: dict[tuple[int, int], BoundaryFilm] = {}
    if not isinstance(boundaries, Mapping):
        kind = type(boundaries).__name__  # type: ignore[unreachable]
        remedy = 'pass boundaries={("A", "B"): Boundary(…)}'
        raise PropertyError(describe("boundaries", "a film for each pair of phases", kind, remedy))
    for key, film in boundaries.items():
        pair = tuple(key.split("|")) if isinstance(key, str) else tuple(key)
        place = f"boundaries[{key!r}]"
        for name in pair:
            if name not in names or len(pair) != 2:
                raise PropertyError(
                    describe(
                        place,
                        "two phase names of this crystal",
                        "|".join(map(str, pair)),
                        nearest(str(name), names),
                    )
                )
        if not isinstance(film, Boundary | BoundaryRules):
            raise PropertyError(
                describe(place, "a multiscale.Boundary or BoundaryRules", repr(film))
            )
        if isinstance(film, BoundaryRules):
            film.check_between(pair[0], pair[1], place)
        g, k = names.index(pair[0]), names.index(pair[1])
        if (min(g, k), max(g, k)) in given:
            other = f"another one for {pair[1]}|{pair[0]}"
            raise PropertyError(describe(place, "one film for a pair", other, "leave one out"))
        given[min(g, k), max(g, k)] = film
    for g in range(len(names)):
        for k in range(g, len(names)):
            if (g, k) not in given and bulk[g] > 0 and bulk[k] > 0:
                raise PropertyError(
                    describe(
                        "boundaries",
                        f"an entry for {names[g]}|{names[k]}",
                        sorted(
                            "|".join(pair) if not isinstance(pair, str) else pair
                            for pair in boundaries
                        ),
                        f"add ({names[g]!r}, {names[k]!r}): Boundary(...)",
                    )
                )
    return given


@dataclass(frozen=True, slots=True)
class BoundaryClasses:
    """The classes of a crystal's boundaries, and how a facet finds its own.

    Parameters
    ----------
    names : tuple of str
        ``"A|B"`` or ``"A|B rule"``.
    films : tuple of Boundary or None
        Film of each class; None where a pair has none.
    table : (p, p) int32 ndarray
        Class of each pair of phases where no rule holds.
    rules : mapping of (int, int) to BoundaryRules
        Pairs with rules, smaller phase index first.
    phase_names : tuple of str
        Phases by index.
    """

    names: tuple[str, ...]
    films: tuple[Boundary | None, ...]
    table: NDArray[np.int32]
    rules: Mapping[tuple[int, int], BoundaryRules]
    phase_names: tuple[str, ...]

    @classmethod
    def of(
        cls, given: Mapping[tuple[int, int], BoundaryFilm], phase_names: Sequence[str]
    ) -> BoundaryClasses:
        """Number the classes.

        Parameters
        ----------
        given : mapping of (int, int) to Boundary or BoundaryRules
            What :func:`films_by_pair` returned.
        phase_names : sequence of str
            Phases by index.

        Returns
        -------
        BoundaryClasses
            All pairs and their rules.
        """
        names: list[str] = []
        made: list[Boundary | None] = []
        rules: dict[tuple[int, int], BoundaryRules] = {}
        pairs = itertools.combinations_with_replacement(range(len(phase_names)), 2)
        for pair, name in zip(pairs, type_names(phase_names), strict=True):
            film = given.get(pair)
            names.append(name)
            if isinstance(film, BoundaryRules):
                made.append(film.default)
                rules[pair] = film
                names += [f"{name} {rule.name}" for rule in film.rules]
                made += [rule.film for rule in film.rules]
            else:
                made.append(film)
        table = class_table(names, phase_names)
        return cls(tuple(names), tuple(made), table, rules, tuple(phase_names))

    def classify(
        self,
        first_phase: NDArray[np.integer],
        second_phase: NDArray[np.integer],
        first_orientation: FloatArray | None,
        second_orientation: FloatArray | None,
        normal: FloatArray,
    ) -> Integers:
        """Find the class of each facet.

        Parameters
        ----------
        first_phase, second_phase : (m,) int ndarray
            Phases on either side.
        first_orientation, second_orientation : (m, 4) ndarray or None
            Quaternions of the grains on either side; needed where rules are.
        normal : (m, d) ndarray
            Unit normals.

        Returns
        -------
        (m,) int ndarray
            Place in ``names``; −1 where there is no film.

        Raises
        ------
        PropertyError
            If rules are to be asked of grains without orientations.
        """
        empty = np.array([film is None for film in self.films])
        found: Integers = self.table[first_phase, second_phase].astype(np.int64)
        found[empty[found]] = -1
        for (g, k), rules in self.rules.items():
            here = np.flatnonzero(found == self.table[g, k])
            if not rules.rules or not here.size:
                continue
            if first_orientation is None or second_orientation is None:
                place = f"boundaries[{self.names[self.table[g, k]]!r}]"
                raise PropertyError(
                    describe(
                        place,
                        "a plain Boundary for an image whose grains have no orientations",
                        "BoundaryRules",
                        "give the default film alone",
                    )
                )
            swap = (first_phase[here] != g)[:, None]
            one, two = first_orientation[here], second_orientation[here]
            match = matching_rule(
                rules.rules,
                rules.symmetry,
                (self.phase_names[g], self.phase_names[k]),
                np.where(swap, two, one),
                np.where(swap, one, two),
                normal[here],
            )
            found[here] += match + 1
        return found
