"""What a person sees while trajectories run, and at the end."""

from __future__ import annotations

import json
import threading
import time
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from multiscale.atomistic_study import CellOutcome, Job
from multiscale.ensemble.execution import Outcome
from multiscale.units import ELEMENTARY_CHARGE, from_si

LOOK_EVERY = 1.0
"""Seconds between looks at what running trajectories wrote."""


class Live:
    """Bars of the trajectories that run, from what they write to their folders.

    Parameters
    ----------
    console : rich.console.Console
        Where to show them.
    """

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[state]}"),
        )  # fmt: skip
        self.console = console
        self.bars = Progress(*columns, console=console, transient=not console.is_terminal)
        self.listed: tuple[Job, ...] = ()
        self.whole = self.bars.add_task("trajectories", total=None, state="")
        self.tasks: dict[int, TaskID] = {}
        self.ended: set[int] = set()
        self.begin = time.time()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Live:
        """Start looking."""
        self.bars.start()
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop looking."""
        self.stop.set()
        self.thread.join()
        self.bars.stop()

    def __call__(self, outcome: Outcome | None, listed: tuple[Job, ...]) -> None:
        """Take note of the list of trajectories, or of one that ended.

        Parameters
        ----------
        outcome : multiscale.ensemble.execution.Outcome or None
            Of the one that ended.
        listed : tuple of Job
            All of them.
        """
        self.listed = listed
        if outcome is not None:
            self.ended.add(outcome.index)
            if outcome.error:
                self.console.print(f"[red]{escape(outcome.error)}[/red]", soft_wrap=True)
            if outcome.index in self.tasks:
                self.bars.remove_task(self.tasks.pop(outcome.index))
        state = f"{len(self.ended)} of {len(listed)}"
        self.bars.update(self.whole, total=len(listed), completed=len(self.ended), state=state)

    def _watch(self) -> None:
        while not self.stop.wait(LOOK_EVERY):
            for index, job in enumerate(self.listed):
                if index not in self.ended:
                    self._look(index, job)

    def _look(self, index: int, job: Job) -> None:
        file = job.folder / "progress.json"
        try:
            if file.stat().st_mtime < self.begin:
                return
            now = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if index not in self.tasks:
            self.tasks[index] = self.bars.add_task(f"  {job.name}", total=1.0, state="")
        minutes, seconds = divmod(int(now["left"]), 60)
        state = (
            f"{now['temperature']:.0f} K, {now['rate']:.3g} ns/day, {minutes}:{seconds:02d} left"
        )
        self.bars.update(self.tasks[index], completed=now["step"] / now["steps"], state=state)


def summary(outcome: CellOutcome) -> list[str]:
    """Tell of one phase or boundary.

    Parameters
    ----------
    outcome : CellOutcome
        What became of it.

    Returns
    -------
    list of str
        Lines.
    """
    lines = [f"{outcome.cell.name}: {outcome.cell.title}"]
    for direction, found in outcome.found.items():
        for one in found:
            value, error = (from_si(x, "cm2/s", "diffusivity") for x in (one.value, one.stderr))
            shown = f"below {value:.2g}" if one.bound else f"{value:.3g} ± {error:.1g}"
            lines.append(
                f"  {direction}, {one.temperature:g} K: {shown} cm²/s "
                f"({one.runs} runs, {1e12 * one.duration:.3g} ps)"
            )
    for direction, law in outcome.laws.items():
        energy, error = (x / ELEMENTARY_CHARGE for x in (law.energy, law.energy_stderr))
        lines.append(f"  {direction}: activation energy {energy:.3f} ± {error:.3f} eV")
    lines += [f"  failed: {one}" for one in outcome.failures]
    lines.append(f"  file: {outcome.file}" if outcome.file else f"  no file: {outcome.reason}")
    return lines
