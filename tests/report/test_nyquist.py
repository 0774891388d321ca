import numpy as np
import pytest
from matplotlib.figure import Figure

from multiscale.circuit import ImpedanceSpectrum, parse_circuit
from multiscale.errors import InputError
from multiscale.report.nyquist import decade_points, frequency_name, nyquist_figure


def spectrum(scale: float = 1.0, unit: str = "ohm") -> ImpedanceSpectrum:
    frequency = np.geomspace(1e6, 1e-1, 71)
    values = [10 * scale, 100 * scale, 1e-6 / scale, 0.9]
    z = parse_circuit("R0-p(R1,CPE1)").impedance(frequency, values)
    return ImpedanceSpectrum(frequency, z, unit)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_axes_are_equal_and_the_reactance_points_up() -> None:
    figure = nyquist_figure({"one": spectrum(1e3)})
    axes = figure.axes[0]
    assert axes.get_aspect() == 1.0
    assert axes.get_xlabel() == "Z′ [kΩ]"
    assert axes.get_ylabel() == "−Z″ [kΩ]"
    curve = axes.lines[0].get_xydata()
    assert curve[:, 1].max() == pytest.approx(-spectrum().impedance.imag.min())
    assert curve[:, 0].max() == pytest.approx(110.0, rel=1e-3)


def test_all_points_are_inside_after_drawing() -> None:
    figure = nyquist_figure({"one": spectrum(), "two": spectrum(0.3)})
    figure.canvas.draw()
    axes = figure.axes[0]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    for line in axes.lines:
        points = line.get_xydata()
        assert points[:, 0].min() >= left
        assert points[:, 0].max() <= right
        assert points[:, 1].min() >= low
        assert points[:, 1].max() <= high


def test_every_decade_has_a_marker() -> None:
    figure = nyquist_figure({"one": spectrum()})
    assert len(figure.axes[0].lines) == 1 + 8
    shown = texts(figure)
    assert "10 kHz" in shown
    assert "1 kHz" in shown
    assert len(shown) < 8  # those that coincide at the ends are left out


def test_decade_points_are_those_of_the_spectrum() -> None:
    made = spectrum()
    points = decade_points(made)
    assert sorted(points) == list(range(-1, 7))
    for power, value in points.items():
        at = np.argmin(np.abs(np.log10(made.frequency) - power))
        assert value == pytest.approx(made.impedance[at])


def test_fits_are_lines_of_the_same_colour() -> None:
    figure = nyquist_figure({"one": spectrum(), "two": spectrum(2)}, {"one": spectrum(1.01)})
    line, points = figure.axes[0].lines[:2]
    assert line.get_color() == points.get_color()
    assert points.get_linestyle() == "None"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "two"]


@pytest.mark.parametrize(
    ("power", "name"), [(-1, "100 mHz"), (0, "1 Hz"), (4, "10 kHz"), (6, "1 MHz"), (11, "100 GHz")]
)
def test_frequency_names(power: int, name: str) -> None:
    assert frequency_name(power) == name


def test_areal_impedance() -> None:
    figure = nyquist_figure({"one": spectrum(1e-6, "ohm m2")})
    assert figure.axes[0].get_xlabel() == "Z′ [µΩ m²]"


def test_the_panel_is_neither_strip_nor_tower() -> None:
    frequency = np.geomspace(1, 1e3, 10)
    for z in (np.linspace(1, 9, 10), 1 - 1j * np.linspace(1, 90, 10)):
        axes = nyquist_figure({"one": ImpedanceSpectrum(frequency, z)}).axes[0]
        ratio = np.ptp(axes.get_ylim()) / np.ptp(axes.get_xlim())
        assert 0.39 < ratio < 1.21


def test_a_point_and_nothing() -> None:
    nyquist_figure({"zero": ImpedanceSpectrum([1.0], [0.0])}).canvas.draw()
    with pytest.raises(InputError, match="spectra of one unit, received none"):
        nyquist_figure({})
    with pytest.raises(InputError, match="spectra of one unit, received ohm, ohm m2"):
        nyquist_figure({"one": spectrum(), "two": spectrum(unit="ohm m2")})
