"""Both driving forces against closed forms: solver and circuit, phases and films."""

from typing import ClassVar

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import InputError, PropertyError
from multiscale.units import BOLTZMANN, ELEMENTARY_CHARGE

D = {"A": 1e-12, "B": 4e-14}
S = {"A": 1.5, "B": 6.0}
FRACTION = {"A": 0.75, "B": 0.25}


def layers(dimension=2):
    """Layers of A and B normal to x, three to one."""
    labels = np.zeros((8, 4, 4)[:dimension], int)
    labels[6:] = 1
    return ms.label_image(labels, 1e-9, phases=["A", "B"], periodic=True)


def solved(given, image, **options):
    tensor = ms.effective_diffusivity(
        image, phases=given.phases, boundaries=given.boundaries, **options
    ).tensor
    return given.diffusivity(tensor, image), tensor


class TestPartition:
    """Two phases that hold different amounts of lithium."""

    mean = sum(FRACTION[p] * S[p] for p in D)
    parallel = sum(FRACTION[p] * S[p] * D[p] for p in D) / mean
    series = 1 / sum(FRACTION[p] / (S[p] * D[p]) for p in D) / mean

    @pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
    @pytest.mark.parametrize("dimension", [2, 3])
    def test_laminate(self, dimension, boundary):
        image = layers(dimension)
        found, _ = solved(ms.transport_coefficients(D, segregation=S), image, boundary=boundary)
        expected = np.diag([self.series] + [self.parallel] * (dimension - 1))
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-24)

    def test_only_the_ratio_of_the_factors_counts(self):
        image = layers()
        one, _ = solved(ms.transport_coefficients(D, segregation=S), image)
        doubled = {name: 2 * value for name, value in S.items()}
        two, _ = solved(ms.transport_coefficients(D, segregation=doubled), image)
        np.testing.assert_allclose(one, two, rtol=1e-12)

    def test_density_in_the_ratio_of_the_factors_gives_the_same_diffusivity(self):
        image = layers()
        one, _ = solved(ms.transport_coefficients(D, segregation=S), image)
        density = {name: 1e28 * value for name, value in S.items()}
        two, _ = solved(ms.transport_coefficients(D, density=density), image)
        np.testing.assert_allclose(one, two, rtol=1e-9)

    def test_tensors_are_weighed_whole(self):
        given = ms.transport_coefficients({"A": np.diag([1.0, 2.0])}, segregation={"A": 3.0})
        np.testing.assert_array_equal(given.phases["A"], np.diag([3.0, 6.0]))


FILMS = {
    "A|A": ms.Boundary(width=1e-10, across=1e-13, along=1e-11, segregation=3.0),
    ("B", "A"): ms.Boundary(width=2e-10, across=1e-14, along=1e-12, segregation=0.5),
    "B|B": ms.Boundary(width=1e-10, across=1e-15, along=1e-12),
}


class TestUniform:
    """Where lithium is spread evenly the two readings are one."""

    @pytest.fixture
    def crystal(self):
        return ms.polycrystal(20, (2e-8, 2e-8), FRACTION, 3)

    def test_solver_and_circuit(self, crystal):
        readings = (
            ms.transport_coefficients(D, FILMS),
            ms.transport_coefficients(D, FILMS, density={"A": 2.4e28, "B": 2.4e28}),
        )
        for solve in (
            lambda g: ms.effective_diffusivity(
                crystal, cells=(32, 32), phases=g.phases, boundaries=g.boundaries
            ),
            lambda g: ms.circuit_diffusivity(crystal, g.phases, g.boundaries),
        ):
            one, two = (given.diffusivity(solve(given).tensor, crystal) for given in readings)
            np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-9 * np.abs(one).max())

    def test_pores_hold_nothing(self):
        crystal = ms.polycrystal(30, (2e-8,) * 2, {"A": 0.6, "B": 0.3, "pore": 0.1}, 4)
        phases = D | {"pore": 0.0}
        one = ms.transport_coefficients(phases)
        two = ms.transport_coefficients(phases, density=dict.fromkeys(D, 1e28))
        assert one.mean_weight(crystal) == 1.0
        assert two.mean_weight(crystal) == pytest.approx(1e28, rel=1e-12)
        assert two.phases["pore"] == 0.0

    def test_nothing_that_holds_lithium(self):
        image = layers()
        given = ms.transport_coefficients({"A": 0.0, "B": 0.0})
        assert (given.diffusivity(np.zeros((2, 2)), image) == 0).all()


class TestHart:
    """Films along the flux: (g s D_film + (1 − g) D)/(g s + 1 − g), Hart 1957."""

    @pytest.mark.parametrize("weight", [1.0, 2.5])
    @pytest.mark.parametrize("s", [0.2, 1.0, 50.0])
    def test_parallel_films(self, s, weight):
        labels = np.repeat([[0], [1]], 10, axis=0) * np.ones((1, 4), int)
        image = ms.label_image(labels, 1e-9, periodic=True, phases=["A", "A"])
        film = ms.Boundary(width=4e-10, across=1e-12, along=3e-10, segregation=s)
        given = ms.transport_coefficients({"A": 1e-12}, {"A|A": film}, segregation={"A": weight})
        found, _ = solved(given, image)
        g = 2 * 4e-10 / 20e-9  # two films a period
        hart = (g * s * 3e-10 + (1 - g) * 1e-12) / (g * s + 1 - g)
        assert found[1, 1] == pytest.approx(hart, rel=1e-9)


