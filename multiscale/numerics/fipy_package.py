"""FiPy, imported without letting it read our command line or choose a solver by itself."""

from __future__ import annotations

import os
import sys
import warnings
from types import ModuleType


def import_fipy() -> ModuleType:
    """Import FiPy with its SciPy solvers.

    Returns
    -------
    module
        ``fipy``.
    """
    os.environ.setdefault("FIPY_SOLVERS", "scipy")
    arguments, sys.argv = sys.argv, sys.argv[:1]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import fipy
    finally:
        sys.argv = arguments
    module: ModuleType = fipy
    return module
