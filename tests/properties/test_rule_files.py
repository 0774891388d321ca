"""Boundary files with rules: what they make, and how their mistakes are told."""

import re

import pytest

import multiscale as ms
from multiscale import properties
from multiscale.errors import PropertyError
from multiscale.properties import BoundaryProperties

RATIO = """
[{key}width]
value = 1.0
unit = "nm"
uncertainty = {{ kind = "unknown", origin = "test" }}
assumed = true
reason = "a test needs it"
valid = "not stated"

[{key}across.ratio_to_bulk]
value = {across}
unit = "1"
uncertainty = {{ kind = "unknown", origin = "test" }}
assumed = true
reason = "a test needs it"
valid = "not stated"

[{key}along.ratio_to_bulk]
value = 1.0
unit = "1"
uncertainty = {{ kind = "unknown", origin = "test" }}
assumed = true
reason = "a test needs it"
valid = "not stated"
"""
HEAD = """
kind = "boundary"
title = "test"
between = ["LLZO", "LLZO"]
symmetry = "cubic"
"""
LOW = """
[[rules]]
name = "low"
reason = "a test needs it"
misorientation = [0, 15]
"""
USING = HEAD + 'use = "LLZO-LLZO"\n'
GOOD = HEAD + RATIO.format(key="", across=0.1) + LOW + RATIO.format(key="rules.", across=0.5)


@pytest.fixture
def written(tmp_path):
    def write(text, name="one.toml"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("name", "bulk", "parts"),
    [
        (
            "LLZO-LLZO-by-sigma",
            7e-13,
            {"": "LLZO-LLZO", "sigma3": "LLZO-LLZO-sigma3", "sigma5": "LLZO-LLZO-sigma5"},
        ),
        ("LCO-LCO-by-twin", 1e-14, {"": "LCO-LCO", "twin": "LCO-LCO-twin"}),
    ],
)
def test_library_files_put_others_together(name, bulk, parts):
    one = properties.load(name)
    assert isinstance(one, BoundaryProperties)
    rules = one.film(320.0, bulk)
    assert isinstance(rules, ms.BoundaryRules)
    found = {"": rules.default} | {rule.name: rule.film for rule in rules.rules}
    for rule, source in parts.items():
        assert found[rule] == properties.load(source).boundary(320.0, bulk)
        for quantity in properties.load(source).quantities:
            key = f"{rule}: {quantity.name}" if rule else quantity.name
            same = next(q for q in one.quantities if q.name == key)
            assert (same.number, same.source) == (quantity.number, quantity.source)
    assert one.boundary(320.0, bulk) == rules.default
    assert one.between == properties.load(parts[""]).between
    assert all(rule.reason for rule in one.rules)


def test_conditions_of_the_library():
    llzo = properties.load("LLZO-LLZO-by-sigma").film(300.0, 1e-12)
    assert [rule.sigma for rule in llzo.rules] == [(3,), (5,)]
    lco = properties.load("LCO-LCO-by-twin").film(300.0, 1e-12)
    assert (lco.symmetry, lco.rules[0].coherent_twin) == ("trigonal", 10.0)


def test_numbers_of_its_own(written):
    one = properties.load(written(GOOD))
    rules = one.film(300.0, 1e-12)
    assert rules.default.across == pytest.approx(1e-13)
    assert rules.rules[0].film.across == pytest.approx(5e-13)
    assert rules.rules[0].misorientation == (0.0, 15.0)
    names = [quantity.name for quantity in one.quantities]
    assert names[3:] == ["low: width", "low: across.ratio_to_bulk", "low: along.ratio_to_bulk"]
    assert one.needs_bulk


def test_files_beside_it(written):
    written(
        HEAD.replace('symmetry = "cubic"\n', "") + RATIO.format(key="", across=0.25), "own.toml"
    )
    text = USING + LOW + 'use = "own.toml"\n'
    one = properties.load(written(text))
    assert one.film(300.0, 1e-12).rules[0].film.across == pytest.approx(2.5e-13)
    assert one.content["rules"][0]["used"]["across"]["ratio_to_bulk"]["value"] == 0.25
    assert one.content["used"]["title"] == properties.load("LLZO-LLZO").title


