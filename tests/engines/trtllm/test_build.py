"""Engines are built once for what decides them, by synthetic programs that know their options."""

import json
import sys
from dataclasses import asdict, replace
from threading import Thread

import pytest

from sweetspot.catalog.packaged import read_packaged
from sweetspot.config import Container, Limits
from sweetspot.engines.trtllm.build import Build, build_engine
from sweetspot.engines.trtllm.programs import Programs
from sweetspot.engines.trtllm.versions import trtllm_version
from sweetspot.errors import EngineError, InputError

LIMITS = Limits(max_seq_len=64, max_batch_size=32, max_num_tokens=128)
VERSIONS = ("0.21.0", "1.2.1")


@pytest.fixture
def programs():
    return Programs(
        container=Container(), gpu_uuid="GPU-0", folders=(), python=sys.executable, timeout_s=120
    )


@pytest.fixture
def build(tmp_path, tensorrt_llm):
    return make_build(tmp_path, "llama-3.2-1b")


def make_build(folder, model, **changes):
    checkpoint = folder / "checkpoints" / model
    checkpoint.mkdir(parents=True)
    config = read_packaged("models.yaml")[model]["config"]
    (checkpoint / "config.json").write_text(json.dumps(config))
    (checkpoint / "model.safetensors").touch()
    return Build(
        name=f"publisher/{model}",
        checkpoint=checkpoint,
        dtype=config["torch_dtype"],
        trtllm=trtllm_version("0.21.0"),
        limits=LIMITS,
        place=folder / "engines" / "0.21.0" / "h100-sxm",
        **changes,
    )


@pytest.fixture
def run(programs, tmp_path):
    """Return a function that builds an engine and returns its config.json."""

    def start(build):
        engine = build_engine(build, programs, log_path=tmp_path / "build.log")
        assert engine == build.engine_dir
        return json.loads((engine / "config.json").read_text())

    return start


def builds(build):
    return sum(len(path.read_text()) for path in build.place.rglob("builds"))


@pytest.mark.parametrize("version", VERSIONS)
def test_engine_is_built_with_the_limits_and_type(build, run, tensorrt_llm, version):
    tensorrt_llm.set_version(version)
    config = run(replace(build, trtllm=trtllm_version(version)))
    assert config["build_config"] == {
        name: each for name, each in asdict(LIMITS).items() if name in config["build_config"]
    } | {"max_input_len": 1024}
    assert config["pretrained_config"]["dtype"] == "bfloat16"
    assert config["version"] == version


def test_engine_lies_where_its_limits_say(build, run):
    run(build)
    place = build.engine_dir.relative_to(build.place)
    assert str(place) == "b32_s64_t128/publisher/llama-3.2-1b/tp_1_pp_1"


def test_whole_engine_is_kept_and_one_of_other_limits_beside_it(build, run):
    run(build)
    run(build)
    assert builds(build) == 1
    longer = replace(build, limits=Limits(max_seq_len=96, max_batch_size=32, max_num_tokens=128))
    assert run(longer)["build_config"]["max_seq_len"] == 96
    run(build)
    assert builds(build) == 2


def test_half_an_engine_is_built_anew(build, run):
    run(build)
    (build.engine_dir / "sweetspot_build.json").unlink()  # as a killed build leaves it
    (build.engine_dir / "half").touch()
    run(build)
    assert builds(build) == 2
    assert not (build.engine_dir / "half").exists()


def test_engine_is_built_anew_when_its_command_changes(build, run, tmp_path):
    run(build)
    moved = tmp_path / "moved"
    build.checkpoint.rename(moved)
    run(replace(build, checkpoint=moved))
    assert builds(build) == 2


def test_two_jobs_build_one_engine(build, run):
    threads = [Thread(target=run, args=(build,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builds(build) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_opt_is_converted_then_built_with_the_same_limits(tmp_path, run, tensorrt_llm, version):
    tensorrt_llm.set_version(version)
    examples = tensorrt_llm.opt_examples
    build = make_build(tmp_path, "opt-1.3b", opt_examples=examples)
    config = run(replace(build, trtllm=trtllm_version(version)))
    settings = config["build_config"]
    assert {name: settings[name] for name in ("max_seq_len", "max_batch_size")} == {
        "max_seq_len": 64,
        "max_batch_size": 32,
    }
    assert settings["max_num_tokens"] == 128
    assert (settings["multiple_profiles"], settings["use_paged_context_fmha"]) == ("enable",) * 2
    assert config["pretrained_config"]["dtype"] == "float16"
    assert not build.converted.exists()  # as large as the weights
    assert "convert_checkpoint" in build.facts["engine_built_by"]


def test_opt_is_refused_by_trtllm_bench_itself(tmp_path, run, tensorrt_llm):
    with pytest.raises(EngineError, match=r"trtllm-bench build failed .*no from_hugging_face"):
        run(make_build(tmp_path, "opt-1.3b"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("exit@build", "trtllm-bench build failed with exit code 1: RuntimeError: engine and GPU"),
        ("out of memory@build", "^out of memory: .*cudaMallocAsync"),
        ("no engine@build", "trtllm-bench build left no engine in .*; see .*build-1.log"),
        ("bad config@build", "left no valid config.json"),
        ("other limits@build", "was built with max_seq_len 60 instead of 64"),
    ],
)
def test_build_that_fails_is_an_engine_error(build, run, monkeypatch, fault, message):
    monkeypatch.setenv("FAULT", fault)
    with pytest.raises(EngineError, match=message):
        run(build)
    monkeypatch.delenv("FAULT")
    run(build)  # and nothing of it is in the way


def test_conversion_that_fails_is_an_engine_error(tmp_path, run, tensorrt_llm, monkeypatch):
    build = make_build(tmp_path, "opt-1.3b", opt_examples=tensorrt_llm.opt_examples)
    monkeypatch.setenv("FAULT", "exit@convert")
    with pytest.raises(EngineError, match=r"convert_checkpoint\.py failed with exit code 1"):
        run(build)
    assert builds(build) == 0


def test_engine_of_another_version_is_the_users_affair(build, run, tensorrt_llm):
    tensorrt_llm.set_version("1.2.1")
    with pytest.raises(InputError, match=r"has TensorRT-LLM 1\.2\.1; .* asks for 0\.21\.0"):
        run(build)


def test_engine_of_another_type_is_the_users_affair(build, run, monkeypatch):
    monkeypatch.setenv("FAULT", "float32@build")
    with pytest.raises(InputError, match=r"computes in float32; set torch_dtype in .* bfloat16"):
        run(build)
