"""Bayesian calibration of a grain boundary against a measured impedance spectrum.

Model: the brick layer (:mod:`multiscale.circuit.brick_layer`) between non-blocking contacts;
errors of both parts of Z are normal with a standard deviation of ``noise`` times |Z|, which is
inferred too. Unknowns are sampled as logarithms with flat priors between stated limits, by
differential evolution and stretch moves of emcee (Foreman-Mackey et al., Publ. Astron. Soc.
Pac. 125 (2013) 306, 10.1086/670067; ter Braak, Stat. Comput. 16 (2006) 239,
10.1007/s11222-006-8769-1). What the spectrum cannot tell apart is said.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from multiscale.circuit import ImpedanceSpectrum, lin_kk
from multiscale.errors import ComputationError, InputError, describe
from multiscale.units import VACUUM_PERMITTIVITY

Floats = NDArray[np.float64]
LEAST_POINTS = 12
"""Frequencies below which nothing is calibrated."""
OPEN_ARC = 0.5
"""Share of its largest height at which the loop must have come down at its lowest frequency."""
PRIORS: dict[str, tuple[float, float]] = {
    "bulk_conductivity": (1e-9, 1e2),
    "boundary_conductivity": (1e-14, 1e2),
    "bulk_permittivity": (1.0, 1e4),
    "boundary_permittivity": (1.0, 1e4),
    "boundary_width": (1e-10, 2e-8),
    "noise": (1e-5, 0.3),
}
"""Ends of the flat priors on the logarithms."""
UNITS = {
    "bulk_conductivity": "S/m",
    "boundary_conductivity": "S/m",
    "bulk_permittivity": "1",
    "boundary_permittivity": "1",
    "boundary_width": "m",
    "noise": "1",
}
UNDETERMINED = 0.5
"""A posterior this wide beside its prior says nothing."""
TOGETHER = 0.98
"""Correlation from which on two unknowns are told only together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredSample:
    """The ceramic that was measured.

    Parameters
    ----------
    thickness : float
        Between the contacts [m].
    area : float
        Of the contacts [m²].
    grain_size : float
        Mean grain edge [m].
    boundary_width : float, optional
        Taken for known [m]; None has it inferred.
    """

    thickness: float
    area: float
    grain_size: float
    boundary_width: float | None = 1e-9

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in asdict(self).items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(describe(name, "a finite value > 0 [SI]", value))
        if self.boundary_width is not None and self.boundary_width >= 0.25 * self.grain_size:
            expected = f"less than a quarter of the grain size, {self.grain_size:g} m"
            raise InputError(describe("boundary_width", expected, self.boundary_width))


@dataclass(frozen=True, slots=True)
class Posterior:
    """What is known of one unknown.

    Parameters
    ----------
    name, unit : str
        Which.
    median : float
        Of the posterior.
    interval_68, interval_95 : tuple of float
        Central intervals.
    prior : tuple of float
        Ends of the prior.
    """

    name: str
    unit: str
    median: float
    interval_68: tuple[float, float]
    interval_95: tuple[float, float]
    prior: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A sampled posterior.

    Parameters
    ----------
    parameters : tuple of Posterior
        One for each unknown.
    samples : (n, p) ndarray
        Draws of the unknowns, in the order of ``parameters``.
    band : (2, 2, f) ndarray
        Ends of the central 95 % of new measurements: real and imaginary part [Ω].
    autocorrelation : float
        Longest integrated autocorrelation time [steps].
    steps : int
        Kept for each walker.
    acceptance : float
        Share of accepted moves.
    warnings : tuple of str
        What the spectrum does not determine, and other doubts.
    """

    parameters: tuple[Posterior, ...]
    samples: Floats
    band: Floats
    autocorrelation: float
    steps: int
    acceptance: float
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Give the summary as JSON types.

        Returns
        -------
        dict
            Without the draws.
        """
        return {
            "parameters": [asdict(one) for one in self.parameters],
            "autocorrelation_steps": self.autocorrelation,
            "steps": self.steps,
            "acceptance": self.acceptance,
            "warnings": list(self.warnings),
        }


