"""Which stored microstructures the report shows."""

from __future__ import annotations

import numpy as np
import xarray as xr

from multiscale.ensemble import SampleStore
from multiscale.report.pictures import FieldPicture

PICTURED = (0.2, 0.5, 0.8)
"""Volume fractions near which the report shows a microstructure."""


def exemplars(store: SampleStore, results: xr.Dataset) -> list[FieldPicture]:
    """Choose stored flux planes to show: a few volume fractions of each ensemble.

    Parameters
    ----------
    store : SampleStore
        Where the planes are.
    results : xarray.Dataset
        The merged results.

    Returns
    -------
    list of FieldPicture
        Ready to be drawn.
    """
    chosen: list[FieldPicture] = []
    fraction = results["target_volume_fraction"].values
    first = results["realisation"].values == 0
    sizes = np.unique(results["grain_size"].values)
    middle = sizes[len(sizes) // 2]
    swept = results["target_volume_fraction"].attrs.get("phase", "")
    for ensemble in dict.fromkeys(results["ensemble"].values.tolist()):
        here = first & (results["ensemble"].values == ensemble)
        here &= results["grain_size"].values == middle
        places = np.flatnonzero(here)
        if not places.size:
            continue
        wanted = [
            places[np.nanargmin(np.abs(fraction[places] - f))] if swept else places[0]
            for f in PICTURED
        ]
        for place in dict.fromkeys(int(one) for one in wanted):
            fields = store.fields(int(results["sample"].values[place]))
            if fields is None:
                continue
            share = f", {swept} {100 * fraction[place]:.0f} %" if swept else ""
            chosen.append(_picture(f"{ensemble}{share}", fields))
    return chosen


def _picture(title: str, fields: xr.Dataset) -> FieldPicture:
    spacing = np.atleast_1d(fields.attrs["spacing"])
    effective = fields["effective"].values
    return FieldPicture(
        title=title,
        dimension=int(fields.attrs["dimension"]),
        phase_names=tuple(str(fields.attrs["phase_names"]).split("|")),
        spacing=(float(spacing[0]), float(spacing[1])),
        phase=fields["phase"].values,
        labels=fields["labels"].values,
        flux=fields["flux"].values,
        temperature=float(fields.attrs["temperature"]),
        effective=(float(effective[0]), float(effective[1])),
    )
