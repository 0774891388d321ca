"""Cells of prescribed sizes: the log-normal law and semi-discrete optimal transport.

The power weights that give each cell a prescribed volume maximise a concave
function whose gradient is (target − volume) and whose Hessian couples cells
through facet area / 2 × seed distance; damped Newton steps that keep every cell
alive converge (Kitagawa, Mérigot & Thibert 2019, doi:10.4171/JEMS/889). Volumes
here are exact, not counted in voxels.

Log-normal law: volume-equivalent diameters are the n midpoint quantiles of the
law, its shape tuned so that their coefficient of variation is the one asked for;
the box and the number of grains fix their mean. After transport each volume is
within ``VOLUME_TOLERANCE`` of its target, and so mean and standard deviation of
the diameters are within 1e-3 of the law's.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.sparse import coo_array
from scipy.sparse.linalg import spsolve
from scipy.special import gamma, ndtri

from multiscale.errors import GenerationError, RecipeError, describe
from multiscale.microstructure.power_cells import Cells, measure
from multiscale.microstructure.power_diagram import FIRST_MARGIN, Floats

VOLUME_TOLERANCE = 1e-3  # relative, for each cell
MAXIMUM_STEPS = 100
SMALLEST_STEP = 2.0**-20
LARGEST_SIGMA = 8.0


def equivalent_diameters(volumes: Floats, dimension: int) -> Floats:
    """Diameter of the ball (disc) of the same volume (area).

    Parameters
    ----------
    volumes : (n,) array
        Volumes [m³], in 2D areas [m²].
    dimension : int
        2 or 3.

    Returns
    -------
    (n,) array
        Diameters [m].
    """
    unit_ball = np.pi ** (dimension / 2) / gamma(dimension / 2 + 1)
    return np.asarray(2 * (volumes / unit_ball) ** (1 / dimension))


def lognormal_volumes(count: int, total: float, cv: float, dimension: int) -> Floats:
    """Volumes whose equivalent diameters follow a log-normal law.

    Parameters
    ----------
    count : int
        Number of cells.
    total : float
        Their total volume [m³], in 2D area [m²].
    cv : float
        Standard deviation of the diameters divided by their mean.
    dimension : int
        2 or 3.

    Returns
    -------
    (n,) array
        Volumes, ascending; their diameters have this coefficient of variation exactly.

    Raises
    ------
    RecipeError
        If so few cells cannot vary so much.
    """
    quantile = ndtri((np.arange(count) + 0.5) / count)

    def excess(sigma: float) -> float:
        diameter = np.exp(sigma * quantile - sigma * quantile[-1])
        return float(diameter.std() / diameter.mean() - cv)

    sigma = 0.0
    if cv > 0:
        if excess(LARGEST_SIGMA) <= 0:
            raise RecipeError(
                describe("grain_size_cv", f"a spread that {count} grains can have", cv, "take more")
            )
        sigma = float(brentq(excess, 0.0, LARGEST_SIGMA, xtol=1e-13))
    volumes = np.exp(dimension * sigma * quantile)
    return np.asarray(volumes * (total / volumes.sum()))


def _newton_step(
    cells: Cells, target: Floats, seeds: Floats, size: Floats, periodic: bool
) -> Floats:
    """Change of weights that would meet the targets if volumes were linear in them."""
    table = cells.table
    inner = table.first != table.second
    first, second = table.first[inner], table.second[inner]
    coupling = table.area[inner] / (2 * (table.distance_first + table.distance_second)[inner])
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    values = np.concatenate([coupling, coupling])
    count = len(seeds)
    diagonal = np.bincount(rows, values, minlength=count)
    every = np.arange(count)
    matrix = coo_array(
        (
            np.concatenate([diagonal, -values]),
            (np.concatenate([every, rows]), np.concatenate([every, columns])),
        ),
        shape=(count, count),
    ).tocsc()
    step = np.zeros(count)
    step[1:] = spsolve(matrix[1:, 1:], (target - cells.volumes)[1:])
    return np.asarray(step - step.mean())


def transport_weights(
    seeds: Floats,
    size: Floats,
    volumes: Floats,
    *,
    periodic: bool,
    tolerance: float = VOLUME_TOLERANCE,
) -> Floats:
    """Find the power weights that give each cell its volume.

    Parameters
    ----------
    seeds : (n, d) array
        Seeds [m].
    size : (d,) array
        Box edges [m].
    volumes : (n,) array
        Positive target volumes; they add up to the box.
    periodic : bool
        Whether the box repeats.
    tolerance : float, optional
        Largest relative error of a volume.

    Returns
    -------
    (n,) array
        Power weights [m²], mean 0.

    Raises
    ------
    GenerationError
        If the iteration stops short of the tolerance.
    """
    count, dimension = seeds.shape
    unit = float((np.prod(size) / count) ** (1 / dimension))
    scaled, box = seeds / unit, size / unit
    target = volumes / unit**dimension
    weights = np.zeros(count)
    cells = measure(scaled, weights, box, periodic=periodic)
    floor = 0.5 * min(float(cells.volumes.min()), float(target.min()))
    for _ in range(MAXIMUM_STEPS):
        error = float(np.max(np.abs(cells.volumes / target - 1)))
        if error <= tolerance:
            return weights * unit**2
        step = _newton_step(cells, target, scaled, box, periodic)
        residual = float(np.linalg.norm(cells.volumes - target))
        length = 1.0
        while length >= SMALLEST_STEP:
            trial = weights + length * step
            margin = max(FIRST_MARGIN, 1.05 * cells.vertices.reach)
            attempt = measure(scaled, trial, box, periodic=periodic, margin=margin)
            better = float(np.linalg.norm(attempt.volumes - target)) <= (1 - length / 2) * residual
            if better and attempt.volumes.min() >= floor:
                break
            length /= 2
        else:
            break
        weights, cells = trial, attempt
    raise GenerationError(
        f"grain-size law: cell volumes met within {error:.1e}, wanted {tolerance:.0e}; "
        "lower grain_size_cv or take seeding 'lloyd'"
    )
