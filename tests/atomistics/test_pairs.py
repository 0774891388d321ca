"""Sets of pair potentials: what is shipped, and what a wrong file is told."""

import pytest
from ase.build import bulk

from multiscale.atomistics.crystals import CRYSTALS, crystal
from multiscale.atomistics.pairs import Buckingham, Morse, load_pairs, shipped_pairs
from multiscale.errors import PotentialError, StructureError

SALT = """
schema = 1
title = "Salt"
source = "a test"
verified = true
cutoff_A = 8.0
charges_only = [["Na", "Na"]]

[charges_e]
Na = 1.0
Cl = -1.0

[[buckingham]]
pair = ["Na", "Cl"]
A_eV = 1000.0
rho_A = 0.3
C_eV_A6 = 5.0

[[morse]]
pair = ["Cl", "Cl"]
D_eV = 0.1
alpha_per_A = 1.5
r0_A = 3.5
"""


def written(folder, text=SALT):
    path = folder / "salt.toml"
    path.write_text(text, encoding="utf-8")
    return path


class TestShipped:
    @pytest.mark.parametrize("name", shipped_pairs())
    def test_each_names_its_source_and_is_neutral_for_its_crystal(self, name):
        pairs = load_pairs(name)
        assert name in CRYSTALS
        formula = crystal(name).formula
        assert sum(pairs.charges[one] * count for one, count in formula.items()) == pytest.approx(0)
        assert "10." in pairs.source
        assert pairs.note
        assert pairs.verified or "unverified" in pairs.source

    def test_names(self):
        assert shipped_pairs() == ("LLZO", "Li3OCl")
        with pytest.raises(PotentialError, match="did you mean 'LLZO'"):
            load_pairs("LLZ")


class TestFiles:
    def test_numbers_arrive(self, tmp_path):
        pairs = load_pairs(written(tmp_path))
        assert pairs.name == "salt"
        assert pairs.elements == {"Na", "Cl"}
        assert pairs.buckingham[("Cl", "Na")] == Buckingham(1000.0, 0.3, 5.0)
        assert pairs.morse[("Cl", "Cl")] == Morse(0.1, 1.5, 3.5)
        assert pairs.cutoff == 8.0

    def test_provenance_changes_with_any_number(self, tmp_path):
        one = load_pairs(written(tmp_path)).origin["numbers"]
        for old, new in (("1000.0", "1000.1"), ("1.5", "1.6"), ("Na = 1.0", "Na = 0.9")):
            other = load_pairs(written(tmp_path, SALT.replace(old, new))).origin["numbers"]
            assert other != one
        assert load_pairs(written(tmp_path)).within(9.0).origin["numbers"] != one

    @pytest.mark.parametrize(
        ("old", "new", "told"),
        [
            ('charges_only = [["Na", "Na"]]\n', "", "none for Na–Na"),
            ('source = "a test"\n', "", "source"),
            ('source = "a test"', 'source = ""', "source"),
            ("verified = true\n", "", "verified"),
            ('["Na", "Cl"]', '["Na", "Br"]', "received Br"),
            ('["Cl", "Cl"]', '["Na", "Na"]', "each pair once"),
            ("rho_A = 0.3", "rho_A = -0.3", "rho_A: expected a number > 0"),
            ("rho_A = 0.3", "rho_nm = 0.03", "rho_nm"),
            ("A_eV = 1000.0", 'A_eV = "1000"', "A_eV: expected a number"),
            ("A_eV = 1000.0", "A_eV = nan", "finite"),
            ("Na = 1.0", "Xx = 1.0", "received Xx"),
            ("schema = 1", "schema = 2", "schema"),
            ("[charges_e]", "[charges_e", "valid TOML"),
        ],
    )
    def test_a_wrong_file_is_one_line(self, tmp_path, old, new, told):
        assert old in SALT
        with pytest.raises(PotentialError, match=told) as caught:
            load_pairs(written(tmp_path, SALT.replace(old, new, 1)))
        assert "\n" not in str(caught.value)
        assert "salt.toml" in str(caught.value)

    def test_no_such_file(self, tmp_path):
        with pytest.raises(PotentialError, match="no such file"):
            load_pairs(tmp_path / "none.toml")


class TestCells:
    def test_what_cannot_be_asked(self, tmp_path):
        pairs = load_pairs(written(tmp_path))
        salt = bulk("NaCl", "rocksalt", 5.64, cubic=True) * 2
        pairs.check(salt)
        with pytest.raises(StructureError, match="cutoff"):
            pairs.check(bulk("NaCl", "rocksalt", 5.64, cubic=True))
        other = salt.copy()
        other.symbols[0] = "K"
        with pytest.raises(PotentialError, match="K"):
            pairs.check(other)
        del salt[0]
        with pytest.raises(StructureError, match="-1 e in Cl32Na31"):
            pairs.check(salt)
        surface = bulk("NaCl", "rocksalt", 5.64, cubic=True) * 2
        surface.pbc = (True, True, False)
        with pytest.raises(StructureError, match="all directions"):
            pairs.check(surface)
