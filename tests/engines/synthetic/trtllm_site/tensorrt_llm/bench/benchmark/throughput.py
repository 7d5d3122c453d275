"""trtllm-bench throughput: loads an engine, warms up, runs a data set, and reports."""

import asyncio
import json

import tensorrt_llm
from tensorrt_llm import OLD
from tensorrt_llm._tensorrt_engine import LLM, SamplingParams
from tensorrt_llm.bench.benchmark.utils.asynchronous import async_benchmark
from tensorrt_llm.bench.dataclasses.reporting import ReportUtility
from tensorrt_llm.llmapi import CudaGraphConfig
from tensorrt_llm.synthetic import fail, fault, log

run_requests = async_benchmark
if fault("throughput") == "other names":
    del async_benchmark


def throughput(args):
    benchmark = globals().get("async_benchmark", run_requests)
    log("Preparing to run throughput benchmark...")
    assert args.eos_id == -1  # no request may end early
    name = fault(args.dataset.stem)
    fail(name)
    lines = [json.loads(line) for line in args.dataset.read_text().splitlines()]
    lines = lines[: args.num_requests]
    if OLD or args.backend == "tensorrt":
        assert args.max_seq_len is None, "max_seq_len is not a runtime parameter for C++ backend"
        llm = LLM(model=args.engine_dir, skip_tokenizer_init=True)
    else:
        llm = tensorrt_llm.LLM(
            model=args.model_path,
            backend="pytorch",
            max_seq_len=args.max_seq_len,
            cuda_graph_config=CudaGraphConfig(enable_padding=True),
            load_format="auto",
            skip_tokenizer_init=True,
        )
    sampling = SamplingParams(end_id=-1, pad_id=-1)
    log("Setting up throughput benchmark.")
    if args.warmup:
        log("Running warmup.")
        warmup = [lines[0]] * args.warmup
        asyncio.run(benchmark(llm, sampling, None, warmup, False, -1))
        log("Warmup done.")
    if name == "drop":  # as 0.21 does without a word
        lines = lines[:-1]
    statistics = asyncio.run(benchmark(llm, sampling, None, lines, False, -1))
    log("Benchmark done. Reporting results...")
    report = ReportUtility(statistics, args)
    content = report.get_statistics_dict()
    if name == "no time":
        content["performance"]["total_latency_ms"] = float("nan")
    if name == "too long":
        content["performance"]["total_latency_ms"] = 5e3
    if name == "other report":
        content = {"results": []}
    if name == "other limits":
        content["world_info"]["max_batch_size"] = 2048
    text = json.dumps(content, indent=4)
    if name != "no report":
        args.report_json.write_text(text[:-9] if name == "cut report" else text)
    if not OLD and args.request_json:
        args.request_json.write_text(json.dumps(report.get_request_info()))
    llm.shutdown()
