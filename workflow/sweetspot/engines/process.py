"""Foreign programs that may hang, in a session of their own, with chosen log lines timed."""

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import IO

from sweetspot.errors import EngineError
from sweetspot.files import write_bytes_atomic

MAX_LINE_BYTES = 65_536
MAX_REASON_CHARS = 300
GRACE_S = 5.0  # from SIGTERM to SIGKILL, and for the last output of a program that has ended


@dataclass(slots=True)
class _Log:
    """What is kept of a program's output besides its log file."""

    stamps_s: dict[str, list[float]]
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=40))

    @property
    def reason(self) -> str:
        """The line that most likely says why: the last that speaks of an error, else the last."""
        lines = [line for line in list(self.tail) if line]
        errors = [line for line in lines if "error" in line.lower()]
        return (errors or lines or ["it printed nothing"])[-1]


def run_stamped(
    command: Sequence[str], *, markers: Sequence[str], log_path: Path, timeout_s: float
) -> dict[str, list[float]]:
    """Run a program to its end and return when lines holding each marker arrived.

    Times are on the monotonic clock. Nothing of the program's process group outlives the call.

    Raises:
        EngineError: the program is missing, fails, or takes longer than `timeout_s`.
        InputError: the log file cannot be written.
    """
    log = _Log({marker: [] for marker in markers})
    write_bytes_atomic(log_path, b"")  # before the program starts, and in this thread
    process = _started(command)
    # a daemon: it ends with the output, which a worker in a session of its own could hold open
    reader = Thread(target=_read, args=(process.stdout, log_path, log), daemon=True)
    reader.start()
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"{command[0]} was ended after {timeout_s:g} s without finishing;"
            f" its last words: {log.reason} (all of them: {log_path})"
        ) from None
    finally:
        _end_group(process)
        reader.join(GRACE_S)
    if code != 0:
        raise EngineError(
            f"{command[0]} failed with exit code {code}: {log.reason} (its log: {log_path})"
        )
    return log.stamps_s


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # a Python program must not hold lines back: their arrival is what is timed
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    except OSError as error:
        raise EngineError(f"cannot start {command[0]}: {error.strerror}") from error


def _read(output: IO[bytes], log_path: Path, log: _Log) -> None:
    with output, log_path.open("wb", buffering=0) as file:  # unbuffered, to be followed live
        while raw := output.readline(MAX_LINE_BYTES):
            now_s = time.monotonic()
            file.write(raw)
            line = raw.decode(errors="replace").strip()
            log.tail.append(line[:MAX_REASON_CHARS])
            for marker, stamps_s in log.stamps_s.items():
                if marker in line:
                    stamps_s.append(now_s)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the group; MPI workers outlive a parent that dies."""
    if process.poll() is None:
        _signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):  # all of it has ended
        os.killpg(process.pid, number)
