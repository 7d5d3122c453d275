"""Predictions: every model on every board, and one model by three names."""

import json
import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import yaml

import sweetspot
from sweetspot.ask.load import simulate_load
from sweetspot.ask.predict import Prediction, predict
from sweetspot.catalog import catalog_entry, gpu_ids, model_ids
from sweetspot.catalog.packaged import read_packaged
from sweetspot.config import Limits
from sweetspot.errors import EngineError, InputError
from sweetspot.simulator.constants.calibration_file import shipped_engines
from sweetspot.simulator.deployment import memory
from sweetspot.simulator.schedule.requests import Request

PROMISED = (
    "energy_per_token_j",
    "tokens_per_j",
    "throughput_tokens_per_s",
    "duration_s",
    "mean_power_w",
    "mean_clock_mhz",
    "max_concurrency",
)
TINY = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
    "max_position_embeddings": 4096,
}


def test_promised_attributes_are_there_and_agree():
    found = predict("llama-3.1-8b", "h100-sxm", 512, 256)
    assert found.simulated is True
    assert (found.model, found.gpu) == ("llama-3.1-8b", "h100-sxm")
    assert (found.requests, found.max_batch_size) == (1000, 1024)
    assert all(getattr(found, name) > 0 for name in PROMISED)
    assert found.tokens_per_j == pytest.approx(1 / found.energy_per_token_j)
    energy_j = found.energy_per_token_j * 1000 * 256
    assert found.mean_power_w == pytest.approx(energy_j / found.duration_s)
    assert found.throughput_tokens_per_s == pytest.approx(1000 * 256 / found.duration_s)
    assert found.calibration == "h100-sxm, published numbers + tensorrt-llm, published numbers"
    assert found.calibration_level == "published numbers"
    assert (found.engine, found.static_batching) == ("tensorrt-llm", False)
    assert (found.power_limit_w, found.clock_mhz, found.gpu_settings) == (700, None, "")
    assert 0 < found.host_bound_share < 0.2


def test_public_function_is_this_one():
    assert sweetspot.predict is predict
    assert sweetspot.Prediction is Prediction


@pytest.mark.parametrize("model_id", model_ids())
def test_every_board_answers_for_every_model_of_the_catalog(model_id):
    for gpu_id in gpu_ids():
        values = predict(model_id, gpu_id, 512, 128, 50, 256).values()  # as small boards hold, too
        numbers = [value for value in values.values() if isinstance(value, float)]
        assert len(numbers) >= 6
        assert all(math.isfinite(number) and number > 0 for number in numbers)
        assert 1 <= values["max_concurrency"] <= 256


def test_board_of_ones_own_is_answered_by_its_data_sheet(tmp_path):
    """It is an L40S of another name, and says what kernels it has."""
    path = tmp_path / "mine.yaml"
    row = read_packaged("gpus.yaml")["l40s"] | {"kernels_of": "l40s"}
    path.write_text(yaml.safe_dump(row), encoding="utf-8")
    found, l40s = (predict("llama-3.2-1b", board, 64, 32, 20) for board in (str(path), "l40s"))
    assert found.calibration.startswith("mine, by data sheet from h100-sxm")
    assert replace(found, gpu="l40s", calibration=l40s.calibration) == l40s


def test_catalog_id_file_folder_and_parsed_file_agree(tmp_path):
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(TINY), encoding="utf-8")
    answers = {
        predict(model, "l40s", 64, 32, 20)
        for model in (folder, str(folder), folder / "config.json", TINY | {"_name_or_path": "tiny"})
    }
    assert len(answers) == 1
    unnamed = predict(TINY, "l40s", 64, 32, 20)
    assert replace(unnamed, model="tiny") in answers


