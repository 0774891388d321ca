"""The layers on either side of one grain boundary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from multiscale.errors import InputError, describe
from multiscale.properties.boundary import Boundary
from multiscale.space_charge.defects import (
    STEEPEST,
    Defect,
    Floats,
    IonicPhase,
    Steric,
    strength,
    thermal_voltage,
)
from multiscale.space_charge.poisson_boltzmann import Profile, Section, solve
from multiscale.units import ELEMENTARY_CHARGE

Model = Literal["gouy-chapman", "mott-schottky"]

FAR = 45.0
"""Debye lengths beyond the depletion layer at which a grain counts as endless: e^−45."""
ROOM = 1.25
"""Width of a film over the least that can hold its layers, the core apart."""
EXTENT = 0.999
"""Share of the carriers' excess that the extent of a layer holds."""


@dataclass(frozen=True, slots=True)
class SpaceChargeLayer:
    """The equilibrium profile beside a grain boundary, and what it does to transport.

    Attributes
    ----------
    potential : float
        Of the core against the neutral bulk [V].
    core_charge : float
        Charge of the core that the layers on both sides screen [C/m²].
    temperature : float
        [K].
    phase : IonicPhase
        The grain.
    carrier : str
        The defect whose transport is counted.
    grain_size : float or None
        Distance between boundaries [m]; None for endless grains.
    debye_length : float
        Of the bulk [m].
    extent : float
        Distance from the core that holds 99.9 % of ∫|c/c∞ − 1| of the carrier on one side [m].
    middle_potential : float
        In the middle of the grain against the neutral bulk [V]; not 0 where layers overlap.
    excess_resistance_length : float
        ∫(c∞/c − 1) over both sides (with ``grain_size``, over one grain) [m]: the layers add
        this over σ_bulk to the areal resistance.
    excess_conductance_length : float
        ∫(c/c∞ − 1) over the same [m]: the layers add σ_bulk times this to the conductance
        of a boundary along itself; negative where the carrier is depleted.
    x : ndarray, shape (n,)
        Distance from the core [m].
    profile_potential : ndarray, shape (n,)
        φ − φ_bulk [V].
    densities : mapping of str to ndarray, shape (n,)
        Of each mobile defect [1/m³].
    steps : int
        Newton steps taken.
    """

    potential: float
    core_charge: float
    temperature: float
    phase: IonicPhase
    carrier: str
    grain_size: float | None
    debye_length: float
    extent: float
    middle_potential: float
    excess_resistance_length: float
    excess_conductance_length: float
    x: Floats
    profile_potential: Floats
    densities: Mapping[str, Floats]
    steps: int
    profile: Profile = field(repr=False, compare=False)

    def areal_resistance(self, conductivity: float) -> float:
        """Resistance that the layers add to one boundary.

        Parameters
        ----------
        conductivity : float
            Of the bulk, > 0 [S/m].

        Returns
        -------
        float
            [Ω m²].

        Raises
        ------
        InputError
            If the conductivity is not > 0.
        """
        if not conductivity > 0:
            raise InputError(describe("conductivity", "a number > 0 in S/m", conductivity))
        return self.excess_resistance_length / conductivity

    def boundary(self, bulk: float, core: Boundary, width: float | None = None) -> Boundary:
        """Give the film that stands for a core with its layers.

        Parameters
        ----------
        bulk : float
            Coefficient K of the grain, > 0 [m²/s].
        core : Boundary
            The core alone.
        width : float, optional
            Width of the film [m]; by default the core and 1.25 times the width of bulk that
            lacks what the layers lack (or, if they add carriers, that resists what they save).

        Returns
        -------
        Boundary
            With the same resistance across and conductance along as core and layers.

        Raises
        ------
        InputError
            If the bulk does not conduct, or a width is too narrow for what the layers lack
            along themselves or add across.

        Notes
        -----
        A film of width W replaces W of bulk. Across, W/K⊥ = δ/K⊥ + (W − δ + X)/K with the
        core's δ and K⊥ and X = ``excess_resistance_length``; along, W K∥ = δ K∥ + (W − δ + G) K
        with G = ``excess_conductance_length``. Mobility is that of the bulk in both.
        """
        if not bulk > 0:
            raise InputError(describe("bulk", "a coefficient > 0 in m²/s", bulk))
        short = max(-self.excess_conductance_length, -self.excess_resistance_length, 0.0)
        needed = core.width + ROOM * short
        width = needed if width is None else width
        rest = width - core.width
        resistance = (rest + self.excess_resistance_length) / bulk
        along = core.width * core.segregation * core.along
        along += (rest + self.excess_conductance_length) * bulk
        blocked = core.segregation * core.across == 0
        if not blocked:
            resistance += core.width / (core.segregation * core.across)
        if width < core.width or resistance <= 0 or along < 0:
            raise InputError(
                describe("width", f"a film that holds core and layers, about {needed:.3g} m",
                         f"{width:.3g} m")
            )  # fmt: skip
        across = 0.0 if blocked else width / resistance
        return Boundary(width=width, across=across, along=along / width)


