"""The studies of this folder: ``study.toml``, and what each of the others changes in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SLOW_INTERFACE = {'"LLZO|LCO" = "LLZO-LCO"': '"LLZO|LCO" = "LLZO-LCO-reacted"'}
FAST_INTERFACE = {'"LLZO|LCO" = "LLZO-LCO"': '"LLZO|LCO" = "interface-fast.toml"'}
LCO_PATHS = {'"LCO|LCO" = "neutral-LCO.toml"': '"LCO|LCO" = "LCO-LCO-fast"'}
FAST_LCO_PATHS = {'"LCO|LCO" = "neutral-LCO.toml"': '"LCO|LCO" = "LCO-LCO-very-fast.toml"'}
EQUAL = {'LCO = "LCO-slow.toml"': 'LCO = "LLZO"'}
CUBE = {
    'name = "2D"': 'name = "3D"',
    '"square.toml"': '"cube.toml"',
    "[128, 128]": "[48, 48, 48]",
}
LARGE = {'"square.toml"': '"large-square.toml"', "[128, 128]": "[256, 256]"}
PERIODIC = {'"square.toml"': '"periodic-square.toml"', '"dirichlet"': '"periodic"'}


def fraction(value: float) -> dict[str, str]:
    """Another volume fraction of LLZO: the same grains, other phases."""
    return {"values = [0.5]": f"values = [{value}]"}


@dataclass(frozen=True, slots=True)
class Case:
    """One study: what it is for, how many samples, and which lines of ``study.toml`` it changes."""

    name: str
    what: str
    samples: int
    changes: dict[str, str]

    @property
    def folder(self) -> Path:
        """Where its study file and results are put."""
        return HERE / "results" / self.name

    def text(self) -> str:
        """The study file, for a folder two below this one."""
        text = (HERE / "study.toml").read_text(encoding="utf-8")
        for old, new in self.changes.items():
            if text.count(old) != 1:
                raise ValueError(f"{self.name}: {old!r} is not once in study.toml")
            text = text.replace(old, new)
        for path in HERE.glob("*.toml"):
            text = text.replace(f'"{path.name}"', f'"../../{path.name}"')
        return text


CASES = (
    Case("contrast", "LCO 1000 times slower", 600, {}),
    Case("disconnected", "more LCO, the same grains", 600, fraction(0.3)),
    Case("connected", "more LLZO, the same grains", 600, fraction(0.7)),
    Case("moderate", "Li0.53CoO2 of the library", 200, {'"LCO-slow.toml"': '"Li0.53CoO2"'}),
    Case("equal", "equal, no boundaries", 20, EQUAL),
    Case("equal, slow interface", "interface 1/1000", 600, EQUAL | SLOW_INTERFACE),
    Case("equal, fast interface", "interface × 1000", 600, EQUAL | FAST_INTERFACE),
    Case("slow interface", "interface 1/1000 of √(D₁D₂)", 200, SLOW_INTERFACE),
    Case("fast interface", "interface 1000 × √(D₁D₂)", 200, FAST_INTERFACE),
    Case("LCO boundaries × 10", "of the library", 200, LCO_PATHS),
    Case("LCO boundaries × 1000", "as fast as LLZO", 600, FAST_LCO_PATHS),
    Case(
        "disconnected, LCO boundaries × 1000", "as fast as LLZO", 600,
        FAST_LCO_PATHS | fraction(0.3),
    ),
    Case(
        "contrast, cut cells", "facets where they are", 600,
        {"rtol = 1e-5": 'rtol = 1e-5\nscheme = "cut-cells"'},
    ),
    Case("contrast, periodic", "no walls", 200, PERIODIC),
    Case("contrast, 400 grains", "a box twice as wide", 200, LARGE),
    Case("3D contrast", "LCO 1000 times slower", 200, CUBE),
    Case("3D threshold", "little LLZO", 200, CUBE | fraction(0.2)),
    Case("3D disconnected", "hardly any LLZO", 200, CUBE | fraction(0.08)),
    Case("3D equal, slow interface", "interface 1/1000", 100, CUBE | EQUAL | SLOW_INTERFACE),
    Case("3D slow interface", "interface 1/1000 of √(D₁D₂)", 100, CUBE | SLOW_INTERFACE),
    Case("3D LCO boundaries × 1000", "as fast as LLZO", 100, CUBE | FAST_LCO_PATHS),
    Case(
        "3D disconnected, LCO boundaries × 1000", "as fast as LLZO", 100,
        CUBE | FAST_LCO_PATHS | fraction(0.08),
    ),
)  # fmt: skip
