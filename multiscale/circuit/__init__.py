"""Circuit: impedance spectra of polycrystals and the equivalent circuits that fit them.

Enters: conductivity, permittivity and size of grains and boundaries; a circuit string with
values; or a measured spectrum as a CSV file. Leaves: complex impedances over frequency, the
values of a fitted circuit with standard errors, and whether a spectrum obeys the
Kramers–Kronig relations.

Governing equations: Kirchhoff's laws for impedances at one angular frequency ω, Z = ΣZ_k in
series, 1/Z = Σ1/Z_k in parallel; for ceramics the complex conductivity κ = σ + jωε₀ε_r of each
part, put together by the brick layer κ = (1−x)²/[(1−x)/κ_b + x/κ_gb] + [1 − (1−x)²] κ_gb, by
Maxwell's coated grain, by easy paths, or by contact spots; Z = L/(A κ).

Assumptions: linear response, one kind of carrier, equal grains, no space charge but what
the boundary's width and conductivity stand for, no electrodes unless the circuit has some.
Frequencies are in Hz, impedances in Ω or, for a unit area, Ω m²; Z″ < 0 is capacitive.

Files in reading order: ``elements.py`` (R, L, C, CPE, ZARC, Warburg), ``parsing.py`` (circuit
strings), ``spectrum.py`` (spectra and their files), ``brick_layer.py`` and
``partial_contact.py`` (ceramics), ``ladder.py`` (RC ladders), ``kramers_kronig.py`` (the Lin-KK
test), ``starting_values.py`` and ``fitting.py`` (complex nonlinear least squares).
"""

from multiscale.circuit.brick_layer import (
    BrickLayer,
    TwoArcs,
    brick_layer_conductivity,
    ceramic_of_arcs,
    coated_grain_conductivity,
    complex_conductivity,
    sample_impedance,
    series_conductivity,
    two_arcs,
)
from multiscale.circuit.elements import arc_capacitance
from multiscale.circuit.fitting import CircuitFit, fit_circuit
from multiscale.circuit.kramers_kronig import KramersKronigTest, lin_kk
from multiscale.circuit.parsing import Circuit, parse_circuit
from multiscale.circuit.partial_contact import (
    constriction_conductivity,
    constriction_factor,
    easy_path_conductivity,
)
from multiscale.circuit.spectrum import (
    ImpedanceSpectrum,
    read_any_spectrum,
    read_plain_spectrum,
    read_spectrum,
    write_spectrum,
)

__all__ = [
    "BrickLayer",
    "Circuit",
    "CircuitFit",
    "ImpedanceSpectrum",
    "KramersKronigTest",
    "TwoArcs",
    "arc_capacitance",
    "brick_layer_conductivity",
    "ceramic_of_arcs",
    "coated_grain_conductivity",
    "complex_conductivity",
    "constriction_conductivity",
    "constriction_factor",
    "easy_path_conductivity",
    "fit_circuit",
    "lin_kk",
    "parse_circuit",
    "read_any_spectrum",
    "read_plain_spectrum",
    "read_spectrum",
    "sample_impedance",
    "series_conductivity",
    "two_arcs",
    "write_spectrum",
]
