"""The engine deepspeed for real, on the CPU: job, meter and record around real DeepSpeed."""

import json

import pytest
import tiny

from sweetspot.engines.transformers import deepspeed_engine
from sweetspot.engines.worker.client import Worker, worker_command

pytestmark = pytest.mark.slow(reason="PyTorch")

EXPERIMENT = {
    "engine": "deepspeed",
    "deepspeed": {"device": "cpu", "weights": "random"},
    "sweeps": {"grid": {"input_tokens": [8, 60], "output_tokens": [3], "requests": [5]}},
    "limits": {"max_seq_len": 128, "max_batch_size": 2, "max_num_tokens": 32},
    "dataset": {"vocab_size": 300, "eos_id": 2},
    "measure": {"idle_s": 0, "min_window_s": 0.5, "interval_s": 0.05},
}

# What it answers must be what Transformers does; which layers it has kernels for is asked of it.
LOOK = """
import json
from types import SimpleNamespace

import deepspeed_worker
import torch
import transformers_worker
from transformers import AutoConfig, AutoModelForCausalLM

FAMILIES = ("opt", "llama", "gpt2", "gemma2", "qwen2")


def load(order):
    prompts = torch.arange(2 * 30).view(2, 30) * 7 % 320
    torch.manual_seed(0)
    plain = transformers_worker.load(order)._generate(prompts, 9).tolist()
    fast = deepspeed_worker.load(order)
    with torch.device("meta"):
        has = {
            name: deepspeed_worker.has_kernels(
                AutoModelForCausalLM.from_config(AutoConfig.for_model(name, num_hidden_layers=1))
            )
            for name in FAMILIES
        }
    seen = {"same": fast._generate(prompts, 9).tolist() == plain, "has": has}
    return SimpleNamespace(facts=fast.facts | {"seen": json.dumps(seen)})
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return the folder of a tiny model's config.json."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # more would wait for each other on a busy machine
    place = tmp_path / "tiny"
    place.mkdir()
    (place / "config.json").write_text(json.dumps(tiny.LLAMA))
    return place


def test_cells_are_measured_and_say_what_ran_them(measure_with, folder, torch_python):
    experiment = EXPERIMENT | {"models": [str(folder)]}
    records = measure_with(deepspeed_engine, experiment, checkpoint=None, python=torch_python)
    assert len(records) == 2
    for record in records:
        # a busy machine may leave the sampler few looks as well
        assert record.reason.startswith("the model ran on the CPU while the GPU was metered")
        assert (record.engine, record.engine_version) == ("deepspeed", "0.19.8")
        assert record.energy_per_token_j == pytest.approx(record.energy_j / (5 * 3))
        facts = record.provenance
        assert (facts["deepspeed"], facts["transformers"]) == ("0.19.8", "5.17.0")
        assert facts["deepspeed_kernels"] == "none: the layers as Transformers has them"


def test_answers_are_those_of_transformers(folder, torch_python, tmp_path):
    (tmp_path / "look.py").write_text(LOOK)
    order = {
        "model": str(folder),
        "weights": "random",
        "seed": 420,
        "dtype": "float32",
        "device": "cpu",
        "attention": "sdpa",
        "cache": "dynamic",
        "kernels": "auto",
        "max_seq_len": 64,
        "max_batch_size": 4,
        "max_num_tokens": 64,
        "kv_cache_memory_fraction": 0.9,
        "kv_bytes_per_token": 512,
    }
    worker = Worker(
        worker_command(torch_python, "look"),
        environment={"PYTHONPATH": str(tmp_path)},
        log_path=tmp_path / "worker.log",
        timeout_s=120,
    )
    try:
        facts = worker.load({"requires": {}} | order).facts
    finally:
        worker.close()
    seen = json.loads(facts["seen"])
    assert seen["same"]
    assert seen["has"] == {
        "opt": True,
        "llama": True,
        "gpt2": True,
        "gemma2": False,
        "qwen2": False,
    }
