"""The flux solver beside other solvers and beside a plain sweep over memory.

Usage: python tests/benchmarks/bench_solver.py [--sizes 64 128 256] [--quick] [--peers NAME ...]
       [--threads 2] [--scaling] [--profile] [--output FILE]

Every measurement runs in a process of its own (bench_tasks.py); peers that are not
installed are left out with a line that says why. ``make bench`` installs what it can.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from bench_peers import PEERS, TAUFACTOR_RTOL, TITLES, missing, takes
from bench_problems import NOISE, POLYCRYSTAL, PROBLEMS, Problem
from bench_tasks import FILMS, of_problem

from multiscale.provenance import git_revision, versions

HERE = Path(__file__).resolve().parent
FIPY_SIZE = 64
SCALING = (64, 96, 128, 192, 256, 320, 400)
QUICK = (32, 48)
SPARED_SA = {"10", "1e6"}
"""Contrasts that PyAMG's smoothed aggregation is spared: each takes as long as the others."""
THREAD_VARIABLES = (
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
)  # fmt: skip

HARD = Problem(POLYCRYSTAL, "1e3", "dirichlet")


def run(task, threads=1, timeout=600, **given):
    """Run one measurement in a process of its own."""
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    # large arrays are given back when freed, whatever was freed before
    environment["MALLOC_MMAP_THRESHOLD_"] = "1048576"
    command = [sys.executable, str(HERE / "bench_tasks.py"), json.dumps({"task": task} | given)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return {"error": f"stopped after {timeout} s"}
    lines = done.stdout.strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"error": f"process ended with {done.returncode}: {last[:160]}"}


class Report:
    """Lines of the report, printed as they come."""

    def __init__(self):
        self.lines = []

    def say(self, *lines):
        for line in lines:
            print(line, flush=True)
            self.lines.append(line)

    def table(self, title, note, *columns):
        names = " | ".join(columns)
        rule = "|".join(["---"] + ["---:"] * (len(columns) - 1))
        self.say("", f"## {title}", "", note, "", f"| {names} |", f"|{rule}|")

    def row(self, *cells):
        self.say(f"| {' | '.join(str(c) for c in cells)} |")


def repeats(n):
    """More of what is quick."""
    return 9 if n <= 128 else 3 if n <= 256 else 1


def own(report, n, problems):
    """Our solve of each problem at one size."""
    report.table(
        f"Own solver, {n}³",
        "One axis, one thread; CPU time of set-up (search for islands, links, levels) and solve "
        "to 1e-6 in residual and in flux through all planes, least of some repeats. *Triads*: "
        "the same over the CPU time of a = b + s c on as many doubles as there are voxels, "
        "measured in turn with it. *Bytes*: growth of the peak of resident memory beside the "
        "field, a voxel.",
        "problem", "time [s]", "triads", "iterations", "bytes", "flux imbalance", "residual",
    )  # fmt: skip
    found = {}
    for problem in problems:
        got = run("ours", n=n, repeats=repeats(n), **of_problem(problem))
        if "error" in got:
            report.row(problem.name, got["error"], *[""] * 5)
            continue
        found[problem] = got
        report.row(
            problem.name, f"{got['seconds']:.3f}", f"{got['seconds'] / got['triad']:.0f}",
            got["iterations"], f"{got['bytes']:.1f}", f"{got['imbalance']:.1e}",
            f"{got['residual']:.1e}",
        )  # fmt: skip
    return found


def spared(peer, problem):
    """Whether a run is left out for its time alone."""
    return peer == "pyamg-sa" and (problem.contrast in SPARED_SA or problem.structure == NOISE)


