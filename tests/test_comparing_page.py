"""docs/comparing.md: its files are written, its command run, its notebook played."""

import re

import pytest
import shown

PAGE = shown.read("docs/comparing.md")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the page shows."""
    files = re.findall(
        r"`(\w\.csv)` holds .*?\n\n```csv\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL
    )
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
def test_command_prints_what_is_shown(capsys):
    ((command, output),) = shown.commands(PAGE).items()
    assert shown.said(command, capsys) == output


@pytest.mark.usefixtures("folder")
def test_notebook_prints_what_is_shown():
    (block,) = shown.blocks("python", PAGE)
    shown.play(block)
