"""The experiment: defaults, the committed file, and what is refused in which words."""

import copy
import json
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sweetspot.catalog import gpu_ids, model_ids
from sweetspot.config import PAPER_LENGTHS, PAPER_MODELS, Experiment, parse_experiment
from sweetspot.errors import InputError
from sweetspot.schema.writing import json_text, plain

ROOT = Path(__file__).parents[2]
KEYS = [each.name for each in fields(Experiment)]


def grid(**keys):
    return {"sweeps": {"grid": keys}}


def refusal(config):
    with pytest.raises(InputError) as caught:
        parse_experiment(config, "config.yaml")
    message = str(caught.value)
    assert message.startswith("config.yaml: ")
    assert "\n" not in message
    return message.removeprefix("config.yaml: ")


def test_committed_file_is_the_default_experiment():
    text = (ROOT / "config.yaml").read_text(encoding="utf-8")
    assert parse_experiment(yaml.safe_load(text)) == Experiment()


def test_default_experiment_is_the_papers():
    found = Experiment()
    assert found == parse_experiment({})
    assert found.engine == "tensorrt-llm"
    assert set(found.models) == set(model_ids()) == set(PAPER_MODELS)
    assert found.gpu in gpu_ids()
    assert found.sweeps["grid"].input_tokens == list(PAPER_LENGTHS)
    limits = found.limits
    assert (limits.max_seq_len, limits.max_batch_size, limits.max_num_tokens) == (8192, 1024, 8192)


def test_other_names_of_gpu_and_models_give_the_same_experiment():
    named = {
        "gpu": "NVIDIA H100 80GB HBM3",
        "models": ["meta-llama/Llama-3.2-1B", "./mine"],
        **grid(models=["facebook/opt-1.3b"]),
    }
    found = parse_experiment(named)
    assert (found.gpu, found.models) == ("h100-sxm", ["llama-3.2-1b", "./mine"])
    assert found.sweeps["grid"].models == ["opt-1.3b"]


def test_gpu_that_is_not_known_or_not_one_is_refused():
    assert refusal({"gpu": "h101"}).startswith("gpu: unknown GPU 'h101'; did you mean 'h100-sxm'")
    assert "can be 'a100-40gb', 'a100-80gb', 'a100-pcie" in refusal({"gpu": "a100"})


def test_experiment_survives_json():
    found = parse_experiment({"engine": "simulator", "simulator": {"calibration": "a/b.json"}})
    assert parse_experiment(json.loads(json_text(found))) == found


def test_values_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Experiment().limits.max_seq_len = 5


@pytest.mark.parametrize(
    ("config", "kind", "wrong", "near"),
    [
        ({"enginee": "simulator"}, "key", "enginee", "engine"),
        ({"model": []}, "key", "model", "models"),
        (grid(input_token=[1]), "key in sweeps.grid", "input_token", "input_tokens"),
        ({"limits": {"max_seqlen": 1}}, "key in limits", "max_seqlen", "max_seq_len"),
        ({"dataset": {"sed": 1}}, "key in dataset", "sed", "seed"),
        ({"measure": {"repeat": 1}}, "key in measure", "repeat", "repeats"),
        ({"simulator": {"calibrations": 1}}, "key in simulator", "calibrations", "calibration"),
        ({"simulator": {"cuda_graph": 1}}, "key in simulator", "cuda_graph", "cuda_graphs"),
        ({"figures": {"colourmap": 1}}, "key in figures", "colourmap", "colormap"),
    ],
)
def test_unknown_key_is_answered_with_the_nearest(config, kind, wrong, near):
    message = refusal(config)
    assert message.startswith(f"unknown {kind} {wrong!r}; did you mean {near!r}? known: ")


def test_unknown_key_with_no_neighbour_lists_all_keys():
    message = refusal({"zzz": 1})
    assert message == f"unknown key 'zzz'; known: {', '.join(sorted(KEYS))}"
    assert refusal({1: 2}) == message.replace("'zzz'", "'1'")