def against(report, n, peers, mine, limit):
    """Other solvers on the same problems; ratios to ours of the same run."""
    report.table(
        f"Other solvers, {n}³",
        "One thread, CPU time, once. *Ratio*: their set-up and solve over ours. *D_eff*: relative "
        "difference from ours. Matrix solvers get the same seven-point matrix ready made, "
        "without the voxels that carry no current, and stop at a relative residual of 1e-6; "
        f"TauFactor stops at a flux imbalance of {TAUFACTOR_RTOL:.0e} (it iterates in single "
        "precision). Bytes are those beside the matrix, or the field.",
        "problem", "solver", "set-up [s]", "solve [s]", "ratio", "iterations", "bytes",
        "flux imbalance", "D_eff", "remark",
    )  # fmt: skip
    ratios = {}
    for peer in peers:
        for problem in mine:
            if not takes(peer, problem) or spared(peer, problem):
                continue
            got = run("peer", name=peer, n=n, limit=limit, timeout=900, **of_problem(problem))
            if "error" in got:
                report.row(problem.name, TITLES[peer], *[""] * 7, got["error"])
                continue
            ours = mine[problem]
            total = got["setup"] + got["solve"]
            ratio = total / ours["seconds"]
            ratios[peer, problem] = ratio, got["deff"] / ours["deff"] - 1
            report.row(
                problem.name, TITLES[peer], f"{got['setup']:.2f}", f"{got['solve']:.2f}",
                f"{ratio:.0f}" if got.get("converged", True) else f"> {ratio:.0f}",
                got["iterations"] if got["iterations"] >= 0 else "–", f"{got['bytes']:.0f}",
                f"{got['imbalance']:.1e}", f"{got['deff'] / ours['deff'] - 1:+.1e}", got["note"],
            )  # fmt: skip
    return ratios


def flat(report, found):
    """Iterations and triads of all sizes side by side."""
    sizes = list(found)
    report.table(
        "Iterations and triads by size",
        "Iterations / triads. Grains stay 16 voxels wide: a larger box holds more of them.",
        "problem", *(f"{n}³" for n in sizes),
    )  # fmt: skip
    for problem in PROBLEMS:
        cells = []
        for n in sizes:
            got = found[n].get(problem)
            text = f"{got['iterations']} / {got['seconds'] / got['triad']:.0f}" if got else "–"
            cells.append(text)
        report.row(problem.name, *cells)


def scaling(report, sizes, known):
    """Time and memory by size."""
    report.table(
        "Time and memory by size",
        f"{HARD.name}; as above.",
        "size", "time [s]", "µs a voxel", "triads", "iterations", "bytes a voxel", "peak [MB]",
    )  # fmt: skip
    found = {}
    for n in sizes:
        got = known.get(n, {}).get(HARD) or run(
            "ours", n=n, repeats=repeats(n), timeout=900, **of_problem(HARD)
        )
        if "error" in got:
            report.row(f"{n}³", got["error"], *[""] * 5)
            continue
        found[n] = got
        report.row(
            f"{n}³", f"{got['seconds']:.3f}", f"{1e6 * got['seconds'] / n**3:.3f}",
            f"{got['seconds'] / got['triad']:.0f}", got["iterations"], f"{got['bytes']:.1f}",
            f"{got['bytes'] * n**3 / 1e6:.0f}",
        )  # fmt: skip
    return found


def by_threads(report, sizes, count):
    """One thread and more, in wall time, turn by turn."""
    report.table(
        f"{count} threads and one",
        f"{HARD.name} and its periodic twin; wall time, turn by turn in one process, least of "
        "some repeats. The triad's gain is what the memory gives.",
        "problem", "1 thread [s]", f"{count} threads [s]", "gain", "gain of the triad",
    )  # fmt: skip
    gains = {}
    for n in sizes:
        for boundary in ("dirichlet", "periodic"):
            problem = Problem(POLYCRYSTAL, "1e3", boundary)
            got = run("threads", count, n=n, count=count, repeats=repeats(n), **of_problem(problem))
            name = f"{n}³, {boundary}"
            if "error" in got:
                report.row(name, got["error"], "", "", "")
                continue
            gains[n, boundary] = got["seconds1"] / got["seconds2"]
            report.row(
                name, f"{got['seconds1']:.3f}", f"{got['seconds2']:.3f}",
                f"{gains[n, boundary]:.2f}", f"{got['triad1'] / got['triad2']:.2f}",
            )  # fmt: skip
    return gains


