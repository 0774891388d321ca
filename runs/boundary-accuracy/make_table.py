"""Errors of the thin-boundary schemes against resolved films: one table.

Usage: python runs/boundary-accuracy/make_table.py [--quick] [--cases 2d]
           [--voxels 8 16] [--output DIR]
"""

from __future__ import annotations

import argparse
import csv
import datetime
import hashlib
import math
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import multiscale as ms
from multiscale.errors import (
    MultiscaleError,
    PropertyError,
    ResolutionWarning,
    StoreError,
    describe,
)
from multiscale.provenance import git_revision, versions
from multiscale.transport import VoxelGeometry
from multiscale.transport.orientation import grain_tensors

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "verification"))

from resolved_cases import build, load  # noqa: E402

FloatArray = NDArray[np.float64]
Row = dict[str, str]

SCHEMES = ("faces", "cut-cells", "smeared, series", "smeared, parallel")
WORDS = {
    "smeared, series": "boundary voxels of the same series resistance",
    "smeared, parallel": "boundary voxels of the same parallel conductance",
}
VOXELS = (8, 16)
FINE = 32
LAYER = 2
"""Voxels across the layer of boundary voxels: one on each side."""
ORDER_CASES = (
    "2d one w0.02 c0.0001 s1",
    "2d one w0.02 c0.1 s1",
    "2d one w0.02 c10 s1",
    "2d one w0.02 c1000 s1",
    "2d turned 0.1/10 s1",
    "2d two blocking f0.5 s1",
    "2d two mixed f0.65 s1",
    "2d tensor 0.1 c0.1 s1",
    "2d tensor 0.1 c10 s1",
)
ASKED: tuple[tuple[tuple[str, ...], dict[int, float]], ...] = (
    (("one phase", "δ/d = 0.05"), {8: 0.03, 16: 0.025}),
    (("one phase",), {8: 0.02, 16: 0.01}),
    (("across and along differ",), {8: 0.05, 16: 0.03}),
    (("fast phase percolating",), {8: 0.08, 16: 0.04}),
    (("fast phase not percolating",), {16: 0.1}),
    (("10:1",), {16: 0.02}),
    (("100:1",), {16: 0.08}),
)
"""Largest error that the accurate scheme is held to: words in a class, voxels a grain, error."""
CONTRAST_WIDTH = 0.02
COLUMNS = (
    "case", "scheme", "voxels", "revision", "status", "error", "diagonal", "iterations", "seconds",
)  # fmt: skip


def revision() -> str:
    """Last commit that changed the solver, with a hash of what is not committed."""
    folders = ("multiscale/transport", "multiscale/numerics")

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words, "--", *folders],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout

    commit = git("log", "-1", "--format=%h").strip() or "unknown"
    changes = git("diff", "HEAD")
    return commit + (f"+{hashlib.sha256(changes.encode()).hexdigest()[:6]}" if changes else "")


