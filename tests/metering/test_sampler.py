"""The meter on a board that follows a known power curve on a clock of its own."""

import logging
import math
import os
import time
from dataclasses import replace
from pathlib import Path
from threading import Event, current_thread

import numpy as np
import pytest

from sweetspot.errors import MeterError
from sweetspot.metering import sampler
from sweetspot.metering.conditions import remarks
from sweetspot.metering.energy import window_energy
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter, Spool
from sweetspot.metering.samples import CHANNELS, Look
from sweetspot.metering.trace import read_trace, window_energy_j


class VirtualBoard:
    """What the meter uses of a board, for one whose time stands still between its waits.

    Attributes:
        now_s: the clock.
        channels: functions of the time, or numbers; what is not named is lacking.
        lost_at_s: from when on every look fails.
        takes_s: how long a look takes.
    """

    earlier_pids = frozenset({4_000_001})

    def __init__(self, power_w, *, lost_at_s=math.inf, takes_s=0.0, **channels):
        self.now_s = 100.0
        self.channels = {"power_instant_w": power_w} | channels
        self.lost_at_s, self.takes_s = lost_at_s, takes_s
        self.listed_s = []
        self.asked = []

    def look(self, what="all"):
        self.asked.append((round(self.now_s - 100, 6), what))
        if self.now_s >= self.lost_at_s:
            raise MeterError("NVML cannot read power: GPU is lost")
        t_s = self.now_s + self.takes_s / 2
        self.now_s += self.takes_s
        values = {name: f(t_s) if callable(f) else f for name, f in self.channels.items()}
        return Look(**(dict.fromkeys(CHANNELS, math.nan) | values | {"t_s": t_s}))

    def compute_pids(self):
        self.listed_s.append(self.now_s)
        # pids beyond the kernel's; nobody can be asked, and one came before the engine
        return [4_000_001, 4_000_002] if self.now_s < 105 else []

    def mig(self):
        return False

    def max_sm_mhz(self):
        return 1980.0


@pytest.fixture
def meter_run(metered):
    """Return a function that meters a virtual board for a time on its clock."""

    def run(board, duration_s=12.0, interval_s=0.1, spool=None):
        return metered(board, board, board.now_s + duration_s, interval_s, spool)

    return run


def square_w(t):
    return 700.0 if t % 2 < 1 else 100.0


def test_samples_are_an_interval_apart_from_start_to_stop(meter_run):
    readings = meter_run(VirtualBoard(250.0), interval_s=0.25)
    assert readings.trace.t_s[[0, -1]] == pytest.approx([100, 112])
    assert np.diff(readings.trace.t_s) == pytest.approx(0.25, rel=1e-6)
    assert readings.interval_s == 0.25


def test_all_channels_are_kept(meter_run):
    known = {
        name: float(place)
        for place, name in enumerate(CHANNELS[1:], 1)
        if name not in ("power_instant_w", "utc_s")
    }
    readings = meter_run(VirtualBoard(250.0, **known))
    for name, value in known.items():
        assert set(getattr(readings.samples, name).tolist()) == {value}
    assert readings.samples.t_s.tolist() == readings.trace.t_s.tolist()
    assert readings.counter_j.tolist() == readings.samples.counter_j.tolist()
    assert (readings.mig, readings.max_sm_mhz) == (False, 1980)


def test_host_is_read_at_every_look(metered):
    board = VirtualBoard(250.0)

    class Host:
        scope, remark = "1 CPU package", ""

        def read_j(self):
            return 200 * (board.now_s - 100)

    readings = metered(board, board, 110.0, host=Host())
    assert readings.samples.host_counter_j == pytest.approx(200 * (readings.trace.t_s - 100))
    assert readings.host_scope == "1 CPU package"


def test_ramp_is_integrated_exactly(meter_run):
    readings = meter_run(VirtualBoard(lambda t: 100 + 10 * (t - 100)))
    assert window_energy_j(readings.trace, 100.05, 110.05) == pytest.approx(1505, rel=1e-6)


def test_square_wave_is_within_one_percent(meter_run):
    readings = meter_run(VirtualBoard(square_w), interval_s=0.07)
    assert window_energy_j(readings.trace, 100.5, 110.5) == pytest.approx(4000, rel=0.01)


def test_instantaneous_power_counts_where_the_board_has_it(meter_run):
    readings = meter_run(VirtualBoard(square_w, power_average_w=400.0))
    assert readings.trace.power_w.tolist() == [square_w(t) for t in readings.trace.t_s]
    assert not readings.power_is_average


@pytest.mark.parametrize("instant_w", [math.nan, lambda t: math.nan if 104 < t < 105 else 300.0])
def test_board_without_all_instantaneous_power_is_metered_by_its_mean(meter_run, instant_w):
    readings = meter_run(VirtualBoard(instant_w, power_average_w=square_w))
    assert readings.trace.power_w.tolist() == [square_w(t) for t in readings.trace.t_s]
    assert readings.power_is_average


