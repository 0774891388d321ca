"""Points are spread as their plans promise, and studies say what is wrong with theirs."""

import numpy as np
import pytest
from scipy.stats import qmc

from multiscale.config import load_study
from multiscale.config.plans import Range, spread
from multiscale.errors import StudyError
from multiscale.provenance import config_hash

UNIT = [Range(0.0, 1.0, log=False)] * 2


def test_each_slice_of_a_latin_hypercube_holds_one_point():
    points = np.array(spread("latin-hypercube", UNIT, 50, seed=3))
    for column in points.T:
        assert sorted((column * 50).astype(int)) == list(range(50))


def test_a_longer_sobol_plan_begins_with_the_shorter_one():
    long = spread("sobol", UNIT, 100, seed=3)
    assert spread("sobol", UNIT, 37, seed=3) == long[:37]
    assert spread("sobol", UNIT, 37, seed=4) != long[:37]


def test_sobol_points_lie_more_evenly_than_random_ones():
    even = qmc.discrepancy(np.array(spread("sobol", UNIT, 128, seed=0)))
    random = [qmc.discrepancy(np.random.default_rng(seed).random((128, 2))) for seed in range(20)]
    assert even < 0.3 * min(random)


def test_points_keep_to_their_ranges_and_scales():
    sizes = np.array(spread("sobol", [Range(1e-8, 1e-4, log=True)], 256, seed=1))[:, 0]
    assert sizes.min() >= 1e-8
    assert sizes.max() <= 1e-4
    counts = np.histogram(np.log10(sizes), np.linspace(-8, -4, 5))[0]
    assert counts.tolist() == [64] * 4
    assert Range(0.1, 0.9, log=False).at(1.0) == 0.9


def sweep(project, text):
    file = project / "study.toml"
    head, _, rest = file.read_text().partition("[sweep]")
    _, _, after = rest.partition("[phases]")
    file.write_text(f"{head}[sweep]\n{text}\n\n[phases]{after}")
    return file


@pytest.fixture
def project(tmp_path):
    recipe = """
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
    (tmp_path / "square.toml").write_text(recipe)
    (tmp_path / "study.toml").write_text("""
[study]
title = "Plans"
question = "Are points spread?"
seed = 11

[[ensembles]]
name = "one"
recipe = "square.toml"
cells = [24, 24]

[[ensembles]]
name = "other"
recipe = "square.toml"
cells = [32, 32]

[sweep]
realisations = 2

[phases]
LLZO = "LLZO"
LCO = "Li0.53CoO2"

[boundaries]
"LLZO|LLZO" = "LLZO-LLZO"
"LCO|LCO" = "LCO-LCO"
"LLZO|LCO" = "LLZO-LCO"

[transport]
temperatures_K = [300]
driving_force = "concentration"
boundary = "periodic"
""")
    return tmp_path


SOBOL = """plan = "sobol"
samples = {}
realisations = 2
volume_fraction = {{ phase = "LLZO", from = 0.2, to = 0.8 }}
grain_size_nm = {{ from = 50, to = 5000, scale = "log" }}"""


def test_a_sobol_study_grows_without_changing_its_samples(project):
    short = load_study(sweep(project, SOBOL.format(8)))
    long = load_study(sweep(project, SOBOL.format(20)))
    assert (short.total, long.total) == (32, 80)
    assert config_hash(short.resolved()) == config_hash(long.resolved())
    for one, other in zip(short.samples(), long.samples(), strict=False):
        assert (one.index, one.fractions, one.grain_size) == (
            other.index,
            other.fractions,
            other.grain_size,
        )
        assert 0.2 <= one.fractions["LLZO"] <= 0.8
        assert 50e-9 <= one.grain_size <= 5000e-9
    first, second = short.samples()[0], short.samples()[1]
    assert first.fractions == second.fractions  # the same point in both ensembles
    assert (first.ensemble, second.ensemble) == ("one", "other")


def test_a_hypercube_of_another_length_is_another_study(project):
    text = SOBOL.replace("sobol", "latin-hypercube")
    hashes = {config_hash(load_study(sweep(project, text.format(n))).resolved()) for n in (8, 9)}
    assert len(hashes) == 2


def changed(old, new):
    return SOBOL.format(8).replace(old, new)


FRACTION = """realisations = 1
volume_fraction = { phase = "LLZO", from = 0.2, to = 0.8 }"""


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ('plan = "sobol"\nrealisations = 1', "sweep.samples", "samples = 64"),
        ("samples = 8\nrealisations = 1", "sweep.samples", "factorial"),
        ('plan = "sobol"\nsamples = 8\nrealisations = 1', "sweep", "a range"),
        (changed("from = 0.2, to = 0.8", "values = [0.5]"), "volume_fraction", "from and to"),
        (changed("from = 0.2", "from = 0.9"), "volume_fraction", "from < to"),
        (changed('{ from = 50, to = 5000, scale = "log" }', "[9]"), "grain_size_nm", "from = 20"),
        (FRACTION, "volume_fraction", "values"),
        ("realisations = 1\ngrain_size_nm = { from = 50, to = 60 }", "grain_size_nm", "a list"),
        (changed('"log"', '"lg"'), "grain_size_nm", "log"),
        (changed('"sobol"', '"sobl"'), "plan", "sobol"),
        (changed("from = 50", "from = 0"), "grain_size_nm", ""),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_one_line(project, text, place, said):
    with pytest.raises(StudyError, match=place) as told:
        load_study(sweep(project, text))
    assert said in str(told.value)
    assert "\n" not in str(told.value)
