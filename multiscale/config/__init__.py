"""Strict TOML files become frozen objects: recipes and studies.

In: ``microstructures/*.toml`` and ``runs/*/study.toml``. Out: :class:`Recipe` and
:class:`Study`, checked alone and against each other, in SI. Units stand in the names of
keys (``grain_size_nm``) and are converted here, once. Whatever is wrong ends in one line
that names the file, the key, what was expected and what was received.

Reading order: ``recipe``, ``study``; the reading itself is ``multiscale.tomlfile``.
"""

from multiscale.config.recipe import Recipe, build, find_recipe, load_recipe
from multiscale.config.study import Ensemble, SamplePlan, Study, load_study

__all__ = [
    "Ensemble",
    "Recipe",
    "SamplePlan",
    "Study",
    "build",
    "find_recipe",
    "load_recipe",
    "load_study",
]