@pytest.mark.parametrize("value", [0, -64, 64.0, 0.5, "64.0", "many", "", True, False, None, [64]])
@pytest.mark.parametrize("name", ["input_tokens", "output_tokens", "requests", "max_batch_size"])
def test_length_that_is_not_a_positive_integer_is_refused(name, value):
    message = refusal(grid(**{name: [128, value]}))
    assert message == f"sweeps.grid.{name} must be a positive integer, not {value!r}"


def test_whole_number_as_text_is_a_number():
    """Snakemake hands on numbers inside of `--config 'limits={max_seq_len: 4160}'` as text."""
    found = parse_experiment(
        grid(input_tokens=["64"]) | {"limits": {"max_seq_len": "4160"}, "dataset": {"seed": "0"}}
    )
    assert found.sweeps["grid"].input_tokens == [64]
    assert found.limits.max_seq_len == 4160
    assert found.dataset.seed == 0
    assert "input_tokens lists 64 twice" in refusal(grid(input_tokens=[64, "64"]))


@pytest.mark.parametrize("value", [0, -1, 8192.0, "8k", True, None])
@pytest.mark.parametrize(
    "path",
    [
        "limits.max_seq_len",
        "limits.max_batch_size",
        "limits.max_num_tokens",
        "limits.tokens_per_block",
        "dataset.vocab_size",
    ],
)
def test_count_that_is_not_a_positive_integer_is_refused(path, value):
    section, name = path.split(".")
    message = refusal({section: {name: value}})
    assert message == f"{path} must be a positive integer, not {value!r}"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (grid(input_tokens=[]), "sweeps.grid.input_tokens is empty; it needs at least one entry"),
        (grid(output_tokens=[]), "sweeps.grid.output_tokens is empty"),
        (grid(requests=[]), "sweeps.grid.requests is empty"),
        (grid(max_batch_size=[]), "sweeps.grid.max_batch_size is empty"),
        (grid(models=[]), "sweeps.grid.models is empty"),
        ({"sweeps": {}}, "sweeps is empty; it needs at least one entry"),
        ({"models": []}, "models is empty; it needs at least one entry"),
        (grid(input_tokens=64), "sweeps.grid.input_tokens must be a list, such as [a, b], not 64"),
        ({"models": "opt-1.3b"}, "models must be a list, such as [a, b], not 'opt-1.3b'"),
        (grid(models=[7]), "sweeps.grid.models must be text, not 7; write it in quotes"),
        ({"sweeps": {"grid": None}}, "sweeps.grid must be a section with keys of its own, not"),
        ({"limits": None}, "limits must be a section with keys of its own, not None"),
    ],
)
def test_empty_list_or_missing_one_is_refused(config, message):
    assert refusal(config).startswith(message)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (grid(input_tokens=[64, 128, 64]), "sweeps.grid: duplicate cell: input_tokens lists 64"),
        (grid(output_tokens=[1, 1]), "sweeps.grid: duplicate cell: output_tokens lists 1"),
        (grid(requests=[10, 10]), "sweeps.grid: duplicate cell: requests lists 10"),
        (grid(max_batch_size=[8, 8]), "sweeps.grid: duplicate cell: max_batch_size lists 8"),
        (grid(models=["a", "a"]), "sweeps.grid: duplicate cell: models lists a"),
        ({"models": ["opt-1.3b", "opt-1.3b"]}, "duplicate cell: models lists opt-1.3b"),
    ],
)
def test_duplicate_cell_is_refused(config, message):
    assert refusal(config) == f"{message} twice; keep it once"


def test_sequence_beyond_the_limit_is_refused_with_its_sum():
    assert refusal(grid(input_tokens=[64, 4097], output_tokens=[64, 4096])) == (
        "sweeps.grid: input_tokens 4097 + output_tokens 4096 = 8193 is more than"
        " limits.max_seq_len 8192; shorten a length or raise the limit"
    )
    both = grid(input_tokens=[4097], output_tokens=[4096]) | {"limits": {"max_seq_len": 8193}}
    assert parse_experiment(both).limits.max_seq_len == 8193
    assert "limits.max_seq_len 8191" in refusal({"limits": {"max_seq_len": 8191}})


