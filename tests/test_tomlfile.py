"""Files that never end, nest too deep or hold numbers no one can read are told in one line."""

import os
from pathlib import Path

import pytest

from multiscale.errors import StudyError, describe
from multiscale.tomlfile import DEEPEST, LARGEST, read


def one_line(path: Path, words: str) -> None:
    with pytest.raises(StudyError, match=words) as caught:
        read(path, StudyError)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "too deep a nesting"),
        ("x = " + "{ a = " * 5000, "too deep a nesting"),
        (".".join("a" * 100_000) + " = 1", f"more than {DEEPEST} parts"),  # quadratic in the parser
        ("[" + " . ".join("a" * 200) + "]", f"more than {DEEPEST} parts"),
        ("x = " + "9" * 5000, "thousands of digits"),
        ("x = 1\n" + "#" * LARGEST, "a TOML file below 1 MiB"),
        ("x = '''a\x1b[2J", "valid TOML"),
    ],
)
def test_what_a_parser_chokes_on(tmp_path, text, words):
    path = tmp_path / "a.toml"
    path.write_text(text)
    one_line(path, words)


def test_keys_and_texts_with_dots_are_read(tmp_path):
    text = "a.b.c = 'v. 1.2.3.4 of 10.1038/s41524-021-00681-8 ... " + "x" * 20_000 + "'\n"
    (tmp_path / "a.toml").write_text(text)
    assert read(tmp_path / "a.toml", StudyError)["a"]["b"]["c"].startswith("v. 1.2")


def test_what_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    one_line(tmp_path / "pipe.toml", "a pipe or device")
    (tmp_path / "zero.toml").symlink_to("/dev/zero")
    one_line(tmp_path / "zero.toml", "a pipe or device")
    (tmp_path / "loop.toml").symlink_to(tmp_path / "loop.toml")
    one_line(tmp_path / "loop.toml", "a readable TOML file")
    one_line(tmp_path / "a\0.toml", "the name of a file")


def test_messages_move_no_cursor_and_show_any_number():
    line = describe("a\x1b[2J\nb", "x", "\x00\udc80", "é → ×")
    assert line == r"a\x1b[2J\nb: expected x, received \x00\udc80; é → ×"
    assert "thousands of digits" in describe("a", "x", 16**6000)