def smeared(
    crystal: ms.Polycrystal,
    cells: tuple[int, ...],
    phases: dict[str, float | FloatArray],
    films: dict[str, ms.Boundary],
    rule: str,
) -> FloatArray:
    """Give every voxel beside a boundary a coefficient rescaled to the film in it.

    A layer of two voxels, w = 2h, has the series resistance of bulk and film
    (1/K = (1 − δ/w)/K_b + (δ/w)/K⊥) or their parallel conductance (K = (1 − δ/w) K_b +
    (δ/w) K∥). A voxel with several boundary faces takes the mean over them.
    """
    geometry = VoxelGeometry.of(crystal, cells)
    d, faces = len(cells), geometry.faces
    values = [np.asarray(phases[name], dtype=float) for name in geometry.phase_names]
    labels = geometry.labels.reshape(cells)
    if any(value.ndim for value in values):
        bulk = grain_tensors(values, crystal.phases, crystal.orientations, d)[labels]
    else:
        bulk = np.array([float(v) for v in values])[geometry.phase.reshape(cells)]
        bulk = bulk[..., None, None] * np.eye(d)
    count, film_sum, share_sum = (np.zeros(geometry.labels.size) for _ in range(3))
    upper = faces.index.copy()
    rows = np.arange(faces.axis.size)
    shape = np.array(geometry.labels.shape)
    upper[rows, faces.axis] = (upper[rows, faces.axis] + 1) % shape[faces.axis]
    layer = LAYER * geometry.spacing[faces.axis]
    names = geometry.phase_names
    pair = [
        "|".join(sorted((names[a], names[b])))
        for a, b in zip(faces.lower, faces.upper, strict=True)
    ]
    share = np.minimum([films[one].width for one in pair] / layer, 1.0)
    coefficient = np.array([films[p].across if rule == "series" else films[p].along for p in pair])
    for index in (faces.index, upper):
        voxel = np.ravel_multi_index(tuple(index.T), tuple(shape))
        np.add.at(count, voxel, 1.0)
        np.add.at(share_sum, voxel, share)
        np.add.at(film_sum, voxel, share / coefficient if rule == "series" else share * coefficient)
    beside = count.reshape(cells) > 0
    mean = np.maximum(count, 1.0)
    of_bulk = (1 - share_sum / mean).reshape(cells)[beside][:, None, None]
    of_film = (film_sum / mean).reshape(cells)[beside][:, None, None] * np.eye(d)
    field = bulk.copy()
    if rule == "series":
        field[beside] = np.linalg.inv(of_bulk * np.linalg.inv(bulk[beside]) + of_film)
    else:
        field[beside] = of_bulk * bulk[beside] + of_film
    return field if any(value.ndim for value in values) else field[..., 0, 0]


def solve(entry: dict[str, Any], scheme: str, voxels: int) -> Row:
    """Compute one case with one scheme, and its errors."""
    crystal, phases, films = build(entry)
    edge = float(np.prod(crystal.size)) / entry["crystal"]["grains"]
    cells = tuple(round(one / edge ** (1 / crystal.dimension) * voxels) for one in crystal.size)
    row = {"case": entry["name"], "scheme": scheme, "voxels": str(voxels)}
    if films is None and scheme.startswith("smeared"):
        return row | {"status": "no film to smear"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResolutionWarning)
        try:
            if scheme.startswith("smeared"):
                rule = scheme.partition(", ")[2]
                field = smeared(crystal, cells, phases, films or {}, rule)
                spacing = crystal.size / np.array(cells)
                result = ms.effective_diffusivity(field, spacing=spacing)
            else:
                result = ms.effective_diffusivity(
                    crystal, cells=cells, phases=phases, boundaries=films, scheme=scheme
                )
        except PropertyError:
            return row | {"status": "tensors with films refused"}
        except MultiscaleError as error:
            return row | {"status": str(error)}
    off = result.tensor - entry["tensor"]
    diagonal = np.diag(off) / np.diag(entry["tensor"])
    return row | {
        "status": "done",
        "error": f"{np.abs(off).max() / np.abs(entry['tensor']).max():.4e}",
        "diagonal": " ".join(f"{one:.4e}" for one in diagonal),
        "iterations": str(result.iterations),
        "seconds": f"{result.seconds:.2f}",
    }


class Table:
    """Rows on disk; those of this state of the solver are not computed again."""

    def __init__(self, path: Path, mark: str) -> None:
        self.path, self.mark = path, mark
        self.rows: dict[tuple[str, str, str], Row] = {}
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(",".join(COLUMNS), "w")
        elif not path.read_bytes().endswith(b"\n"):
            self._write("")  # an interrupted row
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            if tuple(table.fieldnames or ()) != COLUMNS:
                raise StoreError(describe(str(path), "a table of this script", "other columns"))
            for row in table:
                if row["revision"] == mark and None not in row.values():
                    self.rows[row["case"], row["scheme"], row["voxels"]] = row

    def _write(self, line: str, mode: str = "a") -> None:
        with self.path.open(mode, encoding="utf-8") as file:
            file.write(line + "\n")

    def add(self, row: Row) -> Row:
        """Keep a row at once, so that an interrupted run goes on from there."""
        row = dict.fromkeys(COLUMNS, "") | row | {"revision": self.mark}
        self.rows[row["case"], row["scheme"], row["voxels"]] = row
        with self.path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, COLUMNS, lineterminator="\n").writerow(row)
        return row

    def get(self, case: str, scheme: str, voxels: int) -> Row | None:
        """Find a computed row."""
        row = self.rows.get((case, scheme, str(voxels)))
        return row if row and row["status"] == "done" else None


