"""Film widths against grains and voxels: fine, warned of, refused."""

import warnings

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import InputError, ResolutionError, ResolutionWarning
from multiscale.properties.validity import (
    GRAIN_LIMITS,
    VOXEL_LIMITS,
    film_widths,
    mean_grain_sizes,
    width_warnings,
)

NAMES = ("A", "B")
SIZES = {"A": 1e-7, "B": 4e-8}


def film(width):
    return ms.Boundary(width=width, across=1e-13, along=1e-13)


def judge(widths, **options):
    return width_warnings(widths, NAMES, SIZES, **options)


@pytest.mark.parametrize(
    ("name", "size"), [("A|A", 1e-7), ("A|B", 4e-8), ("B|B", 4e-8), ("A|B low", 4e-8)]
)
class TestGrains:
    """The smaller grains of the two phases beside the film decide."""

    def test_limits_themselves_are_fine(self, name, size):
        assert judge({name: GRAIN_LIMITS.warn * size}) == []
        assert len(judge({name: GRAIN_LIMITS.refuse * size})) == 1

    def test_beyond(self, name, size):
        (line,) = judge({name: 1.001 * GRAIN_LIMITS.warn * size})
        phase = "A" if size == SIZES["A"] else "B"
        for word in (f"boundaries['{name}']", f"{size * 1e9:g} nm", f"size of {phase},", "0.1 of"):
            assert word in line
        with pytest.raises(ResolutionError, match="films would fill most of the volume") as caught:
            judge({name: 1.001 * GRAIN_LIMITS.refuse * size})
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2


class TestVoxels:
    def test_faces(self):
        limits = VOXEL_LIMITS["faces"]
        edges = (2e-9, 1e-9, 3e-9)
        assert judge({"A|A": limits.warn * 1e-9}, spacing=edges) == []
        (line,) = judge({"A|A": 1.01 * limits.warn * 1e-9}, spacing=edges)
        assert "voxel edge, 1 nm" in line
        with pytest.raises(ResolutionError, match="use fewer cells: scheme 'faces'"):
            judge({"A|A": 1.01 * limits.refuse * 1e-9}, spacing=edges)

    def test_cut_cells(self):
        limits = VOXEL_LIMITS["cut-cells"]
        options = {"spacing": (2e-9, 1e-9, 3e-9), "scheme": "cut-cells"}
        assert judge({"A|A": limits.warn * 1e-9}, **options) == []
        (line,) = judge({"A|A": 1.01 * limits.warn * 1e-9}, **options)
        assert "voxel edge, 1 nm" in line
        with pytest.raises(ResolutionError, match="use fewer cells: scheme 'cut-cells'"):
            judge({"A|A": 1.01 * limits.refuse * 1e-9}, **options)

    def test_a_scheme_without_a_limit(self, monkeypatch):
        monkeypatch.setitem(VOXEL_LIMITS, "cut-cells", None)
        assert judge({"A|A": 1e-8}, spacing=1e-10, scheme="cut-cells") == []

    def test_an_unknown_scheme(self):
        with pytest.raises(InputError, match="did you mean 'faces'"):
            judge({"A|A": 1e-9}, scheme="face")


def test_films_beside_absent_phases_are_not_looked_at():
    assert width_warnings({"A|B": 1.0, "B|B": 1.0}, NAMES, {"A": 1e-7}) == []


def test_phase_names_may_hold_spaces():
    names, sizes = ("solid one", "two"), {"solid one": 1e-8, "two": 1e-6}
    for key in ("two|solid one", "two|solid one low", "solid one|two low"):
        assert len(width_warnings({key: 2e-9}, names, sizes)) == 1


def test_widths_by_class():
    rule = ms.BoundaryRule("low", film(2e-9), misorientation=(0, 15))
    given = {("B", "A"): ms.BoundaryRules(film(1e-9), (rule,)), "A|A": film(3e-9)}
    assert film_widths(given) == {"A|B": 1e-9, "A|B low": 2e-9, "A|A": 3e-9}


def test_mean_sizes():
    sizes = mean_grain_sizes([1.0, 3.0, 8.0], np.array([0, 0, 2]), ("A", "B", "C"), 3)
    assert sizes == pytest.approx({"A": 2 ** (1 / 3), "C": 2.0})


class TestCalls:
    """The solver, on crystals and images, and the circuit."""

    @pytest.fixture(scope="class")
    @staticmethod
    def crystal():
        return ms.polycrystal(16, (4e-8, 4e-8), {"A": 1.0}, 3)  # 10 nm grains

    def calls(self, crystal, width):
        given = {"phases": {"A": 1e-12}, "boundaries": {"A|A": film(width)}}
        image = ms.label_image(crystal.labels((16, 16)), 2.5e-9, phases=["A"] * 16, periodic=True)
        yield lambda: ms.effective_diffusivity(crystal, cells=(16, 16), **given)
        yield lambda: ms.effective_diffusivity(crystal, cells=(16, 16), backend="fipy", **given)
        yield lambda: ms.effective_diffusivity(image, **given)
        yield lambda: ms.circuit_diffusivity(crystal, **given)

    def test_fine(self, crystal):
        for call in self.calls(crystal, 9e-10):
            call()

    def test_wide(self, crystal):
        for call in self.calls(crystal, 2e-9):
            with pytest.warns(ResolutionWarning, match="at most 0.1 times the mean grain") as told:
                call()
            assert [one.filename for one in told] == [__file__]

    def test_too_wide(self, crystal):
        for call in self.calls(crystal, 2.6e-9):
            with pytest.raises(ResolutionError, match=r"at most 0\.25 times the mean grain size"):
                call()

    def test_voxels_much_finer_than_the_film(self, crystal):
        given = {"phases": {"A": 1e-12}, "boundaries": {"A|A": film(9e-10)}}
        with pytest.warns(ResolutionWarning, match="times the voxel edge, 0.5 nm"):
            ms.effective_diffusivity(crystal, cells=(80, 80), **given)
        with pytest.raises(ResolutionError, match="use fewer cells"):
            ms.effective_diffusivity(crystal, cells=(160, 160), **given)

    def test_cut_cells(self, crystal):
        def solve(width, cells=(16, 16)):
            given = {"phases": {"A": 1e-12}, "boundaries": {"A|A": film(width)}}
            ms.effective_diffusivity(crystal, cells=cells, scheme="cut-cells", **given)

        solve(9e-10, cells=(88, 88))
        with pytest.warns(ResolutionWarning, match="at most 0.1 times the mean grain") as told:
            solve(2e-9)
        assert [one.filename for one in told] == [__file__]
        with pytest.raises(ResolutionError, match=r"at most 0\.25 times the mean grain size"):
            solve(2.6e-9)
        with pytest.warns(ResolutionWarning, match="at most 2 times the voxel edge, 0.4 nm"):
            solve(9e-10, cells=(100, 100))
        with pytest.raises(ResolutionError, match="use fewer cells: scheme 'cut-cells'"):
            solve(9e-10, cells=(120, 120))

    def test_once_for_each_place(self, crystal):
        with warnings.catch_warnings(record=True) as told:
            warnings.resetwarnings()
            warnings.simplefilter("default")
            for _ in range(3):
                ms.circuit_diffusivity(crystal, {"A": 1e-12}, {"A|A": film(2e-9)})
        assert len(told) == 1
