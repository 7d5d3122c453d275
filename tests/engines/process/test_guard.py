"""The guard by itself: how it passes an end on, and how it ends what it guards."""

import os
import signal
import subprocess
import sys

import pytest

from sweetspot.engines.process import guard

# a guard that is as impatient as tests are
HASTY = f"""
import sys
sys.argv = sys.argv[1:]
code = open({guard.__file__!r}).read().replace("GRACE_S = 5.0", "GRACE_S = 0.3")
exec(compile(code, sys.argv[0], "exec"), {{"__name__": "__main__"}})
"""

# prepares, starts a program in a session of its own that does, too, says who both are, and goes on
FAMILY = """
import os, subprocess, sys
pids, prepare, code, code_of_child = sys.argv[1:]
exec(prepare)
child = subprocess.Popen(
    [sys.executable, "-c", "\\n".join((prepare, code_of_child))], start_new_session=True
)
open(pids, "w").write(f"{os.getpid()} {child.pid}")
exec(code)
"""
SLEEP = "import time; time.sleep(600)"
IGNORE = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"


class Guarded:
    """A command under a guard, with the other end of the guard's pipe in hand."""

    def __init__(self, *command):
        read, self.lifeline = os.pipe()
        self.process = subprocess.Popen(
            [sys.executable, "-c", HASTY, guard.__file__, str(read), *command],
            pass_fds=(read,),
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        os.close(read)

    def close(self):
        if self.lifeline is not None:
            os.close(self.lifeline)
            self.lifeline = None

    def wait(self):
        return self.process.wait(60)


@pytest.fixture
def guarded():
    started = []

    def start(*command):
        started.append(Guarded(*command))
        return started[-1]

    yield start
    for each in started:
        each.close()
        each.wait()
        each.process.stderr.close()


@pytest.fixture
def family(guarded, tmp_path, wait_until):
    """Return a function that starts a program and a child of it; it answers both ids."""

    def start(code, code_of_child=SLEEP, prepare=""):
        pids = tmp_path / "pids"
        each = guarded(sys.executable, "-c", FAMILY, str(pids), prepare, code, code_of_child)
        wait_until(lambda: pids.exists() and len(pids.read_text().split()) == 2)
        return each, pids.read_text().split()

    return start


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("raise SystemExit(0)", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os.kill(os.getpid(), 11)", -signal.SIGSEGV),
        ("import os; os.kill(os.getpid(), 15)", -signal.SIGTERM),
    ],
)
def test_end_of_the_command_is_passed_on(guarded, code, end):
    assert guarded(sys.executable, "-c", code).wait() == end


def test_missing_command_is_said(guarded):
    each = guarded("no-such-program")
    assert each.wait() == 127
    assert (
        each.process.stderr.read() == b"cannot start no-such-program: No such file or directory\n"
    )


@pytest.mark.parametrize("prepare", ["", IGNORE], ids=["sleeps", "ignores SIGTERM"])
def test_death_of_the_starter_ends_child_and_grandchild(family, is_alive, prepare):
    each, pids = family(SLEEP, prepare=prepare)
    assert all(map(is_alive, pids))
    each.close()  # as the kernel does for a process that is killed
    end = each.wait()
    assert not any(map(is_alive, pids))
    assert end == (-signal.SIGKILL if prepare else -signal.SIGTERM)


def test_sigterm_ends_child_and_grandchild(family, is_alive):
    each, pids = family(SLEEP)
    each.process.terminate()
    assert each.wait() == -signal.SIGTERM
    assert not any(map(is_alive, pids))


def test_what_a_command_leaves_behind_ends_with_it(family, is_alive):
    each, (_, child) = family("raise SystemExit(4)")
    assert each.wait() == 4
    assert not is_alive(child)


def test_command_gets_neither_the_pipe_nor_blocked_signals(guarded):
    code = """
import os, signal, stat
for fd in range(3, 64):
    try:
        assert not stat.S_ISFIFO(os.fstat(fd).st_mode), fd
    except OSError:
        pass
assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())
assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
"""
    assert guarded(sys.executable, "-c", code).wait() == 0


def test_container_outlives_neither_its_killed_client_nor_us(
    guarded, tmp_path, monkeypatch, wait_until
):
    killed, began = tmp_path / "killed", tmp_path / "began"
    docker = tmp_path / "docker"
    docker.write_text(
        f"""#!{sys.executable}
import pathlib, signal, sys, time
if sys.argv[1] == "kill":
    pathlib.Path({str(killed)!r}).write_text(sys.argv[2])
    sys.exit()
signal.signal(signal.SIGTERM, signal.SIG_IGN)  # passed on to a program that ignores it
pathlib.Path({str(began)!r}).touch()
time.sleep(600)
"""
    )
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    each = guarded("docker", "run", "--rm", "--name", "sweetspot-1", "image", "--name", "other")
    wait_until(began.exists)
    each.close()
    assert each.wait() == -signal.SIGKILL
    assert killed.read_text() == "sweetspot-1"