def todo(entries: list[dict[str, Any]], voxels: Iterable[int]) -> Iterator[tuple[Any, str, int]]:
    """All that has to be computed, the cheap first."""
    for entry in sorted(entries, key=lambda one: one["family"]):
        for scheme in SCHEMES:
            for n in voxels:
                yield entry, scheme, n
    for entry in entries:
        if entry["name"] in ORDER_CASES:
            for scheme in SCHEMES:
                for n in {*VOXELS, FINE} - set(voxels):
                    yield entry, scheme, n


def axes_of(entry: dict[str, Any], percolating: bool) -> list[int]:
    """Axes along which the fast phase of a two-phase case percolates, or does not."""
    return [a for a, one in enumerate(entry["percolates"]["A"]) if one == percolating]


def classes(entries: list[dict[str, Any]]) -> dict[str, list[tuple[dict[str, Any], list[int]]]]:
    """Cases that share a line of the table; with axes where these are looked at one by one."""
    found: dict[str, list[tuple[dict[str, Any], list[int]]]] = {}
    for entry in entries:
        films = entry["boundaries"]
        if len(entry["phases"]) == 2:
            for percolating, word in ((True, "percolating"), (False, "not percolating")):
                axes = axes_of(entry, percolating)
                if axes:
                    key = f"{entry['family']}; fast phase {word}"
                    found.setdefault(key, []).append((entry, axes))
            continue
        key = entry["family"]
        if films and key.endswith("one phase"):
            film = films["A|A"]
            kind = "blocking" if film["across"] < 1 else "conducting"
            key += f", δ/d = {film['width']:g}, {kind}"
        elif "tensors" in key:
            ratio = np.linalg.cond(np.asarray(entry["phases"]["A"]))
            key += f" {ratio:.0f}:1"
        if films and "tensors" in key:
            key += ", blocking" if films["A|A"]["across"] < 1 else ", conducting"
        found.setdefault(key, []).append((entry, []))
    return found


def asked(name: str, voxels: int) -> float:
    """Largest error that a class is held to; infinite where none is set."""
    for words, limits in ASKED:
        if all(word in name for word in words):
            return limits.get(voxels, math.inf)
    return math.inf


def limits(name: str, voxels: Iterable[int]) -> str:
    """List what a class is held to, in the order of the columns."""
    values = [asked(name, n) for n in voxels]
    return " / ".join("–" if math.isinf(one) else percent(one) for one in values)


def error_of(row: Row, axes: list[int]) -> float:
    """Error of a row: of the tensor, or the largest of some axes."""
    if not axes:
        return float(row["error"])
    diagonal = [abs(float(one)) for one in row["diagonal"].split()]
    return max(diagonal[axis] for axis in axes)


def reference_error(entry: dict[str, Any], axes: list[int]) -> float:
    """Own error of a reference value, measured alike."""
    if not axes:
        return float(np.abs(entry["error"]).max() / np.abs(entry["tensor"]).max())
    return float((np.diag(entry["error"]) / np.diag(entry["tensor"]))[axes].max())


def percent(value: float) -> str:
    """Percent to two digits; factors from a hundred on."""
    if value >= 10:
        return f"×{1 + value:.0f}"
    return f"{100 * value:.2g} %" if value < 0.995 else f"{100 * value:.0f} %"


def signed(value: float) -> str:
    """Percent with its sign."""
    return percent(value) if value >= 10 else ("+" if value > 0 else "−") + percent(abs(value))


