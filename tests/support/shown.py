"""What a page of Markdown shows: its fenced blocks, its commands, and that they print it."""

import doctest
import re
import shlex
from pathlib import Path

from sweetspot.cli import main

ROOT = Path(__file__).parents[2]


def read(page):
    """Return the text of a page, named from the root of the repository."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(language, text):
    """Return the texts of all fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text):
    """Return {command: what it prints} of all console blocks."""
    shown = {}
    for block in blocks("console", text):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            shown[command] = output
    return shown


def said(command, capsys):
    """Return what a command of `sweetspot` prints; it succeeds."""
    program, *arguments = shlex.split(command)
    assert program == "sweetspot"
    assert main(arguments) == 0
    return capsys.readouterr().out


def play(text):
    """Run the examples of a notebook or of Python's prompt: they print what is shown."""
    example = doctest.DocTestParser().get_doctest(text, {}, "page", None, 0)
    assert example.examples
    wrong = []
    assert doctest.DocTestRunner(verbose=False).run(example, out=wrong.append).failed == 0, wrong
