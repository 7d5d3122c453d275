"""trtllm-bench: what each version takes, and the two commands."""

import argparse
import json
import pathlib

from tensorrt_llm import OLD, WITHOUT_ENGINES, __version__
from tensorrt_llm.bench.benchmark.throughput import throughput
from tensorrt_llm.synthetic import fail, fault, log

# Options of `throughput`: of 0.20.0, and what came after it. Of all of them sweetspot uses few; a
# version refuses what it does not know.
OF_0_20 = (
    *("engine_dir", "backend", "extra_llm_api_options", "max_batch_size", "max_num_tokens"),
    *("max_seq_len", "beam_width", "kv_cache_free_gpu_mem_fraction", "dataset", "eos_id"),
    *("modality", "max_input_len", "num_requests", "warmup", "target_input_len"),
    *("target_output_len", "tp", "pp", "ep", "cluster_size", "concurrency", "report_json"),
    *("iteration_log", "output_json"),
)
SINCE = ("config", "sampler_options", "request_json", "scheduler_policy", "image_data_format")
BACKENDS = ("pytorch", "autodeploy") if OLD else ("pytorch", "_autodeploy")
if not (OLD or WITHOUT_ENGINES):
    BACKENDS += ("tensorrt",)
LIMITS = ("max_batch_size", "max_num_tokens", "max_seq_len")
PATHS = ("engine_dir", "dataset", "report_json", "request_json")
NUMBERS = ("eos_id", "num_requests", "warmup", *LIMITS)


def main():
    group = argparse.ArgumentParser(prog="trtllm-bench", allow_abbrev=False)
    group.add_argument("--model", required=True)
    group.add_argument("--model_path", type=pathlib.Path)
    group.add_argument("--workspace", type=pathlib.Path, default=pathlib.Path("/tmp"))  # noqa: S108
    commands = group.add_subparsers(dest="command", required=True)
    if not WITHOUT_ENGINES:
        build_options = commands.add_parser("build", allow_abbrev=False)
        for flag in ("tp_size", "pp_size", *LIMITS):
            build_options.add_argument("--" + flag, type=int, required=True)
    options = commands.add_parser("throughput", allow_abbrev=False)
    for flag in OF_0_20 + (() if OLD else SINCE):
        if flag == "backend":
            options.add_argument("--backend", choices=BACKENDS, default=None if OLD else "pytorch")
        else:
            kind = pathlib.Path if flag in PATHS else int if flag in NUMBERS else str
            options.add_argument("--" + flag, type=kind)
    if not OLD:
        options.add_argument("--enable_chunked_context", action="store_true")
    args = group.parse_args()
    assert any(args.model_path.glob("*.safetensors")), "not a safetensors repo"
    if args.command == "build":
        build(args)
    else:
        throughput(args)


def build(args):
    config = json.loads((args.model_path / "config.json").read_text())
    if config["model_type"] == "opt":
        raise NotImplementedError("OPTForCausalLM has no from_hugging_face")
    save_engine(
        args.workspace / args.model / "tp_1_pp_1",
        config.get("torch_dtype", "float16"),
        {name: value for name, value in vars(args).items() if name.startswith("max_")},
        args.model_path / "hf_quant_config.json",
    )


def save_engine(engine, dtype, build_config, quantized=None):
    name = fault("build")
    fail(name)
    engine.mkdir(parents=True, exist_ok=True)
    with (engine.parents[2] / "builds").open("a") as count:
        count.write("x")
    if name == "other limits":
        build_config["max_seq_len"] -= 4
    stored = {"quant_algo": None, "kv_cache_quant_algo": None}
    if quantized is not None and quantized.is_file() and name != "16 bits":
        said = json.loads(quantized.read_text())["quantization"]
        stored = {key: said.get(key) for key in stored}
    if name != "no engine":
        config = {
            "version": __version__,
            "pretrained_config": {
                "dtype": "float32" if name == "float32" else dtype,
                "quantization": stored,
            },
            "build_config": build_config | {"max_input_len": 1024},
        }
        text = "{}, {}" if name == "bad config" else json.dumps(config)
        (engine / "config.json").write_text(text)
    log(f"ENGINE SAVED: {engine}")


if __name__ == "__main__":
    main()
