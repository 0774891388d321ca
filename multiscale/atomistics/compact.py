"""Compact MACE models evaluated without torch.

The students of this package are MACE models of the smallest kind: scalar features, spherical
harmonics to second order, products of two. For these the symmetric contraction is a sum of
squares, radial networks become tables, and energy, forces and stress are a few loops over
neighbours, compiled: an order of magnitude faster on a processor than a general framework, whose
many small operations on few atoms cost more than the arithmetic.

References
----------
Batatia et al., "MACE: Higher order equivariant message passing neural networks for fast and
accurate force fields", NeurIPS 35, 11423 (2022), arXiv:2206.07697.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols
from ase.neighborlist import primitive_neighbor_list
from ase.stress import full_3x3_to_voigt_6_stress
from numpy.typing import NDArray

from multiscale.errors import PotentialError, describe
from multiscale.numerics.compiling import kernel, piece

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

NODES = 2000
"""Of the tables of radial functions: cubic pieces between them are right to 1e-9 of their size."""
SKIN = 1.0
"""Neighbours are listed to the cutoff and so much more, and listed anew when an atom may have
crossed it [Å]."""
SILU = 1.6791767923989418
"""Factor by which e3nn multiplies silu: it makes the second moment of its value for a standard
normal argument one."""
MANY = 1500
"""Atoms beyond which neighbours are listed by cells of space instead of pair by pair."""
HARMONICS = 9
"""Of orders 0, 1 and 2."""


@dataclass(frozen=True, slots=True)
class CompactModel:
    """What a compact model has learnt, in the order in which it is used.

    Parameters
    ----------
    numbers : (z,) ndarray
        Atomic numbers it knows.
    cutoff : float
        [Å].
    levels : (z,) ndarray
        Energy of free atoms [eV].
    radial : tuple of (n + 1, 3, c, 2) ndarray
        Of each layer: values and slopes at equal distances, by order and channel.
    sources : (z, c) ndarray
        What an atom sends in the first layer.
    mixing : tuple of ndarray
        Of each layer, by order: the first layer's (z, 3, c, c) depend on the receiver.
    products : tuple of (z, 4, c) ndarray
        Weight of the scalar itself and of the squares of the three orders.
    hidden : tuple of (c, c) ndarray
        Linear map after each product.
    sending : (c, c) ndarray
        What an atom sends in the second layer.
    staying : (z, c, c) ndarray
        What of the first layer is added to the second's.
    first_readout : (c,) ndarray
        Energy from the first layer.
    second_readout : tuple of ndarray
        Energy from the second layer: (c, h) and (h,).
    scale, shift : float
        Of an atom's energy [eV].
    """

    numbers: IntArray
    cutoff: float
    levels: FloatArray
    radial: tuple[FloatArray, FloatArray]
    sources: FloatArray
    mixing: tuple[FloatArray, FloatArray]
    products: tuple[FloatArray, FloatArray]
    hidden: tuple[FloatArray, FloatArray]
    sending: FloatArray
    staying: FloatArray
    first_readout: FloatArray
    second_readout: tuple[FloatArray, FloatArray]
    scale: float
    shift: float

    @property
    def elements(self) -> frozenset[str]:
        """Symbols of the elements it knows."""
        return frozenset(chemical_symbols[int(number)] for number in self.numbers)


def read_compact(path: Path) -> CompactModel:
    """Read a model that was stored as plain arrays.

    Parameters
    ----------
    path : pathlib.Path
        An ``.npz`` file.

    Returns
    -------
    CompactModel
        Ready for :class:`CompactCalculator`.

    Raises
    ------
    PotentialError
        If it is a MACE model of a larger kind.
    """
    with np.load(path, allow_pickle=False) as file:
        setting: dict[str, Any] = json.loads(str(file["setting"]))
        raw = {key[2:]: np.array(file[key]) for key in file.files if key.startswith("w:")}
    _see_small(path, setting)
    weights = {key: np.asarray(value, float) for key, value in raw.items()}
    c = int(setting["hidden_irreps"].partition("x")[0])
    kinds = len(raw["atomic_numbers"])

    def linear(name: str, *shape: int) -> FloatArray:
        """Weights of a linear map, with the factor that e3nn applies."""
        return np.asarray(weights[name].reshape(shape) / np.sqrt(np.prod(shape[:-1])))

    embedding = linear("node_embedding.linear.weight", kinds, c)
    up = [linear(f"interactions.{layer}.linear_up.weight", c, c) for layer in (0, 1)]
    each = [
        weights[f"interactions.{layer}.linear.weight"].reshape(3, c, c)
        / np.sqrt(c)
        / setting["avg_num_neighbors"]
        for layer in (0, 1)
    ]
    # e3nn orders weights by order, channel in, kind, channel out
    skip = weights["interactions.0.skip_tp.weight"].reshape(3, c, kinds, c) / np.sqrt(c * kinds)
    stay = weights["interactions.1.skip_tp.weight"].reshape(c, kinds, c) / np.sqrt(c * kinds)
    return CompactModel(
        numbers=raw["atomic_numbers"].astype(np.int64),
        cutoff=float(setting["r_max"]),
        levels=weights["atomic_energies_fn.atomic_energies"].reshape(kinds),
        radial=(_table(weights, setting, 0, c), _table(weights, setting, 1, c)),
        sources=embedding @ up[0],
        mixing=(np.einsum("lab,lbzc->zlac", each[0], skip).copy(), each[1]),
        products=(_squares(path, weights, 0, c), _squares(path, weights, 1, c)),
        hidden=(linear("products.0.linear.weight", c, c), linear("products.1.linear.weight", c, c)),
        sending=up[1],
        staying=np.ascontiguousarray(stay.transpose(1, 0, 2)),
        first_readout=weights["readouts.0.linear.weight"] / np.sqrt(c),
        second_readout=(
            linear("readouts.1.linear_1.weight", c, weights["readouts.1.linear_2.weight"].size),
            weights["readouts.1.linear_2.weight"]
            / np.sqrt(weights["readouts.1.linear_2.weight"].size),
        ),
        scale=float(weights["scale_shift.scale"].reshape(-1)[0]),
        shift=float(weights["scale_shift.shift"].reshape(-1)[0]),
    )


def _see_small(path: Path, setting: dict[str, Any]) -> None:
    """See that a model is of the kind this module evaluates."""
    wanted: dict[str, Any] = {
        "num_interactions": 2, "max_ell": 2, "correlation": 2, "radial_type": "bessel",
        "interaction_cls": "RealAgnosticResidualInteractionBlock",
        "interaction_cls_first": "RealAgnosticInteractionBlock",
        "readout_cls": "NonLinearReadoutBlock", "gate": "silu", "heads": ["Default"],
        "pair_repulsion": False, "distance_transform": None, "embedding_specs": None,
        "edge_irreps": None, "use_last_readout_only": False, "use_so3": False,
        "use_agnostic_product": False, "apply_cutoff": True,
    }  # fmt: skip
    for key, value in wanted.items():
        if setting.get(key) != value:
            raise PotentialError(
                describe(f"{path}: {key}", f"{value}, for a compact model", setting.get(key),
                         "evaluate it with mace-torch")
            )  # fmt: skip
    for key in ("hidden_irreps", "MLP_irreps"):
        if not setting[key].endswith("x0e"):
            raise PotentialError(
                describe(f"{path}: {key}", "scalars, for a compact model", setting[key],
                         "evaluate it with mace-torch")
            )  # fmt: skip


def _squares(path: Path, weights: dict[str, FloatArray], layer: int, c: int) -> FloatArray:
    """Weights of the scalar and of the squares of each order, by kind and channel."""
    name = f"products.{layer}.symmetric_contractions.contractions.0"
    pairs = weights[f"{name}.U_matrix_2"]
    single = weights[f"{name}.U_matrix_1"]
    orders = np.repeat([0, 1, 2], [1, 3, 5])
    squares = np.zeros((3, pairs.shape[-1]))
    for order in range(3):
        squares[order] = pairs[orders == order][:, orders == order].trace() / (2 * order + 1)
    rebuilt = np.einsum("ij,ik->ijk", np.eye(HARMONICS), squares[orders])
    if not np.allclose(rebuilt, pairs, atol=1e-6) or np.abs(single[1:]).max() > 1e-6:
        raise PotentialError(describe(path, "products that are sums of squares", "others"))
    made = np.empty((len(weights["atomic_numbers"]), 4, c))
    made[:, 0] = single[0] @ weights[f"{name}.weights.0"]
    made[:, 1:] = np.einsum("lk,zkc->zlc", squares, weights[f"{name}.weights_max"])
    return made


def _table(
    weights: dict[str, FloatArray], setting: dict[str, Any], layer: int, c: int
) -> FloatArray:
    """Radial functions of a layer with their slopes; none at distance 0, where no atoms are."""
    reach, power = float(setting["r_max"]), int(setting["num_polynomial_cutoff"])
    step = reach / NODES
    away = np.arange(NODES + 1) * step
    away[0] = 1e-3 * step
    waves = weights["radial_embedding.bessel_fn.bessel_weights"]
    factor = float(weights["radial_embedding.bessel_fn.prefactor"])
    inside = away[:, None] * waves
    value = factor * np.sin(inside) / away[:, None]
    slope = factor * (waves * np.cos(inside) - np.sin(inside) / away[:, None]) / away[:, None]
    x, p = away / reach, power
    fade = (
        1.0
        - (p + 1.0) * (p + 2.0) / 2.0 * x**p
        + p * (p + 2.0) * x ** (p + 1)
        - p * (p + 1.0) / 2.0 * x ** (p + 2)
    )
    falls = -0.5 * p * (p + 1.0) * (p + 2.0) * x ** (p - 1) * (1.0 - x) ** 2 / reach
    value, slope = value * fade[:, None], slope * fade[:, None] + value * falls[:, None]
    depth = len(setting["radial_MLP"])
    for number in range(depth + 1):
        matrix = weights[f"interactions.{layer}.conv_tp_weights.layer{number}.weight"]
        matrix = matrix / np.sqrt(matrix.shape[0])
        value, slope = value @ matrix, slope @ matrix
        if number < depth:
            bell = 1.0 / (1.0 + np.exp(-value))
            slope = SILU * slope * bell * (1.0 + value * (1.0 - bell))
            value = SILU * value * bell
    made = np.stack([value, slope * step], -1)
    return np.ascontiguousarray(made.reshape(NODES + 1, 3, c, 2))


class CompactCalculator(Calculator):
    """Energy, forces and stress of a compact model, for ASE.

    Parameters
    ----------
    model : CompactModel
        What was learnt.
    """

    implemented_properties = [  # noqa: RUF012 (an instance's in ase, too)
        "energy",
        "free_energy",
        "forces",
        "stress",
    ]

    def __init__(self, model: CompactModel) -> None:
        super().__init__()
        self.model = model
        self._near: _Neighbours | None = None
        self._kinds = np.full(len(chemical_symbols), -1, np.int64)
        self._kinds[model.numbers] = np.arange(len(model.numbers))

    def reset(self) -> None:
        """Forget what was evaluated and listed; called by ASE."""
        super().reset()
        self._near = None

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """Tell what changed since the last evaluation; called by ASE.

        Parameters
        ----------
        atoms : ase.Atoms
            A cell.
        tol : float, optional
            Not used: any change counts.

        Returns
        -------
        list of str
            Names of what changed.
        """
        last = self.atoms
        if last is None or not np.array_equal(last.numbers, atoms.numbers):
            return list(all_changes)
        changed = []
        if not np.array_equal(last.positions, atoms.positions):
            changed.append("positions")
        if not np.array_equal(last.cell.array, atoms.cell.array):
            changed.append("cell")
        if not np.array_equal(last.pbc, atoms.pbc):
            changed.append("pbc")
        return changed

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Any = None,
        system_changes: Any = all_changes,
    ) -> None:
        """Evaluate the model; called by ASE.

        Parameters
        ----------
        atoms : ase.Atoms
            A cell, periodic or not.
        properties, system_changes : list of str, optional
            All properties are made whatever is asked.

        Raises
        ------
        PotentialError
            If there are elements that the model does not know.
        """
        super().calculate(atoms, properties, system_changes)
        here, model = cast(Atoms, self.atoms), self.model
        kinds = self._kinds[here.numbers]
        if (kinds < 0).any():
            strange = sorted(set(here.symbols) - model.elements)
            raise PotentialError(
                describe("compact model", f"elements {', '.join(sorted(model.elements))}",
                         ", ".join(strange))
            )  # fmt: skip
        cell, where = here.cell.array.copy(), here.get_positions()
        if self._near is None or not self._near.hold(here, model.cutoff):
            self._near = _Neighbours.of(here, model.cutoff + SKIN)
        near = self._near
        pairs = _within(where, near.first, near.other, near.image @ cell, model.cutoff)
        begin, other, away, unit, wave = pairs
        step = model.cutoff / NODES
        mixed, kept = _first_layer(
            kinds, begin, other, away, wave, model.radial[0], step, model.sources,
            model.mixing[0], model.products[0], model.hidden[0],
        )  # fmt: skip
        forces, virial = np.zeros_like(where), np.zeros((3, 3))
        energy, back_kept, back_sent = _second_layer(
            kinds, begin, other, away, unit, wave, model.radial[1], step, kept,
            kept @ model.sending, model.mixing[1], model.products[1], model.hidden[1],
            model.staying, *model.second_readout, forces, virial,
        )  # fmt: skip
        _first_back(
            kinds, begin, other, away, unit, wave, model.radial[0], step, model.sources, mixed,
            model.mixing[0], model.products[0], model.hidden[0],
            back_kept + model.first_readout + back_sent @ model.sending.T, forces, virial,
        )  # fmt: skip
        energy = model.scale * (energy + float((kept @ model.first_readout).sum()))
        forces *= model.scale
        virial *= model.scale
        energy += float((model.levels[kinds] + model.shift).sum())
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}
        volume = abs(float(np.linalg.det(cell)))
        if volume > 0.0:
            stress = 0.5 * (virial + virial.T) / volume
            self.results["stress"] = full_3x3_to_voigt_6_stress(stress)


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """Pairs of atoms that are or may soon be near."""

    numbers: IntArray
    positions: FloatArray
    cell: FloatArray
    pbc: NDArray[np.bool_]
    reach: float
    first: IntArray  # of each atom's neighbours, and one past the last
    other: IntArray
    image: FloatArray  # cells between the two

    @classmethod
    def of(cls, atoms: Atoms, reach: float) -> _Neighbours:
        where, cell = atoms.get_positions(), atoms.cell.complete().array
        if len(atoms) > MANY:
            at, other, image = primitive_neighbor_list("ijS", atoms.pbc, cell, where, reach)
            first = np.searchsorted(at, np.arange(len(atoms) + 1))
        else:
            shares = np.linalg.solve(cell.T, where.T).T
            widths = 1.0 / np.linalg.norm(np.linalg.inv(cell), axis=0)
            first, other, image = _list_pairs(shares, cell, widths, atoms.pbc, reach)
        return cls(
            atoms.numbers.copy(), where, atoms.cell.array.copy(), atoms.pbc.copy(), reach,
            first.astype(np.int64), other.astype(np.int64), image.astype(float),
        )  # fmt: skip

    def hold(self, atoms: Atoms, cutoff: float) -> bool:
        """Whether no pair can have come within the cutoff that is not listed."""
        if not (np.array_equal(atoms.numbers, self.numbers) and (atoms.pbc == self.pbc).all()):
            return False
        cell, before, least = atoms.cell.array, self.positions, 1.0
        if not np.array_equal(cell, self.cell):
            if abs(np.linalg.det(self.cell)) < 1e-12:
                return False
            change = np.linalg.solve(self.cell, cell)
            before = before @ change
            least = float(np.linalg.svd(change, compute_uv=False)[-1])
        moved = float(np.sqrt(((atoms.positions - before) ** 2).sum(axis=1).max()))
        return self.reach * least - 2.0 * moved > cutoff


@kernel()
def _list_pairs(
    shares: FloatArray, cell: FloatArray, widths: FloatArray, pbc: NDArray[np.bool_], reach: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """List all neighbours of each atom; every pair is looked at, images by the cell's planes."""
    count = shares.shape[0]
    first = np.zeros(count + 1, np.int64)
    other, image = np.empty(64 * count, np.int64), np.empty((64 * count, 3))
    low, high, vector = np.zeros(3, np.int64), np.zeros(3, np.int64), np.empty(3)
    found = 0
    for i in range(count):
        for j in range(count):
            for k in range(3):
                apart = shares[j, k] - shares[i, k]
                if pbc[k]:
                    low[k] = int(np.ceil(-reach / widths[k] - apart))
                    high[k] = int(np.floor(reach / widths[k] - apart))
            for a in range(low[0], high[0] + 1):
                for b in range(low[1], high[1] + 1):
                    for c in range(low[2], high[2] + 1):
                        square = 0.0
                        for k in range(3):
                            vector[k] = (
                                (shares[j, 0] - shares[i, 0] + a) * cell[0, k]
                                + (shares[j, 1] - shares[i, 1] + b) * cell[1, k]
                                + (shares[j, 2] - shares[i, 2] + c) * cell[2, k]
                            )
                            square += vector[k] * vector[k]
                        if square >= reach * reach or (i == j and a == 0 and b == 0 and c == 0):
                            continue
                        if found == other.size:
                            other = np.concatenate((other, np.empty_like(other)))
                            image = np.concatenate((image, np.empty_like(image)))
                        other[found] = j
                        image[found, 0], image[found, 1], image[found, 2] = a, b, c
                        found += 1
        first[i + 1] = found
    return first, other[:found], image[:found]


