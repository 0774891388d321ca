"""The guard lets sound trajectories through and stops those that creep or leave their teacher."""

import json

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT

from multiscale.atomistics import dynamics, guard
from multiscale.atomistics.potentials import Potential
from multiscale.errors import DynamicsError


class Tilted(Calculator):
    """EMT and a force that does not belong to it."""

    implemented_properties = ("energy", "forces")

    def __init__(self, force=0.0):
        super().__init__()
        self.force = force

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        copy = atoms.copy()
        copy.calc = EMT()
        forces = copy.get_forces()
        forces[::2, 0] += self.force
        self.results = {"energy": copy.get_potential_energy(), "forces": forces}


def potential(*makers):
    return Potential("emt", frozenset({"Cu", "Au"}), 4.0, {"ase": "emt"}, makers or (EMT,))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("md")
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 2, 2)
    atoms = Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)
    plan = dynamics.MDPlan(500.0, 800, timestep=4.0, every=20, seed=1, mobile="Au")
    dynamics.run_nvt(atoms, potential(), plan, folder, checkpoint_every=100)
    return folder


def judged(run, teacher, **more):
    (run / "guard.json").unlink(missing_ok=True)
    return guard.judge(run, potential(), teacher, mobile="Au", **more)


def test_a_sound_run_is_valid(run):
    verdict = judged(run, potential())
    assert verdict.valid
    assert verdict.looks == 6
    assert abs(verdict.energy_drift) < 1e-8
    assert verdict.force_error < 1e-6
    assert 0.0 < verdict.framework[0] < 0.5


def test_a_teacher_that_disagrees_in_force_is_told_with_numbers(run):
    verdict = judged(run, potential(lambda: Tilted(0.4)))
    assert verdict.force_error == pytest.approx(0.4 / np.sqrt(6), rel=1e-6)
    assert verdict.valid  # 0.16 eV/Å
    verdict = judged(run, potential(lambda: Tilted(0.8)))
    assert not verdict.valid
    (fault,) = verdict.faults
    assert "by 0.327 eV/Å (limit 0.25)" in fault


def walk(step, count=80, atoms=20):
    generator = np.random.default_rng(3)
    start = generator.uniform(0, 10, (atoms, 3))
    paths = start + step * np.cumsum(generator.normal(size=(count, atoms, 3)), axis=0)
    paths += generator.normal(scale=0.15, size=paths.shape)
    return [Atoms("Cu" * atoms, one, cell=[10] * 3, pbc=True) for one in paths]


def test_vibration_is_a_plateau_and_creep_is_not():
    rest = guard.plateau(walk(0.0), "Li")
    assert rest[0] == pytest.approx(6 * 0.15**2, rel=0.1)
    assert rest[1] == pytest.approx(rest[0], rel=0.1)
    creeping = guard.plateau(walk(0.05), "Li")
    assert creeping[1] - creeping[0] == pytest.approx(3 * 0.05**2 * 30, rel=0.35)
    sound, bad = (guard.Verdict(one, 0.0, 0.0, None, 6, "t") for one in (rest, creeping))
    assert sound.valid
    assert "framework creeps" in bad.faults[0]


def test_drift_as_a_whole_is_no_creep():
    moving = walk(0.0)
    for number, one in enumerate(moving):
        one.positions += 0.2 * number
    assert guard.plateau(moving, "Li") == pytest.approx(guard.plateau(walk(0.0), "Li"), abs=1e-9)


def test_an_energy_that_drifts_off_the_teachers_is_told(run):
    some = list(dynamics.frames(run))[::8]
    for number, one in enumerate(some):
        one.calc.results["energy"] += 0.02 * number * len(one)
    drift, error = guard.against(some, potential())
    half = len(some) // 2
    wanted = 0.02 * (len(some) - half)
    assert drift == pytest.approx(wanted, abs=1e-6)
    assert not guard.Verdict((0.1, 0.1), drift, error, None, 6, "t").valid
    assert not guard.Verdict((0.1, 0.1), float("nan"), error, None, 6, "t").valid
    assert not guard.Verdict((0.1, 0.1), -drift, error, None, 6, "t").valid


def test_a_committee_that_disagrees_is_told(run):
    some = list(dynamics.frames(run))[::10]
    both = potential(EMT, lambda: Tilted(1.2))
    assert guard.disagreement(some, both) == pytest.approx(np.sqrt(1.2**2 / 2 / 6), rel=1e-6)
    verdict = guard.judge(run, both, None, mobile="Au")
    assert "committee's forces differ by" in verdict.faults[0]


def test_a_verdict_is_stored_and_found_again(run):
    first = judged(run, potential())
    asked = []

    def counted():
        asked.append(1)
        return EMT()

    again = guard.judge(run, potential(), potential(counted), mobile="Au")
    assert again == first
    assert not asked
    assert json.loads((run / "guard.json").read_text())["teacher"] == "emt"
    guard.judge(run, potential(), potential(counted), mobile="Au", looks=4)
    assert asked


def test_too_short_runs_are_refused(run):
    with pytest.raises(DynamicsError, match="at least 3 ps after settling"):
        guard.judge(run, potential(), None, mobile="Au", skip=400.0)
    with pytest.raises(DynamicsError, match="at least 16 frames"):
        guard.judge(run, potential(), None, mobile="Au", skip=3000.0)


def test_a_committee_that_parts_stops_the_run(tmp_path):
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True) * (2, 2, 2)
    plan = dynamics.MDPlan(300.0, 40, every=10, mobile="Au")
    both = potential(EMT, lambda: Tilted(1.2))
    with pytest.raises(DynamicsError, match=r"step 20: expected committee forces within 0\.25"):
        dynamics.run_nvt(
            atoms, both, plan, tmp_path / "a", checkpoint_every=20, watch=guard.Watch(both)
        )
    for agreed in (potential(), potential(EMT, EMT)):
        dynamics.run_nvt(
            atoms, agreed, plan, tmp_path / str(len(agreed.makers)), checkpoint_every=20,
            watch=guard.Watch(agreed),
        )  # fmt: skip
