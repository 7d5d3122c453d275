"""`sweetspot progress`, and the line below what a campaign says."""

import io
import json
import logging
import os
import socket
import sys
from pathlib import Path

import pytest

from sweetspot.cli import main
from sweetspot.cli.progress import line_that_updates
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.measure.measure import measuring
from sweetspot.measure.work import Work
from sweetspot.plan.plan import plan
from sweetspot.progress.watch import write_run_plan
from sweetspot.running import LOCK


class Terminal(io.StringIO):
    """A terminal, as far as streams are asked."""

    def isatty(self):
        return True


def to_do(cells):
    return Work((), tuple(cells), tuple(cells))


@pytest.fixture
def run(small_experiment, tmp_path):
    """A run of four cells, of which one is done."""
    (block,) = plan(small_experiment()).blocks
    write_run_plan(tmp_path, [block], {block.id: to_do(block.cells)}, gpus=1)

    def finish(cells):
        with measuring(block, SimulatorEngine(), tmp_path / "records") as measure:
            for cell in cells:
                measure(cell)

    finish(block.cells[:1])
    return tmp_path, lambda: finish(block.cells[1:])


def test_progress_is_one_line_where_there_is_no_terminal(run, capsys):
    folder, finish = run
    assert main(["progress", str(folder)]) == 0
    assert capsys.readouterr().out.startswith("1/4 cells simulated, ")
    finish()
    assert main(["progress", str(folder)]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("4/4 cells simulated, ")
    assert "left" not in line


def test_progress_in_a_terminal_ends_when_all_cells_are_done(run, monkeypatch):
    folder, finish = run
    finish()
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert main(["progress", str(folder)]) == 0
    assert terminal.getvalue().splitlines()[-1].startswith("\x1b[K4/4 cells simulated, ")


def test_progress_in_a_terminal_ends_with_a_command_that_was_killed(run, monkeypatch):
    folder, _ = run
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": "", "mark": "of another"}
    (folder / LOCK).write_text(json.dumps(holder))
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    assert main(["progress", str(folder)]) == 0
    assert (
        terminal.getvalue()
        .splitlines()[-1]
        .startswith("\x1b[K1/4 cells simulated, its command has ended")
    )


def test_progress_of_a_campaigns_data_says_how_to_read_them(capsys):
    data = Path(__file__).parents[2] / "data" / "h200-vllm"
    assert main(["progress", str(data)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"sweetspot: error: {data} holds the data that a campaign left")
    assert f"`sweetspot campaign-report {data}`" in said


def test_progress_of_a_folder_that_is_no_run_is_one_line(tmp_path, capsys):
    assert main(["progress", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"sweetspot: error: {tmp_path} is no run that has begun")
    assert len(said.splitlines()) == 1


def test_campaign_keeps_its_last_line_out_of_the_way_of_its_log(tmp_path, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    handler = logging.StreamHandler(terminal)
    logging.getLogger().addHandler(handler)
    try:
        with line_that_updates(tmp_path):
            logging.getLogger("sweetspot").warning("a cell")
    finally:
        logging.getLogger().removeHandler(handler)
    assert "a cell\n" in terminal.getvalue()
    assert terminal.getvalue().endswith("0 cells done\n")
    assert not handler.filters
