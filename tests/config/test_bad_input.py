"""Whatever is wrong with a file is told in one line: file, key, expected, received, remedy."""

import pytest

from multiscale.config import load_recipe, load_study
from multiscale.errors import InputError, PropertyError, RecipeError, ResolutionError, StudyError
from multiscale.properties import load

# (what is replaced, by what, dotted key, further words that the line must hold)
STUDY_CASES = [
    ("seed = 7", "sede = 7", "study.sede", ["did you mean 'seed'?", "sede"]),
    ("seed = 7", "", "study.seed", ["received nothing", "add seed"]),
    ("seed = 7", "seed = 7.5", "study.seed", ["a whole number", "7.5"]),
    ("seed = 7", "seed = true", "study.seed", ["a whole number", "true"]),
    ("seed = 7", "seed = -1", "study.seed", ["≥ 0", "-1"]),
    ("seed = 7", 'seed = "7"', "study.seed", ["a whole number", 'the text "7"']),
    ('title = "Test"', 'title = ""', "study.title", ["at least 1 character"]),
    ("[sweep]", "[sweeep]", "sweeep", ["did you mean 'sweep'?"]),
    ("grain_size_nm", "grain_size_um", "sweep.grain_size_um", ["did you mean 'grain_size_nm'?"]),
    ("[20, 1000]", "[20, -1000]", "sweep.grain_size_nm[1]", ["> 0", "-1000"]),
    ("[20, 1000]", "[20, nan]", "sweep.grain_size_nm[1]", ["finite", "nan"]),
    ("[20, 1000]", "[20, inf]", "sweep.grain_size_nm[1]", ["finite", "inf"]),
    ("[20, 1000]", "[20, 1e-300]", "sweep.grain_size_nm[1]", ["from 0.001 to", "1e-300"]),
    ("[32, 32]", "[32, 1000001]", "ensembles[0].cells", ["at most 1000000 voxels"]),
    ("= 3", "= 250001", "sweep.realisations", ["at most 1000000 samples", "1000004"]),
    ("[20, 1000]", "20", "sweep.grain_size_nm", ["a list", "20"]),
    ("[20, 1000]", "[]", "sweep.grain_size_nm", ["at least 1 entries", "0"]),
    ("[20, 1000]", "[20, 20]", "sweep.grain_size_nm", ["each value once"]),
    ("[0.2, 0.8]", "[0.2, 1.8]", "sweep.volume_fraction.values[1]", ["≤ 1", "1.8"]),
    ('phase = "LLZO"', 'phase = "LLZ"', "sweep.volume_fraction.phase", ["did you mean 'LLZO'?"]),
    ('phase = "LLZO"', 'fase = "LLZO"', "sweep.volume_fraction.fase", ["did you mean 'phase'?"]),
    ("realisations = 3", "realisations = 0", "sweep.realisations", ["≥ 1", "0"]),
    ("[32, 32]", "[32]", "ensembles[0].cells", ["at least 2 entries", "received 1"]),
    ("[32, 32]", "[32, 32, 32]", "ensembles[0].cells", ["2 numbers", "small is 2D"]),
    ("[32, 32]", "[32, 0]", "ensembles[0].cells[1]", ["≥ 1", "0"]),
    ('name = "2D"', 'nmae = "2D"', "ensembles[0].nmae", ["did you mean 'name'?"]),
    ('LCO = "Li0.53CoO2"', "", "phases.LCO", ["received nothing", '"blocked"']),
    ('LCO = "Li0', 'LCOO = "Li0', "phases.LCOO", ["a phase of the recipes", "'LCO'"]),
    ('"Li0.53CoO2"', '"LCO-LCO"', "phases.LCO", ["a material", "a boundary type"]),
    ('"LCO|LCO" =', '"LCO|LCOO" =', 'boundaries."LCO|LCOO"', ["did you mean 'LCO|LCO'?"]),
    ('"LCO|LCO" = "LCO-LCO"', "", 'boundaries."LCO|LCO"', ["received nothing", "add"]),
    ('"LCO|LCO" =', '"LCO|LLZO" =', 'boundaries."LLZO|LCO"', ["each pair of phases once"]),
    ('= "LLZO-LCO"', '= "LLZO"', 'boundaries."LLZO|LCO"', ["a boundary type", "a material"]),
    ("[300, 600]", "[300, 0]", "transport.temperatures_K[1]", ["> 0", "0"]),
    (
        'boundary = "periodic"',
        'boundary = "periodic"\nscheme = "cut-cell"',
        "transport.scheme",
        ["'faces' or 'cut-cells'", "cut-cell", "did you mean 'cut-cells'?"],
    ),
    (
        'boundary = "periodic"',
        'boundary = "periodic"\nbackend = "fipy"\nscheme = "cut-cells"',
        "transport.backend",
        ["'multigrid' for scheme 'cut-cells'", "'fipy'"],
    ),
    ("temperatures_K", "temperatures_C", "transport.temperatures_C", ["'temperatures_K'"]),
    ('"concentration"', '"potential"', "transport.driving_force", ["'chemical_potential'?"]),
    ('"periodic"', '"periodc"', "transport.boundary", ["did you mean 'periodic'?"]),
    ('"periodic"', '"periodic"\nrtol = 0', "transport.rtol", ["> 0", "0"]),
    ("[transport]", "[segregation]\nLCO = 0\n[transport]", "segregation.LCO", ["> 0", "0"]),
    ("[transport]", "[segregation]\nLC = 2\n[transport]", "segregation.LC", ["'LCO'"]),
    ("[transport]", "[segregation]\nLCO = nan\n[transport]", "segregation.LCO", ["nan"]),
]

