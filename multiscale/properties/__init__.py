"""How fast lithium moves in each phase and boundary, and who says so.

In: property files, one a material or boundary type, from ``library/`` or the user.
Out: diffusivities at a temperature in SI, each an :class:`~multiscale.provenance.Estimate`.

Governing relation: D(T) = D₀ exp(−E/k_B T), or anchored at a temperature; the error of D
is that of a log-normal variable to first order. Assumptions: prefactor and activation
energy are independent; a number without a law of temperature is held constant and
flagged as extrapolated where it is used elsewhere.

Quantities are *self*-diffusivities. The charge diffusivity divides by the Haven ratio;
chemical diffusivities (with the thermodynamic factor) are never mixed in.

Reading order: ``quantity``, ``_schema``, ``material``, ``catalogue``; ``boundary``,
``boundary_rules``, ``average``, ``driving_force``, ``dielectric``. From trajectories:
``diffusivity`` (one cell), ``regions`` and ``slab`` (along and across a boundary), ``profile``
(its width), ``from_dynamics`` (several runs), ``arrhenius`` (all temperatures), ``writing``
(property files).
"""

from multiscale.properties.average import isotropic_average
from multiscale.properties.boundary import Boundary
from multiscale.properties.boundary_rules import BoundaryRule, BoundaryRules
from multiscale.properties.catalogue import load, names
from multiscale.properties.dielectric import (
    ComplexConductivity,
    Dielectric,
    DielectricBoundary,
)
from multiscale.properties.driving_force import TransportCoefficients, transport_coefficients
from multiscale.properties.material import BoundaryProperties, Material, RuleProperties
from multiscale.properties.quantity import Number, Quantity

__all__ = [
    "Boundary",
    "BoundaryProperties",
    "BoundaryRule",
    "BoundaryRules",
    "ComplexConductivity",
    "Dielectric",
    "DielectricBoundary",
    "Material",
    "Number",
    "Quantity",
    "RuleProperties",
    "TransportCoefficients",
    "isotropic_average",
    "load",
    "names",
    "transport_coefficients",
]
