"""The engine tensorrt-llm through `sweetspot measure`, on a synthetic node.

Its GPU draws 300 W, so that the energy of a run is known: 300 W times the time that the synthetic
TensorRT-LLM takes.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweetspot.catalog import catalog_entry
from sweetspot.catalog.packaged import read_packaged
from sweetspot.cli import main
from sweetspot.config import parse_experiment
from sweetspot.engines.preflight import require_models
from sweetspot.engines.trtllm import window
from sweetspot.errors import InputError
from sweetspot.measure.record import read_block
from sweetspot.plan.plan import plan

EXPERIMENT = {
    "models": ["llama-3.2-1b"],
    "sweeps": {"grid": {"input_tokens": [16], "output_tokens": [8, 12], "requests": [4]}},
    "limits": {"max_seq_len": 64, "max_batch_size": 32, "max_num_tokens": 128},
    "measure": {"interval_s": 0.02, "min_window_s": 0, "idle_s": 0},
}
ONE_CELL = {"grid": {"input_tokens": [16], "output_tokens": [8], "requests": [4]}}
RUN_S = 0.15
NO_CHECKPOINT = object()


@dataclass
class SyntheticNode:
    folder: Path
    capsys: pytest.CaptureFixture[str]
    opt_examples: Path

    def checkpoint(self, model="llama-3.2-1b"):
        return self.folder / "checkpoints" / catalog_entry(model).hub_id

    @property
    def out(self):
        return self.folder / "block.jsonl"

    def measure(self, checkpoint=None, **changes):
        """Run the job of the experiment's only block; return its exit code."""
        (block,) = plan(parse_experiment(EXPERIMENT | changes)).blocks
        node = {
            "checkpoint": None
            if checkpoint is NO_CHECKPOINT
            else str(checkpoint or self.checkpoint(block.settings.model.id)),
            "model_reference": block.model_reference,
            "workspace": str(self.folder / "engines"),
            "datasets": str(self.folder / "datasets"),
            "reports": str(self.folder / "reports"),
            "timeout_s": 120,
            "python": sys.executable,
            "container": {"runtime": "none", "image": ""},
            "opt_examples": str(self.opt_examples),
        }
        return main(
            [
                *("measure", "--block", block.id, "--settings", block.settings.json),
                *("--cells", block.cell_names, "--out", str(self.out)),
                *("--records", str(self.folder / "records"), "--node", json.dumps(node)),
            ]
        )

    def measured(self, **changes):
        assert self.measure(**changes) == 0, self.capsys.readouterr().err
        return read_block(self.out)

    def refusal(self, **changes):
        """Return the line of a job that stops; nothing of it may be taken for a result."""
        self.capsys.readouterr()
        assert self.measure(**changes) == 2
        assert not self.out.exists()
        assert not list(self.folder.glob("records/**/*.json"))
        (line,) = self.capsys.readouterr().err.splitlines()
        return line

    @property
    def builds(self):
        return sum(len(path.read_text()) for path in self.folder.glob("engines/**/builds"))


@pytest.fixture
def node(tmp_path, tensorrt_llm, fake_nvml, monkeypatch, capsys):
    fake_nvml({})
    monkeypatch.setenv("RUN_S", str(RUN_S))
    node = SyntheticNode(tmp_path, capsys, tensorrt_llm.opt_examples)
    for model in ("llama-3.2-1b", "opt-1.3b"):
        checkpoint = node.checkpoint(model)
        checkpoint.mkdir(parents=True)
        config = read_packaged("models.yaml")[model]["config"]
        (checkpoint / "config.json").write_text(json.dumps(config))
        (checkpoint / "model.safetensors").touch()
    return node


def statuses(records):
    return [(record.status, record.reason) for record in records]


def trtllm(**changes):
    return {"tensorrt_llm": changes}


