"""The engine vllm against a synthetic vLLM that has the real one's arguments, and no others."""

import json
from pathlib import Path

import pytest

from sweetspot.catalog.packaged import read_packaged
from sweetspot.engines.vllm import vllm_engine
from sweetspot.errors import InputError

SITE = Path(__file__).parent / "synthetic" / "vllm_site"
EXPERIMENT = {
    "engine": "vllm",
    "models": ["llama-3.2-1b"],
    "vllm": {"weights": "random"},
    "sweeps": {"grid": {"input_tokens": [16], "output_tokens": [4, 8, 12], "requests": [4]}},
    "limits": {"max_seq_len": 4096, "max_batch_size": 16, "max_num_tokens": 4096},
    "measure": {"idle_s": 0, "min_window_s": 0.15, "interval_s": 0.02},
}

pytestmark = pytest.mark.slow(reason="PyTorch")


@pytest.fixture
def measured(measure_with, torch_python, monkeypatch):
    """Return a function that measures the experiment with changes and gives its records."""
    monkeypatch.setenv("PYTHONPATH", str(SITE))

    def measure(checkpoint=None, **changes):
        experiment = EXPERIMENT | changes
        return measure_with(vllm_engine, experiment, checkpoint=checkpoint, python=torch_python)

    return measure


@pytest.fixture
def checkpoint(tmp_path):
    """Return a function that makes the checkpoint of a catalog model, without its weights."""

    def make(model_id):
        folder = tmp_path / "checkpoint"
        folder.mkdir()
        config = read_packaged("models.yaml")[model_id]["config"]
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "model.safetensors").touch()
        return folder

    return make


def test_random_weights_are_drawn_and_full_cache_bounds_requests_and_both_are_said(
    measured, monkeypatch
):
    monkeypatch.setenv("KV_TOKENS", "60")
    records = measured(vllm={"weights": "random", "compilation": "none"})
    assert [record.max_concurrency for record in records] == [3, 2, 2]
    for record in records:
        assert (record.status, record.reason) == ("ok", "")
        assert record.remarks.startswith("random weights: N(0, 0.02), norms 1, seed 420; ")
        assert f"holds {record.max_concurrency} requests to their end" in record.remarks
        assert record.window_s >= 0.15
        facts = record.provenance
        assert facts["weights"] == "random: N(0, 0.02), norms 1, seed 420"
        assert (facts["vllm"], facts["dtype"]) == ("0.24.0", "bfloat16")
        assert (facts["compilation"], facts["cuda_graphs"]) == ("0", "FULL_DECODE_ONLY")
        assert (facts["attention"], facts["model_class"]) == ("FLASH_ATTN", "SyntheticForCausalLM")
        assert (facts["kv_cache_tokens"], facts["model_runner"]) == ("60", "V2")


def test_quantized_checkpoint_of_rotary_positions_says_so_and_takes_longer_requests(
    measured, checkpoint
):
    folder = checkpoint("granite-3b")  # of 2048 positions
    (folder / "quantize_config.json").write_text('{"bits": 4, "group_size": 128}')
    [record] = measured(
        folder,
        models=[str(folder)],
        vllm={"weights": "checkpoint"},
        sweeps={"grid": {"input_tokens": [2040], "output_tokens": [16], "requests": [2]}},
    )
    assert (record.status, record.reason) == ("ok", "")
    assert record.remarks.startswith("quantized: GPTQ weights (4.12 bits)")
    assert record.remarks.endswith("token ids are taken modulo the model's vocabulary of 49152")
    assert record.provenance["quantization"] == "GPTQ weights (4.12 bits)"
    assert record.beyond_native_context
    assert record.provenance["weights"] == "checkpoint"
    assert record.provenance["checkpoint"].endswith("/checkpoint")
    assert record.provenance["cuda_graphs"] == "FULL_AND_PIECEWISE"


def test_checkpoint_of_learned_positions_takes_no_longer_requests(measured, checkpoint):
    records = measured(
        checkpoint("opt-1.3b"),
        models=["opt-1.3b"],
        vllm={"weights": "checkpoint"},
        sweeps={"grid": {"input_tokens": [2040], "output_tokens": [8, 16], "requests": [2]}},
    )
    assert [record.status for record in records] == ["ok", "failed"]
    assert records[0].remarks == "token ids are taken modulo the model's vocabulary of 50272"
    assert records[1].reason == "the model has positions for 2048 tokens, not for 2056"


def test_gemma_2_runs_in_the_type_that_vllm_has_for_it(measured):
    records = measured(models=["gemma-2-2b"])
    assert {record.status for record in records} == {"ok"}
    assert records[0].provenance["dtype"] == "bfloat16"
    assert "bfloat16, as vLLM has no float16 for gemma2" in records[0].remarks


def test_out_of_memory_is_a_row_and_costs_a_load_and_wrong_lengths_are_found_out(
    measured, monkeypatch
):
    monkeypatch.setenv("FAULT", "memory@8 short@12")
    first, second, third = measured()
    assert [record.status for record in (first, second, third)] == ["ok", "failed", "invalid"]
    assert first.remarks == "random weights: N(0, 0.02), norms 1, seed 420"
    assert first.max_concurrency == 4
    assert second.reason.startswith("out of memory: CUDA out of memory. Tried to allocate 9 GiB.")
    assert "loaded anew" in third.remarks
    did, asked = 44 * third.passes, 48 * third.passes
    assert third.reason == f"the engine did {did} output tokens instead of {asked}"


def test_another_version_is_the_users_to_repair(measured, torch_python):
    message = (
        f"vllm is 0.24.0, not 0.23.1, in {torch_python};"
        " install vllm==0.23.1 there, or set vllm.version"
    )
    with pytest.raises(InputError) as error:
        measured(vllm={"weights": "random", "version": "0.23.1"})
    assert str(error.value) == message


def test_pytorch_that_finds_no_gpu_is_the_users_to_repair(measured, monkeypatch):
    monkeypatch.setenv("FAULT", "no gpu")
    with pytest.raises(InputError, match=r"^PyTorch \S+ finds no GPU, in "):
        measured()
