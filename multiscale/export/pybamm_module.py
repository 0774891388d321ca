"""A Python module of PyBaMM parameters."""

from __future__ import annotations

import numpy as np

from multiscale.errors import InputError
from multiscale.export.summary import LEVELS, Summary, no_conductivity
from multiscale.export.tables import origin


def as_pybamm(summary: Summary) -> str:
    """Write parameters of a solid electrolyte for PyBaMM.

    The effective conductivity carries everything that grains and boundaries do. It is put in
    once: the tortuosity factors are set to the volume fractions they are divided by, so that
    with the option ``{"transport efficiency": "tortuosity factor"}`` a region's transport
    efficiency is one.

    Parameters
    ----------
    summary : Summary
        One group of samples, with conductivities.

    Returns
    -------
    str
        A module with ``parameter_values(level="median")``.

    Raises
    ------
    InputError
        If the study has no conductivities, or the composite does not conduct.
    """
    if summary.conductivity is None:
        raise InputError(no_conductivity())
    if not np.all(summary.conductivity[0] > 0):
        raise InputError("--to pybamm: expected a median that conducts, received 0 S/m")
    names = ("median", "lower_68", "upper_68", "lower_95", "upper_95")
    laws = {}
    for row, name in enumerate(names[: len(LEVELS)]):
        if np.all(summary.conductivity[row] > 0):
            sigma, diffusivity = summary.law("conductivity", row), summary.law("diffusivity", row)
            laws[name] = tuple(
                (one.value, one.pivot, 0.0 if np.isnan(one.energy) else one.energy_J_per_mol)
                for one in (sigma, diffusivity)
            )
    share = summary.electrolyte_fraction
    areal = {kind: float(values[0]) for kind, values in summary.ionic_resistance.items()}
    head = "\n".join(f"# {line}" for line in origin(summary))
    return f'''"""Solid electrolyte after multiscale, for PyBaMM.

>>> import pybamm
>>> values = pybamm.ParameterValues("Xu2019")
>>> values.update(parameter_values(), check_already_exists=False)
>>> options = {{"working electrode": "positive", "transport efficiency": "tortuosity factor"}}
>>> model = pybamm.lithium_ion.DFN(options)
"""
{head}
import pybamm

GAS_CONSTANT = 8.31446261815324  # J/(mol K)
# (value, its temperature [K], activation energy [J/mol]): conductivity [S/m], diffusivity [m2/s]
LAWS = {laws!r}
SAMPLED_K = {(float(summary.temperatures.min()), float(summary.temperatures.max()))!r}
ELECTROLYTE_FRACTION = {share!r}  # volume fraction of the phase that conducts best
BOUNDARY_AREAL_RESISTANCE = {areal!r}  # ohm m2 across one boundary at {summary.temperatures[0]:g} K


def arrhenius(law, T):
    """A law at a temperature [K]: a number or a symbol of PyBaMM."""
    value, pivot, energy = law
    return value * pybamm.exp(-energy / GAS_CONSTANT * (1 / T - 1 / pivot))


def parameter_values(level="median"):
    """Parameters by PyBaMM's names; level is a key of LAWS."""
    conductivity, diffusivity = LAWS[level]

    def electrolyte_conductivity(c_e, T):
        return arrhenius(conductivity, T)

    def electrolyte_diffusivity(c_e, T):
        return arrhenius(diffusivity, T)

    return {{
        "Electrolyte conductivity [S.m-1]": electrolyte_conductivity,
        "Electrolyte diffusivity [m2.s-1]": electrolyte_diffusivity,
        "Cation transference number": 1.0,
        "Thermodynamic factor": 1.0,
        "Separator porosity": 1.0,
        "Separator tortuosity factor (electrolyte)": 1.0,
        "Positive electrode porosity": ELECTROLYTE_FRACTION,
        "Positive electrode tortuosity factor (electrolyte)": ELECTROLYTE_FRACTION,
        "Positive electrode tortuosity factor (electrode)": 1.0,
    }}
'''
