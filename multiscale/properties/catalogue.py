"""Finding and reading property files."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from multiscale.errors import PropertyError, describe, nearest
from multiscale.properties._schema import BoundaryFile, FilmEntry, MaterialFile, ValueEntry
from multiscale.properties.boundary import Boundary
from multiscale.properties.material import (
    CONDITIONS,
    BoundaryProperties,
    Material,
    RuleProperties,
)
from multiscale.properties.quantity import Quantity
from multiscale.tomlfile import dotted, read, validate


def names() -> tuple[str, ...]:
    """Name what the library holds.

    Returns
    -------
    tuple of str
        Sorted; each can be given to :func:`load`.
    """
    return tuple(sorted(file.stem for file in _folder().glob("*.toml")))


def load(name: str | Path) -> Material | BoundaryProperties:
    """Read one material or boundary type.

    Parameters
    ----------
    name : str or pathlib.Path
        A name of the library, or the path of a file of one's own (ending in ``.toml``).

    Returns
    -------
    Material or BoundaryProperties
        What the file describes.

    Raises
    ------
    PropertyError
        If there is no such name or file, or the file is wrong; one line.
    """
    path = _locate(name)
    data = read(path, PropertyError)
    kinds = {"material": MaterialFile, "boundary": BoundaryFile}
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in kinds:
        received = "nothing" if kind is None else kind
        place = f"{path}: kind"
        raise PropertyError(describe(place, "'material' or 'boundary'", received))
    if kind == "material":
        return _material(validate(MaterialFile, data, path, PropertyError), path, data)
    return _boundary(validate(BoundaryFile, data, path, PropertyError), path, data)


def _folder() -> Path:
    """Locate the files that come with the package."""
    folder = resources.files("multiscale.properties").joinpath("library")
    return Path(str(folder))


def _locate(name: str | Path) -> Path:
    """Turn a name or path into a path."""
    if isinstance(name, Path) or name.endswith(".toml") or "/" in name:
        return Path(name)
    path = _folder() / f"{name}.toml"
    if name not in names():
        place = "property library"
        raise PropertyError(describe(place, "a name in it", name, nearest(name, names())))
    return path


def _material(file: MaterialFile, path: Path, data: dict[str, object]) -> Material:
    """Convert a material's file to SI."""
    if file.self_diffusivity is not None:
        plane = file.self_diffusivity.quantity("self_diffusivity", "diffusivity", path)
        ratio = None
    else:
        layered = file.layered_self_diffusivity
        assert layered is not None
        key = "layered_self_diffusivity"
        plane = layered.in_plane.quantity(f"{key}.in_plane", "diffusivity", path)
        ratio = layered.c_ratio.quantity(f"{key}.c_ratio", "dimensionless", path)
    density, haven = file.lithium_density, file.haven_ratio
    return Material(
        name=path.stem,
        title=file.title,
        composition=file.composition,
        description=file.description,
        in_plane=plane,
        c_ratio=ratio,
        lithium_density=_optional(density, "lithium_density", "number_density", path),
        haven_ratio=_optional(haven, "haven_ratio", "dimensionless", path),
        segregation_factor=_optional(
            file.segregation_factor, "segregation_factor", "dimensionless", path
        ),
        content=data,
    )


def _boundary(file: BoundaryFile, path: Path, data: dict[str, Any]) -> BoundaryProperties:
    """Convert a boundary type's file to SI."""
    made = _film(file, file, path, "", data)
    if file.rules is None:
        return made
    rules, contents = [], []
    for number, (entry, raw) in enumerate(zip(file.rules, data["rules"], strict=True)):
        film = _film(entry, file, path, f"rules[{number}].", raw)
        conditions = {key: getattr(entry, key) for key in CONDITIONS}
        rules.append(RuleProperties(entry.name, entry.reason, conditions, film))
        contents.append(film.content)
    content = {**made.content, "rules": tuple(contents)}
    made = replace(made, content=content, symmetry=file.symmetry or "", rules=tuple(rules))
    _try_rules(made, path)
    return made


def _film(
    entry: FilmEntry, file: BoundaryFile, path: Path, key: str, data: dict[str, Any]
) -> BoundaryProperties:
    """Convert a film to SI: the numbers given here, or those of the file that it names."""
    if entry.use is not None:
        used = _used(entry.use, path, dotted(path, f"{key}use"))
        return replace(
            used,
            name=used.name if key else path.stem,
            title=file.title,
            description=file.description,
            between=file.between,
            content={**data, "used": used.content},
        )
    assert entry.width is not None
    assert entry.across is not None
    assert entry.along is not None
    factor, energy = entry.segregation_factor, entry.boundary_energy
    return BoundaryProperties(
        name=path.stem,
        title=file.title,
        description=file.description,
        between=file.between,
        width=entry.width.quantity(f"{key}width", "length", path),
        across_quantity=entry.across.quantity(f"{key}across", path),
        along_quantity=entry.along.quantity(f"{key}along", path),
        segregation_factor=_optional(factor, f"{key}segregation_factor", "dimensionless", path),
        boundary_energy=_optional(energy, f"{key}boundary_energy", "surface_energy", path),
        content=data,
    )


def _used(name: str, path: Path, place: str) -> BoundaryProperties:
    """Load the boundary file that another one names."""
    if not name.endswith(".toml") and name not in names():
        raise PropertyError(describe(place, "a name in the library", name, nearest(name, names())))
    target = path.parent / name if name.endswith(".toml") else _folder() / f"{name}.toml"
    data = read(target, PropertyError, f"named by {place}")
    if data.get("kind") != "boundary":
        raise PropertyError(describe(place, "a boundary type", f"{name}, which is none"))
    for key in ("use", "rules"):
        if key in data:
            remedy = "name a file with numbers of its own"
            raise PropertyError(describe(place, "one film", f"{name}, which has {key}", remedy))
    return _boundary(validate(BoundaryFile, data, target, PropertyError), target, data)


def _try_rules(made: BoundaryProperties, path: Path) -> None:
    """See that the rules can be asked, with a film that stands for any."""
    film = Boundary(width=1e-9, across=1.0, along=1.0)
    first, second = made.between
    try:
        made.with_rules(film, [film] * len(made.rules)).check_between(first, second, "rules")
    except PropertyError as problem:
        raise PropertyError(f"{path}: {problem}") from None


def _optional(entry: ValueEntry | None, name: str, dimension: str, path: Path) -> Quantity | None:
    """Convert a quantity that a file need not give."""
    return None if entry is None else entry.quantity(name, dimension, path)
