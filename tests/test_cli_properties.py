"""What the command line prints, and how it fails."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from multiscale import cli
from multiscale.properties import names

ROOT = Path(__file__).parents[1]
RECIPE = str(ROOT / "microstructures" / "llzo-lco-2d.toml")
runner = CliRunner()


def run(*arguments):
    return runner.invoke(cli.app, list(arguments), catch_exceptions=False)


def test_list_names_every_file():
    result = run("properties", "list")
    assert result.exit_code == 0
    first_words = {line.split()[0] for line in result.stdout.splitlines() if line.strip()}
    assert first_words >= set(names())
    assert "cm²/s" in result.stdout


@pytest.mark.parametrize("name", names())
def test_show_prints_every_quantity_with_its_origin(name):
    result = run("properties", "show", name)
    assert result.exit_code == 0
    flat = " ".join(result.stdout.split())
    from multiscale.properties import load

    for quantity in load(name).quantities:
        assert f"{quantity.name}: {quantity.origin()}" in flat


def test_show_gives_the_pair_the_unit_the_range_and_the_source():
    shown = run("properties", "show", "LLZO").stdout
    for words in ("7.36e-09 cm2/s", "0.000372 cm2/s", "0.28 eV", "300–600 K", "log10 sd 0.29"):
        assert words in shown
    assert "assumed (10.1038/s41524-021-00681-8)" in shown


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("properties", "show", "LZO"), ["property library", "LZO", "did you mean 'LLZO'?"]),
        (("properties", "show", "none.toml"), ["none.toml", "no such file"]),
        (("generate", "none.toml", "-o", "a.vti"), ["none.toml", "no such file"]),
        (("generate", RECIPE, "-o", "a.png"), ["a.png", ".png"]),
        (("generate", RECIPE, "-o", "a.npz", "--cells", "8"), ["at least 4 voxels", "8 × 8"]),
    ],
)
def test_bad_input_is_one_line_on_stderr_and_exit_code_two(arguments, words):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize("arguments", [("properties", "shwo"), ("properties", "show"), ("--bad",)])
def test_usage_errors_exit_with_two(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_an_interruption_ends_with_a_word_and_130(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "names", interrupted)
    result = run("properties", "list")
    assert result.exit_code == 130
    assert result.stderr == "interrupted; finished samples are kept: run again to go on\n"


@pytest.mark.parametrize("command", [("properties", "list"), ("properties", "show"), ("generate",)])
def test_help_has_an_example(command):
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout


def test_as_a_process():
    command = [sys.executable, "-c", "from multiscale.cli import main; main()"]
    good = subprocess.run(
        [*command, "properties", "list"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert good.returncode == 0
    assert "LLZO-LLZO" in good.stdout
    bad = subprocess.run(
        [*command, "properties", "show", "LLZ"], capture_output=True, text=True, check=False
    )
    assert bad.returncode == 2
    assert bad.stderr == (
        "error: property library: expected a name in it, received LLZ; did you mean 'LLZO'?\n"
    )


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".tif", ".vti"])
def test_generate_writes_the_image_that_its_suffix_names(tmp_path, suffix):
    from multiscale.microstructure import read_image

    file = tmp_path / f"crystal{suffix}"
    result = run("generate", RECIPE, "--cells", "48", "--seed", "3", "-o", str(file))
    assert result.exit_code == 0
    assert result.stdout.strip() == str(file)
    image = read_image(file)
    assert image.values.shape == (48, 48)
    assert [found.name for found in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize(("grains", "cells"), [("10001", "100"), ("100", "1000000")])
def test_generate_refuses_before_it_grows(tmp_path, grains, cells):
    text = Path(RECIPE).read_text().replace("grains = 100", f"grains = {grains}")
    (tmp_path / "a.toml").write_text(text)
    output = tmp_path / "a.npz"
    result = run("generate", str(tmp_path / "a.toml"), "--cells", cells, "-o", str(output))
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert ("at least 4 voxels" in result.stderr) == (grains == "10001")
    assert [one.name for one in tmp_path.iterdir()] == ["a.toml"]
