"""Cells by a synthetic trtllm-bench of both lines of versions, and the window of each."""

import json
import os
import sys
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from sweetspot.cells.cell import Cell
from sweetspot.config import Container, Limits, TensorRtLlm
from sweetspot.config.sections import parse_section
from sweetspot.engines.process import run as process
from sweetspot.engines.trtllm import window as window_module
from sweetspot.engines.trtllm.bench import Benchmark, run_benchmark
from sweetspot.engines.trtllm.build import Build
from sweetspot.engines.trtllm.programs import Programs
from sweetspot.engines.trtllm.versions import trtllm_version
from sweetspot.engines.worker.client import WORKERS
from sweetspot.errors import EngineError, InputError

LIMITS = Limits(max_seq_len=64, max_batch_size=32, max_num_tokens=128)
CELL = Cell(
    model="llama-3.2-1b",
    engine="tensorrt-llm",
    max_batch_size=32,
    requests=4,
    input_tokens=16,
    output_tokens=8,
)
RUN_S, TAIL_S = 0.1, 0.2  # of the synthetic engine


@pytest.fixture
def last_run_s(tmp_path, monkeypatch):
    """A function that says how long the last four requests took, as the engine saw it.

    What is compared with it may be off by less than a run, which a warm-up is, and than a tail.
    """
    notes = tmp_path / "notes"
    monkeypatch.setenv("NOTES", str(notes))

    def seconds():
        of = {"request": [], "answer": []}
        for line in notes.read_text().splitlines():
            what, at_s = line.split()
            of[what].append(float(at_s))
        return pytest.approx(max(of["answer"]) - min(of["request"][-4:]), abs=0.9 * RUN_S)

    return seconds


@pytest.fixture
def programs():
    return Programs(
        container=Container(),
        gpu_uuid="GPU-52a3a85d",
        folders=(),
        python=sys.executable,
        timeout_s=120,
    )


@pytest.fixture
def benchmark(tmp_path, tensorrt_llm):
    """A benchmark of four requests with an engine, in version 0.21.0."""
    dataset = tmp_path / "set.jsonl"
    line = {"task_id": 0, "input_ids": [5] * 16, "output_tokens": 8}
    dataset.write_text((json.dumps(line) + "\n") * 5)
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "model.safetensors").touch()
    (checkpoint / "config.json").write_text(json.dumps({"model_type": "llama"}))
    build = Build(
        name="meta-llama/Llama-3.2-1B",
        checkpoint=checkpoint,
        dtype="bfloat16",
        trtllm=trtllm_version("0.21.0"),
        limits=LIMITS,
        place=tmp_path / "engines",
    )
    build.engine_dir.mkdir(parents=True)
    config = {
        "pretrained_config": {"dtype": "bfloat16"},
        "build_config": {
            "max_input_len": 1024,
            "max_seq_len": 64,
            "max_batch_size": 32,
            "max_num_tokens": 128,
        },
    }
    (build.engine_dir / "config.json").write_text(json.dumps(config))
    return Benchmark(
        model=build,
        cell=CELL,
        dataset=dataset,
        report=tmp_path / "report.json",
        warmup=2,
        min_window_s=0,
    )


def in_version(benchmark, version, tensorrt_llm):
    tensorrt_llm.set_version(version)
    return replace(benchmark, model=replace(benchmark.model, trtllm=trtllm_version(version)))


VERSIONS = ("0.21.0", "1.2.0", "1.2.1", "1.3.0rc26", "1.3.0", "1.4.0rc1")


@pytest.mark.parametrize("version", [*VERSIONS, "1.1.0", "1.5.0", "1.3", "1.3.0 rc1"])
def test_versions_that_can_be_driven_are_those_of_the_configuration(version):
    def says(make, **more):
        try:
            return make(version, **more) is not None
        except InputError:
            return False

    driven = says(trtllm_version)
    assert driven == (version in VERSIONS)
    for backend in ("tensorrt", "pytorch"):
        configured = says(
            lambda v, b=backend: parse_section(TensorRtLlm, {"version": v, "backend": b})
        )
        assert configured == (driven and backend in trtllm_version(version).backends)


