"""The main figures as sentences, for the top of the page and for the terminal."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from multiscale.report.comparison_figures import circuit_error, quality_values
from multiscale.report.findings import Findings, find
from multiscale.report.observations import levels, per_sample, sample_ensembles, temperatures
from multiscale.report.trends import quantile, size_exponent, summaries
from multiscale.report.wording import count, length, listing, number, percent, power, signed, span


def headline(dataset: xr.Dataset, temperature: float | None = None) -> list[str]:
    """State the main figures of a study.

    Parameters
    ----------
    dataset : xarray.Dataset
        The merged results.
    temperature : float, optional
        Temperature of single-temperature statements [K]; the study's nearest to
        it is used. Room temperature by default.

    Returns
    -------
    list of str
        One sentence or two for each finding, plain text.

    Raises
    ------
    StoreError
        If the data set holds no results.
    """
    return sentences(find(dataset, temperature))


def sentences(findings: Findings) -> list[str]:
    """State the main figures of findings that were computed before.

    Parameters
    ----------
    findings : Findings
        What the result set says.

    Returns
    -------
    list of str
        One sentence or two for each finding, plain text.
    """
    if not len(findings.values):
        return [f"{_extent(findings)} No transport value was computed."]
    found = [_extent(findings)]
    for ensemble in findings.ensembles:
        found += [_range(findings, ensemble), modes_sentence(findings, ensemble)]
    found.append(_conductivity(findings))
    found += [_why(findings), _percolation(findings), _size(findings), _energy(findings)]
    found += [_circuit(findings), _solver(findings), *_films(findings)]
    return [sentence for sentence in found if sentence]


def _extent(findings: Findings) -> str:
    data, member = findings.dataset, sample_ensembles(findings.dataset)
    parts = [f"{np.count_nonzero(member == name)} {name}" for name in findings.ensembles]
    fractions = [percent(v) for v in levels(findings.values.volume_fraction)]
    sizes = [length(v) for v in levels(per_sample(data, "grain_size"))]
    kelvin = [f"{t:g} K" for t in temperatures(data)]
    text = f"{count(member.size, 'polycrystal')} ({', '.join(parts)})"
    if fractions:
        text += f", {findings.swept} {span(fractions)} by volume"
    if sizes:
        text += f", grains of {listing(sizes) if len(sizes) < 4 else span(sizes)}"
    return f"{text}, at {listing(kelvin)}."


def _range(findings: Findings, ensemble: str) -> str:
    group = findings.values.of(ensemble)
    points = summaries(group.diffusivity, group.volume_fraction)
    if not points:
        return ""
    shown = [points[0]] if len(points) == 1 else [points[0], points[-1]]
    parts = [
        f"{power(s.median)} m²/s at {findings.swept} {percent(level)} "
        f"(10–90 %: {power(quantile(s, 0.1))} to {power(quantile(s, 0.9))})"
        for level, s in shown
    ]
    zero = f"; {group.zeros} of {len(group)} values are exactly zero" if group.zeros else ""
    return (
        f"{ensemble}, {findings.temperature:g} K: the median effective diffusivity is "
        f"{' and '.join(parts)}{zero}."
    )


def _conductivity(findings: Findings) -> str:
    """State σ_eff where the chemical potential drives; the axes of all samples together."""
    data, parts = findings.dataset, []
    if "effective_conductivity" not in data:
        return ""
    kelvin = data["effective_conductivity"].sel(temperature=findings.temperature)
    values = np.einsum("saa->sa", kelvin.transpose("sample", "axis", "axis2").values)
    member = sample_ensembles(data)
    for ensemble in findings.ensembles:
        own = values[member == ensemble]
        own = own[np.isfinite(own)]
        if own.size:
            low, middle, high = np.quantile(own, (0.1, 0.5, 0.9))
            parts.append(
                f"{power(middle)} S/m in {ensemble} (10–90 %: {power(low)} to {power(high)})"
            )
    if not parts:
        return ""
    return f"Effective conductivity at {findings.temperature:g} K, median: {listing(parts)}."


def modes_sentence(findings: Findings, ensemble: str) -> str:
    """Say at which volume fractions an ensemble has two modes, and whether percolation parts them.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    ensemble : str
        Name of the ensemble.

    Returns
    -------
    str
        Up to three sentences; with the distance of the modes where there are two.
    """
    table = findings.verdicts[ensemble]
    tested = {level: verdict for level, verdict in table.items() if verdict.modes > 0}
    if not tested:
        return f"{ensemble}: too few values at each volume fraction to test for modes."
    two = {level: verdict for level, verdict in tested.items() if verdict.modes == 2}
    far = [level for level, verdict in tested.items() if verdict.apart > 0]
    text = f"{ensemble}: one mode at every volume fraction tested ({len(tested)})."
    if two:
        of = f"{len(two)} of {count(len(tested), 'volume fraction')} tested"
        where = f"{findings.swept} {listing(percent(level) for level in two)}"
        gaps = [np.ptp(v.pooled.centres) for v in two.values() if len(v.pooled.centres) == 2]
        apart = f", a factor {number(10 ** float(np.median(gaps)), 2)} apart" if gaps else ""
        text = f"{ensemble}: two modes at {of} ({where}){apart}."
    if far:
        where = listing(percent(level) for level in far)
        text += f" At {where} a group too small for the test lies far from the rest."
    return f"{text} {split_sentence(findings, ensemble)}".strip()


def split_sentence(findings: Findings, ensemble: str) -> str:
    """Say whether percolation of the faster phase parts the two modes of an ensemble.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    ensemble : str
        Name of the ensemble.

    Returns
    -------
    str
        One sentence; empty where no volume fraction has two modes or nothing is
        known of percolation.
    """
    two = [level for level, verdict in findings.verdicts[ensemble].items() if verdict.modes == 2]
    splits = findings.splits[ensemble]
    if not two or not splits:
        return ""
    mixed = [splits[level] for level in two if level in splits and splits[level].mixed]
    if not mixed:
        return f"At none of these does {findings.fast} percolate along some axes and not others."
    single = [
        split
        for split in mixed
        if max(split.percolating_verdict.modes, split.blocked_verdict.modes) < 2
    ]
    return (
        f"Parted by whether {findings.fast} percolates along the axis, neither part has two modes "
        f"at {len(single)} of {len(two)}."
    )


def _why(findings: Findings) -> str:
    best = [
        (split.explained, ensemble, fraction, split)
        for ensemble, table in findings.splits.items()
        for fraction, split in table.items()
        if np.isfinite(split.explained) and min(len(split.percolating), len(split.blocked)) >= 3
    ]
    if not best:
        return ""
    share, ensemble, fraction, split = max(best, key=lambda item: item[0])
    total = len(split.percolating) + len(split.blocked)
    return (
        f"Where percolation of {findings.fast} matters most ({ensemble}, {findings.swept} "
        f"{percent(fraction)}) the median D is {number(split.ratio, 2)} times as large along axes "
        f"where it percolates ({len(split.percolating)} of {total}) as along the others, which "
        f"accounts for {percent(share, 3)} of the variance of log D."
    )


def _percolation(findings: Findings) -> str:
    half, never = [], []
    for ensemble, curve in findings.percolation.items():
        if np.isfinite(curve.threshold):
            half.append(f"{percent(curve.threshold)} in {ensemble}")
        elif curve.fraction.size:
            low, high = curve.probability.min(), curve.probability.max()
            ends = span([percent(low), percent(high)])
            never.append(f"in {ensemble} along {ends} of the axes over the fractions studied")
    parts = []
    if half:
        parts.append(f"along half of the axes at a volume fraction of {listing(half)}")
    return f"{findings.fast} percolates {'; '.join(parts + never)}." if parts + never else ""


def _size(findings: Findings) -> str:
    sizes = levels(findings.values.grain_size)
    if len(sizes) < 2:
        return ""
    parts = []
    for ensemble in findings.ensembles:
        slopes = [size_exponent(g) for _, g in findings.values.of(ensemble).by_fraction()]
        known = sorted(slope for slope in slopes if np.isfinite(slope))
        if known:
            parts.append(f"{span([signed(known[0]), signed(known[-1])])} in {ensemble}")
    if not parts:
        return ""
    return (
        f"Grain size, {length(sizes[0])} to {length(sizes[-1])}: the slope d ln D / d ln d of the "
        f"median is {listing(parts)}, over the volume fractions."
    )


def _energy(findings: Findings) -> str:
    member, parts = sample_ensembles(findings.dataset), []
    for ensemble in findings.ensembles:
        values = findings.energies[member == ensemble]
        values = values[np.isfinite(values)]
        if values.size:
            low, middle, high = np.quantile(values, (0.1, 0.5, 0.9))
            parts.append(f"{middle:.3f} eV in {ensemble} (10–90 %: {low:.3f} to {high:.3f} eV)")
    return f"Apparent activation energy, median: {listing(parts)}." if parts else ""


def _circuit(findings: Findings) -> str:
    parts = []
    for ensemble in findings.ensembles:
        error = circuit_error(findings.values.of(ensemble))
        if error.n:
            parts.append(
                f"{percent(error.median)} in {ensemble} (5–95 %: {percent(error.low)} to "
                f"{percent(error.high)})"
            )
    if not parts:
        return ""
    return f"The resistor network differs from the field solution by {listing(parts)}, median."


def _films(findings: Findings) -> list[str]:
    """Repeat what the run was warned of: films that are wide for their grains or voxels."""
    stored = str(findings.dataset.attrs.get("film_warnings", "[]"))
    return [f"Mind the film width. {line}." for line in json.loads(stored)]


def _solver(findings: Findings) -> str:
    parts = []
    for name, label in (("flux_imbalance", "flux imbalance"), ("residual", "residual")):
        every = [quality_values(findings, name, ensemble) for ensemble in findings.ensembles]
        values = np.concatenate(every) if every else np.empty(0)
        if values.size:
            parts.append(f"largest relative {label} {power(values.max())}")
    if not parts:
        return ""
    text = listing(parts)
    return f"{text[0].upper()}{text[1:]}, over all solves."