def test_phase_names_take_the_place_of_materials(written):
    text = USING.replace('["LLZO", "LLZO"]', '["LLZO", "Li0.53CoO2"]').replace("cubic", "trigonal")
    text += LOW.replace("misorientation = [0, 15]", 'c_axis_to_plane = [0, 30]\nc_axis_of = "{}"')
    text += 'use = "LLZO-LCO"\n'
    one = properties.load(written(text.format("Li0.53CoO2")))
    assert one.film(300.0, 1e-12, {"Li0.53CoO2": "LCO"}).rules[0].c_axis_of == "LCO"
    assert one.film(300.0, 1e-12).rules[0].c_axis_of == "Li0.53CoO2"
    with pytest.raises(PropertyError, match=r"'LLZO' or 'Li0\.53CoO2'"):
        properties.load(written(text.format("LCO")))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD.replace("misorientation", "misorientaton"), ["rules[0].misorientaton", "did you"]),
        (GOOD.replace("[0, 15]", "[15, 0]"), ["'low' misorientation", "low < high"]),
        (GOOD.replace("[0, 15]", "[0, nan]"), ["rules[0].misorientation[1]", "finite"]),
        (GOOD.replace("[0, 15]", '"low"'), ["rules[0].misorientation"]),
        (GOOD.replace("misorientation = [0, 15]", "sigma = [4]"), ["'low' sigma", "odd", "4"]),
        (GOOD.replace("misorientation = [0, 15]", "sigma = 3"), ["rules[0].sigma", "list"]),
        (GOOD.replace("misorientation = [0, 15]", ""), ["'low'", "a condition"]),
        (GOOD.replace("misorientation = [0, 15]", "c_axis_angle = [0, 9]"), ["one c axis"]),
        (GOOD.replace('name = "low"', ""), ["rules[0].name", "add name"]),
        (GOOD.replace('name = "low"', 'name = "low angle"'), ["one word"]),
        (LOW.join(GOOD.split(LOW)).replace('reason = "a test needs it"\nmis', "mis"), ["reason"]),
        (GOOD.replace('symmetry = "cubic"\n', ""), ["symmetry and rules together"]),
        (GOOD.replace("cubic", "cubical"), ["symmetry", "did you mean 'cubic'?"]),
        (HEAD + RATIO.format(key="", across=0.1), ["symmetry and rules together"]),
        (USING + LOW, ["rules[0].width", "add width, or use"]),
        (USING + LOW + 'use = "LLZO-LLZO-sigma7"', ["rules[0].use", "did you mean"]),
        (USING + LOW + 'use = "LLZO"', ["rules[0].use", "a boundary type"]),
        (USING + LOW + 'use = "LLZO-LLZO-by-sigma"', ["rules[0].use", "which has use"]),
        (USING + LOW + 'use = "none.toml"', ["none.toml", "named by", "rules[0].use"]),
        (USING + LOW + 'use = "LLZO-LLZO"' + RATIO.format(key="rules.", across=1), ["beside use"]),
        (USING + RATIO.format(key="", across=1), ["width", "beside use"]),
        (GOOD.replace("value = 0.5", "value = -0.5"), ["rules[0].across.ratio_to_bulk.value"]),
        (GOOD.replace('unit = "nm"', 'unit = "eV"'), ["width.unit"]),
        (USING + "rules = []", ["rules", "at least 1"]),
        (USING + LOW + 'use = "LLZO-LLZO"\n' + LOW + 'use = "LLZO-LLZO"', ["each name once"]),
    ],
)
def test_mistakes_are_told_in_one_line(written, text, words):
    path = written(text)
    with pytest.raises(PropertyError) as caught:
        properties.load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert path.name in message
    assert re.search("expected .*received", message)
    for word in words:
        assert word in message, message
