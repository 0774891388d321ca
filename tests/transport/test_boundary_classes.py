"""Films chosen by crystallography: classes, and what they do to the effective diffusivity."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import PropertyError
from multiscale.microstructure import c_axis_angle_to_plane, csl_deviation, disorientation
from multiscale.microstructure.misorientation import planar_orientations
from multiscale.transport import VoxelGeometry, solve_voxels
from multiscale.transport.boundary_model import films
from multiscale.transport.flux import flux_field


def film(across, along=1e-12):
    return ms.Boundary(width=2e-9, across=across, along=along)


def by_angle(low, high, at=40.0):
    rule = ms.BoundaryRule("near", film(low), misorientation=(0, at))
    return ms.BoundaryRules(film(high), (rule,))


@pytest.fixture(scope="module", params=[2, 3])
def crystal(request):
    return ms.polycrystal(25, (2e-7,) * request.param, {"A": 0.5, "B": 0.5}, 4)


def cells(crystal):
    return (40, 40) if crystal.dimension == 2 else (16, 16, 16)


PHASES = {"A": 1e-12, "B": 3e-13}


def solve(crystal, boundaries, **options):
    return ms.effective_diffusivity(
        crystal, cells=cells(crystal), phases=PHASES, boundaries=boundaries, rtol=1e-9, **options
    ).tensor


PLAIN = {"A|A": film(1e-13), "A|B": film(2e-14, 0.0), "B|B": film(5e-15, 5e-12)}
OPEN = ms.BoundaryRule("open", film(7e-14), c_axis_to_plane=(0, 45), c_axis_of="B")
RULED = {
    "A|A": by_angle(3e-13, 1e-13),
    "A|B": ms.BoundaryRules(film(2e-14, 0.0), (OPEN,), "trigonal"),
    ("B", "B"): film(5e-15, 5e-12),
}


def _in_space(normal):
    return np.pad(normal, ((0, 0), (0, 3 - normal.shape[1])))


class TestClasses:
    def test_names(self):
        table = films(RULED, ("A", "B"), (1.0, 1.0))
        assert table.names == ("A|A", "A|A near", "A|B", "A|B open", "B|B")
        assert table.across.tolist() == [1e-13, 3e-13, 2e-14, 7e-14, 5e-15]
        assert films(PLAIN, ("B", "A"), (1.0, 1.0)).names == ("B|B", "A|B", "A|A")

    def test_segregation_is_multiplied_in(self):
        rich = ms.Boundary(width=1e-9, across=1e-13, along=2e-13, segregation=3.0)
        rules = ms.BoundaryRules(rich, (ms.BoundaryRule("s3", rich, sigma=3),))
        table = films({"A|A": rules}, ("A",), (1.0,))
        assert table.across == pytest.approx(3e-13)
        assert table.along == pytest.approx(6e-13)

    def test_classes_by_hand(self, crystal):
        geometry = VoxelGeometry.of(crystal, cells(crystal))
        table = films(RULED, crystal.phase_names, (1e-12, 3e-13))
        classes, faces = geometry.classes(table), geometry.faces
        up = faces.index.copy()
        up[np.arange(up.shape[0]), faces.axis] += 1
        up %= geometry.labels.shape
        one, two = (geometry.labels[tuple(side.T)] for side in (faces.index, up))
        stand = planar_orientations if crystal.dimension == 2 else np.asarray
        q = stand(crystal.orientations)
        near = disorientation(q[one], q[two]) <= 40.0
        same = (faces.lower == 0) & (faces.upper == 0)
        assert (classes[same] == np.where(near[same], 1, 0)).all()
        assert 0 < near[same].mean() < 1
        mixed = faces.lower != faces.upper
        layered = np.where(faces.lower == 1, one, two)[mixed]  # the grain of B
        tilt = c_axis_angle_to_plane(q[layered], _in_space(faces.normal[mixed]))
        assert (classes[mixed] == np.where(tilt <= 45.0, 3, 2)).all()
        assert set(classes[mixed]) == {2, 3}
        assert set(classes[(faces.lower == 1) & (faces.upper == 1)]) == {4}

    def test_either_side_first(self, crystal):
        table = films(RULED, crystal.phase_names, (1e-12, 3e-13))
        facets = crystal.tessellation.facets
        sides = [
            (crystal.phases[s], crystal.orientations[s]) for s in (facets.first, facets.second)
        ]
        (p, q), (r, s) = sides
        forth = table.classify(p, r, q, s, facets.normal)
        assert (forth == table.classify(r, p, s, q, -facets.normal)).all()
        assert (table.classify(p[:0], r[:0], q[:0], s[:0], facets.normal[:0])).shape == (0,)

    def test_pairs_without_a_film(self):
        table = films({"A|A": film(1e-13)}, ("A", "pore"), (1.0, 0.0))
        phases = np.array([0, 0, 1])
        found = table.classify(phases, np.array([0, 1, 1]), None, None, np.eye(3))
        assert found.tolist() == [0, -1, -1]
        bulk = np.array([2.0, 2.0, 0.0])
        assert table.resistance(found, bulk)[1:].tolist() == [0.0, 0.0]
        assert table.sheet(found, bulk, bulk)[1:].tolist() == [0.0, 0.0]
        assert table.resistance(found, bulk)[0] == pytest.approx(1e-9 * (1e13 - 0.5))


class TestEffective:
    def test_rules_without_effect_change_nothing(self, crystal):
        expected = solve(crystal, PLAIN)
        same = {
            "A|A": by_angle(1e-13, 1e-13),
            "A|B": ms.BoundaryRules(PLAIN["A|B"], ()),
            "B|B": ms.BoundaryRules(
                PLAIN["B|B"], (ms.BoundaryRule("never", film(1e-9), misorientation=(0, 1e-9)),)
            ),
        }
        assert (solve(crystal, same) == expected).all()

    @pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
    def test_better_films_conduct_better(self, crystal, boundary):
        """A share of the boundaries is changed: monotone, and within the two plain answers."""
        values = [
            np.diag(solve(crystal, {**PLAIN, "A|A": rules}, boundary=boundary))
            for rules in (
                film(1e-15),
                by_angle(1e-14, 1e-15),
                by_angle(1e-13, 1e-15),
                by_angle(1e-13, 1e-14),
                film(1e-13),
            )
        ]
        assert (np.diff(values, axis=0) > 0).all()

    def test_more_boundaries_of_the_better_kind(self, crystal):
        angles = (5.0, 20.0, 35.0, 44.9)
        values = [
            solve(crystal, {**PLAIN, "A|A": by_angle(1e-13, 1e-15, at)})[0, 0] for at in angles
        ]
        assert (np.diff(values) >= 0).all()
        assert values[-1] > values[0]

    def test_grain_circuit_follows_the_same_rules(self, crystal):
        for rules in (PLAIN, RULED):
            field = np.trace(solve(crystal, rules))
            circuit = np.trace(ms.circuit_diffusivity(crystal, PHASES, rules).tensor)
            assert circuit == pytest.approx(field, rel=0.25)
        plain, ruled = (
            np.trace(ms.circuit_diffusivity(crystal, PHASES, rules).tensor)
            for rules in (PLAIN, RULED)
        )
        gain = np.trace(solve(crystal, RULED)) / np.trace(solve(crystal, PLAIN))
        assert gain > 1.005
        assert ruled / plain - 1 == pytest.approx(gain - 1, rel=0.3)


def bicrystals(turns):
    """A row of bricks, each turned about z, with boundaries normal to x."""
    n = len(turns)
    half = np.radians(turns) / 2
    zero = np.zeros(n)
    return ms.Polycrystal(
        seeds=np.stack([(np.arange(n) + 0.5) * 1e-7, *[np.full(n, 0.5e-7)] * 2], axis=1),
        weights=zero,
        size=(n * 1e-7, 1e-7, 1e-7),
        periodic=True,
        phases=np.zeros(n, int),
        phase_names=("A",),
        orientations=np.stack([np.cos(half), zero, zero, np.sin(half)], axis=1),
    )


class TestExact:
    def test_row_of_bricks_is_a_series(self):
        """Misorientations 10°, 33° (Σ5) and 23° in a ring: each its own resistor."""
        crystal = bicrystals((0.0, 10.0, -23.0))
        rules = ms.BoundaryRules(
            film(1e-15, 0.0),
            (
                ms.BoundaryRule("sigma5", film(1e-14, 0.0), sigma=5),
                ms.BoundaryRule("low", film(1e-13, 0.0), misorientation=(0, 15)),
            ),
        )
        q = crystal.orientations
        off = csl_deviation(q, np.roll(q, -1, axis=0), 5)
        assert (off < 15 / np.sqrt(5)).tolist() == [False, True, False]
        expected = 3e-7 / ((3e-7 - 6e-9) / 1e-12 + 2e-9 * (1 / 1e-13 + 1 / 1e-14 + 1 / 1e-15))
        phases, boundaries = {"A": 1e-12}, {"A|A": rules}
        field = ms.effective_diffusivity(
            crystal, cells=(30, 4, 4), phases=phases, boundaries=boundaries
        )
        assert field.tensor[0, 0] == pytest.approx(expected, rel=1e-6)
        circuit = ms.circuit_diffusivity(crystal, phases, boundaries)
        assert circuit.tensor[0, 0] == pytest.approx(expected, rel=1e-9)

    def test_dissipation_of_each_class_is_its_share_of_the_series(self):
        crystal = bicrystals((0.0, 10.0, -23.0))
        rules = ms.BoundaryRules(
            film(1e-15, 0.0),
            (
                ms.BoundaryRule("sigma5", film(1e-14, 0.0), sigma=5),
                ms.BoundaryRule("low", film(1e-13, 0.0), misorientation=(0, 15)),
            ),
        )
        problem = VoxelGeometry.of(crystal, (30, 4, 4)).problem([1e-12], {"A|A": rules})
        for boundary in ("periodic", "dirichlet"):
            field = flux_field(
                solve_voxels(problem, boundary=boundary, rtol=1e-10, keep=True), ("A",)
            )
            assert field.parts == ("A", "along A|A", "along A|A sigma5", "along A|A low")
            excess = [2e-9 * (1 / across - 1e12) for across in (1e-15, 1e-14, 1e-13)]
            if boundary == "dirichlet":  # the film on the box face falls away
                excess[0] = 0.0
            parts = np.array([3e-7 / 1e-12, *excess, 0.0, 0.0, 0.0])
            assert field.dissipation_parts[1:4] == tuple(
                f"across A|A{name}" for name in ("", " sigma5", " low")
            )
            found = field.dissipation_share[field.axes.index(0)]
            assert found == pytest.approx(parts / parts.sum(), abs=1e-8)

    def test_open_and_closed_layers(self):
        """Layers that lie in the plane (c along x) close a boundary, in 2D and 3D."""
        rule = ms.BoundaryRule("closed", film(1e-16), c_axis_to_plane=(60, 90), c_axis_of="either")
        table = films({"A|A": ms.BoundaryRules(film(1e-13), (rule,), "trigonal")}, ("A",), (1.0,))
        zero, normal = np.zeros(2, int), np.array([[1.0, 0.0], [1.0, 0.0]])
        turned = np.array([[1.0, 0.0, 0.0, 0.0], [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]])
        upright = np.repeat(turned[:1], 2, axis=0)  # 2D: c is the crystal's second axis, along y
        assert table.classify(zero, zero, upright, turned, normal).tolist() == [0, 1]
        tilted = np.array([[1.0, 0.0, 0.0, 0.0], [np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0]])
        normal = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
        assert table.classify(zero, zero, upright, tilted, normal).tolist() == [0, 1]


class TestRefusals:
    def refuse(self, boundaries, words, crystal=None):
        made = crystal or bicrystals((0.0, 10.0, -23.0))
        for call in (
            lambda: ms.effective_diffusivity(
                made,
                cells=None if crystal else (12, 3, 3),
                phases=dict.fromkeys(made.phase_names, 1e-12),
                boundaries=boundaries,
            ),
            lambda: ms.circuit_diffusivity(
                made, dict.fromkeys(made.phase_names, 1e-12), boundaries
            ),
        )[: 1 if crystal else 2]:
            with pytest.raises(PropertyError) as caught:
                call()
            message = str(caught.value)
            assert "\n" not in message
            for word in ("expected", "received", *words):
                assert word in message

    def test_image_without_orientations(self):
        labels = np.zeros((6, 6), int)
        labels[3:] = 1
        image = ms.label_image(labels, 5e-9, phases=["A", "A"], periodic=True)
        self.refuse({"A|A": by_angle(1e-13, 1e-14)}, ["A|A", "no orientations"], image)
        plain = ms.effective_diffusivity(
            image, phases={"A": 1e-12}, boundaries={"A|A": ms.BoundaryRules(film(1e-13), ())}
        )
        assert plain.tensor[0, 0] < 1e-12

    def test_rules_for_another_pair(self):
        rule = ms.BoundaryRule("o", film(1e-13), c_axis_to_plane=(0, 9), c_axis_of="B")
        rules = ms.BoundaryRules(film(1e-13), (rule,), "trigonal")
        self.refuse({"A|A": rules}, ["boundaries['A|A']", "rule 'o'", "both"])

    def test_bare_rule(self):
        rule = ms.BoundaryRule("o", film(1e-13), sigma=3)
        self.refuse({"A|A": rule}, ["Boundary"])
