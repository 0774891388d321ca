"""Rules that cannot hold or cannot be asked are refused in one line."""

import math

import pytest

import multiscale as ms
from multiscale.errors import PropertyError

FILM = ms.Boundary(width=1e-9, across=1e-13, along=1e-12)
Rule, Rules = ms.BoundaryRule, ms.BoundaryRules


def refuse(words, make, *args, **options):
    with pytest.raises(PropertyError) as caught:
        make(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "expected" in message
    assert "received" in message
    assert len(message) < 300
    for word in words:
        assert word in message


def test_values_are_brought_into_form():
    rule = Rule("r", FILM, sigma=5, misorientation=[0, 15], coherent_twin=5)
    assert rule.sigma == (5,)
    assert rule.misorientation == (0.0, 15.0)
    assert rule.coherent_twin == 5.0
    assert rule.conditions == ("sigma", "misorientation", "coherent_twin")
    assert Rules(FILM, [rule]).rules == (rule,)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["'r'", "a condition", "none"]),
        ({"sigma": 4}, ["'r' sigma", "odd", "4"]),
        ({"sigma": 1}, ["odd", "1"]),
        ({"sigma": 31}, ["29", "31"]),
        ({"sigma": (3, 5.0)}, ["5.0"]),
        ({"sigma": (3, True)}, ["True"]),
        ({"sigma": ()}, ["at least one"]),
        ({"sigma": (3, 3)}, ["each once"]),
        ({"sigma": "3"}, ["odd", "3"]),
        ({"misorientation": (15, 15)}, ["'r' misorientation", "low < high", "15"]),
        ({"misorientation": (30, 15)}, ["low < high"]),
        ({"misorientation": (-1, 15)}, ["0 ≤ low"]),
        ({"misorientation": (0, 181)}, ["180"]),
        ({"misorientation": (math.nan, 15)}, ["nan"]),
        ({"misorientation": (0, math.inf)}, ["inf"]),
        ({"misorientation": 15}, ["(low, high)", "15"]),
        ({"misorientation": (0, 5, 10)}, ["(low, high)"]),
        ({"misorientation": ("0", "5")}, ["(low, high)"]),
        ({"c_axis_to_plane": (0, 91)}, ["c_axis_to_plane", "90"]),
        ({"c_axis_angle": (80, 100)}, ["c_axis_angle", "90"]),
        ({"coherent_twin": 0}, ["coherent_twin", "> 0"]),
        ({"coherent_twin": 16.0}, ["at most 15"]),
        ({"coherent_twin": math.nan}, ["nan"]),
        ({"coherent_twin": True}, ["True"]),
        ({"sigma": 3, "c_axis_of": "either"}, ["c_axis_of", "c_axis_to_plane"]),
        ({"c_axis_to_plane": (0, 9), "c_axis_of": 3}, ["c_axis_of", "3"]),
    ],
)
def test_bad_conditions(changes, words):
    refuse(words, Rule, "r", FILM, **changes)


@pytest.mark.parametrize("name", ["", "two words", "a|b", " ", 3])
def test_bad_names(name):
    refuse(["name", "one word"], Rule, name, FILM, sigma=3)


def test_bad_films():
    refuse(["'r' film", "Boundary"], Rule, "r", 1e-13, sigma=3)
    refuse(["default", "Boundary"], Rules, None, ())
    refuse(["rules[0]", "BoundaryRule"], Rules, FILM, (FILM,))
    refuse(["rules[0]", "BoundaryRule"], Rules, FILM, FILM)


LOW = Rule("low", FILM, misorientation=(0, 15))
SIGMA = Rule("s", FILM, sigma=(3, 5))


@pytest.mark.parametrize(
    ("rules", "symmetry", "words"),
    [
        ((LOW,), "cubical", ["symmetry", "did you mean 'cubic'?"]),
        ((SIGMA,), "trigonal", ["sigma", "cubic crystals", "trigonal"]),
        ((Rule("c", FILM, c_axis_angle=(0, 9)),), "cubic", ["c_axis_angle", "one c axis"]),
        ((Rule("c", FILM, c_axis_to_plane=(0, 9)),), "cubic", ["c_axis_to_plane"]),
        ((Rule("m", FILM, misorientation=(63, 90)),), "cubic", ["62.81", "[63.0, 90.0]"]),
        ((Rule("m", FILM, misorientation=(94, 99)),), "hexagonal", ["93.85"]),
        ((LOW, Rule("low", FILM, sigma=3)), "cubic", ["each name once", "'low' twice"]),
        ((LOW, Rule("m", FILM, misorientation=(2, 10))), "cubic", ["'m'", "'low'", "covers"]),
        ((LOW, Rule("m", FILM, misorientation=(2, 9), sigma=7)), "cubic", ["'low'"]),
        ((SIGMA, Rule("t", FILM, sigma=3)), "cubic", ["'t'", "'s'"]),
    ],
)
def test_rules_against_symmetry_and_each_other(rules, symmetry, words):
    refuse(words, Rules, FILM, rules, symmetry)


def test_rules_that_leave_room_are_kept():
    Rules(FILM, (LOW, Rule("m", FILM, misorientation=(0, 16)), SIGMA))
    Rules(FILM, (SIGMA, Rule("t", FILM, sigma=(3, 7))))
    both = Rule("b", FILM, c_axis_to_plane=(0, 30))
    either = Rule("e", FILM, c_axis_to_plane=(0, 30), c_axis_of="either")
    Rules(FILM, (both, either), "trigonal")


@pytest.mark.parametrize(
    ("rule", "symmetry", "pair", "words"),
    [
        (SIGMA, "cubic", ("A", "B"), ["'s' sigma", "grains of one phase", "A|B"]),
        (LOW, "cubic", ("A", "B"), ["misorientation", "only c_axis_to_plane"]),
        (
            Rule("o", FILM, c_axis_to_plane=(0, 30)),
            "trigonal",
            ("A", "B"),
            ["'o' c_axis_of", "'A' or 'B'", "both"],
        ),
        (
            Rule("o", FILM, c_axis_to_plane=(0, 30), c_axis_of="C"),
            "trigonal",
            ("A", "B"),
            ["'A' or 'B'", "C"],
        ),
        (
            Rule("o", FILM, c_axis_to_plane=(0, 30), c_axis_of="A"),
            "trigonal",
            ("A", "A"),
            ["'both' or 'either'", "A"],
        ),
    ],
)
def test_rules_against_their_pair(rule, symmetry, pair, words):
    refuse(words, Rules(FILM, (rule,), symmetry).check_between, *pair, "boundaries['x']")


def test_mapped_changes_every_film():
    other = ms.Boundary(width=1e-9, across=5e-13, along=1e-12)
    changed = Rules(FILM, (LOW, SIGMA)).mapped(lambda film: other)
    assert changed.default is other
    assert [rule.film for rule in changed.rules] == [other, other]
    assert [rule.name for rule in changed.rules] == ["low", "s"]