@piece()
def _harmonics(x: float, y: float, z: float, made: FloatArray) -> None:
    """Spherical harmonics of a direction to second order; the squares of an order sum to 2l + 1."""
    made[0] = 1.0
    made[1] = 1.7320508075688772 * x
    made[2] = 1.7320508075688772 * y
    made[3] = 1.7320508075688772 * z
    made[4] = 3.872983346207417 * x * y
    made[5] = 3.872983346207417 * y * z
    made[6] = 1.118033988749895 * (3.0 * z * z - 1.0)
    made[7] = 3.872983346207417 * x * z
    made[8] = 1.9364916731037085 * (x * x - y * y)


@piece()
def _radial(table: FloatArray, place: float, value: FloatArray) -> None:
    """Radial functions at a place of their table, by order and channel."""
    node = min(int(place), table.shape[0] - 2)
    t = place - node
    s = 1.0 - t
    a, b = (1.0 + 2.0 * t) * s * s, t * s * s
    c, d = t * t * (3.0 - 2.0 * t), -t * t * s
    for order in range(3):
        for k in range(table.shape[2]):
            value[order, k] = (
                a * table[node, order, k, 0]
                + b * table[node, order, k, 1]
                + c * table[node + 1, order, k, 0]
                + d * table[node + 1, order, k, 1]
            )