RECIPE_CASES = [
    ("dimension = 2", "dimension = 4", "dimension", ["2 or 3", "4"]),
    ("grains = 16", "grains = 0", "grains", ["≥ 1", "0"]),
    ("grains = 16", f"grains = {10**400}", "grains", ["at most 1e+08 grains"]),
    ("grain_size_nm = 100", "grain_size_nm = 1e300", "grain_size_nm", ["from 0.001 to 1e+12 nm"]),
    ("grains = 16", "grain = 16", "grain", ["did you mean 'grains'?"]),
    ("grain_size_nm = 100", "grain_size_nm = -100", "grain_size_nm", ["> 0", "-100"]),
    ("grain_size_nm = 100", 'grain_size_nm = "100 nm"', "grain_size_nm", ["a number", "100 nm"]),
    ("periodic = true", "periodic = 1", "periodic", ["true or false", "1"]),
    ('"poisson"', '"poison"', "seeding.law", ["did you mean 'poisson'?"]),
    ('"poisson"', '"poisson"\nsteps = 2', "seeding.steps", ["law = 'lloyd' only"]),
    ('"voronoi"', '"log-normal"', "grain_sizes.coefficient_of_variation", ["nothing"]),
    ('"voronoi"', '"voronoi"\nspread = 1', "grain_sizes.spread", ["a known key"]),
    ("LLZO = 0.5", "LLZO = 0.6", "phases", ["add up to 1", "1.1"]),
    ("LLZO = 0.5", "LLZO = -0.5", "phases.LLZO", ["≥ 0", "-0.5"]),
    ("LLZO = 0.5", '"LL|ZO" = 0.5', "phases", ["names without '|'", "LL|ZO"]),
    ("[orientation]", "[orientation2]", "orientation2", ["did you mean 'orientation'?"]),
]

