"""Boundary coefficients that depend on how the two crystals and the plane lie.

A boundary type, the pair of phases it parts, may hold several films: rules are tried in
their order, the first whose conditions all hold gives its film, and boundaries that meet
none have the default. The conditions are evaluated, and their geometry and sources stated,
in ``multiscale/microstructure/misorientation.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from multiscale.errors import PropertyError, describe, nearest
from multiscale.properties.boundary import Boundary

LARGEST_DISORIENTATION = {"cubic": 62.81, "hexagonal": 93.85, "trigonal": 104.48}
"""Degrees that no disorientation exceeds, by symmetry of the crystals."""
SIGMAS = tuple(range(3, 31, 2))
"""Coincidence-site lattices that can be asked for."""
RANGES = {"misorientation": 180.0, "c_axis_to_plane": 90.0, "c_axis_angle": 90.0}
"""Conditions that are ranges, and the degrees at which they end."""
LARGEST_TOLERANCE = 15.0
"""Degrees beyond which a plane is no longer called that of a twin."""

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True, slots=True)
class BoundaryRule:
    """A film for boundaries of a certain crystallography.

    Parameters
    ----------
    name : str
        One word; results name these boundaries ``"LLZO|LLZO name"``.
    film : Boundary
        The film where all conditions hold; at least one must be given.
    sigma : int or tuple of int, optional
        Odd numbers from 3 to 29: cubic grains within Brandon's 15°/√Σ of one of these
        coincidence-site lattices.
    misorientation : (low, high), optional
        Range of the disorientation angle in degrees; 15° is the usual division of low and
        high angles. Both ends count.
    c_axis_to_plane : (low, high), optional
        Range of the angle between c axis and boundary plane in degrees: 90 where layers lie
        in the plane, which closes them, 0 where they end on it.
    c_axis_angle : (low, high), optional
        Range of the angle between the two c axes in degrees, at most 90.
    coherent_twin : float, optional
        Tolerance in degrees of a twin on its own plane. Cubic: a Σ3 on the {111} plane that
        both grains share. Layered: each lattice mirrors the other in the boundary plane.
    c_axis_of : str, optional
        Which grains ``c_axis_to_plane`` is asked of: ``"both"``, ``"either"``, or, between
        two phases, the name of the phase that has a c axis.

    Raises
    ------
    PropertyError
        If there is no condition, or one that cannot be met.
    """

    name: str
    film: Boundary
    sigma: tuple[int, ...] | None = None
    misorientation: Range | None = None
    c_axis_to_plane: Range | None = None
    c_axis_angle: Range | None = None
    coherent_twin: float | None = None
    c_axis_of: str = "both"

    def __post_init__(self) -> None:
        """Check each condition and bring it into its form."""
        if not isinstance(self.name, str) or len(self.name.split()) != 1 or "|" in self.name:
            raise PropertyError(
                describe("BoundaryRule name", "one word without '|'", self.name, "e.g. 'sigma3'")
            )
        place = f"BoundaryRule {self.name!r}"
        if not isinstance(self.film, Boundary):
            raise PropertyError(describe(f"{place} film", "a multiscale.Boundary", repr(self.film)))
        if not self.conditions:
            keys = "sigma, misorientation, c_axis_to_plane, c_axis_angle or coherent_twin"
            raise PropertyError(
                describe(place, f"a condition: {keys}", "none", "or make it the default")
            )
        if self.sigma is not None:
            object.__setattr__(self, "sigma", _sigmas(self.sigma, f"{place} sigma"))
        for key, most in RANGES.items():
            given = getattr(self, key)
            if given is not None:
                object.__setattr__(self, key, _range(given, f"{place} {key}", most))
        if self.coherent_twin is not None:
            tolerance = _number(self.coherent_twin)
            if not 0 < tolerance <= LARGEST_TOLERANCE:
                expected = f"degrees > 0, at most {LARGEST_TOLERANCE:g}"
                raise PropertyError(
                    describe(f"{place} coherent_twin", expected, self.coherent_twin)
                )
            object.__setattr__(self, "coherent_twin", tolerance)
        if not isinstance(self.c_axis_of, str) or not self.c_axis_of:
            expected = "'both', 'either' or the name of a phase"
            raise PropertyError(describe(f"{place} c_axis_of", expected, self.c_axis_of))
        if self.c_axis_of != "both" and self.c_axis_to_plane is None:
            expected = "a c_axis_to_plane beside it"
            raise PropertyError(describe(f"{place} c_axis_of", expected, "none", "add it"))

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the conditions that are given."""
        keys = ("sigma", *RANGES, "coherent_twin")
        return tuple(key for key in keys if getattr(self, key) is not None)


