"""Molecular dynamics: restart, conservation, temperature, and runs that must stop.

Forces are those of ase's effective-medium theory: exact, quick and without any extra package.
"""

import gzip
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.io import read
from ase.neighborlist import neighbor_list

from multiscale.atomistics import dynamics
from multiscale.atomistics.potentials import Potential
from multiscale.errors import DynamicsError, InputError, StoreError, StructureError

METALS = Potential("emt", frozenset({"Cu", "Al", "Au"}), 5.0, {"ase": "emt"}, (EMT,))


def copper(repeat=(3, 3, 3)):
    atoms = bulk("Cu", cubic=True) * repeat
    atoms.symbols[::9] = "Al"
    return atoms


def plan(**changes):
    given = {"temperature": 400.0, "steps": 60, "every": 5, "seed": 3, "mobile": "Al"}
    return dynamics.MDPlan(**(given | changes))


def positions(folder):
    return np.array([frame.positions for frame in dynamics.frames(folder)])


class TestRestart:
    def test_a_run_in_two_parts_is_the_run_in_one(self, tmp_path):
        whole = dynamics.run_nvt(copper(), METALS, plan(), tmp_path / "one", checkpoint_every=20)
        dynamics.run_nvt(copper(), METALS, plan(steps=20), tmp_path / "two", checkpoint_every=20)
        parts = dynamics.run_nvt(copper(), METALS, plan(), tmp_path / "two", checkpoint_every=20)
        assert np.array_equal(positions(whole), positions(parts))
        assert positions(whole).shape == (13, 108, 3)

    def test_killed_at_any_moment_it_goes_on(self, tmp_path):
        code = (
            "import sys; sys.path.insert(0, sys.argv[2]); import test_dynamics as t;"
            "from pathlib import Path;"
            "t.dynamics.run_nvt(t.copper(), t.METALS, t.plan(steps=400), Path(sys.argv[1]),"
            " checkpoint_every=20)"
        )
        folder = tmp_path / "killed"
        here = os.path.dirname(__file__)
        for wait in (3, 6, 9):
            process = subprocess.Popen([sys.executable, "-c", code, str(folder), here])
            until = time.monotonic() + 60
            while time.monotonic() < until and process.poll() is None:
                if len(list(folder.glob("frames-*.gz"))) >= wait:
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert len(list(folder.glob("frames-*.gz"))) < 20  # none of them came to its end
        dynamics.run_nvt(copper(), METALS, plan(steps=400), folder, checkpoint_every=20)
        whole = dynamics.run_nvt(
            copper(), METALS, plan(steps=400), tmp_path / "whole", checkpoint_every=20
        )
        assert np.array_equal(positions(folder), positions(whole))

    def test_another_run_in_the_folder_is_refused(self, tmp_path):
        dynamics.run_nvt(copper(), METALS, plan(), tmp_path / "run", checkpoint_every=20)
        with pytest.raises(StoreError, match="another"):
            dynamics.run_nvt(
                copper(), METALS, plan(temperature=500.0), tmp_path / "run", checkpoint_every=20
            )

    def test_a_damaged_state_is_one_line(self, tmp_path):
        folder = tmp_path / "run"
        dynamics.run_nvt(copper(), METALS, plan(), folder, checkpoint_every=20)
        (folder / "state.npz").write_bytes((folder / "state.npz").read_bytes()[:300])
        with pytest.raises(StoreError, match="state") as caught:
            dynamics.run_nvt(copper(), METALS, plan(steps=80), folder, checkpoint_every=20)
        assert "\n" not in str(caught.value)


