"""Interatomic potentials behind one small interface.

A potential is asked for by a line of text:

======================  =======================================================================
``chgnet``              CHGNet 0.3.0, whose weights come with its package (``chgnet:r2scan``)
``student:NAME``        a compact MACE model that this package trained and ships; needs no torch
``mace:FILE``           any MACE ``.model`` file, with the SHA-256 it must have
``mace-mp:SIZE``        a MACE foundation model; downloaded where there is a network
======================  =======================================================================

A ``.model`` file is a pickle: whoever made it can run code here. It is opened only if its hash
is the one stated beside it. Students are stored as plain arrays.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, chemical_symbols

from multiscale.atomistics.compact import CompactCalculator, read_compact
from multiscale.errors import PotentialError, StructureError, describe, nearest

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator

CHGNET_VERSIONS = ("0.3.0", "r2scan")
FOUNDATIONS = ("small", "medium", "large", "small-mpa-0", "medium-mpa-0")
KINDS = ("chgnet", "student:NAME", "mace:FILE", "mace-mp:SIZE")
STUDENTS = resources.files("multiscale.atomistics") / "students"


class _Maker(Protocol):
    def __call__(self) -> Calculator: ...


@dataclass(frozen=True, slots=True)
class Potential:
    """What gives energies, forces and stresses.

    Parameters
    ----------
    name : str
        As it was asked for.
    elements : frozenset of str
        Elements it knows.
    cutoff : float
        Largest distance over which two atoms see each other directly [Å].
    origin : mapping of str to str
        Package versions and hash of the weights, for the provenance of results.
    makers : tuple of callable
        Each makes an ASE calculator; the first drives, more are a committee.
    """

    name: str
    elements: frozenset[str]
    cutoff: float
    origin: Mapping[str, str]
    makers: tuple[_Maker, ...] = field(repr=False)

    def calculator(self) -> Calculator:
        """Make a calculator.

        Returns
        -------
        ase.calculators.calculator.Calculator
            With energy, forces and stress.
        """
        return self.makers[0]()

    def committee(self) -> tuple[Calculator, ...]:
        """Make calculators of all members.

        Returns
        -------
        tuple of ase.calculators.calculator.Calculator
            One where there is no committee.
        """
        return tuple(maker() for maker in self.makers)

    def check(self, atoms: Atoms) -> None:
        """Check that it can be asked about a cell.

        Parameters
        ----------
        atoms : ase.Atoms
            A periodic cell.

        Raises
        ------
        PotentialError
            If it lacks an element.
        StructureError
            If the cell is so thin that atoms see their own images.
        """
        check_cell(self.name, self.elements, self.cutoff, atoms)


def check_cell(name: str, elements: frozenset[str], cutoff: float, atoms: Atoms) -> None:
    """Check that a potential can be asked about a cell.

    Parameters
    ----------
    name : str
        Of the potential.
    elements : frozenset of str
        Elements it knows.
    cutoff : float
        How far it sees [Å].
    atoms : ase.Atoms
        A periodic cell.

    Raises
    ------
    PotentialError
        If it lacks an element.
    StructureError
        If the cell is so thin that atoms see their own images.
    """
    unknown = sorted(set(atoms.get_chemical_symbols()) - elements)
    if unknown:
        known = ", ".join(sorted(elements, key=lambda one: atomic_numbers[one])[:12])
        raise PotentialError(
            describe(
                f"potential {name}",
                f"elements it knows ({known}{', …' if len(elements) > 12 else ''})",
                ", ".join(unknown),
                "choose another potential",
            )
        )
    width = 1.0 / np.linalg.norm(np.linalg.pinv(atoms.cell.array), axis=0)
    thin = min(
        (float(w) for w, repeats in zip(width, atoms.pbc, strict=True) if repeats),
        default=np.inf,
    )
    if thin < cutoff:
        raise StructureError(
            describe(
                "cell",
                f"at least {cutoff:.3g} Å between opposite faces, the cutoff of {name}",
                f"{thin:.3g} Å",
                "repeat the cell",
            )
        )


def load_potential(name: str, *, sha256: str | None = None, device: str | None = None) -> Potential:
    """Load a potential by name.

    Parameters
    ----------
    name : str
        ``"chgnet"``, ``"student:NAME"``, ``"mace:FILE"`` or ``"mace-mp:SIZE"``.
    sha256 : str, optional
        Hash that the file of ``"mace:FILE"`` must have.
    device : str, optional
        ``"cpu"`` or ``"cuda"``; a GPU where torch sees one unless given.

    Returns
    -------
    Potential
        Ready to make calculators.

    Raises
    ------
    PotentialError
        If it is unknown, its package or weights are missing, or its hash is another.
    """
    kind, _, what = name.partition(":")
    if kind not in ("chgnet", "student", "mace", "mace-mp"):
        raise PotentialError(
            describe("potential", f"one of {', '.join(KINDS)}", name, nearest(kind, KINDS))
        )
    if sha256 is not None and kind != "mace":
        raise PotentialError(
            describe(f"potential {name}", "no sha256", sha256, "state one for mace:FILE alone")
        )
    if kind == "mace":
        weights = _stated(Path(what), sha256)  # before torch is imported
    if kind == "student":
        cards = student_cards()
        if what not in cards:
            raise PotentialError(
                describe(
                    "potential",
                    f"one of the students {', '.join(cards) or '(none is shipped)'}",
                    name,
                    nearest(name, [f"student:{one}" for one in cards]),
                )
            )
    if kind == "student":
        return _student(what, cards[what])
    used = device or _best_device(name)
    if kind == "chgnet":
        return _chgnet(what or "0.3.0", used)
    if kind == "mace-mp":
        return _foundation(what or "small", used)
    return _mace(name, weights, str(sha256), used)


def student_cards() -> dict[str, dict[str, Any]]:
    """Read the cards of the models that are shipped.

    Returns
    -------
    dict of str to dict
        By name: files with their hashes, errors on held-out trajectories, ranges.
    """
    index = STUDENTS / "cards.json"
    if not index.is_file():
        return {}
    cards: dict[str, dict[str, Any]] = json.loads(index.read_text(encoding="utf-8"))
    return cards


def _best_device(name: str) -> str:
    with _needs("torch", name):
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"


@contextlib.contextmanager
def _needs(package: str, name: str) -> Iterator[None]:
    """Turn a missing package into one line."""
    try:
        yield
    except ImportError as error:
        raise PotentialError(
            describe(
                f"potential {name}",
                f"the package {package}",
                str(error),
                'pip install "multiscale[mlip]"',
            )
        ) from None


def _chgnet(version: str, device: str) -> Potential:
    name = f"chgnet:{version}"
    if version not in CHGNET_VERSIONS:
        expected = f"chgnet:{' or chgnet:'.join(CHGNET_VERSIONS)}"
        raise PotentialError(
            describe("potential", expected, name, nearest(version, CHGNET_VERSIONS))
        )
    with _needs("chgnet", name), contextlib.redirect_stdout(io.StringIO()):
        from chgnet.model import CHGNet
        from chgnet.model.dynamics import CHGNetCalculator

        model = CHGNet.load(model_name=version, use_device=device, verbose=False)

    def make() -> Calculator:
        with contextlib.redirect_stdout(io.StringIO()):
            made: Calculator = CHGNetCalculator(model, use_device=device)
        return made

    (weights,) = (
        one
        for one in metadata.files("chgnet") or ()
        if one.suffix == ".tar" and f"pretrained/{version}/" in one.as_posix()
    )
    origin = {
        "chgnet": metadata.version("chgnet"),
        "weights": version,
        "sha256": file_hash(Path(str(weights.locate()))),
        "torch": metadata.version("torch"),
    }
    return Potential(
        name, frozenset(chemical_symbols[1:95]), float(model.graph_converter.atom_graph_cutoff),
        origin, (make,),
    )  # fmt: skip


def _stated(path: Path, sha256: str | None) -> Path:
    """Check a model file against the hash stated for it."""
    place = f"potential mace:{path}"
    if not path.is_file():
        raise PotentialError(describe(place, "a .model file", "no such file", "check its path"))
    found = file_hash(path)
    if sha256 is None:
        remedy = f"a .model file runs code when it is read: if you trust it, add sha256 = {found!r}"
        raise PotentialError(describe(place, "its sha256 beside it", "none", remedy))
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise PotentialError(describe(f"{place}: sha256", "64 hexadecimal digits", sha256))
    if found != sha256:
        remedy = "the file was changed or damaged: fetch it again"
        raise PotentialError(describe(place, f"the stated sha256 {sha256}", found, remedy))
    return path


def file_hash(path: Path) -> str:
    """Hash a file.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    str
        Its SHA-256 in hexadecimal digits.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _mace(name: str, path: Path, sha256: str, device: str) -> Potential:
    with _needs("mace-torch", name):
        import torch

        from multiscale.atomistics._mace import as_potential
    try:
        model = torch.load(path, map_location=device, weights_only=False)
    except Exception as error:  # whatever a damaged pickle raises
        raise PotentialError(
            describe(f"potential {name}", "a MACE model", str(error).splitlines()[0])
        ) from None
    return as_potential(name, (model,), {"sha256": sha256}, device)


