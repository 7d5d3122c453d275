"""How far a run is, read from the files that its jobs leave."""

import json
import os
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sweetspot.config import Adaptive
from sweetspot.engines.simulated import SimulatorEngine
from sweetspot.errors import InputError
from sweetspot.measure.measure import measuring
from sweetspot.measure.record import record_path, spool_path
from sweetspot.measure.work import Work
from sweetspot.plan.busy import busy_s
from sweetspot.plan.plan import plan
from sweetspot.progress.state import time_left_s
from sweetspot.progress.watch import CampaignWatch, RunWatch, plan_path, watch, write_run_plan
from sweetspot.running import LOCK, held


def to_do(cells, done=()):
    return Work(tuple(done), tuple(cells), tuple(cells))


@pytest.fixture
def begun(small_experiment, tmp_path):
    """A run of four cells whose command has just begun, and its one block."""
    (block,) = plan(small_experiment(engine="vllm")).blocks
    write_run_plan(tmp_path, [block], {block.id: to_do(block.cells)}, gpus=1)
    return tmp_path, block


def write(folder, block, cell, **values):
    path = record_path(folder / "records", cell, block.key(cell))
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {"cell": cell.id, "status": "ok", "reason": "", "simulated": False}
    path.write_text(json.dumps(record | values))
    return path


def start(folder, block):
    log = folder / "logs" / "measure" / f"{block.id}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.touch()
    return log


def test_cells_are_counted_as_their_records_come(begun, monkeypatch):
    folder, block = begun
    run = RunWatch(folder)
    assert run.look() == []
    assert (run.state().done, run.state().cells, run.state().running) == (0, 4, 0)
    begun_s = json.loads(plan_path(folder).read_text())["begun_s"]
    with monkeypatch.context() as stopped:
        stopped.setattr(time, "time", lambda: begun_s)
        assert run.state().left_s == pytest.approx(busy_s(block, block.cells))
    start(folder, block)
    write(folder, block, block.cells[0], energy_j=50.0, passes=4, mean_power_w=300.0)
    write(folder, block, block.cells[1], status="failed", reason="too large")
    assert [each.status for each in run.look()] == ["ok", "failed"]
    state = run.state()
    assert (state.done, state.failed, state.running, state.energy_j) == (2, 1, 1, 200.0)
    assert run.look() == []


def test_cells_are_counted_where_the_clock_of_the_files_is_behind(begun):
    folder, block = begun
    behind_s = time.time() - 60
    os.utime(plan_path(folder), (behind_s, behind_s))
    record = write(folder, block, block.cells[0])
    os.utime(record, (behind_s + 1, behind_s + 1))
    assert len(RunWatch(folder).look()) == 1


def test_power_is_what_fresh_samples_say(begun):
    folder, block = begun
    start(folder, block)
    run = RunWatch(folder)
    spool = spool_path(record_path(folder / "records", block.cells[0], block.key(block.cells[0])))
    spool.parent.mkdir(parents=True)
    spool.write_text("t_s,power_w,more\n0.0,250.0,1\n0.1,312.5,1\n0.2,9")
    assert run.state().power_w == 312.5
    old_s = time.time() - 60
    os.utime(spool, (old_s, old_s))
    assert run.state().power_w is None


def test_job_that_ended_with_an_error_runs_no_more(begun):
    folder, block = begun
    start(folder, block).write_text("sweetspot: error: the engine cannot be loaded\n")
    state = RunWatch(folder).state()
    assert (state.running, state.jobs_failed) == (0, 1)


def test_run_whose_command_was_killed_runs_no_more(begun):
    folder, block = begun
    start(folder, block)
    run = RunWatch(folder)
    holder = {"host": socket.gethostname(), "pid": os.getpid(), "since": "", "mark": "of another"}
    (folder / LOCK).write_text(json.dumps(holder))
    state = run.state()
    assert (state.ended, state.running, state.left_s) == (True, 0, None)
    with held(folder):
        state = run.state()
    assert (state.ended, state.running) == (False, 1)
    for cell in block.cells:
        write(folder, block, cell)
    (folder / LOCK).write_text(json.dumps(holder))
    run.look()
    assert not run.state().ended  # it has done what it had to do


def test_cells_of_earlier_commands_are_done_and_those_measured_again_are_not(begun):
    folder, block = begun
    first, *others = block.cells
    write(folder, block, first, energy_j=10.0)
    old_s = time.time() - 3600
    os.utime(write(folder, block, others[0]), (old_s, old_s))
    write_run_plan(folder, [block], {block.id: to_do(others, [first])}, gpus=1)
    run = RunWatch(folder)
    assert run.look() == []
    assert (run.state().done, run.state().energy_j) == (1, 10.0)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("{")])
def test_record_of_an_earlier_command_that_is_lost_is_not_done(begun, spoil):
    folder, block = begun
    first, second, *others = block.cells
    for cell in (first, second):
        record = write(folder, block, cell)
    write_run_plan(folder, [block], {block.id: to_do(others, [first, second])}, gpus=1)
    spoil(record)
    run = RunWatch(folder)
    run.look()
    assert (run.state().done, run.state().cells) == (1, 4)


