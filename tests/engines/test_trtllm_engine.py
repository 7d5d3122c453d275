"""The engine tensorrt-llm through `sweetspot measure`, on a synthetic node.

Its GPU draws 300 W, so that the energy of each run is known: 300 W times 0.1 s, the latency that
the synthetic trtllm-bench reports.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from sweetspot.catalog.packaged import read_packaged
from sweetspot.cli import main
from sweetspot.config import parse_experiment
from sweetspot.dataset import RequestSpec, dataset_name, write_dataset
from sweetspot.plan import plan
from sweetspot.records import read_block

EXPERIMENT = {
    "models": ["llama-3.2-1b"],
    "sweeps": {"grid": {"input_tokens": [16], "output_tokens": [8, 12], "requests": [4]}},
    "limits": {"max_seq_len": 64, "max_batch_size": 32, "max_num_tokens": 128},
}


@dataclass
class SyntheticNode:
    folder: Path
    capsys: pytest.CaptureFixture[str]

    @property
    def checkpoint(self):
        return self.folder / "checkpoints" / "meta-llama" / "Llama-3.2-1B"

    @property
    def out(self):
        return self.folder / "block.jsonl"

    def measure(self, *more, timeout_s=30, **changes):
        """Run the job of the experiment's only block; return its exit code."""
        (block,) = plan(parse_experiment(EXPERIMENT | changes)).blocks
        return main(
            [
                *("measure", "--block", block.id, "--settings", block.settings.json),
                *("--cells", block.cell_names, "--out", str(self.out)),
                *("--records", str(self.folder / "records")),
                *("--checkpoint", str(self.checkpoint)),
                *("--workspace", str(self.folder / "engines")),
                *("--datasets", str(self.folder / "datasets")),
                *("--reports", str(self.folder / "reports")),
                *("--timeout-s", str(timeout_s), *more),
            ]
        )

    def measured(self, **changes):
        assert self.measure(**changes) == 0
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
def node(tmp_path, bench_on_path, synthetic_nvml, capsys):
    node = SyntheticNode(tmp_path, capsys)
    node.checkpoint.mkdir(parents=True)
    config = read_packaged("models.yaml")["llama-3.2-1b"]["config"]
    (node.checkpoint / "config.json").write_text(json.dumps(config))
    (node.checkpoint / "model.safetensors").touch()
    for cell in plan(parse_experiment(EXPERIMENT)).cells:
        spec = RequestSpec(
            requests=cell.requests,
            input_tokens=cell.input_tokens,
            output_tokens=cell.output_tokens,
            vocab_size=1000,
            eos_id=2,
            seed=420,
        )
        write_dataset(tmp_path / "datasets" / dataset_name(cell), spec)
    return node


def test_energy_is_the_boards_power_over_the_measured_pass(node):
    records = node.measured()
    assert [record.status for record in records] == ["ok", "ok"]
    for record in records:
        assert record.duration_s == pytest.approx(0.1, rel=1e-6)
        assert record.energy_j == pytest.approx(300 * 0.1, rel=1e-6)
        assert record.energy_source == "integration"
        assert record.energy_counter_j == pytest.approx(280 * 0.1, rel=0.02)
        assert record.energy_per_token_j == pytest.approx(30 / record.output_tokens / 4, rel=1e-6)
        assert (record.simulated, record.engine_version) == (False, "0.21.0")
        path = node.folder / "records" / f"{record.cell}.{record.key}.trace.csv.gz"
        assert path.is_file()


def test_record_names_the_board_the_checkpoint_and_the_dtype(node):
    facts = node.measured()[0].provenance
    assert facts["gpu_name"] == "NVIDIA H100 80GB HBM3"
    assert facts["gpu_uuid"] == "GPU-synthetic"
    assert facts["driver"] == "0.synthetic"
    assert facts["power_limit_w"] == "700"
    assert facts["checkpoint"] == str(node.checkpoint)
    assert facts["engine_dtype"] == "bfloat16"
    assert facts["host"]


def test_engine_has_the_limits_and_its_own_place(node):
    node.measured()
    (path,) = node.folder.glob("engines/**/tp_1_pp_1/config.json")
    place = path.relative_to(node.folder / "engines").parts[:3]
    assert place == ("0.21.0", "h100-sxm", "b32")
    config = json.loads(path.read_text())["build_config"]
    assert config["model"] == "meta-llama/Llama-3.2-1B"
    assert config["model_path"] == str(node.checkpoint)
    assert [config[f"max_{name}"] for name in ("seq_len", "batch_size", "num_tokens")] == [
        64,
        32,
        128,
    ]


