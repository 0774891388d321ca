"""Misorientations against known lattices, symmetry, brute force and Mackenzie's law."""

import math

import numpy as np
import pytest

from multiscale.errors import PropertyError
from multiscale.microstructure import (
    c_axis_angle,
    c_axis_angle_to_plane,
    csl_deviation,
    csl_sigma,
    disorientation,
    matching_rule,
    random_orientations,
    rotation_matrices,
)
from multiscale.microstructure.misorientation import (
    SIGMAS,
    SYMMETRIES,
    c_axes,
    coherent_twins,
    csl_rotations,
    misorientation,
    planar_orientations,
    quaternion_product,
    symmetry_rotations,
)

IDENTITY = np.array([[1.0, 0.0, 0.0, 0.0]])
KNOWN = [  # Σ, angle, axis: Grimmer, Bollmann and Warrington, Acta Cryst. A30, 197 (1974)
    (3, 60.0, (1, 1, 1)),
    (5, 36.87, (1, 0, 0)),
    (7, 38.21, (1, 1, 1)),
    (9, 38.94, (1, 1, 0)),
    (11, 50.48, (1, 1, 0)),
    (13, 22.62, (1, 0, 0)),
    (13, 27.80, (1, 1, 1)),
    (15, 48.19, (2, 1, 0)),
    (17, 28.07, (1, 0, 0)),
    (17, 61.93, (2, 2, 1)),
    (19, 26.53, (1, 1, 0)),
    (19, 46.83, (1, 1, 1)),
    (21, 21.79, (1, 1, 1)),
    (21, 44.42, (2, 1, 1)),
    (23, 40.46, (3, 1, 1)),
    (25, 16.26, (1, 0, 0)),
    (25, 51.68, (3, 3, 1)),
    (27, 31.59, (1, 1, 0)),
    (27, 35.43, (2, 1, 0)),
    (29, 43.60, (1, 0, 0)),
    (29, 46.40, (2, 2, 1)),
]


def turn(degrees, axis):
    axis = np.asarray(axis, float) / np.linalg.norm(axis)
    half = math.radians(degrees) / 2
    return np.array([[math.cos(half), *(math.sin(half) * axis)]])


@pytest.fixture(scope="module")
def pairs():
    generator = np.random.default_rng(7)
    return random_orientations(400, generator), random_orientations(400, generator)


class TestProducts:
    def test_product_is_that_of_the_matrices(self, pairs):
        first, second = pairs
        product = rotation_matrices(quaternion_product(first, second))
        matrices = rotation_matrices(first) @ rotation_matrices(second)
        assert np.abs(product - matrices).max() < 1e-13

    def test_misorientation_leads_from_first_to_second(self, pairs):
        first, second = pairs
        again = quaternion_product(first, misorientation(first, second))
        assert np.abs((again * second).sum(axis=1)) == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("symmetry", "count"), [("cubic", 24), ("hexagonal", 12), ("trigonal", 6)]
    )
    def test_symmetries_are_groups(self, symmetry, count):
        rotations = symmetry_rotations(symmetry)
        assert rotations.shape == (count, 4)
        products = quaternion_product(rotations[:, None], rotations[None]).reshape(-1, 4)
        overlap = np.abs(products @ rotations.T)
        assert np.abs(overlap.max(axis=1) - 1).max() < 1e-12
        assert (np.abs(rotations @ rotations.T) > 1 - 1e-9).sum() == count

    def test_unknown_symmetry(self):
        with pytest.raises(PropertyError, match="tetragonal"):
            symmetry_rotations("tetragonal")


