"""Effective diffusivity of polycrystals with thin grain boundaries.

>>> import multiscale as ms
>>> crystal = ms.polycrystal(grains=20, size=(1e-7,) * 3, phases={"LLZO": 1.0}, seed=0)
>>> result = ms.effective_diffusivity(crystal, cells=(16,) * 3, phases={"LLZO": 1e-12})
>>> bool(abs(result.tensor[0, 0] / 1e-12 - 1) < 1e-6)
True

Axis order is (x, y[, z]) everywhere; all quantities are in SI.
"""

from importlib import metadata
from typing import TYPE_CHECKING, Any

__version__ = metadata.version("multiscale")

_HOME = {
    "effective_diffusivity": "multiscale.transport",
    "EffectiveDiffusivity": "multiscale.transport",
    "polycrystal": "multiscale.microstructure",
    "Polycrystal": "multiscale.microstructure",
    "LabelImage": "multiscale.microstructure",
    "label_image": "multiscale.microstructure",
    "read_image": "multiscale.microstructure",
    "write_image": "multiscale.microstructure",
    "Boundary": "multiscale.properties",
    "BoundaryRule": "multiscale.properties",
    "BoundaryRules": "multiscale.properties",
    "isotropic_average": "multiscale.properties",
    "TransportCoefficients": "multiscale.properties",
    "transport_coefficients": "multiscale.properties",
    "circuit_diffusivity": "multiscale.network",
    "grain_graph": "multiscale.network",
    "minimum_cut": "multiscale.network",
    "widest_path": "multiscale.network",
    "constrictivity": "multiscale.network",
    "geodesic_tortuosity": "multiscale.network",
    "grain_tortuosity": "multiscale.network",
    "percolation_threshold": "multiscale.network",
    "percolates": "multiscale.network",
    "percolation": "multiscale.network",
    "run_study": "multiscale.study",
}

__all__ = [
    "Boundary",
    "BoundaryRule",
    "BoundaryRules",
    "EffectiveDiffusivity",
    "LabelImage",
    "Polycrystal",
    "TransportCoefficients",
    "__version__",
    "circuit_diffusivity",
    "constrictivity",
    "effective_diffusivity",
    "geodesic_tortuosity",
    "grain_graph",
    "grain_tortuosity",
    "isotropic_average",
    "label_image",
    "minimum_cut",
    "percolates",
    "percolation",
    "percolation_threshold",
    "polycrystal",
    "read_image",
    "run_study",
    "transport_coefficients",
    "widest_path",
    "write_image",
]

if TYPE_CHECKING:
    from multiscale.microstructure import (
        LabelImage,
        Polycrystal,
        label_image,
        polycrystal,
        read_image,
        write_image,
    )
    from multiscale.network import (
        circuit_diffusivity,
        constrictivity,
        geodesic_tortuosity,
        grain_graph,
        grain_tortuosity,
        minimum_cut,
        percolates,
        percolation,
        percolation_threshold,
        widest_path,
    )
    from multiscale.properties import (
        Boundary,
        BoundaryRule,
        BoundaryRules,
        TransportCoefficients,
        isotropic_average,
        transport_coefficients,
    )
    from multiscale.study import run_study
    from multiscale.transport import EffectiveDiffusivity, effective_diffusivity


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``--help`` is quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'multiscale' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
