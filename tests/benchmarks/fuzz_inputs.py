"""Spoilt studies, recipes, properties, images and spectra: each must end in a line, or well.

Usage: python tests/benchmarks/fuzz_inputs.py [--cases N] [--seed N] [--case K] [-o fuzz.md]

Every case is a folder of files made from a valid one by a random spoiling, and a command of the
command line (or, where there is none that only reads, the reader, under the same handling of
errors). A case is a defect if it ends in a traceback, in another exit code than 0, 1 or 2, in
more than one line of error, leaves half a file, runs for more than ten seconds, takes more than
2 GB, unpickles anything, or kills the process. Each runs in a child process under such limits.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import resource
import select
import shutil
import signal
import stat
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fuzz_files as files
import typer

from multiscale.circuit import read_plain_spectrum, read_spectrum
from multiscale.cli import _OneLineErrors, app
from multiscale.config import load_recipe, load_study
from multiscale.config.atomistics import load_atomistic_study

SECONDS = 10.0
RUN_SECONDS = 60.0
"""For a study that is run, with its report."""
MEMORY = 2 * 2**30
RUN_SHARE = 0.015
"""Share of the study cases that are run, when they load, at 16² voxels."""
IMAGES = (".npy", ".npz", ".h5", ".vti", ".tif")
RESULTS = ("results", "out.npz", "out.vti", "out.h5", "out.tif")


@dataclass(frozen=True, slots=True)
class Case:
    """What a case is and what is done with it."""

    kind: str
    spoiling: str
    command: tuple[str, ...]

    @property
    def patience(self) -> float:
        """Seconds that it may take."""
        return RUN_SECONDS if self.command[0] == "run" else SECONDS


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a case ended; ``defect`` is empty if it ended as it should."""

    code: int
    line: str
    defect: str
    seconds: float = 0.0
    peak: float = 0.0

    @property
    def word(self) -> str:
        """For the table."""
        if self.defect:
            return "defect"
        return {0: "accepted", 2: "refused: bad input", 1: "failed: computation"}[self.code]


readers = typer.Typer(cls=_OneLineErrors, add_completion=False, pretty_exceptions_enable=False)


@readers.callback()
def _group() -> None:
    """What reads a file and does nothing else."""


@readers.command()
def read(kind: str, path: Path) -> None:
    """Read a file under the command line's handling of errors."""
    known: dict[str, Callable[[Path], Any]] = {
        "study": _study,
        "recipe": load_recipe,
        "atomistics": load_atomistic_study,
        "spectrum": read_spectrum,
        "plain spectrum": read_plain_spectrum,
    }
    known[kind](path)


def _study(path: Path) -> None:
    """Load a study, list its samples and write down what decides its results."""
    from multiscale.study import coefficients, film_warnings, sources

    study = load_study(path)
    study.samples()
    json.dumps(study.resolved())
    sources(study)
    film_warnings(study)
    for temperature in study.temperatures[:3]:
        coefficients(study, temperature)


# --- cases ---


def _spoil_text(text: str, rng: random.Random) -> tuple[str, bytes]:
    """One spoiling of a text, sometimes two."""
    if rng.random() < 0.3:
        word = rng.choice(list(files.BYTES))
        return word, files.BYTES[word](text.encode(), rng)
    word = rng.choice(list(files.TEXT))
    text = files.TEXT[word](text, rng)
    if rng.random() < 0.2:
        text = files.TEXT[rng.choice(list(files.TEXT))](text, rng)
    return word, text.encode()


def _put(path: Path, text: str, rng: random.Random) -> str:
    """Write a spoilt file, or something else than a file."""
    if rng.random() < 0.04:
        files.no_file(path, rng)
        return "no file"
    word, data = _spoil_text(text, rng)
    path.write_bytes(data)
    return word


def study_case(folder: Path, rng: random.Random) -> Case:
    """A study with its recipe and properties, one of which is spoilt."""
    texts = {
        "study.toml": files.STUDY,
        "recipe.toml": files.RECIPE,
        "property.toml": files.a_material(rng),
        "film.toml": files.a_film(rng),
    }
    spoilt = rng.choices(list(texts), [6, 1, 1, 1])[0]
    for name, text in texts.items():
        if name != spoilt:
            (folder / name).write_text(text, encoding="utf-8")
    word = _put(folder / spoilt, texts[spoilt], rng)
    if rng.random() < RUN_SHARE:
        command = ("run", str(folder), "--samples", "1", "--workers", "1", "--cells", "16")
        return Case("study, run", word, command)
    return Case("study", word, ("read", "study", str(folder)))