class TestDisorientation:
    @pytest.mark.parametrize("symmetry", SYMMETRIES)
    def test_unchanged_by_symmetry_exchange_and_frame(self, pairs, symmetry):
        first, second = pairs
        expected = disorientation(first, second, symmetry)
        assert disorientation(second, first, symmetry) == pytest.approx(expected, abs=1e-5)
        frame = turn(123.0, (1, 2, -3))
        moved = [quaternion_product(frame, side) for side in pairs]
        assert disorientation(*moved, symmetry) == pytest.approx(expected, abs=1e-5)
        for one in symmetry_rotations(symmetry):
            other = symmetry_rotations(symmetry)[-1]
            same = disorientation(
                quaternion_product(first, one), -quaternion_product(second, other), symmetry
            )
            assert same == pytest.approx(expected, abs=1e-5)

    def test_closed_form_is_the_least_of_all_equivalents(self, pairs):
        cosine = np.abs(misorientation(*pairs) @ symmetry_rotations("cubic").T).max(axis=1)
        expected = np.degrees(2 * np.arccos(cosine))
        assert disorientation(*pairs) == pytest.approx(expected, abs=1e-6)

    def test_mackenzie(self):
        """Random cubic grains: Mackenzie, Biometrika 45, 229 (1958)."""
        generator = np.random.default_rng(1)
        count = 400_000
        angle = disorientation(
            random_orientations(count, generator), random_orientations(count, generator)
        )
        error = angle.std() / math.sqrt(count)
        assert angle.mean() == pytest.approx(40.736, abs=4 * error)
        assert 62.5 < angle.max() <= 62.80
        assert np.median(angle) == pytest.approx(42.34, abs=0.1)
        # below 45° the density is that of 24 free rotations, so P(θ < 15°) has a closed form
        low = 24 * (math.radians(15) - math.sin(math.radians(15))) / math.pi
        assert (angle < 15).mean() == pytest.approx(low, abs=4 * math.sqrt(low / count))

    @pytest.mark.parametrize(("symmetry", "most"), [("hexagonal", 93.84), ("trigonal", 104.48)])
    def test_largest_angle(self, symmetry, most):
        generator = np.random.default_rng(2)
        angle = disorientation(
            random_orientations(300_000, generator),
            random_orientations(300_000, generator),
            symmetry,
        )
        assert most - 1.0 < angle.max() <= most

    def test_a_sixth_of_a_turn_about_c(self):
        assert disorientation(IDENTITY, turn(60, (0, 0, 1)), "hexagonal") == pytest.approx(
            0.0, abs=1e-5
        )
        assert disorientation(IDENTITY, turn(60, (0, 0, 1)), "trigonal") == pytest.approx(60.0)


class TestCoincidence:
    @pytest.mark.parametrize(("sigma", "angle", "axis"), KNOWN)
    def test_known_rotations(self, pairs, sigma, angle, axis):
        """Each is its own Σ, with the disorientation angle of the tables."""
        matches = [
            disorientation(IDENTITY, kind[None, 0])[0] == pytest.approx(angle, abs=6e-3)
            for kind in csl_rotations(sigma)
        ]
        assert sum(matches) == 1
        exact = csl_rotations(sigma)[matches.index(True), None, 0]
        assert csl_deviation(IDENTITY, turn(angle, axis), sigma) == pytest.approx(0.0, abs=0.01)
        assert csl_sigma(IDENTITY, exact).tolist() == [sigma]
        assert csl_sigma(pairs[0], quaternion_product(pairs[0], exact)).tolist() == [sigma] * 400

    def test_no_kind_is_missing_or_doubled(self):
        count = {sigma: len(csl_rotations(sigma)) for sigma in SIGMAS}
        assert count == {s: sum(s == known[0] for known in KNOWN) for s in SIGMAS}

    def test_matrix_of_an_exact_rotation_is_whole_after_sigma(self):
        for sigma in SIGMAS:
            for kind in csl_rotations(sigma):
                matrix = sigma * rotation_matrices(kind[None, 0])[0]
                assert np.abs(matrix - np.rint(matrix)).max() < 1e-9

    @pytest.mark.parametrize("sigma", [1, 3, 5, 9, 13, 17, 23, 29])
    def test_deviation_is_the_least_of_all_equivalents(self, pairs, sigma):
        """24 × 24 rotations and exchange by brute force."""
        cubic, best = symmetry_rotations("cubic"), np.zeros(400)
        for kind in csl_rotations(sigma)[:, 0]:
            for one in (kind, kind * [1, -1, -1, -1]):
                every = quaternion_product(
                    quaternion_product(cubic[:, None], one), cubic[None]
                ).reshape(-1, 4)
                best = np.maximum(best, np.abs(misorientation(*pairs) @ every.T).max(axis=1))
        expected = np.degrees(2 * np.arccos(np.clip(best, 0, 1)))
        assert csl_deviation(*pairs, sigma) == pytest.approx(expected, abs=1e-6)

    def test_sigma_one_is_the_disorientation(self, pairs):
        assert csl_deviation(*pairs, 1) == pytest.approx(disorientation(*pairs), abs=1e-6)

    @pytest.mark.parametrize(
        ("sigma", "axis", "angle"), [(3, (1, 1, 1), 60.0), (5, (1, 0, 0), 36.8699)]
    )
    @pytest.mark.parametrize("about", [(1, 1, 1), (1, 0, 0), (3, 1, 2)])
    def test_brandon_limit(self, sigma, axis, angle, about):
        limit = 15.0 / math.sqrt(sigma)
        exact = turn(angle, axis)
        for off, inside in ((0.99 * limit, True), (1.01 * limit, False)):
            moved = quaternion_product(exact, turn(off, about))
            found = csl_deviation(IDENTITY, moved, sigma)[0]
            assert found <= off + 1e-3
            if found == pytest.approx(off, abs=1e-3):  # no other equivalent is nearer
                named = csl_sigma(IDENTITY, moved)[0]
                assert named != 0 if inside else named != sigma
        near = quaternion_product(exact, turn(0.5 * limit, about))
        assert csl_deviation(IDENTITY, near, sigma)[0] == pytest.approx(0.5 * limit, abs=1e-3)
        assert csl_sigma(IDENTITY, near).tolist() == [sigma]
        assert csl_sigma(IDENTITY, near, tolerance=4.0).tolist() != [sigma]

    @pytest.mark.parametrize(("sigma", "images"), [(3, 96), (5, 144)])
    def test_share_of_random_boundaries(self, sigma, images):
        """Balls of Brandon's radius about all equivalent rotations: 1.76 % and 1.22 %."""
        radius = math.radians(15 / math.sqrt(sigma))
        expected = images * (radius - math.sin(radius)) / math.pi
        generator = np.random.default_rng(3)
        count = 400_000
        off = csl_deviation(
            random_orientations(count, generator), random_orientations(count, generator), sigma
        )
        share = (off <= 15 / math.sqrt(sigma)).mean()
        assert share == pytest.approx(expected, abs=4 * math.sqrt(expected / count))

    def test_low_angles_are_no_lattice_of_the_list(self):
        assert csl_sigma(IDENTITY, turn(5, (1, 1, 0))).tolist() == [0]


