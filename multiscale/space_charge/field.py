"""Space charge in all grains of a polycrystal at once, for grains of a few Debye lengths.

Cores have a given potential, so grains do not see each other. On voxels: five or seven points,
and towards a facet the core's potential at the true distance from the voxel's middle to the
facet along the axis (Gibou, Fedkiw, Cheng & Kang, J. Comput. Phys. 176, 205 (2002),
10.1006/jcph.2001.6977: symmetric, second order in the potential).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import cg

from multiscale.errors import ConvergenceError, InputError, describe, nearest
from multiscale.microstructure import Polycrystal, check_resolution
from multiscale.space_charge.defects import STEEPEST, Floats, IonicPhase, strength, thermal_voltage

NEAREST = 1e-3
"""Least distance of a voxel's middle from a facet, in voxels."""
LAST = 1e-8
STRIDE = 4.0
MOST_STEPS = 200
TOLERANCE = 1e-10


@dataclass(frozen=True, slots=True)
class SpaceChargeField:
    """Equilibrium in the grains of a polycrystal.

    Attributes
    ----------
    potential : ndarray, shape (nx, ny[, nz])
        Against the neutral bulk of each voxel's phase [V].
    carrier_ratio : ndarray, shape (nx, ny[, nz])
        c/c∞ of the carrier in the middle of each voxel.
    temperature : float
        [K].
    steps : int
        Newton steps taken.
    """

    potential: Floats
    carrier_ratio: Floats
    temperature: float
    steps: int


def space_charge_field(
    crystal: Polycrystal,
    cells: tuple[int, ...],
    phases: Mapping[str, IonicPhase],
    core_potential: float | Mapping[tuple[str, str] | str, float],
    temperature: float,
    *,
    carriers: Mapping[str, str] | None = None,
) -> SpaceChargeField:
    """Solve Poisson–Boltzmann in every grain of a polycrystal.

    Parameters
    ----------
    crystal : Polycrystal
        Its exact facets are the cores.
    cells : tuple of int
        Voxels along each axis.
    phases : mapping of str to IonicPhase
        Defects of each phase of the crystal.
    core_potential : float or mapping
        Of the cores against the neutral bulk [V], one for all or one for each pair of
        phases, keyed ``("A", "B")`` or ``"A|B"`` in either order; against the bulk of A and
        of B alike.
    temperature : float
        [K].
    carriers : mapping of str to str, optional
        The defect that is counted in each phase; the first mobile one by default.

    Returns
    -------
    SpaceChargeField
        ``carrier_ratio`` times the diffusivity of each voxel's phase is a coefficient for
        :func:`multiscale.effective_diffusivity`; that of the layers alone, not the cores'.

    Raises
    ------
    InputError
        If a phase or pair is missing, or a potential is no good.
    ResolutionError
        If there are too few voxels for the grains.
    ConvergenceError
        If Newton's method or a linear solve does not end; says where it stopped.

    Notes
    -----
    Potentials are second order in the voxel; the carriers' ratio is that in the middle of a
    voxel, so layers much thinner than a voxel are lost: for those use
    :meth:`SpaceChargeLayer.boundary`, which needs no voxels at all.
    """
    check_resolution(crystal, cells)
    volt = thermal_voltage(temperature)
    for name in crystal.phase_names:
        if name not in phases:
            raise InputError(describe("phases", f"the defects of {name!r}", sorted(phases)))
    cores = _core_table(core_potential, crystal.phase_names, volt)
    labels, images = crystal.labels_and_images(cells)
    owner = np.asarray(crystal.phases)[labels].ravel()
    system, pull, most = _laplacian(crystal, cells, labels, images, phases, cores, temperature)
    y, steps = _newton(system, pull, owner, [phases[n] for n in crystal.phase_names], most)
    ratio = np.empty_like(y)
    for number, name in enumerate(crystal.phase_names):
        here = owner == number
        phase = phases[name]
        wanted = (carriers or {}).get(name, phase.mobile[0].name)
        names = [one.name for one in phase.mobile]
        if wanted not in names:
            raise InputError(describe(f"carriers[{name!r}]", f"one of {', '.join(names)}", wanted))
        ratio[here] = 1.0 + phase.relative_excess(y[here])[names.index(wanted)]
    return SpaceChargeField((y * volt).reshape(cells), ratio.reshape(cells), temperature, steps)


def _core_table(
    given: float | Mapping[tuple[str, str] | str, float], names: tuple[str, ...], volt: float
) -> Floats:
    """Core potentials in kT/e for each pair of phase numbers; NaN where none is given."""
    table = np.full((len(names), len(names)), np.nan)
    if not isinstance(given, Mapping):
        table[:] = given
    else:
        for key, value in given.items():
            pair = key.split("|") if isinstance(key, str) else list(key)
            unknown = [one for one in pair if one not in names]
            if len(pair) != 2 or unknown:
                raise InputError(
                    describe(f"core_potential[{key!r}]", "two phases of this crystal", key,
                             nearest(unknown[0], names) if unknown else "")
                )  # fmt: skip
            i, j = (names.index(one) for one in pair)
            table[i, j] = table[j, i] = value
    largest = STEEPEST / 2.0 * volt
    bad = np.isinf(table) | (np.abs(table) > largest)
    if bad.any() or (not isinstance(given, Mapping) and np.isnan(table).any()):
        raise InputError(
            describe("core_potential", f"finite numbers of at most {largest:.3g} V in size",
                     given)
        )  # fmt: skip
    return table / volt


