"""Finding and reading property files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from multiscale.errors import PropertyError, describe, nearest
from multiscale.properties._schema import BoundaryFile, MaterialFile, ValueEntry
from multiscale.properties.material import BoundaryProperties, Material
from multiscale.properties.quantity import Quantity
from multiscale.tomlfile import read, validate


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


def _boundary(file: BoundaryFile, path: Path, data: dict[str, object]) -> BoundaryProperties:
    """Convert a boundary type's file to SI."""
    factor, energy = file.segregation_factor, file.boundary_energy
    return BoundaryProperties(
        name=path.stem,
        title=file.title,
        description=file.description,
        between=file.between,
        width=file.width.quantity("width", "length", path),
        across_quantity=file.across.quantity("across", path),
        along_quantity=file.along.quantity("along", path),
        segregation_factor=_optional(factor, "segregation_factor", "dimensionless", path),
        boundary_energy=_optional(energy, "boundary_energy", "surface_energy", path),
        content=data,
    )


def _optional(entry: ValueEntry | None, name: str, dimension: str, path: Path) -> Quantity | None:
    """Convert a quantity that a file need not give."""
    return None if entry is None else entry.quantity(name, dimension, path)
