"""Samples on disk while they come."""

import logging
import math
import os
import time
from pathlib import Path

import pytest

from sweetspot.errors import MeterError
from sweetspot.metering import spool
from sweetspot.metering.samples import CHANNELS, Look
from sweetspot.metering.spool import Spool
from sweetspot.metering.trace import read_trace


def look(t_s, instant_w=300.0):
    return Look(
        **(dict.fromkeys(CHANNELS, math.nan) | {"t_s": t_s, "power_instant_w": instant_w})
        | {"power_average_w": 250.0}
    )


def test_file_follows_the_samples_and_ends_whole(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(spool, "SYNC_S", 0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor))
    path = tmp_path / "new" / "spool.csv"
    spooled = Spool(path)
    spooled.put(look(1.0))
    spooled.put(look(2.0, math.nan))  # a mean is better than nothing
    deadline = time.monotonic() + 5
    while path.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    spooled.put(look(3.0))
    spooled.close()
    trace, samples = read_trace(path)
    assert trace.t_s.tolist() == [1, 2, 3]
    assert trace.power_w.tolist() == [300, 250, 300]
    assert samples.power_average_w.tolist() == [250, 250, 250]
    assert spooled.cpu_s > 0
    assert synced


def test_older_spool_is_overwritten(tmp_path):
    (tmp_path / "spool.csv").write_text("left by a job that was killed\n" * 9)
    Spool(tmp_path / "spool.csv").close()
    assert (tmp_path / "spool.csv").read_text().count("\n") == 1


def test_folder_that_cannot_be_written_is_a_meter_error():
    with pytest.raises(MeterError, match=r"cannot spool samples to /proc/none/spool\.csv: "):
        Spool(Path("/proc/none/spool.csv"))


def test_full_disk_ends_the_spool_and_not_the_measurement(caplog):
    with caplog.at_level(logging.WARNING):
        spooled = Spool(Path("/dev/full"))
        spooled.put(look(1.0))
        spooled.close()
    assert "samples are no longer spooled to /dev/full: No space left on device" in caplog.text


def test_disk_that_hangs_holds_up_neither_samples_nor_the_end(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "slow")
    # opened for both, a pipe takes what fits into it and then keeps its writer waiting
    keeper = os.open(tmp_path / "slow", os.O_RDWR)
    monkeypatch.setattr(spool, "CLOSE_TIMEOUT_S", 0.05)
    monkeypatch.setattr(spool, "FLUSH_S", 0.01)
    spooled = Spool(tmp_path / "slow")
    before_s = time.monotonic()
    for each in range(5000):
        spooled.put(look(float(each)))
    spooled.close()
    assert time.monotonic() - before_s < 1
    # let its thread end
    os.set_blocking(keeper, False)
    deadline = time.monotonic() + 5
    while spooled._thread.is_alive() and time.monotonic() < deadline:
        try:
            os.read(keeper, 1 << 20)
        except BlockingIOError:
            time.sleep(0.01)
    os.close(keeper)
    assert not spooled._thread.is_alive()
