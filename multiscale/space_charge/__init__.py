"""Space charge: what the charge of a boundary's core does to the carriers beside it.

Enters: the defects of a phase (charge, density, mobile or frozen, sites), its permittivity, the
temperature, and the potential or charge of a core, or two phases whose lithium potentials
differ. Leaves: profiles, the excess resistance across and the excess conductance along, and
from them a :class:`~multiscale.properties.Boundary` that carries the layers; for grains of a
few Debye lengths, a field of the carriers' density over a whole polycrystal.

Governing equation: Poisson–Boltzmann in equilibrium, (ε kT/e²) y'' = −Σ z c(y), y = eφ/kT,
with Boltzmann, lattice (Fermi–Dirac) or Bikerman statistics. Its functional is convex, so there
is one solution, and Newton's method with a line search reaches it from anywhere.

Assumptions: equilibrium (small currents); layers planar (but for the field); continuum, of
which a layer thinner than a lattice spacing asks too much; mobility in a layer that of the
bulk; permittivity constant in each phase; no defect made or lost by reactions.

Files in reading order: ``defects.py`` (a phase in a potential), ``poisson_boltzmann.py``
(the solver in one dimension), ``layer.py`` (one boundary), ``junction.py`` (two phases and a
buffer), ``closed_forms.py`` (exact integrals to compare with), ``fipy_reference.py`` (an
independent solver), ``field.py`` (polycrystals).
"""

from multiscale.space_charge.defects import Defect, IonicPhase, Steric, thermal_voltage
from multiscale.space_charge.field import SpaceChargeField, space_charge_field
from multiscale.space_charge.junction import (
    Buffer,
    SideOfJunction,
    SpaceChargeJunction,
    space_charge_junction,
)
from multiscale.space_charge.layer import Model, SpaceChargeLayer, space_charge_layer
from multiscale.space_charge.poisson_boltzmann import Profile, Section, solve

__all__ = [
    "Buffer",
    "Defect",
    "IonicPhase",
    "Model",
    "Profile",
    "Section",
    "SideOfJunction",
    "SpaceChargeField",
    "SpaceChargeJunction",
    "SpaceChargeLayer",
    "Steric",
    "solve",
    "space_charge_field",
    "space_charge_junction",
    "space_charge_layer",
    "thermal_voltage",
]