def test_simulated_run_is_done_without_a_time_left(small_experiment, tmp_path):
    (block,) = plan(small_experiment()).blocks
    write_run_plan(tmp_path, [block], {block.id: to_do(block.cells)}, gpus=1)
    run = watch(tmp_path)
    assert run.state().left_s is None
    with measuring(block, SimulatorEngine(), tmp_path / "records") as measure:
        for cell in block.cells:
            measure(cell)
    assert [each.cell for each in run.look()] == [cell.id for cell in block.cells]
    assert (run.state().done, run.state().left_s, run.state().simulated) == (4, 0.0, True)


def test_campaign_has_no_number_of_cells_and_ends_with_its_minutes(begun, monkeypatch):
    folder, block = begun
    now_s = time.time()
    monkeypatch.setattr(time, "time", lambda: now_s)
    started = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(now_s))
    call = {"started_utc": started, "ended_utc": "", "minutes": 5}
    (folder / "campaign.json").write_text(json.dumps({"calls": [call]}))
    campaign = watch(folder)
    assert isinstance(campaign, CampaignWatch)
    write(folder, block, block.cells[0], energy_j=7.0)
    assert len(campaign.look()) == 1
    state = campaign.state()
    assert (state.cells, state.done, state.energy_j) == (None, 1, 7.0)
    assert state.left_s == pytest.approx(300, abs=1)


def test_campaign_of_parts_is_all_of_them_with_the_time_of_the_one_that_runs(begun, tmp_path):
    _, block = begun
    now = datetime.now(UTC).isoformat()
    for place, (name, ended) in enumerate((("second", ""), ("first", now))):
        folder = tmp_path / "mine" / name
        write(folder, block, block.cells[place], energy_j=7.0)
        call = {"started_utc": now, "ended_utc": ended, "minutes": 5}
        (folder / "campaign.json").write_text(json.dumps({"calls": [call]}))
        os.utime(folder / "campaign.json", (100 - place, 100 - place))
    campaign = watch(tmp_path / "mine")
    assert len(campaign.look()) == 2
    state = campaign.state()
    assert (state.done, state.energy_j) == (2, 14.0)
    assert state.left_s == pytest.approx(300, abs=30)


@pytest.mark.parametrize("content", ["", "{}", "[]", "[" * 10**5, '{"gpus": 1e400}'])
def test_folder_without_a_readable_plan_is_refused(tmp_path, content):
    with pytest.raises(InputError, match="is no run that has begun"):
        watch(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "progress.json").write_text(content)
    with pytest.raises(InputError, match=r"plan of a run .*; a run that is started"):
        watch(tmp_path)


@pytest.mark.parametrize("content", ["[" * 10**5, '{"energy_j": 1e400}', '{"reason": [3]}', ""])
def test_record_that_cannot_be_read_is_one_cell_of_which_nothing_is_known(begun, content):
    folder, block = begun
    run = RunWatch(folder)
    path = write(folder, block, block.cells[0])
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | json.loads(content)) if content[:1] == "{" else content)
    assert run.look() == []
    assert (run.state().done, run.state().energy_j) == (1, 0)


def test_time_left_follows_the_pace_so_far_and_the_estimate_before_it():
    known = {"begun_s": 100.0, "left": 60.0, "gpus": 2}
    assert time_left_s(**known, now_s=110.0, last_s=None, done=0.0) == 20
    assert time_left_s(**known, now_s=150.0, last_s=140.0, done=20.0) == 40 * 3 - 10
    assert time_left_s(**known | {"gpus": 0}, now_s=110.0, last_s=None, done=0.0) is None
    assert time_left_s(**known | {"left": 0.0}, now_s=110.0, last_s=105.0, done=5.0) == 0


def test_adaptive_run_counts_what_is_expected_until_it_says_enough(small_experiment, tmp_path):
    (block,) = plan(small_experiment(engine="vllm")).blocks
    first, second, third, fourth = block.cells
    deciding = replace(
        block, cells=(first,), candidates=(second, third, fourth), adaptive=Adaptive()
    )
    work = Work((), (first, second), (first, second, third, fourth))
    write_run_plan(tmp_path, [deciding], {block.id: work}, gpus=1)
    run = RunWatch(tmp_path)
    write(tmp_path, block, first)
    run.look()
    assert (run.state().done, run.state().cells) == (1, 2)
    write(tmp_path, block, fourth)  # the second failed in between, which changes the order
    run.look()
    assert (run.state().done, run.state().cells) == (2, 3)
    end = tmp_path / "blocks" / f"{block.id}.jsonl"
    end.parent.mkdir(parents=True)
    end.touch()
    run.look()
    assert (run.state().done, run.state().cells, run.state().left_s) == (2, 2, 0.0)
