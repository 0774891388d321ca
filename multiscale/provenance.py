"""Where a number came from: estimates, seeds, versions, configuration hashes."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its standard error, unit and source.

    Parameters
    ----------
    value : float
        Best estimate.
    stderr : float
        One standard error in the same unit; NaN where none is known.
    unit : str
        Unit of both.
    source : str
        DOI, data set, or the run that made it.
    """

    value: float
    stderr: float
    unit: str
    source: str


def spawn_generator(seed: int, index: int) -> np.random.Generator:
    """Make the generator of one realisation from the seed of its study.

    The same ``(seed, index)`` gives the same stream whether the sample runs
    alone, in a pool or on a cluster.

    Parameters
    ----------
    seed : int
        Seed of the study.
    index : int
        Number of the sample.

    Returns
    -------
    numpy.random.Generator
        An independent generator.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(index,)))


def config_hash(config: Mapping[str, Any]) -> str:
    """Hash a resolved configuration.

    Parameters
    ----------
    config : mapping
        Nested plain data (JSON types).

    Returns
    -------
    str
        First 16 hex digits of the SHA-256 of its canonical JSON.
    """
    text = json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def git_revision(folder: Path) -> str:
    """Name the git revision of a folder.

    Parameters
    ----------
    folder : pathlib.Path
        Any folder.

    Returns
    -------
    str
        Commit hash, with ``+changes`` if the tree is modified; ``"unknown"``
        outside a repository.
    """
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40", "--dirty=+changes"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return done.stdout.strip() if done.returncode == 0 and done.stdout.strip() else "unknown"


def versions() -> dict[str, str]:
    """List the versions that a result depends on.

    Returns
    -------
    dict of str to str
        Python, this package and its numerical dependencies.
    """
    names = ("multiscale", "numpy", "scipy", "numba", "fipy", "networkx", "xarray", "h5py")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
