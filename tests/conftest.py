"""What several rooms' tests share: a tiny study."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

STUDY = """
[study]
title = "Tiny"
question = "Does it run?"
seed = 5

[[ensembles]]
name = "2D"
recipe = "{recipes}/llzo-lco-2d.toml"
cells = [40, 40]

[[ensembles]]
name = "3D"
recipe = "{recipes}/llzo-lco-3d.toml"
cells = [20, 20, 20]

[sweep]
volume_fraction = {{ phase = "LLZO", values = [0.3, 0.7] }}
grain_size_nm = [50]
realisations = 1

[phases]
LLZO = "LLZO"
LCO = "Li0.53CoO2"

[boundaries]
"LLZO|LLZO" = "LLZO-LLZO"
"LCO|LCO" = "LCO-LCO"
"LLZO|LCO" = "LLZO-LCO"

[transport]
temperatures_K = [300, 350]
driving_force = "concentration"
boundary = "periodic"
rtol = 1e-6
"""


@pytest.fixture
def tiny_study(tmp_path):
    """A run folder with four small samples."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY.format(recipes=ROOT / "microstructures"))
    return folder
