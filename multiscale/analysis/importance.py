"""What decides D_eff: descriptors of the microstructure, bounds and the grain circuit.

The target is log₁₀ D_eff along each axis of each sample; axes that do not conduct are
counted and left out. Models are judged on samples that they have not seen: all axes and
temperatures of one sample stay together, as they share their microstructure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from multiscale.errors import InputError, describe

Floats = NDArray[np.float64]
FOLDS = 5
FEWEST = 30
"""Samples below which nothing is fitted."""
CIRCUIT = "circuit D_eff"
BOUNDS = ("lower bound", "upper bound")


@dataclass(frozen=True, slots=True)
class Score:
    """How well one model predicts samples that it has not seen.

    Parameters
    ----------
    model : str
        What it is given, and its kind.
    rmse, rmse_stderr : float
        Root mean square error [decades of D_eff], and its standard error over the folds.
    r_squared : float
        Share of the variance of the target that it explains; below zero it is worse than
        the mean of the others.
    """

    model: str
    rmse: float
    rmse_stderr: float
    r_squared: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """What decides D_eff in an ensemble.

    Parameters
    ----------
    rows, samples, zeros : int
        Targets, samples behind them, and axes that do not conduct and are left out.
    scores : tuple of Score
        The circuit as it is, bounds and circuit, descriptors, and all.
    importance : dict of str to (float, float)
        Growth of the squared error of the model of descriptors, as a share of the target's
        variance, when one of them is shuffled among unseen samples, and its standard error
        over the folds; greatest first. To be read only where that model's R² is well above
        zero.
    residual : Score
        How well descriptors predict what the circuit leaves: log₁₀(D_eff / D_circuit).
    residual_importance : dict of str to (float, float)
        Importance of each for that.
    residual_spread : float
        Standard deviation of what the circuit leaves [decades].
    worst : tuple of (int, str, float)
        Sample, axis and residual [decades] where the full model errs most.
    """

    rows: int
    samples: int
    zeros: int
    scores: tuple[Score, ...]
    importance: dict[str, tuple[float, float]]
    residual: Score
    residual_importance: dict[str, tuple[float, float]]
    residual_spread: float
    worst: tuple[tuple[int, str, float], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Targets and what may explain them.

    Parameters
    ----------
    target : (n,) ndarray
        log₁₀ D_eff [m²/s].
    columns : dict of str to (n,) ndarray
        Descriptors; lengths, densities and diffusivities as logarithms.
    sample : (n,) int ndarray
        Which sample each row is of.
    axis : (n,) ndarray of str
        Along which axis.
    zeros : int
        Rows left out, as nothing flows.
    """

    target: Floats
    columns: dict[str, Floats]
    sample: NDArray[np.int64]
    axis: NDArray[np.str_]
    zeros: int


