"""The block rasteriser against the naive one, and what it must not depend on."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import multiscale
from multiscale.errors import RecipeError
from multiscale.microstructure import naive_labels, rasterise, rasterise_labels, tessellate


def draw(count: int, dimension: int, seed: int, spread: float) -> tuple[np.ndarray, ...]:
    generator = np.random.default_rng(seed)
    size = np.array([1.0, 0.7, 1.3])[:dimension] * 1e-6
    unit = (np.prod(size) / count) ** (2 / dimension)
    return (
        generator.random((count, dimension)) * size,
        generator.random(count) * spread * unit,
        size,
    )


@settings(max_examples=25, deadline=None)
@given(
    count=st.integers(1, 40),
    cells=st.lists(st.integers(1, 37), min_size=2, max_size=3),
    seed=st.integers(0, 1000),
    spread=st.sampled_from([0.0, 0.5, 5.0]),
    periodic=st.booleans(),
)
def test_blocks_give_what_comparing_all_seeds_gives(
    count: int, cells: list[int], seed: int, spread: float, periodic: bool
) -> None:
    seeds, weights, size = draw(count, len(cells), seed, spread)
    fast = rasterise_labels(seeds, weights, size, cells, periodic=periodic)
    assert fast.dtype == np.int32
    assert np.array_equal(fast, naive_labels(seeds, weights, size, cells, periodic=periodic))


@pytest.mark.parametrize(("dimension", "cells"), [(2, (150, 70)), (3, (70, 33, 81))])
@pytest.mark.parametrize("periodic", [True, False])
def test_several_coarse_blocks(dimension: int, cells: tuple[int, ...], periodic: bool) -> None:
    seeds, weights, size = draw(90, dimension, 3, 0.5)
    fast = rasterise_labels(seeds, weights, size, cells, periodic=periodic)
    assert np.array_equal(fast, naive_labels(seeds, weights, size, cells, periodic=periodic))


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("periodic", [True, False])
def test_images_point_to_the_seed_that_wins(dimension: int, periodic: bool) -> None:
    seeds, weights, size = draw(12, dimension, 4, 0.5)
    cells = (30, 20, 25)[:dimension]
    labels, images = rasterise(seeds, weights, size, cells, periodic=periodic)
    assert images.dtype == np.int8
    assert np.array_equal(labels, rasterise_labels(seeds, weights, size, cells, periodic=periodic))
    axes = [(np.arange(n) + 0.5) * edge / n for n, edge in zip(cells, size, strict=True)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    power = np.sum((centres - seeds[labels] - images * size) ** 2, axis=-1) - weights[labels]
    arm = np.abs(centres[..., None, :] - seeds)
    arm = np.minimum(arm, size - arm) if periodic else arm
    least = np.min(np.sum(arm**2, axis=-1) - weights, axis=-1)
    assert np.allclose(power, least, rtol=0, atol=1e-9 * size.max() ** 2)
    assert images.any() == periodic


def test_voxel_volumes_converge_to_the_exact_ones() -> None:
    seeds, weights, size = draw(20, 3, 5, 0.4)
    exact = tessellate(seeds, size, weights).volumes / np.prod(size)
    errors = []
    for count in (16, 64):
        labels = rasterise_labels(seeds, weights, size, (count,) * 3, periodic=True)
        shares = np.bincount(labels.ravel(), minlength=20) / labels.size
        errors.append(np.abs(shares - exact).mean())
    assert errors[1] < 5e-5
    assert errors[1] < errors[0] / 6


@settings(max_examples=10, deadline=None)
@given(moves=st.lists(st.integers(0, 15), min_size=3, max_size=3), order=st.permutations([0, 1, 2]))
def test_shifting_and_turning_moves_the_labels_along(moves: list[int], order: list[int]) -> None:
    seeds, weights, size = draw(15, 3, 6, 0.5)
    cells = np.array([16, 16, 16])
    plain = rasterise_labels(seeds, weights, size, cells, periodic=True)
    moved = (seeds + np.array(moves) * size / cells) % size
    other = rasterise_labels(moved[:, order], weights, size[order], cells[order], periodic=True)
    wanted = np.roll(plain, moves, axis=(0, 1, 2)).transpose(order)
    assert np.count_nonzero(other != wanted) <= 2  # ties at rounding


@pytest.mark.parametrize(
    "cells", [(4, 4), (4, 4, 0), (4, 4, -1), (4, 4, 4.5), (4, 4, "x"), 4, (4, 4, np.nan)]
)
def test_grids_that_are_none_are_refused(cells: object) -> None:
    seeds, weights, size = draw(3, 3, 0, 0.0)
    with pytest.raises(RecipeError, match="cells: expected 3 positive whole numbers"):
        rasterise_labels(seeds, weights, size, cells, periodic=True)  # type: ignore[arg-type]


def test_works_where_no_cache_folder_can_be_written(tmp_path: Path) -> None:
    source = Path(multiscale.__path__[0])
    package = tmp_path / "multiscale"
    package.mkdir()
    for name in ("errors.py", "provenance.py", "microstructure", "numerics"):
        origin = source / name
        copy = shutil.copytree if origin.is_dir() else shutil.copy
        copy(origin, package / name)
    (package / "__init__.py").touch()
    script = (
        "import numba.core.caching as c\n"
        "def refuse(self): raise OSError('read-only')\n"
        "for l in [v for k, v in vars(c).items() if k.endswith('CacheLocator')]:\n"
        "    l.ensure_cache_path = refuse\n"
        "import multiscale.microstructure.rasteriser as r, numpy as np\n"
        "size = np.ones(2)\n"
        "seeds = np.array([[.2, .2], [.7, .7]])\n"
        "print(r.rasterise_labels(seeds, np.zeros(2), size, (2, 2), periodic=False).tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[[0, 1], [1, 1]]"
