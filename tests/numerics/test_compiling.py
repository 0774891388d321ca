"""Kernels keep their machine code where they can, and work where they cannot."""

import os
import pkgutil
import subprocess
import sys

import numba
import numpy as np
import pytest

import multiscale
from multiscale.numerics.compiling import kernel, piece

REFUSE = """
import importlib
import numba.core.caching as caching
def refuse(self):
    raise OSError("read-only")
for name, locator in vars(caching).items():
    if name.endswith("CacheLocator"):
        locator.ensure_cache_path = refuse
for name in {names}:
    importlib.import_module(name)
from multiscale.numerics.fragments import Fragments
import numpy as np
links, inverse = np.ones((6, 2, 2, 1), np.float32), np.ones((2, 2, 2, 1), np.float32)
print(Fragments.of(links, inverse).count)
"""


def test_options_reach_the_compiler():
    @kernel(error_model="numpy")
    def divide(a, b):
        return a / b

    assert divide(1.0, 0.0) == float("inf")
    assert divide.targetoptions["nogil"] is True


def test_a_piece_borrows_arrays_and_makes_none():
    @piece()
    def first(pair):
        return pair[0][0] + pair[1][0]

    @piece()
    def make(n):
        return np.zeros(n)[0]

    @kernel()
    def use(pair):
        total = 0.0
        for _ in range(3):
            total += first(pair)
        return total

    @kernel()
    def misuse(n):
        return make(n)

    pair = (np.ones(2), np.arange(4, 6))
    before = [sys.getrefcount(one) for one in pair]
    assert use(pair) == 15.0
    assert [sys.getrefcount(one) for one in pair] == before
    with pytest.raises(numba.NumbaError):
        misuse(3)


def test_every_module_works_where_no_folder_can_be_written():
    names = [
        module.name
        for module in pkgutil.walk_packages(multiscale.__path__, "multiscale.")
        if not module.name.endswith("__main__")
    ]
    assert "multiscale.transport._voxel_kernels" in names
    done = subprocess.run(
        [sys.executable, "-c", REFUSE.format(names=names)],
        env={name: v for name, v in os.environ.items() if name != "NUMBA_CACHE_DIR"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0"