@piece()
def _sloped(
    table: FloatArray, place: float, step: float, value: FloatArray, slope: FloatArray
) -> None:
    """Radial functions and their slopes with distance."""
    node = min(int(place), table.shape[0] - 2)
    t = place - node
    s = 1.0 - t
    a, b = (1.0 + 2.0 * t) * s * s, t * s * s
    c, d = t * t * (3.0 - 2.0 * t), -t * t * s
    da, db, dd = -6.0 * t * s / step, s * (s - 2.0 * t) / step, -t * (2.0 * s - t) / step
    for order in range(3):
        for k in range(table.shape[2]):
            p, dp = table[node, order, k, 0], table[node, order, k, 1]
            q, dq = table[node + 1, order, k, 0], table[node + 1, order, k, 1]
            value[order, k] = a * p + b * dp + c * q + d * dq
            slope[order, k] = da * (p - q) + db * dp + dd * dq


@piece()
def _gather(value: FloatArray, harmonics: FloatArray, sent: FloatArray, into: FloatArray) -> None:
    """Add what a neighbour sends to the sums of an atom."""
    for m in range(9):
        order = 0 if m == 0 else 1 if m < 4 else 2
        y = harmonics[m]
        for k in range(sent.size):
            into[m, k] += y * value[order, k] * sent[k]


