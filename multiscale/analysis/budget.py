"""How much of the spread of D_eff is microstructure, and how much is what went in.

With s_q = ∂ ln D_eff / ∂ ln q, the share of the dissipation in the parts whose conductance is
proportional to q, and independent relative errors e_q of the inputs, the law of total variance
parts the variance of ln D_eff over samples and inputs into

    Var = Var_samples(ln D_eff)  +  Σ_q ⟨s_q⟩² e_q²,

to first order in e_q. The shares are stored with every sample, so this costs no solve.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from multiscale.errors import InputError, describe


@dataclass(frozen=True, slots=True)
class Budget:
    """Where the spread of ln D_eff comes from.

    Parameters
    ----------
    samples : int
        Samples that conduct along the axis.
    microstructure : float
        Variance of ln D_eff over them.
    inputs : dict of str to float
        Variance that the error of each phase's diffusivity puts on ln D_eff; films whose
        coefficients are ratios to the bulk move with it.
    sensitivity : dict of str to float
        Mean ∂ ln D_eff / ∂ ln D of each phase, the boundaries beside it held.
    unknown : tuple of str
        Phases without a stated error, which the budget leaves out.
    """

    samples: int
    microstructure: float
    inputs: dict[str, float]
    sensitivity: dict[str, float]
    unknown: tuple[str, ...]

    @property
    def share(self) -> float:
        """Share of the variance that is microstructure; NaN if there is none at all."""
        total = self.microstructure + sum(self.inputs.values())
        return self.microstructure / total if total > 0 else float("nan")


def uncertainty_budget(results: xr.Dataset, *, temperature: int = 0, axis: int = 0) -> Budget:
    """Part the spread of one group of samples.

    Parameters
    ----------
    results : xarray.Dataset
        Merged results, of one ensemble, volume fraction and grain size.
    temperature, axis : int, optional
        Numbers of the temperature and of the axis.

    Returns
    -------
    Budget
        Variances of ln D_eff.

    Raises
    ------
    InputError
        If fewer than two samples conduct.
    """
    values = results["effective_diffusivity"].values[:, temperature, axis, axis]
    conducts = values > 0
    if np.count_nonzero(conducts) < 2:
        expected = "at least two samples that conduct"
        raise InputError(describe("results", expected, int(np.count_nonzero(conducts))))
    shares = results["dissipation_share"].values[conducts, temperature, axis]
    parts = [str(one) for one in results["dissipation_part"].values]
    inputs, sensitivity, unknown = {}, {}, []
    for place, phase in enumerate(str(one) for one in results["phase"].values):
        value = float(results["phase_diffusivity"].values[temperature, place])
        if value <= 0:
            continue
        slope = float(np.nanmean(shares[:, parts.index(phase)]))
        error = float(results["phase_diffusivity_stderr"].values[temperature, place]) / value
        sensitivity[phase] = slope
        if np.isfinite(error):
            inputs[phase] = slope**2 * error**2
        else:
            unknown.append(phase)
    spread = float(np.var(np.log(values[conducts]), ddof=1))
    return Budget(int(conducts.sum()), spread, inputs, sensitivity, tuple(unknown))
