"""Crystals from published Wyckoff positions, with partly occupied sites drawn one by one.

How many atoms of an element a cell holds follows from the formula, which is neutral; they share
its sites in proportion to the published occupancies. Which sites of a kind they take is drawn:
atoms hop at random until none sits closer to another than the crystal allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.geometry import wrap_positions
from ase.neighborlist import neighbor_list
from ase.spacegroup import Spacegroup
from numpy.typing import NDArray
from scipy.sparse import csr_array

from multiscale.errors import GenerationError, StructureError, describe, nearest

FloatArray = NDArray[np.float64]

HOPS = 100
"""Hops tried for each drawn atom before a drawing is given up."""
DRAWINGS = 8
"""Drawings begun anew before the crystal is given up."""
NEARER = (1.0, 0.9, 0.8, 0.7)
"""Shares of the distance to keep that are tried one after the other at boundaries."""
ASTRAY = 0.05
"""Share of hops that go anywhere, to get out of dead ends."""


@dataclass(frozen=True, slots=True)
class Site:
    """One Wyckoff position.

    Parameters
    ----------
    label : str
        Multiplicity and letter, e.g. ``"96h"``.
    position : tuple of float
        Fractional coordinates of one of its points.
    species : mapping of str to float
        Occupancy of each element; what is missing to one is vacant.
    """

    label: str
    position: tuple[float, float, float]
    species: Mapping[str, float]

    @property
    def drawn(self) -> bool:
        """Whether it is not the same everywhere."""
        return tuple(self.species.values()) != (1.0,)


@dataclass(frozen=True, slots=True)
class Crystal:
    """A published structure.

    Parameters
    ----------
    name : str
        What it is called here.
    formula : mapping of str to float
        Atoms a formula unit.
    units : int
        Formula units a conventional cell.
    space_group : int
        Number in the International Tables.
    cell : tuple of float
        Edges [Å] and angles [degrees].
    sites : tuple of Site
        Its Wyckoff positions.
    charges : mapping of str to float
        Formal charge of each element.
    closest : float
        Drawn atoms of one element keep at least this far from each other [Å].
    source : str
        Where the positions were published.
    """

    name: str
    formula: Mapping[str, float]
    units: int
    space_group: int
    cell: tuple[float, float, float, float, float, float]
    sites: tuple[Site, ...]
    charges: Mapping[str, float]
    closest: float
    source: str

    def fixed(self) -> Atoms:
        """Build the conventional cell of the sites that are the same everywhere.

        Returns
        -------
        ase.Atoms
            Without what is drawn.
        """
        atoms = Atoms(cell=self.cell, pbc=True)
        for site in self.sites:
            if not site.drawn:
                (element,) = site.species
                points = self.points(site)
                atoms += Atoms([element] * len(points), scaled_positions=points, cell=self.cell)
        return atoms

    def vacant(self) -> tuple[Atoms, NDArray[np.intp]]:
        """Points of the sites that are drawn, as a conventional cell of ghost atoms.

        Returns
        -------
        points : ase.Atoms
            One ghost (``X``) each.
        kind : (n,) ndarray of int
            Which of ``sites`` each belongs to.
        """
        atoms = Atoms(cell=self.cell, pbc=True)
        kind: list[int] = []
        for number, site in enumerate(self.sites):
            if site.drawn:
                points = self.points(site)
                atoms += Atoms("X" * len(points), scaled_positions=points, cell=self.cell)
                kind += [number] * len(points)
        return atoms, np.array(kind, np.intp)

    def points(self, site: Site) -> FloatArray:
        """Points of a site in the conventional cell.

        Parameters
        ----------
        site : Site
            One of its sites.

        Returns
        -------
        (n, 3) ndarray
            Fractional coordinates.
        """
        points, _ = Spacegroup(self.space_group).equivalent_sites([site.position], symprec=1e-4)
        return np.asarray(points, dtype=float)


def _llzo() -> Crystal:
    return Crystal(
        "LLZO",
        {"Li": 7, "La": 3, "Zr": 2, "O": 12},
        8,
        230,
        (12.983, 12.983, 12.983, 90.0, 90.0, 90.0),
        (
            Site("24c", (0.125, 0.0, 0.25), {"La": 1.0}),
            Site("16a", (0.0, 0.0, 0.0), {"Zr": 1.0}),
            Site("96h", (-0.032, 0.055, 0.149), {"O": 1.0}),
            Site("24d", (0.375, 0.0, 0.25), {"Li": 0.542}),
            Site("96h", (0.097, 0.685, 0.577), {"Li": 0.448}),
        ),
        {"Li": 1, "La": 3, "Zr": 4, "O": -2},
        2.3,
        "positions 10.1246/cl.2011.60, occupancies 10.1021/cm201671k",
    )


def _lco(lithium: float) -> Crystal:
    if not 0.0 < lithium <= 1.0:
        raise StructureError(describe("lithium", "a number above 0 and up to 1", lithium))
    return Crystal(
        "LCO",
        {"Li": lithium, "Co": 1, "O": 2},
        3,
        166,
        (2.816, 2.816, 14.054, 90.0, 90.0, 120.0),
        (
            Site("3b", (0.0, 0.0, 0.5), {"Co": 1.0}),
            Site("6c", (0.0, 0.0, 0.2395), {"O": 1.0}),
            Site("3a", (0.0, 0.0, 0.0), {"Li": lithium}),
        ),
        {"Li": 1, "Co": 4 - lithium, "O": -2},
        0.0,
        "10.1107/S0108270184002833",
    )


def _li3ocl(vacancies: float) -> Crystal:
    if not 0.0 <= vacancies < 1.0:
        raise StructureError(describe("vacancies", "a number from 0 to below 1", vacancies))
    return Crystal(
        "Li3OCl",
        {"Li": 3 - vacancies, "O": 1, "Cl": 1 - vacancies},
        1,
        221,
        (3.91, 3.91, 3.91, 90.0, 90.0, 90.0),
        (
            Site("1b", (0.5, 0.5, 0.5), {"O": 1.0}),
            Site("1a", (0.0, 0.0, 0.0), {"Cl": 1.0 - vacancies}),
            Site("3c", (0.0, 0.5, 0.5), {"Li": 1.0 - vacancies / 3.0}),
        ),
        {"Li": 1, "O": -2, "Cl": -1},
        0.0,
        "10.1021/ja305709z",
    )


def _li6ps5cl(disorder: float) -> Crystal:
    if not 0.0 <= disorder <= 1.0:
        raise StructureError(describe("disorder", "a number from 0 to 1", disorder))
    chlorine = {"Cl": 1.0 - disorder, "S": disorder}
    sulphur = {"S": 1.0 - disorder, "Cl": disorder}
    return Crystal(
        "Li6PS5Cl",
        {"Li": 6, "P": 1, "S": 5, "Cl": 1},
        4,
        216,
        (9.86, 9.86, 9.86, 90.0, 90.0, 90.0),
        (
            Site("4b", (0.5, 0.5, 0.5), {"P": 1.0}),
            Site("16e", (0.62, 0.62, 0.62), {"S": 1.0}),
            Site("4a", (0.0, 0.0, 0.0), _present(chlorine)),
            Site("4c", (0.25, 0.25, 0.25), _present(sulphur)),
            Site("48h", (0.183, 0.183, 0.024), {"Li": 0.5}),
        ),
        {"Li": 1, "P": 5, "S": -2, "Cl": -1},
        2.1,
        "10.1021/jacs.7b06327",
    )


def _present(species: Mapping[str, float]) -> dict[str, float]:
    return {element: share for element, share in species.items() if share > 0.0}


CRYSTALS = ("LLZO", "LCO", "Li3OCl", "Li6PS5Cl")
"""Names that :func:`crystal` knows."""


def crystal(
    name: str, *, lithium: float = 1.0, vacancies: float = 0.0, disorder: float = 0.0
) -> Crystal:
    """Look up a published structure.

    Parameters
    ----------
    name : {"LLZO", "LCO", "Li3OCl", "Li6PS5Cl"}
        Cubic garnet Li7La3Zr2O12 (Ia-3d), layered LixCoO2 (R-3m), antiperovskite (Pm-3m),
        argyrodite (F-43m).
    lithium : float, optional
        x in LixCoO2.
    vacancies : float, optional
        Units of LiCl missing from one of Li3OCl.
    disorder : float, optional
        Share of the Cl of Li6PS5Cl that changed places with S: 0 ordered, 0.5 half.

    Returns
    -------
    Crystal
        Sites, occupancies and source.

    Raises
    ------
    StructureError
        If it is not known, or a share is out of range.

    Notes
    -----
    LLZO: Awaka et al., Chem. Lett. 40, 60 (2011), to three decimals, Li as in Xie et al., Chem.
    Mater. 23, 3587 (2011); LCO: Orman & Wiseman, Acta Cryst. C 40, 12 (1984); Li3OCl: Zhao &
    Daemen, J. Am. Chem. Soc. 134, 15042 (2012); Li6PS5Cl: Kraft et al., J. Am. Chem. Soc. 139,
    10909 (2017), Li on one of each pair of 48h sites. Coordinates are rounded: structures are
    relaxed before use, and distances in them are tested against sums of radii.
    """
    if name == "LLZO":
        return _llzo()
    if name == "LCO":
        return _lco(lithium)
    if name == "Li3OCl":
        return _li3ocl(vacancies)
    if name == "Li6PS5Cl":
        return _li6ps5cl(disorder)
    raise StructureError(
        describe("crystal", f"one of {', '.join(CRYSTALS)}", name, nearest(name, CRYSTALS))
    )


def build(
    one: Crystal,
    repeat: tuple[int, int, int],
    generator: np.random.Generator,
) -> Atoms:
    """Build a neutral cell of a crystal with one drawing of its partly occupied sites.

    Parameters
    ----------
    one : Crystal
        Structure.
    repeat : tuple of int
        Conventional cells along each axis.
    generator : numpy.random.Generator
        Draws the sites.

    Returns
    -------
    ase.Atoms
        Sorted by element in the order of the formula.

    Raises
    ------
    StructureError
        If the cell is too small for a neutral drawing.
    GenerationError
        If atoms stay closer to each other than they may.
    """
    ghosts, kinds = one.vacant()
    kind = np.tile(kinds, int(np.prod(repeat)))
    atoms = one.fixed() * repeat
    points = ghosts * repeat
    wanted = _numbers(one, repeat, kind)
    element = _draw(points, kind, wanted, one.closest, generator)
    taken = element != ""
    atoms += Atoms(element[taken].tolist(), positions=points.positions[taken], cell=atoms.cell)
    order = {name: place for place, name in enumerate(one.formula)}
    rank = [order[name] for name in atoms.get_chemical_symbols()]
    whole: Atoms = atoms[np.argsort(rank, kind="stable")]
    whole.positions = wrap_positions(whole.positions, whole.cell)
    check_neutral(whole, one.charges, one.name)
    return whole


def fill(
    framework: Atoms,
    points: Atoms,
    kind: NDArray[np.intp],
    shares: Mapping[int, Mapping[str, float]],
    charges: Mapping[str, float],
    closest: float,
    generator: np.random.Generator,
    mobile: str = "Li",
) -> Atoms:
    """Fill partly occupied sites about a framework such that all is neutral.

    Parameters
    ----------
    framework : ase.Atoms
        What is there.
    points : ase.Atoms
        Sites to fill, of the same cell.
    kind : (n,) ndarray of int
        Kind of each site.
    shares : mapping of int to mapping of str to float
        Occupancies of each kind.
    charges : mapping of str to float
        Formal charge of each element.
    closest : float
        Drawn atoms of one element keep this far from each other [Å].
    generator : numpy.random.Generator
        Draws the sites.
    mobile : str, optional
        Element whose number makes it neutral; the others keep their occupancies.

    Returns
    -------
    ase.Atoms
        Sorted by element.

    Raises
    ------
    StructureError
        If no number of mobile ions that the sites can hold makes it neutral.
    GenerationError
        If atoms stay closer to each other than they may.
    """
    places = {number: int(np.count_nonzero(kind == number)) for number in np.unique(kind).tolist()}
    wanted: dict[int, dict[str, int]] = {number: {} for number in places}
    for number, count in places.items():
        for element, share in shares[number].items():
            if element != mobile:
                wanted[number][element] = int(np.floor(share * count + 0.5))
    total = sum(charges[symbol] for symbol in framework.get_chemical_symbols())
    total += sum(charges[name] * n for parts in wanted.values() for name, n in parts.items())
    count = int(np.floor(-total / charges[mobile] + 0.5))
    room = {number: places[number] - sum(parts.values()) for number, parts in wanted.items()}
    usual = {number: shares[number].get(mobile, 0.0) * places[number] for number in places}
    free = sum(size for number, size in room.items() if usual[number] > 0)
    if not 0 <= count <= free:
        raise StructureError(
            describe("boundary", f"0 … {free} {mobile} on its sites", f"{count} to be neutral",
                     "try another translation or termination")
        )  # fmt: skip
    for number, some in _apportion(count, usual).items():
        wanted[number][mobile] = min(some, room[number])
    left = count - sum(parts.get(mobile, 0) for parts in wanted.values())
    for number in sorted(places, key=lambda n: -usual[n]):
        more = min(left, room[number] - wanted[number].get(mobile, 0)) if usual[number] else 0
        wanted[number][mobile] = wanted[number].get(mobile, 0) + more
        left -= more
    filled = _draw_closer(points, kind, wanted, closest, generator)
    taken = filled != ""
    whole = framework + Atoms(
        filled[taken].tolist(), positions=points.positions[taken], cell=framework.cell
    )
    ordered: Atoms = whole[np.argsort(whole.get_chemical_symbols(), kind="stable")]
    ordered.positions = wrap_positions(ordered.positions, ordered.cell)
    return ordered


def check_neutral(atoms: Atoms, charges: Mapping[str, float], place: str) -> None:
    """Check that formal charges add up to nothing.

    Parameters
    ----------
    atoms : ase.Atoms
        A cell.
    charges : mapping of str to float
        Formal charge of each element.
    place : str
        What it is called in the message.

    Raises
    ------
    StructureError
        If they do not, or an element has none.
    """
    symbols = atoms.get_chemical_symbols()
    for symbol in dict.fromkeys(symbols):
        if symbol not in charges:
            raise StructureError(
                describe(f"{place}: {symbol}", "a formal charge", "none", f"add {symbol} = …")
            )
    total = sum(charges[symbol] for symbol in symbols)
    if abs(total) > 0.5:
        formula = atoms.get_chemical_formula()
        remedy = "change the composition or the cell"
        raise StructureError(
            describe(place, "formal charges that add up to 0", f"{total:+.3g} ({formula})", remedy)
        )


def _numbers(
    one: Crystal, repeat: tuple[int, int, int], kind: NDArray[np.intp]
) -> dict[int, dict[str, int]]:
    """How many atoms of each element the sites of each kind hold."""
    units = one.units * int(np.prod(repeat))
    held: dict[str, int] = {}
    places = {number: int(np.count_nonzero(kind == number)) for number in np.unique(kind).tolist()}
    for site in one.sites:
        if not site.drawn:
            (element,) = site.species
            count = len(one.points(site)) * int(np.prod(repeat))
            held[element] = held.get(element, 0) + count
    wanted: dict[int, dict[str, int]] = {number: {} for number in places}
    for element, amount in one.formula.items():
        total = int(np.floor(units * amount + 0.5)) - held.get(element, 0)
        shares = {
            number: one.sites[number].species.get(element, 0.0) * count
            for number, count in places.items()
        }
        for number, count in _apportion(total, shares).items():
            wanted[number][element] = count
    for number, parts in wanted.items():
        if sum(parts.values()) > places[number]:
            raise StructureError(
                describe(
                    f"{one.name}: site {one.sites[number].label}",
                    f"at most {places[number]} atoms",
                    sum(parts.values()),
                    "repeat the cell more often",
                )
            )
    return wanted


def _apportion(total: int, shares: Mapping[int, float]) -> dict[int, int]:
    """Split a number of atoms in proportion to shares, by the largest remainders."""
    whole = sum(shares.values())
    if total == 0 or whole == 0.0:
        return {}
    exact = {number: total * share / whole for number, share in shares.items() if share > 0}
    found = {number: int(np.floor(value)) for number, value in exact.items()}
    left = total - sum(found.values())
    for number in sorted(exact, key=lambda n: found[n] - exact[n])[:left]:
        found[number] += 1
    return found


def _draw(
    points: Atoms,
    kind: NDArray[np.intp],
    wanted: Mapping[int, Mapping[str, int]],
    closest: float,
    generator: np.random.Generator,
    drawings: int = DRAWINGS,
) -> NDArray[np.str_]:
    """Give each site an element or none, such that atoms of one keep their distance."""
    near = csr_array((len(points), len(points)))
    if closest > 0:
        first, second = neighbor_list("ij", points, closest)
        near = csr_array((np.ones(first.size), (first, second)), shape=near.shape)
    for _ in range(drawings):
        element = np.full(len(points), "", dtype="U2")
        for number, parts in wanted.items():
            places = generator.permutation(np.flatnonzero(kind == number))
            start = 0
            for name, count in parts.items():
                element[places[start : start + count]] = name
                start += count
        if _part(element, kind, near, generator):
            return element
    raise GenerationError(
        describe(
            "drawn sites",
            f"atoms at least {closest:g} Å from each other",
            f"closer ones in {drawings} drawings",
            "lower the occupancies",
        )
    )


def _draw_closer(
    points: Atoms,
    kind: NDArray[np.intp],
    wanted: Mapping[int, Mapping[str, int]],
    closest: float,
    generator: np.random.Generator,
) -> NDArray[np.str_]:
    """Let atoms come closer to each other where a boundary leaves no other way."""
    for share in NEARER[:-1]:
        try:
            return _draw(points, kind, wanted, share * closest, generator, 1)
        except GenerationError:
            continue
    return _draw(points, kind, wanted, NEARER[-1] * closest, generator)


def _part(
    element: NDArray[np.str_],
    kind: NDArray[np.intp],
    near: csr_array,
    generator: np.random.Generator,
) -> bool:
    """Let atoms that are too close hop to vacant sites of their kind; tell whether all parted.

    A crowded atom goes where it has the fewest close neighbours, now and then anywhere.
    """
    names = [name for name in np.unique(element).tolist() if name]
    if not names:
        return True
    crowds = {name: near @ (element == name).astype(float) for name in names}
    start, ends = near.indptr, near.indices
    for _ in range(HOPS * (1 + int(np.count_nonzero(element != "")))):
        crowded = np.concatenate(
            [np.flatnonzero((element == name) & (crowds[name] > 0)) for name in names]
        )
        if not crowded.size:
            return True
        site = int(crowded[generator.integers(crowded.size)])
        vacant = np.flatnonzero((element == "") & (kind == kind[site]))
        if not vacant.size:
            return False
        name = str(element[site])
        crowd = crowds[name]
        element[site] = ""
        crowd[ends[start[site] : start[site + 1]]] -= 1.0
        if generator.random() > ASTRAY:
            least = crowd[vacant]
            vacant = vacant[least == least.min()]
        chosen = int(vacant[generator.integers(vacant.size)])
        element[chosen] = name
        crowd[ends[start[chosen] : start[chosen + 1]]] += 1.0
    return False
