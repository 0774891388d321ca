"""A whole atomistic study with a toy potential: drawn, relaxed, run, judged, taken up again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.io import write
from ase.neighborlist import neighbor_list

from multiscale import atomistic_study
from multiscale.atomistics import density, dynamics
from multiscale.atomistics.potentials import Potential
from multiscale.config.atomistics import load_atomistic_study
from multiscale.errors import DynamicsError, PotentialError, StructureError, StudyError
from multiscale.properties import load
from multiscale.units import ELEMENTARY_CHARGE


class Sponge(Calculator):
    """Light particles that repel each other, among heavy ones tied to their places."""

    implemented_properties = ("energy", "forces", "stress")
    strength, size, ties = 0.05, 2.2, (2.0, 14.0)  # ties of all strengths: no common period

    def __init__(self):
        super().__init__()
        self.places = None

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        i, d, vector = neighbor_list("idD", atoms, 2 ** (1 / 6) * self.size)
        six = (self.size / d) ** 6
        energy = 0.5 * (4 * self.strength * (six**2 - six) + self.strength).sum()
        slope = (4 * self.strength * (12 * six**2 - 6 * six) / d**2)[:, None]
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, i, -slope * vector)
        stress = -np.einsum("pa,pb->ab", slope * vector, vector) / 2 / atoms.get_volume()
        heavy = atoms.numbers > 10
        if self.places is None:
            self.places = np.round(atoms.cell.scaled_positions(atoms.positions) * 3) / 3
        moved = atoms.positions - self.places @ atoms.cell.array
        tie = np.linspace(*self.ties, int(heavy.sum()))[:, None]
        forces[heavy] -= tie * moved[heavy]
        energy += 0.5 * (tie * moved[heavy] ** 2).sum()
        self.results = {
            "energy": energy, "forces": forces, "stress": stress.flat[[0, 4, 8, 5, 2, 1]]
        }  # fmt: skip


class Creeping(Sponge):
    """A teacher that pulls elsewhere."""

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.results["forces"] = self.results["forces"] + 1.0


def sponge():
    """Simple cubic copper with lithium in its cages."""
    cells = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    positions = 4.0 * np.concatenate([cells, cells + 0.5])
    return Atoms("Cu27Li27", positions, cell=[12.0] * 3, pbc=True)


STUDY = """
[study]
title = "Toy"
question = "Does the chain hold?"
seed = 5

[potential]
name = "toy"
guard = "teacher"

[dynamics]
temperatures_K = [800, 1000, 1300]
density_ps = 0.0
settle_ps = 1.0
length_ps = 1.6
every_fs = 20

