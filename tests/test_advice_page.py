"""docs/advice.md: its table is written, its commands run, its notebook played."""

import pytest
import shown

PAGE = shown.read("docs/advice.md")
COMMANDS = shown.commands(PAGE)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints_what_is_shown(capsys, command, tmp_path, monkeypatch):
    (lengths,) = shown.blocks("csv", PAGE)
    (tmp_path / "lengths.csv").write_text(lengths, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert shown.said(command, capsys) == COMMANDS[command]


def test_notebook_prints_what_is_shown():
    (block,) = shown.blocks("python", PAGE)
    shown.play(block)
