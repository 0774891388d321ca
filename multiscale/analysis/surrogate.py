"""A Gaussian process that stands for an ensemble: log₁₀ D_eff with its uncertainty.

Inputs are those of temperature (as 1000 K/T), grain size (as log₁₀) and volume fraction that
vary. What is learned are means over the polycrystals of one design point, with their standard
errors, so that thousands of samples make a few hundred rows. A polycrystal that conducts well
does so at every temperature: each is therefore learned at one of them, in turn, so that the
errors of all rows are independent. The kernel is a constant times
Matérn 5/2 with a length for each input, plus white noise; scikit-learn finds its parameters,
and the prediction is written out here, in the arrays that are stored and exported::

    mean = k α,  variance of the law = c − |L⁻¹ k|²,  of one sample: + spread²
"""

from __future__ import annotations

import json
import math
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_triangular
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from threadpoolctl import threadpool_limits

from multiscale.errors import InputError, describe

Floats = NDArray[np.float64]
INPUTS = ("temperature", "grain_size", "volume_fraction")
UNITS = {"temperature": "K", "grain_size": "m", "volume_fraction": "1"}
FEWEST = 6
"""Design points below which nothing is fitted."""
MOST = 2000
"""Design points above which a dense process is refused."""
FORMAT = "multiscale surrogate 1"


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a surrogate says at some points.

    Parameters
    ----------
    mean : (n,) ndarray
        log₁₀ of the effective diffusivity [m²/s].
    law_sd : (n,) ndarray
        Standard deviation of that law [decades].
    sample_sd : (n,) ndarray
        The same for a single polycrystal.
    extrapolated : (n,) ndarray of bool
        Whether a point lies outside the range of some input.
    """

    mean: Floats
    law_sd: Floats
    sample_sd: Floats
    extrapolated: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A fitted process.

    Parameters
    ----------
    inputs : tuple of str
        Those of :data:`INPUTS` that vary, in order.
    low, high : (d,) ndarray
        Range of each input that was seen, in its own unit.
    fixed : dict of str to float
        Value of each input that does not vary.
    centre, scale : (d,) ndarray
        Features are standardised by them.
    points : (m, d) ndarray
        Standardised features of the design points.
    weights : (m,) ndarray
        α.
    factor : (m, m) ndarray
        L⁻¹ of the covariance of the design points.
    offset, unit : float
        Mean and scale of log₁₀ D_eff.
    amplitude, white : float
        Variances of the kernel, in standardised units.
    lengths : (d,) ndarray
        Of the kernel.
    spread : float
        Standard deviation of single polycrystals about the law [decades].
    score : dict of str to float
        Leave-one-out: ``rmse`` [decades], ``coverage_95``, ``points``.
    title, study_hash, ensemble : str
        Where it comes from.
    """

    inputs: tuple[str, ...]
    low: Floats
    high: Floats
    fixed: dict[str, float]
    centre: Floats
    scale: Floats
    points: Floats
    weights: Floats
    factor: Floats
    offset: float
    unit: float
    amplitude: float
    white: float
    lengths: Floats
    spread: float
    score: dict[str, float]
    title: str
    study_hash: str
    ensemble: str

    def predict(
        self,
        temperature: ArrayLike | None = None,
        grain_size: ArrayLike | None = None,
        volume_fraction: ArrayLike | None = None,
        *,
        extrapolate: bool = False,
    ) -> Prediction:
        """Predict at some points.

        Parameters
        ----------
        temperature : float or (n,) array_like, optional
            Absolute temperature [K]; not needed where the ensemble has one.
        grain_size : float or (n,) array_like, optional
            Mean grain size [m]; the same.
        volume_fraction : float or (n,) array_like, optional
            Of the swept phase; the same.
        extrapolate : bool, optional
            Predict outside the ranges too, and flag it.

        Returns
        -------
        Prediction
            Means and standard deviations.

        Raises
        ------
        InputError
            If an input is missing, not finite, or outside its range.
        """
        given = dict(zip(INPUTS, (temperature, grain_size, volume_fraction), strict=True))
        columns = np.broadcast_arrays(
            *(np.atleast_1d(np.asarray(self._value(n, given[n]), float)) for n in self.inputs)
        )
        natural = np.column_stack([np.ravel(one) for one in columns])
        beyond = (natural < self.low * (1 - 1e-9)) | (natural > self.high * (1 + 1e-9))
        outside = beyond.any(axis=1)
        if outside.any() and not extrapolate:
            row = int(np.argmax(outside))
            place = int(np.argmax(beyond[row]))
            name = self.inputs[place]
            expected = f"{self.low[place]:g} to {self.high[place]:g} {UNITS[name]}".rstrip(" 1")
            remedy = "pass extrapolate=True to go beyond what was computed"
            raise InputError(describe(name, expected, f"{natural[row, place]:g}", remedy))
        feature = (features(self.inputs, natural) - self.centre) / self.scale
        cross = self.amplitude * matern(feature, self.points, self.lengths)
        mean = self.offset + self.unit * (cross @ self.weights)
        left = self.amplitude - np.sum((cross @ self.factor.T) ** 2, axis=1)
        law = self.unit * np.sqrt(np.maximum(left, 0.0))
        return Prediction(mean, law, np.hypot(law, self.spread), np.asarray(outside, dtype=bool))

    def _value(self, name: str, given: ArrayLike | None) -> ArrayLike:
        if given is None:
            raise InputError(describe(name, f"a value [{UNITS[name]}]", "none"))
        values = np.asarray(given, dtype=float)
        if not np.all(np.isfinite(values)) or np.any(values < 0) or (
            name != "volume_fraction" and np.any(values == 0)
        ):  # fmt: skip
            raise InputError(describe(name, "finite and positive values", given))
        return values

    def save(self, path: str | Path) -> Path:
        """Write it to a file of plain arrays.

        Parameters
        ----------
        path : str or pathlib.Path
            A ``.npz`` file, replaced as a whole.

        Returns
        -------
        pathlib.Path
            The file.
        """
        path = Path(path)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        facts = {name: getattr(self, name) for name in _FACTS}
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                text = np.array(json.dumps({"format": FORMAT, **facts}))
                np.savez_compressed(file, allow_pickle=False, facts=text, **arrays)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: str | Path) -> Surrogate:
        """Read what :meth:`save` wrote; nothing is unpickled.

        Parameters
        ----------
        path : str or pathlib.Path
            The file.

        Returns
        -------
        Surrogate
            The same.

        Raises
        ------
        InputError
            If it is not such a file.
        """
        try:
            with Path(path).open("rb") as handle, np.load(handle, allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                arrays: dict[str, Any] = {
                    name: np.asarray(file[name], dtype=float) for name in _ARRAYS
                }
            if facts.pop("format") != FORMAT:
                raise KeyError("format")
            facts["inputs"] = tuple(facts["inputs"])
            made = cls(**facts, **arrays)
            m, d = made.points.shape
            shapes = (made.weights.shape, made.factor.shape, made.low.shape, made.lengths.shape)
            if shapes != ((m,), (m, m), (d,), (d,)) or len(made.inputs) != d:
                raise KeyError("shapes")
        except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile) as error:
            expected = "a surrogate that this program stored"
            raise InputError(describe(path, expected, str(error) or "another file")) from None
        return made