class TestPhysics:
    def test_temperature_and_energy(self, tmp_path):
        """After a few thermostat times: the temperature asked for; the conserved energy rests."""
        folder = dynamics.run_nvt(
            copper((2, 2, 2)), METALS, plan(steps=1500, thermostat_time=20.0), tmp_path / "run"
        )
        frames = list(dynamics.frames(folder))
        conserved = np.array([frame.info["conserved_energy"] for frame in frames[1:]])
        assert np.abs(conserved - conserved[0]).max() < 2e-4 * 32
        # 93 degrees of freedom: the mean of some 50 independent moments is good to 2 %
        kinetic = virial_temperature(frames[60:])
        assert kinetic == pytest.approx(400.0, rel=0.08)

    def test_positions_are_never_wrapped_and_the_centre_rests(self, tmp_path):
        atoms = copper()
        atoms.positions += 20.0
        folder = dynamics.run_nvt(atoms, METALS, plan(), tmp_path / "run", checkpoint_every=20)
        path = positions(folder)
        assert np.abs(path - atoms.positions).max() < 1.0
        masses = atoms.get_masses()
        centre = np.einsum("tna,n->ta", path, masses) / masses.sum()
        assert np.abs(centre - centre[0]).max() < 1e-6

    def test_pieces_are_read_by_ase(self, tmp_path):
        folder = dynamics.run_nvt(copper(), METALS, plan(), tmp_path / "run", checkpoint_every=20)
        with gzip.open(folder / "frames-00001.extxyz.gz", "rt") as file:
            frames = read(file, index=":", format="extxyz")
        assert [frame.info["step"] for frame in frames] == [25, 30, 35, 40]
        assert frames[0].get_forces().shape == (108, 3)

    def test_progress(self, tmp_path):
        seen = []
        dynamics.run_nvt(
            copper(), METALS, plan(), tmp_path / "run", checkpoint_every=20, report=seen.append
        )
        assert [one.step for one in seen] == [20, 40, 60]
        assert seen[-1].left == 0
        assert seen[0].rate > 0


def virial_temperature(frames):
    """Temperature from the virial of displacements from the mean places, exact for any crystal."""
    path = np.array([frame.positions for frame in frames])
    forces = np.array([frame.get_forces() for frame in frames])
    away = path - path.mean(axis=0)
    return -(away * forces).sum(axis=(1, 2)).mean() / (3 * path.shape[1] - 3) / units.kB


class TestStops:
    def test_near_pairs_in_a_box_are_those_of_ase(self):
        atoms = copper()
        atoms.rattle(0.4, seed=2)
        atoms.positions += [31.0, -17.0, 0.0]
        found = dynamics._pairs_within(atoms, 2.6)
        first, second, apart = neighbor_list("ijd", atoms, 2.6)
        once = first < second
        assert len(found[2]) == once.sum() > 50
        assert np.sort(found[2]) == pytest.approx(np.sort(apart[once]), abs=1e-9)
        pairs = {tuple(sorted(one)) for one in zip(*found[:2], strict=True)}
        assert pairs == set(zip(first[once], second[once], strict=True))

    def test_overlap(self, tmp_path):
        atoms = copper()
        atoms.positions[1] = atoms.positions[0] + [0.6, 0.0, 0.0]
        with pytest.raises(DynamicsError, match="atoms apart"):
            dynamics.run_nvt(atoms, METALS, plan(), tmp_path / "run", checkpoint_every=20)

    def test_a_crystal_that_melts(self, tmp_path):
        with pytest.raises(DynamicsError, match="framework within"):
            dynamics.run_nvt(
                copper((2, 2, 2)), METALS, plan(temperature=4000.0, steps=4000),
                tmp_path / "run",
            )  # fmt: skip

    def test_a_time_step_too_long(self, tmp_path):
        with pytest.raises(DynamicsError):
            dynamics.run_nvt(
                copper(), METALS, plan(timestep=40.0, steps=500), tmp_path / "run",
                checkpoint_every=20,
            )  # fmt: skip

    def test_thin_cells_and_unknown_elements(self, tmp_path):
        with pytest.raises(StructureError, match="cutoff"):
            dynamics.run_nvt(copper((1, 3, 3)), METALS, plan(), tmp_path / "run")
        other = copper()
        other.symbols[3] = "La"
        with pytest.raises(InputError, match="La"):
            dynamics.run_nvt(other, METALS, plan(), tmp_path / "run")
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        "changes",
        [{"temperature": 0.0}, {"timestep": float("nan")}, {"steps": 0}, {"every": 2.5}],
    )
    def test_plans(self, changes):
        with pytest.raises(InputError, match=next(iter(changes))):
            plan(**changes)
