"""Engines in workers, from a block of cells to its records: one load, and what failures cost."""

import shutil
from pathlib import Path

import pytest

from sweetspot.engines.worker.client import WORKERS
from sweetspot.engines.worker.engine import WorkerEngine
from sweetspot.engines.worker.session import Program
from sweetspot.errors import EngineError, InputError, MeterError

SOME_WORKER = Path(__file__).parents[1] / "synthetic" / "some_worker.py"
EXPERIMENT = {
    "engine": "transformers",
    "models": ["llama-3.2-1b"],
    "transformers": {"weights": "random"},
    "sweeps": {"grid": {"input_tokens": [16], "output_tokens": [4, 8, 12], "requests": [4]}},
    "dataset": {"vocab_size": 90, "eos_id": 2},
    "measure": {"idle_s": 0, "min_window_s": 0.15, "interval_s": 0.02},
}
SECOND, THIRD = "n4_i16_o8", "n4_i16_o12"


@pytest.fixture
def measured(measure_with, tmp_path, monkeypatch):
    """Return a function that measures three cells with faults and returns records and loads."""
    folder = tmp_path / "workers"
    shutil.copytree(WORKERS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOME_WORKER, folder)
    monkeypatch.setattr("sweetspot.engines.worker.client.WORKERS", folder)
    loads = tmp_path / "loads"

    def measure(faults=None, *, order=None, program=None, changes=None, **of_node):
        loads.write_text("")

        def make_program(settings, node):
            what = {
                "module": "some_worker",
                "requires": {"pytest": pytest.__version__},
                "install": "install pytest",
                "log": "llama/b1024",
                "load": {"faults": faults or {}, "loads": str(loads)} | (order or {}),
                "warmup": 2,
                "folders": (),
                "facts": {"weights": "none"},
                "remarks": ("synthetic",),
            }
            return Program(**(what | (program or {})))

        def make_engine(settings, node):
            return WorkerEngine(
                name="transformers", version="5.17.0", node=node, program=make_program
            )

        records = measure_with(make_engine, EXPERIMENT | (changes or {}), **of_node)
        return records, len(loads.read_text())

    return measure


def test_one_load_runs_all_cells_and_repeats_short_ones(measured):
    records, loads = measured()
    assert loads == 1
    assert [(r.status, r.reason) for r in records] == [("ok", "")] * 3
    for record in records:
        assert (record.engine, record.engine_version) == ("transformers", "5.17.0")
        assert (record.max_concurrency, record.remarks) == (3, "synthetic")
        assert record.passes > 1
        assert record.window_s >= 0.15
        assert record.duration_s == pytest.approx(record.window_s / record.passes)
        assert record.mean_power_w == pytest.approx(300)
        assert record.energy_per_token_j == pytest.approx(
            300 * record.duration_s / (4 * record.output_tokens)
        )
        assert record.provenance["weights"] == "none"
        assert record.provenance["gpu_uuid"] == "GPU-0"
        assert record.provenance["device_uuid"] == "0"
    assert len({record.provenance["worker"] for record in records}) == 1


def test_cells_on_a_mixed_node_are_of_the_board_that_is_asked_for(measured, fake_nvml):
    no_counter = {"absent": "83,nvmlDeviceGetTotalEnergyConsumption"}
    fake_nvml({"name": "Tesla_T4", "low": 60}, {"name": "NVIDIA_H100_NVL"}, no_counter)
    records, _ = measured()
    for record in records:
        assert (record.status, record.mean_power_w) == ("ok", pytest.approx(300))
        assert record.provenance["gpu_name"] == "NVIDIA H100 80GB HBM3"
        assert record.provenance["gpu_uuid"] == "GPU-2"


@pytest.mark.parametrize(
    ("fault", "timeouts_s", "reason", "loads"),
    [
        ("exit", [60], "the worker ended without an answer, with exit code 3", 2),
        ("error", [60], "RuntimeError: no kernel for this GPU", 2),
        # on a busy machine others may not be done in 3 s either
        ("hang", [3, 30], "the worker was ended after {} s without an answer", 2),
        ("memory", [60], "out of memory: 9 GiB", 1),
    ],
)
def test_failed_cell_is_a_row_and_the_next_one_runs(measured, fault, timeouts_s, reason, loads):
    for timeout_s in timeouts_s:
        records, actual_loads = measured({SECOND: fault}, timeout_s=timeout_s)
        if [record.status for record in records] == ["ok", "failed", "ok"]:
            break
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    assert records[1].reason.startswith(reason.format(timeout_s))
    assert records[1].energy_j is None
    assert actual_loads == loads
    anew = "loaded anew for this cell" in records[2].remarks
    assert anew == (loads == 2)


