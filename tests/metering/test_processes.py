"""Whose the processes on a board are."""

import os
import subprocess
import sys

import pytest

from sweetspot.metering.processes import TOKEN, Watch, is_strange, job_token

# Leaves a process behind that is nobody's child, and says which.
ORPHAN = (
    "import subprocess, sys\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import sys; print(1, flush=True);"
    " sys.stdin.read()'], stdout=subprocess.PIPE)\n"
    "child.stdout.readline()\n"
    "print(child.pid, flush=True)\n"
)


@pytest.fixture
def orphan():
    """Return a function that starts an orphan with an environment; each ends with the test."""
    held = []

    def start(environment):
        reader, writer = os.pipe()
        held.append(writer)
        command = [sys.executable, "-c", ORPHAN]
        done = subprocess.run(
            command, stdin=reader, stdout=subprocess.PIPE, env=environment, check=True
        )
        os.close(reader)
        return int(done.stdout)

    yield start
    for writer in held:
        os.close(writer)


@pytest.fixture
def nobodys_environment():
    return {name: value for name, value in os.environ.items() if name != TOKEN}


def test_this_process_and_what_it_started_are_ours(nobodys_environment):
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, env=nobodys_environment) as child:
        assert not is_strange(os.getpid(), earlier_pids={os.getpid()})
        assert not is_strange(child.pid, earlier_pids=())
        child.stdin.close()


def test_process_with_the_token_is_ours_whoever_its_parent_is(orphan):
    with job_token():
        pid = orphan(os.environ.copy())
        assert not is_strange(pid, earlier_pids=())
    with job_token():
        assert is_strange(pid, earlier_pids=())  # of another job


def test_process_without_the_token_is_a_stranger(orphan, nobodys_environment):
    pid = orphan(nobodys_environment)
    assert is_strange(pid, earlier_pids=())
    with job_token():
        assert is_strange(pid, earlier_pids=())


@pytest.mark.parametrize("environment", [None, b"", b"VLLM::EngineCore\0\0\0"])
def test_process_that_cannot_be_asked_is_a_stranger_only_if_it_was_there_first(
    tmp_path, monkeypatch, environment
):
    """In a container, of another user, or with a title in place of its environment."""
    monkeypatch.setattr("sweetspot.proc.PROC", tmp_path)
    if environment is not None:
        (tmp_path / "77").mkdir()
        (tmp_path / "77" / "environ").write_bytes(environment)
    assert not is_strange(77, earlier_pids=())
    assert is_strange(77, earlier_pids={77})


def test_token_is_taken_back(monkeypatch):
    monkeypatch.setenv(TOKEN, "of an outer job")
    with job_token():
        assert os.environ[TOKEN] != "of an outer job"
    assert os.environ[TOKEN] == "of an outer job"
    monkeypatch.delenv(TOKEN)
    with job_token():
        pass
    assert TOKEN not in os.environ


def test_watch_remembers_when_each_stranger_was_there(orphan, nobodys_environment):
    pid = orphan(nobodys_environment)
    watch = Watch(earlier_pids=())
    for at_s, pids in ((1.0, [os.getpid()]), (2.0, [pid, os.getpid()]), (3.0, [pid]), (4.0, [])):
        watch.see(pids, at_s)
    (found,) = watch.strangers()
    assert (found.pid, found.first_s, found.last_s) == (pid, 2.0, 3.0)
    assert found.name.startswith("python")


def test_stranger_that_ended_is_remembered(tmp_path, monkeypatch):
    monkeypatch.setattr("sweetspot.proc.PROC", tmp_path)
    watch = Watch(earlier_pids={77})
    watch.see([77], 1.0)
    assert [(each.pid, each.name) for each in watch.strangers()] == [(77, "")]