@dataclass(frozen=True, slots=True)
class BoundaryRules:
    """The films of one boundary type, chosen by crystallography.

    Parameters
    ----------
    default : Boundary
        Film of boundaries that meet no rule.
    rules : tuple of BoundaryRule
        Tried in this order; the first that holds gives its film.
    symmetry : {"cubic", "hexagonal", "trigonal"}, optional
        Of the crystals that the rules ask about; layered LiCoO₂ is trigonal.

    Raises
    ------
    PropertyError
        If rules do not fit the symmetry, share a name, or can never win.
    """

    default: Boundary
    rules: tuple[BoundaryRule, ...]
    symmetry: str = "cubic"

    def __post_init__(self) -> None:
        """Check the rules against each other and the symmetry."""
        if not isinstance(self.default, Boundary):
            raise PropertyError(
                describe("BoundaryRules default", "a multiscale.Boundary", repr(self.default))
            )
        if self.symmetry not in LARGEST_DISORIENTATION:
            expected = f"one of {', '.join(LARGEST_DISORIENTATION)}"
            remedy = nearest(str(self.symmetry), LARGEST_DISORIENTATION)
            raise PropertyError(describe("BoundaryRules symmetry", expected, self.symmetry, remedy))
        raw: object = self.rules
        given = tuple(raw) if isinstance(raw, tuple | list) else (raw,)
        object.__setattr__(self, "rules", given)
        for number, rule in enumerate(given):
            if not isinstance(rule, BoundaryRule):
                place = f"BoundaryRules rules[{number}]"
                raise PropertyError(describe(place, "a multiscale.BoundaryRule", repr(rule)))
            self._check_symmetry(rule)
            for earlier in given[:number]:
                _check_pair_of_rules(earlier, rule)

    def _check_symmetry(self, rule: BoundaryRule) -> None:
        place = f"BoundaryRule {rule.name!r}"
        if rule.sigma is not None and self.symmetry != "cubic":
            raise PropertyError(
                describe(f"{place} sigma", "cubic crystals", self.symmetry, "use misorientation")
            )
        for key in ("c_axis_to_plane", "c_axis_angle"):
            if getattr(rule, key) is not None and self.symmetry == "cubic":
                remedy = "pass symmetry='trigonal' or 'hexagonal'"
                expected = "crystals with one c axis"
                raise PropertyError(describe(f"{place} {key}", expected, "cubic", remedy))
        most = LARGEST_DISORIENTATION[self.symmetry]
        if rule.misorientation is not None and rule.misorientation[0] > most:
            expected = f"a lower end of at most {most:g} degrees, the largest of {self.symmetry}"
            raise PropertyError(
                describe(f"{place} misorientation", expected, list(rule.misorientation))
            )

    def check_between(self, first: str, second: str, place: object = "boundaries") -> None:
        """See that the rules can be asked of a pair of phases.

        Parameters
        ----------
        first, second : str
            Names of the phases that the boundary parts.
        place : object, optional
            Where the rules stand, named first in the message.

        Raises
        ------
        PropertyError
            If a condition needs two crystals of one kind and the phases differ, or the
            phase with the c axis is not named or not one of them.
        """
        for rule in self.rules:
            where = f"{place}, rule {rule.name!r}"
            if first == second:
                if rule.c_axis_of not in ("both", "either"):
                    remedy = f"both sides are {first}"
                    raise PropertyError(
                        describe(f"{where} c_axis_of", "'both' or 'either'", rule.c_axis_of, remedy)
                    )
                continue
            for key in rule.conditions:
                if key != "c_axis_to_plane":
                    remedy = "between two phases only c_axis_to_plane can be asked"
                    raise PropertyError(
                        describe(
                            f"{where} {key}", "grains of one phase", f"{first}|{second}", remedy
                        )
                    )
            if rule.c_axis_of not in (first, second):
                expected = f"{first!r} or {second!r}, the phase with the c axis"
                raise PropertyError(describe(f"{where} c_axis_of", expected, rule.c_axis_of))

    def mapped(self, change: Callable[[Boundary], Boundary]) -> BoundaryRules:
        """Replace every film, e.g. by one in other units.

        Parameters
        ----------
        change : callable
            Makes a film of a film.

        Returns
        -------
        BoundaryRules
            The same rules with other films.
        """
        rules = tuple(replace(rule, film=change(rule.film)) for rule in self.rules)
        return BoundaryRules(change(self.default), rules, self.symmetry)


