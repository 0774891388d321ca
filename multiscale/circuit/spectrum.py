"""An impedance spectrum, and its CSV file with named columns and units."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from multiscale.circuit.elements import Complexes, Floats, angular_frequency
from multiscale.errors import InputError, describe

UNITS = ("ohm", "ohm m2")
"""Units of an impedance: of a sample, or times its area."""
AGREEMENT = 1e-6
"""Relative difference allowed between the columns of modulus and phase and Z′, Z″."""
_EXPECTED_ROW = "finite numbers, the frequency > 0"


@dataclass(frozen=True, slots=True, eq=False)
class ImpedanceSpectrum:
    """Complex impedance at frequencies.

    Parameters
    ----------
    frequency : array_like, shape (n,)
        f [Hz], finite and > 0, in any order.
    impedance : array_like of complex, shape (n,)
        Z = Z′ + jZ″, finite.
    unit : {"ohm", "ohm m2"}, optional
        Of the impedance: Ω, or Ω m² (times the area of the sample).

    Raises
    ------
    InputError
        If the arrays do not fit each other or hold other values.
    """

    frequency: Floats
    impedance: Complexes
    unit: str = "ohm"

    def __post_init__(self) -> None:
        """Check the arrays and keep copies that nobody can change."""
        frequency = np.array(self.frequency, dtype=np.float64)
        impedance = np.array(self.impedance, dtype=np.complex128)
        if frequency.ndim != 1 or len(frequency) == 0:
            expected = "a list of at least one value"
            raise InputError(describe("frequency", expected, f"shape {frequency.shape}"))
        angular_frequency(frequency)
        if impedance.shape != frequency.shape:
            expected = f"as many values as frequencies, {len(frequency)}"
            raise InputError(describe("impedance", expected, f"shape {impedance.shape}"))
        if not np.isfinite(impedance).all():
            bad = impedance[~np.isfinite(impedance)][0]
            raise InputError(describe("impedance", "finite values", f"{bad}"))
        if self.unit not in UNITS:
            raise InputError(describe("unit", " or ".join(UNITS), self.unit))
        for name, values in (("frequency", frequency), ("impedance", impedance)):
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    @property
    def modulus(self) -> Floats:
        """|Z|."""
        return np.abs(self.impedance)

    @property
    def phase(self) -> Floats:
        """Angle of Z [degrees], negative where it is capacitive."""
        return np.asarray(np.angle(self.impedance, deg=True))

    def times_area(self, area: float) -> ImpedanceSpectrum:
        """Multiply an impedance of a sample by its area.

        Parameters
        ----------
        area : float
            Cross-section of the sample [m²].

        Returns
        -------
        ImpedanceSpectrum
            In Ω m².

        Raises
        ------
        InputError
            If the area is not > 0 or the spectrum is in Ω m² already.
        """
        if self.unit != "ohm":
            raise InputError(describe("unit", "ohm", self.unit, "it holds the area already"))
        if not (area > 0 and math.isfinite(area)):
            raise InputError(describe("area", "a finite value > 0 [m²]", area))
        return ImpedanceSpectrum(self.frequency, self.impedance * area, "ohm m2")


def _header(unit: str) -> tuple[str, ...]:
    tag = unit.replace(" ", "_")
    return ("frequency_Hz", f"Z_real_{tag}", f"Z_imag_{tag}", f"Z_modulus_{tag}", "phase_deg")


def write_spectrum(spectrum: ImpedanceSpectrum, path: str | Path, *, plain: bool = False) -> None:
    """Write a spectrum to a CSV file, whole and then renamed into place.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        What to write, to the last digit.
    path : str or pathlib.Path
        The file; its folder must exist.
    plain : bool, optional
        Three columns f, Z′, Z″ without a header, as impedance.py's ``readCSV`` takes them,
        instead of five with names and units.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    z = spectrum.impedance
    columns = [spectrum.frequency, z.real, z.imag, spectrum.modulus, spectrum.phase]
    rows = np.column_stack(columns[:3] if plain else columns).tolist()
    lines = [] if plain else [",".join(_header(spectrum.unit))]
    lines += [",".join(map(repr, row)) for row in rows]
    path = Path(path)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        raise InputError(describe(path, "a file that can be written", str(error))) from error
    finally:
        partial.unlink(missing_ok=True)


