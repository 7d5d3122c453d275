"""Who may measure on a board, and for how long."""

import subprocess
import sys
import tempfile
import time
from threading import Thread

import pytest

from sweetspot.errors import MeterError
from sweetspot.metering.lease import leased

HOLDER = (
    "import sys, time; from sweetspot.metering.lease import leased\n"
    "with leased('GPU-1'): print('held', flush=True); time.sleep(60)"
)


@pytest.fixture(autouse=True)
def locks(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_second_job_waits_until_the_first_is_done():
    order = []

    def second():
        with leased("GPU-1"):
            order.append("second")

    with leased("GPU-1"):
        thread = Thread(target=second)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]


def test_another_board_is_free():
    with leased("GPU-1"), leased("GPU-2"):
        pass


def test_killed_job_leaves_the_board_free():
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
    with leased("GPU-1"):
        pass


def test_folder_without_a_place_for_the_lock_is_a_meter_error(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/proc/no-such-folder")
    with (
        pytest.raises(MeterError, match=r"cannot lock the GPU by .*GPU-1\.lock: No such file"),
        leased("GPU-1"),
    ):
        pass
