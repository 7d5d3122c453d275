"""Foreign programs: their log, their end, and that nothing of them outlives us."""

import os
import signal
import subprocess
import sys
import time

import pytest

from sweetspot.engines.process import run as process
from sweetspot.engines.process.run import MAX_REASON_CHARS, end_group, run_stamped, started
from sweetspot.engines.worker.client import Worker
from sweetspot.errors import EngineError, InputError

# a job that runs a program, which starts another one and names both in a file
JOB = """
import sys
from pathlib import Path
from sweetspot.engines.process.run import run_stamped
program = '''
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {child.pid}")
time.sleep(600)
'''
folder = Path(sys.argv[1])
command = [sys.executable, "-c", program, str(folder / "pids")]
run_stamped(command, name="sleeper", log_path=folder / "log", timeout_s=600)
"""


@pytest.fixture
def run(tmp_path):
    """Return a function that runs Python code as a foreign program."""

    def start(code, *, timeout_s=60, **options):
        return run_stamped(
            [sys.executable, "-c", code],
            name="program",
            log_path=tmp_path / "log",
            timeout_s=timeout_s,
            **options,
        )

    return start


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_a_job_whatever_ends_it(tmp_path, is_alive, wait_until, number):
    job = subprocess.Popen([sys.executable, "-c", JOB, str(tmp_path)], stderr=subprocess.DEVNULL)
    pids = tmp_path / "pids"
    wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    started_pids = pids.read_text().split()
    assert all(map(is_alive, started_pids))
    job.send_signal(number)
    job.wait(60)
    wait_until(lambda: not any(map(is_alive, started_pids)))


def test_lines_are_stamped_as_they_arrive_though_they_are_not_flushed(run, tmp_path):
    before_s = time.monotonic()
    code = f"""
import time
print("a mark")
while "mark" not in open({str(tmp_path / "log")!r}).read():
    time.sleep(0.01)
print(time.monotonic())
print("a mark")
"""
    stamps_s = run(code, markers=("mark", "never"))
    first_s, second_s = stamps_s["mark"]
    between_s = float((tmp_path / "log").read_text().splitlines()[1])
    assert before_s < first_s < between_s < second_s < time.monotonic()
    assert stamps_s["never"] == []


def test_program_has_the_environment_that_it_is_given(run, tmp_path):
    run("import os; print(os.environ['MARK'])", env={**os.environ, "MARK": "here"})
    assert (tmp_path / "log").read_text() == "here\n"


def test_missing_program_is_an_engine_error(tmp_path):
    with pytest.raises(EngineError, match="cannot start no-such-program: there is no such program"):
        run_stamped(["no-such-program"], name="it", log_path=tmp_path / "log", timeout_s=1)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "print('ValueError: no'); print('bye'); raise SystemExit(3)",
            "exit code 3: ValueError: no",
        ),
        ("print('bye'); raise SystemExit(3)", "exit code 3: bye"),
        ("raise SystemExit(3)", "exit code 3: it printed nothing"),
        ("import os; print('last', flush=True); os.kill(os.getpid(), 9)", "signal 9: last"),
    ],
)
def test_failure_says_how_and_why(run, code, message):
    with pytest.raises(EngineError, match=f"^program failed with {message}") as caught:
        run(code)
    assert "\n" not in str(caught.value)
    assert "log" in str(caught.value)


def test_memory_that_ran_out_is_the_reason_however_much_follows(run):
    code = "print('CUDA Out of Memory. Tried'); [print('error', i) for i in range(99)]; exit(1)"
    with pytest.raises(EngineError, match=r"^out of memory: CUDA Out of Memory\. Tried \(log of"):
        run(code)


def test_memory_that_ran_out_does_not_matter_if_the_program_went_on(run):
    run("print('CUDA out of memory: trying the next kernel')")


def test_hang_is_ended(run):
    for timeout_s in (0.5, 5, 50):  # a busy machine takes a while to begin
        with pytest.raises(EngineError, match=rf"ended after {timeout_s} s without") as caught:
            run("import time; print('waiting'); time.sleep(600)", timeout_s=timeout_s)
        if "its last words: waiting" in str(caught.value):
            return
    pytest.fail(str(caught.value))


def test_endless_line_is_kept_out_of_memory_and_message(run, tmp_path):
    with pytest.raises(EngineError, match="exit code 3") as caught:
        run("print('x' * 300_000); raise SystemExit(3)")
    assert len(str(caught.value)) < MAX_REASON_CHARS + 200
    assert (tmp_path / "log").stat().st_size == 300_001


def test_flood_is_cut_in_the_log_and_not_in_what_is_looked_for(run, tmp_path, monkeypatch):
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 10_000)
    stamps_s = run("[print('x' * 99) for _ in range(10_000)]; print('mark')", markers=("mark",))
    assert len(stamps_s["mark"]) == 1
    log = (tmp_path / "log").read_text()
    assert len(log) < 10_100
    assert log.endswith("x\n(the rest was not kept)\n")


def test_end_group_ends_a_program_once_and_for_all():
    program = started([sys.executable, "-c", "import time; time.sleep(600)"])
    end_group(program)
    assert program.returncode == -signal.SIGTERM
    end_group(program)
    program.stdout.close()


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that puts a shell script on PATH by a name."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def write(name, script):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("runtime", "script", "error"),
    [
        ("docker", "exit 125", InputError),
        ("docker", "exit 1", EngineError),
        ("apptainer", "echo 'FATAL:   no such image' >&2; exit 255", InputError),
        ("apptainer", "exit 255", EngineError),
        ("apptainer", "echo 'FATAL: kernel assertion in engine' >&2; exit 1", EngineError),
        ("other", "exit 125", EngineError),
    ],
)
def test_container_that_cannot_be_started_is_the_users_to_repair(
    install, tmp_path, runtime, script, error
):
    install(runtime, script)
    with pytest.raises((InputError, EngineError), match="it failed with exit code") as raised:
        run_stamped([runtime], name="it", log_path=tmp_path / "log", timeout_s=20)
    assert raised.type is error
    with pytest.raises((InputError, EngineError), match="ended without an answer") as raised:
        Worker([runtime], environment={}, log_path=tmp_path / "log", timeout_s=20).load({})
    assert raised.type is error


@pytest.mark.parametrize(
    ("runtime", "end"),
    [("docker", "exit 125"), ("apptainer", "echo 'FATAL:   the host went away' >&2; exit 255")],
)
def test_container_that_ends_after_its_program_ran_is_an_engine_error(
    install, tmp_path, runtime, end
):
    install(runtime, f"echo begun; {end}")
    with pytest.raises(EngineError, match=r"^it failed with exit code"):
        run_stamped(
            [runtime], name="it", log_path=tmp_path / "log", timeout_s=20, markers=("begun",)
        )
    loaded = '{"ok": true, "facts": {}}'
    install(runtime, f"read order; echo '{loaded}'; read order; {end}")
    worker = Worker([runtime], environment={}, log_path=tmp_path / "log", timeout_s=20)
    worker.load({})
    with pytest.raises(EngineError, match=r"^the worker ended without an answer"):
        worker.run({})
