"""A grain boundary or interface as the transport rooms see it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from multiscale.errors import PropertyError, describe


@dataclass(frozen=True, slots=True, kw_only=True)
class Boundary:
    """A thin layer between two grains.

    Parameters
    ----------
    width : float
        Thickness [m].
    across : float
        Diffusivity normal to the layer [m²/s]; zero blocks it.
    along : float
        Diffusivity in the plane of the layer [m²/s].
    segregation : float, optional
        Li concentration in the layer over that in the grains (Hart's s).

    Raises
    ------
    PropertyError
        If a number is not finite, the width or the segregation not positive, or a
        diffusivity negative.
    """

    width: float
    across: float
    along: float
    segregation: float = 1.0

    def __post_init__(self) -> None:
        for name in ("width", "across", "along", "segregation"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise PropertyError(describe(f"Boundary {name}", "a number", value))
            positive = name in ("width", "segregation")
            if not math.isfinite(value) or value < 0 or (positive and value == 0):
                sign = "> 0" if positive else "≥ 0"
                raise PropertyError(describe(f"Boundary {name}", f"a finite number {sign}", value))