_FACTS = (
    "inputs", "fixed", "offset", "unit", "amplitude", "white", "spread", "score", "title",
    "study_hash", "ensemble",
)  # fmt: skip
_ARRAYS = ("low", "high", "centre", "scale", "points", "weights", "factor", "lengths")


def features(inputs: tuple[str, ...], natural: Floats) -> Floats:
    """Turn inputs into what the process is linear in, nearly.

    Parameters
    ----------
    inputs : tuple of str
        Names of the columns.
    natural : (n, d) ndarray
        Values in SI.

    Returns
    -------
    (n, d) ndarray
        1000 K/T, log₁₀ of the grain size, the volume fraction.
    """
    made = natural.copy()
    for column, name in enumerate(inputs):
        if name == "temperature":
            made[:, column] = 1000.0 / natural[:, column]
        elif name == "grain_size":
            made[:, column] = np.log10(natural[:, column])
    return made


def matern(left: Floats, right: Floats, lengths: Floats) -> Floats:
    """Evaluate the Matérn 5/2 correlation.

    Parameters
    ----------
    left : (n, d) ndarray
        Points.
    right : (m, d) ndarray
        Points.
    lengths : (d,) ndarray
        Of each input.

    Returns
    -------
    (n, m) ndarray
        Correlations.
    """
    difference = (left[:, None, :] - right[None, :, :]) / lengths
    reach = math.sqrt(5.0) * np.sqrt(np.sum(difference**2, axis=-1))
    found: Floats = (1 + reach + reach**2 / 3) * np.exp(-reach)
    return found


