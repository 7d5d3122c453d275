"""The report of trtllm-bench, in the shapes of its versions."""

from pathlib import Path

import pytest

from sweetspot.cells.cell import Cell
from sweetspot.config import Limits
from sweetspot.engines.trtllm.build import Build
from sweetspot.engines.trtllm.pytorch import PyTorchModel
from sweetspot.engines.trtllm.report import Report
from sweetspot.engines.trtllm.versions import trtllm_version
from sweetspot.errors import EngineError
from sweetspot.schema.reading import converted

CELL = Cell(
    model="m", engine="tensorrt-llm", max_batch_size=8, requests=3, input_tokens=5, output_tokens=7
)
LIMITS = Limits(max_seq_len=16, max_batch_size=8, max_num_tokens=64, kv_cache_memory_fraction=0.85)


def report(**sections):
    content = {
        "engine": {"backend": "TRT", "version": "0.21.0", "max_sequence_length": 16},
        "world_info": {"max_batch_size": 8, "max_num_tokens": 64, "kv_cache_percentage": 85.0},
        "request_info": {"num_requests": 3, "avg_input_length": 5.0, "avg_output_length": 7.0},
        "performance": {"total_latency_ms": 12.5},
    }
    return converted(
        Report, {name: values | sections.get(name, {}) for name, values in content.items()}
    )


def require(report, version="0.21.0"):
    build = Build(
        name="m",
        checkpoint=Path("m"),
        dtype="bfloat16",
        trtllm=trtllm_version(version),
        limits=LIMITS,
        place=Path("engines"),
    )
    report.require(build, CELL)


def test_report_of_what_was_asked_passes():
    require(report())
    assert report().total_latency_s == 0.0125


@pytest.mark.parametrize("share", [85.0, 0.85, 0.8500000001, None])
def test_share_of_the_kv_cache_may_be_percent_or_fraction_in_0_21(share):
    require(report(world_info={"kv_cache_percentage": share}))


@pytest.mark.parametrize("version", ["1.2.0", "1.2.1"])
def test_share_of_the_kv_cache_is_a_fraction_in_1_2(version):
    engine = {"version": version}
    require(report(engine=engine, world_info={"kv_cache_percentage": 0.85}), version)
    with pytest.raises(EngineError, match=r"85\.0 instead of 0\.85 as share of the KV cache"):
        require(report(engine=engine), version)


@pytest.mark.parametrize(
    ("section", "name", "value", "words"),
    [
        ("engine", "backend", "Pytorch", "Pytorch instead of TRT as backend"),
        ("engine", "version", "0.20.0", r"0\.20\.0 instead of 0\.21\.0 as version"),
        ("engine", "max_sequence_length", 32, "32 instead of 16 as max_seq_len"),
        ("world_info", "max_batch_size", 2048, "2048 instead of 8 as max_batch_size"),
        ("world_info", "max_num_tokens", 8192, "8192 instead of 64 as max_num_tokens"),
        ("world_info", "kv_cache_percentage", 90.0, r"90\.0 instead of 0\.85 as share"),
        ("world_info", "kv_cache_percentage", float("nan"), r"nan instead of 0\.85 as share"),
        ("request_info", "num_requests", 2, "2 instead of 3 as requests"),
        ("request_info", "avg_input_length", 4.5, r"4\.5 instead of 5 as mean input tokens"),
        ("request_info", "avg_output_length", 6.9, r"6\.9 instead of 7 as mean output tokens"),
        ("request_info", "avg_output_length", float("nan"), "nan instead of 7 as mean output"),
    ],
)
def test_other_work_than_asked_is_an_engine_error(section, name, value, words):
    with pytest.raises(EngineError, match=f"ran something else: {words}"):
        require(report(**{section: {name: value}}))


def test_what_versions_leave_out_is_not_held_against_them():
    require(report(engine={"version": "", "max_sequence_length": None}))


def test_report_of_pytorch_is_of_pytorch_with_its_energy():
    model = PyTorchModel(
        name="m",
        checkpoint=Path("m"),
        trtllm=trtllm_version("1.3.0rc26"),
        limits=LIMITS,
        weights={},
    )
    engine = {"backend": "Pytorch", "version": "1.3.0rc26", "max_sequence_length": None}
    good = report(engine=engine, world_info={"kv_cache_percentage": 0.85})
    good.require(model, CELL)
    assert good.energy is None
    with pytest.raises(EngineError, match="TRT instead of Pytorch as backend"):
        report(world_info={"kv_cache_percentage": 0.85}, engine={"version": ""}).require(
            model, CELL
        )