def calibrate(
    spectrum: ImpedanceSpectrum,
    sample: MeasuredSample,
    *,
    walkers: int = 32,
    steps: int = 6000,
    seed: int = 0,
) -> Calibration:
    """Infer bulk and boundary from a spectrum.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        Measured, in Ω, without the contribution of electrodes: cut a tail at low frequencies.
    sample : MeasuredSample
        Geometry.
    walkers, steps : int, optional
        Of the sampler; a third of the steps is left out as burn-in.
    seed : int, optional
        Of the sampler.

    Returns
    -------
    Calibration
        Posterior, predictive band and what cannot be told.

    Raises
    ------
    InputError
        If emcee is not installed, or the spectrum cannot be used: too few points, in Ω m², a
        loop that is cut short or a tail of electrodes.
    ComputationError
        If the chain is shorter than thirty autocorrelation times.
    """
    try:
        import emcee
    except ImportError:
        remedy = "pip install 'multiscale[calibrate]'"
        raise InputError(describe("calibration", "the extra 'calibrate'", "none", remedy)) from None
    check_spectrum(spectrum)
    problem = _Problem.of(spectrum, sample)
    start = problem.start()
    rng = np.random.default_rng(seed)
    sampler = emcee.EnsembleSampler(
        walkers,
        len(problem.names),
        problem.log_probability,
        vectorize=True,
        moves=[  # they run along the narrow ridges of unknowns that are told only together
            (emcee.moves.DEMove(), 0.7),
            (emcee.moves.DEMove(gamma0=1.0), 0.1),
            (emcee.moves.StretchMove(), 0.2),
        ],
    )
    first = start + 1e-3 * rng.normal(size=(walkers, len(start)))
    first = np.clip(first, problem.low + 1e-6, problem.high - 1e-6)
    sampler.random_state = np.random.RandomState(seed).get_state()
    sampler.run_mcmc(first, steps, skip_initial_state_check=True)
    burn = steps // 3
    length = float(np.max(sampler.get_autocorr_time(discard=burn, tol=0)))
    if not (length * 30 < steps - burn):
        raise ComputationError(
            f"calibration: a chain of {steps - burn} steps has an autocorrelation time of "
            f"{length:.0f}: it has not converged; ask for {60 * length:.0f} steps"
        )
    logs = sampler.get_chain(discard=burn, thin=max(1, int(length / 2)), flat=True)
    acceptance = float(np.mean(sampler.acceptance_fraction))
    return problem.result(logs, rng, length, steps - burn, acceptance)


def check_spectrum(spectrum: ImpedanceSpectrum) -> None:
    """See that a spectrum can tell a bulk and a boundary.

    Parameters
    ----------
    spectrum : ImpedanceSpectrum
        Measured.

    Raises
    ------
    InputError
        If it cannot.
    """
    if spectrum.unit != "ohm":
        remedy = "divide by the area; the sample's area is given beside it"
        raise InputError(describe("spectrum", "impedances in ohm", spectrum.unit, remedy))
    different = len(np.unique(spectrum.frequency))
    if different < LEAST_POINTS:
        expected = f"at least {LEAST_POINTS} different frequencies"
        raise InputError(describe("spectrum", expected, different))
    order = np.argsort(spectrum.frequency)
    real, height = spectrum.impedance.real[order], -spectrum.impedance.imag[order]
    if np.median(real) <= 0 or np.sum(height) <= 0:
        expected = "Z′ > 0 and a capacitive loop, Z″ < 0"
        received = "Z′ < 0" if np.median(real) <= 0 else "Z″ of the other sign"
        raise InputError(describe("spectrum", expected, received, "check the columns' signs"))
    end = float(np.median(height[:3]) / np.max(height))
    if end > OPEN_ARC:
        frequency = spectrum.frequency[order][0]
        expected = "a loop that comes down to the real axis at low frequencies"
        received = f"−Z″ at {end:.0%} of its largest value at {frequency:g} Hz"
        remedy = "measure lower (the arc is cut short), or cut the tail of the electrodes off"
        raise InputError(describe("spectrum", expected, received, remedy))


