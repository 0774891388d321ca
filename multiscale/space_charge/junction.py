"""Two phases in contact, with or without a buffer film between."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from multiscale.errors import InputError, describe
from multiscale.space_charge.defects import STEEPEST, Floats, IonicPhase, thermal_voltage
from multiscale.space_charge.layer import EXTENT, FAR, extent
from multiscale.space_charge.poisson_boltzmann import Profile, Section, solve
from multiscale.units import ELEMENTARY_CHARGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Buffer:
    """A film between two phases.

    Parameters
    ----------
    phase : IonicPhase
        What it is made of.
    width : float
        [m].
    potential_difference : float
        φ_left − φ_buffer of the neutral bulks in equilibrium [V].

    Raises
    ------
    InputError
        If the width is not finite and > 0, or the potential not finite.
    """

    phase: IonicPhase
    width: float
    potential_difference: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.width) and self.width > 0):
            raise InputError(describe("buffer width", "a finite number > 0 in m", self.width))
        _check_potential("buffer potential_difference", self.potential_difference)


@dataclass(frozen=True, slots=True)
class SideOfJunction:
    """What a junction does to one phase.

    Attributes
    ----------
    phase : IonicPhase
        Which.
    carrier : str
        The defect whose transport is counted.
    drop : float
        φ at the contact less φ in the neutral bulk [V]; for a buffer at its left face.
    extent : float
        Length that holds 99.9 % of ∫|c/c∞ − 1|, from the contact on [m].
    excess_resistance_length : float
        ∫(c∞/c − 1) of the carrier [m].
    excess_conductance_length : float
        ∫(c/c∞ − 1) of the carrier [m].
    excess_carriers : float
        ∫(c − c∞) of the carrier [1/m²]: what it took up or gave off.
    charge : float
        Of the side as a whole [C/m²].
    """

    phase: IonicPhase
    carrier: str
    drop: float
    extent: float
    excess_resistance_length: float
    excess_conductance_length: float
    excess_carriers: float
    charge: float


@dataclass(frozen=True, slots=True)
class SpaceChargeJunction:
    """The equilibrium profile through a junction.

    Attributes
    ----------
    left, right : SideOfJunction
        The two phases.
    buffer : SideOfJunction or None
        The film between them.
    temperature : float
        [K].
    x : ndarray, shape (n,)
        Position [m]; the left phase ends at 0.
    potential : ndarray, shape (n,)
        φ against the left bulk [V].
    steps : int
        Newton steps taken.
    """

    left: SideOfJunction
    right: SideOfJunction
    buffer: SideOfJunction | None
    temperature: float
    x: Floats
    potential: Floats
    steps: int
    profile: Profile = field(repr=False, compare=False)

    def areal_resistance(self, conductivities: Mapping[str, float]) -> float:
        """Resistance that the layers add to the junction; that of a buffer comes whole.

        Parameters
        ----------
        conductivities : mapping of str to float
            Of the bulk of each phase by name [S/m].

        Returns
        -------
        float
            [Ω m²].

        Raises
        ------
        InputError
            If one is missing or not > 0.
        """
        total = 0.0
        for side in (self.left, self.buffer, self.right):
            if side is None:
                continue
            value = conductivities.get(side.phase.name)
            if value is None or not value > 0:
                raise InputError(
                    describe(f"conductivities[{side.phase.name!r}]", "a number > 0 in S/m", value)
                )
            whole = self.profile.sections[1].length if side is self.buffer else 0.0
            total += (whole + side.excess_resistance_length) / value
        return total


def space_charge_junction(
    left: IonicPhase,
    right: IonicPhase,
    potential_difference: float,
    temperature: float = 300.0,
    *,
    buffer: Buffer | None = None,
    sizes: tuple[float | None, float | None] = (None, None),
    interface_charge: float = 0.0,
    carriers: Mapping[str, str] | None = None,
) -> SpaceChargeJunction:
    """Space charge where two phases with different lithium chemical potentials meet.

    Parameters
    ----------
    left, right : IonicPhase
        The phases, e.g. LCO and LLZO.
    potential_difference : float
        φ_left − φ_right of the neutral bulks once lithium ions are in equilibrium [V]. If
        the phases differ in the chemical potential of Li⁺ by Δμ = μ_right − μ_left, it is
        Δμ/e. Where all of the difference in the potentials against lithium metal is that of
        the ions, it is V_left − V_right: 3.9 V less that of the electrolyte for a cathode,
        an upper limit, as electrons take a part.
    temperature : float, optional
        [K].
    buffer : Buffer, optional
        A film between them, e.g. LiNbO₃.
    sizes : tuple of float or None, optional
        Thickness of the two phases [m], at whose far ends no field is; endless by default.
    interface_charge : float, optional
        Fixed charge at the right end of the left phase [C/m²].
    carriers : mapping of str to str, optional
        The defect that is counted in each phase, by the phase's name; the first mobile one.

    Returns
    -------
    SpaceChargeJunction
        Profile and excesses of each phase.

    Raises
    ------
    InputError
        If a number is not finite or of the wrong sign, or a carrier unknown.
    ConvergenceError
        If the profile cannot be resolved.

    Notes
    -----
    Every mobile defect is in equilibrium within its own phase; ε φ' is continuous but for the
    interface charge. Mobile ions are those of the phases: none is made or lost by a reaction.
    de Klerk & Wagemaker, ACS Appl. Energy Mater. 1, 5609 (2018), 10.1021/acsaem.8b01141;
    Haruyama et al., Chem. Mater. 26, 4248 (2014), 10.1021/cm5016959, for the buffer's purpose.
    """
    volt = thermal_voltage(temperature)
    _check_potential("potential_difference", potential_difference)
    if not math.isfinite(interface_charge):
        raise InputError(describe("interface_charge", "a finite number in C/m²", interface_charge))
    middle = [] if buffer is None else [buffer]
    phases = [left, *(one.phase for one in middle), right]
    drops = [0.0, *(one.potential_difference for one in middle), potential_difference]
    span = max(drops) - min(drops)
    if span > STEEPEST / 2.0 * volt:
        raise InputError(
            describe("potential_difference", f"at most {STEEPEST / 2.0 * volt:.3g} V in size", span)
        )
    widths = [_length("sizes[0]", sizes[0], left, temperature, span / volt)]
    widths += [one.width for one in middle]
    widths += [_length("sizes[1]", sizes[1], right, temperature, span / volt)]
    sections = [
        Section(phase, width, -drop / volt)
        for phase, width, drop in zip(phases, widths, drops, strict=True)
    ]
    sheets = (0.0, interface_charge / ELEMENTARY_CHARGE)
    found = solve(sections, temperature, sheets=sheets)
    sides = [
        _side(found, number, _carrier(phase, carriers or {}), from_right=number == 0)
        for number, phase in enumerate(phases)
    ]
    x, y = found.points()
    return SpaceChargeJunction(
        left=sides[0],
        right=sides[-1],
        buffer=sides[1] if middle else None,
        temperature=temperature,
        x=x - widths[0],
        potential=y * volt,
        steps=found.steps,
        profile=found,
    )


def _check_potential(name: str, value: float) -> None:
    if not math.isfinite(value):
        raise InputError(describe(name, "a finite number in V", value))


def _length(
    place: str, size: float | None, phase: IonicPhase, temperature: float, drop: float
) -> float:
    if size is None:
        return phase.debye_length(temperature) * (FAR + 2.0 * math.sqrt(drop))
    if not (math.isfinite(size) and size > 0):
        raise InputError(describe(place, "a finite number > 0 in m", size))
    return size


def _carrier(phase: IonicPhase, carriers: Mapping[str, str]) -> int:
    names = [one.name for one in phase.mobile]
    wanted = carriers.get(phase.name, names[0])
    if wanted not in names:
        place = f"carriers[{phase.name!r}]"
        raise InputError(describe(place, f"one of {', '.join(names)}", wanted))
    return names.index(wanted)


def _side(found: Profile, section: int, carrier: int, *, from_right: bool) -> SideOfJunction:
    phase = found.sections[section].phase
    x, weight, y = found.quadrature(section)
    excess = weight * phase.relative_excess(y)[carrier]
    ends = np.concatenate([[0.0], np.cumsum([one.length for one in found.sections])])
    face = ends[section + 1] if from_right else ends[section]
    away = np.abs(x - face)
    order = np.argsort(away)
    volt = thermal_voltage(found.temperature)
    drop = (found.at(np.array([face]))[0] - found.sections[section].reference) * volt
    return SideOfJunction(
        phase=phase,
        carrier=phase.mobile[carrier].name,
        drop=float(drop),
        extent=extent(away[order], np.abs(excess[order]), EXTENT),
        excess_resistance_length=float(weight @ phase.relative_scarcity(y)[carrier]),
        excess_conductance_length=float(excess.sum()),
        excess_carriers=float(excess.sum() * phase.mobile[carrier].density),
        charge=float(weight @ phase.charge_density(y)) * ELEMENTARY_CHARGE,
    )