@piece()
def _pull(
    x: float,
    y: float,
    z: float,
    away: float,
    value: FloatArray,
    slope: FloatArray,
    harmonics: FloatArray,
    sent: FloatArray,
    back: FloatArray,
    pull: FloatArray,
    sender: FloatArray,
) -> None:
    """Derivative of the energy by the vector to a neighbour, and by what it sends (added)."""
    g1 = g2 = g3 = g4 = g5 = g6 = g7 = g8 = along = 0.0
    for k in range(sent.size):
        f = sent[k]
        s0 = back[0, k]
        s1 = harmonics[1] * back[1, k] + harmonics[2] * back[2, k] + harmonics[3] * back[3, k]
        s2 = (
            harmonics[4] * back[4, k]
            + harmonics[5] * back[5, k]
            + harmonics[6] * back[6, k]
            + harmonics[7] * back[7, k]
            + harmonics[8] * back[8, k]
        )
        along += f * (slope[0, k] * s0 + slope[1, k] * s1 + slope[2, k] * s2)
        sender[k] += value[0, k] * s0 + value[1, k] * s1 + value[2, k] * s2
        u, w = f * value[1, k], f * value[2, k]
        g1 += u * back[1, k]
        g2 += u * back[2, k]
        g3 += u * back[3, k]
        g4 += w * back[4, k]
        g5 += w * back[5, k]
        g6 += w * back[6, k]
        g7 += w * back[7, k]
        g8 += w * back[8, k]
    a, b, c = 1.7320508075688772, 3.872983346207417, 1.118033988749895
    qx = a * g1 + b * (g4 * y + g7 * z + g8 * x)
    qy = a * g2 + b * (g4 * x + g5 * z - g8 * y)
    qz = a * g3 + b * (g5 * y + g7 * x) + 6.0 * c * g6 * z
    inner = qx * x + qy * y + qz * z
    pull[0] = along * x + (qx - inner * x) / away
    pull[1] = along * y + (qy - inner * y) / away
    pull[2] = along * z + (qz - inner * z) / away


