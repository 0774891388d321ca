"""The polycrystal and its recipe."""

import numpy as np
import pytest

from multiscale.errors import RecipeError, ResolutionError
from multiscale.microstructure import (
    Polycrystal,
    check_resolution,
    polycrystal,
    rotation_matrices,
)

PHASES = {"LLZO": 0.5, "LCO": 0.5}
LAWS: list[dict[str, object]] = [
    {},
    {"seeding": "minimum-distance", "periodic": False},
    {"seeding": "lloyd", "lloyd_steps": 2, "correlation_length": 0.3},
    {"grain_size_cv": 0.3},
]


def make(**options: object) -> Polycrystal:
    given = {"grains": 25, "size": (1.0, 1.0, 1.0), "phases": PHASES, "seed": 7, **options}
    return polycrystal(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("size", [(1.0, 1.0), (1.0, 0.8, 1.2)])
def test_the_same_seed_gives_the_same_crystal(law: dict[str, object], size: object) -> None:
    one, two, other = make(size=size, **law), make(size=size, **law), make(size=size, **law, seed=8)
    for name in ("seeds", "weights", "phases", "orientations"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(one.seeds, other.seeds)
    generated = make(size=size, **law, seed=np.random.default_rng(7))
    assert np.array_equal(one.orientations, generated.orientations)


@pytest.mark.parametrize("law", LAWS)
def test_labels_phases_and_volumes_belong_together(law: dict[str, object]) -> None:
    crystal = make(**law)
    cells = (40, 40, 40)
    labels = crystal.labels(cells)
    assert labels.dtype == np.int32
    assert labels.shape == cells
    shares = np.bincount(labels.ravel(), minlength=25) / labels.size
    assert np.allclose(shares, crystal.tessellation.volumes, atol=1.5e-3)
    assert np.array_equal(crystal.phase_image(cells), crystal.phases[labels])
    twice, images = crystal.labels_and_images(cells)
    assert np.array_equal(twice, labels)
    assert images.shape == (*cells, 3)
    assert images.any() == crystal.periodic


def test_tessellation_is_computed_once() -> None:
    crystal = make()
    assert crystal.tessellation is crystal.tessellation


def test_scaling_scales_everything_and_nothing_else() -> None:
    crystal = make(grain_size_cv=0.3)
    small = crystal.scaled(1e-7)
    assert np.array_equal(crystal.labels((20, 20, 20)), small.labels((20, 20, 20)))
    assert np.allclose(small.tessellation.volumes, crystal.tessellation.volumes * 1e-21)
    assert small.tessellation.facets.area.sum() == pytest.approx(
        crystal.tessellation.facets.area.sum() * 1e-14
    )
    with pytest.raises(RecipeError, match="factor"):
        crystal.scaled(0.0)


def test_grain_graph_holds_the_contract() -> None:
    crystal = make()
    graph, facets = crystal.grain_graph(), crystal.tessellation.facets
    assert sorted(graph.nodes) == list(range(25))
    assert {data["phase"] for _, data in graph.nodes(data=True)} == {"LLZO", "LCO"}
    total = sum(data["volume"] for _, data in graph.nodes(data=True))
    assert total == pytest.approx(1.0, rel=1e-10)
    numbers = []
    for a, b, data in graph.edges(data=True):
        names = sorted((graph.nodes[a]["phase"], graph.nodes[b]["phase"]))
        assert data["type"] == "|".join(names)
        assert data["area"] == pytest.approx(facets.area[data["facets"]].sum(), rel=1e-12)
        assert np.linalg.norm(data["normal"]) == pytest.approx(1.0)
        if len(data["facets"]) == 1:
            (number,) = data["facets"]
            assert facets.first[number] == min(a, b)
            assert np.array_equal(data["normal"], facets.normal[number])
        numbers += data["facets"]
    assert sorted(numbers) == list(range(len(facets)))


def test_grain_graph_of_few_periodic_grains_sums_several_facets() -> None:
    crystal = make(grains=2, size=(1.0, 1.0))
    graph = crystal.grain_graph()
    assert graph.number_of_edges() < len(crystal.tessellation.facets)
    assert any(a == b for a, b in graph.edges)  # a grain meets itself through the box
    area = sum(data["area"] for _, _, data in graph.edges(data=True))
    assert area == pytest.approx(crystal.tessellation.facets.area.sum(), rel=1e-12)


def test_orientations_are_uniform_rotations() -> None:
    crystal = make(grains=2000, size=(1.0, 1.0))
    rotations = rotation_matrices(crystal.orientations)
    assert np.allclose(rotations @ rotations.transpose(0, 2, 1), np.eye(3), atol=1e-12)
    assert np.allclose(np.linalg.det(rotations), 1.0)
    assert np.abs(rotations.mean(axis=0)).max() < 4 / np.sqrt(3 * 2000)
    assert np.allclose(np.mean(rotations**2, axis=0), 1 / 3, atol=0.04)
    angle = np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1))
    assert angle.mean() == pytest.approx(np.pi / 2 + 2 / np.pi, abs=0.05)  # Haar measure


def test_rotation_by_a_quaternion_about_z() -> None:
    quarter = [np.cos(np.pi / 4), 0, 0, np.sin(np.pi / 4)]
    assert np.allclose(rotation_matrices([quarter])[0] @ [1, 0, 0], [0, 1, 0])


def test_check_resolution() -> None:
    crystal = make(grains=64)
    assert check_resolution(crystal, (32, 32, 32)) == pytest.approx(8.0)
    assert crystal.labels((4, 4, 4)).shape == (4, 4, 4)  # labels themselves do not refuse
    with pytest.raises(ResolutionError, match=r"at least 4 voxels .*64 grains .* take cells"):
        check_resolution(crystal, (32, 32, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grains": 0}, "grains: expected a whole number, 1 or more, received 0"),
        ({"grains": 2.5}, "grains"),
        ({"grains": True}, "grains"),
        ({"grains": "ten"}, "grains"),
        ({"size": (1.0,)}, "size: expected two or three"),
        ({"size": (1.0, -1.0)}, "size"),
        ({"size": (1.0, float("nan"))}, "size"),
        ({"size": "big"}, "size"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": None}, "seed"),
        ({"seeding": "possion"}, "did you mean 'poisson'"),
        ({"grain_size_cv": -0.1}, "grain_size_cv"),
        ({"grain_size_cv": float("inf")}, "grain_size_cv"),
        ({"grain_size_cv": "wide"}, "grain_size_cv"),
        ({"correlation_length": float("nan")}, "correlation_length"),
    ],
)
def test_wrong_arguments_are_one_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        make(**options)
    assert "\n" not in str(caught.value)


def test_arrays_that_do_not_fit_are_refused() -> None:
    good = make(grains=3)
    fields = (good.seeds, good.weights, good.size, True, good.phases, good.phase_names)
    with pytest.raises(RecipeError, match="orientations"):
        Polycrystal(*fields, good.orientations[:2])
    with pytest.raises(RecipeError, match="phases"):
        Polycrystal(*fields[:4], good.phases + 2, good.phase_names, good.orientations)
