"""Reference values that are kept: which problems, how to build them, and their answers.

``python tests/verification/resolved_cases.py 2d|3d`` computes what resolved_values.json lacks,
one case at a time. A case in the file::

    name        unique
    family      cases that make one table
    crystal     keyword arguments of multiscale.polycrystal
    print       fingerprint of the crystal that these arguments made
    phases      name → number or tensor
    boundaries  "A|B" → keyword arguments of multiscale.Boundary; null without films
    tensor      effective tensor
    error       error of each of its components: a guaranteed bound for method "bounds",
                an estimate for method "voxels"
    method      "bounds" (resolved_2d), "voxels" or "layered voxels" (resolved_grid)
    effort      unknowns of the last mesh, or the voxels along the box and their tensors
    percolates  name → axes along which the phase percolates (multiscale.percolation)
"""

import hashlib
import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
from resolved import resolved_2d, resolved_grid

import multiscale as ms

VALUES = Path(__file__).parent / "resolved_values.json"
SEEDS = (1, 2, 3)
ISOTROPIC_FILMS = (1e-4, 1e-3, 1e-2, 0.1, 10.0, 100.0, 1e3, 1e4)
TURNED_FILMS = ((0.1, 10.0), (10.0, 0.1), (0.01, 1.0), (1.0, 0.01))
"""(across, along) with K⊥/K∥ of 0.01 and 100."""
TWO_PHASE_FILMS = {
    "blocking": {"A|A": 0.01, "B|B": 0.1, "A|B": 1e-4},
    "mixed": {"A|A": 10.0, "B|B": 1e-5, "A|B": 0.1},
}
CONTRAST = 1e-3
PLAIN = (96, 120, 152, 184)
LAYERED = (48, 64, 80, 112)
LAYERED_FINE = (72, 96, 120, 144)
FAST = 100.0
"""Films that conduct more than this need the finer grids."""
PARTS = 3


def one(width, across, along=None):
    along = across if along is None else along
    return {"A|A": {"width": width, "across": across, "along": along}}


def crystal_2d(seed, shares=None):
    shares = {"A": 1.0} if shares is None else shares
    return {"grains": 16, "size": [4.0, 4.0], "phases": shares, "seed": seed}


def crystal_3d(seed, shares=None):
    shares = {"A": 1.0} if shares is None else shares
    return {"grains": 8, "size": [2.0, 2.0, 2.0], "phases": shares, "seed": seed}


def case(name, family, crystal, phases, boundaries):
    return {
        "name": name,
        "family": family,
        "crystal": crystal,
        "phases": phases,
        "boundaries": boundaries,
    }


def cases_2d():
    """Grains of mean size one, so that widths are δ/d."""
    for width, film, seed in itertools.product((0.02, 0.05, 0.005), ISOTROPIC_FILMS, SEEDS):
        yield case(
            f"2d one w{width:g} c{film:g} s{seed}",
            "2d one phase",
            crystal_2d(seed),
            {"A": 1.0},
            one(width, film),
        )
    for (across, along), seed in itertools.product(TURNED_FILMS, SEEDS):
        yield case(
            f"2d turned {across:g}/{along:g} s{seed}",
            "2d across and along differ",
            crystal_2d(seed),
            {"A": 1.0},
            one(0.02, across, along),
        )
    for share, (kind, films), seed in itertools.product(
        (0.35, 0.5, 0.65), TWO_PHASE_FILMS.items(), SEEDS
    ):
        yield case(
            f"2d two {kind} f{share:g} s{seed}",
            f"2d two phases, {kind}",
            crystal_2d(seed, {"A": share, "B": 1 - share}),
            {"A": 1.0, "B": CONTRAST},
            {key: {"width": 0.02, "across": c, "along": c} for key, c in films.items()},
        )
    for slow, film, seed in itertools.product((0.1, 0.01), (0.1, 10.0, None), SEEDS):
        yield case(
            f"2d tensor {slow:g} c{'none' if film is None else f'{film:g}'} s{seed}",
            "2d crystal tensors" if film else "2d crystal tensors without films",
            crystal_2d(seed),
            {"A": [[1.0, 0.0], [0.0, slow]]},
            None if film is None else one(0.02, film),
        )