[phases.sponge]
title = "Copper sponge"
file = "sponge.extxyz"
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A study folder whose potentials are toys."""
    write(tmp_path / "sponge.extxyz", sponge())
    (tmp_path / "atomistics.toml").write_text(STUDY)
    makers = {"toy": Sponge, "teacher": Sponge, "liar": Creeping}

    def potential(choice):
        maker = makers[choice.name]
        return Potential(choice.name, frozenset({"Cu", "Li"}), 4.0, {}, (maker,))

    monkeypatch.setattr(atomistic_study, "potential", potential)
    return tmp_path


def edit(place, old, new):
    file = place / "atomistics.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


class TestReading:
    def test_what_a_study_says(self, place):
        study = load_atomistic_study(place)
        (cell,) = study.cells
        assert cell.kind == "bulk"
        assert cell.temperatures == (800, 1000, 1300)
        assert cell.length == 1600.0
        assert study.every == 10
        assert cell.potential.guard == "teacher"

    def test_a_cell_may_settle_longer_than_the_others(self, place):
        assert load_atomistic_study(place).cells[0].settle == 1000.0
        edit(place, 'title = "Copper', 'settle_ps = 0.0\ntitle = "Copper')
        assert load_atomistic_study(place).cells[0].settle == 0.0

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("settle_ps = 1.0", "settle_ps = -1.0", "settle_ps"),
            ("length_ps = 1.6", "lenght_ps = 1.6", "length_ps"),
            ("every_fs = 20", "every_fs = 15", "a multiple of timestep_fs"),
            ("[800, 1000, 1300]", "[800, 800]", "each once"),
            ("[800, 1000, 1300]", "[800, -1]", "> 0"),
            ('file = "sponge.extxyz"', "", "either crystal or file"),
            ('file = "sponge.extxyz"', 'file = "a.cif"\nlithium = 0.5', "no such key beside file"),
            ("[phases.sponge]", '[phases."../x"]', "phases"),
            ("seed = 5", "seed = -5", "seed"),
        ],
    )
    def test_mistakes_are_one_line(self, place, old, new, words):
        edit(place, old, new)
        with pytest.raises(StudyError, match=words) as caught:
            load_atomistic_study(place)
        assert "\n" not in str(caught.value)

    def test_boundaries_name_known_phases(self, place):
        more = '\n[boundaries.b]\ntitle = "b"\nbetween = ["sponge", "spong"]\nkind = "twin"\n'
        edit(place, 'file = "sponge.extxyz"\n', 'file = "sponge.extxyz"\n' + more)
        with pytest.raises(StudyError, match="this key for kind = 'twin'"):
            load_atomistic_study(place)
        edit(place, 'kind = "twin"\n', 'kind = "twin"\nplane = [1, 0, 0]\n')
        with pytest.raises(StudyError, match="one of the phases sponge"):
            load_atomistic_study(place)

    def test_files_that_may_run_code_are_not_read(self, place):
        with pytest.raises(StructureError, match=r"a file of \.cif"):
            atomistic_study.read_structure(place / "cell.py")
        (place / "bad.cif").write_text("data_\n_cell_length_a nonsense\n")
        with pytest.raises(StructureError, match=r"bad\.cif"):
            atomistic_study.read_structure(place / "bad.cif")


def run_one(place, temperature=1300.0, length=3200.0):
    study = load_atomistic_study(place)
    listed = atomistic_study.jobs(study, place / "results")
    (job,) = [one for one in listed if one.temperature == temperature]
    return study, job, atomistic_study.perform(study, job, length)


class TestRuns:
    def test_hot_ones_come_first(self, place):
        edit(place, "density_ps = 0.0", "density_ps = 0.0\nrealisations = 2")
        listed = atomistic_study.jobs(load_atomistic_study(place), place / "results")
        shown = [(one.realisation, one.temperature) for one in listed]
        assert shown == [(0, 1300), (0, 1000), (0, 800), (1, 1300), (1, 1000), (1, 800)]
        assert len({one.folder for one in listed}) == 6

    def test_a_run_is_judged_and_a_longer_one_goes_on(self, place):
        _, job, verdict = run_one(place, length=3200.0)
        assert verdict.valid
        assert verdict.teacher == "teacher"
        first = [one.positions for one in dynamics.frames(job.folder)]
        run_one(place, length=4000.0)
        longer = [one.positions for one in dynamics.frames(job.folder)]
        assert len(longer) == 1 + 5000 / 20
        np.testing.assert_array_equal(longer[: len(first)], first)
        assert json.loads((job.folder / "progress.json").read_text())["step"] == 2500

    def test_a_run_that_left_its_teacher_is_invalid(self, place):
        edit(place, 'guard = "teacher"', 'guard = "liar"')
        with pytest.raises(DynamicsError, match="no diffusivity is made from this run"):
            run_one(place, length=3200.0)


class TestWhole:
    """From the file to a property file that ``multiscale run`` could take."""

    @pytest.fixture
    def answered(self, place, monkeypatch):
        pytest.importorskip("kinisi")
        edit(place, "length_ps = 1.6", "length_ps = 6.0")
        edit(place, "settle_ps = 1.0", "settle_ps = 1.5")
        return place, atomistic_study.run_atomistic_study(place, workers=1)

    @pytest.mark.mlip
    @pytest.mark.filterwarnings("ignore")
    def test_a_property_file_comes_out(self, answered):
        place, (outcome,) = answered
        assert not outcome.failures
        assert outcome.file == place / "results" / "properties" / "sponge.toml"
        material = load(outcome.file)
        hot = outcome.found["all"][-1]
        assert hot.temperature == 1300
        near = material.diffusivity(1300.0)
        assert near.value == pytest.approx(hot.value, rel=0.3)
        assert 1e-9 < near.value < 1e-6
        stored = json.loads((place / "results" / "sponge.json").read_text())
        assert stored["laws"]["all"]["energy_eV"] == pytest.approx(
            outcome.laws["all"].energy / ELEMENTARY_CHARGE
        )
        assert all(one["valid"] for one in stored["verdicts"].values())
        assert hot.haven_ratio == pytest.approx(1.0, abs=4 * hot.haven_stderr + 0.5)

    @pytest.mark.mlip
    @pytest.mark.filterwarnings("ignore")
    def test_softening_raises_the_energy_of_the_same_trajectories(self, answered):
        place, (outcome,) = answered
        edit(place, 'name = "toy"', 'name = "toy"\nsoftening_eV = 0.1')
        (again,) = atomistic_study.run_atomistic_study(place, workers=1)
        raised = again.laws["all"].energy - outcome.laws["all"].energy
        assert raised == pytest.approx(0.1 * ELEMENTARY_CHARGE)
        assert "raised by 0.1 eV" in load(again.file).in_plane.note

    def test_invalid_runs_give_no_diffusivity(self, place):
        edit(place, 'guard = "teacher"', 'guard = "liar"')
        edit(place, "length_ps = 1.6", "length_ps = 3.2")
        (outcome,) = atomistic_study.run_atomistic_study(place, workers=1)
        assert len(outcome.failures) == 3
        assert not outcome.found
        assert outcome.file is None
        assert "at least one valid run" in outcome.reason
        assert not list((place / "results").glob("properties/*"))
        assert json.loads((place / "results" / "sponge.json").read_text())["failures"]


STUDENT = """
[study]
title = "a student's own"
question = "Does it go on?"
seed = 3

