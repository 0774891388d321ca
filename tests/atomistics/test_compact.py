"""The compact evaluator: derivatives, symmetries, neighbours, and mace-torch's own answer."""

import json

import numpy as np
import pytest
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet
from ase.neighborlist import neighbor_list

from multiscale.atomistics import compact, crystals, dynamics
from multiscale.atomistics.potentials import STUDENTS, load_potential
from multiscale.errors import PotentialError

FILE = STUDENTS / "LLZO.npz"
MODEL = compact.read_compact(FILE)


def cell(seed=0, rattle=0.05):
    """LLZO of 192 atoms, rattled and strained."""
    generator = np.random.default_rng(seed)
    atoms = crystals.build(crystals.crystal("LLZO"), (1, 1, 1), generator)
    atoms.rattle(rattle, rng=generator)
    strain = generator.normal(scale=0.01, size=(3, 3))
    atoms.set_cell(atoms.cell @ (np.eye(3) + strain + strain.T), scale_atoms=True)
    atoms.calc = compact.CompactCalculator(MODEL)
    return atoms


def test_forces_are_derivatives_of_the_energy():
    atoms = cell()
    forces = atoms.get_forces()
    generator = np.random.default_rng(1)
    for _ in range(4):
        along = generator.normal(size=forces.shape)
        start = atoms.get_positions()
        energies = []
        for step in (1e-4, -1e-4):
            atoms.set_positions(start + step * along)
            energies.append(atoms.get_potential_energy())
        atoms.set_positions(start)
        assert (energies[1] - energies[0]) / 2e-4 == pytest.approx((forces * along).sum(), rel=2e-6)
    assert np.abs(forces.sum(axis=0)).max() < 1e-9


def test_stress_is_the_derivative_by_strain():
    atoms = cell()
    stress = atoms.get_stress(voigt=False)
    assert np.allclose(stress, stress.T)
    generator = np.random.default_rng(2)
    before = atoms.cell.array.copy()
    for _ in range(3):
        strain = generator.normal(size=(3, 3))
        strain = strain + strain.T
        energies = []
        for step in (1e-5, -1e-5):
            atoms.set_cell(before @ (np.eye(3) + step * strain), scale_atoms=True)
            energies.append(atoms.get_potential_energy())
        atoms.set_cell(before, scale_atoms=True)
        slope = (energies[0] - energies[1]) / 2e-5 / atoms.get_volume()
        assert slope == pytest.approx((stress * strain).sum(), rel=1e-5, abs=1e-7)


def test_energy_knows_no_direction_order_or_origin():
    atoms = cell()
    energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turned = Atoms(atoms.symbols, atoms.positions @ turn, cell=atoms.cell.array @ turn, pbc=True)
    turned.calc = compact.CompactCalculator(MODEL)
    assert turned.get_potential_energy() == pytest.approx(energy, abs=1e-8)
    assert np.allclose(turned.get_forces(), forces @ turn, atol=1e-9)
    order = np.random.default_rng(4).permutation(len(atoms))
    other = atoms[order]
    other.positions += [3.0, -40.0, 0.2]
    other.wrap()
    other.calc = compact.CompactCalculator(MODEL)
    assert other.get_potential_energy() == pytest.approx(energy, abs=1e-8)
    assert np.allclose(other.get_forces(), forces[order], atol=1e-9)


def test_a_repeated_cell_is_the_same_crystal():
    small = Atoms("LiO", [[0, 0, 0], [2.0, 0.1, 0]], cell=[3.9, 4.1, 4.3], pbc=True)
    large = small * (3, 2, 2)  # small is thinner than the cutoff: atoms see their own images
    for one in (small, large):
        one.calc = compact.CompactCalculator(MODEL)
    assert large.get_potential_energy() == pytest.approx(
        12 * small.get_potential_energy(), abs=1e-9
    )
    assert np.allclose(large.get_forces(), np.tile(small.get_forces(), (12, 1)), atol=1e-10)
    assert np.allclose(large.get_stress(), small.get_stress(), atol=1e-12)