def test_batch_beyond_the_token_budget_is_refused():
    assert "max_batch_size 8193 is more than limits.max_num_tokens 8192" in refusal(
        grid(max_batch_size=[64, 8193])
    )
    assert refusal({"limits": {"max_num_tokens": 1023}}).startswith(
        "limits: max_num_tokens 1023 is smaller than max_batch_size 1024"
    )
    small = {"max_batch_size": 4, "max_num_tokens": 31}
    assert "tokens_per_block 32" in refusal({"limits": small})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ["opt-1.3b", "opt-2.7b"]}, "so models must be one value, not 2"),
        (
            {"sweeps": {"batch": {"max_batch_size": [8, 16]}}},
            "so max_batch_size must be one value, not 2",
        ),
    ],
)
def test_one_server_is_one_model_with_one_limit(changes, message):
    sweeps = {"batch": {"input_tokens": [64], "output_tokens": [64], "requests": [8]}}
    config = {"engine": "endpoint", "models": ["opt-1.3b"], "sweeps": sweeps}
    assert parse_experiment(config).engine == "endpoint"
    own = (
        {"sweeps": {"batch": sweeps["batch"] | changes["sweeps"]["batch"]}}
        if "sweeps" in changes
        else changes
    )
    assert message in refusal(config | own)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"engine": "tgi"},
            "engine must be 'tensorrt-llm', 'vllm', 'transformers', 'deepspeed', 'endpoint' or"
            " 'simulator', not 'tgi'",
        ),
        ({"measure": {"block": "row"}}, "measure.block must be 'model', 'input' or 'cell'"),
        (
            {"measure": {"repeats": 10**30}},
            f"measure.repeats must be an integer from 1 to 1000, not {10**30}",
        ),
        (
            {"limits": {"tensor_parallel": 9}},
            "limits.tensor_parallel must be an integer from 1 to 8, not 9",
        ),
        (
            {"limits": {"tensor_parallel": 0}},
            "limits.tensor_parallel must be an integer from 1 to 8, not 0",
        ),
        ({"limits": {"pipeline_parallel": 2}}, "limits.pipeline_parallel must be 1, not 2"),
        ({"precision": {"weights": "int4"}}, "precision.weights must be 'model' or 'fp8', not"),
        (
            {"limits": {"tensor_parallel": 2}},
            "engine tensorrt-llm meters one GPU, so limits.tensor_parallel must be 1, not 2;",
        ),
        (
            {"precision": {"kv_cache": "fp8"}},
            "engine tensorrt-llm measures 16 bits, so precision.kv_cache must be 'model',",
        ),
        (
            {"gpu_settings": {"power_limit_w": 500}},
            "engine tensorrt-llm measures the GPU as it is set and changes nothing of it, so"
            " gpu_settings.power_limit_w must be left out, not 500;",
        ),
        (
            {"engine": "vllm", "gpu_settings": {"clock_mhz": 1500}},
            "engine vllm measures the GPU as it is set and changes nothing of it, so"
            " gpu_settings.clock_mhz must be left out, not 1500; only `engine: simulator` takes it",
        ),
        ({"gpu_settings": {"clock_mhz": -1}}, "gpu_settings.clock_mhz must be more than 0, not -1"),
        ({"simulator": {"engine": 3}}, "simulator.engine must be text, not 3; write it in quotes"),
        ({"figures": {"palette": "jet"}}, "figures.palette must be 'colorblind' or 'okabe_ito'"),
        ({"figures": {"columns": 3}}, "figures.columns must be 1 or 2, not 3"),
        ({"figures": {"font_size_pt": 6}}, "figures.font_size_pt must be at least 7, not 6"),
        ({"dataset": {"seed": -1}}, "dataset.seed must be an integer from 0 to 4294967295, not -1"),
        ({"dataset": {"seed": 2**32}}, "dataset.seed must be an integer from 0 to 4294967295, not"),
        ({"dataset": {"seed": True}}, "dataset.seed must be an integer from 0 to 4294967295, not"),
        ({"dataset": {"eos_id": -1}}, "dataset.eos_id must be an integer of 0 or more, not -1"),
        ({"figures": {"dpi": "x"}}, "figures.dpi must be an integer, not 'x'"),
        ({"measure": {"idle_s": "x"}}, "measure.idle_s must be a number, not 'x'"),
        ({"node": {"timeout_s": 0}}, "node.timeout_s must be more than 0, not 0"),
        (
            {"measure": {"min_window_s": float("inf")}},
            "measure.min_window_s must be at most 86400, not inf",
        ),
        ({"dataset": {"eos_id": "x"}}, "dataset.eos_id must be an integer of 0 or more, not 'x'"),
        (
            {"measure": {"remeasure": "maybe"}},
            "measure.remeasure must be 'nothing', 'failed' or 'all', not 'maybe'",
        ),
        ({"gpu": 100}, "gpu must be text, not 100; write it in quotes"),
    ],
)
def test_value_outside_the_vocabulary_is_refused_with_what_is_allowed(config, message):
    assert refusal(config).startswith(message)


