"""Boards: which one is opened, and whose error it is."""

import pynvml
import pytest

from sweetspot.errors import MeterError
from sweetspot.metering.nvml import Board


@pytest.fixture
def two_gpus(monkeypatch):
    """Replace NVML behind the real module: GPUs 0 and 1; returns the list of calls."""
    calls = []

    def by_index(index):
        if index > 1:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_INVALID_ARGUMENT)
        return f"gpu {index}"

    monkeypatch.setattr(pynvml, "nvmlInit", lambda: calls.append("init"))
    monkeypatch.setattr(pynvml, "nvmlShutdown", lambda: calls.append("shutdown"))
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByIndex", by_index)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetHandleByUUID", lambda uuid: uuid)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", lambda handle: f"name of {handle}")
    return calls


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "name of gpu 0"),
        ({"CUDA_VISIBLE_DEVICES": "1"}, "name of gpu 1"),
        ({"CUDA_VISIBLE_DEVICES": "1, 0"}, "name of gpu 1"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-77,GPU-78"}, "name of GPU-77"),
    ],
)
def test_board_is_the_one_that_cuda_takes_first(two_gpus, environment, name):
    with Board.open(environment) as board:
        assert board.name() == name
    assert two_gpus == ["init", "shutdown"]


@pytest.mark.parametrize(
    ("visible", "message"),
    [
        ("7", r"cannot find GPU '7' \(from CUDA_VISIBLE_DEVICES, else 0\): Invalid Argument"),
        ("MIG-77", "MIG slice .MIG-77.; power is known only for whole GPUs"),
    ],
)
def test_gpu_that_cannot_be_metered_is_a_meter_error(two_gpus, visible, message):
    with pytest.raises(MeterError, match=message):
        Board.open({"CUDA_VISIBLE_DEVICES": visible})
    assert two_gpus == ["init", "shutdown"]


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
        Board.open({})
    assert str(pynvml.NVMLError(code)) in str(caught.value)


def test_field_read_that_fails_is_a_meter_error(two_gpus, monkeypatch):
    failed = pynvml.c_nvmlFieldValue_t(nvmlReturn=pynvml.NVML_ERROR_GPU_IS_LOST)
    monkeypatch.setattr(pynvml, "nvmlDeviceGetFieldValues", lambda handle, fields: [failed])
    with Board.open({}) as board, pytest.raises(MeterError, match=r"instantaneous power: .*lost"):
        board.power_instant_w()


def test_driver_that_vanished_does_not_spoil_the_end(two_gpus, monkeypatch):
    def fail():
        raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)

    board = Board.open({})
    monkeypatch.setattr(pynvml, "nvmlShutdown", fail)
    board.close()
