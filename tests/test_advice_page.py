"""docs/advice.md: its table is written, its commands run, its notebook played."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from sweetspot.cli import main

PAGE = (Path(__file__).parents[1] / "docs" / "advice.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


COMMANDS = {
    command: shown
    for command, _, shown in (
        block.removeprefix("$ ").partition("\n") for block in blocks("console")
    )
}


@pytest.mark.parametrize("command", COMMANDS)
def test_command_prints_what_is_shown(capsys, command, tmp_path, monkeypatch):
    (lengths,) = blocks("csv")
    (tmp_path / "lengths.csv").write_text(lengths, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == COMMANDS[command]


def test_notebook_prints_what_is_shown():
    (block,) = blocks("python")
    example = doctest.DocTestParser().get_doctest(block, {}, "page", None, 0)
    said = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=said.append).failed == 0, said