@pytest.mark.parametrize(
    ("version", "warmup"), [("0.21.0", 0), ("0.21.0", 2), ("1.2.0", 2), ("1.2.1", 2)]
)
def test_window_is_one_pass_from_first_request_to_last_response(
    benchmark, programs, tensorrt_llm, last_run_s, version, warmup
):
    benchmark = replace(in_version(benchmark, version, tensorrt_llm), warmup=warmup)
    before_s = time.monotonic()
    window, report = run_benchmark(benchmark, programs)
    assert before_s < window.start_s < window.end_s < time.monotonic()
    assert window.end_s - window.start_s == last_run_s()
    assert (len(window.passes), window.untrusted, window.remarks) == (1, "", ())
    assert window.source == "stamps in the engine's process"
    assert report.request_info.num_requests == 4
    log = benchmark.report.with_suffix(".log").read_text()
    assert log.count("Starting benchmark...") == (2 if warmup else 1)


@pytest.mark.parametrize("version", ["0.21.0", "1.2.1"])
def test_pass_is_repeated_back_to_back_until_the_window_is_long_enough(
    benchmark, programs, tensorrt_llm, monkeypatch, version
):
    monkeypatch.setattr(window_module, "MAX_GAP_SHARE", 0.5)  # a busy machine has gaps; a tail more
    benchmark = replace(in_version(benchmark, version, tensorrt_llm), min_window_s=0.45)
    window, _ = run_benchmark(benchmark, programs)
    assert window.passes[-2][1] - window.start_s < 0.45 <= window.end_s - window.start_s
    gaps_s = [later[0] - earlier[1] for earlier, later in pairwise(window.passes)]
    assert min(gaps_s) < TAIL_S / 4  # they do not wait for answers that cannot come
    assert window.untrusted == ""


def test_waits_between_passes_are_not_taken_for_work(benchmark, programs, monkeypatch):
    # as if the loop that waits could no longer be made not to
    monkeypatch.setenv("FAULT", "other loop@loop")
    window, _ = run_benchmark(replace(benchmark, min_window_s=0.6), programs)
    assert len(window.passes) > 1
    assert "the engine waited" in window.untrusted


@pytest.fixture
def gpu_list(tmp_path, monkeypatch):
    """An nvidia-smi that knows the GPU as the second of two."""
    program = tmp_path / "tensorrt_llm" / "bin" / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf 'GPU-other\\nGPU-52a3a85d\\n'\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "source"), [("0.21.0", "log lines"), ("1.2.1", "--request_json")]
)
def test_without_stamps_the_window_is_one_pass_all_the_same(
    benchmark, programs, tensorrt_llm, gpu_list, last_run_s, version, source
):
    benchmark = replace(in_version(benchmark, version, tensorrt_llm), min_window_s=5)
    # a Python without TensorRT-LLM, while trtllm-bench is on PATH and has its own
    programs = replace(programs, python=f"{sys.executable} -I")
    before_s = time.monotonic()
    window, _ = run_benchmark(benchmark, programs)
    assert window.source == source
    assert len(window.passes) == 1
    assert window.end_s - window.start_s == last_run_s()
    # warm-up and its tail come first, the tail of the measured pass after
    assert window.start_s - before_s > RUN_S
    assert time.monotonic() - window.end_s > (TAIL_S - 0.1 if version == "0.21.0" else 0)
    assert "one pass only" in window.remarks[0]
    log = benchmark.report.with_suffix(".log").read_text()
    assert "no exact window, as ModuleNotFoundError" in log


@pytest.mark.parametrize(
    ("version", "source"), [("0.21.0", "log lines"), ("1.2.1", "--request_json")]
)
def test_changed_tensorrt_llm_is_run_without_stamps(
    benchmark, programs, tensorrt_llm, monkeypatch, version, source
):
    monkeypatch.setenv("FAULT", "other names@throughput")
    window, _ = run_benchmark(in_version(benchmark, version, tensorrt_llm), programs)
    assert window.source == source
    assert "no exact window, as AttributeError" in benchmark.report.with_suffix(".log").read_text()


@pytest.mark.parametrize("runtime", ["apptainer", "docker"])
def test_cell_runs_in_a_container_that_sees_only_what_it_needs(
    benchmark, programs, container_runtimes, last_run_s, tmp_path, runtime
):
    settings = (f"export {name}={os.environ[name]}\n" for name in ("PYTHONPATH", "NOTES"))
    container_runtimes.write_text("".join(settings))
    container = Container(runtime=runtime, image="an-image")
    programs = replace(programs, container=container, folders=(tmp_path, WORKERS))
    window, _ = run_benchmark(benchmark, programs)
    assert window.source == "stamps in the engine's process"
    assert window.end_s - window.start_s == last_run_s()