@pytest.mark.parametrize("version", ["0.21.0", "1.2.1"])
def test_energy_is_the_boards_power_over_the_measured_pass(node, tensorrt_llm, version):
    tensorrt_llm.set_version(version)
    (record,) = node.measured(sweeps=ONE_CELL, **trtllm(version=version))
    assert (record.status, record.reason, record.passes) == ("ok", "", 1)
    assert 0.9 * RUN_S < record.duration_s < 2 * RUN_S  # and not two passes
    assert record.energy_integration_j == pytest.approx(300 * record.duration_s, rel=1e-3)
    assert (record.simulated, record.engine_version) == (False, version)
    facts = record.provenance
    assert facts["checkpoint"] == str(node.checkpoint())
    assert facts["engine_dtype"] == "bfloat16"
    assert facts["engine_built_by"] == "trtllm-bench build"
    assert facts["scheduling_policy"] == "GUARANTEED_NO_EVICT"
    assert facts["window"] == "stamps in the engine's process"
    assert facts["gpu_uuid"] == "GPU-0"


FP8 = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}


def test_record_of_an_fp8_checkpoint_says_so(node):
    folder = node.checkpoint()
    (folder / "hf_quant_config.json").write_text(json.dumps(FP8))
    assert "is not llama-3.2-1b: it has FP8 weights, FP8 KV cache" in node.refusal(sweeps=ONE_CELL)
    own = node.folder / "My-FP8"
    folder.rename(own)
    (record,) = node.measured(models=[str(own)], sweeps=ONE_CELL, checkpoint=own)
    assert (record.status, record.reason, record.model) == ("ok", "", "my-fp8")
    assert "quantized: FP8 weights, FP8 KV cache" in record.remarks
    stored = ("engine_dtype", "engine_quantization", "engine_kv_cache_dtype")
    assert [record.provenance[name] for name in stored] == ["bfloat16", "FP8", "FP8"]


def test_engine_in_16_bits_of_an_fp8_checkpoint_is_refused(node, monkeypatch):
    own = node.checkpoint().rename(node.folder / "My-FP8")
    (own / "hf_quant_config.json").write_text(json.dumps(FP8))
    monkeypatch.setenv("FAULT", "16 bits@build")
    line = node.refusal(models=[str(own)], sweeps=ONE_CELL, checkpoint=own)
    assert "has quant_algo None and kv_cache_quant_algo None, while its checkpoint says FP8" in line


def test_short_cell_fills_its_window_with_passes(node, monkeypatch):
    monkeypatch.setattr(window, "MAX_GAP_SHARE", 0.5)  # a busy machine has gaps between them
    measure = EXPERIMENT["measure"] | {"min_window_s": 0.6}
    (first,) = node.measured(sweeps=ONE_CELL, measure=measure)
    assert first.status == "ok", first.reason
    assert first.passes > 1
    assert first.window_s >= 0.6
    assert first.duration_s == pytest.approx(first.window_s / first.passes)
    assert first.energy_per_token_j == pytest.approx(first.energy_j / (4 * 8))


def test_paper_protocol_has_one_pass_however_short(node):
    measure = {"protocol": "paper", "min_window_s": 5, "idle_s": 0}
    (record,) = node.measured(sweeps=ONE_CELL, measure=measure)
    assert record.passes == 1


def test_engine_is_built_once_and_for_its_limits_and_gpu(node):
    node.measured(sweeps=ONE_CELL)
    node.measured(sweeps=ONE_CELL, measure=EXPERIMENT["measure"] | {"repeats": 2})
    assert node.builds == 1
    (path,) = node.folder.glob("engines/**/tp_1_pp_1/config.json")
    place = path.relative_to(node.folder / "engines").parts[:3]
    assert place == ("0.21.0", "h100-sxm", "b32_s64_t128")


def test_opt_is_converted_by_what_its_config_says(node):
    (record,) = node.measured(models=["opt-1.3b"], sweeps=ONE_CELL)
    assert (record.status, record.reason) == ("ok", "")
    assert record.provenance["engine_built_by"] == "convert_checkpoint, trtllm-build"
    assert record.provenance["engine_dtype"] == "float16"


