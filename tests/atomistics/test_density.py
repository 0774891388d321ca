"""Relaxation and density: against pressures at constant volume, and killed in between."""

import numpy as np
import pytest
from ase import Atoms, units
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.md.bussi import Bussi

from multiscale.atomistics import density, dynamics
from multiscale.atomistics.potentials import Potential
from multiscale.errors import DynamicsError, StoreError, StructureError


def emt():
    return Potential("emt", frozenset({"Cu", "Au"}), 4.0, {"ase": "emt"}, (EMT,))


def copper(strain=0.0):
    atoms = bulk("Cu", "fcc", a=3.6 * (1 + strain), cubic=True) * (2, 2, 2)
    return Atoms(atoms.symbols, atoms.positions, cell=atoms.cell, pbc=True)


def plan(**other):
    given = {"temperature": 600.0, "steps": 1500, "timestep": 4.0, "seed": 1, "mobile": "Au"}
    return density.DensityPlan(**(given | other))


def test_relaxation_finds_the_lattice_constant_of_the_potential():
    start = copper(0.04)
    start.rattle(0.05, seed=1)
    found = density.relax(start, EMT(), fmax=0.005)
    assert found.converged
    assert found.force < 0.005
    lattice = (found.atoms.get_volume() / len(start) * 4) ** (1 / 3)
    scan = np.linspace(3.55, 3.63, 41)
    energies = []
    for a in scan:
        atoms = bulk("Cu", "fcc", a=a, cubic=True)
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
    curve = np.polynomial.Polynomial.fit(scan, energies, 4)
    best = curve.deriv().roots()
    best = float(best[np.isreal(best) & (best.real > 3.5) & (best.real < 3.7)].real[0])
    assert lattice == pytest.approx(best, abs=1e-3)
    assert start.get_volume() == pytest.approx(copper(0.04).get_volume())  # not changed


def test_relaxation_says_when_it_is_not_done():
    start = copper()
    start.rattle(0.1, seed=1)
    found = density.relax(start, EMT(), fmax=1e-4, steps=3, along=(0, 0, 0))
    assert not found.converged
    assert found.steps == 3
    assert found.force > 1e-4


def test_a_structure_that_swells_is_refused():
    with pytest.raises(StructureError, match="a volume within 25%"):
        density.relax(copper(0.35), EMT(), steps=400)


def test_the_density_has_no_pressure_at_constant_volume(tmp_path):
    wanted = plan(steps=2000, barostat_time=100.0)
    dense = density.equilibrate(copper(), emt(), wanted, tmp_path)
    dense.calc = EMT()
    generator = np.random.default_rng(5)
    dynamics.maxwell_boltzmann(dense, 600.0, generator)
    motion = Bussi(dense, 4 * units.fs, 600.0, 100 * units.fs, rng=generator)
    pressures = []
    for step in range(800):
        motion.step()
        if step >= 200:
            pressures.append(-dense.get_stress(include_ideal_gas=True)[:3].mean() / units.GPa)
    blocks = np.array(pressures).reshape(10, -1).mean(axis=1)
    error = blocks.std(ddof=1) / np.sqrt(10)
    bulk_modulus = 134.0  # GPa, EMT copper
    # the volume fluctuates by √(kT/KV) = 1.3 %; 1000 steps of 4 fs are 20 times its memory
    volume_error = 0.013 / np.sqrt(20)
    assert abs(blocks.mean()) < 3 * np.hypot(error, volume_error * bulk_modulus)
    cold = density.relax(copper(), EMT(), fmax=0.01).atoms
    pressure_if_not_expanded = bulk_modulus * (dense.get_volume() / cold.get_volume() - 1)
    assert pressure_if_not_expanded > 2.5  # GPa: what a cell at rest would be under


def test_a_killed_run_goes_on(tmp_path):
    whole = density.equilibrate(copper(), emt(), plan(steps=120), tmp_path / "a")
    density.equilibrate(copper(), emt(), plan(steps=60), tmp_path / "b", checkpoint_every=20)
    parts = density.equilibrate(copper(), emt(), plan(steps=120), tmp_path / "b")
    assert parts.get_volume() == pytest.approx(whole.get_volume(), rel=1e-9)
    np.testing.assert_allclose(parts.positions, whole.positions, atol=1e-7)
    again = density.equilibrate(copper(), emt(), plan(steps=120), tmp_path / "b")
    np.testing.assert_array_equal(again.positions, parts.positions)
    with pytest.raises(StoreError, match="the run asked for"):
        density.equilibrate(copper(), emt(), plan(temperature=500.0), tmp_path / "b")


def test_a_crystal_that_evaporates_is_stopped(tmp_path):
    with pytest.raises(DynamicsError):
        density.equilibrate(
            copper(), emt(), plan(temperature=9000.0, steps=4000), tmp_path, checkpoint_every=20
        )


def test_a_damaged_state_is_one_line(tmp_path):
    (tmp_path / "density.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(StoreError, match="delete the folder"):
        density.equilibrate(copper(), emt(), plan(steps=900), tmp_path)
