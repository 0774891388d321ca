"""The parts of the page in reading order: each a title, text, figures and tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from multiscale.report import comparison_figures as comparison
from multiscale.report import distribution_figures as distribution
from multiscale.report import percolation_figures, pictures, trend_figures
from multiscale.report.findings import Findings, Split
from multiscale.report.markup import Html, bullets, element, figure, fold, linked, paragraph, table
from multiscale.report.observations import (
    AxisValues,
    levels,
    names,
    per_sample,
    phases,
    sample_ensembles,
    target_fraction,
    temperatures,
)
from multiscale.report.pictures import FieldPicture
from multiscale.report.style import inline_image
from multiscale.report.trends import (
    percolation_curves,
    phase_energies,
    quantile,
    size_exponent,
    summaries,
)
from multiscale.report.verdicts import judge
from multiscale.report.wording import count, length, listing, number, percent, power, span


@dataclass(frozen=True, slots=True)
class Material:
    """What the page is made from.

    Parameters
    ----------
    findings : Findings
        What the result set says.
    pictures : tuple of FieldPicture
        Example microstructures.
    provenance_rows : tuple of tuple of str
        Name, quantity, value, uncertainty, valid range, source.
    """

    findings: Findings
    pictures: tuple[FieldPicture, ...]
    provenance_rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page.

    Parameters
    ----------
    key : str
        Its anchor.
    title : str
        Its heading.
    build : callable
        Makes the content.
    """

    key: str
    title: str
    build: Callable[[Material], Html]


def _join(*pieces: object) -> Html:
    return element("div", *[piece for piece in pieces if piece])


def _drawing(made: Figure, caption: object, alternative: str, kind: str = "svg") -> Html:
    return figure(inline_image(made, kind), caption, alternative)


def _absent(text: str) -> Html:
    return element("p", text, class_="absent")


def asked(material: Material) -> Html:
    """Say what was asked and over what it was studied."""
    f = material.findings
    data = f.dataset
    question = str(data.attrs.get("question", "")).strip()
    boundaries = names(data, "boundary_type")
    rows = [
        ("Phases", listing(phases(data)) + (f"; {f.fast} conducts faster" if f.fast else "")),
        ("Boundary types", listing(boundaries) if boundaries else "none stored"),
        ("Swept", f"volume fraction of {f.swept}: "
         + listing(percent(v) for v in levels(target_fraction(data)))),
        ("Grain sizes", listing(length(v) for v in levels(per_sample(data, "grain_size")))),
        ("Temperatures", listing(f"{t:g} K" for t in temperatures(data))),
    ]  # fmt: skip
    member = sample_ensembles(data)
    for ensemble in f.ensembles:
        group, n = f.values.of(ensemble), int(np.count_nonzero(member == ensemble))
        text = f"{count(n, 'polycrystal')}, solved along {listing(np.unique(group.axis).tolist())}"
        rows.append((f"Ensemble {ensemble}", text))
    pieces = [paragraph(question) if question else "", table(("", ""), rows, words=(0, 1))]
    return _join(*pieces, _boundary_table(f))


def _boundary_table(f: Findings) -> Html:
    data = f.dataset
    if "phase_diffusivity" not in data:
        return Html("")
    here = data.sel(temperature=f.temperature, method="nearest")
    rows = [
        [name, "–", power(float(here["phase_diffusivity"].sel(phase=name))), "–"]
        for name in phases(data)
    ]
    for name in names(data, "boundary_type"):
        cells = [
            float(here[key].sel(boundary_type=name)) if key in data else float("nan")
            for key in ("boundary_width", "boundary_across", "boundary_along")
        ]
        rows.append([name, length(cells[0]), power(cells[1]), power(cells[2])])
    head = ("", "Width", f"D, or across, {f.temperature:g} K [m²/s]", "Along [m²/s]")
    return table(head, rows)