def space_charge_layer(
    potential: float | None = None,
    temperature: float = 300.0,
    relative_permittivity: float = 50.0,
    density: float = 1e27,
    charge: int = 1,
    model: Model = "gouy-chapman",
    grain_size: float | None = None,
    *,
    core_charge: float | None = None,
    core_sites: float | None = None,
    site_density: float | None = None,
    steric: Steric = "none",
    defects: Sequence[Defect] | None = None,
    carrier: str | None = None,
) -> SpaceChargeLayer:
    """Space charge on both sides of a planar grain boundary.

    Parameters
    ----------
    potential : float, optional
        Of the core against the neutral bulk [V]; positive ones deplete positive carriers.
        Either this or ``core_charge``.
    temperature : float, optional
        [K].
    relative_permittivity : float, optional
        Static, of the grain.
    density : float, optional
        Of the carrier in the bulk [1/m³].
    charge : int, optional
        Of the carrier, in elementary charges.
    model : {"gouy-chapman", "mott-schottky"}, optional
        Whether the opposite charge that neutralises the bulk moves, too, or is frozen in.
    grain_size : float, optional
        Distance between two boundaries [m], whose layers may overlap; endless by default.
        The grain stays in equilibrium with neutral bulk elsewhere, to which ``potential`` and
        all excesses refer.
    core_charge : float, optional
        Charge of the core [C/m²], in place of its potential.
    core_sites : float, optional
        Elementary charges the core can hold [1/m²]; a potential that needs more is refused.
    site_density : float, optional
        Sites of each mobile defect [1/m³]; needed if ``steric`` is not ``"none"``.
    steric : {"none", "lattice", "bikerman"}, optional
        Statistics; see :class:`~multiscale.space_charge.IonicPhase`.
    defects : sequence of Defect, optional
        Any defects, in place of ``density``, ``charge``, ``model`` and ``site_density``.
    carrier : str, optional
        Name of the defect whose transport counts; the first mobile one by default.

    Returns
    -------
    SpaceChargeLayer
        Profiles and excesses.

    Raises
    ------
    InputError
        If a number is not finite or of the wrong sign, a potential is beyond what can be
        represented or needs a charge beyond ``core_sites``, or a grain does not hold the
        charge that would screen ``core_charge``.
    ConvergenceError
        If the profile cannot be resolved.

    Notes
    -----
    The profile is solved for and both excesses are integrals over it; no asymptotic formula
    is used. With λ = √(ε k T / 2 z² e² c∞) and Y = z e φ/kT an endless grain gives
    4 λ (e^(Y/2) − 1) for Gouy–Chapman and 2 λ ∫₀^Y (e^y − 1)/√(y + e^(−y) − 1) dy for
    Mott–Schottky with the carriers left in the layer (Maier, Prog. Solid State Chem. 23, 171
    (1995), 10.1016/0079-6786(95)00004-E, for the models).

    Examples
    --------
    >>> import multiscale as ms
    >>> layer = ms.space_charge_layer(potential=0.2, model="mott-schottky")
    >>> f"{layer.excess_resistance_length * 1e9:.1f} nm"
    '366.0 nm'
    """
    volt = thermal_voltage(temperature)
    place = "space_charge_layer"
    if defects is None:
        defects = _two_defects(density, charge, model, site_density)
    phase = IonicPhase(
        name=place, relative_permittivity=relative_permittivity, defects=tuple(defects),
        steric=steric,
    )  # fmt: skip
    names = [one.name for one in phase.mobile]
    carrier = carrier or names[0]
    if carrier not in names:
        raise InputError(describe("carrier", f"one of {', '.join(names)}", carrier))
    if (potential is None) == (core_charge is None):
        both = "both" if potential is not None else "neither"
        raise InputError(describe(place, "either potential or core_charge", both))
    _check_size("grain_size", grain_size)
    _check_size("core_sites", core_sites)
    debye = phase.debye_length(temperature)
    if potential is not None:
        left, sheet = _left(potential, phase, volt), 0.0
        deep = math.sqrt(abs(left)) * 2.0 * debye
    else:
        assert core_charge is not None
        left, sheet = None, _sheet(core_charge, phase, grain_size)
        deep = abs(sheet) / sum(abs(one.charge) * one.density for one in phase.defects)
    length = grain_size / 2.0 if grain_size is not None else FAR * debye + deep
    found = solve([Section(phase, length)], temperature, sheets=(sheet,), left=left)
    return _gather(found, phase, names.index(carrier), grain_size, core_sites)


