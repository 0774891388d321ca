"""The page: whole, self-contained, escaped, and alive on every shape of study."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from multiscale.errors import StoreError
from multiscale.report import FieldPicture, find, headline, page, write_report
from multiscale.report.page import SECTIONS
from multiscale.report.style import inline_image
from multiscale.report.trend_figures import arrhenius

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Reader(HTMLParser):
    """Collects what a browser would fetch, and checks that elements nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.alternatives: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.fetched += [given["src"]] if "src" in given else []
        self.alternatives += [given.get("alt", "")] if tag == "img" else []
        self.links += [given["href"]] if "href" in given else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw every figure, but coarsely and without arranging its panels."""

    def coarse(figure: Figure, kind: str = "svg", dpi: int = 20) -> str:
        figure.set_layout_engine("none")
        figure.set_dpi(20)
        figure.draw_without_rendering()
        return f"data:image/{kind};base64,"

    monkeypatch.setattr("multiscale.report.material.inline_image", coarse)


@pytest.fixture(scope="module")
def whole(request: pytest.FixtureRequest) -> str:
    import sys

    made = sys.modules[build_module(request)]
    pictures = [made.picture(dimension=2), made.picture(dimension=3, cells=24)]
    rows = [("LLZO", "D0", "1e-8 m²/s", "± 20 %", "300–900 K", "A 2014, 10.1021/cm5045122.")]
    return page(made.build(realisations=8), pictures, rows)


def build_module(request: pytest.FixtureRequest) -> str:
    """Name the module of this folder's conftest."""
    folder = str(Path(__file__).parent)
    plugins = request.config.pluginmanager.get_plugins()
    return next(
        plugin.__name__
        for plugin in plugins
        if getattr(plugin, "__file__", None) == f"{folder}/conftest.py"
    )


def test_the_page_is_well_formed_with_every_section(whole: str) -> None:
    reader = read(whole)
    assert reader.ids == ["headline", *[section.key for section in SECTIONS]]
    assert {f"#{key}" for key in reader.ids} <= set(reader.links)
    assert "absent" not in re.findall(r'<p class="(\w+)"', whole)