@pytest.mark.parametrize("value", [0, -0.5, 1.01, float("nan"), "most"])
def test_memory_share_outside_0_to_1_is_refused(value):
    message = refusal({"limits": {"kv_cache_memory_fraction": value}})
    assert message.startswith("limits.kv_cache_memory_fraction")
    assert "integer" not in message


@pytest.mark.parametrize("run", ["", "a/b", "..", ".hidden", "-x", "a b", "a\n", "é"])
def test_run_name_that_is_not_a_folder_is_refused(run):
    message = refusal({"run": run})
    assert message.startswith("run must begin with a letter or digit and may hold letters, digits")
    assert message.endswith(f", not {run!r}")


def test_sweep_name_that_cannot_stand_in_a_table_is_refused():
    allowed = "may hold letters, digits, '_' and '-' only"
    for name in ("a b", "a.b", "a;b", ""):
        assert refusal({"sweeps": {name: {}}}) == f"sweeps: name {allowed}, not {name!r}"
    assert refusal({"sweeps": {1: {}}}) == ("sweeps: name must be text, not 1; write it in quotes")


@pytest.mark.parametrize("config", [[], [["run", "x"]], 7, "run", None])
def test_configuration_that_is_not_a_mapping_is_refused(config):
    with pytest.raises(InputError, match=r"config\.yaml must be a mapping of keys to values"):
        parse_experiment(config, "config.yaml")


def test_all_mistakes_are_named_each_once():
    assert refusal(
        grid(input_tokens=[0, 64, 0], requests=[]) | {"limits": {"max_seq_len": "8k"}}
    ) == (
        "sweeps.grid.input_tokens must be a positive integer, not 0;"
        " sweeps.grid.requests is empty; it needs at least one entry;"
        " limits.max_seq_len must be a positive integer, not '8k'"
    )


def test_mistakes_beyond_five_are_counted():
    message = refusal({f"x{i}": i for i in range(7)})
    assert message.count("unknown key") == 5
    assert message.endswith("; and 2 more")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
PATHS = [
    *((name,) for name in KEYS),
    *(("sweeps", "grid", name) for name in ("models", "input_tokens", "requests")),
    *(("limits", name) for name in ("max_seq_len", "kv_cache_memory_fraction")),
    ("figures", "dpi"),
    ("simulator", "calibration"),
]


@given(path=st.sampled_from(PATHS), value=JSON)
def test_any_value_is_taken_or_refused_in_one_line(path, value):
    config = copy.deepcopy(plain(Experiment()))
    section = config
    for part in path[:-1]:
        section = section[part]
    section[path[-1]] = value
    try:
        parse_experiment(config)
    except InputError as error:
        message = str(error)
    else:
        return
    assert path[0].removesuffix("s") in message  # of `sweeps`: "sweep name ..."
    assert "\n" not in message


def test_more_requests_than_change_anything_are_refused():
    message = refusal(grid(requests=[1000, 1_000_001]))
    assert message.startswith("sweeps.grid: requests 1000001 is more than 1000000")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"python": "env HF_TOKEN=hf_s3cr3t python3"}, "node: python holds a value of HF_TOKEN"),
        (
            {"container": {"runtime": "apptainer", "image": "docker://me:s3cr3t@registry/vllm"}},
            "node.container: image holds a password in a URL",
        ),
    ],
)
def test_secret_in_a_command_is_refused_and_not_repeated(node, said):
    message = refusal({"node": node})
    assert message.startswith(f"{said}, which logs and records would show")
    assert "s3cr3t" not in message