def read_spectrum(path: str | Path) -> ImpedanceSpectrum:
    """Read a CSV file of :func:`write_spectrum` strictly.

    Parameters
    ----------
    path : str or pathlib.Path
        Its header names the columns and, with them, the unit.

    Returns
    -------
    ImpedanceSpectrum
        With the numbers as written.

    Raises
    ------
    InputError
        If the file cannot be read, a column is missing, a line is cut short or holds no
        finite numbers, or modulus or phase do not fit Z′ and Z″; it names the line.
    """
    path = Path(path)
    text = _text(path)
    header, *lines = text.splitlines() or [""]
    unit = _unit(path, [name.strip() for name in header.split(",")])
    if not text.endswith("\n"):
        expected = "a line end after the last line"
        last = lines[-1] if lines else header
        raise InputError(
            describe(f"{path}, line {len(lines) + 1}", expected, last, "the file is cut short")
        )
    rows = [
        _row(f"{path}, line {number}", line, _header(unit))
        for number, line in enumerate(lines, start=2)
    ]
    if not rows:
        raise InputError(describe(path, "at least one line of numbers", "a header alone"))
    for number, row in enumerate(rows, start=2):
        _check_polar(f"{path}, line {number}", row)
    values = np.array(rows)
    return ImpedanceSpectrum(values[:, 0], values[:, 1] + 1j * values[:, 2], unit)


def read_plain_spectrum(path: str | Path, unit: str = "ohm") -> ImpedanceSpectrum:
    """Read a CSV file of three columns without a header: f [Hz], Z′, Z″.

    Parameters
    ----------
    path : str or pathlib.Path
        Such as impedance.py's ``readCSV`` takes; blank lines and lines that start with ``#``
        count for nothing.
    unit : {"ohm", "ohm m2"}, optional
        Of the impedance.

    Returns
    -------
    ImpedanceSpectrum
        With the numbers as written.

    Raises
    ------
    InputError
        If the file cannot be read, or a line does not hold three finite numbers.
    """
    path = Path(path)
    lines = [(k, line.strip()) for k, line in enumerate(_text(path).splitlines(), start=1)]
    columns = ("f [Hz]", "Z'", "Z''")
    rows = [
        _row(f"{path}, line {number}", line, columns)
        for number, line in lines
        if line and not line.startswith("#")
    ]
    if not rows:
        raise InputError(describe(path, "at least one line of numbers", "none"))
    values = np.array(rows)
    return ImpedanceSpectrum(values[:, 0], values[:, 1] + 1j * values[:, 2], unit)


def read_any_spectrum(path: str | Path) -> ImpedanceSpectrum:
    """Read a CSV file with the header of :func:`write_spectrum`, or with none.

    Parameters
    ----------
    path : str or pathlib.Path
        Without a header: three columns in Ω, as :func:`read_plain_spectrum` reads them.

    Returns
    -------
    ImpedanceSpectrum
        With the numbers as written.

    Raises
    ------
    InputError
        As the two functions.
    """
    first = _text(Path(path)).lstrip()[:1]
    plain = first in "+-.#" or first.isdigit() if first else False
    return read_plain_spectrum(path) if plain else read_spectrum(path)


def _text(path: Path) -> str:
    expected = "a text file that can be read"
    try:
        if path.exists() and not path.is_file():
            raise InputError(describe(path, expected, "a folder, pipe or device"))
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(describe(path, expected, str(error))) from error


def _unit(path: Path, names: Sequence[str]) -> str:
    for unit in UNITS:
        if tuple(names) == _header(unit):
            return unit
    unit = "ohm m2" if any(name.endswith("m2") for name in names) else "ohm"
    expected = _header(unit)
    missing = [name for name in expected if name not in names]
    remedy = f"missing: {', '.join(missing)}" if missing else "the order is fixed"
    if not any(name in expected for name in names):
        remedy = "a file without a header is for read_plain_spectrum"
    raise InputError(describe(f"{path}, line 1", ",".join(expected), ",".join(names), remedy))


def _row(place: str, line: str, columns: Sequence[str]) -> list[float]:
    fields = line.split(",")
    if len(fields) != len(columns):
        expected = f"{len(columns)} numbers ({', '.join(columns)})"
        raise InputError(describe(place, expected, f"{len(fields)}: '{line}'"))
    try:
        row = [float(field) for field in fields]
    except ValueError:
        raise InputError(describe(place, _EXPECTED_ROW, f"'{line}'")) from None
    if not (all(map(math.isfinite, row)) and row[0] > 0):
        raise InputError(describe(place, _EXPECTED_ROW, f"'{line}'"))
    return row


def _check_polar(place: str, row: Sequence[float]) -> None:
    """Compare the columns of modulus and phase with Z′ and Z″: a damaged digit shows."""
    value, polar = complex(row[1], row[2]), row[3] * np.exp(1j * np.deg2rad(row[4]))
    if abs(value - polar) > AGREEMENT * abs(value):
        expected = (
            f"modulus {abs(value):.9g} and phase {np.angle(value, deg=True):.9g} of Z' and Z''"
        )
        raise InputError(describe(place, expected, f"{row[3]:.9g} and {row[4]:.9g}"))