def microstructures(material: Material) -> Html:
    """Show phase maps and what the structures are made of."""
    f, chosen = material.findings, material.pictures
    pieces: list[object] = []
    if chosen:
        caption = _join("Phases and grain boundaries (dark lines). ",
                        "; ".join(pictures.describe_plane(p) for p in chosen), ".")  # fmt: skip
        drawn = pictures.microstructures(chosen)
        pieces.append(_drawing(drawn, caption, "Maps of phases with grain boundaries", "png"))
    else:
        pieces.append(_absent("No example fields were stored."))
    if trend_figures.has_descriptors(f):
        caption = "Medians. " + _junction_text(f)
        drawn = trend_figures.descriptors(f)
        pieces.append(_drawing(drawn, caption, "Boundary area and heterointerface density"))
    return _join(*pieces)


def _junction_text(f: Findings) -> str:
    text = ("Boundary area (length in 2D) is multiplied by the grain size and junction densities by "
            "its power, so that structures of different grain size can be compared. ")  # fmt: skip
    if "heterointerfaces" not in f.dataset:
        return text
    found, member = per_sample(f.dataset, "heterointerfaces"), sample_ensembles(f.dataset)
    parts = [
        f"{number(float(np.nanmedian(found[member == e])))} in {e}"
        for e in f.ensembles
        if np.isfinite(found[member == e]).any()
    ]
    return text + (
        "A heterointerface is a junction point where at least three types of boundary meet; "
        f"the median structure holds {listing(parts)}."
    )


def flux(material: Material) -> Html:
    """Show flux magnitude and streamlines for two drive directions."""
    chosen = material.pictures
    if not chosen:
        return _absent("No example fields were stored.")
    picked = _spread(chosen)
    low, high = pictures.FLUX_RANGE
    caption = (
        "Left: the structure. Middle and right: flux magnitude (colour, logarithmic, from "
        f"{low:g} to {high:g} times the mean of the plane) and streamlines of the in-plane flux, "
        "driven by a mean gradient along x and along y. "
        + " ".join(pictures.describe_flux(p) for p in picked)
    )
    drawn = pictures.flux_maps(picked)
    return _drawing(drawn, caption, "Maps of flux magnitude with streamlines", "png")


