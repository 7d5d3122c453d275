"""Boards behind NVIDIA's own binding: what is read of them, and whose error it is."""

import math
import time

import pynvml
import pytest

from sweetspot.errors import MeterError
from sweetspot.metering.nvml import Board, allowed_boards
from sweetspot.metering.samples import CHANNELS

STEP = {"low": 100, "high": 700, "period": 2e9, "high_s": 1e9}  # up at 0 s, for good


def test_boards_come_in_the_order_that_the_environment_prefers(fake_nvml):
    fake_nvml({"name": "one"}, {"name": "two"})
    boards = allowed_boards({"CUDA_VISIBLE_DEVICES": "1, 0"})
    assert list(boards.items()) == [("GPU-1", "two"), ("GPU-0", "one")]


def test_boards_hidden_from_this_job_are_not_counted(fake_nvml):
    fake_nvml({"hidden": 1}, {}, {"hidden": 1}, {})
    assert list(allowed_boards({})) == ["GPU-1", "GPU-3"]
    assert list(allowed_boards({"CUDA_VISIBLE_DEVICES": "1"})) == ["GPU-3"]


def test_facts_say_how_the_board_is_set(fake_nvml):
    fake_nvml({"absent": "nvmlDeviceGetEccMode"})
    with Board("GPU-0") as board:
        assert board.facts() == {
            "gpu_name": "NVIDIA H100 80GB HBM3",
            "gpu_uuid": "GPU-0",
            "driver": "0.fake",
            "vbios": "96.00.FA.KE",
            "power_limit_w": "650",
            "power_limit_default_w": "700",
            "max_sm_mhz": "1980",
            "application_graphics_mhz": "1980",
            "application_memory_mhz": "2619",
            "persistence_mode": "1",
            "ecc_mode": "",
            "mig_mode": "0",
        }


def test_look_reads_all_channels(fake_nvml, fake_clock):
    origin = fake_nvml(STEP | {"counter_j": 5e6})
    with Board("GPU-0") as board:
        fake_clock(origin + 0.45)
        before_s = time.monotonic()
        look = board.look()
    assert before_s < look.t_s < time.monotonic()
    assert look.look_s > 0
    assert {name: getattr(look, name) for name in CHANNELS[2:-2]} == {
        "power_instant_w": 700,
        "power_average_w": pytest.approx(100 + 0.4 * 600),  # of the second before
        "power_usage_w": pytest.approx(100 + 0.4 * 600),
        "counter_j": pytest.approx(5e6 + 0.4 * 700),
        "graphics_mhz": 1755,
        "sm_mhz": 1755,
        "memory_mhz": 2619,
        "temperature_c": 50,
        "memory_temperature_c": 60,
        "utilisation": 0.97,
        "event_reasons": 0,
        "power_violation_s": 0,
        "thermal_violation_s": 0,
    }


@pytest.mark.parametrize(
    ("board", "instant_w", "average_w", "usage_w"),
    [
        ({}, 700, 100, 100),
        ({"absent": "185"}, 700, 100, 100),  # a mean by another name
        ({"absent": "185,186"}, math.nan, 100, 100),
        ({"absent": "nvmlDeviceGetFieldValues"}, math.nan, 100, 100),
        ({"absent": "nvmlDeviceGetPowerUsage"}, 700, 100, math.nan),
        ({"absent": "nvmlDeviceGetPowerUsage,185"}, 700, math.nan, math.nan),
        ({"absent": "185,186", "usage_is_instant": 1}, 700, math.nan, 700),  # GA100 and older
    ],
)
def test_power_is_named_for_what_it_is(fake_nvml, board, instant_w, average_w, usage_w):
    # renewed for the last time at 0 s: the second before was all of low power
    fake_nvml(STEP | {"update_s": 1e6} | board)
    with Board("GPU-0") as opened:
        look = opened.look()
    found = (look.power_instant_w, look.power_average_w, look.power_usage_w)
    assert found == pytest.approx((instant_w, average_w, usage_w), nan_ok=True)


@pytest.mark.parametrize(
    ("absent", "counter_j"),
    [
        ("83", 42),
        ("nvmlDeviceGetTotalEnergyConsumption", 42),
        ("83,nvmlDeviceGetTotalEnergyConsumption", math.nan),
    ],
)
def test_energy_counter_is_read_one_way_or_the_other(fake_nvml, absent, counter_j):
    fake_nvml({"counter_j": 42, "low": 0, "absent": absent})
    with Board("GPU-0") as board:
        assert board.look().counter_j == pytest.approx(counter_j, nan_ok=True)


