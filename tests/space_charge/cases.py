"""Phases that the tests of this room share."""

from multiscale.space_charge import Defect, IonicPhase

TEMPERATURE = 300.0


def symmetric(density=1e27, permittivity=50.0, charge=1, steric="none", sites=None):
    """Both defects mobile."""
    given = {} if sites is None else {"site_density": sites}
    return IonicPhase(
        name="A",
        relative_permittivity=permittivity,
        defects=(
            Defect(name="Li", charge=charge, density=density, **given),
            Defect(name="V", charge=-charge, density=density, **given),
        ),
        steric=steric,
    )


def frozen(density=1e27, permittivity=50.0, steric="none", sites=None, name="B"):
    """Opposite charge frozen in."""
    given = {} if sites is None else {"site_density": sites}
    return IonicPhase(
        name=name,
        relative_permittivity=permittivity,
        defects=(
            Defect(name="Li", charge=1, density=density, **given),
            Defect(name="dopant", charge=-1, density=density, mobile=False),
        ),
        steric=steric,
    )


def mixed():
    """Li interstitials, divalent acceptors that do not move, vacancies, and electron holes."""
    return IonicPhase(
        name="C",
        relative_permittivity=20.0,
        defects=(
            Defect(name="Li_i", charge=1, density=2.2e26, site_density=3e27),
            Defect(name="V_Li", charge=-1, density=1e25, site_density=3e27),
            Defect(name="acceptor", charge=-2, density=1.1e26, mobile=False),
            Defect(name="hole", charge=1, density=1e25, site_density=3e27),
        ),
        steric="bikerman",
    )


ALL = {
    "Gouy–Chapman": symmetric(),
    "divalent": symmetric(charge=2),
    "Mott–Schottky": frozen(),
    "lattice": symmetric(steric="lattice", sites=4e27),
    "half-filled lattice": frozen(steric="lattice", sites=2e27),
    "Bikerman": symmetric(steric="bikerman", sites=4e27),
    "mixed": mixed(),
}
