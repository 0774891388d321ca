"""FiPy solves the same problems and must give the same numbers."""

import numpy as np
import pytest

import multiscale as ms
from multiscale.errors import ConvergenceError, InputError

FILMS = {
    "A|A": ms.Boundary(width=1e-9, across=1e-14, along=1e-14),
    "A|B": ms.Boundary(width=1e-9, across=3e-16, along=1e-16),
    "B|B": ms.Boundary(width=1e-9, across=2e-12, along=1e-16),
}


def both(problem, **options):
    one = ms.effective_diffusivity(problem, rtol=1e-10, **options)
    two = ms.effective_diffusivity(problem, backend="fipy", **options)
    assert (one.backend, two.backend) == ("multigrid", "fipy")
    scale = np.abs(one.tensor).max()
    gap = max(
        np.abs(one.tensor - two.tensor).max(), np.abs(one.flux_tensor - two.flux_tensor).max()
    )
    return gap / scale, two


@pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
@pytest.mark.parametrize("cells", [(12, 9), (7, 6, 5)], ids=["2d", "3d"])
@pytest.mark.parametrize("cubes", [True, False], ids=["cubes", "slabs"])
class TestSameAnswer:
    """Observed: 1e-14 … 6e-10. The flux tensor is as good as the tolerance, so that is tighter."""

    def test_field(self, cells, boundary, cubes):
        field = 10 ** np.random.default_rng(1).uniform(-14, -12, cells)
        spacing = 1e-9 if cubes else np.array([1.0, 0.4, 1.7])[: len(cells)] * 1e-9
        gap, result = both(field, spacing=spacing, boundary=boundary)
        assert gap < 1e-9
        assert all(result.percolates)
        assert result.flux_imbalance < 1e-8

    @pytest.mark.parametrize("films", [None, FILMS], ids=["bare", "films"])
    def test_polycrystal(self, cells, boundary, cubes, films):
        size = np.ones(len(cells)) if cubes else np.array([1.0, 0.4, 1.7])[: len(cells)]
        crystal = ms.polycrystal(8, size * 1e-7, {"A": 0.6, "B": 0.4}, 3)
        gap, _ = both(
            crystal,
            cells=cells,
            phases={"A": 1e-12, "B": 1e-14},
            boundaries=films,
            boundary=boundary,
        )
        assert gap < 1e-9


class TestImages:
    def test_label_image_with_walls(self):
        labels = ms.polycrystal(6, (1e-7, 1e-7), {"A": 1.0}, 1).labels((14, 14))
        image = ms.label_image(labels, spacing=5e-9, periodic=False)
        gap, _ = both(
            image,
            phases=dict.fromkeys(image.phase_names, 1e-12),
            boundaries={
                f"{a}|{b}": FILMS["A|A"] for a in image.phase_names for b in image.phase_names
            },
            boundary="dirichlet",
        )
        assert gap < 1e-9


class TestRefusals:
    def refused(self, problem, word, **options):
        with pytest.raises(InputError, match=word) as caught:
            ms.effective_diffusivity(problem, backend="fipy", **options)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
    def test_zeros(self, boundary):
        field = np.ones((5, 5))
        field[2, 2] = 0.0
        self.refused(field, "zeros in the field", spacing=1.0, boundary=boundary)

    def test_too_few_voxels(self):
        self.refused(np.ones((2, 5)), "at least 3 voxels", spacing=1.0)

    @pytest.mark.parametrize("boundary", ["periodic", "dirichlet"])
    def test_conducting_sheets(self, boundary):
        crystal = ms.polycrystal(5, (1e-7, 1e-7), {"A": 1.0}, 3)
        fast = {"A|A": ms.Boundary(width=1e-9, across=1e-12, along=1e-10)}
        self.refused(
            crystal,
            "conduct no better along",
            cells=(9, 9),
            phases={"A": 1e-12},
            boundaries=fast,
            boundary=boundary,
        )

    def test_tensors(self):
        self.refused(np.ones((4, 4))[..., None, None] * np.eye(2), "tensor fields", spacing=1.0)

    def test_contrast_beyond_its_solver(self):
        """What FiPy cannot balance is an error, not a number."""
        field = np.where(np.random.default_rng(0).random((9, 9)) < 0.5, 1.0, 1e-13)
        with pytest.raises(ConvergenceError, match="use backend='multigrid'") as caught:
            ms.effective_diffusivity(field, spacing=1.0, backend="fipy", rtol=1e-12)
        assert "\n" not in str(caught.value)