@dataclass(frozen=True, slots=True)
class _Problem:
    """A likelihood over the logarithms of the unknowns."""

    omega: Floats
    impedance: NDArray[np.complex128]
    sample: MeasuredSample
    names: tuple[str, ...]
    low: Floats
    high: Floats
    doubts: tuple[str, ...]

    @classmethod
    def of(cls, spectrum: ImpedanceSpectrum, sample: MeasuredSample) -> _Problem:
        names = tuple(
            name for name in PRIORS if name != "boundary_width" or sample.boundary_width is None
        )
        widest = 0.25 * sample.grain_size
        ends = {
            name: (low, min(high, widest) if name == "boundary_width" else high)
            for name, (low, high) in PRIORS.items()
        }
        low, high = (np.log([ends[name][side] for name in names]) for side in (0, 1))
        doubts: tuple[str, ...] = ()
        try:
            worst = lin_kk(spectrum)
            largest = float(np.max(np.abs([worst.residual_real, worst.residual_imag])))
            if largest > worst.residual_limit:
                doubts = (
                    f"Lin-KK: residuals up to {largest:.1f} % of |Z|: the sample drifted, or the "
                    "noise is large",
                )
        except InputError as error:
            doubts = (f"Lin-KK was not possible: {error}",)
        omega = 2 * np.pi * np.asarray(spectrum.frequency)
        return cls(omega, np.asarray(spectrum.impedance), sample, names, low, high, doubts)

    def model(self, logs: Floats) -> NDArray[np.complex128]:
        """Impedances (n, f) of unknowns (n, p)."""
        given = dict(zip(self.names, np.exp(np.atleast_2d(logs)).T[:, :, None], strict=True))
        width: Any = given.get("boundary_width", self.sample.boundary_width)
        x = width / self.sample.grain_size
        jomega = 1j * self.omega * VACUUM_PERMITTIVITY
        bulk = given["bulk_conductivity"] + jomega * given["bulk_permittivity"]
        film = given["boundary_conductivity"] + jomega * given["boundary_permittivity"]
        core = (1 - x) ** 2
        kappa = core / ((1 - x) / bulk + x / film) + (1 - core) * film
        found: NDArray[np.complex128] = self.sample.thickness / (self.sample.area * kappa)
        return found

    def log_probability(self, logs: Floats) -> Floats:
        """Of the posterior, but for a constant, for unknowns (n, p)."""
        inside = np.all((logs > self.low) & (logs < self.high), axis=1)
        total = np.full(len(logs), -np.inf)
        if not inside.any():
            return total
        some = logs[inside]
        size = np.abs(self.impedance)
        noise = np.exp(some[:, list(self.names).index("noise")])
        misfit = np.abs((self.model(some) - self.impedance) / size) ** 2
        total[inside] = -0.5 * misfit.sum(axis=1) / noise**2 - 2 * len(size) * np.log(noise)
        return total

    def start(self) -> Floats:
        """The best of many fits by least squares."""
        rng = np.random.default_rng(0)
        free = [place for place, name in enumerate(self.names) if name != "noise"]
        best, lowest = None, math.inf
        full = 0.5 * (self.low + self.high)

        def residual(values: Floats) -> Floats:
            logs = full.copy()
            logs[free] = values
            gap = (self.model(logs)[0] - self.impedance) / np.abs(self.impedance)
            return np.concatenate([gap.real, gap.imag])

        level = math.log(self.sample.thickness / self.sample.area)
        level -= math.log(float(np.max(self.impedance.real)))
        for _ in range(24):
            values = rng.uniform(self.low, self.high)
            values[0] = level + rng.uniform(0, 4)
            values[1] = values[0] - rng.uniform(0, 12)
            values = np.clip(values, self.low + 1e-3, self.high - 1e-3)[free]
            found = least_squares(residual, values, bounds=(self.low[free], self.high[free]))
            if found.cost < lowest:
                best, lowest = found.x, float(found.cost)
        assert best is not None
        full[free] = best
        noise = math.log(math.sqrt(max(lowest / len(self.omega), 1e-9)))
        full[list(self.names).index("noise")] = noise
        return np.clip(full, self.low + 1e-3, self.high - 1e-3)

    def result(
        self, logs: Floats, rng: np.random.Generator, length: float, steps: int, acceptance: float
    ) -> Calibration:
        """Summarise draws."""
        values = np.exp(logs)
        parameters = []
        for place, name in enumerate(self.names):
            ends = np.quantile(values[:, place], [0.5, 0.16, 0.84, 0.025, 0.975]).tolist()
            prior = (float(np.exp(self.low[place])), float(np.exp(self.high[place])))
            parameters.append(
                Posterior(name, UNITS[name], ends[0], (ends[1], ends[2]), (ends[3], ends[4]), prior)
            )
        some = logs[rng.integers(len(logs), size=400)]
        found = self.model(some)
        noise = np.exp(some[:, list(self.names).index("noise")])[:, None] * np.abs(found)
        new = found + noise * (rng.normal(size=found.shape) + 1j * rng.normal(size=found.shape))
        band = np.quantile(np.stack([new.real, new.imag]), [0.025, 0.975], axis=1)
        warned = (*self.doubts, *self.told_together(logs))
        return Calibration(tuple(parameters), values, band, length, steps, acceptance, warned)

    def told_together(self, logs: Floats) -> list[str]:
        """Say which unknowns the spectrum does not determine, alone or apart."""
        said = []
        width = np.asarray(np.ptp(np.quantile(logs, [0.025, 0.975], axis=0), axis=0))
        alone: Floats = width / (0.95 * (self.high - self.low))
        matrix = np.asarray(np.corrcoef(logs.T))
        tied: set[str] = set()
        for i, one in enumerate(self.names):
            for j in range(i):
                if abs(matrix[i, j]) > TOGETHER:
                    kept = "their ratio" if matrix[i, j] > 0 else "their product"
                    said.append(
                        f"{self.names[j]} and {one} cannot be told apart (correlation "
                        f"{matrix[i, j]:+.3f}): only {kept} is determined"
                    )
                    tied |= {one, self.names[j]}
        for place, name in enumerate(self.names):
            if alone[place] > UNDETERMINED and name not in tied:
                said.append(f"{name} is not determined: the posterior is as wide as the prior")
        return said


def without_width(sample: MeasuredSample) -> MeasuredSample:
    """Have the boundary width inferred too.

    Parameters
    ----------
    sample : MeasuredSample
        Geometry.

    Returns
    -------
    MeasuredSample
        The same without a known width.
    """
    return replace(sample, boundary_width=None)
