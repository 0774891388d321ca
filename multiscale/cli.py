"""The command line: what a person types, and how a mistake is told.

Commands only read arguments, call one function of a room and print. An error of the
package is one line on stderr with its exit code (2 for bad input, 1 for a computation
that failed); a traceback means a defect of the program.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from typer.core import TyperGroup

from multiscale.errors import MultiscaleError
from multiscale.properties import BoundaryProperties, Material, Number, Quantity, load, names
from multiscale.provenance import Estimate
from multiscale.units import from_si

_SHOWN_AT = 300.0
_SHOWN_IN = {
    "diffusivity": "cm2/s",
    "length": "nm",
    "number_density": "1/cm3",
    "surface_energy": "J/m2",
    "dimensionless": "1",
}


class _OneLineErrors(TyperGroup):
    """Turns an error raised on purpose into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MultiscaleError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_OneLineErrors,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Effective diffusivity of two-phase polycrystals with thin grain boundaries.",
)
properties_app = typer.Typer(no_args_is_help=True, help="The property library and its sources.")
app.add_typer(properties_app, name="properties")


@app.callback()
def _group() -> None:
    """Keep every command a word of its own, however few there are."""


def main() -> None:
    """Run the command line."""
    app()


@properties_app.command("list", epilog="Example: multiscale properties list")
def list_properties() -> None:
    """List the materials and boundary types of the library."""
    table = Table(title=None, box=None, pad_edge=False, header_style="bold")
    for heading in ("name", "kind", "D at 300 K [cm²/s]", "basis", "title"):
        table.add_column(escape(heading), overflow="fold")
    for name in names():
        one = load(name)
        if isinstance(one, Material):
            shown, first = _diffusivity(one.diffusivity(_SHOWN_AT)), one.in_plane
        else:
            first = one.across_quantity
            across, along = _across_along(one)
            shown = f"{across} across, {along} along"
        kind = "material" if isinstance(one, Material) else "boundary"
        table.add_row(name, kind, shown, _basis(first), escape(one.title))
    _console().print(table)


@properties_app.command(
    "show",
    epilog="Examples: multiscale properties show LLZO  ·  multiscale properties show my/file.toml",
    help="Print every number of one material or boundary type, with its source or reason.",
)
def show_property(
    name: Annotated[str, typer.Argument(help="A name of the library, or a property file.")],
) -> None:
    """Print every number of one material or boundary type, with its source or reason.

    Parameters
    ----------
    name : str
        A name of the library, or the path of a property file.
    """
    one = load(name)
    console = _console()
    console.print(f"[bold]{escape(one.name)}[/bold]  {escape(one.title)}")
    if isinstance(one, Material):
        console.print(escape(one.composition))
    if one.description.strip():
        console.print(escape(" ".join(one.description.split())), style="dim")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("quantity", "at 300 K", "law", "uncertainty", "valid"):
        table.add_column(heading, overflow="fold")
    for quantity in one.quantities:
        table.add_row(*(escape(cell) for cell in _row(quantity)))
    console.print()
    console.print(table)
    console.print()
    for quantity in one.quantities:
        confidence = f" [confidence {quantity.confidence}]" if quantity.confidence else ""
        console.print(escape(f"{quantity.name}: {quantity.origin()}{confidence}"))
        for line in _doubts(quantity):
            console.print(escape(f"  {line}"), style="dim")
        if quantity.note:
            console.print(escape(f"  {quantity.note}"), style="dim")
    if isinstance(one, Material):
        average = one.diffusivity(_SHOWN_AT)
        if not one.isotropic:
            shown = f"random-polycrystal average at 300 K: {_diffusivity(average)} cm2/s"
            console.print(escape(shown))
    else:
        across, along = _across_along(one)
        beside = " and ".join(dict.fromkeys(one.between))
        console.print(escape(f"at 300 K beside {beside}: across {across}, along {along} cm2/s"))


@app.command(
    epilog="Example: multiscale generate microstructures/llzo-lco-3d.toml --cells 64 -o grains.vti",
    help="Grow a polycrystal after a recipe and write its voxel image.",
)
def generate(
    recipe: Annotated[Path, typer.Argument(help="A recipe file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Image: .h5, .vti, .tif or .npz.")],
    cells: Annotated[int, typer.Option(min=1, help="Voxels along each axis.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the polycrystal.")] = 0,
) -> None:
    """Grow a polycrystal after a recipe and write its voxel image.

    Parameters
    ----------
    recipe : pathlib.Path
        A recipe file.
    output : pathlib.Path
        Image; its suffix decides the format.
    cells : int
        Voxels along each axis.
    seed : int
        Seed of the polycrystal.
    """
    from multiscale.config import build, load_recipe
    from multiscale.microstructure import check_resolution, write_image

    plan = load_recipe(recipe)
    crystal, grid = build(plan, seed=seed), (cells,) * plan.dimension
    check_resolution(crystal, grid)
    write_image(output, crystal, cells=grid)
    print(output)


def _console() -> Console:
    """Make a console that does not cut lines where output goes to a file."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200)
    return console


def _row(quantity: Quantity) -> tuple[str, str, str, str, str]:
    """Show one quantity."""
    unit = _SHOWN_IN[quantity.dimension]
    value = from_si(quantity.evaluate(_SHOWN_AT).value, unit, quantity.dimension)
    shown = f"{value:.3g} {unit}".removesuffix(" 1")
    return quantity.name, shown, quantity.law(), quantity.doubt(), quantity.validity()


def _doubts(quantity: Quantity) -> list[str]:
    """Say where each uncertainty comes from."""
    given: dict[str, Number | None] = {
        "uncertainty": quantity.number,
        "uncertainty of E": quantity.activation_energy,
    }
    return [
        f"{label}: {number.uncertainty_origin}"
        for label, number in given.items()
        if number is not None
    ]


def _basis(quantity: Quantity) -> str:
    """Say in a word or two what a quantity rests on."""
    return "assumed" if quantity.assumed else f"{quantity.source} ({quantity.confidence})"


def _across_along(one: BoundaryProperties) -> tuple[str, str]:
    """Show both coefficients at 300 K beside the materials that the file names."""
    bulk = []
    for name in one.between if one.needs_bulk else ():
        material = load(name)
        if isinstance(material, Material):
            bulk.append(material.diffusivity(_SHOWN_AT).value)
    across, along = one.across(_SHOWN_AT, bulk), one.along(_SHOWN_AT, bulk)
    return _diffusivity(across), _diffusivity(along)


def _diffusivity(estimate: Estimate) -> str:
    """Show a diffusivity in cm²/s."""
    return f"{from_si(estimate.value, 'cm2/s', 'diffusivity'):.3g}"