def recipe_case(folder: Path, rng: random.Random) -> Case:
    """A recipe, read or grown."""
    path = folder / "recipe.toml"
    word = _put(path, files.RECIPE, rng)
    if rng.random() < 0.5:
        return Case("recipe", word, ("read", "recipe", str(path)))
    output = folder / rng.choice(RESULTS[1:])
    cells = rng.choice(["16", "16", "16", "32", "1000000"])
    return Case("recipe, grown", word, ("generate", str(path), "--cells", cells, "-o", str(output)))


def property_case(folder: Path, rng: random.Random) -> Case:
    """A property file, shown."""
    path = folder / "property.toml"
    word = _put(path, rng.choice(files.library()), rng)
    return Case("property", word, ("properties", "show", str(path)))


def atomistics_case(folder: Path, rng: random.Random) -> Case:
    """An atomistic study, read."""
    path = folder / "atomistics.toml"
    word = _put(path, files.atomistics(), rng)
    return Case("atomistic study", word, ("read", "atomistics", str(path)))


def image_case(folder: Path, rng: random.Random) -> Case:
    """An image, solved for."""
    suffix = rng.choice(IMAGES)
    path = folder / f"image{suffix}"
    chance = rng.random()
    if chance < 0.03:
        files.no_file(path, rng)
        word = "no file"
    elif chance < 0.35:
        path.write_bytes(files.HOSTILE[suffix](folder, rng))
        word = "hostile"
    else:
        word = rng.choice(list(files.BYTES))
        data = files.image(suffix, folder, rng)
        if rng.random() < 0.05:  # the content of another format
            data, word = files.image(rng.choice(IMAGES), folder, rng), "another format"
        else:
            data = files.BYTES[word](data, rng)
        path.write_bytes(data)
    command = ["solve", str(path), "-d", "0=1e-12", "-d", "1=1e-14"]
    if rng.random() < 0.7:
        command += ["--spacing", "5nm"]
    if rng.random() < 0.2:
        command += ["--dataset", rng.choice(["labels", "values", "/labels", "..", ""])]
    return Case(f"image {suffix}", word, tuple(command))


OPTIONS = {
    "-d": ["0=nan", "0=-1", "0=1e400", "0", "=", "=1", "0=1parsec", "0=1e-12", "é=1",
           "0=1e-400cm2/s", "0=" + "9" * 400, "0=1e300", "\x1b=1", "0=1..2", "1e5=1"],
    "--spacing": ["nan", "0", "-5nm", "1,2,3,4", "5parsec", "", ",", "1e400", "1e-320",
                  "1e300m", "5nm,"],
    "--boundary": ["periodc", "", "dirichlet", "DIRICHLET", "\n"],
    "--rtol": ["nan", "-1", "0", "1", "1e-300", "inf", "x"],
    "--backend": ["fipi", "", "fipy", "multigrid"],
    "--device": ["gpu", "cuda:x", "cuda:99", "", "cpu"],
    "--dataset": ["labels", "nothing", "/", "\x00"],
}  # fmt: skip


def option_case(folder: Path, rng: random.Random) -> Case:
    """A sound image with unsound options."""
    path = folder / "image.npz"
    path.write_bytes(files.image(".npz", folder, rng))
    command = ["solve", str(path), "-d", "0=1e-12", "-d", "1=1e-14"]
    for option in rng.sample(list(OPTIONS), rng.choice([1, 1, 2])):
        command += [option, rng.choice(OPTIONS[option])]
    return Case("options of solve", "values of another kind", tuple(command))


def spectrum_case(folder: Path, rng: random.Random) -> Case:
    """A spectrum, read either way."""
    path = folder / "spectrum.csv"
    if rng.random() < 0.05:
        files.no_file(path, rng)
        word = "no file"
    else:
        text = files.spectrum(rng)
        word = rng.choice([*files.BYTES, "number far off"])
        if word == "number far off":
            data = files.other_number(text, rng).encode()
        else:
            data = files.BYTES[word](text.encode(), rng)
        path.write_bytes(data)
    kind = rng.choice(["spectrum", "plain spectrum"])
    return Case("spectrum", word, ("read", kind, str(path)))


