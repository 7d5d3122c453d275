"""The whole meter behind NVIDIA's own binding: boards of known power, and boards that fail."""

import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from sweetspot.errors import MeterError
from sweetspot.metering.nvml import Board
from sweetspot.metering.trace import read_trace
from sweetspot.metering.window import Window

NO_COUNTER = "83,nvmlDeviceGetTotalEnergyConsumption"
PULSE = {"low": 100, "high": 600, "delay": 1.2, "high_s": 10, "period": 1e9}
SQUARE = {"low": 300, "high": 700, "high_s": 1, "period": 2}


@pytest.fixture
def metered_boards(fake_nvml, fake_clock, metered):
    """Return a function that meters each of some boards, by name, for a time after their origin.

    It returns that origin, and by name the readings, or the error that took their place.
    """

    def run(boards, duration_s, interval_s=0.1):
        origin_s = fake_nvml(*boards.values())
        clock, found = fake_clock(origin_s), {}
        for index, name in enumerate(boards):
            # not when the sensors are renewed: which of two values is read would hang on rounding
            clock.now_s = origin_s + 0.013
            with Board(f"GPU-{index}") as board:
                try:
                    found[name] = metered(board, clock, origin_s + duration_s, interval_s)
                except MeterError as error:
                    found[name] = error
        return origin_s, found

    return run


@pytest.fixture(scope="module")
def curves():
    """Boards by name, with their true energy between two times after their origin."""

    def pulse_j(start_s, end_s):
        return 100 * (end_s - start_s) + 500 * np.diff(np.clip([start_s, end_s], 1.2, 11.2))[0]

    def square_j(start_s, end_s):
        t_s = np.arange(start_s, end_s, 1e-4)
        return float(np.where(t_s % 2 < 1, 700, 300).mean() * (end_s - start_s))

    return {
        "constant": ({"low": 300}, lambda a, b: 300 * (b - a)),
        "square": (SQUARE, square_j),
        "ramp": ({"low": 100, "slope": 40}, lambda a, b: (b - a) * (100 + 20 * (a + b))),
        "pulse": (PULSE, pulse_j),
        "no counter": (SQUARE | {"absent": NO_COUNTER}, square_j),
        "no field values": (PULSE | {"absent": "nvmlDeviceGetFieldValues"}, pulse_j),
        "mean of a pulse": (PULSE | {"absent": f"186,{NO_COUNTER}"}, pulse_j),
        "mean of a square": (SQUARE | {"absent": f"186,{NO_COUNTER}"}, square_j),
        "GA100": (SQUARE | {"absent": "185,186", "usage_is_instant": 1}, square_j),
        "frozen": (SQUARE | {"frozen_from": 6}, square_j),
        "restarted": (SQUARE | {"counter_j": 9e4, "restart_at": 6}, square_j),
        "wrapped": (SQUARE | {"counter_j": 4.292e6, "wrap_mj": 2**32}, square_j),
        "disagreeing": (SQUARE | {"counter_gain": 1.2}, lambda a, b: 1.2 * square_j(a, b)),
    }


SOURCES = {
    "no counter": "integration",
    "mean of a pulse": "integration of 1-s average",
    "mean of a square": "integration of 1-s average",
    "frozen": "integration",
    "restarted": "integration",
    "wrapped": "integration",
}
FAULTS = {
    "frozen": "it stood still for 5.",
    "restarted": "it went back from 9",
    "wrapped": "it wrapped around, from 42949",
}


def test_known_power_is_metered_within_one_percent(metered_boards, curves):
    origin_s, found = metered_boards({name: board for name, (board, _) in curves.items()}, 11.7)
    for name, (_, true_j) in curves.items():
        readings = found[name]
        # a pulse is a run between two idle times; the others have edges wherever they fall
        for start_s, end_s in ((1.2, 11.2), (1.2, 11.4)) if "pulse" in name else ((1.31, 11.31),):
            window = Window(readings, origin_s + start_s, origin_s + end_s)
            energy = window.energy
            expected_j = true_j(start_s, end_s)
            assert energy.source == SOURCES.get(name, "counter"), name
            assert energy.energy_j == pytest.approx(expected_j, rel=0.01), name
            gain = 1.2 if name == "disagreeing" else 1
            assert energy.integration_j == pytest.approx(expected_j / gain, rel=0.01), name
            if name in FAULTS:
                assert f"does not count: {FAULTS[name]}" in energy.remarks[0]
                assert energy.gap is None
            if name in ("constant", "square"):
                assert energy.sum_500ms_j == pytest.approx(expected_j, rel=0.01), name
            gates = window.broken_gates(15)
            assert [gate[:22] for gate in gates] == ["energy counter and inte"[:22]] * (gain > 1)
    shares = [readings.sampler_cpu_share for readings in found.values()]
    assert 0 < max(shares) < 0.1


