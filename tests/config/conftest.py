"""A small study in a folder of its own, which tests then spoil."""

from dataclasses import dataclass
from pathlib import Path

import pytest

RECIPE = """\
description = "Test."
dimension = 2
grains = 16
grain_size_nm = 100
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

STUDY = """\
[study]
title = "Test"
question = "Does it load?"
seed = 7

[[ensembles]]
name = "2D"
recipe = "small"
cells = [32, 32]

[sweep]
volume_fraction = { phase = "LLZO", values = [0.2, 0.8] }
grain_size_nm = [20, 1000]
realisations = 3

[phases]
LLZO = "LLZO"
LCO = "Li0.53CoO2"

[boundaries]
"LLZO|LLZO" = "LLZO-LLZO"
"LCO|LCO" = "LCO-LCO"
"LLZO|LCO" = "LLZO-LCO"

[transport]
temperatures_K = [300, 600]
driving_force = "concentration"
boundary = "periodic"
"""

PROPERTY = """\
kind = "material"
title = "Test"
composition = "X"

[self_diffusivity]
source = "10.1/x"
confidence = "high"
valid = [300, 600]
prefactor = { value = 1e-4, unit = "cm2/s", uncertainty = { kind = "unknown", origin = "-" } }
activation_energy = { value = 0.3, unit = "eV", uncertainty = { kind = "unknown", origin = "-" } }
"""


@dataclass(frozen=True)
class Project:
    """A folder with one study, one recipe and one property file."""

    root: Path

    @property
    def run(self) -> Path:
        return self.root / "runs" / "test"

    @property
    def study(self) -> Path:
        return self.run / "study.toml"

    @property
    def recipe(self) -> Path:
        return self.root / "microstructures" / "small.toml"

    @property
    def property(self) -> Path:
        return self.run / "own.toml"

    def spoil(self, file: Path, old: str, new: str) -> None:
        text = file.read_text()
        assert text.count(old) >= 1, old
        file.write_text(text.replace(old, new, 1))


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    for file, text in ((made.study, STUDY), (made.recipe, RECIPE), (made.property, PROPERTY)):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return made
