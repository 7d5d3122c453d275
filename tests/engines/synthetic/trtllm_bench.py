"""Synthetic trtllm-bench: the arguments, log lines and report of version 0.21.0, and no GPU.

Written from its documentation; no sample of a real run is among them. $FAULT says what goes wrong:
everywhere, or, as in "exit@build" and "exit@n4_i16_o8", for one command or data set.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import time

group = argparse.ArgumentParser(allow_abbrev=False)
group.add_argument("--model", required=True)
group.add_argument("--model_path", required=True)
group.add_argument("--workspace")
commands = group.add_subparsers(dest="command", required=True)
build = commands.add_parser("build", allow_abbrev=False)
for flag in ("tp_size", "pp_size", "max_seq_len", "max_batch_size", "max_num_tokens"):
    build.add_argument("--" + flag, type=int, required=True)
run = commands.add_parser("throughput", allow_abbrev=False)
for flag in ("num_requests", "warmup", "eos_id"):
    run.add_argument("--" + flag, type=int, required=True)
run.add_argument("--kv_cache_free_gpu_mem_fraction", type=float, required=True)
for flag in ("engine_dir", "dataset", "report_json"):
    run.add_argument("--" + flag, type=pathlib.Path, required=True)
args = group.parse_args()
fault, _, where = os.environ.get("FAULT", "").partition("@")
if where and where != (args.command if args.command == "build" else args.dataset.stem):
    fault = ""
version = os.environ.get("TRTLLM_VERSION", "0.21.0")


def log(text):
    print("[11/23/2026-12:00:00] [TRT-LLM] [I] " + text)  # not flushed: the caller must see to it


if fault == "exit":
    log("Setting up throughput benchmark.")
    sys.exit("RuntimeError: CUDA out of memory")
if fault == "hang":
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    pathlib.Path(os.environ["WORKER"]).write_text(str(worker.pid))
    log("Setting up for warmup...")
    time.sleep(60)

if args.command == "build":
    engine = pathlib.Path(args.workspace) / args.model / "tp_1_pp_1"
    engine.mkdir(parents=True)
    with (engine / "builds").open("a") as count:
        count.write("x")
    if fault != "no engine":
        dtype = "float32" if fault == "float32" else "bfloat16"
        config = {"version": version, "pretrained_config": {"dtype": dtype}}
        (engine / "config.json").write_text(json.dumps(config | {"build_config": vars(args)}))
    log(f"ENGINE SAVED: {engine}")
    sys.exit()

assert (args.engine_dir / "config.json").is_file()
assert args.eos_id == -1  # no request may end early
lines = [json.loads(line) for line in args.dataset.read_text().splitlines()]
lines = lines[: args.num_requests]


def one_pass(seconds):
    log("Starting benchmarking async task.")
    if fault != "no start line":
        log("Starting benchmark...")
    log("Request submission complete. [count=1]")
    time.sleep(seconds + 0.1)  # the wait after the last response
    log("Benchmark complete.")
    log("LLM Backend stopped.")


log("Preparing to run throughput benchmark...")
if args.warmup:
    log("Running warmup.")
    one_pass(0.05)
    log("Warmup done.")
one_pass(0.1)
log("Benchmark done. Reporting results...")
kept = lines[:-1] if fault == "drop" else lines
outputs = [line["output_tokens"] - (fault == "short") for line in kept]
latency_ms = {"no time": float("nan"), "too long": 5e3}.get(fault, 100.0)
report = {
    "engine": {
        "model": args.model,
        "engine_dir": str(args.engine_dir),
        "version": version,
        "backend": "Pytorch" if fault == "pytorch" else "TRT",
        "dtype": "bfloat16",
    },
    "world_info": {"tp_size": 1, "pp_size": 1, "scheduling_policy": "GUARANTEED_NO_EVICT"},
    "request_info": {
        "num_requests": len(kept),
        "avg_num_concurrent_requests": 3.5,
        "avg_input_length": sum(len(line["input_ids"]) for line in kept) / len(kept),
        "avg_output_length": sum(outputs) / len(kept),
    },
    "performance": {"total_latency_ms": latency_ms, "request_throughput_req_s": 1.0},
}
if fault == "other report":
    report = {"results": []}
text = json.dumps(report)
if fault != "no report":
    args.report_json.write_text(text[:-9] if fault == "cut report" else text)
