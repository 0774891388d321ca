"""Rigid ions: charges and pair potentials as data, each set with its source.

The energy of two ions of charges :math:`q` and :math:`q'` at distance :math:`r` is

.. math::

    \\frac{q q'}{4\\pi\\varepsilon_0 r} + A e^{-r/\\rho} - \\frac{C}{r^6}
    + D\\left[e^{-2\\alpha(r-r_0)} - 2e^{-\\alpha(r-r_0)}\\right]

The short-ranged part ends at the cutoff, shifted to zero there; charges are summed without end.
Ions do not polarise. A set is a TOML file whose keys name their units; a user's own file is
read the same way and gives numbers alone. Every pair of its elements must be stated, if only as
one that interacts by charges alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import resources
from itertools import combinations_with_replacement
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from ase import Atoms
from ase.data import atomic_numbers
from pydantic import Field, model_validator

from multiscale.atomistics.potentials import check_cell
from multiscale.errors import PotentialError, StructureError, describe, nearest
from multiscale.provenance import config_hash
from multiscale.tomlfile import FieldError, Strict, read, validate

SHIPPED = resources.files("multiscale.atomistics") / "pairs"
NEUTRAL = 1e-6
"""Charge of a cell that still counts as rounding [e]."""

Pair = tuple[str, str]
Text = Annotated[str, Field(min_length=1)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]


@dataclass(frozen=True, slots=True)
class Buckingham:
    """Exponential repulsion and dispersion.

    Parameters
    ----------
    strength : float
        A [eV].
    length : float
        ρ [Å].
    dispersion : float
        C [eV Å⁶].
    """

    strength: float
    length: float
    dispersion: float


@dataclass(frozen=True, slots=True)
class Morse:
    """A bond that breaks.

    Parameters
    ----------
    depth : float
        D [eV].
    steepness : float
        α [1/Å].
    distance : float
        r₀ [Å].
    """

    depth: float
    steepness: float
    distance: float


@dataclass(frozen=True, slots=True)
class PairPotential:
    """Charges and pair potentials of some elements.

    Parameters
    ----------
    name : str
        Of the set, or of its file.
    title : str
        What it describes.
    charges : mapping of str to float
        Of each element [e].
    buckingham : mapping of tuple of str to Buckingham
        By pair, elements sorted.
    morse : mapping of tuple of str to Morse
        By pair, elements sorted.
    cutoff : float
        Where the short-ranged part ends, and the direct sum over charges [Å].
    source : str
        Where the numbers were published.
    verified : bool
        Whether they were held against that source.
    note : str
        What to know before using it.
    """

    name: str
    title: str
    charges: Mapping[str, float]
    buckingham: Mapping[Pair, Buckingham]
    morse: Mapping[Pair, Morse]
    cutoff: float
    source: str
    verified: bool
    note: str

    @property
    def elements(self) -> frozenset[str]:
        """Elements it knows."""
        return frozenset(self.charges)

    @property
    def origin(self) -> Mapping[str, str]:
        """Source and hash of its numbers, for the provenance of results."""
        numbers = {
            "charges": dict(self.charges),
            "buckingham": {"-".join(k): asdict(v) for k, v in self.buckingham.items()},
            "morse": {"-".join(k): asdict(v) for k, v in self.morse.items()},
            "cutoff": self.cutoff,
        }
        return {
            "source": self.source,
            "verified": str(self.verified).lower(),
            "numbers": config_hash(numbers),
        }

    def within(self, cutoff: float) -> PairPotential:
        """Give it another cutoff.

        Parameters
        ----------
        cutoff : float
            [Å].

        Returns
        -------
        PairPotential
            Otherwise the same.
        """
        return replace(self, cutoff=cutoff)

    def check(self, atoms: Atoms) -> None:
        """Check that it can be asked about a cell.

        Parameters
        ----------
        atoms : ase.Atoms
            A cell that repeats in all directions.

        Raises
        ------
        PotentialError
            If it lacks an element.
        StructureError
            If the cell is thin, open or charged.
        """
        check_cell(self.name, self.elements, self.cutoff, atoms)
        if not atoms.pbc.all():
            raise StructureError(
                describe("cell", "one that repeats in all directions", str(atoms.pbc.tolist()),
                         "set pbc = True")
            )  # fmt: skip
        charge = sum(self.charges[symbol] for symbol in atoms.symbols)
        if abs(charge) > NEUTRAL * len(atoms):
            raise StructureError(
                describe("cell", f"charges of {self.name} that sum to 0", f"{charge:+g} e in "
                         f"{atoms.get_chemical_formula(mode='hill')}", "add or remove ions")
            )  # fmt: skip


def load_pairs(what: str | Path) -> PairPotential:
    """Load a set of pair potentials.

    Parameters
    ----------
    what : str or pathlib.Path
        ``"LLZO"`` or ``"Li3OCl"``, which are shipped, or a TOML file of the same form.

    Returns
    -------
    PairPotential
        Its numbers and their source.

    Raises
    ------
    PotentialError
        If there is no such set, or the file is not one.

    Notes
    -----
    ``verified`` tells whether the numbers were held against their source; see ``note`` of each.
    """
    if isinstance(what, str) and not what.endswith(".toml"):
        names = shipped_pairs()
        if what not in names:
            raise PotentialError(
                describe("pair potential", f"a TOML file or one of {', '.join(names)}", what,
                         nearest(what, names))
            )  # fmt: skip
        with resources.as_file(SHIPPED / f"{what}.toml") as path:
            return _read(path, what)
    return _read(Path(what), Path(what).stem)


def shipped_pairs() -> tuple[str, ...]:
    """List the sets that are shipped.

    Returns
    -------
    tuple of str
        Their names.
    """
    files = (Path(one.name) for one in SHIPPED.iterdir())
    return tuple(sorted(one.stem for one in files if one.suffix == ".toml"))


class _Buckingham(Strict):
    pair: Pair
    A_eV: NotNegative
    rho_A: Positive  # noqa: N815
    C_eV_A6: NotNegative

    def made(self) -> Buckingham:
        return Buckingham(self.A_eV, self.rho_A, self.C_eV_A6)


class _Morse(Strict):
    pair: Pair
    D_eV: NotNegative
    alpha_per_A: Positive  # noqa: N815
    r0_A: Positive  # noqa: N815

    def made(self) -> Morse:
        return Morse(self.D_eV, self.alpha_per_A, self.r0_A)


class _File(Strict):
    schema_: Literal[1] = Field(alias="schema")
    title: Text
    source: Text
    verified: bool
    note: str = ""
    cutoff_A: Positive  # noqa: N815
    charges_e: dict[str, float] = Field(min_length=1)
    charges_only: tuple[Pair, ...] = ()
    buckingham: tuple[_Buckingham, ...] = ()
    morse: tuple[_Morse, ...] = ()

    def stated(self) -> Iterator[tuple[str, Pair]]:
        """All pairs, with the key that states them."""
        yield from ((f"charges_only[{n}]", pair) for n, pair in enumerate(self.charges_only))
        yield from ((f"buckingham[{n}].pair", one.pair) for n, one in enumerate(self.buckingham))
        yield from ((f"morse[{n}].pair", one.pair) for n, one in enumerate(self.morse))

    @model_validator(mode="after")
    def _whole(self) -> _File:
        for element in self.charges_e:
            if atomic_numbers.get(element, 0) < 1:
                raise FieldError(f"charges_e.{element}", "chemical symbols", element)
        for key, pair in self.stated():
            unknown = sorted(set(pair) - set(self.charges_e))
            if unknown:
                raise FieldError(
                    key, f"elements of charges_e ({', '.join(self.charges_e)})", unknown[0],
                    "state its charge",
                )  # fmt: skip
        seen = Counter((key.partition("[")[0], _sorted(pair)) for key, pair in self.stated())
        short = {pair for (key, pair) in seen if key != "charges_only"}
        for (key, pair), times in seen.items():
            if times > 1 or (key == "charges_only" and pair in short):
                raise FieldError(key, "each pair once", "–".join(pair))
        for pair in combinations_with_replacement(sorted(self.charges_e), 2):
            if pair not in short and not seen[("charges_only", pair)]:
                raise FieldError(
                    "", "every pair of elements", f"none for {'–'.join(pair)}",
                    "state its parameters, or name it in charges_only",
                )  # fmt: skip
        return self


def _sorted(pair: Pair) -> Pair:
    first, second = sorted(pair)
    return first, second


def _read(path: Path, name: str) -> PairPotential:
    found = validate(_File, read(path, PotentialError, "check its path"), path, PotentialError)
    return PairPotential(
        name,
        found.title,
        MappingProxyType(dict(found.charges_e)),
        MappingProxyType({_sorted(one.pair): one.made() for one in found.buckingham}),
        MappingProxyType({_sorted(one.pair): one.made() for one in found.morse}),
        found.cutoff_A,
        found.source,
        found.verified,
        " ".join(found.note.split()),
    )