def _foundation(size: str, device: str) -> Potential:
    name = f"mace-mp:{size}"
    if size not in FOUNDATIONS:
        raise PotentialError(
            describe("potential", f"mace-mp:{{{', '.join(FOUNDATIONS)}}}", name,
                     nearest(size, FOUNDATIONS))
        )  # fmt: skip
    with _needs("mace-torch", name):
        from mace.calculators import mace_mp

        from multiscale.atomistics._mace import as_potential
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            model = mace_mp(model=size, device=device, return_raw_model=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise PotentialError(
            describe(
                f"potential {name}",
                "its weights, in the cache or from the network",
                str(error).splitlines()[0],
                'download its .model file elsewhere and use "mace:FILE" with its sha256',
            )
        ) from None
    return as_potential(name, (model,), {"weights": size}, device)


def _student(what: str, card: Mapping[str, Any]) -> Potential:
    name = f"student:{what}"
    models = []
    for file, sha256 in card["files"].items():
        with resources.as_file(STUDENTS / file) as path:
            if not path.is_file():
                raise PotentialError(
                    describe(f"potential {name}", file, "no such file", "install again")
                )
            found = file_hash(path)
            if found != sha256:
                raise PotentialError(
                    describe(f"potential {name}: {file}", f"sha256 {sha256}", found,
                             "the file was changed or damaged: install again")
                )  # fmt: skip
            models.append(read_compact(path))
    origin = {"sha256": ",".join(card["files"].values()), "teacher": str(card["teacher"])}
    makers = tuple(partial(CompactCalculator, model) for model in models)
    return Potential(name, models[0].elements, models[0].cutoff, origin, makers)


def threads_for(cores: int) -> None:
    """Let torch use so many threads.

    Parameters
    ----------
    cores : int
        Threads; several runs side by side take one each.
    """
    os.environ["OMP_NUM_THREADS"] = str(cores)
    with contextlib.suppress(ImportError):
        import torch

        torch.set_num_threads(cores)
