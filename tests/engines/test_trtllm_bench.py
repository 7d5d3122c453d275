"""TensorRT-LLM by a synthetic trtllm-bench: a script with the real one's arguments and output."""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sweetspot.engines.process import run_stamped
from sweetspot.engines.trtllm_bench import Benchmark, Build, build_engine, run_benchmark
from sweetspot.errors import EngineError


@pytest.fixture
def benchmark(tmp_path, bench_on_path):
    """A benchmark of four requests with a built engine; trtllm-bench is the synthetic one."""
    dataset = tmp_path / "set.jsonl"
    line = {"task_id": 0, "input_ids": [5] * 16, "output_tokens": 8}
    dataset.write_text((json.dumps(line) + "\n") * 5)
    build = Build(
        name="facebook/opt-1.3b",
        checkpoint=tmp_path / "checkpoint",
        workspace=tmp_path / "engines",
        max_seq_len=8192,
        max_batch_size=1024,
        max_num_tokens=8192,
    )
    build_engine(build, log_path=tmp_path / "build.log", timeout_s=30)
    return Benchmark(
        build=build,
        dataset=dataset,
        report=tmp_path / "report.json",
        requests=4,
        input_tokens=16,
        output_tokens=8,
        warmup=2,
        kv_cache_memory_fraction=0.9,
    )


def run(benchmark, timeout_s=30):
    return run_benchmark(
        benchmark, log_path=benchmark.report.with_name("run.log"), timeout_s=timeout_s
    )


def rebuild(build):
    return build_engine(build, log_path=build.workspace / "build.log", timeout_s=30)


def builds(build):
    return len((build.engine_dir / "builds").read_text())


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_engine_is_built_with_the_limits(benchmark):
    config = json.loads((benchmark.build.engine_dir / "config.json").read_text())["build_config"]
    assert (config["max_seq_len"], config["max_batch_size"]) == (8192, 1024)
    assert (config["max_num_tokens"], config["tp_size"], config["pp_size"]) == (8192, 1, 1)
    assert benchmark.build.engine_dir.relative_to(benchmark.build.workspace) == Path(
        "facebook/opt-1.3b/tp_1_pp_1"
    )


def test_whole_engine_is_kept_and_others_are_built_anew(benchmark):
    build = benchmark.build
    mark = build.engine_dir / "kept"
    mark.touch()
    assert rebuild(build) == build.engine_dir
    assert mark.exists()
    smaller = replace(build, max_batch_size=64)
    rebuild(smaller)
    assert not mark.exists()
    assert builds(smaller) == 1
    (smaller.engine_dir / "sweetspot_build.json").unlink()  # as a killed build leaves it
    mark.touch()
    rebuild(smaller)
    assert not mark.exists()


def test_build_that_leaves_no_engine_is_an_error(benchmark, monkeypatch):
    monkeypatch.setenv("FAULT", "no engine")
    with pytest.raises(EngineError, match="left no engine"):
        rebuild(replace(benchmark.build, max_batch_size=64))


@pytest.mark.parametrize("warmup", [0, 2])
def test_window_is_the_measured_pass_without_its_tail(benchmark, warmup):
    before_s = time.monotonic()
    result = run(replace(benchmark, warmup=warmup))
    assert result.end_s - result.start_s == pytest.approx(0.1, abs=1e-9)
    # the warm-up pass and its tail come first, 0.15 s; the tail of the measured pass after
    assert result.start_s - before_s > (0.15 if warmup else 0)
    assert time.monotonic() - result.end_s > 0.08
    assert result.report.request_info.num_requests == 4
    assert "Starting benchmark..." in benchmark.report.with_name("run.log").read_text()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            "exit",
            r"failed with exit code 1: RuntimeError: CUDA out of memory \(its log: .*run\.log",
        ),
        ("drop", "ran something else: 3 instead of 4 as requests"),
        ("short", r"ran something else: 7\.0 instead of 8 as mean output tokens"),
        ("pytorch", "Pytorch instead of TRT as backend"),
        ("no report", r"report .*report\.json cannot be read"),
        ("cut report", r"report .*report\.json cannot be read"),
        ("other report", r"report .*report\.json cannot be used: engine: Field required"),
        ("no time", "cannot be used: performance.total_latency_ms"),
        ("no start line", r"logged 0 times 'Starting benchmark\.\.\.' .* is it version 0\.21\.0"),
        ("too long", r"reports 5\.000 s, but its log shows a pass of 0\."),
    ],
)
def test_faulty_run_is_an_engine_error(benchmark, monkeypatch, fault, message):
    monkeypatch.setenv("FAULT", fault)
    with pytest.raises(EngineError, match=message) as caught:
        run(benchmark)
    assert "\n" not in str(caught.value)


def test_old_report_does_not_pass_for_a_new_one(benchmark, monkeypatch):
    run(benchmark)
    monkeypatch.setenv("FAULT", "no report")
    with pytest.raises(EngineError, match="cannot be read"):
        run(benchmark)


def test_hang_is_ended_with_its_whole_group(benchmark, monkeypatch, tmp_path):
    monkeypatch.setenv("FAULT", "hang")
    start_s = time.monotonic()
    with pytest.raises(EngineError, match=r"ended after 3 s without finishing.*Setting up for"):
        run(benchmark, timeout_s=3)
    assert time.monotonic() - start_s < 12
    worker, waited_until_s = (tmp_path / "worker").read_text(), time.monotonic() + 5
    while is_alive(worker) and time.monotonic() < waited_until_s:
        time.sleep(0.01)  # a kill takes a moment to arrive
    assert not is_alive(worker)


def test_missing_program_is_an_engine_error(tmp_path):
    with pytest.raises(EngineError, match="cannot start no-such-program: No such file"):
        run_stamped(["no-such-program"], markers=(), log_path=tmp_path / "log", timeout_s=1)


def test_endless_line_is_kept_out_of_memory_and_message(tmp_path):
    program = [sys.executable, "-c", "print('x' * 300_000); raise SystemExit(3)"]
    with pytest.raises(EngineError, match="exit code 3") as caught:
        run_stamped(program, markers=(), log_path=tmp_path / "log", timeout_s=30)
    assert len(str(caught.value)) < 1000
    assert (tmp_path / "log").stat().st_size == 300_001
