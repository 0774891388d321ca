"""Numbers as people write them."""

from __future__ import annotations

import pytest

from multiscale.report.markup import Html, linked, table, text
from multiscale.report.wording import count, length, listing, number, percent, power, signed, span


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.234e-12, "1.2×10⁻¹²"), (0.0, "0"), (float("nan"), "–"), (-3e4, "−3.0×10⁴")],
)
def test_power(value: float, expected: str) -> None:
    assert power(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.25, "0.25"), (1299.6, "1300"), (99.96, "100"), (-0.05, "−0.05"), (2e-7, "2.00×10⁻⁷")],
)
def test_number(value: float, expected: str) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1e-7, "100\u00a0nm"), (1e-6, "1\u00a0µm"), (2.5e-3, "2.5\u00a0mm"), (float("nan"), "–")],
)
def test_length(value: float, expected: str) -> None:
    assert length(value) == expected


def test_words() -> None:
    assert percent(0.125, 3) == "12.5\u00a0%"
    assert [signed(value) for value in (0.001, -0.3, 0.12)] == ["0.00", "−0.30", "+0.12"]
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert [listing([]), listing(["a"])] == ["", "a"]
    assert [span(["a", "a"]), span(["a", "b"])] == ["a", "a to b"]
    assert [count(1, "phase"), count(2, "phase")] == ["1 phase", "2 phases"]


def test_data_is_escaped_once_and_markup_kept() -> None:
    assert text('<b a="1">&') == "&lt;b a=&quot;1&quot;&gt;&amp;"
    assert text(Html("<b>")) == "<b>"
    assert '<td class="word">&lt;i&gt;</td>' in table(("a",), [["<i>"]])


def test_dois_become_links_in_any_spelling() -> None:
    for given in ("10.1021/x(1)", "doi:10.1021/x(1)", "https://doi.org/10.1021/x(1)"):
        made = linked(f"A <1>, {given}; B")
        assert made.startswith("A &lt;1&gt;, <a href=")
        assert 'href="https://doi.org/10.1021/x(1)"' in made
        assert made.endswith("</a>; B")


def test_brackets_and_colons_after_a_doi_are_not_of_it() -> None:
    made = linked("assumed (10.1038/s41524-8): see [10.1/a.b]. 10.1016/j.x.")
    assert made.count("<a href=") == 2
    assert '"https://doi.org/10.1038/s41524-8"' in made
    assert '"https://doi.org/10.1016/j.x"' in made
