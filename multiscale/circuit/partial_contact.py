"""Boundaries where part of the area is open: easy paths and contact spots.

The geometry and the symbols are those of :mod:`multiscale.circuit.brick_layer`; the bulk meets
itself in a share α of the boundary area, the rest is a boundary of width δ.
"""

from __future__ import annotations

from math import pi

import numpy as np
from numpy.typing import ArrayLike

from multiscale.circuit.brick_layer import BrickLayer, check_positive
from multiscale.circuit.elements import Complexes
from multiscale.errors import InputError, describe


def easy_path_conductivity(
    ceramic: BrickLayer, frequency: ArrayLike, open_share: float
) -> Complexes:
    """Easy paths: columns of grains joined without a boundary, beside blocked columns.

    Parameters
    ----------
    ceramic : BrickLayer
        Geometry and properties of the blocked columns.
    frequency : array_like
        f [Hz].
    open_share : float
        α, share of the boundary area where grain touches grain, 0 to 1.

    Returns
    -------
    ndarray of complex
        κ = α κ_b + (1−α) / [(1−x)/κ_b + x/κ_gb] [S/m].

    Raises
    ------
    InputError
        If a frequency or the share is no good.

    Notes
    -----
    The columns exchange no current: for open areas as wide as grains are long, or wider, and
    x ≪ 1. Smaller ones constrict the current, see :func:`constriction_conductivity`. Where the
    boundary insulates, both arcs have the activation energy of the grain; a brick layer would
    read that as a boundary that conducts with it.

    References
    ----------
    Bauerle, J. Phys. Chem. Solids 30, 2657 (1969), and the "easy path model" after it.
    """
    _check_share(open_share)
    x, bulk = ceramic.width_over_size, ceramic.bulk(frequency)
    blocked = 1.0 / ((1.0 - x) / bulk + x / ceramic.boundary(frequency))
    return np.asarray(open_share * bulk + (1.0 - open_share) * blocked)


def constriction_factor(radius_ratio: float) -> float:
    """Reduce the spreading resistance of a contact spot in a cylinder of finite radius.

    Parameters
    ----------
    radius_ratio : float
        ε = a/b, radius of the spot over that of the cylinder which feeds it, 0 to 1.

    Returns
    -------
    float
        ψ in R = ψ/(4 a σ), each side: 1 for a half-space, 0 where there is no constriction.

    Raises
    ------
    InputError
        If the ratio is not from 0 to 1.

    Notes
    -----
    ψ = 1 − 1.41581 ε + 0.06322 ε² + 0.15261 ε³ + 0.19998 ε⁴ for a spot at one potential. Our own
    Galerkin solution of that problem (in the tests) agrees within 3e-4 for ε ≤ 0.7 and within
    1.3e-3 above.

    References
    ----------
    Holm, Electric Contacts (1967), for 1/(4 a σ); Rosenfeld & Timsit, Q. Appl. Math. 39, 405
    (1981), for the cylinder.
    """
    if not 0.0 <= radius_ratio <= 1.0:
        raise InputError(describe("radius_ratio", "a ratio from 0 to 1", radius_ratio))
    return float(np.polyval([0.19998, 0.15261, 0.06322, -1.41581, 1.0], radius_ratio))


def constriction_conductivity(
    ceramic: BrickLayer, frequency: ArrayLike, open_share: float, spot_radius: float
) -> Complexes:
    """Boundaries with round contact spots, towards which the current constricts.

    Parameters
    ----------
    ceramic : BrickLayer
        Geometry and properties; boundary values are those of the blocked area.
    frequency : array_like
        f [Hz].
    open_share : float
        α, share of the boundary area inside the spots, 0 < α ≤ 1.
    spot_radius : float
        a [m]; each spot is fed from a cylinder of the radius b = a/√α.

    Returns
    -------
    ndarray of complex
        κ with 1/κ = (1−x)/κ_b + 1/(d Y), where Y = α/(π a ψ/(2 κ_b) + δ/κ_b) + (1−α) κ_gb/δ
        [S/m²] is the boundary's admittance, spots beside the blocked area.

    Raises
    ------
    InputError
        If a frequency, the share or the radius is no good.

    Notes
    -----
    2 · ψ/(4 a κ_b) over the area π b² of a spot is π a ψ/(2 α κ_b). Holds for spots far
    apart in terms of the width and close in terms of the grain, δ ≪ a and b < d/2, so that
    the spread current is even within the grain, and x ≪ 1; refused where b > d/2. The
    circuit joins constriction and gap at two nodes, which is exact at low and at
    high frequency and an approximation where both carry like currents.

    References
    ----------
    Fleig & Maier, J. Electroceram. 1, 73 (1997), and J. Eur. Ceram. Soc. 19, 693 (1999).
    """
    check_positive(open_share=open_share, spot_radius=spot_radius)
    _check_share(open_share)
    feed = spot_radius / open_share**0.5
    if feed > ceramic.grain_size / 2:
        expected = f"spots at most {ceramic.grain_size * open_share**0.5 / 2:g} m in radius"
        remedy = "spots as wide as grains are easy_path_conductivity's"
        raise InputError(describe("spot_radius", expected, f"{spot_radius:g} m", remedy))
    bulk, width = ceramic.bulk(frequency), ceramic.boundary_width
    spread = pi * spot_radius * constriction_factor(open_share**0.5) / 2.0
    spots = open_share * bulk / (spread + width)
    blocked = (1.0 - open_share) * ceramic.boundary(frequency) / width
    grain = (1.0 - ceramic.width_over_size) / bulk
    return np.asarray(1.0 / (grain + 1.0 / (ceramic.grain_size * (spots + blocked))))


def _check_share(value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InputError(describe("open_share", "a share from 0 to 1", value))
