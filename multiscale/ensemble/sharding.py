"""Shares of an ensemble for job arrays, with nothing to install and no one to ask."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from multiscale.errors import StudyError, describe


@dataclass(frozen=True, slots=True)
class Shard:
    """One of so many shares of the samples: every ``count``-th one.

    Parameters
    ----------
    number : int
        Which, from 1.
    count : int
        Of how many.
    """

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Shard:
        """Read ``i/n``.

        Parameters
        ----------
        text : str
            As on a command line: ``"3/20"``.

        Returns
        -------
        Shard
            Number 3 of 20.

        Raises
        ------
        StudyError
            If it is not two whole numbers with 1 ≤ i ≤ n.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if found is None or not 1 <= int(found[1]) <= int(found[2]):
            expected = "i/n with 1 ≤ i ≤ n, e.g. 3/20"
            raise StudyError(describe("--shard", expected, text))
        return cls(int(found[1]), int(found[2]))

    def of(self, indices: Iterable[int]) -> list[int]:
        """Choose this share.

        Parameters
        ----------
        indices : iterable of int
            Numbers of samples.

        Returns
        -------
        list of int
            Those that leave ``number − 1`` when divided by ``count``.
        """
        return [index for index in indices if index % self.count == self.number - 1]


def job_script(
    rundir: str, shards: int, *, time: str = "04:00:00", memory: str = "4G", options: str = ""
) -> str:
    """Write a job array for SLURM and what to type when it is done.

    Parameters
    ----------
    rundir : str
        The run folder, as seen from where the script is submitted.
    shards : int
        Tasks of the array.
    time : str, optional
        Limit of a task, ``HH:MM:SS`` or ``D-HH:MM:SS``.
    memory : str, optional
        Of a task, with unit.
    options : str, optional
        Further options of ``multiscale run``.

    Returns
    -------
    str
        A bash script.

    Raises
    ------
    StudyError
        If a number or a limit is not one.
    """
    if not 1 <= shards <= 100_000:
        raise StudyError(describe("--shards", "a whole number from 1 to 100000", shards))
    if not re.fullmatch(r"(\d+-)?\d{1,3}:\d{2}:\d{2}", time):
        raise StudyError(describe("--time", "HH:MM:SS or D-HH:MM:SS", time))
    if not re.fullmatch(r"\d+[KMGT]?", memory):
        raise StudyError(describe("--memory", "a number with K, M, G or T, e.g. 4G", memory))
    place = shlex.quote(rundir)
    run = f"multiscale run {place} --workers 1 --shard"
    return f"""#!/bin/bash
#SBATCH --job-name=multiscale
#SBATCH --array=1-{shards}
#SBATCH --cpus-per-task=1
#SBATCH --mem={memory}
#SBATCH --time={time}
#SBATCH --output=multiscale-%A-%a.log

# Submitted again, it computes what is missing. When all tasks are done, once:
#   multiscale merge {place}
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
{run} "$SLURM_ARRAY_TASK_ID/{shards}"{" " + options if options else ""}
"""