@pytest.mark.parametrize(
    ("function", "channel"),
    [
        ("nvmlDeviceGetClockInfo", "sm_mhz"),
        ("nvmlDeviceGetTemperature", "temperature_c"),
        ("nvmlDeviceGetUtilizationRates", "utilisation"),
        ("nvmlDeviceGetCurrentClocksEventReasons", "event_reasons"),
        ("82", "memory_temperature_c"),
        ("75", "thermal_violation_s"),
    ],
)
def test_what_a_board_lacks_is_nan_and_the_rest_is_there(fake_nvml, function, channel):
    fake_nvml({"absent": function})
    with Board("GPU-0") as board:
        look = board.look()
    assert math.isnan(getattr(look, channel))
    assert look.power_instant_w == 300


def test_processes_and_mig_are_listed(fake_nvml):
    fake_nvml(
        {"pids": "7,11", "mig": 1},
        {"absent": "nvmlDeviceGetMigMode,nvmlDeviceGetComputeRunningProcesses_v3"},
    )
    with Board("GPU-0") as first, Board("GPU-1") as second:
        assert (first.compute_pids(), first.mig()) == ([7, 11], True)
        assert first.earlier_pids == {7, 11}
        assert (second.compute_pids(), second.mig()) == ([], None)


def test_lost_board_is_a_meter_error(fake_nvml):
    fake_nvml({"lost_from": 0})
    with Board("GPU-0") as board, pytest.raises(MeterError, match=r"cannot read .*: GPU is lost"):
        board.look()


def test_field_that_fails_alone_is_a_meter_error(fake_nvml, monkeypatch):
    fake_nvml({})
    ids = []

    def fail(handle, fields):
        ids.extend(fields)
        return [pynvml.c_nvmlFieldValue_t(nvmlReturn=pynvml.NVML_ERROR_GPU_IS_LOST)] * len(fields)

    monkeypatch.setattr(pynvml, "nvmlDeviceGetFieldValues", fail)
    with Board("GPU-0") as board, pytest.raises(MeterError, match=r"read field 186: .*lost"):
        board.look()
    assert ids[0] == 186


def test_board_that_is_gone_is_a_meter_error(fake_nvml):
    fake_nvml({})
    with pytest.raises(MeterError, match="cannot find GPU GPU-9: Not Found"):
        Board("GPU-9")


@pytest.mark.parametrize(
    "code",
    [
        pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
        pynvml.NVML_ERROR_DRIVER_NOT_LOADED,
        pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH,
        pynvml.NVML_ERROR_NO_PERMISSION,
    ],
)
def test_driver_trouble_is_a_meter_error_with_nvmls_words(monkeypatch, code):
    def fail():
        raise pynvml.NVMLError(code)

    monkeypatch.setattr(pynvml, "nvmlInit", fail)
    with pytest.raises(MeterError, match="NVML cannot start: ") as caught:
        Board("GPU-0")
    assert str(pynvml.NVMLError(code)) in str(caught.value)


def test_driver_that_vanished_does_not_spoil_the_end(fake_nvml, monkeypatch):
    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)

    fake_nvml({})
    board = Board("GPU-0")
    monkeypatch.setattr(pynvml, "nvmlShutdown", fail)
    board.close()


@pytest.mark.parametrize(
    ("what", "read"),
    [("power", set()), ("usage", {"power_usage_w", "power_average_w"}), ("all", None)],
)
def test_look_for_less_leaves_out_what_is_dear(fake_nvml, what, read):
    fake_nvml({})
    with Board("GPU-0") as board:
        whole = board.look()
        less = board.look(what)
    dear = {
        *("power_average_w", "power_usage_w", "graphics_mhz", "memory_mhz", "utilisation"),
        *("memory_temperature_c", "power_violation_s", "thermal_violation_s"),
    }
    lacking = {n for n in dear if math.isnan(getattr(less, n))}
    assert lacking == (set() if read is None else dear - read)
    for name in ("power_instant_w", "temperature_c", "sm_mhz", "event_reasons"):
        assert getattr(less, name) == getattr(whole, name)
    assert less.counter_j >= whole.counter_j


def test_board_without_instantaneous_power_is_asked_for_its_mean_each_time(fake_nvml):
    fake_nvml({"absent": "186"}, {"absent": "185,186"})
    for uuid in ("GPU-0", "GPU-1"):
        with Board(uuid) as board:
            board.look()
            assert board.look("power").power_average_w == 300


def test_latency_of_each_field_is_what_the_driver_says(fake_nvml):
    fake_nvml({"field_us": 50}, {})
    with Board("GPU-0") as board:
        board.look()
        board.look("power")
        assert set(board.latencies_us().values()) == {50}
        assert list(board.latencies_us())[:2] == ["power_instant_w", "power_average_w"]
    with Board("GPU-1") as board:
        board.look()
        assert board.latencies_us() == {}  # it does not say
