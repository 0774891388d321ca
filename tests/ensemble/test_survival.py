"""Pool, cluster and shards give the same bits; what is killed, locked out or full loses nothing."""

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from multiscale.ensemble import Shard, job_script, run_lock
from multiscale.ensemble import store as store_module
from multiscale.errors import StoreError, StudyError
from multiscale.study import merge_study, run_shard, run_study

STUDY = """
[study]
title = "Survival"
question = "Is anything lost?"
seed = 11

[[ensembles]]
name = "2D"
recipe = "square"
cells = [24, 24]

[sweep]
volume_fraction = { phase = "LLZO", values = [0.3, 0.6] }
realisations = 4

[phases]
LLZO = "LLZO"
LCO = "Li0.53CoO2"

[boundaries]
"LLZO|LLZO" = "LLZO-LLZO"
"LCO|LCO" = "LCO-LCO"
"LLZO|LCO" = "LLZO-LCO"

[transport]
temperatures_K = [300, 400]
driving_force = "concentration"
boundary = "periodic"
"""
RECIPE = """
description = "Two phases."
dimension = 2
grains = 20
grain_size_nm = 200
periodic = true

[seeding]
law = "poisson"

[grain_sizes]
law = "voronoi"

[orientation]
law = "random"

[phases]
LLZO = 0.5
LCO = 0.5
"""
VOLATILE = ("solve_seconds",)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("survival")
    (folder / "square.toml").write_text(RECIPE)
    (folder / "study.toml").write_text(STUDY.replace('"square"', '"square.toml"'))
    return folder


@pytest.fixture(scope="module")
def undisturbed(study):
    return run_study(study, workers=1, output=study / "undisturbed").results


def assert_same(one, other):
    assert list(one.data_vars) == list(other.data_vars)
    np.testing.assert_array_equal(one.sample, other.sample)
    for name in set(one.data_vars) - set(VOLATILE):
        left, right = one[name].values, other[name].values
        assert left.dtype.kind == right.dtype.kind, name
        same = left == right if left.dtype.kind in "OU" else left.tobytes() == right.tobytes()
        assert np.all(same), name


def command(study, output, *more):
    return [sys.executable, "-m", "multiscale", "run", str(study), "-o", str(output), *more]


def test_pool_and_shards_agree_to_the_last_bit(study, undisturbed):
    pool = run_study(study, workers=2, output=study / "pool")
    assert_same(pool.results, undisturbed)
    for number in (3, 1, 2):
        done = run_shard(study, f"{number}/3", workers=1, output=study / "shards")
        assert done.computed == len([one for one in range(8) if one % 3 == number - 1])
        assert not (done.folder / "results.nc").exists()
    merged, missing = merge_study(study, output=study / "shards")
    assert missing == ()
    assert_same(merged.results, undisturbed)


def test_merging_says_what_is_missing(study):
    run_shard(study, "1/2", workers=1, output=study / "half")
    merged, missing = merge_study(study, output=study / "half")
    assert missing == (1, 3, 5, 7)
    assert merged.results.sample.values.tolist() == [0, 2, 4, 6]


def test_a_cluster_agrees_to_the_last_bit(study, undisturbed):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None
        ) as cluster,
    ):
        found = run_study(study, scheduler=cluster.scheduler_address, output=study / "cluster")
        assert found.computed == 8
        assert_same(found.results, undisturbed)


@pytest.mark.parametrize("address", ["nowhere", "tcp://127.0.0.1:9", "http://[", ""])
def test_no_scheduler_is_one_line(study, address, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("multiscale.ensemble.cluster.PATIENCE", 1.0)
    with pytest.raises(StudyError, match="--scheduler") as told:
        run_study(study, scheduler=address, output=study / "none")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["0/4", "5/4", "a/b", "1", "1/0", "-1/2", "1/2/3", ""])
def test_a_wrong_share_is_refused(text):
    with pytest.raises(StudyError, match="--shard"):
        Shard.read(text)


def test_shares_cover_all_samples_once():
    shares = [Shard(number, 7).of(range(100)) for number in range(1, 8)]
    assert sorted(one for share in shares for one in share) == list(range(100))


def test_the_job_script_is_bash_and_quotes(tmp_path):
    script = tmp_path / "job.sh"
    script.write_text(job_script("runs/my study; rm x", 12))
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert "'runs/my study; rm x'" in script.read_text()
    assert "--array=1-12" in script.read_text()
    with pytest.raises(StudyError, match="--time"):
        job_script("runs/x", 2, time="tomorrow")


