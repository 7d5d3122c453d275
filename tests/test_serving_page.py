"""docs/serving.md: its log is written, its commands run, its notebook played."""

import pytest
import shown

PAGE = shown.read("docs/serving.md")
SECTION = PAGE.partition("## What a log costs")[2].partition("\n## ")[0]
COMMANDS = shown.commands(PAGE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the log that the page shows."""
    (log,) = shown.blocks("csv", SECTION)
    (tmp_path / "log.csv").write_text(log, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints_what_is_shown(capsys, command):
    assert shown.said(command, capsys) == COMMANDS[command]


@pytest.mark.usefixtures("folder")
def test_notebook_prints_what_is_shown():
    (block,) = shown.blocks("python", SECTION)
    shown.play(block)
