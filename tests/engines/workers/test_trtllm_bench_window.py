"""The program that runs in the engine's own process, piece by piece and without TensorRT-LLM."""

import asyncio
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from sweetspot.engines.worker.client import WORKERS

PROGRAM = WORKERS / "trtllm_bench_window.py"


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("trtllm_bench_window", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Engine:
    """Runs passes of three requests that take `run_s`, one after the other."""

    def __init__(self, run_s=0.006, clock=time.perf_counter_ns):
        self.run_s, self.clock, self.seen = run_s, clock, []

    async def __call__(self, *args, **kwargs):
        records = {}
        for number in range(3):
            start_ns = self.clock()
            await asyncio.sleep(self.run_s / 3)
            records[number] = SimpleNamespace(
                start_timestamp=start_ns,
                end_timestamp=self.clock(),
                num_input_tokens=5,
                tokens=[1] * 7,
            )
        self.seen.append((args, kwargs))
        return SimpleNamespace(requests=records)


def run(program, engine, path, *, calls=1, warmed_up=False, min_window_s=0.0):
    stamped = program.Stamped(
        engine, calls_before=int(warmed_up), min_window_s=min_window_s, path=path
    )

    async def all_calls():
        return [await stamped("llm", modality=None) for _ in range(calls)]

    return asyncio.run(all_calls())


def passes_in(path):
    return json.loads(path.read_text())["passes"]


def test_one_pass_is_stamped_by_its_requests(program, tmp_path):
    before_ns = time.monotonic_ns()
    (statistics,) = run(program, Engine(), tmp_path / "stamps")
    (only,) = passes_in(tmp_path / "stamps")
    records = statistics.requests
    assert only == {
        "start_ns": records[0].start_timestamp,
        "end_ns": records[2].end_timestamp,
        "requests": 3,
        "input_tokens": 15,
        "output_tokens": 21,
    }
    assert before_ns < only["start_ns"] < only["end_ns"] < time.monotonic_ns()


def test_pass_is_repeated_with_the_same_arguments_until_it_is_enough(program, tmp_path):
    engine = Engine()
    (statistics,) = run(program, engine, tmp_path / "stamps", min_window_s=0.1)
    passes = passes_in(tmp_path / "stamps")
    assert len(passes) == len(engine.seen) > 2
    assert engine.seen == [(("llm",), {"modality": None})] * len(passes)
    assert passes[-1]["end_ns"] - passes[0]["start_ns"] >= 0.1e9
    assert passes[-2]["end_ns"] - passes[0]["start_ns"] < 0.1e9
    assert statistics.requests[0].start_timestamp == passes[-1]["start_ns"]  # the report's pass
    assert [p.name for p in tmp_path.iterdir()] == ["stamps"]


def test_warm_up_is_neither_stamped_nor_repeated(program, tmp_path):
    engine = Engine()
    warm_up, _ = run(
        program, engine, tmp_path / "stamps", calls=2, warmed_up=True, min_window_s=0.05
    )
    passes = passes_in(tmp_path / "stamps")
    assert len(engine.seen) == 1 + len(passes)
    assert passes[0]["start_ns"] > warm_up.requests[2].end_timestamp


@pytest.mark.parametrize(
    "engine",
    [
        Engine(clock=time.time_ns),  # another clock than ours
        Engine(clock=lambda: 0),
        Engine(clock=lambda: None),
    ],
    ids=["wall clock", "zero", "none"],
)
def test_times_that_cannot_be_are_not_written(program, tmp_path, capsys, engine):
    engine.seen.clear()
    run(program, engine, tmp_path / "stamps", min_window_s=5)
    assert len(engine.seen) == 1  # what cannot be stamped is not repeated
    assert not (tmp_path / "stamps").exists()
    assert "no exact window" in capsys.readouterr().err


def test_pass_without_requests_is_not_repeated_for_ever(program, tmp_path):
    async def nothing():
        return SimpleNamespace(requests={})

    run(program, lambda *_, **__: nothing(), tmp_path / "stamps", min_window_s=5)
    assert not (tmp_path / "stamps").exists()


def test_failure_of_a_pass_is_passed_on(program, tmp_path):
    async def fails():
        raise RuntimeError("Requests failed: out of memory (3 requests)")

    with pytest.raises(RuntimeError, match="Requests failed"):
        run(program, lambda *_, **__: fails(), tmp_path / "stamps")
    assert not (tmp_path / "stamps").exists()


def test_without_tensorrt_llm_anywhere_both_ways_are_named(tmp_path):
    arguments = ["--stamps", str(tmp_path / "stamps"), "--min-window-s", "0", "--"]
    done = subprocess.run(
        [sys.executable, "-I", str(PROGRAM), *arguments, "--warmup", "2"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    first, last = done.stderr.splitlines()
    assert first == "no exact window, as ModuleNotFoundError: No module named 'tensorrt_llm'"
    assert "cannot import TensorRT-LLM, and trtllm-bench cannot be started: No such file" in last


def test_stamps_of_two_containers_with_the_same_process_id_are_each_whole(
    program, tmp_path, monkeypatch
):
    path, write_text = tmp_path / "stamps.json", Path.write_text

    def slow(self, text):  # the other one begins and ends before this one's file has its name
        monkeypatch.setattr(Path, "write_text", write_text)
        written = self.write_text(text)
        program.write_json(path, "the other's")
        return written

    monkeypatch.setattr(Path, "write_text", slow)
    program.write_json(path, "this one's")
    assert json.loads(path.read_text()) == "this one's"
    assert list(tmp_path.iterdir()) == [path]
