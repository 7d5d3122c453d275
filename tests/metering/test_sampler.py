"""The NVML meter on a board that follows a known power curve on a clock of its own."""

from threading import Event
from types import SimpleNamespace

import numpy as np
import pynvml
import pytest

from sweetspot.errors import MeterError
from sweetspot.metering import nvml, sampler
from sweetspot.metering.meter import window_counter_j
from sweetspot.metering.nvml import Board
from sweetspot.metering.sampler import NvmlMeter
from sweetspot.metering.trace import window_energy_j


class FakeBoard:
    """The part of `pynvml` that the meter uses, under its names, for one made-up board.

    Attributes:
        power_w, energy_j: board power and energy as functions of `now_s`.
        absent: names of functions that answer NVML_ERROR_NOT_SUPPORTED.
        lost_at_s: from when on every call answers NVML_ERROR_GPU_IS_LOST.
    """

    def __init__(self, power_w, energy_j=lambda t: 0.0, *, absent=(), lost_at_s=np.inf):
        self.now_s = 100.0
        self.power_w, self.energy_j = power_w, energy_j
        self.absent, self.lost_at_s = absent, lost_at_s
        self.run_is_over = Event()

    def __getattr__(self, name):
        return getattr(pynvml, name)  # constants and the error class

    def _answer(self, function, value):
        if self.now_s >= self.lost_at_s:
            self.run_is_over.set()
            raise pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
        if function in self.absent:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return value

    def nvmlInit(self):
        self.open = True

    def nvmlShutdown(self):
        self.open = False

    def nvmlDeviceGetHandleByIndex(self, index):
        if index > 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return f"index {index}"

    def nvmlDeviceGetHandleByUUID(self, uuid):
        return f"uuid {uuid}"

    def nvmlDeviceGetName(self, handle):
        return f"NVIDIA H100 80GB HBM3 at {handle}"

    def nvmlDeviceGetPowerUsage(self, handle):
        # a sensor with a lag, so that a mix-up of the two readings shows
        return self._answer("nvmlDeviceGetPowerUsage", round(1e3 * self.power_w(self.now_s - 1)))

    def nvmlDeviceGetFieldValues(self, handle, fields):
        assert fields == [pynvml.NVML_FI_DEV_POWER_INSTANT]
        milliwatts = self._answer("field", round(1e3 * self.power_w(self.now_s)))
        missing = "POWER_INSTANT" in self.absent
        result = pynvml.NVML_ERROR_INVALID_ARGUMENT if missing else pynvml.NVML_SUCCESS
        return [SimpleNamespace(nvmlReturn=result, value=SimpleNamespace(uiVal=milliwatts))]

    def nvmlDeviceGetTotalEnergyConsumption(self, handle):
        millijoules = round(1e3 * self.energy_j(self.now_s))
        return self._answer("nvmlDeviceGetTotalEnergyConsumption", millijoules)


@pytest.fixture
def meter_run(monkeypatch):
    """Return a function that meters a fake board for a time on its own clock."""

    def run(board, duration_s=12.0, interval_s=0.1):
        end_s = board.now_s + duration_s

        class ClockEvent:
            """An Event whose waits move the clock on, and which rests at the end of the run."""

            def __init__(self):
                self.event = Event()

            def wait(self, timeout):
                if board.now_s + timeout >= end_s:
                    board.run_is_over.set()
                    return self.event.wait(5)
                board.now_s += timeout
                return False

            def set(self):
                self.event.set()

        monkeypatch.setattr(nvml, "pynvml", board)
        monkeypatch.setattr(sampler, "Event", ClockEvent)
        monkeypatch.setattr(sampler, "monotonic", lambda: board.now_s)
        meter = NvmlMeter(Board.open({}), interval_s)
        meter.start()
        assert board.run_is_over.wait(5)
        board.now_s = max(board.now_s, end_s)
        return meter.stop()

    return run


def square_w(t):
    return 700.0 if t % 2 < 1 else 100.0


def test_constant_power_is_integrated_and_counted(meter_run):
    readings = meter_run(FakeBoard(lambda t: 250.0, lambda t: 250.0 * (t - 90)))
    assert readings.trace.t_s[[0, -1]] == pytest.approx([100, 112])
    assert window_energy_j(readings.trace, 101, 111) == pytest.approx(2500, rel=1e-9)
    assert window_counter_j(readings, 101.03, 111.07) == pytest.approx(2510, rel=1e-6)