def test_clock_that_is_not_ours_is_found_out(benchmark, programs, monkeypatch):
    monkeypatch.setenv("FAULT", "other clock@clock")
    window, _ = run_benchmark(replace(benchmark, min_window_s=5), programs)
    assert window.source == "log lines"
    assert "no exact window" in benchmark.report.with_suffix(".log").read_text()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("exit", r"^trtllm-bench failed with exit code 1: RuntimeError: engine .*report\.log"),
        ("die", r"^trtllm-bench failed with signal 9: .*Setting up for warmup"),
        ("out of memory", r"^out of memory: .*cudaMallocAsync: out of memory \(log of"),
        ("drop", "ran something else: 3 instead of 4 as requests"),
        ("short@answer", r"ran something else: 7\.0 instead of 8 as mean output tokens"),
        ("other limits", "ran something else: 2048 instead of 32 as max_batch_size"),
        ("no report", r"cannot read trtllm-bench report .*report\.json"),
        ("cut report", r"report .*report\.json is not valid JSON"),
        ("other report", r"report .*report\.json cannot be used: engine is missing"),
        ("no time", "cannot be used: performance.total_latency_ms"),
        ("too long", r"last pass took 0\.\d+ s by its requests, and 5\.000 s by the report"),
    ],
)
def test_faulty_run_is_an_engine_error(benchmark, programs, monkeypatch, fault, message):
    monkeypatch.setenv("FAULT", fault if "@" in fault else f"{fault}@set")
    with pytest.raises(EngineError, match=message) as caught:
        run_benchmark(replace(benchmark, warmup=0), programs)
    assert "\n" not in str(caught.value)


def test_engine_that_is_ignored_is_found_out(benchmark, programs, tensorrt_llm):
    # as 1.x does where nobody says --backend tensorrt
    benchmark = in_version(benchmark, "1.2.1", tensorrt_llm)
    forgetful = replace(benchmark.model.trtllm, engine_flags=())
    benchmark = replace(benchmark, model=replace(benchmark.model, trtllm=forgetful))
    with pytest.raises(EngineError, match="ran something else: Pytorch instead of TRT as backend"):
        run_benchmark(benchmark, programs)


def test_flags_of_one_line_are_refused_by_the_other(benchmark, programs, tensorrt_llm):
    newer = replace(benchmark.model, trtllm=trtllm_version("1.2.1"))
    with pytest.raises(EngineError, match=r"trtllm-bench failed with exit code 2: .*--backend"):
        run_benchmark(replace(benchmark, model=newer), programs)


def test_run_by_another_version_is_not_a_result(benchmark, programs, tensorrt_llm):
    benchmark = in_version(benchmark, "1.2.0", tensorrt_llm)
    tensorrt_llm.set_version("1.2.1")
    with pytest.raises(EngineError, match=r"1\.2\.1 instead of 1\.2\.0 as version"):
        run_benchmark(benchmark, programs)


def test_old_files_do_not_pass_for_new_ones(benchmark, programs, monkeypatch):
    run_benchmark(benchmark, programs)
    assert benchmark.stamps.exists()
    monkeypatch.setenv("FAULT", "no report@set")
    with pytest.raises(EngineError, match="cannot read trtllm-bench report"):
        run_benchmark(benchmark, programs)
    monkeypatch.setenv("FAULT", "other clock@clock")
    window, _ = run_benchmark(benchmark, programs)
    assert window.source == "log lines"


def test_hang_is_ended_with_its_workers(
    benchmark, programs, monkeypatch, tmp_path, is_alive, wait_until
):
    monkeypatch.setenv("FAULT", "hang@set")
    monkeypatch.setenv("HANG_S", "600")
    for timeout_s in (1.5, 15, 60):  # a busy machine takes a while to begin
        with pytest.raises(EngineError, match=rf"after {timeout_s} s without finishing") as caught:
            run_benchmark(benchmark, replace(programs, timeout_s=timeout_s))
        if "Setting up for" in str(caught.value):
            break
    worker = (tmp_path / "worker").read_text()  # in a session of its own, as MPI's are
    wait_until(lambda: not is_alive(worker))


def test_flood_of_log_lines_does_no_harm(benchmark, programs, monkeypatch):
    monkeypatch.setenv("FAULT", "flood@set")
    monkeypatch.setattr(process, "MAX_LOG_BYTES", 1_000_000)
    window, _ = run_benchmark(replace(benchmark, warmup=0), programs)
    assert window.untrusted == ""
    assert benchmark.report.with_suffix(".log").stat().st_size < 1_200_000
