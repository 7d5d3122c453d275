"""docs/serving.md: its log is written, its commands run, its notebook played."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from sweetspot.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "serving.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## What a log costs")[2].partition("\n## ")[0]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the log that the page shows."""
    (log,) = re.findall(r"^```csv\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    (tmp_path / "log.csv").write_text(log, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("command", "shown"),
    re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL),
)
def test_command_prints_what_is_shown(capsys, command, shown):
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == shown


@pytest.mark.usefixtures("folder")
def test_notebook_prints_what_is_shown():
    (block,) = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    example = doctest.DocTestParser().get_doctest(block, {}, "page", None, 0)
    said = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=said.append).failed == 0, said
