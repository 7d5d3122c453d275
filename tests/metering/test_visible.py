"""Which GPUs a job may use, by its environment."""

import pytest

from sweetspot.errors import MeterError
from sweetspot.metering.visible import allowed

UUIDS = ["GPU-0a", "GPU-1b", "GPU-1c", "GPU-2d"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, UUIDS),
        ({"CUDA_VISIBLE_DEVICES": "1"}, ["GPU-1b"]),
        ({"CUDA_VISIBLE_DEVICES": " 2, 0"}, ["GPU-1c", "GPU-0a"]),
        ({"CUDA_VISIBLE_DEVICES": "1,GPU-1b,1"}, ["GPU-1b"]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-1c,GPU-0"}, ["GPU-1c", "GPU-0a"]),
        ({"CUDA_VISIBLE_DEVICES": "3,-1,0"}, ["GPU-2d"]),  # CUDA reads no further than -1
        ({"SLURM_JOB_GPUS": "1,3"}, ["GPU-1b", "GPU-2d"]),
        ({"SLURM_JOB_GPUS": "1,3", "SLURM_STEP_GPUS": "3"}, ["GPU-2d"]),
        ({"SLURM_JOB_GPUS": "1,3", "CUDA_VISIBLE_DEVICES": "0"}, ["GPU-0a"]),
        ({"SLURM_JOB_GPUS": ""}, UUIDS),
    ],
)
def test_environment_decides(environment, expected):
    assert allowed(environment, UUIDS) == expected


def test_slurms_indexes_mean_nothing_where_it_hides_the_other_gpus():
    assert allowed({"SLURM_JOB_GPUS": "2,3"}, UUIDS[2:]) == UUIDS[2:]


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CUDA_VISIBLE_DEVICES": ""}, "CUDA_VISIBLE_DEVICES is '', which hides every GPU"),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, "which hides every GPU; name one, or unset it"),
        ({"CUDA_VISIBLE_DEVICES": "MIG-77"}, "MIG slice .MIG-77.; power is known only for whole"),
        ({"CUDA_VISIBLE_DEVICES": "4"}, "GPU '4' of CUDA_VISIBLE_DEVICES is not there; NVML sees"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-9"}, "GPU 'GPU-9' of .* is not there"),
        ({"CUDA_VISIBLE_DEVICES": "GPU-1"}, "GPU 'GPU-1' of .* fits 2 GPUs"),
        ({"CUDA_VISIBLE_DEVICES": "0,,1"}, "GPU '' of .* is not there"),
        ({"SLURM_STEP_GPUS": "7"}, "GPU '7' of SLURM_STEP_GPUS is not there"),
    ],
)
def test_gpu_that_cannot_be_had_is_a_meter_error(environment, message):
    with pytest.raises(MeterError, match=message):
        allowed(environment, UUIDS)


def test_node_without_a_gpu_is_a_meter_error():
    with pytest.raises(MeterError, match="finds no GPU"):
        allowed({}, [])
