"""docs/choosing.md: its files are written, its commands run, its notebook played."""

import pytest
import shown

PAGE = shown.read("docs/choosing.md")
COMMANDS = shown.commands(PAGE)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the model and the log that the page shows."""
    (model,), (log,) = shown.blocks("json", PAGE), shown.blocks("csv", PAGE)
    (tmp_path / "qwen3-30b-a3b").mkdir()
    (tmp_path / "qwen3-30b-a3b" / "config.json").write_text(model, encoding="utf-8")
    (tmp_path / "log.csv").write_text(log, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints_what_is_shown(capsys, command):
    assert shown.said(command, capsys) == COMMANDS[command]


def test_notebook_prints_what_is_shown():
    (block,) = shown.blocks("python", PAGE)
    shown.play(block)