def test_one_run_at_a_time_and_shards_together(tmp_path):
    told = pytest.raises(StoreError, match=f"process {os.getpid()} on")
    with run_lock(tmp_path), told, run_lock(tmp_path):
        pytest.fail("two runs at once")
    told = pytest.raises(StoreError, match="no other run")
    with run_lock(tmp_path, shared=True), run_lock(tmp_path, shared=True), told, run_lock(tmp_path):
        pytest.fail("a run beside shards")


def test_a_second_process_is_told_and_changes_nothing(study, undisturbed):
    output = study / "undisturbed"
    before = {path: path.read_bytes() for path in (output / "samples").iterdir()}
    with run_lock(output):
        told = subprocess.run(command(study, output, "--fresh"), capture_output=True, text=True)
    assert told.returncode == 2
    assert len(told.stderr.strip().splitlines()) == 1
    assert "no other run" in told.stderr
    assert {path: path.read_bytes() for path in (output / "samples").iterdir()} == before


def test_killed_at_random_moments_it_ends_the_same(study, undisturbed):
    chance, output = random.Random(5), study / "killed"
    for victim in ("run", "worker", "run"):
        run = subprocess.Popen(
            command(study, output, "--workers", "2"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        samples = output / "samples"
        wanted = min(7, len(list(samples.glob("*.nc"))) + 1) if samples.exists() else 1
        deadline = time.monotonic() + 120
        while run.poll() is None and time.monotonic() < deadline:
            if samples.exists() and len(list(samples.glob("*.nc"))) >= wanted:
                break
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 0.2))
        if victim == "run":
            os.killpg(run.pid, signal.SIGKILL)
        else:
            for child in children(run.pid)[-1:]:
                os.kill(child, signal.SIGKILL)
        run.wait(timeout=240)
    outcome = run_study(study, workers=1, output=output)
    assert outcome.rejected == ()
    assert_same(outcome.results, undisturbed)
    assert not list((output / "samples").glob(".*.part"))


def children(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in found.read_text().split()] if found.exists() else []


def test_a_flipped_byte_is_seen(study, undisturbed):
    output = study / "flipped"
    shutil.copytree(study / "undisturbed", output)
    file = sorted((output / "samples").glob("*.nc"))[3]
    with xr.open_dataset(file) as data:
        value = data["circuit_diffusivity"].values[0, 0, 0]
    content = bytearray(file.read_bytes())
    place = content.index(np.float64(value).tobytes())
    content[place] ^= 1
    file.write_bytes(bytes(content))
    outcome = run_study(study, workers=1, output=output)
    assert [path.name for path in outcome.rejected] == [file.name + ".rejected"]
    assert_same(outcome.results, undisturbed)
    file.write_bytes(bytes(content))
    again = run_study(study, workers=1, output=output)
    assert [path.name for path in again.rejected] == [file.name + ".rejected-2"]


def test_a_full_disk_keeps_what_is_finished(study, undisturbed, monkeypatch):
    output, real = study / "full", store_module.os.fsync
    left = [6]

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(store_module.os, "fsync", fsync)
    with pytest.raises(StoreError, match=r"full disk.*finished samples are kept") as told:
        run_study(study, workers=1, output=output)
    assert "\n" not in str(told.value)
    monkeypatch.undo()
    kept = {one.name for one in (output / "samples").iterdir()}
    assert 0 < len(kept) < 8
    assert all(name.endswith(".nc") and not name.startswith(".") for name in kept)
    outcome = run_study(study, workers=1, output=output)
    assert outcome.resumed == len(kept)
    assert_same(outcome.results, undisturbed)


def test_fresh_leaves_what_a_person_put_there(study, undisturbed):
    output = study / "notes"
    shutil.copytree(study / "undisturbed", output)
    (output / "notes.txt").write_text("keep")
    outcome = run_study(study, workers=1, output=output, fresh=True, samples=2)
    assert outcome.computed == 2
    assert (output / "notes.txt").read_text() == "keep"


def test_a_failed_sample_is_noted_and_tried_again(study, monkeypatch):
    output = study / "failing"
    import multiscale.study as chain

    real = chain.compute_sample

    def failing(study, plan):
        if plan.index == 3:
            raise ZeroDivisionError("one sample")
        return real(study, plan)

    monkeypatch.setattr(chain, "compute_sample", failing)
    outcome = run_study(study, workers=1, output=output)
    assert [one.index for one in outcome.failures] == [3]
    assert outcome.results.sizes["sample"] == 7
    (note,) = (output / "samples").glob("failed-*.json")
    assert "ZeroDivisionError" in json.loads(note.read_text())["error"]
    monkeypatch.undo()
    again = run_study(study, workers=1, output=output)
    assert again.computed == 1
    assert not list((output / "samples").glob("failed-*.json"))
