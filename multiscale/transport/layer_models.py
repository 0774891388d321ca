"""Closed forms for a polycrystal of one phase with films of one kind: asymptotes to compare with.

d is the grain size, the edge of the cube of the mean grain volume; S_V the boundary area per
volume; δ the film's width; K_b the coefficient of the grains, K⊥ across and K∥ along films.
All are isotropic averages, the mean square cosine of the films' normals being 1/dim.
``blocking_films`` and ``conducting_films`` treat films as planes without thickness and come
from trial fields, a uniform flux and a uniform gradient: they are the lower and the upper
bound of such films (R, G ≥ 0), exact for bricks and to first order in R or G for any grains.
"""

from __future__ import annotations

from multiscale.errors import InputError, describe


def blocking_films(
    bulk: float, width: float, across: float, area_density: float, dimension: int
) -> float:
    """Films in series with the grains: 1/K = 1/K_b + S_V R/dim, R = δ (1/K⊥ − 1/K_b).

    Parameters
    ----------
    bulk : float
        K_b, > 0 [m²/s].
    width : float
        δ [m].
    across : float
        K⊥, > 0 [m²/s].
    area_density : float
        S_V [1/m].
    dimension : int
        2 or 3.

    Returns
    -------
    float
        K, the lower bound for films without thickness; exact for cubes.
    """
    _check(bulk=bulk, across=across)
    resistance = width * (1.0 / across - 1.0 / bulk)
    return 1.0 / (1.0 / bulk + area_density * resistance / dimension)


def conducting_films(
    bulk: float, width: float, along: float, area_density: float, dimension: int
) -> float:
    """Films in parallel with the grains: K = K_b + (dim−1)/dim S_V G, G = δ (K∥ − K_b).

    Parameters
    ----------
    bulk : float
        K_b [m²/s].
    width : float
        δ [m].
    along : float
        K∥ [m²/s].
    area_density : float
        S_V [1/m].
    dimension : int
        2 or 3.

    Returns
    -------
    float
        K, the upper bound for films without thickness: Hart's parallel mean where the
        films lie in every direction.

    References
    ----------
    Hart, Acta Metall. 5, 597 (1957), 10.1016/0001-6160(57)90127-X.
    """
    return bulk + (dimension - 1) / dimension * area_density * width * (along - bulk)


def coated_grain(bulk: float, film: float, film_fraction: float, dimension: int) -> float:
    """Round grains that films coat without a gap (Maxwell; a Hashin–Shtrikman bound).

    Parameters
    ----------
    bulk, film : float
        K_b, and K of the film in all directions [m²/s].
    film_fraction : float
        Share of the volume that is film, 0 to 1; about S_V δ for thin ones.
    dimension : int
        2 or 3.

    Returns
    -------
    float
        K: exact for coated spheres of all sizes that fill space; the lower bound of isotropic
        two-phase media where the film conducts less, the upper where it conducts more.

    References
    ----------
    Maxwell, A Treatise on Electricity and Magnetism (1873), art. 314;
    Hashin & Shtrikman, J. Appl. Phys. 33, 3125 (1962), 10.1063/1.1728579.
    """
    _check(film=film)
    _check_fraction("film_fraction", film_fraction)
    grains = 1.0 - film_fraction
    excess = bulk - film
    # K_f + f_b/(1/(K_b − K_f) + f_f/(dim K_f)), without the division by K_b − K_f
    return film + grains * excess / (1.0 + film_fraction * excess / (dimension * film))


def brick_layer(
    bulk: float, across: float, along: float, width_over_size: float, dimension: int
) -> float:
    """Cubes of grain with flat films on their faces, current along an edge.

    Parameters
    ----------
    bulk, across, along : float
        K_b, K⊥ and K∥ [m²/s].
    width_over_size : float
        δ/d, 0 to 1; the cube with its films has the edge d.
    dimension : int
        2 or 3.

    Returns
    -------
    float
        K of two paths in parallel: grain and film in series, and films beside them.

    References
    ----------
    Bouchet, Knauth & Laugier, J. Electrochem. Soc. 150, E348 (2003), 10.1149/1.1580151.
    """
    _check(bulk=bulk, across=across)
    _check_fraction("width_over_size", width_over_size)
    core = (1.0 - width_over_size) ** (dimension - 1)
    series = 1.0 / ((1.0 - width_over_size) / bulk + width_over_size / across)
    return core * series + (1.0 - core) * along


def parallel_films(bulk: float, film: float, film_fraction: float) -> float:
    """All films along the current: K = (1 − g) K_b + g K_f, Hart's mean and Wiener's bound.

    Parameters
    ----------
    bulk, film : float
        K_b and K of the film [m²/s].
    film_fraction : float
        Share g of the volume that is film, 0 to 1.

    Returns
    -------
    float
        K, above which no arrangement of grains and films conducts.

    References
    ----------
    Hart, Acta Metall. 5, 597 (1957), 10.1016/0001-6160(57)90127-X.
    """
    _check_fraction("film_fraction", film_fraction)
    return (1.0 - film_fraction) * bulk + film_fraction * film


def _check(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise InputError(describe(name, "a coefficient > 0", value))


def _check_fraction(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise InputError(describe(name, "a share from 0 to 1", value))
