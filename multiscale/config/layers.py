"""Space charge in a study file: which boundaries are charged, and what their layers do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from multiscale.errors import InputError, StudyError, describe, nearest
from multiscale.properties import Boundary, BoundaryRules
from multiscale.space_charge import SpaceChargeLayer, space_charge_layer
from multiscale.tomlfile import Strict, dotted

Positive = Annotated[float, Field(gt=0)]


class LayerEntry(Strict):
    """``[space_charge."A|A"]`` of a study.

    Parameters
    ----------
    potential_V : float
        Of the cores against the bulk.
    relative_permittivity : float
        Of the grains.
    density_per_cm3 : float
        Carriers in the bulk.
    charge : int
        Of the carriers.
    model : {"gouy-chapman", "mott-schottky"}
        Whether the opposite charge moves.
    """

    potential_V: Annotated[float, Field(allow_inf_nan=False)]  # noqa: N815
    relative_permittivity: Positive
    density_per_cm3: Positive
    charge: int = 1
    model: Literal["gouy-chapman", "mott-schottky"] = "mott-schottky"


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The space charge beside the boundaries of one type.

    Parameters
    ----------
    potential : float
        Of the cores against the bulk [V].
    relative_permittivity : float
        Of the grains.
    density : float
        Of the carriers in the bulk [1/m³].
    charge : int
        Of the carriers.
    model : {"gouy-chapman", "mott-schottky"}
        Whether the opposite charge moves.
    """

    potential: float
    relative_permittivity: float
    density: float
    charge: int
    model: Literal["gouy-chapman", "mott-schottky"]

    def at(self, temperature: float) -> SpaceChargeLayer:
        """Solve for the layers.

        Parameters
        ----------
        temperature : float
            [K].

        Returns
        -------
        SpaceChargeLayer
            In endless grains.
        """
        return space_charge_layer(
            self.potential, temperature, self.relative_permittivity, self.density, self.charge,
            self.model,
        )  # fmt: skip

    def film(
        self,
        core: Boundary | BoundaryRules,
        bulk: float,
        temperature: float,
        temperatures: Iterable[float],
    ) -> Boundary | BoundaryRules:
        """Put the layers beside every film of a boundary type.

        Parameters
        ----------
        core : Boundary or BoundaryRules
            Films without layers.
        bulk : float
            Diffusivity of the grains [m²/s].
        temperature : float
            [K].
        temperatures : iterable of float
            All of the study, the widest layers of which give the film its width [K].

        Returns
        -------
        Boundary or BoundaryRules
            Films of one width at all temperatures that carry core and layers.
        """
        if isinstance(core, BoundaryRules):
            rules = tuple(
                replace(rule, film=self._one(rule.film, bulk, temperature, temperatures))
                for rule in core.rules
            )
            usual = self._one(core.default, bulk, temperature, temperatures)
            return replace(core, default=usual, rules=rules)
        return self._one(core, bulk, temperature, temperatures)

    def _one(
        self, core: Boundary, bulk: float, temperature: float, temperatures: Iterable[float]
    ) -> Boundary:
        widest = max(self.at(one).boundary(1.0, core).width for one in temperatures)
        return self.at(temperature).boundary(bulk, core, width=widest)


def layer_choices(
    entries: Mapping[str, LayerEntry] | None, pairs: Iterable[tuple[str, str]], path: Path
) -> dict[tuple[str, str], LayerChoice]:
    """Read which boundary types are charged.

    Parameters
    ----------
    entries : mapping or None
        Of the study file, keyed ``"A|A"``.
    pairs : iterable of tuple of str
        Boundary types that can occur.
    path : pathlib.Path
        Of the study, for messages.

    Returns
    -------
    dict
        By pair.

    Raises
    ------
    StudyError
        If a key is no boundary type within one phase, or its layers cannot be solved for.
    """
    within = [pair for pair in pairs if pair[0] == pair[1]]
    found = {}
    for key, entry in (entries or {}).items():
        place = dotted(path, ("space_charge", f'"{key}"'))
        first, _, second = key.partition("|")
        if (first, second) not in within:
            names = ["|".join(pair) for pair in within]
            raise StudyError(
                describe(place, "a boundary type within one open phase", key, nearest(key, names))
            )
        choice = LayerChoice(
            entry.potential_V, entry.relative_permittivity, 1e6 * entry.density_per_cm3,
            entry.charge, entry.model,
        )  # fmt: skip
        try:
            choice.at(300.0)
        except InputError as error:
            raise StudyError(f"{place}: {error}") from error
        found[first, second] = choice
    return found
