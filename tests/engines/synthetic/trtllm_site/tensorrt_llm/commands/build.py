"""trtllm-build, and the conversion of an OPT that comes before it."""

import argparse
import json
import pathlib

from tensorrt_llm.commands.bench import save_engine
from tensorrt_llm.synthetic import fail, fault


def main():
    options = argparse.ArgumentParser(prog="trtllm-build", allow_abbrev=False)
    for flag in ("checkpoint_dir", "output_dir"):
        options.add_argument("--" + flag, type=pathlib.Path, required=True)
    for flag in ("max_seq_len", "max_batch_size", "max_num_tokens"):
        options.add_argument("--" + flag, type=int, required=True)
    for flag in ("multiple_profiles", "use_paged_context_fmha"):
        options.add_argument("--" + flag, choices=("enable", "disable"), default="disable")
    args = options.parse_args()
    assert (args.checkpoint_dir / "rank0.safetensors").is_file()
    config = json.loads((args.checkpoint_dir / "config.json").read_text())
    settings = {
        name: value for name, value in vars(args).items() if not isinstance(value, pathlib.Path)
    }
    save_engine(args.output_dir, config["dtype"], settings)


def convert():
    options = argparse.ArgumentParser(prog="convert_checkpoint.py", allow_abbrev=False)
    for flag in ("model_dir", "output_dir"):
        options.add_argument("--" + flag, type=pathlib.Path, required=True)
    options.add_argument("--dtype", choices=("float16", "bfloat16", "float32"), required=True)
    args = options.parse_args()
    fail(fault("convert"))
    config = json.loads((args.model_dir / "config.json").read_text())
    assert config["model_type"] == "opt"
    args.output_dir.mkdir(parents=True)
    (args.output_dir / "rank0.safetensors").touch()
    (args.output_dir / "config.json").write_text(json.dumps({"dtype": args.dtype}))


if __name__ == "__main__":
    main()