class TestRules:
    """Films chosen by crystallography within a type."""

    def rules(self, segregation):
        special = ms.Boundary(width=1e-10, across=1e-14, along=1e-14, segregation=segregation)
        rule = ms.BoundaryRule("low", special, misorientation=(0, 15))
        return ms.BoundaryRules(FILMS["A|A"], (rule,))

    def test_every_film_is_weighed(self):
        given = ms.transport_coefficients(
            {"A": 1e-12}, {"A|A": self.rules(3.0)}, segregation={"A": 2.0}
        )
        films = given.boundaries["A", "A"]
        assert films.default.across == 2 * FILMS["A|A"].across
        assert films.rules[0].film.across == 2e-14

    def test_areas_by_rule(self):
        class Known:
            volume_fractions: ClassVar = {"A": 1.0}
            area_density: ClassVar = {"A|A": 1e9, "A|A low": 2.5e8}

        given = ms.transport_coefficients({"A": 1e-12}, {"A|A": self.rules(5.0)})
        expected = 1 + 1e-10 * (7.5e8 * 2 + 2.5e8 * 4)
        assert given.mean_weight(Known()) == pytest.approx(expected)
        Known.area_density.pop("A|A low")
        with pytest.raises(PropertyError, match=r"none for A\|A low; give all"):
            given.mean_weight(Known())
        same = ms.transport_coefficients({"A": 1e-12}, {"A|A": self.rules(3.0)})
        assert same.mean_weight(Known()) == pytest.approx(1 + 1e-10 * 1e9 * 2)


class TestConductivity:
    def test_nernst_einstein(self):
        given = ms.transport_coefficients({"A": 1e-12}, density={"A": 2e28})
        image = layers()
        uniform = ms.label_image(0 * image.labels, 1e-9, phases=["A"], periodic=True)
        diffusivity, effective = solved(given, uniform)
        sigma = given.conductivity(effective, 300.0)[0, 0]
        assert diffusivity[0, 0] == pytest.approx(1e-12)
        expected = 2e28 * ELEMENTARY_CHARGE**2 * 1e-12 / (BOLTZMANN * 300)
        assert sigma == pytest.approx(expected)

    def test_a_concentration_has_none(self):
        with pytest.raises(InputError, match="expected coefficients for chemical_potential"):
            ms.transport_coefficients({"A": 1e-12}).conductivity(1e-12, 300.0)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"density": {"A": 1e28}}, "density: expected the Li density .* none for 'B'"),
        ({"density": {"A": 1e28, "B": 0.0}}, r"density\['B'\]: expected a finite number > 0"),
        ({"density": {"A": 1e28, "B": "1"}}, r"density\['B'\]: expected a finite number > 0"),
        ({"segregation": {"A": -1.0}}, r"segregation\['A'\]: expected a finite number > 0"),
        ({"segregation": {"A": float("nan")}}, r"segregation\['A'\]: .* nan"),
        ({"segregation": {"a": 1.0}}, r"segregation\['a'\]: .* did you mean 'A'\?"),
        ({"segregation": S, "density": S}, "expected one of segregation= and density="),
        ({"boundaries": {"A|C": FILMS["A|A"]}}, r"boundaries\['A\|C'\]: expected two of"),
        ({"boundaries": {"A|A": 1.0}}, "expected a multiscale.Boundary"),
    ],
)
def test_what_cannot_be_used_is_one_line(options, words):
    with pytest.raises(PropertyError, match=words) as caught:
        ms.transport_coefficients(D, **options)
    assert "\n" not in str(caught.value)


def test_a_diffusivity_that_is_no_number():
    with pytest.raises(PropertyError, match=r"phases\['A'\]: expected a number"):
        ms.transport_coefficients({"A": "fast"})


def test_a_crystal_with_another_phase():
    with pytest.raises(PropertyError, match="crystal: expected the phases given, received B"):
        ms.transport_coefficients({"A": 1.0}).mean_weight(layers())


@pytest.mark.parametrize("temperature", [-3.0, 0.0, np.nan, np.inf])
def test_temperatures_that_are_none(temperature):
    given = ms.transport_coefficients({"A": 1e-12}, density={"A": 1e28})
    with pytest.raises(InputError, match="temperature: expected finite, > 0 K"):
        given.conductivity(np.eye(2), temperature=temperature)


@pytest.mark.parametrize(
    "value", [-1.0, np.nan, "1e-12", None, [[1.0, 2.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]]]
)
def test_phases_that_are_no_coefficients(value):
    with pytest.raises(PropertyError, match=r"phases\['A'\]: expected"):
        ms.transport_coefficients({"A": value, "B": 1.0})