def with_films(report, n):
    """Thin films on faces and crystal tensors beside the plain solve."""
    report.table(
        f"Thin films and crystal tensors, {n}³",
        "`effective_diffusivity` of a polycrystal, phases 1 and 0.1, periodic, all three axes, "
        "one thread, CPU time with the assembly; films 0.02 grains wide with c across and along, "
        "scheme `faces`; tensors 1 : 1 : 0.2 in the frame of each grain. A film that "
        "conducts along itself has an unknown on each of its voxel faces, a tensor field one at "
        "each vertex with 26 neighbours.",
        "problem", "time [s]", "over plain", "iterations", "bytes", "flux imbalance",
    )  # fmt: skip
    costs, least = {}, None
    for kind in FILMS:
        got = run("films", n=n, kind=kind, repeats=3, timeout=900)
        if "error" in got:
            report.row(kind, got["error"], *[""] * 4)
            continue
        if kind == "plain":
            least = got["seconds"]
        costs[kind] = got["seconds"] / least if least else float("nan")
        report.row(
            kind, f"{got['seconds']:.2f}", f"{costs[kind]:.1f}", got["iterations"],
            f"{got['bytes']:.0f}", f"{got['imbalance']:.1e}",
        )  # fmt: skip
    return costs


def profiled(report, n):
    """Where the time of a solve goes."""
    got = run("profile", n=n, repeats=3, **of_problem(HARD))
    if "error" in got:
        report.say("", f"Profile: {got['error']}")
        return
    report.table(
        f"Where the time goes, {n}³",
        f"{HARD.name}; {got['total']:.3f} s a solve.",
        "part", "seconds", "share", "calls",
    )  # fmt: skip
    rest = got["total"]
    for name, (seconds, calls) in sorted(got["kernels"].items(), key=lambda k: -k[1][0]):
        report.row(f"`{name}`", f"{seconds:.4f}", f"{seconds / got['total']:.0%}", calls)
        rest -= seconds
    report.row("the rest", f"{rest:.4f}", f"{rest / got['total']:.0%}", "")


def _range(values, form="{:.0f}"):
    values = list(values)
    if not values:
        return "not measured", None
    low, high = form.format(min(values)), form.format(max(values))
    return (low if low == high else f"{low} to {high}"), values


def asked(found, ratios, scaled, gains, costs):
    """Yield what is asked, what was measured and whether it is met.

    Parameters
    ----------
    found : dict
        Our results by size and problem.
    ratios : dict
        Ratio and difference of D_eff by peer and problem.
    scaled : dict
        Our results by size for one problem.
    gains, costs : dict
        Gain by threads, cost of films and tensors over the plain solve.
    """
    crystals = {
        (n, p): g for n, each in found.items() for p, g in each.items()
        if p.structure == POLYCRYSTAL
    }  # fmt: skip
    for peer, least in (("pyamg-rs", 50), ("amgcl", 40)):
        values = [r for (name, p), (r, _) in ratios.items() if name == peer and p == HARD]
        yield _limit(f"times as fast as {TITLES[peer]}, {HARD.name}", f"at least {least}",
                     -least, values, "{:.0f}")  # fmt: skip
    values = [
        r for (name, p), (r, _) in ratios.items()
        if name == "pyamg-rs" and p.structure == NOISE
    ]  # fmt: skip
    yield _limit("times as fast as PyAMG, voxel noise", "at least 20", -20, values, "{:.0f}")
    triads = [g["seconds"] / g["triad"] for (n, _), g in crystals.items() if n >= 128]
    yield _limit("set-up and solve in triads, polycrystals from 128³", "at most 100", 100,
                 triads, "{:.0f}")  # fmt: skip
    iterations = [g["iterations"] for g in crystals.values()]
    yield _limit("iterations, polycrystals", "at most 14", 14, iterations, "{:.0f}")
    everything = [g for each in found.values() for g in each.values()]
    taken = [g["bytes"] for g in everything] + [g["bytes"] for g in scaled.values()]
    yield _limit("bytes a voxel beside the input", "at most 45", 45, taken, "{:.0f}")
    yield _limit("gain of two threads", "at least 1.7", -1.7, gains.values(), "{:.2f}")
    film = [c for kind, c in costs.items() if "films" in kind]
    yield _limit("films on faces over plain", "at most 3", 3, film, "{:.1f}")
    tensor = [c for kind, c in costs.items() if "tensor" in kind]
    yield _limit("crystal tensors over plain", "at most 8", 8, tensor, "{:.1f}")
    off = [abs(d) for (name, _), (_, d) in ratios.items() if name.startswith(("pyamg", "amgcl"))]
    yield _limit("difference of D_eff from matrix solvers", "at most 1e-6", 1e-6, off, "{:.1e}")
    balance = [g["imbalance"] for g in everything]
    yield _limit("flux imbalance", "at most 1e-6", 1e-6, balance, "{:.1e}")
    a_voxel = [g["seconds"] / n**3 for n, g in scaled.items() if n >= 64]
    spread = [max(a_voxel) / min(a_voxel)] if len(a_voxel) > 1 else []
    yield _limit("time a voxel, slowest over quickest size", "at most 2", 2, spread, "{:.2f}")


