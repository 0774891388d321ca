"""Tables for spreadsheets and for COMSOL."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from multiscale.export.summary import Summary

Row = tuple[str, str, float, float, float, float, float, float, str]
NAN = float("nan")


def rows(summary: Summary) -> Iterator[Row]:
    """List every number with its quantity and unit.

    Parameters
    ----------
    summary : Summary
        One group of samples.

    Yields
    ------
    tuple
        Quantity, of what, temperature [K], median, ends of 68 %, ends of 95 %, unit.
    """
    given = [("effective_diffusivity", summary.diffusivity, "m2/s")]
    if summary.conductivity is not None:
        given.append(("effective_conductivity", summary.conductivity, "S/m"))
    for name, table, unit in given:
        for column, temperature in enumerate(summary.temperatures):
            values = (float(value) for value in table[:, column])
            yield (name, "mean of axes", float(temperature), *values, unit)  # type: ignore[misc]
    for name, found, unit in (
        ("boundary_diffusive_resistance", summary.resistance, "s/m"),
        ("boundary_areal_resistance", summary.ionic_resistance, "ohm m2"),
    ):
        for kind, values_of in found.items():
            for temperature, value in zip(summary.temperatures, values_of, strict=True):
                yield name, kind, float(temperature), float(value), NAN, NAN, NAN, NAN, unit


def as_csv(summary: Summary) -> str:
    """Write a table with one number a line.

    Parameters
    ----------
    summary : Summary
        One group of samples.

    Returns
    -------
    str
        Comma-separated; lines of origin begin with ``#``.
    """
    text = io.StringIO()
    for line in origin(summary):
        text.write(f"# {line}\n")
    writer = csv.writer(text, lineterminator="\n")
    names = ("median", "lower_68", "upper_68", "lower_95", "upper_95")
    writer.writerow(("quantity", "of", "temperature_K", *names, "unit"))
    for row in rows(summary):
        cells = [f"{one:.9g}" if isinstance(one, float) else one for one in row]
        writer.writerow(["" if one == "nan" else one for one in cells])
    return text.getvalue()


def as_comsol(summary: Summary) -> str:
    """Write a table that COMSOL reads as an interpolation function of temperature.

    Parameters
    ----------
    summary : Summary
        One group of samples.

    Returns
    -------
    str
        Separated by spaces, ``%`` before comments; the input, temperature, is the first
        column.
    """
    heads, columns = ["T[K]"], [summary.temperatures]
    for name, table, unit in (
        ("D", summary.diffusivity, "m^2/s"),
        ("sigma", summary.conductivity, "S/m"),
    ):
        for row, end in enumerate(("", "_lower68", "_upper68", "_lower95", "_upper95")):
            if table is not None:
                heads.append(f"{name}{end}[{unit}]")
                columns.append(table[row])
    for name, found, unit in (
        ("Rd", summary.resistance, "s/m"),
        ("R", summary.ionic_resistance, "ohm*m^2"),
    ):
        for kind, values in found.items():
            heads.append(f"{name}_{kind.replace('|', '_').replace(' ', '_')}[{unit}]")
            columns.append(values)
    lines = [f"% {line}" for line in origin(summary)] + ["% " + " ".join(heads)]
    lines += [
        " ".join(f"{float(column[number]):.9e}" for column in columns)
        for number in range(len(summary.temperatures))
    ]
    return "\n".join(lines) + "\n"


def origin(summary: Summary) -> list[str]:
    """Say where numbers come from and what they mean.

    Parameters
    ----------
    summary : Summary
        One group of samples.

    Returns
    -------
    list of str
        Lines without a mark.
    """
    law = summary.law()
    energy = f"{law.energy_eV:.4f} eV, misfit {law.misfit:.1%}" if law.energy == law.energy else "–"
    return [
        f"multiscale {summary.versions}, study {summary.study_hash}: {summary.title}",
        f"{summary.samples} samples; intervals are central shares of the samples; "
        f"{summary.zeros:.0%} do not conduct along some axis",
        f"apparent activation energy of the median diffusivity: {energy}",
        "boundary resistance: width over the coefficient across, of one boundary",
    ]
