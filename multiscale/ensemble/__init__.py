"""Run many samples and keep what they gave.

Enters: sample numbers, a function that computes one sample, a folder. Leaves:
one netCDF-4 file a sample, written whole or not at all, and one merged data
set. What was finished before an interruption is found again and not repeated.

Reading order: ``record``, ``store``, ``lock``, ``execution``, ``cluster``, ``sharding``.
"""

from multiscale.ensemble.cluster import run_on_cluster
from multiscale.ensemble.execution import Outcome, default_workers, run_all
from multiscale.ensemble.lock import run_lock
from multiscale.ensemble.record import SampleFacts, SampleRecord, flux_slices
from multiscale.ensemble.sharding import Shard, job_script
from multiscale.ensemble.store import SampleStore

__all__ = [
    "Outcome",
    "SampleFacts",
    "SampleRecord",
    "SampleStore",
    "Shard",
    "default_workers",
    "flux_slices",
    "job_script",
    "run_all",
    "run_lock",
    "run_on_cluster",
]
