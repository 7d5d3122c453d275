"""The line that updates: in a terminal only, as wide as that is, and out of the way of others."""

import fcntl
import io
import os
import pty
import struct
import termios

import pytest

from sweetspot.progress.show import Display
from sweetspot.progress.state import Outcome, State

HALF = State(cells=10, done=5, failed=1, energy_j=3.6e6, left_s=50.0)
OUTCOMES = [
    Outcome(
        cell=f"m/{status}",
        status=status,
        reason="",
        simulated=False,
        window_j=1.0,
        per_token_j=None,
        power_w=None,
        duration_s=None,
    )
    for status in ("ok", "failed")
]

MARK = "\x00"


@pytest.fixture
def terminal(monkeypatch):
    """A function that makes a terminal of some columns: the stream, and what it was sent."""
    monkeypatch.setenv("TERM", "xterm")
    files = []

    def make(columns):
        controller, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        stream = os.fdopen(end, "w")
        files.append((controller, stream))

        def sent():
            # A terminal hands over its bytes when it likes: a mark behind them says that all came.
            stream.write(MARK)
            stream.flush()
            came = ""
            while not came.endswith(MARK):
                came += os.read(controller, 65536).decode()
            return came.removesuffix(MARK)

        return stream, sent

    yield make
    for controller, stream in files:
        stream.close()
        os.close(controller)


def test_file_gets_a_line_a_cell_and_no_control_characters():
    stream = io.StringIO()
    display = Display(stream)
    display.show(HALF)
    display.done(OUTCOMES, HALF)
    assert stream.getvalue() == (
        "cell ok m/ok (4 of 10, about 50 s left)\ncell failed m/failed (5 of 10, about 50 s left)\n"
    )


@pytest.mark.parametrize("columns", [80, 40])
def test_terminal_line_is_written_over_and_leaves_room(terminal, columns):
    stream, sent = terminal(columns)
    display = Display(stream)
    display.show(HALF)
    shown = sent()
    assert shown.startswith("\r\x1b[K5/10 cells done, 1 FAILED")
    assert shown.endswith("\r")
    assert len(shown.removeprefix("\r\x1b[K").removesuffix("\r")) < columns
    display.done(OUTCOMES, HALF)
    assert sent() == "\r\x1b[Kcell failed m/failed (5 of 10, about 50 s left)\r\n"
    display.clear()  # nothing is there to be cleared
    display.say("end")
    assert sent() == "end\r\n"


def test_terminal_that_cannot_go_back_gets_lines(terminal, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    stream, _ = terminal(80)
    assert not Display(stream).is_live


def test_reader_that_is_gone_ends_nothing(terminal):
    stream, _ = terminal(80)
    display = Display(stream)
    stream.close()
    display.show(HALF)
    display.say("more")
    assert not display.is_live
