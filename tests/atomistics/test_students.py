"""Students: labels, splits and errors; and, with the extra mlip, a real training on EMT copper."""

import json
from typing import ClassVar

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.data import covalent_radii

from multiscale.atomistics import potentials, students
from multiscale.errors import ComputationError, PotentialError, StructureError


def copper():
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 2, 2)
    return Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)


def labelled(folder, count=16, each=2):
    cells = []
    for number in range(count):
        generator = np.random.default_rng(number)
        cell = students.rattled(copper(), generator, 0.08, 0.02)
        cell.info[students.GROUP] = f"g{number // each}"
        cells.append(cell)
    return students.label(cells, EMT(), folder / "labels.xyz")


class TestData:
    def test_rattling_has_its_size_and_strain_its_limit(self):
        generator = np.random.default_rng(0)
        start, moved, strains = copper(), [], []
        for _ in range(40):
            one = students.rattled(start, generator, 0.1, 0.03)
            matrix = np.linalg.solve(start.cell.array, one.cell.array)
            strains.append(matrix - np.eye(3))
            moved.append(one.positions - start.positions @ matrix)
        assert np.std(moved) == pytest.approx(0.1, rel=0.03)
        assert np.abs(strains).max() <= 0.03
        assert np.abs(strains).max() > 0.025
        assert np.allclose(strains, np.transpose(strains, (0, 2, 1)))

    def test_pressed_pairs_are_as_near_as_asked(self):
        salt = bulk("LiF", "rocksalt", a=4.03, cubic=True) * (3, 3, 3)
        moved = students.pressed(salt, np.random.default_rng(1), 5, (0.6, 0.8))
        away = np.linalg.norm(moved.positions - salt.positions, axis=1)
        assert 4 <= np.count_nonzero(away > 1e-9) <= 10
        assert np.count_nonzero(away > 1e-9) % 2 == 0
        shares = []
        for i in np.flatnonzero(away > 1e-9):
            apart = moved.get_distances(i, range(len(moved)), mic=True)
            reach = covalent_radii[moved.numbers] + covalent_radii[moved.numbers[i]]
            shares.append(np.min(np.delete(apart / reach, i)))
        assert 0.5 < min(shares) < 0.8
        assert np.linalg.norm(moved.positions.mean(axis=0) - salt.positions.mean(axis=0)) < 1e-9

    def test_labels_are_the_teachers_and_go_on(self, tmp_path):
        asked = []

        class Counted(EMT):
            def calculate(self, *place, **more):
                asked.append(1)
                super().calculate(*place, **more)

        cells = [copper(), copper()]
        for number, cell in enumerate(cells):
            cell.rattle(0.05, seed=number)
            cell.info[students.GROUP] = "a"
        students.label(cells[:1], Counted(), tmp_path / "l.xyz")
        done = students.label(cells, Counted(), tmp_path / "l.xyz")
        assert len(asked) == 2
        assert len(done) == 2
        for one, cell in zip(done, cells, strict=True):
            cell.calc = EMT()
            assert one.info[students.ENERGY] == pytest.approx(cell.get_potential_energy())
            np.testing.assert_allclose(one.arrays[students.FORCES], cell.get_forces(), atol=1e-6)
        found = students.errors(done, EMT())
        assert found.energy < 1e-8
        assert found.forces < 1e-6
        assert found.cells == 2

    def test_errors_are_root_mean_squares(self, tmp_path):
        done = labelled(tmp_path, 4)
        for cell in done:
            cell.info[students.ENERGY] += 0.01 * len(cell)
            cell.arrays[students.FORCES] = cell.arrays[students.FORCES] + [0.3, 0.0, 0.0]
        found = students.errors(done, EMT())
        assert found.energy == pytest.approx(0.01)
        assert found.forces == pytest.approx(0.3 / np.sqrt(3))

    def test_trajectories_are_held_out_whole_and_stay_so(self, tmp_path):
        done = labelled(tmp_path, 40)
        train, out = students.split(done)
        groups = [{cell.info[students.GROUP] for cell in part} for part in (train, out)]
        assert not groups[0] & groups[1]
        assert len(train) + len(out) == 40
        assert 0.05 < len(out) / 40 < 0.25
        _, earlier = students.split(done[:20])
        assert {cell.info[students.GROUP] for cell in earlier} <= groups[1]