def test_paper_protocol_sums_its_own_samples(metered_boards):
    _, found = metered_boards({"constant": {"low": 250}, "square": SQUARE}, 3.0, interval_s=0.5)
    for readings, mean_w in ((found["constant"], 250), (found["square"], 500)):
        start_s = readings.trace.t_s[1] - 0.2
        found = Window(readings, start_s, start_s + 2, "paper").energy
        assert found.source == "plain sum"
        # a second of every two is drawn high, and each reading is the mean of a second
        assert found.energy_j == pytest.approx(2 * mean_w, rel=0.01 if mean_w == 250 else 0.1)


def test_boards_that_fail_are_found_out(metered_boards):
    boards = {
        "lost": {"lost_from": 1},
        "slow": {"slow_s": 1.4, "slow_from": 1, "slow_to": 1.1},
        "mute": {"absent": "185,186,nvmlDeviceGetPowerUsage"},
        "off": {"low": 0},
        "mig": {"mig": 1},
        "shared": {"pids": f"{os.getpid()},{os.getppid()}"},
        "number of another": {"pids": os.getppid(), "pid_mib": 0},
        "ours": {"pids": os.getpid()},
        "hot": {"events": 0x40, "event_from": 1.5, "event_to": 2},
        "capped": {"events": 0x4, "event_from": 1.5, "event_to": 2},
        "locked": {"reasons": 0x2, "sm_mhz": 1410},
        "heating": {"heating_c_per_s": 10},
    }
    origin_s, found = metered_boards(boards, 3.3)
    assert "power sampling broke off: NVML cannot read" in str(found["lost"])
    assert "GPU is lost" in str(found["lost"])
    assert "this GPU reports no power" in str(found["mute"])
    assert "this GPU reports 0 W" in str(found["off"])

    def window(name):
        return Window(found[name], origin_s + 0.8, origin_s + 2.8)

    def gates(name):
        return window(name).broken_gates(15)

    assert any("s without a power sample (1 s allowed)" in gate for gate in gates("slow"))
    assert gates("mig")[0].startswith("MIG is on")
    (shared,) = gates("shared")
    assert shared.startswith(f"other processes on the GPU: {os.getppid()}")
    assert gates("ours") == gates("number of another") == ()
    slowdown, heat = gates("hot")
    assert slowdown.startswith("thermal slowdown by the hardware in ")
    assert heat.startswith("clocks were held down by heat for 0.5")
    assert gates("capped") == ()
    assert window("capped").conditions.power_cap_share == pytest.approx(0.25, abs=0.05)
    assert gates("locked") == ()
    assert "at 1410 MHz of 1980 MHz" in window("locked").remarks[-1]
    assert re.fullmatch(r"the GPU went from 5\d to 7\d °C \(15 °C allowed\)", gates("heating")[0])


METERING = """
import sys, time
from pathlib import Path
from sweetspot.metering.lease import leased_board
from sweetspot.metering.sampler import NvmlMeter
with leased_board() as board:
    meter = NvmlMeter(board)
    meter.start(Path(sys.argv[1]))
    print("metering", flush=True)
    time.sleep(60)
"""


def test_kill_loses_at_most_the_last_second(fake_nvml, tmp_path, wait_until):
    fake_nvml(SQUARE)
    spool = tmp_path / "spool.csv"

    def times_s():
        """Return the times of the whole lines of the spool."""
        lines = spool.read_text().rpartition("\n")[0].splitlines()[1:]
        return np.loadtxt(lines, delimiter=",", usecols=0)

    def is_up_to_date():
        return len(times_s()) > 20 and times_s()[-1] > time.monotonic() - 1

    command = [sys.executable, "-c", METERING, spool]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as job:
        assert job.stdout.readline() == b"metering\n"
        wait_until(lambda: spool.read_text().count("\n") > 20)
        wait_until(is_up_to_date)
        before = times_s()
        job.send_signal(signal.SIGKILL)
    trace, samples = read_trace(spool)
    assert trace.t_s[: len(before)].tolist() == before.tolist()
    assert set(trace.power_w.tolist()) == {300, 700}
    assert samples.sm_mhz.tolist() == [1755] * trace.t_s.size
