"""Foreign programs that may hang: under a guard, with chosen log lines timed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from threading import Thread
from typing import IO

from sweetspot.credentials import without_secrets
from sweetspot.engines.process import guard
from sweetspot.errors import EngineError, InputError
from sweetspot.files import write_bytes_atomic

MAX_LINE_BYTES = 65_536
MAX_LOG_BYTES = 64 * 2**20  # what is kept of a program's output
MAX_REASON_CHARS = 300
_DOCKERS_OWN = (125, 126, 127)  # no daemon or image, a command that is not there
_APPTAINERS_OWN = 255
DRAIN_S = 5.0  # for the last output of a program that has ended
GUARD_S = 2 * guard.GRACE_S + guard.DOCKER_S + 5.0  # the longest that a guard takes to end all


@dataclass(slots=True)
class Tail:
    """What may say why a program failed: its last lines, and the last on memory that ran out."""

    lines: deque[str] = field(default_factory=lambda: deque(maxlen=40))
    out_of_memory: str = ""

    def add(self, line: str) -> None:
        """Remember a line, or the beginning of a long one."""
        line = line[:MAX_REASON_CHARS]
        self.lines.append(line)
        if "out of memory" in line.lower():  # what follows it may be long: the stack of each rank
            self.out_of_memory = line

    @property
    def reason(self) -> str:
        """The line that most likely says why: the last that speaks of an error, else the last."""
        lines = [line for line in list(self.lines) if line]
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or ["it printed nothing"])[-1]


def started(
    command: Sequence[str],
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.PIPE,
    stderr: int | IO[bytes] = subprocess.STDOUT,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, under a guard.

    All that it starts in turn ends with it, by `end_group`, and when this process ends, even by
    SIGKILL. `env` is its whole environment; left out: this process's own. Secrets in it are kept
    from the program, which needs none and may print all that it has.

    Raises:
        EngineError: there is no such program.
    """
    environment = without_secrets(os.environ if env is None else env)
    if shutil.which(command[0], path=environment.get("PATH")) is None:
        raise EngineError(f"cannot start {command[0]}: there is no such program on PATH")
    lifeline = _lifeline()
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(lifeline), *command],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            # a Python program must not hold lines back: their arrival is what is timed
            env=environment | {"PYTHONUNBUFFERED": "1"},
            pass_fds=(lifeline,),
            start_new_session=True,
        )
    except OSError as error:
        raise EngineError(f"cannot start {command[0]}: {error.strerror}") from error


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End what `started` has started and all that it left; does nothing if all of it has ended."""
    try:
        if process.poll() is None:
            process.terminate()  # the guard then ends the rest
            with suppress(subprocess.TimeoutExpired):
                process.wait(GUARD_S)
    finally:
        with suppress(ProcessLookupError, PermissionError):  # where even the guard was killed
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def failure_of(
    command: Sequence[str], code: int, tail: Tail, words: str, *, has_run: bool
) -> Exception:
    """Return the error, in these words, of a command that ended with an exit code other than 0.

    An InputError where it was a container's runtime that could not start what it was to: the node
    has to be put right first, and no cell is measured worse for it. Not so where the program has
    shown that it runs (`has_run`): a daemon that goes away meanwhile ends in the same codes.

    Source: exit status of `docker run` (docs.docker.com/reference/cli/docker/container/run); what
    Apptainer cannot do it says after "FATAL:", and ends with 255 (apptainer/apptainer,
    pkg/sylog/sylog.go at 05a391e).
    """
    runtime = Path(command[0]).name
    never_ran = (runtime == "docker" and code in _DOCKERS_OWN) or (
        runtime == "apptainer"
        and code == _APPTAINERS_OWN
        and any(line.startswith("FATAL:") for line in list(tail.lines))
    )
    if never_ran and not has_run:
        return InputError(f"{runtime} could not start the engine (node.container): {words}")
    return EngineError(words)


def run_stamped(
    command: Sequence[str],
    *,
    name: str,
    log_path: Path,
    timeout_s: float,
    markers: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
) -> dict[str, list[float]]:
    """Run a program to its end and return when lines holding each marker arrived.

    Times are on the monotonic clock. Nothing that the program started outlives the call. `name` is
    what errors call it: the command may begin with a container's.

    Raises:
        EngineError: the program is missing, fails, or takes longer than `timeout_s`.
        InputError: the log file cannot be written, or a container not be started: no marker came.
    """
    stamps_s: dict[str, list[float]] = {marker: [] for marker in markers}
    tail = Tail()
    write_bytes_atomic(log_path, b"")  # before the program starts, and in this thread
    process = started(command, env=env)
    # a daemon: it ends with the output, which a process that escaped the guard could hold open
    reader = Thread(target=_read, args=(process.stdout, log_path, stamps_s, tail), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"{name} was ended after {timeout_s:g} s without finishing;"
            f" its last words: {tail.reason} (all of them: {log_path})"
        ) from None
    finally:
        end_group(process)
        reader.join(DRAIN_S)
    if code and tail.out_of_memory:
        raise EngineError(f"out of memory: {tail.out_of_memory} (log of {name}: {log_path})")
    if code:
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        words = f"{name} failed with {how}: {tail.reason} (its log: {log_path})"
        raise failure_of(command, code, tail, words, has_run=any(stamps_s.values()))
    return stamps_s


@cache
def _lifeline() -> int:
    """Return the read end of a pipe whose other end this process holds until it ends."""
    return os.pipe()[0]


def _read(
    output: IO[bytes], log_path: Path, stamps_s: Mapping[str, list[float]], tail: Tail
) -> None:
    kept = 0
    with output, log_path.open("wb", buffering=0) as file:  # unbuffered, to be followed live
        while raw := output.readline(MAX_LINE_BYTES):
            now_s = time.monotonic()
            if kept < MAX_LOG_BYTES:
                kept += len(raw)
                file.write(raw if kept < MAX_LOG_BYTES else b"(the rest was not kept)\n")
            line = raw.decode(errors="replace").strip()
            tail.add(line)
            for marker, times_s in stamps_s.items():
                if marker in line:
                    times_s.append(now_s)