KINDS: tuple[tuple[Callable[[Path, random.Random], Case], int], ...] = (
    (study_case, 30),
    (recipe_case, 14),
    (property_case, 18),
    (atomistics_case, 8),
    (image_case, 22),
    (option_case, 4),
    (spectrum_case, 4),
)


def make(number: int, seed: int, folder: Path) -> Case:
    """Make the files of one case; the same for the same number and seed."""
    rng = random.Random(f"{seed} {number}")
    chosen = rng.choices([one for one, _ in KINDS], [weight for _, weight in KINDS])[0]
    return chosen(folder, rng)


# --- running ---


def call(case: Case) -> tuple[int, str, str]:
    """Run the command in this process: exit code, what it said of errors, and any traceback."""
    target = readers if case.command[0] == "read" else app
    out, err = io.StringIO(), io.StringIO()
    code, told = 0, ""
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("error", DeprecationWarning)
        try:
            target(args=list(case.command), prog_name="multiscale")
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except BaseException:  # whatever the command line lets through
            told = traceback.format_exc()
    return code, err.getvalue(), told


def judge(case: Case, folder: Path, before: set[str], answer: tuple[int, str, str]) -> Outcome:
    """Hold what a case did against what it may do."""
    code, said, told = answer
    lines = [one for one in said.splitlines() if one.strip() and not one.startswith("warning: ")]
    line = lines[-1] if lines else ""
    usage = any(one.startswith("Usage:") for one in lines)
    defect = ""
    if told:
        frames = [one for one in told.splitlines() if one.startswith("  File")]
        ours = [one for one in frames if "/multiscale/" in one]
        place = (ours or frames)[-1]
        defect = f"traceback: {told.strip().splitlines()[-1][:200]} at {place.strip()}"
    elif code not in (0, 1, 2):
        defect = f"exit code {code}"
    elif code and not usage and (len(lines) != 1 or not line.startswith("error: ")):
        defect = f"not one line of error: {lines[:3]}"
    elif code == 0 and lines:
        defect = f"success with words: {lines[:3]}"
    elif any(not (one.isprintable() or one == "\n") for one in said):
        defect = f"unprintable characters in the message: {said[:300]!r}"
    defect = defect or _left(folder, before, code)
    return Outcome(code, line, defect)


def _left(folder: Path, before: set[str], code: int) -> str:
    """What a case left behind that it should not have."""
    after = {str(one.relative_to(folder)) for one in folder.rglob("*")} - before
    if files.CANARY in after:
        return "a pickle was executed"
    halves = [one for one in after if any(part.startswith(".") for part in Path(one).parts)]
    if halves or (code and any(one in after for one in RESULTS[1:])):
        return f"left behind: {sorted(after)[:3]}"
    return ""


def here(
    number: int, seed: int, folder: Path, alarm: Callable[[int], object]
) -> tuple[Case, Outcome]:
    """Make and run one case in this process; ``alarm`` is told the seconds it may take."""
    case = make(number, seed, folder)
    alarm(int(case.patience))
    before = {str(one.relative_to(folder)) for one in folder.rglob("*")}
    return case, judge(case, folder, before, call(case))


BATCH = 200
"""Cases that a child process runs before the next takes over."""


