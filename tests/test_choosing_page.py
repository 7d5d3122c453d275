"""docs/choosing.md: its files are written, its commands run, its notebook played."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from sweetspot.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "choosing.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


COMMANDS = {
    command: shown
    for command, _, shown in (
        block.removeprefix("$ ").partition("\n") for block in blocks("console")
    )
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the model and the log that the page shows."""
    (model,), (log,) = blocks("json"), blocks("csv")
    (tmp_path / "qwen3-30b-a3b").mkdir()
    (tmp_path / "qwen3-30b-a3b" / "config.json").write_text(model, encoding="utf-8")
    (tmp_path / "log.csv").write_text(log, encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints_what_is_shown(capsys, command):
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == COMMANDS[command]


def test_notebook_prints_what_is_shown():
    (block,) = blocks("python")
    example = doctest.DocTestParser().get_doctest(block, {}, "page", None, 0)
    said = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=said.append).failed == 0, said
