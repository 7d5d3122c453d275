"""The engine transformers for real, on the CPU: job, meter and record around real PyTorch."""

import json
import struct
import sys

import numpy as np
import pytest
import tiny

from sweetspot.engines.transformers import transformers_engine
from sweetspot.errors import InputError

pytestmark = pytest.mark.slow(reason="PyTorch")

EXPERIMENT = {
    "engine": "transformers",
    "sweeps": {"grid": {"input_tokens": [8, 60], "output_tokens": [3, 9], "requests": [5]}},
    "limits": {"max_seq_len": 128, "max_batch_size": 2, "max_num_tokens": 32},
    "dataset": {"vocab_size": 300, "eos_id": 2},
    "measure": {"idle_s": 0, "min_window_s": 0.5, "interval_s": 0.05},
}
ON_THE_CPU = "the model ran on the CPU while the GPU was metered"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return the folder of a tiny model's config.json."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(tiny.LLAMA))
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Return the tiny model's checkpoint, in which every id ends a request."""
    folder = tmp_path_factory.mktemp("checkpoint")
    hidden, ffn, kv = 64, 128, 32
    shapes = {"embed_tokens": [320, hidden], "norm": [hidden]}
    for layer in ("layers.0", "layers.1"):
        shapes |= {f"{layer}.{name}_layernorm": [hidden] for name in ("input", "post_attention")}
        shapes |= {f"{layer}.self_attn.{name}_proj": [hidden, hidden] for name in "qo"}
        shapes |= {f"{layer}.self_attn.{name}_proj": [kv, hidden] for name in "kv"}
        shapes |= {f"{layer}.mlp.{name}_proj": [ffn, hidden] for name in ("gate", "up")}
        shapes |= {f"{layer}.mlp.down_proj": [hidden, ffn]}
    # the format: length of the header, header, numbers
    header, data, drawn = {}, b"", np.random.default_rng(420)
    for name, shape in shapes.items():
        values = drawn.normal(0, 0.02, shape).astype("<f4").tobytes()
        place = [len(data), len(data) + len(values)]
        header[f"model.{name}.weight"] = {"dtype": "F32", "shape": shape, "data_offsets": place}
        data += values
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    (folder / "config.json").write_text(json.dumps(tiny.LLAMA))
    ends = {"eos_token_id": list(range(320)), "pad_token_id": 0}
    (folder / "generation_config.json").write_text(json.dumps(ends))
    return folder


@pytest.fixture
def measured(measure_with, model, torch_python, monkeypatch):
    """Return a function that measures the tiny model and gives its records."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # more would wait for each other on a busy machine

    def measure(checkpoint=None, *, python=torch_python, **options):
        section = {"device": "cpu"} | options
        experiment = EXPERIMENT | {"models": [str(model)], "transformers": section}
        return measure_with(transformers_engine, experiment, checkpoint=checkpoint, python=python)

    return measure


def test_cells_of_one_load_are_measured_but_never_pass_for_a_gpus(measured, checkpoint, tmp_path):
    """Ids that end requests, which are all of this checkpoint's, are not heeded."""
    records = measured(checkpoint, attention="eager", cache="static")
    assert [record.status for record in records] == ["invalid"] * 4
    for record in records:
        assert record.reason.startswith(ON_THE_CPU)  # a busy machine may leave few looks as well
        assert (record.engine, record.engine_version) == ("transformers", "5.17.0")
        assert (record.simulated, record.max_concurrency) == (False, 2)
        assert record.window_s >= 0.5
        assert record.mean_power_w == pytest.approx(300)  # the synthetic GPU's
        assert record.energy_per_token_j == pytest.approx(
            record.energy_j / (5 * record.output_tokens)
        )
        assert record.beyond_native_context == (record.input_tokens + record.output_tokens > 64)
        assert record.remarks == ""
        facts = record.provenance
        assert (facts["device"], facts["gpu_name"]) == ("cpu", "NVIDIA H100 80GB HBM3")
        assert (facts["transformers"], facts["torch"][:5]) == ("5.17.0", "2.13.")
        assert (facts["model_class"], facts["dtype"]) == ("LlamaForCausalLM", "bfloat16")
        assert (facts["attention"], facts["cache"]) == ("eager", "static")
        assert (facts["weights"], facts["checkpoint"]) == ("checkpoint", str(checkpoint))
        assert int(facts["parameters"]) == 320 * 64 + 2 * (2 * 64 * 96 + 3 * 64 * 128) + 5 * 64
    assert records[0].passes > 1  # the shortest cell
    logs = list((tmp_path / "reports").rglob("*.log"))
    assert [path.name for path in logs] == ["b2-GPU-0.log"]


def test_checkpoint_of_another_model_is_refused(measured, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(tiny.LLAMA | {"num_hidden_layers": 3}))
    (tmp_path / "model.safetensors").touch()
    with pytest.raises(InputError, match="is not tiny: layers is 3, not 2"):
        measured(tmp_path)


def test_without_a_checkpoint_only_random_weights_will_do(measured):
    with pytest.raises(InputError, match=r"needs the checkpoint of tiny; set node\.checkpoints"):
        measured()


def test_another_version_is_the_users_to_repair(measured):
    with pytest.raises(
        InputError, match=r"^transformers is 5\.17\.0, not 5\.16\.0, in .*; install"
    ):
        measured(weights="random", version="5.16.0")


def test_python_without_the_engine_is_told_what_to_install(measured):
    with pytest.raises(InputError) as error:
        measured(weights="random", python=sys.executable)
    assert str(error.value) == (
        f"transformers is not installed, in {sys.executable};"
        " install transformers==5.17.0 and torch there, or set transformers.version"
    )