def descriptor_table(results: xr.Dataset, ensemble: str | None = None) -> Table:
    """Gather descriptors of every sample, axis and temperature.

    Parameters
    ----------
    results : xarray.Dataset
        Merged results of a run.
    ensemble : str, optional
        One ensemble; needed where there are several.

    Returns
    -------
    Table
        Columns that do not vary are left out.

    Raises
    ------
    InputError
        If the ensemble is not one of the results.
    """
    known = [str(one) for one in np.unique(results["ensemble"].values)]
    if ensemble is None and len(known) > 1:
        raise InputError(describe("ensemble", "a choice", "none", f"there are {', '.join(known)}"))
    if ensemble is not None and ensemble not in known:
        raise InputError(describe("ensemble", f"one of {', '.join(known)}", ensemble))
    some = results.isel(sample=np.flatnonzero(results["ensemble"].values == (ensemble or known[0])))
    d = int(some["dimension"].values[0])
    shape = (some.sizes["sample"], some.sizes["temperature"], d)
    effective = _diagonal(some, "effective_diffusivity", d)
    conducts = effective > 0
    columns: dict[str, Floats] = {}

    def add(name: str, values: Any, *, log: bool = False) -> None:
        column = np.broadcast_to(np.asarray(values, dtype=float), shape)[conducts]
        if log:
            with np.errstate(divide="ignore", invalid="ignore"):
                column = np.log10(column)
            column = np.where(np.isfinite(column), column, np.nan)
        if np.isfinite(column).any() and np.nanmax(column) - np.nanmin(column) > 1e-9:
            columns[name] = column

    inverse = 1000 / np.asarray(some["temperature"].values, dtype=float)
    add("1000 K / T", inverse[None, :, None])
    add("grain size", some["grain_size"].values[:, None, None], log=True)
    for name in ("triple_line_density", "diameter_cv", "heterointerfaces", "grains"):
        add(name.replace("_", " "), some[name].values[:, None, None])
    for place, phase in enumerate(some["phase"].values):
        add(f"volume fraction {phase}", some["volume_fraction"].values[:, place, None, None])
        add(
            f"largest cluster {phase}",
            some["largest_cluster_fraction"].values[:, place, None, None],
        )
        for name in ("percolates", "percolating_fraction"):
            values = some[name].values[:, place, None, :d]
            add(f"{name.replace('_', ' ')} {phase}", values)
    for place, kind in enumerate(some["boundary_type"].values):
        density = some["boundary_area_density"].values[:, place, None, None]
        add(f"density {kind}", density, log=True)
        add(f"boundary percolates {kind}", some["boundary_percolates"].values[:, place, None, :d])
    add(BOUNDS[0], some["hashin_shtrikman_lower"].values[:, :, None], log=True)
    add(BOUNDS[1], some["hashin_shtrikman_upper"].values[:, :, None], log=True)
    add(CIRCUIT, _diagonal(some, "circuit_diffusivity", d), log=True)
    sample = np.broadcast_to(some["sample"].values[:, None, None], shape)[conducts]
    axis = np.broadcast_to(some["axis"].values[:d], shape)[conducts]
    return Table(
        np.log10(effective[conducts]),
        columns,
        sample.astype(np.int64),
        axis.astype(str),
        int(np.count_nonzero(~conducts)),
    )


def explain_diffusivity(
    results: xr.Dataset, ensemble: str | None = None, *, seed: int = 0, worst: int = 10
) -> Explanation:
    """Regress log₁₀ D_eff on descriptors, and on what bounds and circuit already say.

    Parameters
    ----------
    results : xarray.Dataset
        Merged results of a run.
    ensemble : str, optional
        One ensemble; needed where there are several.
    seed : int, optional
        Of the folds, the trees and the shuffling.
    worst : int, optional
        How many of the worst residuals to list.

    Returns
    -------
    Explanation
        Cross-validated scores, importances, and what the circuit leaves.

    Raises
    ------
    InputError
        If there are too few samples, or no ensemble is chosen.

    Notes
    -----
    Linear models are ridge regressions, the others gradient-boosted trees (scikit-learn);
    permutation importance after Breiman, Mach. Learn. 45 (2001) 5, 10.1023/A:1010933404324.
    """
    with threadpool_limits(1):  # small tables: threads cost more than they bring
        return _explain(descriptor_table(results, ensemble), seed, worst)