@piece()
def _mix(sums: FloatArray, matrices: FloatArray, made: FloatArray) -> None:
    """Mix channels of each order."""
    c = sums.shape[1]
    for m in range(9):
        order = 0 if m == 0 else 1 if m < 4 else 2
        for b in range(c):
            made[m, b] = 0.0
        for a in range(c):
            s = sums[m, a]
            for b in range(c):
                made[m, b] += s * matrices[order, a, b]


@piece()
def _unmix(back: FloatArray, matrices: FloatArray, made: FloatArray) -> None:
    """Derivatives by what was mixed, of those by what came of it."""
    c = back.shape[1]
    for m in range(9):
        order = 0 if m == 0 else 1 if m < 4 else 2
        for a in range(c):
            s = 0.0
            for b in range(c):
                s += back[m, b] * matrices[order, a, b]
            made[m, a] = s


@piece()
def _contract(mixed: FloatArray, product: FloatArray, made: FloatArray) -> None:
    """The scalar itself and the squares of each order, weighted."""
    for k in range(made.size):
        square = mixed[0, k] * mixed[0, k]
        first = mixed[1, k] * mixed[1, k] + mixed[2, k] * mixed[2, k] + mixed[3, k] * mixed[3, k]
        second = 0.0
        for m in range(4, 9):
            second += mixed[m, k] * mixed[m, k]
        made[k] = (
            product[0, k] * mixed[0, k]
            + product[1, k] * square
            + product[2, k] * first
            + product[3, k] * second
        )