def test_samples_are_an_interval_apart(meter_run):
    readings = meter_run(FakeBoard(lambda t: 250.0), interval_s=0.25)
    assert np.diff(readings.trace.t_s) == pytest.approx(0.25, rel=1e-6)
    assert readings.trace.t_s.size == 49


def test_ramp_is_integrated_exactly(meter_run):
    readings = meter_run(FakeBoard(lambda t: 100 + 10 * (t - 100)))
    assert window_energy_j(readings.trace, 100.05, 110.05) == pytest.approx(1505, rel=1e-6)


def test_square_wave_is_within_one_percent(meter_run):
    readings = meter_run(FakeBoard(square_w), interval_s=0.07)
    assert window_energy_j(readings.trace, 100.5, 110.5) == pytest.approx(4000, rel=0.01)


def test_instantaneous_power_counts_where_the_board_has_it(meter_run):
    readings = meter_run(FakeBoard(square_w))
    assert readings.trace.power_w.tolist() == [square_w(t) for t in readings.trace.t_s]


@pytest.mark.parametrize("absent", ["field", "POWER_INSTANT"])
def test_board_without_instantaneous_power_is_metered_by_its_mean(meter_run, absent):
    readings = meter_run(FakeBoard(square_w, absent=[absent]))
    assert readings.trace.power_w.tolist() == [square_w(t - 1) for t in readings.trace.t_s]


def test_what_a_board_does_not_offer_is_none_not_zero(meter_run):
    absent = ["nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage"]
    readings = meter_run(FakeBoard(lambda t: 250.0, absent=absent))
    assert window_counter_j(readings, 101, 102) is None
    assert window_energy_j(readings.trace, 101, 102) == pytest.approx(250)


@pytest.mark.parametrize(
    ("board", "message"),
    [
        (FakeBoard(square_w, lost_at_s=105), "broke off: NVML cannot read .*GPU is lost"),
        (FakeBoard(square_w, lost_at_s=99), "NVML cannot read .*GPU is lost"),
        (FakeBoard(square_w, absent=["field", "nvmlDeviceGetPowerUsage"]), "reports no power"),
        (FakeBoard(lambda t: 0.0), "reports 0 W"),
        (FakeBoard(square_w, lambda t: 1e4 - t), "energy counter went back"),
    ],
)
def test_meter_that_cannot_be_trusted_is_an_error(meter_run, board, message):
    with pytest.raises(MeterError, match=message):
        meter_run(board)


def test_counter_is_not_read_outside_the_trace(meter_run):
    readings = meter_run(FakeBoard(lambda t: 250.0, lambda t: 250.0 * (t - 90)))
    with pytest.raises(ValueError, match="not inside the trace"):
        window_counter_j(readings, 101, 113)


def test_run_shorter_than_the_interval_has_too_few_samples(meter_run):
    with pytest.raises(MeterError, match=r"only 2 power samples in 0\.050 s .* 3 needed"):
        meter_run(FakeBoard(square_w), duration_s=0.05)


def test_slow_host_has_too_few_samples(meter_run):
    board = FakeBoard(square_w)
    slow = board.nvmlDeviceGetTotalEnergyConsumption

    def stall(handle):
        board.now_s += 1.0
        return slow(handle)

    board.nvmlDeviceGetTotalEnergyConsumption = stall
    with pytest.raises(MeterError, match="host too busy"):
        meter_run(board)


def test_meter_runs_on_the_real_clock_and_again(monkeypatch):
    monkeypatch.setattr(nvml, "pynvml", FakeBoard(lambda t: 250.0))
    meter = NvmlMeter(Board.open({}), interval_s=0.002)
    for _ in range(2):
        meter.start()
        Event().wait(0.05)
        trace = meter.stop().trace
        assert trace.t_s[-1] - trace.t_s[0] >= 0.05
        assert (np.diff(trace.t_s) > 0).all()


def test_start_and_stop_come_in_turn(monkeypatch):
    monkeypatch.setattr(nvml, "pynvml", FakeBoard(lambda t: 250.0))
    meter = NvmlMeter(Board.open({}), interval_s=0.002)
    with pytest.raises(RuntimeError, match="not running"):
        meter.stop()
    meter.start()
    with pytest.raises(RuntimeError, match="already running"):
        meter.start()
    Event().wait(0.02)
    meter.stop()


def test_interval_must_be_positive():
    with pytest.raises(ValueError, match="must be positive"):
        NvmlMeter(Board("handle"), interval_s=0)
