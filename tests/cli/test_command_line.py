"""The command line as a whole: its help, mistyped words, and what ends a command early."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sweetspot.cli import main
from sweetspot.cli.command_line import parsers
from sweetspot.cli.commands import GROUPS

TOP, COMMANDS = parsers()
QUESTION = shlex.split("predict --model opt-1.3b --gpu h100-sxm --input 64 --output 8 --requests 2")


def misused(capsys, *arguments):
    """Return the one line that a command which cannot be read prints."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    return err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["predict", "--help"]])
def test_help_ends_well(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert "sweetspot" in capsys.readouterr().out


def test_help_lists_every_command_once_by_group():
    listed = [name for names in GROUPS.values() for name in names]
    assert sorted(listed) == sorted(COMMANDS)
    text = TOP.format_help()
    for title, names in GROUPS.items():
        lines = text.partition(f"\n{title}:\n")[2].partition("\n\n")[0].splitlines()
        assert tuple(line.split()[0] for line in lines) == tuple(names)
        assert all(len(line.split()) > 2 for line in lines)


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_fits_into_100_columns(monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "100")
    lines = (COMMANDS[name] if name else TOP).format_help().splitlines()
    assert [line for line in lines if len(line) > 100] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: COMMAND"),
        (("predct",), "unknown command 'predct' (did you mean 'predict'?); see sweetspot --help"),
        (("protocol",), "unknown command 'protocol' (did you mean 'sensor'?)"),
        (("xyzzy",), "unknown command 'xyzzy'; see sweetspot --help"),
        (("--verison",), "unknown option '--verison' (did you mean '--version'?)"),
        (("predict",), "the following arguments are required: --model"),
        (("predict", "--modle", "x"), "unknown option '--modle' (did you mean '--model'?)"),
        (("predict", "-gpu", "x"), "unknown option '-gpu' (did you mean '--gpu'?)"),
        (("analyse", "cells.csv", "--otu=x"), "unknown option '--otu' (did you mean '--out'?)"),
        ((*QUESTION, "--requests=--"), "option '--requests' cannot be '--'; see sweetspot predict"),
        (("models", "--json"), "unknown option '--json'; see sweetspot models --help"),
        ((*QUESTION, "--requests", "many"), "argument --requests: invalid int value: 'many'"),
        (("campaign-report", "a", "b", "--out", "c"), "unrecognized arguments: b"),
    ],
)
def test_mistyped_word_is_named_with_the_nearest(capsys, arguments, message):
    assert message in misused(capsys, *arguments)


@pytest.mark.parametrize("command", ["predict", "simulate"])
def test_mistyped_short_form_is_named_with_the_whole_one(capsys, command):
    line = misused(capsys, command, "--inptu", "64")
    assert "unknown option '--inptu' (did you mean '--input-tokens'?)" in line


def test_value_and_abbreviation_are_not_mistyped_options(capsys):
    assert main([*QUESTION, "--max-ba", "8", "--output=-5"]) == 2
    assert "must be a positive integer, not -5" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "function", "said"),
    [
        (QUESTION, "sweetspot.ask.predict.predict", "sweetspot: interrupted\n"),
        (["evaluate"], "sweetspot.simulator.accuracy.checks.evaluate", "sweetspot: interrupted\n"),
        (
            shlex.split("campaign campaign.yaml --minutes 5 --out out"),
            "sweetspot.campaign.file.parse_campaign",
            "sweetspot: interrupted; finished cells are kept\n",
        ),
        (
            shlex.split("measure --block a --settings {} --cells a --records a --out a"),
            "sweetspot.plan.block.parse_block",
            "sweetspot: interrupted; finished cells are kept\n",
        ),
    ],
)
def test_interrupt_says_that_cells_are_kept_where_there_are_any(
    capsys, monkeypatch, command, function, said
):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.setattr(function, interrupted)
    assert main(command) == 130
    assert capsys.readouterr() == ("", said)


def test_interrupt_while_a_module_in_c_is_imported_is_one(capsys, monkeypatch):
    def interrupted():
        raise ImportError("initialization failed") from KeyboardInterrupt()

    monkeypatch.setattr("sweetspot.catalog.model_ids", interrupted)
    assert main(["models"]) == 130
    assert capsys.readouterr().err == "sweetspot: interrupted\n"


def test_interrupt_while_modules_are_loaded_is_one_line(capsys, monkeypatch):
    class Interrupted:
        def find_spec(self, *asked):
            raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "sweetspot.cli.command_line")
    monkeypatch.setattr(sys, "meta_path", [Interrupted()])
    assert main(["models"]) == 130
    assert capsys.readouterr() == ("", "sweetspot: interrupted\n")


def test_path_that_cannot_be_looked_at_is_said_in_one_line(capsys):
    name = 300 * "x"
    assert main(["fit", name]) == 2
    said = f"sweetspot: error: cannot use {name}: File name too long; name a file or folder that"
    assert capsys.readouterr().err.startswith(said)


def ended(stdout, *arguments):
    """Return how a command ends that prints to a file: its exit code, and standard error."""
    command = [sys.executable, "-m", "sweetspot", *arguments]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


def test_reader_that_has_seen_enough_ends_a_command_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    assert ended(writing, "models") == (141, "")
    os.close(writing)


def test_locale_that_lacks_a_letter_gets_it_escaped(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    asked = "choose --models llama-3.2-1b --input 100 --output 10 --input-stdev 20 --requests 9"
    with (tmp_path / "out").open("w") as out:
        assert ended(out, *asked.split()) == (0, "")
    assert r"100 \xb1 20" in (tmp_path / "out").read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("word", ["models", "--help"])
@pytest.mark.parametrize("buffered", [True, False])
def test_full_disk_is_said_in_one_line_also_as_the_interpreter_ends(monkeypatch, buffered, word):
    monkeypatch.setenv("PYTHONUNBUFFERED", "" if buffered else "1")
    with Path("/dev/full").open("w") as full:
        code, said = ended(full, word)
    assert code == 2
    assert said.startswith("sweetspot: error: cannot write the output: No space left on device")
    assert said.count("\n") == 1