def _explain(table: Table, seed: int, worst: int) -> Explanation:
    samples = len(np.unique(table.sample))
    if samples < FEWEST:
        expected = f"at least {FEWEST} samples that conduct"
        raise InputError(describe("results", expected, samples, "run more realisations"))
    own = {
        name: column
        for name, column in table.columns.items()
        if name != CIRCUIT and name not in BOUNDS
    }
    known = {name: table.columns[name] for name in (*BOUNDS, CIRCUIT) if name in table.columns}
    scores = []
    left = np.zeros_like(table.target)
    if CIRCUIT in table.columns and np.isfinite(table.columns[CIRCUIT]).all():
        left = table.target - table.columns[CIRCUIT]
        scores.append(_plain_score("circuit as it is", table, table.columns[CIRCUIT]))
    cases: tuple[tuple[str, Mapping[str, Floats], Callable[[], Any]], ...] = (
        ("bounds and circuit, linear", known, _ridge),
        ("descriptors, linear", own, _ridge),
        ("descriptors, trees", own, lambda: _trees(seed)),
        ("descriptors, bounds and circuit, trees", table.columns, lambda: _trees(seed)),
    )
    for label, columns, make in cases:
        if columns:
            rank = columns is own and "trees" in label
            score, importance, errors = _validate(
                label, table, columns, table.target, make, seed, rank=rank
            )
            scores.append(score)
            if rank:
                ranked = importance
    residual, remaining, _ = _validate(
        "what the circuit leaves, trees", table, own, left, lambda: _trees(seed), seed
    )
    order = np.argsort(-np.abs(errors))[:worst]
    return Explanation(
        len(table.target),
        samples,
        table.zeros,
        tuple(scores),
        ranked,
        residual,
        remaining,
        float(left.std()),
        tuple((int(table.sample[i]), str(table.axis[i]), float(errors[i])) for i in order),
    )


def _diagonal(some: xr.Dataset, name: str, d: int) -> Floats:
    """Values along the axes, (sample, temperature, axis)."""
    found: Floats = np.diagonal(some[name].values[..., :d, :d], axis1=-2, axis2=-1)
    return found


def _ridge() -> Any:
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(-6, 3, 19)))


def _trees(seed: int) -> Any:
    return HistGradientBoostingRegressor(
        max_iter=120, learning_rate=0.1, min_samples_leaf=10, random_state=seed
    )


def _plain_score(label: str, table: Table, guess: Floats) -> Score:
    """Score of a prediction that nothing was fitted for."""
    squares = (table.target - guess) ** 2
    means = [squares[table.sample == one].mean() for one in np.unique(table.sample)]
    error = float(np.sqrt(squares.mean()))
    stderr = float(np.std(means, ddof=1) / np.sqrt(len(means)) / (2 * error)) if error else 0.0
    return Score(label, error, stderr, float(1 - squares.mean() / table.target.var()))


def _validate(
    label: str,
    table: Table,
    columns: Mapping[str, Floats],
    target: Floats,
    make: Callable[[], Any],
    seed: int,
    *,
    rank: bool = True,
) -> tuple[Score, dict[str, tuple[float, float]], Floats]:
    """Predict every sample by a model that has not seen it."""
    names = list(columns)
    values = np.column_stack([columns[name] for name in names])
    middle = np.nanmedian(values, axis=0)
    values = np.where(np.isfinite(values), values, middle)
    variance = float(target.var()) or 1.0
    errors = np.zeros_like(target)
    roots, growth = [], []
    for fit, test in GroupKFold(FOLDS, shuffle=True, random_state=seed).split(
        values, target, table.sample
    ):
        model = make().fit(values[fit], target[fit])
        errors[test] = target[test] - model.predict(values[test])
        roots.append(float(np.sqrt(np.mean(errors[test] ** 2))))
        if not rank:
            continue
        found = permutation_importance(
            model,
            values[test],
            target[test],
            scoring="neg_mean_squared_error",
            n_repeats=3,
            random_state=seed,
        )
        growth.append(found.importances_mean / variance)
    ranked = {}
    if rank:
        mean = np.mean(growth, axis=0)
        stderr = np.std(growth, axis=0, ddof=1) / np.sqrt(FOLDS)
        ranked = {names[i]: (float(mean[i]), float(stderr[i])) for i in np.argsort(-mean)}
    rmse = float(np.sqrt(np.mean(errors**2)))
    spread = float(np.std(roots, ddof=1) / np.sqrt(FOLDS))
    score = Score(label, rmse, spread, float(1 - np.mean(errors**2) / variance))
    return score, ranked, errors
