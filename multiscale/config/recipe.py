"""Microstructure recipes: what kind of polycrystal, as data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from multiscale.errors import RecipeError, describe, nearest
from multiscale.tomlfile import FieldError, Strict, read, validate
from multiscale.units import to_si

if TYPE_CHECKING:
    import numpy as np

    from multiscale.microstructure import Polycrystal

Fraction = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Text = Annotated[str, Field(min_length=1)]


MOST_GRAINS = 10**8
"""Grains beyond which no polycrystal is grown."""
GRAIN_SIZES = (1e-3, 1e12)
"""Grain sizes [nm] whose volumes, and their inverses, are far from the limits of numbers."""


def check_grain_size(value: float, key: str) -> None:
    """Refuse a grain size with whose volume nothing can be computed.

    Parameters
    ----------
    value : float
        Mean grain size [nm].
    key : str
        Its key, for the message.

    Raises
    ------
    FieldError
        If it is smaller or larger than any length of matter.
    """
    low, high = GRAIN_SIZES
    if not low <= value <= high:
        raise FieldError(key, f"a length from {low:g} to {high:g} nm", value)


class _SeedingEntry(Strict):
    """Where grains grow from."""

    law: Literal["poisson", "minimum-distance", "lloyd"]
    minimum_distance: Positive | None = None
    steps: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _options_of_the_law(self) -> Self:
        owner = {"minimum_distance": "minimum-distance", "steps": "lloyd"}
        for key, law in owner.items():
            if getattr(self, key) is not None and self.law != law:
                raise FieldError(key, f"this key with law = '{law}' only", f"law = '{self.law}'")
        return self


class _GrainSizeEntry(Strict):
    """How grain sizes are spread."""

    law: Literal["voronoi", "log-normal"]
    coefficient_of_variation: Annotated[float, Field(gt=0, lt=1)] | None = None

    @model_validator(mode="after")
    def _spread_of_the_law(self) -> Self:
        key, given = "coefficient_of_variation", self.coefficient_of_variation
        if self.law == "log-normal" and given is None:
            raise FieldError(key, "a number between 0 and 1 with law = 'log-normal'", "nothing")
        if self.law == "voronoi" and given is not None:
            remedy = "set law = 'log-normal' or drop it"
            raise FieldError(key, "no such key with law = 'voronoi'", given, remedy)
        return self


class _OrientationEntry(Strict):
    """How crystals lie."""

    law: Literal["random"]


class _RecipeFile(Strict):
    """A recipe's file."""

    description: Text
    dimension: Literal[2, 3]
    grains: Annotated[int, Field(ge=1)]
    grain_size_nm: Positive
    periodic: bool
    phase_correlation_length: Positive | None = None
    seeding: _SeedingEntry
    grain_sizes: _GrainSizeEntry
    orientation: _OrientationEntry
    phases: dict[str, Fraction]

    @model_validator(mode="after")
    def _sizes_can_be_computed(self) -> Self:
        check_grain_size(self.grain_size_nm, "grain_size_nm")
        if self.grains > MOST_GRAINS:
            raise FieldError("grains", f"at most {MOST_GRAINS:.0e} grains", self.grains)
        return self

    @model_validator(mode="after")
    def _fractions_partition_one(self) -> Self:
        for name in self.phases:
            if not name.strip() or "|" in name:
                raise FieldError("phases", "names without '|'", name)
        total = math.fsum(self.phases.values())
        if abs(total - 1.0) > 1e-6:
            raise FieldError("phases", "volume fractions that add up to 1", f"{total:g}")
        return self