def test_worker_that_cannot_go_on_without_memory_is_replaced(measured):
    records, loads = measured({SECOND: "memory", "again": ""})
    assert [record.status for record in records] == ["ok", "failed", "ok"]
    assert loads == 2


@pytest.mark.parametrize(
    ("fault", "kind", "done", "asked"),
    [("drop", "requests", 3, 4), ("short", "output tokens", 4 * 7, 4 * 8)],
)
def test_other_work_than_asked_is_invalid(measured, fault, kind, done, asked):
    records, loads = measured({SECOND: fault})
    assert [record.status for record in records] == ["ok", "invalid", "ok"]
    passes = records[1].passes
    assert records[1].reason == f"the engine did {done * passes} {kind} instead of {asked * passes}"
    assert loads == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("exit", "the worker ended without an answer, with exit code 3"),
        ("error", "RuntimeError: no kernel for this GPU"),
        ("memory", "out of memory: 9 GiB"),
    ],
)
def test_model_that_cannot_be_loaded_fails_all_its_cells_at_once(measured, fault, reason):
    records, loads = measured({"load": fault})
    assert [record.status for record in records] == ["failed"] * 3
    assert {record.reason for record in records} == {records[0].reason}
    assert records[0].reason.startswith(reason)
    assert loads == 1


def test_engine_on_another_gpu_than_the_metered_one_fails(measured):
    records, _ = measured(order={"device": "NVIDIA A100-SXM4-40GB"})
    assert {record.reason for record in records} == {
        "the engine runs on NVIDIA A100-SXM4-40GB 0, while NVIDIA H100 80GB HBM3 GPU-0 is metered"
    }


def test_engine_on_the_cpu_is_never_a_measurement(measured):
    records, _ = measured(order={"device": "cpu"})
    assert [(record.status, record.reason) for record in records] == [
        ("invalid", "the model ran on the CPU while the GPU was metered")
    ] * 3


def test_cell_beyond_the_models_positions_fails_alone(measured):
    records, _ = measured(program={"max_tokens": 24})
    assert [record.status for record in records] == ["ok", "ok", "failed"]
    assert records[2].reason == "the model has positions for 24 tokens, not for 28"


def test_ids_beyond_the_vocabulary_are_remarked_on(measured):
    records, _ = measured(changes={"dataset": {"vocab_size": 1000, "eos_id": 2}})
    assert {record.remarks for record in records} == {
        "synthetic; token ids are taken modulo the model's vocabulary of 100"
    }


@pytest.mark.parametrize(
    ("faults", "requires", "message"),
    [
        ({"load": "import"}, {}, r"^no torch here, in \S+; install pytest$"),
        ({}, {"pytest": "0.1"}, f"^pytest is {pytest.__version__}, not 0.1, in "),
        ({}, {"no-such-package": ""}, "^no-such-package is not installed, in "),
        ({SECOND: "import"}, {}, "^no torch here"),
    ],
)
def test_what_the_user_has_to_install_ends_the_job(measured, faults, requires, message):
    with pytest.raises(InputError, match=message):
        measured(faults, program={"requires": requires})


def test_missing_python_and_missing_gpu_are_said_before_anything_starts(measured, monkeypatch):
    with pytest.raises(EngineError, match=r"no-such-python is not on PATH \(node.python\)"):
        measured(python="no-such-python -X dev")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-other")
    with pytest.raises((EngineError, MeterError), match="GPU-other"):
        measured()


def test_board_and_worker_are_free_again_whatever_happened(measured, is_alive):
    records, _ = measured()
    assert not is_alive(records[0].provenance["worker"])
    with pytest.raises(InputError):
        measured({SECOND: "import"})
    measured({"load": "error"})
    records, _ = measured({THIRD: "error"})  # would wait for ever for a board that is not free
    assert not is_alive(records[0].provenance["worker"])
