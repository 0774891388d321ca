"""Choose the samples that an export speaks of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from multiscale.errors import InputError, describe


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for; None where the results leave no choice.

    Parameters
    ----------
    ensemble : str, optional
        Name of an ensemble.
    volume_fraction : float, optional
        Volume fraction asked of the swept phase.
    grain_size : float, optional
        Mean grain size [m].
    """

    ensemble: str | None = None
    volume_fraction: float | None = None
    grain_size: float | None = None


def select(results: xr.Dataset, wanted: Selection) -> xr.Dataset:
    """Choose one group of samples.

    Parameters
    ----------
    results : xarray.Dataset
        Merged results of a run.
    wanted : Selection
        Which.

    Returns
    -------
    xarray.Dataset
        The samples of one ensemble, volume fraction and grain size.

    Raises
    ------
    InputError
        If more than one group fits, or none does.
    """
    rows = np.ones(results.sizes["sample"], dtype=bool)
    for option, name, value, scale in (
        ("--ensemble", "ensemble", wanted.ensemble, None),
        ("--volume-fraction", "target_volume_fraction", wanted.volume_fraction, 1.0),
        ("--grain-size", "grain_size", wanted.grain_size, 1e9),
    ):
        values = results[name].values
        here = values[rows]
        if scale is not None and np.isnan(np.asarray(here, dtype=float)).all():
            continue
        if value is None:
            left = np.unique(here)
            if len(left) > 1:
                raise InputError(describe(option, "a choice", "none", _listed(left, scale)))
            continue
        fits = values == value if scale is None else np.isclose(values, value, rtol=1e-6, atol=0)
        if not np.any(rows & fits):
            given = value if scale is None else float(value) * scale
            raise InputError(
                describe(option, "one of the results", given, _listed(np.unique(here), scale))
            )
        rows &= fits
    return results.isel(sample=np.flatnonzero(rows))


def _listed(values: Iterable[Any], scale: float | None) -> str:
    """Say what there is, sizes in nm."""
    shown = [str(one) if scale is None else f"{float(one) * scale:.6g}" for one in values]
    more = ", …" if len(shown) > 12 else ""
    return "there are " + ", ".join(shown[:12]) + more
