"""The same profiles by FiPy's finite volumes: an independent, second-order check.

References
----------
Guyer, Wheeler & Warren, Comput. Sci. Eng. 11, 6 (2009), 10.1109/MCSE.2009.52.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multiscale.errors import ConvergenceError
from multiscale.numerics.fipy_package import import_fipy
from multiscale.space_charge.defects import Floats, strength
from multiscale.space_charge.poisson_boltzmann import Section

MOST_SWEEPS = 200
LAST = 1e-10
STRIDE = 2.0


def solve_with_fipy(
    sections: Sequence[Section],
    temperature: float,
    edges: Floats,
    *,
    left: float | None = None,
) -> tuple[Floats, Floats]:
    """Find the potential at the middles of given cells.

    Parameters
    ----------
    sections : sequence of Section
        From left to right.
    temperature : float
        [K].
    edges : ndarray, shape (n + 1,)
        Faces of the cells [m]; the ends of the sections are among them.
    left : float, optional
        y at the left end; without it no field leaves there.

    Returns
    -------
    x, y : ndarray, shape (n,)
        Middles [m] and potentials eφ/kT.

    Raises
    ------
    ConvergenceError
        If the sweeps do not end.
    """
    fipy = import_fipy()
    unit = float(np.diff(edges).min())
    mesh = fipy.Grid1D(dx=np.diff(edges) / unit)
    x = (edges[:-1] + edges[1:]) / 2.0
    ends = np.cumsum([one.length for one in sections])
    owner = np.minimum(np.searchsorted(ends, x), len(sections) - 1)
    a = np.array([strength(s.phase.relative_permittivity, temperature) for s in sections])[owner]
    reference = np.array([s.reference for s in sections])[owner]
    coefficient = fipy.CellVariable(mesh=mesh, value=a / a.min())
    y = fipy.CellVariable(mesh=mesh, value=reference.copy())
    if left is not None:
        y.constrain(left, mesh.facesLeft)
    charge, stiff = np.empty_like(x), np.empty_like(x)
    scale = unit**2 / a.min()
    for _ in range(MOST_SWEEPS):
        now = np.array(y.value)
        for number, one in enumerate(sections):
            here = owner == number
            own = now[here] - one.reference
            charge[here] = one.phase.charge_density(own)
            stiff[here] = one.phase.stiffness(own)
        source = scale * (charge + stiff * now)
        equation = (
            fipy.DiffusionTerm(coeff=coefficient.harmonicFaceValue)
            + fipy.CellVariable(mesh=mesh, value=source)
            - fipy.ImplicitSourceTerm(coeff=fipy.CellVariable(mesh=mesh, value=scale * stiff))
        )
        equation.solve(var=y, solver=fipy.LinearLUSolver(tolerance=1e-14, iterations=20))
        change = np.array(y.value) - now
        largest = float(np.abs(change).max())
        if largest < LAST:
            return x, np.array(y.value)
        y.setValue(now + change * min(1.0, STRIDE / largest))
    raise ConvergenceError(
        f"FiPy: {MOST_SWEEPS} sweeps left a change of {largest:.2g} kT/e in the potential"
    )
