"""A worker as this side sees it: orders out, answers in, and no wait without an end.

A worker is a program of the engine's own Python; workers/worker_main.py says how the two talk. It
may die, hang, print without end or answer nonsense: each of these ends it, and is an EngineError
with its last words.
"""

import json
import os
import select
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Annotated, Any, Literal, TypeVar

from sweetspot.engines.process.run import (
    DRAIN_S,
    MAX_LINE_BYTES,
    Tail,
    end_group,
    failure_of,
    started,
)
from sweetspot.errors import EngineError, InputError
from sweetspot.files import make_folder
from sweetspot.reading import parse_json
from sweetspot.schema.keys import FiniteFloat, Range
from sweetspot.schema.reading import converted

WORKERS = Path(__file__).absolute().parents[1] / "workers"
MAX_ANSWER_BYTES = 2**20
MAX_LOG_BYTES = 2**26  # what a worker may print in its life
MAX_POLL_S = 3600.0  # poll(2) counts ms in an int
CLOSE_S = 5.0  # for a worker to end by itself
SHOWN_CHARS = 80  # of an answer that is none


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """The answer to "load"; its facts go into the records of all cells."""

    ok: Literal[True]
    facts: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """The answer to "run": times on the monotonic clock, counts of all passes together."""

    ok: Literal[True]
    start_s: FiniteFloat
    end_s: FiniteFloat
    passes: Annotated[int, Range(ge=1)]
    requests: Annotated[int, Range(ge=0)]
    input_tokens: Annotated[int, Range(ge=0)]
    output_tokens: Annotated[int, Range(ge=0)]
    max_concurrency: Annotated[int | None, Range(ge=1)]
    remarks: list[str]


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The answer to what a worker cannot do; `usable` says whether it can do other things."""

    ok: Literal[False]
    kind: Literal["setup", "out of memory", "error"]
    error: str
    usable: bool


Expected = TypeVar("Expected", Loaded, Ran)


def worker_command(python: str, module: str) -> list[str]:
    """Return the command line of a worker; `python` is a command, as in `node.python`."""
    return [*shlex.split(python), str(WORKERS / "worker_main.py"), module]


class Worker:
    """One worker process, from its start to `close`, or until it fails.

    Attributes:
        ended: whether it takes no more orders.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log_path: Path,
        timeout_s: float,
    ) -> None:
        """Start a command with `environment` beside this process's own, but for secrets.

        What it prints is appended to `log_path`, or replaces it where that is large; each order is
        given `timeout_s`.

        Raises:
            EngineError: there is no such program.
            InputError: the log cannot be written.
        """
        make_folder(log_path.parent)
        self._command, self._log_path, self._timeout_s = command, log_path, timeout_s
        self._tail, self._flooded = Tail(), False
        self._answers = b""
        self._has_answered = False
        self.ended = False
        pipe = subprocess.PIPE
        whole = {**os.environ, **environment}
        self._process = started(command, stdin=pipe, stdout=pipe, stderr=pipe, env=whole)
        self._stdin, self._stdout, stderr = _pipes(self._process)
        # a daemon: it ends with stderr, which a process that escaped the guard could hold open
        self._reader = Thread(target=self._read_log, args=(stderr,), daemon=True)
        self._reader.start()

    def load(self, order: Mapping[str, Any]) -> Loaded:
        """Have the engine load its model.

        Raises:
            EngineError: it cannot, or the worker failed.
            InputError: the user has to install something first.
        """
        return self._ask({"op": "load", **order}, Loaded)

    def run(self, order: Mapping[str, Any]) -> Ran:
        """Have the engine run a cell's requests.

        Raises:
            EngineError: it cannot, or the worker failed; `ended` says whether it can go on.
            InputError: the user has to install something first.
        """
        asked_s = time.monotonic()
        answer = self._ask({"op": "run", **order}, Ran)
        if not asked_s <= answer.start_s < answer.end_s <= time.monotonic():
            raise self._failed(
                f"answered that it ran from {answer.start_s} s to {answer.end_s} s on the"
                f" monotonic clock, where it was asked at {asked_s} s"
            )
        return answer

    def close(self) -> None:
        """End the worker: by telling it, or else by force."""
        if not self.ended:
            with suppress(OSError):
                self._tell({"op": "close"})
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(CLOSE_S)
        self._end()

    def _ask(self, order: Mapping[str, Any], expected: type[Expected]) -> Expected:
        """Return the answer to an order, of the expected kind."""
        try:
            self._tell(order)
        except (OSError, ValueError):  # nobody reads it, or it was closed
            raise self._died() from None
        try:
            answer = parse_answer(self._next_line(), expected)
        except ValueError as error:
            raise self._failed(f"answered {error}") from None
        if not isinstance(answer, Refused):
            return answer
        if not answer.usable:
            self._end()
        if answer.kind == "setup":
            raise InputError(answer.error)
        kind = "out of memory: " if answer.kind == "out of memory" else ""
        raise EngineError(f"{kind}{answer.error} (the worker's log: {self._log_path})")

    def _tell(self, order: Mapping[str, Any]) -> None:
        self._stdin.write(json.dumps(order).encode() + b"\n")
        self._stdin.flush()

    def _next_line(self) -> bytes:
        due_s = time.monotonic() + self._timeout_s
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        while b"\n" not in self._answers:
            left_s = due_s - time.monotonic()
            if left_s <= 0:
                raise self._failed(f"was ended after {self._timeout_s:g} s without an answer")
            if not poll.poll(min(left_s, MAX_POLL_S) * 1000):
                continue
            data = os.read(self._stdout.fileno(), MAX_LINE_BYTES)
            if not data:
                raise self._died()
            self._answers += data
            if len(self._answers) > MAX_ANSWER_BYTES:
                raise self._failed(f"answered more than {MAX_ANSWER_BYTES} bytes")
        self._has_answered = True
        line, _, self._answers = self._answers.partition(b"\n")
        return line

    def _died(self) -> Exception:
        self._end()
        if self._flooded:
            return self._failed(f"was ended as it printed more than {MAX_LOG_BYTES} bytes")
        code = self._process.returncode
        how = f"exit code {code}" if code >= 0 else f"signal {-code}"
        words = str(self._failed(f"ended without an answer, with {how}"))
        return failure_of(self._command, code, self._tail, words, has_run=self._has_answered)

    def _failed(self, what: str) -> EngineError:
        """End the worker and return the error that says what it did, with its last words."""
        self._end()
        return EngineError(
            f"the worker {what}; its last words: {self._tail.reason} (its log: {self._log_path})"
        )

    def _end(self) -> None:
        self.ended = True
        end_group(self._process)
        self._reader.join(DRAIN_S)
        for stream in (self._stdin, self._stdout):
            with suppress(OSError):  # an order that nobody has read
                stream.close()

    def _read_log(self, stderr: IO[bytes]) -> None:
        """Keep what the worker prints, but not without end, nor that of any number before it."""
        printed = 0
        is_full = self._log_path.exists() and self._log_path.stat().st_size > MAX_LOG_BYTES
        with stderr, self._log_path.open("wb" if is_full else "ab", buffering=0) as file:
            while raw := stderr.readline(MAX_LINE_BYTES):
                printed += len(raw)
                if printed > MAX_LOG_BYTES:
                    self._flooded = True
                    self._process.terminate()  # its guard then ends all of it
                    return
                with suppress(OSError):  # a full disk; what matters goes on
                    file.write(raw)
                self._tail.add(raw.decode(errors="replace").strip())


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """Return stdin, stdout and stderr of a process that was started with three pipes."""
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a worker was started without its pipes")
    return process.stdin, process.stdout, process.stderr


def parse_answer(line: bytes, expected: type[Expected]) -> Expected | Refused:
    """Return the answer that a line holds.

    Raises:
        ValueError: it holds none; the message shows its beginning, and says what is wrong.
    """
    try:
        answer = parse_json(line, "it")
        refused = isinstance(answer, dict) and answer.get("ok") is False
        return converted(Refused, answer) if refused else converted(expected, answer)
    except InputError as e:
        wrong = str(e)
    shown = line.decode(errors="replace")[:SHOWN_CHARS]
    raise ValueError(f"{shown!r}, which is not an answer ({wrong})")
