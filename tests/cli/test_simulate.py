"""The command `simulate`, in one process: answers, JSON, refusals."""

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest

from sweetspot.ask.load import simulate_load
from sweetspot.ask.log.read import RequestLog
from sweetspot.cli import loads, main
from sweetspot.config import Limits
from sweetspot.simulator.constants.calibration_file import shipped_engines
from sweetspot.simulator.schedule.requests import Shape

LLAMA = ["--model", "llama-3.1-8b", "--gpu", "h100-sxm"]
GENERATED = ["--requests", "50", "--rate", "5", "--input-tokens", "64", "--output-tokens", "32"]


@pytest.fixture
def trace(tmp_path):
    """Return the path of a trace of two requests."""
    path = tmp_path / "trace.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n0,512,128\n9,1840,12\n", "utf-8")
    return str(path)


def refused(capsys, *arguments):
    """Return the one line that a command with bad input prints."""
    assert main(["simulate", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("sweetspot: error: ")
    assert err.count("\n") == 1
    return err


def answer(capsys, *arguments):
    """Return what a command prints on standard output; nothing goes to standard error."""
    assert main(["simulate", *arguments]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_answer_to_a_trace_names_every_number(capsys, trace):
    out = answer(capsys, trace, *LLAMA)
    assert "2 requests, 2352 input and 140 output tokens" in out
    assert "guaranteed-no-evict, chunked prefill, max_batch_size 1024, max_num_tokens 8192" in out
    assert "simulated; engine: tensorrt-llm; constants: h100-sxm, published numbers + " in out
    names = {name for name, _, _ in loads.LINES} - {"prefix_hit_rate"}
    for name in (*names, "first_token", "per_output_token", "end_to_end", "p99"):
        assert name in out


def test_json_is_the_python_answer(capsys, trace):
    found = json.loads(answer(capsys, trace, *LLAMA, "--json"))
    limits = Limits(max_seq_len=131072)  # the model's
    expected = simulate_load(
        "llama-3.1-8b", "h100-sxm", RequestLog(trace, max_seq_len=limits.max_seq_len)
    )
    served = expected.served
    assert found["energy_j"] == served.energy_j
    assert found["tokens_per_j"] == served.tokens_per_j
    assert found["idle_share"] == served.idle_share > 0.5
    assert found["end_to_end"]["p99_s"] == served.end_to_end.p99_s
    assert found["limits"] == asdict(limits)
    assert found["calibration_level"] == "published numbers"
    assert found["simulated"] is True


def test_windows_that_are_ignored_are_said(capsys):
    gemma = ["--model", "gemma-2-2b", "--gpu", "h100-sxm", *GENERATED, "--input", "8000"]
    said = "note: this engine ignores the model's sliding windows: a mean request takes 1.32 times"
    assert said in answer(capsys, *gemma)
    assert "windows:" not in answer(capsys, *gemma, "--sliding-windows")


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (
            "--rate 80",
            "note: overload: 82.32 requests/s come, and 38.3 are served; the queue grows",
        ),
        ("--rate 0.05", "note: the board waits for requests 93 % of the time, which takes 75 % of"),
        ("--rate 15", None),
        ("--at-once", None),
    ],
)
def test_load_that_is_too_much_or_too_little_is_said(capsys, load, said):
    requests = "--requests 700 --input 512 --output 200"
    question = [*LLAMA, *requests.split(), *load.split()]
    notes = [line for line in answer(capsys, *question).splitlines() if line.startswith("note: ")]
    assert len(notes) == (said is not None)
    assert "".join(notes).startswith(said or "")
    found = json.loads(answer(capsys, *question, "--json"))
    assert found["overloaded"] == ("overload" in (said or ""))
    assert (found["overload"] is None) == (load == "--at-once")


@pytest.mark.parametrize(("limit", "binds"), [(8, True), (64, False)])
def test_batch_limit_that_never_binds_is_said(capsys, limit, binds):
    question = [*LLAMA, *GENERATED, "--rate", "100", "--max-batch-size", str(limit)]
    out = answer(capsys, *question)
    assert (f"at most: max_batch_size {limit} never binds\n" in out) != binds
    assert json.loads(answer(capsys, *question, "--json"))["batch_limit_binds"] == binds


@pytest.mark.parametrize("engine", list(shipped_engines()))
@pytest.mark.parametrize(
    "workload",
    [
        "--model llama-3.1-8b --requests 1 --input 512 --output 128",
        "--model llama-3.2-1b --requests 150 --input 700 --output 40 --max-batch-size 64",
        "--model gemma-2-2b --requests 9 --input 4500 --output 300 --max-num-tokens 16384",
        "--model opt-1.3b --requests 70 --input 64 --output 64 --tp 2 --weights fp8",
        "--model llama-3.1-8b --requests 40 --input 256 --output 1 --power-limit 400 --clock 1500",
    ],
)
def test_requests_at_once_take_what_predict_says(capsys, engine, workload):
    """The same work is the same answer, whatever a benchmark would add to it."""
    question = [*workload.split(), "--gpu", "h100-sxm", "--engine", engine, "--json"]
    assert main(["predict", *question]) == 0
    predicted = json.loads(capsys.readouterr().out)
    served = json.loads(answer(capsys, *question, "--at-once"))
    assert served["requests"] == predicted["requests"]
    # of a request there, of all of them here
    shared = served.keys() & predicted.keys() - {"input_tokens", "output_tokens"}
    numbers = [name for name in sorted(shared) if type(predicted[name]) is float]
    assert {"energy_per_token_j", "duration_s", "mean_power_w", "mean_clock_mhz"} < set(numbers)
    expected = [predicted[name] for name in numbers]
    assert [served[name] for name in numbers] == pytest.approx(expected, rel=1e-9)
    for name in shared - set(numbers):
        assert served[name] == predicted[name]


def test_options_reach_the_scheduler(capsys):
    options = ["--policy", "max-utilization", "--no-chunked-prefill", "--max-batch-size", "3"]
    found = json.loads(answer(capsys, *GENERATED, *LLAMA, *options, "--json"))
    assert (found["scheduling"], found["chunked_prefill"]) == ("max-utilization", False)
    assert found["limits"]["max_batch_size"] == 3
    assert found["max_batch"] <= 3
    assert found["requests"] == 50


def test_static_batching_is_said(capsys):
    at_once = [*GENERATED[:2], "--at-once", *GENERATED[4:]]
    options = ["--static-batching", "--max-batch-size", "20"]
    out = answer(capsys, *at_once, *LLAMA, *options)
    assert "\nmax_batch_size 20, max_num_tokens 8192, static batches\n" in out


def test_engine_and_settings_of_the_board_are_asked_and_said(capsys):
    asked = [*GENERATED, *LLAMA, "--engine", "transformers", "--power-limit", "500"]
    out = answer(capsys, *asked)
    assert "\nmax_batch_size 1024, max_num_tokens 8192, static batches, power limit 500 W\n" in out
    assert "simulated; engine: transformers 5.17.0; constants: " in out
    assert "note: no measurement stands behind power limit 500 W: boards ran at their" in out
    found = json.loads(answer(capsys, *asked, "--clock", "1500", "--json"))
    assert (found["engine"], found["engine_version"]) == ("transformers", "5.17.0")
    assert (found["power_limit_w"], found["clock_mhz"]) == (500, 1500)
    assert found["mean_clock_mhz"] <= 1500
    assert found["scheduling"] == "static"
    assert found["host_bound_share"] > 0.5


def test_deployment_is_said_and_reaches_the_answer(capsys):
    gemma = ["--model", "gemma-2-2b", "--gpu", "h100-sxm", "--tp", "2", "--kv-cache", "fp8"]
    traits = ["--sliding-windows", "--cuda-graphs", "tensorrt-llm"]
    out = answer(capsys, *GENERATED, *gemma, *traits)
    deployment = "2 GPUs, FP8 KV cache, sliding windows, CUDA graphs of TensorRT-LLM"
    assert f"max_num_tokens 8192, {deployment}\n" in out
    assert "note: energy and power are those of all GPUs" in out
    found = json.loads(answer(capsys, *GENERATED, *gemma, *traits, "--json"))
    assert (found["sliding_windows"], found["cuda_graphs"]) == (True, "tensorrt-llm")
    plain = json.loads(answer(capsys, *GENERATED, *gemma, "--json"))
    assert (plain["sliding_windows"], plain["cuda_graphs"]) == (False, "none")
    assert found["energy_j"] > plain["energy_j"]  # padded; all requests are within the window


@pytest.mark.parametrize("shape", get_args(Shape))
def test_every_shape_of_lengths_can_be_asked_for(capsys, shape):
    drawn = [*GENERATED, *LLAMA, "--input-stdev", "30", "--lengths", shape, "--json"]
    assert json.loads(answer(capsys, *drawn))["requests"] == 50


def test_same_seed_gives_the_same_answer(capsys):
    drawn = [*GENERATED, *LLAMA, "--input-stdev", "30", "--lengths", "lognormal", "--json"]
    first, again, other = (answer(capsys, *drawn, "--seed", seed) for seed in ("1", "1", "2"))
    assert first == again != other


def test_large_batch_raises_the_token_budget(capsys):
    found = json.loads(answer(capsys, *GENERATED, *LLAMA, "--max-batch-size", "10000", "--json"))
    assert found["limits"]["max_num_tokens"] == 10000


def test_power_trace_is_written(capsys, trace, tmp_path):
    path = tmp_path / "power.csv.gz"
    answer(capsys, trace, *LLAMA, "--power-trace", str(path))
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert lines[0] == "t_s,power_w"
    assert float(lines[-1].split(",")[0]) > 9


def test_sequence_beyond_the_context_is_said(capsys):
    lengths = ["--input-tokens", "2040", "--output-tokens", "64"]
    out = answer(capsys, *GENERATED[:4], *lengths, "--model", "opt-1.3b", "--gpu", "h100-sxm")
    assert "beyond the context this model was published for" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a trace, or say with --requests how many to generate"),
        (["none.csv"], "cannot read log none.csv: No such file"),
        (["none.csv", "--rate", "4"], "a trace says what requests there are; leave out --rate"),
        (GENERATED[:4], "--requests needs --input-tokens and --output-tokens"),
        ([*GENERATED, "--at-once"], "--requests needs either --rate or --at-once"),
        ([*GENERATED[:2], *GENERATED[4:]], "--requests needs either --rate or --at-once"),
        (
            [*GENERATED, "--requests", "0"],
            "requests must be an integer from 1 to 1000000000",
        ),
        ([*GENERATED, "--rate", "-1"], "rate must be a number of requests per second above 0"),
        ([*GENERATED, "--rate", "nan"], "rate must be a number of requests per second above 0"),
        ([*GENERATED, "--input-tokens", "nan"], "mean length must be at least 1 token, not nan"),
        ([*GENERATED, "--output-stdev", "-2"], "stdev of lengths must be 0 to"),
        ([*GENERATED, "--seed", "-2"], "seed must be 0 or more, not -2"),
        ([*GENERATED, "--input-tokens", "140000"], "do not fit in max_seq_len 131072"),
        ([*GENERATED, "--max-batch-size", "0"], "max_batch_size must be a positive integer"),
        ([*GENERATED, "--max-num-tokens", "9"], "max_num_tokens 9 is smaller than"),
        ([*GENERATED, "--max-seq-len", "200000"], "max_seq_len 200000 is more than the 131072"),
        ([*GENERATED, "--kv-cache-memory-fraction", "nan"], "kv_cache_memory_fraction"),
        ([*GENERATED, "--kv-cache-memory-fraction", "1e-6"], "does not fit in the KV cache"),
        ([*GENERATED, "--static-batching", "--no-chunked-prefill"], "--static-batching admits"),
        ([*GENERATED, "--cuda-graphs", "yes"], "cuda_graphs must be 'none', 'vllm' or"),
        ([*GENERATED, "--model", "lama"], "unknown model 'lama'"),
        ([*GENERATED, "--gpu", "h101"], "unknown GPU 'h101'"),
    ],
)
def test_bad_question_is_answered_in_one_line(capsys, arguments, message):
    assert message in refused(capsys, *LLAMA, *arguments)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("8,1,x", "line 4: output_tokens must be a whole number, not 'x'"),
        ("10,-1,1", "line 4: input_tokens -1"),
    ],
)
def test_bad_line_is_refused_also_when_others_have_run(capsys, trace, line, message):
    with Path(trace).open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    assert message in refused(capsys, trace, *LLAMA)


def test_help_teaches_with_examples(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["simulate", "--help"])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert "arrival_s,input_tokens,output_tokens" in out
    assert "sweetspot simulate trace.csv --model llama-3.1-8b --gpu h100-sxm" in out


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(capsys, monkeypatch, terminal):
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    monkeypatch.setattr(loads, "PROGRESS_EVERY_S", 0.0)
    assert main(["simulate", *GENERATED, *LLAMA]) == 0
    err = capsys.readouterr().err
    assert ("50 requests have ended" in err) == terminal
    if terminal:
        assert err.endswith("\r\x1b[K")