@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "requests", "max_batch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.0, 64.5, "64", True, None, float("nan")])
def test_number_that_is_not_a_positive_integer_is_refused_by_name(name, value):
    numbers = {"input_tokens": 64, "output_tokens": 64, "requests": 10, "max_batch_size": 8}
    with pytest.raises(InputError) as caught:
        predict("opt-1.3b", "h100-sxm", **numbers | {name: value})
    assert str(caught.value) == f"{name} must be a positive integer, not {value!r}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lama-3.1-8b", "h100-sxm", 64, 64), r"unknown model 'lama-3\.1-8b'; did you mean 'llama"),
        (("llama-3.1-8b", "h101", 64, 64), "unknown GPU 'h101'; did you mean"),
        (("./nowhere/config.json", "h100-sxm", 64, 64), "no such file or folder"),
        (({}, "h100-sxm", 64, 64), "model config: "),
        (
            ("opt-1.3b", "h100-sxm", 8000, 193),
            r"8000 \+ output_tokens 193 = 8193 is more than the 8",
        ),
        (("opt-1.3b", "h100-sxm", 64, 64, 10, 10**7), "model opt-1.3b does not fit h100-sxm"),
    ],
)
def test_bad_question_is_an_input_error(arguments, message):
    with pytest.raises(InputError, match=message):
        predict(*arguments)


def test_model_that_does_not_fit_is_refused(write_model, tmp_path):
    model = write_model(tmp_path / "big")
    with pytest.raises(InputError, match="model big does not fit l40s"):
        predict(model, "l40s", 64, 64)
    assert predict(model, "h200-sxm", 64, 64, 10, 8).model == "big"


def test_cache_that_holds_no_request_is_an_engine_error(monkeypatch, board):
    opt = catalog_entry("opt-6.7b").architecture
    free = memory.free_bytes(opt, board, 8192, 1024)
    # leave 200 tokens of KV cache
    spare = free - int(200 * opt.kv_bytes_per_token / 0.9)
    monkeypatch.setattr(memory, "RUNTIME_BYTES", memory.RUNTIME_BYTES + spare)
    with pytest.raises(EngineError, match=r"does not fit in the KV cache of opt-6\.7b"):
        predict("opt-6.7b", "h100-sxm", 64, 200)
    short = predict("opt-6.7b", "h100-sxm", 64, 64, 4)
    assert short.max_concurrency == 1
    assert short.sweet_spot_output_tokens <= 128  # longer ones have no place


def test_sequence_up_to_the_models_context_is_answered_and_marked():
    assert predict("opt-1.3b", "h100-sxm", 1024, 1024, 2).beyond_native_context is False
    beyond = predict("opt-1.3b", "h100-sxm", 1024, 1025, 2)
    assert beyond.beyond_native_context is True
    long = predict("llama-3.1-8b", "h100-sxm", 100_000, 16, 2)
    assert (long.max_seq_len, long.beyond_native_context) == (131_072, False)


def test_windows_that_an_engine_ignores_have_their_price():
    """Of Gemma 2, whose windows are of 4096 tokens, and only where requests are longer."""
    long = predict("gemma-2-2b", "h100-sxm", 6000, 512, 100)
    kept = predict("gemma-2-2b", "h100-sxm", 6000, 512, 100, sliding_windows=True)
    assert kept.energy_per_token_in_windows_j is None
    assert long.energy_per_token_in_windows_j == kept.energy_per_token_j < long.energy_per_token_j
    assert predict("gemma-2-2b", "h100-sxm", 4000, 96, 2).energy_per_token_in_windows_j is None
    assert predict("llama-3.1-8b", "h100-sxm", 6000, 512, 2).energy_per_token_in_windows_j is None


def test_own_calibration_is_used_and_named(write_calibration, tmp_path):
    shipped = predict("opt-1.3b", "h100-sxm", 64, 64, 10)
    path = write_calibration(tmp_path, step_overhead_s=1.0)["calibration"]
    found = predict("opt-1.3b", "h100-sxm", 64, 64, 10, calibration=tmp_path / "calibration.json")
    assert path == str(tmp_path / "calibration.json")
    assert found == predict("opt-1.3b", "h100-sxm", 64, 64, 10, calibration=path)
    assert found.duration_s - shipped.duration_s == pytest.approx(64, rel=0.01)


