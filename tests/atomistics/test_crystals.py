"""Crystals: composition, distances, symmetry of what is fixed, and drawing."""

from dataclasses import replace

import numpy as np
import pytest
from ase.neighborlist import neighbor_list

from multiscale.atomistics import crystals
from multiscale.errors import GenerationError, StructureError

CASES = {
    "LLZO": ("LLZO", {}, (1, 1, 1), {"Li": 56, "La": 24, "Zr": 16, "O": 96}),
    "LCO": ("LCO", {}, (2, 3, 1), {"Li": 18, "Co": 18, "O": 36}),
    "LCO, x = 2/3": ("LCO", {"lithium": 2 / 3}, (3, 3, 1), {"Li": 18, "Co": 27, "O": 54}),
    "Li3OCl": ("Li3OCl", {}, (2, 2, 2), {"Li": 24, "O": 8, "Cl": 8}),
    "Li3OCl less LiCl": (
        "Li3OCl",
        {"vacancies": 0.1},
        (3, 3, 3),
        {"Li": 78, "O": 27, "Cl": 24},
    ),
    "argyrodite": ("Li6PS5Cl", {}, (1, 1, 1), {"Li": 24, "P": 4, "S": 20, "Cl": 4}),
    "argyrodite, disordered": (
        "Li6PS5Cl",
        {"disorder": 0.5},
        (1, 2, 1),
        {"Li": 48, "P": 8, "S": 40, "Cl": 8},
    ),
}
BONDS = {  # nearest distances between kinds of neighbours [Å], from the publications
    "LLZO": {("Zr", "O"): (2.10, 0.03), ("La", "O"): (2.51, 0.05)},
    "LCO": {("Co", "O"): (1.92, 0.02), ("Li", "O"): (2.09, 0.02)},
    "Li3OCl": {("O", "Li"): (1.955, 0.01), ("Cl", "Li"): (2.765, 0.01)},
    "argyrodite": {("P", "S"): (2.05, 0.02)},
}


def built(case, seed=1):
    name, options, repeat, _ = CASES[case]
    return crystals.build(crystals.crystal(name, **options), repeat, np.random.default_rng(seed))


@pytest.mark.parametrize("case", CASES)
def test_composition(case):
    atoms = built(case)
    counts = {name: int((atoms.symbols == name).sum()) for name in set(atoms.symbols)}
    assert counts == CASES[case][3]
    assert (atoms.get_scaled_positions(wrap=False) >= -1e-9).all()
    assert (atoms.get_scaled_positions(wrap=False) < 1).all()


@pytest.mark.parametrize("case", BONDS)
def test_bonds(case):
    atoms = built(case)
    first, second, apart = neighbor_list("ijd", atoms, 3.2)
    symbols = np.array(atoms.get_chemical_symbols())
    for (one, other), (length, error) in BONDS[case].items():
        found = apart[(symbols[first] == one) & (symbols[second] == other)]
        assert found.min() == pytest.approx(length, abs=error)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("case", "least"), [("LLZO", 2.3), ("argyrodite, disordered", 2.1)])
def test_lithium_keeps_its_distance(case, least, seed):
    atoms = built(case, seed)
    lithium = atoms[atoms.symbols == "Li"]
    assert neighbor_list("d", lithium, 4.0).min() > least


def test_llzo_sites_are_filled_as_published():
    """13 of 24 tetrahedral and 43 of 96 octahedral positions of a cell."""
    atoms = built("LLZO")
    lithium = atoms[atoms.symbols == "Li"].get_scaled_positions()
    ghosts, kind = crystals.crystal("LLZO").vacant()
    places = ghosts.get_scaled_positions()
    apart = lithium[:, None] - places[None]
    apart -= np.round(apart)
    nearest = np.argmin((apart**2).sum(axis=2), axis=1)
    assert (kind[nearest] == 3).sum() == 13
    assert (kind[nearest] == 4).sum() == 43
    assert (apart[np.arange(56), nearest] ** 2).sum() < 1e-12


def test_drawings_differ_and_repeat():
    one, other, again = built("LLZO", 1), built("LLZO", 2), built("LLZO", 1)
    assert np.array_equal(one.positions, again.positions)
    assert not np.array_equal(one.positions, other.positions)


def test_half_the_chlorine_changes_places():
    one = crystals.crystal("Li6PS5Cl", disorder=0.5)
    atoms = crystals.build(one, (2, 2, 2), np.random.default_rng(0))
    chlorine = atoms[atoms.symbols == "Cl"].get_scaled_positions() * 2
    on_cage_centres = np.abs(2 * (chlorine - 0.25) - np.round(2 * (chlorine - 0.25))).max(axis=1)
    assert (on_cage_centres < 1e-6).sum() == 16  # of 32


@pytest.mark.parametrize(
    ("name", "options", "part"),
    [
        ("LLZ0", {}, "LLZO"),
        ("LCO", {"lithium": 0.0}, "lithium"),
        ("LCO", {"lithium": 1.2}, "lithium"),
        ("Li3OCl", {"vacancies": -0.1}, "vacancies"),
        ("Li6PS5Cl", {"disorder": float("nan")}, "disorder"),
    ],
)
def test_refuses(name, options, part):
    with pytest.raises(StructureError, match=part) as caught:
        crystals.crystal(name, **options)
    assert "\n" not in str(caught.value)


def test_charges_must_add_up():
    atoms = built("LLZO")
    del atoms[[0, 1, 2]]
    with pytest.raises(StructureError, match="add up to 0"):
        crystals.check_neutral(atoms, crystals.crystal("LLZO").charges, "LLZO")
    with pytest.raises(StructureError, match="a formal charge"):
        crystals.check_neutral(atoms, {"Li": 1}, "LLZO")


def test_a_crowd_that_cannot_part_is_an_error():
    crowded = replace(crystals.crystal("Li6PS5Cl"), closest=3.5)
    with pytest.raises(GenerationError, match="from each other"):
        crystals.build(crowded, (1, 1, 1), np.random.default_rng(0))