def _limit(what, words, limit, values, form):
    """One row; a limit below zero is a least."""
    text, values = _range(values, form)
    if values is None:
        return what, words, text, "–"
    met = min(values) >= -limit if limit < 0 else max(values) <= limit
    return what, words, text, "yes" if met else "no"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--quick", action="store_true", help="small grids: does it run?")
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--threads", type=int, default=2, help="most threads")
    parser.add_argument("--scaling", action="store_true", help="64³ to 400³, ours alone")
    parser.add_argument("--profile", action="store_true", help="time of each kernel")
    parser.add_argument("--peer-limit", type=float, default=45.0, metavar="SECONDS",
                        help="TauFactor is stopped after this")  # fmt: skip
    parser.add_argument("--output", type=Path, default=HERE / "solver.md")
    given = parser.parse_args()
    if given.quick:
        given.sizes = list(QUICK)
    return given


def heading(report, given):
    """What ran, where and with which versions."""
    known = versions()
    more = []
    for name in ("pyamg", "pyamgcl", "taufactor", "torch", "openimpala", "fipy"):
        try:
            more.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    options = " ".join(sys.argv[1:])
    report.say(
        "# The flux solver beside others",
        "",
        f"`bench_solver.py{' ' + options if options else ''}`, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC, revision "
        f"{git_revision(HERE)}, {os.cpu_count()} processors ({platform.machine()}), Python "
        f"{known['python']}, numpy {known['numpy']}, numba {known['numba']}; "
        f"{', '.join(more)}.",
        "",
        "Fields: Voronoi polycrystals, grains 16 voxels wide, half of them second phase, or "
        "single voxels at random; the second phase conducts 1/contrast or, *insulating*, not at "
        "all. Kernels are compiled before anything is timed.",
    )
    reasons = {peer: missing(peer) for peer in given.peers}
    for peer, why in reasons.items():
        if why:
            report.say("", f"Left out: {TITLES[peer]} ({why}).")
    return [peer for peer, why in reasons.items() if not why]


def main():
    given = arguments()
    report = Report()
    peers = heading(report, given)
    found = {n: own(report, n, PROBLEMS) for n in given.sizes}
    at = 128 if 128 in found else max(found)
    ratios = against(report, at, [p for p in peers if p != "fipy"], found[at], given.peer_limit)
    if "fipy" in peers:
        small = FIPY_SIZE if FIPY_SIZE in found else min(found)
        ratios |= against(report, small, ["fipy"], found[small], given.peer_limit)
    flat(report, found)
    sizes = given.sizes if given.quick or not given.scaling else SCALING
    scaled = scaling(report, sizes, found)
    gains = {}
    if given.threads > 1:
        gains = by_threads(report, [n for n in given.sizes if n >= 128] or [at], given.threads)
    costs = with_films(report, at)
    if given.profile:
        profiled(report, at)
    report.table(
        "Asked and measured",
        f"At {at}³ where no size is named; times on a shared machine vary "
        "between runs.",
        "what", "asked", "measured", "met",
    )  # fmt: skip
    for line in asked(found, ratios, scaled, gains, costs):
        report.row(*line)
    given.output.write_text("\n".join(report.lines) + "\n", encoding="utf-8")
    print(given.output)


if __name__ == "__main__":
    main()
