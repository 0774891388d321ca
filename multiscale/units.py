"""CODATA constants and the only unit conversions; SI everywhere inside.

Unit names appear at the edges alone: in property files, study files and
reports. :func:`to_si` turns what a file says into SI once.

References
----------
CODATA 2018 as shipped with :mod:`scipy.constants`.
"""

from __future__ import annotations

from scipy import constants

from multiscale.errors import InputError, describe, nearest

BOLTZMANN = constants.Boltzmann
"""Boltzmann constant [J/K]."""
ELEMENTARY_CHARGE = constants.elementary_charge
"""Elementary charge [C]."""
AVOGADRO = constants.Avogadro
"""Avogadro constant [1/mol]."""
VACUUM_PERMITTIVITY = constants.epsilon_0
"""Vacuum permittivity [F/m]."""
GAS_CONSTANT = constants.gas_constant
"""Molar gas constant [J/(mol K)]."""

_FACTORS: dict[str, dict[str, float]] = {
    "diffusivity": {"m2/s": 1.0, "cm2/s": 1e-4, "nm2/s": 1e-18, "um2/s": 1e-12},
    "energy": {
        "J": 1.0,
        "eV": ELEMENTARY_CHARGE,
        "meV": 1e-3 * ELEMENTARY_CHARGE,
        "kJ/mol": 1e3 / AVOGADRO,
        "J/mol": 1.0 / AVOGADRO,
        "kcal/mol": 4184.0 / AVOGADRO,
    },
    "length": {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "um": 1e-6, "nm": 1e-9, "angstrom": 1e-10},
    "temperature": {"K": 1.0},
    "conductivity": {"S/m": 1.0, "S/cm": 1e2, "mS/cm": 1e-1},
    "number_density": {"1/m3": 1.0, "1/cm3": 1e6},
    "surface_energy": {"J/m2": 1.0, "meV/angstrom2": 1e-3 * ELEMENTARY_CHARGE * 1e20},
    "dimensionless": {"1": 1.0},
}

QUANTITIES = tuple(_FACTORS)
"""Names of the quantities that have units here."""


def to_si(value: float, unit: str, quantity: str, place: str = "value") -> float:
    """Convert a number with a unit to SI.

    Parameters
    ----------
    value : float
        The number as written.
    unit : str
        Its unit, e.g. ``"cm2/s"``.
    quantity : str
        What kind of quantity it must be, one of :data:`QUANTITIES`.
    place : str, optional
        File and key, for the error message.

    Returns
    -------
    float
        The value in SI.

    Raises
    ------
    InputError
        If the unit does not exist for this quantity.
    """
    units = _FACTORS[quantity]
    if unit not in units:
        raise InputError(describe(place, f"a unit of {quantity}", unit, nearest(unit, units)))
    return value * units[unit]


def from_si(value: float, unit: str, quantity: str) -> float:
    """Convert an SI number to a unit, for display.

    Parameters
    ----------
    value : float
        The value in SI.
    unit : str
        The unit to show it in.
    quantity : str
        What kind of quantity it is.

    Returns
    -------
    float
        The value in ``unit``.

    Raises
    ------
    InputError
        If the unit does not exist for this quantity.
    """
    return value / to_si(1.0, unit, quantity)


def thermal_energy(temperature: float) -> float:
    """Thermal energy k_B T.

    Parameters
    ----------
    temperature : float
        Absolute temperature [K].

    Returns
    -------
    float
        k_B T [J].
    """
    return BOLTZMANN * temperature