def _limit() -> None:
    """Two gigabytes more than there are now, and no core files."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _work(numbers: range, seed: int, root: Path, told: Any) -> None:
    """Run cases one after the other, telling of each before it begins and after it ended."""
    for number in numbers:
        folder = root / str(number)
        folder.mkdir()
        case = make(number, seed, folder)
        before = {str(one.relative_to(folder)) for one in folder.rglob("*")}
        print(json.dumps([number, case.kind, case.spoiling, case.command]), file=told, flush=True)
        found = judge(case, folder, before, call(case))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = [found.code, found.line[-9000:], found.defect[-9000:], peak]
        print(json.dumps(answer), file=told, flush=True)
        empty(folder)
        if peak > MEMORY:
            return  # the next case in a process that has taken nothing yet


def _start(numbers: range, seed: int, root: Path) -> tuple[int, int]:
    """Begin a child process under limits: its number, and where it tells."""
    source, sink = os.pipe()
    child = os.fork()
    if child:
        os.close(sink)
        return child, source
    try:
        os.close(source)
        _limit()
        with os.fdopen(sink, "w", encoding="utf-8") as told:
            _work(numbers, seed, root, told)
    finally:
        os._exit(0)


def _next(source: int, rest: bytearray, seconds: float) -> list[Any] | str:
    """Wait for a line of a child; a word if none comes."""
    end = time.perf_counter() + seconds
    while b"\n" not in rest:
        ready, _, _ = select.select([source], [], [], max(end - time.perf_counter(), 0))
        part = os.read(source, 2**16) if ready else b""
        if not part:
            return "process killed" if ready else f"still running after {seconds:g} s"
        rest += part
    line, _, left = bytes(rest).partition(b"\n")
    rest[:] = left
    found: list[Any] = json.loads(line)
    return found


def guarded(numbers: range, seed: int, root: Path) -> Iterator[tuple[int, Case, Outcome]]:
    """Run cases in child processes under limits on time and memory, a new one after each loss."""
    first = numbers.start
    while first < numbers.stop:
        child, source = _start(range(first, min(first + BATCH, numbers.stop)), seed, root)
        rest, before = bytearray(), first
        while isinstance(begun := _next(source, rest, RUN_SECONDS), list):
            case = Case(begun[1], begun[2], tuple(begun[3]))
            begin = time.perf_counter()
            ended = _next(source, rest, case.patience)
            seconds, first = time.perf_counter() - begin, begun[0] + 1
            if isinstance(ended, str):
                yield begun[0], case, Outcome(-1, "", ended, seconds)
                break
            code, line, defect, peak = ended
            heavy = f"{peak / 2**30:.2f} GiB" if peak > MEMORY else ""
            yield begun[0], case, Outcome(code, line, defect or heavy, seconds, peak)
        os.close(source)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        if first == before:
            raise RuntimeError(f"case {first} could not be made")


def empty(folder: Path) -> None:
    """Remove a folder, whatever its files allow."""
    for one in folder.rglob("*"):
        if not one.is_symlink() and one.is_file():
            one.chmod(stat.S_IRUSR | stat.S_IWUSR)
    shutil.rmtree(folder)


def table(found: list[tuple[Case, Outcome]], seed: int) -> str:
    """Counts by kind, spoiling and outcome."""
    words = ("accepted", "refused: bad input", "failed: computation", "defect")
    head = f"| cases | {' | '.join(words)} |\n|---|{'---:|' * len(words)}\n"
    lines = [
        "# Fuzzed input",
        "",
        f"`python tests/benchmarks/fuzz_inputs.py --cases {len(found)} --seed {seed}`: "
        f"{len(found)} spoilt inputs, {sum(bool(one.defect) for _, one in found)} defects "
        "(traceback, other exit code, more than one line of error, half a file, more than "
        f"{SECONDS:g} s ({RUN_SECONDS:g} s for a study that is run) or 2 GB, anything "
        "unpickled, a killed process). Slowest "
        f"{max(one.seconds for _, one in found):.1f} s, largest "
        f"{max(one.peak for _, one in found) / 2**30:.2f} GiB.",
        "",
    ]
    for title, key in (("input", lambda case: case.kind), ("spoiling", lambda case: case.spoiling)):
        counts: dict[str, Counter[str]] = {}
        for case, outcome in found:
            counts.setdefault(key(case), Counter())[outcome.word] += 1
        lines += [head.replace("cases", title) + "\n".join(
            f"| {name} | {' | '.join(str(counts[name][word]) for word in words)} |"
            for name in sorted(counts)
        ), ""]  # fmt: skip
    return "\n".join(lines)


def main() -> None:
    """Run the cases, print the defects, write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--case", type=int, help="this case alone, its folder kept and shown")
    parser.add_argument("-o", "--output", type=Path)
    given = parser.parse_args()
    numbers = range(given.first, given.first + given.cases)
    if given.case is not None:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        print(folder, *here(given.case, given.seed, folder, lambda _: None), sep="\n")
        return
    found = []
    with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as root:
        for number, case, outcome in guarded(numbers, given.seed, Path(root)):
            found.append((case, outcome))
            if outcome.code == 1:
                print(f"{number} {case.kind} ({case.spoiling}) failed: {outcome.line[:200]}")
            if outcome.defect:
                print(f"{number} {case.kind} ({case.spoiling}): {outcome.defect}", flush=True)
    text = table(found, given.seed)
    print(text)
    if given.output:
        given.output.write_text(text, encoding="utf-8")
    sys.exit(any(outcome.defect for _, outcome in found))


if __name__ == "__main__":
    main()
