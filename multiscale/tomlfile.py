"""Strict reading of TOML files: whatever is wrong with one becomes one line.

Properties, recipes and studies are read the same way: :func:`read` makes plain
data of a file, :func:`validate` holds it against a frozen pydantic model. Both
raise the error class they are given, with a message from
:func:`multiscale.errors.describe` that names the file and the dotted key.
"""

from __future__ import annotations

import re
import stat
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from multiscale.errors import InputError, describe, nearest, show

LARGEST = 2**20
"""Bytes beyond which a TOML file is not read: these are written by hand."""
DEEPEST = 50
"""Parts of a dotted key beyond which a file is not parsed: the parser's time and memory grow as
the square of them."""
_DEEP = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{DEEPEST}}}")

ModelT = TypeVar("ModelT", bound="Strict")

_TYPES = {
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "a text in quotes",
    "bool_type": "true or false",
    "tuple_type": "a list in [brackets]",
    "dict_type": "a table",
    "model_type": "a table",
    "finite_number": "a finite number",
}
_BOUNDS = {
    "greater_than": ("gt", "a number > {:g}"),
    "greater_than_equal": ("ge", "a number ≥ {:g}"),
    "less_than": ("lt", "a number < {:g}"),
    "less_than_equal": ("le", "a number ≤ {:g}"),
    "too_short": ("min_length", "at least {} entries"),
    "too_long": ("max_length", "at most {} entries"),
    "string_too_short": ("min_length", "a text of at least {} character"),
}


