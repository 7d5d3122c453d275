"""Showing how far something is: in a terminal one line that updates, elsewhere a line a cell."""

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from sweetspot.progress.state import Outcome, State
from sweetspot.progress.watch import Watch
from sweetspot.progress.words import cell_line, in_words

EVERY_S = 1.0

_CLEAR = "\r\x1b[K"


class Display:
    """A stream with, if it is a terminal, a last line that is written over.

    The cursor waits at the line's begin: what another program writes stands there, not behind it.
    """

    def __init__(self, stream: TextIO) -> None:
        """Look at the stream: a terminal that cannot go back gets lines like a file."""
        self._stream, self._lock = stream, threading.RLock()
        self._last: State | None = None
        self._shown = False
        self.is_live = stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def show(self, state: State) -> None:
        """Write over the last line; nothing where there is no terminal."""
        if self.is_live:
            with self._lock:
                self._write(f"{_CLEAR}{in_words(state, self._width() - 1)}\r")
                self._last, self._shown = state, True

    def show_again(self) -> None:
        """Write the last line again, after something else was written."""
        if self._last:
            self.show(self._last)

    def say(self, *lines: str) -> None:
        """Write lines that stay."""
        with self._lock:
            self.clear()
            self._write("".join(f"{line}\n" for line in lines))

    def done(self, outcomes: Sequence[Outcome], state: State) -> None:
        """Say which cells are done: in a terminal only of those that are not ok."""
        first = state.done - len(outcomes) + 1
        said = [
            cell_line(outcome, replace(state, done=place))
            for place, outcome in enumerate(outcomes, first)
            if not self.is_live or outcome.status != "ok"
        ]
        if said:
            self.say(*said)

    def clear(self) -> None:
        """Take the last line away, for something else to be written."""
        with self._lock:
            if self._shown:
                self._write(_CLEAR)
                self._shown = False

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody reads it any more: the work goes on
            self.is_live = False


class Follower:
    """Looks every second, and shows what it sees, until it is closed."""

    def __init__(self, watch: Watch, display: Display, *, cells: bool = True) -> None:
        """Show nothing yet; `cells` says whether cells that are done have lines of their own."""
        self._watch, self._display, self._cells = watch, display, cells
        self._lock, self._closing = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        self.files = ""

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def look(self) -> State:
        """Look now."""
        with self._lock:
            outcomes = self._watch.look()
            state = self._watch.state(self.files)
            if self._cells:
                self._display.done(outcomes, state)
            self._display.show(state)
            return state

    def close(self) -> None:
        """Look a last time; the last line stays."""
        self._closing.set()
        self._thread.join(EVERY_S)
        state = self.look()
        self._display.say(in_words(replace(state, left_s=None, power_w=None, running=0)))

    def _run(self) -> None:
        self.look()
        while not self._closing.wait(EVERY_S):
            self.look()