@dataclass(frozen=True, slots=True)
class Recipe:
    """A microstructure recipe in SI.

    Parameters
    ----------
    name : str
        Stem of its file.
    description : str
        For people.
    dimension : int
        2 or 3.
    grains : int
        Number of grains in the box.
    grain_size : float
        Mean grain size d = (box volume / grains)^(1/dimension) [m].
    periodic : bool
        Whether the box repeats.
    seeding : str
        ``"poisson"``, ``"minimum-distance"`` or ``"lloyd"``.
    minimum_distance : float or None
        Of minimum-distance seeds, in mean grain sizes.
    lloyd_steps : int or None
        Of Lloyd seeds.
    coefficient_of_variation : float or None
        Of a log-normal grain size; None for plain Voronoi cells.
    phases : Mapping of str to float
        Volume fraction of each phase.
    correlation_length : float or None
        Over which a phase clusters, in mean grain sizes; None if phases are uncorrelated.
    content : Mapping
        The file as read, for provenance.
    """

    name: str
    description: str
    dimension: int
    grains: int
    grain_size: float
    periodic: bool
    seeding: str
    minimum_distance: float | None
    lloyd_steps: int | None
    coefficient_of_variation: float | None
    phases: Mapping[str, float]
    correlation_length: float | None
    content: Mapping[str, Any]

    def box(self, grain_size: float | None = None) -> tuple[float, ...]:
        """Edges of the square or cubic box.

        Parameters
        ----------
        grain_size : float, optional
            Mean grain size [m] in place of the recipe's.

        Returns
        -------
        tuple of float
            Box edges [m].
        """
        size = self.grain_size if grain_size is None else grain_size
        return (size * self.grains ** (1.0 / self.dimension),) * self.dimension

    def voxels_per_grain(self, cells: tuple[int, ...]) -> float:
        """Voxels along the edge of a mean grain, on the coarsest axis.

        Parameters
        ----------
        cells : tuple of int
            Voxels along each axis.

        Returns
        -------
        float
            Grain size over voxel edge.
        """
        return float(min(cells) / self.grains ** (1.0 / self.dimension))


def load_recipe(path: str | Path) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path : str or pathlib.Path
        Its TOML file.

    Returns
    -------
    Recipe
        Frozen, in SI.

    Raises
    ------
    RecipeError
        If the file is missing or wrong; one line.
    """
    path = Path(path)
    data = read(path, RecipeError, _others(path))
    file = validate(_RecipeFile, data, path, RecipeError)
    return Recipe(
        name=path.stem,
        description=file.description.strip(),
        dimension=file.dimension,
        grains=file.grains,
        grain_size=to_si(file.grain_size_nm, "nm", "length"),
        periodic=file.periodic,
        seeding=file.seeding.law,
        minimum_distance=file.seeding.minimum_distance,
        lloyd_steps=file.seeding.steps,
        coefficient_of_variation=file.grain_sizes.coefficient_of_variation,
        phases=file.phases,
        correlation_length=file.phase_correlation_length,
        content=data,
    )


def find_recipe(name: str, folder: Path) -> Path:
    """Find the recipe that a study names.

    Parameters
    ----------
    name : str
        A path relative to ``folder`` (ending in ``.toml``), or a bare name in the
        ``microstructures`` folder that stands beside the folder of runs.
    folder : pathlib.Path
        Folder of the study file.

    Returns
    -------
    pathlib.Path
        The file; it need not exist.
    """
    if name.endswith(".toml"):
        return folder / name
    return folder.parent.parent / "microstructures" / f"{name}.toml"


def build(
    recipe: Recipe,
    *,
    seed: int | np.random.Generator,
    fractions: Mapping[str, float] | None = None,
    grain_size: float | None = None,
) -> Polycrystal:
    """Grow a polycrystal after a recipe.

    Parameters
    ----------
    recipe : Recipe
        What kind.
    seed : int or numpy.random.Generator
        Source of randomness.
    fractions : mapping of str to float, optional
        Volume fractions in place of the recipe's.
    grain_size : float, optional
        Mean grain size [m] in place of the recipe's.

    Returns
    -------
    multiscale.microstructure.Polycrystal
        The polycrystal.

    Raises
    ------
    RecipeError
        If ``fractions`` name other phases than the recipe.
    GenerationError
        If the polycrystal cannot be made to meet the recipe.
    """
    from multiscale.microstructure import polycrystal

    if fractions is not None and set(fractions) != set(recipe.phases):
        place = f"{recipe.name}: fractions"
        raise RecipeError(describe(place, sorted(recipe.phases), sorted(fractions)))
    size = recipe.grain_size if grain_size is None else grain_size
    options: dict[str, Any] = {}
    if recipe.minimum_distance is not None:
        options["minimum_distance"] = recipe.minimum_distance * size
    if recipe.lloyd_steps is not None:
        options["lloyd_steps"] = recipe.lloyd_steps
    if recipe.correlation_length is not None:
        options["correlation_length"] = recipe.correlation_length * size
    if recipe.coefficient_of_variation is not None:
        options["grain_size_cv"] = recipe.coefficient_of_variation
    return polycrystal(
        recipe.grains,
        recipe.box(size),
        dict(recipe.phases if fractions is None else fractions),
        seed,
        periodic=recipe.periodic,
        seeding=recipe.seeding,
        **options,
    )


def _others(path: Path) -> str:
    """Say which recipe of the same folder may have been meant."""
    stems = [file.stem for file in path.parent.glob("*.toml")]
    return nearest(path.stem, stems) if stems else "give the path of a .toml file"