def test_measured_cells_are_reused_without_a_gpu(node, monkeypatch):
    first = node.measured(sweeps=ONE_CELL)
    monkeypatch.setenv("PATH", "")
    assert node.measured(sweeps=ONE_CELL) == first


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("exit", "failed with exit code 1: RuntimeError: engine and GPU do not match"),
        ("out of memory", "out of memory: [TensorRT-LLM][ERROR] CUDA runtime error"),
        ("drop", "ran something else: 3 instead of 4 as requests"),
    ],
)
def test_failed_run_is_a_row_and_the_next_cell_runs(node, monkeypatch, fault, reason):
    monkeypatch.setenv("FAULT", f"{fault}@n4_i16_o8")
    failed, good = node.measured()
    assert failed.status == "failed"
    assert reason in failed.reason
    assert failed.energy_j is None
    assert good.status != "failed", good.reason  # a stalled machine may leave too few samples of it


def test_model_that_cannot_be_built_fails_in_every_cell_after_one_try(node, monkeypatch):
    monkeypatch.setenv("FAULT", "no engine@build")
    records = node.measured()
    assert [record.status for record in records] == ["failed", "failed"]
    assert "trtllm-bench build left no engine in" in records[0].reason
    assert node.builds == 1


def test_other_version_on_the_node_stops_the_job_until_it_is_put_right(node, tensorrt_llm):
    tensorrt_llm.set_version("1.2.1")
    assert "this node has TensorRT-LLM 1.2.1; the experiment asks for 0.21.0" in node.refusal()
    tensorrt_llm.set_version("0.21.0")
    assert [record.status for record in node.measured(sweeps=ONE_CELL)] == ["ok"]


@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("float32", "has torch_dtype float32; set torch_dtype in its config.json to bfloat16"),
        ("float16", "has torch_dtype float16; set torch_dtype in its config.json to bfloat16"),
        (None, "states no torch_dtype; set torch_dtype in its config.json to bfloat16"),
    ],
)
def test_checkpoint_of_another_type_stops_the_job_before_a_build(node, dtype, words):
    path = node.checkpoint() / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"torch_dtype": dtype}))
    assert words in node.refusal()
    assert node.builds == 0


def test_checkpoint_of_another_model_stops_the_job(node):
    path = node.checkpoint() / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 28}))
    assert "is not llama-3.2-1b: layers is 28, not 16" in node.refusal()
    assert node.builds == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [("config.json", "no checkpoint in"), ("model.safetensors", "no *.safetensors in")],
)
def test_missing_weights_stop_the_job(node, name, words):
    (node.checkpoint() / name).unlink()
    assert words in node.refusal()


def test_other_gpu_stops_the_job(node):
    assert "the GPU is 'NVIDIA H100 80GB HBM3', not l40s" in node.refusal(gpu="l40s")


@pytest.mark.parametrize("version", ["0.21.0", "1.2.1"])
def test_llm_api_runs_all_cells_with_one_load(node, tensorrt_llm, version):
    tensorrt_llm.set_version(version)
    measure = EXPERIMENT["measure"] | {"min_window_s": 0.4}
    records = node.measured(measure=measure, **trtllm(version=version, mode="llm-api"))
    assert statuses(records) == [("ok", ""), ("ok", "")]
    for record in records:
        assert record.passes > 1
        assert record.duration_s == pytest.approx(record.window_s / record.passes)
        assert "one engine load for all cells of the block" in record.remarks
        assert record.provenance["engine_built_by"] == "trtllm-bench build"
        assert record.provenance["torch"] == "2.8.0a0+synthetic"
    (log,) = node.folder.glob("reports/**/*llm*.log")
    assert log.read_text().count("TensorRT-LLM version:") == 1
    assert node.builds == 1


@pytest.mark.parametrize("version", ["1.2.1", "1.3.0rc26", "1.4.0rc1"])
@pytest.mark.parametrize("mode", ["bench", "llm-api"])
def test_pytorch_backend_runs_a_checkpoint_as_it_lies(node, tensorrt_llm, version, mode):
    tensorrt_llm.set_version(version)
    (record,) = node.measured(
        sweeps=ONE_CELL, **trtllm(version=version, backend="pytorch", mode=mode)
    )
    assert (record.status, record.reason, record.passes) == ("ok", "", 1)
    assert record.energy_integration_j == pytest.approx(300 * record.duration_s, rel=1e-3)
    facts = record.provenance
    assert (facts["backend"], facts["checkpoint"]) == ("pytorch", str(node.checkpoint()))
    assert "engine_built_by" not in facts
    assert node.builds == 0
    said = "the engine's own report says" in record.remarks
    assert said == (mode == "bench" and version != "1.2.1")