def test_faster_board_is_faster():
    order = ["l40s", "a100-80gb", "h100-sxm", "h200-sxm", "b200"]
    durations = [predict("llama-3.1-8b", g, 512, 512, 500).duration_s for g in order]
    assert durations == sorted(durations, reverse=True)
    assert all(b < a for a, b in product(durations[:1], durations[1:]))


def test_counts_of_numpy_are_counts():
    """A row of a data frame holds numpy's integers."""
    asked = predict("opt-1.3b", "h100-sxm", np.int64(64), np.int32(128), np.int64(10))
    assert asked == predict("opt-1.3b", "h100-sxm", 64, 128, 10)
    limits = {"max_num_tokens": 4096, "max_seq_len": 2048, "tokens_per_block": 16}
    assert predict("opt-1.3b", "h100-sxm", 64, 128, 10, **limits) == predict(
        "opt-1.3b", "h100-sxm", 64, 128, 10, **{name: np.int64(n) for name, n in limits.items()}
    )
    assert json.loads(json.dumps(asked.values()))["output_tokens"] == 128


def test_sweet_spot_is_not_looked_for_beyond_what_a_model_is_simulated_for():
    with pytest.raises(InputError, match="max_seq_len 8193 is more than the 8192 tokens"):
        predict("opt-1.3b", "h100-sxm", 64, 64, max_seq_len=8193)


def test_more_requests_than_change_anything_are_refused():
    with pytest.raises(InputError, match="requests 1000001 is more than 1000000"):
        predict("opt-1.3b", "h100-sxm", 64, 64, 1_000_001)


@pytest.mark.parametrize("model", [None, 5, ["llama-3.2-1b"], b"llama-3.2-1b"])
def test_model_that_is_not_a_name_path_or_config_is_refused(model):
    with pytest.raises(InputError, match="model must be a catalog id, a path or a parsed"):
        predict(model, "h100-sxm", 64, 64)


@pytest.mark.parametrize("gpu", [None, 5, ["h100-sxm"]])
def test_gpu_that_is_not_a_name_is_refused(gpu):
    with pytest.raises(InputError, match="unknown GPU"):
        predict("llama-3.2-1b", gpu, 64, 64)


def test_default_is_one_gpu_and_16_bits():
    found = predict("llama-3.1-8b", "h100-sxm", 512, 256, 50)
    assert (found.tensor_parallel, found.weights, found.kv_cache) == (1, "model", "model")
    said = predict(
        *("llama-3.1-8b", "h100-sxm", 512, 256, 50),
        tensor_parallel=np.int64(1),
        weights="model",
        kv_cache="model",
    )
    assert said == found