def cases_3d():
    """Grains of mean size one and films of 0.05."""
    for film, seed in itertools.product((10.0, 0.1, 1e3, 1e-3), SEEDS):
        yield case(
            f"3d one c{film:g} s{seed}",
            "3d one phase",
            crystal_3d(seed),
            {"A": 1.0},
            one(0.05, film),
        )
    for kind, films in TWO_PHASE_FILMS.items():
        yield case(
            f"3d two {kind} f0.5 s1",
            f"3d two phases, {kind}",
            crystal_3d(1, {"A": 0.5, "B": 0.5}),
            {"A": 1.0, "B": CONTRAST},
            {key: {"width": 0.05, "across": c, "along": c} for key, c in films.items()},
        )
    for film in (0.1, 10.0):
        yield case(
            f"3d tensor 0.1 c{film:g} s1",
            "3d crystal tensors",
            crystal_3d(1),
            {"A": np.diag([1.0, 1.0, 0.1]).tolist()},
            one(0.05, film),
        )


def fingerprint(crystal):
    """Short hash of seeds, weights, phases and orientations, to nine digits."""
    parts = (crystal.seeds, crystal.weights, crystal.orientations, crystal.phases)
    text = ";".join(
        ",".join(f"{x:.9f}" for x in np.asarray(part, float).ravel() + 0.0) for part in parts
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def build(entry):
    """Crystal, phases and boundaries of a case.

    Raises ValueError if the crystal is no longer the one whose value was computed.
    """
    crystal = ms.polycrystal(**entry["crystal"])
    if entry.get("print", fingerprint(crystal)) != fingerprint(crystal):
        raise ValueError(f"{entry['name']}: these arguments now make another crystal; recompute")
    films = entry["boundaries"]
    if films is not None:
        films = {key: ms.Boundary(**film) for key, film in films.items()}
    phases = {
        name: value if isinstance(value, float) else np.array(value)
        for name, value in entry["phases"].items()
    }
    return crystal, phases, films


def load(family=None):
    """Cases of resolved_values.json, all or of families that start with ``family``."""
    found = json.loads(VALUES.read_text())["cases"] if VALUES.exists() else []
    for entry in found:
        entry["tensor"], entry["error"] = np.array(entry["tensor"]), np.array(entry["error"])
    return [entry for entry in found if entry["family"].startswith(family or "")]


def layers_suit(entry):
    """Whether layered voxels are the better ones: films that conduct, or turned tensors."""
    films = entry["boundaries"].values()
    tensors = any(not isinstance(value, float) for value in entry["phases"].values())
    return tensors or min(film["across"] for film in films) > 1.0


def compute(entry):
    """Solve a case and add the answer to it."""
    crystal, phases, films = build(entry)
    if crystal.dimension == 2:
        found = resolved_2d(crystal, phases, films)
        method, effort = "bounds", found.unknowns
    else:
        layered = layers_suit(entry)
        fast = max(film["along"] for film in entry["boundaries"].values()) > FAST
        grids, parts = (LAYERED_FINE if fast else LAYERED, PARTS) if layered else (PLAIN, None)
        found = resolved_grid(crystal, phases, films, grids, parts=parts)
        method = "layered voxels" if layered else "voxels"
        effort = [[list(n), t.tolist()] for n, t in zip(found.cells, found.tensors, strict=True)]
    axes = ms.percolation(crystal)
    return entry | {
        "print": fingerprint(crystal),
        "tensor": found.tensor,
        "error": found.error,
        "method": method,
        "effort": effort,
        "percolates": dict(zip(axes.phase_names, axes.phase_percolates.tolist(), strict=True)),
    }


def save(entries):
    """Write the file, a case a line."""
    lines = ",\n".join(
        json.dumps(
            {
                key: np.asarray(v).tolist() if isinstance(v, np.ndarray) else v
                for key, v in e.items()
            }
        )
        for e in entries
    )
    VALUES.write_text(
        '{"made by": "tests/verification/resolved_cases.py", "cases": [\n' + lines + "\n]}\n"
    )


def main(dimension):
    wanted = {"2d": cases_2d, "3d": cases_3d}[dimension]
    for entry in wanted():
        if entry["name"] in {e["name"] for e in load()}:
            continue
        begin = time.perf_counter()
        found = compute(entry)
        save([*load(), found])
        relative = np.diag(found["error"]) / np.diag(found["tensor"])
        seconds = time.perf_counter() - begin
        print(f"{entry['name']:32s} {relative.max():.1e} {seconds:6.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