BoundaryFilm: TypeAlias = Boundary | BoundaryRules


def _check_pair_of_rules(earlier: BoundaryRule, later: BoundaryRule) -> None:
    """Refuse a name used twice, and a rule whose every boundary an earlier one takes."""
    if earlier.name == later.name:
        raise PropertyError(
            describe("BoundaryRules rules", "each name once", f"{later.name!r} twice", "rename one")
        )
    if not set(earlier.conditions) <= set(later.conditions):
        return
    same_grains = earlier.c_axis_to_plane is None or earlier.c_axis_of == later.c_axis_of
    if same_grains and all(_covers(earlier, later, key) for key in earlier.conditions):
        expected = f"a rule that {earlier.name!r} before it leaves something to"
        raise PropertyError(
            describe(
                f"BoundaryRule {later.name!r}",
                expected,
                "conditions that it covers",
                "change the order or the conditions",
            )
        )


def _covers(earlier: BoundaryRule, later: BoundaryRule, key: str) -> bool:
    """Tell whether one condition of the earlier rule holds wherever the later's does."""
    one, two = getattr(earlier, key), getattr(later, key)
    if key == "sigma":
        return set(two) <= set(one)
    if key == "coherent_twin":
        return False  # on layered crystals a smaller tolerance is no subset
    return bool(one[0] <= two[0] and two[1] <= one[1])


def _number(value: object) -> float:
    """Read a finite number; NaN for anything else, which every comparison refuses."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return math.nan
    return float(value)


def _sigmas(given: object, place: str) -> tuple[int, ...]:
    listed = given if isinstance(given, tuple | list) else (given,)
    for one in listed:
        if isinstance(one, bool) or not isinstance(one, int) or one not in SIGMAS:
            expected = f"odd whole numbers from {SIGMAS[0]} to {SIGMAS[-1]}"
            raise PropertyError(describe(place, expected, one))
    if not listed or len(set(listed)) < len(listed):
        raise PropertyError(describe(place, "at least one Σ, each once", list(listed)))
    return tuple(int(one) for one in listed)


def _range(given: object, place: str, most: float) -> Range:
    ends = tuple(given) if isinstance(given, tuple | list) else ()
    low, high = (_number(end) for end in ends) if len(ends) == 2 else (math.nan, math.nan)
    if not 0 <= low < high <= most:
        expected = f"(low, high) in degrees with 0 ≤ low < high ≤ {most:g}"
        raise PropertyError(describe(place, expected, given))
    return low, high
