"""From the results of this study to discharge curves of a half cell in PyBaMM.

Usage: python runs/atoms-to-cell/make_discharge.py [--rate C] [--kelvin T] [--model DFN|SPMe]

Reads results/results.nc (multiscale run runs/atoms-to-cell), exports it for PyBaMM, and
discharges PyBaMM's Xu2019 half cell (NMC532 | Li; its sources are cited by that set)
with its own liquid electrolyte and with ours: the median of the polycrystals, the central 95 %
of them, and one standard error of the diffusivity that went in. Leaves measured.csv and
measured.png.
"""

import argparse
import csv
import os
from pathlib import Path

import numpy as np
import xarray as xr

os.environ.setdefault("PYBAMM_DISABLE_TELEMETRY", "true")

from multiscale.export import export

HERE = Path(__file__).resolve().parent
VARIABLES = (
    "Discharge capacity [A.h]",
    "Terminal voltage [V]",
    "X-averaged electrolyte ohmic losses [V]",
    "X-averaged concentration overpotential [V]",
)
POSITIVE = "Positive electrode tortuosity factor (electrolyte)"
OPTIONS = {"working electrode": "positive", "transport efficiency": "tortuosity factor"}


def parameters(module, level, factor=1.0):
    """Parameters of the Xu2019 half cell; of its own electrolyte where level is None."""
    import pybamm

    values = pybamm.ParameterValues("Xu2019")
    efficiency = values["Positive electrode porosity"] ** 0.5  # Bruggeman: ε/τ = ε^1.5
    values.update(
        {
            "Separator tortuosity factor (electrolyte)": values["Separator porosity"] ** -0.5,
            "Positive electrode tortuosity factor (electrolyte)": 1 / efficiency,
            "Positive electrode tortuosity factor (electrode)": 1.0,
        },
        check_already_exists=False,
    )
    if level is None:
        return values
    own = module["parameter_values"](level)
    sigma = own["Electrolyte conductivity [S.m-1]"]
    own["Electrolyte conductivity [S.m-1]"] = lambda c_e, T: factor * sigma(c_e, T)
    # the cell keeps its share of electrolyte in the cathode; efficiency one, as exported
    for name in ("Positive electrode porosity", POSITIVE):
        own[name] = values["Positive electrode porosity"]
    values.update(own, check_already_exists=False)
    return values


def discharge(values, rate, kelvin, model):
    """Discharge a cell: capacity [A h], voltage, ohmic loss and concentration overpotential [V]."""
    import pybamm

    values.update({"Ambient temperature [K]": kelvin, "Initial temperature [K]": kelvin})
    values["Current function [A]"] = rate * values["Nominal cell capacity [A.h]"]
    made = getattr(pybamm.lithium_ion, model)(OPTIONS)
    simulation = pybamm.Simulation(made, parameter_values=values)
    found = simulation.solve([0, 3600 / rate])
    return tuple(found[name].entries for name in VARIABLES)


def ohmic(values, module, level, rate, kelvin):
    """Voltage that the electrolyte alone takes: j (L_s + L_p/3)/σ [V]."""
    import pybamm

    area = values["Electrode width [m]"] * values["Electrode height [m]"]
    density = rate * values["Nominal cell capacity [A.h]"] / area
    conductivity = module["parameter_values"](level)["Electrolyte conductivity [S.m-1]"]
    sigma = float(conductivity(pybamm.Scalar(1000), pybamm.Scalar(kelvin)).evaluate())
    length = values["Separator thickness [m]"] + values["Positive electrode thickness [m]"] / 3
    return density * length / sigma


def exported(results, folder):
    """The module that `multiscale export --to pybamm` writes, executed: it is our own."""
    path = export(results, "pybamm", folder / "electrolyte.py")
    module = {"__name__": "electrolyte"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), module)
    return module


def curves(results, folder, rate, kelvin, model="DFN"):
    """All curves by name, and the ohmic share of the median electrolyte [V]."""
    module = exported(results, folder)
    place = int(np.argmin(np.abs(results.temperature.values - kelvin)))
    best = int(np.argmax(results.phase_diffusivity.values[0]))
    spread = float(
        results.phase_diffusivity_stderr.values[place, best]
        / results.phase_diffusivity.values[place, best]
    )
    cases = {"liquid": (None, 1.0), "median": ("median", 1.0)}
    cases |= {"lowest 2.5 %": ("lower_95", 1.0), "highest 2.5 %": ("upper_95", 1.0)}
    if np.isfinite(spread) and spread > 0:
        cases |= {"D one error lower": ("median", 1 / (1 + spread))}
        cases |= {"D one error higher": ("median", 1 + spread)}
    found = {
        name: discharge(parameters(module, *case), rate, kelvin, model)
        for name, case in cases.items()
    }
    return found, ohmic(parameters(module, None), module, "median", rate, kelvin), spread


def main():
    """Write measured.csv and measured.png."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=0.5, help="C-rate")
    parser.add_argument("--kelvin", type=float, default=300.0)
    parser.add_argument("--model", choices=("DFN", "SPMe"), default="DFN")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    asked = parser.parse_args()
    with xr.open_dataset(asked.results / "results.nc") as data:
        results = data.load()
    found, drop, spread = curves(results, asked.results, asked.rate, asked.kelvin, asked.model)
    half = 0.5 * found["liquid"][0][-1]
    with (HERE / "measured.csv").open("w", newline="") as file:
        file.write(
            f"# make_discharge.py --rate {asked.rate:g} --kelvin {asked.kelvin:g} --model "
            f"{asked.model}; study {results.attrs['study_hash']}, {results.sizes['sample']} "
            f"samples; ohmic estimate j(L_s + L_p/3)/sigma {1e3 * drop:.2f} mV; relative standard "
            f"error of the grains' diffusivity {spread:.2g}\n"
        )
        writer = csv.writer(file, lineterminator="\n")
        heads = ("voltage", "ohmic loss", "concentration overpotential")
        writer.writerow(("electrolyte", *(f"{head} at half capacity [V]" for head in heads)))
        for name, (charge, *series) in found.items():
            writer.writerow((name, *(f"{np.interp(half, charge, one):.5f}" for one in series)))
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    styles = {"liquid": ("0.5", "--", 1.5), "median": ("tab:blue", "-", 2)}
    for name, (charge, voltage, *_) in found.items():
        default = ("tab:blue", ":", 1) if "%" in name else ("tab:orange", ":", 1)
        colour, line, width = styles.get(name, default)
        axis.plot(1e3 * charge, voltage, color=colour, ls=line, lw=width, label=name)
    axis.set(xlabel="discharged [mA h]", ylabel="terminal voltage [V]")
    axis.set_title(f"{asked.model}, {asked.rate:g} C, {asked.kelvin:g} K", fontsize=10)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(HERE / "measured.png", dpi=150)
    print((HERE / "measured.csv").read_text())


if __name__ == "__main__":
    main()
