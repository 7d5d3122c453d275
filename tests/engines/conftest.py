"""A node without a GPU that looks like one with TensorRT-LLM: everything on it is synthetic."""

import os
import stat
import sys
from pathlib import Path

import pytest

SYNTHETIC = Path(__file__).parent / "synthetic"


@pytest.fixture
def bench_on_path(tmp_path, monkeypatch):
    """Put the synthetic trtllm-bench on PATH; $WORKER says where a hanging one names its worker."""
    program = tmp_path / "bin" / "trtllm-bench"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\n{(SYNTHETIC / 'trtllm_bench.py').read_text()}")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("WORKER", str(tmp_path / "worker"))


@pytest.fixture
def synthetic_nvml(fake_nvml):
    """Put one H100 that draws 300 W on this machine; its counter runs at 280 W."""
    fake_nvml({"uuid": "GPU-synthetic", "counter_gain": 280 / 300})