@piece()
def _expand(back: FloatArray, mixed: FloatArray, product: FloatArray, made: FloatArray) -> None:
    """Derivatives by what was contracted."""
    for k in range(back.size):
        made[0, k] = back[k] * (product[0, k] + 2.0 * product[1, k] * mixed[0, k])
        for m in range(1, 4):
            made[m, k] = 2.0 * back[k] * product[2, k] * mixed[m, k]
        for m in range(4, 9):
            made[m, k] = 2.0 * back[k] * product[3, k] * mixed[m, k]


@piece()
def _map(given: FloatArray, matrix: FloatArray, made: FloatArray) -> None:
    """Row vector by matrix."""
    for b in range(matrix.shape[1]):
        s = 0.0
        for a in range(matrix.shape[0]):
            s += given[a] * matrix[a, b]
        made[b] = s


@piece()
def _map_back(given: FloatArray, matrix: FloatArray, made: FloatArray) -> None:
    """Matrix by column vector: derivatives by what was mapped."""
    for a in range(matrix.shape[0]):
        s = 0.0
        for b in range(matrix.shape[1]):
            s += matrix[a, b] * given[b]
        made[a] = s


@piece()
def _push(
    i: int,
    j: int,
    pull: FloatArray,
    unit: FloatArray,
    away: float,
    forces: FloatArray,
    virial: FloatArray,
) -> None:
    """Share the derivative by a vector between two atoms."""
    for a in range(3):
        forces[i, a] += pull[a]
        forces[j, a] -= pull[a]
        for b in range(3):
            virial[a, b] += pull[a] * unit[b] * away


