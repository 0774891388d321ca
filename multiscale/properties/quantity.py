"""One number of the library: what it is, how sure, from where, and for which temperatures."""

from __future__ import annotations

import math
from dataclasses import dataclass

from multiscale.errors import PropertyError, describe
from multiscale.provenance import Estimate
from multiscale.units import BOLTZMANN

SI_UNITS = {
    "diffusivity": "m2/s",
    "energy": "J",
    "length": "m",
    "number_density": "1/m3",
    "surface_energy": "J/m2",
    "conductivity": "S/m",
    "dimensionless": "1",
}
"""The SI unit that :class:`~multiscale.provenance.Estimate` carries for each dimension."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as its file gives it, beside its value in SI.

    Parameters
    ----------
    value : float
        In SI.
    written : float
        As in the file, in ``unit``.
    unit : str
        The file's unit.
    uncertainty_kind : str
        ``"relative"``, ``"log10 sd"``, ``"standard error"`` (in ``unit``) or ``"unknown"``.
    uncertainty : float
        One standard deviation of that kind; NaN where unknown.
    uncertainty_origin : str
        Where the uncertainty comes from.
    """

    value: float
    written: float
    unit: str
    uncertainty_kind: str
    uncertainty: float
    uncertainty_origin: str

    @property
    def relative(self) -> float:
        """One standard deviation of ln(value), first order; NaN where unknown."""
        if self.uncertainty_kind == "log10 sd":
            return math.log(10.0) * self.uncertainty
        if self.uncertainty_kind == "standard error":
            return self.uncertainty / abs(self.written) if self.written else math.nan
        return self.uncertainty

    def doubt(self) -> str:
        """Write the kind and size of the uncertainty.

        Returns
        -------
        str
            For example ``"log10 sd 0.3"``.
        """
        if self.uncertainty_kind == "unknown":
            return "unknown"
        return f"{self.uncertainty_kind} {self.uncertainty:g}"

    @property
    def absolute(self) -> float:
        """One standard deviation in SI; NaN where unknown."""
        return abs(self.value) * self.relative


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that may follow an Arrhenius law.

    With an activation energy E: x(T) = x₀ exp[−E/k_B (1/T − 1/T₀)], where T₀ is ``at``,
    or infinite when x₀ is a prefactor. Without one: x(T) = x₀.

    Parameters
    ----------
    name : str
        Key in its file, e.g. ``"self_diffusivity"`` or ``"across.ratio_to_bulk"``.
    dimension : str
        One of :data:`multiscale.units.QUANTITIES`.
    number : Number
        x₀.
    activation_energy : Number or None
        E.
    at : float
        T₀ [K]; infinity for a prefactor.
    valid : tuple of float or None
        Range of temperature [K]; None where the source states none.
    source : str
        DOI or data set; may be empty for an assumption.
    assumed : bool
        Whether the number is a choice rather than a finding.
    reason : str
        Why it was chosen; empty unless assumed.
    confidence : str
        ``"high"``, ``"medium"``, ``"low"``, or empty.
    note : str
        What a reader should know besides.
    """

    name: str
    dimension: str
    number: Number
    activation_energy: Number | None
    at: float
    valid: tuple[float, float] | None
    source: str
    assumed: bool
    reason: str
    confidence: str
    note: str

    def evaluate(self, temperature: float) -> Estimate:
        """Value at a temperature, with what is known of its error.

        The error is that of a log-normal quantity to first order:
        var ln x = var ln x₀ + (var E/k_B²) (1/T − 1/T₀)², the two taken as independent.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        Estimate
            In SI; ``source`` says so where T lies outside the valid range.

        Raises
        ------
        PropertyError
            If the temperature is not a positive finite number, or the value there too large
            for a number.
        """
        check_temperature(temperature)
        value, relative = self.number.value, self.number.relative
        try:
            if self.activation_energy is not None:
                inverse = 1.0 / temperature - 1.0 / self.at
                value *= math.exp(-self.activation_energy.value / BOLTZMANN * inverse)
                spread = self.activation_energy.absolute / BOLTZMANN * inverse
                relative = math.hypot(relative, spread)
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            place = f"{self.name} at {temperature:g} K"
            remedy = "check prefactor and activation energy"
            raise PropertyError(describe(place, "a finite number", value, remedy))
        stderr = abs(value) * relative
        return Estimate(value, stderr, SI_UNITS[self.dimension], self.origin(temperature))

    def extrapolated(self, temperature: float) -> bool:
        """Whether nothing vouches for the quantity at a temperature.

        Parameters
        ----------
        temperature : float
            Absolute temperature [K].

        Returns
        -------
        bool
            True outside the valid range, and where the source states no range.
        """
        return self.valid is None or not self.valid[0] <= temperature <= self.valid[1]

    def law(self) -> str:
        """Write the quantity as its file gives it, with its temperature law.

        Returns
        -------
        str
            For example ``"0.000372 cm2/s · exp(−0.28 eV / kT)"``.
        """
        written = f"{self.number.written:g} {self.number.unit}".removesuffix(" 1")
        energy = self.activation_energy
        if energy is None:
            return written
        if math.isfinite(self.at):
            return f"{written} at {self.at:g} K, E = {energy.written:g} {energy.unit}"
        return f"{written} · exp(−{energy.written:g} {energy.unit} / kT)"

    def doubt(self) -> str:
        """Write the uncertainties of the number and of its activation energy.

        Returns
        -------
        str
            For example ``"log10 sd 0.3; E standard error 0.05"``.
        """
        words = self.number.doubt()
        return (
            words
            if self.activation_energy is None
            else (f"{words}; E {self.activation_energy.doubt()}")
        )

    def validity(self) -> str:
        """Write the range of temperature.

        Returns
        -------
        str
            ``"300–450 K"`` or ``"not stated"``.
        """
        return "not stated" if self.valid is None else "{:g}–{:g} K".format(*self.valid)

    def origin(self, temperature: float | None = None) -> str:
        """Say in words where the quantity comes from.

        Parameters
        ----------
        temperature : float, optional
            With it, an extrapolation is named.

        Returns
        -------
        str
            ``"10.1038/…"``, ``"assumed: reason"`` or ``"assumed (10.1038/…): reason"``.
        """
        words = self.source
        if self.assumed:
            words = f"assumed{f' ({self.source})' if self.source else ''}: {self.reason}"
        if temperature is not None and self.extrapolated(temperature):
            known = f"outside {self.valid[0]:g}–{self.valid[1]:g} K" if self.valid else ""
            words += f" [extrapolated to {temperature:g} K: {known or 'no valid range is stated'}]"
        return words


def check_temperature(temperature: float) -> None:
    """Refuse what is not an absolute temperature.

    Parameters
    ----------
    temperature : float
        To be checked [K].

    Raises
    ------
    PropertyError
        If it is not positive and finite.
    """
    if not (math.isfinite(temperature) and temperature > 0.0):
        raise PropertyError(describe("temperature", "a finite number > 0 K", temperature))