def _two_defects(
    density: float, charge: int, model: str, site_density: float | None
) -> tuple[Defect, Defect]:
    if model not in ("gouy-chapman", "mott-schottky"):
        raise InputError(describe("model", '"gouy-chapman" or "mott-schottky"', model))
    sites = math.inf if site_density is None else site_density
    carrier = Defect(name="carrier", charge=charge, density=density, site_density=sites)
    counter = Defect(
        name="counter", charge=-charge, density=density, mobile=model == "gouy-chapman",
        site_density=sites,
    )  # fmt: skip
    return carrier, counter


def _check_size(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise InputError(describe(name, "a finite number > 0", value))


def _left(potential: float, phase: IonicPhase, volt: float) -> float:
    charge = max(abs(one.charge) for one in phase.mobile)
    highest = STEEPEST / 2.0 * volt / charge
    if not abs(potential) <= highest:
        raise InputError(
            describe("potential", f"at most {highest:.3g} V in size (at {STEEPEST / 2.0:g} kT "
                     "no carrier is left on any site)", potential)
        )  # fmt: skip
    return potential / volt


def _sheet(core_charge: float, phase: IonicPhase, grain_size: float | None) -> float:
    """Half of the core's charge, in elementary charges per m²."""
    if not math.isfinite(core_charge):
        raise InputError(describe("core_charge", "a finite number in C/m²", core_charge))
    sheet = core_charge / ELEMENTARY_CHARGE
    if grain_size is not None:
        far = phase.charge_density(np.array([-STEEPEST, STEEPEST]) / 10.0)
        room = abs(float(far[1] if sheet > 0 else far[0])) * grain_size
        if abs(sheet) >= room:
            raise InputError(
                describe("core_charge", f"less than {room * ELEMENTARY_CHARGE:.3g} C/m², all "
                         f"that the defects of a grain of {grain_size:g} m can screen",
                         f"{core_charge:g} C/m²")
            )  # fmt: skip
    return sheet / 2.0


def _gather(
    found: Profile, phase: IonicPhase, carrier: int, grain_size: float | None,
    core_sites: float | None,
) -> SpaceChargeLayer:  # fmt: skip
    volt = thermal_voltage(found.temperature)
    slope = found.slope(0)
    sheet = -2.0 * strength(phase.relative_permittivity, found.temperature) * slope
    if core_sites is not None and abs(sheet) > core_sites:
        raise InputError(
            describe("potential", f"a core charge within its {core_sites:g} sites per m²",
                     f"{abs(sheet):.3g} charges per m²", "lower the potential")
        )  # fmt: skip
    x, weight, y = found.quadrature(0)
    scarce = phase.relative_scarcity(y)[carrier]
    excess = phase.relative_excess(y)[carrier]
    nodes, potential = found.points()
    return SpaceChargeLayer(
        potential=float(potential[0] * volt),
        core_charge=float(sheet * ELEMENTARY_CHARGE),
        temperature=found.temperature,
        phase=phase,
        carrier=phase.mobile[carrier].name,
        grain_size=grain_size,
        debye_length=phase.debye_length(found.temperature),
        extent=extent(x, weight * np.abs(excess), EXTENT),
        middle_potential=float(potential[-1] * volt),
        excess_resistance_length=2.0 * float(weight @ scarce),
        excess_conductance_length=2.0 * float(weight @ excess),
        x=nodes,
        profile_potential=potential * volt,
        densities=dict(
            zip((one.name for one in phase.mobile), phase.densities(potential), strict=True)
        ),
        steps=found.steps,
        profile=found,
    )


def extent(x: Floats, share: Floats, part: float) -> float:
    """Find the distance that holds a part of an integral.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Distances, rising [m].
    share : ndarray, shape (n,)
        What each point adds, none negative.
    part : float
        0 to 1.

    Returns
    -------
    float
        [m]; 0 where there is nothing.
    """
    total = np.cumsum(share)
    if total[-1] == 0.0:
        return 0.0
    return float(np.interp(part * total[-1], total, x))
