"""Analysis: what a whole study says.

Enters: one property a sample (D_eff in m²/s along an axis), with the key of the group that
each sample belongs to. Leaves: frozen summaries and verdicts.

Governing statements: a distribution is called two-moded when Hartigan's dip rejects every
unimodal law (p < 0.05), the Bayesian information criterion prefers two normal laws of log10 D
by more than 10, and the two part by an Ashman separation above 2. Confidence intervals are
percentile bootstraps.

Assumptions: samples are independent and drawn alike within a group. Exact zeros (samples that
do not percolate) are no part of a logarithmic distribution and are counted apart.

Files in reading order: ``dip.py`` (the statistic and its p-value), ``modes.py`` (the verdict),
``distributions.py`` (quantiles and intervals by group), ``importance.py`` (descriptors → D_eff),
``budget.py`` (how much of the spread is microstructure, how much what went in),
``surrogate.py`` (a process that stands for the ensemble), ``calibration.py``
(a boundary from a measured spectrum).
"""

from multiscale.analysis.budget import Budget, uncertainty_budget
from multiscale.analysis.calibration import (
    Calibration,
    MeasuredSample,
    Posterior,
    calibrate,
    without_width,
)
from multiscale.analysis.dip import dip, dip_p_value
from multiscale.analysis.distributions import GroupSummary, Interval, summarise_groups
from multiscale.analysis.importance import Explanation, Score, explain_diffusivity
from multiscale.analysis.modes import Mixture, ModeTest, fit_one, fit_two, mode_test
from multiscale.analysis.surrogate import Prediction, Surrogate, fit_surrogate

__all__ = [
    "Budget",
    "Calibration",
    "Explanation",
    "GroupSummary",
    "Interval",
    "MeasuredSample",
    "Mixture",
    "ModeTest",
    "Posterior",
    "Prediction",
    "Score",
    "Surrogate",
    "calibrate",
    "dip",
    "dip_p_value",
    "explain_diffusivity",
    "fit_one",
    "fit_surrogate",
    "fit_two",
    "mode_test",
    "summarise_groups",
    "uncertainty_budget",
    "without_width",
]
