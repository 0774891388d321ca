"""Points of a sweep: every combination, or points spread over ranges.

Latin hypercubes and scrambled Sobol sequences are those of :mod:`scipy.stats.qmc`. A Sobol
plan of more samples begins with the points of the shorter one; a Latin hypercube does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.stats import qmc

from multiscale.tomlfile import Strict

PLAN_KEY = 2**40
"""Spawn key of the points' randomness; samples have their numbers, which are smaller."""


class RangeEntry(Strict):
    """A range that points are spread over.

    Parameters
    ----------
    from_, to : float
        Its ends; ``from`` in files.
    scale : {"linear", "log"}, optional
        Whether points are spread over its logarithm.
    """

    from_: Annotated[float, Field(gt=0, alias="from")]
    to: Annotated[float, Field(gt=0)]
    scale: Literal["linear", "log"] = "linear"


@dataclass(frozen=True, slots=True)
class Range:
    """A range of one quantity.

    Parameters
    ----------
    low, high : float
        Its ends.
    log : bool
        Whether points are spread over its logarithm.
    """

    low: float
    high: float
    log: bool

    def at(self, share: float) -> float:
        """Find a value.

        Parameters
        ----------
        share : float
            From 0 at the low end to 1 at the high one.

        Returns
        -------
        float
            Never outside the range.
        """
        if self.log:
            value = float(self.low * (self.high / self.low) ** share)
        else:
            value = self.low + (self.high - self.low) * share
        return min(max(value, self.low), self.high)


def spread(
    plan: Literal["latin-hypercube", "sobol"], ranges: Sequence[Range], count: int, seed: int
) -> tuple[tuple[float, ...], ...]:
    """Spread points over ranges.

    Parameters
    ----------
    plan : {"latin-hypercube", "sobol"}
        How.
    ranges : sequence of Range
        One for each dimension.
    count : int
        Number of points.
    seed : int
        Seed of the study; another one gives other points.

    Returns
    -------
    tuple of tuple of float
        One a point, in the order of ``ranges``.

    Notes
    -----
    McKay, Beckman and Conover, Technometrics 21 (1979) 239, 10.1080/00401706.1979.10489755;
    Sobol', USSR Comput. Math. Math. Phys. 7 (1967) 86, 10.1016/0041-5553(67)90144-9;
    Owen's scrambling, 10.1006/jcom.1998.0487.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(PLAN_KEY,)))
    if plan == "sobol":  # whole powers of two, of which the first are taken
        sampler = qmc.Sobol(len(ranges), scramble=True, rng=rng)
        unit = sampler.random_base2(max(0, math.ceil(math.log2(count))))[:count]
    else:
        unit = qmc.LatinHypercube(len(ranges), rng=rng).random(count)
    return tuple(
        tuple(one.at(float(share)) for one, share in zip(ranges, row, strict=True)) for row in unit
    )
