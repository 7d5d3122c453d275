"""One command at a time on a folder, and what a killed one leaves."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from sweetspot import running
from sweetspot.errors import InputError
from sweetspot.running import LOCK, MARK, Hold, has_ended, held

# Takes a folder and starts a job, which says its process once it runs, and ends with it or not.
COMMAND = """
import subprocess, sys
from pathlib import Path
from sweetspot.running import Hold
Hold(Path(sys.argv[1])).take(jobs_end_with_it=True)
subprocess.Popen([sys.executable, "-c", sys.argv[2]])
sys.stdin.read()
"""
DEAF = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
JOB = f"from sweetspot.running import end_with_command as e; e(); {DEAF}"


@pytest.fixture
def command(tmp_path):
    """Return a function that starts a command on tmp_path: its process, and that of its job."""
    started = []

    def start(job):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, tmp_path, job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def kill(process):
    """Kill a command, which stays a zombie: nobody waits for it yet."""
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


def test_second_command_is_told_who_works_on_the_folder(tmp_path, command):
    process, _ = command(DEAF)
    with pytest.raises(InputError) as refused:
        Hold(tmp_path)
    assert f"(process {process.pid} on {os.uname().nodename}, since " in str(refused.value)
    assert "wait until it ends, or end it, then the same command" in str(refused.value)


def test_jobs_of_a_killed_command_end_and_the_next_one_waits_for_them(tmp_path, command):
    process, job = command(JOB)
    assert not has_ended(tmp_path)
    kill(process)
    assert has_ended(tmp_path)
    hold = Hold(tmp_path)
    assert hold.is_left
    hold.take(jobs_end_with_it=True)
    hold.release()
    assert not running._mark(job)


def test_job_that_outlives_its_command_is_named(tmp_path, command, monkeypatch):
    monkeypatch.setattr(running, "LEFT_S", 0.2)
    process, job = command(DEAF)
    kill(process)
    with pytest.raises(InputError, match=rf"or `kill -9 {job}`, then the same command"):
        Hold(tmp_path).take(jobs_end_with_it=True)


@pytest.mark.parametrize(
    "changes", [{"host": "elsewhere"}, {"mark": ""}, {"pid": "x"}, None], ids=str
)
def test_what_another_machine_or_nobody_left_is_not_taken_for_dead(tmp_path, changes):
    with held(tmp_path):
        said = json.loads((tmp_path / LOCK).read_text())
    text = "" if changes is None else json.dumps(said | changes)
    (tmp_path / LOCK).write_text(text)
    assert not has_ended(tmp_path)
    assert not Hold(tmp_path).is_left


def test_file_system_without_locks_makes_nothing_certain(tmp_path, monkeypatch):
    with held(tmp_path):
        pass

    def no_locks(*_):
        raise OSError(running.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(running.fcntl, "flock", no_locks)
    hold = Hold(tmp_path)
    assert not hold.is_left
    hold.take(jobs_end_with_it=True)  # and goes on: Snakemake's own lock is left
    hold.release()
    assert MARK not in os.environ


def test_released_folder_can_be_taken_in_the_same_process(tmp_path):
    for _ in range(2):
        assert not has_ended(tmp_path)
        with held(tmp_path):
            assert os.environ[MARK].startswith(f"{os.getpid()}.")
    assert MARK not in os.environ


def test_group_may_go_on_with_a_run_where_the_umask_lets_it(tmp_path):
    before = os.umask(0o002)
    try:
        with held(tmp_path):
            assert (tmp_path / LOCK).stat().st_mode & 0o777 == 0o664
    finally:
        os.umask(before)


def test_job_of_a_running_command_goes_on(tmp_path, command):
    _, job = command(JOB)
    time.sleep(3 * running.LOOK_S)
    assert running._mark(job)


def test_folder_that_was_left_by_a_process_that_goes_on_keeps_nobody_waiting(tmp_path):
    with held(tmp_path):
        assert os.environ[MARK]
    later = Hold(tmp_path)
    assert later.before is None
    later.release()
