"""Every public object has a numpydoc docstring that names what it takes and gives."""

import importlib
import inspect
import pkgutil

import pytest
from numpydoc.validate import validate

import multiscale

CHECKS = {"GL03", "GL08", "SS03", "PR01", "PR02", "PR03", "RT01"}
COMMANDS = "multiscale.cli"


def public_objects():
    """Names of all public functions, classes and methods of the package."""
    for info in pkgutil.walk_packages(multiscale.__path__, "multiscale."):
        if any(part.startswith("_") for part in info.name.split(".")) or info.name == COMMANDS:
            continue
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != info.name:
                continue
            if inspect.isclass(thing) and not getattr(thing, "_is_protocol", False):
                yield f"{info.name}.{name}"
                for method, value in vars(thing).items():
                    plain = inspect.isfunction(value) or isinstance(
                        value, classmethod | staticmethod
                    )
                    if plain and not method.startswith("_"):
                        yield f"{info.name}.{name}.{method}"
            elif inspect.isfunction(thing) or hasattr(thing, "py_func"):
                yield f"{info.name}.{name}"


@pytest.mark.parametrize("name", sorted(set(public_objects())))
def test_docstring_is_complete(name):
    report = validate(name)
    found = [(code, text) for code, text in report["errors"] if code in CHECKS]
    if "\nAttributes\n---" in inspect.cleandoc(report["docstring"]):
        found = [one for one in found if one[0] != "PR01"]  # fields listed as attributes
    assert not found, found


def test_every_room_says_what_it_is():
    for info in pkgutil.walk_packages(multiscale.__path__, "multiscale."):
        assert (importlib.import_module(info.name).__doc__ or "").strip(), info.name