def once_a_second(t):
    return square_w(t) if t % 1 < 0.05 or t > 111.95 else math.nan


def test_look_without_instantaneous_power_costs_that_look_only(meter_run):
    lost = VirtualBoard(
        lambda t: math.nan if 104.95 < t < 105.25 else 20 * t, power_average_w=once_a_second
    )
    readings = meter_run(lost)
    assert readings.trace.power_w.tolist() == pytest.approx((20 * readings.trace.t_s).tolist())
    assert not readings.power_is_average
    (remark,) = [each for each in remarks(readings, 102.0, 108.0) if "instant" in each]
    assert remark == (
        "instantaneous power could not be read in 3 of 61 looks, and is taken as straight between"
        " the others"
    )
    assert not any("instant" in each for each in remarks(readings, 106.0, 108.0))


def test_mean_that_is_read_once_a_second_stands_in_for_power_that_is_lost(meter_run):
    """What is integrated is the mean at its own times, with a second more of doubt at edges."""
    readings = meter_run(
        VirtualBoard(lambda t: math.nan if t > 105 else 700.0, power_average_w=once_a_second)
    )
    assert readings.power_is_average
    assert readings.trace.power_w[[0, 10, 20]].tolist() == [square_w(t) for t in (100, 101, 102)]
    energy = window_energy(replace(readings, counter_j=5000 * readings.trace.t_s), 102.0, 108.0)
    assert energy.edges * energy.integration_j == pytest.approx((0.1 + 1 + 1) * 700)
    (remark,) = [each for each in remarks(readings, 102.0, 108.0) if "instant" in each]
    assert remark.endswith("and the 1-s mean stands in for all of it")


def test_power_that_is_lost_for_long_and_has_no_mean_is_an_error(meter_run):
    board = VirtualBoard(
        lambda t: math.nan if 104 < t < 105.5 else 700.0,
        power_average_w=lambda t: math.nan if t < 103 else once_a_second(t),
    )
    with pytest.raises(MeterError, match=r"power could not be read in 1\d of 121 looks"):
        meter_run(board)


def test_counter_with_a_reading_missing_is_none(meter_run):
    readings = meter_run(VirtualBoard(250.0, counter_j=lambda t: math.nan if t > 111 else t))
    assert readings.counter_j is None


def test_counter_is_kept_as_it_was_read(meter_run):
    assert meter_run(VirtualBoard(250.0, counter_j=lambda t: -t)).counter_j[0] == -100


def test_clock_that_is_set_meanwhile_moves_no_sample(meter_run, monkeypatch):
    """When the first was is asked for once; an hour back at each look would tear them apart."""
    clock = iter(range(1_790_000_000, 0, -3600))
    monkeypatch.setattr(sampler, "time", lambda: next(clock))
    readings = meter_run(VirtualBoard(250.0), duration_s=3.0)
    assert np.diff(readings.trace.t_s) == pytest.approx(0.1, rel=1e-6)
    first, *others = readings.samples.utc_s.tolist()
    assert first == pytest.approx(1_790_000_000)
    assert all(map(math.isnan, others))


def test_processes_are_listed_about_once_a_second_and_at_the_end(meter_run):
    board = VirtualBoard(250.0)
    readings = meter_run(board, duration_s=12.05)
    assert np.diff(board.listed_s[:-1]) == pytest.approx(1.0, abs=0.11)
    assert board.listed_s[-1] == pytest.approx(112.05)
    (stranger,) = readings.strangers
    assert (stranger.pid, stranger.first_s) == (4_000_001, 100)
    assert stranger.last_s == pytest.approx(104.5, abs=0.51)


def test_slow_looks_leave_gaps_and_no_pile(meter_run):
    readings = meter_run(VirtualBoard(250.0, takes_s=0.25))
    assert np.diff(readings.trace.t_s)[1:-1] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("board", "message"),
    [
        (VirtualBoard(250.0, lost_at_s=105), "broke off: NVML cannot read .*GPU is lost"),
        (VirtualBoard(250.0, lost_at_s=99), "NVML cannot read .*GPU is lost"),
        (VirtualBoard(250.0, lost_at_s=112), "NVML cannot read .*GPU is lost"),
        (VirtualBoard(math.nan), "reports no power"),
        (VirtualBoard(lambda t: 0.0 if t > 105 else 9.0), "reports 0 W"),
    ],
)
def test_board_that_cannot_be_metered_is_an_error(meter_run, tmp_path, board, message):
    with pytest.raises(MeterError, match=message):
        meter_run(board, spool=tmp_path / "spool.csv")


def test_spool_holds_what_the_trace_holds(meter_run, tmp_path):
    readings = meter_run(VirtualBoard(square_w, sm_mhz=1500.0), spool=tmp_path / "spool.csv")
    trace, samples = read_trace(tmp_path / "spool.csv")
    assert trace.t_s.tolist() == readings.trace.t_s.tolist()
    assert trace.power_w.tolist() == readings.trace.power_w.tolist()
    assert samples.sm_mhz.tolist() == readings.samples.sm_mhz.tolist()