def _laplacian(
    crystal: Polycrystal, cells: tuple[int, ...], labels: NDArray[np.int32],
    images: NDArray[np.int8], phases: Mapping[str, IonicPhase], cores: Floats,
    temperature: float,
) -> tuple[csr_array, Floats, float]:  # fmt: skip
    """Give a of −(a y')' with facets held at their cores' potential, and what they pull with."""
    count, axes = labels.size, len(cells)
    number = np.arange(count).reshape(cells)
    spacing = np.asarray(crystal.size) / np.asarray(cells)
    kind = np.asarray(crystal.phases)
    a = np.array([strength(phases[n].relative_permittivity, temperature)
                  for n in crystal.phase_names])  # fmt: skip
    middles = np.stack(
        np.meshgrid(*((np.arange(n) + 0.5) * h for n, h in zip(cells, spacing, strict=True)),
                    indexing="ij"), axis=-1,
    )  # fmt: skip
    seeds = np.asarray(crystal.seeds)[labels] + images * np.asarray(crystal.size)
    weights = np.asarray(crystal.weights)
    rows, columns, entries = [], [], []
    diagonal, pull, most = np.zeros(count), np.zeros(count), 0.0
    for axis in range(axes):
        step = np.zeros(axes)
        step[axis] = spacing[axis]
        one = number if crystal.periodic else number.take(range(cells[axis] - 1), axis=axis)
        two = np.roll(number, -1, axis=axis)
        two = two if crystal.periodic else two.take(range(cells[axis] - 1), axis=axis)
        i, j = one.ravel(), two.ravel()
        x = middles.reshape(-1, axes)[i]
        own = seeds.reshape(-1, axes)[i]
        # the neighbour's seed as seen from here, across the box face if need be
        other = seeds.reshape(-1, axes)[j] - middles.reshape(-1, axes)[j] + x + step
        g, k = labels.ravel()[i], labels.ravel()[j]
        same = (g == k) & (np.abs(own - other).max(axis=1) < 1e-6 * spacing.min())
        inside = a[kind[g]] / spacing[axis] ** 2
        rows += [i[same], j[same]]
        columns += [j[same], i[same]]
        entries += [-inside[same]] * 2
        np.add.at(diagonal, i[same], inside[same])
        np.add.at(diagonal, j[same], inside[same])
        cut = ~same
        value = cores[kind[g[cut]], kind[k[cut]]]
        if np.isnan(value).any():
            lost = int(np.flatnonzero(np.isnan(value))[0])
            pair = "|".join(sorted(crystal.phase_names[kind[m[cut][lost]]] for m in (g, k)))
            raise InputError(describe("core_potential", f"one for {pair!r}", "none", "add it"))
        most = max(most, float(np.abs(value).max(initial=0.0)))
        at_i = _power(x[cut], own[cut], weights[g[cut]]) - _power(x[cut], other[cut],
                                                                   weights[k[cut]])  # fmt: skip
        y = x[cut] + step
        at_j = _power(y, own[cut], weights[g[cut]]) - _power(y, other[cut], weights[k[cut]])
        share = np.clip(at_i / np.where(at_i == at_j, 1.0, at_i - at_j), NEAREST, 1.0 - NEAREST)
        for node, grain, part in ((i[cut], g[cut], share), (j[cut], k[cut], 1.0 - share)):
            link = a[kind[grain]] / (part * spacing[axis] ** 2)
            np.add.at(diagonal, node, link)
            np.add.at(pull, node, link * value)
    matrix = csr_array(
        (np.concatenate([*entries, diagonal]),
         (np.concatenate([*rows, np.arange(count)]),
          np.concatenate([*columns, np.arange(count)]))),
        shape=(count, count),
    )  # fmt: skip
    return matrix, pull, most


def _power(x: Floats, seed: Floats, weight: Floats) -> Floats:
    found: Floats = np.sum((x - seed) ** 2, axis=1) - weight
    return found


def _newton(
    system: csr_array, pull: Floats, owner: NDArray[np.int64], phases: list[IonicPhase],
    most: float,
) -> tuple[Floats, int]:  # fmt: skip
    """Damped Newton steps; the functional is convex, so the residual's descent is the whole."""
    y = np.zeros(len(pull))
    largest = np.inf
    for step in range(1, MOST_STEPS + 1):
        charge, stiff = np.empty_like(y), np.empty_like(y)
        for number, phase in enumerate(phases):
            here = owner == number
            charge[here] = phase.charge_density(y[here])
            stiff[here] = phase.stiffness(y[here])
        residual = pull + charge - system @ y
        move = _linear(csr_array(system + diags_array(stiff)), residual)
        largest = float(np.abs(move).max())
        y = np.clip(y + move * min(1.0, STRIDE / max(largest, 1e-300)), -most, most)
        if largest < LAST:
            return y, step
    raise ConvergenceError(
        f"Poisson–Boltzmann field: {MOST_STEPS} Newton steps left a largest change of "
        f"{largest:.2g} kT/e"
    )


def _linear(matrix: csr_array, right: Floats) -> Floats:
    scale = 1.0 / np.sqrt(matrix.diagonal())
    scaled = csr_array(matrix.multiply(scale[:, None]).multiply(scale[None, :]))
    found, status = cg(scaled, right * scale, rtol=TOLERANCE, maxiter=10_000)
    if status != 0:
        raise ConvergenceError("Poisson–Boltzmann field: a linear solve missed its tolerance")
    answer: Floats = found * scale
    return answer
