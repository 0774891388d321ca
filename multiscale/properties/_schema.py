"""What a property file may say; units leave here as SI."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PlainValidator, model_validator

from multiscale.errors import InputError, PropertyError
from multiscale.properties.quantity import Number, Quantity
from multiscale.tomlfile import FieldError, Strict, dotted
from multiscale.units import to_si

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]


def _valid_range(given: object) -> tuple[float, float] | None:
    """Read ``[lowest, highest]`` or ``"not stated"``."""
    if given == "not stated":
        return None
    match given:
        case (int() | float() as low, int() | float() as high) if 0 < low <= high < math.inf:
            return float(low), float(high)
    shown = list(given) if isinstance(given, tuple) else given
    raise FieldError("", "[lowest, highest] in K or 'not stated'", shown)


ValidRange = Annotated[tuple[float, float] | None, PlainValidator(_valid_range)]


class UncertaintyEntry(Strict):
    """``uncertainty = { kind, value, origin }``; ``unknown`` carries no value."""

    kind: Literal["relative", "log10 sd", "standard error", "unknown"]
    value: NonNegative | None = None
    origin: Text

    @model_validator(mode="after")
    def _value_unless_unknown(self) -> Self:
        if self.kind == "unknown" and self.value is not None:
            raise FieldError("value", "no value beside kind = 'unknown'", self.value)
        if self.kind != "unknown" and self.value is None:
            raise FieldError("value", "a number ≥ 0", "nothing", "or kind = 'unknown'")
        return self


class NumberEntry(Strict):
    """A number, its unit and its uncertainty."""

    value: NonNegative
    unit: Text
    uncertainty: UncertaintyEntry

    def number(self, dimension: str, place: str) -> Number:
        """Convert to SI."""
        try:
            value = to_si(self.value, self.unit, dimension, f"{place}.unit")
        except InputError as problem:
            raise PropertyError(str(problem)) from None
        doubt = self.uncertainty
        sigma = math.nan if doubt.value is None else doubt.value
        return Number(value, self.value, self.unit, doubt.kind, sigma, doubt.origin)


class Sourced(Strict):
    """What every quantity must say of its origin."""

    source: Text | None = None
    assumed: bool = False
    reason: Text | None = None
    confidence: Literal["high", "medium", "low"] | None = None
    valid: ValidRange
    note: str = ""

    @model_validator(mode="after")
    def _source_or_reason(self) -> Self:
        if self.assumed and self.reason is None:
            raise FieldError("reason", "why the number is assumed", "nothing")
        if not self.assumed and self.source is None:
            raise FieldError("source", "a DOI", "nothing", "or assumed = true with a reason")
        if not self.assumed and self.confidence is None:
            raise FieldError("confidence", "'high', 'medium' or 'low'", "nothing")
        if not self.assumed and self.reason is not None:
            raise FieldError("reason", "no reason beside a sourced number", self.reason, "use note")
        return self

    def _quantity(
        self, name: str, dimension: str, number: Number, energy: Number | None, at: float
    ) -> Quantity:
        return Quantity(
            name=name,
            dimension=dimension,
            number=number,
            activation_energy=energy,
            at=at,
            valid=self.valid,
            source=self.source or "",
            assumed=self.assumed,
            reason=self.reason or "",
            confidence=self.confidence or "",
            note=self.note,
        )


class ValueEntry(Sourced):
    """A quantity without a temperature law."""

    value: NonNegative
    unit: Text
    uncertainty: UncertaintyEntry

    def quantity(self, name: str, dimension: str, file: Path | str) -> Quantity:
        """Convert to SI."""
        entry = NumberEntry(value=self.value, unit=self.unit, uncertainty=self.uncertainty)
        number = entry.number(dimension, dotted(file, name))
        return self._quantity(name, dimension, number, None, math.inf)


class FactorEntry(ValueEntry):
    """A factor, which cannot be zero."""

    value: Positive


class LawEntry(Sourced):
    """A value, or an Arrhenius law by prefactor or by the value at one temperature."""

    prefactor: NumberEntry | None = None
    value: NonNegative | None = None
    unit: Text | None = None
    uncertainty: UncertaintyEntry | None = None
    at: Positive | None = None
    activation_energy: NumberEntry | None = None

    @model_validator(mode="after")
    def _one_law(self) -> Self:
        given = self.model_fields_set
        if ("prefactor" in given) == ("value" in given):
            both = "both" if "value" in given else "neither"
            raise FieldError("", "either a prefactor or a value", both)
        if self.prefactor is not None:
            for key in ("unit", "uncertainty", "at"):
                if key in given:
                    raise FieldError(key, "no such key beside a prefactor", getattr(self, key))
            if self.activation_energy is None:
                raise FieldError("activation_energy", "this key beside a prefactor", "nothing")
            return self
        for key in ("unit", "uncertainty"):
            if key not in given:
                raise FieldError(key, "this key beside a value", "nothing", f"add {key}")
        if ("at" in given) != ("activation_energy" in given):
            absent = "activation_energy" if "at" in given else "at"
            raise FieldError(absent, "at and activation_energy together", "only one of them")
        return self

    def quantity(self, name: str, dimension: str, file: Path | str) -> Quantity:
        """Convert to SI."""
        place = dotted(file, name)
        entry, at = self.prefactor, math.inf
        if entry is None:
            assert self.value is not None and self.unit is not None  # noqa: PT018
            assert self.uncertainty is not None
            entry = NumberEntry(value=self.value, unit=self.unit, uncertainty=self.uncertainty)
            at = self.at or math.inf
            number = entry.number(dimension, place)
        else:
            number = entry.number(dimension, f"{place}.prefactor")
        energy = None
        if self.activation_energy is not None:
            energy = self.activation_energy.number("energy", f"{place}.activation_energy")
        return self._quantity(name, dimension, number, energy, at)


class LayeredEntry(Strict):
    """A uniaxial crystal: in the layers, and along c relative to that."""

    in_plane: LawEntry
    c_ratio: ValueEntry


class TransportEntry(Strict):
    """A boundary's diffusivity, absolute or as a ratio to the bulk beside it."""

    diffusivity: LawEntry | None = None
    ratio_to_bulk: LawEntry | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.diffusivity is None) == (self.ratio_to_bulk is None):
            both = "neither" if self.diffusivity is None else "both"
            raise FieldError("", "either diffusivity or ratio_to_bulk", both)
        return self

    def quantity(self, name: str, file: Path | str) -> Quantity:
        """Convert to SI."""
        if self.diffusivity is not None:
            return self.diffusivity.quantity(f"{name}.diffusivity", "diffusivity", file)
        assert self.ratio_to_bulk is not None
        return self.ratio_to_bulk.quantity(f"{name}.ratio_to_bulk", "dimensionless", file)