class Strict(BaseModel):
    """Base of every file model: frozen, no unknown keys, no coercion, no NaN."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FieldError(ValueError):
    """What a model's own validator found, in the words of :func:`~multiscale.errors.describe`.

    Parameters
    ----------
    key : str
        Key below the table being validated; empty for the table itself.
    expected, received : object
        As in :func:`multiscale.errors.describe`.
    remedy : str, optional
        What to do about it.
    """

    def __init__(self, key: str, expected: object, received: object, remedy: str = "") -> None:
        super().__init__(f"expected {expected}")
        self.key, self.expected, self.received, self.remedy = key, expected, received, remedy


def read(path: Path, error: type[InputError], remedy: str = "") -> dict[str, Any]:
    """Read a TOML file into plain data.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    error : type of InputError
        What to raise.
    remedy : str, optional
        What to say when there is no such file.

    Returns
    -------
    dict
        Its content; lists come as tuples.

    Raises
    ------
    InputError
        The class given, if the file is missing, unreadable, not UTF-8 or not TOML.
    """
    text = _text(path, error, remedy)
    if _DEEP.search(text):
        raise error(describe(path, "keys of a few parts", f"one of more than {DEEPEST} parts"))
    try:
        data: dict[str, Any] = _tuples(tomllib.loads(text.replace("\r\n", "\n")))
    except tomllib.TOMLDecodeError as problem:
        lines = text.count("\n") + 1
        found = str(problem).replace("at end of document", f"at line {lines}, the end of the file")
        raise error(describe(path, "valid TOML", found)) from None
    except RecursionError:
        raise error(describe(path, "tables and lists a few deep", "too deep a nesting")) from None
    except ValueError:  # Python reads no more than 4300 digits
        raise error(describe(path, "numbers", "one with thousands of digits")) from None
    return data


def _text(path: Path, error: type[InputError], remedy: str) -> str:
    """Read a file of text: not a pipe or device, which may never end, and not a large one."""
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise error(describe(path, "a TOML file", "a pipe or device"))
        if found.st_size > LARGEST:
            received = f"{found.st_size / 2**20:.3g} MiB"
            raise error(describe(path, f"a TOML file below {LARGEST / 2**20:g} MiB", received))
        return path.read_bytes().decode("utf-8")
    except InputError:  # is a ValueError too
        raise
    except FileNotFoundError:
        raise error(describe(path, "a TOML file", "no such file", remedy)) from None
    except OSError as problem:
        raise error(describe(path, "a readable TOML file", problem.strerror or "none")) from None
    except UnicodeDecodeError as problem:
        where = f"byte {problem.object[problem.start]:#04x} at offset {problem.start}"
        raise error(describe(path, "UTF-8 text", where, "save the file as UTF-8")) from None
    except ValueError as problem:  # a name with a null byte
        raise error(describe(path, "the name of a file", str(problem))) from None


def validate(
    model: type[ModelT], data: dict[str, Any], place: object, error: type[InputError]
) -> ModelT:
    """Hold plain data against a model.

    Parameters
    ----------
    model : type of Strict
        What the data must be.
    data : dict
        What :func:`read` returned.
    place : object
        File, named first in the message.
    error : type of InputError
        What to raise.

    Returns
    -------
    Strict
        The frozen model.

    Raises
    ------
    InputError
        The class given, naming the first key that is wrong; a misspelt key goes
        before the missing one that it may be meant for.
    """
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        found = problem.errors(include_url=False)
        first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
        raise error(_line(model, dict(first), place)) from None


def dotted(place: object, key: Sequence[str | int] | str) -> str:
    """Name a key of a file as messages do.

    Parameters
    ----------
    place : object
        The file.
    key : str or sequence
        The key, or the path to it.

    Returns
    -------
    str
        ``file: a.b[0]``.
    """
    text = key if isinstance(key, str) else ""
    for part in () if isinstance(key, str) else key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return f"{place}: {text}" if text else str(place)


def _tuples(value: Any) -> Any:
    """Turn lists into tuples, all the way down."""
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _line(model: type[BaseModel], found: dict[str, Any], place: object) -> str:
    """Word one pydantic error."""
    kind, received = found["type"], found["input"]
    key = tuple(part for part in found["loc"] if not str(part).startswith("#"))  # tags of unions
    context = found.get("ctx", {})
    where = dotted(place, key)
    if kind == "extra_forbidden":
        return describe(
            where, "a known key", str(key[-1]), nearest(str(key[-1]), _keys(model, key[:-1]))
        )
    if kind == "missing" and isinstance(key[-1], int):
        return describe(dotted(place, key[:-1]), f"at least {key[-1] + 1} entries", received)
    if kind == "missing":
        return describe(where, "this key", "nothing", f"add {key[-1]}")
    if kind == "literal_error":
        options = [option.strip("'") for option in _options(context["expected"])]
        remedy = nearest(received, options) if isinstance(received, str) else ""
        return describe(where, context["expected"], received, remedy)
    problem = context.get("error")
    if isinstance(problem, FieldError):
        below = (*key, problem.key) if problem.key else key
        return describe(dotted(place, below), problem.expected, problem.received, problem.remedy)
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        shown = len(received) if kind in ("too_short", "too_long") else _shown(received)
        return describe(where, words.format(context[name]), shown)
    return describe(where, _TYPES.get(kind, found["msg"]), _shown(received))


def _shown(received: Any) -> str:
    """Show a value as TOML would, so that "7" is not taken for 7."""
    if isinstance(received, str):
        return f'the text "{received}"'
    if isinstance(received, bool):
        return str(received).lower()
    return show(list(received) if isinstance(received, tuple) else received)


def _options(expected: str) -> list[str]:
    """Split pydantic's ``'a', 'b' or 'c'``."""
    return expected.replace(" or ", ", ").split(", ")


def _keys(model: type[BaseModel], path: Sequence[str | int]) -> set[str]:
    """Keys that the table at ``path`` may have."""
    models = [model]
    for part in path:
        if isinstance(part, int):
            continue
        annotations = [
            one.model_fields[part].annotation for one in models if part in one.model_fields
        ]
        models = [inner for one in annotations for inner in _models(one)] or models
    return {field.alias or key for one in models for key, field in one.model_fields.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Find the models inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
