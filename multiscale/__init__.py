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
    "Dielectric": "multiscale.properties",
    "DielectricBoundary": "multiscale.properties",
    "boundary_share": "multiscale.network",
    "circuit_conductivity": "multiscale.network",
    "circuit_diffusivity": "multiscale.network",
    "complex_conductivity": "multiscale.transport",
    "crossover_grain_size": "multiscale.network",
    "grain_graph": "multiscale.network",
    "minimum_cut": "multiscale.network",
    "widest_path": "multiscale.network",
    "constrictivity": "multiscale.network",
    "geodesic_tortuosity": "multiscale.network",
    "grain_tortuosity": "multiscale.network",
    "percolation_threshold": "multiscale.network",
    "percolates": "multiscale.network",
    "percolation": "multiscale.network",
    "Defect": "multiscale.space_charge",
    "IonicPhase": "multiscale.space_charge",
    "space_charge_layer": "multiscale.space_charge",
    "space_charge_junction": "multiscale.space_charge",
    "space_charge_field": "multiscale.space_charge",
    "run_study": "multiscale.study",
}

__all__ = [
    "Boundary",
    "BoundaryRule",
    "BoundaryRules",
    "Defect",
    "Dielectric",
    "DielectricBoundary",
    "EffectiveDiffusivity",
    "IonicPhase",
    "LabelImage",
    "Polycrystal",
    "TransportCoefficients",
    "__version__",
    "boundary_share",
    "circuit_conductivity",
    "circuit_diffusivity",
    "complex_conductivity",
    "constrictivity",
    "crossover_grain_size",
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
    "space_charge_field",
    "space_charge_junction",
    "space_charge_layer",
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
        boundary_share,
        circuit_conductivity,
        circuit_diffusivity,
        constrictivity,
        crossover_grain_size,
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
        Dielectric,
        DielectricBoundary,
        TransportCoefficients,
        isotropic_average,
        transport_coefficients,
    )
    from multiscale.space_charge import (
        Defect,
        IonicPhase,
        space_charge_field,
        space_charge_junction,
        space_charge_layer,
    )
    from multiscale.study import run_study
    from multiscale.transport import (
        EffectiveDiffusivity,
        complex_conductivity,
        effective_diffusivity,
    )


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``--help`` is quick."""
    if name not in _HOME:
        raise AttributeError(f"module 'multiscale' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