def _spread(chosen: Sequence[FieldPicture]) -> list[FieldPicture]:
    """Pick at most four pictures: the middle two of each dimension."""
    picked: list[FieldPicture] = []
    for dimension in sorted({p.dimension for p in chosen}):
        same = [p for p in chosen if p.dimension == dimension]
        middle = max(0, len(same) // 2 - 1)
        picked += same[middle : middle + 2]
    return picked[:4]


def distributions(material: Material) -> Html:
    """Show D_eff distributions with the test for one or two modes."""
    f = material.findings
    sizes = levels(f.values.grain_size)
    pooled = (
        f" Grain sizes of {listing(length(v) for v in sizes)} are pooled." if len(sizes) > 1 else ""
    )
    caption = (
        f"Effective diffusivity along single axes at {f.temperature:g} K; triangles mark the centres "
        "of the fitted log-normal laws, hatched bars values that are exactly zero." + pooled
    )
    independence = (
        "The axes of one polycrystal share its grains, so its values are correlated and are not "
        "counted as independent: histograms and mode centres pool the axes, but the test for modes "
        "runs on each axis apart (one value a polycrystal), and its smallest p is multiplied by the "
        "number of axes (Bonferroni). Two modes are reported where the dip test rejects every "
        "one-mode law at p < 0.05, two log-normal laws are clearly preferred (BIC difference above "
        "10), and they part (Ashman separation above 2). Values of exactly zero are a group of their "
        "own and are not in the test."
    )
    drawn = distribution.distributions(f)
    return _join(
        _drawing(drawn, caption, "Histograms of effective diffusivity by volume fraction"),
        paragraph(independence),
        _mode_table(f),
    )


def _mode_table(f: Findings) -> Html:
    rows = []
    for ensemble in f.ensembles:
        for fraction, verdict in f.verdicts[ensemble].items():
            group = f.values.of(ensemble, fraction)
            centres = [power(10**centre) for centre in verdict.pooled.centres]
            weights = [percent(weight) for weight in verdict.pooled.weights]
            single = [judge(part).modes for _, part in group.by_size()]
            two = f"{single.count(2)} of {len(single)}" if any(single) else "too few"
            rows.append(
                [
                    ensemble, percent(fraction), verdict.samples, verdict.values, verdict.zeros,
                    verdict.label, number(verdict.p_value, 2), number(verdict.pooled.separation, 2),
                    " | ".join(centres) or "–", " | ".join(weights) or "–", two,
                ]
            )  # fmt: skip
    head = ("Ensemble", f.swept, "Samples", "Values", "D = 0", "Verdict", "p (corrected)",
            "Separation", "Centres [m²/s]", "Weights", "Two modes at single grain sizes")  # fmt: skip
    return table(head, rows, words=(0, 5))


def modes_explained(material: Material) -> Html:
    """Split the distributions by whether the faster phase percolates."""
    f = material.findings
    if not any(f.splits.values()):
        return _absent(
            "Percolation or bulk diffusivities were not stored, so nothing can be split."
        )
    pieces: list[object] = []
    if distribution.mixed_fractions(f):
        caption = (
            f"The distributions at {f.temperature:g} K where some axes percolate and others do not, "
            f"coloured by whether {f.fast} connects opposite faces along the axis of the value. "
            + _split_text(f)
        )
        drawn = distribution.split_distributions(f)
        pieces.append(_drawing(drawn, caption, "Histograms split by percolation"))
    else:
        pieces.append(paragraph(
            f"At no volume fraction does {f.fast} percolate along some axes and not along others."
        ))  # fmt: skip
    pieces.append(_split_table(f))
    return _join(*pieces)


def _split_text(f: Findings) -> str:
    texts = []
    for ensemble in f.ensembles:
        two = [level for level, verdict in f.verdicts[ensemble].items() if verdict.modes == 2]
        if not two:
            texts.append(f"{ensemble}: no volume fraction has two modes.")
            continue
        kept = [s for level in two if (s := f.splits[ensemble].get(level)) is not None]
        mixed = [s for s in kept if s.mixed]
        inside = [s for s in mixed if max(s.percolating_verdict.modes, s.blocked_verdict.modes) < 2]
        texts.append(
            f"{ensemble}: of {count(len(two), 'volume fraction')} with two modes, {len(mixed)} hold "
            f"both kinds of axis, and at {len(inside)} of those neither kind has two modes by itself."
        )
    return " ".join(texts)


def _split_table(f: Findings) -> Html:
    rows = []
    for ensemble in f.ensembles:
        for fraction, split in f.splits[ensemble].items():
            verdict = f.verdicts[ensemble][fraction]
            rows.append([ensemble, percent(fraction), verdict.label, *_split_cells(split)])
    head = ("Ensemble", f.swept, "All axes", f"{f.fast} percolates", "Median D there [m²/s]",
            "Modes there", "Median D elsewhere [m²/s]", "Modes elsewhere", "Ratio",
            "Variance of log D explained")  # fmt: skip
    return table(head, rows, words=(0, 2, 5, 7))


def _split_cells(split: Split) -> list[object]:
    def median(part: AxisValues) -> str:
        return power(float(np.median(part.diffusivity))) if len(part) else "–"

    def modes(part: AxisValues, label: str) -> str:
        return label if len(part) else "–"

    total = len(split.percolating) + len(split.blocked)
    ratio = "∞" if np.isinf(split.ratio) else number(split.ratio, 2)
    return [
        f"{len(split.percolating)} of {total}",
        median(split.percolating),
        modes(split.percolating, split.percolating_verdict.label),
        median(split.blocked),
        modes(split.blocked, split.blocked_verdict.label),
        ratio,
        percent(split.explained),
    ]


def against_fraction(material: Material) -> Html:
    """Show D_eff against volume fraction with bounds."""
    f = material.findings
    caption = (
        f"D_eff along single axes at {f.temperature:g} K: every value (dots, "
        + (
            f"blue where {f.fast} percolates along the axis, orange where it does not"
            if f.fast
            else ""
        )
        + "), median and quantile bands. Wiener and Hashin–Shtrikman bounds are those of the bulk "
        "phases alone: grain boundaries are not in them, so conducting boundaries can lift values "
        "above the upper bounds and blocking ones can push them below the lower. "
        "The Hashin–Shtrikman bounds hold for isotropic structures in the limit of large samples; "
        "a single axis of a finite sample may leave them. " + _outside(f)
    )
    drawn = trend_figures.against_fraction(f)
    return _join(
        _drawing(drawn, caption, "Effective diffusivity against volume fraction"),
        _fraction_table(f),
    )


def _outside(f: Findings) -> str:
    texts = []
    for name, label in (("wiener", "Wiener"), ("hashin_shtrikman", "Hashin–Shtrikman")):
        pair = [f"{name}_{side}" for side in ("lower", "upper")]
        if not all(key in f.dataset for key in pair):
            continue
        low, high = (
            f.dataset[key].sel(temperature=f.temperature, method="nearest").values[f.values.sample]
            for key in pair
        )
        above = int(np.count_nonzero(f.values.diffusivity > high * (1 + 1e-6)))
        below = int(np.count_nonzero(f.values.diffusivity < low * (1 - 1e-6)))
        texts.append(f"{label}: {below} of {len(f.values)} values lie below, {above} above.")
    return " ".join(texts)


def _fraction_table(f: Findings) -> Html:
    rows = []
    for ensemble in f.ensembles:
        group = f.values.of(ensemble)
        for level, s in summaries(group.diffusivity, group.volume_fraction):
            cells = [power(quantile(s, q)) for q in (0.1, 0.25, 0.5, 0.75, 0.9)]
            rows.append([ensemble, percent(level), s.n, *cells, percent(s.zero_fraction)])
    head = ("Ensemble", f.swept, "Values", "10 %", "25 %", "Median [m²/s]", "75 %", "90 %", "D = 0")
    return fold("The numbers", table(head, rows))


def grain_size(material: Material) -> Html:
    """Show the trend with grain size."""
    f = material.findings
    if not trend_figures.has_sizes(f):
        sizes = [length(v) for v in levels(f.values.grain_size)]
        return _absent(f"One grain size was studied ({listing(sizes) or 'not stored'}): no trend.")
    parts = []
    for ensemble in f.ensembles:
        groups = f.values.of(ensemble).by_fraction()
        known = [(level, slope) for level, g in groups if np.isfinite(slope := size_exponent(g))]
        if known:
            told = [f"{slope:+.2f} at {percent(level)}" for level, slope in known]
            parts.append(f"{ensemble}: {listing(told)}.")
    caption = (
        f"Median D_eff at {f.temperature:g} K against grain size; bars span the quartiles of samples "
        f"and axes. Slopes d ln D / d ln d of the medians, by volume fraction of {f.swept}: "
        + " ".join(parts)
        + " A positive slope means that boundaries hinder, a negative one that they help."
    )
    drawn = trend_figures.against_grain_size(f)
    return _drawing(drawn, caption, "Effective diffusivity against grain size")


def temperature(material: Material) -> Html:
    """Show the trend with temperature and apparent activation energies."""
    f = material.findings
    if len(temperatures(f.dataset)) < 2:
        return _absent(f"One temperature was studied ({f.temperature:g} K): no trend.")
    bulk = [f"{name} {e:.3f} eV" for name, e in phase_energies(f.dataset).items() if np.isfinite(e)]
    caption = (
        "Median D_eff against reciprocal temperature, with the bulk phases (black). Apparent "
        "activation energies below are fitted to each sample and axis, "
        f"over {listing(f'{t:g} K' for t in temperatures(f.dataset))}."
        + (f" Bulk: {listing(bulk)}." if bulk else "")
    )
    drawn = trend_figures.arrhenius(f)
    return _join(_drawing(drawn, caption, "Arrhenius plot"), _energy_table(f))


def _energy_table(f: Findings) -> Html:
    member, fraction, rows = sample_ensembles(f.dataset), target_fraction(f.dataset), []
    for ensemble in f.ensembles:
        for level in levels(fraction[member == ensemble]):
            values = f.energies[(member == ensemble) & np.isclose(fraction, level)]
            values = values[np.isfinite(values)]
            if values.size:
                cells = [f"{q:.3f}" for q in np.quantile(values, (0.1, 0.5, 0.9))]
                rows.append([ensemble, percent(level), values.size, *cells])
    head = ("Ensemble", f.swept, "Values", "10 %", "Median activation energy [eV]", "90 %")
    return table(head, rows)


def percolation(material: Material) -> Html:
    """Show how often phases and boundary types connect opposite faces."""
    f = material.findings
    if not any(
        key in f.dataset for key in ("percolates", "percolating_fraction", "boundary_percolates")
    ):
        return _absent("Percolation was not stored.")
    parts = []
    for curve in percolation_curves(f.dataset, "percolates", "phase"):
        if np.isfinite(curve.threshold):
            parts.append(f"{percent(curve.threshold)} for {curve.name} in {curve.ensemble}")
    caption = (
        "Left: how often a phase connects opposite faces along an axis, against its own volume "
        "fraction. Middle: the share of the phase in the connected cluster. Right: the same as left for "
        "networks of one boundary type. Bands: 95 % Wilson intervals that count each sample once. "
        + (
            f"Measured volume fraction where half of the axes percolate: {listing(parts)}. "
            if parts
            else ""
        )
        + "For orientation, infinite Poisson–Voronoi cells percolate near 50 % in 2D (where by symmetry "
        "only one of two phases can) and near 15 % in 3D (where both can)."
    )
    drawn = percolation_figures.percolation(f)
    return _drawing(drawn, caption, "Percolation probability against volume fraction")


def circuit(material: Material) -> Html:
    """Compare the resistor network with the field solution."""
    f = material.findings
    if not np.isfinite(f.values.circuit).any():
        return _absent("The resistor network was not computed.")
    caption = (
        f"Every axis value at {f.temperature:g} K from the grain graph as a resistor network (one "
        "resistor for half a grain, the boundary and half the next grain) against the field solution "
        "of the same structure. The line marks equality."
    )
    rows = []
    for ensemble in f.ensembles:
        e = comparison.circuit_error(f.values.of(ensemble))
        shares = [percent(v) for v in (e.median, e.median_size, e.low, e.high, e.worst)]
        rows.append([ensemble, e.n, *shares, e.only_one_zero])
    head = ("Ensemble", "Pairs", "Median error", "Median size", "5 %", "95 %", "Worst",
            "One of the two is zero")  # fmt: skip
    drawn = comparison.circuit(f)
    return _join(_drawing(drawn, caption, "Resistor network against field"), table(head, rows))


def flux_share(material: Material) -> Html:
    """Show what carries the flux."""
    f = material.findings
    if "flux_share" not in f.dataset:
        return _absent("Shares of the flux were not stored.")
    texts = []
    for ensemble in f.ensembles:
        shares = comparison.flux_shares(f, ensemble)
        if shares.fractions:
            plain = [i for i, name in enumerate(shares.parts) if name != comparison.NEIGHBOURHOOD]
            last, mean = plain[0], shares.mean.mean(axis=0)
            last = max(plain, key=lambda i: mean[i])
            ends = span([percent(shares.mean[0, last]), percent(shares.mean[-1, last])])
            texts.append(
                f"{ensemble}: the largest part over all volume fractions is {shares.parts[last]}, "
                f"{ends} from the lowest to the highest fraction of {f.swept}."
            )
    caption = (
        f"Mean share of the flux at {f.temperature:g} K by phase, along and across each type of "
        "boundary (hatched). The line is the share that passes through the neighbourhood of "
        "heterointerfaces; it overlaps the bars and is not part of their sum. " + " ".join(texts)
    )
    drawn = comparison.flux_share(f)
    return _join(_drawing(drawn, caption, "Share of the flux by part"), _share_table(f))


def _share_table(f: Findings) -> Html:
    rows = []
    for ensemble in f.ensembles:
        shares = comparison.flux_shares(f, ensemble)
        for fraction, line in zip(shares.fractions, shares.mean, strict=True):
            rows.append([ensemble, percent(fraction), *[percent(value) for value in line]])
    return fold("The numbers", table(("Ensemble", f.swept, *names(f.dataset, "part")), rows))


def solver(material: Material) -> Html:
    """Show how well the flux problems were solved."""
    f = material.findings
    rows = []
    for ensemble in f.ensembles:
        cells: list[object] = [ensemble]
        for name in ("flux_imbalance", "residual", "iterations", "solve_seconds"):
            values = comparison.quality_values(f, name, ensemble)
            known = values.size > 0
            cells += (
                [number(float(np.median(values)), 2), number(values.max(), 2)]
                if known
                else ["–", "–"]
            )
        rows.append(cells)
    if all(cell == "–" for row in rows for cell in row[1:]):
        return _absent("Solver quality was not stored.")
    head = ["Ensemble"]
    for label in ("imbalance", "residual", "iterations", "seconds"):
        head += [f"{label}, median", "max"]
    caption = "All samples, temperatures and (for the imbalance) axes."
    drawn = comparison.solver_quality(f)
    return _join(_drawing(drawn, caption, "Histograms of solver quality"), table(head, rows))


def provenance(material: Material) -> Html:
    """Say which code and which study made the results."""
    attributes = material.findings.dataset.attrs
    rows: list[tuple[object, object]] = [
        (label, element("code", attributes[key]))
        for key, label in (("study_hash", "Study hash"), ("git_revision", "Git revision"),
                           ("seed", "Seed"), ("created", "Results merged"))
        if key in attributes
    ]  # fmt: skip
    versions = _decoded(attributes.get("versions"))
    if isinstance(versions, dict):
        rows.append(("Versions", ", ".join(f"{name} {v}" for name, v in versions.items())))
    study = _decoded(attributes.get("resolved_study"))
    shown = study if isinstance(study, str) else json.dumps(study, indent=2, ensure_ascii=False)
    parts = [table(("", ""), rows, words=(0, 1)) if rows else _absent("Nothing was stored.")]
    if study is not None:
        parts.append(fold("The resolved study", element("pre", shown)))
    return _join(*parts)


def _decoded(value: object) -> object:
    """Read an attribute that should be JSON, and show it as it is where it is not."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def sources(material: Material) -> Html:
    """List where each input number came from."""
    if not material.provenance_rows:
        return _absent("No property table was given.")
    rows = []
    for row in material.provenance_rows:
        cells = [*map(str, row)]
        rows.append([*cells[:-1], linked(cells[-1])])
    assumed = sum(str(row[-1]).lower().startswith("assumed") for row in material.provenance_rows)
    text = f"{len(rows)} numbers, of which {assumed} assumed for want of a source; the reason stands beside each."
    head = ("Material", "Quantity", "Value", "Uncertainty", "Valid range", "Source")
    return _join(paragraph(text), table(head, rows, words=range(6)))


def headline_list(found: Sequence[str]) -> Html:
    """Set the main figures as a list."""
    return bullets(found, class_="headline")


SECTIONS = (
    Section("asked", "What was asked", asked),
    Section("microstructures", "The microstructures", microstructures),
    Section("flux", "Where the flux goes", flux),
    Section("distributions", "One mode or two", distributions),
    Section("modes", "What makes the modes", modes_explained),
    Section("volume-fraction", "Diffusivity against volume fraction", against_fraction),
    Section("percolation", "Percolation", percolation),
    Section("grain-size", "Grain size", grain_size),
    Section("temperature", "Temperature", temperature),
    Section("flux-share", "What carries the flux", flux_share),
    Section("circuit", "Resistor network against field", circuit),
    Section("solver", "How well it was solved", solver),
    Section("provenance", "Provenance", provenance),
    Section("sources", "Where each number came from", sources),
)
"""The parts of the page after the headline, in reading order."""
