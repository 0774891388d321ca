"""One or two modes in each group, with the correlation of axes allowed for.

The axes of one polycrystal are correlated: they share its grains. Within one
axis every value comes from another polycrystal, so the mode test runs on each
axis apart, at a level divided by the number of axes (Bonferroni), which holds
whatever the correlation. Positions and weights of the modes are estimated from
all axes together; correlation does not bias those. Where a group pools several
grain sizes, each size is first shifted to the common mean of log D: a trend with
grain size would otherwise pass for modes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from multiscale.analysis import ModeTest, fit_two, mode_test
from multiscale.report.observations import AxisValues
from multiscale.report.wording import percent

LEVEL = 0.05
"""Largest corrected p-value that counts as evidence for two modes."""
FEWEST_APART = 3
"""Fewest values far from the rest that are spoken of as a group."""


@dataclass(frozen=True, slots=True)
class ModeVerdict:
    """Whether a group of transport values has one mode or two.

    Parameters
    ----------
    modes : int
        1 or 2; 0 where no axis has enough values to test.
    p_value : float
        Smallest p-value of the dip over the axes times the number of axes; NaN
        if not tested.
    samples : int
        Polycrystals behind it.
    values : int
        Transport values behind it, all axes.
    zeros : int
        How many of them are exactly zero (a group of its own, outside the test).
    pooled : ModeTest
        The test on all axes together. Its centres, weights and separation are
        used; its p-value is not, since it takes the axes for independent.
    apart : float
        Share of the values in a group that lies far from the rest (Ashman
        separation above 4) but is too small for the dip test to see; 0 if none.
    """

    modes: int
    p_value: float
    samples: int
    values: int
    zeros: int
    pooled: ModeTest
    apart: float

    @property
    def label(self) -> str:
        """The verdict in a few words."""
        words = {0: "too few to test", 1: "one mode", 2: "two modes"}[self.modes]
        if self.apart > 0:
            words = f"{words}, {percent(self.apart)} apart"
        return f"{words} and D = 0" if 0 < self.zeros < self.values else words


def judge(group: AxisValues) -> ModeVerdict:
    """Judge the number of modes of one group.

    Parameters
    ----------
    group : AxisValues
        Values of one volume fraction of one ensemble, or a part of them.

    Returns
    -------
    ModeVerdict
        Valid for correlated axes.
    """
    group = levelled(group)
    axes = np.unique(group.axis)
    level = LEVEL / max(axes.size, 1)
    tests = [mode_test(group.diffusivity[group.axis == name], level=level) for name in axes]
    tested = [test for test in tests if test.modes > 0]
    p_values = [test.p_value for test in tested if np.isfinite(test.p_value)]
    modes = max((test.modes for test in tested), default=0)
    pooled = mode_test(group.diffusivity, level=LEVEL)
    return ModeVerdict(
        modes=modes,
        p_value=min(1.0, min(p_values) * axes.size) if p_values else float("nan"),
        samples=group.samples,
        values=len(group),
        zeros=group.zeros,
        pooled=pooled,
        apart=_apart(group, pooled) if modes == 1 else 0.0,
    )


def levelled(group: AxisValues) -> AxisValues:
    """Shift each grain size to the mean of log D over all sizes.

    Parameters
    ----------
    group : AxisValues
        Values of one or several grain sizes.

    Returns
    -------
    AxisValues
        The same with that trend taken out; values of exactly zero stay.
    """
    diffusivity = group.diffusivity.copy()
    positive = diffusivity > 0
    if not positive.any():
        return group
    common = np.log(diffusivity[positive]).mean()
    for _, size in group.by_size():
        here = positive & np.isin(group.grain_size, size.grain_size)
        if here.any():
            diffusivity[here] *= np.exp(common - np.log(diffusivity[here]).mean())
    return replace(group, diffusivity=diffusivity)


def _apart(group: AxisValues, pooled: ModeTest) -> float:
    far = pooled.modes > 0 and pooled.bic_difference > 10 and pooled.separation > 4
    share = float(fit_two(np.log10(group.positive)).weights.min()) if far else 0.0
    return share if share * group.positive.size >= FEWEST_APART else 0.0


def judge_all(values: AxisValues, ensemble: str) -> dict[float, ModeVerdict]:
    """Judge every volume fraction of one ensemble.

    Parameters
    ----------
    values : AxisValues
        All transport values at one temperature.
    ensemble : str
        Name of the ensemble.

    Returns
    -------
    dict of float to ModeVerdict
        A verdict for each target volume fraction.
    """
    return {fraction: judge(group) for fraction, group in values.of(ensemble).by_fraction()}