def test_listed_neighbours_hold_while_atoms_and_cell_move(monkeypatch):
    made = []
    listed = compact._Neighbours.of.__func__
    monkeypatch.setattr(
        compact._Neighbours, "of",
        classmethod(lambda cls, *given: made.append(1) or listed(cls, *given)),
    )  # fmt: skip
    atoms = cell()
    generator = np.random.default_rng(5)
    for number in range(30):
        atoms.positions += generator.normal(scale=0.02, size=(len(atoms), 3))
        atoms.set_cell(atoms.cell.array * (1.0 + 0.002 * (-1) ** number), scale_atoms=True)
        got = atoms.get_potential_energy()
        count = len(made)
        fresh = atoms.copy()
        fresh.calc = compact.CompactCalculator(MODEL)
        assert fresh.get_potential_energy() == pytest.approx(got, abs=1e-9)
        del made[count:]
    assert 1 <= len(made) < 8


@pytest.mark.parametrize("pbc", [True, (True, False, True), False])
def test_pairs_are_those_of_ase(pbc):
    generator = np.random.default_rng(7)
    for _ in range(4):
        box = generator.uniform(-2.0, 2.0, (3, 3)) + np.diag([3.0, 7.0, 12.0])
        atoms = Atoms("Li25", generator.uniform(-9.0, 15.0, (25, 3)), cell=box, pbc=pbc)
        mine = compact._Neighbours.of(atoms, 5.0)
        at, other, image = neighbor_list("ijS", atoms, 5.0)
        own = np.repeat(np.arange(25), np.diff(mine.first))
        wanted = sorted(zip(at, other, map(tuple, image), strict=True))
        assert sorted(zip(own, mine.other, map(tuple, mine.image), strict=True)) == wanted
        assert len(wanted) > 5
    large = cell()
    assert len(compact._Neighbours.of(large, 5.5).other) == len(neighbor_list("i", large, 5.5))


def test_isolated_atoms_have_their_levels():
    lone = Atoms("LiLa", [[0, 0, 0], [0, 0, 30.0]])
    lone.calc = compact.CompactCalculator(MODEL)
    near = Atoms("LiLa", [[0, 0, 0], [0, 0, 3.0]])
    near.calc = compact.CompactCalculator(MODEL)
    assert np.abs(lone.get_forces()).max() == 0.0
    assert lone.get_potential_energy() != near.get_potential_energy()
    assert near.get_forces()[0, 2] == pytest.approx(-near.get_forces()[1, 2])
    assert "stress" not in near.calc.results


def test_newton_keeps_the_energy():
    atoms = cell(rattle=0.0)
    dynamics.maxwell_boltzmann(atoms, 600.0, np.random.default_rng(6))
    motion = VelocityVerlet(atoms, 1.0 * units.fs)
    motion.run(5)
    before = atoms.get_total_energy()
    motion.run(150)
    assert abs(atoms.get_total_energy() - before) / len(atoms) < 3e-5


def test_elements_and_models_it_does_not_know(tmp_path):
    strange = Atoms("NaO", [[0, 0, 0], [2.0, 0, 0]])
    strange.calc = compact.CompactCalculator(MODEL)
    with pytest.raises(PotentialError, match=r"expected elements La, Li, O, Zr, received Na"):
        strange.get_potential_energy()
    with np.load(FILE) as file:
        arrays = {key: file[key] for key in file.files}
    setting = json.loads(str(arrays["setting"]))
    for key, value in (("correlation", 3), ("hidden_irreps", "16x0e+16x1o"), ("max_ell", 3)):
        changed = {**arrays, "setting": np.array(json.dumps({**setting, key: value}))}
        np.savez(tmp_path / "large.npz", **changed)
        with pytest.raises(PotentialError, match=f"{key}: expected .* evaluate it with mace-torch"):
            compact.read_compact(tmp_path / "large.npz")


def test_students_need_no_torch(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    atoms = cell()
    atoms.calc = load_potential("student:LLZO").calculator()
    assert np.isfinite(atoms.get_potential_energy())


@pytest.mark.mlip
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
def test_it_agrees_with_mace_torch():
    mace = pytest.importorskip("multiscale.atomistics._mace")
    pytest.importorskip("mace")
    reference = mace.read_student(FILE, "cpu").double()
    calculator = mace.as_potential("reference", (reference,), {}, "cpu").calculator()
    for seed in range(3):
        atoms = cell(seed, 0.1)
        found = (atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress())
        atoms.calc = calculator
        assert found[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-5)
        assert np.allclose(found[1], atoms.get_forces(), atol=1e-5)
        assert np.allclose(found[2], atoms.get_stress(), atol=1e-7)
