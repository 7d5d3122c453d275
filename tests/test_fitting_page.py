"""docs/fitting.md: its file is written, its command run, its notebook played."""

import re

import pytest
import shown

from sweetspot.cells.columns import recognise

PAGE = shown.read("docs/fitting.md")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the page shows."""
    for name, language in (("my.csv", "csv"), ("bench.jsonl", "json")):
        (text,) = shown.blocks(language, PAGE)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
def test_command_prints_what_is_shown(capsys):
    ((command, output),) = shown.commands(PAGE).items()
    assert shown.said(command, capsys) == output


@pytest.mark.usefixtures("folder")
def test_notebook_prints_what_is_shown():
    shown.play("\n".join(shown.blocks("python", PAGE)))


def test_names_of_the_table_are_recognised():
    rows = re.findall(r"^\| (`\w+`[^|]*) \|([^|]*)\|", PAGE, re.MULTILINE)
    assert len(rows) > 10
    for quantities, names in rows:
        for name in map("".join, re.findall(r'`([^`]+)`|"([^"]+)"|\b(ISL|OSL|N|LLM)\b', names)):
            match = recognise(name)
            assert match is not None, name
            assert f"`{match.quantity.removeprefix('total_')}`" in quantities, name