def class_table(entries: list[dict[str, Any]], table: Table, voxels: Iterable[int]) -> list[str]:
    """Largest errors by class and scheme."""
    heads = [f"{s}, {n}" for s in SCHEMES for n in voxels]
    lines = [
        "| cases | number | asked | reference | " + " | ".join(heads) + " |",
        "|---|" + "---:|" * (3 + len(heads)),
    ]
    for name, members in classes(entries).items():
        cells = []
        for scheme in SCHEMES:
            for n in voxels:
                found = [(table.get(e["name"], scheme, n), axes) for e, axes in members]
                errors = [error_of(row, axes) for row, axes in found if row]
                worst = max(errors, default=math.nan)
                mark = "**" if scheme == "cut-cells" and worst > asked(name, n) else ""
                few = f" ({len(errors)}/{len(found)})" if 0 < len(errors) < len(found) else ""
                cells.append(f"{mark}{percent(worst)}{mark}{few}" if errors else "–")
        own = max(reference_error(e, axes) for e, axes in members)
        count = sum(len(axes) or 1 for _, axes in members)
        unit = (" axis" if count == 1 else " axes") if members[0][1] else ""
        lines.append(
            f"| {name} | {count}{unit} | {limits(name, voxels)} | {percent(own)} | "
            + " | ".join(cells) + " |"
        )  # fmt: skip
    return lines


def iteration_table(
    entries: list[dict[str, Any]], table: Table, voxels: Iterable[int]
) -> list[str]:
    """Fewest and most iterations by family and scheme."""
    heads = [f"{s}, {n}" for s in SCHEMES for n in voxels]
    lines = ["| cases | " + " | ".join(heads) + " |", "|---|" + "---:|" * len(heads)]
    for family in dict.fromkeys(e["family"] for e in entries):
        cells = []
        for scheme in SCHEMES:
            for n in voxels:
                rows = [table.get(e["name"], scheme, n) for e in entries if e["family"] == family]
                counts = [int(row["iterations"]) for row in rows if row]
                low, high = min(counts, default=0), max(counts, default=0)
                cells.append(f"{low}–{high}" if counts else "–")
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return lines


def order_table(entries: list[dict[str, Any]], table: Table) -> list[str]:
    """Errors at three spacings and the order between the last two."""
    steps = (*VOXELS, FINE)
    heads = [f"{s}: {', '.join(map(str, steps))}; order" for s in SCHEMES]
    lines = ["| case | reference | " + " | ".join(heads) + " |", "|---|---:|" + "---|" * len(heads)]
    by_name = {e["name"]: e for e in entries}
    for name in (one for one in ORDER_CASES if one in by_name):
        entry, cells = by_name[name], []
        own = reference_error(entry, [])
        for scheme in SCHEMES:
            rows = [table.get(name, scheme, n) for n in steps]
            errors = [float(row["error"]) for row in rows if row]
            if len(errors) < len(steps):
                cells.append("–")
                continue
            order = f"{math.log(errors[0] / errors[-1]) / math.log(steps[-1] / steps[0]):+.1f}"
            order = order.replace("-", "−")
            if errors[-1] < 3 * own:
                order = "at the reference's own error"
            cells.append(", ".join(percent(one) for one in errors) + f"; {order}")
        lines.append(f"| {name} | {percent(own)} | " + " | ".join(cells) + " |")
    return lines


def one_phase(entries: list[dict[str, Any]], width: float) -> dict[float, list[dict[str, Any]]]:
    """Cases of one phase in 2D with films of one width, by contrast."""
    found: dict[float, list[dict[str, Any]]] = {}
    for entry in entries:
        if entry["family"] == "2d one phase" and entry["boundaries"]["A|A"]["width"] == width:
            found.setdefault(entry["boundaries"]["A|A"]["across"], []).append(entry)
    return dict(sorted(found.items()))