class TestLayers:
    def test_c_axis_against_a_plane(self):
        normal = np.array([[0.0, 0.0, 1.0]])
        for tilt in (0.0, 30.0, 90.0, 150.0):
            expected = 90 - min(tilt, 180 - tilt)
            tilted = turn(tilt, (1, 2, 0))
            assert c_axis_angle_to_plane(tilted, normal) == pytest.approx(expected, abs=1e-5)
            assert c_axis_angle_to_plane(tilted, -normal) == pytest.approx(expected, abs=1e-5)

    def test_angle_between_c_axes(self, pairs):
        assert c_axis_angle(IDENTITY, turn(110, (0, 1, 0))) == pytest.approx(70.0)
        assert c_axis_angle(IDENTITY, turn(110, (0, 0, 1))) == pytest.approx(0.0, abs=1e-5)
        assert c_axis_angle(*pairs) == pytest.approx(c_axis_angle(*pairs[::-1]), abs=1e-5)
        assert c_axis_angle(*pairs).max() <= 90.0

    def test_random_layers(self):
        """P(angle to the plane < α) = sin α, P(angle between axes < α) = 1 − cos α."""
        generator = np.random.default_rng(4)
        one, two = (random_orientations(100_000, generator) for _ in range(2))
        normal = np.array([[0.6, 0.0, 0.8]])
        assert (c_axis_angle_to_plane(one, normal) < 30).mean() == pytest.approx(0.5, abs=0.007)
        assert (c_axis_angle(one, two) < 60).mean() == pytest.approx(0.5, abs=0.007)


class TestTwins:
    def test_cubic_twin_on_its_own_plane(self, pairs):
        twin = quaternion_product(pairs[0], turn(60, (1, 1, 1)))
        matrices = rotation_matrices(pairs[0])
        for plane, expected in (((1, 1, 1), True), ((1, 1, -2), False), ((1, 1, -1), False)):
            normal = matrices @ (np.array(plane) / np.linalg.norm(plane))
            assert (coherent_twins(pairs[0], twin, normal, "cubic", 5.0) == expected).all()
            assert (coherent_twins(twin, pairs[0], -normal, "cubic", 5.0) == expected).all()

    def test_cubic_plane_within_tolerance(self):
        normal = rotation_matrices(turn(4.0, (1, -1, 0)))[0] @ (np.ones(3) / math.sqrt(3))
        for tolerance, expected in ((3.9, False), (4.1, True)):
            found = coherent_twins(IDENTITY, turn(60, (1, 1, 1)), normal[None], "cubic", tolerance)
            assert found.tolist() == [expected]

    @pytest.mark.parametrize("symmetry", ["hexagonal", "trigonal"])
    def test_layered_twin_is_a_mirror_image(self, pairs, symmetry):
        normal = c_axes(pairs[1])  # any directions
        half = np.concatenate([np.zeros((400, 1)), normal], axis=1)
        operator = symmetry_rotations(symmetry)[-2]
        mirrored = quaternion_product(quaternion_product(half, pairs[0]), operator)
        real = disorientation(pairs[0], mirrored, symmetry) > 5.0
        assert real.mean() > 0.9
        assert (coherent_twins(pairs[0], mirrored, normal, symmetry, 5.0) == real).all()
        assert (coherent_twins(mirrored, pairs[0], normal, symmetry, 5.0) == real).all()
        # the mirror image of one c axis is the other
        image = c_axes(pairs[0])
        image = image - 2 * (image * normal).sum(axis=1, keepdims=True) * normal
        assert np.abs((image * c_axes(mirrored)).sum(axis=1)) == pytest.approx(1.0)
        off = quaternion_product(turn(6.0, (1, 2, 3)), mirrored)
        assert not coherent_twins(pairs[0], off, normal, symmetry, 5.0).any()


