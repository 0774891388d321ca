"""Boundaries: coincidence, twins, interfaces; against counting, densities and known energies."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import all_changes
from ase.calculators.emt import EMT
from ase.neighborlist import neighbor_list

from multiscale.atomistics import boundaries, crystals
from multiscale.atomistics.crystals import Crystal, Site
from multiscale.errors import StructureError

COPPER = Crystal(
    "Cu", {"Cu": 1}, 4, 225, (3.59, 3.59, 3.59, 90.0, 90.0, 90.0),
    (Site("4a", (0.0, 0.0, 0.0), {"Cu": 1.0}), Site("8c", (0.25, 0.25, 0.25), {"Li": 0.0})),
    {"Cu": 0, "Li": 1}, 0.0, "lattice constant of EMT copper",
)  # fmt: skip


def draw():
    return np.random.default_rng(1)


@pytest.mark.parametrize(
    ("sigma", "axis", "degrees"),
    [
        (3, (1, 1, 1), 60.0), (3, (1, 1, 0), 70.5288), (5, (0, 0, 1), 36.8699),
        (7, (1, 1, 1), 38.2132), (9, (1, 1, 0), 38.9424), (11, (1, 1, 0), 50.4788),
        (13, (0, 0, 1), 22.6199),
    ],
)  # fmt: skip
class TestCoincidence:
    def test_the_angle_is_the_published_one(self, sigma, axis, degrees):
        found = np.degrees(boundaries.coincidence_angles(sigma, axis))
        assert np.abs(found - degrees).min() < 1e-3

    def test_one_point_in_sigma_coincides(self, sigma, axis, degrees):
        """Counted in a ball of a simple cubic lattice."""
        angle = boundaries.coincidence_angles(sigma, axis)[0]
        turn = boundaries._rotation(axis, angle)
        steps = np.arange(-22, 23)
        points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1).reshape(-1, 3)
        points = points[np.linalg.norm(points, axis=1) < 22]
        turned = points @ turn
        share = (np.abs(turned - np.round(turned)).max(axis=1) < 1e-6).mean()
        assert share == pytest.approx(1 / sigma, rel=0.06)


LLZO = crystals.crystal("LLZO")
LCO = crystals.crystal("LCO", lithium=0.6667)
LI3OCL = crystals.crystal("Li3OCl")


class TestCells:
    @pytest.mark.parametrize(
        ("one", "sigma", "axis", "plane", "kind"),
        [
            (LLZO, 5, (0, 0, 1), (2, 1, 0), "tilt"),
            (LI3OCL, 3, (1, 1, 1), (1, 1, 1), "twist"),
            (COPPER, 5, (0, 0, 1), (3, 1, 0), "tilt"),
            (COPPER, 3, (1, 1, 0), (1, -1, 2), "tilt"),
        ],
    )
    def test_grains_have_the_density_of_the_crystal(self, one, sigma, axis, plane, kind):
        cell = boundaries.coincidence(one, sigma, axis, plane, draw(), thickness=11.0)
        assert cell.detail["kind"] == kind
        assert cell.detail["sigma"] == sigma
        volume = cell.atoms.get_volume()
        box = np.prod(one.cell[:3])
        framework = [s for s in one.sites if "Li" not in s.species and not s.drawn]
        per_cell = sum(len(one.points(site)) for site in framework)
        count = sum(str(one) != "Li" for one in cell.atoms.symbols)
        assert count + cell.detail["merged"] == pytest.approx(per_cell * volume / box, abs=0.01)
        np.testing.assert_allclose(cell.atoms.cell.array[2, :2], 0.0, atol=1e-9)
        flat = np.cross(*cell.atoms.cell.array[:2])
        assert np.linalg.norm(flat) == pytest.approx(cell.area)
        assert sum(cell.detail["thickness_A"]) == pytest.approx(cell.atoms.cell.array[2, 2])
        assert min(cell.detail["thickness_A"]) >= 11.0 - 1e-6

    @pytest.mark.parametrize("plane", [(3, 1, 0), (2, 1, 0)])
    def test_atoms_within_the_grains_are_those_of_the_perfect_crystal(self, plane):
        cell = boundaries.coincidence(COPPER, 5, (0, 0, 1), plane, draw(), thickness=16.0)
        first, apart = neighbor_list("id", cell.atoms, 2.9)
        count = np.bincount(first[apart < 2.9], minlength=len(cell.atoms))
        height = cell.atoms.cell.array[2, 2]
        away = np.min(
            [
                np.abs((cell.atoms.positions[:, 2] - p * height + height / 2) % height - height / 2)
                for p in cell.planes
            ],
            axis=0,
        )
        assert (count[away > 4.5] == 12).all()
        assert (count[away < 1.5] != 12).any()

    def test_a_turn_of_nothing_is_the_perfect_crystal(self):
        """A twin in a mirror plane of the crystal is no boundary at all."""
        cell = boundaries.twin(COPPER, (0, 0, 1), draw(), translation=(0.5, 0.5))
        shifted = boundaries.twin(COPPER, (0, 0, 1), draw())
        energies = []
        for one in (cell, shifted):
            atoms = one.atoms.copy()
            atoms.calc = EMT()
            energies.append(atoms.get_potential_energy() / len(atoms))
        perfect = bulk("Cu", "fcc", a=3.59, cubic=True)
        perfect.calc = EMT()
        assert min(energies) == pytest.approx(perfect.get_potential_energy() / 4, abs=1e-3)

    def test_a_twin_is_its_mirror_image(self):
        cell = boundaries.twin(LCO, (1, 0, -1, 4), draw())
        frame = cell.atoms[[k for k, s in enumerate(cell.atoms.symbols) if s != "Li"]]
        image = frame.positions * [1, 1, -1]
        scaled = np.linalg.solve(frame.cell.array.T, image.T).T
        own = frame.get_scaled_positions()
        for place, symbol in zip(scaled, frame.symbols, strict=True):
            apart = own - place
            apart -= np.round(apart)
            near = np.linalg.norm(apart @ frame.cell.array, axis=1).argmin()
            assert np.linalg.norm((apart @ frame.cell.array)[near]) < 1e-3
            assert frame.symbols[near] == symbol

    def test_neutral_with_lithium_drawn_after(self):
        cell = boundaries.coincidence(LLZO, 5, (0, 0, 1), (2, 1, 0), draw())
        crystals.check_neutral(cell.atoms, LLZO.charges, "cell")
        count, usual = cell.detail["mobile"]
        assert abs(count / usual - 1) < 0.25
        again = boundaries.coincidence(LLZO, 5, (0, 0, 1), (2, 1, 0), draw())
        np.testing.assert_array_equal(again.atoms.positions, cell.atoms.positions)
        other = boundaries.coincidence(LLZO, 5, (0, 0, 1), (2, 1, 0), np.random.default_rng(2))
        assert not np.allclose(other.atoms.positions, cell.atoms.positions)


class TestInterface:
    def test_strain_is_what_it_says_and_within_its_limit(self):
        planes = ((0, 0, 1), (1, 0, -1, 4))
        cell = boundaries.interface(LLZO, LCO, planes, draw(), max_strain=0.05)
        assert max(np.abs(cell.detail["strain"])) <= 0.05
        cobalt = cell.atoms[[k for k, s in enumerate(cell.atoms.symbols) if s == "Co"]]
        height = cell.detail["strain"]
        own = crystals.build(LCO, (3, 3, 1), draw())
        area = (1 + height[0]) * (1 + height[1])
        thick = (cell.planes[0] - cell.planes[1]) % 1.0 * cell.atoms.cell.array[2, 2]
        density = len(cobalt) / (cell.area * thick)
        perfect = np.count_nonzero(own.symbols == "Co") / own.get_volume()
        assert density == pytest.approx(perfect / area, rel=0.02)
        with pytest.raises(StructureError, match="allow more strain"):
            boundaries.interface(LLZO, LCO, planes, draw(), max_strain=0.001)

    def test_a_crystal_on_itself_needs_no_strain(self):
        cell = boundaries.interface(LI3OCL, LI3OCL, ((0, 0, 1), (0, 0, 1)), draw())
        assert np.abs(cell.detail["strain"]).max() < 1e-9
        assert cell.area == pytest.approx(3.91**2)

    def test_terminations_are_named(self):
        names = {one.name for one in boundaries.terminations(LCO, (0, 0, 1))}
        assert {"Co|O", "O|Co"} <= names or any("O|O" in one for one in names)
        layered = boundaries.terminations(LCO, (0, 0, 1))
        assert layered[0].open  # the widest gap is that of the lithium
        assert not all(one.open for one in layered)


class TestEnergy:
    def test_copper_sigma_5_is_as_published(self):
        """EMT and EAM potentials of copper give 0.88 … 0.95 J/m²: Tschopp, Coleman & McDowell,
        Integr. Mater. Manuf. Innov. 4, 11 (2015), 10.1186/s40192-015-0040-1."""
        perfect = bulk("Cu", "fcc", a=3.59, cubic=True)
        perfect.calc = EMT()
        reference = [(perfect, perfect.get_potential_energy())]
        cells = [
            boundaries.coincidence(
                COPPER, 5, (0, 0, 1), (2, 1, 0), draw(), thickness=12.0, translation=shift, gap=0.2
            )
            for shift in ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.5, 0.5), (0.25, 0.25))
        ]
        best, energies = boundaries.lowest(cells, EMT(), reference, fmax=0.05, steps=120)
        assert 0.7 < best.energy < 1.15
        assert best.energy == pytest.approx(np.nanmin(energies))

    def test_a_coherent_twin_costs_hardly_anything(self):
        perfect = bulk("Cu", "fcc", a=3.59, cubic=True)
        perfect.calc = EMT()
        reference = [(perfect, perfect.get_potential_energy())]
        cells = [
            boundaries.coincidence(
                COPPER, 3, (1, 1, 1), (1, 1, 1), draw(), thickness=12.0, translation=(a / 3, b / 3)
            )
            for a in range(3)
            for b in range(3)
        ]
        best, energies = boundaries.lowest(cells, EMT(), reference, fmax=0.05, steps=60)
        assert -0.02 < best.energy < 0.12
        assert np.nanmax(energies) > 0.2  # stacked wrongly

    def test_another_composition_has_no_energy(self):
        gold = Atoms("Au", cell=[4] * 3, pbc=True)
        cell = boundaries.BoundaryCell(Atoms("CuAu3", pbc=True, cell=[5] * 3), (0, 0.5), 25.0, {})
        copper = Atoms("Cu", cell=[4] * 3, pbc=True)
        assert np.isnan(boundaries.boundary_energy(cell, 0.0, [(copper, -3.0)]))
        found = boundaries.boundary_energy(cell, -10.0, [(copper, -3.0), (gold, -4.0)])
        assert found == pytest.approx(5.0 / 50.0 * 16.0217663)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: boundaries.coincidence(LCO, 3, (0, 0, 1), (0, 0, 1), draw()), "cubic"),
        (
            lambda: boundaries.coincidence(LLZO, 4, (0, 0, 1), (0, 0, 1), draw()),
            "some there are: 5",
        ),
        (lambda: boundaries.coincidence(LLZO, 5, (0, 0, 0), (0, 0, 1), draw()), "not all 0"),
        (lambda: boundaries.twin(LCO, (1, 0, 0, 4), draw()), "h \\+ k \\+ i"),
        (lambda: boundaries.twin(LCO, (1, 0, -1, 4), draw(), cut=99), "termination"),
    ],
)
def test_mistakes_are_one_line(call, part):
    with pytest.raises(StructureError, match=part) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_the_cell_is_repeated_until_its_sides_are_far_apart():
    lco = crystals.crystal("LCO", lithium=0.6667)
    small = boundaries.twin(lco, (1, 0, -1, 4), np.random.default_rng(1), thickness=8.0)
    large = boundaries.twin(lco, (1, 0, -1, 4), np.random.default_rng(1), thickness=8.0, side=9.0)
    assert large.area == pytest.approx(8 * small.area)  # 5.7 Å twice, 2.8 Å four times
    frame = [int(np.count_nonzero(one.atoms.symbols == "Co")) for one in (small, large)]
    assert frame[1] == 8 * frame[0]
    for one, side in ((small, 0.0), (large, 9.0)):
        first, second = one.atoms.cell.array[:2]
        area = np.linalg.norm(np.cross(first, second))
        apart = [area / np.linalg.norm(second), area / np.linalg.norm(first)]
        assert min(apart) >= side - 1e-9
        assert area == pytest.approx(one.area)
    assert small.atoms.cell.lengths()[1] < 4.0


def test_candidates_of_another_composition_are_not_relaxed(monkeypatch):
    """Where overlapping atoms became one, there is no energy to compare."""
    asked = []
    relax = boundaries.relax
    monkeypatch.setattr(boundaries, "relax", lambda *a, **k: asked.append(1) or relax(*a, **k))
    good = boundaries.coincidence(COPPER, 5, (0, 0, 1), (2, 1, 0), draw(), thickness=8.0)
    other = boundaries.BoundaryCell(good.atoms.copy(), good.planes, good.area, {})
    other.atoms.symbols[0] = "Ag"
    whole = Atoms("Cu4", scaled_positions=[[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
                  cell=[3.59] * 3, pbc=True)  # fmt: skip
    whole.calc = EMT()
    bulk_energy = whole.get_potential_energy()
    best, energies = boundaries.lowest([other, good], EMT(), [(whole, bulk_energy)], steps=3)
    assert len(asked) == 1
    assert np.isnan(energies[0])
    assert energies[1] == best.energy
    with pytest.raises(StructureError, match="another composition"):
        boundaries.lowest([other], EMT(), [(whole, bulk_energy)], steps=3)


def test_a_quick_potential_relaxes_and_the_other_judges():
    """The quick one tells the same energy of everything: only its forces are used."""

    class Other(EMT):
        def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
            super().calculate(atoms, properties, system_changes)
            self.results["energy"] = 7.0  # says nothing
            self.results["free_energy"] = 7.0

    perfect = bulk("Cu", "fcc", a=3.59, cubic=True)
    perfect.calc = EMT()
    reference = [(perfect, perfect.get_potential_energy())]
    cells = [
        boundaries.coincidence(
            COPPER, 3, (1, 1, 1), (1, 1, 1), draw(), thickness=12.0, translation=(a / 3, a / 3)
        )
        for a in range(3)
    ]
    both, energies = boundaries.lowest(cells, EMT(), reference, quick=Other(), steps=60)
    alone, wanted = boundaries.lowest(cells, EMT(), reference, steps=60)
    assert int(np.argmin(energies)) == int(np.argmin(wanted))
    assert both.energy == pytest.approx(alone.energy, abs=0.01)
    assert np.nanmax(energies) - np.nanmin(energies) > 0.05