def mean_ratio(members: list[dict[str, Any]], table: Table, scheme: str, n: int) -> float:
    """D_eff over D of the bulk, mean over seeds and axes; of the reference without a scheme."""
    values = []
    for entry in members:
        axes = np.diag(entry["tensor"])
        if scheme:
            row = table.get(entry["name"], scheme, n)
            if row is None:
                return math.nan
            axes = axes * (1 + np.array([float(one) for one in row["diagonal"].split()]))
        values.append(axes.mean())
    return float(np.mean(values))


def contrast_table(entries: list[dict[str, Any]], table: Table, voxels: Iterable[int]) -> list[str]:
    """Signed error of the mean D_eff by contrast of the films."""
    groups = one_phase(entries, CONTRAST_WIDTH)
    lines = [
        "| scheme, voxels a grain | " + " | ".join(f"{c:g}" for c in groups) + " |",
        "|---|" + "---:|" * len(groups),
        "| D_eff/D_bulk, resolved | "
        + " | ".join(f"{mean_ratio(m, table, '', 0):.4g}" for m in groups.values()) + " |",
    ]  # fmt: skip
    for scheme in SCHEMES:
        for n in voxels:
            cells = []
            for members in groups.values():
                exact = mean_ratio(members, table, "", 0)
                off = mean_ratio(members, table, scheme, n) / exact - 1
                cells.append(signed(off))
            lines.append(f"| {scheme}, {n} | " + " | ".join(cells) + " |")
    return lines


def conclusions(entries: list[dict[str, Any]], table: Table, n: int) -> str:
    """Say in words which conclusions change with the scheme; every number from the table."""
    words = [f"**What the choice of scheme decides** (2D, one phase, {n} voxels a grain)."]
    ratios = {
        (width, c, scheme): mean_ratio(members, table, scheme, n)
        for width in (0.005, 0.02, 0.05)
        for c, members in one_phase(entries, width).items()
        for scheme in ("", *SCHEMES)
    }
    if not ratios or any(math.isnan(one) for one in ratios.values()):
        return "Not all cases that the conclusions need are computed."

    def slope(c: float, scheme: str) -> float:
        thin, wide = ratios[0.005, c, scheme], ratios[0.05, c, scheme]
        return math.log(thin / wide) / math.log(10)

    def both(function: Any) -> str:
        return ", ".join(
            f"{function(scheme)} {text}"
            for scheme, text in (
                ("", "resolved"),
                ("smeared, series", "with series voxels"),
                ("smeared, parallel", "with parallel voxels"),
                ("faces", "with faces"),
                ("cut-cells", "with cut cells"),
            )
        )  # fmt: skip

    wrong = {
        scheme: sum(
            (ratios[key] - 1) * (ratios[key[0], key[1], ""] - 1) < 0
            for key in ratios
            if key[2] == scheme
        )
        for scheme in SCHEMES
    }
    groups = len(ratios) // (1 + len(SCHEMES))
    signs = ", ".join(f"{count} with {scheme}" for scheme, count in wrong.items())
    words.append(f"*Sign of the effect of boundaries*: wrong for {signs}, of {groups} films.")
    for c, kind in ((0.1, "slow"), (10.0, "fast")):
        words.append(
            f"*Size of the grain-size effect*, d ln D_eff/d ln d between δ/d = 0.05 and 0.005 for "
            f"{kind} films of c = {c:g}: "
            + both(lambda s, c=c: f"{slope(c, s):+.2f}".replace("-", "−"))
            + "."
        )
    for c, text in ((1e-4, "Blocking limit"), (1e4, "Shunt by conducting boundaries")):
        words.append(
            f"*{text}*, D_eff/D_bulk at c = {c:g} and δ/d = 0.02: "
            + both(lambda s, c=c: f"{ratios[0.02, c, s]:.3g}") + "."
        )  # fmt: skip
    turned = [e for e in entries if e["name"].startswith("2d turned 0.1/10 ")]
    if turned:
        words.append(
            "*Films slow across and fast along* (0.1 and 10, δ/d = 0.02), D_eff/D_bulk: "
            + both(lambda s: f"{mean_ratio(turned, table, s, n):.3f}")
            + ": no isotropic voxel has both."
        )
    series = ratios[0.02, 1e4, "smeared, series"] / ratios[0.02, 1e4, ""]
    parallel = ratios[0.02, 1e-4, "smeared, parallel"] / ratios[0.02, 1e-4, ""]
    own = (
        ratios[0.02, 1e-4, "smeared, series"] / ratios[0.02, 1e-4, ""] - 1,
        ratios[0.02, 1e4, "smeared, parallel"] / ratios[0.02, 1e4, ""] - 1,
    )
    words.append(
        f"Hence a limit that was read off the other rescaling is wrong by a factor: "
        f"{parallel:.0f} too high for blocking films, {1 / series:.0f} too low for conducting "
        f"ones; and the rescaling made for the limit still misses it by {signed(own[0])} "
        f"(blocking) and {signed(own[1])} (conducting), as its layer follows the staircase."
    )
    return " ".join(words)