class TestPlane:
    """What the conditions mean in 2D."""

    def test_c_is_the_second_axis(self):
        angle = 25.0
        turned = planar_orientations(turn(angle, (0, 0, 1)))
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        assert rotation_matrices(turned)[0][:, 0] == pytest.approx([0.0, 0.0, 1.0])  # a
        assert rotation_matrices(turned)[0][:, 1] == pytest.approx([c, s, 0.0])
        assert rotation_matrices(turned)[0][:, 2] == pytest.approx([-s, c, 0.0])  # c

    def test_only_the_twist_counts(self, pairs):
        first = pairs[0]
        twist = 2 * np.degrees(np.arctan2(first[:, 3], first[:, 0]))
        by_hand = np.concatenate([turn(angle, (0, 0, 1)) for angle in twist])
        assert c_axes(planar_orientations(first)) == pytest.approx(
            c_axes(planar_orientations(by_hand)), abs=1e-12
        )
        assert np.abs(c_axes(planar_orientations(first))[:, 2]).max() < 1e-12

    def test_half_turn_about_an_axis_in_the_plane_has_no_twist(self):
        assert np.isfinite(planar_orientations([[0.0, 1.0, 0.0, 0.0]])).all()

    def test_square_and_layered_disorientations(self, pairs):
        first, second = (planar_orientations(side) for side in pairs)
        twist = [2 * np.degrees(np.arctan2(side[:, 3], side[:, 0])) for side in pairs]
        difference = np.abs(twist[0] - twist[1])
        square = difference % 90
        assert disorientation(first, second) == pytest.approx(
            np.minimum(square, 90 - square), abs=1e-5
        )
        layered = difference % 180
        layered = np.minimum(layered, 180 - layered)
        assert c_axis_angle(first, second) == pytest.approx(layered, abs=1e-5)
        for symmetry in ("hexagonal", "trigonal"):
            assert disorientation(first, second, symmetry) == pytest.approx(layered, abs=1e-5)


class Rule:
    sigma = misorientation = c_axis_to_plane = c_axis_angle = coherent_twin = None
    c_axis_of = "both"

    def __init__(self, **given):
        for key, value in given.items():
            setattr(self, key, value)


class TestRules:
    def test_the_first_that_holds_wins(self):
        rules = [Rule(misorientation=(0, 10)), Rule(misorientation=(0, 20)), Rule(sigma=(3, 5))]
        second = np.concatenate([turn(a, (1, 0, 0)) for a in (5, 15, 25, 36.87)])
        first, normal = np.repeat(IDENTITY, 4, axis=0), np.tile([0.0, 0.0, 1.0], (4, 1))
        found = matching_rule(rules, "cubic", ("A", "A"), first, second, normal)
        assert found.tolist() == [0, 1, -1, 2]

    def test_all_conditions_must_hold(self):
        rules = [Rule(misorientation=(30, 50), c_axis_angle=(0, 10))]
        second = np.concatenate([turn(40, (0, 0, 1)), turn(40, (1, 0, 0)), turn(20, (0, 0, 1))])
        first, normal = np.repeat(IDENTITY, 3, axis=0), np.tile([0.0, 0.0, 1.0], (3, 1))
        found = matching_rule(rules, "trigonal", ("A", "A"), first, second, normal)
        assert found.tolist() == [0, -1, -1]

    @pytest.mark.parametrize(
        ("grains", "expected"), [("both", [0, -1, -1]), ("either", [0, 0, -1]), ("B", [0, -1, -1])]
    )
    def test_whose_c_axis(self, grains, expected):
        upright, flat = IDENTITY, turn(90, (1, 0, 0))
        first = np.concatenate([upright, upright, flat])
        second = np.concatenate([upright, flat, flat])
        rules = [Rule(c_axis_to_plane=(60, 90), c_axis_of=grains)]
        normal = np.tile([0.0, 0.0, 1.0], (3, 1))
        names = ("A", "B") if grains == "B" else ("A", "A")
        found = matching_rule(rules, "trigonal", names, first, second, normal)
        assert found.tolist() == expected

    def test_no_facets(self):
        none = np.zeros((0, 4))
        for d in (2, 3):
            found = matching_rule(
                [Rule(sigma=(3,))], "cubic", ("A", "A"), none, none, np.zeros((0, d))
            )
            assert found.shape == (0,)