class MaterialFile(Strict):
    """A material's file."""

    kind: Literal["material"]
    title: Text
    composition: Text
    description: str = ""
    self_diffusivity: LawEntry | None = None
    layered_self_diffusivity: LayeredEntry | None = None
    lithium_density: ValueEntry | None = None
    haven_ratio: FactorEntry | None = None
    segregation_factor: FactorEntry | None = None

    @model_validator(mode="after")
    def _one_diffusivity(self) -> Self:
        if (self.self_diffusivity is None) == (self.layered_self_diffusivity is None):
            both = "neither" if self.self_diffusivity is None else "both"
            raise FieldError("", "either self_diffusivity or layered_self_diffusivity", both)
        return self


FILM_KEYS = ("width", "across", "along")


class FilmEntry(Strict):
    """A film: its own numbers, or another boundary file that has them."""

    use: Text | None = None
    width: ValueEntry | None = None
    across: TransportEntry | None = None
    along: TransportEntry | None = None
    segregation_factor: FactorEntry | None = None
    boundary_energy: ValueEntry | None = None

    @model_validator(mode="after")
    def _use_or_numbers(self) -> Self:
        optional = ("segregation_factor", "boundary_energy")
        given = [key for key in (*FILM_KEYS, *optional) if getattr(self, key) is not None]
        if self.use is not None and given:
            raise FieldError(given[0], "no such key beside use", "both", "keep one of them")
        if self.use is None:
            for key in FILM_KEYS:
                if key not in given:
                    remedy = f'add {key}, or use = "library name"'
                    raise FieldError(key, "this key", "nothing", remedy)
        return self


Degrees = tuple[float, float]


class RuleEntry(FilmEntry):
    """``[[rules]]``: a film for boundaries whose crystals and plane meet conditions."""

    name: Text
    reason: Text
    sigma: tuple[int, ...] | None = None
    misorientation: Degrees | None = None
    c_axis_to_plane: Degrees | None = None
    c_axis_angle: Degrees | None = None
    coherent_twin: float | None = None
    c_axis_of: Text = "both"


class BoundaryFile(FilmEntry):
    """A boundary type's file."""

    kind: Literal["boundary"]
    title: Text
    between: tuple[Text, Text]
    description: str = ""
    symmetry: Literal["cubic", "hexagonal", "trigonal"] | None = None
    rules: Annotated[tuple[RuleEntry, ...], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _symmetry_with_rules(self) -> Self:
        if (self.symmetry is None) != (self.rules is None):
            absent = "symmetry" if self.symmetry is None else "rules"
            raise FieldError(absent, "symmetry and rules together", "only one of them")
        return self
