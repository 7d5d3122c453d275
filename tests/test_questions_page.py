"""docs/questions.md: its files are written, its commands run, its notebook played.

Not here: what `fit --out` draws and what `explore` simulates, which take long and have their tests.
"""

import re
from pathlib import Path

import pytest
import shown

PAGE = shown.read("docs/questions.md")
COMMANDS = shown.commands(PAGE)
LOG, NOTEBOOK = shown.blocks("python", PAGE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the page shows, and the model that another page does."""
    (mine, theirs), (experiment,) = shown.blocks("csv", PAGE), shown.blocks("yaml", PAGE)
    for name, text in (("my.csv", mine), ("theirs.csv", theirs), ("two-hours.yaml", experiment)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (model,) = shown.blocks("json", shown.read("docs/choosing.md"))
    (tmp_path / "qwen3-30b-a3b").mkdir()
    (tmp_path / "qwen3-30b-a3b" / "config.json").write_text(model, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sweetspot.cli.fit_folder.write_fit", lambda *_: [])
    monkeypatch.setattr(
        "sweetspot.explorer.explore.explore", lambda *_, **__: Path("explorer.html")
    )
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def assert_shows(pattern, said):
    """Compare line by line; `...` stands for one line or more."""
    lines = (
        r"(?:.*\n)+" if line == "..." else re.escape(line) + "\n" for line in pattern.split("\n")
    )
    assert re.fullmatch("".join(lines), said + "\n"), said


@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints_what_is_shown(folder, capsys, command):
    if "day.csv" in command:
        shown.play(LOG)
    assert_shows(COMMANDS[command], shown.said(command, capsys))


def test_notebook_prints_what_is_shown():
    shown.play(NOTEBOOK)


def test_readme_says_how_many_questions_there_are():
    words = {15: "Fifteen", 16: "Sixteen", 17: "Seventeen"}
    count = len(re.findall(r"^## ", PAGE, re.MULTILINE))
    assert f"[{words[count]} questions](docs/questions.md)" in shown.read("README.md")


def test_lines_that_are_shown_are_compared():
    assert_shows("a\n...\nd\n", "a\nb\nc\nd\n")
    for pattern in ("a\n...\nc\n", "a\nd\n", "a\nb\nc\nd\n...\n"):
        with pytest.raises(AssertionError):
            assert_shows(pattern, "a\nb\nc\nd\n")
