"""From atoms to lithium diffusivities: crystals, potentials, molecular dynamics.

``crystals`` (published structures, sites drawn), ``potentials`` (one interface for CHGNet, MACE
and the shipped students), ``dynamics`` (restartable runs), ``students`` (training of compact
models). torch is an extra and imported only where a potential is made.
"""