@kernel(fastmath=True)
def _within(
    where: FloatArray, first: IntArray, other: IntArray, offset: FloatArray, cutoff: float
) -> tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]:
    """Pairs within the cutoff at this moment: atoms, distances, directions, harmonics."""
    count = where.shape[0]
    begin, near = np.zeros(count + 1, np.int64), np.empty(other.size, np.int64)
    away, unit = np.empty(other.size), np.empty((other.size, 3))
    wave = np.empty((other.size, 9))
    last = 0
    for i in range(count):
        for e in range(first[i], first[i + 1]):
            j = other[e]
            dx = where[j, 0] - where[i, 0] + offset[e, 0]
            dy = where[j, 1] - where[i, 1] + offset[e, 1]
            dz = where[j, 2] - where[i, 2] + offset[e, 2]
            r = np.sqrt(dx * dx + dy * dy + dz * dz)
            if r < cutoff:
                near[last], away[last] = j, r
                unit[last, 0], unit[last, 1], unit[last, 2] = dx / r, dy / r, dz / r
                _harmonics(dx / r, dy / r, dz / r, wave[last])
                last += 1
        begin[i + 1] = last
    return begin, near, away, unit, wave


@kernel(fastmath=True)
def _first_layer(
    kinds: IntArray,
    begin: IntArray,
    near: IntArray,
    away: FloatArray,
    wave: FloatArray,
    table: FloatArray,
    step: float,
    sources: FloatArray,
    mixing: FloatArray,
    product: FloatArray,
    hidden: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Sums over neighbours, mixed, and the features made of them."""
    count, c = kinds.size, sources.shape[1]
    value, sums, made = np.empty((3, c)), np.empty((9, c)), np.empty(c)
    mixed, kept = np.empty((count, 9, c)), np.empty((count, c))
    for i in range(count):
        sums[:] = 0.0
        for e in range(begin[i], begin[i + 1]):
            _radial(table, away[e] / step, value)
            _gather(value, wave[e], sources[kinds[near[e]]], sums)
        _mix(sums, mixing[kinds[i]], mixed[i])
        _contract(mixed[i], product[kinds[i]], made)
        _map(made, hidden, kept[i])
    return mixed, kept


@kernel(fastmath=True)
def _second_layer(
    kinds: IntArray,
    begin: IntArray,
    near: IntArray,
    away: FloatArray,
    unit: FloatArray,
    wave: FloatArray,
    table: FloatArray,
    step: float,
    kept: FloatArray,
    sent: FloatArray,
    mixing: FloatArray,
    product: FloatArray,
    hidden: FloatArray,
    staying: FloatArray,
    readout: FloatArray,
    last: FloatArray,
    forces: FloatArray,
    virial: FloatArray,
) -> tuple[float, FloatArray, FloatArray]:
    """Energy of the second layer, and its derivatives by what was kept and sent; adds forces."""
    count, c = kept.shape
    value, slope, pull = np.empty((3, c)), np.empty((3, c)), np.empty(3)
    sums, back, mixed = np.empty((9, c)), np.empty((9, c)), np.empty((9, c))
    made, other, inner = np.empty(c), np.empty(c), np.empty(last.size)
    back_kept, back_sent = np.empty((count, c)), np.zeros((count, c))
    energy = 0.0
    for i in range(count):
        kind = kinds[i]
        sums[:] = 0.0
        for e in range(begin[i], begin[i + 1]):
            _radial(table, away[e] / step, value)
            _gather(value, wave[e], sent[near[e]], sums)
        _mix(sums, mixing, mixed)
        _contract(mixed, product[kind], made)
        _map(made, hidden, other)
        _map(kept[i], staying[kind], made)
        for a in range(c):
            other[a] += made[a]
        _map(other, readout, inner)
        for h in range(inner.size):
            s = inner[h]
            bell = 1.0 / (1.0 + np.exp(-s))
            energy += SILU * s * bell * last[h]
            inner[h] = SILU * bell * (1.0 + s * (1.0 - bell)) * last[h]
        _map_back(inner, readout, other)
        _map_back(other, staying[kind], back_kept[i])
        _map_back(other, hidden, made)
        _expand(made, mixed, product[kind], back)
        _unmix(back, mixing, sums)
        for e in range(begin[i], begin[i + 1]):
            j = near[e]
            _sloped(table, away[e] / step, step, value, slope)
            _pull(
                unit[e, 0], unit[e, 1], unit[e, 2], away[e], value, slope, wave[e], sent[j],
                sums, pull, back_sent[j],
            )  # fmt: skip
            _push(i, j, pull, unit[e], away[e], forces, virial)
    return energy, back_kept, back_sent


@kernel(fastmath=True)
def _first_back(
    kinds: IntArray,
    begin: IntArray,
    near: IntArray,
    away: FloatArray,
    unit: FloatArray,
    wave: FloatArray,
    table: FloatArray,
    step: float,
    sources: FloatArray,
    mixed: FloatArray,
    mixing: FloatArray,
    product: FloatArray,
    hidden: FloatArray,
    back_kept: FloatArray,
    forces: FloatArray,
    virial: FloatArray,
) -> None:
    """Add the forces of the first layer, given derivatives by its features."""
    count, c = back_kept.shape
    value, slope, pull = np.empty((3, c)), np.empty((3, c)), np.empty(3)
    sums, back, made, unused = np.empty((9, c)), np.empty((9, c)), np.empty(c), np.zeros(c)
    for i in range(count):
        kind = kinds[i]
        _map_back(back_kept[i], hidden, made)
        _expand(made, mixed[i], product[kind], back)
        _unmix(back, mixing[kind], sums)
        for e in range(begin[i], begin[i + 1]):
            j = near[e]
            _sloped(table, away[e] / step, step, value, slope)
            _pull(
                unit[e, 0], unit[e, 1], unit[e, 2], away[e], value, slope, wave[e],
                sources[kinds[j]], sums, pull, unused,
            )  # fmt: skip
            _push(i, j, pull, unit[e], away[e], forces, virial)
