"""Findings of a published study of LLZO | LiCoO2 polycrystals, point by point.

Usage: python runs/feng-2024/make_findings.py [--workers N] [--samples N]
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from cases import CASES, HERE, Case
from numpy.typing import NDArray
from write_findings import Row, draw_distributions, draw_fluxes, draw_shares, write_text

import multiscale as ms
from multiscale.analysis import mode_test
from multiscale.config import load_study
from multiscale.errors import MultiscaleError, ResolutionWarning
from multiscale.microstructure import heterointerface_mask
from multiscale.study import HETEROINTERFACE_RADIUS

DRAWS = 2000


def run(case: Case, samples: int | None, workers: int) -> xr.Dataset:
    """Write the study of a case, run what is left of it, and give its results."""
    case.folder.mkdir(parents=True, exist_ok=True)
    (case.folder / "study.toml").write_text(case.text(), encoding="utf-8")
    count = min(case.samples, samples or case.samples)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)  # said once, in measured.md
        return ms.run_study(case.folder, samples=count, workers=workers).results.isel(
            sample=slice(0, count)
        )


def interval(values: NDArray[Any], statistic: Any, seed: int = 0) -> tuple[float, float, float]:
    """A statistic of samples (first axis) and its 95 % bootstrap interval."""
    generator, n = np.random.default_rng(seed), len(values)
    drawn = [statistic(values[generator.integers(n, size=n)]) for _ in range(DRAWS)]
    low, high = np.nanquantile(drawn, [0.025, 0.975])
    return float(statistic(values)), float(low), float(high)


def axes_of(results: xr.Dataset) -> int:
    """Number of axes."""
    return int(results.dimension.values[0])


def along_axes(results: xr.Dataset) -> NDArray[np.float64]:
    """D_eff along each axis, (samples, axes) [m²/s]."""
    tensor = results.effective_diffusivity.isel(temperature=0)
    values = np.diagonal(tensor.transpose("sample", "axis", "axis2").values, axis1=1, axis2=2)
    return np.asarray(values[:, : axes_of(results)])


def connects(results: xr.Dataset, phase: str = "LLZO") -> NDArray[np.bool_]:
    """Whether a phase connects opposite faces, (samples, axes)."""
    found = results.percolates.sel(phase=phase).transpose("sample", "axis").values
    return np.asarray(found[:, : axes_of(results)] > 0.5)


def fast(results: xr.Dataset, phase: str) -> float:
    """Diffusivity in the grains of a phase [m²/s]."""
    return float(results.phase_diffusivity.sel(phase=phase).values[0])


def shares(results: xr.Dataset, part: str) -> NDArray[np.float64]:
    """Share of a part in the flux along each axis, (samples, axes)."""
    found = results.flux_share.isel(temperature=0).sel(part=part).transpose("sample", "axis")
    return np.asarray(found.values[:, : axes_of(results)])


def explained(logs: NDArray[np.float64], state: NDArray[np.bool_]) -> float:
    """Share of the variance of log D that lies between connected and disconnected."""
    if state.all() or not state.any() or np.var(logs) == 0:
        return float("nan")
    means = np.where(state, logs[state].mean(), logs[~state].mean())
    return float(np.var(means) / np.var(logs))


def modes(name: str, values: NDArray[np.float64]) -> Row:
    """The mode test of independent values, as columns."""
    test = mode_test(values)
    return {
        f"{name}_verdict": test.verdict,
        f"{name}_dip_p": test.p_value,
        f"{name}_bic_gain": test.bic_difference,
        f"{name}_separation": test.separation,
        f"{name}_centres_log10": " ".join(f"{one:.2f}" for one in test.centres),
    }


def row_of(case: Case, results: xr.Dataset) -> Row:
    """All statistics of one case."""
    values, state, unit = along_axes(results), connects(results), fast(results, "LLZO")
    logs = np.log10(values)
    rate, low, high = interval(state, np.mean)
    middle = interval(logs, np.median)
    row: Row = {
        "case": case.name,
        "what": case.what,
        "dimension": axes_of(results),
        "grains": float(results.grains.mean()),
        "llzo_fraction": float(results.target_volume_fraction.values[0]),
        "samples": len(values),
        "contrast": unit / fast(results, "LCO"),
        "median_over_llzo": 10 ** middle[0] / unit,
        "median_low": 10 ** middle[1] / unit,
        "median_high": 10 ** middle[2] / unit,
        "sd_log10": float(logs.std()),
        "llzo_connects": rate,
        "llzo_connects_low": low,
        "llzo_connects_high": high,
        "variance_explained": explained(logs.ravel(), state.ravel()),
        **modes("x", values[:, 0]),
        **modes("y", values[:, 1]),
    }
    for word, mask in (("connected", state), ("disconnected", ~state)):
        row[f"{word}_axes"] = int(mask.sum())
        row[f"{word}_median_over_llzo"] = np.median(values[mask]) / unit if mask.any() else np.nan
        row |= modes(word, values[:, 0][mask[:, 0]])
        for part in (str(one) for one in results.part.values):
            found = shares(results, part)[mask]
            kept = found[np.isfinite(found)]
            row[f"{word} {part}"] = np.median(kept) if kept.size else np.nan
    return row


def paired(case: Case, base: xr.Dataset, results: xr.Dataset) -> list[Row]:
    """How a change of boundaries changes D_eff of the same polycrystals, by connection."""
    n = min(base.sizes["sample"], results.sizes["sample"])
    ratio = np.log10(along_axes(results)[:n] / along_axes(base)[:n])
    state, rows = connects(base)[:n], []
    if not np.array_equal(state, connects(results)[:n]):
        raise ValueError(f"{case.name}: not the same polycrystals")
    for word, mask in (("connected", state), ("disconnected", ~state)):
        picked = np.where(mask, ratio, np.nan)
        if mask.sum() < 10:
            continue
        middle = interval(picked, np.nanmedian)
        rows.append(
            {
                "case": case.name,
                "llzo": word,
                "axes": int(mask.sum()),
                **{
                    key: 10**value
                    for key, value in zip(("ratio", "low", "high"), middle, strict=True)
                },
            }
        )
    return rows


def neighbourhood(case: Case, results: xr.Dataset, areas: NDArray[np.float64]) -> Row:
    """Flux density near heterointerfaces over that of the box: mean share over mean area."""
    found = shares(results, "heterointerface neighbourhood")[: len(areas)]
    both = np.column_stack([found.mean(axis=1), areas])
    ratio, low, high = interval(both, lambda rows: rows[:, 0].mean() / rows[:, 1].mean())
    area = float(areas.mean())
    return {"case": case.name, "area": area, "density": ratio, "low": low, "high": high}


def area_near(case: Case, samples: int) -> NDArray[np.float64]:
    """Share of the box that lies near heterointerfaces, in the first samples."""
    found = [
        heterointerface_mask(
            plan.build(), plan.cells, radius=HETEROINTERFACE_RADIUS * plan.grain_size
        ).mean()
        for plan in load_study(case.folder, samples=samples).samples()
    ]
    return np.array(found)


def duality(results: xr.Dataset) -> dict[str, float]:
    """What exact statements on two phases in the plane ask of the samples.

    Turned by 90° with its phases swapped, a sample has D1 D2 over its own diffusivity (Keller
    1964, 10.1063/1.1704146; between walls as in the plane). At equal fractions the swapped
    sample is as likely, so the mean of log D is that of sqrt(D1 D2). And one phase connects
    left and right exactly if the other does not connect top and bottom.
    """
    logs = np.log10(along_axes(results))
    target = 0.5 * np.log10(fast(results, "LLZO") * fast(results, "LCO"))
    off, low, high = interval(logs - target, np.mean)
    llzo, lco = connects(results), connects(results, "LCO")
    agree = np.concatenate([llzo[:, 0] != lco[:, 1], llzo[:, 1] != lco[:, 0]])
    return {"off": off, "low": low, "high": high, "exclusive": float(agree.mean())}


def write(path: Path, rows: list[Row]) -> None:
    """Write a table."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns, lineterminator="\n")
        table.writeheader()
        for row in rows:
            table.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})