def test_quantized_checkpoint_is_served_as_it_is():
    """FP8 as the option has it; AWQ reads fewer bytes, which counts where few requests run."""
    config = read_packaged("models.yaml")["llama-3.1-8b"]["config"] | {"_name_or_path": "mine"}
    fp8 = {"quant_method": "modelopt", "quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128}
    shape = ("h100-sxm", 512, 256, 4)
    plain, found = predict(config, *shape), predict(config | {"quantization_config": fp8}, *shape)
    asked = predict(config, *shape, weights="fp8", kv_cache="fp8")
    assert replace(found, weights="fp8", kv_cache="fp8") == asked
    assert (plain.quantization, found.quantization) == ("", "FP8 weights, FP8 KV cache")
    light = predict(config | {"quantization_config": awq}, *shape)
    assert light.quantization == "AWQ weights (4.16 bits)"
    assert light.energy_per_token_j < found.energy_per_token_j < plain.energy_per_token_j
    assert light.max_concurrency > plain.max_concurrency  # in what weights leave of the memory


def test_fp8_and_more_gpus_change_the_answer_as_they_should():
    first = predict("llama-3.1-8b", "h100-sxm", 512, 256, 200)
    fp8 = predict("llama-3.1-8b", "h100-sxm", 512, 256, 200, weights="fp8", kv_cache="fp8")
    two = predict("llama-3.1-8b", "h100-sxm", 512, 256, 200, tensor_parallel=2)
    assert fp8.energy_per_token_j < first.energy_per_token_j
    assert fp8.duration_s < first.duration_s
    assert two.duration_s < first.duration_s
    assert 700 < two.mean_power_w < 1400
    assert (fp8.weights, fp8.kv_cache, two.tensor_parallel) == ("fp8", "fp8", 2)


def test_windows_change_long_sequences_of_models_that_have_them():
    workload = ("h100-sxm", 6000, 512, 100, 64)
    plain, windows = (predict("gemma-2-2b", *workload, sliding_windows=w) for w in (False, True))
    assert windows.energy_per_token_j < plain.energy_per_token_j
    assert windows.max_concurrency >= plain.max_concurrency
    assert (plain.sliding_windows, windows.sliding_windows) == (False, True)
    short = ("h100-sxm", 2048, 2048, 100, 64)
    plain, windows = (predict("gemma-2-2b", *short, sliding_windows=w) for w in (False, True))
    assert windows.energy_per_token_j == pytest.approx(plain.energy_per_token_j, rel=1e-12)
    # a model without windows answers as if nobody had asked
    asked = predict("opt-1.3b", "h100-sxm", 512, 64, 20, sliding_windows=True)
    assert asked == predict("opt-1.3b", "h100-sxm", 512, 64, 20)


def test_graphs_make_a_batch_between_sizes_dearer():
    of = {
        graphs: predict("opt-1.3b", "h100-sxm", 64, 256, 130, cuda_graphs=graphs)
        for graphs in ("none", "vllm", "tensorrt-llm")
    }
    # 130 requests decode as 136, and as 256
    energies = [of[graphs].energy_per_token_j for graphs in ("none", "vllm", "tensorrt-llm")]
    assert energies[0] < energies[1] < energies[2]
    assert [found.cuda_graphs for found in of.values()] == list(of)


@pytest.mark.parametrize(
    ("gpu_id", "change", "message"),
    [
        ("h100-sxm", {"tensor_parallel": 0}, "tensor_parallel must be a positive integer, not 0"),
        (
            "h100-sxm",
            {"tensor_parallel": 16},
            "tensor_parallel must be an integer from 1 to 8, not 16",
        ),
        ("h100-sxm", {"tensor_parallel": 3}, "its 32 attention heads cannot be split evenly"),
        ("h100-sxm", {"weights": "int4"}, "weights must be 'model' or 'fp8', not 'int4'"),
        ("h100-sxm", {"kv_cache": None}, "kv_cache must be 'model' or 'fp8', not None"),
        ("h100-sxm", {"cuda_graphs": "on"}, "cuda_graphs must be 'none', 'vllm' or 'tensorrt-llm'"),
        ("h100-sxm", {"sliding_windows": 4096}, "sliding_windows must be true or false, not 4096"),
        ("a100-80gb", {"weights": "fp8"}, "a100-80gb has no FP8"),
    ],
)
def test_impossible_deployment_is_refused(gpu_id, change, message):
    with pytest.raises(InputError) as caught:
        predict("llama-3.1-8b", gpu_id, 64, 8, 5, **change)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "requests", "input_tokens", "output_tokens"),
    [
        ("llama-3.2-1b", 10, 64, 32),
        ("llama-3.2-1b", 150, 300, 1),
        ("gemma-2-2b", 9, 4000, 200),  # two prompts in an iteration; windows fill on the way
    ],
)
def test_static_batches_are_those_that_a_server_runs(model, requests, input_tokens, output_tokens):
    found = predict(
        *(model, "h200-sxm", input_tokens, output_tokens, requests, 64), engine="transformers"
    )
    load = [Request(0.0, input_tokens, output_tokens)] * requests
    limits = Limits(max_batch_size=64)
    served = simulate_load(model, "h200-sxm", load, limits=limits, engine="transformers").served
    assert found.static_batching
    assert found.max_concurrency == min(64, 8192 // input_tokens)
    assert found.duration_s == pytest.approx(served.duration_s, rel=1e-9)
    assert found.energy_per_token_j == pytest.approx(served.energy_per_token_j, rel=1e-9)


def test_prompt_that_no_static_batch_holds_is_refused():
    with pytest.raises(EngineError, match="9000 tokens is more than max_num_tokens 8192, and stat"):
        predict("llama-3.2-1b", "h200-sxm", 9000, 8, 2, 4, engine="transformers")


@pytest.mark.parametrize("engine", list(shipped_engines()))
def test_engine_brings_its_habits_which_can_be_chosen_otherwise(engine):
    question = ("gemma-2-2b", "h200-sxm", 256, 64, 30)
    found = predict(*question, engine=engine)
    assert (found.engine, found.engine_version) == (
        engine,
        {"tensorrt-llm": "", "transformers": "5.17.0"}.get(engine, "0.24.0"),
    )
    assert found.sliding_windows == (engine != "tensorrt-llm")
    assert found.cuda_graphs == ("vllm" if engine.startswith("vllm") else "none")
    other = predict(*question, engine=engine, sliding_windows=False, cuda_graphs="tensorrt-llm")
    assert (other.sliding_windows, other.cuda_graphs) == (False, "tensorrt-llm")
    assert other.static_batching == found.static_batching == (engine == "transformers")


def test_engine_that_computes_what_others_wait_for_is_faster():
    """Transformers' host sets the pace, and the board waits at the power of clocks that are up."""
    slow, fast = (
        predict("llama-3.2-1b", "h200-sxm", 64, 64, 64, 64, engine=engine)
        for engine in ("transformers", "vllm")
    )
    assert slow.host_bound_share > 0.9
    assert slow.mean_power_w == pytest.approx(138, rel=0.05)
    assert slow.duration_s > 5 * fast.duration_s


@pytest.mark.parametrize(("input_tokens", "output_tokens"), [(2048, 64), (256, 1024)])
def test_lower_limit_is_slower_and_has_its_cheapest_token_below_the_full_one(
    input_tokens, output_tokens
):
    """At first voltage falls with the clock; in the end a slow board pays for its waiting power."""
    question = ("llama-3.1-8b", "h200-sxm", input_tokens, output_tokens, 400)
    found = [predict(*question, power_limit_w=w, engine="vllm") for w in range(150, 701, 50)]
    speeds = [each.throughput_tokens_per_s for each in found]
    clocks = [each.mean_clock_mhz for each in found]
    assert speeds == sorted(speeds)
    assert clocks == sorted(clocks)
    assert all(each.mean_power_w <= each.power_limit_w for each in found)
    energies = [each.energy_per_token_j for each in found]
    cheapest = energies.index(min(energies))
    assert 0 < cheapest < len(found) - 1
    assert [each.gpu_settings for each in found[-2:]] == ["power limit 650 W", ""]


def test_locked_clock_is_the_mean_one_and_changes_decode_less_than_prompts():
    """Prompts compute; decode waits for memory, whose time stays."""
    slower = []
    for lengths in ((4096, 8), (64, 512)):
        free, locked = (
            predict("llama-3.1-8b", "h200-sxm", *lengths, 64, 16, clock_mhz=clock, engine="vllm")
            for clock in (None, 990)
        )
        assert (free.clock_mhz, locked.clock_mhz) == (None, 990)
        assert locked.mean_clock_mhz == pytest.approx(990)
        slower.append(locked.duration_s / free.duration_s)
    prompts, decode = slower
    assert 1.3 < prompts < 2.0
    assert decode < 1.2
    assert predict("opt-1.3b", "h200-sxm", 64, 8, 2, clock_mhz=1980) == predict(
        "opt-1.3b", "h200-sxm", 64, 8, 2
    )