def fit_surrogate(results: xr.Dataset, ensemble: str | None = None, *, seed: int = 0) -> Surrogate:
    """Fit a Gaussian process to an ensemble.

    Parameters
    ----------
    results : xarray.Dataset
        Merged results of a run.
    ensemble : str, optional
        One ensemble; needed where there are several.
    seed : int, optional
        Of the starts of the search for the kernel's parameters.

    Returns
    -------
    Surrogate
        With its leave-one-out score.

    Raises
    ------
    InputError
        If there are too few or too many design points, or samples that do not conduct.

    Notes
    -----
    Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), algorithm 2.1 and
    equations 5.10 to 5.12 for leaving one out.
    """
    known = [str(one) for one in np.unique(results["ensemble"].values)]
    if ensemble is None and len(known) > 1:
        raise InputError(describe("ensemble", "a choice", "none", f"there are {', '.join(known)}"))
    if ensemble is not None and ensemble not in known:
        raise InputError(describe("ensemble", f"one of {', '.join(known)}", ensemble))
    chosen = ensemble or known[0]
    rows, target, error, spread = _design(results, chosen)
    varies = [place for place in range(3) if np.ptp(rows[:, place]) > 0]
    if len(target) < FEWEST or not varies:
        raise InputError(describe("results", f"at least {FEWEST} design points", len(target)))
    if len(target) > MOST:
        raise InputError(describe("results", f"at most {MOST} design points", len(target)))
    inputs = tuple(INPUTS[place] for place in varies)
    natural = rows[:, varies]
    raw = features(inputs, natural)
    centre, scale = raw.mean(axis=0), raw.std(axis=0)
    points, offset, unit = (raw - centre) / scale, float(target.mean()), float(target.std()) or 1.0
    kernel = ConstantKernel(1.0, (1e-3, 1e4)) * Matern(
        np.ones(len(varies)), (0.05, 100.0), nu=2.5
    ) + WhiteKernel(1e-3, (1e-8, 1.0))
    noise = (error / unit) ** 2
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)  # a length at its bound is no fault
        process = GaussianProcessRegressor(
            kernel, alpha=noise + 1e-10, n_restarts_optimizer=3, random_state=seed
        ).fit(points, (target - offset) / unit)
    parts: Any = process.kernel_
    amplitude, lengths = float(parts.k1.k1.constant_value), np.atleast_1d(parts.k1.k2.length_scale)
    white = float(parts.k2.noise_level)
    factor = solve_triangular(process.L_, np.eye(len(target)), lower=True)
    weights = np.ravel(process.alpha_)
    inverse = factor.T @ factor
    left_out = weights / np.diag(inverse)
    deviation = np.sqrt(1 / np.diag(inverse))
    fixed = {INPUTS[place]: float(rows[0, place]) for place in range(3) if place not in varies}
    return Surrogate(
        inputs, natural.min(axis=0), natural.max(axis=0), fixed, centre, scale, points, weights,
        factor, offset, unit, amplitude, white, lengths.astype(float),
        float(math.hypot(spread, unit * math.sqrt(white))),
        {
            "rmse": float(unit * np.sqrt(np.mean(left_out**2))),
            "coverage_95": float(np.mean(np.abs(left_out) < 1.96 * deviation)),
            "points": float(len(target)),
        },
        str(results.attrs.get("title", "")), str(results.attrs.get("study_hash", "")), chosen,
    )  # fmt: skip


def _design(results: xr.Dataset, ensemble: str) -> tuple[Floats, Floats, Floats, float]:
    """Means of log₁₀ D_eff by design point, their errors, and the spread of samples."""
    some = results.isel(sample=np.flatnonzero(results["ensemble"].values == ensemble))
    d = int(some["dimension"].values[0])
    tensor = some["effective_diffusivity"].values[..., :d, :d]
    value = np.diagonal(tensor, axis1=-2, axis2=-1).mean(axis=-1)  # (sample, temperature)
    if not np.all(value > 0):
        share = float(np.mean(value <= 0))
        remedy = "a phase that does not conduct needs fractions at which the other percolates"
        raise InputError(
            describe("results", "samples that conduct", f"{share:.0%} that do not", remedy)
        )
    log = np.log10(value)
    fraction = np.nan_to_num(some["target_volume_fraction"].values, nan=0.0)
    groups: dict[tuple[float, float], list[int]] = {}
    for place, key in enumerate(zip(some["grain_size"].values, fraction, strict=True)):
        groups.setdefault((float(key[0]), float(key[1])), []).append(place)
    rows, target, count, squares, free = [], [], [], 0.0, 0
    temperatures = some["temperature"].values
    for number, ((size, share), places) in enumerate(groups.items()):
        for column, temperature in enumerate(temperatures):
            every = log[places, column]
            squares += float(np.sum((every - every.mean()) ** 2))
            free += len(every) - 1
            values = every[(number + column) % len(temperatures) :: len(temperatures)]
            if len(values):
                rows.append((float(temperature), size, share))
                target.append(values.mean())
                count.append(len(values))
    spread = math.sqrt(squares / free) if free else 0.0
    return np.array(rows), np.array(target), spread / np.sqrt(np.array(count)), spread