def test_nothing_is_fetched_from_outside(whole: str) -> None:
    reader = read(whole)
    assert reader.fetched
    assert all(source.startswith("data:image/") for source in reader.fetched)
    outside = [link for link in reader.links if not link.startswith("#")]
    assert outside == ["https://doi.org/10.1021/cm5045122"]
    assert not reader.tags & {"script", "link", "iframe", "object"}
    style = whole[whole.index("<style>") : whole.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style


def test_every_image_is_whole_and_described(whole: str) -> None:
    reader = read(whole)
    assert all(reader.alternatives)
    for source in reader.fetched:
        kind, data = source.removeprefix("data:image/").split(";base64,")
        start = base64.b64decode(data)
        assert start.startswith(b"\x89PNG" if kind == "png" else b"<?xml")
        if kind != "png":
            assert start.rstrip().endswith(b"</svg>")


def test_the_headline_stands_on_the_page(whole: str, request: pytest.FixtureRequest) -> None:
    import sys

    dataset = sys.modules[build_module(request)].build(realisations=8)
    for sentence in headline(dataset):
        assert sentence in whole


@pytest.mark.usefixtures("quick")
def test_markup_in_the_data_is_text_on_the_page(make_dataset: Callable[..., xr.Dataset]) -> None:
    evil = "<script>alert('1')</script>"
    dataset = make_dataset(realisations=1, fractions=(0.5,), sizes=(1e-6,), ensembles=("2D",))
    dataset.attrs |= {"title": evil, "question": evil, "versions": evil, "resolved_study": evil}
    dataset.attrs |= {"study_hash": evil, "seed": evil}
    dataset["target_volume_fraction"].attrs["phase"] = "LLZO"
    dataset["ensemble"] = ("sample", np.array([evil], dtype=object))
    dataset = dataset.assign_coords(phase=["LCO", "LLZO"], boundary_type=[evil, "b|b", "c|c"])
    made = page(dataset, (), [(evil, evil, evil, evil, evil, f"{evil} 10.1000/{evil}")])
    reader = read(made)
    assert "script" not in reader.tags
    assert "&lt;script&gt;" in made


SHAPES = {
    "2D only": {"ensembles": ("2D",)},
    "3D only": {"ensembles": ("3D",)},
    "one temperature": {"temperatures": (300.0,)},
    "one grain size": {"sizes": (1e-6,)},
    "one volume fraction": {"fractions": (0.5,)},
    "one sample": {"ensembles": ("3D",), "fractions": (0.5,), "sizes": (1e-6,), "realisations": 1},
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_of_study_has_its_page(
    make_dataset: Callable[..., xr.Dataset], shape: dict[str, object]
) -> None:
    small = {"realisations": 2, "fractions": (0.3, 0.7)} | shape
    made = page(make_dataset(**small))
    assert read(made).ids[0] == "headline"


@pytest.mark.usefixtures("quick")
def test_an_axis_along_which_nothing_flows(
    make_dataset: Callable[..., xr.Dataset], make_picture: Callable[..., FieldPicture]
) -> None:
    dataset = make_dataset(realisations=3, fractions=(0.3, 0.7), sizes=(1e-6,))
    for name in ("effective_diffusivity", "circuit_diffusivity"):
        dataset[name][:, :, 0, 0] = 0.0
    still = make_picture(cells=16)
    still.flux[0] = 0.0
    made = page(dataset, [still])
    read(made)
    assert "that are exactly zero" in made
    assert any("exactly zero" in sentence for sentence in headline(dataset))


@pytest.mark.usefixtures("quick")
def test_nothing_flows_anywhere(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(realisations=2, fractions=(0.3, 0.7), sizes=(1e-7, 1e-6))
    dataset["effective_diffusivity"] = dataset["effective_diffusivity"] * 0.0
    read(page(dataset))


@pytest.mark.usefixtures("quick")
def test_nothing_was_computed(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(realisations=1, fractions=(0.5,))
    dataset["effective_diffusivity"] = dataset["effective_diffusivity"] * np.nan
    assert "No transport value was computed." in page(dataset)


@pytest.mark.usefixtures("quick")
def test_only_the_tensor_is_stored(make_dataset: Callable[..., xr.Dataset]) -> None:
    dataset = make_dataset(realisations=2, fractions=(0.3, 0.7))
    kept = ["effective_diffusivity", "dimension", "target_volume_fraction"]
    bare = dataset[kept].drop_vars(["phase", "part", "boundary_type"], errors="ignore")
    bare.attrs = {}
    reader = read(page(bare))
    assert reader.ids == ["headline", *[section.key for section in SECTIONS]]


@pytest.mark.usefixtures("quick")
def test_the_page_survives_the_way_through_a_file(
    tmp_path: Path, make_dataset: Callable[..., xr.Dataset]
) -> None:
    dataset = make_dataset(realisations=2, fractions=(0.3, 0.7))
    dataset.to_netcdf(tmp_path / "results.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "results.nc", engine="h5netcdf") as stored:
        assert headline(stored.load()) == headline(dataset)
        read(page(stored))


@pytest.mark.usefixtures("quick")
def test_the_file_is_written_whole_or_not_at_all(
    tmp_path: Path, make_dataset: Callable[..., xr.Dataset]
) -> None:
    target = tmp_path / "report.html"
    dataset = make_dataset(realisations=1, fractions=(0.5,), sizes=(1e-6,), ensembles=("2D",))
    assert write_report(target, dataset) == target
    before = target.read_text(encoding="utf-8")
    assert before.endswith("</html>\n")
    with pytest.raises(StoreError, match="effective_diffusivity"):
        write_report(target, dataset.drop_vars("effective_diffusivity"))
    assert target.read_text(encoding="utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_results_without_samples_are_refused(make_dataset: Callable[..., xr.Dataset]) -> None:
    with pytest.raises(StoreError, match="at least one sample"):
        page(make_dataset(realisations=1).isel(sample=slice(0, 0)))


def test_a_figure_of_the_same_data_is_the_same(make_dataset: Callable[..., xr.Dataset]) -> None:
    findings = find(make_dataset(realisations=1, fractions=(0.5,), sizes=(1e-6,)))
    assert inline_image(arrhenius(findings)) == inline_image(arrhenius(findings))
