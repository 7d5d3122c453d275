"""docs/questions.md: its files are written, its commands run, its notebook played.

Not here: what `fit --out` draws and what `explore` simulates, which take long and have their tests.
"""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from sweetspot.cli import main

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "questions.md").read_text(encoding="utf-8")


def blocks(language, text=PAGE):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


COMMANDS = {
    command: shown
    for command, _, shown in (
        block.removeprefix("$ ").partition("\n") for block in blocks("console")
    )
}
LOG, NOTEBOOK = blocks("python")


def play(text):
    example = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
    said = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=said.append).failed == 0, said


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the page shows, and the model that another page does."""
    (mine, theirs), (experiment,) = blocks("csv"), blocks("yaml")
    for name, text in (("my.csv", mine), ("theirs.csv", theirs), ("two-hours.yaml", experiment)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    (model,) = blocks("json", (DOCS / "choosing.md").read_text(encoding="utf-8"))
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


def assert_shows(shown, said):
    """Compare line by line; `...` stands for one line or more."""
    lines = (
        r"(?:.*\n)+" if line == "..." else re.escape(line) + "\n" for line in shown.split("\n")
    )
    assert re.fullmatch("".join(lines), said + "\n"), said


@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints_what_is_shown(folder, capsys, command):
    if "day.csv" in command:
        play(LOG)
    assert main(shlex.split(command)[1:]) == 0
    assert_shows(COMMANDS[command], capsys.readouterr().out)


def test_notebook_prints_what_is_shown():
    play(NOTEBOOK)


def test_lines_that_are_shown_are_compared():
    assert_shows("a\n...\nd\n", "a\nb\nc\nd\n")
    for shown in ("a\n...\nc\n", "a\nd\n", "a\nb\nc\nd\n...\n"):
        with pytest.raises(AssertionError):
            assert_shows(shown, "a\nb\nc\nd\n")
