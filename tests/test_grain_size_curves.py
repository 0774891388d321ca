"""The grain-size study: its table, its figure, and a scheme that is not there."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from multiscale.errors import InputError

SCRIPT = Path(__file__).parents[1] / "runs" / "grain-size" / "make_curves.py"


@pytest.fixture
def curves(monkeypatch):
    spec = importlib.util.spec_from_file_location("make_curves", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "SIZES", 1e-9 * np.array([3.0, 6.0, 1000.0]))
    monkeypatch.setattr(module, "CONTRASTS", (1e-2, 1e2))
    return module


def run(module, monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["make_curves.py", *map(str, arguments)])
    module.main()


def test_table_and_figure(curves, monkeypatch, tmp_path, capsys):
    run(curves, monkeypatch, "--cells", 16, "--output", tmp_path)
    assert "curves-faces.csv" in capsys.readouterr().out
    lines = (tmp_path / "curves-faces.csv").read_text(encoding="utf-8").splitlines()
    header = dict(line[2:].split(": ", 1) for line in lines if line.startswith("#"))
    assert {"command", "git_revision", "versions", "crystal", "width_m", "created"} <= set(header)
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert [row["status"] for row in rows[:3]] == ["refused", "wide", "fine"]
    assert rows[0]["K_over_bulk"] == ""
    assert len(rows) == 9
    for row in rows:
        if row["status"] == "fine":
            close = pytest.approx(float(row["thin_film"]), rel=0.15)
            assert float(row["K_m2_per_s"]) == close
    assert (tmp_path / "curves-faces.png").stat().st_size > 10_000


def test_a_scheme_that_the_solver_does_not_have(curves, monkeypatch, tmp_path):
    import multiscale as ms

    if "scheme" in ms.effective_diffusivity.__kwdefaults__:
        pytest.skip("the solver knows schemes")
    with pytest.raises(InputError, match="--scheme: expected 'faces'"):
        run(curves, monkeypatch, "--scheme", "cut-cells", "--output", tmp_path / "none")
    assert not (tmp_path / "none").exists()