def test_pytorch_backend_with_random_weights_needs_no_checkpoint(node, tensorrt_llm):
    tensorrt_llm.set_version("1.2.1")
    random = {"backend": "pytorch", "mode": "llm-api", "weights": "random", "version": "1.2.1"}
    (record,) = node.measured(checkpoint=NO_CHECKPOINT, sweeps=ONE_CELL, **trtllm(**random))
    assert (record.status, record.reason) == ("ok", "")
    assert record.provenance["weights"] == "random: TensorRT-LLM's load_format dummy"
    assert "weights random: TensorRT-LLM's load_format dummy" in record.remarks


def test_models_that_the_pytorch_backend_lacks_are_named():
    experiment = {"models": ["llama-3.2-1b", "gemma-2-2b", "opt-2.7b"], "engine": "tensorrt-llm"}
    for version, way_out in (("1.2.1", ", or set tensorrt_llm.backend to tensorrt"), ("1.3.0", "")):
        options = {"tensorrt_llm": {"version": version, "backend": "pytorch"}}
        parsed = parse_experiment(EXPERIMENT | experiment | options)
        with pytest.raises(InputError) as caught:
            require_models(parsed, plan(parsed).blocks)
        assert str(caught.value) == (
            f"the PyTorch backend of TensorRT-LLM {version} does not have gemma-2-2b"
            " (Gemma2ForCausalLM), opt-2.7b (OPTForCausalLM); take them out of `models`" + way_out
        )
    parsed = parse_experiment(EXPERIMENT | experiment)
    require_models(parsed, plan(parsed).blocks)


def test_llm_api_out_of_memory_is_a_row_and_a_fresh_worker_runs_the_next(node, monkeypatch):
    monkeypatch.setenv("FAULT", "out of memory@i16_o8")
    failed, good = node.measured(**trtllm(mode="llm-api"))
    assert failed.status == "failed"
    assert failed.reason.startswith("out of memory: CUDA runtime error in cudaMallocAsync")
    assert good.status == "ok"
    assert "loaded anew for this cell" in good.remarks


def test_llm_api_answers_that_are_too_short_make_the_cell_invalid(node, monkeypatch):
    monkeypatch.setenv("FAULT", "short@answer")
    (first,) = node.measured(sweeps=ONE_CELL, **trtllm(mode="llm-api"))
    assert first.status == "invalid"
    assert "the engine did 28 output tokens instead of 32" in first.reason


def test_llm_api_of_another_version_stops_the_job(node, tensorrt_llm):
    node.measured(sweeps=ONE_CELL)
    tensorrt_llm.set_version("1.2.1")
    node.out.unlink()
    for path in node.folder.glob("records/**/*.json"):
        path.unlink()
    line = node.refusal(**trtllm(mode="llm-api"))
    assert "tensorrt_llm is 1.2.1, not 0.21.0" in line
    assert "`node.python` has to be the Python that has TensorRT-LLM" in line


def settings_of(engine, **changes):
    (block,) = plan(parse_experiment(EXPERIMENT | {"engine": engine} | changes)).blocks
    return block.settings.json


def test_only_what_decides_a_value_is_in_a_blocks_settings():
    node = {"checkpoints": "elsewhere", "workspace": "elsewhere", "timeout_s": 5}
    assert settings_of("tensorrt-llm", node=node) == settings_of("tensorrt-llm")
    for change in (
        *({"warmup": 0}, {"mode": "llm-api"}, {"version": "1.2.1"}),
        {"version": "1.2.1", "backend": "pytorch"},
    ):
        changed = settings_of("tensorrt-llm", tensorrt_llm=change)
        assert changed != settings_of("tensorrt-llm")
        assert settings_of("simulator", tensorrt_llm=change) == settings_of("simulator")