def test_meter_runs_on_the_real_clock_and_again(fake_nvml):
    fake_nvml({})
    with Board("GPU-0") as board:
        meter = NvmlMeter(board, interval_s=0.002)
        for _ in range(2):
            before_s = time.monotonic()
            meter.start()
            started_s = time.monotonic()
            time.sleep(0.05)
            after_s = time.monotonic()
            readings = meter.stop()
            assert before_s <= readings.trace.t_s[0] <= started_s
            assert after_s <= readings.trace.t_s[-1]
            assert (np.diff(readings.trace.t_s) > 0).all()
            assert 0 < readings.sampler_cpu_share < 1


def test_start_and_stop_come_in_turn(fake_nvml):
    fake_nvml({})
    with Board("GPU-0") as board:
        meter = NvmlMeter(board, interval_s=0.002)
        with pytest.raises(RuntimeError, match="not running"):
            meter.stop()
        meter.start()
        with pytest.raises(RuntimeError, match="already running"):
            meter.start()
        meter.stop()


def test_driver_that_hangs_is_an_error_and_does_not_keep_the_program(
    fake_nvml, monkeypatch, wait_until
):
    fake_nvml({})
    hangs, comes_back, late_s = Event(), Event(), []
    with Board("GPU-0") as board:
        look_at_once = board.look

        def look(what="all"):
            if current_thread().name != "power sampler" or hangs.is_set():
                return look_at_once(what)
            hangs.set()
            comes_back.wait(60)
            late = look_at_once(what)
            late_s.append(late.t_s)
            return late

        monkeypatch.setattr(board, "look", look)
        monkeypatch.setattr(sampler, "JOIN_TIMEOUT_S", 0.01)
        meter = NvmlMeter(board, interval_s=0.002)
        meter.start()
        assert hangs.wait(60)
        with pytest.raises(MeterError, match=r"hangs: no answer from NVML in 0\.01 s"):
            meter.stop()
        monkeypatch.setattr(sampler, "JOIN_TIMEOUT_S", 60)
        meter.start()
        comes_back.set()
        wait_until(lambda: late_s)
        assert late_s[0] not in meter.stop().trace.t_s  # and leaves this run alone


def test_interval_must_be_positive():
    with pytest.raises(ValueError, match="must be positive"):
        NvmlMeter(VirtualBoard(250.0), interval_s=0)


def look(t_s, instant_w=300.0):
    return Look(
        **(dict.fromkeys(CHANNELS, math.nan) | {"t_s": t_s, "power_instant_w": instant_w})
        | {"power_average_w": 250.0}
    )


def test_file_follows_the_samples_and_ends_whole(tmp_path, monkeypatch, wait_until):
    synced = []
    monkeypatch.setattr(sampler, "SPOOL_SYNC_S", 0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(descriptor))
    path = tmp_path / "new" / "spool.csv"
    spooled = Spool(path)
    spooled.put(look(1.0))
    spooled.put(look(2.0, math.nan))  # a mean is better than nothing
    wait_until(lambda: path.read_bytes().count(b"\n") == 3)
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
    monkeypatch.setattr(sampler, "SPOOL_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sampler, "SPOOL_FLUSH_S", 0.01)
    spooled = Spool(tmp_path / "slow")
    for each in range(5000):
        spooled.put(look(float(each)))
    spooled.close()
    assert spooled._thread.is_alive()  # it waits for the disk, and nobody for it
    # let its thread end
    os.set_blocking(keeper, False)
    deadline = time.monotonic() + 60
    while spooled._thread.is_alive() and time.monotonic() < deadline:
        try:
            os.read(keeper, 1 << 20)
        except BlockingIOError:
            time.sleep(0.01)
    os.close(keeper)
    assert not spooled._thread.is_alive()


def test_what_is_dear_is_read_once_or_twice_a_second_and_at_both_ends(meter_run):
    board = VirtualBoard(250.0)
    meter_run(board, duration_s=3.25)
    by_what = {what: [t for t, each in board.asked if each == what] for what in ("all", "usage")}
    assert by_what["all"] == pytest.approx([0, 1, 2, 3, 3.25])
    assert by_what["usage"] == pytest.approx([0.5, 1.5, 2.5])
    assert len(board.asked) == 34


def test_meter_that_is_slower_than_what_is_dear_reads_all_of_it_each_time(meter_run):
    board = VirtualBoard(250.0)
    meter_run(board, duration_s=4.5, interval_s=1.0)
    assert {what for _, what in board.asked} == {"all"}


def test_whole_looks_are_whole(fake_nvml):
    fake_nvml({})
    with Board("GPU-0") as board:
        meter = NvmlMeter(board, interval_s=0.002, whole=True)
        meter.start()
        time.sleep(0.02)
        samples = meter.stop().samples
    assert all(samples.complete(name) is not None for name in ("power_usage_w", "utilisation"))
