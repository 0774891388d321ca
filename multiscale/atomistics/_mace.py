"""MACE models as potentials, and stored as plain arrays.

torch and mace are imported inside functions: they take seconds, and most users have none.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols

from multiscale.atomistics.potentials import Potential
from multiscale.errors import PotentialError, describe

SETTING = "setting"
"""Entry of a student's file that holds what is not an array, as JSON."""


def as_potential(
    name: str, models: tuple[Any, ...], origin: Mapping[str, str], device: str
) -> Potential:
    """Wrap MACE models; the first drives, the others are its committee."""
    from mace.calculators import MACECalculator

    logging.getLogger().setLevel(logging.ERROR)
    first = models[0].to(device)
    dtype = str(next(first.parameters()).dtype).removeprefix("torch.")
    elements = frozenset(chemical_symbols[int(z)] for z in first.atomic_numbers)
    versions = {"mace-torch": metadata.version("mace-torch"), "torch": metadata.version("torch")}
    makers = tuple(
        partial(MACECalculator, models=model, device=device, default_dtype=dtype)
        for model in models
    )
    return Potential(name, elements, float(first.r_max), {**origin, **versions}, makers)


def write_student(model: Any, path: Path) -> None:
    """Store a model as plain arrays (``.npz``)."""
    from mace.tools.scripts_utils import extract_config_mace_model

    config = extract_config_mace_model(model)
    if "error" in config:
        raise PotentialError(describe(str(path), "a ScaleShiftMACE model", config["error"]))
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    setting = {key: _plain(value) for key, value in config.items()} | {"dtype": dtype}
    arrays: dict[str, Any] = {SETTING: np.array(json.dumps(setting))}
    arrays |= {f"w:{key}": value.cpu().numpy() for key, value in model.state_dict().items()}
    np.savez_compressed(path, **arrays)


def read_student(path: Path, device: str) -> Any:
    """Build the model that :func:`write_student` stored; nothing is unpickled."""
    import torch
    from mace import modules

    with np.load(path, allow_pickle=False) as file:
        setting = json.loads(str(file[SETTING]))
        weights = {
            key.removeprefix("w:"): torch.from_numpy(np.array(file[key]))
            for key in file.files
            if key.startswith("w:")
        }
    dtype = getattr(torch, setting.pop("dtype"))
    config = {key: _restored(key, value) for key, value in setting.items()}
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = modules.ScaleShiftMACE(**config)
        model.load_state_dict(weights)
    finally:
        torch.set_default_dtype(before)
    return model.to(device)


def _plain(value: Any) -> Any:
    """Write a setting as JSON can hold it."""
    import torch
    from e3nn import o3

    if isinstance(value, torch.Tensor):
        return value.cpu().numpy().tolist()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, o3.Irreps):
        return str(value)
    if isinstance(value, type) or callable(value):
        return value.__name__
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _restored(key: str, value: Any) -> Any:
    """Make of a setting what the model's constructor takes."""
    import torch
    from e3nn import o3
    from mace import modules

    if value is None:
        return None
    if key in ("interaction_cls", "interaction_cls_first"):
        return modules.interaction_classes[value]
    if key == "readout_cls":
        return getattr(modules.blocks, value)
    if key.endswith("irreps"):
        return o3.Irreps(value)
    if key == "gate":
        return {"silu": torch.nn.functional.silu, "tanh": torch.tanh, "abs": torch.abs}[value]
    if key in ("atomic_energies", "atomic_inter_scale", "atomic_inter_shift"):
        return np.array(value)
    if key == "atomic_numbers":
        return torch.tensor(value, dtype=torch.int64)
    return value