def document(
    entries: list[dict[str, Any]], table: Table, voxels: Iterable[int], command: str
) -> str:
    """Compose the page."""
    known = versions()
    parts = [
        "# Errors of the thin-boundary schemes, as measured",
        f"`{command}`, {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, "
        f"revision {git_revision(HERE)}, solver {table.mark}, Python {known['python']}, "
        f"numpy {known['numpy']}, scipy {known['scipy']}, numba {known['numba']}. "
        "The README of this folder explains the columns.",
        "## Largest error by class",
        "\n".join(class_table(entries, table, voxels)),
        f"## Error of the mean D_eff by contrast c of the films (2D, δ/d = {CONTRAST_WIDTH:g})",
        "\n".join(contrast_table(entries, table, voxels)),
        conclusions(entries, table, max(voxels)),
        "## Order of convergence",
        "\n".join(order_table(entries, table)),
        "## Iterations, fewest–most",
        "\n".join(iteration_table(entries, table, voxels)),
    ]
    failed = [r for r in table.rows.values() if r["status"] not in
              ("done", "no film to smear", "tensors with films refused")]  # fmt: skip
    if failed:
        lines = [f"- {r['case']}, {r['scheme']}, {r['voxels']}: {r['status']}" for r in failed]
        parts += ["## Not solved", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def chosen(quick: bool) -> list[dict[str, Any]]:
    """All stored cases, or those of the first seed in 2D."""
    entries = load()
    return (
        [e for e in entries if e["family"][:2] == "2d" and e["name"].endswith("s1")]
        if quick
        else entries
    )


def main() -> None:
    """Read the command line, compute what is missing, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2D, one seed")
    parser.add_argument("--voxels", type=int, nargs="+", default=list(VOXELS), help="a grain")
    parser.add_argument("--cases", default="", help="only those whose name starts so, e.g. 2d")
    parser.add_argument("--output", type=Path, default=HERE / "results")
    given = parser.parse_args()
    entries = [e for e in chosen(given.quick) if e["name"].startswith(given.cases)]
    table = Table(given.output / "table.csv", revision())
    work = list(todo(entries, given.voxels))
    for place, (entry, scheme, n) in enumerate(work, start=1):
        if (entry["name"], scheme, str(n)) in table.rows:
            continue
        row = table.add(solve(entry, scheme, n))
        told = row["error"] or row["status"]
        print(f"{place}/{len(work)} {entry['name']}, {scheme}, {n}: {told}", flush=True)
    words = [
        "make_table.py",
        *(["--quick"] if given.quick else []),
        *([f"--cases {given.cases}"] if given.cases else []),
        "--voxels",
        *map(str, given.voxels),
    ]
    text = document(entries, table, given.voxels, " ".join(words))
    (given.output / "table.md").write_text(text, encoding="utf-8")
    print(f"{given.output / 'table.csv'}\n{given.output / 'table.md'}")


if __name__ == "__main__":
    try:
        main()
    except MultiscaleError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
