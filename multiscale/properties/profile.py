"""How wide a boundary is, from where its framework differs from the crystal.

Each framework atom is compared with the crystal by the distances to its nearest neighbours of the
framework: how far they are, root mean square, from those of the most similar atom of the same
element in the crystal. That *disorder* is high at a boundary and falls to what thermal motion
leaves in the grains. The width is the integral breadth of the excess: its integral along the
normal over its height, as the breadth of a diffraction line is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.neighborlist import neighbor_list
from numpy.typing import NDArray

from multiscale.errors import PropertyError, describe

FloatArray = NDArray[np.float64]

NEIGHBOURS = 14
"""Neighbours an atom is compared by."""
REACH = 7.0
"""Where they are looked for [Å]."""
BIN = 0.5e-10
"""Of the profile [m]."""
DRAWN = 200
"""Drawings of the bootstrap."""
SURE = 3.0
"""Standard errors by which the excess at the plane must exceed zero."""


@dataclass(frozen=True, slots=True)
class SlabWidth:
    """Width of a boundary.

    Parameters
    ----------
    value, stderr : float
        Integral breadth [m].
    peak : float
        Excess disorder at the plane, in units of that of the grains' spread.
    """

    value: float
    stderr: float
    peak: float


def disorder(
    atoms: Atoms, crystals: Sequence[Atoms], mobile: str
) -> tuple[NDArray[np.intp], FloatArray]:
    """Compare the surroundings of framework atoms with those in the crystal.

    Parameters
    ----------
    atoms : ase.Atoms
        A boundary cell; positions averaged over a trajectory, or at rest.
    crystals : sequence of ase.Atoms
        Bulk cells of the phases beside it.
    mobile : str
        Element that is not of the framework.

    Returns
    -------
    which : (n,) ndarray of int
        The framework atoms.
    value : (n,) ndarray
        Root mean square difference of neighbour distances [Å].

    Raises
    ------
    PropertyError
        If an element is not in the crystal.
    """
    which, own = _distances(atoms, mobile)
    bulk = [_distances(one, mobile) for one in crystals]
    others = np.concatenate(
        [
            np.array(one.get_chemical_symbols())[k]
            for one, (k, _) in zip(crystals, bulk, strict=True)
        ]
    )
    known = np.concatenate([distances for _, distances in bulk])
    value = np.empty(which.size)
    symbols = np.array(atoms.get_chemical_symbols())[which]
    for element in np.unique(symbols):
        there = known[others == element]
        if not len(there):
            held = ", ".join(np.unique(others).tolist())
            raise PropertyError(describe("crystals", f"{element} as in the boundary", held))
        mine = symbols == element
        apart = ((own[mine][:, None, :] - there[None]) ** 2).mean(axis=2)
        value[mine] = np.sqrt(apart.min(axis=1))
    return which, value


def _distances(atoms: Atoms, mobile: str) -> tuple[NDArray[np.intp], FloatArray]:
    """Sorted distances to the nearest framework neighbours."""
    which = np.flatnonzero(~np.asarray(atoms.symbols == mobile))
    frame = atoms[which]
    first, apart = neighbor_list("id", frame, REACH)
    found = np.full((which.size, NEIGHBOURS), REACH)
    for atom in range(which.size):
        near = np.sort(apart[first == atom])[:NEIGHBOURS]
        found[atom, : near.size] = near
    return which, found


def slab_width(
    coordinate: FloatArray,
    value: FloatArray,
    height: float,
    planes: Sequence[float],
    *,
    seed: int = 0,
) -> SlabWidth:
    """Measure the width of the boundaries of a periodic cell.

    Parameters
    ----------
    coordinate : (n,) ndarray
        Of framework atoms along the normal [m].
    value : (n,) ndarray
        Their disorder, any unit.
    height : float
        Of the cell [m].
    planes : sequence of float
        Boundaries, as shares of the height.
    seed : int, optional
        Of the bootstrap over atoms.

    Returns
    -------
    SlabWidth
        Mean over the boundaries, with the error of a bootstrap.

    Raises
    ------
    PropertyError
        If no excess of disorder is told from that of the grains.
    """
    away = np.full(coordinate.shape, np.inf)
    for plane in planes:
        offset = (coordinate - plane * height + 0.5 * height) % height - 0.5 * height
        away = np.minimum(away, np.abs(offset))
    farthest = 0.5 * height / len(planes)
    edges = np.linspace(0.0, farthest, max(6, int(farthest / BIN)) + 1)
    layer = np.clip(np.searchsorted(edges, away, side="right") - 1, 0, edges.size - 2)
    generator = np.random.default_rng(seed)

    def breadth(chosen: NDArray[np.intp]) -> tuple[float, float]:
        grain = value[chosen][away[chosen] > 0.67 * farthest]
        base = float(np.median(grain)) if grain.size else 0.0
        count = np.bincount(layer[chosen], minlength=edges.size - 1)
        total = np.bincount(layer[chosen], weights=value[chosen] - base, minlength=edges.size - 1)
        filled = count > 0
        profile = np.zeros(edges.size - 1)
        profile[filled] = total[filled] / count[filled]
        smooth = np.convolve(np.r_[profile[1::-1], profile, profile[-1], profile[-1]],
                             np.full(3, 1 / 3), mode="valid")  # fmt: skip
        peak = float(smooth[: max(3, profile.size // 3)].max())
        whole = float(profile[edges[:-1] < 0.67 * farthest].sum() * (edges[1] - edges[0]))
        return (2.0 * whole / peak if peak > 0 else np.nan), peak

    best, peak = breadth(np.arange(value.size))
    drawn = np.array(
        [breadth(generator.integers(value.size, size=value.size)) for _ in range(DRAWN)]
    )
    doubt = float(np.nanstd(drawn[:, 1]))
    noise = float(np.std(value[away > 0.67 * farthest])) or 1e-12
    if not peak > SURE * doubt or not best > 0:
        raise PropertyError(
            describe("boundary", "more disorder than in the grains", f"an excess of {peak:.3g} ± "
                     f"{doubt:.2g}", "give width_nm, or thicker grains")
        )  # fmt: skip
    return SlabWidth(best, float(np.nanstd(drawn[:, 0])), peak / noise)