PROPERTY_CASES = [
    ('kind = "material"', "", "kind", ["'material' or 'boundary'", "nothing"]),
    ('kind = "material"', 'kind = "stuff"', "kind", ["'material' or 'boundary'", "stuff"]),
    ('"cm2/s"', '"cm/s"', "self_diffusivity.prefactor.unit", ["did you mean 'cm2/s'?", "cm/s"]),
    ('"eV"', '"cm2/s"', "self_diffusivity.activation_energy.unit", ["a unit of energy"]),
    ("1e-4", "-1e-4", "self_diffusivity.prefactor.value", ["≥ 0", "-0.0001"]),
    ("1e-4", "nan", "self_diffusivity.prefactor.value", ["finite", "nan"]),
    ("1e-4", '"1e-4"', "self_diffusivity.prefactor.value", ["a number", "1e-4"]),
    ('source = "10.1/x"', "", "self_diffusivity.source", ["a DOI", "assumed = true"]),
    ('source = "10.1/x"', "assumed = true", "self_diffusivity.reason", ["why", "nothing"]),
    ('confidence = "high"', "", "self_diffusivity.confidence", ["'high', 'medium' or 'low'"]),
    ("valid = [300, 600]", "", "self_diffusivity.valid", ["nothing", "add valid"]),
    ("valid = [300, 600]", "valid = [600, 300]", "self_diffusivity.valid", ["[lowest, highest]"]),
    (
        "valid = [300, 600]",
        "valid = [300]",
        "self_diffusivity.valid",
        ["[lowest, highest]", "[300]"],
    ),
    ("valid = [300, 600]", 'valid = "any"', "self_diffusivity.valid", ["'not stated'", "any"]),
    (
        "activation_energy",
        "activation_enrgy",
        "self_diffusivity.activation_enrgy",
        ["activation_energy'?"],
    ),
    (
        "self_diffusivity",
        "self_difusivity",
        "self_difusivity",
        ["did you mean 'self_diffusivity'?"],
    ),
    (
        '{ kind = "unknown", origin',
        '{ kind = "unsure", origin',
        "prefactor.uncertainty.kind",
        ["'unknown'"],
    ),
    (
        'kind = "unknown", origin',
        'kind = "relative", origin',
        "prefactor.uncertainty.value",
        ["≥ 0"],
    ),
    (
        ', uncertainty = { kind = "unknown", origin = "-" }',
        "",
        "prefactor.uncertainty",
        ["nothing"],
    ),
]


FACTOR = """
[segregation_factor]
value = 0
unit = "1"
uncertainty = { kind = "unknown", origin = "-" }
assumed = true
reason = "a test"
valid = "not stated"

[self_diffusivity]"""
PROPERTY_CASES += [
    ("\n[self_diffusivity]", FACTOR, "segregation_factor.value", ["> 0", "0"]),
    (
        "\n[self_diffusivity]",
        FACTOR.replace("segregation_factor", "haven_ratio"),
        "haven_ratio.value",
        ["> 0", "0"],
    ),
]


def one_line(call, kind, file, key, words):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in message
    assert file.name in message
    assert "expected" in message
    assert "received" in message
    assert key in message
    for word in words:
        assert word in message, message


@pytest.mark.parametrize(("old", "new", "key", "words"), STUDY_CASES)
def test_a_bad_study(project, old, new, key, words):
    project.spoil(project.study, old, new)
    one_line(lambda: load_study(project.run), StudyError, project.study, f": {key}: ", words)


@pytest.mark.parametrize(("old", "new", "key", "words"), RECIPE_CASES)
def test_a_bad_recipe(project, old, new, key, words):
    project.spoil(project.recipe, old, new)
    one_line(lambda: load_recipe(project.recipe), RecipeError, project.recipe, f": {key}: ", words)
    one_line(lambda: load_study(project.run), RecipeError, project.recipe, f": {key}: ", words)


@pytest.mark.parametrize(("old", "new", "key", "words"), PROPERTY_CASES)
def test_a_bad_property_file(project, old, new, key, words):
    project.spoil(project.property, old, new)
    project.spoil(project.study, 'LLZO = "LLZO"', 'LLZO = "own.toml"')
    one_line(lambda: load(project.property), PropertyError, project.property, f"{key}: ", words)
    one_line(lambda: load_study(project.run), PropertyError, project.property, f"{key}: ", words)


READERS = {
    "study": (load_study, StudyError),
    "recipe": (load_recipe, RecipeError),
    "property": (load, PropertyError),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (b"title = \nx = 1\n", ["valid TOML", "line 1"]),
        (b'a = 1\nb = [1, 2\nc = "x"\n', ["valid TOML", "line 3"]),
        (b'a = 1\nb = "truncat', ["valid TOML", "line 2, the end of the file"]),
        (b"a = 1\na = 2\n", ["valid TOML", "line 2"]),
        (b'a = "\xff"\n', ["UTF-8", "0xff at offset 5"]),
        (b"\x00\x01", ["valid TOML", "line 1"]),
        (b"", ["nothing"]),
    ],
)
def test_a_spoilt_file(project, kind, spoilt, words):
    reader, error = READERS[kind]
    file = getattr(project, kind)
    file.write_bytes(spoilt)
    one_line(lambda: reader(file), error, file, "", words)