[potential]
name = "student:LLZO"

[dynamics]
temperatures_K = [600, 700]
density_ps = 0.1
settle_ps = 0.02
length_ps = 0.48
every_fs = 4.0

[phases.LLZO]
title = "LLZO"
crystal = "LLZO"
"""


def test_some_of_a_study_alone(tmp_path):
    (tmp_path / "atomistics.toml").write_text(
        STUDENT + '[phases.other]\ntitle = "b"\ncrystal = "LLZO"\n'
        'potential = { name = "student:none" }\n'
    )
    study = load_atomistic_study(tmp_path)
    assert [cell.name for cell in atomistic_study.chosen(study, ())] == ["LLZO", "other"]
    (other,) = atomistic_study.chosen(study, ["other"])
    assert other.name == "other"
    atomistic_study.check(study, atomistic_study.chosen(study, ["LLZO"]))
    with pytest.raises(PotentialError, match="student:none"):
        atomistic_study.check(study, [other])
    with pytest.raises(StudyError, match=r"only: expected one of LLZO, other, received LZO"):
        atomistic_study.run_atomistic_study(tmp_path, only=["LZO"])


def test_relaxed_cells_that_come_with_a_study_are_taken_unless_it_says_otherwise(
    tmp_path, monkeypatch
):
    (tmp_path / "atomistics.toml").write_text(STUDENT)
    study = load_atomistic_study(tmp_path)
    relaxed = []
    monkeypatch.setattr(
        atomistic_study.density, "relax",
        lambda atoms, *_, **__: relaxed.append(1) or density.Relaxed(atoms, -1.0, 0.0, 1, True),
    )  # fmt: skip
    drives = atomistic_study.potential(study.cells[0].potential)
    (first, *_) = atomistic_study.jobs(study, tmp_path / "a")
    made = atomistic_study.relaxed(study, first, drives)
    (tmp_path / "relaxed").mkdir()
    for suffix in (".extxyz", ".json"):
        source = atomistic_study.relaxed_file(first).with_suffix(suffix)
        shutil.copy(source, tmp_path / "relaxed" / f"LLZO-0{suffix}")
    (again, *_) = atomistic_study.jobs(study, tmp_path / "b")
    assert np.allclose(atomistic_study.relaxed(study, again, drives).positions, made.positions)
    assert len(relaxed) == 1
    (tmp_path / "atomistics.toml").write_text(STUDENT.replace("seed = 3", "seed = 4"))
    other = load_atomistic_study(tmp_path)
    (third, *_) = atomistic_study.jobs(other, tmp_path / "c")
    atomistic_study.relaxed(other, third, drives)
    assert len(relaxed) == 2


def test_one_at_a_time_holds_a_lock(tmp_path):
    order, entered = [], threading.Event()

    def second():
        entered.set()
        with atomistic_study.alone(tmp_path / "a.lock"):
            order.append("second")

    with atomistic_study.alone(tmp_path / "a.lock"):
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_killed_study_goes_on_with_the_same_trajectories(tmp_path):
    """By the command line, with a shipped student and no torch, killed three times."""
    (tmp_path / "atomistics.toml").write_text(STUDENT)
    command = [sys.executable, "-m", "multiscale", "atomistics", str(tmp_path), "--workers", "1"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    subprocess.run([*command, "--output", str(whole)], capture_output=True, check=False)
    folders = [one.parent.relative_to(whole) for one in sorted(whole.rglob("state.npz"))]
    assert len(folders) == 2
    kills = 0
    for wanted in ("**/density.npz", "**/frames-00001*", "**/frames-00003*", None):
        process = subprocess.Popen(
            [*command, "--output", str(broken)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        while process.poll() is None:
            if wanted and list(broken.glob(wanted)):
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        process.wait()
    assert kills == 3
    for folder in folders:
        first, second = (list(dynamics.frames(place / folder)) for place in (whole, broken))
        assert len(first) == len(second) == 126
        for one, other in zip(first, second, strict=True):
            assert np.array_equal(one.positions, other.positions)
            assert one.get_potential_energy() == other.get_potential_energy()


def test_the_command_line_tells_mistakes_in_one_line(tmp_path):
    (tmp_path / "atomistics.toml").write_text(STUDY.replace("[dynamics]", "[dynamic]"))
    command = [sys.executable, "-m", "multiscale", "atomistics"]
    for place, words in ((tmp_path, "dynamic"), (tmp_path / "none", "no such file")):
        done = subprocess.run(
            [*command, str(place)], capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 2
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
