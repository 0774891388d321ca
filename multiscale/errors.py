"""Every exception the package raises on purpose.

::

    MultiscaleError
    ├── InputError (ValueError)          what came in is wrong       exit code 2
    │   ├── StudyError                   a study file or its command line
    │   ├── RecipeError                  a microstructure recipe
    │   ├── PropertyError                a property file or a missing property
    │   ├── ImageError                   an image or stored field
    │   ├── ResolutionError              too few voxels for a grain or film
    │   ├── MemoryLimitError             more than fits into memory
    │   └── StoreError                   a result folder that is not this study's
    └── ComputationError (RuntimeError)  the computation failed      exit code 1
        ├── ConvergenceError             a solver missed its tolerance
        ├── DynamicsError                a trajectory left its crystal or potential
        └── GenerationError              a microstructure missed its target

Besides: ResolutionWarning (UserWarning), for what can be computed but trusted less;
DeviceWarning (UserWarning), for what was computed elsewhere than asked.

A message is one line: the place, what was expected, what was received, and the
remedy. :func:`describe` composes it so that every room words it the same way.
"""

from __future__ import annotations

import difflib
import sys
import warnings
from collections.abc import Iterable, Sequence


class MultiscaleError(Exception):
    """Base of every error raised on purpose."""

    exit_code = 1


class InputError(MultiscaleError, ValueError):
    """Something given by the user cannot be used."""

    exit_code = 2


class StudyError(InputError):
    """A study file or the way it was called is wrong."""


class RecipeError(InputError):
    """A microstructure recipe is wrong."""


class PropertyError(InputError):
    """A property file is wrong or lacks a value."""


class ImageError(InputError):
    """An image or stored field cannot be read or used."""


class ResolutionError(InputError):
    """The grid is too coarse for the grains or films on it."""


class MemoryLimitError(InputError):
    """A problem needs more memory than is free."""


class StoreError(InputError):
    """A result folder belongs to another study or cannot be used."""


class StructureError(InputError):
    """Atoms do not make the crystal or boundary asked for."""


class PotentialError(InputError):
    """An interatomic potential is unknown, missing, changed, or lacks an element."""


class ComputationError(MultiscaleError, RuntimeError):
    """A computation could not be completed."""


class ConvergenceError(ComputationError):
    """An iteration stopped before its tolerance.

    Parameters
    ----------
    message : str
        One line for the user.
    history : sequence of float
        The relative residual after each iteration.
    """

    def __init__(self, message: str, history: Sequence[float] = ()) -> None:
        super().__init__(message)
        self.history = tuple(float(value) for value in history)


class GenerationError(ComputationError):
    """A microstructure could not be made to meet its specification."""


class DynamicsError(ComputationError):
    """Molecular dynamics left its crystal, or its potential the surface it stands for."""


class ResolutionWarning(UserWarning):
    """A film is wide for its grains or voxels: an answer comes, but as an estimate."""


class DeviceWarning(UserWarning):
    """The device that was asked for cannot be used: the answer comes from the CPU."""


def warn_resolution(message: str) -> None:
    """Warn of a film or grid, at the place outside this package that called it.

    Parameters
    ----------
    message : str
        One line; Python shows it once for each such place.
    """
    _warn_outside(message, ResolutionWarning)


def warn_device(message: str) -> None:
    """Warn of a missing device, at the place outside this package that called it.

    Parameters
    ----------
    message : str
        One line; Python shows it once for each such place.
    """
    _warn_outside(message, DeviceWarning)


def _warn_outside(message: str, category: type[Warning]) -> None:
    package, level, frame = __name__.partition(".")[0], 1, sys._getframe()
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def describe(place: object, expected: object, received: object, remedy: str = "") -> str:
    """Compose the one-line message of an input error.

    Parameters
    ----------
    place : object
        File and key, or argument name.
    expected : object
        What would have been accepted.
    received : object
        What came; long values are shortened.
    remedy : str, optional
        What to do about it.

    Returns
    -------
    str
        ``place: expected …, received …; remedy``, on one line.
    """
    shown = received if isinstance(received, str) else show(received)
    shown = " ".join(shown.split())
    if len(shown) > 120:
        shown = shown[:117] + "..."
    line = f"{place}: expected {expected}, received {shown}"
    return _printable(f"{line}; {remedy}" if remedy else line)


def show(value: object) -> str:
    """Show a value; of whole numbers with thousands of digits Python refuses to.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    str
        As Python writes it.
    """
    try:
        return repr(value)
    except ValueError:
        return "a number with thousands of digits"


def _printable(line: str) -> str:
    """Escape what would move the cursor, or could not be printed at all."""
    escaped = (one if one.isprintable() else repr(one)[1:-1] for one in line)
    return "".join(escaped)


def nearest(word: str, valid: Iterable[str]) -> str:
    """Name the valid key nearest to a misspelt one.

    Parameters
    ----------
    word : str
        What was written.
    valid : iterable of str
        The keys that exist.

    Returns
    -------
    str
        ``did you mean 'x'?`` or ``valid: a, b, c``.
    """
    keys = sorted(valid)
    folded = {key.lower(): key for key in keys}
    match = difflib.get_close_matches(word.lower(), list(folded), n=1, cutoff=0.5)
    return f"did you mean '{folded[match[0]]}'?" if match else "valid: " + ", ".join(keys)