@pytest.mark.parametrize("kind", READERS)
def test_a_missing_file_and_a_folder(project, kind):
    reader, error = READERS[kind]
    file = getattr(project, kind)
    file.unlink()
    one_line(lambda: reader(file), error, file, "", ["no such file"])
    file.mkdir()
    (file / "study.toml").mkdir()
    one_line(lambda: reader(file), error, file, "", ["a readable TOML file"])


def test_names_that_do_not_exist(project):
    project.spoil(project.study, '"small"', '"smal"')
    with pytest.raises(RecipeError, match=r"smal\.toml: .*no such file; did you mean 'small'\?"):
        load_study(project.run)
    project.spoil(project.study, '"smal"', '"small"')
    project.spoil(project.study, '"LCO-LCO"', '"LCO-LCOO"')
    with pytest.raises(PropertyError, match=r"received LCO-LCOO; did you mean 'LCO-LCO'\?"):
        load_study(project.run)


def test_too_few_voxels(project):
    project.spoil(project.study, "[32, 32]", "[32, 15]")
    one_line(
        lambda: load_study(project.run),
        ResolutionError,
        project.study,
        "ensembles[0].cells",
        ["at least 4 voxels along a mean grain", "15 voxels", "16 grains need 16 voxels"],
    )
    with pytest.raises(ResolutionError, match=r"--cells: expected at least 4 voxels"):
        load_study(project.run, cells=8)


def test_exactly_enough_voxels_in_three_dimensions(project):
    project.spoil(project.recipe, "dimension = 2\ngrains = 16", "dimension = 3\ngrains = 27")
    project.spoil(project.study, "[32, 32]", "[12, 12, 12]")
    load_study(project.run)
    with pytest.raises(ResolutionError, match="27 grains need 12 voxels"):
        load_study(project.run, cells=11)


@pytest.mark.parametrize("option", ["samples", "cells"])
def test_options_below_one(project, option):
    with pytest.raises(StudyError, match=rf"^--{option}: expected a whole number ≥ 1, received 0"):
        load_study(project.run, **{option: 0})


def test_a_chemical_potential_needs_concentrations(project):
    project.spoil(project.study, '"concentration"', '"chemical_potential"')
    load_study(project.run)
    project.spoil(project.study, 'LLZO = "LLZO"', 'LLZO = "own.toml"')
    with pytest.raises(StudyError, match=r"own\.toml without lithium_density"):
        load_study(project.run)


def test_a_chemical_potential_takes_no_segregation_factors_of_phases(project):
    project.spoil(project.study, "[transport]", "[segregation]\nLCO = 2\n[transport]")
    load_study(project.run)
    project.spoil(project.study, '"concentration"', '"chemical_potential"')
    one_line(
        lambda: load_study(project.run),
        StudyError,
        project.study,
        "segregation.LCO",
        ["driving_force = 'concentration'", "'chemical_potential'", "leave it out"],
    )


def test_a_periodic_solution_needs_a_periodic_recipe(project):
    project.spoil(project.recipe, "periodic = true", "periodic = false")
    with pytest.raises(StudyError, match=r"transport\.boundary: expected 'dirichlet'"):
        load_study(project.run)


def test_a_phase_that_fills_the_recipe_cannot_be_swept(project):
    project.spoil(project.recipe, "LLZO = 0.5\nLCO = 0.5", "LLZO = 1.0\nLCO = 0.0")
    with pytest.raises(StudyError, match="leaves room for others"):
        load_study(project.run)


def test_every_kind_is_an_input_error_with_exit_code_two():
    for kind in (StudyError, RecipeError, PropertyError, ResolutionError):
        assert issubclass(kind, InputError)
        assert kind.exit_code == 2
