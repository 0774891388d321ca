"""One mode or two? Hartigan's dip and a mixture of normal laws on log10 D."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from multiscale.analysis.dip import dip, dip_p_value
from multiscale.errors import InputError, describe

Floats = NDArray[np.float64]
Verdict = Literal["one", "two", "too few", "constant"]

FEWEST = 10
"""Fewest positive values that are tested."""
CONSTANT = 1e-9
"""Spread of log10 D below which a sample counts as constant."""


@dataclass(frozen=True, slots=True)
class ModeTest:
    """Whether positive values lie in one group or in two, on a logarithmic axis.

    Two modes are reported when all three hold: the dip's p-value is below ``level``, the
    Bayesian information criterion prefers two normal laws by more than 10, and their Ashman
    separation exceeds 2.

    Attributes
    ----------
    verdict : {"one", "two", "too few", "constant"}
        Of the positive values; "too few" below 10 of them, "constant" when they all agree.
    modes : int
        1 or 2; 0 when there were too few values to tell.
    n : int
        Positive values tested.
    zero_fraction : float
        Share of exact zeros (samples that do not percolate). They are a separate atom and
        not part of the verdict: a sample with zeros and one mode is two groups all the same.
    dip, p_value : float
        Hartigan's dip and its p-value against uniform samples; NaN if not tested.
    bic_difference : float
        BIC of one normal law minus BIC of two; above 10 is strong evidence for two.
    separation : float
        Ashman's D = √2 |μ₁ − μ₂| / √(σ₁² + σ₂²); above 2 the two laws part.
    centres, widths, weights : tuple of float
        Mean and standard deviation of log10 D and share of each fitted law, lowest first:
        one entry for one mode, two for two, none if there were too few.
    level : float
        The largest p-value that counts as evidence.
    """

    verdict: Verdict
    modes: int
    n: int
    zero_fraction: float
    dip: float
    p_value: float
    bic_difference: float
    separation: float
    centres: tuple[float, ...]
    widths: tuple[float, ...]
    weights: tuple[float, ...]
    level: float


@dataclass(frozen=True, slots=True)
class Mixture:
    """Normal laws fitted to a sample, lowest mean first.

    Attributes
    ----------
    centres, widths, weights : ndarray, shape (k,)
        Mean, standard deviation and share of each law.
    log_likelihood : float
        Of the whole sample.
    bic : float
        (3k − 1) ln n − 2 log_likelihood.
    """

    centres: Floats
    widths: Floats
    weights: Floats
    log_likelihood: float
    bic: float


def mode_test(
    diffusivities: ArrayLike, *, level: float = 0.05, resamples: int = 2000, seed: int = 0
) -> ModeTest:
    """Test diffusivities for one or two modes of log10 D.

    Parameters
    ----------
    diffusivities : array_like, shape (n,)
        Not negative, in any one unit. Exact zeros are counted apart.
    level : float, optional
        Largest p-value of the dip that counts as evidence for two modes.
    resamples : int, optional
        Uniform samples behind the p-value.
    seed : int, optional
        Of those samples.

    Returns
    -------
    ModeTest
        The verdict and the figures behind it.

    Raises
    ------
    InputError
        If a value is negative, infinite or NaN, or the array is not one-dimensional.

    Notes
    -----
    Hartigan and Hartigan, Ann. Stat. 13 (1985) 70, 10.1214/aos/1176346577; Schwarz, Ann.
    Stat. 6 (1978) 461, 10.1214/aos/1176344136; Ashman, Bird and Zepf, Astron. J. 108 (1994)
    2348, 10.1086/117248. The dip is conservative (on normal samples far fewer than ``level``
    are called two), and modes closer than about four standard deviations need hundreds of
    samples to be seen.
    """
    values = np.asarray(diffusivities, dtype=np.float64)
    if values.ndim != 1:
        raise InputError(describe("diffusivities", "a list of numbers", f"shape {values.shape}"))
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if bad.size:
        raise InputError(
            describe(f"diffusivities[{bad[0]}]", "a finite number ≥ 0", float(values[bad[0]]))
        )
    positive = np.log10(values[values > 0])
    n = positive.size
    zeros = 1 - n / values.size if values.size else 0.0
    nan = float("nan")
    if n < FEWEST:
        return ModeTest("too few", 0, n, zeros, nan, nan, nan, nan, (), (), (), level)
    if np.ptp(positive) < CONSTANT:
        centre = (float(positive.mean()),)
        return ModeTest("constant", 1, n, zeros, nan, nan, nan, nan, centre, (0.0,), (1.0,), level)
    statistic = dip(positive)
    p_value = dip_p_value(statistic, n, resamples=resamples, seed=seed)
    one, two = fit_one(positive), fit_two(positive)
    gain = one.bic - two.bic
    separation = float(np.sqrt(2) * np.ptp(two.centres) / np.sqrt(np.sum(two.widths**2)))
    is_two = p_value < level and gain > 10 and separation > 2
    fit = two if is_two else one
    return ModeTest(
        verdict="two" if is_two else "one",
        modes=2 if is_two else 1,
        n=n,
        zero_fraction=zeros,
        dip=statistic,
        p_value=p_value,
        bic_difference=gain,
        separation=separation,
        centres=tuple(fit.centres.tolist()),
        widths=tuple(fit.widths.tolist()),
        weights=tuple(fit.weights.tolist()),
        level=level,
    )


def fit_one(sample: Floats) -> Mixture:
    """Fit one normal law by maximum likelihood.

    Parameters
    ----------
    sample : ndarray, shape (n,)
        Values that are not all equal.

    Returns
    -------
    Mixture
        With k = 1.
    """
    mean, width = float(sample.mean()), float(sample.std())
    likelihood = float(_log_normal(sample, np.array([mean]), np.array([width])).sum())
    bic = 2 * np.log(sample.size) - 2 * likelihood
    return Mixture(np.array([mean]), np.array([width]), np.ones(1), likelihood, float(bic))


def fit_two(sample: Floats, *, iterations: int = 500, rtol: float = 1e-7) -> Mixture:
    """Fit two normal laws by expectation maximisation.

    Parameters
    ----------
    sample : ndarray, shape (n,)
        Values that are not all equal.
    iterations : int, optional
        Cap for each of three starts (the sample split at its quartiles); the likelihood
        rises at every step, so a start that meets the cap is still a valid lower bound.
    rtol : float, optional
        Gain in log-likelihood for each value at which a start ends.

    Returns
    -------
    Mixture
        The best of the three starts. No width falls below 2 % of the sample's, which keeps
        a law from collapsing onto one value.
    """
    ordered = np.sort(sample)
    starts = (ordered.size // 4, ordered.size // 2, 3 * ordered.size // 4)
    fits = (_maximise(ordered, split, iterations, rtol) for split in starts)
    return max(fits, key=lambda fit: fit.log_likelihood)


def _maximise(ordered: Floats, split: int, iterations: int, rtol: float) -> Mixture:
    n, floor = ordered.size, 0.02 * ordered.std()
    shares = np.zeros((n, 2))
    shares[:split, 0] = shares[split:, 1] = 1.0
    likelihood = -np.inf
    for _ in range(iterations):
        counts = np.maximum(shares.sum(axis=0), 1e-12)
        centres = shares.T @ ordered / counts
        variances = np.sum(shares * (ordered[:, None] - centres) ** 2, axis=0) / counts
        widths, weights = np.maximum(np.sqrt(variances), floor), counts / n
        joint = _log_normal(ordered, centres, widths) + np.log(weights)
        total = np.logaddexp(joint[:, 0], joint[:, 1])
        previous, likelihood = likelihood, float(total.sum())
        if likelihood - previous < rtol * n:
            break
        shares = np.exp(joint - total[:, None])
    order = np.argsort(centres)
    bic = 5 * np.log(n) - 2 * likelihood
    return Mixture(centres[order], widths[order], weights[order], likelihood, float(bic))


def _log_normal(sample: Floats, centres: Floats, widths: Floats) -> Floats:
    z = (sample[:, None] - centres) / widths
    result: Floats = -0.5 * z**2 - np.log(widths) - 0.5 * np.log(2 * np.pi)
    return result
