"""The text and the figures of ``make_findings.py``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from cases import HERE

from multiscale.config import load_study
from multiscale.study import compute_sample

Row = dict[str, Any]
BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#8c949b"
PANELS = (
    ("contrast", "50 % LLZO"),
    ("disconnected", "30 % LLZO"),
    ("connected", "70 % LLZO"),
    ("equal, slow interface", "equal, slow interface"),
    ("3D contrast", "3D, 50 % LLZO"),
    ("3D threshold", "3D, 20 % LLZO"),
    ("3D disconnected", "3D, 8 % LLZO"),
    ("3D equal, slow interface", "3D, equal, slow interface"),
)
SHARES = (
    ("slow interface", "interface\n1/1000"),
    ("contrast", "interface\nneutral"),
    ("fast interface", "interface\n× 1000"),
    ("LCO boundaries × 10", "LCO × 10"),
    ("LCO boundaries × 1000", "LCO × 1000"),
    ("disconnected, LCO boundaries × 1000", "LCO × 1000\n30 % LLZO"),
    ("3D disconnected, LCO boundaries × 1000", "LCO × 1000\n3D, 8 % LLZO"),
)


def p_value(value: float) -> str:
    """A p-value; 2000 draws know no smaller one than 1/2001."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def modes(row: Row, name: str) -> str:
    """A mode test in words."""
    if row[f"{name}_verdict"] in ("too few", "constant"):
        return str(row[f"{name}_verdict"])
    return (
        f"{row[f'{name}_verdict']} (dip p {p_value(row[f'{name}_dip_p'])}, "
        f"ΔBIC {row[f'{name}_bic_gain']:.0f}, separation {row[f'{name}_separation']:.1f})"
    )


def percent(value: float) -> str:
    """A share, or a dash."""
    return f"{100 * value:.{1 if value < 0.0795 else 0}f} %" if np.isfinite(value) else "–"


def case_table(rows: list[Row]) -> list[str]:
    """All cases: D_eff, connection and modes along either axis."""
    lines = [
        "| case | grains | LLZO | contrast | samples | D_eff / D_LLZO, median (95 %) "
        "| LLZO connects (95 %) | modes along x | modes along y | variance by connection |",
        "|---|---:|---:|---:|---:|---|---|---|---|---:|",
    ]
    for row in rows:
        low, high = row["llzo_connects_low"], row["llzo_connects_high"]
        lines.append(
            f"| {row['case']}: {row['what']} | {row['grains']:.0f} "
            f"| {percent(row['llzo_fraction'])} | {row['contrast']:.0f} | {row['samples']} "
            f"| {row['median_over_llzo']:.2g} ({row['median_low']:.2g} to {row['median_high']:.2g})"
            f" | {percent(row['llzo_connects'])} ({percent(low)} to {percent(high)}) "
            f"| {modes(row, 'x')} | {modes(row, 'y')} | {percent(row['variance_explained'])} |"
        )
    return lines