@pytest.mark.mlip
@pytest.mark.filterwarnings("ignore")
class TestTraining:
    OPTIONS: ClassVar = {
        "r_max": 4.0, "num_channels": 8, "max_L": 0, "max_ell": 2, "correlation": 2,
        "num_interactions": 2, "hidden_irreps": "8x0e", "MLP_irreps": "8x0e",
        "radial_MLP": "[16]", "E0s": "average", "loss": "stress", "energy_weight": 10.0,
        "forces_weight": 100.0, "stress_weight": 10.0, "batch_size": 4, "valid_batch_size": 4,
        "lr": 0.02,
    }  # fmt: skip

    @pytest.fixture(scope="class")
    def made(self, tmp_path_factory):
        torch = pytest.importorskip("torch")
        pytest.importorskip("mace")
        folder = tmp_path_factory.mktemp("student")
        done = labelled(folder, 40)
        train, out = students.split(done)
        path = students.train(folder / "t", "Cu", train, out, 30, self.OPTIONS)
        return torch.load(path, weights_only=False, map_location="cpu"), out, folder

    def test_it_learns(self, made):
        from multiscale.atomistics._mace import as_potential

        model, out, _ = made
        found = students.errors(out, as_potential("s", (model,), {}, "cpu").calculator())
        forces = np.concatenate([np.ravel(one.arrays[students.FORCES]) for one in out])
        assert found.forces < 0.25 * np.sqrt(np.mean(forces**2))

    def test_stored_and_read_it_is_the_same(self, made):
        from multiscale.atomistics._mace import as_potential, read_student, write_student

        model, out, folder = made
        write_student(model, folder / "Cu.npz")
        again = read_student(folder / "Cu.npz", "cpu")
        first, second = (
            students.errors(out, as_potential("s", (one,), {}, "cpu").calculator())
            for one in (model, again)
        )
        assert second.forces == pytest.approx(first.forces, rel=1e-4)
        assert second.energy == pytest.approx(first.energy, rel=1e-3, abs=1e-6)

    def test_a_shipped_one_is_loaded_by_name_and_checked(self, made, monkeypatch):
        from multiscale.atomistics._mace import as_potential, write_student

        model, out, folder = made
        write_student(model, folder / "Cu.npz")
        card = {
            "name": "Cu", "files": {"Cu.npz": potentials.file_hash(folder / "Cu.npz")},
            "teacher": "emt",
        }  # fmt: skip
        students.write_card(folder / "cards.json", card)
        monkeypatch.setattr(potentials, "STUDENTS", folder)
        found = potentials.load_potential("student:Cu", device="cpu")
        assert found.elements == {"Cu"}
        assert found.cutoff == 4.0
        mine = students.errors(out, found.calculator())
        other = students.errors(out, as_potential("s", (model,), {}, "cpu").calculator())
        assert mine.forces == pytest.approx(other.forces, rel=1e-4)
        assert mine.stress == pytest.approx(other.stress, rel=1e-4)
        with pytest.raises(PotentialError, match="Au"):
            found.check(Atoms("Au", cell=[9] * 3, pbc=True))
        with pytest.raises(StructureError, match="repeat the cell"):
            found.check(bulk("Cu", "fcc", a=3.6, cubic=True))
        with pytest.raises(PotentialError, match="did you mean 'student:Cu'"):
            potentials.load_potential("student:Cv")
        content = bytearray((folder / "Cu.npz").read_bytes())
        content[len(content) // 2] ^= 1
        (folder / "Cu.npz").write_bytes(bytes(content))
        with pytest.raises(PotentialError, match="changed or damaged"):
            potentials.load_potential("student:Cu", device="cpu")

    def test_a_reheated_training_goes_on_with_the_rate_it_was_given(self, made):
        torch = pytest.importorskip("torch")
        _, _, folder = made
        students.reheat(folder / "t", 0.007, 0.9)
        (checkpoint,) = (folder / "t" / "checkpoints").glob("*.pt")
        state = torch.load(checkpoint, weights_only=False)
        assert {group["lr"] for group in state["optimizer"]["param_groups"]} == {0.007}
        assert state["lr_scheduler"]["gamma"] == 0.9

    def test_an_impossible_training_is_one_line(self, made, tmp_path):
        _, out, _ = made
        options = self.OPTIONS | {"interaction": "NoSuchBlock"}
        with pytest.raises(ComputationError, match="training of Cu") as caught:
            students.train(tmp_path, "Cu", out, out, 2, options)
        assert "\n" not in str(caught.value)


def test_cards_are_added_one_by_one(tmp_path):
    students.write_card(tmp_path / "cards.json", {"name": "A", "teacher": "x"})
    students.write_card(tmp_path / "cards.json", {"name": "B", "teacher": "y"})
    found = json.loads((tmp_path / "cards.json").read_text())
    assert found == {"A": {"teacher": "x"}, "B": {"teacher": "y"}}


@pytest.mark.parametrize("name", sorted(potentials.student_cards()))
def test_a_shipped_student_is_what_its_card_says(name):
    """Loads, knows the elements it was taught, and keeps atoms of a salt apart."""
    card = potentials.student_cards()[name]
    assert {"title", "teacher", "trained_on", "temperatures_K", "held_out", "command"} <= set(card)
    assert card["held_out"]["cells"] >= 10
    potential = potentials.load_potential(f"student:{name}")
    taught = set().union(*(Atoms(one).get_chemical_symbols() for one in card["compositions"]))
    assert potential.elements == taught
    oxide = bulk("LiO", "rocksalt", a=4.3, cubic=True) * (2, 2, 2)
    oxide.calc = potential.calculator()
    assert np.isfinite(oxide.get_potential_energy())
    pushed = oxide.copy()
    pushed.set_distance(0, 1, 1.2, fix=0)
    pushed.calc = potential.calculator()
    apart = pushed.positions[1] - pushed.positions[0]
    assert pushed.get_forces()[1] @ apart > 0