def main() -> None:
    """Run all cases, write the tables, the text and the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--samples", type=int, help="at most so many samples a case: a first look")
    given = parser.parse_args()
    begin, results = time.perf_counter(), {}
    for case in CASES:
        results[case.name] = run(case, given.samples, given.workers)
        print(f"{time.perf_counter() - begin:6.0f} s  {case.name}", flush=True)
    of = {case.name: case for case in CASES}
    rows = [row_of(of[name], one) for name, one in results.items()]
    changes = [
        row
        for name, base in (
            ("slow interface", "contrast"),
            ("fast interface", "contrast"),
            ("LCO boundaries × 10", "contrast"),
            ("LCO boundaries × 1000", "contrast"),
            ("disconnected, LCO boundaries × 1000", "disconnected"),
            ("contrast, cut cells", "contrast"),
            ("3D slow interface", "3D contrast"),
            ("3D LCO boundaries × 1000", "3D contrast"),
            ("3D disconnected, LCO boundaries × 1000", "3D disconnected"),
        )
        for row in paired(of[name], results[base], results[name])
    ]
    near = []
    for base, names in (
        ("contrast", ("slow interface", "contrast", "fast interface", "LCO boundaries × 1000")),
        ("contrast", ("equal, slow interface", "equal, fast interface")),
        ("3D contrast", ("3D slow interface", "3D contrast", "3D equal, slow interface")),
    ):
        areas = area_near(of[base], min(results[name].sizes["sample"] for name in names))
        near += [neighbourhood(of[name], results[name], areas) for name in names]
    exact = {
        name: duality(results[name])
        for name in ("contrast", "contrast, cut cells", "moderate", "contrast, 400 grains")
    }
    where = HERE if given.samples is None else HERE / "results"
    write(where / "measured-cases.csv", rows)
    write(where / "measured-changes.csv", changes)
    write(where / "measured-neighbourhoods.csv", near)
    write_text(where / "measured.md", rows, changes, near, exact)
    draw_distributions(where / "measured-distributions.png", results)
    draw_shares(where / "measured-shares.png", rows)
    draw_fluxes(where / "measured-fluxes.png", results["contrast"])
    print(f"{time.perf_counter() - begin:6.0f} s  {where / 'measured.md'}")


if __name__ == "__main__":
    try:
        main()
    except MultiscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