def share_table(rows: list[Row]) -> list[str]:
    """Where the flux runs, by connection."""
    parts = ("LLZO", "LCO", "along LCO|LCO", "along LCO|LLZO", "heterointerface neighbourhood")
    lines = [
        "| case | LLZO | axes | in LLZO | in LCO | along LCO\\|LCO | along LCO\\|LLZO "
        "| near heterointerfaces |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        for word in ("connected", "disconnected"):
            if row[f"{word}_axes"] >= 10:
                found = " | ".join(f"{100 * row[f'{word} {part}']:.1f} %" for part in parts)
                found = found.replace("nan %", "–")
                lines.append(f"| {row['case']} | {word} | {row[f'{word}_axes']} | {found} |")
    return lines


def change_table(changes: list[Row]) -> list[str]:
    """What a change of boundaries does to the same polycrystals."""
    lines = [
        "| case | LLZO | axes | D_eff over that without, median (95 %) |",
        "|---|---|---:|---|",
    ]
    lines += [
        f"| {one['case']} | {one['llzo']} | {one['axes']} "
        f"| {one['ratio']:.3g} ({one['low']:.3g} to {one['high']:.3g}) |"
        for one in changes
    ]
    return lines


def near_table(near: list[Row]) -> list[str]:
    """How dense the flux is near heterointerfaces."""
    lines = [
        "| case | share of the box | flux density there over the mean (95 %) |",
        "|---|---:|---|",
    ]
    lines += [
        f"| {one['case']} | {100 * one['area']:.2f} % "
        f"| {one['density']:.2f} ({one['low']:.2f} to {one['high']:.2f}) |"
        for one in near
    ]
    return lines


def density(one: Row) -> str:
    """A flux density with its interval."""
    return f"{one['density']:.2f} (95 %: {one['low']:.2f} to {one['high']:.2f})"


def findings(rows: list[Row], changes: list[Row], near: list[Row]) -> list[str]:
    """The five points, each with its statistic and whether it is met."""
    of = {row["case"]: row for row in rows}
    change = {(one["case"], one["llzo"]): one for one in changes}
    plain, few, most = of["contrast"], of["disconnected"], of["connected"]
    apart = plain["connected_median_over_llzo"] / plain["disconnected_median_over_llzo"]
    two = plain["x_verdict"] == plain["y_verdict"] == "two"
    parts = {plain["connected_verdict"], plain["disconnected_verdict"]} <= {"one", "too few"}
    one_mode = few["x_verdict"] == few["y_verdict"] == "one"
    dense = {one["case"]: one for one in near}
    slow, fast = dense["slow interface"], dense["fast interface"]
    shunned, sought = dense["equal, slow interface"], dense["equal, fast interface"]
    avoids = shunned["high"] < 1 < sought["low"]
    more = slow["high"] < dense["contrast"]["low"]
    paths = of["LCO boundaries × 1000"]
    lost = "disconnected along LCO|LCO"
    secondary = paths[lost] > 2 * paths["connected along LCO|LCO"]
    equal = of["equal, slow interface"]
    flat = equal["x_verdict"] == equal["y_verdict"] == "one"
    gain = change.get(("LCO boundaries × 1000", "disconnected"))
    kept = change.get(("LCO boundaries × 1000", "connected"))
    gains = "" if gain is None or kept is None else (
        f" D_eff grows {gain['ratio']:.3g} times (95 %: {gain['low']:.3g} to {gain['high']:.3g}) "
        f"where LLZO does not connect, {kept['ratio']:.3g} times ({kept['low']:.3g} to "
        f"{kept['high']:.3g}) where it does."
    )  # fmt: skip
    flat3 = of["3D contrast"]["x_verdict"]
    hidden = change[("3D disconnected, LCO boundaries × 1000", "disconnected")]

    def met(yes: bool) -> str:
        return "**Reproduced.**" if yes else "**Not reproduced.**"

    return [
        f"1. *Two modes at large contrast.* {met(two)} At 50 % LLZO in 2D, {modes(plain, 'x')} "
        f"along x and {modes(plain, 'y')} along y, {apart:.0f} times apart; LLZO connects along "
        f"{percent(plain['llzo_connects'])} of the axes, which accounts for "
        f"{percent(plain['variance_explained'])} of the variance of log D. "
        + (
            "Parted by connection, neither part has two modes: connection is what makes them."
            if parts
            else "Parted by connection, two modes remain: connection alone does not make them."
        ),
        f"2. *One mode once the fast phase is disconnected.* {met(one_mode)} The same grains with "
        f"30 % LLZO, which then connects along {percent(few['llzo_connects'])} of the axes: "
        f"{modes(few, 'x')} along x, {modes(few, 'y')} along y. With 70 % it connects along "
        f"{percent(most['llzo_connects'])}: {modes(most, 'x')}, {modes(most, 'y')}.",
        f"3. *Flux avoids or uses heterointerfaces as their boundaries conduct.* {met(avoids)} "
        "The flux density within 0.15 grain edges of a heterointerface (where three boundary types "
        f"meet) over the mean: with equal phases {density(shunned)} for an interface of 1/1000 and "
        f"{density(sought)} for one of × 1000. At contrast 1000 {density(slow)} for 1/1000, "
        f"{density(dense['contrast'])} for a neutral one, {density(fast)} for × 1000: "
        + (
            "fast ones are used, slow ones avoided."
            if more
            else "fast ones are used, slow ones avoided no more than neutral ones, as the slow "
            "phase already decides where the flux runs."
        )
        + f" In the plane these places are only {100 * slow['area']:.2f} % of the box. Along the "
        f"interfaces run {percent(of['slow interface']['connected along LCO|LLZO'])}, "
        f"{percent(plain['connected along LCO|LLZO'])} and "
        f"{percent(of['fast interface']['connected along LCO|LLZO'])} of the flux where LLZO "
        "connects, for 1/1000, neutral and × 1000.",
        f"4. *LCO boundaries are secondary paths.* {met(secondary)} As fast as LLZO, they carry "
        f"{100 * paths[lost]:.0f} % of the flux where LLZO does not connect and "
        f"{100 * paths['connected along LCO|LCO']:.1f} % where it does.{gains} With × 10 they "
        f"carry {100 * of['LCO boundaries × 10'][lost]:.1f} %: films of 1 nm are a hundredth of a "
        "grain of 100 nm, and match it when they conduct a hundred times better.",
        f"5. *Equal diffusivities.* One mode: {'yes' if flat else 'no'}. Without boundaries "
        f"D_eff is that of the phases, {of['equal']['median_over_llzo']:.6f}; with an interface of "
        f"1/1000 {modes(equal, 'x')} along x, {modes(equal, 'y')} along y, a standard deviation of "
        f"{equal['sd_log10']:.3f} decades against {plain['sd_log10']:.2f} at contrast 1000; with "
        f"one of × 1000 {modes(of['equal, fast interface'], 'x')}, "
        f"{percent(of['equal, fast interface']['connected along LCO|LLZO'])} of the flux along "
        "interfaces, which then form the network.",
        f"6. *In 3D* both phases connect at 50 %: LLZO along "
        f"{percent(of['3D contrast']['llzo_connects'])} of the axes, modes: {flat3}, a standard "
        f"deviation of {of['3D contrast']['sd_log10']:.2f} decades. At 20 % it connects along "
        f"{percent(of['3D threshold']['llzo_connects'])}: {modes(of['3D threshold'], 'x')}; at 8 % "
        f"along {percent(of['3D disconnected']['llzo_connects'])}: "
        f"{modes(of['3D disconnected'], 'x')}. Points 1 and 2 are statements on the plane, or on "
        "a fraction near the threshold. LCO boundaries as fast as LLZO carry "
        f"{percent(of['3D LCO boundaries × 1000']['connected along LCO|LCO'])} of the flux at 50 % "
        f"LLZO, {percent(of['3D disconnected, LCO boundaries × 1000'][lost])} at 8 %, where they "
        f"make D_eff {hidden['ratio']:.3g} times as large (95 %: {hidden['low']:.3g} to "
        f"{hidden['high']:.3g}): as connected sheets they are then the first path, not a "
        "secondary one.",
    ]


def exact_lines(exact: dict[str, dict[str, float]]) -> list[str]:
    """What Keller's theorem and self-duality ask."""
    lines = [
        "In the plane a sample turned by 90° with its phases swapped has D₁D₂ over its own "
        "diffusivity (Keller 1964, 10.1063/1.1704146), so at equal fractions the mean of log D is "
        "that of √(D₁D₂), whatever the contrast; and one phase connects left and right exactly if "
        "the other does not connect top and bottom, so either does in half of all samples.",
        "",
        "| case | mean of log₁₀ D less that of √(D₁D₂) (95 %) | one phase or the other connects |",
        "|---|---|---:|",
    ]
    lines += [
        f"| {name} | {one['off']:+.3f} ({one['low']:+.3f} to {one['high']:+.3f}) "
        f"| {100 * one['exclusive']:.1f} % |"
        for name, one in exact.items()
    ]
    return lines


def write_text(
    path: Path,
    rows: list[Row],
    changes: list[Row],
    near: list[Row],
    exact: dict[str, dict[str, float]],
) -> None:
    """Write the findings."""
    lines = [
        "# Measured",
        "",
        "Written by `make_findings.py`; every number from the studies it runs, at 300 K. Modes are "
        "of log D along one axis of independent samples: two only if the dip's p is below 0.05, "
        "ΔBIC above 10 and the separation above 2.",
        "",
        *findings(rows, changes, near),
        "",
        "## Cases",
        "",
        *case_table(rows),
        "",
        "## Where the flux runs",
        "",
        "Medians over axes. Neighbourhoods are not measured on cut cells.",
        "",
        *share_table(rows),
        "",
        *near_table(near),
        "",
        "## The same polycrystals with other boundaries or another scheme",
        "",
        *change_table(changes),
        "",
        "## Against exact results",
        "",
        *exact_lines(exact),
        "",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def draw_distributions(path: Path, results: dict[str, xr.Dataset]) -> None:
    """Histograms of log D along x, by connection."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    made, panels = plt.subplots(2, 4, figsize=(14, 6), layout="constrained", sharex=True)
    bins = np.linspace(-3.3, 0.2, 50)
    for panel, (name, title) in zip(panels.ravel(), PANELS, strict=True):
        one = results[name]
        unit = float(one.phase_diffusivity.sel(phase="LLZO").values[0])
        logs = np.log10(one.effective_diffusivity.values[:, 0, 0, 0] / unit)
        state = one.percolates.sel(phase="LLZO", axis="x").values > 0.5
        panel.hist(
            [logs[~state], logs[state]], bins, stacked=True, color=[ORANGE, BLUE],
            label=["LLZO does not connect", "LLZO connects"],
        )  # fmt: skip
        panel.set_title(f"{title}, {logs.size} samples", fontsize=10, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    for panel in panels[-1]:
        panel.set_xlabel("log₁₀ D_eff / D_LLZO along x")
    for panel in panels[:, 0]:
        panel.set_ylabel("samples")
    panels[0, 1].legend(fontsize=8, frameon=False, loc="upper right")
    made.savefig(path, dpi=120)
    plt.close(made)


def draw_shares(path: Path, rows: list[Row]) -> None:
    """Shares of the flux by part, interface and connection."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    of = {row["case"]: row for row in rows}
    parts = (
        ("LLZO", "in LLZO", BLUE),
        ("LCO", "in LCO", ORANGE),
        ("along LCO|LCO", "along LCO boundaries", "#D55E00"),
        ("along LCO|LLZO", "along interfaces", "#009E73"),
        ("along LLZO|LLZO", "along LLZO boundaries", GREY),
    )
    made, panels = plt.subplots(1, 2, figsize=(13, 4.6), layout="constrained", sharey=True)
    for panel, word in zip(panels, ("connected", "disconnected"), strict=True):
        bottom = np.zeros(len(SHARES))
        for part, label, colour in parts:
            high = np.array(
                [
                    of[name][f"{word} {part}"] if of[name][f"{word}_axes"] >= 10 else np.nan
                    for name, _ in SHARES
                ]
            )
            panel.bar(range(len(SHARES)), high, bottom=bottom, color=colour, label=label, width=0.7)
            bottom += np.nan_to_num(high)
        panel.set_xticks(range(len(SHARES)), [label for _, label in SHARES], fontsize=8)
        panel.set_title(f"LLZO {word}", fontsize=10, loc="left")
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("median share of the flux")
    panels[1].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    made.savefig(path, dpi=120)
    plt.close(made)


def draw_fluxes(path: Path, results: xr.Dataset) -> None:
    """One polycrystal under horizontal and vertical flux, with three sets of boundaries."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import LogNorm

    state = results.percolates.sel(phase="LLZO").values[:, :2] > 0.5
    number = int(np.flatnonzero(state[:, 0] & ~state[:, 1])[0])  # connects along x alone
    names = ("contrast", "fast interface", "LCO boundaries × 1000")
    made, panels = plt.subplots(2, 4, figsize=(15, 7.4), layout="constrained")
    image = None
    for column, name in enumerate(names):
        study = load_study(HERE / "results" / name)
        plan = study.samples()[number]
        _, fields = compute_sample(study, replace(plan, realisation=0))
        assert fields is not None
        if column == 0:
            panels[0, 0].imshow(fields.phase.values.T, origin="lower", cmap="cividis")
            panels[0, 0].set_title("LLZO dark" if _dark(fields) else "LLZO light", fontsize=10)
            panels[1, 0].set_axis_off()
        for row in range(2):
            size = np.hypot(*fields.flux.values[row]).T
            image = panels[row, column + 1].imshow(
                size / float(results.phase_diffusivity.sel(phase="LLZO").values[0]),
                origin="lower", cmap="magma", norm=LogNorm(1e-4, 3),
            )  # fmt: skip
            way = ("horizontal: LLZO connects", "vertical: LLZO does not")[row]
            panels[row, column + 1].set_title(f"{name}, {way}", fontsize=9)
    for panel in panels.ravel():
        panel.set_xticks([])
        panel.set_yticks([])
    made.colorbar(image, ax=panels, label="flux / (D_LLZO × mean gradient)", shrink=0.6)
    made.savefig(path, dpi=75)
    plt.close(made)


def _dark(fields: xr.Dataset) -> bool:
    return str(fields.attrs["phase_names"]).split("|")[0] == "LLZO"
