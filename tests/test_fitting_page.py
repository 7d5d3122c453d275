"""docs/fitting.md: its file is written, its command run, its notebook played."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from sweetspot.cells.columns import recognise
from sweetspot.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "fitting.md").read_text(encoding="utf-8")


def blocks(language):
    """Return the texts of all fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the files that the page shows."""
    for name, language in (("my.csv", "csv"), ("bench.jsonl", "json")):
        (text,) = blocks(language)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_command_prints_what_is_shown(folder, capsys):
    (block,) = blocks("console")
    command, _, shown = block.removeprefix("$ ").partition("\n")
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == shown


def test_notebook_prints_what_is_shown(folder):
    example = doctest.DocTestParser().get_doctest("\n".join(blocks("python")), {}, "page", None, 0)
    said = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=said.append).failed == 0, said


def test_names_of_the_table_are_recognised():
    rows = re.findall(r"^\| (`\w+`[^|]*) \|([^|]*)\|", PAGE, re.MULTILINE)
    assert len(rows) > 10
    for quantities, names in rows:
        for name in map("".join, re.findall(r'`([^`]+)`|"([^"]+)"|\b(ISL|OSL|N|LLM)\b', names)):
            match = recognise(name)
            assert match is not None, name
            assert f"`{match.quantity.removeprefix('total_')}`" in quantities, name