def test_engine_is_built_once_for_all_runs(node):
    node.measured()
    node.measured(measure={"repeats": 2})
    assert node.builds == 1


def test_measured_cells_are_adopted_without_a_gpu(node, monkeypatch):
    first = node.measured()
    monkeypatch.setenv("PATH", "")
    assert node.measured() == first


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("exit", "failed with exit code 1: RuntimeError: CUDA out of memory"),
        ("drop", "ran something else: 3 instead of 4 as requests"),
        ("hang", "was ended after 2 s without finishing"),
    ],
)
def test_failed_run_is_a_row_and_the_next_cell_runs(node, monkeypatch, fault, reason):
    monkeypatch.setenv("FAULT", f"{fault}@n4_i16_o8")
    failed, good = node.measured(timeout_s=2)
    assert failed.status == "failed"
    assert reason in failed.reason
    assert failed.energy_j is None
    assert good.status == "ok"
    assert good.energy_j == pytest.approx(30, rel=1e-6)


def test_run_by_another_version_is_no_result(node, monkeypatch):
    node.measured()
    monkeypatch.setenv("TRTLLM_VERSION", "1.2.1")  # runs the engine that 0.21.0 built
    records = node.measured(measure={"repeats": 2})
    assert [record.status for record in records] == ["ok", "failed", "ok", "failed"]
    assert records[1].reason == "TensorRT-LLM 1.2.1 ran instead of 0.21.0"


def test_model_that_cannot_be_built_fails_in_every_cell_after_one_try(node, monkeypatch):
    monkeypatch.setenv("FAULT", "no engine@build")
    records = node.measured()
    assert [record.status for record in records] == ["failed", "failed"]
    assert "trtllm-bench build left no engine in" in records[0].reason
    assert node.builds == 1


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TRTLLM_VERSION", "1.2.1", "this node has TensorRT-LLM 1.2.1; the experiment asks for"),
        ("FAULT", "float32@build", "computes in float32; set torch_dtype in"),
    ],
)
def test_wrong_engine_stops_the_job_until_it_is_put_right(node, monkeypatch, name, value, words):
    monkeypatch.setenv(name, value)
    assert words in node.refusal()
    monkeypatch.delenv(name)
    assert [record.status for record in node.measured()] == ["ok", "ok"]


def test_checkpoint_of_another_model_stops_the_job(node):
    path = node.checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"num_hidden_layers": 28}))
    assert "is not llama-3.2-1b: layers is 28, not 16" in node.refusal()
    assert node.builds == 0


@pytest.mark.parametrize(
    ("name", "words"),
    [("config.json", "no checkpoint in"), ("model.safetensors", "no *.safetensors in")],
)
def test_missing_weights_stop_the_job(node, name, words):
    (node.checkpoint / name).unlink()
    assert words in node.refusal()


def test_missing_data_set_stops_the_job(node):
    (node.folder / "datasets" / "n4_i16_o8.jsonl").unlink()
    assert "n4_i16_o8.jsonl; `sweetspot dataset` writes it" in node.refusal()


def test_other_gpu_stops_the_job(node):
    assert "while the config says l40s" in node.refusal(gpu="l40s")


def test_job_without_its_node_is_told_what_to_give(node, capsys):
    (block,) = plan(parse_experiment(EXPERIMENT)).blocks
    arguments = ["--settings", block.settings.json, "--cells", block.cell_names]
    folders = ["--records", str(node.folder), "--out", str(node.out)]
    assert main(["measure", "--block", block.id, *arguments, *folders]) == 2
    assert "give --checkpoint, --workspace, --datasets" in capsys.readouterr().err


def settings_of(engine, **changes):
    (block,) = plan(
        parse_experiment(EXPERIMENT | {"engine": engine, "tensorrt_llm": changes})
    ).blocks
    return block.settings.json


def test_only_what_decides_a_value_is_in_a_blocks_settings():
    paths = {"checkpoints": "elsewhere", "workspace": "elsewhere", "timeout_s": 5}
    assert settings_of("tensorrt-llm", **paths) == settings_of("tensorrt-llm")
    assert settings_of("tensorrt-llm", warmup=0) != settings_of("tensorrt-llm")
    assert settings_of("simulator", warmup=0) == settings_of("simulator")
